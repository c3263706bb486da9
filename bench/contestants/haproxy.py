# SPDX-License-Identifier: ISC
from contestants import Contestant
from lab import free_port, run

CONFIGURATION = """
global
    maxconn 4000
defaults
    mode tcp
    timeout connect 60s
    timeout client 1h
    timeout server 1h
frontend clients
    bind 127.0.0.1:{port}
    default_backend postgres
backend postgres
    server pg 127.0.0.1:{backend}
"""


class HAProxy(Contestant):
    name = "haproxy"
    program = "HAProxy"
    order = 10
    about = "TCP pass-through: PostgreSQL's TLS reaches the client"

    def __init__(self, lab):
        super().__init__(lab)
        self.port = free_port()
        self.conf = lab.folder / "haproxy.cfg"
        self.conf.write_text(CONFIGURATION.format(port=self.port, backend=lab.postgres.port))

    def command(self):
        return ["/usr/sbin/haproxy", "-db", "-f", self.conf]

    def words(self, tenant=0):
        return self.lab.words(self.port, self.lab.postgres.host_name)

    def version(self):
        return run("/usr/sbin/haproxy", "-v").stdout.split()[2]


CONTESTANTS = [HAProxy]
