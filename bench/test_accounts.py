# SPDX-License-Identifier: ISC
"""The accounts are true: what a tree of processes used is what each of them says itself, and what the kernel sums up; also of
those who ended, who were left behind by their parents, and who are threads.
"""
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from accounts import children_of, used_by  # noqa: E402
from lab import TOOLS, until  # noqa: E402

MS = 1_000_000
BURN_MS = 150


def burn(ms):
    """Uses so much CPU time, in this thread."""
    end = time.thread_time_ns() + ms * MS
    while time.thread_time_ns() < end:
        sum(range(1000))


def confess(path):
    """What this process used itself, without its children, as one line of a file that all append to."""
    with open(path, "a") as file:
        file.write(f"{time.process_time_ns()}\n")


def threads(path):
    """Two at once, of which one has ended when the accounts are looked at."""
    both = [threading.Thread(target=burn, args=(BURN_MS,)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    confess(path)


def child(path):
    burn(BURN_MS)
    confess(path)


def forks(path):
    """Children one after the other, each waited for."""
    for _ in range(4):
        if os.fork() == 0:
            child(path)
            os._exit(0)
        os.wait()
    confess(path)


def leaves_behind(path):
    """The child of a child whose parent has gone: init's, if there were no reaper."""
    if os.fork() == 0:
        if os.fork() == 0:
            child(path)
            os._exit(0)
        os._exit(0)
    os.wait()
    confess(path)


STORIES = {story.__name__: story for story in (child, threads, forks, leaves_behind)}


def tell(story, path):
    """Under the reaper: the story, a sign that it is over, and then standing still until somebody ends it."""
    STORIES[story](path)
    pathlib.Path(f"{path}.told").touch()
    sys.stdin.read()
    os._exit(0)  # what Python does before it goes would be in the kernel's sum only


@pytest.mark.parametrize("story, said", [("child", 1), ("threads", 1), ("forks", 5), ("leaves_behind", 2)])
def test_what_is_counted_is_what_was_used(tmp_path, story, said):
    confessions, total = tmp_path / "confessions", tmp_path / "total"
    reaper = subprocess.Popen([TOOLS / "reaper", total, sys.executable, __file__, story, confessions], stdin=subprocess.PIPE)
    try:
        until(lambda: pathlib.Path(f"{confessions}.told").exists(), f"{story} is over", 60)
        until(lambda: len(confessions.read_text().splitlines()) == said, "everybody has confessed", 60)
        until(lambda: len(children_of(reaper.pid)) == 1, "only the teller is left", 60)
        counted = used_by(reaper.pid)
    finally:
        reaper.stdin.close()
        reaper.wait(60)
    confessed = sum(int(line) for line in confessions.read_text().splitlines())
    # Starting and ending a process is not in its own confession; ended ones are counted in ticks.
    assert confessed - 20 * MS <= counted.cpu_ns, f"{counted.cpu_ns / MS} of {confessed / MS} ms were counted"
    kernel_ns = int(total.read_text()) * 1000
    assert abs(counted.cpu_ns - kernel_ns) <= 40 * MS + kernel_ns // 20, \
        f"{counted.cpu_ns / MS} ms were counted, the kernel says {kernel_ns / MS}"
    assert counted.processes == 1


def test_the_window_is_the_difference(tmp_path):
    reaper = subprocess.Popen([TOOLS / "reaper", tmp_path / "total", sys.executable, __file__, "child", tmp_path / "said"],
                              stdin=subprocess.PIPE)
    try:
        until(lambda: children_of(reaper.pid), "it has begun")
        begun = used_by(reaper.pid)
        until(lambda: (tmp_path / "said.told").exists(), "it has burned", 60)
        used = used_by(reaper.pid).since(begun)
        assert used.cpu_ns >= BURN_MS * MS * 0.9
        again = used_by(reaper.pid)
        assert used_by(reaper.pid).since(again).cpu_ns <= 5 * MS, "who stands still uses nothing"
    finally:
        reaper.stdin.close()
        reaper.wait(60)


if __name__ == "__main__":
    tell(*sys.argv[1:])
