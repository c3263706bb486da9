# SPDX-License-Identifier: ISC
"""A small provider on loopback for the tests: a certificate authority, PostgreSQL servers, Sekisho in front of them.

Everything lives in one temporary folder and is stopped by Fleet.stop(), by the process ids of what was started here.
Nobody sleeps for a fixed time: `until` waits for a condition and fails loudly when it does not come.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ.get("SEKISHO_BIN", pathlib.Path(__file__).parents[2] / "build/debug"))
SEKISHO = BIN / "proxy/run/sekisho"
SEKISHOCTL = BIN / "ctl/sekishoctl"
PG = pathlib.Path("/usr/lib/postgresql/15/bin")
DOMAIN = "db.test"
# Which section of the configuration a setting belongs to, from the one list of settings.
SECTION_OF = {key: section for section, key in re.findall(
    r'^SETTING_\w+\("(\w+)", (\w+),', (pathlib.Path(__file__).parents[2] / "policy/settings.def").read_text(), re.M)}
AS_ROOT = os.getuid() == 0


def until(condition, what, seconds=10.0, every=0.02):
    """Waits until condition() gives something true, and returns it. what: a text, or what makes one at the end."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what() if callable(what) else what}; last: {got!r}")
        time.sleep(every)


given_ports = set()


def free_port():
    """A free port outside the range that the kernel hands to clients, so that no client takes it meanwhile."""
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in range(10000 + os.getpid() * 37 % 15000, max(low, 30000)):
        if port in given_ports:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        given_ports.add(port)
        return port
    raise AssertionError("no free port")


def run(*command, check=True, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=60, **{"text": True, **more})
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def as_postgres(*command, last=()):
    """PostgreSQL refuses to run as root: there it runs as the account postgres. last: more for setpriv."""
    account = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if AS_ROOT else []
    return ["setpriv", *account, *last, "--", *map(str, command)]


def open_to_postgres(path):
    if AS_ROOT:
        shutil.chown(path, "postgres", "postgres")


def make_verifier(password, salt=b"salt of 16 bytes", iterations=4096):
    """What PostgreSQL keeps for a password (RFC 5803)."""
    import base64
    import hmac

    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    text = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{text[0]}${text[1]}:{text[2]}"


class Authority:
    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.key = folder / f"{name}.key"
        self.crt = folder / f"{name}.crt"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN=Test authority {name}", "-keyout", self.key, "-out", self.crt)

    def issue(self, base, name, algorithm="ec"):
        """base.crt and base.key for a host name."""
        kind = ["-newkey", "rsa:2048"] if algorithm == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        crt, key, csr = (f"{base}.{end}" for end in ("crt", "key", "csr"))
        run("openssl", "req", *kind, "-nodes", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
            "-keyout", f"{key}.new", "-out", csr)
        run("openssl", "x509", "-req", "-in", csr, "-CA", self.crt, "-CAkey", self.key, "-days", "2",
            "-set_serial", str(int.from_bytes(os.urandom(8), "big")), "-copy_extensions", "copy", "-out", f"{crt}.new")
        os.replace(f"{key}.new", key)
        os.replace(f"{crt}.new", crt)
        os.unlink(csr)
        return crt, key


class Instance:
    """One tenant's PostgreSQL server. Its administrator comes in through its Unix socket."""

    template = None

    def __init__(self, fleet, name, certificate_name=None, algorithm="ec", settings=""):
        self.name = name
        self.home = fleet.folder / name
        self.home.mkdir()
        self.data = self.home / "data"
        self.port = free_port()
        self.host_name = certificate_name or f"{name}.instance.internal"
        crt, key = fleet.authority.issue(self.home / "server", self.host_name, algorithm)
        for path in (self.home, crt, key):
            open_to_postgres(path)
        if fleet.template is None:
            fleet.template = fleet.folder / "template"
            fleet.template.mkdir()
            open_to_postgres(fleet.template)
            run(*as_postgres(PG / "initdb", "-D", fleet.template / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                             "--no-locale", "-N"))
        run("cp", "-a", fleet.template / "data", self.data)
        self.hba("local all postgres trust\n")
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.home}'\n"
                       f"ssl = on\nssl_cert_file = '{crt}'\nssl_key_file = '{key}'\nshared_buffers = 16MB\n"
                       f"password_encryption = 'scram-sha-256'\nfsync = off\nlog_connections = on\n"
                       f"log_statement = all\nwal_level = logical\nmax_connections = 150\n{settings}\n")
        self.start()

    def hba(self, text):
        (self.data / "pg_hba.conf").write_text(text)

    def start(self):
        with open(self.home / "log", "ab") as log:
            # It dies with us, however we die.
            self.process = subprocess.Popen(as_postgres(PG / "postgres", "-D", self.data, last=["--pdeathsig", "QUIT"]),
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.home)
        until(lambda: self.process.poll() is None and
              run("psql", "-XAtqc", "SELECT 1", self.admin, check=False).returncode == 0,
              f"{self.name}'s instance serves", 20)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)

    def reload(self):
        run(*as_postgres(PG / "pg_ctl", "-D", self.data, "reload"), cwd=self.home)

    @property
    def admin(self):
        return f"host={self.home} port={self.port} user=postgres dbname=postgres"

    def sql(self, text, dbname="postgres"):
        """Runs SQL as the administrator; the rows, fields joined by |."""
        done = run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", f"{self.admin} dbname={dbname}", input=text)
        return done.stdout.splitlines()

    def log(self):
        return (self.home / "log").read_text(errors="replace")

    def backends(self, user="app"):
        return [int(pid) for pid in self.sql(f"SELECT pid FROM pg_stat_activity WHERE usename = '{user}'")]


class Proxy:
    """One Sekisho node."""

    def __init__(self, fleet, name="proxy", port=None, listen=(), environment=None, program=SEKISHO, **settings):
        self.fleet = fleet
        self.program, self.ctl_program = program, SEKISHOCTL  # sekisho-session is beside the program
        self.home = fleet.folder / name
        self.home.mkdir(exist_ok=True)
        self.port = port or free_port()
        self.listen = [f"127.0.0.1:{self.port}", *listen]
        self.crt, self.key = fleet.authority.issue(self.home / "server", f"*.{DOMAIN}")
        self.conf = self.home / "sekisho.conf"
        self.log_path = self.home / "log"
        self.environment = environment or {}
        self.process = None
        self.configure(**settings)
        self.ctl("init")

    def configure(self, **settings):
        """Writes the configuration; settings are keys of any section."""
        self.settings = settings
        self.ledger = pathlib.Path(settings.get("ledger_dir", self.home / "ledger"))
        table = {section: {} for section in SECTION_OF.values()}
        table["paths"] = {"state_dir": self.home / "state", "ledger_dir": self.ledger, "run_dir": self.home / "run"}
        table["tenants"] = {"listen": ", ".join(self.listen), "domain": DOMAIN}
        table["tls"] = {"certificate": self.crt, "key": self.key}
        table["timeouts"] = {"drain_timeout": "3s"}
        table["ledger"] = {"refused_log_rate": 100000}  # tests refuse faster than people
        for key, value in settings.items():
            table[SECTION_OF[key]][key] = value
        lines = []
        for section, keys in table.items():
            lines += [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items()), ""]
        (self.home / "run").mkdir(exist_ok=True)
        self.conf.write_text("\n".join(lines))

    def spawn(self):
        environment = dict(os.environ, **self.environment)
        # Ten thousand sessions need ten thousand quarantines less: the sanitizer's books stay small.
        environment.setdefault("ASAN_OPTIONS", "abort_on_error=0:detect_leaks=1:quarantine_size_mb=4")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", self.program, "-c", self.conf],
                                            stderr=log, stdout=log, stdin=subprocess.DEVNULL, env=environment,
                                            start_new_session=True)

    def start(self):
        self.spawn()
        until(self.is_up, lambda: f"the proxy serves; its log:\n{self.log()}", 20, 0.05)
        return self

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the proxy ended with {self.process.returncode}:\n{self.log()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return self.ctl("status", check=False).returncode == 0

    def stop(self, wait=15):
        if self.process is None:
            return
        family = self.processes()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(wait)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        until(lambda: not [p for p in family if is_ours(p["pid"])], f"every process left: {family}", 10)
        self.process = None

    def kill(self):
        """kill -9 of the supervisor; the rest must leave by itself."""
        family = self.processes()
        self.process.kill()
        self.process.wait()
        until(lambda: not [p for p in family if is_ours(p["pid"])], f"every process left: {family}", 10)

    def reload(self):
        before = len(self.records("_provider", "node.reload"))
        self.hang_up()
        until(lambda: len(self.records("_provider", "node.reload")) > before, "the reload is in the log")

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def ctl(self, *words, check=True, **more):
        return run(self.ctl_program, "-c", self.conf, *words, check=check, **more)

    def ctl_json(self, *words):
        return json.loads(self.ctl("--json", *words).stdout)

    def add(self, tenant, instance, *more):
        """tenant add, provision, and what the instance's administrator does with what provision printed."""
        self.ctl("tenant", "add", tenant, "--instance", f"127.0.0.1:{instance.port}",
                 "--instance-name", instance.host_name, "--instance-ca", self.fleet.authority.crt, *more)
        self.provision(tenant, instance)

    def provision(self, tenant, instance):
        needs = self.ctl_json("tenant", "provision", tenant, "--admin", instance.admin)
        (instance.home / "proxy.crt").write_text(needs["ssl_ca_file"])
        open_to_postgres(instance.home / "proxy.crt")
        instance.hba("local all postgres trust\n" + needs["pg_hba"])
        instance.sql(f"ALTER SYSTEM SET ssl_ca_file = '{instance.home}/proxy.crt'")
        instance.reload()
        until(lambda: instance.sql("SHOW ssl_ca_file") == [f"{instance.home}/proxy.crt"], "the instance has reloaded")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def lines(self, tenant):
        """The raw lines of a tenant's log that are whole and not void."""
        return chain_lines(self.ledger / tenant)

    def records(self, tenant, event=None, **fields):
        found = [json.loads(line) for line in self.lines(tenant)]
        return [r for r in found if (event is None or r["event"] == event)
                and all(r.get(key) == value for key, value in fields.items())]

    def awaits(self, tenant, event, seconds=10, after=0, **fields):
        """The newest such record with a number over `after`, as soon as it is there."""
        return until(lambda: [r for r in self.records(tenant, event, **fields) if r["n"] > after],
                     f"{tenant}'s log has {event} {fields}", seconds)[-1]

    def mark(self, tenant):
        """The number of the last record, for `awaits(after=...)`."""
        lines = self.lines(tenant)
        return json.loads(lines[-1])["n"] if lines else 0

    def processes(self):
        """Every living process of this node: the guard that was started, its supervisor, and that one's children."""
        parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents.setdefault(int(parent), []).append(int(entry.name))
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            left += parents.get(pid, [])
            try:
                title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
            except OSError:
                continue
            found.append({"pid": pid, "title": title})
        return found

    def pids(self, title):
        """Process ids by title: "gate", "cell acme"."""
        return sorted(p["pid"] for p in self.processes() if p["title"] == f"sekisho: {title}")

    def pid(self, title):
        pids = until(lambda: self.pids(title), f"there is a process {title}")
        return pids[0]

    def sessions(self, tenant=None):
        return self.ctl_json("session", "list", *([tenant] if tenant else []))

    def dsn(self, tenant, host=None, **more):
        """A libpq connection string for the tenant's user."""
        words = {"host": host or f"{tenant}.{DOMAIN}", "hostaddr": "127.0.0.1", "port": self.port, "user": "app",
                 "password": f"{tenant} secret", "dbname": "app", "sslmode": "verify-full",
                 "sslrootcert": self.fleet.authority.crt, "connect_timeout": 20, **more}
        return " ".join(f"{key}='{value}'" for key, value in words.items() if value is not None)

    def connect(self, tenant, autocommit=True, **more):
        import psycopg

        return psycopg.connect(self.dsn(tenant, **more), autocommit=autocommit)

    def one(self, tenant, sql, **more):
        """One value through the proxy, on a connection of its own."""
        with self.connect(tenant, **more) as connection:
            return connection.execute(sql).fetchone()[0]


def is_ours(pid):
    """Still a living process of Sekisho (a number may have been given to somebody else)."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return stat != "Z" and b"sekisho" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def chain_lines(folder):
    """The lines of a chain, without the ends that later files declare void."""
    texts = {int(path.stem): path.read_bytes() for path in sorted(folder.glob("*.jsonl"))}
    void = {}
    for number, text in texts.items():
        for line in text.split(b"\n")[:-1]:
            if b'"event":"ledger.repaired"' not in line:
                break
            record = json.loads(line)
            void[record["file"]] = record["bytes"]
    whole = [text[:len(text) - void.get(number, 0)] for number, text in texts.items()]
    return [line for text in whole for line in text.split(b"\n")[:-1]]


def verify_by_hand(lines):
    """Checks a chain as a tenant would with sha256sum and jq: the number of good records."""
    before, n = "0" * 64, 0
    for line in lines:
        record = json.loads(line)
        n += 1
        assert record["n"] == n, f"record {n} says it is {record['n']}"
        assert record["prev"] == before, f"record {n} does not follow the one before"
        before = hashlib.sha256(line).hexdigest()
    return n


class Fleet:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sekisho-test."))
        self.folder.chmod(0o711)
        self.authority = Authority(self.folder)
        self.template = None
        self.instances = {}
        self.proxies = []

    def instance(self, name, **more):
        """A server with the tenant's own data: a table `who`, a user `app`."""
        made = self.instances[name] = Instance(self, name, **more)
        made.sql(f"CREATE ROLE app LOGIN REPLICATION PASSWORD '{make_verifier(f'{name} secret')}';")
        made.sql("CREATE DATABASE app OWNER app")
        made.sql(f"CREATE TABLE who (name text, n int); INSERT INTO who SELECT '{name}', n FROM generate_series(1, 3) n;"
                 "ALTER TABLE who OWNER TO app;", dbname="app")
        return made

    def proxy(self, **more):
        made = Proxy(self, **more)
        self.proxies.append(made)
        return made

    def stop(self):
        problems = []
        for proxy in self.proxies:
            try:
                proxy.stop()
            except AssertionError as error:
                problems.append(str(error))
            # The crash drills send SIGSEGV with the sanitizer's own handler off: what it says here is always a bug.
            for word in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion "):
                if word in proxy.log():
                    problems.append(f"{word} in the proxy's log:\n{proxy.log()[-20000:]}")
                    break
        for instance in self.instances.values():
            instance.stop()
        if "SEKISHO_KEEP" in os.environ:
            print("kept:", self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        assert not problems, "\n".join(problems)
