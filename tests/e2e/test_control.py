# SPDX-License-Identifier: ISC
"""sekishoctl, as people and programs use it: exit codes 0 done, 1 refused or not found, 2 usage, 3 unavailable."""
import json
import threading

import psycopg
import pytest

from fleet import SEKISHO, SEKISHOCTL, run, until


def code(proxy, *words):
    done = proxy.ctl(*words, check=False)
    if done.returncode:
        assert done.stderr, "an error is told on standard error"
    return done.returncode


def test_exit_codes(proxy):
    assert code(proxy, "tenant", "list") == 0
    assert code(proxy, "tenant", "show", "nobody") == 1
    assert code(proxy, "tenant", "suspend", "nobody") == 1
    assert code(proxy, "tenant", "add", "acme", "--instance", "127.0.0.1:5432") == 1
    assert code(proxy, "session", "kill", "00000000000000ff") == 1
    assert code(proxy, "tenant", "show") == 2
    assert code(proxy, "tenant", "add", "new") == 2
    assert code(proxy, "tenant", "set", "acme", "--invented", "1") == 2
    assert code(proxy, "invented") == 2
    assert run(SEKISHOCTL, check=False).returncode == 2


@pytest.mark.parametrize("name", ["Acme", "-acme", "acme.x", "acme/..", "_provider", "", "a" * 64, "127.0.0.1"])
def test_bad_tenant_names_are_refused(proxy, name):
    assert code(proxy, "tenant", "add", "--instance", "127.0.0.1:5432", "--", name) in (1, 2)
    assert {t["tenant"] for t in proxy.ctl_json("tenant", "list")} == {"acme", "globex"}


def test_help_and_version():
    for words in (["--help"], ["tenant", "--help"], ["tenant", "add", "--help"], ["--version"]):
        done = run(SEKISHOCTL, *words)
        assert done.stdout and not done.stderr


def test_json_for_programs(proxy):
    with proxy.connect("acme", application_name="json") as connection:
        session = until(lambda: proxy.sessions("acme"), "the session is listed")[0]
        assert set(session) >= {"session", "tenant", "user", "database", "application", "client", "instance_pid", "since"}
        assert session["tenant"] == "acme" and session["user"] == "app" and session["database"] == "app"
        assert session["application"] == "json" and session["instance_pid"] == connection.info.backend_pid
        assert proxy.sessions("globex") == []
    assert {t["tenant"] for t in proxy.ctl_json("tenant", "list")} == {"acme", "globex"}
    assert proxy.ctl_json("status")


def test_tables_for_people(proxy):
    assert "acme" in proxy.ctl("tenant", "list").stdout
    assert "127.0.0.1" in proxy.ctl("tenant", "show", "acme").stdout
    with proxy.connect("acme"):
        until(lambda: "acme" in proxy.ctl("session", "list").stdout, "the session is in the table")
    assert "ledger" in proxy.ctl("status").stdout


def test_no_secret_is_shown(proxy, acme):
    for words in (["tenant", "show", "acme"], ["--json", "tenant", "show", "acme"], ["--json", "tenant", "list"]):
        said = proxy.ctl(*words).stdout
        assert "PRIVATE KEY" not in said and "seal1:" not in said and "SCRAM-SHA-256$" not in said
    state = (proxy.home / "state" / "store.sqlite").read_bytes()
    assert b"PRIVATE KEY" not in state and b"SCRAM-SHA-256$" not in state


def test_state_is_private(proxy):
    for name in ("store.sqlite", "seal.key", "fleet.key"):
        assert (proxy.home / "state" / name).stat().st_mode & 0o077 == 0, name


def test_kill_a_session(proxy):
    with proxy.connect("acme") as connection:
        session = until(lambda: proxy.sessions("acme"), "the session is listed")[0]["session"]
        proxy.ctl("session", "kill", session)

        def ended():
            try:
                connection.execute("SELECT 1")
            except psycopg.OperationalError as error:
                return error

        error = until(ended, "the client is told", 5)
        assert "terminating connection due to administrator command" in str(error) and session in str(error)
    assert proxy.awaits("acme", "session.close", session=session)["reason"] == "killed by an administrator"


def test_kill_a_session_at_work(proxy, acme):
    with proxy.connect("acme") as connection:
        failed = []

        def work():
            try:
                connection.execute("SELECT pg_sleep(60)")
            except psycopg.Error as error:
                failed.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        pid = connection.info.backend_pid
        until(lambda: acme.sql(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'"), "at work")
        session = proxy.sessions("acme")[0]["session"]
        proxy.ctl("session", "kill", session)
        worker.join(10)
        assert failed
    assert proxy.awaits("acme", "session.close", session=session)["reason"] == "killed by an administrator"


def test_audit_show_and_verify(proxy):
    proxy.one("acme", "SELECT 1")
    proxy.awaits("acme", "session.close")
    lines = proxy.ctl("--json", "audit", "show", "acme").stdout.splitlines()
    assert [json.loads(line) for line in lines][: len(lines)] == proxy.records("acme")[: len(lines)]
    assert "session.open" in proxy.ctl("audit", "show", "acme").stdout
    assert proxy.ctl("audit", "verify").returncode == 0
    assert proxy.ctl("audit", "verify", "acme").returncode == 0
    unknown = proxy.ctl("audit", "verify", "nobody", check=False)
    assert unknown.returncode == 1 and "nobody" in unknown.stdout
    assert code(proxy, "audit", "show", "nobody") == 1


def test_check_proves_the_instance(proxy, acme, globex):
    for tenant in ("acme", "globex"):
        done = proxy.ctl("tenant", "check", tenant)
        assert done.returncode == 0


def test_check_finds_a_way_past_the_proxy(proxy, globex):
    """The instance's administrator lets everybody with a password in: that is what `tenant check` is for."""
    path = globex.data / "pg_hba.conf"
    good = path.read_text()
    globex.hba(good.replace("local all postgres trust\n", "local all postgres trust\nhostssl all all all scram-sha-256\n"))
    globex.reload()
    try:
        done = until(lambda: failed_check(proxy, "globex"), "the check fails", 5, 0.2)
        assert "bypass" in (done.stdout + done.stderr), done.stdout + done.stderr
    finally:
        globex.hba(good)
        globex.reload()
    until(lambda: proxy.ctl("tenant", "check", "globex", check=False).returncode == 0, "and is good again", 5, 0.2)


def failed_check(proxy, tenant):
    done = proxy.ctl("tenant", "check", tenant, check=False)
    return done if done.returncode == 1 else None


def test_the_instance_refuses_whoever_comes_past_the_proxy(proxy, acme):
    done = run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme", port=acme.port, host="acme.instance.internal"), check=False)
    assert done.returncode != 0
    done = run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme", port=acme.port, sslmode="disable"), check=False)
    assert done.returncode != 0


def test_provision_may_be_run_again(proxy, acme):
    proxy.provision("acme", acme)
    until(lambda: run("psql", "-XAtqc", "SELECT 1", proxy.dsn("acme"), check=False).returncode == 0, "acme is served", 5, 0.1)


def test_config_check(proxy, tmp_path):
    assert proxy.ctl("config", "check").returncode == 0
    for text, line, expected in [("[tenants]\ninvented = 1\n", 2, "invented"), ("[timeouts]\n\nlogin_timeout = soon\n", 3, "login_timeout"),
                                 ("[limits]\nmax_connections = -1\n", 2, "max_connections"), ("[nowhere]\nx = 1\n", 1, "nowhere")]:
        bad = tmp_path / "bad.conf"
        bad.write_text(text)
        for program in ([SEKISHOCTL, "config", "check", bad], [SEKISHO, "-c", bad]):
            done = run(*program, check=False)
            assert done.returncode != 0
            said = done.stdout + done.stderr
            assert f"bad.conf:{line}" in said and expected in said, said
    assert run(SEKISHO, "-c", tmp_path / "missing.conf", check=False).returncode != 0


def test_the_sample_configuration_is_good(tmp_path):
    sample = tmp_path / "sample.conf"
    sample.write_text(run(SEKISHOCTL, "config", "sample").stdout)
    assert run(SEKISHOCTL, "config", "check", sample).returncode == 0


def test_init_may_be_run_again_and_overwrites_nothing(proxy):
    before = (proxy.home / "state" / "seal.key").read_bytes()
    proxy.ctl("init")
    assert (proxy.home / "state" / "seal.key").read_bytes() == before


def test_the_wrong_seal_key_opens_nothing(proxy):
    key = proxy.home / "state" / "seal.key"
    good = key.read_bytes()
    key.write_bytes(b"0" * 64 + b"\n")
    try:
        done = proxy.ctl("tenant", "show", "acme", "--client-certificate", check=False)
        assert "PRIVATE" not in done.stdout
        assert proxy.ctl("tenant", "check", "acme", check=False).returncode != 0
    finally:
        key.write_bytes(good)


def test_a_stopped_proxy_is_unavailable(proxy):
    proxy.stop()
    for words in (["status"], ["session", "list"], ["session", "kill", "00000000000000ff"]):
        assert code(proxy, *words) == 3
    assert code(proxy, "tenant", "list") == 0, "the store is still there"
    proxy.start()
