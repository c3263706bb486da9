# SPDX-License-Identifier: ISC
"""PgBouncer as Debian configures it, with TLS 1.3 on both sides and SCRAM on both sides without a password in its files.
PGBOUNCER=path: another build.
"""
import os
import re

from contestants import Contestant
from fleet import as_postgres, open_to_postgres
from lab import DATABASE, USER, free_port, run

PROGRAM = os.environ.get("PGBOUNCER", "/usr/sbin/pgbouncer")
HOST = "pgbouncer.test"
CONFIGURATION = """
[databases]
{databases}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
logfile = {folder}/log
auth_type = scram-sha-256
auth_file = {folder}/userlist.txt
pool_mode = {mode}
max_client_conn = 4000
default_pool_size = 1300
client_tls_sslmode = require
client_tls_cert_file = {crt}
client_tls_key_file = {key}
client_tls_protocols = tlsv1.3
server_tls_sslmode = verify-ca
server_tls_ca_file = {ca}
server_tls_protocols = tlsv1.3
{more}
"""


class PgBouncer(Contestant):
    mode = "session"
    name = "pgbouncer"
    program = "PgBouncer"
    order = 30
    about = "session pooling, TLS and SCRAM on both sides"

    def __init__(self, lab):
        super().__init__(lab)
        self.port = free_port()
        self.folder = lab.folder / self.name
        self.folder.mkdir()
        self.crt, self.key = lab.certificate(HOST, readable_by_postgres=True)
        (self.folder / "userlist.txt").write_text(f'"{USER}" "{lab.verifier()}"\n')
        for path in (self.folder, self.folder / "userlist.txt"):
            open_to_postgres(path)

    def database(self, tenant):
        return f"t{tenant}"

    def command(self):
        databases = "\n".join(f"{self.database(n)} = host=127.0.0.1 port={self.lab.postgres.port} dbname={DATABASE}"
                              for n in range(self.tenants))
        more = "max_prepared_statements = 200" if self.keeps_prepared() else ""
        conf = self.folder / "pgbouncer.ini"
        conf.write_text(CONFIGURATION.format(databases=databases, port=self.port, folder=self.folder, mode=self.mode,
                                             crt=self.crt, key=self.key, ca=self.lab.authority.crt, more=more))
        return as_postgres(PROGRAM, conf)

    def words(self, tenant=0):
        return self.lab.words(self.port, HOST, dbname=self.database(tenant))

    def version(self):
        return re.search(r"\d+(\.\d+)+", run(PROGRAM, "--version").stdout)[0]

    def keeps_prepared(self):
        """Transaction pooling knows of prepared statements from 1.21 on."""
        return self.mode == "transaction" and tuple(map(int, self.version().split(".")[:2])) >= (1, 21)


class PgBouncerTransaction(PgBouncer):
    mode = "transaction"
    name = "pgbouncer-tx"
    order = 31
    about = "transaction pooling, TLS and SCRAM on both sides"

    def cannot(self, workload):
        if workload.prepares and not self.keeps_prepared():
            return f"PgBouncer {self.version()} loses prepared statements between transactions"
        return None


CONTESTANTS = [PgBouncer, PgBouncerTransaction]
