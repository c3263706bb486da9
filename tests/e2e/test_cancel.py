# SPDX-License-Identifier: ISC
"""Cancel requests: the client's own is obeyed, in plaintext as libpq sends it and inside TLS; nobody else's is."""
import concurrent.futures
import time

import psycopg
import pytest

import wire
from fleet import until


def sleeper(proxy, seconds):
    """A query of `seconds` by acme: (connection, what it will come to)."""
    connection = proxy.connect("acme")
    pool = concurrent.futures.ThreadPoolExecutor(1)
    # The connection is busy on its own thread; its key is read before.
    return connection, pool.submit(lambda: connection.execute(f"SELECT 'undisturbed' FROM pg_sleep({seconds})").fetchone()[0])


def active(acme, pid):
    return acme.sql(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'") == ["1"]


def begun(acme, connection):
    until(lambda: active(acme, connection.info.backend_pid), "the query runs")


def raw_sleeper(proxy, acme, seconds):
    """The same by hand: (wire, pid, key)."""
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    pid, key, _ = wire.login(client)
    client.send(wire.query(f"SELECT 'undisturbed' FROM pg_sleep({seconds})"))
    until(lambda: active(acme, pid), "the query runs")
    return client, pid, key


def answer(client):
    kind, body = client.until(b"D", b"E")
    client.until(b"Z")
    return "cancelled" if kind == b"E" and wire.error_fields(body)["C"] == "57014" else body[6:].decode()


def send_cancel(proxy, pid, key, inside=None):
    """Sends the request and waits until the proxy has closed, as libpq does. inside: a server name for TLS."""
    client = wire.tls(proxy.port, proxy.fleet.authority, inside) if inside else wire.plain(proxy.port)
    client.send(wire.cancel_request(pid, key))
    assert client.at_end(), "a cancel request is never answered"
    client.close()


def test_the_clients_own_cancel_is_obeyed(proxy, acme):
    connection, result = sleeper(proxy, 60)
    begun(acme, connection)
    connection.cancel()
    with pytest.raises(psycopg.errors.QueryCanceled):
        result.result(10)
    assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.close()


def test_cancel_in_plaintext_by_hand(proxy, acme):
    mark = proxy.mark("acme")
    client, pid, key = raw_sleeper(proxy, acme, 60)
    send_cancel(proxy, pid, key)
    assert answer(client) == "cancelled"
    client.close()
    proxy.awaits("acme", "session.cancel", after=mark)


def test_cancel_inside_tls(proxy, acme):
    client, pid, key = raw_sleeper(proxy, acme, 60)
    send_cancel(proxy, pid, key, inside="acme.db.test")
    assert answer(client) == "cancelled"
    client.close()


def test_the_key_is_the_proxys_own(proxy, acme):
    """Two sessions' keys have nothing in common, and are not the instance's: it would obey them past the proxy."""
    keys = set()
    for _ in range(8):
        client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
        keys.add(wire.login(client)[1])
        client.close()
    assert len(keys) == 8
    client, pid, key = raw_sleeper(proxy, acme, 1)
    past = wire.plain(acme.port)
    past.send(wire.cancel_request(pid, key))
    past.at_end()
    assert answer(client) == "undisturbed"
    client.close()


@pytest.mark.parametrize("inside", [None, "acme.db.test", "globex.db.test"])
def test_a_wrong_key_is_not_obeyed(proxy, acme, inside):
    client, pid, key = raw_sleeper(proxy, acme, 1)
    send_cancel(proxy, pid, key ^ 1, inside)
    assert answer(client) == "undisturbed"
    client.close()


def test_the_right_key_inside_another_tenants_tls_is_not_obeyed(proxy, acme):
    client, pid, key = raw_sleeper(proxy, acme, 1)
    send_cancel(proxy, pid, key, inside="globex.db.test")
    assert answer(client) == "undisturbed"
    client.close()


def test_a_key_dies_with_its_session(proxy, acme):
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    pid, key, _ = wire.login(client)
    client.send(wire.message(b"X"))
    client.close()
    until(lambda: pid not in acme.backends(), "the session has ended")
    other, _, _ = raw_sleeper(proxy, acme, 1)
    send_cancel(proxy, pid, key)
    assert answer(other) == "undisturbed"
    other.close()


def test_guesses_by_the_hundred_change_nothing(proxy, acme):
    client, pid, key = raw_sleeper(proxy, acme, 2)
    for guess in range(200):
        guesser = wire.plain(proxy.port, source="127.0.0.5")
        guesser.send(wire.cancel_request(pid, (key + 1 + guess) & 0xffffffff))
        guesser.close()
    assert answer(client) == "undisturbed"
    client.close()
    end = time.monotonic()
    assert proxy.one("globex", "SELECT 1") == 1
    assert time.monotonic() - end < 5


def test_cancel_with_several_cells(proxy, acme):
    """The right cell is found whichever the request comes in at."""
    proxy.ctl("tenant", "set", "acme", "--cells", "2")
    try:
        until(lambda: one_more_cell(proxy), "acme has two cells", 15, 0.1)
        for inside in (None, "acme.db.test", "acme.db.test"):
            client, pid, key = raw_sleeper(proxy, acme, 60)
            send_cancel(proxy, pid, key, inside)
            assert answer(client) == "cancelled"
            client.close()
    finally:
        proxy.ctl("tenant", "set", "acme", "--cells", "1")


def one_more_cell(proxy):
    proxy.one("acme", "SELECT 1")
    return len(proxy.pids("cell acme")) == 2
