# SPDX-License-Identifier: ISC
"""Counts the instructions of the drivers in this folder with callgrind, and compares them with counts.tsv.

    count.py BUILD                print the counts beside the recorded ones; exit 1 when one grew by more than 5 %
    count.py BUILD --record WHY   write them into counts.tsv, with the reason for those that changed
    count.py BUILD --profile MICRO   where they are spent, by function

BUILD is the folder of a build without sanitizers (target `micro`). Counted are the instructions of our own code (the files
of the rooms, wherever the compiler put them) and the system calls, by strace. What the
libraries spend is told and kept for information only: it depends on the processor and on the library's version.
"""
import collections
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RECORD = HERE / "counts.tsv"
GROWTH = 1.05
ROOMS = ("base", "auth", "audit", "policy", "proxy/wire", "proxy/run", "proxy")
OURS = re.compile(r"(?:^|/)((?:%s)/[\w.]+)$" % "|".join(ROOMS))
# What each one runs: the driver's words; {folder} is an empty folder.
MICROS = {
    "relay query": ["micro_relay", "query", 100],
    "relay MiB out": ["micro_relay", "out", 5],
    "relay MiB in": ["micro_relay", "in", 5],
    "gate": ["micro_gate", 50],
    "login": ["micro_login", 8],
    "ledger append": ["micro_ledger", "{folder}", 64],
}


class Counts:
    """What one run cost, per unit: by (file, function) of ours; by (library, function); system calls by function."""

    def __init__(self, callgrind, strace, units):
        self.ours, self.others, self.calls = collections.Counter(), collections.Counter(), collections.Counter()
        self.units = units
        self.take_instructions(callgrind)
        self.take_calls(strace)

    def take_instructions(self, text):
        file = function = library = None
        skip = False
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if skip:  # the inclusive cost of a call stands in the line after it
                skip = False
            elif equals and key in ("fl", "fi", "fe"):
                file = value
            elif equals and key == "fn":
                function = value
            elif equals and key == "ob":
                library = pathlib.Path(value).name
            elif equals and key == "calls":
                skip = True
            elif line[:1].isdigit():
                self.add(file, function, library, int(line.split()[1]) / self.units)

    def add(self, file, function, library, cost):
        found = OURS.search(file)
        if found and (ROOT / found[1]).exists():
            self.ours[found[1], function] += cost
        else:
            self.others[library, function] += cost

    def take_calls(self, text):
        inside = False
        for line in text.splitlines():
            call = line.partition("(")[0]  # or a signal: "--- SIGPIPE ..."
            if call == "getppid":
                inside = not inside
            elif inside and call.isidentifier():
                self.calls[call] += 1 / self.units

    @property
    def row(self):
        """Instructions of ours, system calls, instructions of libraries."""
        return round(sum(self.ours.values())), round(sum(self.calls.values()), 1), round(sum(self.others.values()))


def drive(command, micro):
    """Runs the driver under a tool: how many units it says it did."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    units = re.search(r"^units (\d+)$", done.stdout, re.M)
    if done.returncode != 0 or not units:
        raise SystemExit(f"{micro}: {command[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return int(units[1])


def measure(build, micro):
    with tempfile.TemporaryDirectory(prefix="sekisho-micro.") as folder:
        callgrind, strace = pathlib.Path(folder, "callgrind"), pathlib.Path(folder, "strace")
        program, *words = MICROS[micro]
        driver = [build / "bench/micro" / program]
        for tool in (["valgrind", "-q", "--tool=callgrind", "--collect-atstart=no", "--compress-strings=no",
                      "--compress-pos=no", f"--callgrind-out-file={callgrind}"], ["strace", "-qq", "-o", strace]):
            with tempfile.TemporaryDirectory(dir=folder) as empty:
                units = drive([*tool, *driver, *(str(word).format(folder=empty) for word in words)], micro)
        return Counts(callgrind.read_text(errors="replace"), strace.read_text(errors="replace"), units)


def read_record():
    """The comments at the head of counts.tsv, and micro -> its row there."""
    lines = RECORD.read_text().splitlines() if RECORD.exists() else []
    head = [line for line in lines if line.startswith("#")]
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return head, {row[0]: row[1:] for row in rows[1:]}


def judge(what, count, recorded):
    """What is to be said of a count, and whether the check fails."""
    if count > recorded * GROWTH:
        return f"{what} GREW by {count / recorded - 1:.1%}: make it cheaper, or record it with the reason", True
    if count * GROWTH < recorded:
        return f"{what} fell by {1 - count / recorded:.1%}: record it, so that it stays so", False
    return f"{what} {count / recorded - 1:+.1%}", False


def compare(found, recorded):
    bad = False
    print(f"{'a unit of':16}{'instructions':>13}{'recorded':>10}{'calls':>8}{'recorded':>10}{'libraries':>11}")
    for micro, counts in found.items():
        ours, calls, others = counts.row
        old = recorded.get(micro, ["-", "-", "-", ""])
        print(f"{micro:16}{ours:13}{old[0]:>10}{calls:8.1f}{old[1]:>10}{others:11}", end="  ")
        verdicts = [("not recorded", True)] if micro not in recorded else [
            judge("instructions", ours, float(old[0])), judge("calls", calls, float(old[1]))]
        print("; ".join(text for text, _ in verdicts))
        bad |= any(fails for _, fails in verdicts)
    return bad


def write_record(found, recorded, head, why):
    """Rows that are as they were stay as they are, with their reason."""
    rows = ["micro\tinstructions\tcalls\tlibraries\treason"]
    for micro, counts in found.items():
        new, old = list(map(str, counts.row)), recorded.get(micro)
        same = old and all(abs(float(a) / float(b) - 1) <= GROWTH - 1 for a, b in zip(new[:2], old[:2]))
        rows.append("\t".join([micro, *(old if same else [*new, why])]))
    RECORD.write_text("\n".join([*head, *rows]) + "\n")


def print_profile(counts):
    print("{} instructions of ours, {} calls, {} instructions of libraries a unit".format(*counts.row))
    for (file, function), cost in sorted(counts.ours.items(), key=lambda item: -item[1])[:20]:
        print(f"{cost:12.1f}  {file}:{function}")
    for function, calls in sorted(counts.calls.items(), key=lambda item: -item[1]):
        print(f"{calls:12.1f}  calls of {function}")
    by_library = collections.Counter()
    for (library, _), cost in counts.others.items():
        by_library[library] += cost
    for library, cost in by_library.most_common(6):
        print(f"{cost:12.1f}  {library}")
    for (library, function), cost in sorted(counts.others.items(), key=lambda item: -item[1])[:12]:
        print(f"{cost:12.1f}  {library}:{function}")


def main(build, option=None, word=None):
    build = pathlib.Path(build)
    if option == "--profile":
        print_profile(measure(build, word))
        return 0
    head, recorded = read_record()
    found = {micro: measure(build, micro) for micro in MICROS}
    bad = compare(found, recorded)
    if option == "--record" and word:
        write_record(found, recorded, head, word)
        return 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
