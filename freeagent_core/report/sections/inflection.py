"""Who wins where, and where ways overtake each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from freeagent_core.report.document import (
    Cell,
    Section,
    Table,
    number,
    plain,
    whole,
)
from freeagent_core.report.findings import Findings
from freeagent_core.report.sections.text import name_of, range_text, share_of
from freeagent_core.report.ways import LABELS, MANAGERS, PARALLEL


def inflection(found: Findings) -> Section:
    """Return who wins where, and where ways overtake each other."""
    tables = [
        _winners(found, "winners-all", "Fastest way for agents of one model", tuple(LABELS)),
        _winners(
            found,
            "winners-managers",
            "Fastest manager, for agents of several models or classes",
            MANAGERS,
        ),
        _crossings(found),
    ]
    return Section(
        "inflection",
        "Inflection points",
        [
            "At each number of agents the rounds are resampled 2,000 times, together for all ways; "
            "a way wins where it is fastest in at least 95% of the resamples. Otherwise the two "
            "best are named, with the share of the first.",
            "A crossing is interpolated between the numbers of agents that were measured, in each "
            "resample; its interval covers 95% of them. Numbers measured: "
            + ", ".join(f"{n:,}" for n in found.sizes)
            + ".",
        ],
        [table for table in tables if table.rows],
    )


def _winners(found: Findings, id: str, caption: str, among: Sequence[str]) -> Table:
    rows = []
    for each in found.ranges(among):
        share = min(w.share for w in each.winners)
        low, high = (f(w.advantage.median for w in each.winners) for f in (min, max))
        weakest = min(each.winners, key=lambda w: w.share)
        rows.append(
            [
                plain(range_text(each)),
                plain(name_of(each.name)),
                share_of(share),
                plain(LABELS[weakest.runner_up]),
                Cell(
                    f"{number(low)}×" if low == high else f"{number(low)} to {number(high)}×",
                    value=low,
                    low=low,
                    high=high,
                ),
            ]
        )
    columns = ["Agents", "Fastest", "Wins in at least", "Next best", "Next best takes"]
    return Table(id, caption, columns, rows)


def _crossings(found: Findings) -> Table:
    pairs = [(way, "sequential") for way in PARALLEL]
    firsts = [each.winners[0].name for each in found.ranges(tuple(LABELS))]
    pairs += [(after, before) for before, after in pairwise(firsts) if after != before]
    rows = []
    for way, over in dict.fromkeys(pairs):
        each = found.crossing(way, over)
        if each is None:
            continue
        if each.at is not None:
            at = whole(each.at)
        else:
            at = plain(f"from {found.sizes[0]:,} on" if each.always else "never")
        rows.append([plain(f"{LABELS[way]} over {LABELS[over]}"), at, share_of(each.share)])
    return Table(
        "crossings",
        "From how many agents on a way stays faster than another",
        ["Ways", "Agents", "Share of resamples that agree"],
        rows,
    )
