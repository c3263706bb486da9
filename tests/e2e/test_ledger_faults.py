# SPDX-License-Identifier: ISC
"""The session log when the disk does not do its part: no space, a dying ledger, folders that only grow.

The disk is full where the ledger's limit of a file's size is none: that needs no privilege, and every write fails as it does
on a disk without space.
"""
import os
import resource
import shutil
import signal
import threading

import psycopg
import pytest

from fleet import run, until, verify_by_hand

SETTINGS = {"rotate_bytes": 8192, "checkpoint_interval": "500ms"}


def disk_full(proxy):
    resource.prlimit(proxy.pid("ledger"), resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def disk_free(proxy):
    resource.prlimit(proxy.pid("ledger"), resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def refusal(connect):
    try:
        connect().close()
    except psycopg.OperationalError as error:
        return str(error)


def healthy(proxy):
    return proxy.ctl("status", check=False).returncode == 0


def check_sessions(proxy, tenant):
    """Each session that was opened was closed, once."""
    opened = sorted(r["session"] for r in proxy.records(tenant, "session.open"))
    until(lambda: sorted(r["session"] for r in proxy.records(tenant, "session.close")) == opened, "all are closed", 20)
    proxy.ctl("audit", "verify")
    assert verify_by_hand(proxy.lines(tenant)) > 0


def test_a_full_disk_cuts_operators_refuses_the_new_and_keeps_the_running(ops):
    proxy = ops.proxy
    ops.grant(lasts="10min")
    with pytest.raises(psycopg.OperationalError, match="log"), ops.connect("alice") as alice:
        with proxy.connect("acme") as running:
            alice.execute("SELECT 1")
            disk_full(proxy)
            text = until(lambda: refusal(lambda: proxy.connect("acme")), "a tenant is refused", 15)
            assert "log" in text
            until(lambda: not healthy(proxy), "status tells it", 10, 0.1)
            assert running.execute("SELECT 1").fetchone() == (1,), "who is in works on"
            until(lambda: alice.execute("SELECT 1") and False, "the operator is cut", 15)
    assert ops.refusal("alice")["C"] == "58030"
    disk_free(proxy)
    until(lambda: not refusal(lambda: proxy.connect("acme")), "tenants again, without a restart", 20, 0.2)
    until(lambda: healthy(proxy), "all is well", 10, 0.1)
    failed = proxy.awaits("acme", "ledger.failed")
    assert failed["count"] >= 1 and failed["cause"]
    until(lambda: not proxy.sessions(), "all have left")
    check_sessions(proxy, "acme")


def test_a_ledger_killed_at_any_time_loses_no_session(ops):
    """Whoever was let in has a record, and a close; what was being written at that moment is told not to have been."""
    proxy = ops.proxy
    over = threading.Event()
    served = []

    def come_and_go():
        while not over.is_set():
            try:
                with proxy.connect("acme") as session:
                    served.append(session.execute("SELECT 1").fetchone())
            except psycopg.OperationalError:
                pass  # refused, or cut: what counts is the log

    people = [threading.Thread(target=come_and_go) for _ in range(3)]
    for person in people:
        person.start()
    try:
        for _ in range(8):
            ledger, count = proxy.pid("ledger"), len(served)
            os.kill(ledger, signal.SIGKILL)
            until(lambda: proxy.pids("ledger") not in ([], [ledger]), "another ledger", 20)
            until(lambda: len(served) > count, "somebody is served again", 30)
    finally:
        over.set()
        for person in people:
            person.join()
    until(lambda: not proxy.sessions(), "all have left")
    assert len(proxy.records("acme", "session.open")) >= len(served)
    check_sessions(proxy, "acme")


@pytest.fixture
def append_only(ops):
    """The folders of the log as after chattr +a."""
    proxy = ops.proxy
    if not shutil.which("chattr"):
        pytest.skip("there is no chattr")
    done = run("chattr", "-R", "+a", proxy.ledger / "acme", check=False)
    if done.returncode != 0:
        run("chattr", "-R", "-a", proxy.ledger / "acme", check=False)
        pytest.skip("neither the rights nor the file system for chattr +a")
    yield proxy
    run("chattr", "-R", "-a", proxy.ledger)


def test_folders_may_be_append_only(append_only):
    proxy = append_only
    before = {path: path.read_bytes() for path in (proxy.ledger / "acme").glob("*.jsonl")}
    ledger = proxy.pid("ledger")
    os.kill(ledger, signal.SIGSTOP)
    os.kill(ledger, signal.SIGKILL)
    with open(sorted(before)[-1], "ab") as log:
        log.write(b'{"n":torn')
    until(lambda: proxy.pids("ledger") not in ([], [ledger]), "another ledger", 20)
    torn = proxy.awaits("acme", "ledger.repaired", 20, file=int(sorted(before)[-1].stem))
    assert torn["bytes"] == len(b'{"n":torn')
    assert proxy.one("acme", "SELECT 1") == 1
    disk_full(proxy)
    until(lambda: refusal(lambda: proxy.connect("acme")), "refused", 15)
    disk_free(proxy)
    until(lambda: not refusal(lambda: proxy.connect("acme")), "served again", 20, 0.2)
    for path, content in before.items():
        assert path.read_bytes().startswith(content)
    until(lambda: not proxy.sessions(), "all have left")
    check_sessions(proxy, "acme")
