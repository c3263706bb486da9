# SPDX-License-Identifier: ISC
"""The tables of confinement in docs/architecture.md are those of proxy/run/sandbox.def; every process of ours has a row,
and what a row names exists.

`confinement.py --write` writes the tables anew.
"""
import re
import sys

from house import ROOT, name, run

DEFINITION = ROOT / "proxy/run/sandbox.def"
DOCUMENT = ROOT / "docs/architecture.md"
BEGIN = "<!-- Made from proxy/run/sandbox.def; tests/house/confinement.py --write renews it. -->\n"
END = "<!-- End of what is made. -->\n"
USERS = {"USER_KEPT": "as started", "USER_SESSION": "`session_user`", "USER_BROKER": "`broker_user`", "USER_LEDGER": "`ledger_user`"}
RIGHTS = {"r": "read", "w": "write", "s": "make a socket"}


def rows(macro):
    """The arguments of each use of the macro, as text; adjacent strings are one."""
    text = re.sub(r"/\*.*?\*/", "", DEFINITION.read_text(), flags=re.S)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    for found in re.finditer(rf"^{macro}\((.*?)\)$", text, re.M | re.S):
        joined = re.sub(r'"\s*"', "", found[1])
        yield [part.strip().strip('"') for part in re.split(r',\s*(?![^"]*"(?:[^"]*"[^"]*")*[^"]*$)(?![^()]*\))', joined)]


def processes():
    """role -> (user, sets, places, descriptors, megabytes, processes)"""
    return {row[0]: row[1:] for row in rows("PROCESS")}


def sets():
    return {row[0]: row[1].split() for row in rows("CALLS")}


def limits():
    """label -> [(call, argument, comparison, a, b, action)]"""
    found = {}
    for row in rows("LIMIT"):
        found.setdefault(row[0], []).append(row[1:])
    return found


def places():
    found = {}
    for place, kind, what in rows("PLACE"):
        form = {"PLACE_PARENT": "folder of `{}`", "PLACE_SIGNING": "`ledger.key` in `{}`"}.get(kind, "`{}`")
        found.setdefault(place, []).append(form.format(what))
    return found


def allowed(role, sanitized=False):
    """Names of all system calls that a process of that role may make in some shape."""
    shapes, found = limits(), set()
    for one in [*processes()[role][1].split(), *(["sanitizers"] if sanitized else [])]:
        for word in sets().get(one, [one]):
            found |= {shape[0] for shape in shapes[word]} if word in shapes else {word}
    return found


def files(text):
    if text == "everything":
        return "all"
    words = [word.split(":") for word in text.split()]
    return "; ".join(f"{place}: {', '.join(RIGHTS[letter] for letter in letters)}" for place, letters in words) or "**none**"


def number(text, unit=""):
    return f"{text}{unit}" if text not in ("0", "-1") else "the system's"


def shape(call, argument, comparison, a, b, action):
    if argument == "-1":
        condition = "always"
    elif comparison == "SCMP_CMP_MASKED_EQ":
        condition = f"argument {argument} {'without' if b == '0' else 'with'} {a}"
    else:
        condition = f"argument {argument} is {'our own process' if a == 'SANDBOX_SELF' else a}"
    errors = re.match(r"SCMP_ACT_ERRNO\((\w+)\)", action)
    return f"{call}: {condition}{f': answered {errors[1]}' if errors else ''}"


def made():
    yield "| process | account | file system | system calls | descriptors | address space | starts processes |\n|---|---|---|---|---|---|---|\n"
    for role, (user, calls, where, descriptors, megabytes, count) in processes().items():
        most = "none" if count == "0" else "the system's"
        yield (f"| {role} | {USERS[user]} | {files(where)} | {calls} | {number(descriptors)} | {number(megabytes, ' MB')} | {most} |\n")
    yield "\n| system calls | are |\n|---|---|\n"
    for label, calls in sets().items():
        yield f"| {label} | {' '.join(calls)} |\n"
    yield "\n| a shape | is |\n|---|---|\n"
    for label, shapes in limits().items():
        yield f"| {label} | {'; '.join(shape(*one) for one in shapes)} |\n"
    yield "\n| place | is |\n|---|---|\n"
    for label, what in places().items():
        yield f"| {label} | {', '.join(what)} |\n"


def check():
    text = DOCUMENT.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        yield f"{name(DOCUMENT)}: the two marks around the tables of confinement are gone"
    elif text.split(BEGIN)[1].split(END)[0] != "".join(made()):
        yield f"{name(DOCUMENT)} is stale: run tests/house/confinement.py --write"
    roles = set(re.findall(r'^    case R_\w+:\n        return "(\w+)";', (ROOT / "proxy/run/channel.c").read_text(), re.M))
    for role in sorted((roles | {"guard"}) ^ set(processes())):
        yield f"{name(DEFINITION)}: {role} is a process without a row, or a row without a process"
    known = set(sets()) | set(limits())
    for role, (_, calls, where, *_rest) in processes().items():
        for word in calls.split():
            if word not in known:
                yield f"{name(DEFINITION)}: {role} has {word}, which is no set of system calls"
        inherited = {"guard": role, "supervisor": "guard"}.get(role, "supervisor")
        if all(word in known for word in calls.split()):
            for call in sorted(allowed(role) - allowed(inherited)):
                yield f"{name(DEFINITION)}: {role} has {call}, which {inherited}, whose filter it inherits, has not"
        for word in where.split() if where != "everything" else []:
            if word.split(":")[0] not in places() or set(word.split(":")[1]) - set(RIGHTS):
                yield f"{name(DEFINITION)}: {role} has {word}, which is no place with rights"


def write():
    before, rest = DOCUMENT.read_text().split(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "".join(made()) + END + rest.split(END)[1])


if __name__ == "__main__":
    write() if sys.argv[1:] == ["--write"] else run(check)
