# SPDX-License-Identifier: ISC
from contestants import Contestant


class Direct(Contestant):
    name = "direct"
    order = 0
    about = "no proxy: the client speaks to PostgreSQL"

    def start(self):
        pass

    def words(self, tenant=0):
        return self.lab.words(self.lab.postgres.port, self.lab.postgres.host_name)


CONTESTANTS = [Direct]
