# SPDX-License-Identifier: ISC
"""Chains of the session log as the ledger writes them, signed with a key of the test's own: for what reads them."""
import base64
import hashlib
import json

from fleet import run


class Key:
    """An Ed25519 key; `public` is what an auditor has."""

    def __init__(self, folder, name):
        self.private, self.public = folder / f"{name}.key", folder / f"{name}.pub"
        run("openssl", "genpkey", "-algorithm", "ed25519", "-out", self.private)
        run("openssl", "pkey", "-in", self.private, "-pubout", "-out", self.public)
        der = run("openssl", "pkey", "-in", self.private, "-pubout", "-outform", "DER", text=False).stdout
        self.id = hashlib.sha256(der[-32:]).hexdigest()[:16]
        self.folder = folder

    def sign(self, text):
        message, signature = self.folder / "message", self.folder / "signature"
        message.write_bytes(text.encode())
        run("openssl", "pkeyutl", "-sign", "-inkey", self.private, "-rawin", "-in", message, "-out", signature)
        return base64.b64encode(signature.read_bytes()).decode()


class Chain:
    """One tenant's log in `ledger`. Minute by minute, from midnight of 2026-11-24 (UTC) on."""

    def __init__(self, ledger, tenant, key):
        self.name, self.folder, self.key = tenant, ledger / tenant, key
        self.folder.mkdir(parents=True)
        self.n, self.prev, self.file = 0, "0" * 64, 1

    @property
    def path(self):
        return self.folder / f"{self.file:08}.jsonl"

    def time(self):
        return f"2026-11-{24 + self.n // 1440:02}T{self.n // 60 % 24:02}:{self.n % 60:02}:00.000+00:00".replace("+00:00", "Z")

    def put(self, record):
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
        self.prev = hashlib.sha256(line).hexdigest()
        with open(self.path, "ab") as log:
            log.write(line + b"\n")

    def record(self, event="session.refused", **fields):
        self.n += 1
        tenant = None if self.name == "_provider" else self.name
        self.put({"n": self.n, "time": self.time(), "tenant": tenant, "event": event, **fields, "prev": self.prev})
        return self

    def checkpoint(self, key=None):
        key = key or self.key
        self.n += 1
        text = f"sekisho checkpoint v1\n{self.name}\n{self.n}\n{self.time()}\n{self.prev}\n"
        tenant = None if self.name == "_provider" else self.name
        self.put({"n": self.n, "time": self.time(), "tenant": tenant, "event": "ledger.checkpoint", "key": key.id,
                  "signature": key.sign(text), "prev": self.prev})
        return self

    def rotate(self):
        self.file += 1
        return self

    def records(self, count):
        for _ in range(count):
            self.record(user=f"user {self.n}")
        return self


def lines_of(path):
    return path.read_bytes().split(b"\n")[:-1]


def put_lines(path, lines):
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def forge(lines, start):
    """Makes the links fit again from line `start` (counted from 0) on, as somebody who knows the format would."""
    prev = hashlib.sha256(lines[start - 1]).hexdigest() if start else "0" * 64
    for i in range(start, len(lines)):
        record = json.loads(lines[i])
        record["n"], record["prev"] = i + 1, prev
        lines[i] = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
        prev = hashlib.sha256(lines[i]).hexdigest()
