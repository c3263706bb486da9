# SPDX-License-Identifier: ISC
"""What the node counts, as the provider's monitoring and its people see it: Prometheus scrapes over HTTP on the host, Bob (an
approver) and the host's accounts ask the console. Customers and operators get nothing of it."""
import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import urllib.error
import urllib.request

import psycopg
import pytest

from fleet import SEKISHO, free_port, run, until
from operators import Operators

ROOT = pathlib.Path(__file__).parents[2]
PORT = free_port()
SETTINGS = {"metrics_listen": f"127.0.0.1:{PORT}", "directory_max_age": "3s"}
SAMPLE = re.compile(r'(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\d+(?:\.\d+)?)')
STATS = re.findall(r'^STAT\((\w+), (\w+), ([^,]+), "(\w+)"', (ROOT / "proxy/stats.def").read_text(), re.M)


# In place of sekisho-session: acme's cells are taken over from birth, while there is nonsense to write.
TAKEN_OVER = """#!/usr/bin/python3 -IS
import os
role, tenant = os.environ["SEKISHO_ROLE"], os.environ.get("SEKISHO_TENANT")
if role == "cell" and tenant == "acme" and os.path.exists("{folder}/nonsense"):
    try:
        os.ftruncate(5, 0)
        said = "cut"
    except OSError as error:
        said = error.strerror
    with open("{folder}/shrunk", "w") as file:
        file.write(said)
    with open("{folder}/nonsense", "rb") as file:
        os.pwrite(5, file.read(), 0)
os.execv("{session}", [f"sekisho: {{role}}" + (f" {{tenant}}" if tenant else "")])
"""


@pytest.fixture(scope="module")
def company(empty_fleet):
    folder = empty_fleet.folder / "program"
    folder.mkdir()
    shutil.copy(SEKISHO, folder)
    session = folder / "sekisho-session"
    session.write_text(TAKEN_OVER.format(folder=folder, session=SEKISHO.with_name("sekisho-session")))
    session.chmod(0o755)
    empty_fleet.proxy = functools.partial(empty_fleet.proxy, program=folder / "sekisho")
    made = Operators(empty_fleet, **SETTINGS)
    made.nonsense, made.shrunk = folder / "nonsense", folder / "shrunk"
    return made


def get(path, port=PORT):
    """Status and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def scrape():
    """{name: {frozenset of (label, value): number}}; fails on what Prometheus would not take."""
    status, text = get("/metrics")
    assert status == 200 and text.endswith("\n")
    found, types, last = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            last, kind = line.split()[2:]
            assert last not in types, f"{last} comes in two places"
            types[last] = kind
        elif not line.startswith("# HELP "):
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            name = re.sub("_(bucket|sum|count)$", "", sample["name"]) if types[last] == "histogram" else sample["name"]
            assert name == last, f"{line} stands under {last}"
            labels = frozenset(re.findall(r'(\w+)="([^"]*)"', sample["labels"] or ""))
            series = found.setdefault(sample["name"], {})
            assert labels not in series, f"{line} comes twice"
            series[labels] = float(sample["value"])
    assert set(types) == {name for _, _, _, name in STATS}
    return found


def number(found, name, tenant=None, plane="tenants", **labels):
    wanted = {**labels, **({"tenant": tenant, "plane": plane} if tenant else {})}
    return found.get(name, {}).get(frozenset(wanted.items()), 0)


def now(name, tenant=None, **labels):
    return number(scrape(), name, tenant, **labels)


def local(company, sql, check=True):
    return run("psql", "-XAtq", "-F", " ", "-v", "ON_ERROR_STOP=1", f"host={company.proxy.home}/run dbname=sekisho", input=sql,
               check=check)


def test_what_happens_is_counted_for_the_tenant_it_happened_to(company):
    proxy = company.proxy
    proxy.one("acme", "SELECT 1")
    until(lambda: now("sekisho_connections_open", "acme") == 0, "nobody is in")
    before = scrape()
    with proxy.connect("acme") as connection:
        for i in range(20):
            connection.execute("SELECT repeat('x', 50000)")
        during = scrape()
        assert number(during, "sekisho_sessions_open", "acme") == number(before, "sekisho_sessions_open", "acme") + 1
        for name in ("received_bytes", "sent_bytes", "transactions"):
            name = f"sekisho_{name}_total"
            assert number(during, name, "acme") >= number(before, name, "acme") + 20, "counted while it goes on"
    with pytest.raises(psycopg.OperationalError):
        proxy.connect("acme", password="wrong")
    until(lambda: now("sekisho_connections_open", "acme") == 0, "everybody has left")
    until(lambda: len(proxy.records("acme", "session.close")) == len(proxy.records("acme", "session.open")), "all is in the log")
    after = scrape()

    def grew(name, **labels):
        return number(after, name, "acme", **labels) - number(before, name, "acme", **labels)

    assert grew("sekisho_connections_total") == 2 and grew("sekisho_logins_total") == 1
    assert grew("sekisho_refusals_total", reason="wrong password") == 1
    assert grew("sekisho_sessions_closed_total", reason="client terminated") == 1
    assert grew("sekisho_sent_bytes_total") > 20 * 50000 and grew("sekisho_received_bytes_total") > 20 * 20
    assert 20 <= grew("sekisho_transactions_total") <= 22
    # To the byte what the log says of all sessions there were.
    closes = proxy.records("acme", "session.close")
    for name, field in (("received_bytes", "bytes_from_client"), ("sent_bytes", "bytes_to_client"), ("transactions", "transactions")):
        assert number(after, f"sekisho_{name}_total", "acme") == sum(r[field] for r in closes), name
    for name in ("sekisho_login_seconds", "sekisho_instance_connect_seconds"):
        buckets = [grew(f"{name}_bucket", le=dict(labels)["le"]) for labels in sorted(
            (l for l in after[f"{name}_bucket"] if ("tenant", "acme") in l and ("plane", "tenants") in l),
            key=lambda l: float(dict(l)["le"]))]
        assert len(buckets) == 18 and buckets == sorted(buckets) and buckets[0] == 0
        assert buckets[-1] == grew(f"{name}_count") == 1 and grew(f"{name}_sum") > 0
    assert all(number(after, name, "globex") == 0 for name in after), "nothing happened to globex"


def test_the_node_is_counted_too(company):
    company.proxy.one("acme", "SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        company.proxy.connect("nobody")
    found = scrape()
    for process in ("gate", "lobby", "broker", "keeper", "ledger", "console", "notifier"):
        assert number(found, "sekisho_process_up", process=process) == 1
    assert number(found, "sekisho_turned_away_total", process="lobby", reason="unknown tenant") >= 1
    assert number(found, "sekisho_gate_accepted_total") >= 2 and number(found, "sekisho_gate_listeners") == 1
    assert number(found, "sekisho_tenants") == 2 and number(found, "sekisho_directory_age_seconds") < 10
    assert number(found, "sekisho_ledger_healthy") == 1
    assert number(found, "sekisho_ledger_flush_seconds_count") >= 1
    assert number(found, "sekisho_ledger_records_total") >= number(found, "sekisho_ledger_flush_seconds_count")


def test_an_operators_session_is_the_tenants_on_the_other_plane(ops):
    before = scrape()
    grant = ops.grant()
    until(lambda: now("sekisho_grants_active") == 1, "the grant is counted")
    ops.psql("SELECT 1")
    ops.refusal("amy")
    until(lambda: now("sekisho_connections_open", "acme", plane="operators") == 0, "Alice has left")
    after = scrape()
    for name, labels in (("logins_total", {}), ("refusals_total", {"reason": "no active grant"})):
        name = f"sekisho_{name}"
        assert number(after, name, "acme", "operators", **labels) == number(before, name, "acme", "operators", **labels) + 1
        assert number(after, name, "acme", **labels) == number(before, name, "acme", **labels)
    ops.revoke(grant)
    until(lambda: now("sekisho_grants_active") == 0, "the grant is not counted any more")


def test_counts_go_on_when_a_cell_is_killed(company):
    proxy = company.proxy
    proxy.one("acme", "SELECT 1")
    crashes = now("sekisho_cell_crashes_total", "acme")
    seen = scrape()
    for kills in range(3):
        with proxy.connect("acme") as connection:
            connection.execute("SELECT 1")
            os.kill(proxy.pid("cell acme"), signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                until(lambda: connection.execute("SELECT 1") and False, "the session ends")
        until(lambda: now("sekisho_cell_crashes_total", "acme") == crashes + kills + 1, "the crash is counted")
        again = scrape()
        for name, series in seen.items():
            if name.endswith(("_total", "_bucket", "_count", "_sum")):
                for labels, value in series.items():
                    assert again[name][labels] >= value, f"{name} {dict(labels)} went back"
        assert number(again, "sekisho_logins_total", "acme") == number(seen, "sekisho_logins_total", "acme") + 1
        assert number(again, "sekisho_sessions_open", "acme") == 0 and number(again, "sekisho_cells", "acme") == 0
        seen = again
    os.kill(proxy.pid("console"), signal.SIGKILL)
    until(lambda: answers("/healthz"), "the console is back")
    again = scrape()
    assert number(again, "sekisho_logins_total", "acme") == number(seen, "sekisho_logins_total", "acme"), "a console loses nothing"
    assert number(again, "sekisho_process_restarts_total", process="console") == 1


def answers(path):
    try:
        return get(path)[0] == 200
    except OSError:
        return False


def test_neither_customers_nor_operators_read_them(company):
    proxy = company.proxy
    company.acme.sql("CREATE ROLE dana LOGIN PASSWORD 'their own'")
    company.ctl("tenant", "set", "acme", "--admins", "dana")

    def dana(sql):
        return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", proxy.dsn("acme", user="dana", password="their own",
                                                                       dbname="sekisho"), input=sql, check=False)

    until(lambda: dana("SELECT 1").returncode == 0, "Dana administers acme", 10, 0.2)
    for verb in ("SHOW STATS", "SHOW POOLS"):
        refused = dana(verb)
        assert "permission denied" in refused.stderr and not refused.stdout
        with psycopg.connect(company.dsn("alice", dbname="sekisho"), autocommit=True) as alice:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                alice.execute(verb)
    assert "STATS" not in dana("SHOW HELP").stdout
    assert dana("SHOW CLIENTS").returncode == 0, "their own sessions are theirs to see"
    for port in (proxy.port, company.port):
        with socket.create_connection(("127.0.0.1", port), 20) as sock:
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: acme.db.test\r\n\r\n")
            assert b"sekisho_" not in sock.makefile("rb").read()
    for address in ("0.0.0.0:9187", "[::]:9187", "192.0.2.1:9187", "10.0.0.1:9187", "[::ffff:10.0.0.1]:9187"):
        conf = proxy.home / "open.conf"
        conf.write_text(re.sub(r"metrics_listen = .*", f"metrics_listen = {address}", proxy.conf.read_text()))
        refused = run(SEKISHO, "-c", conf, "--check", check=False)
        assert refused.returncode == 2 and "loopback" in refused.stderr, refused
    bound = [line.split()[1] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
             if line.split()[3] == "0A" and line.split()[1].endswith(f":{PORT:04X}")]
    assert bound == [f"0100007F:{PORT:04X}"]


def test_the_consoles_views(ops):
    ops.proxy.one("globex", "SELECT 1")
    until(lambda: now("sekisho_connections_open", "globex") == 0, "globex has left")
    rows = {tuple(line.split(" ")[:2]): line.split(" ")[2:] for line in local(ops, "SHOW STATS").stdout.splitlines()}
    found = scrape()
    assert rows["globex", "tenants"][:6] == [str(int(v)) for v in (
        number(found, "sekisho_connections_total", "globex"), number(found, "sekisho_logins_total", "globex"),
        sum(v for labels, v in found["sekisho_refusals_total"].items() if ("tenant", "globex") in labels),
        number(found, "sekisho_received_bytes_total", "globex"), number(found, "sekisho_sent_bytes_total", "globex"),
        number(found, "sekisho_transactions_total", "globex"))]
    with ops.proxy.connect("globex"):
        assert "globex tenants 1 1 1 0" in local(ops, "SHOW POOLS").stdout.splitlines()
    if not (ops.folder / "bob.crt").exists():
        ops.certify("bob")
        ops.ctl("operator", "add", "bob")
    until(lambda: ops.refusal_or_none("bob", database="sekisho") == "in", "Bob gets in", 10, 0.2)
    with psycopg.connect(ops.dsn("bob", dbname="sekisho"), autocommit=True) as bob:
        assert {row[0] for row in bob.execute("SHOW STATS").fetchall()} >= {"globex"}


def raw(request, end=False):
    """All that is answered to these bytes."""
    with socket.create_connection(("127.0.0.1", PORT), 20) as sock:
        sock.sendall(request)
        if end:
            sock.shutdown(socket.SHUT_WR)
        return sock.makefile("rb").read()


def test_requests_are_bounded(company):
    console = company.proxy.pid("console")
    assert raw(b"HEAD /metrics HTTP/1.0\r\n\r\n").split(b"\r\n\r\n")[1] == b""
    assert raw(b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").startswith(b"HTTP/1.1 405 ")
    assert raw(b"GET /etc/passwd HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    assert raw(b"\x16\x03\x01\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert raw(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 8192).startswith(b"HTTP/1.1 431 ")
    assert raw(b"GET /metrics?from=x HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert raw(b"GET /metrics HTTP/1.1\r\n", end=True) == b""
    slow = [socket.create_connection(("127.0.0.1", PORT), 20) for _ in range(8)]
    for sock in slow:
        sock.sendall(b"GET /")
    with socket.create_connection(("127.0.0.1", PORT), 20) as ninth:
        ninth.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
        try:
            assert ninth.recv(1) == b"", "one too many is let go without an answer"
        except ConnectionResetError:
            pass
    for sock in slow:  # who does not finish is let go, too
        assert sock.recv(1) == b""
        sock.close()
    assert get("/metrics")[0] == 200 and company.proxy.pid("console") == console


def test_health_and_readiness(company):
    proxy = company.proxy
    assert get("/healthz") == (200, "every process runs\n")
    assert get("/readyz") == (200, "a new session would be served\n")

    # A lobby that dies again and again comes back later each time.
    def lobby_is_missed():
        for pid in proxy.pids("lobby"):
            os.kill(pid, signal.SIGKILL)
        return get("/healthz") == (503, "the lobby does not run\n")

    until(lobby_is_missed, "its absence is noticed", 20)
    until(lambda: get("/healthz")[0] == 200, "the lobby is back", 20)

    ledger = proxy.pid("ledger")
    run("prlimit", "--pid", ledger, "--fsize=1:")
    try:
        with pytest.raises(psycopg.OperationalError):
            proxy.connect("acme")
        until(lambda: get("/readyz") == (503, "the session log cannot be written\n"), "it says what fails")
        assert now("sekisho_ledger_healthy") == 0
    finally:
        run("prlimit", "--pid", ledger, "--fsize=unlimited:")
    until(lambda: get("/readyz")[0] == 200, "the log is written again")

    store = proxy.home / "state" / "store.sqlite"
    store.rename(store.with_suffix(".away"))
    until(lambda: get("/readyz") == (503, "the control store could not be read lately\n"), "an old directory is told", 30)
    store.with_suffix(".away").rename(store)
    until(lambda: get("/readyz")[0] == 200, "the store is back", 20)


def test_a_cell_that_writes_nonsense_is_believed_for_its_own_tenant_only(company):
    proxy, console = company.proxy, company.proxy.pid("console")
    proxy.one("globex", "SELECT 1")
    until(lambda: now("sekisho_connections_open", "globex") == 0, "globex has left")
    before = scrape()
    for nonsense in (struct.pack("=512Q", *[(1 << 64) - (1 << 40)] * 512), os.urandom(4096), struct.pack("=512Q", *[1 << 52] * 512)):
        company.nonsense.write_bytes(nonsense)
        for pid in proxy.pids("cell acme"):
            os.kill(pid, signal.SIGKILL)
        until(lambda: works(proxy, "acme"), "acme has a cell that lies", 20)
        after = scrape()
        assert number(after, "sekisho_received_bytes_total", "acme") >= 1 << 40, "it does lie"
        for name, series in before.items():
            for labels, value in series.items():
                if ("tenant", "globex") in labels:
                    assert after[name][labels] == value, f"{name} {dict(labels)} changed"
        assert all(value <= 2 ** 64 for series in after.values() for value in series.values())
        assert number(after, "sekisho_cells", "acme") == 1 and number(after, "sekisho_cell_crashes_total", "acme") < 100
        assert number(after, "sekisho_grants_active") == 0 and number(after, "sekisho_tenants") == 2
        assert number(after, "sekisho_gate_listeners") == number(after, "sekisho_ledger_healthy") == 1
        assert get("/readyz")[0] == 200, "a cell does not say that the log fails"
    company.nonsense.unlink()
    assert company.shrunk.read_text() == "Operation not permitted", "nobody pulls a page away from under its reader"
    assert proxy.pid("console") == console, "nothing of it ended the console"


def works(proxy, tenant):
    try:
        return proxy.one(tenant, "SELECT 1", connect_timeout=5) == 1
    except psycopg.Error:
        return False


def test_a_draining_node_is_not_ready_but_alive(company):
    """The last story: afterwards there is no node any more."""
    proxy = company.proxy
    with proxy.connect("acme", autocommit=False) as connection:
        connection.execute("SELECT 1")
        proxy.process.send_signal(signal.SIGTERM)
        until(lambda: get("/readyz") == (503, "the gate does not listen\n"), "no new session")
        assert get("/healthz")[0] == 200
        connection.commit()
    assert proxy.process.wait(20) == 0
