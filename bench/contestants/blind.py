# SPDX-License-Identifier: ISC
from contestants import Contestant
from lab import TOOLS, free_port


class Blind(Contestant):
    name = "blind"
    order = 20
    about = "TLS on both sides and nothing else (blind.c): the floor"

    def __init__(self, lab):
        super().__init__(lab)
        self.port = free_port()

    def command(self):
        # PostgreSQL's own certificate: clients may bind their SCRAM exchange to it, and find what PostgreSQL has.
        home = self.lab.postgres.home
        return [TOOLS / "blind", self.port, self.lab.postgres.port, home / "server.crt", home / "server.key",
                self.lab.authority.crt]

    def words(self, tenant=0):
        return self.lab.words(self.port, self.lab.postgres.host_name)


CONTESTANTS = [Blind]
