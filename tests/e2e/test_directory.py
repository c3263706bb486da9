# SPDX-License-Identifier: ISC
"""Changes that sekishoctl makes reach the running proxy within a second, and its running sessions too."""
import contextlib
import select
import sqlite3

import psycopg
import pytest

import wire
from fleet import run, until

# "Within a second", and a little for the command that asks on a busy machine.
SECOND = 1.5


def works(proxy, tenant, **more):
    return run("psql", "-XAtqc", "SELECT 1", proxy.dsn(tenant, **more), check=False).returncode == 0


def refused_with(proxy, tenant, **more):
    client = wire.tls(proxy.port, proxy.fleet.authority, f"{tenant}.db.test")
    client.send(wire.startup(user="app", database="app"))
    fields = client.error()
    client.close()
    return fields


def cut_within_a_second(connection):
    """Waits on the idle connection's socket for the proxy's word."""
    assert select.select([connection.fileno()], [], [], SECOND)[0], "the session was not cut within a second"
    with pytest.raises(psycopg.OperationalError) as caught:
        connection.execute("SELECT 1")
    return caught.value


def test_a_new_tenant_is_served_within_a_second(fleet, proxy):
    instance = fleet.instance("initech")
    proxy.add("initech", instance)
    until(lambda: works(proxy, "initech"), "initech is served", SECOND, 0.05)


def test_suspension_cuts_sessions_and_refuses_new_ones_as_if_unknown(fleet, proxy):
    with proxy.connect("acme") as held, proxy.connect("globex") as other:
        proxy.ctl("tenant", "suspend", "acme")
        cut_within_a_second(held)
        suspended = until(lambda: try_refusal(proxy, "acme"), "acme is refused", SECOND, 0.05)
        unknown = refused_with(proxy, "nobody")
        for fields in (suspended, unknown):
            fields.pop("D", None)  # the session's id
        assert suspended == unknown and suspended["C"] == "08004"
        assert other.execute("SELECT 1").fetchone() == (1,)
    assert proxy.awaits("acme", "session.close")["reason"] == "tenant not active"
    proxy.ctl("tenant", "resume", "acme")
    until(lambda: works(proxy, "acme"), "acme is back", SECOND, 0.05)


def try_refusal(proxy, tenant):
    try:
        return refused_with(proxy, tenant)
    except (wire.Closed, TimeoutError, AssertionError):
        return None


def test_a_changed_address_range_cuts_whom_it_forbids(proxy):
    with proxy.connect("acme") as held:
        proxy.ctl("tenant", "set", "acme", "--allow", "192.0.2.0/24")
        cut_within_a_second(held)
    mark = proxy.mark("acme")
    with pytest.raises(psycopg.OperationalError):
        proxy.connect("acme")
    assert proxy.awaits("acme", "session.refused", after=mark)["reason"] == "address not allowed"
    proxy.ctl("tenant", "set", "acme", "--allow", "127.0.0.0/8")
    until(lambda: works(proxy, "acme"), "acme may come again", SECOND, 0.05)
    proxy.ctl("tenant", "set", "acme", "--allow", "")
    assert proxy.records("acme", "session.close", reason="address no longer allowed")


def test_a_tenants_limit(proxy):
    proxy.ctl("tenant", "set", "acme", "--max-connections", "3")
    until(lambda: held_at(proxy, 3), "the limit counts", SECOND * 3, 0.05)
    held = [proxy.connect("acme") for _ in range(3)]
    mark = proxy.mark("acme")
    with pytest.raises(psycopg.OperationalError, match="too many"):
        proxy.connect("acme")
    record = proxy.awaits("acme", "session.refused", after=mark)
    assert record["reason"] == "too many connections" and record["sqlstate"] == "53300"
    assert works(proxy, "globex"), "another tenant's limit is its own"
    held.pop().close()
    until(lambda: works(proxy, "acme"), "a place became free")
    for connection in held:
        connection.close()
    proxy.ctl("tenant", "set", "acme", "--max-connections", "0")


def held_at(proxy, most):
    """True when one more than `most` is refused."""
    held = []
    try:
        for _ in range(most):
            held.append(proxy.connect("acme"))
        return not works(proxy, "acme")
    except psycopg.OperationalError:
        return False
    finally:
        for connection in held:
            connection.close()
        until(lambda: not proxy.sessions("acme"), "the places are free")


def test_the_limit_of_the_whole_node(proxy):
    proxy.configure(**{**proxy.settings, "max_connections": 2})
    proxy.reload()
    with proxy.connect("acme"), proxy.connect("globex"):
        with pytest.raises(psycopg.OperationalError, match="too many"):
            proxy.connect("globex")
    settings = dict(proxy.settings)
    settings.pop("max_connections")
    proxy.configure(**settings)
    proxy.reload()
    until(lambda: works(proxy, "globex"), "room again")


def test_a_new_host_name_counts_within_a_second_and_is_nobody_elses(proxy):
    proxy.ctl("tenant", "set", "globex", "--host", "pg.globex.test")
    until(lambda: works(proxy, "globex", host="pg.globex.test", sslmode="verify-ca"), "the new name", SECOND, 0.05)
    taken = proxy.ctl("tenant", "set", "acme", "--host", "pg.globex.test", check=False)
    assert taken.returncode == 1
    assert proxy.one("globex", "SELECT DISTINCT name FROM who", host="pg.globex.test", sslmode="verify-ca") == "globex"


def test_a_moved_instance_must_carry_the_expected_name(fleet, proxy):
    """acme's address becomes globex's: its certificate is not acme's, so nobody gets through."""
    acme, globex = fleet.instances["acme"], fleet.instances["globex"]
    proxy.ctl("tenant", "set", "acme", "--instance", f"127.0.0.1:{globex.port}", "--verifier",
              f"app={acme.sql('SELECT rolpassword FROM pg_authid WHERE rolname = $$app$$')[0]}")
    mark = proxy.mark("acme")
    until(lambda: not works(proxy, "acme"), "the change has arrived", SECOND * 2, 0.05)
    record = proxy.awaits("acme", "session.refused", after=mark)
    assert record["reason"] in ("instance TLS failed", "directory unavailable"), record
    proxy.ctl("tenant", "set", "acme", "--instance", f"127.0.0.1:{acme.port}", "--verifier", "app=")
    until(lambda: works(proxy, "acme"), "acme is back", 15, 0.1)


def test_a_verifier_kept_in_the_store_serves_where_the_instance_has_no_function(fleet, proxy):
    acme = fleet.instances["acme"]
    acme.sql("ALTER FUNCTION sekisho.verifier(text) RENAME TO away")
    try:
        until(lambda: not works(proxy, "acme"), "nobody can be looked up", 20, 0.1)
        proxy.ctl("tenant", "set", "acme", "--verifier",
                  f"app={acme.sql('SELECT rolpassword FROM pg_authid WHERE rolname = $$app$$')[0]}")
        until(lambda: works(proxy, "acme"), "app is in the store", 5, 0.1)
        proxy.ctl("tenant", "set", "acme", "--verifier", "app=")
        until(lambda: not works(proxy, "acme"), "and is no longer", 20, 0.1)
    finally:
        acme.sql("ALTER FUNCTION sekisho.away(text) RENAME TO verifier")
    until(lambda: works(proxy, "acme"), "the instance answers again", 20, 0.1)


def test_the_store_may_be_away(fleet, proxy):
    """Tenants keep connecting while the control store cannot be read."""
    store = proxy.home / "state" / "store.sqlite"
    assert works(proxy, "acme")
    away = store.with_suffix(".away")
    store.rename(away)
    try:
        for _ in range(10):
            assert works(proxy, "acme")
        assert proxy.ctl("tenant", "list", check=False).returncode == 3
    finally:
        away.rename(store)
    assert works(proxy, "acme")


def test_an_emptied_store_is_an_error_and_not_an_empty_fleet(fleet, proxy):
    """A store that took the old one's place and knows no tenant is no administrator's work: the proxy keeps what it
    knew, and says so."""
    state = proxy.home / "state"
    empty = proxy.home / "empty.sqlite"
    with contextlib.closing(sqlite3.connect(state / "store.sqlite")) as store:
        store.execute(f"VACUUM INTO '{empty}'")
    with contextlib.closing(sqlite3.connect(empty)) as store:
        store.execute("PRAGMA foreign_keys = on")
        store.execute("DELETE FROM tenant")
        store.commit()
    aside = proxy.home / "aside"
    aside.mkdir()
    parts = list(state.glob("store.sqlite*"))
    before = len(proxy.log())  # it may say so between any two of the renames
    for part in parts:
        part.rename(aside / part.name)
    empty.rename(state / "store.sqlite")
    try:
        until(lambda: "store" in proxy.log()[before:], "it says so", 5)
        assert works(proxy, "acme") and works(proxy, "globex")
    finally:
        for part in state.glob("store.sqlite*"):
            part.unlink()
        for part in parts:
            (aside / part.name).rename(part)
    proxy.ctl("tenant", "set", "acme", "--max-connections", "9")
    until(lambda: works(proxy, "acme"), "acme goes on", SECOND)


def test_a_removed_tenant_is_unknown_and_its_log_stays(fleet, proxy):
    with proxy.connect("initech") as held:
        proxy.ctl("tenant", "remove", "initech")
        cut_within_a_second(held)
    fields = refused_with(proxy, "initech")
    assert fields["C"] == "08004"
    assert proxy.records("initech", "session.open")
    assert proxy.ctl("audit", "verify", "initech").returncode == 0
