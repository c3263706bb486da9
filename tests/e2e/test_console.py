# SPDX-License-Identifier: ISC
"""The virtual database `sekisho`: Dana administers acme and Gina globex, with their own databases' roles; Alice and Bob are
the provider's; whoever is on the proxy's host comes in by the local socket. Everybody uses psql, a driver or sekishoctl, and
nobody has a shell on the host but the last."""
import base64
import hashlib
import json
import os
import subprocess

import psycopg
import pytest

from fleet import SEKISHOCTL, run, until
from operators import OPERATOR_DOMAIN, Operators, instant


@pytest.fixture(scope="module")
def people(empty_fleet):
    made = Operators(empty_fleet)
    for name, role in (("acme", "dana"), ("globex", "gina")):
        made.fleet.instances[name].sql(f"CREATE ROLE {role} LOGIN PASSWORD 'their own'")
        made.ctl("tenant", "set", name, "--admins", role)
    made.certify("bob")
    made.ctl("operator", "add", "bob")
    until(lambda: admin(made, "acme", "dana", check=False).returncode == 0, "acme's administrator gets in", 10, 0.2)
    return made


def admin_dsn(people, tenant, role):
    return people.proxy.dsn(tenant, user=role, password="their own", dbname="sekisho")


def admin(people, tenant, role, sql="SELECT 1", check=True):
    return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", admin_dsn(people, tenant, role), input=sql, check=check)


def local(people, sql, check=True):
    return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", f"host={people.proxy.home}/run dbname=sekisho", input=sql, check=check)


def console(people, who="alice"):
    return psycopg.connect(people.dsn(who, dbname="sekisho"), autocommit=True)


def from_a_laptop(people, who, *words, tenant=None):
    """sekishoctl with nothing but the network, a certificate or a password, and a key."""
    base = people.folder / who
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PGSSLROOTCERT": str(people.fleet.authority.crt),
                   "PGHOSTADDR": "127.0.0.1"}
    if tenant:
        host = f"{tenant}.db.test:{people.proxy.port}"
        environment.update(PGUSER={"acme": "dana", "globex": "gina"}[tenant], PGPASSWORD="their own")
    else:
        host = f"acme.{OPERATOR_DOMAIN}:{people.port}"
        environment.update(PGUSER=who, PGSSLCERT=f"{base}.crt", PGSSLKEY=f"{base}.key")
    done = subprocess.run([str(w) for w in (SEKISHOCTL, "--host", host, "--json", *words)],
                          env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return done


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def test_the_customer_reads_what_concerns_them_and_nothing_of_others(people):
    people.proxy.one("acme", "SELECT 42")
    people.proxy.one("globex", "SELECT 43")
    rows = [json.loads(line[line.index("{"):]) for line in admin(people, "acme", "dana", "SHOW AUDIT").stdout.splitlines()]
    assert {r["tenant"] for r in rows} == {"acme"} and any(r["event"] == "session.open" for r in rows)
    refused = admin(people, "acme", "dana", "SHOW AUDIT TENANT 'globex'", check=False)
    assert "permission denied" in refused.stderr and not refused.stdout
    with psycopg.connect(admin_dsn(people, "acme", "dana")) as connection:
        assert connection.execute("SHOW SESSIONS").fetchall()[0][1] == "acme"
        n, sha256 = connection.execute("SHOW CHECKPOINT").fetchone()[1::2]
        line = people.proxy.lines("acme")[int(n) - 1]
    assert hashlib.sha256(line).hexdigest() == sha256
    assert {line.split("|")[0] for line in admin(people, "acme", "dana", "SHOW POLICY").stdout.splitlines()} == {"acme"}


def test_reading_is_recorded_before_it_is_shown(people):
    mark = people.proxy.mark("acme")
    shown = admin(people, "acme", "dana", "SHOW AUDIT LIMIT 1").stdout
    record = people.proxy.awaits("acme", "log.read", after=mark)
    assert record["actor"] == "dana" and record["action"] == "SHOW AUDIT"
    assert f'"n":{record["n"]},' in shown, "the reading itself is the newest record of what is read"
    assert not people.proxy.records("globex", "log.read", actor="dana")


def test_a_role_that_is_no_administrator_is_refused(people):
    refused = run("psql", "-XAtqc", "SHOW AUDIT", people.proxy.dsn("acme", dbname="sekisho"), check=False)
    assert "only the tenant's administrators" in refused.stderr


def test_from_request_to_review_without_a_shell_on_the_host(people):
    key = people.folder / "alice.pem"
    asked = from_a_laptop(people, "alice", "grant", "request", "--tenant", "acme", "--database", "app", "--scope", "read",
                          "--ticket", "CASE-7", "--reason", "it's slow", "--for", "1h", "--key", key)
    grant = json.loads(asked.stdout)["grant"]
    with console(people, "bob") as bob:
        assert [row[0] for row in bob.execute("SHOW APPROVALS").fetchall()] == [grant]
    from_a_laptop(people, "bob", "grant", "approve", grant, "--key", people.folder / "bob.pem")
    assert admin(people, "acme", "dana", "SHOW APPROVALS").stdout.split("|")[0] == grant
    assert admin(people, "globex", "gina", "SHOW GRANTS").stdout == ""
    from_a_laptop(people, "dora", "grant", "approve", grant, "--key", people.folder / "dora.pem", tenant="acme")
    people.becomes(grant, "active")
    assert people.psql("SELECT count(*) FROM who").stdout.strip() == "3"
    read = admin(people, "acme", "dana", "SHOW AUDIT").stdout
    assert "SELECT count(*) FROM who" in read
    assert [row.split("|")[0] for row in admin(people, "acme", "dana", "SHOW ACCESS").stdout.splitlines()] == [grant]
    from_a_laptop(people, "dora", "grant", "revoke", grant, "--reason", "done", "--key", people.folder / "dora.pem",
                  tenant="acme")
    people.becomes(grant, "revoked")
    assert admin(people, "acme", "dana", "SHOW ACCESS").stdout == ""


def test_an_operator_sees_their_own_and_never_a_log(people):
    grant = people.request("amy")
    with console(people, "alice") as alice:
        assert grant not in [row[0] for row in alice.execute("SHOW GRANTS").fetchall()]
        with pytest.raises(psycopg.errors.UndefinedObject):
            alice.execute("SHOW GRANT %s", [grant])
        for command in ("SHOW AUDIT", "SHOW CHECKPOINT"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                alice.execute(command)
        bodies = [row[6] for row in alice.execute("SHOW STATEMENTS").fetchall()]
        assert not any("signer: amy" in body for body in bodies)
    with console(people, "amy") as amy:
        assert grant in [row[0] for row in amy.execute("SHOW GRANTS").fetchall()]
    with console(people, "bob") as bob:
        assert grant in [row[0] for row in bob.execute("SHOW GRANTS").fetchall()]
    people.tidy()


def test_a_signature_is_worth_something_only_from_its_person_and_its_tenant(people):
    grant = people.request("alice")
    digest = people.digest(grant)
    fields = [("request", digest), ("scope", "read"), ("databases", "app"), ("not-after", instant(1800))]

    def hand_in(connection, signer, kind="approve", tenant="acme", lines=fields):
        body, signature = people.sign(signer, kind, tenant, *lines)
        return connection.execute("SUBMIT %s %s", [body.decode(), base64.b64encode(signature).decode()]).fetchone()

    with console(people, "alice") as alice:
        for signer in ("bob", "dora"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                hand_in(alice, signer)
    with psycopg.connect(admin_dsn(people, "globex", "gina"), autocommit=True) as gina:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            hand_in(gina, "dora")
    people.certify("dora")
    people.ctl("operator", "add", "dora")
    with until(lambda: open_console(people, "dora"), "dora has a certificate too", 5, 0.2) as dora:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="consent is not taken"):
            hand_in(dora, "dora")
    with psycopg.connect(admin_dsn(people, "acme", "dana"), autocommit=True) as dana:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            dana.execute("DENY %s %s", [*as_text(people.sign("dora", "approve", "acme", *fields))])
        assert hand_in(dana, "dora")[0]
        with pytest.raises(psycopg.Error):
            hand_in(dana, "dora", lines=[*fields[:3], ("not-after", instant(7200))])
    people.becomes(grant, "requested")
    people.tidy()


def as_text(signed):
    return signed[0].decode(), base64.b64encode(signed[1]).decode()


def open_console(people, who):
    try:
        return console(people, who)
    except psycopg.OperationalError:
        return None


def test_psql_hands_in_a_statement_as_a_quoted_text(people):
    body, signature = as_text(people.sign("alice", "request", "acme", ("ticket", "CASE-1"), ("reason", "it's a \\ quote"),
                                          ("reason-code", "customer-case"), ("class", "support"), ("scope", "read"),
                                          ("databases", "app"), ("not-before", instant()), ("not-after", instant(3600))))
    done = people.psql(f"REQUEST {quoted(body)}\n {quoted(signature)};", dbname="sekisho")
    grant = done.stdout.split("|")[0]
    again = people.psql(f"REQUEST {quoted(body)} {quoted(signature)};", dbname="sekisho", check=False)
    assert "ERROR" in again.stderr
    assert grant in local(people, "SHOW GRANTS").stdout
    people.tidy()


def test_a_long_log_does_not_hold_up_the_others(people):
    """Dana asks for a long log and takes none of it; Gina is answered meanwhile; then Dana gets every line, in order."""
    grant = people.grant()
    with people.connect() as alice, alice.pipeline():
        for n in range(600):
            alice.execute(f"SELECT {n}, '{'x' * 2000}'")
    lines = people.proxy.mark("acme")
    with psycopg.connect(admin_dsn(people, "acme", "dana"), autocommit=True) as dana, dana.cursor() as cursor:
        stream = cursor.stream("SHOW AUDIT")
        numbers = [int(next(stream)[0])]
        assert admin(people, "globex", "gina").stdout == "1\n"
        numbers += [int(row[0]) for row in stream]
        assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > lines
        assert len(dana.execute("SHOW AUDIT LIMIT 1000").fetchall()) == 1000
    people.revoke(grant)
    people.tidy()


def test_the_local_socket_is_its_owners_and_shows_everything(people):
    path = people.proxy.home / "run" / ".s.PGSQL.5432"
    assert path.stat().st_mode & 0o777 == 0o600
    both = {line.split("|")[0] for line in local(people, "SHOW POLICY").stdout.splitlines()}
    assert both == {"acme", "globex"}
    assert "node.start" in local(people, "SHOW AUDIT").stdout
    wrong = run("psql", "-XAtqc", "SHOW HELP", f"host={people.proxy.home}/run dbname=postgres", check=False)
    assert 'the only database here is "sekisho"' in wrong.stderr and "dbname=sekisho" in wrong.stderr
    pids = people.proxy.pids("console")
    os.kill(pids[0], 9)
    until(lambda: people.proxy.pids("console") not in ([], pids) and local(people, "SELECT 1", check=False).returncode == 0,
          "another console serves", 10)
