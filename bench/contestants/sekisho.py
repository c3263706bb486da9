# SPDX-License-Identifier: ISC
"""Sekisho as it is installed: its default settings, the session log durable, TLS 1.3 for fairness' sake. Tenants share the one
PostgreSQL here; each has the client certificate of its own that Sekisho shows to it.
"""
from contestants import Contestant
from fleet import DOMAIN, SEKISHO, SEKISHOCTL, Authority, Proxy, open_to_postgres
from lab import DATABASE, USER, Running, answers, free_port, run, until
from operators import OPERATOR_DOMAIN, Operators


class BenchProxy(Proxy):
    """fleet.Proxy, but started by the lab, under a reaper."""

    def __init__(self, lab, **settings):
        self.lab = lab
        super().__init__(lab.fleet, "sekisho", **settings)

    def spawn(self):
        self.running = Running(self.lab, "sekisho", [SEKISHO, "-c", self.conf])
        self.process = self.running.process

    def stop(self, wait=15):
        if self.process:
            self.running.stop()
        self.process = None

    def log(self):
        return self.running.log.read_text(errors="replace") if self.process else ""


class People(Operators):
    """Alice with a grant, and those who gave it to her; on the lab's proxy instead of one of their own."""

    def __init__(self, lab, proxy):
        self.fleet, self.proxy = lab.fleet, proxy
        self.folder = lab.folder / "people"
        self.trust = lab.folder / "trust"
        self.asked = 0
        self.folder.mkdir()
        self.trust.mkdir()
        self.authority = Authority(self.folder, "operators-ca")
        self.port = free_port()
        self.crt, self.key_of_plane = lab.authority.issue(self.folder / "plane", f"*.{OPERATOR_DOMAIN}")
        self.settings = {
            "operator_listen": f"127.0.0.1:{self.port}", "operator_domain": OPERATOR_DOMAIN, "operator_certificate": self.crt,
            "operator_key": self.key_of_plane, "operator_ca": self.authority.crt, "trust_dir": self.trust,
            "environment": "test"}

    def arrive(self):
        """They need a configuration that names them, and the tenant."""
        self.hire("alice")
        self.make_key("bob", "provider-approver")
        self.make_key("dora", "tenant-approver", "t0")


class Sekisho(Contestant):
    name = "sekisho"
    program = "Sekisho"
    order = 40
    about = "a process per tenant, TLS and SCRAM-PLUS on both sides, every session in a durable log"

    def __init__(self, lab):
        super().__init__(lab)
        self.proxy = BenchProxy(lab, min_version="1.3")
        self.people = People(lab, self.proxy)
        self.proxy.configure(min_version="1.3", **self.people.settings)
        self.certificates = []
        self.grant = None
        self.prepare(1)
        self.people.arrive()

    def prepare(self, tenants):
        """Tenant 0 is provisioned as in life; the others' verifiers are kept in the store, as they share its instance."""
        pg, ctl = self.lab.postgres, self.proxy.ctl
        for n in range(len(self.certificates), tenants):
            ctl("tenant", "add", f"t{n}", "--instance", f"127.0.0.1:{pg.port}", "--instance-name", pg.host_name,
                "--instance-ca", self.lab.authority.crt)
            if n == 0:
                self.provision()
            else:
                ctl("tenant", "set", f"t{n}", "--verifier", f"{USER}={self.lab.verifier()}")
            self.certificates.append(ctl("tenant", "show", f"t{n}", "--client-certificate").stdout)
        if tenants > self.tenants or tenants == 1:
            self.tell_postgres()
        super().prepare(tenants)

    def provision(self):
        self.proxy.ctl("tenant", "provision", "t0", "--admin", self.lab.postgres.admin)
        self.lab.postgres.sql("GRANT SELECT ON pgbench_accounts TO sekisho_read", dbname=DATABASE)

    def tell_postgres(self):
        pg = self.lab.postgres
        path = pg.home / f"proxies-{len(self.certificates)}.crt"
        path.write_text("".join(self.certificates))
        open_to_postgres(path)
        pg.sql(f"ALTER SYSTEM SET ssl_ca_file = '{path}'")
        pg.reload()
        until(lambda: pg.sql("SHOW ssl_ca_file") == [str(path)], "PostgreSQL has reloaded")

    def start(self):
        self.proxy.start()
        self.running = self.proxy.running
        until(lambda: answers(self.words(0)), f"{self.name} serves", 60, 0.05)

    def stop(self):
        self.proxy.stop()
        self.running = None

    def words(self, tenant=0):
        return self.lab.words(self.proxy.port, f"t{tenant}.{DOMAIN}")

    def operator_words(self):
        """Alice's way in, under a grant that was asked for, approved and consented to; one for all rounds."""
        if not self.grant:
            self.grant = self.people.grant(tenant="t0", database=DATABASE, consent="dora", lasts="4h")
        base = self.people.folder / "alice"
        words = self.lab.words(self.people.port, f"t0.{OPERATOR_DOMAIN}", user="alice", sslcert=f"{base}.crt",
                               sslkey=f"{base}.key")
        del words["password"]
        until(lambda: answers(words), "alice gets in", 30, 0.2)
        until(lambda: not self.proxy.pids("operator t0"), "and is out again", 30)
        return words

    def version(self):
        return run(SEKISHOCTL, "--version").stdout.split()[-1]


CONTESTANTS = [Sekisho]
