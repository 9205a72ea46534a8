"""Words that several sections share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from freeagent_core.report.document import (
    Cell,
)
from freeagent_core.report.findings import Range
from freeagent_core.report.ways import LABELS

SPREAD = (
    "Figures are medians over rounds in which the ways alternate; in small type the 95% bootstrap "
    "interval of the median."
)


def name_of(way: str) -> str:
    """Return what a way, or two of them, is called."""
    return " or ".join(LABELS[each] for each in way.split(" or "))


def share_of(share: float) -> Cell:
    """Return a share of resamples, rounded down: 95% means that it is reached."""
    percents = math.floor(100 * share + 1e-9)
    return Cell(f"{percents}%", value=percents)


def range_text(each: Range) -> str:
    """Return the numbers of agents of a range."""
    first, last = each.sizes[0], each.sizes[-1]
    return f"{first:,}" if first == last else f"{first:,}–{last:,}"


def by_number(ranges: Sequence[Range]) -> str:
    """Return which way to take for which numbers of agents."""
    return "; ".join(
        f"{name_of(each.name)} for {range_text(each)} agent{'s' * (each.sizes != [1])}"
        for each in ranges
    )
