# SPDX-License-Identifier: ISC
"""Holding a grant longer, wider or more often than it was given.

SEKISHO_CUTS says how many sessions in each state are cut in each of the two measurements (for a serious figure 100, on a
machine that has nothing else to do; when not given, a few); they print what they measured (pytest -s).
"""
import calendar
import concurrent.futures
import os
import signal
import time

import psycopg
import pytest

from cuts import STATES, Figures, Session, Stopwatch, a_pipeline_queued
from fleet import until
from wire import Closed, Refused, cancel_request, message, plain, query

SETTINGS = {"sessions_per_grant": len(STATES)}
REVOCATIONS = int(os.environ.get("SEKISHO_CUTS", "3"))
EXPIRIES = int(os.environ.get("SEKISHO_CUTS", "1"))
LASTS = "8s" if "SEKISHO_CUTS" in os.environ else "15s"  # eight sessions have to get in meanwhile, in a slow build too
GENEROUS = 5.0  # seconds, on a busy machine; the figures are printed


@pytest.fixture
def drill(patience):
    """The measurements take as long as they are asked to."""
    signal.alarm(90 + 60 * REVOCATIONS)


@pytest.fixture
def single(ops):
    """One session a grant, as the default is."""
    ops.proxy.configure(**{**ops.settings, "sessions_per_grant": 1})
    ops.proxy.reload()
    yield ops
    ops.proxy.configure(**ops.settings)
    ops.proxy.reload()


def attempt(ops, sql, **more):
    """What happens to Alice when she tries that: the SQLSTATE, or the rows."""
    with ops.connect(**more) as alice:
        alice.execute("SET default_transaction_read_only = off")
        try:
            got = alice.execute(sql)
            return got.fetchall() if got.description else "done"
        except psycopg.Error as error:
            return error.sqlstate or str(error)


# --- the end comes, whatever is under way ---

def test_revocation_in_every_state(ops, drill):
    figures = Figures()
    for _ in range(REVOCATIONS):
        grant = ops.grant(scope="write")
        watch = Stopwatch(ops, [Session(ops, state) for state in STATES])
        body, signature = ops.sign("bob", "revoke", "acme", ("request", ops.digest(grant)), ("reason", "enough"))
        since = time.monotonic()
        ops.put(body, signature)
        figures.add(watch.watch(since))
        opened = [r["session"] for r in ops.proxy.records("acme", "session.open", grant=grant)]
        until(lambda: set(opened) <= {r["session"] for r in ops.proxy.records("acme", "session.close")}, "all are closed")
        assert len(opened) == len(STATES)
    print("\n" + figures.table("after a revocation"))
    assert ops.acme.sql("SELECT count(*) FROM who WHERE name IN ('late', 'mallory')", "app") == ["0"]
    assert figures.slowest() < GENEROUS, figures.table("after a revocation")


def test_expiry_in_every_state(ops, drill):
    figures = Figures()
    rounds = 0
    while rounds < EXPIRIES:
        grant = ops.request(scope="write", lasts=LASTS)
        for person in ("bob", "dora"):
            ops.approve(grant, person)
        ops.becomes(grant, "active")
        watch = Stopwatch(ops, [Session(ops, state) for state in STATES])
        ends = ops.ctl_json("grant", "show", grant)["ends"]
        left = calendar.timegm(time.strptime(ends, "%Y-%m-%dT%H:%M:%SZ")) - time.time()
        if left < 1:  # too busy a machine: its sessions came too late, once more
            watch.watch(time.monotonic(), 20)
            continue
        rounds += 1
        times = watch.watch(time.monotonic() + left, 20)
        figures.add(times)
        ops.becomes(grant, "expired")
        opened = {r["session"] for r in ops.proxy.records("acme", "session.open", grant=grant)}
        reasons = {r["reason"] for r in ops.proxy.records("acme", "session.close") if r["session"] in opened}
        assert reasons <= {"grant expired", "grant ended"}, reasons
    print("\n" + figures.table("after the expiry"))
    assert figures.slowest() < GENEROUS, figures.table("after the expiry")


def test_what_was_uncommitted_is_gone_and_what_was_asked_is_logged(ops):
    """Queued behind a long query when the grant ended: none of it ran, and the log says that its outcome is none."""
    grant = ops.grant(scope="write")
    wire = ops.wire()
    a_pipeline_queued(wire)
    until(lambda: any("pg_sleep" in row for row in ops.backends()), "the first one runs")
    ops.revoke(grant)
    assert wire.error()["C"] == "57P01"
    session = ops.proxy.awaits("acme", "session.open", grant=grant)["session"]
    ops.proxy.awaits("acme", "session.close", session=session)
    assert ops.acme.sql("SELECT count(*) FROM who WHERE name = 'late'", "app") == ["0"]
    asked = ops.proxy.records("acme", "operator.statement", session=session)
    answered = ops.proxy.records("acme", "operator.result", session=session)
    numbers = {r["number"] for r in asked if r["kind"] == "execute"}
    assert numbers and numbers <= {r["number"] for r in answered}, "no statement is left without a word on its outcome"


def test_a_cell_that_stands_still_is_killed(ops):
    """Stopped, it neither sees the clock nor hears the broker."""
    grant = ops.grant()
    with ops.connect() as alice:
        cell = ops.cell()
        os.kill(cell, signal.SIGSTOP)
        ops.revoke(grant)
        until(lambda: cell not in ops.proxy.pids("operator acme"), "the cell is killed", 10)
        with pytest.raises(psycopg.Error):
            alice.execute("SELECT 1")
    until(lambda: not ops.backends(), "nothing of Alice's runs")


def test_twenty_sessions_at_once_on_a_grant_for_one(single):
    ops = single
    ops.grant()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(lambda _: one_try(ops), range(20)))
    let_in = [o for o in outcomes if not isinstance(o, dict)]
    assert len(let_in) == 1, outcomes
    assert {o["C"] for o in outcomes if isinstance(o, dict)} == {"53300"}
    assert ops.proxy.records("acme", "session.refused", reason="grant in use")
    let_in[0].close()
    until(lambda: ops.refusal_or_none() == "in", "and then the next")


def one_try(ops):
    try:
        return ops.wire()
    except Refused as refused:
        return refused.fields
    except (Closed, OSError) as error:
        return {"C": repr(error)}


def test_the_last_second(single):
    """Opened a moment before the end: over with the grant all the same."""
    ops = single
    grant = ops.request(lasts="8s")
    for person in ("bob", "dora"):
        ops.approve(grant, person)
    ops.becomes(grant, "active")
    ends = ops.ctl_json("grant", "show", grant)["ends"]
    until(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1.3)) >= ends, "the last second", 15)
    wire = ops.wire()
    told = wire.error()
    assert told["C"] == "57P01" and "expired" in told["M"]


def test_a_restart_ends_operators_sessions(ops):
    """A new proxy knows nothing of the old one's sessions; the grant itself goes on."""
    grant = ops.grant()
    with ops.connect() as alice:
        alice.execute("SELECT 1")
        ops.proxy.stop()
        with pytest.raises(psycopg.Error):
            alice.execute("SELECT 1")
    until(lambda: not ops.backends(), "nothing of Alice's runs")
    ops.proxy.start()
    until(lambda: ops.refusal_or_none() == "in", "she may come again", 10)
    session = ops.proxy.records("acme", "session.open", grant=grant)[0]["session"]
    assert ops.proxy.records("acme", "session.close", session=session)


def test_expiry_is_told_once(ops):
    """Also when the proxy is started again: acme's log does not say twice what happened once."""
    grant = ops.request(lasts="6s", reason="over soon")
    for person in ("bob", "dora"):
        ops.approve(grant, person)
    ops.becomes(grant, "expired", seconds=15)
    before = len(ops.proxy.records("acme", "grant.change", grant=grant))
    ops.proxy.stop()
    ops.proxy.start()
    ops.request(reason="something new that must be told")
    ops.proxy.awaits("acme", "grant.change", after=ops.proxy.records("acme", "grant.change", grant=grant)[-1]["n"])
    assert len(ops.proxy.records("acme", "grant.change", grant=grant)) == before


def test_statements_prepared_under_an_earlier_grant(ops):
    """A new session is a new backend: what was prepared, and as what role, does not come along."""
    first = ops.grant(scope="write")
    with ops.connect() as alice:
        alice.execute("PREPARE theft AS INSERT INTO who VALUES ('theft', 1)")
        ops.ctl("grant", "end", first, by="alice")
        with pytest.raises(psycopg.Error):
            until(lambda: not alice.execute("SELECT 1"), "never")
    ops.grant(scope="read")
    assert attempt(ops, "EXECUTE theft") == "26000"
    assert attempt(ops, "INSERT INTO who VALUES ('theft', 1)") == "42501"


# --- wider than the scope; the roles themselves are tried in test_scope_roles.py ---

@pytest.mark.parametrize("sql", [
    "SET ROLE app", "SET SESSION AUTHORIZATION app", "SELECT set_config('role', 'postgres', false)", "COPY who TO PROGRAM 'id'",
    "COPY who TO '/tmp/escape'", "SELECT pg_read_file('/etc/passwd')", "ALTER SYSTEM SET log_statement = 'none'",
    "LOAD '/tmp/evil.so'", "CREATE EXTENSION dblink", "INSERT INTO who VALUES ('x', 1)",
    "DO $$ BEGIN EXECUTE 'SET ROLE app'; END $$", "SELECT lo_import('/etc/passwd')",
    "CREATE SUBSCRIPTION s CONNECTION 'host=acme' PUBLICATION p"])
def test_read_does_not_escape(company, sql):
    """One session, and each attempt is in the log with PostgreSQL's refusal."""
    ops = company
    if not getattr(ops, "escapee", None) or ops.states()[ops.escapee] != "active":
        ops.tidy()
        ops.escapee = ops.grant(scope="read")
    assert attempt(ops, sql) in ("42501", "0LP01", "22023", "58P01"), sql
    logged = until(lambda: [r for r in ops.statements(ops.escapee) if r.get("sql") == sql], "the attempt is in the log")[-1]
    result = until(lambda: ops.proxy.records("acme", "operator.result", session=logged["session"], number=logged["number"]),
                   "and how it ended")[0]
    assert result["sqlstate"] in ("42501", "22023", "58P01")


def test_diagnose_sees_no_customer_value(ops):
    """Not in tables, not in statistics, not in another session's query text."""
    ops.acme.sql("CREATE TABLE secret AS SELECT 'hidden-' || n % 3 AS v FROM generate_series(1, 300) n; ANALYZE secret;"
                 " ALTER TABLE secret OWNER TO app", "app")
    ops.grant(scope="diagnose")
    with psycopg.connect(ops.proxy.dsn("acme"), autocommit=True) as ann, ops.connect() as alice:
        ann.execute("SELECT 'hidden-query-text'")
        alice.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            alice.execute("TABLE secret")
        for sql in ("SELECT * FROM pg_stats", "SELECT * FROM pg_stats_ext", "SELECT * FROM pg_stat_activity",
                    "SELECT * FROM sekisho.activity()", "SELECT * FROM pg_prepared_statements"):
            assert "hidden" not in str(alice.execute(sql).fetchall()), sql
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            alice.execute("SELECT * FROM pg_statistic")
        assert alice.execute("SELECT count(*) FROM pg_class").fetchone()[0] > 100
        assert alice.execute("SELECT count(*) FROM pg_settings").fetchone()[0] > 100


@pytest.mark.parametrize("scope", ["diagnose", "read", "write"])
def test_replication_and_function_calls(ops, scope):
    """Neither the protocol of replication nor the message that calls functions by number, below admin."""
    grant = ops.grant(scope=scope)
    assert ops.refusal(replication="true")["C"] == "42501"
    told = ops.refusal(replication="database")
    assert told["C"] == "42501" and "the replication protocol needs the scope admin" in told["M"]
    wire = ops.wire()
    wire.send(message(b"F", b"\0\0\x05\x06" + b"\0\0" * 3))
    told = wire.error()
    assert told["C"] == "42501"
    assert wire.at_end()
    tried = until(lambda: ops.statements(grant, kind="function-call"), "the attempt is in the log")
    assert tried[-1]["name"] == str(0x0506)


def test_startup_options_do_not_bend_the_role(ops):
    ops.grant()
    for options in ({"options": "-c role=app"}, {"search_path": "evil"}, {"role": "app"}, {"session_authorization": "app"}):
        told = ops.refusal(**options)
        assert told["C"] == "28000" and "startup options" in told["M"], options


def test_what_a_tenant_notifies_is_not_heard(ops):
    """PostgreSQL has no privilege against LISTEN. Alice's own NOTIFY would bring her both at once."""
    ops.grant(scope="write")
    with ops.proxy.connect("acme") as ann, ops.connect() as alice:
        heard = {"ann": [], "alice": []}
        for name, connection in (("ann", ann), ("alice", alice)):
            connection.add_notify_handler(lambda note, name=name: heard[name].append(note.payload))
            connection.execute("LISTEN orders")
        ann.execute("NOTIFY orders, 'a customer value'")
        alice.execute("NOTIFY orders, 'her own'")
        until(lambda: ann.execute("SELECT 1") and len(heard["ann"]) == 2, "both were sent")
        assert alice.execute("SELECT 'the rest arrives'").fetchone()
        assert heard == {"ann": ["a customer value", "her own"], "alice": []}


def test_a_cancel_that_is_not_hers(ops):
    """Ann of acme guesses at Alice's key; Alice's query goes on."""
    ops.grant()
    wire = ops.wire()
    wire.send(query("SELECT 'undisturbed' FROM pg_sleep(1)"))
    pid = int(until(lambda: [row for row in ops.backends() if "undisturbed" in row], "it runs")[0].split("|")[0])
    for key in range(20):
        for port in (ops.port, ops.proxy.port):
            guess = plain(port)
            guess.send(cancel_request(pid, key))
            guess.at_end()
    assert b"undisturbed" in wire.until(b"D")[1]
