# SPDX-License-Identifier: ISC
"""Whoever can write the log's files changes it, in every way there is. `audit verify` names the first bad record, or the
comparison with what a witness kept does. The attacker knows the format, and has no key but one of their own.
"""
import hashlib
import json
import shutil

import pytest

from chains import Chain, Key, forge, lines_of, put_lines
from fleet import SEKISHOCTL, run


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """acme: 4 records, a checkpoint, 4 records, a checkpoint, and 3 records in a second file. globex: one file."""
    folder = tmp_path_factory.mktemp("original")
    key = Key(folder, "ledger")
    Chain(folder / "ledger", "acme", key).records(4).checkpoint().records(4).checkpoint().rotate().records(3)
    Chain(folder / "ledger", "globex", key).records(3).checkpoint().records(1)
    Chain(folder / "ledger", "_provider", key).records(2).checkpoint()
    return folder


@pytest.fixture
def log(original, tmp_path):
    return shutil.copytree(original / "ledger", tmp_path / "ledger")


@pytest.fixture
def ours(original):
    return original / "ledger.pub"


def ctl(*words, check=True, **more):
    return run(SEKISHOCTL, "-c", "/nonexistent", *words, check=check, **more)


def verdict(log, key, tenant="acme", *more):
    done = ctl("--json", "audit", "verify", tenant, "--dir", log, "--key", key, *more, check=False)
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["good"] else 1), done
    return found


def first(log):
    return log / "acme/00000001.jsonl"


def witness(log, tmp_path):
    heads = tmp_path / "heads"
    heads.write_text(ctl("audit", "witness", "--dir", log).stdout)
    return heads


def test_the_untouched_log_is_good(log, ours, tmp_path):
    found = verdict(log, ours)
    assert found["good"] and found["records"] == 13 and found["checkpoints"] == 2 and found["signed_to"] == 10
    assert ctl("audit", "verify", "--dir", log, "--key", ours).returncode == 0
    assert ctl("audit", "witness", "--dir", log, "--compare", witness(log, tmp_path)).returncode == 0


def edit(lines):
    lines[2] = lines[2].replace(b'"user 2"', b'"user 9"')
    return 3


def delete(lines):
    del lines[2]
    return 3


def insert(lines):
    forged = json.loads(lines[2])
    forged["user"] = "nobody"
    lines.insert(3, json.dumps(forged, separators=(",", ":")).encode())
    return 4


def swap(lines):
    lines[2], lines[3] = lines[3], lines[2]
    return 3


def duplicate(lines):
    lines.insert(3, lines[2])
    return 4


def edit_a_checkpoint(lines):
    lines[4] = lines[4].replace(b'T00:05:00', b'T00:04:00')
    return 5


WAYS = [edit, delete, insert, swap, duplicate]


@pytest.mark.parametrize("way", [*WAYS, edit_a_checkpoint])
def test_a_changed_line_is_named_with_its_file(log, ours, way):
    lines = lines_of(first(log))
    record = way(lines)
    put_lines(first(log), lines)
    found = verdict(log, ours)
    assert not found["good"] and found["bad_record"] == record and found["why"], found
    assert (found["file"], found["line"]) == (1, record)
    shown = ctl("audit", "verify", "acme", "--dir", log, "--key", ours, check=False).stdout
    assert f"record {record}: " in shown and f"(00000001.jsonl, line {record})" in shown
    assert verdict(log, ours, "globex")["good"], "the others are good"


@pytest.mark.parametrize("way", WAYS)
def test_with_links_that_fit_again_the_signature_does_not(log, ours, way):
    """The checkpoint behind the change covers it, and nobody but the ledger can sign another."""
    lines = lines_of(first(log))
    way(lines)
    forge(lines, 0)
    put_lines(first(log), lines)
    (log / "acme/00000002.jsonl").unlink()
    found = verdict(log, ours)
    assert not found["good"] and found["why"] == "the checkpoint's signature is wrong", found
    assert found["bad_record"] == [i for i, line in enumerate(lines, 1) if b"ledger.checkpoint" in line][0]


def test_a_chain_signed_by_the_attackers_own_key_is_none(log, ours, tmp_path):
    theirs = Key(tmp_path, "theirs")
    shutil.rmtree(log / "acme")
    Chain(log, "acme", theirs).records(4).checkpoint().records(4)
    found = verdict(log, ours)
    assert not found["good"] and found["bad_record"] == 5
    assert found["why"] == "the checkpoint is signed by a key that is not the given one"


def test_the_attackers_signature_under_the_ledgers_name_is_none(log, ours, original, tmp_path):
    theirs = Key(tmp_path, "theirs")
    theirs.id = json.loads(lines_of(first(log))[4])["key"]
    shutil.rmtree(log / "acme")
    Chain(log, "acme", theirs).records(4).checkpoint().records(4)
    found = verdict(log, ours)
    assert not found["good"] and found["why"] == "the checkpoint's signature is wrong"


def test_the_wrong_key_never_verifies_anything(log, tmp_path):
    theirs = Key(tmp_path, "theirs")
    for tenant in ("acme", "globex", "_provider"):
        assert not verdict(log, theirs.public, tenant)["good"]
    Chain(log, "initech", theirs).records(3)
    found = verdict(log, theirs.public, "initech")
    assert not found["good"] and "no checkpoint of that key" in found["why"], "nor a chain that nobody signed"
    no_key = tmp_path / "no.pub"
    no_key.write_text("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n")
    assert ctl("audit", "verify", "--dir", log, "--key", no_key, check=False).returncode == 3


def test_a_checkpoint_of_another_place_is_none_here(log, ours):
    """The earlier signature copied behind the later records, with links that fit."""
    lines = lines_of(first(log))
    early, late = json.loads(lines[4]), json.loads(lines[9])
    late["signature"] = early["signature"]
    lines[9] = json.dumps(late, separators=(",", ":")).encode()
    put_lines(first(log), lines)
    (log / "acme/00000002.jsonl").unlink()
    found = verdict(log, ours)
    assert not found["good"] and found["bad_record"] == 10


def test_a_line_moved_to_another_tenant_is_named(log, ours):
    lines = lines_of(log / "globex/00000001.jsonl")
    lines[1] = lines_of(first(log))[1]
    put_lines(log / "globex/00000001.jsonl", lines)
    found = verdict(log, ours, "globex")
    assert not found["good"] and found["bad_record"] == 2 and "not globex's" in found["why"]


def test_another_tenants_whole_log_is_named(log, ours):
    shutil.rmtree(log / "globex")
    shutil.copytree(log / "acme", log / "globex")
    assert verdict(log, ours, "globex")["bad_record"] == 1
    lines = [line.replace(b'"tenant":"acme"', b'"tenant":"globex"') for line in lines_of(first(log))]
    forge(lines, 0)
    shutil.rmtree(log / "globex")
    (log / "globex").mkdir()
    put_lines(log / "globex/00000001.jsonl", lines)
    found = verdict(log, ours, "globex")
    assert found["bad_record"] == 5 and found["why"] == "the checkpoint's signature is wrong"


def test_a_file_taken_out_is_missed(log, ours):
    first(log).unlink()
    found = verdict(log, ours)
    assert not found["good"] and "no record says that they were deleted" in found["why"]


def test_a_file_taken_out_of_the_middle_is_missed(tmp_path):
    chain = Chain(tmp_path / "log", "acme", Key(tmp_path, "other"))
    for _ in range(3):
        chain.records(2).checkpoint().rotate()
    chain.records(1)
    assert verdict(tmp_path / "log", tmp_path / "other.pub")["good"]
    (tmp_path / "log/acme/00000002.jsonl").unlink()
    found = verdict(tmp_path / "log", tmp_path / "other.pub")
    assert not found["good"] and "files are missing" in found["why"]


def cut_lines(log):
    put_lines(log / "acme/00000002.jsonl", lines_of(log / "acme/00000002.jsonl")[:1])
    return "the log ends at record 11"


def cut_a_file(log):
    (log / "acme/00000002.jsonl").unlink()
    return "the log ends at record 10"


def older_folder(log):
    cut_a_file(log)
    put_lines(first(log), lines_of(first(log))[:5])
    return "the log ends at record 5"


def empty_file(log):
    (log / "acme/00000002.jsonl").unlink()
    first(log).write_bytes(b"")
    return "is not there"


def no_folder(log):
    shutil.rmtree(log / "acme")
    return "there is no such log"


def newest_changed(log):
    lines = lines_of(log / "acme/00000002.jsonl")
    lines[-1] = lines[-1].replace(b"user", b"USER")
    put_lines(log / "acme/00000002.jsonl", lines)
    return "another one, or was changed"


@pytest.mark.parametrize("way", [cut_lines, cut_a_file, older_folder, empty_file, no_folder, newest_changed])
def test_what_links_cannot_tell_the_witness_can(log, tmp_path, way):
    heads = witness(log, tmp_path)
    said = way(log)
    done = ctl("audit", "witness", "--dir", log, "--compare", heads, check=False)
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("acme: ") and said in line], done.stdout
    assert "globex: 5 records, chain good" in done.stdout


def test_records_after_the_witness_are_checked_from_there(log, ours, original, tmp_path):
    heads = witness(log, tmp_path)
    chain = Chain.__new__(Chain)
    chain.name, chain.folder, chain.key, chain.file, chain.n = "acme", log / "acme", None, 2, 13
    chain.prev = hashlib.sha256(lines_of(chain.path)[-1]).hexdigest()
    chain.records(3)
    found = verdict(log, ours, "acme", "--from", heads)
    assert found["good"] and found["first"] == 13 and found["records"] == 16
    point = json.loads(heads.read_text().splitlines()[1])
    assert point["tenant"] == "acme"
    assert verdict(log, ours, "acme", "--from", f"{point['n']}:{point['hash']}")["good"]
    assert not verdict(log, ours, "acme", "--from", f"12:{point['hash']}")["good"]
    assert not verdict(log, ours, "acme", "--from", f"99:{point['hash']}")["good"]
    lines = lines_of(chain.path)
    lines[4] = lines[4].replace(b"user", b"USER")
    put_lines(chain.path, lines)
    found = verdict(log, ours, "acme", "--from", heads)
    assert not found["good"] and found["bad_record"] == 15 and (found["file"], found["line"]) == (2, 5)


def test_a_log_that_ends_its_reader_is_not_good_and_hides_no_other(log, ours):
    """Not JSON, no line at all, a line without end, a folder for a file: each is one bad chain."""
    for name, content in (("hooli", b"\xff\xfe\n"), ("initech", b"x" * 200000), ("umbrella", b"[" * 5000 + b"\n")):
        (log / name).mkdir()
        (log / name / "00000001.jsonl").write_bytes(content)
    (log / "wayne/00000001.jsonl").mkdir(parents=True)
    done = ctl("--json", "audit", "verify", "--dir", log, "--key", ours, "--jobs", "3", check=False)
    found = {o["tenant"]: o["good"] for o in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert found == {"_provider": True, "acme": True, "globex": True, "hooli": False, "initech": False, "umbrella": False,
                     "wayne": False}
    assert list(found) == sorted(found), "in the order of their names"
