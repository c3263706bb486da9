# SPDX-License-Identifier: ISC
"""Started as root: each kind of process is another account's, has no capability, and the files are theirs who use them."""
import os
import pathlib
import re

import pytest

from fleet import AS_ROOT, Fleet, run, until

SESSION, BROKER, LEDGER = 61001, 61002, 61003
USERS = {"session_user": SESSION, "broker_user": BROKER, "ledger_user": LEDGER}
WHO = {"gate": SESSION, "lobby": SESSION, "cell acme": SESSION, "broker": BROKER, "keeper": BROKER, "console": BROKER,
       "notifier": BROKER, "ledger": LEDGER}
# What the supervisor keeps: CHOWN, DAC_READ_SEARCH, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE.
KEPT = sum(1 << bit for bit in (0, 2, 5, 6, 7, 8, 10))
NOBODY = "0000000000000000"


def status(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


@pytest.fixture(scope="module")
def proxy():
    if not AS_ROOT:
        pytest.skip("only root can become others")
    fleet = Fleet()
    made = fleet.proxy(**USERS)
    for path in (made.crt, made.key):
        os.chown(path, BROKER, BROKER)
    made.add("acme", fleet.instance("acme"))
    made.start()
    yield made
    fleet.stop()


def test_each_process_is_its_accounts_and_has_no_capability(proxy):
    assert proxy.one("acme", "SELECT name FROM who LIMIT 1") == "acme"
    for title, uid in WHO.items():
        now = status(proxy.pid(title))
        assert now["Uid"].split() == [str(uid)] * 4, title
        assert {now[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {NOBODY}, title
        assert now["Groups"].strip() == "", title
    assert status(proxy.pid("ledger"))["Gid"].split() == [str(BROKER)] * 4, "who reads the log is of the broker's group"
    supervisor = status(proxy.pid("supervisor"))
    assert supervisor["Uid"].split() == ["0"] * 4
    assert int(supervisor["CapEff"], 16) & ~KEPT == 0 and int(supervisor["CapBnd"], 16) & ~KEPT == 0


def test_the_files_are_theirs_who_use_them(proxy):
    state = proxy.home / "state"
    assert (state.stat().st_uid, state.stat().st_mode & 0o777) == (BROKER, 0o710)
    for name in ("seal.key", "fleet.key", "store.sqlite"):
        assert (state / name).stat().st_uid == BROKER, name
    assert (state / "ledger.key").stat().st_uid == LEDGER
    proxy.one("acme", "SELECT 1")
    line = until(lambda: list((proxy.ledger / "acme").glob("*.jsonl")), "the log has a file")[0]
    assert (line.stat().st_uid, line.stat().st_gid, line.stat().st_mode & 0o777) == (LEDGER, BROKER, 0o640)
    assert line.parent.stat().st_mode & 0o777 == 0o750


def test_what_root_writes_into_the_store_is_taken(proxy):
    """sekishoctl as root: the store's companions stay the broker account's, and the keeper goes on reading."""
    proxy.ctl("tenant", "set", "acme", "--max-connections", "7")
    proxy.awaits("acme", "admin.change")
    state = proxy.home / "state"
    assert {path.stat().st_uid for path in state.glob("store.sqlite*")} == {BROKER}
    proxy.ctl("tenant", "suspend", "acme")
    until(lambda: run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme"), check=False).returncode != 0, "acme is suspended")
    proxy.ctl("tenant", "resume", "acme")
    until(lambda: run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme"), check=False).returncode == 0, "acme is back")


def test_killed_processes_come_back_as_their_account(proxy):
    for title in ("ledger", "keeper", "broker", "console", "gate"):
        before = proxy.pid(title)
        os.kill(before, 9)
        after = until(lambda: [pid for pid in proxy.pids(title) if pid != before], f"another {title}")[0]
        until(lambda: status(after)["Uid"].split() == [str(WHO[title])] * 4, f"{title} is its account's again")
    until(lambda: run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme"), check=False).returncode == 0, "acme is served")


def test_a_reload_changes_no_account(proxy):
    proxy.configure(**{**USERS, "session_user": 61009})
    proxy.reload()
    assert "the accounts of [users] cannot change" in proxy.records("_provider", "node.reload")[-1]["cause"]
    proxy.configure(**USERS)
    proxy.reload()
    assert proxy.records("_provider", "node.reload")[-1]["action"] == "took the new configuration"


def test_the_local_console_is_the_broker_accounts(proxy):
    socket = proxy.home / "run/.s.PGSQL.5432"
    assert (socket.stat().st_uid, socket.stat().st_mode & 0o777) == (BROKER, 0o600)
    shown = run("psql", "-XAtqc", "SHOW AUDIT TENANT 'acme'", f"host={proxy.home}/run dbname=sekisho user=root")
    assert re.search(r"session\.open", shown.stdout)


@pytest.mark.parametrize("settings, words", [
    ({"session_user": "no-such-account"}, "session_user: this host has no account no-such-account"),
    ({"broker_user": "root"}, "broker_user: root is root"),
    ({"ledger_user": 61009}, "belongs to user 61003, not to ledger_user"),
])
def test_accounts_that_cannot_be_are_refused_at_the_start(proxy, settings, words):
    other = proxy.fleet.proxy(name="other")
    other.configure(**{**USERS, "ledger_dir": proxy.ledger, "state_dir": proxy.home / "state", **settings})
    done = run(other.program, "-c", other.conf, check=False)
    assert done.returncode == 2 and words in done.stderr
    proxy.fleet.proxies.remove(other)
