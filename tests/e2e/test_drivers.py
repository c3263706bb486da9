# SPDX-License-Identifier: ISC
"""The drivers that tenants use, each with a small program of its own."""
import os
import pathlib
import shutil

import psycopg
import pytest

from fleet import PG, run, until

HERE = pathlib.Path(__file__).parent
JDBC = pathlib.Path("/usr/share/java/postgresql.jar")
NODE = pathlib.Path(os.environ.get("NODE_PATH", HERE.parents[1] / "build/node/node_modules"))


@pytest.mark.parametrize("more", [{}, {"channel_binding": "require"}, {"ssl_min_protocol_version": "TLSv1.3"}])
def test_psql(proxy, more):
    script = "SELECT DISTINCT name FROM who;\n\\copy who TO STDOUT\nBEGIN; SELECT 1; ROLLBACK;\n\\conninfo\n"
    done = run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", proxy.dsn("acme", **more), input=script)
    assert done.stdout.startswith("acme\nacme\t1\nacme\t2\nacme\t3\n1\n")
    assert "TLS" in done.stdout


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(proxy, acme, mode):
    if acme.sql("SELECT 1 FROM pg_tables WHERE tablename = 'pgbench_accounts'", dbname="app") != ["1"]:
        run(PG / "pgbench", "-i", "-q", "-s", "1", proxy.dsn("acme"))
    done = run(PG / "pgbench", "-n", "-M", mode, "-c", "4", "-j", "2", "-t", "100", proxy.dsn("acme"))
    assert "number of failed transactions: 0 (0.000%)" in done.stdout
    assert "number of transactions actually processed: 400/400" in done.stdout
    # \startpipeline needs the extended protocol.
    if mode != "simple":
        script = proxy.home / "pipeline.sql"
        script.write_text("\\startpipeline\nSELECT 1;\nSELECT count(*) FROM pgbench_branches;\nSELECT 2;\n\\endpipeline\n")
        done = run(PG / "pgbench", "-n", "-M", mode, "-c", "2", "-t", "50", "-f", script, proxy.dsn("acme"))
        assert "number of transactions actually processed: 100/100" in done.stdout


def test_pgbench_with_a_connection_per_transaction(proxy, acme):
    acme.sql("CREATE TABLE IF NOT EXISTS short AS SELECT 1 AS n; GRANT ALL ON short TO app", dbname="app")
    script = proxy.home / "short.sql"
    script.write_text("SELECT n FROM short;\n")
    done = run(PG / "pgbench", "-n", "-C", "-c", "4", "-t", "20", "-f", script, proxy.dsn("acme"))
    assert "number of transactions actually processed: 80/80" in done.stdout


def test_psycopg(proxy):
    with proxy.connect("acme", autocommit=False) as connection:
        with connection.cursor() as cursor:
            cursor.executemany("SELECT %s::text", [(str(n),) for n in range(100)], returning=True)
            assert cursor.fetchone() == ("0",)
        with connection.transaction():
            assert connection.execute("SELECT %s::jsonb -> 'a'", ['{"a": [1, 2]}']).fetchone()[0] == [1, 2]
        binary = connection.cursor(binary=True).execute("SELECT now(), 1.5::numeric, 'x'::bytea").fetchone()
        assert binary[2] == b"x"
        with pytest.raises(psycopg.errors.UndefinedTable), connection.transaction():
            connection.execute("TABLE nowhere")


def test_node_postgres(proxy):
    if not (NODE / "pg").is_dir():
        pytest.skip("node-postgres is not there; ./run test installs it")
    done = run("node", HERE / "roundtrip.js", proxy.port, "acme secret", proxy.fleet.authority.crt,
               env=dict(os.environ, NODE_PATH=str(NODE)))
    assert done.stdout.strip() == "good"


def test_jdbc(proxy, tmp_path):
    if not shutil.which("javac") or not JDBC.exists():
        pytest.skip("no javac or JDBC driver; ./run test installs them")
    run("javac", "-cp", JDBC, "-d", tmp_path, HERE / "Roundtrip.java")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 acme.db.test\n")
    done = run("java", f"-Djdk.net.hosts.file={hosts}", "-cp", f"{tmp_path}:{JDBC}", "Roundtrip",
               f"jdbc:postgresql://acme.db.test:{proxy.port}/app", "acme secret", proxy.fleet.authority.crt)
    assert done.stdout.strip() == "good"
    until(lambda: not proxy.sessions("acme"), "it left nothing behind")
