# SPDX-License-Identifier: ISC
"""The documents name only what exists: commands and their options, files, tests; and every event and reason of the
session log, and every command, is in the document that has to explain it.
"""
import functools
import re
import shlex
import subprocess

from house import ROOT, SEKISHO, SEKISHOCTL, name, run

DOCUMENTS = ["README.md", "SECURITY.md", "docs/architecture.md", "docs/operations.md", "docs/audit.md", "docs/break-glass.md",
             "docs/controls.md", "docs/threat-model.md", "bench/README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
INLINE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
TEST = re.compile(r"(tests/[\w/]+\.(?:py|c))::(\w+)")
OURS = ("base/", "auth/", "audit/", "policy/", "proxy/", "ctl/", "conf/", "docs/", "tests/", "cmake/", "bench/")


@functools.cache
def help_of(program, *words):
    """What --help says, or None when there is no such command."""
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


@functools.cache
def command_table():
    """The words of every command, from the table they are made of."""
    text = (ROOT / "ctl/commands.def").read_text()
    return re.findall(r'^COMMAND\((\w+), "([^"]+)"', text, re.M)


def commands_in(text):
    """Every simple command of a shell text whose program is one of ours: (program, words)."""
    text = re.sub(r"\\\n\s*", " ", text)
    for line in text.splitlines():
        lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = []
        try:
            tokens = [*lexer, ";"]
        except ValueError:
            continue
        for token in tokens:
            if set(token) <= set("();<>|&"):
                if token[0] not in "<>":
                    yield from ours(words)
                    words = []
            else:
                words.append(token)


def ours(words):
    """The command without what stands before it: assignments and sudo."""
    while words and (re.match(r"\w+=", words[0]) or words[0] in ("sudo", "-u")):
        words = words[2:] if words[0] == "-u" else words[1:]
    if words and words[0] in ("sekisho", "sekishoctl"):
        yield words[0], words[1:]
    elif words and words[0] == "./run":
        yield "run", words[1:]


def check_sekishoctl(where, words):
    while words and words[0].startswith("-"):
        known = {"-c": 2, "--config": 2, "--host": 2, "--service": 2, "--json": 1, "--help": 1, "--version": 1}
        if words[0] not in known:
            yield f"{where}: sekishoctl has no option {words[0]}"
            return
        words = words[known[words[0]]:]
    if not words:
        return
    found = [c for _, c in command_table() if words[:len(c.split())] == c.split()]
    if not found:
        if words[1:] != ["--help"]:
            yield f"{where}: sekishoctl has no command {' '.join(words[:2])}"
        return
    text = help_of(SEKISHOCTL, *found[0].split()) or ""
    for word in words:
        option = word.split("=")[0]
        if option.startswith("--") and option not in ("--help", "--json") and option not in text.replace("]", " ").split():
            yield f"{where}: sekishoctl {found[0]} has no option {option}"


def check_command(where, program, words):
    if program == "sekishoctl":
        yield from check_sekishoctl(where, words)
    elif program == "sekisho":
        text = help_of(SEKISHO) if SEKISHO.exists() else (ROOT / "proxy/run/main.c").read_text()
        for word in words:
            if word.startswith("-") and word not in text.replace(",", " ").replace("]", " ").replace("[", " ").split():
                yield f"{where}: sekisho has no option {word}"
    else:
        text = (ROOT / "run").read_text()
        if words and not re.search(rf"^  {re.escape(words[0])} ", text, re.M):
            yield f"{where}: ./run has no command {words[0]}"


def check_commands(document, text):
    for fence in FENCE.finditer(text):
        number = text[:fence.start()].count("\n") + 2
        if fence[1] in ("sh", "bash"):
            for program, words in commands_in(fence[2]):
                yield from check_command(f"{document}:{number}", program, words)
    for number, line in enumerate(FENCE.sub(lambda m: "\n" * m[0].count("\n"), text).splitlines(), 1):
        for code in INLINE.finditer(line):
            for program, words in commands_in(code[1]):
                yield from check_command(f"{document}:{number}", program, words)


def exists(path):
    return any(True for _ in ROOT.glob(path.rstrip("/")))


def check_files(document, text):
    prose = FENCE.sub(lambda m: "\n" * m[0].count("\n"), text)
    for number, line in enumerate(prose.splitlines(), 1):
        for code in INLINE.finditer(line):
            path = code[1].split("::")[0]
            if path.startswith(OURS) and re.fullmatch(r"[\w./*-]+", path) and not exists(path):
                yield f"{document}:{number}: there is no {path}"
        for link in re.finditer(r"\]\(([^)#]+)(?:#[^)]*)?\)", line):
            target = (ROOT / document).parent / link[1]
            if "://" not in link[1] and not target.exists():
                yield f"{document}:{number}: there is no {link[1]}"


def check_tests(document, text):
    for number, line in enumerate(text.splitlines(), 1):
        for path, test in TEST.findall(line):
            if not exists(path):
                continue  # said already
            source = (ROOT / path).read_text()
            if not re.search(rf"^(def {test}\(|Test\(\w+, {test}[,)])", source, re.M):
                yield f"{document}:{number}: {path} has no test {test}"


def check_controls(text):
    """A row that claims a feature names its proof, or says that there is none yet."""
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("|-", "| section"))]
    if len(rows) < 20:
        yield f"docs/controls.md: only {len(rows)} rows were found"
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) != 4:
            yield f"docs/controls.md: a row of {len(cells)} cells: {row[:60]}"
        elif not TEST.search(cells[3]) and "Planned" not in cells[3] and "Document" not in cells[3]:
            yield f"docs/controls.md: {cells[0]} has neither a test, nor is it said to be planned or a document"


def check_vocabulary():
    """What the log can say is explained to those who read it."""
    guide = " ".join((ROOT / "docs/operations.md").read_text().split())
    for path, macro in (("audit/events.def", "EVENT"), ("proxy/close_reasons.def", "CLOSE"), ("policy/refusals.def", "REFUSAL")):
        for word in re.findall(rf'^{macro}\(\w+, "([^"]+)"', (ROOT / path).read_text(), re.M):
            if word != "none" and f"`{word}`" not in guide:
                yield f"docs/operations.md: says nothing about `{word}` of {path}"


def check_manual():
    """sekishoctl(1) has every command and every option, and no other."""
    text = (ROOT / "docs/man/sekishoctl.1").read_text()
    there = set(re.findall(r"^\.It Ic ([a-z]+(?: [a-z]+)?)", text, re.M))
    commands = {words for group, words in command_table() if group != "HIDDEN"}
    for words in sorted(commands ^ there):
        yield f"docs/man/sekishoctl.1: {'lacks' if words in commands else 'has, and the program has not,'} {words}"
    for words in sorted(commands):
        for option in re.findall(r"^  --([\w-]+)", help_of(SEKISHOCTL, *words.split()) or "", re.M):
            if not re.search(rf"\bFl -{option}\b", text):
                yield f"docs/man/sekishoctl.1: lacks --{option} of {words}"


def check():
    for document in DOCUMENTS:
        text = (ROOT / document).read_text()
        yield from check_commands(document, text)
        yield from check_files(document, text)
        yield from check_tests(document, text)
    yield from check_controls((ROOT / "docs/controls.md").read_text())
    yield from check_vocabulary()
    yield from check_manual()


if __name__ == "__main__":
    run(check)
