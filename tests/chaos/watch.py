# SPDX-License-Identifier: ISC
"""What must hold, whatever happens: the log as it grows, what the instances ran, what the processes hold."""
import collections
import json
import pathlib
import re
import threading

from fleet import chain_lines


class Chains:
    """The session logs, read as they grow: which sessions are open and closed, what operators did."""

    def __init__(self, proxy, tenants):
        self.proxy, self.tenants = proxy, tenants
        self.lock = threading.Lock()
        self.forget()

    def forget(self):
        self.seen = {tenant: {} for tenant in [*self.tenants, "_provider"]}  # path: bytes of whole lines read
        self.opened, self.closed, self.statements, self.crashes = {}, {}, {}, {}
        self.records = collections.Counter()

    def poll(self, again=False):
        """again: all of it, without the ends that a failed flush may have lost, and other lines came in their place."""
        with self.lock:
            if again:
                self.forget()
                for tenant in self.seen:
                    self.read_again(tenant)
            for tenant in self.seen:
                for path in sorted((self.proxy.ledger / tenant).glob("*.jsonl")):
                    self.read(tenant, path)

    def read_again(self, tenant):
        folder = self.proxy.ledger / tenant
        self.seen[tenant] = {path: path.read_bytes().rfind(b"\n") + 1 for path in folder.glob("*.jsonl")}
        for line in chain_lines(folder) if self.seen[tenant] else []:
            self.take(tenant, json.loads(line))

    def read(self, tenant, path):
        at = self.seen[tenant].get(path, 0)
        try:
            with open(path, "rb") as file:
                if file.seek(0, 2) < at:
                    at = 0
                file.seek(at)
                text = file.read()
        except OSError:
            return
        whole = text.rfind(b"\n") + 1
        self.seen[tenant][path] = at + whole
        for line in text[:whole].split(b"\n"):
            try:
                self.take(tenant, json.loads(line))
            except ValueError:
                pass  # `audit verify` judges the form

    def take(self, tenant, r):
        self.records[tenant] = max(self.records[tenant], r["n"])
        event = r.get("event")
        if event == "session.open":
            self.opened[(tenant, r.get("application"))] = r["session"]
        elif event == "session.close":
            self.closed.setdefault((tenant, r["session"]), []).append(r.get("reason"))
        elif event == "operator.statement":
            for marker in re.findall(r"op-\d+-\d+", r.get("sql", "")):
                self.statements[(tenant, marker)] = r["session"]
        elif event == "process.crash":
            self.crashes[(tenant, r["n"])] = r

    def opened_as(self, tenant, application):
        """Is that connection's record in the file by now?"""
        for again in (False, True):
            self.poll(again)
            with self.lock:
                if (tenant, application) in self.opened:
                    return True
        return False


def statements_run(instance):
    """The markers of operators' statements that the instance has executed."""
    ran = re.findall(r"LOG:  (?:statement|execute [^:]*): [^\n]*?(op-\d+-\d+)", instance.log())
    return set(ran)


def smaps_pss(pid):
    """What the process costs the machine, in kB."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])


def holdings(proxy):
    """By process: how many there are, descriptors, memory (kB)."""
    found = {}
    for p in proxy.processes():
        try:
            descriptors = len(list(pathlib.Path(f"/proc/{p['pid']}/fd").iterdir()))
            count, most, pss = found.get(p["title"], (0, 0, 0))
            found[p["title"]] = (count + 1, max(most, descriptors), max(pss, smaps_pss(p["pid"])))
        except (OSError, TypeError):
            pass  # it ended just now
    return found
