# SPDX-License-Identifier: ISC
"""What becomes of an operator's session when a process dies at a bad moment: ended or still watched, never unwatched, and
the log is whole.

SEKISHO_TRIES says how often the cell is killed between the log and the run of a statement (20; for acceptance 1000).
"""
import os
import random
import re
import resource
import signal
import threading
import time

import psycopg
import pytest

from fleet import is_ours, until
from wire import Closed, Refused, query

TRIES = int(os.environ.get("SEKISHO_TRIES", "20"))


@pytest.fixture
def drill(patience):
    signal.alarm(90 + 5 * TRIES)


def closed_in_the_log(ops, grant, seconds=10):
    opened = [r["session"] for r in ops.proxy.records("acme", "session.open", grant=grant)]
    assert opened
    until(lambda: set(opened) <= {r["session"] for r in ops.proxy.records("acme", "session.close")}, "each has its close", seconds)
    ops.ctl("audit", "verify", "acme")
    return [r for r in ops.proxy.records("acme", "session.close") if r["session"] in opened]


def goes_on_or_ends(alice):
    try:
        return alice.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False


@pytest.mark.parametrize("process", ["broker", "keeper", "gate", "lobby"])
def test_a_killed_process_leaves_no_session_unwatched(ops, process):
    """The session may end or go on; when it goes on, a revocation still ends it at once, and its statements are logged."""
    grant = ops.grant()
    with ops.connect() as alice:
        alice.execute("SELECT 1")
        killed = ops.proxy.pid(process)
        os.kill(killed, signal.SIGKILL)
        until(lambda: ops.proxy.pids(process) not in ([], [killed]), f"{process} is back")
        if goes_on_or_ends(alice):
            alice.execute("SELECT 'after the crash'")
            assert [r for r in ops.statements(grant) if r.get("sql") == "SELECT 'after the crash'"]
        ops.revoke(grant)
        until(lambda: not goes_on_or_ends(alice), "revoked is over", 5)
    until(lambda: not ops.backends(), "nothing of Alice's runs")
    closed_in_the_log(ops, grant)
    until(lambda: "has no active" in ops.refusal_or_none(), "and the operators' plane serves")


def test_without_a_broker_for_long_the_session_ends(ops):
    """Stopped rather than dead: nobody can say whether the grant still holds. The cell waits for seconds, not for ever."""
    grant = ops.grant(lasts="10min")
    with ops.connect() as alice:
        alice.execute("SELECT 1")
        supervisor, broker = ops.proxy.pid("supervisor"), ops.proxy.pid("broker")
        os.kill(supervisor, signal.SIGSTOP)  # so that nobody starts another
        try:
            os.kill(broker, signal.SIGKILL)
            until(lambda: not goes_on_or_ends(alice), "the session ends without a broker", 15, 0.2)
        finally:
            os.kill(supervisor, signal.SIGCONT)
    closed = closed_in_the_log(ops, grant)
    assert closed[0]["reason"] in ("broker away", "cell crash", "node restart"), closed
    until(lambda: ops.refusal_or_none() == "in", "with a broker she is in again", 20, 0.2)


def test_the_ledger_is_killed(ops):
    """What cannot be recorded is not forwarded: the session ends, and the next one is recorded again."""
    grant = ops.grant()
    with ops.connect() as alice:
        alice.execute("SELECT 1")
        killed = ops.proxy.pid("ledger")
        os.kill(killed, signal.SIGKILL)
        until(lambda: not goes_on_or_ends(alice), "the session ends with its log")
    until(lambda: not ops.backends(), "nothing of Alice's runs")
    until(lambda: ops.refusal_or_none() == "in", "with a ledger she is in again", 20, 0.2)
    closed_in_the_log(ops, grant)


def test_while_the_ledger_stands_still_nothing_reaches_the_instance(ops):
    """Durable first: PostgreSQL does not see the statement before the ledger has it, however long that takes."""
    grant = ops.grant()
    wire = ops.wire()
    ledger = ops.proxy.pid("ledger")
    os.kill(ledger, signal.SIGSTOP)
    try:
        wire.send(query("SELECT 'must not be seen before it is on disk'"))
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            assert "must not be seen" not in ops.acme.log()
            time.sleep(0.05)
    finally:
        os.kill(ledger, signal.SIGCONT)
    wire.until(b"Z")
    assert "must not be seen before it is on disk" in ops.acme.log()
    assert ops.statements(grant)[-1]["sql"].startswith("SELECT 'must not")


def test_a_full_log_lets_nothing_through(ops):
    """The tenant's log cannot be written: the statement is refused and does not run."""
    grant = ops.grant(scope="write")
    wire = ops.wire()
    ledger = ops.proxy.pid("ledger")
    size = max(path.stat().st_size for path in (ops.proxy.ledger / "acme").glob("*.jsonl"))
    soft, hard = resource.prlimit(ledger, resource.RLIMIT_FSIZE)
    resource.prlimit(ledger, resource.RLIMIT_FSIZE, (size, hard))
    try:
        wire.send(query("INSERT INTO who VALUES ('unrecorded', 1)"))
        told = wire.error()
        assert told["C"] == "58030" and "session log cannot be written" in told["M"]
        assert wire.at_end()
    finally:
        resource.prlimit(ledger, resource.RLIMIT_FSIZE, (soft, hard))
    assert ops.acme.sql("SELECT count(*) FROM who WHERE name = 'unrecorded'", "app") == ["0"]
    assert "unrecorded" not in ops.acme.log().replace("WHERE name = 'unrecorded'", "")
    until(lambda: ops.refusal_or_none() == "in", "written again, she is in again", 20, 0.2)
    closed_in_the_log(ops, grant)


def test_kill_9_between_the_log_and_the_run(ops, drill):
    """SEKISHO_TRIES cells die around the moment at which a statement goes from the log to the instance. Whatever PostgreSQL's
    own log has, ours has: no statement was ever ahead of its record."""
    grant = ops.grant(lasts="3h")
    for n in range(TRIES):
        sql = f"SELECT 'try {n} of the kill'"
        wire = until(lambda: opened(ops), "Alice is in", 20)
        cell = ops.cell()
        shot = threading.Timer(random.uniform(0, 0.004), os.kill, (cell, signal.SIGKILL))
        wire.send(query(sql))
        shot.start()
        try:
            while True:
                wire.message()
        except (Closed, OSError):
            pass
        shot.join()
        until(lambda: not is_ours(cell), "the cell is dead")
    until(lambda: not ops.backends(), "nothing of Alice's runs")
    ours = [r.get("sql", "") for r in ops.statements(grant)]
    theirs = re.findall(r"statement: (SELECT 'try \d+ of the kill')", ops.acme.log())
    missing = [sql for sql in theirs if sql not in ours]
    assert not missing, f"PostgreSQL saw what our log has not: {missing}"
    print(f"\nkill -9 of the cell: {TRIES} tries, {len(ours)} recorded, {len(theirs)} reached PostgreSQL")
    assert ours, "some were recorded before the cell died"
    closes = closed_in_the_log(ops, grant, 20)
    assert {c["reason"] for c in closes} <= {"cell crash"}, closes
    assert len(ops.proxy.records("acme", "process.crash", process="operator acme")) >= TRIES


def opened(ops):
    try:
        return ops.wire()
    except (Refused, Closed, OSError):
        return None


def test_the_record_is_there_before_postgresql_shows_the_statement(ops, drill):
    """SEKISHO_TRIES times: as soon as PostgreSQL's log has it, ours had it."""
    ops.grant(lasts="2h")
    ours, theirs = max((ops.proxy.ledger / "acme").glob("*.jsonl")), ops.acme.home / "log"
    wire = ops.wire()
    with open(theirs, "rb") as log:
        for n in range(TRIES):
            marker = f"turn {n} of the order".encode()
            log.seek(0, os.SEEK_END)
            seen = b""
            wire.send(query(f"SELECT '{marker.decode()}'"))
            end = time.monotonic() + 10
            while marker not in seen:
                seen += log.read()
                assert time.monotonic() < end, "PostgreSQL never saw it"
            assert marker in ours.read_bytes(), f"{marker} was in PostgreSQL's log first"
            wire.until(b"Z")
