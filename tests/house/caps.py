# SPDX-License-Identifier: ISC
"""Files of at most 600 lines; functions of at most 80, nine in ten of at most 45. Says the medians."""
import re
import statistics

from house import ROOMS, ROOT, files, name, run

FILE_MOST = 600
FUNCTION_MOST = 80
NINE_IN_TEN = 45
SIGNATURE = re.compile(r"^[A-Za-z_].*[(,)]")
NOT_A_FUNCTION = re.compile(r"^(struct|enum|union|typedef|extern|#)\b(?!.*\()")


def functions(lines):
    """(name's line, number, length) of each function, by the layout that clang-format gives them."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("}"):
            if start and line == "}":
                yield lines[start - 1], start, number - start + 1
            start = None
        elif start is None and SIGNATURE.match(line) and not NOT_A_FUNCTION.match(line):
            start = number
        if start and line.endswith(";") and not any(after.endswith("{") for after in lines[start - 1:number]):
            start = None


def check():
    lengths, sizes = [], []
    for path in files(".c", ".h", ".def", ".py", ".sh", ".js", ".java", ".cmake"):
        lines = path.read_text().splitlines()
        if len(lines) > FILE_MOST:
            yield f"{name(path)}: {len(lines)} lines, at most {FILE_MOST}"
        if path.suffix == ".c" and path.parent.relative_to(ROOT).as_posix() in ROOMS:
            sizes.append(len(lines))
        if path.suffix != ".c":
            continue
        for signature, number, length in functions(lines):
            if path.parent.relative_to(ROOT).as_posix() in ROOMS:
                lengths.append(length)
            if length > FUNCTION_MOST:
                yield f"{name(path)}:{number}: a function of {length} lines, at most {FUNCTION_MOST}: {signature}"
    lengths.sort()
    tenth = lengths[len(lengths) * 9 // 10]
    print(f"{len(sizes)} files of C, median {statistics.median(sizes):g} lines, longest {max(sizes)}; "
          f"{len(lengths)} functions, median {statistics.median(lengths):g}, nine in ten at most {tenth}, longest {lengths[-1]}")
    if tenth > NINE_IN_TEN:
        yield f"nine in ten functions should have at most {NINE_IN_TEN} lines: it is {tenth}"


if __name__ == "__main__":
    run(check)
