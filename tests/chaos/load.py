# SPDX-License-Identifier: ISC
"""The clients: each tenant's, who get only their own rows and lose no acknowledged commit, and operators.

A client reconnects for ever. What it may meet while faults happen is in LEGAL; everything else is a finding.
"""
import itertools
import re
import threading
import time

import psycopg

PATIENCE_S = 45  # nothing may keep a client waiting for longer
# connection trouble, shortages, the instance's or the proxy's end of a session, a cancelled query, a broken transaction
LEGAL = ("08", "53", "57", "58", "25P02", "25P03", "40001")
FATAL = re.compile(r"FATAL:  (.*)")
# What a login may be told while something is away.
SENTENCES = ("logins cannot be checked right now", "the instance does not answer", "the instance closed the connection during login",
             "TLS to the instance failed", "the session log cannot be written",
             "the database system is .*", "terminating connection .*", "too many .*", "sorry, too many clients already")


class Client(threading.Thread):
    """One client of one tenant; `work` is one round on a connection."""

    numbers = itertools.count(1)

    def __init__(self, world, tenant):
        super().__init__(daemon=True)
        self.world, self.tenant, self.number = world, tenant, next(Client.numbers)
        self.connections, self.queries = 0, 0
        self.application, self.since = None, None

    def run(self):
        while not self.world.over.is_set():
            try:
                self.live()
            except psycopg.Error as error:
                self.judge(error)
                time.sleep(0.05)  # a client's own pause before it tries again
            except AssertionError as error:
                self.world.finding(f"{self.tenant}'s client {self.number} ({type(self).__name__}): {error}")
            finally:
                self.since = None

    def judge(self, error):
        state, told = error.sqlstate, FATAL.findall(str(error))
        if state is None and told:  # refused or ended while it logged in: libpq gives no code
            good = any(re.fullmatch(sentence, told[-1]) for sentence in SENTENCES)
        else:
            good = state is None and isinstance(error, psycopg.OperationalError) or (state or "").startswith(LEGAL)
        if not good and not self.world.excused(self.tenant, told[-1] if told else state):
            self.world.finding(f"{self.tenant}'s client {self.number} ({type(self).__name__}): {state} {error}")
        self.world.met(told[-1] if told and state is None else state or "lost")

    def dsn(self):
        return self.world.proxy.dsn(self.tenant, application_name=self.application, connect_timeout=30)

    def connect(self):
        self.application = f"chaos-{self.number}-{self.connections}"
        self.since = time.monotonic()
        connection = psycopg.connect(self.dsn(), autocommit=True)
        self.connections += 1
        self.world.let_in(self.tenant, self.application)
        return connection

    def live(self):
        with self.connect() as connection:
            while not self.world.over.is_set():
                self.since = time.monotonic()
                self.work(connection)
                self.queries += 1
                self.since = None
                if self.enough():
                    return
                time.sleep(self.world.pause)

    def enough(self):
        return False

    def own(self, names):
        wrong = set(names) - {self.tenant}
        assert not wrong, f"rows of somebody else: {wrong}"


class Reader(Client):
    def work(self, connection):
        rows = connection.execute("SELECT name, n, %s::text FROM who", [self.application]).fetchall()
        self.own(name for name, _, _ in rows)
        assert rows and all(mark == self.application for _, _, mark in rows), f"another's answer: {rows[:3]}"


class Comer(Reader):
    """Connects, asks once, leaves."""

    def enough(self):
        return True


class Teller(Client):
    """Counts in transactions: what was acknowledged stays, and nothing is counted that it did not ask for."""

    acknowledged = 0

    def connect(self):
        connection = super().connect()
        row = connection.execute("SELECT n FROM tally WHERE client = %s", [self.number]).fetchone()
        now = row[0] if row else 0
        assert self.acknowledged <= now <= self.acknowledged + 1, f"acknowledged {self.acknowledged}, there is {now}"
        self.acknowledged = now
        return connection

    def work(self, connection):
        with connection.transaction():
            name, n = connection.execute(
                "INSERT INTO tally AS t VALUES (%s, 1) ON CONFLICT (client) DO UPDATE SET n = t.n + 1"
                " RETURNING (SELECT name FROM who LIMIT 1), n", [self.number]).fetchone()
        self.own([name])
        assert n == self.acknowledged + 1, f"acknowledged {self.acknowledged}, then {n}"
        self.acknowledged = n


class Copier(Client):
    """Streams both ways."""

    def work(self, connection):
        with connection.cursor() as cursor:
            with cursor.copy("COPY (SELECT name, g FROM who, generate_series(1, 400) g) TO STDOUT") as copy:
                rows = list(copy.rows())
            self.own(name for name, _ in rows)
            assert len(rows) == 1200, f"{len(rows)} of 1200 rows"
            with connection.transaction():
                cursor.execute("CREATE TEMP TABLE bulk (name text, n int) ON COMMIT DROP")
                with cursor.copy("COPY bulk FROM STDIN") as copy:
                    for n in range(400):
                        copy.write_row((self.tenant, n))
                counted = cursor.execute("SELECT count(*), min(name), max(name), sum(n) FROM bulk").fetchone()
            assert counted == (400, self.tenant, self.tenant, 79800), f"copied in: {counted}"


class Canceller(Client):
    """Has its own long query cancelled."""

    def work(self, connection):
        timer = threading.Timer(0.1, lambda: self.cancel(connection))
        timer.start()
        try:
            connection.execute("SELECT pg_sleep(3)")
        except psycopg.errors.QueryCanceled:
            pass  # the expected end
        finally:
            timer.cancel()
        self.own([connection.execute("SELECT name FROM who LIMIT 1").fetchone()[0]])

    def cancel(self, connection):
        try:
            connection.cancel()
        except psycopg.Error:
            pass

    def enough(self):
        return self.queries % 3 == 0


class OnCall(Client):
    """An operator: every statement carries a marker; a new grant when there is none."""

    def __init__(self, world, operator, tenant):
        super().__init__(world, tenant)
        self.operator = operator

    def dsn(self):
        return self.world.ops.dsn(self.operator, self.tenant, application_name=self.application, connect_timeout=30)

    def judge(self, error):
        if "break-glass grant" in str(error):
            self.world.wants_grant(self.operator, self.tenant)
            self.world.met("no grant")
        else:
            super().judge(error)

    def work(self, connection):
        marker = f"op-{self.number}-{self.connections * 100000 + self.queries}"
        sql = f"SELECT name, '{marker}' FROM who WHERE n > 0"
        values = [0] if self.queries % 2 else None  # the extended protocol, or a simple query
        rows = connection.execute(sql.replace("> 0", "> %s") if values else sql, values).fetchall()
        self.own(name for name, _ in rows)
        assert rows and all(mark == marker for _, mark in rows)


def clients_of(world, tenant):
    return [Reader(world, tenant), Comer(world, tenant), Teller(world, tenant), Copier(world, tenant), Canceller(world, tenant)]
