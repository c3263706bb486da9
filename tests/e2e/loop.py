# SPDX-License-Identifier: ISC
"""The neighbour who must notice nothing."""
import statistics
import threading
import time

from fleet import until


class Loop:
    """Somebody of globex's who asks again and again, on a session held open and, every `fresh` queries, on a new one (0: never):
    how long each took, and what failed. every: seconds between two queries, the rhythm of the loop and no wait for something."""

    def __init__(self, proxy, every=0.0, fresh=50):
        self.proxy, self.every, self.fresh = proxy, every, fresh
        self.took, self.failures, self.going = [], [], True
        self.thread = threading.Thread(target=self.go)
        self.thread.start()
        until(lambda: self.took or self.failures, "globex is at work", 30)

    @property
    def asked(self):
        return len(self.took)

    def go(self):
        try:
            with self.proxy.connect("globex") as held:
                while self.going:
                    begun = time.monotonic()
                    assert held.execute("SELECT DISTINCT name FROM who").fetchone() == ("globex",)
                    self.took.append(time.monotonic() - begun)
                    if self.fresh and self.asked % self.fresh == 0:
                        assert self.proxy.one("globex", "SELECT DISTINCT name FROM who") == "globex"
                    time.sleep(self.every)
        except Exception as error:
            self.failures.append(f"after {self.asked}: {error}")

    def end(self):
        """Seconds of the median query; a failure fails the test."""
        self.going = False
        self.thread.join(60)
        assert not self.failures, self.failures
        return statistics.median(self.took)
