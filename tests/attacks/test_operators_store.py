# SPDX-License-Identifier: ISC
"""Whoever owns the control store, or the trust folder, still mints no grant: what was not signed does not count, and what
was taken away is missed. Each is logged as tampering; repaired, everything is as before.
"""
import contextlib
import os

import psycopg
import pytest

from fleet import until
from operators import instant

SETTINGS = {"directory_max_age": "4s"}


@contextlib.contextmanager
def tampered(ops):
    """The store without its triggers, which whoever can write the file can drop; afterwards it is again as it was before."""
    whole = ops.copy_store("whole.sqlite")
    store = ops.store()
    try:
        store.execute("DROP TRIGGER statement_stays")
        store.execute("DROP TRIGGER statement_kept")
        yield store
    finally:
        ops.restore_store(whole)
        store.close()
        whole.unlink()
    until(lambda: "kept out" not in ops.refusal_or_none(), "repaired, operators are judged again", 10, 0.1)


def tampering(ops, mark, why, tenant="_provider"):
    return until(lambda: [r for r in ops.proxy.records(tenant, "tampering") if r["n"] > mark and why in r["detail"]],
                 f"{tenant}'s log says: {why}; it says {ops.proxy.records(tenant, 'tampering')}")[0]


def is_kept_out(ops, operator="alice", tenant="acme"):
    told = ops.refusal(operator, tenant)
    assert told["C"] == "42501"
    assert told["M"] == f'operators are kept out of tenant "{tenant}": what was signed cannot be verified'


def test_an_edited_row(ops):
    """A request for diagnose becomes one for admin after it was approved: whoever is in is out, on every tenant."""
    grant = ops.grant(scope="diagnose")
    elsewhere = ops.grant("amy", "globex")
    with tampered(ops) as store, ops.connect() as alice, ops.connect("amy", "globex") as amy:
        mark = ops.proxy.mark("_provider")
        n, body = [row for row in store.execute("SELECT n, body FROM statement ORDER BY n") if b"scope: diagnose" in row[1]
                   and b"kind: request" in row[1]][-1]
        store.execute("UPDATE statement SET body = ? WHERE n = ?", (body.replace(b"scope: diagnose", b"scope: admin"), n))
        for operator in (alice, amy):
            with pytest.raises(psycopg.Error, match="what was signed cannot be verified"):
                until(lambda: not operator.execute("SELECT 1"), "never")
        tampering(ops, mark, "are not those that were accepted")
        is_kept_out(ops)
        is_kept_out(ops, "amy", "globex")
    assert ops.psql("SELECT current_user").stdout == "sekisho_diagnose\n", "the grant is as it was signed"
    assert ops.states()[grant] == ops.states()[elsewhere] == "active"


def test_a_revocation_is_deleted(ops):
    grant = ops.grant()
    ops.revoke(grant)
    ops.becomes(grant, "revoked")
    with tampered(ops) as store:
        mark = ops.proxy.mark("_provider")
        store.execute("DELETE FROM statement WHERE n = (SELECT max(n) FROM statement)")
        tampering(ops, mark, "some that were accepted are gone")
        is_kept_out(ops)
        ops.proxy.stop()
        ops.proxy.start()
        until(lambda: "kept out" in ops.refusal_or_none(), "the host remembers after a restart, too", 10, 0.1)
    assert ops.states()[grant] == "revoked"


def test_an_old_store_is_restored(ops):
    """From the time when the grant was active and nobody had revoked it."""
    grant = ops.grant()
    old = ops.copy_store("old.sqlite")
    ops.revoke(grant)
    ops.becomes(grant, "revoked")
    with tampered(ops):
        mark = ops.proxy.mark("_provider")
        ops.restore_store(old)
        tampering(ops, mark, "some that were accepted are gone")
        is_kept_out(ops)
    assert "has no active break-glass grant" in ops.refusal()["M"]


def test_an_empty_store_of_statements(ops):
    ops.grant()
    with tampered(ops) as store:
        mark = ops.proxy.mark("_provider")
        store.execute("DELETE FROM statement")
        tampering(ops, mark, "the store has only 0 statements")
        is_kept_out(ops)
    until(lambda: ops.refusal_or_none() == "in", "and the grant is there again", 10, 0.1)


def test_rows_that_nobody_signed(ops):
    """An approval with Bob's name under it, moved from another request, of another environment: each is named, ignored, and
    told acme; nobody else is bothered."""
    elsewhere = ops.grant("amy", "globex")
    approved, wanted = ops.grant(reason="this was approved"), ops.request(reason="this was not", scope="admin")
    ops.revoke(approved)
    with ops.store() as opened:
        moved, signature = [row for row in opened.execute("SELECT body, signature FROM statement ORDER BY n")
                            if b"kind: approve" in row[0] and b"signer: dora" in row[0]][-1]
    about = ops.digest(wanted)
    fields = [("request", about), ("scope", "admin"), ("databases", "app"),
              ("not-after", ops.ctl_json("grant", "show", wanted)["ends"])]
    body, forged = ops.sign("bob", "approve", "acme", *fields)
    for what, row, why in [
            ("forged", (body, bytes([forged[0] ^ 1]) + forged[1:]), "the signature is wrong"),
            ("moved", (moved.replace(ops.digest(approved).encode(), about.encode()), signature), "the signature is wrong"),
            ("elsewhere", ops.sign("bob", "approve", "acme", *fields, environment="staging"), "another environment")]:
        marks = {name: ops.proxy.mark(name) for name in ("acme", "_provider")}
        ops.put(*row)
        log = "_provider" if what == "elsewhere" else "acme"
        tampering(ops, marks[log], why, log)
    assert ops.ctl_json("grant", "show", wanted)["needs_provider"] == 1
    assert ops.refusal()["C"] == "42501"
    ops.psql("SELECT 1", "amy", "globex")
    assert ops.states()[elsewhere] == "active"


def test_an_approval_for_another_tenant(ops):
    """Gus signs for globex, about acme's request; and Dora for globex: neither is theirs to say."""
    grant = ops.request()
    ops.approve(grant)
    fields = [("request", ops.digest(grant)), ("scope", "read"), ("databases", "app"),
              ("not-after", ops.ctl_json("grant", "show", grant)["ends"])]
    mark = ops.proxy.mark("globex")
    ops.put(*ops.sign("gus", "approve", "globex", *fields))
    until(lambda: [r for r in ops.proxy.records("globex", "grant.change", state="no effect") if r["n"] > mark], "no effect")
    ops.put(*ops.sign("dora", "approve", "globex", *fields))
    tampering(ops, mark, "the key may not sign this", "globex")
    mark = ops.proxy.mark("acme")
    ops.put(*ops.sign("gus", "approve", "acme", *fields))
    tampering(ops, mark, "the key may not sign this", "acme")
    assert ops.refusal()["C"] == "42501"


def test_an_operator_is_added_by_hand(ops):
    """A row in the directory, and a grant for her: the directory is necessary and never sufficient."""
    ops.certify("mallory")
    with ops.store() as opened:
        opened.execute("INSERT INTO operator VALUES ('mallory', '', '')")
        until(lambda: ops.refusal_or_none("mallory").startswith('operator "mallory" has no active'), "she is known now")
        opened.execute("DELETE FROM operator WHERE id = 'mallory'")


def test_credentials_moved_between_tenants(ops):
    """Globex's scope credentials in acme's row: they are sealed for globex, so the store is damaged, and nobody comes in by
    it once the last good one is too old."""
    ops.grant()
    with ops.store() as opened:
        mine = opened.execute("SELECT scope, login FROM scope_login WHERE tenant = 'acme'").fetchall()
        opened.execute("UPDATE scope_login SET login = (SELECT o.login FROM scope_login o WHERE o.tenant = 'globex'"
                       " AND o.scope = scope_login.scope) WHERE tenant = 'acme'")
        try:
            until(lambda: ops.refusal_or_none() not in ("", "in"), "acme's are not globex's", 25, 0.2)
        finally:
            opened.executemany("UPDATE scope_login SET login = ? WHERE tenant = 'acme' AND scope = ?",
                               [(login, scope) for scope, login in mine])
    until(lambda: ops.refusal_or_none() == "in", "with the right ones Alice is in", 10, 0.1)


# --- the trust folder ---

def test_a_key_is_withdrawn_while_alice_is_in(ops):
    """Bob's key was stolen: what he approved ends, at once for those who are in."""
    ops.make_key("bert", "provider-approver")
    until(lambda: [r for r in ops.proxy.records("_provider", "grant.change", action="key added") if "bert" in r["detail"]],
          "Bert may approve")
    grant = ops.request()
    ops.approve(grant, "bert")
    ops.approve(grant, "dora")
    ops.becomes(grant, "active")
    with ops.connect() as alice:
        text = (ops.trust / "bert.key").read_text()
        ops.trust_file("bert", text.replace("withdrawn: -", f"withdrawn: {instant()}"))
        with pytest.raises(psycopg.Error, match=f"grant {grant} is revoked: key withdrawn"):
            until(lambda: not alice.execute("SELECT 1"), "never")
    assert ops.becomes(grant, "revoked")["action"] == "key withdrawn"
    assert ops.refusal()["C"] == "42501"


def test_a_key_younger_than_what_it_signs(ops):
    """Dated back to before the key was good."""
    grant = ops.request()
    ops.approve(grant)
    mark = ops.proxy.mark("acme")
    ops.said(grant, "dora", "approve", ("scope", "read"), ("databases", "app"),
             ("not-after", ops.ctl_json("grant", "show", grant)["ends"]), at=instant(-86400))
    tampering(ops, mark, "could not at that time", "acme")
    assert ops.states()[grant] == "requested"
    assert ops.refusal()["C"] == "42501"


def test_a_revocation_dated_in_the_future(ops):
    """In the store, as a proxy with a faster clock took it: this one lets nobody in until it counts here, too."""
    grant = ops.grant()
    mark = ops.proxy.mark("acme")
    ops.put(*ops.sign("dora", "revoke", "acme", ("request", ops.digest(grant)), ("reason", "from the future"), at=instant(75)))
    tampering(ops, mark, "dated in the future", "acme")
    is_kept_out(ops)
    ops.becomes(grant, "revoked", seconds=30)
    until(lambda: "kept out" not in ops.refusal_or_none(), "acme is judged again", 10, 0.1)
    assert ops.refusal()["C"] == "42501"


def test_the_provider_replaces_acmes_key(ops):
    """Another of acme's approvers, Dan: his public key is swapped for one that the provider has. Acme is closed to operators,
    and told; globex goes on."""
    _, real = ops.make_key("dan", "tenant-approver", "acme")
    ops.proxy.awaits("acme", "grant.change", action="key added")
    grant = ops.request()
    ops.approve(grant)
    ops.approve(grant, "dan")
    ops.becomes(grant, "active")
    elsewhere = ops.grant("amy", "globex")
    _, false = ops.make_key("dan", "tenant-approver", "acme", file="false-dan", trusted=False)
    mark = ops.proxy.mark("acme")
    with ops.connect() as alice:
        ops.trust_file("dan", false)
        with pytest.raises(psycopg.Error):
            until(lambda: not alice.execute("SELECT 1"), "never")
    tampering(ops, mark, "a key that is not in the trust folder", "acme")
    is_kept_out(ops)
    fresh = ops.request("amy")
    for person in ("bob", "false-dan"):
        ops.approve(fresh, person)
    is_kept_out(ops, "amy")
    ops.psql("SELECT 1", "amy", "globex")
    ops.revoke(fresh)
    ops.trust_file("dan", real)
    ops.trust_file("false-dan", false.replace("withdrawn: -", f"withdrawn: {instant()}"))  # it signed: it has to stay
    until(lambda: "kept out" not in ops.refusal_or_none(), "with Dan's own key acme is judged again", 10, 0.1)
    assert ops.states()[elsewhere] == "active"


@pytest.mark.parametrize("how", ["writable", "garbage", "twice"])
def test_a_key_file_that_does_not_count(ops, how):
    """Writable by others, not a key, another person's key: named in the proxy's log, and no signature of it counts."""
    path, text = ops.make_key("eve", "provider-approver", file=f"eve-{how}", trusted=False)
    if how == "garbage":
        text = text.replace("sekisho-key 1", "sekisho-key 2")
    file = ops.trust_file(f"eve-{how}", text)
    if how == "writable":
        os.chmod(file, 0o666)
    if how == "twice":
        ops.trust_file(f"eve-{how}", text.replace("name: eve", "name: evelyn").replace("provider-approver", "operator"))
        ops.trust_file(f"eve-{how}-2", text)
    try:
        until(lambda: f"trust file eve-{how}" in ops.proxy.log(), "the proxy says which file does not count")
        grant = ops.request()
        assert ops.approve(grant, f"eve-{how}", check=False).returncode == 1
        assert ops.ctl_json("grant", "show", grant)["needs_provider"] == 1
    finally:
        for file in ops.trust.glob("eve-*"):
            file.unlink()


def test_a_revocation_hidden_while_the_broker_starts(ops):
    """It was replaced by rubbish, and the broker never saw another one; put back, it counts."""
    grant = ops.grant()
    ops.revoke(grant)
    ops.becomes(grant, "revoked")
    ops.request("amy", "globex")  # so that it is not the last row that was accepted
    head = ops.proxy.home / "state" / "statements.head"
    with tampered(ops) as store:
        [last] = store.execute("SELECT max(n) FROM statement").fetchone()
        until(lambda: head.read_text().startswith(f"{last} "), "the broker accepted it")
        n, body = [row for row in store.execute("SELECT n, body FROM statement ORDER BY n") if b"kind: revoke" in row[1]][-1]
        store.execute("UPDATE statement SET body = ? WHERE n = ?", (body.replace(b"reason: ", b"reason; "), n))
        ops.proxy.stop()
        ops.proxy.start()
        until(lambda: "kept out" in ops.refusal_or_none(), "what is there is not what was accepted", 10, 0.1)
    assert ops.refusal_or_none() != "in"
    assert "has no active break-glass grant" in ops.refusal()["M"]
