# SPDX-License-Identifier: ISC
"""Somebody took a cell, or the gate, over, and runs code of their own there (tests/hostile): every forbidden system call,
forged and malformed words to the others, floods, bombs. Each is refused or ends that process; another tenant's session
and its log never notice; the log has the event.
"""
import concurrent.futures
import contextlib
import os
import pathlib
import re

import psycopg
import pytest

import memory
import wire
from fleet import BIN, DOMAIN, Fleet, free_port, run, until, verify_by_hand
from loop import Loop

HOSTILE = BIN / "tests/hostile/sekisho"
SOURCE = pathlib.Path(__file__).parents[1] / "hostile"
# Every attempt there is, from the table that makes them.
CALLS = re.findall(r'^        \{"([\w-]+)", SYS_', (SOURCE / "hostile_calls.c").read_text(), re.M)
# What the kernel answers to instead of ending the process: glibc is to take clone, and another's limits are refused.
TENANTS = [f"t{n}" for n in range(8)]


@pytest.fixture(scope="module")
def proxy():
    fleet = Fleet()
    made = fleet.proxy(program=HOSTILE, login_timeout="60s")
    made.add("globex", fleet.instance("globex"))
    made.add("acme", fleet.instance("acme"))
    for tenant in TENANTS:  # nobody gets as far as their instance
        made.ctl("tenant", "add", tenant, "--instance", f"127.0.0.1:{free_port()}", "--instance-name", "none.internal",
                 "--instance-ca", fleet.authority.crt)
    made.start()
    made.fleet = fleet
    yield made
    # Sanitizers speak when memory is taken on purpose; everything else that they say is a mistake of ours.
    text = made.log()
    made.log_path.write_text(re.sub(r"(?m)^.*(AddressSanitizer: (out of memory|requested allocation|allocator)|AddressSanitizer failed to allocate).*$", "", text)
                             .replace("==ERROR: AddressSanitizer", "") if "hostile: memory" in text else text)
    fleet.stop()


@pytest.fixture(autouse=True)
def gil(proxy):
    """What every attempt must leave alone: gil's session, and the chain of globex's log."""
    loop = Loop(proxy, every=0.002, fresh=0)
    before = proxy.pid("cell globex")
    yield loop
    loop.end()
    assert proxy.pid("cell globex") == before
    verify_by_hand(proxy.lines("globex"))
    assert not proxy.records("globex", "process.crash")


def attempt(proxy, tenant, what, number=0):
    """A client that makes its cell try. The connection's end is waited for, not how it ends."""
    with contextlib.suppress(psycopg.OperationalError):
        proxy.connect(tenant, application_name=f"hostile:{what}:{number:x}", connect_timeout=15).close()


def crashes(proxy, tenant, after=0):
    return [r for r in proxy.records(tenant, "process.crash") if r["n"] > after]


def test_every_forbidden_call_ends_the_cell_and_is_named(proxy):
    assert len(CALLS) > 45
    names = {}
    victim = proxy.pid("cell globex")

    def calls(tenant, attempts):
        for what in attempts:
            mark = proxy.mark(tenant)
            attempt(proxy, tenant, f"call:{what}", victim)
            names[what] = until(lambda: crashes(proxy, tenant, mark), f"{tenant}'s cell is ended for {what}", 30)[0]

    with concurrent.futures.ThreadPoolExecutor(len(TENANTS)) as pool:
        list(pool.map(calls, TENANTS, [CALLS[n::len(TENANTS)] for n in range(len(TENANTS))]))
    for what, record in names.items():
        assert record["signal"] == "SIGSYS" and record["process"].startswith("cell t"), (what, record)
    reasons = {what: record["reason"].removeprefix("forbidden system call: ") for what, record in names.items()}
    table = dict(re.findall(r'\{"([\w-]+)", SYS_(\w+)', (SOURCE / "hostile_calls.c").read_text()))
    assert reasons == table
    assert "hostile: call" not in proxy.log() and "the kernel answered" not in proxy.log()


def test_no_process_of_its_account_looks_into_a_cell(proxy):
    """Who has taken a process over, and somehow has other calls: the neighbours' memory is still not theirs to read."""
    assert not [title for title in ("gate", "lobby", "cell globex") if memory.can_be_looked_into(proxy.pid(title))]


def session_of_gil(proxy):
    return int(until(lambda: [r for r in proxy.records("globex", "session.open")], "gil is in")[-1]["session"], 16)


# Words that are a breach of the rules: whoever says them is ended.
BREACHES = [f"{to}:{what}" for to, all_of in {
    "broker": ["tenant", "settings", "cut", "snapshot", "statement", "operator", "event", "listener", "kill", "handover", "opened"],
    "ledger": ["event", "admit", "settings", "durable", "close"],
    "gate": ["handover", "retire", "cut", "event"],
    "supervisor": ["settings", "drain", "kill", "wanted", "control", "event"],
}.items() for what in all_of] + [f"{to}:{how}" for to in ("broker", "ledger", "gate", "supervisor")
                                 for how in ("version", "unknown", "short", "truncated", "long", "descriptor", "descriptors")]


def test_forged_and_malformed_words_end_the_cell_that_says_them(proxy):
    others = session_of_gil(proxy)

    survived = []

    def say(tenant, attempts):
        for what in attempts:
            mark = proxy.mark(tenant)
            attempt(proxy, tenant, what, others)
            try:
                record = until(lambda: crashes(proxy, tenant, mark), f"{tenant}'s cell is ended for {what}", 10)[0]
                assert record["signal"] == "SIGKILL"
            except AssertionError as error:
                survived.append((what, str(error)))

    with concurrent.futures.ThreadPoolExecutor(len(TENANTS)) as pool:
        list(pool.map(say, TENANTS, [BREACHES[n::len(TENANTS)] for n in range(len(TENANTS))]))
    assert not survived
    assert "hostile: " in proxy.log() and "no attempt that exists" not in proxy.log()


def unproved(proxy):
    """How many connections to globex's instance never got as far as a login."""
    log = proxy.fleet.instances["globex"].log()
    return log.count("connection received") - log.count("connection authorized")


@pytest.mark.parametrize("what", ["broker:release", "broker:cancel", "broker:admit", "gate:key", "gate:idle", "ledger:refused", "ledger:resume"])
def test_words_of_its_own_reach_nobody_else(proxy, what):
    """What a cell may say, about somebody else's session, or under another's name: it counts for its own tenant only."""
    mark, gil = proxy.mark("globex"), session_of_gil(proxy)
    before = unproved(proxy)
    attempt(proxy, "t0", what, gil)
    assert not [r for r in proxy.records("globex") if r["n"] > mark and r["event"] != "ledger.checkpoint"]
    assert gil in [int(s["session"], 16) for s in proxy.sessions("globex")], "the broker still knows of it"
    assert not [r for r in proxy.records("t0", "session.open") if int(r["session"], 16) == gil]
    until(lambda: unproved(proxy) == before, "nobody was given a connection to globex's instance", 5)


@pytest.mark.parametrize("what", ["broker:flood-release", "ledger:flood-refused", "gate:flood-key", "broker:flood-descriptor"])
def test_a_flood_of_words_and_descriptors(proxy, gil, what):
    asked = gil.asked
    attempt(proxy, "t1", what)
    until(lambda: gil.asked > asked + 20, "gil goes on")
    assert proxy.ctl("status", check=False).returncode in (0, 1)


def test_a_cell_that_takes_all_memory(proxy):
    mark = proxy.mark("t2")
    attempt(proxy, "t2", "memory")
    until(lambda: crashes(proxy, "t2", mark), "it ends at its own limit", 60)


def test_a_cell_that_spins_is_its_tenants_trouble(proxy, gil):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(attempt, proxy, "t3", "spin")
        asked = gil.asked
        until(lambda: gil.asked > asked + 50, "gil goes on", 30)
        os.kill(proxy.pid("cell t3"), 9)
        waiting.result(60)


def knock(proxy, what, number=0):
    """A client whose server name makes the gate try; TLS never gets far."""
    with contextlib.suppress(OSError, wire.Ended if hasattr(wire, "Ended") else OSError):
        run("openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-starttls", "postgres", "-servername",
            f"hostile-{what.replace(':', '-', 1)}-{number:x}.{DOMAIN}", check=False, input="")


@pytest.mark.parametrize("what", ["call:openat", "call:socket", "call:kill", "broker:snapshot", "broker:descriptor", "ledger:event",
                                  "ledger:close", "supervisor:settings", "supervisor:wanted", "broker:version"])
def test_a_gate_that_was_taken_over(proxy, what):
    mark, before = proxy.mark("_provider"), proxy.pid("gate")
    knock(proxy, what, session_of_gil(proxy) if "call" not in what else proxy.pid("cell globex"))
    record = until(lambda: crashes(proxy, "_provider", mark), "the gate is ended")[0]
    assert record["process"] == "gate"
    if what.startswith("call:"):
        assert record["reason"] == f"forbidden system call: {what.removeprefix('call:')}"
    until(lambda: [pid for pid in proxy.pids("gate") if pid != before], "there is another gate")
    until(lambda: run("psql", "-XAtqc", "SELECT 1", proxy.dsn("globex"), check=False).returncode == 0, "who comes is let in", 20)


@pytest.mark.parametrize("what", ["cell:handover", "cell:retire", "lobby:handover"])
def test_a_gate_that_lies_to_cells(proxy, what):
    """A connection that is none is closed; a cell that is told to leave goes when its sessions are over."""
    knock(proxy, what)
    until(lambda: run("psql", "-XAtqc", "SELECT 1", proxy.dsn("globex"), check=False).returncode == 0, "who comes is let in", 20)
