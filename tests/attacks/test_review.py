# SPDX-License-Identifier: ISC
"""Logins of every kind, good and broken, leave nothing behind: no descriptor, no holding, no session without its end."""
import os

import pytest

import wire
from fleet import until

SETTINGS = {"login_timeout": "4s"}


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def at_the_door(proxy):
    return wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")


def good(proxy):
    client = at_the_door(proxy)
    wire.login(client)
    client.send(wire.query("SELECT 1"))
    client.until(b"Z")
    client.send(wire.message(b"X"))
    client.close()


def vanishes_inside_a_query(proxy):
    client = at_the_door(proxy)
    wire.login(client)
    client.send(wire.query("SELECT 1")[:8])
    client.close()


def wrong_password(proxy):
    client = at_the_door(proxy)
    with pytest.raises(wire.Refused):
        wire.login(client, password="wrong")
    client.close()


def no_such_database(proxy):
    client = at_the_door(proxy)
    with pytest.raises(wire.Refused):
        wire.login(client, database="nowhere")
    client.close()


def vanishes_after_tls(proxy):
    at_the_door(proxy).close()


def vanishes_inside_scram(proxy):
    client = at_the_door(proxy)
    client.send(wire.startup(user="app", database="app"))
    wire.sasl_offer(client)
    client.close()


def vanishes_before_tls(proxy):
    client = wire.plain(proxy.port)
    client.send(wire.SSL_REQUEST)
    client.close()


def cancels(proxy):
    client = at_the_door(proxy)
    pid, key, _ = wire.login(client)
    other = wire.plain(proxy.port)
    other.send(wire.cancel_request(pid, key))
    assert other.at_end()
    other.close()
    client.send(wire.message(b"X"))
    client.close()


def cancels_what_is_not_there(proxy):
    other = wire.plain(proxy.port)
    other.send(wire.cancel_request(1, 2))
    assert other.at_end()
    other.close()


KINDS = [good, vanishes_inside_a_query, wrong_password, no_such_database, vanishes_after_tls, vanishes_inside_scram,
         vanishes_before_tls, cancels, cancels_what_is_not_there]


def test_no_login_leaves_anything_behind(proxy):
    def round_of_all():
        for kind in KINDS:
            kind(proxy)

    def nobody_is_in():
        records = proxy.records("acme")
        opened = {r["session"] for r in records if r["event"] == "session.open"}
        closed = [r["session"] for r in records if r["event"] == "session.close"]
        return opened == set(closed) and len(closed) == len(opened) and len(opened) > 0

    names = ["gate", "cell acme", "broker", "ledger"]
    round_of_all()
    until(nobody_is_in, "every session has exactly one end")
    pids = {name: proxy.pid(name) for name in names}
    until(lambda: proxy.ctl_json("status")["sessions"] == 0, "the broker holds nobody")
    before = {name: descriptors(pids[name]) for name in names}
    for _ in range(6):
        round_of_all()
    until(nobody_is_in, "every session has exactly one end")
    until(lambda: proxy.ctl_json("status")["sessions"] == 0, "the broker holds nobody")
    until(lambda: {name: descriptors(pids[name]) for name in names} == before, f"as many descriptors as before: {before}")
    assert {name: proxy.pid(name) for name in names} == pids
