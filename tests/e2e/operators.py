# SPDX-License-Identifier: ISC
"""The people of break-glass on top of a fleet: operators with certificates, approvers with keys, and what they do.

Alice and Amy are on call; Bob and Carol are their peers who approve; Dora answers for acme, Gus for globex. Whatever they
decide they sign with `sekishoctl` and a key of their own; `grant` is the whole way to an active grant, for tests whose story
begins there.
"""
import datetime
import hashlib
import json
import os
import socket
import sqlite3

import psycopg

from fleet import Authority, free_port, run, until
from wire import SSL_REQUEST, Closed, Refused, Wire, startup, tls_context

OPERATOR_DOMAIN = "ops.test"
HINT = "sekishoctl grant request --tenant {} --database {} --scope diagnose --ticket TICKET --reason 'why' --for 1h"
ENDED = ("revoked", "denied", "completed", "expired", "withdrawn", "lapsed", "review due", "reviewed", "disputed")


def instant(seconds=0):
    """The moment so many seconds from now, as statements have it."""
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Operators:
    """acme and globex behind a proxy with an operators' plane, and everybody who has to do with it."""

    def __init__(self, fleet, program=None, **settings):
        self.fleet = fleet
        self.folder = fleet.folder / "people"
        self.trust = fleet.folder / "trust"
        self.asked = 0
        self.folder.mkdir()
        self.trust.mkdir()
        self.authority = Authority(self.folder, "operators-ca")
        self.port = free_port()
        self.crt, self.key_of_plane = fleet.authority.issue(self.folder / "plane", f"*.{OPERATOR_DOMAIN}")
        self.settings = {
            "operator_listen": f"127.0.0.1:{self.port}", "operator_domain": OPERATOR_DOMAIN, "operator_certificate": self.crt,
            "operator_key": self.key_of_plane, "operator_ca": self.authority.crt, "trust_dir": self.trust,
            "environment": "test", **settings}
        self.proxy = fleet.proxy(program=program) if program else fleet.proxy()
        self.proxy.configure(**self.settings)
        for name in ("acme", "globex"):
            self.proxy.add(name, fleet.instance(name))
        self.acme, self.globex = fleet.instances["acme"], fleet.instances["globex"]
        for name in ("alice", "amy"):
            self.hire(name)
        self.make_key("bob", "provider-approver")
        self.make_key("carol", "provider-approver")
        self.make_key("dora", "tenant-approver", "acme")
        self.make_key("gus", "tenant-approver", "globex")
        self.proxy.start()
        until(lambda: self.serves(), "the operators' plane serves", 20, 0.2)

    def serves(self):
        """Alice is refused for want of a grant, and for nothing else."""
        try:
            return self.refusal("alice")["C"] == "42501"
        except (OSError, Closed):
            return False

    def hire(self, name):
        self.certify(name)
        self.make_key(name, "operator")
        self.ctl("operator", "add", name)

    def certify(self, name, authority=None, common_name=None, days="2", start=None):
        """A client certificate; `file.crt` and `file.key` in the people's folder."""
        authority = authority or self.authority
        base = self.folder / name
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            f"/CN={common_name or name}", "-keyout", f"{base}.key", "-out", f"{base}.csr")
        run("openssl", "x509", "-req", "-in", f"{base}.csr", "-CA", authority.crt, "-CAkey", authority.key, "-days", days,
            "-set_serial", str(int.from_bytes(os.urandom(8), "big")), "-out", f"{base}.crt")
        return base

    def make_key(self, name, role, tenant=None, file=None, trusted=True):
        """sekishoctl key generate, and the administrator who puts what it prints into trust_dir."""
        path = self.folder / f"{file or name}.pem"
        words = ["key", "generate", name, "--role", role, "--out", path, *(["--tenant", tenant] if tenant else [])]
        text = self.ctl(*words).stdout
        if trusted:
            self.trust_file(file or name, text)
        return path, text

    def trust_file(self, name, text):
        """Written whole or not at all, as an administrator should: the proxy looks at the folder all the time."""
        path = self.trust / f"{name}.key"
        new = self.folder / "new"
        new.write_text(text)
        os.replace(new, path)
        return path

    # --- what people do ---

    def ctl(self, *words, check=True, by=None):
        return self.proxy.ctl(*words, *(["--key", self.folder / f"{by}.pem"] if by else []), check=check)

    def ctl_json(self, *words, by=None):
        return json.loads(self.ctl("--json", *words, by=by).stdout)

    def request(self, operator="alice", tenant="acme", database="app", scope="read", lasts="1h", ticket="CASE-1",
                reason=None, by=None, check=True, more=()):
        """The grant's id; or, without check, how sekishoctl ended."""
        self.asked += 1  # the same words in the same second would be the same request
        reason = reason or f"orders are missing, for the {self.asked}. time"
        done = self.ctl("--json", "grant", "request", "--tenant", tenant, "--database", database, "--scope", scope,
                        "--ticket", ticket, "--reason", reason, "--for", lasts, *more, by=by or operator, check=check)
        return json.loads(done.stdout)["grant"] if check else done

    def approve(self, grant, by="bob", *more, check=True):
        return self.ctl("grant", "approve", grant, *more, by=by, check=check)

    def revoke(self, grant, by="bob", reason="enough", check=True):
        return self.ctl("grant", "revoke", grant, "--reason", reason, by=by, check=check)

    def grant(self, operator="alice", tenant="acme", consent=None, **more):
        """Asked for, approved, consented to, and known to the broker."""
        grant = self.request(operator, tenant, **more)
        self.approve(grant)
        self.approve(grant, consent or {"acme": "dora", "globex": "gus"}[tenant])
        self.becomes(grant, "active", tenant)
        return grant

    def becomes(self, grant, state, tenant="acme", seconds=10):
        """The record of that change in the tenant's log."""
        return self.proxy.awaits(tenant, "grant.change", seconds, grant=grant, state=state)

    def states(self):
        return {g["grant"]: g["state"] for g in self.ctl_json("grant", "list")}

    def tidy(self):
        """Every grant is over and no lock holds: the next story begins as if nothing had been."""
        for lock in self.ctl_json("lock", "list"):
            self.ctl("unlock", lock["lock"], by="dora" if lock["by_tenant"] else "bob")
        for grant in self.ctl_json("grant", "list"):
            if grant["state"] not in ENDED:
                self.revoke(grant["grant"])
        until(lambda: not self.proxy.pids("operator acme") and not self.proxy.pids("operator globex"),
              "operators' cells have left", 20)

    # --- what a person could sign and hand in without sekishoctl and its advice ---

    def sign(self, signer, kind, tenant, *fields, at=None, environment="test", key=None):
        """A statement's text and its signature; fields are its own lines, pairs in their order."""
        path = self.folder / f"{key or signer}.pem"
        public = run("openssl", "pkey", "-in", path, "-pubout", "-outform", "DER", text=False).stdout[-32:]
        head = [("kind", kind), ("environment", environment), ("tenant", tenant), ("signer", signer),
                ("key", hashlib.sha256(public).hexdigest()[:16]), ("at", at or instant())]
        body = "".join(["sekisho-statement 1\n", *(f"{name}: {value}\n" for name, value in [*head, *fields])]).encode()
        text = self.folder / "to-sign"
        text.write_bytes(b"sekisho-statement-v1\0" + body)
        return body, run("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", path, "-in", text, text=False).stdout

    def digest(self, grant):
        """The request's, by which approvals and all others name it."""
        return self.ctl_json("grant", "show", grant)["request"]

    def put(self, body, signature):
        """Straight into the store, as somebody who owns it would: the row's number."""
        with self.store() as store:
            return store.execute("INSERT INTO statement (n, body, signature) SELECT max(n) + 1, ?, ? FROM statement RETURNING n",
                                 (body, signature)).fetchone()[0]

    def said(self, grant, signer, kind, *fields, tenant="acme", **more):
        """Puts a statement about the grant."""
        return self.put(*self.sign(signer, kind, tenant, ("request", self.digest(grant)), *fields, **more))

    # --- how operators come in ---

    def dsn(self, operator="alice", tenant="acme", certificate=None, **more):
        base = self.folder / (certificate or operator)
        words = {"host": f"{tenant}.{OPERATOR_DOMAIN}", "hostaddr": "127.0.0.1", "port": self.port, "user": operator,
                 "dbname": "app", "sslmode": "verify-full", "sslrootcert": self.fleet.authority.crt, "sslcert": f"{base}.crt",
                 "sslkey": f"{base}.key", "connect_timeout": 20, **more}
        return " ".join(f"{key}='{value}'" for key, value in words.items() if value is not None)

    def connect(self, operator="alice", tenant="acme", autocommit=True, **more):
        return psycopg.connect(self.dsn(operator, tenant, **more), autocommit=autocommit)

    def psql(self, sql, operator="alice", tenant="acme", check=True, **more):
        return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.dsn(operator, tenant, **more), check=check, input=sql)

    def refusal(self, operator="alice", tenant="acme", **more):
        """How the connection is refused: the fields of the ErrorResponse (C, M, H)."""
        try:
            self.wire(operator, tenant, **more).close()
        except Refused as refused:
            return refused.fields
        raise AssertionError(f"{operator} was let in to {tenant}")

    def refusal_or_none(self, operator="alice", tenant="acme", **more):
        """The sentence of the refusal; "in" when there is none; "" when the connection broke."""
        try:
            self.wire(operator, tenant, **more).close()
        except Refused as refused:
            return refused.fields["M"]
        except (OSError, Closed):
            return ""
        return "in"

    def wire(self, operator="alice", tenant="acme", database="app", certificate=None, log_in=True, **parameters):
        """The protocol by hand, logged in: what follows is up to the test."""
        base = self.folder / (certificate or operator)
        wire = Wire(socket.create_connection(("127.0.0.1", self.port), 20))
        context = tls_context(self.fleet.authority)
        context.load_cert_chain(f"{base}.crt", f"{base}.key")
        wire.send(SSL_REQUEST)
        assert wire.read(1) == b"S"
        wire.sock = context.wrap_socket(wire.sock, server_hostname=f"{tenant}.{OPERATOR_DOMAIN}")
        if log_in:
            wire.send(startup(user=operator, database=database, **parameters))
            wire.until(b"Z")
        return wire

    # --- what is to be seen of it ---

    def backends(self, instance=None):
        """What operators have running on the instance: rows of pid|state|query."""
        return (instance or self.acme).sql(
            "SELECT pid, state, query FROM pg_stat_activity WHERE usename LIKE 'sekisho\\_%' AND usename <> 'sekisho_auth'"
            " AND backend_type IN ('client backend', 'walsender')")

    def cell(self, tenant="acme"):
        return self.proxy.pid(f"operator {tenant}")

    def statements(self, grant=None, tenant="acme", **fields):
        """What the log has of what the operator sent, in order; of sessions under that grant."""
        sessions = {r["session"] for r in self.proxy.records(tenant, "session.open") if r.get("grant") == grant}
        return [r for r in self.proxy.records(tenant, "operator.statement", **fields)
                if grant is None or r["session"] in sessions]

    def store(self):
        """The control store itself, for those who tamper with it."""
        return sqlite3.connect(self.proxy.home / "state" / "store.sqlite", isolation_level=None)

    def copy_store(self, name):
        """The store as it is now, whole."""
        copy = self.proxy.home / name
        with self.store() as store, sqlite3.connect(copy) as to:
            store.backup(to)
        return copy

    def restore_store(self, copy):
        with sqlite3.connect(copy) as old, self.store() as store:
            old.backup(store)
