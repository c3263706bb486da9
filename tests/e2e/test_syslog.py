# SPDX-License-Identifier: ISC
"""The copy to syslog: every record reaches a receiver, byte for byte, also one that was away; and nobody waits for it."""
import json
import os
import re
import signal
import socket
import ssl
import threading

import pytest

from fleet import free_port, until

HEAD = re.compile(rb"<(\d+)>1 (\S+) (\S+) sekisho - (\S+) - ")


class Receiver:
    """A syslog receiver over TCP or TLS that keeps what it was sent. `deaf`: it reads nothing."""

    def __init__(self, tls=None, port=None):
        self.messages, self.connections, self.deaf, self.closed = [], [], threading.Event(), False
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        self.listener = socket.create_server(("127.0.0.1", port or free_port()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while not self.closed:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.receive, args=(connection,), daemon=True).start()

    def receive(self, connection):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.connections.append(connection)
            buffer = b""
            while not self.deaf.is_set():
                more = connection.recv(65536)
                if not more:
                    return
                buffer += more
                while b" " in buffer[:10]:
                    length, rest = buffer.split(b" ", 1)
                    if len(rest) < int(length):
                        break
                    self.messages.append(rest[:int(length)])
                    buffer = rest[int(length):]
        except OSError:
            pass

    def hang_up(self):
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def close(self):
        self.closed = True
        self.listener.shutdown(socket.SHUT_RDWR)  # else it lives on in the thread that accepts
        self.listener.close()
        self.hang_up()


class Datagrams:
    """This host's syslog socket."""

    def __init__(self, path):
        self.path, self.messages, self.closed = path, [], False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0.1)
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self):
        while not self.closed:
            try:
                self.messages.append(self.socket.recv(1 << 20))
            except TimeoutError:
                pass
            except OSError:
                return

    def close(self):
        self.closed = True
        self.socket.close()
        self.path.unlink()


def lines_of(messages):
    """tenant's folder -> its lines in the order they came, whatever came twice once."""
    found = {}
    for message in messages:
        line = message[HEAD.match(message).end():]
        tenant = json.loads(line)["tenant"] or "_provider"
        found.setdefault(tenant, {}).setdefault(json.loads(line)["n"], line)
    return {tenant: list(lines.values()) for tenant, lines in found.items()}


def syslog(proxy, target, **more):
    base = proxy.conf.read_text().split("[syslog]")[0]
    lines = [f"syslog_{key} = {value}" for key, value in {"target": target, **more}.items()]
    proxy.conf.write_text(base + "\n".join(["[syslog]", *lines, ""]))
    proxy.reload()
    if target:
        begun(proxy)


def begun(proxy):
    cursors = proxy.home / "state/notify.cursor"
    until(lambda: cursors.exists() and "syslog" in cursors.read_text().split("\n")[0], "the notifier has begun to copy")


def copied(proxy, receiver, tenant, since=0):
    """All of the tenant's log from `since` on is at the receiver."""
    wanted = [line for line in proxy.lines(tenant) if json.loads(line)["n"] > since]
    return wanted and lines_of(list(receiver.messages)).get(tenant, [])[-len(wanted):] == wanted


@pytest.fixture
def quiet(proxy):
    yield
    syslog(proxy, "")


def test_every_record_is_copied_to_the_hosts_syslog(proxy, quiet):
    receiver = Datagrams(proxy.home / "log.sock")
    mark = proxy.mark("acme")
    syslog(proxy, f"unix:{receiver.path}")
    proxy.one("acme", "SELECT 1")
    proxy.awaits("acme", "session.close", after=mark)
    until(lambda: copied(proxy, receiver, "acme", mark), "acme's records are there")
    proxy.reload()
    until(lambda: b'"node.reload"' in b"".join(receiver.messages), "and the provider's")
    message = [m for m in receiver.messages if b'"session.open"' in m][0]
    head = HEAD.match(message)
    record = json.loads(message[head.end():])
    assert head[1] == b"110" and head[2].decode() == record["time"] and head[4] == b"session.open"
    assert head[3].decode() == socket.gethostname()
    receiver.close()


def test_over_tls_with_the_receivers_name_verified(fleet, proxy, quiet):
    tls = fleet.authority.issue(fleet.folder / "collector", "localhost")
    receiver = Receiver(tls)
    mark = proxy.mark("acme")
    syslog(proxy, f"tls://localhost:{receiver.port}", ca=fleet.authority.crt)
    for _ in range(20):
        proxy.one("acme", "SELECT 1")
    until(lambda: len([r for r in proxy.records("acme", "session.close") if r["n"] > mark]) == 20, "twenty came and went")
    until(lambda: copied(proxy, receiver, "acme", mark), "acme's records are there")
    receiver.close()
    strangers = Receiver(fleet.authority.issue(fleet.folder / "stranger", "elsewhere.test"))
    syslog(proxy, f"tls://localhost:{strangers.port}", ca=fleet.authority.crt)
    until(lambda: "syslog_target cannot be reached" in proxy.log(), "a wrong name is said")
    assert not strangers.messages, "and hears nothing"
    strangers.close()


def test_a_receiver_that_was_away_gets_what_it_missed(proxy, quiet):
    receiver = Receiver()
    mark = proxy.mark("acme")
    syslog(proxy, f"tcp://127.0.0.1:{receiver.port}")
    proxy.one("acme", "SELECT 1")
    until(lambda: copied(proxy, receiver, "acme", mark), "the first records are there")
    receiver.close()
    for _ in range(3):
        proxy.one("acme", "SELECT 1")
    notifier = proxy.pid("notifier")
    os.kill(notifier, signal.SIGKILL)
    until(lambda: proxy.pids("notifier") not in ([], [notifier]), "another notifier")
    proxy.one("acme", "SELECT 1")
    again = Receiver(port=receiver.port)
    again.messages += receiver.messages
    until(lambda: copied(proxy, again, "acme", mark), "what it missed came, in order", 20)
    again.close()


def test_a_deaf_receiver_delays_nobody(proxy, quiet):
    receiver = Receiver()
    receiver.deaf.set()
    mark = proxy.mark("acme")
    syslog(proxy, f"tcp://127.0.0.1:{receiver.port}")
    for _ in range(5):
        assert proxy.one("acme", "SELECT 1") == 1
    until(lambda: len([r for r in proxy.records("acme", "session.close") if r["n"] > mark]) == 5, "their records are written")
    assert not receiver.messages
    receiver.close()


def test_what_was_gone_before_it_was_sent_is_counted_in_the_log(empty_fleet):
    """Files that were deleted before their lines were sent: here by hand, else by retention."""
    receiver = Receiver()
    node = empty_fleet.proxy(name="gap", syslog_target=f"tcp://127.0.0.1:{receiver.port}")
    node.start()
    begun(node)
    folder = node.ledger / "initech"
    folder.mkdir(mode=0o700)
    line = '{"n":%d,"time":"2026-11-24T21:30:00.000+09:00","tenant":"initech","event":"session.refused","prev":"00"}\n'
    (folder / "00000001.jsonl").write_text(line % 1)
    until(lambda: "initech" in lines_of(list(receiver.messages)), "the first line is sent")
    (folder / "00000003.jsonl").write_text(line % 5)
    (folder / "00000001.jsonl").unlink()
    lost = node.awaits("_provider", "syslog.lost")
    assert lost["count"] == 3 and "2 to 4 of initech" in lost["cause"]
    until(lambda: len(lines_of(list(receiver.messages))["initech"]) == 2, "the last line is sent")
    node.stop()
    receiver.close()


def test_only_loopback_may_be_unencrypted(proxy, quiet):
    base = proxy.conf.read_text().split("[syslog]")[0]
    proxy.conf.write_text(base + "[syslog]\nsyslog_target = tcp://192.0.2.1:514\n")
    proxy.reload()
    until(lambda: "syslog_target is plain TCP, which is for loopback only: nothing is copied" in proxy.log(), "it is said")
