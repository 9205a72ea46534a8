"""Plots over the number of agents."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from freeagent_core.report.document import (
    Figure,
    Series,
    number,
)
from freeagent_core.report.findings import Findings
from freeagent_core.report.statistics import Estimate
from freeagent_core.report.ways import LABELS

QUANTILES = (("p50", 0.5), ("p99", 0.99))


def milliseconds(found: Findings, q: float, size: int, way: str) -> Estimate:
    return found.quantile_tick(size, way, q).scaled(1e3)


def series_of(
    label: str,
    found: Findings,
    way: str,
    value: Callable[[int, str], Estimate],
    style: str = "solid",
) -> Series:
    sizes = [n for n in found.sizes if way in found.ways_at(n)]
    found_values = [(n, value(n, way)) for n in sizes]
    sizes = [n for n, v in found_values if math.isfinite(v.median)]
    values = [v for _, v in found_values if math.isfinite(v.median)]
    return Series(
        label,
        [float(n) for n in sizes],
        [v.median for v in values],
        [v.low for v in values],
        [v.high for v in values],
        f"{way}/{style}",
    )


def curves(
    found: Findings,
    id: str,
    title: str,
    caption: str,
    y_label: str,
    ways: Sequence[str],
    value: Callable[[int, str], Estimate],
    scale: str = "log",
    line: tuple[float, str] | None = None,
) -> Figure:
    ways = [way for way in ways if any(way in found.ways_at(n) for n in found.sizes)]
    return Figure(
        id,
        title,
        caption,
        describe(title.lower(), found, ways, value, y_label),
        "agents",
        y_label,
        [series_of(LABELS[way], found, way, value) for way in ways],
        scale,
        line,
    )


def describe(
    what: str,
    found: Findings,
    ways: Sequence[str],
    value: Callable[[int, str], Estimate],
    unit: str,
) -> str:
    parts = []
    for way in ways:
        sizes = [n for n in found.sizes if way in found.ways_at(n)]
        ends = [f"{number(value(n, way).median)} at {n:,}" for n in (sizes[0], sizes[-1])]
        parts.append(f"{LABELS[way]} {' and '.join(dict.fromkeys(ends))}")
    return f"Line plot of {what} ({unit}) over the number of agents: {'; '.join(parts)}."
