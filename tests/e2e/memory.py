# SPDX-License-Identifier: ISC
"""What a process holds: its memory, read through /proc, searched for secrets whose bytes are known."""
import array
import base64
import os
import pathlib
import re

from fleet import AS_ROOT, run

PAGE = os.sysconf("SC_PAGESIZE")
LARGEST = 1 << 30  # a sanitizer's shadow of terabytes holds no byte of ours


class OutOfReach(Exception):
    """Whoever runs the tests may not look into that process."""


def regions(pid):
    """(start, end, name) of what can be read and is memory of the process itself."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    except PermissionError as error:
        raise OutOfReach(str(error)) from error
    for line in lines:
        span, rights, _, _, inode, *name = line.split(None, 5)
        start, end = (int(word, 16) for word in span.split("-"))
        if rights[0] == "r" and end - start < LARGEST and (inode == "0" or rights[1] == "w") and name[:1] not in (["[vvar]"], ["[vsyscall]"]):
            yield start, end, name[0] if name else ""


def present(pagemap, start, end):
    """The parts of a region that are pages in memory or in swap: a sanitizer reserves far more than it uses."""
    pagemap.seek(start // PAGE * 8)
    entries = array.array("Q", pagemap.read((end - start) // PAGE * 8))
    begin = None
    for page, entry in enumerate([*entries, 0]):
        here = entry >> 62 != 0
        if here and begin is None:
            begin = page
        elif not here and begin is not None:
            yield start + begin * PAGE, start + page * PAGE
            begin = None


def read(pid):
    """(name, bytes) for every part of memory that is in use."""
    spans = list(regions(pid))
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
            for first, last, name in spans:
                for start, end in present(pagemap, first, last):
                    try:
                        yield name, os.pread(memory.fileno(), end - start, start)
                    except OSError:  # it has just been unmapped
                        break
    except PermissionError as error:
        raise OutOfReach(str(error)) from error


class Secret:
    """One secret in every form that it could stand in memory in."""

    def __init__(self, name, *forms):
        self.name, self.forms = name, [form for form in forms if form]
        assert all(len(form) >= 16 for form in self.forms), name

    def __repr__(self):
        return self.name


def number(name, raw):
    """Raw bytes; as they are, as OpenSSL keeps large numbers, as hexadecimal text."""
    return Secret(name, raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode())


def private_key(name, pem):
    """An EC or Ed25519 private key: its number, and the part of the PEM text that has it."""
    der = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-")))
    text = run("openssl", "pkey", "-noout", "-text", input=pem).stdout
    raw = bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", text)[1]))[-32:]
    at = der.index(raw)
    first = -(-at // 3) * 3  # the whole groups of base64 within the number, line by line
    encoded = base64.b64encode(der[first:at + 30]).decode()
    body = "".join(line for line in pem.splitlines() if not line.startswith("-"))
    where = body.index(encoded[:20])
    lines = [body[i:i + 64] for i in range(0, len(body), 64)]
    pieces = [line[max(0, where - 64 * n):where + len(encoded) - 64 * n] for n, line in enumerate(lines)
              if 64 * n < where + len(encoded) and 64 * (n + 1) > where]
    found = number(name, raw)
    found.forms += [piece.encode() for piece in pieces if len(piece) >= 16]
    return found


def held(pid, secrets):
    """Which of the secrets the process has in its memory, and where."""
    found = {}
    for name, content in read(pid):
        for secret in secrets:
            for form in secret.forms:
                at = content.find(form)
                if at >= 0:
                    found.setdefault(secret.name, []).append(f"{name or 'memory'}+{at:x}")
    return found


def is_sanitized(program):
    return b"__asan_init" in pathlib.Path(program).read_bytes()


def can_be_looked_into(pid):
    """Whether an ordinary process of the same account may: one without root's capabilities, which see everything."""
    account = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    uid, gid = account["Uid"].split()[0], account["Gid"].split()[0]
    become = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"] if AS_ROOT else []

    def looks(at):
        return run("setpriv", *become, "--bounding-set=-all" if AS_ROOT else "--no-new-privs", "--inh-caps=-all", "--", "sh", "-c", at,
                   check=False).returncode == 0

    assert looks("sleep 5 & head -c1 /proc/$!/maps; kill $!"), "what may be looked into is looked into"
    return looks(f"head -c1 /proc/{pid}/maps")


def texts_of_keys(pid):
    """Every private key in PEM that stands in the process's memory."""
    pattern = re.compile(rb"-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{64,8000}?-----END PRIVATE KEY-----\n")
    return {text.decode() for _, content in read(pid) for text in pattern.findall(content)}
