# SPDX-License-Identifier: ISC
"""One short round of one workload through the whole harness: every contestant works, and what people look at is all there."""
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import contestants  # noqa: E402
import report  # noqa: E402
from fleet import AS_ROOT  # noqa: E402

WORKLOAD = "select-simple-16"


def test_every_contestant_is_measured(tmp_path):
    done = subprocess.run([sys.executable, "-B", HERE / "bench.py", "--quick", "--out", tmp_path, WORKLOAD],
                          capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{WORKLOAD}, per transaction" in done.stdout
    assert "CPU per transaction, simple, 16 connections" in done.stdout
    rows = report.read_rows(tmp_path / "results.tsv")  # which asserts the columns
    assert [row["contestant"] for row in rows] == [kind.name for kind in contestants.every()]
    for row in rows:
        missing = [name for name in report.COLUMNS if row[name] is None]
        unreadable = set() if AS_ROOT else {"pss_kib"}  # of processes that keep others from looking at them
        assert set(missing) - unreadable == {"kib", "idle_cpu_us", "failed"}, f"{row['contestant']} lacks {missing}"
        assert row["units"] > 0 and row["p50_us"] <= row["p99_us"] <= row["p999_us"] and row["server_cpu_us"] > 0
        assert (row["cpu_us"] > 0) == (row["contestant"] != "direct"), row
        assert not AS_ROOT or (row["pss_kib"] > 0) == (row["contestant"] != "direct"), row
    assert len(report.read_facts(tmp_path / "results.tsv")) == 4
    summary = (tmp_path / "summary.tsv").read_text()
    assert f"{WORKLOAD}\tsekisho\tcpu_us\t" in summary
    picture = xml.etree.ElementTree.parse(tmp_path / "chart.svg").getroot()
    assert picture.tag.endswith("svg") and "Sekisho" in "".join(picture.itertext())


def test_medians_ratios_and_goals():
    """The figures are those of arithmetic by hand."""
    rows = []
    for number, ours, theirs, floor in ((1, 8.0, 10.0, 8.0), (2, 9.0, 30.0, 10.0), (3, 7.0, 10.0, 5.0)):
        for contestant, cpu in (("sekisho", ours), ("pgbouncer", theirs), ("blind", floor)):
            rows.append(dict.fromkeys(report.COLUMNS) | {
                "round": number, "workload": "select-simple-16", "contestant": contestant, "unit": "transaction", "cpu_us": cpu})
    results = report.Results(rows)
    assert results.median("select-simple-16", "sekisho", "cpu_us") == 8.0
    goals = {(title, unit): (median, least, most, limit) for title, median, least, most, limit, unit in report.goals_of(results)}
    title = "CPU per transaction, simple, 16 connections"
    assert goals == {(title, "× pgbouncer"): (0.7, 0.3, 0.8, 0.85), (title, "× blind"): (1.0, 0.9, 1.4, 1.10)}
    table = report.goal_table(results)
    assert table.count("  met") == 2 and "NOT MET" not in table
    rows[-1]["cpu_us"], rows[2]["cpu_us"] = 1.0, 2.0  # the floor's first and last
    assert "NOT MET" in report.goal_table(report.Results(rows))
