# SPDX-License-Identifier: ISC
"""Break-glass, as it should go: refused, asked for, approved, consented to, used, and over."""
import psycopg
import pytest

from fleet import run, until
from operators import HINT


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
