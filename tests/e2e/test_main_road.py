# SPDX-License-Identifier: ISC
"""The road from a tenant's client to its own instance: by name, by address, with every kind of TLS, and everything
that PostgreSQL's protocol can carry over it."""
import select
import socket
import ssl
import struct

import psycopg
import pytest

import wire
from fleet import run, until

LINE = b"x" * 99 + b"\n"


def test_tenant_reaches_only_its_own_instance(proxy):
    assert proxy.one("acme", "SELECT DISTINCT name FROM who") == "acme"
    assert proxy.one("globex", "SELECT DISTINCT name FROM who") == "globex"


def test_names_are_compared_without_case(proxy):
    assert proxy.one("acme", "SELECT DISTINCT name FROM who", host="ACME.db.Test", sslmode="verify-ca") == "acme"


def test_custom_host_name_leads_to_its_tenant(proxy):
    assert proxy.one("acme", "SELECT DISTINCT name FROM who", host="db.acme.test", sslmode="verify-ca") == "acme"


def test_dedicated_address_needs_no_name(fleet, proxy):
    assert proxy.one("acme", "SELECT DISTINCT name FROM who", host="127.0.0.1", hostaddr=None, port=fleet.acme_port,
                     sslmode="verify-ca") == "acme"


def test_dedicated_address_and_name_may_both_be_given(fleet, proxy):
    assert proxy.one("acme", "SELECT DISTINCT name FROM who", port=fleet.acme_port) == "acme"


def test_without_name_or_address_the_lobby_tells_how_to_connect(proxy):
    with pytest.raises(psycopg.OperationalError, match="08004|server name|host"):
        proxy.connect("acme", host="127.0.0.1", hostaddr=None, sslmode="verify-ca")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("plus", ["require", "disable"])
def test_client_tls_versions_and_channel_binding(proxy, version, plus):
    mark = proxy.mark("acme")
    assert proxy.one("acme", "SELECT 1", ssl_min_protocol_version=version, ssl_max_protocol_version=version,
                     channel_binding=plus) == 1
    opened = proxy.awaits("acme", "session.open", after=mark)
    assert opened["tls"].startswith(version)
    assert opened["method"] == ("SCRAM-SHA-256-PLUS" if plus == "require" else "SCRAM-SHA-256")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_instance_tls_versions(proxy, globex, version):
    globex.sql(f"ALTER SYSTEM SET ssl_min_protocol_version = '{version}'")
    globex.sql(f"ALTER SYSTEM SET ssl_max_protocol_version = '{version}'")
    globex.reload()
    until(lambda: globex.sql("SHOW ssl_max_protocol_version") == [version], "the instance has reloaded")
    assert proxy.one("globex", "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == version


def test_an_rsa_certificate_of_the_tenants_own(fleet, proxy):
    """On both sides: globex's instance has one too by now, and both channels are bound to their certificates."""
    folder = proxy.home / "tenants"
    folder.mkdir()
    proxy.stop()  # a folder that is new to it is out of its reach until then
    proxy.configure(tenant_dir=folder, **proxy.settings)
    proxy.start()
    fleet.authority.issue(folder / "globex", "globex.db.test", "rsa")
    fleet.authority.issue(fleet.instances["globex"].home / "server", "globex.instance.internal", "rsa")
    for end in ("crt", "key"):
        run("chown", "--reference", fleet.instances["globex"].data, fleet.instances["globex"].home / f"server.{end}")
    fleet.instances["globex"].reload()
    proxy.reload()

    def shown(name):
        client = wire.tls(proxy.port, fleet.authority, name)
        names = client.sock.getpeercert()["subjectAltName"]
        client.close()
        return names

    until(lambda: shown("globex.db.test") == (("DNS", "globex.db.test"),), "globex's own certificate is shown")
    assert shown("acme.db.test") == (("DNS", "*.db.test"),)
    assert proxy.one("globex", "SELECT DISTINCT name FROM who", channel_binding="require") == "globex"


def test_direct_tls_with_alpn(fleet, proxy):
    client = wire.tls(proxy.port, fleet.authority, "acme.db.test", direct=True)
    assert client.sock.selected_alpn_protocol() == "postgresql"
    assert wire.login(client)[0] > 0
    client.close()


def test_direct_tls_without_alpn_is_refused(fleet, proxy):
    with pytest.raises((ssl.SSLError, ConnectionError, wire.Closed)):
        client = wire.tls(proxy.port, fleet.authority, "acme.db.test", direct=True, alpn=["http/1.1"])
        client.more()


def test_gss_encryption_is_declined_and_tls_follows(fleet, proxy):
    client = wire.plain(proxy.port)
    client.send(wire.GSSENC_REQUEST)
    assert client.read(1) == b"N"
    client.send(wire.SSL_REQUEST)
    assert client.read(1) == b"S"
    client.sock = wire.tls_context(fleet.authority).wrap_socket(client.sock, server_hostname="acme.db.test")
    assert wire.login(client)[0] > 0
    client.close()


def test_a_hello_in_small_pieces_and_tiny_segments(fleet, proxy):
    """As with a post-quantum key share, which does not fit one segment."""
    client = wire.plain(proxy.port)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.send(wire.SSL_REQUEST)
    assert client.read(1) == b"S"
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = wire.tls_context(fleet.authority).wrap_bio(incoming, outgoing, server_hostname="acme.db.test")
    while True:
        try:
            side.do_handshake()
            break
        except ssl.SSLWantReadError:
            for byte in outgoing.read():
                client.send(bytes([byte]))
            client.more()
            incoming.write(client.read(len(client.seen)))
    assert side.version() == "TLSv1.3"
    client.close()


def test_parameters_are_the_instances_own(proxy, acme):
    with proxy.connect("acme", application_name="road") as connection:
        assert connection.info.server_version // 10000 == 15
        assert connection.info.parameter_status("session_authorization") == "app"
        assert connection.info.parameter_status("application_name") == "road"
        assert connection.info.parameter_status("is_superuser") == "off"
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        assert connection.info.parameter_status("TimeZone") == "Asia/Tokyo"


def test_backend_pid_is_the_real_one(proxy, acme):
    with proxy.connect("acme") as connection:
        pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        assert connection.info.backend_pid == pid
        assert acme.backends() == [pid]


def test_startup_options_pass(proxy):
    with proxy.connect("acme", options="-c work_mem=3MB -c search_path=pg_catalog") as connection:
        assert connection.execute("SHOW work_mem").fetchone()[0] == "3MB"
        assert connection.execute("SHOW search_path").fetchone()[0] == "pg_catalog"


def test_the_database_defaults_to_the_user(fleet, proxy):
    client = wire.tls(proxy.port, fleet.authority, "acme.db.test")
    client.send(wire.startup(user="app"))
    scram = wire.Scram("acme secret")
    wire.sasl_offer(client)
    client.send(wire.sasl_initial(b"SCRAM-SHA-256", scram.first()))
    client.send(wire.message(b"p", scram.final(client.until(b"R")[1][4:])))
    client.until(b"Z")
    client.send(wire.query("SELECT current_database()"))
    assert client.until(b"D")[1].endswith(b"app")
    client.close()


def test_a_newer_protocol_is_negotiated_down(fleet, proxy):
    client = wire.tls(proxy.port, fleet.authority, "acme.db.test")
    client.send(wire.raw_startup(b"user\0app\0database\0app\0_pq_.invented\0on\0\0", 0x30002))
    kind, body = client.message()
    assert kind == b"v"
    newest, options = struct.unpack("!II", body[:8])
    assert newest & 0xffff == 0 and options == 1 and body[8:] == b"_pq_.invented\0"
    assert b"SCRAM-SHA-256" in wire.sasl_offer(client)
    client.close()


def test_the_instances_errors_come_through(proxy):
    with pytest.raises(psycopg.OperationalError, match='database "nowhere" does not exist'):
        proxy.connect("acme", dbname="nowhere")
    with proxy.connect("acme") as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_notices_come_through(proxy):
    with proxy.connect("acme") as connection:
        said = []
        connection.add_notice_handler(lambda notice: said.append(notice.message_primary))
        connection.execute("DO $$ BEGIN RAISE NOTICE 'mind the step'; END $$")
        assert said == ["mind the step"]


def test_notify_names_the_senders_real_pid(proxy):
    with proxy.connect("acme") as listener, proxy.connect("acme") as sender:
        heard = []
        listener.add_notify_handler(heard.append)
        listener.execute("LISTEN road")
        sender.execute("NOTIFY road, 'hello'")
        note = until(lambda: listener.execute("SELECT 1") and heard, "the note arrives")[0]
        assert (note.channel, note.payload, note.pid) == ("road", "hello", sender.info.backend_pid)


def test_copy_of_fifty_megabytes_both_ways(proxy):
    lines = 50 * 1024 * 1024 // len(LINE)
    block = LINE * 1000
    with proxy.connect("acme") as connection:
        connection.execute("CREATE TEMP TABLE t (line text)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            for _ in range(lines // 1000):
                copy.write(block)
        count = connection.execute("SELECT count(*) FROM t").fetchone()[0]
        assert count == lines // 1000 * 1000
        got = 0
        with connection.cursor().copy("COPY t TO STDOUT") as copy:
            for data in copy:
                got += len(data)
        assert got == count * len(LINE)


def test_rows_of_megabytes(proxy):
    with proxy.connect("acme") as connection:
        sent = "é" * 8_000_000
        assert connection.execute("SELECT %s || 'end'", [sent]).fetchone()[0] == sent + "end"


def test_both_sides_send_at_once_without_a_jam(fleet, proxy):
    """A client that writes megabytes of queries before it reads: neither side may wait for the other for ever."""
    client = wire.tls(proxy.port, fleet.authority, "acme.db.test")
    wire.login(client)
    client.sock.setblocking(False)
    out = wire.query("SELECT repeat('x', 1000)") * 20000
    pending, answers, buffer = memoryview(out), 0, b""
    end = client.sock
    while answers < 20000:
        readable, writable, _ = select.select([end], [end] if pending else [], [], 20)
        assert readable or writable, f"jammed after {answers} answers"
        if writable:
            try:
                pending = pending[end.send(pending[:16384]):]
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
        try:
            while True:
                data = end.recv(65536)
                assert data
                buffer += data
                answers += buffer.count(b"Z\0\0\0\5I")
                buffer = buffer[-5:]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
    assert answers == 20000
    client.close()


def test_pipelining(proxy):
    with proxy.connect("acme") as connection, connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", [n]) for n in range(500)]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(500))


def test_prepared_statements_and_portals(proxy):
    with proxy.connect("acme", autocommit=False) as connection:
        for n in range(10):
            assert connection.execute("SELECT %s::int + 1", [n], prepare=True).fetchone()[0] == n + 1
        with connection.cursor("portal") as cursor:
            cursor.execute("SELECT generate_series(1, 1000)")
            assert [row[0] for row in cursor.fetchmany(3)] == [1, 2, 3]


def test_replication_protocol(proxy):
    done = run("psql", "-XAtq", proxy.dsn("acme", replication="database"), "-c", "IDENTIFY_SYSTEM")
    assert done.stdout.strip().endswith("|app")
    done = run("psql", "-XAtq", proxy.dsn("acme", replication="true", dbname=None), "-c", "IDENTIFY_SYSTEM", check=False)
    assert "|" in done.stdout or "pg_hba.conf" in done.stderr, done.stderr


def test_logical_replication_streams(proxy, acme):
    acme.sql("CREATE TABLE stream (line text); ALTER TABLE stream OWNER TO app", dbname="app")
    with proxy.connect("acme") as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('road', 'pgoutput')")
        connection.execute("CREATE PUBLICATION road FOR TABLE stream")
    client = None
    try:
        client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
        wire.login(client, replication="database")
        client.send(wire.query("START_REPLICATION SLOT road LOGICAL 0/0 (proto_version '1', publication_names 'road')"))
        client.until(b"W")
        with proxy.connect("acme") as connection:
            connection.execute("INSERT INTO stream VALUES ('streamed')")
        until(lambda: b"streamed" in client.until(b"d")[1], "the row is streamed")
        client.send(wire.message(b"c"))
        client.until(b"Z")
    finally:
        if client:
            client.close()
        until(lambda: acme.sql("SELECT count(*) FROM pg_replication_slots WHERE active") == ["0"], "the slot is free")
        acme.sql("SELECT pg_drop_replication_slot('road')", dbname="app")


def test_a_changed_password_counts_after_the_cache(proxy, acme):
    """The verifier is kept for verifier_cache; a login with the new password must still succeed at once, since the old
    verifier failing (or the instance refusing it) is no reason to believe the cache."""
    acme.sql("CREATE ROLE changer LOGIN PASSWORD 'first'")
    assert proxy.one("acme", "SELECT 1", user="changer", password="first") == 1
    acme.sql("ALTER ROLE changer PASSWORD 'second'")

    def second():
        try:
            return proxy.one("acme", "SELECT 1", user="changer", password="second")
        except psycopg.OperationalError as error:
            assert 'password authentication failed for user "changer"' in str(error)
            return None

    until(second, "the new password is good", 15, 0.3)
    with pytest.raises(psycopg.OperationalError, match='password authentication failed for user "changer"'):
        proxy.connect("acme", user="changer", password="first")


def test_the_client_that_leaves_ends_its_backend(proxy, acme):
    client = wire.tls(proxy.port, proxy.fleet.authority, "acme.db.test")
    pid, _, _ = wire.login(client)
    assert pid in acme.backends()
    client.close()
    until(lambda: pid not in acme.backends(), "the backend is gone")


def test_the_backend_that_ends_ends_its_client(proxy, acme):
    with proxy.connect("acme") as connection:
        acme.sql(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
        with pytest.raises(psycopg.OperationalError, match="terminating connection due to administrator command"):
            connection.execute("SELECT 1")


def test_an_instance_that_is_down_is_said_clearly(fleet, proxy, globex):
    globex.stop()
    try:
        mark = proxy.mark("globex")
        with pytest.raises(psycopg.OperationalError) as caught:
            proxy.connect("globex")
        assert "password authentication failed" not in str(caught.value)
        assert proxy.awaits("globex", "session.refused", after=mark)["reason"] in (
            "instance unreachable", "directory unavailable")
        assert proxy.one("acme", "SELECT 1") == 1
    finally:
        globex.start()
    until(lambda: psql_works(proxy, "globex"), "globex is back", 10, 0.2)


def psql_works(proxy, tenant):
    return run("psql", "-XAtqc", "SELECT 1", proxy.dsn(tenant), check=False).returncode == 0
