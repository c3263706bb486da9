# SPDX-License-Identifier: ISC
"""What a tree of processes has used so far: CPU time, switches between processes, memory.

The time of the living stands in /proc/PID/task/*/schedstat in nanoseconds; that of those who ended, in `cutime` and `cstime`
of who waited for them, in ticks of 10 ms. The tree hangs below a `reaper` (reaper.c), so that nobody's time gets lost; the
reaper's own is not counted.
"""
import dataclasses
import os
import pathlib
import time

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PROC = pathlib.Path("/proc")
TRIES = 5


@dataclasses.dataclass
class Used:
    cpu_ns: int = 0
    switches: int = 0   # of the living only
    processes: int = 0
    at: float = 0.0     # time.time()

    def since(self, before):
        return Used(self.cpu_ns - before.cpu_ns, self.switches - before.switches, self.processes, self.at - before.at)


def children_of(root):
    """Every process below root."""
    parents = {}
    for entry in os.scandir(PROC):
        if entry.name.isdigit():
            stat = read_stat(int(entry.name))
            if stat:
                parents.setdefault(int(stat[1]), []).append(int(entry.name))
    found, left = [], [root]
    while left:
        mine = parents.get(left.pop(), [])
        found += mine
        left += mine
    return sorted(found)


def read_stat(pid):
    """The fields of /proc/PID/stat from the state on (proc(5): field 3 is [0]); None when it has gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None


def reaped_ns(stat):
    return (int(stat[13]) + int(stat[14])) * TICK_NS


def own_ns(pid, stat):
    """Threads that have ended are in the ticks only; so is all of it, where the kernel keeps no schedstat."""
    total = 0
    try:
        for task in os.scandir(f"/proc/{pid}/task"):
            with open(f"{task.path}/schedstat") as file:
                total += int(file.read().split()[0])
    except OSError:
        pass
    return max(total, (int(stat[11]) + int(stat[12])) * TICK_NS)


def switches_of(pid):
    total = 0
    try:
        for task in os.scandir(f"/proc/{pid}/task"):
            with open(f"{task.path}/status") as file:
                total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    except OSError:
        pass
    return total


def look(root):
    """One pass; the second: who was there. A process that ends meanwhile would be missed or counted twice."""
    used, there = Used(at=time.time()), children_of(root)
    stat = read_stat(root)
    used.cpu_ns = reaped_ns(stat) if stat else 0
    for pid in there:
        stat = read_stat(pid)
        if not stat:
            continue
        used.cpu_ns += own_ns(pid, stat) + reaped_ns(stat)
        used.switches += switches_of(pid)
        used.processes += 1
    return used, there


def used_by(root):
    """What is below root has used so far. When processes come and go all the time, the last of some tries counts."""
    if root is None:
        return Used(at=time.time())
    for _ in range(TRIES):
        used, there = look(root)
        if children_of(root) == there:
            break
    return used


def pss_kib(root):
    """Memory of all below root, what is shared divided among those who share it; None when it may not be looked at."""
    total = 0
    for pid in children_of(root) if root else []:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except PermissionError:
            return None
        except (OSError, StopIteration):
            continue
    return total
