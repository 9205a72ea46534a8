"""Two reports side by side."""

import copy
import json

import pytest

from freeagent_core.__main__ import main
from freeagent_core.report import compare
from freeagent_core.report.compare import CompareError


def scaled(report, factor, keys):
    """Return a report whose quantities of some keys are other by a factor."""
    found = copy.deepcopy(report)
    for key, quantity in found["quantities"].items():
        if key.startswith(keys):
            for name in ("median", "low", "high"):
                quantity[name] *= factor
            quantity["repetitions"] = [factor * x for x in quantity["repetitions"]]
    return found


def written(tmp_path, *reports):
    paths = [tmp_path / f"{name}.json" for name in "ab"]
    for path, report in zip(paths, reports, strict=True):
        path.write_text(json.dumps(report))
    return paths


def test_a_report_and_itself(tmp_path, report):
    document = compare.document(written(tmp_path, report, report), "")
    assert set(document.facts["verdicts"].values()) == {"within the spread"}
    assert all(
        q.estimate.median == pytest.approx(1.0)
        for key, q in document.quantities.items()
        if "capacity" not in key
    )


@pytest.mark.parametrize(("factor", "said"), [(100.0, "worse"), (0.01, "better")])
def test_what_differs_is_found_and_nothing_else(tmp_path, report, factor, said):
    other = scaled(report, factor, ("tick/threads",))
    document = compare.document(written(tmp_path, report, other), "")
    verdicts = document.facts["verdicts"]
    assert {k for k, v in verdicts.items() if v == said} == {"tick/threads/1", "tick/threads/30"}
    assert all(v in (said, "within the spread") for v in verdicts.values())
    ratio = document.quantities["ratio/tick/threads/30"].estimate
    assert ratio.low < factor < ratio.high or ratio.median == pytest.approx(factor)


def test_more_is_better_for_capacity_and_peers(tmp_path, report):
    other = scaled(report, 1e4, ("peer",))
    verdicts = compare.document(written(tmp_path, report, other), "").facts["verdicts"]
    peers = {v for k, v in verdicts.items() if k.startswith("peer")}
    assert peers == {"better"}


def test_models_and_budgets_that_differ_are_named(tmp_path, report):
    other = copy.deepcopy(report)
    other["model"]["name"] = "another"
    other["settings"]["budget_ms"] = 50.0
    document = compare.document(written(tmp_path, report, other), "")
    said = " ".join(document.sections[0].paragraphs)
    assert "The models differ" in said
    assert "The budgets differ" in said
    assert not any(key.startswith("capacity") for key in document.facts["verdicts"])


def test_command(tmp_path, report, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    paths = written(tmp_path, report, scaled(report, 100.0, ("tick/threads/30",)))
    out = tmp_path / "out"
    assert main(["report", "--compare", *map(str, paths), "--out", str(out)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "worse in 1" in said
    assert "tick of 30 agents" in said
    assert "tick of 1 agent," not in said
    assert sorted(p.name for p in out.iterdir()) == [
        "comparison.html",
        "comparison.json",
        "comparison.md",
    ]
    again = json.loads((out / "comparison.json").read_text())
    assert again["kind"] == "comparison"
    with pytest.raises(CompareError, match="is a comparison, not a report"):
        compare.read(out / "comparison.json")


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (None, "No such file"),
        ("{", "is not JSON"),
        ("[]", "is not a report.json"),
        ('{"schema": "freeagent-core/report", "schema_version": 99}', "schema version 99"),
        (
            '{"schema": "freeagent-core/report", "schema_version": 1, "kind": "report"}',
            "is damaged",
        ),
    ],
)
def test_bad_files(tmp_path, report, capsys, contents, said):
    good, bad = written(tmp_path, report, report)
    bad.unlink() if contents is None else bad.write_text(contents)
    assert main(["report", "--compare", str(good), str(bad)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
