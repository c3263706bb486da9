# SPDX-License-Identifier: ISC
"""The provider's ticket system, as a program and as a web server: both agree to any ticket but those of a few projects."""
import http.server
import os
import pathlib
import signal
import ssl
import threading
import urllib.parse

from fleet import free_port


class TicketProgram:
    """CLOSED- is refused, HOLD- is answered when released, HANG- never."""

    def __init__(self, folder):
        self.path, self.log, self.running, self.released = (
            pathlib.Path(folder, f"tickets{end}") for end in ("", ".asked", ".running", ".released"))
        self.path.write_text(f"""#!/bin/sh
seen=$(printf '%s|' "$@"; env | sort | tr '\\n' '|'; ls /proc/self/fd | tr '\\n' ' ')
printf '%s\\n' "$seen" >>{self.log}  # one line in one piece: several may write at once
case $1 in
CLOSED-*) printf 'the ticket is closed \\033[2J\\351 \\343\\201\\257\\nnot shown\\n'; exit 1 ;;
HOLD-*) while [ ! -e {self.released} ]; do sleep 0.1; done ;;
HANG-*) sleep 987 & echo $$ $! >>{self.running}; wait ;;
esac
""")
        self.path.chmod(0o755)

    def asked(self):
        """What it was called with: ticket, tenant, operator, and the rest of what it saw."""
        return [line.split("|") for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def about(self, project):
        return [words for words in self.asked() if words[0].startswith(project)]

    def alive(self):
        """Of those that hang, and what they started."""
        pids = self.running.read_text().split() if self.running.exists() else []
        return [pid for pid in pids if pathlib.Path("/proc", pid).exists()]

    def clear(self):
        for pid in self.alive():
            os.kill(int(pid), signal.SIGKILL)
        for path in (self.log, self.running, self.released):
            path.unlink(missing_ok=True)


class TicketServer:
    """GONE- is not found, MOVED- is elsewhere, SLOW- is never answered."""

    def __init__(self, tls=None):
        self.asked, self.release = [], threading.Event()
        system = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                address = urllib.parse.urlsplit(self.path)
                words = dict(urllib.parse.parse_qsl(address.query))
                system.asked.append((address.path, words))
                project = words.get("ticket", "").split("-")[0]
                if project == "SLOW":
                    system.release.wait(60)
                    self.close_connection = True
                    return
                self.send_response({"GONE": 404, "MOVED": 302}.get(project, 204))
                if project == "MOVED":
                    self.send_header("Location", "/elsewhere?ticket=CASE-1")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
