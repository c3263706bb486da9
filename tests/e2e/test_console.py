# SPDX-License-Identifier: ISC
"""The virtual database `sekisho`: Dana administers acme and Gina globex, with their own databases' roles; Alice and Bob are
the provider's; whoever is on the proxy's host comes in by the local socket. Everybody uses psql, a driver or sekishoctl, and
nobody has a shell on the host but the last."""
import base64
import hashlib
import json
import os
import subprocess
import threading

import psycopg
import pytest

from fleet import SEKISHOCTL, run, until
from operators import OPERATOR_DOMAIN, Operators, instant
from tickets import TicketProgram, TicketServer


@pytest.fixture(scope="module")
def people(empty_fleet):
    program = TicketProgram(empty_fleet.folder)
    server = TicketServer(tls=empty_fleet.authority.issue(empty_fleet.folder / "tickets-tls", "localhost"))
    made = Operators(empty_fleet, ticket_checker=program.path, ticket_timeout="6s", ticket_ca=empty_fleet.authority.crt,
                     ticket_url=f"https://localhost:{server.port}/tickets?of=sekisho")
    made.program, made.server = program, server
    for name, role in (("acme", "dana"), ("globex", "gina")):
        made.fleet.instances[name].sql(f"CREATE ROLE {role} LOGIN PASSWORD 'their own'")
        made.ctl("tenant", "set", name, "--admins", role)
    made.certify("bob")
    made.ctl("operator", "add", "bob")
    until(lambda: admin(made, "acme", "dana", check=False).returncode == 0, "acme's administrator gets in", 10, 0.2)
    yield made
    program.clear()
    server.close()


def admin_dsn(people, tenant, role):
    return people.proxy.dsn(tenant, user=role, password="their own", dbname="sekisho")


def admin(people, tenant, role, sql="SELECT 1", check=True):
    return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", admin_dsn(people, tenant, role), input=sql, check=check)


def local(people, sql, check=True):
    return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", f"host={people.proxy.home}/run dbname=sekisho", input=sql, check=check)


def console(people, who="alice"):
    return psycopg.connect(people.dsn(who, dbname="sekisho"), autocommit=True)


def entered(people, who):
    try:
        console(people, who).close()
        return True
    except psycopg.OperationalError:
        return False


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
    with people.proxy.connect("globex"), psycopg.connect(admin_dsn(people, "acme", "dana")) as connection:
        assert {row[1] for row in connection.execute("SHOW SESSIONS").fetchall()} == {"acme"}
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


def test_who_is_no_administrator_any_more_is_out(people):
    people.globex.sql("CREATE ROLE greta LOGIN PASSWORD 'their own'")
    people.ctl("tenant", "set", "globex", "--admins", "gina,greta")
    until(lambda: admin(people, "globex", "greta", check=False).returncode == 0, "Greta is an administrator", 10, 0.2)
    with psycopg.connect(admin_dsn(people, "globex", "greta"), autocommit=True) as greta, \
            psycopg.connect(admin_dsn(people, "globex", "gina"), autocommit=True) as gina:
        assert greta.execute("SHOW POLICY").fetchall()
        people.ctl("tenant", "set", "globex", "--admins", "gina")
        with pytest.raises(psycopg.Error, match="is not an administrator any more"):
            until(lambda: not greta.execute("SELECT 1"), "never")
        assert gina.execute("SHOW POLICY").fetchall(), "nobody else is bothered"
    assert "only the tenant's administrators" in admin(people, "globex", "greta", check=False).stderr


def test_an_operator_who_has_left_is_out_of_the_console(people):
    people.certify("otto")
    people.ctl("operator", "add", "otto")
    until(lambda: entered(people, "otto"), "Otto is an operator", 10, 0.2)
    with console(people, "otto") as otto, console(people, "bob") as bob:
        assert otto.execute("SHOW GRANTS").fetchall() == []
        people.ctl("operator", "remove", "otto")
        with pytest.raises(psycopg.Error, match='"otto" is not known here any more'):
            until(lambda: otto.execute("SHOW GRANTS") and False, "he is cut")
        bob.execute("SHOW GRANTS")
    people.proxy.awaits("_provider" if not people.proxy.records("acme", "session.close", operator="otto") else "acme",
                        "session.close", operator="otto")


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
    assert "there is no such grant" in admin(people, "globex", "gina", f"SHOW GRANT '{grant}'", check=False).stderr
    shown = admin(people, "globex", "gina", "SHOW STATEMENTS; SHOW TRUST; SHOW SESSIONS; SHOW STANDING; SHOW LOCKS").stdout
    assert "gus" in shown and "acme" not in shown, "nothing of acme's"
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


def test_an_operator_sees_no_session_of_others(people):
    """Neither the tenants' own nor another operator's; whoever approves sees the operators' sessions."""
    grant = people.grant("amy")
    with people.proxy.connect("acme"), people.connect("amy"):
        for who, seen in (("alice", []), ("amy", [grant]), ("bob", [grant])):
            with console(people, who) as connection:
                assert [row[7] for row in connection.execute("SHOW SESSIONS").fetchall()] == seen, who
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


# --- whoever must agree to a ticket ---

def request_for(people, ticket, what="support", who="alice"):
    return as_text(people.sign(who, "request", "acme", ("ticket", ticket), ("reason", "orders are missing"),
                               ("reason-code", "customer-case"), ("class", what), ("scope", "diagnose"), ("databases", "app"),
                               ("not-before", instant()), ("not-after", instant(3600))))


class Asking(threading.Thread):
    """One request on its way at the console: `answer` is the row or the error."""

    def __init__(self, connection, statement):
        super().__init__(daemon=True)
        self.connection, self.statement, self.answer = connection, statement, None
        self.start()

    def run(self):
        try:
            self.answer = self.connection.execute("REQUEST %s %s", [*self.statement]).fetchone()
        except psycopg.Error as error:
            self.answer = error

    def outcome(self):
        self.join(30)
        assert not self.is_alive(), "there is an answer"
        return self.answer


def tickets(people):
    return [line.split("|")[6] for line in local(people, "SHOW GRANTS").stdout.splitlines()]


def test_program_and_address_agree_before_a_request_counts(people):
    people.program.clear()
    people.server.asked.clear()
    with console(people) as alice:
        assert alice.execute("REQUEST %s %s", [*request_for(people, "CASE-21")]).fetchone()
        # An approval is nobody's ticket.
        asked = people.program.asked()
        people.approve(people.states().popitem()[0])
        assert people.program.asked() == asked and len(asked) == 1
    ticket, tenant, operator, *rest = asked[0]
    assert (ticket, tenant, operator) == ("CASE-21", "acme", "alice")
    variables = {word.split("=")[0] for word in rest[:-1]}
    assert "PATH" in variables and variables <= {"PATH", "PWD", "OLDPWD", "_", "SHLVL"}, "the rest is the shell's own"
    assert rest[-1].split() == ["0", "1", "2", "3"], "the fourth is the folder that ls reads"
    assert people.server.asked == [("/tickets", {"of": "sekisho", "ticket": "CASE-21", "tenant": "acme", "operator": "alice"})]
    people.tidy()


@pytest.mark.parametrize("ticket, why", [("CLOSED-1", "the ticket is closed ?[2J? は"), ("GONE-1", "answered with status 404"),
                                         ("MOVED-1", "answered with status 302")])
def test_one_of_them_does_not_agree(people, ticket, why):
    with console(people) as alice:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
            alice.execute("SUBMIT %s %s", [*request_for(people, ticket)])
        assert refused.value.diag.message_primary.startswith(f"the ticket {ticket} was not confirmed: ")
        assert refused.value.diag.message_primary.endswith(why) and "ticket" in refused.value.diag.message_hint
        assert alice.execute("SELECT 1").fetchone(), "the session goes on"
    assert ticket not in tickets(people)


def test_an_emergency_goes_on_and_says_so(people):
    mark = people.proxy.mark("acme")
    with console(people) as alice:
        said = []
        alice.add_notice_handler(lambda notice: said.append((notice.severity, notice.message_primary)))
        assert alice.execute("REQUEST %s %s", [*request_for(people, "CLOSED-2", "emergency")]).fetchone()
        assert len(said) == 1 and said[0][0] == "WARNING" and said[0][1].startswith("ticket unchecked: CLOSED-2 ")
    record = people.proxy.awaits("acme", "admin.change", after=mark, action="statement.request")
    assert "signed by alice" in record["detail"] and "ticket unchecked: the ticket is closed" in record["detail"]
    body, signature = request_for(people, "CLOSED-3", "emergency")
    done = people.psql(f"REQUEST {quoted(body)} {quoted(signature)};", dbname="sekisho")
    assert "WARNING:  ticket unchecked: CLOSED-3" in done.stderr
    asked = from_a_laptop(people, "alice", "grant", "request", "--tenant", "acme", "--database", "app", "--scope", "diagnose",
                          "--ticket", "GONE-2", "--reason", "now", "--for", "1h", "--class", "emergency", "--key",
                          people.folder / "alice.pem")
    assert "hint: ticket unchecked: GONE-2 could not be confirmed (ticket_url answered with status 404)" in asked.stderr
    assert {"CLOSED-2", "CLOSED-3", "GONE-2"} <= set(tickets(people))
    people.tidy()


def test_a_ticket_that_nobody_answers_for_holds_up_nobody(people):
    people.program.clear()
    with console(people) as alice, psycopg.connect(admin_dsn(people, "globex", "gina"), autocommit=True) as gina:
        asking = Asking(alice, request_for(people, "HANG-1"))
        until(lambda: people.program.alive(), "the program hangs")
        gina.execute("SHOW POLICY").fetchall()
        assert admin(people, "acme", "dana").stdout == "1\n", "a new session is served, too"
        assert asking.is_alive() and asking.answer is None
        refused = asking.outcome()
        assert isinstance(refused, psycopg.errors.InsufficientPrivilege) and "no answer within 6000 ms" in str(refused)
    until(lambda: not people.program.alive(), "it was killed, and what it started")
    assert "HANG-1" not in tickets(people)


def test_who_leaves_before_the_answer_has_asked_nothing(people):
    people.program.clear()
    connection = console(people)
    Asking(connection, request_for(people, "HANG-2"))
    until(lambda: people.program.alive(), "the program hangs")
    connection.pgconn.finish()
    until(lambda: not people.program.alive(), "nobody needs the answer any more", 5)
    assert "HANG-2" not in tickets(people)


def test_so_many_tickets_are_checked_at_once_and_no_more(people):
    people.program.clear()
    requests = [request_for(people, f"HOLD-{n}") for n in range(8)]
    ninth, emergency = request_for(people, "CASE-22"), request_for(people, "CASE-23", "emergency")
    connections = [console(people) for _ in range(9)]
    asking = [Asking(*pair) for pair in zip(connections, requests)]
    until(lambda: len(people.program.about("HOLD-")) == 8, "eight are being checked", 5)
    with pytest.raises(psycopg.errors.TooManyConnections, match="too many tickets are being checked"):
        connections[8].execute("REQUEST %s %s", [*ninth])
    assert connections[8].execute("REQUEST %s %s", [*emergency]).fetchone(), "it goes on, unchecked"
    people.program.released.touch()
    assert all(isinstance(one.outcome(), tuple) for one in asking), [one.answer for one in asking]
    assert connections[8].execute("REQUEST %s %s", [*ninth]).fetchone(), "there is room again"
    for connection in connections:
        connection.close()
    assert len([t for t in tickets(people) if t.startswith("HOLD-")]) == 8
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
