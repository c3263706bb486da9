# SPDX-License-Identifier: ISC
"""Reading the session log on the host: that it is read is in it, and what strangers wrote moves no terminal's cursor."""
import base64
import json
import os
import pathlib
import shutil
import signal

import psycopg

from fleet import run, until, verify_by_hand

SETTINGS = {"checkpoint_records": 5}
SCRIPT = pathlib.Path(__file__).parents[2] / "docs/verify-export.sh"


def test_reading_on_the_host_is_in_the_log_that_is_read(proxy):
    proxy.one("acme", "SELECT 1")
    closed = proxy.awaits("acme", "session.close")
    for words in (("show", "acme"), ("replay", closed["session"])):
        mark, others = proxy.mark("acme"), proxy.mark("globex")
        shown = proxy.ctl("audit", *words)
        record = proxy.awaits("acme", "log.read", after=mark)
        assert record["action"] == f"audit {words[0]}" and "local account" in record["detail"]
        assert record["actor"] == ("root" if os.getuid() == 0 else f"uid {os.getuid()}")
        assert closed["session"] in shown.stdout and "recorded nowhere" not in shown.stderr
        assert not [r for r in proxy.records("globex", "log.read") if r["n"] > others], "nobody read another's"
    mark = proxy.mark("_provider")
    proxy.ctl("audit", "show", "_provider")
    assert proxy.awaits("_provider", "log.read", after=mark)["action"] == "audit show"


def test_the_record_is_asked_of_our_own_console_whatever_the_environment_says(proxy):
    mark = proxy.mark("acme")
    elsewhere = {**os.environ, "PGHOSTADDR": "127.0.0.1", "PGHOST": "127.0.0.1", "PGPORT": "1", "PGSERVICE": "nobody-knows-it"}
    assert proxy.ctl("audit", "show", "acme", env=elsewhere).stdout
    proxy.awaits("acme", "log.read", after=mark)


def test_a_copy_is_read_without_a_word_to_the_proxy(proxy, tmp_path):
    mark = proxy.mark("acme")
    copy = shutil.copytree(proxy.ledger, tmp_path / "copy")
    assert proxy.ctl("audit", "show", "acme", "--dir", copy).stdout
    assert not [r for r in proxy.records("acme", "log.read") if r["n"] > mark]


def test_a_log_that_is_not_there_does_not_begin_by_being_read(proxy):
    assert proxy.ctl("audit", "show", "nobody-of-ours", check=False).returncode == 1
    refused = run("psql", "-XAtqc", "RECORD READING 'audit show' TENANT 'nobody-of-ours'",
                  f"host={proxy.home}/run dbname=sekisho", check=False)
    assert "there is no log of that name" in refused.stderr
    assert not (proxy.ledger / "nobody-of-ours").exists()


def test_what_cannot_be_recorded_is_not_shown(proxy):
    ledger = proxy.pid("ledger")
    os.kill(ledger, signal.SIGSTOP)
    try:
        refused = proxy.ctl("audit", "show", "acme", check=False)
        assert refused.returncode == 3 and not refused.stdout, refused
        assert "cannot be recorded" in refused.stderr
    finally:
        os.kill(ledger, signal.SIGCONT)
    until(lambda: proxy.ctl("audit", "show", "acme", check=False).returncode == 0, "it is shown again")


def test_without_a_proxy_reading_goes_on_and_says_that_nobody_knows(empty_fleet):
    idle = empty_fleet.proxy(name="idle")
    (idle.ledger / "acme").mkdir(parents=True)
    line = {"n": 1, "time": "2026-11-24T21:30:00.000+09:00", "tenant": "acme", "event": "session.refused", "prev": "0" * 64}
    (idle.ledger / "acme/00000001.jsonl").write_text(json.dumps(line, separators=(",", ":")) + "\n")
    shown = idle.ctl("audit", "show", "acme")
    assert "session.refused" in shown.stdout and "recorded nowhere" in shown.stderr


def test_the_running_log_is_signed_exported_and_verified_by_the_script(proxy, tmp_path):
    for _ in range(4):
        proxy.one("acme", "SELECT 1")
    mark = proxy.mark("acme")
    public = tmp_path / "ledger.pub"
    shutil.copy(proxy.home / "state/ledger.pub", public)
    out = tmp_path / "export"
    record = proxy.records("acme", "session.open")[0]
    proxy.ctl("audit", "export", "acme", "--from", record["time"], "--to", "now", "-o", out)
    read = proxy.awaits("acme", "log.read", after=mark)
    assert read["action"] == "audit export"
    done = run("sh", SCRIPT, out, public, check=False)
    assert done.returncode in (0, 3) and "links good" in done.stdout, "signed, but for the newest"
    assert proxy.ctl("audit", "verify", "acme", "--key", public).returncode == 0
    assert proxy.ctl_json("audit", "verify", "acme")["signed_to"] > 0
    heads = tmp_path / "heads"
    heads.write_text(proxy.ctl("audit", "witness").stdout)
    proxy.one("acme", "SELECT 1")
    assert proxy.ctl("audit", "witness", "--compare", heads).returncode == 0


def test_a_customer_verifies_from_their_own_client(fleet, proxy, acme, tmp_path):
    """Every line as it is, checkpoints too, by a driver: links by hash, signatures by openssl."""
    acme.sql("CREATE ROLE dana LOGIN PASSWORD 'their own'")
    proxy.ctl("tenant", "set", "acme", "--admins", "dana")
    dsn = proxy.dsn("acme", user="dana", password="their own", dbname="sekisho")
    until(lambda: run("psql", "-XAtqc", "SELECT 1", dsn, check=False).returncode == 0, "acme's administrator gets in", 15, 0.2)
    proxy.awaits("acme", "ledger.checkpoint")
    with psycopg.connect(dsn, autocommit=True) as connection:
        lines = [row[-1].encode() for row in connection.execute("SHOW AUDIT").fetchall()]
    assert verify_by_hand(lines) == len(lines)
    checkpoints = [r for r in map(json.loads, lines) if r["event"] == "ledger.checkpoint"]
    assert checkpoints
    text, signature = tmp_path / "text", tmp_path / "signature"
    for r in checkpoints:
        text.write_text(f"sekisho checkpoint v1\nacme\n{r['n']}\n{r['time']}\n{r['prev']}\n")
        signature.write_bytes(base64.b64decode(r["signature"]))
        run("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", proxy.home / "state/ledger.pub", "-rawin", "-in", text,
            "-sigfile", signature)
