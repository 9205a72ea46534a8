"""Agents/s and ticks over the number of agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from freeagent_core.report.document import (
    MISSING,
    Cell,
    Figure,
    Section,
    Table,
    count,
    measured,
)
from freeagent_core.report.findings import Findings
from freeagent_core.report.measuring import agents
from freeagent_core.report.sections.curves import (
    QUANTILES,
    curves,
    describe,
    milliseconds,
    series_of,
)
from freeagent_core.report.sections.text import SPREAD
from freeagent_core.report.statistics import Estimate
from freeagent_core.report.ways import LABELS

SHORT = {
    "loop": "Loop",
    "sequential": "Sequential",
    "asyncio": "Async",
    "threads": "Threads",
    "processes": "Processes",
    "population": "Population",
}


def scaling(found: Findings) -> Section:
    """Return agents/s and tick times over the number of agents."""
    ways = [way for way in LABELS if any(way in found.ways_at(n) for n in found.sizes)]
    throughput = _by_size(found, ways, found.throughput)
    quantiles = {
        name: _by_size(found, ways, partial(milliseconds, found, q)) for name, q in QUANTILES
    }
    columns = ["Agents", *(SHORT[way] for way in ways)]
    shown = [way for way in ("sequential", "threads", "population") if way in ways]
    latency = Figure(
        "latency",
        "Tick latency",
        "Median and 99th percentile of a tick, and the budget",
        describe("the p99 of a tick", found, shown, partial(milliseconds, found, 0.99), "ms"),
        "agents",
        "ms",
        [
            series_of(
                f"{LABELS[way]}, {name}",
                found,
                way,
                partial(milliseconds, found, q),
                "solid" if q == 0.5 else "dashed",
            )
            for way in shown
            for name, q in QUANTILES
        ],
        line=(found.budget * 1e3, f"budget {found.budget * 1e3:g} ms"),
    )
    return Section(
        "scaling",
        f"Scaling from {found.sizes[0]:,} to {agents(found.sizes[-1])}",
        ["The same measurement at each number of agents."],
        [
            Table("throughput-table", "Agents stepped per second", columns, throughput),
            *(
                Table(f"{name}-table", f"{name} of a tick, ms", columns, rows)
                for name, rows in quantiles.items()
            ),
        ],
        [
            curves(
                found,
                "throughput",
                "Throughput",
                "Agents stepped per second",
                "agents/s",
                ways,
                found.throughput,
            ),
            latency,
        ],
        [
            SPREAD,
            "p50 and p99 are of all ticks of all rounds, their interval from order statistics; of "
            "fewer than 100 ticks, as with very many agents, the p99 is the longest.",
        ],
    )


def _by_size(
    found: Findings, ways: Sequence[str], value: Callable[[int, str], Estimate]
) -> list[list[Cell]]:
    return [
        [
            count(size),
            *(
                measured(value(size, way)) if way in found.ways_at(size) else MISSING
                for way in ways
            ),
        ]
        for size in found.sizes
    ]
