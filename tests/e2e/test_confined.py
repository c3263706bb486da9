# SPDX-License-Identifier: ISC
"""What a cell asks of the kernel once it serves: no socket of its own, no file, no program, no other process."""
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from fleet import DOMAIN, run, until

# Calls that would be a way out. A cell gets every descriptor it needs from its channels.
WAYS_OUT = "socket,socketpair,connect,bind,listen,open,openat,openat2,creat,execve,execveat,ptrace,kill,tkill,fork,vfork,clone,clone3"


@pytest.fixture
def traced(proxy, tmp_path):
    """acme's cell with strace at its heels from after its start-up block; gives the trace's path."""
    proxy.one("acme", "SELECT 1")
    cell = proxy.pid("cell acme")
    trace = tmp_path / "trace"
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-e", f"trace={WAYS_OUT}", "-e", "signal=none", "-o", trace,
                               "-p", str(cell)], stderr=subprocess.PIPE, text=True)

    def attached():
        if tracer.poll() is not None:
            pytest.skip(f"strace may not attach here: {tracer.stderr.read().strip()}")
        status = open(f"/proc/{cell}/status").read()
        return re.search(r"TracerPid:\t([1-9]\d*)", status)

    until(attached, "strace is attached")
    yield trace
    tracer.send_signal(signal.SIGINT)
    tracer.wait(10)


def test_a_cell_opens_no_socket_and_no_file(proxy, traced):
    # Every road through a cell: both mechanisms, refusals, a cancel, COPY, an error, a changed certificate.
    proxy.one("acme", "SELECT 1", channel_binding="require")
    proxy.one("acme", "SELECT 1", channel_binding="disable", ssl_max_protocol_version="TLSv1.2")
    run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme", password="guess"), check=False)
    run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme", user="nobody"), check=False)
    run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme", dbname="nowhere"), check=False)
    with proxy.connect("acme") as connection:
        connection.execute("CREATE TEMP TABLE t (line text)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write(b"x\n" * 10000)
    proxy.reload()
    proxy.one("acme", "SELECT 1")
    # A call that is asked for anyway must be in the trace: the tracer sees what it should.
    assert traced.exists()
    calls = [line for line in traced.read_text().splitlines() if re.search(r"\b\w+\(", line)]
    assert not calls, "\n".join(calls[:20])


def test_the_tracer_would_have_seen_it(tmp_path):
    """The same trace of a program that does open a file: the test above can fail."""
    trace = tmp_path / "trace"
    done = run("strace", "-f", "-qq", "-e", f"trace={WAYS_OUT}", "-o", trace, "cat", "/dev/null", check=False)
    if done.returncode != 0:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert "/dev/null" in trace.read_text()


def test_a_file_beyond_its_folders_is_out_of_the_brokers_reach(proxy):
    """The kernel looks at where a file is, not at the name it was asked by. And a reload says what it cannot do."""
    inside, outside = proxy.home / "tenants", proxy.fleet.folder / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    before = proxy.settings
    proxy.configure(**before, tenant_dir=inside)
    proxy.reload()
    assert proxy.records("_provider", "node.reload")[-1]["cause"].startswith("tenant_dir leads into a folder that is out of reach")
    proxy.stop()
    crt, key = proxy.fleet.authority.issue(outside / "acme", f"acme.{DOMAIN}")
    for path in (crt, key):
        (inside / pathlib.Path(path).name).symlink_to(path)
    proxy.start()
    if "has no Landlock" in proxy.log():
        pytest.skip("this kernel has no Landlock")
    run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme", connect_timeout=2), check=False)
    until(lambda: 'no readable certificate and key for tenant "acme"' in proxy.log(), "the broker cannot read it")
    for path in (crt, key):
        (inside / pathlib.Path(path).name).unlink()
        shutil.copy(path, inside)
    until(lambda: run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme", connect_timeout=2), check=False).returncode == 0,
          "it is read where it may be", 30)
    proxy.stop()
    proxy.configure(**before)
    proxy.start()
