# SPDX-License-Identifier: ISC
"""Writes the seed corpora that are plays: what peers say to each process, packets of a channel, signed statements.

Names of messages are looked up in messages.def, so the seeds can be made anew when it has grown:

    python3 tests/fuzz/seeds.py
"""
import pathlib
import re
import struct

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
CODES = {name: number for number, name in enumerate(re.findall(
    r"^MESSAGE\((\w+),", (ROOT / "proxy/run/messages.def").read_text(), re.M))}
EVENTS = {name: number for number, name in enumerate(re.findall(
    r"^EVENT\((\w+),", (ROOT / "audit/events.def").read_text(), re.M))}
FIELDS = {name: (number, kind) for number, (name, kind) in enumerate(re.findall(
    r"^FIELD\((\w+), \"\w+\", (\w+),", (ROOT / "audit/fields.def").read_text(), re.M))}
ROLES = {name: bit for bit, name in enumerate(
    ["supervisor", "gate", "cell", "lobby", "broker", "keeper", "ledger", "operator", "console", "notifier"])}
TENANTS = ["acme", "globex", "", "no-such-tenant"]


def u8(n):
    return struct.pack("!B", n)


def u16(n):
    return struct.pack("!H", n)


def u32(n):
    return struct.pack("!I", n)


def u64(n):
    return struct.pack("!Q", n)


def text(t):
    data = t if isinstance(t, bytes) else t.encode()
    return u16(len(data)) + data


def blob(data):
    return u32(len(data)) + data


def address(ip="127.0.0.1", port=40000):
    return u8(4) + bytes(map(int, ip.split("."))).ljust(16, b"\0") + u16(port)


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


# --- moves of peers.c ---

def arrive(role, tenant="acme"):
    return u8(0) + u8(ROLES[role] - 1) + u8(TENANTS.index(tenant))


def say(who, message, body=b"", odd=0):
    return u8(1) + u8(who) + u8(CODES[message]) + u8(odd) + u16(len(body)) + body


def leave(who):
    return u8(2) + u8(who)


def supervisor(what):
    return u8(3) + u8(["SETTINGS", "IDENTITY", "PROCESS", "CONTROL", "RESUMED"].index(what))


def furnish(who, what):
    return u8(4) + u8(who) + u8(["IDENTITY", "INSTANCE_TRUST", "TENANT", "OPERATOR_TRUST"].index(what))


def stream(which, data):
    return u8(5) + u8(which) + u16(len(data)) + data


def stream_end(which):
    return u8(6) + u8(which)


TURN = u8(7)


def record(event, session=0, **fields):
    body = u16(EVENTS[event]) + u64(session) + u16(len(fields))
    for name, value in fields.items():
        number, kind = FIELDS[name]
        body += u16(number) + (u64(value) if isinstance(value, int) else text(value))
    return body


def told(event, session=0, request=0, tenant="acme", **fields):
    return u64(request) + text(tenant) + record(event, session, **fields)


def claim(session, user="ann"):
    return u64(session) + text(user) + text("app") + text("psql") + text("") + address()


def handover(session=7, refusal=0):
    return u64(session) + u64(1000000) + u8(refusal) + address() + address(port=5432) + address() + text("acme.db.test") + u8(0)


def failure(sqlstate="57P01"):
    return text(sqlstate) + text("terminating connection") + text("connect again") + text("")


def tenant(name="acme", port=5432):
    """As tenant_codec.c writes it, with something in everything."""
    ranges = u8(1) + address("10.0.0.0", 0) + u8(8)
    return (text(name) + text("SVC-7") + text("tier=gold,region=tokyo") + u8(1) + u32(20) + u32(2) + u8(1) + text(f"db.{name}.test") +
            u8(1) + address(port=port) + ranges + text("127.0.0.1") + u16(5432) + text(f"{name}.internal") + text("ann,bob") +
            text("postgres") + u8(1) + address(port=5432) + text("a CA") + text("a certificate") + text("a key") + 4 * u8(0))


def tenant_bytes():
    return [tenant("acme", 5433), tenant("globex", 5434)]


def snapshot(who, tenants):
    whole = say(who, "SNAPSHOT_BEGIN", u64(1))
    for one in tenants:
        whole += say(who, "SNAPSHOT_TENANT", one)
    whole += say(who, "SNAPSHOT_OPERATOR", text("alice") + text("on call") + u16(0))
    return whole + say(who, "STATEMENTS_END", u64(0)) + say(who, "SNAPSHOT_END", u32(len(tenants))) + TURN


def gate():
    routes = (say(0, "ROUTES_BEGIN") + say(0, "ROUTE_TENANT", text("acme") + u32(2)) +
              say(0, "ROUTE_NAME", text("acme.db.test")) + say(0, "ROUTE_ADDRESS", address(port=5432)) +
              say(0, "ROUTES_END") + TURN)
    yield "routes", arrive("broker") + routes
    yield "routes_out_of_order", arrive("broker") + say(0, "ROUTE_NAME", text("x")) + TURN
    yield "keys", (arrive("cell") + say(0, "KEY_ADD", u32(4711) + u32(0xdeadbeef)) + TURN +
                   arrive("cell", "globex") + say(1, "CANCEL_ASK", u32(4711) + u32(0xdeadbeef) + address()) +
                   say(0, "CANCEL_ASK", u32(4711) + u32(0xdeadbeef) + address()) +
                   say(0, "KEY_REMOVE", u32(4711) + u32(0xdeadbeef)) + say(0, "IDLE", u64(0)) + TURN)
    yield "operator", arrive("operator") + say(0, "KEY_ADD", u32(1) + u32(2)) + say(0, "CANCEL_ASK", u32(1) + u32(2) + address())
    yield "ledger", arrive("ledger", "") + arrive("lobby", "") + say(0, "DURABLE", u64(0) + u8(1)) + TURN + supervisor("SETTINGS")


def ledger():
    yield "session", (arrive("cell") + say(0, "RECORD", told("SESSION_OPEN", 7, 1, USER="ann", DATABASE="app")) + TURN +
                      say(0, "RECORD", told("SESSION_CLOSE", 7, 0, REASON="client")) + TURN)
    yield "left_open", arrive("cell") + say(0, "RECORD", told("SESSION_OPEN", 8, 1, USER="ann")) + TURN + leave(0)
    yield "others_session", (arrive("cell") + say(0, "RECORD", told("SESSION_OPEN", 9, 1, USER="ann")) + TURN +
                             arrive("cell", "globex") + say(1, "RECORD", told("SESSION_CLOSE", 9, 0, REASON="client")) + TURN)
    yield "resume", arrive("cell") + say(0, "RESUME", u64(9)) + supervisor("RESUMED") + TURN
    yield "operator", (arrive("operator") + say(0, "RECORD", told("SESSION_OPEN", 10, 10, USER="alice", OPERATOR="alice")) + TURN +
                       say(0, "RECORD", told("OPERATOR_STATEMENT", 10, 11, KIND="query", SQL="SELECT 1")) +
                       say(0, "RECORD", told("OPERATOR_RESULT", 10, 0, TAG="SELECT 1")) + TURN)
    yield "broker", arrive("broker", "") + say(0, "RECORD", told("TAMPERING", 0, 5, "", DETAIL="row 3")) + TURN
    yield "broker_for_acme", arrive("broker", "") + say(0, "RECORD", told("GRANT_CHANGE", 0, 5, "acme", ACTION="approve")) + TURN
    yield "may_not_say", arrive("cell") + say(0, "RECORD", told("NODE_START", 0, 5)) + TURN
    yield "bad_tenant", arrive("broker", "") + say(0, "RECORD", told("GRANT_CHANGE", 0, 5, "../acme")) + TURN
    yield "lobby", arrive("lobby", "") + say(0, "RECORD", told("SESSION_REFUSED", 0, 0, "", REASON="no tenant")) + TURN


def broker():
    tenants = tenant_bytes()
    one = arrive("keeper", "") + snapshot(0, tenants)
    yield "snapshot", one + arrive("gate", "") + TURN
    yield "cell", (one + arrive("cell") + say(1, "VERIFIER", u64(1) + text("ann") + address()) + TURN +
                   say(0, "VERIFIER_TOLD", u64(1) + u8(2) + text("")) + TURN +
                   say(1, "ADMIT", u64(2) + claim(70)) + TURN + say(1, "OPENED", u64(70) + u32(4711)) +
                   say(1, "CANCEL_SOCKET", u64(3) + u64(70)) + TURN + say(1, "RELEASE", u64(70)) + TURN)
    yield "others_session", (one + arrive("cell") + say(1, "ADMIT", u64(2) + claim(71)) + TURN + arrive("cell", "globex") +
                             say(2, "CANCEL_SOCKET", u64(3) + u64(71)) + TURN)
    yield "guess", one + arrive("cell") + say(1, "GUESSED", u8(0) + u64(99) + text("ann") + address()) * 3 + TURN
    yield "hold", arrive("cell") + say(0, "HOLD", claim(72)) + say(0, "OPENED", u64(72) + u32(1)) + TURN
    yield "console", one + arrive("console", "") + arrive("cell") + say(2, "ADMIT", u64(2) + claim(73).replace(text("app"), text("sekisho"))) + TURN
    yield "operator", (one + arrive("ledger", "") + arrive("operator") +
                       say(2, "OPERATOR_ADMIT", u64(1) + claim(74, "alice")) + TURN +
                       say(2, "OPERATOR_HOLD", claim(75, "alice") + u64(1)) + TURN)
    statements = sorted((HERE / "corpus/statement").iterdir())
    for path in statements[:2]:
        body = path.read_bytes()[:4000]
        yield f"statement_{path.name}", arrive("keeper", "") + say(0, "STATEMENT", u64(1) + text(body) + text(b"\0" * 64)) + TURN
    yield "process", supervisor("PROCESS") + supervisor("CONTROL") + stream(0, b'{"ask":"status"}\n') + TURN
    for ask in ("status", "sessions", "kill"):
        yield f"control_{ask}", supervisor("CONTROL") + stream(0, f'{{"verb":"{ask}","session":"0000000000000046"}}\n'.encode()) + TURN
    yield "wrong", arrive("gate", "") + say(0, "ROUTES_BEGIN") + TURN


def cell(kind="cell"):
    whole = (arrive("broker", "") + (furnish(0, "OPERATOR_TRUST") if kind == "operator" else b"") + furnish(0, "IDENTITY") +
             furnish(0, "INSTANCE_TRUST") + furnish(0, "TENANT") + TURN + arrive("gate", "") + arrive("ledger", ""))
    yield "furnished", whole
    hello = (HERE / "corpus/hello/openssl_name.bin").read_bytes()
    yield "handover", whole + say(1, "HANDOVER", handover()) + TURN + stream(0, hello) + stream_end(0)
    yield "direct", whole + say(1, "HANDOVER", handover()[:-1] + u8(1)) + TURN + stream(0, hello) + TURN
    yield "answers", (whole + say(1, "HANDOVER", handover()) + TURN + say(0, "VERIFIER_IS", u64(7) + u8(0) + u32(0) + (HERE / "corpus/verifier").joinpath(
        sorted(path.name for path in (HERE / "corpus/verifier").iterdir())[0]).read_bytes()[:200]) +
        say(0, "ADMITTED", u64(7)) + say(0, "REFUSED", u64(7) + u8(3) + failure("28P01")) + TURN)
    yield "cut", whole + say(1, "HANDOVER", handover()) + TURN + say(0, "CUT", u64(7) + u8(2) + failure()) + TURN
    yield "cancel", whole + say(1, "CANCEL", u32(1) + u32(2) + address()) + say(1, "RETIRE") + TURN
    yield "durable", whole + say(1, "HANDOVER", handover()) + say(2, "DURABLE", u64(7) + u8(1)) + TURN
    yield "cancel_socket", whole + say(0, "ADMITTED", u64(1 << 63 | 1)) + TURN
    if kind == "operator":
        yield "granted", (whole + say(1, "HANDOVER", handover()) + TURN +
                          say(0, "GRANTED", u64(7) + u64(1) + u64(1 << 40) + text("read") + text("sekisho_read") + text("OPS-1")))


def lobby():
    whole = supervisor("IDENTITY") + arrive("gate", "") + arrive("ledger", "")
    yield "handover", whole + say(0, "HANDOVER", handover(7, 3)) + TURN
    yield "durable", whole + say(1, "DURABLE", u64(0) + u8(1)) + TURN


def keeper():
    yield "verifier", arrive("broker", "") + say(0, "VERIFIER_ASK", u64(1) + text("acme") + text("ann")) + TURN
    yield "ledger", arrive("ledger", "") + say(0, "DURABLE", u64(1) + u8(1)) + TURN


def console():
    whole = arrive("broker", "") + arrive("ledger", "")
    for kind, name in ((1, "admin"), (2, "alice"), (3, "host")):
        start = (HERE / "corpus/console/select").read_bytes()[1:]
        yield f"kind_{kind}", (whole + say(0, "CONSOLE", u64(5) + u8(kind) + text(name) + text("acme" if kind == 1 else "")) + TURN +
                               stream(0, start) + stream_end(0))
    for sql in ("SHOW HELP", "SHOW LOG acme", "SHOW GRANTS", "SHOW SESSIONS"):
        query = b"Q" + u32(4 + len(sql) + 1) + sql.encode() + b"\0"
        start = b"user\0host\0database\0sekisho\0\0"
        yield sql.lower().replace(" ", "_"), (
            whole + say(0, "CONSOLE", u64(5) + u8(3) + text("host") + text("")) + TURN +
            stream(0, u32(8 + len(start)) + u32(3 << 16) + start) + stream(0, query) + TURN + say(1, "DURABLE", u64(1) + u8(1)) + TURN)


def channel():
    for us, them, message, body, fds in (
            ("broker", "cell", "ADMIT", u64(1) + claim(1), 0), ("cell", "broker", "ADMITTED", u64(1), 1),
            ("ledger", "cell", "RECORD", told("SESSION_OPEN", 7, 1), 0), ("gate", "cell", "IDLE", u64(1), 0),
            ("broker", "cell", "SETTINGS", b"x", 0), ("gate", "supervisor", "LISTENER", b"x", 1),
            ("broker", "cell", "RELEASE", b"x" * 9, 0), ("broker", "cell", "RELEASE", b"x" * 8, 1),
            ("cell", "broker", "ADMITTED", u64(1), 2), ("cell", "broker", "ADMITTED", u64(1), 0)):
        packet = u8(1) + u8(CODES[message]) + body
        write("channel", f"{us}_{them}_{message.lower()}_{len(body)}_{fds}",
              u8(ROLES[us]) + u8(ROLES[them]) + 2 * (u8(fds) + u16(len(packet)) + packet))
    write("channel", "version_2", u8(4) + u8(2) + u8(0) + u16(2) + b"\2\0")
    write("channel", "no_code", u8(4) + u8(2) + u8(0) + u16(1) + b"\1")
    write("channel", "empty_with_descriptor", u8(4) + u8(2) + u8(1) + u16(0))


KINDS = re.findall(r'^STATEMENT\((\w+), "', (ROOT / "policy/statements.def").read_text(), re.M)
PEOPLE = ["alice", "mallory", "bob", "carol", "dora", "gus"]


def signs(who, kind, rest=b"", tenant=0, odd=0, in_the_name_of=None):
    name = u8(PEOPLE.index(in_the_name_of)) if in_the_name_of else b""
    return u8(64) + u8(255 if in_the_name_of else odd) + u8(PEOPLE.index(who)) + name + u8(KINDS.index(kind)) + u8(tenant) + rest


def asks(klass=0, scope=1, seconds=3600, database=2):
    return u8(0) + u8(klass) + u8(scope) + u8(1) + u8(database) + u8(0) + u16(seconds)


def grants():
    request, yes = signs("alice", "REQUEST", asks()), u8(0) + u8(0)
    write("grants", "asked", request)
    write("grants", "approved", request + signs("bob", "APPROVE", yes) + signs("dora", "APPROVE", yes) + u8(30) + u8(40))
    write("grants", "narrowed", request + signs("bob", "APPROVE", u8(0) + u8(1) + u8(0)) + signs("dora", "APPROVE", yes))
    write("grants", "widened", request + signs("bob", "APPROVE", u8(0) + u8(3) + u8(3) + u16(600)) + signs("dora", "APPROVE", yes))
    write("grants", "by_herself", request + signs("alice", "APPROVE", yes))
    write("grants", "forged", request + signs("mallory", "APPROVE", yes, in_the_name_of="bob") + signs("mallory", "APPROVE", yes, in_the_name_of="dora"))
    write("grants", "others_consent", request + signs("bob", "APPROVE", yes) + signs("gus", "APPROVE", yes))
    write("grants", "revoked", request + signs("bob", "APPROVE", yes) + signs("dora", "APPROVE", yes) + signs("dora", "REVOKE", yes))
    write("grants", "denied_first", request + signs("carol", "DENY", yes) + signs("bob", "APPROVE", yes) + signs("dora", "APPROVE", yes))
    write("grants", "emergency", signs("alice", "REQUEST", asks(klass=2, scope=0)) * 1 + u8(1) +
          signs("alice", "REQUEST", asks(klass=2, scope=0)) + u8(1) + signs("alice", "REQUEST", asks(klass=2, scope=0)))
    write("grants", "standing", signs("dora", "STANDING", u8(1) + u8(126) + u16(0) + u16(1439) + u8(12) + u16(7200) + u32(86400)) +
          signs("alice", "REQUEST", asks(klass=1)) + signs("bob", "APPROVE", u8(1) + u8(0)))
    write("grants", "policy", signs("dora", "POLICY", u8(1) + u8(2) + u8(0)) + request + signs("bob", "APPROVE", u8(1) + u8(0)) +
          signs("carol", "APPROVE", u8(1) + u8(0)))
    write("grants", "locked", request + signs("bob", "APPROVE", yes) + signs("dora", "APPROVE", yes) +
          signs("dora", "LOCK", u8(0) + u8(0)) + u8(1) + signs("dora", "UNLOCK", u8(3) + u8(0)) + u8(1))
    write("grants", "ended", request + signs("bob", "APPROVE", yes) + signs("dora", "APPROVE", yes) + signs("alice", "END", yes) +
          signs("dora", "REVIEW", yes))
    write("grants", "late", signs("alice", "REQUEST", asks(), odd=254)[:5] + u16(1200) + asks())
    write("grants", "elsewhere", signs("alice", "REQUEST", asks(), odd=252))
    write("grants", "twice", request + request)


def others():
    write("tenant", "everything", tenant())
    write("route", "two_tenants", b"n acme.db.test acme\nn globex.db.test globex\na 127.0.0.1:5433 acme\n"
          b"q acme.db.test 127.0.0.1:5432\nq globex.db.test 127.0.0.1:5433\nq - 127.0.0.1:5433\nq - 127.0.0.1:1\n"
          b"q evil.acme.db.test -\nq acme.db.test. -\nq ACME.db.test -\n")
    write("route", "any_address", b"a 0.0.0.0:5433 acme\na [::]:5434 globex\nq - 10.0.0.1:5433\nq - 10.0.0.1:5434\nq - [2001:db8::1]:5434\n")
    write("route", "taken", b"n db.acme.test acme\nn db.acme.test globex\na 127.0.0.1:5433 acme\na 127.0.0.1:5433 globex\nq db.acme.test -\n")
    write("route", "odd_names", b"n a..b acme\nn -a acme\nn " + b"a" * 64 + b".b acme\nn a Acme\nn xn--bcher-kva.test acme\nq xn--bcher-kva.test -\n")

    def attribute(oid, kind, value):
        body = bytes([6, len(oid)]) + oid + bytes([kind, len(value)]) + value
        sequence = bytes([0x30, len(body)]) + body
        return bytes([0x31, len(sequence)]) + sequence

    def name(*attributes):
        whole = b"".join(attributes)
        return bytes([0x30, len(whole)]) + whole

    cn, o = b"\x55\x04\x03", b"\x55\x04\x0a"
    for title, kind, value in (("utf8", 12, b"alice"), ("printable", 19, b"alice"), ("ia5", 22, b"alice"), ("bmp", 30, b"alic"),
                               ("universal", 28, b"alic"), ("t61", 20, b"alice"), ("nul", 12, b"alice\0evil"), ("empty", 12, b""),
                               ("long", 12, b"a" * 41), ("longest", 12, b"a" * 40), ("integer", 2, b"\1")):
        write("subject", title, name(attribute(o, 12, b"ops"), attribute(cn, kind, value)))
    write("subject", "two", name(attribute(cn, 12, b"alice"), attribute(cn, 12, b"bob")))
    write("subject", "none", name(attribute(o, 12, b"alice")))
    write("subject", "nothing", name())
    write("cursor", "file", b"sekisho-notify 1 command url\nacme command 1 4096 12\n_provider url 2 0 0\n")
    write("cursor", "odd", b"sekisho-notify 1 command command\nsekisho-notify 2\n../x url 1 1 1\nacme url 0 1 1\nacme url 1 01 1\nacme mail 1 1 1\n")
    write("ticket", "fine", b"https://tickets.example.com/ask?team=ops#top\nOPS-17\nacme\nalice\nfine\nmore\n")
    write("ticket", "strange", b"http://user:pw@127.0.0.1:8080/x\nA&tenant=globex#?/%00\n\xe3\x81\x82\na b\n\x1b[31mno\x07 \xc2\x9b \xff\xfe \xe2\x80\xae!\r\nx")
    write("ticket", "no_url", b"ftp://x\n\n\n\n\n")
    line = '{{"n":{n},"time":"2026-11-25T20:50:00.000+09:00","tenant":"acme","event":"session.{what}","session":"{s:016x}","user":"ann","prev":"{prev}"}}\n'
    first = line.format(n=1, what="open", s=1, prev="0" * 64)
    write("recover", "open", first.encode())
    write("recover", "chain", (first + "".join(line.format(n=n, what=("close", "open")[n % 2], s=n // 2, prev="@") for n in range(2, 7))).encode())
    write("recover", "torn", (first + line.format(n=2, what="close", s=1, prev="@")[:-9]).encode())
    write("recover", "two_files", (first + "\f" + line.format(n=2, what="close", s=1, prev="@")).encode())
    write("recover", "empty_last", (first + "\f").encode())
    write("recover", "torn_first_of_two", (first[:-5] + "\f" + line.format(n=2, what="close", s=1, prev="@")).encode())
    write("recover", "gap", (first + line.format(n=3, what="close", s=1, prev="@")).encode())
    write("recover", "foreign", (first + line.format(n=2, what="close", s=1, prev="@").replace("acme", "globex")).encode())
    write("recover", "broken_link", (first + line.format(n=2, what="close", s=1, prev="1" * 64)).encode())
    write("recover", "nothing", b"")
    write("recover", "bad_time", first.replace("2026-11-25T", "yesterday ").encode())


if __name__ == "__main__":
    for target, plays in (("gate", gate()), ("ledger", ledger()), ("broker", broker()), ("cell", cell()), ("operator", cell("operator")),
                          ("lobby", lobby()), ("keeper", keeper()), ("console", console())):
        for title, play in plays:
            write(f"peers_{target}", title, play)
    channel()
    grants()
    others()
