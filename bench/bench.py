# SPDX-License-Identifier: ISC
"""The harness: every contestant through every workload, round after round. README.md beside this file explains.

    bench.py [--quick] [--rounds N] [--seconds S] [--contestants A,B] [--out FOLDER] [WORKLOAD...]
    bench.py --list

WORKLOAD is a name or a pattern such as 'select-*-16'.
"""
import argparse
import dataclasses
import datetime
import fnmatch
import os
import pathlib
import platform
import re
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import contestants  # noqa: E402
import report  # noqa: E402
from lab import ROOT, Lab, run, until  # noqa: E402
from workloads import WORKLOADS  # noqa: E402

GB = 1_000_000_000


@dataclasses.dataclass
class Pace:
    """How long and how much."""
    rounds: int
    seconds: int        # of a pgbench window
    copy_bytes: int
    idle: int           # connections
    storm: int


FULL = Pace(rounds=5, seconds=5, copy_bytes=GB, idle=1000, storm=500)
QUICK = Pace(rounds=1, seconds=1, copy_bytes=GB // 20, idle=50, storm=50)


def facts(lab, field, pace):
    cpu = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / 2**20
    commit = run("git", "-C", ROOT, "describe", "--always", "--dirty", check=False).stdout.strip() or "unknown"
    disk = run("df", "--output=source,fstype", lab.folder).stdout.splitlines()[-1].split()
    versions = list(dict.fromkeys(f"{one.program} {one.version()}" for one in field if one.version()))
    return [f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} processors, {memory:.0f} GiB; Linux {platform.release()}",
            f"PostgreSQL {lab.postgres.sql('SHOW server_version')[0].split()[0]}, "
            f"{' '.join(run('openssl', 'version').stdout.split()[:2])}, {', '.join(versions)}",
            f"TLS 1.3, ECDSA P-256, SCRAM-SHA-256; files on {disk[1]} ({disk[0]}); commit {commit}",
            f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, {pace.rounds} rounds, "
            f"{pace.seconds} s a window; load before: {os.getloadavg()[0]:.2f}"]


def measure(lab, contestant, workload, pace):
    """One row, from a fresh start; the instance has seen everybody else leave."""
    until(lambda: lab.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'") == ["1"],
          "everybody has left PostgreSQL", 60)
    contestant.start()
    try:
        return workload.measure(lab, contestant, pace)
    finally:
        contestant.stop()


def rounds(lab, field, workloads, pace, out):
    """Contestants take turns within a workload, and another begins each round. How many measurements failed."""
    failures = 0
    for number in range(1, pace.rounds + 1):
        for workload in workloads:
            first = (number - 1) % len(field)
            for contestant in field[first:] + field[:first]:
                why = contestant.cannot(workload)
                if why or not workload.wanted(contestant):
                    continue
                try:
                    found = measure(lab, contestant, workload, pace)
                except AssertionError as error:
                    failures += 1
                    print(f"bench: {workload.name} of {contestant.name} failed: {error}", file=sys.stderr)
                    continue
                found |= {"round": number, "workload": workload.name, "contestant": contestant.name, "unit": workload.unit}
                report.write_row(out, found)
                print(f"round {number}  {workload.name:20} {contestant.name:14} {report.amount(found['cpu_us']):>9} of CPU a "
                      f"{workload.unit}, {report.number(found['rate'])} a second", file=sys.stderr)
    return failures


def out_folder(given):
    if given:
        folder = pathlib.Path(given)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    base = ROOT / "build/bench"
    folder = base / f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    latest = base / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)
    return folder


def chosen(kinds, patterns):
    """By name or pattern, in the order they have; an unknown one is a mistake."""
    for pattern in patterns:
        if not any(fnmatch.fnmatch(kind.name, pattern) for kind in kinds):
            raise SystemExit(f"bench: there is no {pattern}; there are: {' '.join(kind.name for kind in kinds)}")
    return [kind for kind in kinds if not patterns or any(fnmatch.fnmatch(kind.name, p) for p in patterns)]


def arguments():
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round: does everything work")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int, help="length of a pgbench window")
    parser.add_argument("--contestants", default="", help="names, separated by commas; all when not given")
    parser.add_argument("--out", help="folder for the results; build/bench/<time> when not given")
    parser.add_argument("--list", action="store_true", help="list contestants and workloads")
    parser.add_argument("workload", nargs="*", help="names or patterns; all when not given")
    return parser.parse_args()


def main():
    args = arguments()
    kinds = chosen(contestants.every(), [name for name in args.contestants.split(",") if name])
    workloads = chosen(WORKLOADS, args.workload)
    if args.list:
        for one in [*kinds, *workloads]:
            print(f"{one.name:20} {one.about}")
        return 0
    pace = dataclasses.replace(QUICK if args.quick else FULL,
                               **{key: value for key, value in (("rounds", args.rounds), ("seconds", args.seconds)) if value})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of `finally`
    folder = out_folder(args.out)
    lab = Lab()
    try:
        field = [kind(lab) for kind in kinds]
        for contestant in field:
            contestant.prepare(max(workload.tenants for workload in workloads))
        with open(folder / "results.tsv", "w") as out:
            out.write("".join(f"# {fact}\n" for fact in facts(lab, field, pace)) + "\t".join(report.COLUMNS) + "\n")
            failures = rounds(lab, field, workloads, pace, out)
    finally:
        lab.stop()
    print(report.make(folder), end="")
    print(f"\n{folder}: results.tsv, summary.tsv, tables.txt, chart.svg")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
