"""What to do, from the data."""

from __future__ import annotations

from freeagent_core.report.document import (
    number,
)
from freeagent_core.report.findings import Findings
from freeagent_core.report.sections.text import by_number
from freeagent_core.report.ways import LABELS, MANAGERS

HEADROOM = 0.8  # of the measured capacity is recommended


def recommendation(found: Findings) -> list[str]:
    """Return what to do on this machine with this model, from the data."""
    advice = []
    one_model = found.ranges(tuple(LABELS))
    managed = found.ranges(MANAGERS)
    if one_model:
        advice.append(f"Agents of one model: {by_number(one_model)}.")
    if managed:
        advice.append(f"Agents of several models or classes: {by_number(managed)}.")
    for each in found.measurements.capacities:
        if not each.holds:
            continue
        text = f"within {each.budget * 1e3:g} ms with {LABELS[each.way]}"
        if each.size:
            planned = int(HEADROOM * each.size)
            advice.append(
                f"Plan with at most {planned:,} agents {text}: {HEADROOM:.0%} of the {each.size:,} "
                "that held."
            )
        else:
            last = each.holds[-1]
            advice.append(
                f"No number that was tried held {text}: with {last.size:,} agents the p99 was "
                f"{number(last.p99 * 1e3)} ms. Measure again on a quieter machine, or plan with "
                "fewer."
            )
    for way in ("threads", "processes"):
        crossing = found.crossing(way, "sequential")
        if crossing is not None and crossing.at is None and not crossing.always:
            advice.append(
                f"{LABELS[way]} does not pay for this model: it was never faster than "
                "SequentialManager."
            )
    return advice
