# SPDX-License-Identifier: ISC
"""What contestants are put through. Each workload is a value with one method, `measure`, which drives a started contestant and
returns one row: what it cost, per unit of work.
"""
import contextlib
import pathlib
import signal
import subprocess
import tempfile
import time

from accounts import pss_kib, used_by
from lab import PG, SCRIPTS, TOOLS, environment, until

PATIENCE = 180
FOREVER = 3600      # seconds: pgbench is told when it is enough
PIPELINED = 20      # queries in scripts/pipeline.sql
LINE = "x" * 499    # of COPY: 500 bytes with its end


class Workload:
    unit = "transaction"
    prepares = False    # leaves prepared statements for later transactions
    tenants = 1

    def __init__(self, name, about):
        self.name, self.about = name, about

    def wanted(self, contestant):
        """Whether the contestant has to do with it at all."""
        return True

    def measure(self, lab, contestant, pace):
        raise NotImplementedError


def row(units, window, server, **more):
    """The columns every workload fills, from what the contestant and PostgreSQL used meanwhile."""
    return {"units": f"{units:.0f}" if units >= 100 else f"{units:g}", "seconds": round(window.at, 3),
            "rate": round(units / window.at, 2), "cpu_us": round(window.cpu_ns / 1000 / units, 3),
            "server_cpu_us": round(server.cpu_ns / 1000 / units, 3), "switches": round(window.switches / units, 4),
            "processes": window.processes, **more}


class Window:
    """From open to close: what the contestant and PostgreSQL use."""

    def __init__(self, lab, contestant):
        self.roots = contestant.root, lab.postgres.process.pid
        self.begun = [used_by(root) for root in self.roots]

    def close(self):
        contestant, server = (used_by(root).since(begun) for root, begun in zip(self.roots, self.begun))
        contestant.at = server.at
        return contestant, server


def percentiles(values, *wanted):
    values = sorted(values)
    return [values[min(len(values) - 1, int(len(values) * part))] for part in wanted]


# --- pgbench ---

class Bench:
    """Some pgbench at the same time, one for each tenant, that wait for each other's connections."""

    def __init__(self, folder, ways, clients, mode, script, more):
        self.folder = folder
        self.ways = len(ways)
        threads = str(min(2, clients)) if self.ways == 1 else "1"
        self.children = []
        for n, words in enumerate(ways):
            self.children.append(subprocess.Popen(
                [PG / "pgbench", "-n", "-M", mode, "-f", SCRIPTS / script, "-c", str(clients), "-j", threads, "-T", str(FOREVER),
                 "-P", "1", "-l", "--log-prefix", f"{folder}/{n}", *more],
                env=environment(words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=open(folder / f"{n}.said", "wb")))

    def said(self, n):
        return (self.folder / f"{n}.said").read_text(errors="replace")

    def are_running(self):
        """Each has reported progress: every connection stands and the first second is over."""
        for n, child in enumerate(self.children):
            if child.poll() not in (None, 0):
                raise AssertionError(f"pgbench ended with {child.returncode}:\n{self.said(n)[-2000:]}")
        return all("progress:" in self.said(n) for n in range(self.ways))

    def end(self):
        """Lets each finish what it is at and write its log: to pgbench the alarm means that its time is over."""
        for child in self.children:
            child.send_signal(signal.SIGALRM)
        for n, child in enumerate(self.children):
            if child.wait(PATIENCE) != 0:
                raise AssertionError(f"pgbench ended with {child.returncode}:\n{self.said(n)[-2000:]}")

    def kill(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()

    def latencies(self, begin, end):
        """In microseconds, of the transactions that ended in the window."""
        found = []
        for path in self.folder.glob("*[0-9]"):
            with open(path) as log:
                for line in log:
                    words = line.split()
                    if begin <= int(words[4]) + int(words[5]) / 1e6 <= end:
                        found.append(int(words[2]))
        return found


class PgBench(Workload):
    def __init__(self, name, about, mode, clients, script="select.sql", tenants=1, unit="transaction", per=1, more=()):
        super().__init__(name, about)
        self.mode, self.clients, self.script, self.tenants = mode, clients, script, tenants
        self.unit, self.per, self.more = unit, per, more
        self.prepares = mode == "prepared"

    def ways(self, contestant):
        return [contestant.words(n) for n in range(self.tenants)]

    def measure(self, lab, contestant, pace):
        with tempfile.TemporaryDirectory(prefix="sekisho-bench.") as folder:
            bench = Bench(pathlib.Path(folder), self.ways(contestant), self.clients, self.mode, self.script, self.more)
            try:
                until(bench.are_running, f"pgbench runs against {contestant.name}", PATIENCE, 0.01)
                begin, window = time.time(), Window(lab, contestant)
                time.sleep(pace.seconds)
                used, server = window.close()
                end = time.time()
                memory = pss_kib(contestant.root)
                bench.end()
            finally:
                bench.kill()
            took = bench.latencies(begin, end)
        if not took:
            raise AssertionError(f"{contestant.name}: no transaction of {self.name} ended in the window")
        p50, p99, p999 = percentiles(took, 0.5, 0.99, 0.999)
        return row(len(took) * self.per, used, server, p50_us=p50, p99_us=p99, p999_us=p999, pss_kib=memory)


class Operator(PgBench):
    """One operator under a grant, every statement in the log before it goes."""

    def wanted(self, contestant):
        return hasattr(contestant, "operator_words")

    def ways(self, contestant):
        return [contestant.operator_words()]


# --- COPY ---

class Copy(Workload):
    unit = "GB"

    def __init__(self, name, about, statement, feeds):
        super().__init__(name, about)
        self.statement, self.feeds = statement, feeds

    def measure(self, lab, contestant, pace):
        size = pace.copy_bytes
        lines = size // (len(LINE) + 1)
        command = [PG / "psql", "-XAtqc", self.statement.format(lines=lines, width=len(LINE))]
        more = {"env": environment(contestant.words()), "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        window = Window(lab, contestant)
        with contextlib.ExitStack() as feeders:
            feed = subprocess.DEVNULL
            if self.feeds:
                yes = feeders.enter_context(subprocess.Popen(["yes", LINE], stdout=subprocess.PIPE))
                head = feeders.enter_context(
                    subprocess.Popen(["head", "-n", str(lines)], stdin=yes.stdout, stdout=subprocess.PIPE))
                yes.stdout.close()
                feed = head.stdout
            done = subprocess.run(command, stdin=feed, timeout=PATIENCE * 3, **more)
        used, server = window.close()
        if done.returncode != 0:
            raise AssertionError(f"{contestant.name}: {self.name}: {done.stderr.decode()}")
        return row(lines * (len(LINE) + 1) / 1e9, used, server)


# --- connections ---

@contextlib.contextmanager
def held(words, count, at_once):
    """So many connections stand meanwhile: (stand, failed, seconds, fastest, p50, p99, slowest)."""
    child = subprocess.Popen([TOOLS / "hold", str(count), str(at_once)], env=environment(words), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        line = child.stdout.readline().split()
        if len(line) != 7:
            raise AssertionError(f"hold ended:\n{child.communicate()[1].decode()[-2000:]}")
        yield [float(word) for word in line]
    finally:
        child.communicate()


class Idle(Workload):
    """Connections that stand still, after one query each: their memory, and what keeping them costs. The units are the
    connections, cpu_us what opening one cost, switches those in a second of standing still, of all together.
    """
    unit = "connection"

    def measure(self, lab, contestant, pace):
        with held(contestant.words(), 1, 1):
            before, window = pss_kib(contestant.root), Window(lab, contestant)
            with held(contestant.words(), pace.idle, 8) as (stand, failed, _, _, p50, p99, slowest):
                used, server = window.close()
                memory = pss_kib(contestant.root)
                still = Window(lab, contestant)
                time.sleep(pace.seconds)
                rest, _ = still.close()
        if stand == 0:
            raise AssertionError(f"{contestant.name}: not one of {pace.idle} connections stood")
        kib = None if before is None or memory is None else round((memory - before) / stand, 2)
        found = row(stand, used, server, kib=kib, pss_kib=memory, failed=failed, p50_us=p50, p99_us=p99, p999_us=slowest)
        return {**found, "switches": round(rest.switches / rest.at, 2), "idle_cpu_us": round(rest.cpu_ns / 1000 / rest.at)}


class Storm(Workload):
    unit = "connection"

    def measure(self, lab, contestant, pace):
        window = Window(lab, contestant)
        with held(contestant.words(), pace.storm, pace.storm) as (stand, failed, seconds, _, p50, p99, slowest):
            used, server = window.close()
            memory = pss_kib(contestant.root)
        if stand == 0:
            raise AssertionError(f"{contestant.name}: not one of {pace.storm} connections stood")
        used.at = seconds
        return row(stand, used, server, failed=failed, p50_us=p50, p99_us=p99, p999_us=slowest, pss_kib=memory)


def select(mode, clients):
    return PgBench(f"select-{mode}-{clients}", f"one row by its key, {mode} statements, {clients} connections", mode, clients)


def many(tenants, each):
    return PgBench(f"tenants-{tenants}x{each}", f"one row by its key, simple statements, {tenants} tenants, {each} connections each",
                   "simple", each, tenants=tenants)


WORKLOADS = [
    *(select(mode, clients) for mode in ("prepared", "extended", "simple") for clients in (1, 16, 64)),
    PgBench("reconnect", "a connection for each query, 4 at a time", "simple", 4, unit="connection", more=["-C"]),
    PgBench("pipeline", f"{PIPELINED} queries in a pipeline, extended statements, 4 connections", "extended", 4,
            script="pipeline.sql", unit="query", per=PIPELINED),
    Copy("copy-out", "COPY TO STDOUT", "COPY (SELECT repeat('x', {width}) FROM generate_series(1, {lines})) TO STDOUT", False),
    Copy("copy-in", "COPY FROM STDIN; PostgreSQL throws the rows away", "COPY sink FROM STDIN WHERE false", True),
    Idle("idle", "connections that stand still"),
    Storm("storm", "connections opened all at once"),
    *(many(tenants, each) for tenants, each in ((1, 64), (4, 16), (16, 1), (16, 4), (64, 1), (64, 4))),
    Operator("operator-simple", "an operator's session, simple statements, each in the log first", "simple", 1),
    Operator("operator-extended", "an operator's session, extended statements, each in the log first", "extended", 1),
]
