"""This project's own report, and the part of README.md that comes from it.

    pip install -e '.[report,test]' && python benchmarks/results.py

writes benchmarks/results/ by ``freeagent-core report`` (about 12 minutes; the machine should do
nothing else) and then the headline of README.md and its plot. ``--readme`` writes these alone.
tests/report/test_results.py fails when README.md and benchmarks/results/report.json disagree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from freeagent_core.__main__ import main as freeagent_core
from freeagent_core.report import plots
from freeagent_core.report.document import Figure, Series

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
PLOT = "throughput"


def read():
    """Return this project's report."""
    return json.loads((FOLDER / "report.json").read_text(encoding="utf-8"))


def headline(report):
    """Return the part of README.md that comes from a report."""
    table = next(t for s in report["sections"] for t in s["tables"] if t["id"] == "key-figures")
    machine = report["machine"]
    rows = [
        f"| {name['text']} | {cell['text']} | {cell['spread']} |" for name, cell in table["rows"]
    ]
    figure = plot_of(report)
    return "\n".join(
        [
            BEGIN,
            f"`{report['command']}`, {report['created'][:10]}, commit {machine['commit']}, "
            f"{machine['processors']} processors ({machine['processor']}), model "
            f"{report['model']['name']}: {report['model']['description']}. Median, and its 95% "
            "interval over alternating rounds; agents act in environments of their own:",
            "",
            "| | measured | interval |",
            "| --- | --: | --: |",
            *rows,
            "",
            f"![{figure.description}](benchmarks/results/{PLOT}.svg)",
            "",
            "All of it: [report.md](benchmarks/results/report.md), made again by",
            "`python benchmarks/results.py`; on your machine and model: `freeagent-core report`",
            "([docs/report.md](docs/report.md)).",
            END,
        ]
    )


def plot_of(report):
    """Return the figure of a report that README.md shows."""
    found = next(f for s in report["sections"] for f in s["figures"] if f["id"] == PLOT)
    series = [Series(**each) for each in found["series"]]
    line = tuple(found["line"]) if found["line"] else None
    return Figure(**{**found, "series": series, "line": line})


def digest(report):
    """Return what the plot's file names as its data."""
    found = next(f for s in report["sections"] for f in s["figures"] if f["id"] == PLOT)
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def update(report):
    """Write the headline of README.md and its plot."""
    svg = plots.standalone(plot_of(report), {"Description": f"data sha256 {digest(report)}"})
    (FOLDER / f"{PLOT}.svg").write_text(svg, encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    README.write_text(before + headline(report) + rest.split(END)[1], encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="only README.md and its plot")
    parser.add_argument("--quick", action="store_true", help="a quick report, to try this out")
    chosen = parser.parse_args()
    if not chosen.readme:
        sys.argv[:] = ["freeagent-core", "report", *["--quick"] * chosen.quick]
        code = freeagent_core([*sys.argv[1:], "--out", str(FOLDER)])
        if code:
            raise SystemExit(code)
    update(read())


if __name__ == "__main__":
    main()
