"""Two reports side by side: ratios, and which differences exceed their spread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from freeagent_core.report import statistics
from freeagent_core.report.document import (
    SCHEMA,
    SCHEMA_VERSION,
    Cell,
    Document,
    Quantity,
    Section,
    Table,
    measured,
    plain,
)
from freeagent_core.report.statistics import Estimate

GROUPS = {
    "tick": "Ticks of each way",
    "phase": "Parts of a step",
    "capacity": "Capacity",
    "peer": "Peers",
}
SCALES = {"s": (1e6, " µs"), "agents": (1.0, ""), "ratio": (1.0, "×")}


class CompareError(ValueError):
    """A file is not a report that can be compared; the message says why."""


def read(path: str | Path) -> dict[str, Any]:
    """Return a report.json.

    Raises
    ------
    CompareError
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CompareError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise CompareError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise CompareError(f"{path} is not a report.json of freeagent-core report")
    if found.get("schema_version") != SCHEMA_VERSION:
        raise CompareError(
            f"{path} has schema version {found.get('schema_version')!r}; this release reads "
            f"version {SCHEMA_VERSION}"
        )
    if found.get("kind") != "report":
        raise CompareError(f"{path} is a {found.get('kind')}, not a report")
    try:
        quantities(found)
        for name in ("created", "machine", "model", "settings"):
            found[name]
    except (KeyError, TypeError, AttributeError) as error:
        raise CompareError(f"{path} is damaged: {type(error).__name__} {error}") from error
    return found


def quantities(report: dict[str, Any]) -> dict[str, Quantity]:
    """Return the quantities of a report.json."""
    return {
        key: Quantity(
            q["label"],
            q["unit"],
            q["better"],
            Estimate(float(q["median"]), float(q["low"]), float(q["high"]), int(q["count"])),
            [float(value) for value in q["repetitions"]],
        )
        for key, q in report["quantities"].items()
    }


def ratio(a: Quantity, b: Quantity) -> Estimate:
    """Return b / a."""
    if a.repetitions and b.repetitions:
        return statistics.ratio(b.repetitions, a.repetitions, paired=False)
    one, two = a.estimate, b.estimate
    if one.median <= 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    return Estimate(
        two.median / one.median,
        two.low / one.high,
        two.high / max(one.low, 1e-300),
        min(one.count, two.count),
    )


def exceeds_spread(a: Quantity, b: Quantity) -> bool:
    """Return whether the two intervals are apart."""
    return a.estimate.high < b.estimate.low or b.estimate.high < a.estimate.low


def verdict(a: Quantity, b: Quantity) -> str:
    """Return "better", "worse" or "within the spread", of b beside a."""
    if not exceeds_spread(a, b):
        return "within the spread"
    is_less = b.estimate.median < a.estimate.median
    return "better" if is_less == (a.better == "lower") else "worse"


def document(paths: Sequence[str | Path], command: str) -> Document:
    """Return the comparison of two report.json files.

    Raises
    ------
    CompareError
    """
    reports = [read(path) for path in paths]
    a, b = (quantities(report) for report in reports)
    same_budget = reports[0]["settings"]["budget_ms"] == reports[1]["settings"]["budget_ms"]
    both = [key for key in a if key in b and (same_budget or not key.startswith("capacity/"))]
    verdicts = {key: verdict(a[key], b[key]) for key in both}
    apart = [key for key in both if verdicts[key] != "within the spread"]
    better = sum(verdicts[key] == "better" for key in apart)
    sections = [
        Section(
            "verdict",
            "What differs",
            [
                f"{len(both)} figures are in both reports. B is better in {better}, worse in "
                f"{len(apart) - better}, and within the spread in {len(both) - len(apart)}.",
                *_warnings(reports, same_budget),
            ],
            [_table("differences", "Differences that exceed their spread", apart, a, b)]
            if apart
            else [],
            notes=[
                "A difference exceeds its spread where the 95% intervals of A and B do not "
                "overlap. They hold the noise within a report, not that between two days of a "
                "shared machine: measure both reports close together, and twice where it matters.",
            ],
        ),
        _facts(paths, reports),
    ]
    for group, title in GROUPS.items():
        keys = [key for key in both if key.split("/")[0] == group]
        if keys:
            table = _table(f"{group}-table", title, keys, a, b)
            sections.append(Section(f"{group}-section", title, [], [table]))
    return Document(
        "Two performance reports of freeagent_core",
        f"A: {paths[0]} · B: {paths[1]}",
        "comparison",
        {
            "command": command,
            "a": {k: reports[0][k] for k in ("created", "machine", "model", "settings")},
            "b": {k: reports[1][k] for k in ("created", "machine", "model", "settings")},
            "only_in_a": [key for key in a if key not in b],
            "only_in_b": [key for key in b if key not in a],
            "verdicts": verdicts,
        },
        sections,
        {
            f"ratio/{key}": Quantity(
                f"B / A: {a[key].label}", "ratio", a[key].better, ratio(a[key], b[key]), []
            )
            for key in both
            if a[key].estimate.median > 0
        },
    )


def _warnings(reports: list[dict[str, Any]], same_budget: bool) -> list[str]:
    found = []
    shapes = [{k: v for k, v in r["model"].items() if k != "description"} for r in reports]
    if shapes[0] != shapes[1]:
        names = [r["model"]["name"] for r in reports]
        found.append(
            f"The models differ ({names[0]}, {names[1]}): the ratios are not of one thing."
            if names[0] != names[1]
            else f"The model {names[0]} has other sizes in A than in B."
        )
    if not same_budget:
        found.append("The budgets differ: capacities are not compared.")
    if reports[0]["settings"]["quick"] != reports[1]["settings"]["quick"]:
        found.append("One of the reports is quick, with fewer rounds and wider intervals.")
    return found


def _table(
    id: str, caption: str, keys: list[str], a: dict[str, Quantity], b: dict[str, Quantity]
) -> Table:
    rows = []
    for key in keys:
        scale, unit = SCALES[a[key].unit]
        said = verdict(a[key], b[key])
        change = ratio(a[key], b[key])
        rows.append(
            [
                plain(a[key].label),
                measured(a[key].estimate.scaled(scale), unit),
                measured(b[key].estimate.scaled(scale), unit),
                measured(change, "×") if change.median == change.median else Cell("–"),
                plain(said, {"better": "good", "worse": "bad"}.get(said, "")),
            ]
        )
    return Table(id, caption, ["Figure", "A", "B", "B / A", "B is"], rows)


def _facts(paths: Sequence[str | Path], reports: list[dict[str, Any]]) -> Section:
    def of(report: dict[str, Any]) -> dict[str, str]:
        machine, model = report["machine"], report["model"]
        return {
            "Made": report["created"],
            "Model": model["name"],
            "freeagent_core": f"{machine['freeagent_core']}, {machine['commit'] or 'no commit'}",
            "Processor": f"{machine['processor']}, {machine['processors']} usable",
            "SIMD level": machine["simd"],
            "System": machine["system"],
            "Python": machine["python"],
            "Packages": ", ".join(f"{k} {v}" for k, v in machine["packages"].items()),
        }

    one, two = map(of, reports)
    rows = [
        [plain(name), plain(one[name]), plain(two[name]), plain("" if one[name] == two[name] else
            "differs")]
        for name in one
    ]  # fmt: skip
    return Section(
        "facts",
        "The two reports",
        [],
        [
            Table(
                "facts-table",
                f"A is {paths[0]}, B is {paths[1]}",
                ["", "A", "B", "Same"],
                [[*row[:3], row[3] if row[3].text else plain("same")] for row in rows],
            )
        ],
    )
