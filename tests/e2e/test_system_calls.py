# SPDX-License-Identifier: ISC
"""What each process asks of the kernel under a mixed load is in the table of docs/architecture.md, which is
proxy/run/sandbox.def. strace watches every process but the guard from after its start-up block.
"""
import contextlib
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from fleet import SEKISHO, run, until

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "house"))
import confinement  # noqa: E402

# Sanitizers look for leaks when a process leaves: only that is in the row that a release has not.
SANITIZED = b"__asan_init" in SEKISHO.read_bytes()
CALL = re.compile(r"^(?:\d+ +)?(?:<\.\.\. )?(\w+)(?:\(| resumed)", re.M)


class Tracer:
    """strace at the heels of every process of the node, one file each; new ones are followed from their first call on."""

    def __init__(self, ops, folder):
        self.proxy, self.folder = ops.proxy, folder
        self.roles = {p["pid"]: p["title"].removeprefix("sekisho: ").split()[0] for p in ops.proxy.processes()
                      if p["title"].startswith("sekisho: ")}
        pids = [word for pid in self.roles for word in ("-p", str(pid))]
        self.process = subprocess.Popen(["strace", "-ff", "-qq", "-e", "signal=none", "-o", folder / "trace", *pids],
                                        stderr=subprocess.PIPE, text=True)
        until(self.attached, "strace is attached to everybody", 30)

    def attached(self):
        if self.process.poll() is not None:
            pytest.skip(f"strace may not attach here: {self.process.stderr.read().strip()}")
        return all(re.search(r"TracerPid:\t[1-9]", pathlib.Path(f"/proc/{pid}/status").read_text()) for pid in self.roles)

    def detach(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def calls(self):
        """role -> names of the calls it made."""
        return {role: set(CALL.findall((self.folder / f"trace.{pid}").read_text())) for pid, role in self.roles.items()
                if (self.folder / f"trace.{pid}").exists()}


def load(ops, held):
    """Logins of every kind, refusals, queries, COPY, a cancel, an operator, administration, a reload."""
    proxy = ops.proxy
    for more in ({"channel_binding": "require"}, {"channel_binding": "disable", "ssl_max_protocol_version": "TLSv1.2"}):
        proxy.one("acme", "SELECT 1", **more)
        proxy.one("globex", "SELECT 1", **more)
    for wrong in ({"password": "guess"}, {"user": "nobody"}, {"dbname": "nowhere"}, {"host": "initech.db.test", "sslmode": "require"}):
        run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme", **wrong), check=False)
    with proxy.connect("acme") as connection:
        connection.execute("CREATE TEMP TABLE t (line text)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write(b"x\n" * 10000)
        assert len(connection.execute("SELECT repeat('y', 1000) FROM generate_series(1, 1000)").fetchall()) == 1000
    with contextlib.closing(proxy.connect("globex")) as slow:
        slow.cancel()  # of nothing: it goes the whole way to the instance all the same
        slow.execute("SELECT 1")
    held.execute("SELECT name FROM who LIMIT 1")
    proxy.ctl("tenant", "set", "globex", "--max-connections", "50")
    proxy.awaits("globex", "admin.change")
    proxy.reload()
    proxy.one("acme", "SELECT 1")


def test_every_call_is_in_the_table(ops, tmp_path):
    proxy = ops.proxy
    ops.grant()
    proxy.one("acme", "SELECT 1")
    proxy.one("globex", "SELECT 1")
    held = ops.connect()
    held.execute("SELECT 1")
    until(lambda: proxy.pids("operator acme"), "alice has a cell")
    tracer = Tracer(ops, tmp_path)
    try:
        load(ops, held)
        held.close()
        if not SANITIZED:
            proxy.process.send_signal(signal.SIGTERM)
            proxy.process.wait(30)
    finally:
        tracer.detach()
    calls = tracer.calls()
    assert set(calls) >= {"supervisor", "gate", "cell", "operator", "broker", "keeper", "ledger"}
    assert {"epoll_wait", "sendmsg", "recvmsg"} <= calls["cell"], "the tracer saw what a cell does all the time"
    strangers = {role: sorted(names - confinement.allowed(role)) for role, names in calls.items()}
    assert not {role: names for role, names in strangers.items() if names}


def test_a_call_that_is_in_no_table_would_be_seen(tmp_path):
    """The same reading of a program that does more than a cell may."""
    done = run("strace", "-ff", "-qq", "-o", tmp_path / "trace", "cat", "/dev/null", check=False)
    if done.returncode != 0:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    names = set().union(*(CALL.findall(path.read_text()) for path in tmp_path.glob("trace.*")))
    assert "openat" in names - confinement.allowed("cell")
