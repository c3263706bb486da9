# SPDX-License-Identifier: ISC
"""Escaping the scope: what each of the four roles cannot do on an instance that `tenant provision` prepared.

These people come straight to the instance as the role, past the proxy: PostgreSQL's privileges alone must hold, whatever
the proxy would refuse besides. Leaving read-only is always tried first, since that is a setting and no privilege.
"""
import psycopg
import pytest

from fleet import run, until

SCOPES = ["diagnose", "read", "write", "admin"]
SECRET = "a-very-private-value"


@pytest.fixture(scope="module")
def shop(empty_fleet):
    """acme's instance with a database `app` whose rows, statistics, large object and running query hold the secret."""
    acme = empty_fleet.instance("acme")
    acme.proxy = empty_fleet.proxy()
    acme.proxy.add("acme", acme)
    acme.hba("local all all trust\n" + (acme.data / "pg_hba.conf").read_text())
    acme.reload()
    acme.sql(f"""
        SET ROLE app;
        CREATE SCHEMA private;
        CREATE TABLE private.t (a int, b text);
        INSERT INTO private.t SELECT n, '{SECRET}' FROM generate_series(1, 200) n;
        CREATE STATISTICS private.st (mcv) ON a, b FROM private.t;
        CREATE STATISTICS private.ste ON (upper(b)) FROM private.t;
        ANALYZE private.t;
        CREATE SEQUENCE private.s;
        CREATE FUNCTION private.ours() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT b FROM private.t LIMIT 1';
        CREATE TABLE private.rls (owner text, b text);
        INSERT INTO private.rls VALUES ('app', '{SECRET}');
        ALTER TABLE private.rls ENABLE ROW LEVEL SECURITY;
        ALTER TABLE private.rls FORCE ROW LEVEL SECURITY;
        CREATE POLICY p ON private.rls USING (owner = current_user);
    """, dbname="app")
    acme.lo = acme.sql(f"SET ROLE app; SELECT lo_from_bytea(0, '{SECRET}'::bytea);", dbname="app")[-1]
    yield acme


def enter(shop, scope, **more):
    words = {"host": shop.home, "port": shop.port, "user": f"sekisho_{scope}", "dbname": "app", **more}
    return psycopg.connect(" ".join(f"{key}='{value}'" for key, value in words.items()), autocommit=True)


@pytest.fixture
def tries(shop):
    """tries(scope, sql): the SQLSTATE that the instance answers, or the rows; outside of read-only."""
    opened = {}

    def attempt(scope, sql):
        if scope not in opened or opened[scope].closed:
            opened[scope] = enter(shop, scope)
            opened[scope].execute("SET default_transaction_read_only = off")
        try:
            got = opened[scope].execute(sql)
            return got.fetchall() if got.description else "done"
        except psycopg.Error as error:
            return error.sqlstate

    yield attempt
    for connection in opened.values():
        connection.close()


FORBIDDEN = "42501"
ESCAPES = {
    "run a program": ["COPY (SELECT 1) TO PROGRAM 'true'", "CREATE TEMP TABLE z1 (t text);; COPY z1 FROM PROGRAM 'id'"],
    "the server's files": [
        "COPY (SELECT 1) TO '/tmp/sekisho-escape'", "CREATE TEMP TABLE z2 (t text);; COPY z2 FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')", "SELECT pg_read_file('postgresql.conf', 0, 10)",
        "SELECT pg_read_binary_file('/etc/passwd')", "SELECT pg_ls_dir('.')", "SELECT * FROM pg_stat_file('base')",
        "SELECT lo_import('/etc/passwd')", "SELECT lo_export(1, '/tmp/sekisho-escape')", "SELECT pg_current_logfile()",
        "SELECT * FROM pg_hba_file_rules", "SELECT * FROM pg_file_settings"],
    "another identity": [
        "SET ROLE app", "SET ROLE postgres", "SET SESSION AUTHORIZATION app", "SET SESSION AUTHORIZATION postgres",
        "SELECT set_config('role', 'app', false)", "SELECT set_config('session_authorization', 'postgres', false)",
        "DO $$ BEGIN EXECUTE 'SET ROLE app'; END $$", "SET ROLE pg_read_server_files", "SET ROLE sekisho_stats",
        "SET ROLE pg_execute_server_program", "SET ROLE sekisho_auth", "GRANT app TO CURRENT_USER",
        "GRANT pg_execute_server_program TO CURRENT_USER", "ALTER ROLE CURRENT_USER SUPERUSER",
        "ALTER ROLE CURRENT_USER BYPASSRLS", "ALTER ROLE CURRENT_USER REPLICATION", "ALTER ROLE CURRENT_USER CREATEROLE",
        "ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'", "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
        "ALTER ROLE app PASSWORD 'mine'", "ALTER ROLE sekisho_auth PASSWORD 'mine'", "CREATE ROLE mine LOGIN",
        "DROP ROLE app", "REASSIGN OWNED BY app TO CURRENT_USER"],
    "load code": [
        "LOAD 'auto_explain'", "LOAD '/tmp/mine.so'", "CREATE EXTENSION dblink", "CREATE EXTENSION postgres_fdw",
        "CREATE EXTENSION file_fdw", "CREATE EXTENSION pg_trgm", "SET session_preload_libraries = 'auto_explain'",
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE c AS 'libc', 'abort'",
        "CREATE FUNCTION pg_temp.f(text) RETURNS text LANGUAGE internal AS 'pg_read_file_v2'",
        "CREATE LANGUAGE mine HANDLER plpgsql_call_handler"],
    "configure the server": [
        "ALTER SYSTEM SET log_statement = 'none'", "ALTER DATABASE app SET log_statement = 'none'",
        "ALTER ROLE app SET search_path = 'mine'", "ALTER ROLE ALL SET search_path = 'mine'",
        "SET session_replication_role = 'replica'", "SET lo_compat_privileges = on", "SET allow_system_table_mods = on",
        "SET log_statement = 'none'", "SET ignore_checksum_failure = on", "SET zero_damaged_pages = on",
        "SELECT pg_reload_conf()", "SELECT pg_rotate_logfile()", "SELECT pg_switch_wal()",
        "SELECT pg_backup_start('mine')", "SELECT pg_create_restore_point('mine')", "SELECT pg_promote()"],
    "other servers": [
        "CREATE SERVER mine FOREIGN DATA WRAPPER postgres_fdw", "CREATE FOREIGN DATA WRAPPER mine",
        "CREATE SUBSCRIPTION mine CONNECTION 'host=203.0.113.1' PUBLICATION p WITH (connect = false)",
        "CREATE PUBLICATION mine FOR ALL TABLES", "CREATE PUBLICATION mine"],
    "replication by SQL": [
        "SELECT pg_create_logical_replication_slot('mine', 'test_decoding')",
        "SELECT pg_create_physical_replication_slot('mine')", "SELECT pg_drop_replication_slot('mine')",
        "SELECT pg_logical_slot_get_changes('mine', NULL, NULL)"],
    "lay something out for others": [
        "CREATE TABLE public.mine (a int)", "CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
        "CREATE OPERATOR public.= (leftarg = text, rightarg = int, function = texteq)", "CREATE SCHEMA mine",
        "CREATE TABLE private.mine (a int)", "CREATE TABLE sekisho.mine (a int)",
        "CREATE FUNCTION sekisho.verifier(name) RETURNS text LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION sekisho.verifier(role_name text) RETURNS TABLE(verifier text) LANGUAGE sql AS 'SELECT 1'",
        "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
        "CREATE TRIGGER mine BEFORE UPDATE ON who EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE DATABASE mine", "CREATE TABLESPACE mine LOCATION '/tmp'",
        "ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT ALL ON TABLES TO PUBLIC"],
    "the tenant's definitions": [
        "ALTER TABLE who ADD COLUMN mine int", "DROP TABLE who", "TRUNCATE who", "ALTER TABLE who OWNER TO CURRENT_USER",
        "CREATE INDEX ON who (n)", "CREATE RULE mine AS ON INSERT TO who DO NOTHING", "ALTER DATABASE app RENAME TO mine",
        "DROP DATABASE postgres", "COMMENT ON TABLE who IS 'mine'", "ALTER FUNCTION private.ours() SECURITY INVOKER",
        "ALTER TABLE private.rls DISABLE ROW LEVEL SECURITY", "CREATE STATISTICS mine ON name, n FROM who"],
    "the proxy's own": [
        "ALTER FUNCTION sekisho.activity() SECURITY INVOKER", "DROP FUNCTION sekisho.activity()",
        "ALTER ROLE sekisho_stats LOGIN", "GRANT sekisho_stats TO CURRENT_USER"],
    "catalogs by hand": [
        "UPDATE pg_authid SET rolsuper = true WHERE rolname = current_user", "DELETE FROM pg_policy",
        "INSERT INTO pg_auth_members SELECT oid, oid, 10, true FROM pg_roles LIMIT 1",
        "UPDATE pg_proc SET prosrc = '' WHERE proname = 'ours'", "UPDATE pg_class SET relrowsecurity = false"],
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("way", ESCAPES)
def test_no_scope_gets_further(tries, scope, way):
    allowed = {}
    for sql in ESCAPES[way]:
        *before, last = sql.split(";; ")
        for first in before:
            tries(scope, first)
        got = tries(scope, last)
        if got != FORBIDDEN:
            allowed[last] = got
    if scope == "admin":  # pg_monitor: names and settings of files, nothing of their content
        allowed.pop("SELECT pg_current_logfile()", None)
    # Refused for a reason that comes before privileges: there is no such wrapper or slot to have rights on.
    reasons = {"CREATE SERVER mine FOREIGN DATA WRAPPER postgres_fdw": "42704"}
    assert {sql: got for sql, got in allowed.items() if reasons.get(sql) != got} == {}


@pytest.mark.parametrize("scope", SCOPES)
def test_verifiers_are_for_the_proxy_only(shop, scope):
    with enter(shop, scope, dbname="postgres") as connection:
        for function in ("verifier('app')", "scope_verifiers()"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM sekisho.{function}")


READING = [
    "SELECT * FROM who", "TABLE private.t", "COPY who TO STDOUT", "COPY (SELECT * FROM private.t) TO STDOUT",
    "SELECT count(*) FROM private.t", "SELECT 1 FROM private.t WHERE b > 'a'", "SELECT tableoid FROM who",
    "EXPLAIN SELECT * FROM private.t WHERE b = 'x'", "EXPLAIN ANALYZE SELECT * FROM who",
    "DO $$ BEGIN PERFORM * FROM who; END $$", "DO $$ BEGIN EXECUTE 'SELECT * FROM private.t'; END $$",
    "PREPARE p AS SELECT * FROM who;; EXECUTE p", "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM who",
    "SELECT query_to_xml('SELECT * FROM who', true, true, '')", "SELECT table_to_xml('who', true, true, '')",
    "SELECT ts_stat('SELECT b::tsvector FROM private.t')", "CREATE TEMP TABLE mine AS SELECT * FROM who",
    "CREATE TEMP TABLE mine (name text, n int);; INSERT INTO mine SELECT * FROM who",
    "CREATE FUNCTION pg_temp.g() RETURNS text LANGUAGE sql AS 'SELECT name FROM public.who';; SELECT pg_temp.g()",
    "SELECT currtid2('who', '(0,1)')", "SELECT private.ours()", "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_statistic_ext_data", "SELECT * FROM pg_largeobject", "SELECT * FROM pg_authid",
    "SELECT * FROM pg_user_mapping", "SELECT subconninfo FROM pg_subscription", "SELECT nextval('private.s')",
    "SELECT last_value FROM private.s", "LOCK TABLE who IN ACCESS SHARE MODE", "SELECT * FROM private.rls",
]


@pytest.mark.parametrize("sql", READING)
def test_diagnose_reads_no_row(tries, sql):
    *before, last = sql.split(";; ")
    for first in before:
        tries("diagnose", first)
    if last.startswith("LOCK"):
        last = f"DO $$ BEGIN {last}; END $$"
    elif last.startswith("DECLARE"):
        last = f"DO $$ DECLARE c CURSOR FOR SELECT * FROM who; BEGIN OPEN c; END $$"
    assert tries("diagnose", last) == FORBIDDEN


def test_diagnose_reads_no_large_object(shop, tries):
    for sql in (f"SELECT lo_get({shop.lo})", f"SELECT loread(lo_open({shop.lo}, 262144), 100)",
                f"SELECT lo_put({shop.lo}, 0, 'x')", f"SELECT lo_unlink({shop.lo})"):
        assert tries("diagnose", sql) == FORBIDDEN, sql


def test_diagnose_reads_no_value_in_statistics(shop, tries):
    assert SECRET in str(shop.sql("SELECT * FROM pg_stats; SELECT * FROM pg_stats_ext", dbname="app"))
    for view in ("pg_stats", "pg_stats_ext", "pg_stats_ext_exprs"):
        rows = tries("diagnose", f"SELECT * FROM {view} WHERE schemaname IN ('private', 'public')")
        assert rows == [], view


@pytest.mark.parametrize("scope", SCOPES)
def test_query_texts_are_seen_by_admin_only(shop, tries, scope):
    with enter(shop, "read", user="app") as app:
        app.execute(f"SELECT '{SECRET}'")
        pid = app.info.backend_pid
        texts = str([tries(scope, f"SELECT query FROM pg_stat_activity WHERE pid = {pid}"),
                     tries(scope, f"SELECT pg_stat_get_backend_activity(i) FROM pg_stat_get_backend_idset() i"),
                     tries(scope, "SELECT * FROM pg_stat_get_activity(NULL)")])
        assert (SECRET in texts) == (scope == "admin")
        seen = tries(scope, f"SELECT * FROM sekisho.activity() WHERE pid = {pid}")
        assert len(seen) == 1 and "idle" in seen[0] and SECRET not in str(seen)


def test_diagnose_diagnoses(shop, tries):
    """What it is for: settings, locks, sizes, counters, who waits for whom."""
    assert tries("diagnose", "SHOW config_file") == [(f"{shop.data}/postgresql.conf",)]
    assert tries("diagnose", "SELECT count(*) > 0 FROM pg_locks") == [(True,)]
    assert tries("diagnose", "SELECT n_live_tup > 0 FROM pg_stat_user_tables WHERE relname = 't'") == [(True,)]
    assert tries("diagnose", "SELECT pg_total_relation_size('private.t') > 0") == "42501"  # a name needs the schema
    assert tries("diagnose", "SELECT pg_total_relation_size(oid) > 0 FROM pg_class WHERE relname = 't'") == [(True,)]
    assert tries("diagnose", "SELECT count(*) FROM sekisho.database_sizes()")[0][0] >= 2
    for name in ("replication", "progress_vacuum", "progress_analyze", "progress_create_index", "progress_cluster",
                 "progress_copy"):
        assert tries("diagnose", f"SELECT * FROM sekisho.{name}()") == [], name
    with enter(shop, "read", user="app") as one, enter(shop, "read", user="app") as two:
        one.execute("BEGIN; LOCK TABLE who")
        two.execute("SET statement_timeout = '5s'")
        pids = [one.info.backend_pid, two.info.backend_pid]
        with pytest.raises(psycopg.errors.QueryCanceled):
            import threading
            watcher = []
            thread = threading.Thread(target=lambda: watcher.append(until(
                lambda: tries("diagnose", f"SELECT blocked_by FROM sekisho.activity() WHERE pid = {pids[1]} AND blocked_by <> '{{}}'"),
                "it is seen who waits", 4)))
            thread.start()
            two.execute("SELECT * FROM who")
        thread.join()
        assert watcher == [[([pids[0]],)]]


WRITING = ["INSERT INTO who VALUES ('mine', 1)", "UPDATE who SET n = 0", "DELETE FROM who", "SELECT setval('private.s', 9)",
           "SELECT nextval('private.s')", "COPY who FROM STDIN", "SELECT * FROM who FOR UPDATE", "LOCK TABLE who",
           "MERGE INTO who USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
           "DO $$ BEGIN EXECUTE 'DELETE FROM who'; END $$", "WITH d AS (DELETE FROM who RETURNING *) TABLE d"]


@pytest.mark.parametrize("scope", ["diagnose", "read"])
@pytest.mark.parametrize("sql", WRITING)
def test_reading_never_becomes_writing(tries, scope, sql):
    if sql.startswith("LOCK"):
        sql = f"DO $$ BEGIN {sql}; END $$"
    assert tries(scope, "SHOW default_transaction_read_only") == [("off",)], "the setting was left: privileges hold"
    assert tries(scope, sql) == FORBIDDEN


def test_read_writes_no_large_object(shop, tries):
    for scope in ("read", "write", "admin"):
        assert tries(scope, f"SELECT lo_put({shop.lo}, 0, 'x')") == FORBIDDEN
        assert tries(scope, f"SELECT lo_unlink({shop.lo})") == FORBIDDEN


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
def test_row_security_stays(tries, scope):
    assert tries(scope, "SELECT * FROM private.rls") == []
    assert tries(scope, "SET row_security = off") == "done"
    assert tries(scope, "SELECT * FROM private.rls") == FORBIDDEN
    tries(scope, "SET row_security = on")
    if scope != "read":
        assert tries(scope, f"INSERT INTO private.rls VALUES ('app', 'mine')") == FORBIDDEN


def test_each_scope_does_its_work(shop, tries):
    assert tries("read", "SELECT count(*) FROM private.t") == [(200,)]
    for scope in ("write", "admin"):
        assert tries(scope, "INSERT INTO who VALUES ('mended', 9)") == "done"
        assert tries(scope, "UPDATE who SET n = 10 WHERE name = 'mended'") == "done"
        assert tries(scope, "DELETE FROM who WHERE name = 'mended'") == "done"
        assert isinstance(tries(scope, "SELECT nextval('private.s')"), list)
    assert tries("admin", "CHECKPOINT") == "done"


@pytest.mark.parametrize("scope", SCOPES)
def test_only_admin_ends_others_sessions(shop, tries, scope):
    with enter(shop, "read", user="app") as app:
        pid = app.info.backend_pid
        wanted = [(True,)] if scope == "admin" else FORBIDDEN
        assert tries(scope, f"SELECT pg_cancel_backend({pid})") == wanted
        assert tries(scope, f"SELECT pg_terminate_backend({pid})") == wanted
    superuser = shop.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = 'postgres'")
    for pid in superuser[:1]:
        assert tries(scope, f"SELECT pg_terminate_backend({pid})") in (FORBIDDEN, [(False,)])


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", ["database", "true"])
def test_no_replication_connection(shop, scope, kind):
    done = run("psql", "-XAtc", "IDENTIFY_SYSTEM",
               f"host={shop.home} port={shop.port} user=sekisho_{scope} dbname=app replication={kind}", check=False)
    assert done.returncode != 0 and ("replication" in done.stderr or "pg_hba" in done.stderr), done


@pytest.mark.parametrize("scope", SCOPES)
def test_a_transaction_does_not_outlive_the_session(tries, scope):
    """max_prepared_transactions is 0 unless somebody sets it, and then `tenant check` warns."""
    tries(scope, "BEGIN")
    assert tries(scope, "PREPARE TRANSACTION 'mine'") == "55000"
    tries(scope, "ROLLBACK")


def test_settings_are_a_courtesy(shop):
    for scope in SCOPES:
        with enter(shop, scope) as connection:
            show = lambda name: connection.execute(f"SHOW {name}").fetchone()[0]  # noqa: E731
            assert show("client_connection_check_interval") == "500ms" and show("statement_timeout") == "0"
            assert show("default_transaction_read_only") == ("on" if scope in ("diagnose", "read") else "off")
            assert show("lock_timeout") == ("5s" if scope == "diagnose" else "0")


def test_no_secret_in_the_instances_log(shop):
    assert "SCRAM-SHA-256$" not in shop.log().replace("CREATE ROLE app LOGIN REPLICATION PASSWORD 'SCRAM-SHA-256$", "")


# --- tenant check finds what drifted, and provisioning again mends it ---

def check(shop):
    done = shop.proxy.ctl("--json", "tenant", "check", "acme", check=False)
    import json
    return done.returncode, {(c["outcome"], c["check"]) for c in json.loads(done.stdout) if c["outcome"] != "ok"}


def test_a_fresh_instance_is_right(shop):
    code, wrong = check(shop)
    assert code == 0 and wrong <= {("warning", "functions with others' rights")}, wrong


DRIFT = [
    ("FAILED", "scope attributes", "ALTER ROLE sekisho_read CREATEDB", ""),
    ("FAILED", "scope attributes", "ALTER ROLE sekisho_diagnose SUPERUSER", ""),
    ("FAILED", "scope attributes", "ALTER ROLE sekisho_write CONNECTION LIMIT -1", ""),
    ("FAILED", "scope attributes", "ALTER ROLE sekisho_stats LOGIN", ""),
    ("FAILED", "scope memberships", "GRANT app TO sekisho_diagnose", ""),
    ("FAILED", "scope memberships", "GRANT pg_read_all_stats TO sekisho_diagnose", ""),
    ("FAILED", "scope memberships", "GRANT pg_execute_server_program TO sekisho_admin", ""),
    ("FAILED", "scope memberships", "GRANT sekisho_admin TO app", ""),
    ("warning", "scope memberships there", "REVOKE pg_read_all_data FROM sekisho_read", ""),
    ("warning", "scope settings", "ALTER ROLE sekisho_read SET work_mem = '1MB'", ""),
    ("warning", "scope settings", "ALTER ROLE sekisho_read IN DATABASE app SET search_path = 'mine'", ""),
    ("warning", "scope settings", "ALTER ROLE sekisho_admin RESET client_connection_check_interval", ""),
    ("FAILED", "scope databases", "GRANT CREATE ON DATABASE app TO sekisho_write", ""),
    ("FAILED", "scope databases", "GRANT CREATE ON DATABASE app TO PUBLIC", "REVOKE CREATE ON DATABASE app FROM PUBLIC"),
    ("FAILED", "scope schemas", "GRANT CREATE ON SCHEMA public TO PUBLIC", ""),
    ("FAILED", "scope schemas", "GRANT CREATE ON SCHEMA private TO sekisho_admin", ""),
    ("FAILED", "catalog's rights", "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC",
     "REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM PUBLIC"),
    ("FAILED", "catalog's rights", "GRANT SELECT ON pg_statistic TO sekisho_diagnose",
     "REVOKE SELECT ON pg_statistic FROM sekisho_diagnose"),
    ("FAILED", "parameters", "GRANT ALTER SYSTEM ON PARAMETER log_statement TO sekisho_admin",
     "REVOKE ALTER SYSTEM ON PARAMETER log_statement FROM sekisho_admin"),
    ("FAILED", "scope functions", "GRANT EXECUTE ON FUNCTION sekisho.activity() TO PUBLIC", ""),
    ("FAILED", "scope functions", "DROP FUNCTION sekisho.progress_copy()", ""),
    ("FAILED", "scope credentials", "SET SESSION AUTHORIZATION sekisho_read; ALTER ROLE sekisho_read PASSWORD 'mine'", ""),
    ("warning", "rows under diagnose", "GRANT SELECT ON who TO PUBLIC", "REVOKE SELECT ON who FROM PUBLIC"),
    ("warning", "rows under diagnose", "GRANT SELECT (name) ON who TO PUBLIC", "REVOKE SELECT (name) ON who FROM PUBLIC"),
    ("warning", "functions with others' rights",
     "CREATE FUNCTION public.theirs() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
     "DROP FUNCTION public.theirs()"),
    ("warning", "open large objects", "SELECT lo_create(77777); GRANT SELECT ON LARGE OBJECT 77777 TO PUBLIC",
     "SELECT lo_unlink(77777)"),
    ("warning", "foreign servers", "CREATE EXTENSION dblink", "DROP EXTENSION dblink"),
    ("warning", "scope property", "SET SESSION AUTHORIZATION sekisho_diagnose; SET default_transaction_read_only = off; "
     "SELECT lo_create(77778)", "SELECT lo_unlink(77778)"),
]


@pytest.mark.parametrize("outcome, name, drift, mend", DRIFT, ids=[drift[2][:60] for drift in DRIFT])
def test_drift_is_found_and_mended(shop, outcome, name, drift, mend):
    shop.sql(drift, dbname="app")
    code, wrong = check(shop)
    assert (outcome, name) in wrong
    assert code == (1 if outcome == "FAILED" else 0)
    if mend:
        shop.sql(mend, dbname="app")
    shop.proxy.ctl("tenant", "rotate", "acme", "--admin", shop.admin)
    code, wrong = check(shop)
    assert code == 0 and (outcome, name) not in wrong, wrong


def test_an_instance_from_before_postgresql_15(shop):
    """Whoever owns something in schema public goes on; nobody new begins."""
    shop.sql("GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE ROLE newcomer", dbname="app")
    shop.proxy.ctl("tenant", "provision", "acme", "--admin", shop.admin)
    shop.sql("SET ROLE app; CREATE TABLE public.still (a int); DROP TABLE public.still", dbname="app")
    with pytest.raises(AssertionError, match="permission denied for schema public"):
        shop.sql("SET ROLE newcomer; CREATE TABLE public.mine (a int)", dbname="app")


def test_a_database_made_later(shop):
    shop.sql("CREATE DATABASE later")
    assert ("FAILED", "scope functions") in check(shop)[1]
    shop.proxy.ctl("tenant", "provision", "acme", "--admin", shop.admin)
    assert check(shop)[0] == 0
    shop.sql("DROP DATABASE later")


def test_large_objects_for_everybody(shop):
    shop.sql("ALTER SYSTEM SET lo_compat_privileges = on")
    shop.reload()
    try:
        until(lambda: ("FAILED", "large objects") in check(shop)[1], "the check says so")
    finally:
        shop.sql("ALTER SYSTEM RESET lo_compat_privileges")
        shop.reload()
        until(lambda: check(shop)[0] == 0, "it is right again")


def test_an_instance_without_scopes_is_warned_about(shop):
    """Provisioned by an earlier version: tenants go on, operators wait."""
    for scope in SCOPES:
        for database in ("app", "postgres"):
            shop.sql(f"DROP OWNED BY sekisho_{scope}", dbname=database)
        shop.sql(f"DROP ROLE sekisho_{scope}")
    code, wrong = check(shop)
    assert code == 0 and ("warning", "scope roles") in wrong
    shop.proxy.ctl("tenant", "provision", "acme", "--admin", shop.admin)
    assert check(shop)[0] == 0


def test_the_key_opens_the_role(shop):
    """What the store keeps is enough to log in, and there is no password: the verifier was drawn around it."""
    verifiers = shop.sql("SELECT rolpassword FROM pg_authid WHERE rolname ~ '^sekisho_(diagnose|read|write|admin)$'")
    assert len(verifiers) == 4 and len(set(verifiers)) == 4
    assert all(text.startswith("SCRAM-SHA-256$4096:") for text in verifiers)
    store = (shop.proxy.home / "state" / "store.sqlite").read_bytes()
    assert not any(text.encode() in store for text in verifiers)
    shop.proxy.ctl("tenant", "rotate", "acme", "--admin", shop.admin)
    after = shop.sql("SELECT rolpassword FROM pg_authid WHERE rolname ~ '^sekisho_(diagnose|read|write|admin)$'")
    assert not set(after) & set(verifiers)


def test_rotate_needs_a_provisioned_tenant(shop):
    shop.proxy.ctl("tenant", "add", "globex", "--instance", "127.0.0.1:1")
    done = shop.proxy.ctl("tenant", "rotate", "globex", "--admin", shop.admin, check=False)
    assert done.returncode == 1 and "tenant provision globex" in done.stderr
