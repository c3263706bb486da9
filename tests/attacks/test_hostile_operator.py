# SPDX-License-Identifier: ISC
"""Somebody took over the cell of one operator's session (tests/hostile): Amy's, who has no grant. Whatever that cell asks of the
kernel or says to the others, Alice's session at the same tenant goes on, and her trail in the log has nothing but her own.
"""
import contextlib
import json

import psycopg
import pytest

from fleet import BIN, Fleet, until, verify_by_hand
from operators import Operators

HOSTILE = BIN / "tests/hostile/sekisho"
CALLS = ["openat", "socket", "connect", "execve", "fork", "ptrace", "kill", "mmap-exec"]
# Words that end their sender: others' words, malformed ones, and lies about sessions and grants.
BREACHES = ["broker:admit", "broker:granted", "broker:statement", "broker:snapshot", "broker:kill", "broker:opened", "broker:event",
            "broker:version", "broker:descriptor", "ledger:settings", "ledger:event", "ledger:open", "ledger:close", "ledger:said",
            "ledger:ended", "ledger:resume", "ledger:unknown", "gate:handover", "gate:retire", "gate:long", "supervisor:settings",
            "supervisor:wanted", "supervisor:kill", "supervisor:truncated"]


@pytest.fixture(scope="module")
def company():
    fleet = Fleet()
    made = Operators(fleet, program=HOSTILE, login_timeout="60s")
    made.reading = made.grant()
    made.session = made.connect()
    made.before = made.proxy.records("acme", "session.open", grant=made.reading)[-1]
    yield made
    made.session.close()
    fleet.stop()


@pytest.fixture(autouse=True)
def alice(company):
    """Her session is at work before and after, and all that the log has under its number is what she did."""
    asked = company.proxy.mark("acme")
    yield company.before["session"]
    assert company.session.execute("SELECT count(*) FROM who", prepare=False).fetchone() == (3,)
    trail = [r for r in company.proxy.records("acme") if r["n"] > asked and r.get("session") == company.before["session"]]
    assert {r["operator"] for r in trail} == {"alice"} and {r["event"] for r in trail} <= {"operator.statement", "operator.result"}
    assert {r["sql"] for r in trail if "sql" in r} == {"SELECT count(*) FROM who"}
    assert "forged" not in json.dumps(trail)
    verify_by_hand(company.proxy.lines("acme"))


def attempt(company, what, number=0):
    with contextlib.suppress(psycopg.OperationalError):
        company.connect("amy", application_name=f"hostile:{what}:{number:x}", connect_timeout=30).close()


def ended(company, mark, what):
    found = until(lambda: [r for r in company.proxy.records("acme", "process.crash") if r["n"] > mark],
                  f"the cell is ended for {what}", 20)
    assert [r["process"] for r in found] == ["operator acme"], found
    return found[0]


def test_forbidden_calls_end_the_cell_and_are_named(company):
    victim = company.proxy.pid("broker")
    for what in CALLS:
        mark = company.proxy.mark("acme")
        attempt(company, f"call:{what}", victim)
        record = ended(company, mark, what)
        assert (record["signal"], record["reason"]) == ("SIGSYS", f"forbidden system call: {what.removesuffix('-exec')}"), record


def test_forged_and_malformed_words_end_the_cell(company, alice):
    for what in BREACHES:
        mark = company.proxy.mark("acme")
        attempt(company, what, int(alice, 16))
        assert ended(company, mark, what)["signal"] == "SIGKILL", what
    assert "no attempt that exists" not in company.proxy.log()


@pytest.mark.parametrize("what", ["broker:release", "broker:cancel", "gate:key"])
def test_words_of_its_own_do_not_reach_alice(company, alice, what):
    """Ending her session, cancelling what she asks, a key like hers: it counts for its own sessions, and it has none."""
    asking = company.session.cursor()
    mark = company.proxy.mark("acme")
    attempt(company, what, int(alice, 16))
    assert asking.execute("SELECT count(*) FROM who", prepare=False).fetchone() == (3,)
    assert not [r for r in company.proxy.records("acme") if r["n"] > mark and r["event"] in ("session.close", "session.cancel")
                and r["session"] == alice]


def test_it_grants_itself_nothing(company, alice):
    """It says that it was let in already: under a grant of its invention, and under Alice's. Neither is Amy's."""
    for grant in (0x1234, int(company.reading, 16)):
        mark = company.proxy.mark("acme")
        attempt(company, "broker:hold", grant)
        assert ended(company, mark, "holding without a grant")["signal"] == "SIGKILL"
    assert not [r for r in company.proxy.records("acme", "session.open") if r["user"] == "amy"]
    assert company.refusal("amy")["C"] == "42501"
