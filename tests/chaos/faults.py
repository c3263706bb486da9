# SPDX-License-Identifier: ISC
"""What is done to the node, its disk, its instances and its clock. Each fault is a function of the world and of its own
random numbers; it returns what undoes it, or None. A schedule is made from a seed before anything runs.
"""
import os
import pathlib
import random
import resource
import signal
import socket

from fleet import run, until

TENANTS = ("acme", "globex", "initech")
ROLES = ("gate", "lobby", "broker", "keeper", "ledger", "console", "notifier", *(f"cell {t}" for t in TENANTS),
         "operator acme", "operator globex")
CLOCK_AHEAD_MOST_S = 120  # so far ahead at most: statements are signed by people whose clocks are right


def signalled(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def kill(world, rng):
    role = rng.choice(ROLES)
    killed = [pid for pid in world.proxy.pids(role)[:1] if signalled(pid, signal.SIGKILL)]
    world.killed(role.split()[0], len(killed))


def kill_supervisor(world, rng):
    family = world.proxy.processes()
    supervisor = next((p["pid"] for p in family if p["title"] == "sekisho: supervisor"), None)
    world.killed("supervisor", int(supervisor is not None and signalled(supervisor, signal.SIGKILL)))


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def kill_guard(world, rng):
    world.proxy.kill()
    world.killed("guard", 1)
    world.proxy.spawn()
    until(lambda: listens(world.proxy.port), "the node listens again", 30)


def stop_process(world, rng):
    """Not scheduled for a while, as on a machine that has too much to do."""
    pids = world.proxy.pids(rng.choice(ROLES))[:1]
    for pid in pids:
        signalled(pid, signal.SIGSTOP)
    return lambda: [signalled(pid, signal.SIGCONT) for pid in pids]


def family_of(pid):
    found = [pid]
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(entry.name))
        except OSError:
            pass  # it ended just now
    return found


def stop_instance(world, rng):
    pids = family_of(world.instance(rng.choice(TENANTS)).process.pid)
    for pid in pids:
        signalled(pid, signal.SIGSTOP)
    return lambda: [signalled(pid, signal.SIGCONT) for pid in pids]


def restart_instance(world, rng):
    instance = world.instance(rng.choice(TENANTS))
    for pid in family_of(instance.process.pid):
        signalled(pid, signal.SIGCONT)  # it may be stopped, and would not hear
    instance.stop()
    return instance.start


def drop_backends(world, rng):
    instance = world.instance(rng.choice(TENANTS))
    run("psql", "-XAtqc", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' OR usename LIKE 'sekisho%'",
        instance.admin, check=False, env={**os.environ, "PGCONNECT_TIMEOUT": "5", "PGOPTIONS": "-c statement_timeout=5000"})


def fill_disk(world, rng):
    """The log's: a small file system, or (not root) a limit on the size of files that the ledger writes."""
    if world.disk:
        world.fill()
        return world.drain_disk
    pids = world.proxy.pids("ledger")
    largest = max((path.stat().st_size for path in world.proxy.ledger.glob("*/*.jsonl")), default=0)
    return limited(pids, resource.RLIMIT_FSIZE, largest)


def limited(pids, which, to):
    before = {}
    for pid in pids:
        try:
            before[pid] = resource.prlimit(pid, which)
            resource.prlimit(pid, which, (to, before[pid][1]))
        except OSError:
            pass  # it ended just now

    def undo():
        for pid, limits in before.items():
            try:
                resource.prlimit(pid, which, limits)
            except OSError:
                pass  # it has ended, and its limit with it
    return undo


def exhaust_descriptors(world, rng):
    pids, spare = world.proxy.pids(rng.choice(ROLES))[:1], rng.randrange(3)
    for pid in pids:
        try:
            used = max((int(path.name) for path in pathlib.Path(f"/proc/{pid}/fd").iterdir()), default=3) + 1
        except OSError:
            continue
        world.exhausted.add(pid)
        return limited([pid], resource.RLIMIT_NOFILE, used + spare)
    return None


def reload(world, rng):
    world.proxy.hang_up()


def rotate_certificates(world, rng):
    world.fleet.authority.issue(world.proxy.home / "server", "*.db.test")
    world.proxy.hang_up()


def suspend(world, rng):
    tenant = rng.choice(TENANTS)
    world.suspended.add(tenant)
    world.proxy.ctl("tenant", "suspend", tenant, check=False)

    def undo():
        world.proxy.ctl("tenant", "resume", tenant)
        world.resumed(tenant)
    return undo


def revoke(world, rng):
    tenant = rng.choice(TENANTS[:2])
    for grant in world.grants_of(tenant):
        world.ops.revoke(grant, check=False)


def step_clock(world, rng):
    """Back as far as you like; ahead a little. The node's clock only."""
    world.clock.right()
    world.clock.set(rng.choice((-7200, -600, -5, -1, 1, 5, 30, CLOCK_AHEAD_MOST_S)))


# fault: (how often, seconds until it is undone)
FAULTS = {kill: (10, 0), kill_supervisor: (1, 0), kill_guard: (1, 0), stop_process: (3, 1.5), stop_instance: (3, 3),
          restart_instance: (2, 1.5), drop_backends: (2, 0), fill_disk: (3, 2.5), exhaust_descriptors: (3, 2), reload: (2, 0),
          rotate_certificates: (1, 0), suspend: (2, 2), revoke: (2, 0), step_clock: (2, 0)}


def schedule(seed, seconds):
    """[(second, fault, seed of its own choices, seconds it lasts)]. Each kind comes once before any comes by chance."""
    rng = random.Random(seed)
    first = list(FAULTS)
    rng.shuffle(first)
    plan, at = [], 1.0
    while at < seconds - 4:
        fault = first.pop() if first else rng.choices(list(FAULTS), [often for often, _ in FAULTS.values()])[0]
        lasts = FAULTS[fault][1] * rng.uniform(0.3, 1.3)
        plan.append((at, fault, rng.getrandbits(32), lasts))
        at += rng.uniform(0.4, 2.4)
    return plan
