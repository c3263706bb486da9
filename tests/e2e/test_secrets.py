# SPDX-License-Identifier: ISC
"""Who holds which secret, looked up in the memory of every process. What a process needs is there (so the search finds what
is there), what it does not need is not, and a login's key is gone when the login is over.
"""
import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import os
import pathlib
import re
import shutil
import signal

import pytest

import memory
from fleet import DOMAIN, Fleet, run, until
from memory import number, private_key
from operators import Operators


@pytest.fixture(scope="module")
def company():
    fleet = Fleet()
    folder = fleet.folder / "tenants"
    folder.mkdir()
    for tenant in ("acme", "globex"):
        fleet.authority.issue(folder / tenant, f"{tenant}.{DOMAIN}")
    made = Operators(fleet, tenant_dir=folder, login_timeout="15s")
    try:
        list(memory.regions(made.proxy.pid("gate")))
        next(memory.read(made.proxy.pid("gate")))
    except memory.OutOfReach as error:
        fleet.stop()
        pytest.skip(f"processes of this build can be looked into by root only: {error}")
    yield made
    fleet.stop()


@pytest.fixture
def proxy(company):
    """Both tenants are at work."""
    for tenant in ("acme", "globex"):
        company.proxy.one(tenant, "SELECT 1")
    return company.proxy


def client_key(password, verifier):
    """RFC 5802, section 3, with salt and iterations of a verifier as PostgreSQL keeps it."""
    iterations, salt, stored = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):.*", verifier).groups()
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    key = hmac.digest(salted, b"Client Key", "sha256")
    assert hashlib.sha256(key).digest() == base64.b64decode(stored)
    return salted, key


def verifier_of(instance, role):
    return instance.sql(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'")[0]


def secrets_of_login(instance, tenant):
    salted, key = client_key(f"{tenant} secret", verifier_of(instance, "app"))
    return [number(f"{tenant}'s ClientKey", key), number(f"{tenant}'s SaltedPassword", salted)]


def holders(proxy, secrets):
    return {p["title"].removeprefix("sekisho: "): held for p in proxy.processes()
            for held in [memory.held(p["pid"], secrets)] if held}


def test_each_process_holds_its_own_secrets_and_no_other(company, proxy):
    state, tenants = proxy.home / "state", company.fleet.folder / "tenants"
    run("psql", "-XAtqc", "SHOW GRANTS", f"host={proxy.home}/run dbname=sekisho")  # the console opens the store
    node = private_key("the node's certificate key", pathlib.Path(proxy.key).read_text())
    plane = private_key("the operators' certificate key", pathlib.Path(company.key_of_plane).read_text())
    own = {t: private_key(f"{t}'s certificate key", (tenants / f"{t}.key").read_text()) for t in ("acme", "globex")}
    seal = number("seal key", bytes.fromhex((state / "seal.key").read_text()))
    fleet_secret = number("fleet secret", bytes.fromhex((state / "fleet.key").read_text()))
    signing = private_key("the ledger's key", (state / "ledger.key").read_text())
    # The tenants' client keys are sealed; the keeper has opened them.
    clients = [private_key(f"a client key ({n})", text) for n, text in enumerate(sorted(memory.texts_of_keys(proxy.pid("keeper"))))]
    assert len(clients) == 2
    names = {c.name for c in clients}
    held = {title: set(found) for title, found in holders(proxy, [node, plane, *own.values(), seal, fleet_secret, signing, *clients]).items()}
    mine = {tenant: held[f"cell {tenant}"] & names for tenant in own}
    assert len(mine["acme"]) == len(mine["globex"]) == 1 and mine["acme"] != mine["globex"]
    # Guard, supervisor, gate and notifier are not in it.
    assert held == {
        "lobby": {node.name},
        "cell acme": {own["acme"].name, *mine["acme"]},
        "cell globex": {own["globex"].name, *mine["globex"]},
        "broker": {fleet_secret.name, *names},
        "keeper": {seal.name, *names},
        "ledger": {signing.name},
        "console": {seal.name},
    }
    texts = {p["title"] for p in proxy.processes() if memory.texts_of_keys(p["pid"])}
    assert texts == {"sekisho: broker", "sekisho: keeper"}, "who uses a key has no use for its text"


@contextlib.contextmanager
def stands_still(instance):
    """The instance's socket takes connections, and nobody answers there."""
    os.kill(instance.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(instance.process.pid, signal.SIGCONT)


def test_a_logins_key_is_gone_when_the_login_is_over(company, proxy):
    """While the login waits for the instance the key is in acme's cell, and nowhere else; afterwards it is nowhere."""
    secrets = secrets_of_login(company.acme, "acme")
    proxy.one("acme", "SELECT 1")  # the verifier is known: the login waits for nothing but the instance
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with stands_still(company.acme):
            login = pool.submit(proxy.connect, "acme", connect_timeout=60)
            found = until(lambda: holders(proxy, secrets), "the cell has proved the client", 20)
            assert set(found) == {"cell acme"} and set(found["cell acme"]) == {secrets[0].name}
        session = login.result(30)
    assert session.execute("SELECT 1").fetchone() == (1,)
    assert not holders(proxy, secrets)
    session.close()
    until(lambda: not proxy.sessions("acme"), "the session is over")
    assert not holders(proxy, secrets)


@pytest.mark.parametrize("how", ["refused", "unknown database", "too slow"])
def test_a_login_that_fails_leaves_no_key(company, proxy, how):
    secrets = secrets_of_login(company.acme, "acme")
    proxy.one("acme", "SELECT 1")
    if how == "refused":
        company.acme.sql("ALTER ROLE app CONNECTION LIMIT 0")
    with contextlib.ExitStack() as end:
        end.callback(company.acme.sql, "ALTER ROLE app CONNECTION LIMIT -1")
        if how == "too slow":  # the instance: until login_timeout
            end.enter_context(stands_still(company.acme))
        dsn = proxy.dsn("acme", dbname="nowhere" if how == "unknown database" else "app", connect_timeout=60)
        assert run("psql", "-XAtqc", "SELECT 1", dsn, check=False).returncode != 0
        assert not holders(proxy, secrets)


def key_of_scope(proxy, instance, scope):
    """The ClientKey of the scope's role: 32 bytes of the keeper's, beside its StoredKey, whose SHA-256 that is."""
    stored = base64.b64decode(verifier_of(instance, f"sekisho_{scope}").split("$")[2].split(":")[0])
    for _, content in memory.read(proxy.pid("keeper")):
        for hit in re.finditer(re.escape(stored), content):
            for at in range(max(0, hit.start() - 512), hit.start() + 512):
                if hashlib.sha256(content[at:at + 32]).digest() == stored:
                    return number(f"{instance.name}'s key of {scope}", content[at:at + 32])
    raise AssertionError("the keeper has no key of that scope")


def test_a_scopes_key_is_in_the_operators_cell_while_the_login_lasts(company, proxy):
    company.grant(lasts="1h")
    keys = [key_of_scope(proxy, instance, scope) for instance in (company.acme, company.globex) for scope in ("read", "admin")]
    everybodys = {key.name for key in keys}
    plane = private_key("the operators' certificate key", pathlib.Path(company.key_of_plane).read_text())
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with stands_still(company.acme):
            login = pool.submit(company.connect, connect_timeout=60)
            found = until(lambda: (f := holders(proxy, keys)) and "operator acme" in f and f, "the cell has the role's key", 20)
            assert {title: set(names) for title, names in found.items()} == {
                "keeper": everybodys, "broker": everybodys, "operator acme": {"acme's key of read"}}
        with login.result(30) as session:
            assert session.execute("SELECT count(*) FROM who").fetchone() == (3,)
            assert set(holders(proxy, keys)) == {"keeper", "broker"}
            assert set(holders(proxy, [plane])) == {"operator acme"}


def test_no_page_of_any_process_is_for_a_core_file(company, proxy):
    """The filter of the process is as MADV_DONTDUMP for all its pages, heap that is still to come included."""
    for process in proxy.processes():
        assert int(pathlib.Path(f"/proc/{process['pid']}/coredump_filter").read_text(), 16) == 0, process
        assert "Max core file size        0                    0" in pathlib.Path(f"/proc/{process['pid']}/limits").read_text(), process


def test_a_core_of_a_cell_has_none_of_its_secrets(company, proxy, tmp_path):
    """gdb takes what the kernel would; with the filter that programs usually have that is the key as well (and a sanitizer's
    terabytes of shadow, so there it is not tried).
    """
    if not shutil.which("gcore"):
        pytest.skip("there is no gdb here")
    own = private_key("acme's certificate key", (company.fleet.folder / "tenants/acme.key").read_text())
    cell = proxy.pid("cell acme")
    filter_of_core = pathlib.Path(f"/proc/{cell}/coredump_filter")
    seen = {}
    expected = {"0x33": True, "0": False}
    if memory.is_sanitized(proxy.program):
        del expected["0x33"]
    for kind in expected:
        filter_of_core.write_text(kind)
        done = run("gcore", "-o", tmp_path / kind, cell, check=False)
        core = tmp_path / f"{kind}.{cell}"
        if not core.exists():
            pytest.skip(f"gdb may not look into it: {done.stderr.strip()[-200:]}")
        text = core.read_bytes()
        seen[kind] = any(form in text for form in own.forms)
        core.unlink()
    assert seen == expected


def test_nobody_of_its_own_account_looks_into_a_process(company, proxy):
    if memory.is_sanitized(company.proxy.program):
        pytest.skip("a build with sanitizers lets its own account look into it; attacks/test_hostile_cell.py looks at the rest")
    assert not [p for p in proxy.processes() if memory.can_be_looked_into(p["pid"])]
