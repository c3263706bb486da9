# SPDX-License-Identifier: ISC
"""Passwords are guessed: the guesser waits, one guess after the other; the owner elsewhere does not notice."""
import os
import signal
import time

import psycopg
import pytest

import wire
from fleet import is_ours, until
from test_before_auth import course

SETTINGS = {"login_timeout": "12s"}


def test_guessing_costs_the_guesser_only(proxy, acme):
    """Different guesses are answered more and more slowly; the same mistake again is not; the owner elsewhere is free."""
    acme.sql("CREATE ROLE target LOGIN PASSWORD 'target secret'")
    took = [course(proxy, "target", f"guess {n}", source="127.0.40.1")[2] for n in range(5)]
    assert took[4] > 1.0 and took[4] > 2 * took[2], took
    begun = time.monotonic()
    owner = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test", source="127.0.41.1")
    wire.login(owner, user="target", password="target secret")
    assert time.monotonic() - begun < 1.0
    owner.close()
    other = wire.tls(proxy.port, proxy.fleet.authority, "globex.db.test", source="127.0.40.1")
    begun = time.monotonic()
    with pytest.raises(wire.Refused):
        wire.login(other, user="target", password="x")
    assert time.monotonic() - begun < 20
    other.close()


def test_the_owner_behind_the_guessers_network_waits_but_is_never_locked_out(proxy, acme):
    acme.sql("CREATE ROLE clumsy LOGIN PASSWORD 'clumsy secret'")
    for n in range(4):
        course(proxy, "clumsy", f"guess {n}", source="127.0.42.1")
    for _ in range(2):
        begun = time.monotonic()
        client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test", source="127.0.42.1")
        assert wire.login(client, user="clumsy", password="clumsy secret")[0]
        client.close()
    assert time.monotonic() - begun < 1.0, "the right password has forgiven"


def proofs_at_once(proxy, user, passwords, source):
    """Everybody goes up to the proof, then all proofs are given: what each hears, "in" or a SQLSTATE."""
    waiting = []
    for password in passwords:
        client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test", source=source)
        client.send(wire.startup(user=user, database="app"))
        wire.sasl_offer(client)
        scram = wire.Scram(password)
        client.send(wire.sasl_initial(b"SCRAM-SHA-256", scram.first()))
        waiting.append((client, wire.message(b"p", scram.final(client.until(b"R")[1][4:]))))
    for client, proof in waiting:
        client.send(proof)
    heard = []
    for client, _ in waiting:
        try:
            client.until(b"Z")
            heard.append("in")
        except wire.Refused as error:
            heard.append(error.fields["C"])
        client.close()
    return heard


def test_guessing_in_parallel_gains_nothing(proxy, acme):
    """Forty proofs at once are told one after the other; the right one among them is not let in before its turn."""
    acme.sql("CREATE ROLE dora LOGIN PASSWORD 'dora secret'")
    mark = proxy.mark("acme")
    heard = proofs_at_once(proxy, "dora", [f"guess {n}" for n in range(30)] + ["dora secret"] + ["x"] * 9, "127.0.43.1")
    told = [what for what in heard if what in ("28P01", "in")]
    assert "in" not in heard and 2 <= len(told) <= 15, heard
    assert set(heard) <= {"28P01", "53300"}, heard
    proxy.awaits("acme", "session.refused", after=mark, reason="too many wrong passwords", user="dora")
    # Nobody is locked out elsewhere, nor is a pool that fills itself slowed.
    assert proofs_at_once(proxy, "dora", ["dora secret"] * 20, "127.0.44.1") == ["in"] * 20


def is_let_in(proxy):
    try:
        return proxy.one("acme", "SELECT 1") == 1
    except psycopg.Error:
        return False


def test_guesses_count_over_cells_and_their_restarts(proxy, acme):
    acme.sql("CREATE ROLE emil LOGIN PASSWORD 'emil secret'")
    for n in range(5):
        course(proxy, "emil", f"guess {n}", source="127.0.45.1")
    cell = proxy.pid("cell acme")
    os.kill(cell, signal.SIGKILL)
    until(lambda: not is_ours(cell), "the cell is dead")
    until(lambda: is_let_in(proxy), "acme has another")
    heard = proofs_at_once(proxy, "emil", ["x", "emil secret", "y", "z"], "127.0.45.1")
    assert heard.count("53300") >= 1, heard
