# SPDX-License-Identifier: ISC
"""Getting a grant, or getting in without one: each must be refused, and the tenant's log must say so.

Where `sekishoctl` would advise against it, the attacker does without: the statement is signed by hand and put straight into
the control store (`ops.said`, `ops.put`), which the proxy does not trust either.
"""
import ssl
import time

import psycopg
import pytest

from fleet import Authority, run, until
from operators import instant
from wire import Closed, Refused, login, tls

NO_GRANT = 'operator "{}" has no active break-glass grant for tenant "{}"'
SETTINGS = {"emergencies_per_week": 2, "ticket_timeout": "1s"}


def refused(ops, operator="alice", tenant="acme", **more):
    """42501 for want of a grant, and the tenant's log has it; what else was said."""
    mark = ops.proxy.mark(tenant)
    told = ops.refusal(operator, tenant, **more)
    assert told["C"] == "42501", told
    assert told["M"].startswith(NO_GRANT.format(operator, tenant)), told
    logged = ops.proxy.awaits(tenant, "session.refused", after=mark, operator=operator, sqlstate="42501")
    assert logged["reason"] == "no active grant"
    return told["M"]


def no_effect(ops, n_before, why, tenant="acme"):
    """What was put into the store is in the tenant's log as of no effect."""
    return until(lambda: [r for r in ops.proxy.records(tenant, "grant.change", state="no effect")
                          if r["n"] > n_before and why in r["detail"]], f"no effect: {why}")[0]


# --- no grant that fits ---

def test_without_any_grant(ops):
    refused(ops)
    refused(ops, "amy", "globex")


def test_another_operators_tenants_or_databases_grant(ops):
    ops.grant("amy")
    refused(ops, "alice")
    refused(ops, "amy", "globex")
    assert "is for other databases" in refused(ops, "amy", database="postgres")


def test_a_grant_that_is_over(ops):
    """Denied, withdrawn, revoked, ended, expired, lapsed: no more than none at all."""
    lapsing = ops.request(lasts="3s")
    denied, withdrawn = ops.request(reason="one"), ops.request(reason="two")
    ops.ctl("grant", "deny", denied, "--reason", "no", by="dora")
    ops.ctl("grant", "withdraw", withdrawn, by="alice")
    revoked = ops.grant(reason="three")
    ops.revoke(revoked)
    completed = ops.grant(reason="four")
    ops.ctl("grant", "end", completed, by="alice")
    expiring = ops.request(lasts="8s", reason="five")
    for person in ("bob", "dora"):
        ops.approve(expiring, person)
    ops.becomes(expiring, "active")
    ops.psql("SELECT 1")
    ops.becomes(expiring, "expired", seconds=15)
    ops.becomes(lapsing, "lapsed")
    states = ops.states()
    assert [states[g] for g in (lapsing, denied, withdrawn, revoked, completed, expiring)] == [
        "lapsed", "denied", "withdrawn", "revoked", "completed", "expired"]
    refused(ops)
    late = ops.approve(lapsing, check=False)
    assert late.returncode == 1 and "it is over" in late.stderr


# --- who approves ---

def test_alice_approves_her_own(ops):
    """With a second key, and as an approver by right: she is one person."""
    ops.make_key("alice", "provider-approver", file="alice-approver")
    ops.make_key("alice", "tenant-approver", "acme", file="alice-acme")
    until(lambda: len([r for r in ops.proxy.records("_provider", "grant.change", action="key added")
                       if "of alice" in r["detail"]]) >= 1, "the broker knows her second key")
    grant = ops.request()
    digest = ops.digest(grant)
    for key in ("alice-approver", "alice-acme"):
        done = ops.approve(grant, key, check=False)
        assert done.returncode == 1 and "nobody approves their own request" in done.stderr
        mark = ops.proxy.mark("acme")
        ops.put(*ops.sign("alice", "approve", "acme", ("request", digest), ("scope", "read"), ("databases", "app"),
                          ("not-after", end_of(ops, grant)), key=key))
        no_effect(ops, mark, "nobody approves their own request")
    assert ops.ctl_json("grant", "show", grant)["needs_provider"] == 1
    refused(ops)


def end_of(ops, grant):
    return ops.ctl_json("grant", "show", grant)["ends"]


def test_bob_counts_once(ops):
    """In two groups of approvers, with two keys: acme's consent is not his to give as well."""
    ops.make_key("bob", "tenant-approver", "acme", file="bob-acme")
    until(lambda: [r for r in ops.proxy.records("acme", "grant.change", action="key added") if "of bob" in r["detail"]],
          "acme is told of Bob's second key")
    grant = ops.request()
    ops.approve(grant, "bob")
    done = ops.approve(grant, "bob-acme", check=False)
    assert done.returncode == 1 and "nobody counts twice" in done.stderr
    mark = ops.proxy.mark("acme")
    ops.put(*ops.sign("bob", "approve", "acme", ("request", ops.digest(grant)), ("scope", "read"), ("databases", "app"),
                      ("not-after", end_of(ops, grant)), key="bob-acme"))
    no_effect(ops, mark, "nobody counts twice")
    refused(ops)


def test_the_wrong_people_approve(ops):
    """An operator, globex's approver, a stranger with a key nobody trusts."""
    grant = ops.request()
    ops.approve(grant, "bob")
    for person in ("amy", "gus"):
        assert ops.approve(grant, person, check=False).returncode == 1
    ops.make_key("mallory", "tenant-approver", "acme", trusted=False)
    done = ops.approve(grant, "mallory", check=False)
    assert done.returncode == 1 and "trust folder" in done.stderr
    refused(ops)


def test_an_approval_widens_or_lengthens(ops):
    grant = ops.request(scope="read", lasts="10min")
    end = end_of(ops, grant)
    ops.approve(grant, "bob")
    for what, scope, databases, until_when in [("narrow the scope", "admin", "app", end), ("shorten a grant", "read", "app", instant(3000)),
                                               ("name fewer databases", "read", "app,postgres", end)]:
        mark = ops.proxy.mark("acme")
        ops.said(grant, "dora", "approve", ("scope", scope), ("databases", databases), ("not-after", until_when))
        no_effect(ops, mark, what)
    refused(ops)
    ops.approve(grant, "dora")
    ops.becomes(grant, "active")
    mark = ops.proxy.mark("acme")
    ops.said(grant, "carol", "approve", ("scope", "read"), ("databases", "app"), ("not-after", end))
    no_effect(ops, mark, "fully approved already")
    assert end_of(ops, grant) == end, "a second approval moves no deadline"


def test_denying_beats_approving(ops):
    """Bob denied; the consent that came a moment later gives nothing. And what runs is ended by it."""
    first = ops.request(reason="one")
    ops.approve(first, "dora")
    ops.ctl("grant", "deny", first, "--reason", "no", by="bob")
    mark = ops.proxy.mark("acme")
    ops.said(first, "carol", "approve", ("scope", "read"), ("databases", "app"), ("not-after", end_of(ops, first)))
    no_effect(ops, mark, "it is over")
    second = ops.grant(reason="two")
    with ops.connect() as alice:
        ops.ctl("grant", "deny", second, "--reason", "no", by="carol")
        with pytest.raises(psycopg.Error, match="is denied by carol: no"):
            until(lambda: not alice.execute("SELECT 1"), "never")
    refused(ops)


# --- tickets and reasons ---

@pytest.mark.parametrize("ticket", ["case 1", "CASE-1; DROP", "CASE-", "1"])
def test_a_malformed_ticket(ops, ticket):
    done = ops.request(ticket=ticket, check=False)
    assert done.returncode == 1 and "is no ticket" in done.stderr


def test_a_malformed_ticket_by_hand(ops):
    """Past sekishoctl: even when the approvers sign it, it gives nothing."""
    mark = ops.proxy.mark("acme")
    ops.put(*ops.sign("alice", "request", "acme", ("ticket", "whatever"), ("reason", "because"), ("reason-code", "customer-case"),
                      ("class", "support"), ("scope", "read"), ("databases", "app"), ("not-before", instant()),
                      ("not-after", instant(600))))
    told = ops.proxy.awaits("acme", "grant.change", after=mark, action="request")
    for person in ("bob", "dora"):
        ops.approve(told["grant"] or "0" * 16, person, check=False)
    if told["state"] != "no effect":
        until(lambda: len(ops.proxy.records("acme", "grant.change", grant=told["grant"])) >= 3, "both have signed")
    refused(ops)


def test_the_tickets_checker_says_no_or_nothing(ops):
    """A closed ticket, another tenant's, and a checker that is asleep; only an emergency goes on, and says so."""
    checker = ops.folder / "checker"
    checker.write_text("#!/bin/sh\n[ \"$1\" != CASE-404 ] || { echo 'CASE-404 is closed' >&2; exit 1; }\n"
                       "[ \"$2\" = acme ] || exit 1\n[ \"$1\" != CASE-9 ] || exec sleep 30\n")
    checker.chmod(0o755)
    ops.proxy.configure(**ops.settings, ticket_checker=checker)
    try:
        assert ops.request(ticket="CASE-404", check=False).returncode == 1
        assert ops.request(ticket="CASE-1", tenant="globex", check=False).returncode == 1
        began = time.monotonic()
        asleep = ops.request(ticket="CASE-9", check=False)
        assert asleep.returncode == 1 and "not confirmed" in asleep.stderr and time.monotonic() - began < 15
        urgent = ops.request(ticket="CASE-404", scope="diagnose", check=False, more=["--class", "emergency"])
        assert urgent.returncode == 0 and "could not be confirmed" in urgent.stderr
        ops.request(ticket="CASE-2")
    finally:
        ops.proxy.configure(**ops.settings)


def test_a_reason_of_blanks(ops):
    assert ops.request(reason=" \t ", check=False).returncode == 2
    body, signature = ops.sign("alice", "request", "acme", ("ticket", "CASE-1"), ("reason", "   "), ("reason-code", "customer-case"),
                               ("class", "support"), ("scope", "read"), ("databases", "app"), ("not-before", instant()),
                               ("not-after", instant(600)))
    mark = ops.proxy.mark("_provider")
    before = len(ops.states())
    ops.put(body, signature)
    ops.proxy.awaits("_provider", "tampering", after=mark)
    assert len(ops.states()) == before
    refused(ops)


# --- emergencies, hours ---

def test_emergencies_chained(ops):
    """Two in seven days; globex's third is refused, by sekishoctl and by the broker."""
    for reason in ("one", "two"):
        grant = ops.request(tenant="globex", scope="diagnose", reason=reason, more=["--class", "emergency"], lasts="10min")
        ops.approve(grant, "bob")
        ops.approve(grant, "carol")
        ops.becomes(grant, "active", "globex")
        ops.ctl("grant", "end", grant, by="alice")
    third = ops.request(tenant="globex", scope="diagnose", more=["--class", "emergency"], check=False)
    assert third.returncode == 1 and "as many emergencies in seven days" in third.stderr
    mark = ops.proxy.mark("globex")
    ops.put(*ops.sign("alice", "request", "globex", ("ticket", "CASE-1"), ("reason", "again"), ("reason-code", "provider-fault"),
                      ("class", "emergency"), ("scope", "diagnose"), ("databases", "app"), ("not-before", instant()),
                      ("not-after", instant(600))))
    no_effect(ops, mark, "as many emergencies", "globex")
    refused(ops, "alice", "globex")


def test_a_window_used_outside_its_hours(ops):
    """Globex consented for one hour that is not now, in a zone of its own."""
    ops.ctl("policy", "set", "globex", "--consent", "standing", by="gus")
    try:
        local = time.gmtime(time.time() + 9 * 3600 + 7200)
        begin, end = f"{local.tm_hour:02d}:00", f"{(local.tm_hour + 1) % 24:02d}:00"
        ops.ctl("standing", "add", "--scope", "diagnose", "--days", "mon,tue,wed,thu,fri,sat,sun", "--from", begin, "--to", end,
                "--zone", "+09:00", "--max-duration", "30min", by="gus")
        grant = ops.request(tenant="globex", scope="diagnose", lasts="10min", more=["--class", "maintenance"])
        ops.approve(grant)
        assert ops.ctl_json("grant", "show", grant)["needs_tenant"]
        refused(ops, "alice", "globex")
    finally:
        ops.ctl("policy", "set", "globex", "--consent", "required", by="gus")


# --- locks ---

@pytest.mark.parametrize("words, by, said", [
    (["operator", "alice"], "bob", 'operator "alice" is locked: under inquiry'),
    (["operator", "alice"], "dora", 'operator "alice" is locked: under inquiry'),
    (["tenant", "acme"], "dora", 'tenant "acme" is locked: under inquiry'),
    (["grant", None], "bob", 'grant "{}" is locked: under inquiry')])
def test_a_lock_beats_every_grant(ops, words, by, said):
    """It cuts at once and holds through reload and restart; the customer's is the customer's to take off."""
    grant = ops.grant()
    words = [word or grant for word in words]
    said = said.format(grant)
    with ops.connect() as alice:
        alice.execute("SELECT 1")
        ops.ctl("lock", *words, "--reason", "under inquiry", by=by)
        with pytest.raises(psycopg.Error, match=said):
            until(lambda: not alice.execute("SELECT 1"), "never")
    told = ops.refusal()
    assert told["C"] == "42501" and told["M"] == said
    ops.proxy.reload()
    assert ops.refusal()["M"] == said
    if words[0] == "tenant":
        ops.proxy.stop()
        ops.proxy.start()
        until(lambda: ops.serves() and ops.refusal()["M"] == said, "it holds after a restart")
    lock = ops.ctl_json("lock", "list")[0]
    if by == "dora":
        assert ops.ctl("unlock", lock["lock"], by="bob", check=False).returncode == 1, "that is acme's"
    ops.ctl("unlock", lock["lock"], by=by)
    until(lambda: not ops.ctl_json("lock", "list"), "no lock is left")
    until(lambda: ops.psql("SELECT 1", check=False).returncode == 0, "Alice is in again")


# --- the planes ---

def test_a_tenants_login_on_the_operators_plane(ops):
    """No certificate: refused before anything else; and acme's own password is of no use with one either."""
    wire = tls(ops.port, ops.fleet.authority, "acme.ops.test")
    with pytest.raises((Refused, Closed, ssl.SSLError)):
        login(wire)
    mark = ops.proxy.mark("acme")
    told = ops.refusal("app", certificate="alice")
    assert told["C"] == "28000" and "not the operator of the certificate" in told["M"]
    ops.proxy.awaits("acme", "session.refused", after=mark, reason="not an operator")
    with pytest.raises((Refused, Closed, ssl.SSLError)):
        login(tls(ops.port, ops.fleet.authority, "acme.db.test"))


def test_an_operator_on_the_tenants_plane(ops):
    """A certificate opens nothing there, and the scopes' roles are no users."""
    ops.grant()
    for user in ("alice", "sekisho_read", "sekisho_admin"):
        mark = ops.proxy.mark("acme")
        dsn = ops.dsn(host="acme.db.test", port=ops.proxy.port, user=user, password="guess")
        done = run("psql", "-XAtqc", "SELECT 1", dsn, check=False)
        assert done.returncode == 2 and "password authentication failed" in done.stderr
        ops.proxy.awaits("acme", "session.refused", after=mark, user=user)


def test_certificates_that_do_not_count(ops):
    """Another authority's, an expired one, a revoked one, one without a name, another operator's."""
    other = Authority(ops.folder, "other-ca")
    ops.certify("forged", other, "alice")
    ops.certify("nameless", common_name="Alice Liddell of Operations")
    ops.certify("expired", common_name="alice", days="-1")
    ops.grant()
    for certificate in ("forged", "expired"):
        mark = ops.proxy.mark("acme")
        done = ops.psql("SELECT 1", certificate=certificate, check=False)
        assert done.returncode == 2 and "1\n" != done.stdout, certificate
        ops.proxy.awaits("acme", "session.refused", after=mark, reason="TLS failed")
    for certificate in ("nameless", "amy"):
        assert ops.refusal(certificate=certificate)["C"] == "28000", certificate
    ops.psql("SELECT 1")


def test_a_certificate_that_was_revoked(ops):
    """On the list after a reload: out at once, and not in again."""
    database = ops.folder / "index.txt"
    database.write_text("")
    conf = ops.folder / "ca.cnf"
    conf.write_text(f"[ca]\ndefault_ca = it\n[it]\ndatabase = {database}\ndefault_md = sha256\ndefault_crl_days = 2\n")
    crl = ops.folder / "operators.crl"

    def write_list():
        run("openssl", "ca", "-config", conf, "-gencrl", "-keyfile", ops.authority.key, "-cert", ops.authority.crt, "-out", crl)

    write_list()
    ops.settings["operator_crl"] = crl
    ops.proxy.configure(**ops.settings)
    ops.proxy.reload()
    ops.certify("lost", common_name="alice")
    ops.grant()
    ops.psql("SELECT 1", certificate="lost")
    run("openssl", "ca", "-config", conf, "-revoke", f"{ops.folder}/lost.crt", "-keyfile", ops.authority.key, "-cert",
        ops.authority.crt)
    write_list()
    ops.proxy.reload()
    try:
        mark = ops.proxy.mark("acme")
        done = ops.psql("SELECT 1", certificate="lost", check=False)
        assert done.returncode == 2
        ops.proxy.awaits("acme", "session.refused", after=mark, reason="TLS failed")
        ops.psql("SELECT 1")
    finally:
        del ops.settings["operator_crl"]
        ops.proxy.configure(**ops.settings)
        ops.proxy.reload()


def test_an_operator_who_is_not_in_the_directory_or_not_at_home(ops):
    ops.grant()
    ops.ctl("operator", "set", "alice", "--allow", "192.0.2.0/24")
    until(lambda: ops.refusal_or_none() == 'operator "alice" may not come from 127.0.0.1', "Alice may not come from here")
    assert ops.refusal()["C"] == "28000"
    ops.ctl("operator", "set", "alice", "--allow", "")
    until(lambda: ops.psql("SELECT 1", check=False).returncode == 0, "she may again")
    with ops.connect() as alice:
        ops.ctl("operator", "remove", "alice")
        with pytest.raises(psycopg.Error):
            until(lambda: not alice.execute("SELECT 1"), "never")
    told = ops.refusal()
    assert told["C"] == "42501" and "is not an operator here" in told["M"]
    ops.ctl("operator", "add", "alice")
    until(lambda: ops.psql("SELECT 1", check=False).returncode == 0, "Alice is back")


def test_from_outside_the_management_network(ops):
    """The provider's rule for all operators: also for who is in already."""
    ops.grant()
    said = 'operator "alice" may not come from 127.0.0.1'
    with ops.connect() as alice:
        alice.execute("SELECT 1")
        ops.proxy.configure(**ops.settings, operator_from="192.0.2.0/24")
        ops.proxy.reload()
        try:
            with pytest.raises(psycopg.Error, match=said):
                until(lambda: not alice.execute("SELECT 1"), "never")
            told = ops.refusal()
            assert told["C"] == "28000" and told["M"] == said
        finally:
            ops.proxy.configure(**ops.settings)
            ops.proxy.reload()
    until(lambda: ops.psql("SELECT 1", check=False).returncode == 0, "from anywhere again")


def test_a_tenant_that_is_suspended(ops):
    """Nobody is its customer then, and a grant is no way in; what was granted goes on when the tenant does."""
    ops.grant()
    with ops.connect() as alice:
        alice.execute("SELECT 1")
        ops.ctl("tenant", "suspend", "acme")
        try:
            with pytest.raises(psycopg.Error):
                until(lambda: not alice.execute("SELECT 1"), "never")
            assert ops.refusal_or_none() != "in"
        finally:
            ops.ctl("tenant", "resume", "acme")
    until(lambda: ops.refusal_or_none() == "in", "and when acme is back so is she")
