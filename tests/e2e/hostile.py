# SPDX-License-Identifier: ISC
"""A tenant's instance in the hands of an attacker: it has the right certificate and even the right verifier, and then
does whatever the test tells it to. It takes the real instance's port, after that one was stopped."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import threading

import wire

ERROR = wire.message(b"E", b"SFATAL\0VFATAL\0C08006\0Mthe hostile instance has enough\0\0")
AUTH_OK = wire.message(b"R", struct.pack("!I", 0))
KEY = wire.message(b"K", struct.pack("!II", 4711, 815))
READY = wire.message(b"Z", b"I")
PARAMETERS = b"".join(wire.message(b"S", f"{k}\0{v}\0".encode()) for k, v in
                      {"server_version": "15.0", "client_encoding": "UTF8", "integer_datetimes": "on",
                       "standard_conforming_strings": "on"}.items())


def sasl(code, data):
    return wire.message(b"R", struct.pack("!I", code) + data)


class Hostile:
    """Serves one connection after another with `behaviour(instance, wire)`; each may end in Closed."""

    def __init__(self, port, crt, key, password, salt=b"salt of 16 bytes", rounds=4096):
        self.crt, self.key = crt, key
        self.password, self.salt, self.rounds = password, salt, rounds
        self.behaviour = None
        self.answer = b"S"     # to SSLRequest
        self.behind = b""      # sent together with that answer
        self.reached = 0       # connections that sent an SSLRequest
        self.listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self.listening = True
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while self.listening:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(sock,), daemon=True).start()

    def one(self, sock):
        peer = wire.Wire(sock)
        try:
            assert peer.read(8) == wire.SSL_REQUEST
            self.reached += 1
            peer.send(self.answer + self.behind)
            if self.answer != b"S":
                peer.more()
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.crt, self.key)
            peer.sock = context.wrap_socket(sock, server_side=True)
            length = struct.unpack("!I", peer.read(4))[0]
            self.startup = peer.read(length - 4)
            self.behaviour(self, peer)
            peer.more()
        except (wire.Closed, OSError, AssertionError):
            pass
        finally:
            peer.close()

    def stop(self):
        self.listening = False
        # A listener that another thread waits on is woken by a last connection.
        try:
            socket.create_connection(self.listener.getsockname(), 1).close()
        except OSError:
            pass
        self.thread.join(5)
        self.listener.close()

    def log_in(self, peer, final=None):
        """An honest SCRAM exchange up to AuthenticationOk; final(signature) replaces the server's last message."""
        peer.send(sasl(10, b"SCRAM-SHA-256\0\0"))
        _, body = peer.until(b"p")
        first = body.split(b"\0", 1)[1][4:]
        bare = first.split(b",", 2)[2]
        nonce = bare.split(b"r=", 1)[1] + base64.b64encode(os.urandom(18))
        server_first = b"r=" + nonce + b",s=" + base64.b64encode(self.salt) + b",i=" + str(self.rounds).encode()
        peer.send(sasl(11, server_first))
        _, body = peer.until(b"p")
        without_proof = body.rsplit(b",p=", 1)[0]
        whole = bare + b"," + server_first + b"," + without_proof
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), self.salt, self.rounds)
        signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), whole, "sha256")
        proof = b"v=" + base64.b64encode(signature)
        peer.send(sasl(12, final(signature) if final else proof) + AUTH_OK)


def good(instance, peer):
    """No harm done: logs in, answers every query with nothing."""
    instance.log_in(peer)
    peer.send(PARAMETERS + KEY + READY)
    while True:
        kind, _ = peer.message()
        if kind == b"Q":
            peer.send(wire.message(b"C", b"SELECT 0\0") + READY)
        if kind == b"X":
            return


def opening(*data):
    """Says this as soon as the StartupMessage is in."""
    return lambda instance, peer: peer.send(b"".join(data))


def after_login(*data):
    """Says this in place of its parameters."""
    def behave(instance, peer):
        instance.log_in(peer)
        peer.send(b"".join(data))
    return behave


def to_query(*data):
    """Says this in answer to the first query."""
    def behave(instance, peer):
        instance.log_in(peer)
        peer.send(PARAMETERS + KEY + READY)
        peer.until(b"Q")
        peer.send(b"".join(data))
    return behave
