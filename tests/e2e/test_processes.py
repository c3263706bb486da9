# SPDX-License-Identifier: ISC
"""Processes that die, and what others notice of it. SEKISHO_DRILL=1000 makes the drill as long as the acceptance asks."""
import os
import select
import shutil
import signal
import socket
import threading
import time

import psycopg
import pytest

import wire
from fleet import SEKISHO, Fleet, free_port, is_ours, run, until
from loop import Loop

DEATHS = [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT]
DRILL = int(os.environ.get("SEKISHO_DRILL", "10"))
SETTINGS = {"drain_timeout": "3s", "cell_idle_timeout": "1h"}


class Load:
    """acme's own clients, who reconnect whenever their cell is shot."""

    def __init__(self, proxy, clients=3):
        self.proxy, self.going, self.logins = proxy, True, 0
        self.threads = [threading.Thread(target=self.go) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def go(self):
        while self.going:
            try:
                with self.proxy.connect("acme", connect_timeout=5) as connection:
                    self.logins += 1
                    while self.going:
                        connection.execute("SELECT count(*) FROM generate_series(1, 1000)").fetchone()
            except psycopg.Error:
                pass

    def end(self):
        self.going = False
        for thread in self.threads:
            thread.join(30)


def verified(proxy):
    done = proxy.ctl("audit", "verify", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def ask(connection):
    return connection.execute("SELECT DISTINCT name FROM who").fetchone()[0]


def ended(connection):
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def works(proxy, tenant):
    try:
        return proxy.one(tenant, "SELECT DISTINCT name FROM who", connect_timeout=5) == tenant
    except psycopg.Error:
        return False


@pytest.fixture(scope="module")
def drilled():
    """A fleet of its own, whose sanitizer leaves SIGSEGV to the kernel, so that the log names the real signal."""
    fleet = Fleet()
    try:
        proxy = fleet.proxy(environment={"ASAN_OPTIONS": "handle_segv=0:quarantine_size_mb=4"}, **SETTINGS)
        for tenant in ("acme", "globex"):
            proxy.add(tenant, fleet.instance(tenant))
        yield proxy.start()
    finally:
        fleet.stop()


def test_globex_never_notices_that_acmes_cell_is_killed_again_and_again(drilled):
    proxy = drilled
    loop, load = Loop(proxy, every=0.01, fresh=25), Load(proxy)
    try:
        for shot in range(DRILL):
            until(lambda: load.logins > shot, "acme is at work", 20)
            cell = proxy.pid("cell acme")
            os.kill(cell, DEATHS[shot % len(DEATHS)])
            until(lambda: not is_ours(cell), "the cell is dead")
            until(lambda: works(proxy, "acme"), "acme is back", 10, 0.05)
            assert not loop.failures, loop.failures
        until(lambda: loop.asked >= 10 * DRILL or loop.failures, "globex has asked ten times as often", 600)
    finally:
        load.end()
        loop.end()
    print(f"{DRILL} deaths of acme's cell; {loop.asked} queries of globex, none failed")
    crashes = until(lambda: [c for c in proxy.records("acme", "process.crash")][DRILL - 1:] and
                    proxy.records("acme", "process.crash"), "every crash is in acme's log")
    assert {c.get("signal") for c in crashes} == {death.name for death in DEATHS}, crashes
    assert not proxy.records("globex", "process.crash")
    verified(proxy)


def test_session_numbers_do_not_rest_on_the_clock_alone(drilled):
    """Set back between two starts of the gate, it gives the same milliseconds again: what begins is the rest of the number."""
    rest = set()
    for _ in range(3):
        mark = drilled.mark("acme")
        assert works(drilled, "acme")
        rest.add(int(drilled.awaits("acme", "session.open", after=mark)["session"], 16) & 0xfffff)
        gate = drilled.pid("gate")
        os.kill(gate, signal.SIGKILL)
        until(lambda: not is_ours(gate), "the gate is dead")
        until(lambda: works(drilled, "acme"), "new sessions")
    assert len(rest) == 3, rest


def test_a_dead_cells_sessions_are_closed_in_the_log(drilled):
    proxy = drilled
    with proxy.connect("acme") as connection:
        ask(connection)
        opened = proxy.awaits("acme", "session.open")
        os.kill(proxy.pid("cell acme"), signal.SIGKILL)
        closed = proxy.awaits("acme", "session.close", session=opened["session"])
        assert closed["reason"] == "cell crash"
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    until(lambda: works(proxy, "acme"), "acme is back")
    assert not proxy.sessions("acme")


@pytest.mark.parametrize("process", ["ledger", "broker", "keeper", "gate", "lobby"])
def test_killed_process_is_survived_by_every_running_session(drilled, process):
    proxy = drilled
    with proxy.connect("acme") as ann, proxy.connect("globex") as gil:
        assert (ask(ann), ask(gil)) == ("acme", "globex")
        killed = proxy.pid(process)
        os.kill(killed, signal.SIGKILL)
        shot = time.monotonic()
        assert (ask(ann), ask(gil)) == ("acme", "globex")
        until(lambda: works(proxy, "acme") and works(proxy, "globex"), f"new sessions after {process}", 10, 0.02)
        took = time.monotonic() - shot
        assert took < 2, f"new sessions took {took:.2f} s"
        assert (ask(ann), ask(gil)) == ("acme", "globex")
        until(lambda: proxy.pids(process) not in ([], [killed]), f"{process} is back")
        proxy.awaits("_provider", "process.crash", process=process)
        # The cancel keys are known again, too.
        pool = threading.Timer(0.3, ann.cancel)
        pool.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            ann.execute("SELECT pg_sleep(30)")
        pool.join()
        until(lambda: len(proxy.sessions()) == 2, "the sessions are listed again", 5)
    until(lambda: not proxy.sessions(), "and gone when they end")
    opened = {r["session"] for r in proxy.records("acme", "session.open")}
    until(lambda: {r["session"] for r in proxy.records("acme", "session.close")} >= opened, "each has its close record")
    verified(proxy)


def test_every_session_is_closed_exactly_once(drilled):
    for tenant in ("acme", "globex"):
        opened = sorted(r["session"] for r in drilled.records(tenant, "session.open"))
        closed = sorted(r["session"] for r in drilled.records(tenant, "session.close"))
        assert opened == closed


def test_kill_of_the_supervisor_ends_its_sessions_and_it_comes_back_by_itself(drilled):
    proxy = drilled
    connection = proxy.connect("acme")
    ask(connection)
    opened = proxy.awaits("acme", "session.open")
    supervisor = proxy.pid("supervisor")
    family = [p["pid"] for p in proxy.processes() if p["pid"] != proxy.process.pid]
    os.kill(supervisor, signal.SIGKILL)
    shot = time.monotonic()
    until(lambda: ended(connection), "its session ends", 10, 0.01)
    until(lambda: proxy.pids("supervisor") not in ([], [supervisor]), "another supervisor")
    until(lambda: works(proxy, "acme") and works(proxy, "globex"), "all is served again", 20, 0.02)
    print(f"served again {time.monotonic() - shot:.2f} s after the kill")
    until(lambda: not [pid for pid in family if is_ours(pid)], "nothing of before is left")
    assert proxy.awaits("acme", "session.close", session=opened["session"])["reason"] in ("node restart", "instance lost",
                                                                                          "cell crash")
    verified(proxy)


def test_kill_of_everything_and_the_next_start(drilled):
    """As when the machine loses power: what was open is closed by the next start."""
    proxy = drilled
    connection = proxy.connect("acme")
    ask(connection)
    opened = proxy.awaits("acme", "session.open")
    family = [p["pid"] for p in proxy.processes()]
    for pid in family:
        os.kill(pid, signal.SIGKILL)
    proxy.process.wait()
    until(lambda: not [pid for pid in family if is_ours(pid)], "all dead")
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    proxy.start()
    assert proxy.awaits("acme", "session.close", session=opened["session"])["reason"] == "node restart"
    until(lambda: works(proxy, "acme"), "acme is served again", 5)
    verified(proxy)


def test_every_process_killed_at_once_but_the_supervisor(drilled):
    proxy = drilled
    supervisor = proxy.pid("supervisor")
    for process in proxy.processes():
        if process["pid"] not in (proxy.process.pid, supervisor):
            os.kill(process["pid"], signal.SIGKILL)
    until(lambda: works(proxy, "acme") and works(proxy, "globex"), "all is well again", 10, 0.05)
    verified(proxy)


def test_processes_have_names(drilled):
    works(drilled, "acme")
    titles = {p["title"] for p in drilled.processes()}
    for name in ("gate", "broker", "keeper", "ledger", "lobby", "cell acme"):
        assert f"sekisho: {name}" in titles, titles


def test_an_upgrade_underneath_does_not_mix_versions(fleet, tmp_path):
    for program in (SEKISHO, SEKISHO.with_name("sekisho-session")):
        shutil.copy(program, tmp_path)
    tmp_path.chmod(0o755)
    node = fleet.proxy(name="upgraded", program=tmp_path / "sekisho", drain_timeout="1s")
    try:
        node.add("initech", fleet.instance("initech"))
        node.start()
        assert works(node, "initech")
        (tmp_path / "new").write_text("#!/bin/false\n")
        (tmp_path / "new").chmod(0o755)
        (tmp_path / "new").rename(tmp_path / "sekisho-session")
        os.kill(node.pid("cell initech"), signal.SIGKILL)
        until(lambda: works(node, "initech"), "another cell, of the program as it was", 10, 0.05)
        old = node.pid("supervisor")
        os.kill(old, signal.SIGKILL)
        until(lambda: old not in node.pids("supervisor") and node.pids("gate"), "another supervisor", 10)
        until(lambda: works(node, "initech"), "its cells too are of the program as it was", 20, 0.05)
    finally:
        node.stop()


def test_without_the_program_of_cells_it_says_so(fleet, proxy, tmp_path):
    shutil.copy(SEKISHO, tmp_path)
    alone = run(tmp_path / "sekisho", "-c", proxy.conf, check=False)
    assert alone.returncode == 1 and "cannot open sekisho-session" in alone.stderr


def test_a_reload_changes_the_certificate_and_keeps_the_sessions(fleet, proxy):
    def serial():
        client = wire.tls(proxy.port, fleet.authority, "acme.db.test")
        shown = client.sock.getpeercert()["serialNumber"]
        client.close()
        return shown

    before = serial()
    with proxy.connect("acme") as ann, proxy.connect("globex") as gil:
        pids = ann.info.backend_pid, gil.info.backend_pid
        fleet.authority.issue(proxy.home / "server", "*.db.test")
        proxy.reload()
        until(lambda: serial() != before, "the new certificate is shown")
        assert (ask(ann), ask(gil)) == ("acme", "globex")
        assert pids == (ann.info.backend_pid, gil.info.backend_pid)
    assert works(proxy, "acme")


def test_a_bad_configuration_is_not_taken(fleet, proxy):
    good = proxy.conf.read_text()
    mark = proxy.mark("_provider")
    proxy.conf.write_text(good + "\n[tenants]\ninvented = 1\n")
    proxy.hang_up()
    proxy.awaits("_provider", "node.reload", after=mark)
    assert "invented" in proxy.log()
    assert works(proxy, "acme")
    proxy.conf.write_text(good)
    proxy.reload()


def test_a_listener_is_added_and_removed_by_a_reload(fleet, proxy):
    extra = free_port()
    old = list(proxy.listen)
    proxy.listen = [*old, f"127.0.0.1:{extra}"]
    proxy.configure(**proxy.settings)
    proxy.reload()
    until(lambda: run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme", port=extra), check=False).returncode == 0,
          "the new address serves")
    proxy.listen = old
    proxy.configure(**proxy.settings)
    proxy.reload()
    until(lambda: refused(extra), "the address is closed")
    assert works(proxy, "acme")


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return False
    except ConnectionRefusedError:
        return True


def test_a_cell_starts_at_the_first_connection_and_leaves_when_idle(fleet, proxy):
    proxy.configure(**{**proxy.settings, "cell_idle_timeout": "300ms"})
    proxy.reload()
    with proxy.connect("globex") as gil:
        assert proxy.pids("cell globex")
        until(lambda: not proxy.pids("cell acme"), "acme's idle cell left", 10)
        assert ask(gil) == "globex"
    until(lambda: not proxy.pids("cell globex"), "globex's too, after its last session", 10)
    assert works(proxy, "acme")
    # A cell that leaves in order is no crash.
    assert not [r for r in proxy.records("acme", "process.crash")]
    proxy.configure(**SETTINGS)
    proxy.reload()


def test_a_hot_tenant_is_spread_over_its_cells(fleet, proxy):
    proxy.ctl("tenant", "set", "globex", "--cells", "3")
    held = []
    try:
        def three():
            held.append(proxy.connect("globex"))
            return len(proxy.pids("cell globex")) == 3

        until(three, "three cells", 15, 0.1)
        for connection in held:
            assert ask(connection) == "globex"
    finally:
        for connection in held:
            connection.close()
        proxy.ctl("tenant", "set", "globex", "--cells", "1")


def test_drain_tells_idle_sessions_and_lets_work_finish(fleet, proxy):
    """SIGTERM: the idle one is told 57P01; the one at work gets its answer, then the same; new ones are refused."""
    idle, busy = proxy.connect("acme"), proxy.connect("globex")
    ask(idle)
    answers = []
    worker = threading.Thread(target=lambda: answers.append(busy.execute("SELECT 'done' FROM pg_sleep(1.5)").fetchone()))
    worker.start()
    until(lambda: fleet.instances["globex"].sql(
        "SELECT 1 FROM pg_stat_activity WHERE query ~ 'sleep.1.5' AND state = 'active' AND usename = 'app'"), "at work")
    family = proxy.processes()
    proxy.process.terminate()
    until(lambda: select.select([idle.fileno()], [], [], 0)[0], "the idle one is told, with nothing asked")
    with pytest.raises(psycopg.OperationalError, match="terminating connection because the proxy is shutting down"):
        idle.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        proxy.connect("acme", connect_timeout=2)
    worker.join(10)
    assert answers == [("done",)]
    assert proxy.process.wait(10) == 0
    until(lambda: not [p for p in family if is_ours(p["pid"])], "every process has left")
    assert proxy.records("_provider", "node.stop")
    assert proxy.records("acme", "session.close")[-1]["reason"] == "proxy shutting down"
    proxy.start()
    verified(proxy)


def test_drain_cuts_what_does_not_finish(fleet, proxy):
    proxy.configure(**{**proxy.settings, "drain_timeout": "500ms"})
    proxy.reload()
    busy = proxy.connect("acme")
    failed = []

    def work():
        try:
            busy.execute("SELECT pg_sleep(60)")
        except psycopg.Error as error:
            failed.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    until(lambda: fleet.instances["acme"].sql(
        "SELECT 1 FROM pg_stat_activity WHERE query ~ 'sleep.60' AND state = 'active' AND usename = 'app'"), "at work")
    proxy.process.terminate()
    assert proxy.process.wait(10) == 0
    worker.join(10)
    assert failed
    proxy.configure(**SETTINGS)
    proxy.start()
