# SPDX-License-Identifier: ISC
"""The place where contestants meet: a certificate authority, one PostgreSQL, processes under a reaper each, and clients.

Stands on tests/e2e/fleet.py. Everything is on loopback, in one temporary folder, and dies with the harness.
"""
import os
import pathlib
import resource
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
os.environ.setdefault("SEKISHO_BIN", str(ROOT / "build/release"))
sys.path.insert(0, str(ROOT / "tests/e2e"))
import fleet as the_fleet  # noqa: E402
from fleet import AS_ROOT, BIN, PG, Fleet, free_port, run, until  # noqa: E402, F401

from accounts import used_by  # noqa: E402

TOOLS = BIN / "bench"
SCRIPTS = ROOT / "bench/scripts"
USER, DATABASE, PASSWORD = "app", "app", "pg secret"  # as fleet.Fleet.instance makes them
SETTINGS = """
log_statement = none
log_connections = off
max_connections = 1400
shared_buffers = 128MB
ssl_min_protocol_version = 'TLSv1.3'
autovacuum = off
"""
ROWS = 10000


class Running:
    """A contestant's command under a reaper. `root` is where its accounts begin."""

    def __init__(self, lab, name, command, **more):
        self.name = name
        self.total = lab.folder / f"{name}.total"
        self.log = lab.folder / f"{name}.log"
        self.total.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", TOOLS / "reaper", self.total, *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **more)
        self.root = self.process.pid

    def alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
        return True

    def stop(self):
        """Ends it, and holds its accounts against the kernel's sum over every process it ever had."""
        if self.process.poll() is None:
            counted_us = used_by(self.root).cpu_ns / 1000
            self.process.terminate()
            self.process.wait(30)
            check_accounts(self.name, counted_us, self.total)


def check_accounts(name, counted_us, path):
    """Ticks are rounded down once a process; leaving costs something too, after we have looked."""
    total_us = int(path.read_text())
    if not counted_us - 30_000 <= total_us <= counted_us * 1.02 + 200_000:
        print(f"bench: {name}: {counted_us / 1e6:.3f} s of CPU were counted, the kernel says {total_us / 1e6:.3f} s",
              file=sys.stderr)


class Lab:
    def __init__(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.fleet = Fleet()
        self.folder = self.fleet.folder
        self.authority = self.fleet.authority
        self.postgres = self.fleet.instance("pg", settings=SETTINGS)
        self.postgres.hba("local all postgres trust\nhostssl all all all scram-sha-256\n")
        self.postgres.reload()
        self.postgres.sql(
            "CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));"
            f"INSERT INTO pgbench_accounts SELECT n, 1, 0, '' FROM generate_series(1, {ROWS}) n;"
            "CREATE UNLOGGED TABLE sink (line text);"
            "ALTER TABLE pgbench_accounts OWNER TO app; ALTER TABLE sink OWNER TO app;"
            "VACUUM ANALYZE pgbench_accounts", dbname=DATABASE)

    def stop(self):
        self.fleet.stop()

    def verifier(self):
        """What PostgreSQL keeps for the user's password: for those who must know it too."""
        return self.postgres.sql(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{USER}'")[0]

    def certificate(self, name, readable_by_postgres=False):
        """A certificate for a host name; the paths of it and its key."""
        base = self.folder / f"{name.replace('*', 'any')}.server"
        crt, key = self.authority.issue(base, name)
        if readable_by_postgres:
            for path in (crt, key):
                the_fleet.open_to_postgres(path)
        return crt, key

    def words(self, port, host, **more):
        """How a client reaches a contestant: libpq's keywords."""
        return {"host": host, "hostaddr": "127.0.0.1", "port": port, "user": USER, "password": PASSWORD,
                "dbname": DATABASE, "sslmode": "verify-full", "sslrootcert": self.authority.crt, "connect_timeout": 60,
                "gssencmode": "disable", **more}


ENVIRONMENT = {"host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
               "dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT",
               "sslkey": "PGSSLKEY", "connect_timeout": "PGCONNECT_TIMEOUT", "gssencmode": "PGGSSENCMODE"}


def environment(words):
    """For pgbench, psql and hold: where to connect to, so that no password stands in a list of processes."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return {**clean, **{ENVIRONMENT[key]: str(value) for key, value in words.items()}}


def answers(words):
    done = run(PG / "psql", "-XAtqc", "SELECT 1", env=environment(words), check=False)
    return done.returncode == 0 and done.stdout == "1\n"
