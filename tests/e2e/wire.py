# SPDX-License-Identifier: ISC
"""PostgreSQL's protocol spoken by hand, so that a test can break its rules: packets, messages, SCRAM both ways."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct

SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSSENC_REQUEST = struct.pack("!II", 8, 80877104)


def cancel_request(pid, key):
    return struct.pack("!IIII", 16, 80877102, pid, key)


def startup(protocol=0x30000, **parameters):
    body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in parameters.items()) + b"\0"
    return raw_startup(body, protocol)


def raw_startup(body, protocol=0x30000):
    return struct.pack("!II", 8 + len(body), protocol) + body


def message(kind, body=b""):
    return kind + struct.pack("!I", 4 + len(body)) + body


def query(sql):
    return message(b"Q", sql.encode() + b"\0")


def error_fields(body):
    """An ErrorResponse or NoticeResponse as a dictionary: "C" is the SQLSTATE, "M" the message."""
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


class Closed(Exception):
    pass


class Wire:
    """A socket, perhaps with TLS over it, that reads whole messages."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(20)
        self.seen = b""

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of stream")
        self.seen += data

    def read(self, count):
        while len(self.seen) < count:
            self.more()
        data, self.seen = self.seen[:count], self.seen[count:]
        return data

    def message(self):
        kind = self.read(1)
        length = struct.unpack("!I", self.read(4))[0]
        return kind, self.read(length - 4)

    def until(self, *kinds):
        """Reads messages up to one of those kinds; an error is raised unless it is asked for."""
        while True:
            kind, body = self.message()
            if kind in kinds:
                return kind, body
            if kind == b"E":
                raise Refused(error_fields(body))

    def error(self):
        """The next ErrorResponse, its fields."""
        return error_fields(self.until(b"E")[1])

    def at_end(self, seconds=20):
        """True when the peer has closed; fails on anything it still says."""
        self.sock.settimeout(seconds)
        try:
            rest = self.sock.recv(4096)
        except ConnectionError:
            return True
        except ssl.SSLError:
            return True
        assert rest == b"", rest
        return True

    def close(self):
        self.sock.close()


class Refused(Exception):
    """An ErrorResponse that nobody asked for; fields: its letters."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('C')}: {fields.get('M')}")
        self.fields = fields


def plain(port, host="127.0.0.1", source=None):
    return Wire(socket.create_connection((host, port), 20, source_address=(source, 0) if source else None))


def tls_context(authority, low=None, high=None):
    context = ssl.create_default_context(cafile=str(authority.crt))
    if low:
        context.minimum_version = low
    if high:
        context.maximum_version = high
    return context


def tls(port, authority, server_name, context=None, check=True, direct=False, before=b"", alpn=None, source=None):
    """A connection with TLS on it, with a server name (None: without one)."""
    wire = plain(port, source=source)
    context = context or tls_context(authority)
    if not check or server_name is None:
        context.check_hostname = False
    if not check:
        context.verify_mode = ssl.CERT_NONE
    if direct:
        context.set_alpn_protocols(alpn or ["postgresql"])
    else:
        wire.send(before + SSL_REQUEST)
        answer = wire.read(1)
        assert answer == b"S", answer
    wire.sock = context.wrap_socket(wire.sock, server_hostname=server_name)
    return wire


class Scram:
    """The client's half of SCRAM-SHA-256 (RFC 5802), every part of which a test may replace."""

    def __init__(self, password, gs2=b"n,,", binding=b"", nonce=None):
        self.password = password
        self.gs2 = gs2
        self.binding = binding
        self.nonce = nonce or base64.b64encode(os.urandom(18))
        self.bare = b"n=,r=" + self.nonce

    def first(self):
        return self.gs2 + self.bare

    def final(self, server_first):
        parts = dict(p.split(b"=", 1) for p in server_first.split(b","))
        salt, rounds = base64.b64decode(parts[b"s"]), int(parts[b"i"])
        self.salt, self.rounds = salt, rounds
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, rounds)
        client = hmac.digest(salted, b"Client Key", "sha256")
        bare = b"c=" + base64.b64encode(self.gs2 + self.binding) + b",r=" + parts[b"r"]
        whole = self.bare + b"," + server_first + b"," + bare
        signature = hmac.digest(hashlib.sha256(client).digest(), whole, "sha256")
        proof = bytes(a ^ b for a, b in zip(client, signature))
        self.server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), whole, "sha256")
        return bare + b",p=" + base64.b64encode(proof)


def endpoint_binding(wire):
    """tls-server-end-point for the peer's certificate, as signed with SHA-256 (RFC 5929)."""
    return hashlib.sha256(wire.sock.getpeercert(binary_form=True)).digest()


def sasl_initial(mechanism, data):
    return message(b"p", mechanism + b"\0" + struct.pack("!I", len(data)) + data)


def sasl_offer(wire):
    """Reads AuthenticationSASL: the mechanisms offered."""
    body = wire.until(b"R")[1]
    assert struct.unpack("!I", body[:4])[0] == 10, body
    return [name for name in body[4:].split(b"\0") if name]


def login(wire, user="app", password="acme secret", database="app", plus=False, **parameters):
    """The whole login up to ReadyForQuery: (pid, key, parameters)."""
    wire.send(startup(user=user, database=database, **parameters))
    mechanisms = sasl_offer(wire)
    if plus:
        assert b"SCRAM-SHA-256-PLUS" in mechanisms
        scram = Scram(password, b"p=tls-server-end-point,,", endpoint_binding(wire))
    else:
        scram = Scram(password)
    wire.send(sasl_initial(b"SCRAM-SHA-256-PLUS" if plus else b"SCRAM-SHA-256", scram.first()))
    body = wire.until(b"R")[1]
    wire.send(message(b"p", scram.final(body[4:])))
    told, pid, key = {}, None, None
    while True:
        kind, body = wire.message()
        if kind == b"E":
            raise Refused(error_fields(body))
        if kind == b"R" and body[:4] == b"\0\0\0\x0c":
            assert base64.b64decode(body[6:]) == scram.server_signature, "the proxy does not know the verifier"
        if kind == b"S":
            name, value = body.split(b"\0")[:2]
            told[name.decode()] = value.decode()
        if kind == b"K":
            pid, key = struct.unpack("!II", body)
        if kind == b"Z":
            return pid, key, told


def client_hello(server_name, extra=b""):
    """The first flight of a real TLS client with any server name at all, bytes and all: made by OpenSSL with a
    placeholder of the same length, which is then replaced."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["postgresql"])
    placeholder = "x" * len(server_name)
    side = context.wrap_bio(incoming, outgoing, server_hostname=placeholder)
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    assert hello.count(placeholder.encode()) == 1
    return hello.replace(placeholder.encode(), server_name) + extra
