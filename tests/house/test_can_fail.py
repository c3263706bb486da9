# SPDX-License-Identifier: ISC
"""Each check of the house, on a copy of the tree in which one thing is wrong: it must say so."""
import functools
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from house import BIN, ROOMS, ROOT, name

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the sources; every test puts back what it changed."""
    copy = tmp_path_factory.mktemp("tree") / "sekisho"
    skip = shutil.ignore_patterns("build", ".git", "__pycache__", "node_modules", "corpus")
    shutil.copytree(ROOT, copy, ignore=skip)
    return copy


@pytest.fixture
def binaries(tmp_path):
    """The build folder as links, so that one library can be another."""
    copy = tmp_path / "bin"
    for room in ROOMS:
        (copy / room).mkdir(parents=True, exist_ok=True)
        for path in (BIN / room).iterdir():
            if path.suffix == ".a" or path.name in ("sekisho", "sekisho-session", "sekishoctl"):
                (copy / room / path.name).symlink_to(path)
    (copy / "ctl/CMakeFiles/sekishoctl.dir").mkdir(parents=True)
    for path in (BIN / "ctl/CMakeFiles/sekishoctl.dir").glob("*.o"):
        (copy / "ctl/CMakeFiles/sekishoctl.dir" / path.name).symlink_to(path)
    return copy


def complaints(script, tree, binaries=BIN):
    environment = dict(os.environ, SEKISHO_SOURCE=str(tree), SEKISHO_BIN=str(binaries))
    done = subprocess.run([sys.executable, "-B", HERE / f"{script}.py"], capture_output=True, text=True, env=environment)
    assert done.stderr == ""
    assert done.returncode in (0, 1)
    return done.stdout.splitlines() if done.returncode == 1 else []


@functools.cache
def known_complaints(script, tree):
    """What the check says of the copy as it came."""
    return complaints(script, tree)


def expect(script, tree, path, change, words):
    """After the change of one file the check says something with these words in it that it does not say before."""
    file = tree / path
    before = file.read_text() if file.exists() else None
    known = known_complaints(script, tree)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(change(before))
    try:
        new = [line for line in complaints(script, tree) if line not in known]
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before)
    assert [line for line in new if words in line], f"{script} found only: {new}"


def after(more):
    return lambda text: text + more


HEAD = "/* SPDX-License-Identifier: ISC\n *\n * A planted file.\n */\n"


@pytest.mark.parametrize("path, line, words", [
    ("auth/planted.c", '#include "directory.h"', "auth may not include directory.h of policy"),
    ("base/planted.h", '#include "scram.h"', "base may not include scram.h of auth"),
    ("audit/planted.c", '#include "address.h"', "audit may not include address.h of auth"),
    ("proxy/wire/planted.c", '#include "session.h"', "proxy/wire may not include session.h of proxy"),
    ("policy/planted.c", '#include "record.h"', "policy may not include record.h of audit"),
    ("proxy/planted.c", '#include "channel.h"', "proxy may not include channel.h of proxy/run"),
    ("ctl/planted.c", '#include "message.h"', "ctl may not include message.h of proxy/wire"),
    ("ctl/planted.c", '#include "nowhere.h"', "no room has nowhere.h"),
])
def test_a_wrong_include(tree, path, line, words):
    expect("layers", tree, path, lambda _: f"{HEAD}{line}\n", words)


def test_a_header_of_two_rooms(tree):
    expect("layers", tree, "proxy/bytes.h", lambda _: HEAD, "bytes.h exists in base and in proxy")


@pytest.mark.parametrize("room, source, body, words", [
    ("auth", "planted", "extern int snapshot_new(void); int f(void) { return snapshot_new(); }", "calls snapshot_new of policy"),
    ("proxy/wire", "planted", "extern int session_new(void); int f(void) { return session_new(); }", "calls session_new of proxy"),
    ("auth", "planted", "#include <time.h>\nlong f(void) { return time(0); }", "is pure and calls time"),
    ("auth", "planted", "extern int clock_now(void); int f(void) { return clock_now(); }", "is pure and calls clock_now"),
    ("proxy/wire", "planted", "#include <unistd.h>\nlong f(void *p) { return read(0, p, 1); }", "is pure and calls read"),
    ("proxy", "planted", "extern int SSL_read(void); int f(void) { return SSL_read(); }", "only proxy/stream.c may"),
    ("proxy", "planted", "#include <sys/socket.h>\nint f(void) { return socket(1, 1, 0); }", "calls socket; only"),
    ("proxy/run", "planted", "#include <sys/socket.h>\nlong f(struct msghdr *m) { return sendmsg(0, m, 0); }",
     "calls sendmsg; only proxy/run/channel.c may"),
    ("proxy/run", "cell_planted", "#include <fcntl.h>\nint f(void) { return open(\"/etc/passwd\", 0); }", "calls open; only"),
    ("base", "planted", "#include <string.h>\nchar *f(char *a, char *b) { return strtok(a, b); }", "calls strtok; only nobody may"),
])
def test_a_wrong_call(tree, binaries, tmp_path, room, source, body, words):
    file = tmp_path / f"{source}.c"
    file.write_text(f"{body}\n")
    # As the rooms' own objects are called: source.c.o.
    subprocess.run(["cc", "-w", "-fno-builtin", "-c", file, "-o", tmp_path / f"{source}.c.o"], check=True)
    known = known_complaints("symbols", tree)
    library = next((binaries / room).glob("*.a"))
    original = library.resolve()
    library.unlink()
    shutil.copy(original, library)
    subprocess.run(["ar", "rc", library, tmp_path / f"{source}.c.o"], check=True)
    new = [line for line in complaints("symbols", tree, binaries) if line not in known]
    assert [line for line in new if words in line and source in line], new


@pytest.mark.parametrize("program, instead, words", [
    ("sekisho-session", "sekisho", "sekisho-session loads libcurl"),
    ("sekisho-session", "sekisho", "sekisho-session has broker_main of the other program"),
    ("sekisho-session", "sekisho", "sekisho-session lacks cell_main"),
    ("sekisho", "sekisho-session", "sekisho has gate_main of the other program"),
])
def test_a_program_with_too_much_in_it(tree, binaries, program, instead, words):
    place = binaries / "proxy/run" / program
    place.unlink()
    place.symlink_to(BIN / "proxy/run" / instead)
    assert [line for line in complaints("lean", tree, binaries) if words in line]


def test_a_file_too_long(tree):
    expect("caps", tree, "base/text.c", after("\n" * 600), "base/text.c: ")


def test_a_function_too_long(tree):
    body = "\n".join(f"    n += {i};" for i in range(90))
    planted = f"\nint planted(int n) {{\n{body}\n    return n;\n}}\n"
    expect("caps", tree, "base/clock.c", after(planted), "a function of 93 lines")


def test_a_function_too_long_with_a_long_signature(tree):
    body = "\n".join(f"    n += {i};" for i in range(90))
    planted = f"\nstatic struct view planted(int n,\n                           int m) {{\n{body}\n}}\n"
    expect("caps", tree, "base/clock.c", after(planted), "a function of 93 lines")


def test_a_magic_twice(tree):
    expect("magics", tree, "base/planted.h", lambda _: f"{HEAD}#define PLANTED_MAGIC 0x5ec10001u\n", "has the value of PLANTED_MAGIC")


def test_a_magic_that_is_computed(tree):
    expect("magics", tree, "base/planted.h", lambda _: f"{HEAD}#define PLANTED_MAGIC (1 + 2)\n", "no plain hexadecimal number")


@pytest.mark.parametrize("path, more, words", [
    ("auth/address.c", "/* TO" "DO: the rest */\n", "TO" "DO"),
    ("docs/operations.md", "FIX" "ME\n", "FIX" "ME"),
    ("ctl/say.c", "char *f(char *a, char *b) { return strcpy (a, b); }\n", "strcpy cannot be bounded"),
    ("ctl/say.c", "typedef struct planted planted;\n", "a typedef that is no function type"),
])
def test_a_wrong_word(tree, path, more, words):
    expect("words", tree, path, after(more), words)


def test_what_a_comment_says_of_an_unsafe_call_is_no_call(tree):
    file = tree / "ctl/say.c"
    before = file.read_text()
    file.write_text(before + "/* never strcpy(a, b) */\n")
    try:
        assert not [line for line in complaints("words", tree) if "strcpy" in line]
    finally:
        file.write_text(before)


def test_a_c_file_without_licence(tree):
    expect("words", tree, "base/text.c", lambda text: text.split("\n", 1)[1], "does not begin with")


def test_a_c_file_without_visiting_card(tree):
    expect("words", tree, "base/planted.c", lambda _: "/* SPDX-License-Identifier: ISC */\n", "no visiting card")


def test_a_stale_sample(tree):
    expect("fresh", tree, "conf/sekisho.conf", lambda text: text.replace("30s", "31s", 1), "conf/sekisho.conf is stale")


def test_a_stale_manual(tree):
    expect("fresh", tree, "docs/man/sekisho.conf.5", lambda text: text.replace(".It Ic domain", ".It Ic domains"), "is stale")


def test_a_table_of_numbers_that_is_stale(tree):
    expect("fresh", tree, "proxy/stats.def", lambda text: text.replace("Sessions there are now", "Sessions"), "docs/operations.md is stale")


@pytest.mark.parametrize("path, old, new, words", [
    ("conf/grafana/sekisho.json", "sekisho_grants_active", "sekisho_grants_held", "there is no number sekisho_grants_held"),
    ("conf/grafana/sekisho.json", "sekisho_grants_active", "sekisho_tenants", "shows nothing of sekisho_grants_active"),
    ("conf/grafana/sekisho.json", "{", "", "sekisho.json: "),
    ("conf/prometheus/sekisho.rules.yml", "sekisho_ledger_healthy", "sekisho_ledger_well", "there is no number sekisho_ledger_well"),
    ("conf/prometheus/sekisho.rules.yml", "wrong password", "wrong passwort", "there is no reason wrong passwort"),
    ("conf/prometheus/sekisho.rules.yml", "_seconds_bucket", "_seconds", "is a histogram"),
])
def test_a_sample_of_nothing(tree, path, old, new, words):
    expect("metrics", tree, path, lambda text: text.replace(old, new, 1), words)


@pytest.mark.parametrize("path, more, words", [
    ("README.md", "```sh\nsudo -u sekisho sekishoctl tenant invite acme\n```\n", "has no command tenant invite"),
    ("README.md", "```sh\nsekishoctl -c /x tenant set acme --alow 1.2.3.4/32\n```\n", "tenant set has no option --alow"),
    ("README.md", "`sekisho --chek`\n", "sekisho has no option --chek"),
    ("README.md", "`./run tests`\n", "./run has no command tests"),
    ("docs/architecture.md", "see `proxy/run/kitchen.c`\n", "there is no proxy/run/kitchen.c"),
    ("docs/architecture.md", "[guide](kitchen.md)\n", "there is no kitchen.md"),
    ("docs/controls.md", "| 1 | a | b | `tests/e2e/test_ledger.py::test_nothing_of_the_kind` |\n", "has no test test_nothing_of_the_kind"),
    ("docs/controls.md", "| 1 | a | b | sure |\n", "1 has neither a test"),
    ("audit/events.def", 'EVENT(PLANTED, "planted.event", AUDIT_CELL, "nothing")\n', "says nothing about `planted.event`"),
    ("ctl/commands.def", 'COMMAND(SETUP, "planted", "", NEED_NOTHING, ctl_planted, "nothing", "")\n', "sekishoctl.1: lacks planted"),
])
def test_a_document_that_is_not_true(tree, path, more, words):
    expect("documents", tree, path, after(more), words)


@pytest.mark.parametrize("old, new, words", [
    ("sha256sum", "sha1sum", "for a good chain"),
    ("-r '", "-R '", "for a void end"),
    ('[ "$(jq', 'true || [ "$(jq', "for a changed record 3"),
])
def test_a_recipe_that_does_not_work(tree, old, new, words):
    def change(text):
        before, recipes = text.split("```bash\n", 1)
        return f"{before}```bash\n{recipes.replace(old, new, 1)}"
    expect("recipe", tree, "docs/audit.md", change, words)


@pytest.mark.parametrize("path, old, new, words", [
    ("docs/architecture.md", "| gate | `session_user` | **none** |", "| gate | `session_user` | all |", "is stale"),
    ("proxy/run/sandbox.def", 'PROCESS("gate"', 'PROCESS("gates"', "gate is a process without a row"),
    ("proxy/run/sandbox.def", 'channels sockets", "", 64', 'channels socket", "", 64', "operator has socket, which is no set"),
])
def test_a_process_that_is_confined_otherwise(tree, path, old, new, words):
    expect("confinement", tree, path, lambda text: text.replace(old, new, 1), words)


def test_every_check_is_entered(tree):
    scripts = {name(path).rsplit("/", 1)[1].removesuffix(".py") for path in ROOT.glob("tests/house/*.py")}
    entered = (HERE / "CMakeLists.txt").read_text().split("foreach(check ")[1].split(")")[0].split()
    assert scripts - {"house", "test_can_fail"} == set(entered)
