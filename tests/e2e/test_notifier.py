# SPDX-License-Identifier: ISC
"""Notices: what somebody should hear of now reaches a program and a web hook, in order, signed, and although they fail.

Crashes are real ones of acme's and globex's cells. The logs of initech and hooli are written here, line by line as the
ledger writes them: no client of theirs ever connects.
"""
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import signal
import ssl
import threading

import pytest

from fleet import Fleet, free_port, until

SECRET = b"a secret of the web hook"


class Hook:
    """A web hook: keeps what it was sent. refuse: tenants whose notices get a 503; hang: tenants who get no answer."""

    def __init__(self, port=None, tls=None):
        self.got, self.tries, self.refuse, self.hang = [], [], set(), set()
        self.release = threading.Event()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                tenant = json.loads(body)["tenant"]
                hook.tries.append((self.headers["Idempotency-Key"], self.path))
                if tenant in hook.hang:
                    hook.release.wait(60)
                    self.close_connection = True
                    return
                refused = tenant in hook.refuse
                if not refused:
                    hook.got.append((dict(self.headers), body))
                self.send_response(503 if refused else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port or free_port()), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    def of(self, tenant):
        return [json.loads(body) for _, body in self.got if json.loads(body)["tenant"] == tenant]

    def numbers(self, tenant):
        return [notice["record"]["n"] for notice in self.of(tenant)]


class Chain:
    """A tenant's log, written as the ledger writes it; what the ledger itself adds when it stops, counts too."""

    def __init__(self, proxy, tenant):
        self.tenant, self.folder = tenant, proxy.ledger / tenant
        self.folder.mkdir(mode=0o700)
        self.path = self.folder / "00000001.jsonl"

    def write(self, event, **fields):
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        self.n = len(lines) + 1
        self.prev = hashlib.sha256(lines[-1]).hexdigest() if lines else "0" * 64
        record = {"n": self.n, "time": "2026-11-24T21:30:00.000+09:00", "tenant": self.tenant, "event": event, **fields,
                  "prev": self.prev}
        line = json.dumps(record, separators=(",", ":")).encode()
        with open(self.path, "ab") as log:
            log.write(line + b"\n")
        return self.n


class Program:
    """notify_command: keeps what it read. While `failing` is there it fails; while `hanging`, it does not end."""

    def __init__(self, home):
        self.path, self.told, self.failing, self.hanging = (home / f"program{end}" for end in ("", ".told", ".fail", ".hang"))
        self.path.write_text(f"#!/bin/sh\n[ ! -e {self.failing} ] || exit 3\n"
                             f"if [ -e {self.hanging} ]; then sleep 987 & echo $! >>{self.hanging}; wait; fi\n"
                             f"body=$(cat)\nprintf '%s %s\\n' \"$#\" \"$body\" >>{self.told}\nexec env >{self.told}.env\n")
        self.path.chmod(0o755)

    def lines(self):
        return self.told.read_text().splitlines() if self.told.exists() else []

    def of(self, tenant):
        found = [json.loads(line.split(" ", 1)[1]) for line in self.lines()]
        return [notice for notice in found if notice["tenant"] == tenant]

    def numbers(self, tenant):
        return [notice["record"]["n"] for notice in self.of(tenant)]


def notify(proxy, **settings):
    """The configuration with these notify_... settings, and no others."""
    base = proxy.conf.read_text().split("[notify]")[0]
    lines = [f"notify_{key} = {value}" for key, value in settings.items()]
    proxy.conf.write_text(base + "\n".join(["[notify]", *lines, ""]))


@pytest.fixture(scope="module")
def told():
    fleet = Fleet()
    hook = Hook()
    proxy = fleet.proxy()
    for tenant in ("acme", "globex"):
        proxy.add(tenant, fleet.instance(tenant))
    proxy.hook, proxy.notified = hook, Program(proxy.home)
    secret = proxy.home / "hook.secret"
    secret.write_bytes(SECRET + b"\n")
    proxy.both = {"command": proxy.notified.path, "url": f"http://127.0.0.1:{hook.port}/hook", "secret": secret}
    notify(proxy, **proxy.both)
    proxy.ledger.mkdir(mode=0o700, exist_ok=True)
    proxy.initech, proxy.hooli = Chain(proxy, "initech"), Chain(proxy, "hooli")
    proxy.initech.write("tampering", detail="long ago")
    proxy.start()
    until((proxy.home / "state" / "notify.cursor").exists, "the notifier has begun: what comes now is told")
    yield proxy
    hook.close()
    fleet.stop()


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def crash(proxy, tenant):
    mark = proxy.mark(tenant)
    assert proxy.one(tenant, "SELECT 1") == 1
    os.kill(proxy.pid(f"cell {tenant}"), signal.SIGKILL)
    return proxy.awaits(tenant, "process.crash", after=mark)


def reset(proxy, **settings):
    proxy.hook.refuse, proxy.hook.hang = set(), set()
    notify(proxy, **(settings or proxy.both))
    proxy.reload()


def remembered(proxy, tenant, target):
    """The number up to which the cursors' file says that target was told."""
    words = [line.split() for line in (proxy.home / "state" / "notify.cursor").read_text().splitlines()]
    return next((int(n) for folder, to, _, _, n in words[1:]
                 if (folder, to) == (tenant, target)), None)


def both_have(proxy, tenant, n):
    until(lambda: n in proxy.hook.numbers(tenant) and n in proxy.notified.numbers(tenant), f"{tenant}/{n} is told to both", 20)


def test_a_crashed_cell_is_told_to_the_program_and_to_the_web_hook(told):
    record = crash(told, "acme")
    both_have(told, "acme", record["n"])
    headers, body = next((h, b) for h, b in told.hook.got if json.loads(b)["record"] == record)
    line = next(line for line in told.lines("acme") if json.loads(line) == record)
    assert line in body, "the line is there byte by byte"
    notice = json.loads(body)
    assert notice == {"sekisho": 1, "tenant": "acme", "urgency": "normal", "record": record,
                      "line_sha256": hashlib.sha256(line).hexdigest()}
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == f"acme/{record['n']}"
    assert headers["Sekisho-Signature"] == "sha256=" + hmac.digest(SECRET, body, "sha256").hex()
    assert f"0 {body.decode()}" in told.notified.lines(), "the same on standard input, and no argument"


def test_the_program_inherits_nothing(told):
    names = {line.split("=")[0] for line in (told.home / "program.told.env").read_text().splitlines()}
    assert names <= {"PATH", "TZ", "PWD", "_", "SHLVL", "OLDPWD"}, names


def test_history_is_not_told_and_neither_are_everyday_sessions(told):
    n = told.initech.write("tampering", detail="now")
    both_have(told, "initech", n)
    assert told.hook.numbers("initech") == [n], "not what was there before the first start"
    told.one("globex", "SELECT 1")
    record = crash(told, "globex")
    both_have(told, "globex", record["n"])
    assert {notice["record"]["event"] for notice in told.hook.of("globex")} == {"process.crash"}


def test_break_glass_is_told_and_shouts_where_it_must(told):
    cases = [("grant.change", {"operator": "alice", "class": "support", "state": "requested"}, "normal"),
             ("grant.change", {"operator": "alice", "class": "emergency", "state": "active"}, "urgent"),
             ("grant.change", {"operator": "alice", "class": "support", "state": "disputed"}, "urgent"),
             ("session.refused", {"operator": "alice", "reason": "no grant"}, "normal"),
             ("session.open", {"user": "alice"}, None),
             ("operator.statement", {"operator": "alice", "sql": "SELECT 1"}, None),
             ("tampering", {"detail": "row 3"}, "urgent")]
    want = [(told.initech.write(event, **fields), urgency) for event, fields, urgency in cases]
    want = [(n, urgency) for n, urgency in want if urgency]
    both_have(told, "initech", want[-1][0])
    for who in (told.hook, told.notified):
        got = [(notice["record"]["n"], notice["urgency"]) for notice in who.of("initech")]
        assert [pair for pair in got if pair[0] >= want[0][0]] == want, "in order, each once"


def test_a_tenant_that_is_new_is_told_from_its_first_record(told):
    pied = Chain(told, "piedpiper")
    pied.write("tampering", detail="at once")
    both_have(told, "piedpiper", 1)


def test_what_fails_is_tried_again_in_order_and_holds_up_nobody_else(told):
    told.hook.refuse = {"initech"}
    first = told.initech.write("tampering", detail="one")
    rest = [told.initech.write("tampering", detail=text) for text in ("two", "three")]
    until(lambda: len([key for key, _ in told.hook.tries if key == f"initech/{first}"]) >= 2, "tried, and tried again", 10)
    n = told.hooli.write("tampering", detail="meanwhile")
    both_have(told, "hooli", n)
    assert first not in told.hook.numbers("initech")
    until(lambda: told.notified.numbers("initech")[-3:] == [first, *rest], "the other target has them all the while")
    told.hook.refuse = set()
    until(lambda: told.hook.numbers("initech")[-3:] == [first, *rest], "in order, when it takes them", 10)
    assert f"initech/{first} is not delivered yet: notify_url answered with status 503" in told.log()


def test_a_web_hook_that_never_answers_holds_up_nobody_else(told):
    told.hook.hang = {"initech"}
    stuck = told.initech.write("tampering", detail="stuck")
    until(lambda: f"initech/{stuck}" in [key for key, _ in told.hook.tries], "it hangs")
    n = told.hooli.write("tampering", detail="past it")
    until(lambda: n in told.hook.numbers("hooli"), "hooli's is delivered meanwhile", 5)
    assert told.one("acme", "SELECT 1") == 1
    assert stuck not in told.hook.numbers("initech")
    told.hook.hang = set()
    until(lambda: stuck in told.hook.numbers("initech"), "given up after ten seconds, then tried again", 20)


def test_a_program_that_never_ends_is_ended_with_its_children(told):
    told.notified.hanging.touch()
    n = told.initech.write("tampering", detail="slow")
    child = int(until(lambda: told.notified.hanging.read_text().split(), "it hangs")[0])
    until(lambda: not runs(child), "ended after ten seconds", 15)
    told.notified.hanging.unlink()
    both_have(told, "initech", n)
    assert "notify_command did not end within 10 s" in told.log()


def test_a_program_that_fails_is_called_again(told):
    told.notified.failing.touch()
    n = told.hooli.write("tampering", detail="not taken")
    until(lambda: "notify_command ended with status 3" in told.log(), "it failed")
    assert n not in told.notified.numbers("hooli")
    told.notified.failing.unlink()
    both_have(told, "hooli", n)


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_nothing_is_lost_when_the_notifier_dies(told, how):
    """Whom it tells is away, then it is away itself; afterwards everything is told, in order."""
    told.hook.refuse = {"hooli"}
    seen = len(told.hook.numbers("hooli"))
    numbers = [told.hooli.write("tampering", detail=how) for _ in range(3)]
    until(lambda: f"hooli/{numbers[0]}" in [key for key, _ in told.hook.tries], "refused once")
    until(lambda: told.notified.numbers("hooli")[-3:] == numbers, "the program has them")
    # What was told a moment before it dies may be told again: here it has been written down.
    until(lambda: (remembered(told, "hooli", "url"), remembered(told, "hooli", "command")) == (numbers[0] - 1, numbers[-1]),
          "the cursors are on disk")
    if how == "kill":
        pid = told.pid("notifier")
        os.kill(pid, signal.SIGKILL)
        numbers.append(told.hooli.write("tampering", detail="meanwhile"))
        until(lambda: told.pids("notifier") not in ([], [pid]), "another notifier")
        told.awaits("_provider", "process.crash", process="notifier")
    else:
        told.stop()
        numbers.append(told.hooli.write("tampering", detail="meanwhile"))
        told.start()
    told.hook.refuse = set()
    until(lambda: told.hook.numbers("hooli")[seen:] == numbers, "all, in order, each once", 15)
    until(lambda: told.notified.numbers("hooli")[-1] == numbers[-1], "the program hears the last one")


def test_a_repaired_log_is_told(told):
    told.stop()
    with open(told.ledger / "acme" / "00000001.jsonl", "ab") as log:
        log.write(b'{"n":99')
    told.start()
    record = told.awaits("acme", "ledger.repaired")
    both_have(told, "acme", record["n"])


def test_the_cursors_are_private_and_the_only_thing_written(told):
    cursors = told.home / "state" / "notify.cursor"
    assert cursors.stat().st_mode & 0o777 == 0o600
    head, *lines = cursors.read_text().splitlines()
    assert head == "sekisho-notify 1 command url"
    assert {line.split()[0] for line in lines} >= {"acme", "globex", "initech", "_provider"}
    pid = told.pid("notifier")

    def opened():
        with contextlib.suppress(FileNotFoundError):  # it was closed while we looked
            paths = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            return [path for path in paths if path.startswith(str(told.home))]

    # While it saves, the folder is open too.
    until(lambda: set(opened() or [""]) <= {str(told.ledger), str(told.log_path)}, "only the log is kept open")


def test_without_a_readable_secret_nothing_is_posted(told):
    reset(told, **{**told.both, "secret": told.home / "absent"})
    n = told.hooli.write("tampering", detail="unsigned")
    until(lambda: n in told.notified.numbers("hooli"), "the program needs no secret")
    until(lambda: "notify_secret cannot be read" in told.log(), "it is said")
    assert n not in told.hook.numbers("hooli")
    reset(told)
    until(lambda: n in told.hook.numbers("hooli"), "posted with the secret")


def test_only_the_right_certificate_is_told(told):
    fleet = told.fleet
    wrong = Hook(tls=fleet.authority.issue(told.home / "wrong", "hook.example.com"))
    right = Hook(tls=fleet.authority.issue(told.home / "right", "localhost"))
    try:
        reset(told, **{**told.both, "url": f"https://localhost:{wrong.port}/", "ca": fleet.authority.crt})
        n = told.hooli.write("tampering", detail="over TLS")
        until(lambda: f"hooli/{n} is not delivered yet: notify_url cannot be reached" in told.log(), "the name is wrong")
        reset(told, **{**told.both, "url": f"https://localhost:{right.port}/"})
        m = told.initech.write("tampering", detail="over TLS")
        until(lambda: f"initech/{m} is not delivered yet: notify_url cannot be reached" in told.log(), "nobody knows the authority")
        assert not wrong.tries and not right.tries
        reset(told, **{**told.both, "url": f"https://localhost:{right.port}/", "ca": fleet.authority.crt})
        until(lambda: n in right.numbers("hooli") and m in right.numbers("initech"), "both, at the right one", 10)
    finally:
        wrong.close()
        right.close()
    reset(told)


@pytest.mark.parametrize("url, why", [("http://192.0.2.1/", "is plain HTTP, which is for loopback only"),
                                      ("https://me:word@localhost/", "holds a user or password"),
                                      ("ftp://localhost/", "is not HTTPS")])
def test_a_bad_address_is_not_used(told, url, why):
    reset(told, **{**told.both, "url": url})
    until(lambda: f"notify_url {why}" in told.log(), "it is said")
    n = told.hooli.write("tampering", detail=why)
    until(lambda: n in told.notified.numbers("hooli"), "the program is told nevertheless")
    reset(told)
    until(lambda: n in told.hook.numbers("hooli"), "nothing was lost")


def wakes(pid):
    with open(f"/proc/{pid}/status") as status:
        return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)


def test_with_nobody_to_tell_it_sleeps_and_then_begins_at_the_end(told):
    notify(told)
    told.reload()
    cursors = told.home / "state" / "notify.cursor"
    until(lambda: cursors.read_text() == "sekisho-notify 1\n", "nobody is remembered")
    pid, missed = told.pid("notifier"), told.hooli.write("tampering", detail="nobody listens")
    before = wakes(pid)
    told.one("acme", "SELECT count(pg_sleep(1.5))")  # six turns of somebody who looks four times a second
    assert wakes(pid) == before
    reset(told)
    n = told.hooli.write("tampering", detail="somebody listens")
    both_have(told, "hooli", n)
    assert missed not in told.hook.numbers("hooli") + told.notified.numbers("hooli")


def test_the_logs_verify_and_nobody_heard_of_another_tenant(told):
    told.ctl("audit", "verify")
    for _, body in told.hook.got:
        notice = json.loads(body)
        assert notice["record"]["tenant"] == notice["tenant"]
