# SPDX-License-Identifier: ISC
"""The chart: what a proxy costs, drawn by gnuplot as one SVG of four panels. Bars are medians, their whiskers the range."""
import subprocess

NAMES = {"haproxy": "HAProxy (no TLS of its own)", "blind": "blind TLS relay", "pgbouncer": "PgBouncer, session",
         "pgbouncer-tx": "PgBouncer, transaction", "sekisho": "Sekisho"}
COLOURS = {"haproxy": "#b8b8b8", "blind": "#7f8c8d", "pgbouncer": "#d9a441", "pgbouncer-tx": "#ecd29b", "sekisho": "#2b6ca3"}
GROWTH = {1: "tenants-1x64", 4: "tenants-4x16", 16: "tenants-16x4", 64: "tenants-64x1"}
# Title, label of the axis, column, its scale, and (workload, label of the group).
PANELS = [
    ("CPU per transaction, one row by its key, 16 connections", "µs", "cpu_us", 1,
     [("select-prepared-16", "prepared"), ("select-extended-16", "extended"), ("select-simple-16", "simple"),
      ("select-simple-1", "simple, 1 conn."), ("pipeline", "pipelined query")]),
    ("CPU per GB of COPY, per 1,000 connections", "s", "cpu_us", 1e-6,
     [("copy-out", "COPY out"), ("copy-in", "COPY in"), ("storm", "1,000 logins"),
      ("reconnect", "1,000 again")]),
    ("Memory per idle connection", "KiB", "kib", 1, [("idle", "idle connections")]),
]
HEAD = """
set terminal svg size 1100,820 font "sans,12" background "white"
set output "{out}"
set multiplot layout 2,2 margins 0.065,0.985,0.18,0.93 spacing 0.06,0.14
set style fill solid 0.9 noborder
set style histogram errorbars gap 1 lw 1
set style data histogram
set errorbars 0.4 lc rgb "#444444"
set yrange [0:*]
set grid ytics lc rgb "#dddddd"
set border 3
set ylabel offset 1
set tics nomirror
set xtics font ",10"
unset key
"""


def quoted(text):
    return '"' + text.replace('"', "'") + '"'


def bars(results, contestants, column, scale, groups):
    """A data block: a line a group, and median, least and most of each contestant in it."""
    lines = []
    for workload, label in groups:
        cells = [quoted(label)]
        for contestant in contestants:
            factor = scale * (1000 if workload in ("reconnect", "storm") else 1)
            found = sorted(value * factor for value in results.values(workload, contestant, column))
            cells += [f"{found[len(found) // 2]:g}", f"{found[0]:g}", f"{found[-1]:g}"] if found else ["NaN"] * 3
        lines.append(" ".join(cells))
    return lines


def panel(number, results, title, axis, column, scale, groups):
    contestants = [name for name in NAMES if name in results.contestants]
    groups = [(workload, label) for workload, label in groups if workload in results.workloads]
    if not groups or not contestants:
        return ["set multiplot next"]
    plots = [f"$bars{number} using {2 + 3 * n}:{3 + 3 * n}:{4 + 3 * n}:xtic(1) title {quoted(NAMES[name])} "
             f"lc rgb {quoted(COLOURS[name])}" for n, name in enumerate(contestants)]
    return [f"$bars{number} << END", *bars(results, contestants, column, scale, groups), "END", f"set title {quoted(title)}",
            f"set ylabel {quoted(axis)}", "plot " + ", ".join(plots)]


def growth(results):
    """64 connections in all, of one tenant up to 64."""
    lines, plots = [], []
    for name in ("pgbouncer", "sekisho"):
        points = [(tenants, results.median(workload, name, "cpu_us")) for tenants, workload in GROWTH.items()]
        points = [(tenants, cpu) for tenants, cpu in points if cpu is not None]
        if points:
            block = f"$growth{len(plots)}"
            lines += [f"{block} << END", *(f"{tenants} {cpu:g}" for tenants, cpu in points), "END"]
            plots.append(f"{block} using 1:2 title {quoted(NAMES[name])} with linespoints lc rgb {quoted(COLOURS[name])} "
                         "lw 2 pt 7 ps 0.8")
    if not plots:
        return ["set multiplot next"]
    return [*lines, 'set title "CPU per transaction: 64 connections of 1 to 64 tenants"', 'set ylabel "µs"',
            "set logscale x 2", "set xtics (1, 4, 16, 64)", "set xrange [0.9:72]", "plot " + ", ".join(plots)]


def legend(results, facts):
    """Below the panels: which colour is whose, and what the machine is."""
    lines, at = [], 0.03
    for name in NAMES:
        if name in results.contestants:
            lines.append(f'set label "■" at screen {at:.3f},0.085 tc rgb {quoted(COLOURS[name])} font ",16"')
            lines.append(f"set label {quoted(NAMES[name])} at screen {at + 0.018:.3f},0.085")
            at += 0.035 + 0.0085 * len(NAMES[name])
    return [*lines, *(f'set label {quoted(fact)} at screen 0.03,{0.05 - 0.02 * n:.3f} font ",9"' for n, fact in enumerate(facts[:2]))]


def draw(results, facts, path):
    lines = [HEAD.format(out=path)]
    for n, words in enumerate(PANELS):
        lines += panel(n, results, *words)
        if n == 0:  # labels would be drawn again with every panel
            lines[-1:] = [*legend(results, facts), lines[-1], "unset label"]
    lines += growth(results)
    done = subprocess.run(["gnuplot"], input="\n".join(lines) + "\n", text=True, capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"gnuplot ended with {done.returncode}: {done.stderr}")
