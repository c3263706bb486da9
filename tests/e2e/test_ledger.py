# SPDX-License-Identifier: ISC
"""The session log: what is in it, that nothing happens before it, and that nobody changes it unnoticed."""
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import threading

import psycopg
import pytest

import wire
from fleet import AS_ROOT, run, until, verify_by_hand


def session_of(error):
    found = re.search(r"Session ([0-9a-f]{16})\.", str(error))
    assert found, f"no session id in: {error}"
    return found.group(1)


def test_a_session_is_opened_and_closed_in_the_log(fleet, proxy, acme):
    mark = proxy.mark("acme")
    with proxy.connect("acme", application_name="story") as connection:
        for n in range(3):
            connection.execute("SELECT %s::int", [n])
        opened = proxy.awaits("acme", "session.open", after=mark)
        pid = connection.info.backend_pid
    closed = proxy.awaits("acme", "session.close", session=opened["session"])
    assert opened["tenant"] == "acme" and opened["user"] == "app" and opened["database"] == "app"
    assert opened["application"] == "story"
    assert opened["client"].startswith("127.0.0.1:")
    assert opened["server_name"] == "acme.db.test"
    assert opened["listener"] == f"127.0.0.1:{proxy.port}"
    assert opened["instance"] == f"127.0.0.1:{acme.port}" and opened["instance_pid"] == pid
    assert opened["tls"].startswith("TLSv1.3") and opened["method"].startswith("SCRAM-SHA-256")
    assert re.fullmatch(r"[0-9a-f]{16}", opened["session"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+09:00", opened["time"])
    for part in ("login_client_us", "login_directory_us", "login_instance_us", "login_proxy_us"):
        assert part in closed or part in opened, f"{part}: how the login's time divides"
    assert closed["reason"] == "client terminated"
    assert closed["bytes_from_client"] > 0 and closed["bytes_to_client"] > 0
    assert closed["duration_ms"] >= 0 and closed["transactions"] >= 3


def test_the_chain_verifies_by_hand_and_by_command(proxy):
    for tenant in ("acme", "globex", "_provider"):
        assert verify_by_hand(proxy.lines(tenant)) > 0
    proxy.ctl("audit", "verify")
    proxy.ctl("audit", "verify", "acme")


def test_the_chain_verifies_with_sha256sum_and_jq(proxy):
    """The recipe of the guide, as a tenant without any of our programs would use it."""
    script = r"""
      before=$(printf '%064d' 0)
      while IFS= read -r line; do
        [ "$(printf '%s' "$line" | jq -r .prev)" = "$before" ] || exit 1
        before=$(printf '%s' "$line" | sha256sum | cut -d' ' -f1)
      done <"$1"
    """
    run("bash", "-c", script, "check", sorted((proxy.ledger / "globex").glob("*.jsonl"))[0])


def test_refusals_say_why_and_from_where(proxy):
    mark = proxy.mark("acme")
    with pytest.raises(psycopg.OperationalError) as caught:
        proxy.connect("acme", password="guess")
    record = proxy.awaits("acme", "session.refused", after=mark)
    assert record["reason"] == "wrong password" and record["user"] == "app" and record["sqlstate"] == "28P01"
    assert record["client"].startswith("127.0.0.1:")
    assert record["session"] == session_of(caught.value)


def test_the_session_id_of_every_error_is_in_the_log(proxy):
    for tenant, more in [("acme", {"user": "nobody"}), ("globex", {"password": "guess"}), ("acme", {"user": "pg_monitor"})]:
        with pytest.raises(psycopg.OperationalError) as caught:
            proxy.connect(tenant, **more)
        proxy.awaits(tenant, "session.refused", session=session_of(caught.value))


def test_a_tenants_log_has_nothing_of_another(proxy):
    proxy.one("globex", "SELECT 1")
    ids = {tenant: {r["session"] for r in proxy.records(tenant) if "session" in r} for tenant in ("acme", "globex")}
    assert ids["acme"] and ids["globex"] and not ids["acme"] & ids["globex"]
    for tenant in ids:
        assert {r["tenant"] for r in proxy.records(tenant)} == {tenant}
    assert {r["tenant"] for r in proxy.records("_provider")} == {None}


def test_folders_and_files_are_private(proxy):
    for folder in (proxy.ledger, proxy.ledger / "acme"):
        assert folder.stat().st_mode & 0o777 == 0o700
    for path in proxy.ledger.glob("*/*.jsonl"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_administrative_changes_are_in_the_log(proxy):
    mark = proxy.mark("acme")
    proxy.ctl("tenant", "set", "acme", "--max-connections", "77")
    record = proxy.awaits("acme", "admin.change", after=mark)
    assert record["action"] == "tenant.set" and "77" in record["detail"] and record["actor"]


def test_start_is_in_the_providers_log(proxy):
    assert proxy.records("_provider", "node.start")[0]["version"]


def test_hostile_names_stay_one_valid_line(fleet, proxy):
    mark = proxy.mark("acme")
    nasty = 'x"\n{"n":1}\x1b[31m\\\xff'
    client = wire.tls(proxy.port, fleet.authority, "acme.db.test")
    client.send(wire.raw_startup(b"user\0app\0database\0app\0application_name\0" + nasty.encode("latin-1") + b"\0\0"))
    client.close()
    client = wire.tls(proxy.port, fleet.authority, "acme.db.test")
    client.send(wire.raw_startup(b"user\0" + nasty.encode("latin-1") + b"\0database\0app\0\0"))
    scram = wire.Scram("guess")
    wire.sasl_offer(client)
    client.send(wire.sasl_initial(b"SCRAM-SHA-256", scram.first()))
    client.send(wire.message(b"p", scram.final(client.until(b"R")[1][4:])))
    assert client.error()["C"] == "28P01"
    client.close()
    record = proxy.awaits("acme", "session.refused", after=mark, reason="unknown user")
    assert record["user"].startswith('x"\n{"n":1}\x1b[31m\\')
    for line in proxy.lines("acme"):
        assert all(byte >= 0x20 for byte in line), "control characters are escaped"
    verify_by_hand(proxy.lines("acme"))
    shown = proxy.ctl("audit", "show", "acme").stdout
    assert "\x1b" not in shown


def copy_of(proxy, tmp_path):
    return shutil.copytree(proxy.ledger, tmp_path / "copy")


def tamper_edit(lines):
    lines[2] = lines[2].replace(b'"event":"', b'"event":"x', 1)


def tamper_delete(lines):
    del lines[2]


def tamper_swap(lines):
    lines[2], lines[3] = lines[3], lines[2]


def tamper_duplicate(lines):
    lines.insert(2, lines[2])


def tamper_insert(lines):
    forged = json.loads(lines[2])
    forged["reason"] = "client terminated"
    lines.insert(3, json.dumps(forged, separators=(",", ":")).encode())


@pytest.mark.parametrize("tamper", [tamper_edit, tamper_delete, tamper_swap, tamper_duplicate, tamper_insert])
def test_tampering_is_named(proxy, tmp_path, tamper):
    folder = copy_of(proxy, tmp_path)
    path = sorted((folder / "acme").glob("*.jsonl"))[0]
    lines = path.read_bytes().split(b"\n")[:-1]
    tamper(lines)
    path.write_bytes(b"\n".join(lines) + b"\n")
    done = proxy.ctl("audit", "verify", "acme", "--dir", folder, check=False)
    assert done.returncode == 1
    assert re.search(r"\b[345]\b", done.stdout + done.stderr), done.stdout + done.stderr
    assert proxy.ctl("audit", "verify", "globex", "--dir", folder).returncode == 0


def test_a_line_moved_to_another_tenant_is_named(proxy, tmp_path):
    folder = copy_of(proxy, tmp_path)
    shutil.rmtree(folder / "globex")
    shutil.copytree(folder / "acme", folder / "globex")
    done = proxy.ctl("audit", "verify", "globex", "--dir", folder, check=False)
    assert done.returncode == 1


def test_nothing_reaches_the_client_before_its_record_is_on_disk(fleet, proxy):
    """With the ledger stopped, a login gets no further than its proof; when it goes on, so does the login."""
    ledger = proxy.pid("ledger")
    client = wire.tls(proxy.port, fleet.authority, "acme.db.test")
    client.send(wire.startup(user="app", database="app"))
    scram = wire.Scram("acme secret")
    wire.sasl_offer(client)
    client.send(wire.sasl_initial(b"SCRAM-SHA-256", scram.first()))
    server_first = client.until(b"R")[1][4:]
    opened = len(proxy.records("acme", "session.open"))
    os.kill(ledger, signal.SIGSTOP)
    try:
        client.send(wire.message(b"p", scram.final(server_first)))
        until(lambda: fleet.instances["acme"].backends(), "the instance has let the proxy in")
        client.sock.settimeout(1)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        assert len(proxy.records("acme", "session.open")) == opened
    finally:
        os.kill(ledger, signal.SIGCONT)
    client.sock.settimeout(20)
    client.until(b"Z")
    assert len(proxy.records("acme", "session.open")) == opened + 1
    client.close()


def test_many_sessions_at_once_keep_one_chain(proxy):
    threads = [threading.Thread(target=lambda: [proxy.one("acme", "SELECT 1") for _ in range(5)]) for _ in range(8)]
    before = len(proxy.records("acme", "session.close"))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(proxy.records("acme", "session.close")) >= before + 40, "forty sessions came and went")
    verify_by_hand(proxy.lines("acme"))


def test_a_torn_last_line_is_declared_void(fleet, proxy):
    proxy.stop()
    path = sorted((proxy.ledger / "acme").glob("*.jsonl"))[-1]
    torn = b'{"n":9999,"time":"20'
    with open(path, "ab") as file:
        file.write(torn)
    proxy.start()
    repaired = proxy.awaits("acme", "ledger.repaired")
    assert repaired["file"] == int(path.stem) and repaired["bytes"] == len(torn)
    assert repaired["sha256"] == hashlib.sha256(torn).hexdigest()
    assert proxy.one("acme", "SELECT 1") == 1
    assert path.read_bytes().endswith(torn), "the file stays as it was"
    verify_by_hand(proxy.lines("acme"))
    proxy.ctl("audit", "verify")


def test_a_broken_chain_lets_no_session_in(fleet, proxy):
    """A log changed behind our back gets no more records, so its tenant gets no session; the others' go on."""
    proxy.stop()
    path = sorted((proxy.ledger / "globex").glob("*.jsonl"))[-1]
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"event":"session.open"', b'"event":"session.opes"', 1))
    proxy.spawn()
    try:
        until(lambda: works(proxy, "acme"), "acme is served", 15, 0.1)
        with pytest.raises(psycopg.OperationalError) as caught:
            proxy.connect("globex")
        assert "log" in str(caught.value)
    finally:
        proxy.stop()
        path.write_bytes(good)
        proxy.start()
    assert works(proxy, "globex")


def works(proxy, tenant):
    return run("psql", "-XAtqc", "SELECT 1", proxy.dsn(tenant), check=False).returncode == 0


@pytest.fixture
def small_disk(empty_fleet):
    """A folder with room for a megabyte."""
    if not AS_ROOT:
        pytest.skip("needs root to mount a small tmpfs")
    folder = empty_fleet.folder / "small"
    folder.mkdir()
    if run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "sekisho-test", folder, check=False).returncode != 0:
        pytest.skip("may not mount a tmpfs here")
    yield folder
    run("umount", "-l", folder)


def test_a_full_disk_refuses_new_sessions_keeps_the_running_and_recovers(empty_fleet, small_disk):
    proxy = empty_fleet.proxy(name="small-disk", ledger_dir=small_disk)
    proxy.add("narrow", empty_fleet.instance("narrow"))
    proxy.start()
    running = proxy.connect("narrow")
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 512)

    def refused():
        try:
            proxy.connect("narrow").close()
        except psycopg.OperationalError as error:
            return str(error)

    text = until(refused, "a full disk refuses", 15, 0.01)
    assert "log" in text
    assert running.execute("SELECT 1").fetchone() == (1,), "a running session goes on"
    assert "ledger" in proxy.log() or "log" in proxy.log()
    status = proxy.ctl("status", check=False)
    assert re.search(r"fail|unavailable|refus|space", status.stdout + status.stderr), status.stdout + status.stderr
    os.unlink(filler)
    until(lambda: works(proxy, "narrow"), "sessions again", 15, 0.1)
    running.close()
    proxy.awaits("narrow", "ledger.failed")
    until(lambda: not proxy.sessions(), "all ended")
    assert proxy.ctl("audit", "verify").returncode == 0
    proxy.stop()


def test_no_row_and_no_statement_of_a_tenants_is_kept_anywhere(proxy):
    """Searches every file of the proxy's for what went through it both ways: store, ledger, standard error."""
    secret = "rows-belong-to-acme-" + os.urandom(8).hex()
    with proxy.connect("acme", application_name="mover") as ann:
        ann.execute("CREATE TEMP TABLE kept (what text)")
        ann.execute(f"INSERT INTO kept VALUES ('{secret} in a statement')")
        ann.execute("INSERT INTO kept VALUES (%s)", [f"{secret} as a parameter"])
        with ann.cursor().copy("COPY kept FROM STDIN") as copy:
            copy.write_row([f"{secret} copied"])
        assert len(ann.execute("TABLE kept").fetchall()) == 3
        with pytest.raises(psycopg.errors.InvalidTextRepresentation, match=secret):
            ann.execute(f"SELECT '{secret} in an error'::int")
        session = proxy.awaits("acme", "session.open", application="mover")
    proxy.awaits("acme", "session.close", session=session["session"])
    files = [path for path in proxy.home.rglob("*") if path.is_file()]
    assert len(files) > 5 and any(session["session"].encode() in path.read_bytes() for path in files)
    assert not [path for path in files if secret.encode() in path.read_bytes()]
