# SPDX-License-Identifier: ISC
"""Three tenants and operators at work while everything around them breaks; and what must hold meanwhile and afterwards.

    chaos.py [SECONDS] [--seed N] [--schedule]

The seed (printed) makes the schedule of faults; --schedule only prints it. Exit status 1: something did not hold; the
folder with all logs is then kept. SEKISHO_BIN says which build (build/debug).

What must hold: no row of another tenant; nothing acknowledged is lost; whoever was let in has its open record in the log
at that moment and a close record in the end; no statement of an operator ran that the log does not have; all chains
verify; nobody ends by itself; nobody waits longer than PATIENCE_S; after the last fault everybody gets in again; then
processes, descriptors and memory are what they were.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from faults import TENANTS, schedule  # noqa: E402
from fleet import Fleet, run, until  # noqa: E402
from load import PATIENCE_S, OnCall, clients_of  # noqa: E402
from operators import ENDED, Operators  # noqa: E402
from turned import Clock  # noqa: E402
from watch import Chains, holdings, statements_run  # noqa: E402

DISK_MB = 192
RECOVERY_S = 45
MEMORY_GROWTH = 1.6  # and
MEMORY_MORE_KB = 24 * 1024
DESCRIPTORS_MORE = 4
SINGLE = ("supervisor", "gate", "lobby", "broker", "keeper", "ledger", "console", "notifier")


class World:
    """Everything that clients, faults and checks share."""

    def __init__(self, disk):
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.findings, self.kills, self.faults, self.trouble = [], collections.Counter(), collections.Counter(), collections.Counter()
        self.entered, self.suspended, self.wanted, self.exhausted = [], set(), set(), set()
        self.resumed_at = {}
        self.pause, self.last = 0.02, ""
        self.fleet = Fleet()
        self.disk = self.mount(self.fleet.folder / "log") if disk else None
        self.ops = Operators(self.fleet, drain_timeout="3s", cell_idle_timeout="1h",
                             ledger_dir=(self.disk or self.fleet.folder) / "ledger")
        self.proxy = self.ops.proxy
        self.clock = Clock(self.fleet.folder / "clocks")  # the node's only
        self.proxy.stop()
        self.clock.give(self.proxy)
        self.proxy.start()
        self.proxy.add("initech", self.fleet.instance("initech"))
        for tenant in TENANTS:
            self.instance(tenant).sql("CREATE TABLE tally (client int PRIMARY KEY, n int); ALTER TABLE tally OWNER TO app", "app")
        self.chains = Chains(self.proxy, TENANTS)

    def mount(self, at):
        at.mkdir()
        if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", at],
                                              capture_output=True).returncode != 0:
            return None
        return at

    def instance(self, tenant):
        return self.fleet.instances[tenant]

    # --- what clients tell ---

    def finding(self, text):
        with self.lock:
            self.findings.append(text)
        print(f"FINDING: {text}", flush=True)

    def met(self, what):
        with self.lock:
            self.trouble[what] += 1

    def killed(self, role, count):
        self.kills[role] += count

    def let_in(self, tenant, application):
        """It has its ReadyForQuery: the record must be there now."""
        if not self.chains.opened_as(tenant, application):
            self.finding(f"{application} was let in to {tenant}, and the log has no session.open")
        with self.lock:
            self.entered.append((tenant, application))

    def excused(self, tenant, why):
        """A suspended tenant is one that does not exist, until its return has got around."""
        gone = ("there is no such tenant here", f'tenant "{tenant}" does not accept connections')
        lately = time.monotonic() - self.resumed_at.get(tenant, -99) < 5
        return (why or "").startswith(gone) and (tenant in self.suspended or lately)

    def resumed(self, tenant):
        self.resumed_at[tenant] = time.monotonic()
        self.suspended.discard(tenant)

    # --- grants ---

    def grants_of(self, tenant):
        done = self.ops.ctl("--json", "grant", "list", check=False)
        if done.returncode != 0:
            return []

        return [g["grant"] for g in json.loads(done.stdout) if g["tenant"] == tenant and g["state"] not in ENDED]

    def wants_grant(self, operator, tenant):
        with self.lock:
            self.wanted.add((operator, tenant))

    def give_grants(self):
        """What operators asked for: requested, approved and consented to, as far as that works now."""
        with self.lock:
            wanted, self.wanted = self.wanted, set()
        for operator, tenant in wanted:
            done = self.ops.request(operator, tenant, check=False)
            if done.returncode == 0:
                grant = json.loads(done.stdout)["grant"]
                self.ops.approve(grant, "bob", check=False)
                self.ops.approve(grant, {"acme": "dora", "globex": "gus"}[tenant], check=False)

    # --- the disk ---

    def fill(self):
        with open(self.disk / "ballast", "ab", buffering=0) as file:
            for piece in (1 << 20, 1 << 12):
                try:
                    while True:
                        os.posix_fallocate(file.fileno(), file.seek(0, 2), piece)
                except OSError:
                    pass  # no room for such a piece more

    def drain_disk(self):
        (self.disk / "ballast").unlink(missing_ok=True)


def everybody_gets_in(world):
    """Each tenant's client, and an operator: or what they were told."""
    for tenant in TENANTS:
        try:
            if world.proxy.one(tenant, "SELECT DISTINCT name FROM who", connect_timeout=10) != tenant:
                world.finding(f"{tenant} got another tenant's row")
        except Exception as error:
            world.last = f"{tenant}: {error}"
            return False
    done = world.proxy.ctl("status", check=False)
    world.last = done.stdout + done.stderr
    return done.returncode == 0


def run_faults(world, plan, started):
    """Carries the schedule out, undoing what is over; everything is undone in the end."""
    undo, left = [], list(plan)
    while left or undo:
        now = time.monotonic() - started
        for entry in [entry for entry in undo if entry[0] <= now]:
            undo.remove(entry)
            carry_out(world, f"the end of {entry[1]}", entry[2])
        if left and left[0][0] <= now:
            _, fault, seed, lasts = left.pop(0)
            name = fault.__name__
            world.faults[name] += 1
            after = carry_out(world, name, lambda: fault(world, random.Random(seed)))
            if after:
                undo.append((time.monotonic() - started + lasts, name, after))
        world.give_grants()
        time.sleep(0.05)


def carry_out(world, name, what):
    print(f"{time.monotonic() - world.started:7.2f} {name}", flush=True)
    try:
        return what()
    except Exception as error:
        world.finding(f"{name} could not be carried out: {error!r}")


def check_patience(world, clients):
    now = time.monotonic()
    for client in clients:
        since = client.since
        if since is not None and now - since > PATIENCE_S:
            world.finding(f"{client.tenant}'s client {client.number} ({type(client).__name__}) waits for {now - since:.0f} s")
            client.since = None


def check_log(world):
    """After everybody has left."""
    chains = world.chains
    until(lambda: not world.proxy.sessions(), "no session is left", RECOVERY_S, 0.2)

    def all_closed():
        chains.poll(again=True)
        return not [key for key in world.entered if (key[0], chains.opened.get(key)) not in chains.closed]

    try:
        until(all_closed, "every session has its close record", 20, 0.2)
    except AssertionError:
        open_still = [key for key in world.entered if (key[0], chains.opened.get(key)) not in chains.closed]
        world.finding(f"{len(open_still)} sessions without a close record: {open_still[:5]}")
    for tenant in TENANTS:
        missing = statements_run(world.instance(tenant)) - {m for t, m in chains.statements if t == tenant}
        if missing:
            world.finding(f"operators' statements that {tenant}'s log does not have: {sorted(missing)[:5]}")
    twice = [key for key, reasons in chains.closed.items() if len(reasons) > 1]
    if twice:
        world.finding(f"closed twice: {[(key, chains.closed[key]) for key in twice[:5]]}")
    # Out of descriptors, one that is introduced to somebody cannot take the channel: it leaves, and another is started.
    bad = [r for r in chains.crashes.values() if "SIGKILL" not in str(r)
           and not (r.get("exit") == 0 and r.get("pid") in world.exhausted)]
    if bad:
        world.finding(f"{len(bad)} processes ended by themselves: {bad[:3]}")


def check_holdings(world, before):
    """Everything is as it was before the load, give or take."""
    after = {}

    def same():
        nonlocal after
        after = holdings(world.proxy)
        return not differences(before, after)

    try:
        until(same, "processes, descriptors and memory are what they were", 30, 0.5)
    except AssertionError:
        world.finding(f"not as it was: {differences(before, after)}")
    return after


def differences(before, after):
    found = []
    for title in sorted(set(before) | set(after)):
        (count, descriptors, pss), (now, more, bigger) = before.get(title, (0, 0, 0)), after.get(title, (0, 0, 0))
        if count != now:
            found.append(f"{title}: {count} processes, now {now}")
        elif more > descriptors + DESCRIPTORS_MORE:
            found.append(f"{title}: {descriptors} descriptors, now {more}")
        elif bigger > pss * MEMORY_GROWTH + MEMORY_MORE_KB:
            found.append(f"{title}: {pss} kB, now {bigger} kB")
    return found


def start(world):
    for tenant in TENANTS:
        until(lambda: everybody_gets_in(world), "everybody gets in", RECOVERY_S, 0.2)
    for operator, tenant in (("alice", "acme"), ("amy", "globex")):
        world.ops.grant(operator, tenant)
        with world.ops.connect(operator, tenant) as connection:
            connection.execute("SELECT 1")
    until(lambda: not world.proxy.sessions(), "nobody is in", 20, 0.2)
    until(lambda: not world.proxy.pids("operator acme") + world.proxy.pids("operator globex"), "no operator is in", 20, 0.2)
    return holdings(world.proxy)


def finish(world, clients, before):
    for tenant in TENANTS:
        world.proxy.ctl("tenant", "resume", tenant, check=False)
        world.resumed(tenant)
    world.clock.right()
    try:
        until(lambda: everybody_gets_in(world), "everybody gets in again", RECOVERY_S, 0.2)
    except AssertionError:
        world.finding(f"not everybody gets in again within {RECOVERY_S} s: {world.last}")
    entered = len(world.entered)
    until(lambda: len(world.entered) > entered + 3 or world.findings, "the clients are at work again", RECOVERY_S, 0.2)
    world.over.set()
    for client in clients:
        client.join(PATIENCE_S)
        if client.is_alive():
            world.finding(f"{client.tenant}'s client {client.number} ({type(client).__name__}) never came back")
    until(lambda: everybody_gets_in(world), "everybody gets in at the end", RECOVERY_S, 0.2)
    check_log(world)
    return check_holdings(world, before)


def verified(world):
    done = world.proxy.ctl("audit", "verify", check=False)
    if done.returncode != 0:
        world.finding(f"the chains do not verify:\n{done.stdout}{done.stderr}")
    return done.stdout


def figures(world, clients, before, after, seconds, seed):
    def line(name, counter):
        return f"{name}: " + (", ".join(f"{n} {what}" for what, n in sorted(counter.items())) or "none")

    print(f"\nseed {seed}, {seconds} s")
    print(line("kills by role", world.kills))
    print(line("faults by kind", world.faults))
    print(line("what clients met", world.trouble))
    print(f"sessions: {len(world.entered)} let in, {len(world.chains.opened)} open records, {len(world.chains.closed)} closed")
    print(f"queries: {sum(c.queries for c in clients)}; operators' statements in the log: {len(world.chains.statements)}")
    print(f"records: {sum(world.chains.records.values())}")
    for title in before:
        if title.removeprefix("sekisho: ") in SINGLE and title in after:
            print(f"{title}: {before[title][1]} descriptors {before[title][2]} kB before, {after[title][1]} and {after[title][2]} kB after")
    print(f"findings: {len(world.findings)}")


def story(seconds, seed):
    world = World(disk=True)
    clients, before, after = [], {}, {}
    try:
        before = start(world)
        world.started = time.monotonic()
        clients = [c for tenant in TENANTS for c in clients_of(world, tenant)]
        clients += [OnCall(world, "alice", "acme"), OnCall(world, "amy", "globex")]
        for client in clients:
            client.start()
        watch = threading.Thread(target=lambda: watching(world, clients), daemon=True)
        watch.start()
        run_faults(world, schedule(seed, seconds), world.started)
        after = finish(world, clients, before)
        print(verified(world))
    except Exception as error:
        import traceback
        traceback.print_exc()
        world.finding(f"{error!r}; at last: {world.last}")
    finally:
        world.over.set()
        if world.findings:
            os.environ["SEKISHO_KEEP"] = "1"
            if world.disk:  # it goes with us
                shutil.copytree(world.disk, world.fleet.folder / "kept-log", ignore=shutil.ignore_patterns("ballast"))
        try:
            world.fleet.stop()
        except AssertionError as error:
            world.finding(str(error)[-6000:])
        figures(world, clients, before, after, seconds, seed)
    return not world.findings


def watching(world, clients):
    while not world.over.wait(1):
        check_patience(world, clients)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("seconds", nargs="?", type=int, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--schedule", action="store_true", help="print the faults of the seed and end")
    words = parser.parse_args()
    seed = words.seed if words.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"chaos: {words.seconds} s, --seed {seed}", flush=True)
    if words.schedule:
        for at, fault, _, lasts in schedule(seed, words.seconds):
            print(f"{at:7.2f} {fault.__name__}" + (f" for {lasts:.1f} s" if lasts else ""))
        return 0
    return 0 if story(words.seconds, seed) else 1


if __name__ == "__main__":
    # What is mounted for the log's disk is this run's alone, and gone with it.
    if os.getuid() == 0 and os.environ.get("SEKISHO_CHAOS_MOUNTS") is None and run(
            "unshare", "-m", "true", check=False).returncode == 0:
        os.environ["SEKISHO_CHAOS_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, "-B", *sys.argv])
    sys.exit(main())
