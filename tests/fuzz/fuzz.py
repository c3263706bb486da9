# SPDX-License-Identifier: ISC
"""Runs every fuzz target for so many seconds, two at a time, and says what came of it.

    fuzz.py FOLDER_OF_THE_TARGETS [SECONDS] [TARGET...]

What a target learned stays in corpus/ beside the targets, for the next run; the repository's corpora are its seeds. An
input that was a finding is copied to tests/fuzz/regressions/TARGET/, where ctest replays it from then on. Exit status 1:
there were findings.
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
AT_ONCE = 2
MEMORY_MB = 3000
SLOWEST_S = 60  # for one input
LAST = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.M)
ABOUT = re.compile(r"^(?:==\d+==\s*ERROR: .*|.*runtime error: .*|.*Assertion .* failed.*|sockets: .*)$", re.M)


def run_one(folder, target, seconds):
    """Runs it; what the table says of it, and the findings with the end of their report."""
    work = folder / "corpus" / target
    found = folder / "findings" / target
    shutil.rmtree(found, ignore_errors=True)
    for path in (work, found):
        path.mkdir(parents=True, exist_ok=True)
    seeds = [path for path in (HERE / "corpus" / target, HERE / "regressions" / target) if path.is_dir()]
    before = {path.name for path in work.iterdir()}
    log = found / "log"
    with open(log, "wb") as out:
        code = subprocess.run(
            [folder / f"fuzz_{target}", f"-max_total_time={seconds}", f"-timeout={SLOWEST_S}", f"-rss_limit_mb={MEMORY_MB}",
             "-print_final_stats=1", f"-artifact_prefix={found}/", work, *seeds], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=16:" + os.environ.get("ASAN_OPTIONS", "")}).returncode
    text = log.read_text(errors="replace")
    stats = dict(re.findall(r"^stat::(\w+):\s+(\d+)", text, re.M))
    last = LAST.findall(text)
    inputs = sorted(path for path in found.iterdir() if path.name != "log")
    for path in inputs:
        kept = HERE / "regressions" / target
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, kept / path.name)
    return {"target": target, "executions": int(stats.get("number_of_executed_units", 0)),
            "exec/s": int(stats.get("average_exec_per_sec", 0)), "coverage": int(last[-1][1]) if last else 0,
            "new corpus": len({path.name for path in work.iterdir()} - before),
            "findings": len(inputs) if inputs else int(code != 0),
            "report": "" if code == 0 and not inputs else f"{target}: exit {code}; {log}\n" + "\n".join(
                ABOUT.findall(text)[:3] + [f"  {path}" for path in inputs])}


def main(folder, seconds=60, *wanted):
    folder = pathlib.Path(folder).resolve()
    targets = sorted(path.name.removeprefix("fuzz_") for path in folder.glob("fuzz_*") if path.is_file())
    unknown = set(wanted) - set(targets)
    if not targets or unknown:
        sys.exit(f"no such target: {', '.join(unknown) or folder}; there are: {', '.join(targets)}")
    columns = ("target", "executions", "exec/s", "coverage", "new corpus", "findings")
    print(f"{columns[0]:<16}" + "".join(f"{name:>12}" for name in columns[1:]), flush=True)
    rows = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for done in concurrent.futures.as_completed(
                [pool.submit(run_one, folder, target, int(seconds)) for target in wanted or targets]):
            row = done.result()
            rows.append(row)
            print(f"{row['target']:<16}" + "".join(f"{row[name]:>12,}" for name in columns[1:]), flush=True)
    findings = sum(row["findings"] for row in rows)
    print(f"{len(rows)} targets, {seconds} s each: {sum(row['executions'] for row in rows):,} executions, {findings} findings")
    print("\n".join(row["report"] for row in rows if row["report"]), end="")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
