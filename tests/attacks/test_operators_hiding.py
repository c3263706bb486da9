# SPDX-License-Identifier: ISC
"""Hiding from the log: whatever an operator sends, however it is cut, mixed, encoded or queued, is there whole, in order, and
before it runs."""
import hashlib
import json
import os
import re
import struct
import threading

import psycopg
import pytest

from fleet import until
from wire import message, query


@pytest.fixture(scope="module")
def granted(company):
    """One grant to write for all of these; they are told apart by their sessions."""
    company.tidy()
    company.writing = company.grant(scope="write", lasts="2h")
    return company


class Trail:
    """What the log has of one session."""

    def __init__(self, ops):
        self.ops = ops
        opened = [r for r in ops.proxy.records("acme", "session.open", grant=ops.writing)]
        self.session = opened[-1]["session"]
        ops.proxy.awaits("acme", "session.close", session=self.session)
        self.asked = ops.proxy.records("acme", "operator.statement", session=self.session)
        self.answers = {r["number"]: r for r in ops.proxy.records("acme", "operator.result", session=self.session)}

    def kinds(self):
        return [r["kind"] for r in self.asked]

    def whole(self, number):
        """A statement's text, put together from its parts."""
        parts = [r for r in self.asked if r["number"] == number]
        assert [r.get("part", 1) for r in parts] == list(range(1, parts[0].get("parts", 1) + 1)), "every part, in order"
        return "".join(r.get("sql", "") for r in parts)

    def sqls(self):
        return [r["sql"] for r in self.asked if "sql" in r and r.get("part", 1) == 1]


def test_several_statements_in_one_query(granted):
    sql = "SELECT 1; INSERT INTO who VALUES ('several', 1); SELECT 2 -- and a comment; DROP TABLE who"
    with granted.connect() as alice:
        alice.execute(sql)
    trail = Trail(granted)
    assert trail.sqls() == [sql]
    assert trail.answers[trail.asked[0]["number"]]["tag"]
    granted.acme.sql("DELETE FROM who WHERE name = 'several'", "app")


def test_split_over_packets(granted):
    """One byte a packet."""
    wire = granted.wire()
    sql = "SELECT 'cut into pieces' -- " + "x" * 40
    for byte in query(sql):
        wire.send(bytes([byte]))
    wire.until(b"Z")
    wire.send(message(b"X"))
    assert Trail(granted).sqls() == [sql]


def test_many_in_one_packet(granted):
    """A hundred queries pipelined, cancelled in the middle: all are there, in the order they were sent."""
    wire = granted.wire()
    wire.send(b"".join(query(f"SELECT {n} AS packed") for n in range(100)))
    for _ in range(100):
        wire.until(b"Z")
    wire.send(message(b"X"))
    assert Trail(granted).sqls() == [f"SELECT {n} AS packed" for n in range(100)]


def test_the_extended_protocol(granted):
    """Parameters as text and as binary, a statement prepared now and run later, a name that is parsed again."""
    with granted.connect() as alice:
        alice.prepare_threshold = 0
        alice.execute("SELECT %s::text, %s::int", ["text 'quoted' \u00e9", 4711])
        alice.execute("SELECT %b::int8", [2**40])
        alice.execute("SELECT %s::bytea", [b"\x00\x01\xff"])
        alice.execute("SELECT %s::text", [None])
    trail = Trail(granted)
    assert {"parse", "bind", "execute"} <= set(trail.kinds())
    said = [json.loads(r["parameters"]) for r in trail.asked if r["kind"] == "bind"]
    assert said[0] == ["text 'quoted' \u00e9", "\\x1267"]
    assert said[1] == ["\\x" + struct.pack("!q", 2**40).hex()]
    assert said[2] == ["\\x0001ff"]
    assert said[3] == [None]


def test_parse_now_and_execute_later(granted):
    wire = granted.wire()

    def parse(name, sql):
        return message(b"P", name + b"\0" + sql.encode() + b"\0\0\0")

    def bind(portal, name):
        return message(b"B", portal + b"\0" + name + b"\0" + b"\0\0" * 3)

    wire.send(parse(b"s", "SELECT 'harmless'") + message(b"S"))
    wire.until(b"Z")
    wire.send(message(b"C", b"Ss\0") + parse(b"s", "SELECT 'another under that name'") + bind(b"p", b"s")
              + message(b"E", b"p\0\0\0\0\0") + message(b"S"))
    wire.until(b"Z")
    wire.send(message(b"X"))
    trail = Trail(granted)
    assert trail.kinds() == ["parse", "close", "parse", "bind", "execute"]
    assert [r.get("sql") for r in trail.asked if r["kind"] == "parse"] == ["SELECT 'harmless'", "SELECT 'another under that name'"]
    bound, executed = trail.asked[3], trail.asked[4]
    assert (bound["name"], bound["portal"], executed["portal"]) == ("s", "p", "p")
    assert [r["number"] for r in trail.asked] == [1, 2, 3, 4, 5]
    assert trail.answers[executed["number"]]["tag"] == "SELECT 1" and trail.answers[executed["number"]]["rows"] == 1


def test_a_large_parameter_by_its_digest(granted):
    large = os.urandom(100000).hex()
    with granted.connect() as alice:
        alice.prepare_threshold = 0
        assert alice.execute("SELECT length(%s)", [large]).fetchone() == (len(large),)
    said = [json.loads(r["parameters"]) for r in Trail(granted).asked if r["kind"] == "bind"]
    assert said[0] == [{"bytes": len(large), "sha256": hashlib.sha256(large.encode()).hexdigest()}]


def test_a_long_statement_in_parts(granted):
    sql = "SELECT '" + "".join(f"{n}\u2192" for n in range(20000)) + "'"
    with granted.connect() as alice:
        alice.execute(sql)
    trail = Trail(granted)
    assert trail.whole(trail.asked[0]["number"]) == sql
    assert len(trail.answers) == 1


def test_a_gigantic_statement_is_refused(granted):
    """Over 1 MiB: the attempt and its size are in the log, nothing of it reaches the instance."""
    wire = granted.wire()
    sql = "SELECT 'gigantic" + "x" * (1 << 20) + "'"
    try:
        wire.send(query(sql))
    except OSError:
        pass
    assert wire.error()["C"] == "54000"
    trail = Trail(granted)
    assert trail.asked[-1]["kind"] == "query" and trail.asked[-1]["bytes"] == len(query(sql))
    assert "gigantic" not in granted.acme.log()


@pytest.mark.parametrize("kind", [b"z", b"p", b"\0", b"N"])
def test_a_message_that_does_not_exist(granted, kind):
    wire = granted.wire()
    wire.send(message(kind, b"SELECT 'unheard'\0"))
    assert wire.error()["C"] == "08P01"
    assert wire.at_end()
    trail = Trail(granted)
    assert trail.asked[-1]["kind"] == "unknown"


def test_invalid_encodings(granted):
    """Bytes that are no UTF-8, and a client_encoding that makes them letters: in hexadecimal, every byte of them."""
    wire = granted.wire()
    wire.send(query("SET client_encoding = 'LATIN1'"))
    wire.until(b"Z")
    text = b"SELECT '\xe9\xff\x80 hidden'"
    wire.send(message(b"Q", text + b"\0"))
    wire.until(b"Z")
    wire.send(message(b"X"))
    trail = Trail(granted)
    assert trail.sqls()[0] == "SET client_encoding = 'LATIN1'"
    assert trail.asked[-1]["kind"] == "query-hex"
    assert bytes.fromhex(trail.whole(2).removeprefix("\\x")) == text


def test_control_characters_stay_one_line(granted):
    sql = "SELECT 'a\nb\r\x1b[2J\t\"quoted\" \\ \u202e'"
    with granted.connect() as alice:
        alice.execute(sql)
    assert Trail(granted).sqls() == [sql]
    shown = granted.ctl("audit", "replay", Trail(granted).session).stdout
    assert "\x1b" not in shown and "\u202e" not in shown


def test_copy_out_and_in(granted):
    """What was carried away and what was brought: bytes and SHA-256."""
    granted.acme.sql("CREATE TABLE IF NOT EXISTS cargo (t text); ALTER TABLE cargo OWNER TO app;", "app")
    lines = [f"crate {n}\n".encode() for n in range(5000)]
    cargo = b"".join(lines)
    with granted.connect() as alice:
        with alice.cursor().copy("COPY cargo FROM STDIN") as copy:
            for n in range(0, 5000, 7):
                copy.write(b"".join(lines[n:n + 7]))
        with alice.cursor().copy("COPY cargo TO STDOUT") as copy:
            out = b"".join(bytes(block) for block in copy)
    trail = Trail(granted)
    assert out == cargo
    digest = hashlib.sha256(cargo).hexdigest()
    done = [r for r in trail.asked if r["kind"] == "copy-done"]
    assert [(r["bytes"], r["sha256"]) for r in done] == [(len(cargo), digest)]
    results = [r for r in trail.answers.values() if r.get("tag") == "COPY 5000"]
    assert len(results) == 2
    assert {(r.get("bytes"), r.get("sha256")) for r in results} >= {(len(cargo), digest)}


def test_a_copy_that_is_broken_off(granted):
    """CopyFail after some lines, and a connection that just ends: how much had come is in the log."""
    wire = granted.wire()
    wire.send(query("COPY who FROM STDIN"))
    wire.until(b"G")
    wire.send(message(b"d", b"stolen\t1\n") + message(b"f", b"changed my mind\0"))
    assert wire.error()["C"] == "57014"
    wire.until(b"Z")
    wire.send(query("COPY who FROM STDIN"))
    wire.until(b"G")
    wire.send(message(b"d", b"stolen\t2\n"))
    until(lambda: granted.backends(), "it is under way")
    wire.close()
    trail = Trail(granted)
    failed = [r for r in trail.asked if r["kind"] == "copy-fail"]
    assert failed[0]["bytes"] == 9 and failed[0]["sha256"] == hashlib.sha256(b"stolen\t1\n").hexdigest()
    assert granted.acme.sql("SELECT count(*) FROM who WHERE name = 'stolen'", "app") == ["0"]


def test_a_cancelled_statement(granted):
    with granted.connect() as alice:
        timer = threading.Timer(0.5, alice.cancel)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            alice.execute("SELECT pg_sleep(60)")
        timer.join()
    trail = Trail(granted)
    assert trail.sqls() == ["SELECT pg_sleep(60)"]
    assert trail.answers[trail.asked[0]["number"]]["sqlstate"] == "57014"


def test_everything_of_a_pipeline_with_an_error_in_it(granted):
    """What PostgreSQL skips after the error was asked for all the same."""
    with granted.connect() as alice:
        try:
            with alice.pipeline():
                for sql in ("SELECT 1 AS before", "SELECT 1 / 0", "INSERT INTO who VALUES ('skipped', 1)"):
                    alice.execute(sql)
        except psycopg.Error:
            pass
    trail = Trail(granted)
    assert [s for s in trail.sqls() if s != "BEGIN"][:3] == ["SELECT 1 AS before", "SELECT 1 / 0", "INSERT INTO who VALUES ('skipped', 1)"]
    assert granted.acme.sql("SELECT count(*) FROM who WHERE name = 'skipped'", "app") == ["0"]
    numbers = {r["number"] for r in trail.asked if r["kind"] in ("query", "execute")}
    assert numbers <= set(trail.answers), "each has an outcome"


def test_our_log_and_postgresqls_agree(granted):
    """Of everything these people tried, PostgreSQL's own log has no statement that ours has not."""
    ours = "\n".join(r.get("sql", "") for r in granted.statements())
    theirs = re.findall(r"LOG:  (?:statement|execute [^:]*): (SELECT \d+ AS packed|SELECT '(?:cut|harmless|another)[^\n]*)",
                        granted.acme.log())
    assert len(theirs) > 50
    for sql in theirs:
        assert sql in ours, sql
    granted.ctl("audit", "verify", "acme")
