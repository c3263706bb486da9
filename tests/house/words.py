# SPDX-License-Identifier: ISC
"""No unfinished work, no call that cannot be bounded, and the licence and visiting card at the head of each C file."""
import re

from house import ROOMS, ROOT, files, name, run

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
UNSAFE = re.compile(r"\b(strcpy|stpcpy|strcat|sprintf|vsprintf|atoi|atol|atoll|gets|strtok|alloca)\s*\(")
TYPEDEF = re.compile(r"^\s*typedef\b(?!.*\w\s*\()")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.S)
C_HEAD = "/* SPDX-License-Identifier: ISC"
HASH_HEAD = "# SPDX-License-Identifier: ISC"


def code_of(text):
    """Without comments and texts, line by line as before."""
    return COMMENT.sub(lambda m: "\n" * m[0].count("\n"), text)


def check_c(path, text):
    lines = text.splitlines()
    if not lines or lines[0].rstrip(" */") != C_HEAD.rstrip(" */"):
        yield f"{name(path)}: does not begin with \"{C_HEAD}\""
    in_room = path.parent.relative_to(ROOT).as_posix() in ROOMS
    if in_room and path.suffix != ".def" and (len(lines) < 4 or lines[1] != " *" or not lines[2].startswith(" * ")):
        yield f"{name(path)}: has no visiting card behind its licence"
    for number, line in enumerate(code_of(text).splitlines(), 1):
        for found in UNSAFE.finditer(line):
            yield f"{name(path)}:{number}: {found[1]} cannot be bounded"
        if in_room and TYPEDEF.match(line):
            yield f"{name(path)}:{number}: a typedef that is no function type"


def check():
    for path in files(".c", ".h", ".def", ".py", ".sh", ".cmake", ".txt", ".md", ".js", ".java"):
        text = path.read_text()
        for number, line in enumerate(text.splitlines(), 1):
            for found in UNFINISHED.finditer(line):
                yield f"{name(path)}:{number}: {found[1]}"
        if path.suffix in (".c", ".h", ".def"):
            yield from check_c(path, text)
        elif path.suffix in (".py", ".sh") and HASH_HEAD not in text.splitlines()[:3]:
            yield f"{name(path)}: no \"{HASH_HEAD}\" in its first lines"


if __name__ == "__main__":
    run(check)
