# SPDX-License-Identifier: ISC
"""An export is checked by somebody who has jq, openssl, the script of the guide and the public key, and nothing of ours."""
import http.server
import json
import pathlib
import shutil
import stat
import threading

import pytest

from chains import Chain, Key, forge, lines_of, put_lines
from fleet import SEKISHOCTL, run

SCRIPT = pathlib.Path(__file__).parents[2] / "docs/verify-export.sh"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """acme: 30 records, a minute apart, a checkpoint after every ten, in two files; one is as long as a record can be."""
    folder = tmp_path_factory.mktemp("archive")
    key = Key(folder, "ledger")
    chain = Chain(folder / "ledger", "acme", key).records(9).checkpoint().records(4)
    chain.record("operator.statement", sql="\x1b[31m 'ｑ' \\ \t" + "\u0001" * 13000).records(4).checkpoint().rotate()
    chain.records(9).checkpoint().records(5)
    Chain(folder / "ledger", "_provider", key).records(2).checkpoint()
    return folder


def export(archive, out, start="2026-11-24T00:12:00Z", end="2026-11-24T00:16:00Z", tenant="acme", check=True):
    return run(SEKISHOCTL, "-c", "/nonexistent", "audit", "export", tenant, "--dir", archive / "ledger", "--from", start,
               "--to", end, "-o", out, check=check)


def verify(path, key, check=False):
    return run("sh", SCRIPT, path, key, check=check)


@pytest.fixture
def exported(archive, tmp_path):
    export(archive, tmp_path / "export")
    return tmp_path / "export"


def test_the_part_is_the_logs_own_lines_between_two_checkpoints(archive, exported):
    head, *lines = lines_of(exported)
    head = json.loads(head)
    whole = lines_of(archive / "ledger/acme/00000001.jsonl")
    assert lines == whole[9:20], "from the checkpoint before to the checkpoint behind, byte for byte"
    assert (head["tenant"], head["first"], head["last"]) == ("acme", 10, 20) and head["signed"] is True
    assert (head["wanted_first"], head["wanted_last"]) == (12, 15)
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    assert export(archive, exported, check=False).returncode == 1, "nothing is overwritten"
    assert export(archive, "-").stdout.encode() == exported.read_bytes()


def test_the_script_says_that_a_good_export_is_good(archive, exported, tmp_path):
    done = verify(exported, archive / "ledger.pub", check=True)
    assert "records 10 to 20, links good, signed by" in done.stdout
    export(archive, tmp_path / "all", "2026-11-24T00:00:00Z", "2026-11-24T09:19:00+09:00")
    assert "records 1 to 20" in verify(tmp_path / "all", archive / "ledger.pub", check=True).stdout
    export(archive, tmp_path / "provider", tenant="_provider", start="2026-01-01T00:00:00Z", end="2027-01-01T00:00:00Z")
    assert "_provider: records 1 to 3" in verify(tmp_path / "provider", archive / "ledger.pub", check=True).stdout
    assert len(SCRIPT.read_text().splitlines()) <= 60


def test_what_is_not_signed_yet_is_said(archive, tmp_path):
    done = export(archive, tmp_path / "new", "2026-11-24T00:25:00Z", "2026-11-25T00:00:00Z")
    assert "not signed yet" in done.stderr
    done = verify(tmp_path / "new", archive / "ledger.pub")
    assert done.returncode == 3 and "NOT SIGNED YET: records 31 to 35" in done.stdout


def test_a_time_without_records_and_wrong_words(archive, tmp_path):
    assert export(archive, tmp_path / "x", "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", check=False).returncode == 1
    assert export(archive, tmp_path / "x", "yesterday", check=False).returncode == 2
    assert export(archive, tmp_path / "x", tenant="initech", check=False).returncode == 1
    assert not (tmp_path / "x").exists()


def edit(lines):
    lines[3] = lines[3].replace(b"user", b"USER")


def delete(lines):
    del lines[3]


def insert(lines):
    lines.insert(3, lines[3])


def swap(lines):
    lines[3], lines[4] = lines[4], lines[3]


def cut(lines):
    del lines[-1]


def cut_and_say_so(lines):
    del lines[-3:]
    head = json.loads(lines[0])
    head["last"] -= 3
    lines[0] = json.dumps(head).encode()


def spoil_the_signature(lines):
    record = json.loads(lines[-1])
    record["signature"] = ("B" if record["signature"][0] == "A" else "A") + record["signature"][1:]
    lines[-1] = json.dumps(record, separators=(",", ":")).encode()


def fit_the_links_again(lines):
    head, part = json.loads(lines[0]), lines[1:]
    part[2] = part[2].replace(b"user", b"USER")
    import hashlib
    prev = head["prev"]
    for i, line in enumerate(part):
        record = json.loads(line)
        record["prev"] = prev
        part[i] = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
        prev = hashlib.sha256(part[i]).hexdigest()
    lines[1:] = part


def another_tenant(lines):
    for i, line in enumerate(lines):
        lines[i] = line.replace(b'"tenant":"acme"', b'"tenant":"globex"').replace(b'"tenant": "acme"', b'"tenant": "globex"')


def no_json(lines):
    lines[3] = lines[3] + b"{}"


def escapes(lines):
    head = json.loads(lines[0])
    head["tenant"] = "\x1b[2J"
    lines[0] = json.dumps(head).encode()


@pytest.mark.parametrize("way", [edit, delete, insert, swap, cut, cut_and_say_so, spoil_the_signature, fit_the_links_again,
                                 another_tenant, no_json, escapes])
def test_the_script_finds_what_was_changed(archive, exported, way):
    lines = lines_of(exported)
    way(lines)
    put_lines(exported, lines)
    done = verify(exported, archive / "ledger.pub")
    assert done.returncode == (3 if way is cut_and_say_so else 1), done
    assert ("NOT SIGNED YET" if way is cut_and_say_so else "BAD: ") in done.stdout and "\x1b" not in done.stdout


def test_the_wrong_key_verifies_no_export(exported, tmp_path):
    theirs = Key(tmp_path, "theirs")
    assert verify(exported, theirs.public).returncode == 1
    assert verify(exported, exported).returncode == 1, "what is no key is no key"


def test_a_line_cut_in_the_middle_is_no_line(archive, exported):
    exported.write_bytes(exported.read_bytes()[:-20])
    assert verify(exported, archive / "ledger.pub").returncode == 1


def test_viewers_show_what_strangers_wrote_harmlessly(archive, tmp_path):
    """Escapes, control characters, marks that turn the direction, bytes that are no UTF-8: in every viewer."""
    ledger = shutil.copytree(archive / "ledger", tmp_path / "ledger")
    nasty = {"user": "\x1b]0;owned\x07\x9b31m", "client": "\u202ereversed", "reason": "a\nb\r\x00c"[:6]}
    chain = Chain(ledger, "hooli", None).record("session.open", session="00000000000000aa", **nasty)
    chain.record("operator.statement", session="00000000000000aa", number=1, kind="query\x1b[2J", sql="SELECT '\x1b[31m\x7f'")
    with open(chain.path, "ab") as log:
        log.write(b'{"n":3,"event":"\x1b[31m","user":"\xff\xfe"}\n')
    for words in (("show", "hooli"), ("replay", "00000000000000aa", "--tenant", "hooli"), ("verify", "hooli")):
        done = run(SEKISHOCTL, "-c", "/nonexistent", "audit", *words, "--dir", ledger, check=False, text=False)
        shown = done.stdout + done.stderr
        assert shown
        for bad in (b"\x1b", b"\x07", b"\x00", b"\x7f", b"\xff", "\x9b".encode(), "\u202e".encode(), b"\r"):
            assert bad not in shown, (words, bad)


def test_heads_are_posted_to_a_witness_who_must_take_them(archive):
    got, status = [], [204]

    class Witness(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(status[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Witness)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    words = (SEKISHOCTL, "-c", "/nonexistent", "audit", "witness", "--dir", archive / "ledger")
    url = f"http://127.0.0.1:{server.server_address[1]}/heads"
    try:
        assert run(*words, "--post", url).stdout == ""
        assert got == [("application/x-ndjson", run(*words).stdout)]
        heads = [json.loads(line) for line in got[0][1].splitlines()]
        assert [(h["tenant"], h["n"], h["checkpoint"]) for h in heads] == [("_provider", 3, 3), ("acme", 35, 30)]
        status[0] = 503
        refused = run(*words, "--post", url, check=False)
        assert refused.returncode == 1 and "answered with status 503" in refused.stderr
    finally:
        server.shutdown()
        server.server_close()
    assert run(*words, "--post", "http://192.0.2.1/heads", check=False).returncode == 1, "in the clear to loopback only"
