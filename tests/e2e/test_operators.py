# SPDX-License-Identifier: ISC
"""Break-glass, as it should go: refused, asked for, approved, consented to, used, and over."""
import psycopg
import pytest

from fleet import until
from operators import HINT, instant


def test_alice_without_a_grant_is_refused_and_told_the_command(ops):
    mark = ops.proxy.mark("acme")
    done = ops.psql("SELECT 1", check=False)
    assert done.returncode == 2
    assert 'FATAL:  operator "alice" has no active break-glass grant for tenant "acme"\n' in done.stderr
    assert "HINT:  " + HINT.format("acme", "app") in done.stderr
    assert ops.refusal()["C"] == "42501"
    told = ops.proxy.awaits("acme", "session.refused", after=mark, reason="no active grant")
    assert told["operator"] == "alice" and told["sqlstate"] == "42501"
    assert not [r for r in ops.proxy.records("acme", "session.open") if r["n"] > mark]


def test_from_request_to_end(ops):
    """Alice asks; Bob's approval is not enough for acme; Dora consents; Alice reads what she may; Alice ends it."""
    grant = ops.request(scope="read", reason="orders are missing since noon", ticket="CASE-77")
    ops.becomes(grant, "requested")
    assert f"grant {grant} is awaiting approval" in ops.refusal()["M"]
    ops.approve(grant)
    until(lambda: ops.proxy.records("acme", "grant.change", grant=grant, actor="bob"), "Bob's approval is in acme's log")
    assert f"grant {grant} is awaiting approval" in ops.refusal()["M"]
    ops.approve(grant, "dora")
    told = ops.becomes(grant, "active")
    assert told["operator"] == "alice" and told["scope"] == "read" and told["ticket"] == "CASE-77"
    with ops.connect() as alice:
        assert alice.execute("SELECT count(*) FROM who").fetchone() == (3,)
        assert alice.execute("SELECT current_user, session_user").fetchone() == ("sekisho_read", "sekisho_read")
        for forbidden in ("INSERT INTO who VALUES ('alice', 1)", "SET ROLE app", "COPY who TO PROGRAM 'id'"):
            alice.execute("SET default_transaction_read_only = off")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                alice.execute(forbidden)
        seen = ops.acme.sql("SELECT application_name FROM pg_stat_activity WHERE usename = 'sekisho_read'")
        assert seen == [f"alice {grant}"], "the customer's own views say who it is"
        opened = ops.proxy.awaits("acme", "session.open", grant=grant)
        assert (opened["operator"], opened["scope"], opened["ticket"]) == ("alice", "read", "CASE-77")
        assert (opened["user"], opened["database"], opened["method"]) == ("alice", "app", "certificate")
        ops.ctl("grant", "end", grant, by="alice")
        with pytest.raises(psycopg.Error) as ended:
            until(lambda: not alice.execute("SELECT 1"), "never")
        assert f"grant {grant} is completed by alice" in str(ended.value)
    closed = ops.proxy.awaits("acme", "session.close", session=opened["session"])
    assert closed["reason"] == "grant ended" and closed["sqlstate"] == "57P01" and closed["operator"] == "alice"
    assert ops.becomes(grant, "completed")["actor"] == "alice"
    assert ops.refusal()["M"] == 'operator "alice" has no active break-glass grant for tenant "acme"'
    sql = [r.get("sql") for r in ops.statements(grant)]
    assert "SELECT count(*) FROM who" in sql and "SET ROLE app" in sql and "COPY who TO PROGRAM 'id'" in sql
    tags = [r.get("tag") for r in ops.proxy.records("acme", "operator.result", session=opened["session"])]
    assert "SELECT 1" in tags
    refused = ops.proxy.records("acme", "operator.result", session=opened["session"], sqlstate="42501")
    assert len(refused) == 3
    assert not [r for r in ops.proxy.records("globex") if "alice" in str(r)], "globex's log says nothing of it"
    ops.ctl("audit", "verify", "acme")


def test_bob_denies(ops):
    grant = ops.request()
    ops.approve(grant, "dora")
    ops.ctl("grant", "deny", grant, "--reason", "use the replica", by="bob")
    told = ops.becomes(grant, "denied")
    assert told["actor"] == "bob" and "use the replica" in told["detail"]
    late = ops.approve(grant, "carol", check=False)
    assert late.returncode == 1 and "nothing can be approved any more" in late.stderr
    assert ops.refusal()["C"] == "42501"


def test_alice_withdraws(ops):
    grant = ops.request()
    ops.approve(grant)
    assert ops.ctl("grant", "withdraw", grant, by="amy", check=False).returncode == 1, "it is Alice's, not Amy's"
    ops.ctl("grant", "withdraw", grant, by="alice")
    assert ops.becomes(grant, "withdrawn")["actor"] == "alice"
    assert ops.approve(grant, "dora", check=False).returncode == 1


def test_dora_revokes(ops):
    """Idle in a transaction, Alice is told who ended it and why; nothing of hers is left on the instance."""
    grant = ops.grant(scope="write")
    with ops.connect(autocommit=False) as alice:
        alice.execute("INSERT INTO who VALUES ('alice', 99)")
        ops.revoke(grant, "dora", "not during the sale")
        with pytest.raises(psycopg.Error, match=f"grant {grant} is revoked by dora: not during the sale"):
            until(lambda: not alice.execute("SELECT 1"), "never")
    until(lambda: not ops.backends(), "nothing of Alice's runs")
    assert ops.acme.sql("SELECT count(*) FROM who WHERE name = 'alice'", "app") == ["0"]
    assert ops.becomes(grant, "revoked")["actor"] == "dora"


def test_a_grant_of_later(ops):
    """Not before its time, and then without anybody's doing."""
    later = ops.request(more=["--from", "+3h"], lasts="30min")
    for person in ("bob", "dora"):
        ops.approve(later, person)
    ops.becomes(later, "scheduled")
    told = ops.refusal()
    assert f"grant {later} begins at 20" in told["M"] and told["C"] == "42501"
    ops.ctl("grant", "withdraw", later, by="alice")
    soon = ops.request(more=["--from", instant(6)], lasts="30min")
    for person in ("bob", "dora"):
        ops.approve(soon, person)
    assert ops.becomes(soon, "active", seconds=20)["action"] == "begin"
    ops.psql("SELECT 1")


def test_an_approval_narrows(ops):
    """Bob leaves of admin on two databases for an hour: read on one, for five minutes."""
    grant = ops.request(scope="admin", database="app,postgres", lasts="50min")
    ops.approve(grant, "bob", "--scope", "read", "--database", "app", "--for", "5min")
    ops.approve(grant, "dora")
    told = ops.becomes(grant, "active")
    assert told["scope"] == "read"
    shown = ops.ctl_json("grant", "show", grant)
    assert (shown["scope"], shown["databases"]) == ("read", "app")
    assert shown["ends"] < instant(301)
    assert ops.psql("SELECT current_user").stdout == "sekisho_read\n"
    assert f"grant {grant} is for other databases" in ops.refusal(database="postgres")["M"]


def test_who_can_get_in_right_now(ops):
    """Normally nobody."""
    assert "nobody" in ops.ctl("access", "acme").stdout
    grant = ops.grant(scope="diagnose")
    shown = ops.ctl("access", "acme").stdout
    assert "alice" in shown and grant in shown
    assert "nobody" in ops.ctl("access", "globex").stdout


def test_what_needs_whom(ops):
    grant = ops.request()

    def needed(who):
        return {g["grant"]: g["awaits_you"] for g in ops.ctl_json("grant", "list", by=who)}[grant]

    assert [needed(who) for who in ("bob", "dora", "alice", "gus")] == ["approve", "consent", "", ""]
    ops.approve(grant)
    assert [needed(who) for who in ("bob", "carol", "dora")] == ["", "", "consent"]


def test_the_wide_and_long_are_refused(ops):
    """admin is for an hour at most; a reason is words."""
    long = ops.request(scope="admin", lasts="2h", check=False)
    assert long.returncode == 1 and "may last 60 minutes" in long.stderr
    blank = ops.request(reason="   ", check=False)
    assert blank.returncode == 2 and "--reason" in blank.stderr


def test_notify_and_standing(ops):
    """What acme demands is what Dora signed last: two of the provider's, or her hours."""
    try:
        ops.ctl("policy", "set", "acme", "--consent", "notify", by="dora")
        grant = ops.request()
        ops.approve(grant, "bob")
        assert ops.ctl_json("grant", "show", grant)["needs_provider"] == 1
        ops.approve(grant, "carol")
        ops.becomes(grant, "active")
        ops.psql("SELECT 1")
        ops.revoke(grant)
        ops.ctl("policy", "set", "acme", "--consent", "standing", by="dora")
        day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        ops.ctl("standing", "add", "--scope", "diagnose", "--days", ",".join(day), "--from", "00:00", "--to", "00:00",
                "--zone", "+09:00", "--max-duration", "30min", by="dora")
        wide = ops.request(scope="read", lasts="10min")
        ops.approve(wide)
        assert ops.ctl_json("grant", "show", wide)["needs_tenant"], "her hours are for diagnose"
        within = ops.request(scope="diagnose", lasts="10min")
        ops.approve(within)
        ops.becomes(within, "active")
        ops.psql("SELECT 1")
        standing = ops.ctl_json("standing", "list", "--tenant", "acme")[0]["standing"]
        ops.ctl("standing", "revoke", standing, by="dora")
        assert ops.becomes(within, "revoked")["actor"] == "dora"
        assert ops.refusal()["C"] == "42501"
    finally:
        ops.ctl("policy", "set", "acme", "--consent", "required", by="dora")


def test_an_emergency_is_reviewed(ops):
    """Nobody at acme answers at 3 a.m.: two of the provider's, diagnose only, and afterwards Dora's verdict."""
    wide = ops.request(scope="read", more=["--class", "emergency"], check=False)
    assert wide.returncode == 1 and "narrower scope" in wide.stderr
    grant = ops.request(scope="diagnose", lasts="30min", ticket="none yet", more=["--class", "emergency"])
    ops.approve(grant, "bob")
    assert ops.refusal()["C"] == "42501"
    ops.approve(grant, "carol")
    told = ops.becomes(grant, "active")
    assert told["class"] == "emergency"
    ops.psql("SELECT count(*) FROM pg_stat_database")
    ops.ctl("grant", "end", grant, by="alice")
    ops.becomes(grant, "review due")
    assert ops.ctl("grant", "review", grant, by="bob", check=False).returncode == 1, "that is acme's to say"
    ops.ctl("grant", "review", grant, "--disputed", "--comment", "it was no emergency", by="dora")
    assert "it was no emergency" in ops.becomes(grant, "disputed")["detail"]
    ops.ctl("grant", "review", grant, "--comment", "explained", by="dora")
    assert ops.becomes(grant, "reviewed")["actor"] == "dora"


def test_one_may_hold_two_grants(ops):
    """The widest that fits counts, and the database decides which fits."""
    narrow = ops.grant(scope="diagnose", database="app,postgres")
    wide = ops.grant(scope="read", database="app")
    assert ops.psql("SELECT current_user").stdout == "sekisho_read\n"
    assert ops.psql("SELECT current_user", dbname="postgres").stdout == "sekisho_diagnose\n"
    ops.revoke(wide)
    ops.becomes(wide, "revoked")
    until(lambda: ops.psql("SELECT current_user").stdout == "sekisho_diagnose\n", "the other grant carries")
    ops.becomes(narrow, "active")


def test_the_log_shows_a_session_as_a_transcript(ops):
    grant = ops.grant(scope="read")
    ops.psql("SELECT 'seen in the transcript';\nSELECT no_such_column FROM who;", check=False)
    session = ops.proxy.awaits("acme", "session.open", grant=grant)["session"]
    ops.proxy.awaits("acme", "session.close", session=session)
    shown = ops.ctl("audit", "replay", session).stdout
    for word in ("alice", "CASE-1", "SELECT 'seen in the transcript'", "SELECT 1", "42703"):
        assert word in shown, word


def test_an_operator_who_left_is_no_trouble_of_the_node(ops):
    """Chaos waited for a status that stayed bad: the cell of a session that was over counted as a process that is missing."""
    ops.grant(scope="read")
    ops.psql("SELECT 1")
    until(lambda: not ops.proxy.pids("operator acme"), "her cell has left")
    until(lambda: not [p for p in ops.ctl_json("status")["processes"] if p["role"] == "operator"], "the status has forgotten her")
    assert ops.ctl("status", check=False).returncode == 0
