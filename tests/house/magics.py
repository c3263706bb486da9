# SPDX-License-Identifier: ISC
"""Every object's magic number is another: a pointer to the wrong kind of object never passes its check."""
import re

from house import files, name, run

MAGIC = re.compile(r"^\s*#\s*define\s+(\w+_MAGIC)\s+(0x[0-9A-Fa-f]+)")
ALSO = re.compile(r"^\s*#\s*define\s+(\w+_MAGIC)\b")


def check():
    by_value, by_name = {}, {}
    for path in files(".c", ".h"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{name(path)}:{number}"
            m = MAGIC.match(line)
            if not m:
                if ALSO.match(line):
                    yield f"{where}: a magic that is no plain hexadecimal number"
                continue
            value = int(m[2], 16)
            if not 0 < value < 2**32:
                yield f"{where}: {m[1]} does not fit an uint32_t, or is 0"
            if value in by_value:
                yield f"{where}: {m[1]} has the value of {by_value[value]}"
            if m[1] in by_name:
                yield f"{where}: {m[1]} is also defined in {by_name[m[1]]}"
            by_value.setdefault(value, f"{m[1]} in {where}")
            by_name.setdefault(m[1], where)
    if len(by_value) < 20:
        yield f"only {len(by_value)} magics were found: the tree is not where it was looked for"


if __name__ == "__main__":
    run(check)
