# SPDX-License-Identifier: ISC
"""What the house's checks share: where the tree is, which rooms it has, and how a check complains.

A check is a script with one generator of complaints. It reads the source tree (SEKISHO_SOURCE) and the build folder
(SEKISHO_BIN), changes neither, and ends with 1 when there was a complaint. test_can_fail.py proves that each can.
"""
import os
import pathlib
import sys

ROOT = pathlib.Path(os.environ.get("SEKISHO_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("SEKISHO_BIN", ROOT / "build/debug"))
SEKISHO = BIN / "proxy/run/sekisho"
SESSION = BIN / "proxy/run/sekisho-session"
SEKISHOCTL = BIN / "ctl/sekishoctl"

# The design's table of rooms: who may include whom, and so who may call whom.
ROOMS = {
    "base": [],
    "auth": ["base"],
    "audit": ["base"],
    "policy": ["base", "auth"],
    "proxy/wire": ["base"],
    "proxy": ["base", "auth", "audit", "policy", "proxy/wire"],
    "proxy/run": ["base", "auth", "audit", "policy", "proxy/wire", "proxy"],
    "ctl": ["base", "auth", "audit", "policy"],
}


def room_files(room, *suffixes):
    """The room's own files: not those of rooms inside it."""
    return sorted(p for p in (ROOT / room).iterdir() if p.suffix in suffixes)


def files(*suffixes):
    """Every file of ours in the tree."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(f for f in folders if f not in ("build", "node_modules", "__pycache__") and f[0] != ".")
        for name in sorted(names):
            if pathlib.Path(name).suffix in suffixes:
                yield pathlib.Path(folder, name)


def name(path):
    return path.relative_to(ROOT).as_posix()


def run(check):
    complaints = list(check())
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)
