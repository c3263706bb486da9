# SPDX-License-Identifier: ISC
"""acme's instance is in the hands of an attacker. Whatever it says, only acme's own session ends, with a clear error;
globex does not notice, and nothing weaker than TLS and SCRAM is ever agreed to."""
import base64
import struct
import threading
import time

import pytest

import hostile
import wire
from fleet import Authority, is_ours, make_verifier, until

SETTINGS = {"login_timeout": "4s", "connect_timeout": "2s"}


@pytest.fixture(scope="module")
def taken(fleet):
    """acme's users keep their verifier in the store; the attacker listens where the instance was."""
    proxy, acme = fleet.proxies[0], fleet.instances["acme"]
    proxy.ctl("tenant", "set", "acme", "--verifier", f"app={make_verifier('acme secret')}")
    acme.stop()
    attacker = hostile.Hostile(acme.port, acme.home / "server.crt", acme.home / "server.key", "acme secret")
    attacker.behaviour = hostile.good
    until(lambda: gets_in(proxy), "the store's verifier counts", 15, 0.1)
    yield attacker
    attacker.stop()


@pytest.fixture(scope="module")
def bystander(fleet, taken):
    """Gil of globex works through all of it."""
    going, failures, asked = [True], [], [0]

    def work():
        try:
            with fleet.proxies[0].connect("globex") as connection:
                while going:
                    assert connection.execute("SELECT DISTINCT name FROM who").fetchone() == ("globex",)
                    asked[0] += 1
                    time.sleep(0.01)  # the rhythm of his work
        except Exception as error:
            failures.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    yield failures
    going.clear()
    worker.join(20)
    assert asked[0] > 0 and not failures, failures


def gets_in(proxy):
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    try:
        wire.login(client)
        return True
    except (wire.Refused, wire.Closed):
        return False
    finally:
        client.close()


@pytest.fixture
def attacked(proxy, taken, bystander):
    """attacked(behaviour, ...): acme's user logs in; the error's fields and its record. Then a good login must work."""
    cell = proxy.pid("cell acme")

    def go(behaviour=hostile.good, answer=b"S", behind=b"", crt=None, key=None, reasons=None):
        mark = proxy.mark("acme")
        good = taken.crt, taken.key
        taken.behaviour, taken.answer, taken.behind = behaviour, answer, behind
        if crt:
            taken.crt, taken.key = crt, key
        client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
        try:
            with pytest.raises(wire.Refused) as caught:
                wire.login(client)
        finally:
            client.close()
            taken.behaviour, taken.answer, taken.behind = hostile.good, b"S", b""
            taken.crt, taken.key = good
        fields = caught.value.fields
        record = proxy.awaits("acme", "session.refused", after=mark)
        assert record["session"] in fields.get("D", record["session"])
        if reasons:
            assert record["reason"] in reasons, record
        assert is_ours(cell) and proxy.pid("cell acme") == cell, "the cell lives"
        assert gets_in(proxy)
        assert not bystander, bystander
        return fields, record

    return go


PROTOCOL = ("instance protocol violation",)
AUTH = ("instance refused the login", "instance protocol violation")


@pytest.mark.parametrize("answer", [b"N", b"E", b"x", b"\x16", b"SS"])
def test_tls_refused_or_answered_oddly(attacked, answer):
    attacked(answer=answer, reasons=("instance TLS failed", "instance protocol violation"))


def test_bytes_with_the_tls_answer(attacked):
    """CVE-2021-23222's kind: plaintext slipped in before the handshake must not be read as if it had come inside."""
    attacked(behind=hostile.AUTH_OK + hostile.READY, reasons=("instance TLS failed", "instance protocol violation"))


def test_a_certificate_of_another_name(attacked, fleet):
    crt, key = fleet.authority.issue(fleet.folder / "other", "globex.instance.internal")
    attacked(crt=crt, key=key, reasons=("instance TLS failed",))


def test_a_certificate_of_another_authority(attacked, fleet):
    crt, key = Authority(fleet.folder, "forger").issue(fleet.folder / "forged", "acme.instance.internal")
    attacked(crt=crt, key=key, reasons=("instance TLS failed",))


@pytest.mark.parametrize("what, code, data", [
    ("Kerberos", 2, b""), ("cleartext password", 3, b""), ("MD5", 5, b"salt"), ("GSS", 7, b""), ("SSPI", 9, b""),
    ("an unknown method", 99, b""), ("no SCRAM among its mechanisms", 10, b"PLAIN\0\0"), ("no mechanism", 10, b"\0"),
    ("SASL without end", 10, b"SCRAM-SHA-256"), ("no code", None, b"\0\0"),
])
def test_another_method_of_authentication(attacked, taken, what, code, data):
    body = data if code is None else struct.pack("!I", code) + data
    attacked(hostile.opening(wire.message(b"R", body)), reasons=AUTH)


def test_no_authentication_at_all(attacked):
    """"trust": whoever is there has not proved to know the user's key."""
    attacked(hostile.opening(hostile.AUTH_OK + hostile.PARAMETERS + hostile.KEY + hostile.READY), reasons=AUTH)


def test_authentication_ok_in_the_middle(attacked):
    def behave(instance, peer):
        peer.send(hostile.sasl(10, b"SCRAM-SHA-256\0\0"))
        peer.until(b"p")
        peer.send(hostile.AUTH_OK + hostile.PARAMETERS + hostile.KEY + hostile.READY)
    attacked(behave, reasons=AUTH)


def server_first(make):
    """Answers client-first with make(nonce of the client)."""
    def behave(instance, peer):
        peer.send(hostile.sasl(10, b"SCRAM-SHA-256\0\0"))
        _, body = peer.until(b"p")
        nonce = body.rsplit(b"r=", 1)[1]
        peer.send(hostile.sasl(11, make(nonce)))
    return behave


SALT = base64.b64encode(b"salt of 16 bytes")


@pytest.mark.parametrize("what, make", [
    ("nothing", lambda n: b""),
    ("rubbish", lambda n: b"\xff" * 300),
    ("another nonce", lambda n: b"r=other,s=" + SALT + b",i=4096"),
    ("only our nonce", lambda n: b"r=" + n + b",s=" + SALT + b",i=4096"),
    ("no salt", lambda n: b"r=" + n + b"x,i=4096"),
    ("an empty salt", lambda n: b"r=" + n + b"x,s=,i=4096"),
    ("another salt", lambda n: b"r=" + n + b"x,s=" + base64.b64encode(b"y" * 16) + b",i=4096"),
    ("a huge salt", lambda n: b"r=" + n + b"x,s=" + base64.b64encode(b"y" * 6000) + b",i=4096"),
    ("fewer iterations", lambda n: b"r=" + n + b"x,s=" + SALT + b",i=1"),
    ("no iterations", lambda n: b"r=" + n + b"x,s=" + SALT),
    ("negative iterations", lambda n: b"r=" + n + b"x,s=" + SALT + b",i=-4096"),
    ("iterations that wrap", lambda n: b"r=" + n + b"x,s=" + SALT + b",i=4294971392"),
    ("a mandatory extension", lambda n: b"m=x,r=" + n + b"x,s=" + SALT + b",i=4096"),
    ("a huge nonce", lambda n: b"r=" + n + b"x" * 12000 + b",s=" + SALT + b",i=4096"),
    ("a NUL", lambda n: b"r=" + n + b"x\0,s=" + SALT + b",i=4096"),
])
def test_scram_challenges(attacked, what, make):
    """CVE-2026-6665's kind: a backend's SCRAM message of any length and content."""
    attacked(server_first(make), reasons=AUTH)


@pytest.mark.parametrize("what, final", [
    ("nothing", lambda s: b""), ("a wrong signature", lambda s: b"v=" + base64.b64encode(b"x" * 32)),
    ("a short signature", lambda s: b"v=" + base64.b64encode(s[:31])), ("bad base64", lambda s: b"v=" + b"!" * 44),
    ("an error", lambda s: b"e=other-error"), ("a huge signature", lambda s: b"v=" + base64.b64encode(b"x" * 9000)),
])
def test_an_instance_that_does_not_know_the_verifier(attacked, what, final):
    """It must prove that it has ServerKey; otherwise it is not the user's instance."""
    def behave(instance, peer):
        instance.log_in(peer, final)
        peer.send(hostile.PARAMETERS + hostile.KEY + hostile.READY)
    attacked(behave, reasons=AUTH)


def test_authentication_ok_without_a_proof(attacked):
    def behave(instance, peer):
        real = peer.send
        peer.send = lambda data: real(hostile.AUTH_OK if data.startswith(b"R") and struct.unpack("!I", data[5:9])[0] == 12 else data)
        instance.log_in(peer)
        real(hostile.PARAMETERS + hostile.KEY + hostile.READY)
    attacked(behave, reasons=AUTH)


@pytest.mark.parametrize("length", [0, 3, 2**31, 2**32 - 1, 1 << 20])
@pytest.mark.parametrize("kind", [b"R", b"E", b"S", b"K"])
def test_absurd_lengths(attacked, kind, length):
    attacked(hostile.opening(kind + struct.pack("!I", length) + b"x" * 200), reasons=PROTOCOL)


@pytest.mark.parametrize("what, body", [
    ("no SQLSTATE", b"SFATAL\0Mno code\0\0"), ("a long SQLSTATE", b"SFATAL\0C1234567\0Mx\0\0"),
    ("an odd SQLSTATE", b"SFATAL\0C\x01\x02\x03\x04\x05\0Mx\0\0"), ("no message", b"SFATAL\0C42501\0\0"),
    ("no fields", b"\0"), ("nothing", b""), ("no end", b"SFATAL\0C42501\0Mwithout end"),
    ("a field too many", b"SFATAL\0C42501\0M" + b"x" * 12000 + b"\0\0"),
    ("nasty characters", b"SFATAL\0C42501\0Mx\n\x1b[31m\xff\0\0"),
])
@pytest.mark.parametrize("late", [False, True], ids=["at once", "after the login"])
def test_error_responses(attacked, what, body, late):
    """CVE-2026-6667's neighbour: an ErrorResponse without SQLSTATE. The client gets a well-formed error all the same."""
    error = wire.message(b"E", body)
    fields, _ = attacked((hostile.after_login if late else hostile.opening)(error))
    assert len(fields["C"]) == 5 and fields["M"] and fields["S"] == "FATAL"


@pytest.mark.parametrize("data", [
    wire.message(b"D", b"\0\1\0\0\0\1x"), wire.message(b"T", b"\0\0"), hostile.KEY + hostile.KEY, hostile.READY,
    wire.message(b"K", b"\0\0"), wire.message(b"K", b"\0" * 300), wire.message(b"S", b"name"),
    wire.message(b"S", b"\0\0more"), wire.message(b"Z", b"X"), wire.message(b"Z", b""), wire.message(b"G", b"\0\0\0"),
    wire.message(b"\0"), wire.message(b"R", struct.pack("!I", 3)), hostile.AUTH_OK,
    wire.message(b"S", b"a\0" + b"b" * 100 + b"\0") * 2000,
], ids=["a row", "a description", "two keys", "ready without a key", "a short key", "a long key", "half a parameter",
        "a parameter and more", "an odd status", "no status", "COPY", "type NUL", "authentication again",
        "AuthenticationOk again", "parameters without end"])
def test_messages_out_of_place_after_the_login(attacked, data):
    attacked(hostile.after_login(data), reasons=PROTOCOL)


def test_bytes_before_they_are_asked_for(attacked):
    """A whole session's worth in one breath, before the client's proof was sent."""
    attacked(hostile.opening(hostile.sasl(10, b"SCRAM-SHA-256\0\0") + hostile.sasl(11, b"r=x,s=" + SALT + b",i=4096") +
                             hostile.sasl(12, b"v=" + base64.b64encode(b"x" * 32)) + hostile.AUTH_OK + hostile.READY),
             reasons=AUTH)


@pytest.mark.parametrize("what, behaviour", [
    ("says nothing", hostile.opening(b"")), ("half a header", hostile.opening(b"R\0\0")),
    ("half a message", hostile.opening(b"R" + struct.pack("!I", 23) + b"\0\0\0\x0aSCRAM")),
    ("silent after the login", hostile.after_login(b"")), ("never ready", hostile.after_login(hostile.PARAMETERS + hostile.KEY)),
])
def test_a_message_never_finished(attacked, what, behaviour):
    begun = time.monotonic()
    fields, _ = attacked(behaviour, reasons=("login timeout",))
    assert time.monotonic() - begun < 10
    assert fields["S"] == "FATAL"


def session(proxy, taken, behaviour):
    taken.behaviour = behaviour
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    wire.login(client)
    taken.behaviour = hostile.good
    return client


@pytest.mark.parametrize("data", [b"D" + struct.pack("!I", 0), b"D" + struct.pack("!I", 3), b"Z" + struct.pack("!I", 2**32 - 1),
                                  b"\xff" * 5000], ids=["length 0", "length 3", "length 2^32-1", "rubbish"])
def test_a_running_session_ends_alone(proxy, taken, bystander, data):
    """Absurd headers in the relay: that session ends, or its client gets the bytes; nobody else notices."""
    mark = proxy.mark("acme")
    other = session(proxy, taken, hostile.good)
    client = session(proxy, taken, hostile.to_query(data))
    client.send(wire.query("SELECT 1"))
    client.sock.settimeout(1)
    try:
        while True:
            client.more()
    except (wire.Closed, TimeoutError):
        pass
    client.close()
    other.send(wire.query("SELECT 1"))
    assert other.until(b"Z") == (b"Z", b"I")
    other.send(wire.message(b"X"))
    other.close()
    proxy.awaits("acme", "session.close", after=mark)
    assert not bystander


@pytest.mark.parametrize("part", [b"D" + struct.pack("!I", 1000) + b"x" * 10, b"D" + struct.pack("!I", 2**32 - 1) + hostile.READY],
                         ids=["half a row", "a row of four gigabytes"])
def test_a_session_is_not_ended_inside_a_message_that_never_comes(proxy, taken, bystander, part):
    """An error of ours there would be read as the message's own bytes: the connection just ends."""
    client = session(proxy, taken, hostile.to_query(part))
    client.send(wire.query("SELECT 1"))
    assert client.read(len(part)) == part
    proxy.ctl("session", "kill", until(lambda: proxy.sessions("acme"), "the session is listed")[0]["session"])
    with pytest.raises(wire.Closed):
        client.more()
    assert client.seen == b"", "nothing of ours inside the message"
    client.close()


def test_a_verifier_query_that_lies(proxy, taken, bystander):
    """The attacker also answers the proxy's own auth query, over TLS, with whatever it likes: users whose verifier is
    not in the store get a clear error and nothing else happens."""
    mark = proxy.mark("acme")
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    with pytest.raises(wire.Refused) as caught:
        wire.login(client, user="somebody", password="x")
    client.close()
    assert caught.value.fields["S"] == "FATAL"
    assert proxy.awaits("acme", "session.refused", after=mark)["user"] == "somebody"
    assert gets_in(proxy) and not bystander
