# SPDX-License-Identifier: ISC
"""A node whose clocks a test can turn: the programs of tests/clock, copied to folders of their own."""
import shutil
import struct

from fleet import BIN, until

HOUR, DAY = 3600, 86400


class Clock:
    """The node's clocks, in seconds ahead of this machine's; `sekishoctl` is on other people's machines, whose clocks
    are right."""

    def __init__(self, folder):
        self.node, self.people = folder / "node", folder / "people"
        self.wall = self.mono = 0
        for place, program in ((self.node, "sekisho"), (self.people, "sekishoctl")):
            place.mkdir(parents=True)
            (place / "clock").write_bytes(bytes(16))
            for file in (BIN / "tests/clock").glob(f"{program}*"):
                shutil.copy2(file, place)

    def give(self, proxy):
        """The proxy's next start has these clocks."""
        proxy.program, proxy.ctl_program = self.node / "sekisho", self.people / "sekishoctl"

    def write(self):
        for place, wall in ((self.node, self.wall), (self.people, self.mono)):
            with open(place / "clock", "r+b") as file:
                file.write(struct.pack("=qq", wall * 1000000, self.mono * 1000000))

    def set(self, seconds):
        """Somebody sets the node's wall clock, by so much ahead or back."""
        self.wall += seconds
        self.write()

    def sleep(self, seconds):
        """So much time has passed, while the node was suspended."""
        self.wall += seconds
        self.mono += seconds
        self.write()

    def right(self):
        """The node's wall clock is set right again."""
        self.wall = self.mono
        self.write()


def turned(company):
    """The company's node, started again with clocks that can be turned: those clocks."""
    clock = Clock(company.fleet.folder / "turned")
    company.proxy.stop()
    clock.give(company.proxy)
    company.proxy.start()
    until(lambda: company.serves(), "the operators' plane serves", 20, 0.2)
    return clock
