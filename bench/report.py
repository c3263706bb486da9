# SPDX-License-Identifier: ISC
"""From the rows of all rounds to what people look at: medians with their range, the tables, the goals, the chart.

report.py FOLDER makes them again from FOLDER/results.tsv.
"""
import pathlib
import statistics
import sys

COLUMNS = ["round", "workload", "contestant", "unit", "units", "seconds", "rate", "cpu_us", "server_cpu_us", "switches", "p50_us",
           "p99_us", "p999_us", "kib", "pss_kib", "idle_cpu_us", "processes", "failed"]
TEXTS = ("workload", "contestant", "unit")
OURS, PEER, FLOOR = "sekisho", "pgbouncer", "blind"
MODES = ("prepared", "extended", "simple")


def write_row(file, found):
    file.write("\t".join("-" if found.get(name) is None else str(found[name]) for name in COLUMNS) + "\n")
    file.flush()


def read_rows(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0].split("\t") == COLUMNS, f"{path}: not the columns of this report"
    rows = []
    for line in lines[1:]:
        words = dict(zip(COLUMNS, line.split("\t"), strict=True))
        rows.append({name: word if name in TEXTS else None if word == "-" else float(word) for name, word in words.items()})
    return rows


def read_facts(path):
    return [line[2:] for line in path.read_text().splitlines() if line.startswith("# ")]


class Results:
    def __init__(self, rows):
        self.rows = rows
        self.workloads = list(dict.fromkeys(row["workload"] for row in rows))
        self.contestants = list(dict.fromkeys(row["contestant"] for row in rows))
        self.rounds = sorted({row["round"] for row in rows})

    def by_round(self, workload, contestant, column):
        return {row["round"]: row[column] for row in self.rows
                if row["workload"] == workload and row["contestant"] == contestant and row[column] is not None}

    def values(self, workload, contestant, column):
        return list(self.by_round(workload, contestant, column).values())

    def median(self, workload, contestant, column):
        found = self.values(workload, contestant, column)
        return statistics.median(found) if found else None

    def ratios(self, column, ours, theirs):
        """Round by round, as what disturbs the machine disturbs both; ours, theirs: (workload, contestant)."""
        mine, other = self.by_round(*ours, column), self.by_round(*theirs, column)
        return [mine[n] / other[n] for n in mine if other.get(n)]


# --- tables ---

def amount(us):
    """Microseconds as people read them."""
    if us is None:
        return "-"
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if abs(us) >= size:
            return f"{us / size:.3g} {unit}"
    return f"{us:.3g} µs"


def number(value):
    return "-" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def table_of(results, workload):
    unit = next(row["unit"] for row in results.rows if row["workload"] == workload)
    lines = [f"{workload}, per {unit}",
             f"  {'':14}{'CPU':>9} {'min':>9} {'max':>9} {'× PgB':>7} {'× blind':>7}{'PostgreSQL':>11}{'per s':>9}{'switches':>9}"
             f"{'p50':>9}{'p99':>9}{'p99.9':>9}{'PSS MiB':>9}{'KiB each':>9}"]
    for contestant in results.contestants:
        cpu = results.values(workload, contestant, "cpu_us")
        if not cpu:
            continue
        ratios = [results.ratios("cpu_us", (workload, contestant), (workload, other)) for other in (PEER, FLOOR)]
        median = {name: results.median(workload, contestant, name) for name in COLUMNS if name not in TEXTS}
        cells = [amount(statistics.median(cpu)), amount(min(cpu)), amount(max(cpu))]
        rests = [number(statistics.median(r)) if r else "-" for r in ratios]
        memory = None if median["pss_kib"] is None else median["pss_kib"] / 1024
        lines.append(f"  {contestant:14}{cells[0]:>9} {cells[1]:>9} {cells[2]:>9} {rests[0]:>7} {rests[1]:>7}"
                     f"{amount(median['server_cpu_us']):>11}{number(median['rate']):>9}{number(median['switches']):>9}"
                     f"{amount(median['p50_us']):>9}{amount(median['p99_us']):>9}{amount(median['p999_us']):>9}"
                     f"{number(memory):>9}{number(median['kib']):>9}")
    return "\n".join(lines)


# --- goals ---

def against(title, workload, column, other, limit, other_workload=None):
    def judge(results):
        return results.ratios(column, (workload, OURS), (other_workload or workload, other))
    return title, judge, limit, f"× {other}"


def tenant_memory(results):
    """KiB per further active tenant, round by round."""
    few, many = (results.by_round(f"tenants-{n}x1", OURS, "pss_kib") for n in (16, 64))
    return [(many[n] - few[n]) / 48 for n in many if n in few]


def wakeups(results):
    """Switches a transaction with 64 tenants of one connection, over those with one tenant of 64: at most 64 is linear."""
    return results.ratios("switches", ("tenants-64x1", OURS), ("tenants-1x64", OURS))


GOALS = [
    *(against(f"CPU per transaction, {mode}, 16 connections", f"select-{mode}-16", "cpu_us", PEER, limit)
      for mode, limit in zip(MODES, (0.80, 0.85, 0.85))),
    *(against(f"CPU per transaction, {mode}, 16 connections", f"select-{mode}-16", "cpu_us", FLOOR, 1.10) for mode in MODES),
    *(against(f"CPU per transaction, {mode}, 1 connection", f"select-{mode}-1", "cpu_us", PEER, 0.90) for mode in MODES),
    against("CPU per GB, COPY out", "copy-out", "cpu_us", PEER, 0.50),
    against("CPU per GB, COPY in", "copy-in", "cpu_us", PEER, 0.65),
    against("CPU per connection, both sides new, the log durable", "storm", "cpu_us", PEER, 1.10),
    against("CPU per connection, the peer reuses the server's", "reconnect", "cpu_us", PEER, 1.10),
    *(against(f"p99 latency, {mode}, 16 connections", f"select-{mode}-16", "p99_us", PEER, 1.0) for mode in MODES),
    against("KiB per idle connection", "idle", "kib", PEER, 0.40),
    against("CPU per transaction, 16 tenants × 1 connection", "tenants-16x1", "cpu_us", PEER, 1.30, "select-simple-16"),
    ("PSS per further active tenant", tenant_memory, 1024, "KiB"),
    ("switches per transaction, 1 → 64 tenants", wakeups, 64, "×"),
]


def goals_of(results):
    """(title, median, least, most, limit, unit) of every goal that was measured."""
    for title, judge, limit, unit in GOALS:
        found = judge(results)
        if found:
            yield title, statistics.median(found), min(found), max(found), limit, unit


def goal_table(results):
    lines = [f"{'goal':52}{'limit':>16}{'median':>9}{'min':>9}{'max':>9}"]
    for title, median, least, most, limit, unit in goals_of(results):
        says = "met" if median <= limit else "NOT MET"
        lines.append(f"{title:52}{f'{limit:g} {unit}':>16}{median:9.3g}{least:9.3g}{most:9.3g}  {says}")
    return "\n".join(lines) if len(lines) > 1 else ""


def summary(results):
    lines = ["workload\tcontestant\tcolumn\tmedian\tmin\tmax\trounds"]
    for workload in results.workloads:
        for contestant in results.contestants:
            for column in COLUMNS[5:]:
                found = results.values(workload, contestant, column)
                if found:
                    lines.append("\t".join([workload, contestant, column, f"{statistics.median(found):g}", f"{min(found):g}",
                                            f"{max(found):g}", str(len(found))]))
    return "\n".join(lines) + "\n"


def make(folder):
    """Writes summary.tsv, tables.txt and chart.svg beside results.tsv; returns the tables."""
    import chart

    results = Results(read_rows(folder / "results.tsv"))
    facts = read_facts(folder / "results.tsv")
    text = "\n\n".join(part for part in ["\n".join(facts), *(table_of(results, name) for name in results.workloads),
                                         goal_table(results)] if part) + "\n"
    (folder / "summary.tsv").write_text(summary(results))
    (folder / "tables.txt").write_text(text)
    chart.draw(results, facts, folder / "chart.svg")
    return text


if __name__ == "__main__":
    print(make(pathlib.Path(sys.argv[1])), end="")
