# SPDX-License-Identifier: ISC
"""An operator's session in each state in which its grant can end, and a stopwatch: when the client saw the end, and when
nothing of it ran on the instance any more."""
import socket
import statistics
import struct
import threading
import time

import psycopg

from fleet import until
from wire import Closed, message, query, startup

LONG = "SELECT pg_sleep(120)"
ROWS = "SELECT generate_series(1, 100000000), repeat('x', 200)"  # as they come: nothing is gathered first


def parse(sql):
    return message(b"P", b"\0" + sql.encode() + b"\0\0\0")


BIND = message(b"B", b"\0\0" + b"\0\0" * 3)
FLUSH, SYNC = message(b"H"), message(b"S")


def execute(rows=0):
    return message(b"E", b"\0" + struct.pack("!I", rows))


def idle(wire):
    pass


def in_a_transaction(wire):
    wire.send(query("BEGIN; SELECT count(*) FROM who"))
    wire.until(b"Z")


def mid_query(wire):
    wire.send(query(LONG))


def copy_out(wire):
    wire.send(query(f"COPY ({ROWS}) TO STDOUT"))
    wire.until(b"d")


def copy_in(wire):
    wire.send(query("COPY who FROM STDIN"))
    wire.until(b"G")
    wire.send(message(b"d", b"mallory\t1\n"))
    wire.streams = True


def a_portal_half_read(wire):
    wire.send(query("BEGIN"))
    wire.until(b"Z")
    wire.send(parse(ROWS) + BIND + execute(3) + FLUSH)
    wire.until(b"s")


def a_pipeline_queued(wire):
    wire.send(parse(LONG) + BIND + execute() + (parse("INSERT INTO who VALUES ('late', 1)") + BIND + execute()) * 20 + SYNC)


def not_reading(wire):
    wire.reads = False
    wire.send(query(ROWS))


STATES = [idle, in_a_transaction, mid_query, copy_out, copy_in, a_portal_half_read, a_pipeline_queued, not_reading]


class Session:
    """One session in one state, read by a thread of its own until it ends."""

    def __init__(self, ops, state, **more):
        self.ops, self.state = ops, state
        self.wire = ops.wire(log_in=False, **more)
        self.wire.reads, self.wire.streams = True, False
        if state is not_reading:
            self.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.wire.send(startup(user=more.get("operator", "alice"), database="app"))
        while True:
            kind, body = self.wire.message()
            assert kind != b"E", body
            if kind == b"K":
                self.pid = struct.unpack("!II", body)[0]
            if kind == b"Z":
                break
        state(self.wire)
        self.ended = None
        if self.wire.reads:
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        self.wire.sock.settimeout(60)
        try:
            while True:
                if self.wire.streams:
                    self.stream()
                else:
                    self.wire.message()
        except (Closed, OSError):
            self.ended = time.monotonic()

    def stream(self):
        """A client in COPY FROM STDIN says a line, and listens for a moment."""
        self.wire.send(message(b"d", b"mallory\t1\n"))
        self.wire.sock.settimeout(0.01)
        try:
            self.wire.more()
        except TimeoutError:
            pass

    def drain(self):
        """A client that did not read does so now, to the end."""
        self.wire.sock.settimeout(20)
        try:
            while True:
                self.wire.more()
                self.wire.seen = b""
        except (Closed, OSError):
            return True


class Stopwatch:
    """Sessions under way, ended all at once: seconds until each client saw it, and until nothing of it ran."""

    def __init__(self, ops, sessions):
        self.ops, self.sessions = ops, sessions
        self.admin = psycopg.connect(ops.acme.admin, autocommit=True)
        until(lambda: self.running(mid_query, a_pipeline_queued) <= self.active(), "the long queries run")

    def running(self, *states):
        return {s.pid for s in self.sessions if s.state in states}

    def active(self):
        return {pid for pid, in self.admin.execute("SELECT pid FROM pg_stat_activity WHERE state = 'active'")}

    def there(self):
        return {pid for pid, in self.admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename LIKE 'sekisho%' AND backend_type = 'client backend'")}

    def watch(self, since, seconds=15):
        """After the end was ordered at `since` (monotonic): {session: (client, instance)}."""
        gone = {}
        while time.monotonic() < since + seconds:
            there = self.there()
            now = time.monotonic()
            for session in self.sessions:
                if session.pid not in there:
                    gone.setdefault(session, now)
            if len(gone) == len(self.sessions) and all(s.ended or not s.wire.reads for s in self.sessions):
                break
            time.sleep(0.01)
        for session in self.sessions:
            assert session in gone, f"still on the instance: {session.state.__name__}"
            if not session.wire.reads:
                assert session.drain()
                session.ended = gone[session]
            assert session.ended, f"the client was not told: {session.state.__name__}"
            session.wire.close()
        self.admin.close()
        return {s: (max(0.0, s.ended - since), max(0.0, gone[s] - since)) for s in self.sessions}


class Figures:
    def __init__(self):
        self.seen = {}

    def add(self, times):
        for session, (client, instance) in times.items():
            self.seen.setdefault(session.state.__name__, []).append((client, instance))

    def slowest(self):
        return max(max(pair) for pairs in self.seen.values() for pair in pairs)

    def table(self, title):
        lines = [f"{title} (seconds: min / median / max)", f"{'':20}{'n':>5}   {'client sees the end':24}   nothing runs"]
        for state, pairs in self.seen.items():
            shown = ["{:.3f} / {:.3f} / {:.3f}".format(min(c), statistics.median(c), max(c)) for c in zip(*pairs)]
            lines.append(f"{state:20}{len(pairs):>5}   {shown[0]:24}   {shown[1]}")
        return "\n".join(lines)
