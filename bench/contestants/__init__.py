# SPDX-License-Identifier: ISC
"""Every file in this folder is a peer, or a few of one kind: the list CONTESTANTS of its classes is all that the harness asks
for. A contestant is made once; `prepare` is called when more tenants are wanted; then it is started and stopped again and
again, for every measurement anew.
"""
import importlib
import pathlib

from lab import Running, answers, until


class Contestant:
    name = None     # as in tables and on the command line
    program = ""    # what runs there, for the facts; with version()
    order = 0       # where in tables
    about = ""      # one line: what it does for a connection

    def __init__(self, lab):
        self.lab = lab
        self.tenants = 1
        self.running = None

    def command(self):
        """What to run, in the foreground."""
        raise NotImplementedError

    def words(self, tenant=0):
        """How a client of that tenant (0, 1, ...) connects: libpq's keywords, from lab.words()."""
        raise NotImplementedError

    def cannot(self, workload):
        """Why this workload is nothing for it; None: it is."""
        return None

    def version(self):
        return ""

    def prepare(self, tenants):
        """Before a start: from now on there are so many tenants, at least."""
        self.tenants = max(self.tenants, tenants)

    def start(self):
        self.running = Running(self.lab, self.name, self.command())
        until(lambda: self.running.alive() and answers(self.words(0)), f"{self.name} serves", 60, 0.05)

    def stop(self):
        if self.running:
            self.running.stop()
        self.running = None

    @property
    def root(self):
        """The process below which its accounts are; None: it has none."""
        return self.running.root if self.running else None


def every():
    """The classes, in the order of tables."""
    found = []
    for path in sorted(pathlib.Path(__file__).parent.glob("[a-z]*.py")):
        found += importlib.import_module(f"contestants.{path.stem}").CONTESTANTS
    return sorted(found, key=lambda kind: kind.order)
