# SPDX-License-Identifier: ISC
"""Break-glass on the command line: Alice is on call, Bob and Dora approve, Aki is acme's, Gen is globex's. No proxy runs:
what they sign is checked by the broker's own rules before it is handed in."""
import datetime
import json
import sqlite3
import subprocess
import time

import pytest

from fleet import SEKISHOCTL, run, until
from tickets import TicketServer

PEOPLE = {"alice": ["operator"], "bob": ["provider-approver"], "dora": ["provider-approver"],
          "aki": ["tenant-approver", "--tenant", "acme"], "gen": ["tenant-approver", "--tenant", "globex"]}


class Desk:
    """The proxy's host, as people at its command line see it."""

    def __init__(self, home):
        self.home, self.trust = home, home / "trust"
        self.trust.mkdir()
        self.conf = home / "sekisho.conf"
        self.configure()
        self.ctl("init")
        for tenant in ("acme", "globex"):
            self.ctl("tenant", "add", tenant, "--instance", "127.0.0.1:5432")
        for name, role in PEOPLE.items():
            made = self.ctl("key", "generate", name, "--role", *role, "--out", self.key(name))
            (self.trust / f"{name}.key").write_text(made.stdout)
        self.ctl("operator", "add", "alice")

    def configure(self, **operators):
        operators = {"trust_dir": self.trust, "operator_domain": "ops.test", **operators}
        self.conf.write_text(f"[paths]\nstate_dir = {self.home}/state\nledger_dir = {self.home}/ledger\n"
                             f"run_dir = {self.home}/run\n[operators]\n"
                             + "".join(f"{key} = {value}\n" for key, value in operators.items()))

    def key(self, name):
        return self.home / f"{name}.pem"

    def ctl(self, *words, check=True, **more):
        return run(SEKISHOCTL, "-c", self.conf, *words, check=check, **more)

    def json(self, *words):
        return json.loads(self.ctl("--json", *words).stdout)

    def refused(self, *words, code=1):
        done = self.ctl(*words, check=False)
        assert done.returncode == code and done.stderr.startswith("sekishoctl: "), done
        return done.stderr

    def words(self, ticket="CASE-1", scope="read", database="shop", tenant="acme", reason="orders are missing", **more):
        given = {"tenant": tenant, "database": database, "scope": scope, "ticket": ticket, "reason": reason, "for": "1h",
                 "key": self.key("alice"), **{key.replace("_", "-"): value for key, value in more.items()}}
        return ["grant", "request", *(word for key, value in given.items() for word in (f"--{key}", value))]

    def request(self, **more):
        return self.json(*self.words(**more))["grant"]

    def state(self, grant):
        return self.json("grant", "show", grant)["state"]

    def sign(self, who, *words):
        return self.ctl(*words, "--key", self.key(who))


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_from_asking_to_the_end(desk):
    assert desk.ctl("access", "acme").stdout == "nobody\n"
    grant = desk.request()
    said = desk.ctl("grant", "show", grant).stdout
    assert "1 provider approval and the tenant's consent are missing" in said
    desk.sign("bob", "grant", "approve", grant)
    assert desk.state(grant) == "requested" and desk.ctl("access", "acme").stdout == "nobody\n"
    desk.sign("aki", "grant", "approve", grant)
    assert desk.state(grant) == "active"
    access = desk.json("access", "acme")
    assert [(a["operator"], a["scope"], a["ticket"]) for a in access] == [("alice", "read", "CASE-1")]
    assert desk.json("access", "globex") == []
    desk.sign("alice", "grant", "end", grant)
    assert desk.state(grant) == "completed" and desk.ctl("access", "acme").stdout == "nobody\n"


def test_what_needs_you(desk):
    grant = desk.request()
    yours = lambda who: desk.json("grant", "list", "--key", desk.key(who))[0]["awaits_you"]  # noqa: E731
    assert [yours(who) for who in PEOPLE] == ["", "approve", "approve", "consent", ""]
    assert "consent" in desk.ctl("grant", "list", "--key", desk.key("aki")).stdout
    assert f"sekishoctl grant approve {grant}" in desk.ctl("grant", "show", grant, "--key", desk.key("aki")).stdout
    assert "YOU" not in desk.ctl("grant", "list").stdout


def test_the_key_may_come_from_the_environment(desk, monkeypatch):
    monkeypatch.setenv("SEKISHO_KEY", str(desk.key("alice")))
    words = desk.words()
    at = words.index("--key")
    desk.ctl(*words[:at], *words[at + 2:])
    monkeypatch.delenv("SEKISHO_KEY")
    said = desk.refused(*words[:at], *words[at + 2:])
    assert "--key FILE or $SEKISHO_KEY" in said


def test_nobody_signs_what_is_not_theirs(desk):
    grant = desk.request()
    for who in ("alice", "gen"):
        desk.refused("grant", "approve", grant, "--key", desk.key(who))
    for who in ("bob", "aki"):
        desk.refused("grant", "withdraw", grant, "--key", desk.key(who))
        desk.refused(*desk.words(ticket="CASE-2", key=desk.key(who)))
    desk.refused("policy", "set", "acme", "--consent", "notify", "--key", desk.key("bob"))
    desk.refused("policy", "set", "acme", "--consent", "notify", "--key", desk.key("gen"))
    assert desk.state(grant) == "requested" and desk.json("policy", "show", "acme")["consent"] == "required"


def test_somebody_else_s_name(desk):
    """--as says whose the key is when its file does not; it makes nobody of anybody."""
    grant = desk.request()
    desk.refused("grant", "approve", grant, "--key", desk.key("alice"), "--as", "bob")
    bare = desk.home / "bare.pem"
    bare.write_text("".join(line for line in desk.key("bob").open() if not line.startswith("#")))
    bare.chmod(0o600)
    assert "--as NAME" in desk.refused("grant", "approve", grant, "--key", bare)
    desk.ctl("grant", "approve", grant, "--key", bare, "--as", "bob")


def test_approving_narrows(desk):
    grant = desk.request(scope="write", database="shop,stock")
    desk.sign("bob", "grant", "approve", grant, "--scope", "read", "--database", "stock", "--for", "10min")
    desk.refused("grant", "approve", grant, "--scope", "admin", "--key", desk.key("aki"))
    desk.sign("aki", "grant", "approve", grant)
    seen = desk.json("grant", "show", grant)
    assert (seen["scope"], seen["databases"], seen["state"]) == ("read", "stock", "active")
    begins, ends = (datetime.datetime.fromisoformat(seen[key].replace("Z", "+00:00")) for key in ("begins", "ends"))
    assert (ends - begins).total_seconds() <= 600


def test_deny_withdraw_revoke(desk):
    denied, withdrawn, revoked = (desk.request(ticket=f"CASE-{n}") for n in range(3))
    assert "--reason" in desk.refused("grant", "deny", denied, "--key", desk.key("aki"), code=2)
    desk.sign("aki", "grant", "deny", denied, "--reason", "not on a Sunday")
    desk.sign("alice", "grant", "withdraw", withdrawn)
    for who in ("bob", "aki"):
        desk.sign(who, "grant", "approve", revoked)
    desk.sign("aki", "grant", "revoke", revoked, "--reason", "that is enough")
    assert [desk.state(g) for g in (denied, withdrawn, revoked)] == ["denied", "withdrawn", "revoked"]
    assert "not on a Sunday" in desk.ctl("grant", "show", denied).stdout


def test_an_emergency_and_its_review(desk):
    grant = desk.request(scope="diagnose", ticket="none yet", **{"class": "emergency"})
    assert "does not look like one" in desk.ctl("grant", "show", grant).stdout
    for who in ("bob", "dora"):
        desk.sign(who, "grant", "approve", grant)
    assert desk.state(grant) == "active"
    desk.sign("alice", "grant", "end", grant)
    assert desk.state(grant) == "review due"
    assert desk.json("grant", "list", "--key", desk.key("aki"))[0]["awaits_you"] == "review"
    desk.refused("grant", "review", grant, "--disputed", "--key", desk.key("aki"), code=2)
    desk.sign("aki", "grant", "review", grant, "--disputed", "--comment", "nobody told us")
    assert desk.state(grant) == "disputed"


def test_locks(desk):
    grant = desk.request()
    for who in ("bob", "aki"):
        desk.sign(who, "grant", "approve", grant)
    for by, off, words in (("bob", "dora", ["operator", "alice"]), ("aki", "aki", ["operator", "alice"]),
                           ("aki", "aki", ["tenant", "acme"]), ("dora", "bob", ["grant", grant])):
        desk.sign(by, "lock", *words, "--reason", "for now")
        assert desk.ctl("access", "acme").stdout == "nobody\n"
        lock = desk.json("lock", "list")[0]
        assert lock["reason"] == "for now" and lock["by_tenant"] == (by == "aki")
        if lock["by_tenant"]:
            desk.refused("unlock", lock["lock"], "--key", desk.key("bob"))
        desk.sign(off, "unlock", lock["lock"][:16])
        assert desk.json("lock", "list") == [] and len(desk.json("access", "acme")) == 1
    assert "no lock" in desk.refused("unlock", "0123456789abcdef", "--key", desk.key("bob"))


def test_policy_and_standing_consent(desk):
    assert "nobody: this is the default" in desk.ctl("policy", "show", "acme").stdout
    desk.sign("aki", "policy", "set", "acme", "--consent", "standing")
    desk.sign("aki", "standing", "add", "--scope", "read", "--days", "mon,tue,wed,thu,fri,sat,sun", "--from", "00:00",
              "--to", "00:00", "--zone", "+09:00", "--max-duration", "2h")
    standing = desk.json("standing", "list", "--tenant", "acme")
    assert len(standing) == 1 and standing[0]["signer"] == "aki" and standing[0]["hours"] == "00:00-00:00 +09:00"
    grant = desk.request()
    desk.sign("bob", "grant", "approve", grant)
    assert desk.state(grant) == "active"
    desk.refused("standing", "revoke", standing[0]["standing"], "--tenant", "acme", "--key", desk.key("gen"))
    desk.sign("aki", "standing", "revoke", standing[0]["standing"][:16])
    assert desk.json("standing", "list", "--tenant", "acme") == []
    later = desk.request(ticket="CASE-2")
    desk.sign("bob", "grant", "approve", later)
    assert desk.state(later) == "requested"


@pytest.mark.parametrize("wrong, code, said", [
    ({"ticket": "lower"}, 1, "is no ticket"),
    ({"ticket": "CASE-1\nstate: approved"}, 2, "--ticket"),
    ({"reason": "   "}, 2, "--reason"),
    ({"reason": "a\x1b[2Jb"}, 2, "--reason"),
    ({"scope": "superuser"}, 2, "diagnose, read, write or admin"),
    ({"for": "soon"}, 2, "30min"),
    ({"for": "100h"}, 1, "may last"),
    ({"database": "shop,shop"}, 2, "none twice"),
    ({"database": ""}, 2, "--database"),
    ({"tenant": "nobody"}, 1, "there is no tenant"),
    ({"tenant": "../acme"}, 2, "no tenant id"),
    ({"from": "yesterday"}, 2, "--from"),
    ({"class": "fun"}, 2, "emergency"),
])
def test_what_is_no_request(desk, wrong, code, said):
    assert said in desk.refused(*desk.words(**wrong), code=code)
    assert desk.json("grant", "list") == []


def test_a_beginner_is_led(desk):
    """Every refusal says the next word to type."""
    words = ["grant", "request"]
    for option, value in (("--tenant", "acme"), ("--database", "shop"), ("--scope", "read"), ("--ticket", "CASE-1"),
                          ("--reason", "why not"), ("--for", "1h")):
        assert option in desk.refused(*words, code=2)
        words += [option, value]
    assert "--key" in desk.refused(*words)
    said = desk.ctl(*words, "--key", desk.key("alice")).stdout
    assert "grant approve" in said and "psql 'host=acme.ops.test dbname=shop user=alice" in said
    assert "sekishoctl grant request --tenant acme" in desk.ctl("grant", "--help").stdout


def test_not_in_the_directory(desk):
    desk.ctl("operator", "remove", "alice")
    assert "operator add alice" in desk.ctl(*desk.words()).stderr
    grant = desk.json("grant", "list")[0]["grant"]
    for who in ("bob", "aki"):
        desk.sign(who, "grant", "approve", grant)
    done = desk.ctl("access", "acme")
    assert done.stdout == "nobody\n" and "not in the directory" in done.stderr


# --- the ticket's checker ---

def checker(desk, body, **more):
    program = desk.home / "checker"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    desk.configure(ticket_checker=program, **more)


def test_the_checker_agrees(desk):
    checker(desk, f'printf "%s|" "$@" > {desk.home}/asked; env >> {desk.home}/asked')
    desk.ctl(*desk.words())
    asked = (desk.home / "asked").read_text()
    assert asked.startswith("CASE-1|acme|alice|") and "HOME=" not in asked


@pytest.mark.parametrize("body, said", [
    ("echo the ticket is closed; exit 1", "the ticket is closed"),
    ("exit 3", "it said no"),
    ("kill -9 $$", "it said no"),
    ("sleep 60", "no answer within 300 ms"),
    ("exec >&- 2>&-; sleep 60", "no answer within 300 ms"),
    ("sleep 60 & exit 0", "no answer within 300 ms"),
])
def test_the_checker_does_not_agree(desk, body, said):
    checker(desk, body, ticket_timeout="300ms")
    before = time.monotonic()
    assert said in desk.refused(*desk.words())
    assert time.monotonic() - before < 20
    done = desk.ctl(*desk.words(scope="diagnose", **{"class": "emergency"}))
    assert "as an emergency the request goes on" in done.stderr


def test_an_emergency_unchecked_is_logged_as_such(desk):
    checker(desk, "echo the ticket is closed; exit 1")
    done = desk.ctl(*desk.words(scope="diagnose", **{"class": "emergency"}))
    assert "ticket unchecked: CASE-1 could not be confirmed (the ticket is closed)" in done.stderr
    with sqlite3.connect(desk.home / "state/store.sqlite") as store:
        details = [row[0] for row in store.execute("SELECT detail FROM change WHERE action = 'statement.request'")]
    assert details == ["signed by alice; ticket unchecked: the ticket is closed"]


@pytest.fixture(scope="module")
def server():
    made = TicketServer()
    yield made
    made.close()


def test_the_address_agrees(desk, server):
    desk.configure(ticket_url=f"http://127.0.0.1:{server.port}/tickets")
    desk.ctl(*desk.words())
    assert server.asked[-1] == ("/tickets", {"ticket": "CASE-1", "tenant": "acme", "operator": "alice"})
    odd = "none yet & tenant=globex #?%"
    desk.ctl(*desk.words(ticket=odd, scope="diagnose", **{"class": "emergency"}))
    assert server.asked[-1] == ("/tickets", {"ticket": odd, "tenant": "acme", "operator": "alice"})


@pytest.mark.parametrize("ticket, said", [("GONE-1", "ticket_url answered with status 404"),
                                          ("MOVED-1", "ticket_url answered with status 302"),
                                          ("SLOW-1", "ticket_url cannot be reached")])
def test_the_address_does_not_agree(desk, server, ticket, said):
    desk.configure(ticket_url=f"http://127.0.0.1:{server.port}/", ticket_timeout="300ms")
    assert f"the ticket {ticket} was not confirmed: {said}" in desk.refused(*desk.words(ticket=ticket))
    assert server.asked[-1][0] == "/", "nobody was followed elsewhere"
    done = desk.ctl(*desk.words(ticket=ticket, scope="diagnose", **{"class": "emergency"}))
    assert f"ticket unchecked: {ticket}" in done.stderr


def test_both_must_agree(desk, server):
    asked = len(server.asked)
    checker(desk, "exit 1", ticket_url=f"http://127.0.0.1:{server.port}/")
    assert "it said no" in desk.refused(*desk.words())
    assert len(server.asked) == asked
    checker(desk, "exit 0", ticket_url=f"http://127.0.0.1:{server.port}/")
    assert "status 404" in desk.refused(*desk.words(ticket="GONE-1"))


@pytest.mark.parametrize("url, why", [("http://192.0.2.1/", "is plain HTTP"), ("https://me:word@localhost/", "holds a user"),
                                      ("ftp://localhost/", "is not HTTPS")])
def test_a_bad_address_agrees_to_nothing(desk, url, why):
    desk.configure(ticket_url=url)
    assert f"was not confirmed: ticket_url {why}" in desk.refused(*desk.words())


def test_no_checker_there(desk):
    desk.configure(ticket_checker=desk.home / "gone")
    assert "was not confirmed" in desk.refused(*desk.words())


# --- waiting ---

def test_waiting_until_it_is_decided(desk):
    # Two tickets: the same request twice in one second is the same statement.
    for ticket, decide, code in (("CASE-1", lambda g: [desk.sign(w, "grant", "approve", g) for w in ("bob", "aki")], 0),
                                 ("CASE-2", lambda g: desk.sign("aki", "grant", "deny", g, "--reason", "no"), 1)):
        before = {g["grant"] for g in desk.json("grant", "list")}
        words = map(str, desk.words(ticket=ticket))
        waiting = subprocess.Popen([SEKISHOCTL, "-c", desk.conf, "--json", *words, "--wait"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        grant = until(lambda: {g["grant"] for g in desk.json("grant", "list")} - before, "the request is there").pop()
        assert waiting.poll() is None
        decide(grant)
        out, err = waiting.communicate(timeout=20)
        assert waiting.returncode == code, err
        assert json.loads(out)["grant"] == grant and "waiting" not in err, "progress is for terminals"


# --- keys ---

def test_keys(desk):
    path = desk.home / "new.pem"
    made = desk.ctl("key", "generate", "mina", "--role", "operator", "--for", "90d", "--out", path)
    assert path.stat().st_mode & 0o777 == 0o600 and "PRIVATE" not in made.stdout
    assert made.stdout.startswith("sekisho-key 1\nname: mina\nrole: operator\ntenant: -\n")
    assert desk.ctl("key", "show", path).stdout == made.stdout
    before = path.read_bytes()
    desk.refused("key", "generate", "mina", "--role", "operator", "--out", path)
    assert path.read_bytes() == before
    for words in (["Mina", "--role", "operator"], ["mina", "--role", "root"], ["mina", "--role", "tenant-approver"],
                  ["mina", "--role", "operator", "--tenant", "acme"]):
        desk.refused("key", "generate", *words, "--out", desk.home / "other.pem", code=2)
    assert not (desk.home / "other.pem").exists()


def test_a_key_that_others_can_read_is_not_used(desk):
    desk.key("alice").chmod(0o644)
    assert "chmod 600" in desk.refused(*desk.words())


def test_without_trust_files_nothing_is_known(desk):
    desk.configure(trust_dir=desk.home / "gone")
    assert "not checked here" in desk.ctl(*desk.words()).stdout
    for words in (["access", "acme"], ["grant", "list"], ["lock", "list"]):
        desk.refused(*words, code=3)


def test_operators(desk):
    desk.ctl("operator", "add", "mina", "--allow", "192.0.2.0/24, 2001:db8::/32", "--note", "nights")
    assert "192.0.2.0/24, 2001:db8::/32" in desk.ctl("operator", "list").stdout
    desk.refused("operator", "add", "mina")
    desk.ctl("operator", "set", "mina", "--allow", "")
    assert {"operator": "mina", "allow": "", "note": "nights"} in desk.json("operator", "list")
    desk.ctl("operator", "remove", "mina")
    desk.refused("operator", "remove", "mina")
    desk.refused("operator", "set", "mina", "--note", "x")
    desk.refused("operator", "add", "Mina!", code=2)
    desk.refused("operator", "add", "mina", "--allow", "192.0.2.1/24", code=2)


# --- audit replay ---

def test_a_session_as_a_transcript(desk):
    session, other = "00000000000000aa", "00000000000000bb"
    at = "2026-11-24T21:30:0{}.000+09:00"
    log = desk.home / "ledger" / "acme"
    log.mkdir(parents=True)
    records = [
        {"event": "session.open", "session": session, "operator": "alice", "grant": "1122334455667788", "scope": "read",
         "ticket": "CASE-1", "database": "shop", "client": "127.0.0.1:999"},
        {"event": "session.open", "session": other, "user": "app", "database": "other people's"},
        {"event": "operator.statement", "session": session, "number": 1, "kind": "query",
         "sql": "SELECT *\n  FROM orders -- \x1b[2J\u202ecod\u0085"},
        {"event": "operator.result", "session": session, "number": 1, "tag": "SELECT 3", "rows": 3, "duration_us": 4200},
        {"event": "operator.statement", "session": session, "number": 2, "kind": "bind", "name": "s1",
         "parameters": '["%s", "\\\\x00"]' % ("long " * 700)},
        {"event": "operator.result", "session": session, "number": 2, "sqlstate": "42501", "message": "permission denied"},
        {"event": "session.close", "session": session, "reason": "grant revoked", "duration_ms": 61000},
    ]
    lines = [json.dumps({"n": n, "time": at.format(n), "tenant": "acme", **r, "prev": ""}) for n, r in enumerate(records, 1)]
    (log / "00000001.jsonl").write_text("".join(line + "\n" for line in lines))
    for words in ([], ["--tenant", "acme"], ["--dir", desk.home / "ledger"]):
        said = desk.ctl("audit", "replay", session, *words).stdout
        assert "operator  alice" in said and "ticket    CASE-1" in said and "grant     1122334455667788" in said
        assert "21:30:03.000     1  query\n" + " " * 20 + "SELECT *\n" + " " * 20 + "  FROM orders" in said
        assert "-> SELECT 3" in said and "4.2 ms" in said and "ERROR 42501 permission denied" in said
        assert "closed: grant revoked, after 61.0 s" in said and "other people's" not in said
        assert said.count("long ") == 700, "nothing is left out"
        assert not set(said) & {"\x1b", "\u202e", "\u0085"} and "\\x1b[2J" in said
    assert desk.ctl("--json", "audit", "replay", session).stdout.count("\n") == 6
    desk.refused("audit", "replay", "00000000000000cc")
    desk.refused("audit", "replay", "cc", code=2)
    desk.refused("audit", "replay", session, "--tenant", "globex")
