# SPDX-License-Identifier: ISC
"""What is made from policy/settings.def is as fresh as it: conf/sekisho.conf and the list in sekisho.conf(5).

`fresh.py --write` writes both anew.
"""
import subprocess
import sys

from house import ROOT, SEKISHOCTL, name, run

BEGIN = '.\\" Made by "sekishoctl config manual"; tests/house/fresh.py --write renews it.\n'
END = '.\\" End of what is made.\n'


def made(what):
    return subprocess.run([SEKISHOCTL, "config", what], capture_output=True, text=True, check=True).stdout


def expected():
    """(path, text it should have); None for a text that has no place for it."""
    sample = ROOT / "conf/sekisho.conf"
    yield sample, made("sample")
    manual = ROOT / "docs/man/sekisho.conf.5"
    text = manual.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        yield manual, None
        return
    before, rest = text.split(BEGIN)
    yield manual, before + BEGIN + made("manual") + END + rest.split(END)[1]


def check():
    for path, text in expected():
        if text is None:
            yield f"{name(path)}: the two marks around the settings are gone"
        elif path.read_text() != text:
            yield f"{name(path)} is stale: run tests/house/fresh.py --write"


def write():
    for path, text in expected():
        if text is not None:
            path.write_text(text)


if __name__ == "__main__":
    write() if sys.argv[1:] == ["--write"] else run(check)
