# SPDX-License-Identifier: ISC
"""Attacks by strangers who have not proved anything yet."""
import base64
import contextlib
import pathlib
import re
import statistics
import struct
import time

import pytest

import wire
from fleet import make_verifier, until

SETTINGS = {"login_timeout": "20s"}


def anywhere(proxy, mark, **fields):
    """The refusal is in the provider's log (no tenant is known yet) or in acme's."""
    def found():
        for tenant in ("_provider", "acme"):
            for record in proxy.records(tenant, "session.refused", **fields):
                if record["n"] > mark[tenant]:
                    return record
    return until(found, f"a refusal {fields} is in the log")


def marks(proxy):
    return {tenant: proxy.mark(tenant) for tenant in ("_provider", "acme")}


def rest(client):
    """Everything the proxy still says before it closes."""
    with pytest.raises(wire.Closed):
        while True:
            client.more()
    return client.seen


def at_startup(proxy, packet):
    """What the proxy says to a packet inside TLS at acme's name: the error's fields, or None when it only closes."""
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    client.send(packet)
    try:
        fields = client.error()
    except wire.Closed:
        return None
    assert client.at_end()
    client.close()
    return fields


# --- greetings ---

def test_bytes_behind_the_ssl_request(proxy):
    mark = marks(proxy)
    client = wire.plain(proxy.port)
    client.send(wire.SSL_REQUEST + wire.startup(user="app", database="app"))
    said = rest(client)
    assert not said.startswith(b"S\x16") and len(said) < 400
    anywhere(proxy, mark, reason="bytes before TLS")


def test_two_ssl_requests(proxy):
    mark = marks(proxy)
    client = wire.plain(proxy.port)
    client.send(wire.SSL_REQUEST)
    assert client.read(1) == b"S"
    client.send(wire.SSL_REQUEST)
    assert b"S" not in rest(client)[:1]
    anywhere(proxy, mark)


def test_a_startup_message_in_plaintext(proxy):
    mark = marks(proxy)
    client = wire.plain(proxy.port)
    client.send(wire.startup(user="app", database="app"))
    fields = client.error()
    assert fields["C"] == "28000" and "TLS" in fields["M"] and fields["S"] == "FATAL"
    assert client.at_end()
    anywhere(proxy, mark, reason="plaintext")


def test_gss_requests_without_end(proxy):
    client = wire.plain(proxy.port)
    answers = 0
    try:
        for _ in range(100):
            client.send(wire.GSSENC_REQUEST)
            if client.read(1) != b"N":
                break
            answers += 1
    except (wire.Closed, ConnectionError):
        pass
    assert answers < 10


@pytest.mark.parametrize("length", [0, 3, 7, 10001, 2**31, 2**32 - 1])
def test_absurd_lengths_in_plaintext(proxy, length):
    mark = marks(proxy)
    client = wire.plain(proxy.port)
    client.send(struct.pack("!II", length, 0x30000))
    said = rest(client)
    assert not said or said[:1] == b"E"
    anywhere(proxy, mark, reason="protocol violation")


def test_it_speaks_http(proxy):
    client = wire.plain(proxy.port)
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    said = rest(client)
    assert not said or said[:1] == b"E"


def test_a_hello_without_end(proxy):
    """Record after record of one ClientHello: cut at the bound."""
    mark = marks(proxy)
    client = wire.plain(proxy.port)
    client.send(wire.SSL_REQUEST)
    client.read(1)
    with contextlib.suppress(ConnectionError):
        client.send(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"\0" * 16380)
        for _ in range(64):  # as much as the kernel takes before it hears of the end
            client.send(b"\x16\x03\x01\x40\x00" + b"\0" * 16384)
    assert rest(client)[:1] in (b"", b"\x15")
    anywhere(proxy, mark, reason="malformed ClientHello")


# --- startup ---

@pytest.mark.parametrize("length", [0, 3, 7, 10001, 2**31, 2**32 - 1])
def test_absurd_lengths_inside_tls(proxy, length):
    mark = marks(proxy)
    fields = at_startup(proxy, struct.pack("!II", length, 0x30000))
    assert fields is None or fields["C"] == "08P01"
    anywhere(proxy, mark, reason="protocol violation")


LONG = b"n" * 64


@pytest.mark.parametrize("what, body, protocol, sqlstate", [
    ("no terminator", b"user\0app", 0x30000, "08P01"),
    ("no last terminator", b"user\0app\0", 0x30000, "08P01"),
    ("bytes behind the end", b"user\0app\0\0more\0", 0x30000, "08P01"),
    ("a name without value", b"user\0app\0database\0", 0x30000, "08P01"),
    ("no user", b"database\0app\0\0", 0x30000, "08P01|28000"),
    ("an empty user", b"user\0\0database\0app\0\0", 0x30000, "08P01|28000"),
    ("two users", b"user\0app\0user\0postgres\0\0", 0x30000, "08P01"),
    ("two databases", b"user\0app\0database\0app\0database\0postgres\0\0", 0x30000, "08P01"),
    ("two application names", b"user\0app\0application_name\0a\0application_name\0b\0\0", 0x30000, "08P01"),
    ("a long user", b"user\0" + LONG + b"\0\0", 0x30000, "08P01"),
    ("a long database", b"user\0app\0database\0" + LONG + b"\0\0", 0x30000, "08P01"),
    ("a hundred parameters", b"user\0app\0" + b"".join(b"p%d\0v\0" % n for n in range(100)) + b"\0", 0x30000, "08P01"),
    ("protocol 2.0", b"user\0app\0\0", 0x20000, "0A000"),
    ("protocol 4.0", b"user\0app\0\0", 0x40000, "0A000"),
    ("protocol 0", b"user\0app\0\0", 0, "0A000|08P01"),
])
def test_malformed_startup(proxy, what, body, protocol, sqlstate):
    mark = marks(proxy)
    fields = at_startup(proxy, wire.raw_startup(body, protocol))
    assert fields and re.fullmatch(sqlstate, fields["C"]), fields
    record = anywhere(proxy, mark, reason="protocol violation")
    assert record["session"] in fields["D"]


@pytest.mark.parametrize("packet", [wire.SSL_REQUEST, wire.GSSENC_REQUEST], ids=["SSLRequest", "GSSENCRequest"])
def test_encryption_asked_for_inside_tls(proxy, packet):
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    client.send(packet)
    assert rest(client)[:1] in (b"", b"E")


def test_protocol_3_99_is_negotiated(proxy):
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    client.send(wire.raw_startup(b"user\0app\0_pq_.a\0on\0_pq_.b\0on\0\0", 0x30000 + 99))
    kind, body = client.message()
    assert kind == b"v" and struct.unpack("!II", body[:8])[1] == 2
    client.close()


# --- SCRAM ---

def exchange(proxy, mechanism=b"SCRAM-SHA-256", first=None, final=None, initial=None):
    """A login whose messages a test replaces; the error's fields."""
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    client.send(wire.startup(user="app", database="app"))
    wire.sasl_offer(client)
    scram = wire.Scram("acme secret")
    if first is not None:
        scram.gs2, scram.bare = first
    try:
        client.send(initial if initial is not None else wire.sasl_initial(mechanism, scram.first()))
        if final is not None:
            server_first = client.until(b"R")[1][4:]
            client.send(wire.message(b"p", final(scram, server_first)))
        return client.error()
    except wire.Refused as error:
        return error.fields
    finally:
        client.close()


def never(scram, server_first):
    raise AssertionError("the client's first message was answered")


@pytest.mark.parametrize("what, gs2, bare", [
    ("nothing at all", b"", b""),
    ("no attributes", b"n,,", b""),
    ("no nonce", b"n,,", b"n=app"),
    ("an empty nonce", b"n,,", b"n=,r="),
    ("a huge nonce", b"n,,", b"n=,r=" + b"x" * 5000),
    ("a nonce with a comma's friend", b"n,,", b"n=,r=abc\x7f\x01"),
    ("the user twice", b"n,,", b"n=a,n=b,r=abcdefgh"),
    ("a mandatory extension", b"n,,", b"m=x,n=,r=abcdefgh"),
    ("another's authority", b"n,a=postgres,", b"n=,r=abcdefgh"),
    ("an unknown flag", b"x,,", b"n=,r=abcdefgh"),
    ("binding without -PLUS", b"p=tls-server-end-point,,", b"n=,r=abcdefgh"),
    ("a NUL", b"n,,", b"n=\0,r=abcdefgh"),
])
def test_malformed_client_first(proxy, what, gs2, bare):
    mark = marks(proxy)
    fields = exchange(proxy, first=(gs2, bare), final=never)
    assert fields["C"] in ("08P01", "28P01"), fields
    anywhere(proxy, mark, session=fields["D"].removeprefix("Session ").rstrip("."))


def test_downgrade_from_plus(proxy):
    """'y': the client could bind but believes that we cannot. Somebody between us took -PLUS from the offer."""
    mark = marks(proxy)
    fields = exchange(proxy, first=(b"y,,", b"n=,r=abcdefghijkl"), final=never)
    assert fields["C"] == "28P01" or fields["C"] == "28000"
    anywhere(proxy, mark)


@pytest.mark.parametrize("flag", [b"n,,", b"p=tls-unique,,"])
def test_plus_with_the_wrong_flag(proxy, flag):
    fields = exchange(proxy, b"SCRAM-SHA-256-PLUS", (flag, b"n=,r=abcdefghijkl"), never)
    assert fields["C"] in ("08P01", "28P01")


def test_plus_bound_to_another_channel(proxy):
    """A man in the middle with a certificate of his own: the binding is not ours."""
    mark = marks(proxy)

    def final(scram, server_first):
        scram.binding = b"\x5a" * 32
        return scram.final(server_first)

    fields = exchange(proxy, b"SCRAM-SHA-256-PLUS", (b"p=tls-server-end-point,,", b"n=,r=abcdefghijkl"), final)
    assert fields["C"] == "28P01"
    anywhere(proxy, mark)


@pytest.mark.parametrize("mechanism", [b"SCRAM-SHA-1", b"PLAIN", b"", b"SCRAM-SHA-256\xff", b"M" * 300])
def test_mechanisms_never_offered(proxy, mechanism):
    mark = marks(proxy)
    assert exchange(proxy, mechanism)["C"] in ("08P01", "28P01")
    anywhere(proxy, mark)


@pytest.mark.parametrize("what, body", [
    ("a length behind the end", b"SCRAM-SHA-256\0" + struct.pack("!I", 500) + b"n,,n=,r=abc"),
    ("a length that wraps", b"SCRAM-SHA-256\0" + struct.pack("!I", 0xfffffff0) + b"n,,n=,r=abc"),
    ("a length of -1", b"SCRAM-SHA-256\0" + struct.pack("!i", -1)),
    ("bytes behind", b"SCRAM-SHA-256\0" + struct.pack("!I", 3) + b"n,,n=,r=abc"),
    ("no terminator", b"SCRAM-SHA-256"),
    ("no length", b"SCRAM-SHA-256\0\0"),
    ("nothing", b""),
])
def test_malformed_initial_response(proxy, what, body):
    mark = marks(proxy)
    assert exchange(proxy, initial=wire.message(b"p", body), final=never)["C"] in ("08P01", "28P01")
    anywhere(proxy, mark)


@pytest.mark.parametrize("data", [wire.query("SELECT 1"), b"p" + struct.pack("!I", 3), b"p" + struct.pack("!I", 0),
                                  b"p" + struct.pack("!I", 0x7fffffff), wire.message(b"X")],
                         ids=["a query", "length 3", "length 0", "length 2^31", "a farewell"])
def test_something_else_than_a_sasl_response(proxy, data):
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    client.send(wire.startup(user="app", database="app"))
    wire.sasl_offer(client)
    client.send(data)
    assert rest(client)[:1] in (b"", b"E")


def without(scram, first):
    return scram.final(first).rsplit(b",p=", 1)[0]


@pytest.mark.parametrize("what, final", [
    ("nothing", lambda s, f: b""),
    ("no proof", without),
    ("an empty proof", lambda s, f: without(s, f) + b",p="),
    ("a short proof", lambda s, f: without(s, f) + b",p=" + base64.b64encode(b"x" * 31)),
    ("a long proof", lambda s, f: without(s, f) + b",p=" + base64.b64encode(b"x" * 33)),
    ("bad base64", lambda s, f: without(s, f) + b",p=" + b"!" * 44),
    ("two proofs", lambda s, f: s.final(f) + b",p=" + base64.b64encode(b"x" * 32)),
    ("another nonce", lambda s, f: s.final(f).replace(b",r=", b",r=x", 1)),
    ("no binding", lambda s, f: b"r=" + s.final(f).split(b",r=", 1)[1]),
    ("a huge message", lambda s, f: s.final(f) + b"," + b"x" * 9000),
    ("a NUL", lambda s, f: s.final(f) + b"\0"),
    ("a wrong proof", lambda s, f: without(s, f) + b",p=" + base64.b64encode(b"x" * 32)),
])
def test_malformed_client_final(proxy, what, final):
    mark = marks(proxy)
    fields = exchange(proxy, final=final)
    assert fields["C"] in ("08P01", "28P01"), fields
    record = anywhere(proxy, mark, session=fields["D"].removeprefix("Session ").rstrip("."))
    assert record["reason"] in ("protocol violation", "wrong password"), "it is ours to refuse, before the instance does"
    assert proxy.one("acme", "SELECT 1") == 1


def test_a_proof_replayed(proxy):
    """client-final of one login, heard again in another: the nonce is new."""
    heard = []

    def listen(scram, server_first):
        heard.append(scram.final(server_first))
        return without(scram, server_first) + b",p=" + base64.b64encode(b"x" * 32)

    same = (b"n,,", b"n=,r=alwaysthesamenonce")
    exchange(proxy, first=same, final=listen)
    assert exchange(proxy, first=same, final=lambda scram, first: heard[0])["C"] in ("08P01", "28P01")


# --- who are you ---

ROLES = {
    "nobody": None,
    "wrong": "LOGIN PASSWORD 'right'",
    "silent": "LOGIN",
    "expired": "LOGIN PASSWORD 'guess' VALID UNTIL '2001-01-01'",
    "nologin": "NOLOGIN PASSWORD 'guess'",
    "boss": "SUPERUSER LOGIN PASSWORD 'guess'",
}


@pytest.fixture(scope="module")
def roles(fleet):
    fleet.instances["acme"].sql("".join(f"CREATE ROLE {name} {how};" for name, how in ROLES.items() if how))


def course(proxy, user, password="guess", source=None):
    """One failing login as its observer sees it: messages and their lengths, salt, rounds, error, milliseconds."""
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test", source=source)
    begun = time.monotonic()
    client.send(wire.startup(user=user, database="app"))
    offer = client.until(b"R")[1]
    scram = wire.Scram(password)
    client.send(wire.sasl_initial(b"SCRAM-SHA-256", scram.first()))
    first = client.until(b"R")[1]
    client.send(wire.message(b"p", scram.final(first[4:])))
    fields = client.error()
    took = time.monotonic() - begun
    assert client.at_end()
    client.close()
    fields.pop("D")
    fields["M"] = fields["M"].replace(f'"{user}"', '"?"')
    seen = [offer, len(first), len(scram.salt), scram.rounds, fields]
    return seen, scram.salt, took


def test_every_reason_looks_like_a_wrong_password(proxy, roles):
    mark = proxy.mark("acme")
    seen, times = {}, {}
    for n in range(5):
        for number, name in enumerate(ROLES):
            # Each from a network of its own, so that no penalty is measured.
            what, _, took = course(proxy, name, source=f"127.0.{n + 10}.{number + 1}")
            seen.setdefault(name, what)
            times.setdefault(name, []).append(took)
            assert seen[name] == what
    assert all(what == seen["wrong"] for what in seen.values()), seen
    assert seen["wrong"][-1]["C"] == "28P01"
    middle = {name: statistics.median(took) for name, took in times.items()}
    assert max(middle.values()) - min(middle.values()) < 0.05, middle
    for name in ROLES:
        record = proxy.awaits("acme", "session.refused", user=name, after=mark)
        assert record["reason"] == ("wrong password" if name == "wrong" else "unknown user")


def test_the_mock_exchange_is_the_same_after_a_restart(proxy, roles):
    before = [course(proxy, name, source=f"127.0.20.{n}")[1] for n, name in enumerate(ROLES, 1)]
    assert before == [course(proxy, name, source=f"127.0.21.{n}")[1] for n, name in enumerate(ROLES, 1)]
    proxy.stop()
    proxy.start()
    assert before == [course(proxy, name, source=f"127.0.22.{n}")[1] for n, name in enumerate(ROLES, 1)]
    assert len(set(before)) == len(before)


@pytest.mark.parametrize("user", ["sekisho_auth", "sekisho_invented", "pg_monitor", "pg_read_all_data", "postgres"])
def test_reserved_roles(proxy, acme, user):
    acme.sql("ALTER ROLE postgres PASSWORD 'postgres secret'")
    mark, before = proxy.mark("acme"), len(acme.log())
    seen, _, _ = course(proxy, user, "postgres secret", source="127.0.30.1")
    assert seen == course(proxy, "nobody", source="127.0.30.2")[0]
    assert proxy.awaits("acme", "session.refused", user=user, after=mark)["reason"] in ("reserved role", "unknown user")
    assert f"user={user} database=app" not in acme.log()[before:]


def test_startup_parameters_do_not_bend_the_verifier_query(proxy, acme):
    """The attacker owns schemas with look-alikes and asks for them in every way that a startup message has."""
    verifier = make_verifier("evil")
    acme.sql(f"""CREATE SCHEMA evil;
        CREATE TABLE evil.pg_authid AS SELECT rolname, rolsuper, rolcanlogin, '{verifier}'::text AS rolpassword,
          rolvaliduntil, oid FROM pg_catalog.pg_authid;
        CREATE FUNCTION evil.verifier(text) RETURNS text LANGUAGE sql AS $$ SELECT '{verifier}' $$;
        CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '-infinity'::timestamptz $$;
        GRANT ALL ON SCHEMA evil TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC;""")
    try:
        for more in ({"search_path": "evil,pg_catalog"}, {"options": "-c search_path=evil,pg_catalog -c role=postgres"},
                     {"role": "postgres"}, {"session_authorization": "postgres"}):
            client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test", source="127.0.31.1")
            with pytest.raises(wire.Refused) as caught:
                wire.login(client, password="evil", **more)
            assert caught.value.fields["C"] == "28P01"
            client.close()
        for more in ({"role": "postgres"}, {"session_authorization": "postgres"}, {"options": "-c role=postgres"}):
            client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test", source="127.0.31.2")
            try:
                wire.login(client, **more)
                client.send(wire.query("SELECT current_user"))
                assert client.until(b"D")[1].endswith(b"app")
            except wire.Refused as error:
                assert error.fields["C"] in ("42501", "22023", "28000"), error.fields
            client.close()
    finally:
        acme.sql("DROP SCHEMA evil CASCADE")


# --- waiting ---

def stall_before_anything(proxy):
    return wire.plain(proxy.port)


def stall_in_the_greeting(proxy):
    client = wire.plain(proxy.port)
    client.send(wire.SSL_REQUEST[:5])
    return client


def stall_before_the_hello(proxy):
    client = wire.plain(proxy.port)
    client.send(wire.SSL_REQUEST)
    assert client.read(1) == b"S"
    return client


def stall_inside_the_hello(proxy):
    client = stall_before_the_hello(proxy)
    client.send(wire.client_hello(b"acme.db.test")[:100])
    return client


def stall_after_the_hello(proxy):
    client = stall_before_the_hello(proxy)
    client.send(wire.client_hello(b"acme.db.test"))
    return client


def stall_before_the_startup(proxy):
    return wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")


def stall_inside_the_startup(proxy):
    client = stall_before_the_startup(proxy)
    client.send(wire.startup(user="app", database="app")[:-5])
    return client


def stall_before_the_challenge(proxy):
    client = stall_before_the_startup(proxy)
    client.send(wire.startup(user="app", database="app"))
    wire.sasl_offer(client)
    return client


def stall_inside_scram(proxy):
    client = stall_before_the_challenge(proxy)
    client.send(wire.sasl_initial(b"SCRAM-SHA-256", wire.Scram("x").first()))
    client.until(b"R")
    return client


def stall_in_the_lobby(proxy):
    return wire.tls(proxy.port, proxy.fleet.authority, "invented.db.test", check=False)


STALLS = [stall_before_anything, stall_in_the_greeting, stall_before_the_hello, stall_inside_the_hello,
          stall_after_the_hello, stall_before_the_startup, stall_inside_the_startup, stall_before_the_challenge,
          stall_inside_scram, stall_in_the_lobby]


def test_stalling_at_every_step_is_cut_at_the_login_timeout(proxy):
    """All at once, each with a budget from accept to authenticated; a trickle of bytes buys no time."""
    proxy.configure(login_timeout="2s")
    proxy.reload()
    mark = marks(proxy)
    begun = time.monotonic()
    stalled = {stall.__name__: stall(proxy) for stall in STALLS}
    took = {}

    def all_cut():
        for name, client in stalled.items():
            if name in took:
                continue
            client.sock.settimeout(0.01)
            try:
                while True:
                    client.more()
            except TimeoutError:
                pass
            except wire.Closed:
                took[name] = time.monotonic() - begun
        return len(took) == len(stalled)

    try:
        until(all_cut, "every one is cut", 10)
    except AssertionError as error:
        raise AssertionError(f"still there: {stalled.keys() - took.keys()}") from error
    assert all(1.0 < seconds < 5.0 for seconds in took.values()), took
    anywhere(proxy, mark, reason="login timeout")
    trickle = wire.plain(proxy.port)
    trickle.send(wire.SSL_REQUEST)
    trickle.read(1)
    begun = time.monotonic()
    try:
        for byte in wire.client_hello(b"acme.db.test"):
            trickle.send(bytes([byte]))
            trickle.sock.settimeout(0.1)  # the trickle's own pace
            try:
                trickle.more()
            except TimeoutError:
                pass
            assert time.monotonic() - begun < 10
    except (wire.Closed, ConnectionError):
        pass
    assert time.monotonic() - begun < 5
    proxy.configure(**SETTINGS)
    proxy.reload()
    assert proxy.one("acme", "SELECT 1") == 1


def test_hundreds_of_unfinished_logins_cost_little_and_lock_nobody_out(proxy):
    assert proxy.one("acme", "SELECT 1") == 1
    cell = proxy.pid("cell acme")

    def rss():
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{cell}/status").read_text()).group(1))

    before = rss()
    held = [stall_before_the_challenge(proxy) for _ in range(300)]
    grown = rss() - before
    # login's arena (about 110 KiB) and OpenSSL's books of one connection, with room for the sanitizer's.
    assert grown < 300 * 400, f"{grown} KiB for 300 unfinished logins"
    begun = time.monotonic()
    assert proxy.one("acme", "SELECT 1") == 1
    assert time.monotonic() - begun < 5
    for client in held:
        client.close()
