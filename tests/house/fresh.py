# SPDX-License-Identifier: ISC
"""What is made from policy/settings.def is as fresh as it: conf/sekisho.conf and the list in sekisho.conf(5); and so is the
table of numbers in docs/operations.md, made from proxy/stats.def.

`fresh.py --write` writes all three anew.
"""
import re
import subprocess
import sys

from house import ROOT, SEKISHOCTL, name, run

BEGIN = '.\\" Made by "sekishoctl config manual"; tests/house/fresh.py --write renews it.\n'
END = '.\\" End of what is made.\n'
TABLE = "<!-- made from proxy/stats.def by tests/house/fresh.py --write -->\n"
TABLE_END = "<!-- end of what is made -->\n"
KINDS = {"COUNTER": "counter", "GAUGE": "gauge", "STAMP": "gauge", "HISTOGRAM": "histogram", "REFUSALS": "counter",
         "CLOSES": "counter"}
SINGLES = {"GATE", "LOBBY", "BROKER", "LEDGER", "CONSOLE"}


def made(what):
    return subprocess.run([SEKISHOCTL, "config", what], capture_output=True, text=True, check=True).stdout


def labels(shape, writers):
    """As stats_write.c gives them."""
    given = ["tenant, plane"] if "CELLS" in writers else []
    if "SINGLES" in writers or len(writers & SINGLES) > 1:
        given.append("process")
    reason = ", reason" if shape in ("REFUSALS", "CLOSES") else ""
    return " or ".join(given) + reason


def numbers():
    """The table of operations.md."""
    rows = ["| number | kind | unit | labels | meaning |\n|---|---|---|---|---|\n"]
    for shape, writers, name, unit, meaning in re.findall(
            r'^STAT\(\w+, (\w+), ([^"]+), "(\w+)", "(\w*)", "([^"]+)"\)', (ROOT / "proxy/stats.def").read_text(), re.M):
        words = labels(shape, set(writers.split(" | ")))
        rows.append(f"| `{name}` | {KINDS[shape]} | {unit} | {words} | {meaning.rstrip('.')} |\n")
    return "".join(rows)


def between(path, begin, end, text):
    """The file with that text between its two marks; None when they are gone."""
    whole = path.read_text()
    if whole.count(begin) != 1 or whole.count(end) != 1:
        return None
    return whole.split(begin)[0] + begin + text + end + whole.split(end)[1]


def expected():
    """(path, text it should have); None for a text that has no place for it."""
    sample = ROOT / "conf/sekisho.conf"
    yield sample, made("sample")
    manual = ROOT / "docs/man/sekisho.conf.5"
    yield manual, between(manual, BEGIN, END, made("manual"))
    guide = ROOT / "docs/operations.md"
    yield guide, between(guide, TABLE, TABLE_END, numbers())


def check():
    for path, text in expected():
        if text is None:
            yield f"{name(path)}: the two marks around what is made are gone"
        elif path.read_text() != text:
            yield f"{name(path)} is stale: run tests/house/fresh.py --write"


def write():
    for path, text in expected():
        if text is not None:
            path.write_text(text)


if __name__ == "__main__":
    write() if sys.argv[1:] == ["--write"] else run(check)
