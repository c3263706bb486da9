# SPDX-License-Identifier: ISC
"""Attacks on routing and tenancy: each must fail, say no more than a wrong password would, and leave its line in the
right log."""
import pathlib
import re
import ssl
import struct

import pytest

import wire
from fleet import run, until


def refused(proxy, tenant, after, **fields):
    return proxy.awaits(tenant, "session.refused", after=after, **fields)


def first_error(proxy, server_name, user="app", **more):
    """The first ErrorResponse that a stranger gets at that name, without the session's id."""
    client = wire.tls(proxy.port, proxy.fleet.authority, server_name, check=False, **more)
    client.send(wire.startup(user=user, database="app"))
    fields = client.error()
    assert re.fullmatch(r"Session [0-9a-f]{16}\.", fields.pop("D"))
    assert client.at_end()
    client.close()
    return fields


def is_refused(proxy, server_name):
    """Whether the first answer at that name is an ErrorResponse: a tenant that is served asks for a proof instead."""
    client = wire.tls(proxy.port, proxy.fleet.authority, server_name, check=False)
    client.send(wire.startup(user="app", database="app"))
    try:
        return client.message()[0] == b"E"
    except wire.Closed:  # its cell left with it
        return False
    finally:
        client.close()


def login_error(proxy, server_name, user, password):
    client = wire.tls(proxy.port, proxy.fleet.authority, server_name)
    with pytest.raises(wire.Refused) as caught:
        wire.login(client, user=user, password=password)
    client.close()
    caught.value.fields.pop("D")
    return caught.value.fields


def rss(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


def test_one_tenants_credentials_at_anothers_name(proxy, acme, globex):
    """The user exists at both, with different passwords, and then only at acme: both look like a wrong password."""
    acme.sql("CREATE ROLE ann LOGIN PASSWORD 'ann secret'")
    logs = len(acme.log()), len(globex.log())
    marks = proxy.mark("acme"), proxy.mark("globex")
    stolen = login_error(proxy, "globex.db.test", "app", "acme secret")
    unknown = login_error(proxy, "globex.db.test", "ann", "ann secret")
    wrong = login_error(proxy, "globex.db.test", "ann", "guess")
    assert stolen["C"] == unknown["C"] == wrong["C"] == "28P01"
    assert unknown == wrong
    assert stolen["M"].replace('"app"', '"ann"') == wrong["M"]
    refused(proxy, "globex", marks[1], user="app", reason="wrong password")
    refused(proxy, "globex", marks[1], user="ann", reason="unknown user")
    sessions = [r for r in proxy.records("acme") if r["n"] > marks[0] and r["event"].startswith("session.")]
    assert not sessions, "nothing about it in acme's log"
    for instance, before in zip((acme, globex), logs):
        assert not re.search(r"user=(app|ann)\b", instance.log()[before:]), "nobody reached an instance"


def test_unknown_and_suspended_tenants_are_refused_alike_and_start_no_cell(fleet, proxy, acme):
    proxy.ctl("tenant", "add", "asleep", "--instance", f"127.0.0.1:{acme.port}")
    proxy.ctl("tenant", "add", "gone", "--instance", f"127.0.0.1:{acme.port}")
    for name in ("asleep", "gone"):
        until(lambda: not is_refused(proxy, f"{name}.db.test"), "it is served")
    proxy.ctl("tenant", "suspend", "asleep")
    proxy.ctl("tenant", "remove", "gone")
    for name in ("asleep", "gone"):
        until(lambda: is_refused(proxy, f"{name}.db.test"), "it is served no longer")
    cells = {name: proxy.pids(f"cell {name}") for name in ("asleep", "gone")}  # from when they were served
    mark = proxy.mark("_provider")
    answers = [first_error(proxy, f"{name}.db.test") for name in ("invented", "asleep", "gone")]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["C"] == "08004" and answers[0]["S"] == "FATAL"
    for name in ("invented", "asleep", "gone"):
        refused(proxy, "_provider", mark, server_name=f"{name}.db.test", reason="unknown tenant")
    for name, before in {**cells, "invented": []}.items():
        assert set(proxy.pids(f"cell {name}")) <= set(before), "no cell was started for it"


def test_server_name_and_dedicated_address_disagree(fleet, proxy):
    mark = proxy.mark("acme"), proxy.mark("_provider")
    client = wire.tls(fleet.acme_port, fleet.authority, "globex.db.test", check=False)
    client.send(wire.startup(user="app", database="app"))
    assert client.error()["C"] in ("08004", "28000")
    client.close()
    until(lambda: proxy.records("_provider", "session.refused", reason="signals disagree") or
          proxy.records("acme", "session.refused", reason="signals disagree"), "it is logged")
    assert not [r for r in proxy.records("globex", "session.refused") if r["listener"].endswith(str(fleet.acme_port))]


def test_the_instance_past_the_proxy(proxy, acme, fleet):
    """With the right password, and with a certificate of somebody else's."""
    crt, key = fleet.authority.issue(fleet.folder / "thief", "sekisho proxy for acme")
    for more in ({}, {"sslcert": crt, "sslkey": key}, {"sslmode": "disable", "sslrootcert": None}):
        words = {"host": "acme.instance.internal", "port": acme.port, **more}
        done = run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme", **words), check=False)
        assert done.returncode != 0 and done.stdout == "", more
    assert proxy.ctl("tenant", "check", "acme").returncode == 0


def test_a_cancel_key_guessed_is_throttled_and_not_obeyed(proxy, acme):
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    pid, key, _ = wire.login(client)
    client.send(wire.query("SELECT 'undisturbed' FROM pg_sleep(2)"))
    for guess in range(1000):
        guesser = wire.plain(proxy.port, source="127.0.0.9")
        guesser.send(wire.cancel_request(pid, (key ^ (guess + 1)) & 0xffffffff))
        guesser.close()
    # Throttled: even the right key is not heard from there now.
    guesser = wire.plain(proxy.port, source="127.0.0.9")
    guesser.send(wire.cancel_request(pid, key))
    guesser.close()
    assert client.until(b"D")[1].endswith(b"undisturbed")
    # Logged, but sampled: a flood of guesses must not fill anybody's log.
    logged = until(lambda: proxy.records("_provider", "session.cancel") + proxy.records("_provider", "session.refused"),
                   "the guesses are logged")
    assert len(logged) < 900
    # Its owner, who comes from elsewhere, is still heard.
    client.until(b"Z")
    client.send(wire.query("SELECT 'undisturbed' FROM pg_sleep(60)"))
    until(lambda: acme.sql(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'"), "at work")
    owner = wire.plain(proxy.port)
    owner.send(wire.cancel_request(pid, key))
    owner.close()
    assert client.until(b"E")[0] == b"E"
    client.close()


@pytest.mark.parametrize("name", ["globex.db.test.evil.test", "evilglobex.db.test", "globex.db.test.db.test", "x.globex.db.test",
                                  "globex", "db.test", "globexdb.test", "_provider.db.test", "lobby.db.test", "acme-.db.test"])
def test_names_that_only_resemble_a_tenants(proxy, name):
    mark = proxy.mark("_provider")
    assert first_error(proxy, name)["C"] == "08004"
    refused(proxy, "_provider", mark, server_name=name, reason="unknown tenant")


@pytest.mark.parametrize("name", [b"globex.db.test\0.evil", b"globex\0db.test", b"globex.db.test.", b".globex.db.test",
                                  b"globex..db.test", b"gl\xc3\xb6bex.db.test", b"globex.db.test ", b"globex.db.test/",
                                  b"127.0.0.1:5432", b"globex\ndb.test", b"*.db.test"])
def test_names_that_are_no_names(proxy, name):
    """A hello with such a name gets no TLS at all: the gate cuts it."""
    mark = proxy.mark("_provider")
    client = wire.plain(proxy.port)
    client.send(wire.SSL_REQUEST)
    assert client.read(1) == b"S"
    client.send(wire.client_hello(name))
    with pytest.raises(wire.Closed):
        while True:
            client.more()
    assert client.seen[:1] in (b"", b"\x15"), "at most a TLS alert"
    client.close()
    refused(proxy, "_provider", mark, reason="malformed ClientHello")


def test_upper_case_is_the_same_name(proxy):
    assert proxy.one("globex", "SELECT DISTINCT name FROM who", host="GLOBEX.DB.TEST", sslmode="verify-ca") == "globex"


def test_thousands_of_invented_names_cost_no_memory(empty_fleet):
    """Whoever kept a hundred bytes of each would be seen: the sanitizers keep nothing of what was freed here."""
    proxy = empty_fleet.proxy(name="invented", environment={
        "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:quarantine_size_mb=0:thread_local_quarantine_size_kb=0"})
    proxy.add("named", empty_fleet.instance("named"))
    proxy.start()
    pids = [proxy.pid(name) for name in ("gate", "broker", "lobby")]

    def invent(start, count):
        for n in range(start, start + count):
            client = wire.plain(proxy.port)
            client.send(wire.SSL_REQUEST)
            client.read(1)
            client.send(wire.client_hello(b"invented-%06d.db.test" % n))
            client.close()

    invent(0, 1500)
    assert proxy.one("named", "SELECT 1") == 1
    before = [rss(pid) for pid in pids]
    invent(1500, 2500)
    assert proxy.one("named", "SELECT 1") == 1
    grown = [rss(pid) - kib for pid, kib in zip(pids, before)]
    # The lobby makes a TLS connection of each, and the sanitizer keeps a hundred bytes of that.
    assert grown[0] < 250 and grown[1] < 250 and grown[2] < 1000, grown
    assert len(proxy.processes()) < 20
    proxy.stop()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_tls_session_of_one_tenant_never_resumes_at_another(proxy, version):
    context = wire.tls_context(proxy.fleet.authority, version, version)

    def meet(name, session=None):
        client = wire.plain(proxy.port)
        client.send(wire.SSL_REQUEST)
        client.read(1)
        client.sock = context.wrap_socket(client.sock, server_hostname=name, session=session)
        # A TLS 1.3 ticket comes with the first bytes after the handshake.
        client.send(wire.startup(user="app", database="app"))
        wire.sasl_offer(client)
        got = client.sock.session, client.sock.session_reused
        client.close()
        return got

    session, _ = meet("acme.db.test")
    _, reused = meet("globex.db.test", session)
    assert not reused


def test_a_proxy_header_from_nobody_we_know(proxy):
    """PROXY protocol is refused from anyone but a listed load balancer: it would forge the client's address."""
    header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + bytes([192, 0, 2, 1, 127, 0, 0, 1]) + struct.pack("!HH", 1, 2)
    mark = proxy.mark("_provider")
    client = wire.plain(proxy.port)
    client.send(header + wire.SSL_REQUEST)
    with pytest.raises(wire.Closed):
        while True:
            client.more()
    assert b"S" not in client.seen[:1]
    record = refused(proxy, "_provider", mark)
    assert record["client"].startswith("127.0.0.1:")


def test_a_listed_load_balancer_must_send_its_header_and_is_believed(empty_fleet, fleet):
    instance = empty_fleet.instance("behind")
    proxy = empty_fleet.proxy(name="balanced", proxy_protocol_from="127.0.0.7/32")
    proxy.add("behind", instance, "--allow", "192.0.2.0/24")
    proxy.start()

    def come(source_address, header=True):
        client = wire.plain(proxy.port, source="127.0.0.7")
        if header:
            client.send(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + bytes(source_address) +
                        bytes([127, 0, 0, 1]) + struct.pack("!HH", 4321, proxy.port))
        client.send(wire.SSL_REQUEST)
        if client.read(1) != b"S":
            return None
        client.sock = wire.tls_context(empty_fleet.authority).wrap_socket(client.sock, server_hostname="behind.db.test")
        return client

    client = come([192, 0, 2, 1])
    wire.login(client, password="behind secret")
    opened = proxy.awaits("behind", "session.open")
    assert opened["client"] == "192.0.2.1:4321" and opened["via"].startswith("127.0.0.7")
    client.close()
    client = come([198, 51, 100, 1])
    with pytest.raises(wire.Refused):
        wire.login(client, password="behind secret")
    record = refused(proxy, "behind", 0, reason="address not allowed")
    assert record["client"].startswith("198.51.100.1")
    with pytest.raises((wire.Closed, AssertionError)):
        assert come(None, header=False)
    refused(proxy, "_provider", 0, reason="PROXY protocol violation")
    proxy.stop()


def test_a_session_is_never_cut_in_the_middle_of_a_message(proxy):
    """An error of ours inside a row would be read as the row's own bytes: whoever is in the middle just ends."""
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    wire.login(client)
    client.send(wire.query("SELECT repeat('x', 50000000)"))
    client.until(b"T")
    kind, length = client.read(1), struct.unpack("!I", client.read(4))[0]
    assert kind == b"D" and length > 50000000
    assert client.read(6) == struct.pack("!HI", 1, 50000000)
    session = until(lambda: proxy.sessions("acme"), "the session is listed")[0]["session"]
    proxy.ctl("session", "kill", session)
    got = 0
    try:
        while got < 50000000:
            if not client.seen:
                client.more()
            piece = client.seen[:50000000 - got]
            assert piece.strip(b"x") == b"", "something else than the row's bytes inside the row"
            got += len(piece)
            client.seen = client.seen[len(piece):]
        # All of the row had gone already: then the proxy's word follows as a message of its own.
        assert client.until(b"E")
    except wire.Closed:
        assert got < 50000000
    client.close()
    assert proxy.awaits("acme", "session.close", session=session)["reason"] == "killed by an administrator"


def test_a_message_of_four_gigabytes_is_not_smuggled(proxy):
    """Its length would wrap a 32-bit count; what follows must not be taken for messages of the client's."""
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    wire.login(client)
    client.send(b"Q" + struct.pack("!I", 0xffffffff) + wire.query("SELECT 1") + b"x" * 65536)
    fields = None
    try:
        fields = client.error()
    except (wire.Closed, ConnectionError):
        pass
    assert fields is None or fields["C"] in ("08P01", "08006"), fields
    assert client.seen == b"", "nothing was answered to what was inside"
    client.close()
    assert proxy.one("acme", "SELECT 1") == 1
