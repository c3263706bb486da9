# SPDX-License-Identifier: ISC
"""The sample dashboard and the sample alerts speak of numbers that exist, the dashboard of all of them, and of reasons that
there are.
"""
import json
import re

from house import ROOT, run

DASHBOARD, RULES = "conf/grafana/sekisho.json", "conf/prometheus/sekisho.rules.yml"
NAME = re.compile(r"\bsekisho_[a-z_]+")


def numbers():
    """{name: shape} from the one table."""
    text = (ROOT / "proxy/stats.def").read_text()
    return {name: shape for shape, name in re.findall(r'^STAT\(\w+, (\w+), [^"]+"(\w+)"', text, re.M)}


def reasons():
    return {name for path, macro in (("policy/refusals.def", "REFUSAL"), ("proxy/close_reasons.def", "CLOSE"))
            for name in re.findall(rf'^{macro}\(\w+, "([^"]+)"', (ROOT / path).read_text(), re.M)}


def base(name, known):
    """The number that a name in an expression means: of a histogram there are three."""
    short = re.sub("_(bucket|sum|count)$", "", name)
    return short if known.get(short) == "HISTOGRAM" and short != name else name


def check_expression(where, text, known):
    for name in NAME.findall(text):
        if base(name, known) not in known:
            yield f"{where}: there is no number {name}"
        elif known[base(name, known)] == "HISTOGRAM" and name == base(name, known):
            yield f"{where}: {name} is a histogram"
    for pattern in re.findall(r'reason=~?"([^"]+)"', text):
        for word in pattern.split("|"):
            if not any(re.fullmatch(word, reason) for reason in reasons()):
                yield f"{where}: there is no reason {word}"


def check_dashboard(known):
    try:
        board = json.loads((ROOT / DASHBOARD).read_text())
    except ValueError as error:
        yield f"{DASHBOARD}: {error}"
        return
    ids, seen = set(), set()
    for panel in board["panels"]:
        if panel["id"] in ids:
            yield f"{DASHBOARD}: two panels have the id {panel['id']}"
        ids.add(panel["id"])
        for target in panel.get("targets", []):
            yield from check_expression(f"{DASHBOARD}: {panel['title']}", target["expr"], known)
            seen |= {base(name, known) for name in NAME.findall(target["expr"])}
    for name in sorted(set(known) - seen):
        yield f"{DASHBOARD}: shows nothing of {name}"


def check():
    known = numbers()
    if len(known) < 20:
        yield f"proxy/stats.def: only {len(known)} numbers were found"
    yield from check_dashboard(known)
    text = (ROOT / RULES).read_text()
    expressions = re.findall(r"^ +expr: (.+)$", text, re.M)
    if len(expressions) != len(re.findall(r"^ +- alert: ", text, re.M)) or not expressions:
        yield f"{RULES}: each alert has one expr, in one line"
    for expression in expressions:
        yield from check_expression(RULES, expression, known)


if __name__ == "__main__":
    run(check)
