# SPDX-License-Identifier: ISC
"""One fleet for each file of stories: acme and globex, each with its own instance, and a proxy in front of them."""

import os
import signal

import pytest

from fleet import Fleet, free_port


def out_of_patience(number, frame):
    raise AssertionError("the test took too long")


@pytest.fixture(autouse=True)
def patience():
    """A test that hangs fails, so that its fleet is stopped and the next one runs."""
    signal.signal(signal.SIGALRM, out_of_patience)
    signal.alarm(90 + 5 * int(os.environ.get("SEKISHO_DRILL", "0")))
    yield
    signal.alarm(0)


@pytest.fixture(scope="module")
def empty_fleet():
    """An authority only; the file starts what it needs."""
    fleet = Fleet()
    yield fleet
    fleet.stop()


@pytest.fixture(scope="module")
def fleet(empty_fleet, request):
    """acme and globex behind one proxy. A file may set SETTINGS for the proxy; acme owns fleet.acme_port."""
    fleet = empty_fleet
    fleet.acme_port = free_port()
    acme, globex = fleet.instance("acme"), fleet.instance("globex")
    settings = dict(getattr(request.module, "SETTINGS", {}))
    proxy = fleet.proxy(listen=[f"127.0.0.1:{fleet.acme_port}"], **settings)
    proxy.add("acme", acme, "--listen", f"127.0.0.1:{fleet.acme_port}", "--host", "db.acme.test")
    proxy.add("globex", globex)
    proxy.start()
    return fleet


@pytest.fixture
def proxy(fleet):
    return fleet.proxies[0]


@pytest.fixture
def acme(fleet):
    return fleet.instances["acme"]


@pytest.fixture
def globex(fleet):
    return fleet.instances["globex"]


@pytest.fixture(scope="module")
def company(empty_fleet, request):
    """acme and globex with an operators' plane in front, and all its people. A file may set SETTINGS for the proxy."""
    from operators import Operators

    return Operators(empty_fleet, **getattr(request.module, "SETTINGS", {}))


@pytest.fixture
def ops(company):
    """The company, in which no grant and no lock is left of the story before."""
    company.tidy()
    return company
