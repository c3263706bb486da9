# SPDX-License-Identifier: ISC
"""What each object file calls, read from the built libraries: nothing of a room it may not know, nothing impure in the
pure files, and each call that reaches the outside world only from the few files that exist for it.

That a declaration was copied, or hidden behind a macro, makes no difference here.
"""
import re
import subprocess

from house import BIN, ROOMS, run

# These compute: bytes and a time in, a result out. They must be linkable alone into a fuzz target.
PURE = ["auth/*", "proxy/wire/*", "proxy/greet.c", "policy/admission.c", "policy/route.c", "policy/directory.c",
        "policy/tenant.c", "policy/tenant_codec.c", "audit/record.c", "audit/record_json.c", "base/bytes.c", "base/text.c",
        "proxy/run/notice.c", "proxy/run/notice_cursor.c", "proxy/run/syslog_frame.c", "proxy/observe*.c", "policy/grants*.c", "policy/statement.c", "policy/ticket.c",
        "policy/clock_guard.c", "proxy/vouched.c", "proxy/console_*.c", "proxy/http_request.c",
        "proxy/stats*.c"]
IMPURE = ["socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "send", "sendto", "sendmsg", "recv",
          "recvfrom", "recvmsg", "read", "write", "pread", "pwrite", "readv", "writev", "open", "open64", "openat", "openat64",
          "creat", "fopen", "close", "unlink", "rename", "stat", "fstat", "poll", "ppoll", "select", "epoll_.*", "event_.*",
          "evtimer_.*", "bufferevent_.*", "clock_gettime", "clock_now", "time", "gettimeofday", "nanosleep", "sleep", "getenv",
          "fork", "vfork", "posix_spawn.*", "exec[lv].*", "system", "popen", "kill", "SSL_.*", "PQ.*", "sqlite3_.*",
          "getaddrinfo", "gethostbyname"]
IMPURE_OF_OURS = ["clock_now", "log_.*"]

# Calls that only these files may make. Whatever runs in a cell is in none of the lists that open something.
ONLY = {
    # a session's TLS: one file
    "SSL_(read|write|peek|do_handshake|accept|connect|shutdown)(_ex)?": ["proxy/stream.c"],
    # channels between our processes: one file
    "sendmsg|recvmsg|sendmmsg|recvmmsg": ["proxy/run/channel.c"],
    "socketpair": ["proxy/run/supervisor_link.c", "proxy/run/supervisor_process.c", "proxy/run/broker_console.c"],
    # sockets to the world: the broker's to instances; listeners; the control socket; the service manager's; and the
    # command line's own
    "socket": ["proxy/run/broker_connect.c", "proxy/run/listeners.c", "proxy/run/supervisor_control.c",
               "proxy/run/console_local.c", "proxy/run/supervisor.c", "policy/provision_hello.c", "ctl/control.c", "proxy/run/syslog_link.c"],
    "connect": ["proxy/run/syslog_link.c", "proxy/run/broker_connect.c", "proxy/run/supervisor_control.c", "policy/provision_hello.c", "ctl/control.c"],
    "send|recv|sendto|recvfrom": ["proxy/stream.c", "proxy/run/gate_visitor.c", "proxy/run/supervisor.c",
                                  "policy/provision_hello.c", "ctl/control.c", "proxy/run/syslog_link.c"],
    "bind|listen": ["proxy/run/listeners.c", "proxy/run/supervisor_control.c", "proxy/run/console_local.c"],
    "accept|accept4": ["proxy/run/gate_accept.c", "proxy/run/supervisor_control.c", "proxy/run/console_local.c",
                       "proxy/run/console_http.c"],
    "getaddrinfo|getaddrinfo_a|gethostbyname.*": ["proxy/run/lookup*.c", "proxy/run/keeper*.c", "policy/provision_check.c"],
    # PostgreSQL's client library, and the store
    "PQ.*": ["policy/provision*.c", "proxy/run/lookup*.c", "proxy/run/keeper*.c", "ctl/desk_remote.c", "ctl/audit_told.c"],
    "sqlite3_.*": ["policy/store_sqlite*.c"],
    # the client library of the web hook and of the tickets' address
    "curl_.*": ["policy/web_manners.c", "proxy/run/web.c", "ctl/ticket_url.c", "ctl/audit_post.c"],
    # processes
    "fork|vfork|posix_spawn|posix_spawnp|exec[lv].*|system|popen|clone": ["proxy/run/supervisor_spawn.c",
                                                                            "proxy/run/program.c", "ctl/ticket_ask.c", "ctl/audit_crew.c"],
    "kill": ["proxy/run/supervisor*.c", "proxy/run/sandbox_calls.c", "proxy/run/guard.c", "proxy/run/program.c", "ctl/ticket_ask.c"],
    "pthread_create|thrd_create|dlopen": [],
    # files
    "open|open64|openat|openat64|creat|fopen|fopen64|opendir|memfd_create": [
        "audit/*", "base/zone.c", "ctl/*", "policy/seal.c", "policy/settings.c", "policy/provision_link.c", "policy/store_sqlite*.c",
        "proxy/run/broker_cells.c", "proxy/run/supervisor*.c", "proxy/run/keeper*.c", "proxy/run/lookup*.c",
        "proxy/run/birth.c", "proxy/run/sandbox.c", "proxy/run/sandbox_files.c", "proxy/run/notifier*.c", "proxy/run/broker_grants.c", "policy/trust_load.c",
        "policy/statement_head.c", "proxy/run/console_facts.c", "proxy/run/console_scroll.c",
        "proxy/run/page.c"],
    "unlink|unlinkat|rename|renameat|ftruncate|truncate": ["audit/*", "ctl/newfile.c", "policy/seal.c",
                                                          "policy/store_sqlite*.c", "proxy/run/supervisor_control.c",
                                                          "proxy/run/console_local.c", "proxy/run/notifier_chains.c",
                                                          "policy/statement_head.c", "proxy/run/page.c"],
    # which functions forget to bound, or to look at, what they write
    "strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok|stpcpy": [],
}

LINE = re.compile(r"^(?P<where>\S+): (?P<symbol>\S+) (?P<type>[A-Za-z?])\b")


def matches(source, patterns):
    return any(re.fullmatch(p.replace("*", "[^/]*"), source) for p in patterns)


def archives(room):
    if room == "ctl":  # a program, not a library
        return sorted((BIN / "ctl/CMakeFiles/sekishoctl.dir").glob("*.o"))
    folder = BIN / room
    return [folder / f"lib{room.rsplit('/', 1)[-1]}.a"]


def symbols(room):
    """For each source file: what its object defines and what it wants from others."""
    found = {}
    for path in archives(room):
        listing = subprocess.run(["nm", "-A", "-f", "posix", path], capture_output=True, text=True, check=True).stdout
        for line in listing.splitlines():
            m = LINE.match(line)
            if not m:
                continue
            member = re.search(r"\[(.*)\]$", m["where"])
            source = f"{room}/{(member[1] if member else path.name).removesuffix('.o')}"
            defines, wants = found.setdefault(source, (set(), set()))
            symbol = m["symbol"].split("@")[0]
            if m["type"] == "U":
                wants.add(symbol)
            elif m["type"].isupper():
                defines.add(symbol)
    return found


def owners(objects):
    """Whose symbol is it: ours only, by room."""
    owner = {}
    for room, sources in objects.items():
        for defines, _ in sources.values():
            for symbol in defines:
                if not symbol.startswith("_"):  # a compiler's own
                    owner.setdefault(symbol, room)
    return owner


def check_rooms(objects, owner):
    for room, sources in objects.items():
        for source, (_, wants) in sources.items():
            for symbol in sorted(wants):
                other = owner.get(symbol, room)
                if other != room and other not in ROOMS[room]:
                    yield f"{source} calls {symbol} of {other}, which {room} may not know"


def check_pure(objects, owner):
    theirs, ours = re.compile("|".join(IMPURE)), re.compile("|".join(IMPURE_OF_OURS))
    for sources in objects.values():
        for source, (_, wants) in sources.items():
            if not matches(source, PURE):
                continue
            for symbol in sorted(wants):
                if (ours if symbol in owner else theirs).fullmatch(symbol):
                    yield f"{source} is pure and calls {symbol}"


def check_only(objects):
    for pattern, allowed in ONLY.items():
        wanted = re.compile(pattern)
        for sources in objects.values():
            for source, (_, wants) in sources.items():
                if matches(source, allowed):
                    continue
                for symbol in sorted(wants):
                    if wanted.fullmatch(symbol):
                        yield f"{source} calls {symbol}; only {', '.join(allowed) or 'nobody'} may"


def check():
    objects = {room: symbols(room) for room in ROOMS}
    for room, sources in objects.items():
        if not sources:
            yield f"no object of {room} was found in {BIN}"
    owner = owners(objects)
    yield from check_rooms(objects, owner)
    yield from check_pure(objects, owner)
    yield from check_only(objects)


if __name__ == "__main__":
    run(check)
