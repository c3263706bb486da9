# SPDX-License-Identifier: ISC
"""Attacks on time: whoever can set the host's clock, or suspend the host, makes no grant longer."""
import re

import psycopg
import pytest

from fleet import until
from turned import DAY, HOUR, turned


@pytest.fixture(scope="module")
def clock(company):
    return turned(company)


def jumps(ops):
    return [r["detail"] for r in ops.proxy.records("_provider", "clock.jump")]


def entered(ops):
    try:
        return ops.connect("alice")
    except psycopg.OperationalError:
        return None


def ended(ops, grant, alice):
    """She is cut, the grant is over, and she does not come in again."""
    with pytest.raises(psycopg.OperationalError, match="grant"):
        until(lambda: alice.execute("SELECT 1") and False, "she is cut")
    ops.becomes(grant, "expired")
    assert ops.refusal("alice")["C"] == "42501"


def test_a_clock_set_back_makes_no_grant_longer(ops, clock):
    grant, before = ops.grant(lasts="1h"), len(jumps(ops))
    with ops.connect("alice") as alice:
        clock.set(-DAY)
        until(lambda: len(jumps(ops)) > before, "the jump is logged")
        by = re.fullmatch(r"the system clock was set back by (\d+) s", jumps(ops)[-1])
        assert by and abs(int(by[1]) - DAY) < 60, "as far as two clocks that are read one after the other can tell"
        alice.execute("SELECT 1")
        clock.sleep(HOUR + 5)
        ended(ops, grant, alice)
    clock.right()


def test_a_machine_that_slept_makes_no_grant_longer(ops, clock):
    grant, before = ops.grant(lasts="1h"), len(jumps(ops))
    with ops.connect("alice") as alice:
        clock.sleep(HOUR + 5)
        ended(ops, grant, alice)
    assert len(jumps(ops)) == before, "nobody set the clock"


def test_a_clock_set_back_while_the_node_is_down_makes_no_grant_longer(ops, clock):
    over, grant = ops.grant(lasts="30min"), ops.grant(lasts="1h")
    clock.sleep(HOUR - 60)
    ops.becomes(over, "expired")
    ops.proxy.stop()
    clock.set(-DAY)
    ops.proxy.start()
    with until(lambda: entered(ops), "alice is in again", 20, 0.2) as alice:
        assert ops.states()[over] == "expired"
        clock.sleep(65)
        ended(ops, grant, alice)
    clock.right()


def test_a_clock_set_ahead_and_right_again_revives_nothing(ops, clock):
    grant, before = ops.grant(lasts="1h"), len(jumps(ops))
    with ops.connect("alice") as alice:
        clock.set(DAY)
        ended(ops, grant, alice)
    clock.right()
    until(lambda: len(jumps(ops)) >= before + 2, "both jumps are logged")
    assert ops.refusal("alice")["C"] == "42501"
