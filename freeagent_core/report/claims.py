"""Each claim of the original report beside what is measured here.

The original report's agents slept. Its "overhead" is agents / speed-up - 1: 30 / 3.50 - 1 =
757%, 30 / 8.05 - 1 = 273%. That takes for granted that 30 agents can be 30 times as fast as
one, as sleeping ones are; agents that compute are bounded by the processors.
"""

from __future__ import annotations

from freeagent_core.report.document import (
    MISSING,
    Cell,
    Section,
    Table,
    measured,
    percent,
    plain,
    whole,
)
from freeagent_core.report.document import count as counted
from freeagent_core.report.findings import Findings
from freeagent_core.report.schedule import REFERENCE_SIZE
from freeagent_core.report.ways import LABELS

CLAIMED_BUDGET = 10e-3
CLAIMED_CAPACITY = (300, 400)
# claim, its way, what was said, its value
SEQUENTIAL, ASYNCIO, THREADS = 834.0, 2920.0, 6719.0


def section(found: Findings) -> Section:
    """Return the table of claims."""
    rows: list[list[Cell]] = []

    def add(claim: str, said: str, here: Cell, value: float | None) -> None:
        times = MISSING
        if value and here.value is not None:
            times = counted(here.value / value, "×")
        rows.append([plain(claim), plain(said), here, times])

    size = REFERENCE_SIZE
    at = set(found.ways_at(size))
    both = {"sequential", "loop"}
    for way, name, said in (
        ("sequential", "sequential", SEQUENTIAL),
        ("asyncio", "asyncio", ASYNCIO),
        ("threads", "thread pool", THREADS),
    ):
        here = measured(found.throughput(size, way), "/s") if way in at else MISSING
        add(f"{size} agents, {name}: agents/s", f"{said:,.0f}/s", here, said)
    for way, name, said in (("asyncio", "asyncio", 3.50), ("threads", "thread pool", 8.05)):
        here = measured(found.speed_up(size, way), "×") if {way, *both} <= at else MISSING
        add(f"{size} agents, {name}: speed-up", f"{said:.2f}×", here, said)
    here = percent(found.efficiency(size, "threads")) if {"threads", *both} <= at else MISSING
    add("thread pool: scaling efficiency (speed-up / processors)", "28.4%", here, 28.4)
    for way, name, said in (("asyncio", "asyncio", 757.0), ("threads", "thread pool", 275.0)):
        here = percent(found.original_overhead(size, way)) if {way, *both} <= at else MISSING
        add(f"{name}: overhead as agents / speed-up - 1", f"{said:.0f}%", here, said)
        here = percent(found.overhead_share(size, way)) if {way, *both} <= at else MISSING
        add(f"{name}: overhead against inference / processors", "not given", here, None)
    add("one agent's step", "1.9 ms", measured(found.one_step().scaled(1e3), " ms"), 1.9)
    low, high = CLAIMED_CAPACITY
    for way in ("threads", "population"):
        sizes = [n for n in found.sizes if low <= n <= high and way in found.ways_at(n)]
        here, at_size = MISSING, low
        if sizes:
            at_size = sizes[-1]
            here = measured(found.quantile_tick(at_size, way, 0.99).scaled(1e3), " ms")
        claim = f"capacity: p99 of a tick of {at_size} agents, {LABELS[way]}"
        add(claim, "300 to 400 agents, budget not given", here, None)
    for way in ("threads", "sequential", "population"):
        capacity = found.capacity_of(way)
        if capacity is None:
            continue
        estimate = found.capacity_estimate(capacity)
        same = abs(capacity.budget - CLAIMED_BUDGET) < 1e-9
        add(
            f"agents within {capacity.budget * 1e3:g} ms, {LABELS[way]}",
            "50 to 100 within 10 ms",
            whole(estimate),
            100.0 if same else None,
        )
    least = size / found.processors - 1
    return Section(
        "claims",
        "The original report's claims",
        [
            "The report that this project grew from timed agents that slept. Each of its claims "
            "stands here beside what is measured on this machine, with agents that infer.",
            f"Its overhead is agents / speed-up - 1, with {size} as the ideal speed-up: "
            "30 / 3.50 - 1 = 757% and 30 / 8.05 - 1 = 273%. Sleeping agents can reach that ideal; "
            f"agents that compute on {found.processors} processors cannot get below "
            f"{size} / {found.processors} - 1 = {100 * least:,.0f}% by it. So the same "
            "overhead is also given against inference divided by processors.",
        ],
        [
            Table(
                "claims-table",
                "Claims of the original report and what is measured here",
                ["Claim", "Original report", "Measured here", "Measured / claimed"],
                rows,
            )
        ],
        notes=["For agents within a budget, the ratio is to the upper end of the claim, 100."],
    )
