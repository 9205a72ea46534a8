"""Coordination at one number of agents, and what it costs."""

from __future__ import annotations

from freeagent_core.report.document import (
    MISSING,
    Section,
    Table,
    count,
    measured,
    percent,
    plain,
)
from freeagent_core.report.findings import Findings
from freeagent_core.report.measuring import agents
from freeagent_core.report.schedule import REFERENCE_SIZE
from freeagent_core.report.sections.curves import (
    curves,
)
from freeagent_core.report.sections.text import SPREAD
from freeagent_core.report.ways import LABELS, PARALLEL


def coordination(found: Findings) -> Section:
    """Return the section on one number of agents."""
    size = REFERENCE_SIZE if REFERENCE_SIZE in found.sizes else found.sizes[-1]
    rows = []
    for way in found.ways_at(size):
        rows.append(
            [
                plain(LABELS[way]),
                measured(found.throughput(size, way)),
                measured(found.tick(size, way).scaled(1e6), " µs"),
                measured(found.speed_up(size, way), "×") if way != "sequential" else plain("1×"),
                percent(found.efficiency(size, way)) if way in PARALLEL else MISSING,
            ]
        )
    parallel = found.ways_at(size, PARALLEL)
    return Section(
        "coordination",
        f"Coordination efficiency at {agents(size)}",
        [
            f"A tick steps {agents(size)} once. Speed-up is the SequentialManager's time over the "
            f"way's, scaling efficiency speed-up / {found.processors} processors.",
        ],
        [
            Table(
                "coordination-table",
                f"Ways to step {agents(size)}",
                ["Way", "Agents/s", "Tick", "Speed-up", "Scaling efficiency"],
                rows,
            )
        ],
        [
            curves(
                found,
                "efficiency",
                "Scaling efficiency",
                "Speed-up over SequentialManager, divided by processors",
                "efficiency, %",
                parallel,
                lambda n, way: found.efficiency(n, way).scaled(100),
                scale="linear",
                line=(100.0, "all processors in full"),
            )
        ]
        if parallel
        else [],
        [
            SPREAD,
            "Population may exceed 100%: it also saves the manager's bookkeeping, and its agents "
            "share matrix products.",
        ],
    )


def overhead(found: Findings) -> Section:
    """Return what coordination costs."""
    tables = []
    for size in dict.fromkeys((REFERENCE_SIZE, found.sizes[-1])):
        if size not in found.sizes:
            continue
        rows = [
            [
                plain(LABELS[way]),
                measured(found.overhead(size, way).scaled(1e6), " µs"),
                percent(found.overhead_share(size, way)),
                count(found.used(size, way)),
            ]
            for way in found.ways_at(size)
            if way != "loop"
        ]
        tables.append(
            Table(
                f"overhead-{size}",
                f"Coordination overhead, {agents(size)}",
                ["Way", "Per agent and tick", "Of one agent's inference", "Processors used"],
                rows,
            )
        )
    ways = [way for way in LABELS if way != "loop"]
    return Section(
        "overhead",
        "Coordination overhead",
        [
            "What a tick takes beyond its inference divided by the processors used, per agent. "
            "Inference is a loop over agent.step with as many agents. Negative: the way saves "
            "more than it costs, as Population does by sharing work between agents.",
        ],
        tables,
        [
            curves(
                found,
                "overhead",
                "Coordination overhead",
                "Per agent and tick, beyond inference / processors; linear below 1 µs",
                "µs per agent",
                ways,
                lambda n, way: found.overhead(n, way).scaled(1e6),
                scale="symlog",
            )
        ],
        [SPREAD],
    )
