# SPDX-License-Identifier: ISC
"""When nobody can judge an operator any more: no store, no broker, no memory of what was accepted. Nobody stays, nobody
gets in, and a tenant's own sessions notice nothing."""
import os
import signal

import psycopg
import pytest

from fleet import until


def is_over(alice):
    try:
        alice.execute("SELECT 1")
    except psycopg.Error:
        return True
    return False


@pytest.fixture
def storeless(ops):
    """The store's file is away until the test is over."""
    state = ops.proxy.home / "state"
    away = ops.proxy.home / "away"
    away.mkdir(exist_ok=True)

    def put(source, target):
        for part in list(source.glob("store.sqlite*")):
            part.rename(target / part.name)

    yield lambda: put(state, away)
    put(away, state)
    judged = ("in", "active")
    until(lambda: any(word in ops.refusal_or_none("alice") for word in judged), "alice is judged again", 20, 0.2)


def test_a_store_that_cannot_be_read_ends_operators_and_nobody_else(ops, storeless):
    ops.proxy.configure(**{**ops.settings, "directory_max_age": "2s"})
    ops.proxy.reload()
    grant = ops.grant()
    with ops.connect() as alice, ops.proxy.connect("acme") as app:
        storeless()
        until(lambda: is_over(alice), "alice is out", 15)
        assert ops.proxy.awaits("acme", "session.close", grant=grant)["reason"] == "directory too old"
        assert ops.refusal("alice")["C"] == "57P03"
        assert app.execute("SELECT 1").fetchone() == (1,)


def test_a_broker_started_while_the_store_is_away_lets_no_operator_stay(ops, storeless):
    grant = ops.grant()
    with ops.connect() as alice, ops.proxy.connect("acme") as app:
        storeless()
        os.kill(ops.proxy.pid("broker"), signal.SIGKILL)
        until(lambda: is_over(alice), "alice is out", 15)
        reasons = {"broker away", "directory too old"}
        assert ops.proxy.awaits("acme", "session.close", grant=grant)["reason"] in reasons
        assert app.execute("SELECT 1").fetchone() == (1,)


def test_a_damaged_memory_of_what_was_accepted_keeps_operators_out_until_it_is_mended(ops):
    ops.grant()
    head = ops.proxy.home / "state" / "statements.head"
    good = head.read_bytes()
    assert ops.refusal_or_none("alice") == "in"
    head.write_bytes(b"17 nonsense\n")
    os.kill(ops.proxy.pid("broker"), signal.SIGKILL)
    try:
        until(lambda: ops.proxy.records("_provider", "tampering"), "it is in the log", 10)
        until(lambda: ops.refusal_or_none("alice") not in ("in", ""), "alice is refused with words", 15)
        ops.request(ticket="CASE-77")  # more statements do not open what is closed
        assert ops.refusal_or_none("alice") != "in"
        assert head.read_bytes() == b"17 nonsense\n", "and what it was is not written over"
    finally:
        head.write_bytes(good)
        os.kill(ops.proxy.pid("broker"), signal.SIGKILL)
    until(lambda: ops.refusal_or_none("alice") == "in", "mended, she is in", 20)


def test_what_the_host_cannot_remember_lets_nobody_in(ops):
    """Once it can, nobody has to do anything."""
    ops.grant()
    in_its_way = ops.proxy.home / "state" / "statements.head.new"
    in_its_way.mkdir()
    try:
        ops.request(ticket="CASE-78")
        until(lambda: "kept out" in ops.refusal_or_none("alice"), "alice is refused with words", 15)
    finally:
        in_its_way.rmdir()
    until(lambda: ops.refusal_or_none("alice") == "in", "remembered, she is in", 20)
