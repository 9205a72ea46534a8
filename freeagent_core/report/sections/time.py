"""Where the time goes, here and with peers."""

from __future__ import annotations

from freeagent_core.report import phases
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
from freeagent_core.report.sections.text import SPREAD
from freeagent_core.report.statistics import estimate
from freeagent_core.report.ways import LABELS


def time_split(found: Findings) -> Section:
    """Return the parts of a step, and what coordination adds."""
    rounds = found.measurements.phases
    tables = []
    if rounds:
        rows = [
            [
                plain(phases.LABELS[name]),
                measured(found.phase(name).scaled(1e6), " µs"),
                percent(found.phase_share(name)) if name in phases.PHASES else MISSING,
            ]
            for name in (*phases.PHASES, "step")
        ]
        tables.append(
            Table(
                "phases",
                f"Inference per agent, {agents(found.measurements.phase_size)} on one thread",
                ["Part of a step", "Time", "Share"],
                rows,
            )
        )
    size = REFERENCE_SIZE if REFERENCE_SIZE in found.sizes else found.sizes[-1]
    rows = []
    for way in found.ways_at(size):
        if way == "loop" or "loop" not in found.ways_at(size):
            continue
        loop = found.times(size, "loop") / found.used(size, way)
        share = estimate(1 - loop / found.times(size, way))
        rows.append(
            [
                plain(LABELS[way]),
                measured(found.tick(size, way).scaled(1e6), " µs"),
                measured(estimate(loop).scaled(1e6), " µs"),
                percent(share),
            ]
        )
    tables.append(
        Table(
            "coordination-share",
            f"Inference and coordination in a tick of {agents(size)}",
            ["Way", "Tick", "Inference / processors", "Coordination"],
            rows,
        )
    )
    return Section(
        "time",
        "Where the time goes",
        [
            "Belief update, policy evaluation and action sampling as three calls of a Population; "
            "all three in one call (step) may take less, since nothing is kept in between. "
            "Coordination is what a way's tick has beyond inference.",
        ],
        tables,
        notes=[SPREAD],
    )


def peers(found: Findings) -> Section:
    """Return the peers that are installed."""
    rows = []
    for rounds in found.measurements.peers.rounds:
        ours, theirs = (estimate(side).scaled(1e6) for side in (rounds.ours, rounds.theirs))
        rows.append(
            [
                plain(rounds.peer),
                count(rounds.size),
                measured(ours, " µs"),
                measured(theirs, " µs"),
                measured(found.peer_ratio(rounds), "×"),
            ]
        )
    tables = [
        Table(
            "peers-table",
            "A tick here and with each peer",
            ["Peer", "Agents", "This", "Peer's", "Times faster"],
            rows,
        )
    ]
    return Section(
        "peers",
        "Peers",
        [
            "Closed loops on both sides, in rounds that alternate, in a process of their own. One "
            "agent: a loop over agent.step here. Batches: Population here, batch_size there. "
            "pymdp 1.x computes in float32, jitted, its compiling not timed; this project in "
            "float64.",
        ]
        if rows
        else ["No peer was measured."],
        tables if rows else [],
        notes=found.measurements.peers.reasons,
    )
