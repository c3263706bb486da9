# SPDX-License-Identifier: ISC
"""docs/break-glass.md: every command of the guide, from its first to its last, as the four people run them."""
import os
import pathlib
import re
import subprocess

import pytest

from fleet import SEKISHOCTL, until

GUIDE = (pathlib.Path(__file__).parents[2] / "docs/break-glass.md").read_text()
PLACEHOLDERS = {"0123456789abcdef": "grant", "fedcba9876543210": "session", "89abcdef01234567": "lock",
                "76543210fedcba98": "standing"}


def commands():
    """(line, command, whether it is refused) of every block of shell."""
    inside = False
    for number, line in enumerate(GUIDE.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```sh"
        elif inside:
            yield number, line.removesuffix(" # refused"), line.endswith(" # refused")


class Reader:
    """Somebody who does what the guide says, with everybody's files in one folder, and the administrator beside them."""

    def __init__(self, company):
        self.company, self.home = company, company.fleet.folder / "guide"
        self.home.mkdir()
        acme = company.acme
        acme.sql("CREATE DATABASE shop OWNER app")
        acme.sql("CREATE TABLE orders (n int); INSERT INTO orders VALUES (1); ALTER TABLE orders OWNER TO app", "shop")
        acme.sql("CREATE ROLE dana LOGIN PASSWORD 'her own'")
        company.ctl("tenant", "provision", "acme", "--admin", acme.admin)
        company.ctl("tenant", "set", "acme", "--admins", "dana")
        for name in ("bob", "carol"):
            company.certify(name)
            company.ctl("operator", "add", name)
        ca = company.fleet.authority.crt
        entries = [f"[{who}]\nhost=acme.ops.test\nport={company.port}\nuser={who}\ndbname=shop\nsslcert={company.folder}/{who}.crt\n"
                   f"sslkey={company.folder}/{who}.key\n" for who in ("alice", "bob", "carol")]
        entries.append(f"[acme]\nhost=acme.db.test\nport={company.proxy.port}\nuser=dana\npassword=her own\ndbname=sekisho\n")
        (self.home / "services").write_text("\n".join(
            f"{entry}hostaddr=127.0.0.1\nsslmode=verify-full\nsslrootcert={ca}\n" for entry in entries))
        self.environment = {**os.environ, "PGSERVICEFILE": str(self.home / "services"), "SEKISHO_CONF": str(company.proxy.conf),
                            "PATH": f"{SEKISHOCTL.parent}:{os.environ['PATH']}"}

    def value(self, what):
        """What a placeholder stands for at this point of the story."""
        if what == "grant":
            return self.company.ctl_json("grant", "list")[-1]["grant"]
        if what == "session":
            return [r["session"] for r in self.company.proxy.records("acme", "session.open") if r.get("grant")][0]
        if what == "lock":
            return self.company.ctl_json("lock", "list")[-1]["lock"][:16]
        return self.company.ctl_json("standing", "list", "--tenant", "acme")[-1]["standing"][:16]

    def run(self, command):
        for placeholder, what in PLACEHOLDERS.items():
            if placeholder in command:
                command = command.replace(placeholder, self.value(what))
        return subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=self.home, env=self.environment, text=True,
                              capture_output=True, timeout=60)

    def follows(self, command, refused):
        """Runs it, again while the proxy has not yet heard of the line before."""
        last = []

        def as_said():
            last[:] = [self.run(command)]
            return (last[0].returncode != 0) == refused
        if command.startswith("psql service=alice"):
            until(as_said, f"as the guide says: {command}: {last}", 10, 0.2)
        else:
            assert as_said(), (command, last[0].stdout, last[0].stderr)
        return last[0]


def test_every_command_of_the_guide(company):
    reader = Reader(company)
    said, ran = {}, 0
    for number, command, refused in commands():
        said[number] = reader.follows(command, refused)
        ran += 1
        made = re.match(r"sekishoctl key generate (\w+)", command)
        if made:  # the administrator believes it
            company.trust_file(made[1], (reader.home / f"{made[1]}.key").read_text())
            until(lambda: [r for log in ("acme", "_provider") for r in company.proxy.records(log, "grant.change", action="key added")
                           if f"of {made[1]}," in r["detail"]], f"{made[1]}'s key counts")
    assert ran > 40
    output = "\n".join(done.stdout + done.stderr for done in said.values())
    for words in ("sekishoctl grant request --tenant acme --database shop", "permission denied", "Signature Verified Successfully",
                  "CASE-1234", "orders are missing since noon"):
        assert words in output, words
    the_hint_is_a_command(reader, re.search(r"HINT:  (sekishoctl grant request .*)", output)[1].replace("TICKET", "CASE-7"))


def the_hint_is_a_command(reader, hint):
    """Pasted on a machine without a configuration: told how to reach the proxy, and then it is reached."""
    del reader.environment["SEKISHO_CONF"]
    reader.environment["SEKISHO_KEY"] = str(reader.home / "alice.pem")
    if not pathlib.Path("/etc/sekisho/sekisho.conf").exists():
        assert "--service" in reader.run(hint).stderr
    reader.environment["SEKISHO_SERVICE"] = "alice"
    done = reader.run(hint)
    assert done.returncode == 0 and "state      requested" in done.stdout, done


@pytest.mark.parametrize("line", [line for line in GUIDE.splitlines() if re.match(r"\| `[a-z-]+` \| (operator|(provider|tenant)-approver)[a-z, -]* \| `", line)])
def test_the_table_of_kinds_is_the_tables(line):
    """The guide's table says what policy/statements.def declares."""
    kind, signers, lines = [re.findall(r"[a-z-]+", cell) for cell in line.strip("|").split("|")]
    declared = re.search(rf'^STATEMENT\(\w+, "{kind[0]}", ([^,]+), ([^)]+)\)',
                         (pathlib.Path(__file__).parents[2] / "policy/statements.def").read_text(), re.M)
    assert [s.removeprefix("TRUST_").lower().replace("_", "-") for s in declared[1].split(" | ")] == signers
    assert [k.strip().removeprefix("KEY_").lower().replace("_", "-") for k in declared[2].split(",")] == lines
