# SPDX-License-Identifier: ISC
"""The guide's recipes for checking a chain by hand do what the guide says: on a good chain of two files, and on chains
in which something was changed; on a checkpoint, and on one that another key signed.
"""
import base64
import hashlib
import json
import pathlib
import re
import subprocess
import tempfile

from house import ROOT, run

PLACE = "/var/lib/sekisho/ledger/acme"


def chain(count, **third):
    lines, before = [], "0" * 64
    for n in range(1, count + 1):
        # What a stranger called himself must not bend the shell's reading either.
        record = {"n": n, "tenant": "acme", "user": f"a\\n\"b  'c' {n} $(reboot) é \\", "prev": before}
        record |= third if n == 3 else {}
        lines.append(json.dumps(record, ensure_ascii=False, separators=(",", ":")))
        before = hashlib.sha256(lines[-1].encode()).hexdigest()
    return lines, before


def said(recipe, lines, more=""):
    """What the recipe prints for these lines, spread over two files. more: what the first of them ends in."""
    with tempfile.TemporaryDirectory() as folder:
        for name, part, end in (("00000001", lines[:2], more), ("00000002", lines[2:], "")):
            pathlib.Path(folder, f"{name}.jsonl").write_text("".join(f"{line}\n" for line in part) + end)
        done = subprocess.run(["bash", "-c", recipe.replace(PLACE, folder)], capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()


def checkpoint_said(recipe, other):
    """What the recipe prints for a log whose last checkpoint the ledger's key signed, or another one."""
    with tempfile.TemporaryDirectory() as folder:
        def openssl(*words):
            return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=True).stdout

        lines, head = chain(2)
        for name in ("ledger", "other"):
            openssl("genpkey", "-algorithm", "ed25519", "-out", f"{name}.key")
        openssl("pkey", "-in", "ledger.key", "-pubout", "-out", "ledger.pub")
        pathlib.Path(folder, "signed").write_text(f"sekisho checkpoint v1\nacme\n3\n2026-11-24T00:00:00Z\n{head}\n")
        signature = openssl("pkeyutl", "-sign", "-inkey", "other.key" if other else "ledger.key", "-rawin", "-in", "signed")
        record = {"n": 3, "time": "2026-11-24T00:00:00Z", "tenant": "acme", "event": "ledger.checkpoint",
                  "signature": base64.b64encode(signature).decode(), "prev": head}
        lines.append(json.dumps(record, separators=(",", ":")))
        pathlib.Path(folder, "00000001.jsonl").write_text("".join(f"{line}\n" for line in lines))
        done = subprocess.run(["bash", "-c", recipe.replace(PLACE, folder)], cwd=folder, capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()


def check():
    found = re.findall(r"^```bash\n(.*?)^```$", (ROOT / "docs/audit.md").read_text(), re.S | re.M)
    if len(found) != 2 or not all(PLACE in recipe for recipe in found):
        yield f"docs/audit.md: its recipes are not there, or do not read {PLACE}"
        return
    lines, head = chain(5)
    void = '{"n":3}\n{"n":4'
    repaired, repaired_head = chain(5, event="ledger.repaired", file=1, bytes=len(void))
    changed = [line.replace('"n":3,', '"n":3, ') for line in lines]
    for what, given, expected, *more in (("a good chain", lines, f"5 {head}"),
                                  ("a void end", repaired, f"5 {repaired_head}", void),
                                  ("a chain whose beginning was deleted", lines[2:], f"5 {head}"),
                                  ("an end that nobody declared void", lines, "record 3 does not follow", void),
                                  ("a changed record 3", changed, "record 4 does not follow"),
                                  ("a missing record 3", lines[:2] + lines[3:], "record 3 does not follow"),
                                  ("swapped records", [lines[0], lines[2], lines[1], *lines[3:]], "record 2 does not follow")):
        got = said(found[0], given, *more)
        if got != expected:
            yield f"docs/audit.md: for {what} the recipe should say \"{expected}\" and says \"{got}\""
    for what, other, expected in (("a signed checkpoint", False, "Signature Verified Successfully"),
                                  ("another's signature", True, "Signature Verification Failure")):
        got = checkpoint_said(found[1], other)
        if expected not in got:
            yield f"docs/audit.md: for {what} the recipe should say \"{expected}\" and says \"{got}\""


if __name__ == "__main__":
    run(check)
