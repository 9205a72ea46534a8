"""How many agents fit into the budget."""

from __future__ import annotations

from freeagent_core.report.capacity import Capacity, Probe
from freeagent_core.report.document import (
    MISSING,
    Cell,
    Section,
    Table,
    count,
    measured,
    number,
    plain,
    whole,
)
from freeagent_core.report.findings import Findings
from freeagent_core.report.ways import LABELS, PARALLEL


def capacity(found: Findings, hold_seconds: float) -> Section:
    """Return how many agents fit into the budget."""
    milliseconds = f"{found.budget * 1e3:g} ms"
    rows = [_capacity_row(found, each) for each in found.measurements.capacities]
    holds = [
        _hold_row(each, probe) for each in found.measurements.capacities for probe in each.holds
    ]
    notes = [
        f"{LABELS[each.way]}: {each.limit}" for each in found.measurements.capacities if each.limit
    ]
    tables = [
        Table(
            "capacity-table",
            f"Agents that fit into {milliseconds}",
            ["Way", "One processor, theoretical", "All processors, theoretical", "Measured"],
            rows,
        )
    ]
    if holds:
        tables.append(
            Table(
                "holds",
                f"Ticks without a break for {hold_seconds:g} s",
                ["Way", "Agents", "Ticks", "p50", "p99", "Longest", "Within the budget", "Holds"],
                holds,
            )
        )
    return Section(
        "capacity",
        f"Capacity within {milliseconds}",
        [
            f"Theoretical: {milliseconds} divided by the time of one agent's step, alone "
            f"({number(found.one_step().median * 1e6)} µs), times processors. Measured: the most "
            "agents with which 99% of ticks stay within the budget, found by trying; its interval "
            "ends below the least number that did not fit.",
            f"Population and the fastest manager then step as many for {hold_seconds:g} s. Where "
            "they do not hold, fewer are tried, and the measured capacity is what held.",
        ],
        tables,
        notes=[
            "One agent alone is stepped with cold caches, many are not: the measured capacity may "
            "exceed the theoretical one.",
            *notes,
        ],
    )


def _capacity_row(found: Findings, each: Capacity) -> list[Cell]:
    one = found.budget / found.one_step().median
    return [
        plain(LABELS[each.way]),
        count(float(int(one))),
        count(float(int(found.theoretical(each.way)))) if each.way in PARALLEL else MISSING,
        whole(found.capacity_estimate(each)) if each.size else plain("none", "bad"),
    ]


def _hold_row(each: Capacity, probe: Probe) -> list[Cell]:
    holds = probe.p99 <= each.budget
    p50, p99 = (probe.quantile(q).scaled(1e3) for q in (0.5, 0.99))
    return [
        plain(LABELS[each.way]),
        count(probe.size),
        count(len(probe.times)),
        measured(p50, " ms"),
        measured(p99, " ms"),
        count(float(probe.times.max()) * 1e3, " ms"),
        Cell(f"{100 * probe.within(each.budget):.2f}%", value=100 * probe.within(each.budget)),
        plain("yes", "good") if holds else plain("no", "bad"),
    ]
