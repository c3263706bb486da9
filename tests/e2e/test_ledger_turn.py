# SPDX-License-Identifier: ISC
"""The session log over many files: where they end, what signs them, and what a start finds in the last one."""
import base64
import ctypes
import json

from fleet import run, until, verify_by_hand

SETTINGS = {"rotate_bytes": 4096, "checkpoint_interval": "300ms", "time_zone": "Asia/Tokyo"}


def kernel_says_unsynchronised():
    """adjtimex(2): TIME_ERROR, or STA_UNSYNC in the status."""
    timex = (ctypes.c_long * 32)()
    state = ctypes.CDLL(None).adjtimex(timex)
    status = ctypes.c_int.from_buffer(timex, 5 * ctypes.sizeof(ctypes.c_long)).value
    return state == 5 or bool(status & 0x40)


def works(node, tenant):
    return run("psql", "-XAtqc", "SELECT 1", node.dsn(tenant), check=False).returncode == 0


def test_files_end_in_checkpoints_and_the_next_tells_what_is_open(fleet, proxy):
    with proxy.connect("acme") as held:
        opened = proxy.awaits("acme", "session.open")
        until(lambda: proxy.one("acme", "SELECT 1") and len(files_of(proxy, "acme")) > 2, "a third file", 30)
        files = files_of(proxy, "acme")
        for path in files[:-1]:
            assert json.loads(path.read_bytes().splitlines()[-1])["event"] == "ledger.checkpoint"
        second = [json.loads(line) for line in files[1].read_bytes().splitlines()]
        assert second[0]["event"] == "ledger.rotated" and second[0]["file"] == 1
        assert any(r["event"] == "session.carried" and r["session"] == opened["session"] for r in second)
        assert opened["time"].endswith("+09:00"), "Asia/Tokyo"
        assert held.execute("SELECT 1").fetchone() == (1,)
        proxy.kill()
    proxy.start()
    closed = proxy.awaits("acme", "session.close", session=opened["session"])
    assert closed["reason"] == "node restart" and closed["user"] == "app", "found in the last file alone"
    proxy.ctl("audit", "verify")
    assert verify_by_hand(proxy.lines("acme")) > 10


def files_of(node, tenant):
    return sorted((node.ledger / tenant).glob("*.jsonl"))


def openssl_verifies(node, tenant, line, folder):
    """One checkpoint, by openssl alone."""
    record = json.loads(line)
    signed = f"sekisho checkpoint v1\n{tenant}\n{record['n']}\n{record['time']}\n{record['prev']}\n"
    (folder / "signed").write_text(signed)
    (folder / "signature").write_bytes(base64.b64decode(record["signature"]))
    return run("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", node.home / "state/ledger.pub", "-in",
               folder / "signed", "-sigfile", folder / "signature", check=False).returncode == 0


def test_checkpoints_are_verified_by_openssl_alone(proxy, tmp_path):
    proxy.one("globex", "SELECT 1")
    proxy.awaits("globex", "ledger.checkpoint")
    proxy.awaits("_provider", "ledger.checkpoint")
    key = proxy.ctl_json("audit", "key")["key"]
    for tenant in ("globex", "_provider"):
        signed = [line for line in proxy.lines(tenant) if b'"event":"ledger.checkpoint"' in line]
        assert json.loads(signed[-1])["key"] == key
        assert openssl_verifies(proxy, tenant, signed[-1], tmp_path)
        assert not openssl_verifies(proxy, "acme", signed[-1], tmp_path), "another tenant's is none"
    mode = (proxy.home / "state/ledger.key").stat().st_mode & 0o777
    assert mode == 0o600


def test_an_orderly_stop_leaves_everything_signed(proxy):
    proxy.stop()
    proxy.configure(**SETTINGS | {"checkpoint_interval": "1h"})
    proxy.start()
    proxy.one("acme", "SELECT 1")
    assert json.loads(proxy.lines("acme")[-1])["event"] != "ledger.checkpoint"
    proxy.stop()
    for tenant in ("acme", "_provider"):
        assert json.loads(proxy.lines(tenant)[-1])["event"] == "ledger.checkpoint", tenant
    proxy.configure(**SETTINGS)
    proxy.start()


def test_without_its_key_the_log_is_not_opened(proxy):
    proxy.stop()
    key = proxy.home / "state/ledger.key"
    aside = key.rename(key.with_suffix(".aside"))
    proxy.spawn()
    try:
        until(lambda: "ledger.key" in proxy.log(), "the key is named", 15)
        assert not works(proxy, "acme")
    finally:
        proxy.stop()
        aside.rename(key)
        proxy.start()


def test_a_clock_that_is_not_synchronised_is_told_and_lets_nobody_new_in_if_so_wished(fleet):
    """What the kernel says of this machine's clock decides which of the two is seen here."""
    node = fleet.proxy(name="strict", clock_unsynchronised="refuse")
    node.add("acme", fleet.instances["acme"])
    node.spawn()  # and where the clock is not synchronised, `status` never says that all is well
    until(lambda: node.records("_provider", "node.start"), "its log has begun")
    if kernel_says_unsynchronised():
        told = until(lambda: node.records("_provider", "clock.unsynchronised"), "the clock is told")
        assert told[0]["state"] == "unsynchronised"
        until(lambda: "the session log cannot be written" in
              run("psql", "-XAtqc", "SELECT 1", node.dsn("acme"), check=False).stderr, "who comes is refused")
        assert not node.records("acme", "session.open")
        node.configure(clock_unsynchronised="warn")
        node.reload()
    else:
        assert not node.records("_provider", "clock.unsynchronised")
    until(lambda: works(node, "acme"), "it serves")


def test_a_zone_that_is_none_is_not_taken(proxy):
    conf = proxy.home / "wrong.conf"
    conf.write_text(proxy.conf.read_text().replace("Asia/Tokyo", "Asia/Atlantis"))
    done = proxy.ctl("config", "check", conf, check=False)
    assert done.returncode == 1 and "no zone" in done.stdout + done.stderr
