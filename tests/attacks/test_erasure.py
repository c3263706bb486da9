# SPDX-License-Identifier: ISC
"""The end of a tenant: access stops at once; the log, the secrets and the rows go when two people signed for it and a month
has passed; one person alone can't, nor at once; and nobody else's log is touched.

Globex is erased. Acme is only almost.
"""
import psycopg
import pytest

from fleet import until, verify_by_hand
from turned import DAY, turned


@pytest.fixture(scope="module")
def clock(company):
    return turned(company)


def erase(company, tenant, by, check=True, reason="the contract ended"):
    return company.ctl("tenant", "erase", tenant, "--reason", reason, by=by, check=check)


def bytes_of(company, tenant):
    return {path.name: path.read_bytes() for path in (company.proxy.ledger / tenant).glob("*")}


def refusal(proxy, tenant):
    try:
        proxy.connect(tenant).close()
    except psycopg.OperationalError as error:
        return str(error)


def test_who_has_not_retired_a_tenant_erases_nothing(company, clock):
    done = erase(company, "globex", "bob", check=False)
    assert done.returncode == 1 and "not retired" in done.stderr


def test_retiring_cuts_at_once(company, clock):
    proxy = company.proxy
    with pytest.raises(psycopg.OperationalError):
        with proxy.connect("globex") as session:
            session.execute("SELECT 1")
            proxy.ctl("tenant", "retire", "globex")
            until(lambda: session.execute("SELECT 1") and False, "the session is cut", 5)
    proxy.awaits("globex", "session.close", reason="tenant not active")
    until(lambda: refusal(proxy, "globex"), "nobody gets in any more")
    assert proxy.one("acme", "SELECT 1") == 1


def test_one_person_alone_cannot_and_nobody_at_once(company, clock):
    proxy = company.proxy
    first = erase(company, "globex", "bob")
    assert "signed by 1 of 2" in first.stdout
    again = erase(company, "globex", "bob", check=False, reason="now, really")
    assert again.returncode == 1 and "nobody counts twice" in again.stderr
    for nobody in ("alice", "gus"):
        assert erase(company, "globex", nobody, check=False).returncode == 1
    proxy.ctl("tenant", "retire", "acme")
    erase(company, "acme", "bob")
    both = erase(company, "globex", "carol")
    assert "signed by 2 of 2" in both.stdout
    assert proxy.awaits("globex", "grant.change", action="erase", actor="carol")["detail"] == "the contract ended"


def test_a_clock_set_ahead_erases_nothing_and_a_month_does(company, clock):
    proxy = company.proxy
    acme = bytes_of(company, "acme")
    jumps = len(proxy.records("_provider", "clock.jump"))
    clock.set(40 * DAY)
    until(lambda: len(proxy.records("_provider", "clock.jump")) > jumps, "the jump is logged")
    # The broker writes its time every five seconds, and looks as often for what is to be erased.
    alive, seen = proxy.home / "state/operators.alive", set()
    until(lambda: seen.add(alive.stat().st_mtime) or len(seen) > 3, "the broker has looked", 40, 0.2)
    assert (proxy.ledger / "globex").is_dir()
    clock.right()
    last = proxy.lines("globex")
    clock.sleep(31 * DAY)
    erased = proxy.awaits("_provider", "tenant.erased", 30, erased="globex")
    assert erased["actor"] == "bob, carol" and erased["files"] >= 1 and erased["last"] >= len(last)
    until(lambda: not (proxy.ledger / "globex").exists(), "its folder is gone")
    until(lambda: proxy.ctl("tenant", "show", "globex", check=False).returncode == 1, "its rows are gone", 20)
    # Acme had one signature.
    for name, content in acme.items():
        assert bytes_of(company, "acme")[name].startswith(content), f"{name} was only added to"
    assert not proxy.records("_provider", "tenant.erased", erased="acme")
    proxy.ctl("audit", "verify")
    assert verify_by_hand(proxy.lines("_provider")) > 0


def test_nothing_of_it_is_left_but_the_tombstone(company, clock):
    proxy = company.proxy
    with company.store() as store:
        for table in ("tenant WHERE id", "tenant_host WHERE tenant", "verifier WHERE tenant", "scope_login WHERE tenant",
                      "change WHERE tenant"):
            assert store.execute(f"SELECT count(*) FROM {table} = 'globex'").fetchone() == (0,), table
        assert store.execute("SELECT id FROM erased").fetchall() == [("globex",)]
    assert proxy.awaits("_provider", "admin.change", action="tenant.erase")["detail"] == "globex"
    done = proxy.ctl("tenant", "add", "globex", "--instance", "127.0.0.1:5432", check=False)
    assert done.returncode == 1 and "was erased" in done.stderr
    proxy.stop()
    proxy.start()
    assert not (proxy.ledger / "globex").exists()


def test_what_was_signed_is_taken_back_before_a_tenant_returns(company, clock):
    proxy = company.proxy
    done = proxy.ctl("tenant", "resume", "acme", check=False)
    assert done.returncode == 1 and "bob signed for it" in done.stderr
    company.ctl("tenant", "keep", "acme", "--reason", "they stay", by="dora")
    proxy.ctl("tenant", "resume", "acme")
    until(lambda: not refusal(proxy, "acme"), "acme is back", 20, 0.2)
