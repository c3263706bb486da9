# SPDX-License-Identifier: ISC
"""Somebody takes more than a fair share: of connections, of time before a login, of the log, of the machine. Who is over
a limit is told so; everybody else's sessions stand and new ones are let in.
"""
import contextlib
import fcntl
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import threading

import psycopg
import pytest

import wire
from fleet import AS_ROOT, is_ours, until
from loop import Loop

SETTINGS = {"login_timeout": "60s", "cell_idle_timeout": "1h"}
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))


@contextlib.contextmanager
def globex_at_work(proxy, **more):
    loop = Loop(proxy, **more)
    try:
        yield loop
    finally:
        loop.end()


@contextlib.contextmanager
def limits(proxy, **settings):
    proxy.configure(**{**SETTINGS, **settings})
    proxy.reload()
    try:
        yield
    finally:
        proxy.configure(**SETTINGS)
        proxy.reload()


def at_door(proxy, tenant="acme", source=None):
    return wire.tls(proxy.port, proxy.fleet.authority, f"{tenant}.db.test", source=source)


def knock(proxy):
    """Somebody who wants to acme and waits for its cell's answer."""
    client = wire.plain(proxy.port)
    client.send(wire.SSL_REQUEST)
    client.read(1)
    client.send(wire.client_hello(b"acme.db.test"))
    return client


def outcome(proxy, tenant="acme", source=None):
    """"in", a SQLSTATE with its hint, or "closed"."""
    try:
        client = at_door(proxy, tenant, source)
    except (OSError, wire.Closed, AssertionError):
        return "closed"
    try:
        wire.login(client, password=f"{tenant} secret")
        return "in"
    except wire.Refused as error:
        return error.fields["C"] + " " + error.fields.get("H", "")
    except wire.Closed:
        return "closed"
    finally:
        client.close()


def works(proxy, tenant, **more):
    try:
        return proxy.one(tenant, "SELECT DISTINCT name FROM who", connect_timeout=5, **more) == tenant
    except psycopg.Error:
        return False


def high(sock):
    """The same connection under a number that select() in others' code does not have to bear."""
    moved = socket.socket(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, 1100))
    sock.close()
    return moved


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


# --- connections ---

def test_ten_thousand_connections_at_once_from_one_address(proxy):
    """They are held open and say nothing: a thousand may wait for their login's end, the others are closed at once."""
    works(proxy, "acme")
    gate, mark = proxy.pid("gate"), proxy.mark("_provider")
    before = rss_kib(gate)
    count = min(10000, HARD - 1500)
    with globex_at_work(proxy):
        held = [high(socket.create_connection(("127.0.0.1", proxy.port), 20, source_address=("127.0.60.1", 0)))
                for _ in range(count)]
        assert proxy.one("acme", "SELECT DISTINCT name FROM who") == "acme"
        until(lambda: descriptors(gate) < 1024 + 200, "no more than the limit wait", 20)
        assert rss_kib(gate) - before < 1100 * 16
        for client in held:
            client.close()
    told = until(lambda: [r for r in proxy.records("_provider", "session.refused", reason="too many unfinished logins")
                          if r["n"] > mark and "count" in r], "the rest is counted in the log")
    assert len(told) < 100
    until(lambda: outcome(proxy, source="127.0.60.1") == "in", "and from there as before", 20)


def test_connecting_and_dropping_without_end(proxy):
    gate = proxy.pid("gate")
    before = descriptors(gate)
    with globex_at_work(proxy):
        for n in range(3000):
            client = socket.create_connection(("127.0.0.1", proxy.port), 20, source_address=("127.0.61.1", 0))
            if n % 3 == 1:
                client.send(wire.SSL_REQUEST[:n % 9])
            elif n % 3 == 2:
                client.send(wire.SSL_REQUEST + b"\x16\x03\x01")
            client.close()
        assert proxy.one("acme", "SELECT DISTINCT name FROM who") == "acme"
    until(lambda: descriptors(gate) <= before + 2, "nothing of them is left", 20)


def test_an_address_over_its_rate(proxy):
    with limits(proxy, address_rate=1, address_burst=10):
        mark = proxy.mark("_provider")
        heard = [outcome(proxy, source="127.0.62.1") for _ in range(30)]
        assert heard[0] == "in" and "closed" in heard and set(heard) == {"in", "closed"}, heard
        assert outcome(proxy, source="127.0.62.2") == "in", "its neighbour is not over anything"
        proxy.awaits("_provider", "session.refused", after=mark, reason="connecting too fast")


def test_a_tenant_over_its_rate(proxy):
    with limits(proxy, tenant_rate=1, tenant_burst=3):
        mark = proxy.mark("acme")
        heard = [outcome(proxy, source=f"127.0.63.{n + 1}") for n in range(20)]
        assert "in" in heard and any(h.startswith("53300 connect less often") for h in heard), heard
        assert outcome(proxy, "globex") == "in"
        proxy.awaits("acme", "session.refused", after=mark, reason="connecting too fast")


def test_a_tenant_with_too_many_unfinished_logins(proxy):
    """Those that its cell has count too, and are counted down when they end, however they end."""
    with limits(proxy, tenant_max_greetings=20):
        held = [at_door(proxy, source=f"127.0.64.{n + 1}") for n in range(20)]
        until(lambda: outcome(proxy) == "53300 try again in a moment", "the next one is told")
        assert outcome(proxy, "globex") == "in"
        for client in held:
            client.close()
        until(lambda: outcome(proxy) == "in", "acme is let in again")
        for _ in range(25):
            assert outcome(proxy) == "in", "who got in is no unfinished login any more"


def test_a_tenant_at_its_limits(proxy):
    proxy.ctl("tenant", "set", "acme", "--max-connections", "3")
    held = []
    try:
        mark = proxy.mark("acme")
        until(lambda: not proxy.sessions("acme"), "nobody is in")
        held = [proxy.connect("acme") for _ in range(3)]
        until(lambda: outcome(proxy).startswith("53300 close connections"), "a fourth is told")
        assert proxy.one("globex", "SELECT DISTINCT name FROM who") == "globex"
        assert proxy.awaits("acme", "session.refused", after=mark, reason="too many connections")["sqlstate"] == "53300"
        for connection in held:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        for connection in held:
            connection.close()
        proxy.ctl("tenant", "set", "acme", "--max-connections", "0")
    until(lambda: works(proxy, "acme"), "and acme is let in again")


def test_a_client_that_never_reads(proxy, acme):
    """Gigabytes are asked for and not taken: they stay in the instance."""
    client = at_door(proxy)
    pid = wire.login(client)[0]
    cell = proxy.pid("cell acme")
    before = rss_kib(cell)
    client.send(wire.query("SELECT repeat('x', 1000000) FROM generate_series(1, 3000)"))
    until(lambda: acme.sql(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'ClientWrite'"),
          "the instance waits for the client", 20)
    with globex_at_work(proxy):
        assert proxy.one("acme", "SELECT DISTINCT name FROM who") == "acme"
    assert rss_kib(cell) - before < 16 * 1024
    client.close()
    until(lambda: not acme.sql(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"), "its backend ends", 20)


# --- memory of unfinished logins ---

CELL_KIB, GATE_KIB = 200, 16  # of one unfinished login, as docs/operations.md says; the sanitizer's books included


def test_two_thousand_unfinished_logins_stay_within_the_bound(proxy):
    """The same two thousand, from step to step: before anything, before the hello, before and inside the startup message,
    before the challenge, inside SCRAM."""
    works(proxy, "acme")
    gate, cell = proxy.pid("gate"), proxy.pid("cell acme")
    count = min(2000, HARD - 1500)
    before = {"gate": rss_kib(gate), "cell": rss_kib(cell)}
    grown = {}

    def measure(step, process):
        now = rss_kib(gate if process == "gate" else cell)
        grown[step] = (now - before[process]) / count
        assert grown[step] <= (GATE_KIB if process == "gate" else CELL_KIB), grown

    with limits(proxy, login_timeout="10min"):
        held = [wire.Wire(high(wire.plain(proxy.port, source=f"127.0.65.{n % 2 + 1}").sock)) for n in range(count)]
        until(lambda: descriptors(gate) >= count, "all are there", 60)
        measure("before anything", "gate")
        for client in held:
            client.send(wire.SSL_REQUEST)
        for client in held:
            assert client.read(1) == b"S"
        measure("before the hello", "gate")
        context = wire.tls_context(proxy.fleet.authority)
        for client in held:
            client.sock = context.wrap_socket(client.sock, server_hostname="acme.db.test")
        measure("before the startup message", "cell")
        packet = wire.startup(user="app", database="app")
        for client in held:
            client.send(packet[:-5])
        measure("inside the startup message", "cell")
        for client in held:
            client.send(packet[-5:])
        for client in held:
            wire.sasl_offer(client)
        measure("before the challenge", "cell")
        for client in held:
            client.send(wire.sasl_initial(b"SCRAM-SHA-256", wire.Scram("x").first()))
        for client in held:
            client.until(b"R")
        measure("inside SCRAM", "cell")
        assert proxy.one("globex", "SELECT DISTINCT name FROM who") == "globex"
        for client in held:
            client.close()
        until(lambda: descriptors(cell) < 200, "all are gone", 60)
    print("KiB of one unfinished login:", {step: round(kib, 1) for step, kib in grown.items()})


# --- the log ---

def test_a_flood_of_failed_logins_is_sampled_with_counts(proxy):
    """Every one is in the log: a few with a record of their own, the others as a number."""
    with limits(proxy, refused_log_rate=3):
        mark, flood = proxy.mark("acme"), 60
        for n in range(flood):
            client = at_door(proxy, source="127.0.66.1")
            client.send(wire.raw_startup(b"nonsense"))
            with contextlib.suppress(wire.Closed):
                client.error()
            client.close()

        def refused():
            return [r for r in proxy.records("acme", "session.refused", reason="protocol violation") if r["n"] > mark]

        until(lambda: sum(r.get("count", 1) for r in refused()) == flood, "all are in the log", 30)
        counts = [r for r in refused() if "count" in r]
        assert counts and len(refused()) < flood and all(r["period_ms"] > 0 for r in counts), refused()
    assert proxy.ctl("audit", "verify", "acme").returncode == 0


def test_a_tenant_that_floods_the_log_waits_and_nobody_else(proxy):
    with limits(proxy, tenant_log_rate=10):
        mark = proxy.mark("acme")
        logins = [threading.Thread(target=outcome, args=(proxy,)) for _ in range(60)]
        for login in logins:
            login.start()
        with globex_at_work(proxy):
            for login in logins:
                login.join()
        told = proxy.awaits("acme", "ledger.flood", 30, after=mark)
        assert told["process"] == "cell" and told["count"] > 0 and told["period_ms"] > 0, told
    assert not proxy.records("globex", "ledger.flood")
    opened = {r["session"] for r in proxy.records("acme", "session.open")}
    until(lambda: {r["session"] for r in proxy.records("acme", "session.close")} >= opened, "nothing was lost", 30)


# --- the machine ---

@contextlib.contextmanager
def limited(pid, what, soft):
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (soft, before[1]))
    try:
        yield
    finally:
        if is_ours(pid):
            resource.prlimit(pid, what, before)


def test_out_of_descriptors(proxy):
    gate = proxy.pid("gate")
    with globex_at_work(proxy, fresh=0), proxy.connect("acme") as ann:
        with limited(gate, resource.RLIMIT_NOFILE, descriptors(gate) + 10):
            held = [socket.create_connection(("127.0.0.1", proxy.port), 20) for _ in range(40)]
            until(lambda: "cannot accept connections for now" in proxy.log(), "the log says so")
            assert ann.execute("SELECT 1").fetchone() == (1,)
            for client in held:
                client.close()
        until(lambda: works(proxy, "acme") and works(proxy, "globex"), "new sessions, when it is over", 30)
    assert proxy.pid("gate") == gate


def test_out_of_processes(proxy):
    """No process can be started (for root, who has no such limit: no channel for one): acme, whose cell died, waits."""
    works(proxy, "acme")
    supervisor, cell = proxy.pid("supervisor"), proxy.pid("cell acme")
    what, least = (resource.RLIMIT_NOFILE, 3) if AS_ROOT else (resource.RLIMIT_NPROC, 1)
    with globex_at_work(proxy):
        with limited(supervisor, what, least):
            os.kill(cell, 9)
            until(lambda: not is_ours(cell), "acme's cell is dead")
            knocks = []  # the first may still be given to the dead one
            until(lambda: knocks.append(knock(proxy)) or "cannot start the cell" in proxy.log(), "the log says so", 20, 0.1)
            assert not proxy.pids("cell acme")
        until(lambda: works(proxy, "acme"), "acme has a cell again", 30, 0.1)
        for client in knocks:
            client.close()
    assert proxy.pid("supervisor") == supervisor


def test_a_cell_out_of_memory(proxy):
    """It refuses, or it dies; either way it is acme's trouble only, and over when the limit is."""
    works(proxy, "acme")
    cell = proxy.pid("cell acme")
    size = int(re.search(r"VmSize:\s+(\d+)", pathlib.Path(f"/proc/{cell}/status").read_text()).group(1)) * 1024
    with globex_at_work(proxy):
        with limited(cell, resource.RLIMIT_AS, size):
            held = []
            for _ in range(150):
                try:
                    held.append(at_door(proxy, source="127.0.67.1"))
                except TimeoutError:
                    break  # nobody answers there any more
                except (OSError, wire.Closed, AssertionError):
                    pass
            for client in held:
                client.close()
        until(lambda: works(proxy, "acme"), "acme is let in again", 30, 0.1)
    # The sanitizer's own last words of a cell without memory are no fault; any other of them is.
    said = proxy.log()
    proxy.log_path.write_text(said.replace("AddressSanitizer failed to allocate", "the sanitizer failed to allocate")
                              .replace("AddressSanitizer: Out of memory", "the sanitizer: out of memory"))


# --- a fair share ---

FLOODS = {
    "connects": """
while True:
    with contextlib.suppress(OSError):
        client = wire.plain(port, source="127.0.70.1"); client.send(wire.SSL_REQUEST); client.close(); going()""",
    "failed logins": """
while True:
    going()
    with contextlib.suppress(Exception):
        client = wire.tls(port, None, "acme.db.test", source="127.0.70.2", context=context, check=False)
        wire.login(client, user="nobody%d" % random.randrange(10**6), password="x")""",
    "a big COPY": """
import psycopg
with psycopg.connect(dsn) as c, c.cursor() as cursor:
    while True:
        with cursor.copy("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT") as copy:
            for _ in copy: going()""",
    "a neighbour at work": """
while True: going()""",
}


def flooding(proxy, flood):
    """A process that floods, when it is at it."""
    lines = ["import contextlib, functools, random, ssl, sys", f"sys.path.insert(0, {str(pathlib.Path(wire.__file__).parent)!r})",
             "import wire", "going = functools.cache(lambda: print(flush=True))", "context = ssl.create_default_context()", f"port, dsn = {proxy.port}, {proxy.dsn('acme')!r}", FLOODS[flood]]
    flood = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", sys.executable, "-c", "\n".join(lines)],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert flood.stdout.read(1), "it floods"
    return flood


@pytest.fixture
def strict(proxy):
    """More connections a second than anybody needs here, and fewer than a flood makes."""
    with limits(proxy, address_rate=200, address_burst=200):
        yield proxy


def test_a_flood_at_acme_leaves_globex_its_share(proxy, strict):
    """No failure; how much slower is printed, beside what a neighbour costs that only computes."""
    medians, mark = {}, proxy.mark("_provider")
    works(proxy, "acme")
    for flood in [None, "a neighbour at work", "connects", "failed logins", "a big COPY"]:
        load = flooding(proxy, flood) if flood else None
        try:
            loop = Loop(proxy)
            until(lambda: len(loop.took) >= 2000 or loop.failures, f"globex works during {flood}", 60)
            medians[flood or "alone"] = loop.end()
            assert load is None or load.poll() is None, f"{flood} goes on"
        finally:
            if load:
                load.kill()
                load.wait()
    proxy.awaits("_provider", "session.refused", after=mark, reason="connecting too fast")
    alone = medians["alone"]
    print("globex's median query:", {name: f"{value * 1000:.2f} ms = {value / alone:.1f} x" for name, value in medians.items()})
