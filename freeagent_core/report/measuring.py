"""All measurements of a report, in order, within the time of its schedule."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from freeagent_core.report import capacity, peers, phases, rounds
from freeagent_core.report.capacity import Capacity
from freeagent_core.report.loading import LoadedModel, ModelError
from freeagent_core.report.peers import Peers
from freeagent_core.report.rounds import Rounds
from freeagent_core.report.schedule import REFERENCE_SIZE, Schedule
from freeagent_core.report.ways import LABELS, MANAGERS, Ways

MIN_ROUNDS = 3
TICKS_BEFORE = 3  # of each way, before its rounds
PHASE_SIZE = 300
FEWEST_WAYS = ("loop", "sequential", "population")


class Progress(Protocol):
    """Who is told what is being measured."""

    def begin(self, text: str, seconds: float) -> Callable[[float], None]:
        """Note the next measurement and about how long it takes; return what to tell the
        share that is done."""


@dataclass
class Measurements:
    """What was measured.

    Parameters
    ----------
    step_seconds : float
        One agent's step, roughly, measured first: what the rest is planned by.
    scaling : dict of int to dict of str to Rounds
        By number of agents and way.
    capacities : list of Capacity
    phase_size : int
        Agents of the population in which phases were measured.
    phases : dict of str to list of float
        Seconds per agent, round by round.
    peers : Peers
    left_out : list of str
        What was not measured, and why.
    seconds : float
        The whole.
    """

    step_seconds: float = 0.0
    scaling: dict[int, dict[str, Rounds]] = field(default_factory=dict)
    capacities: list[Capacity] = field(default_factory=list)
    phase_size: int = 0
    phases: dict[str, list[float]] = field(default_factory=dict)
    peers: Peers = field(default_factory=Peers)
    left_out: list[str] = field(default_factory=list)
    seconds: float = 0.0


def measure(
    loaded: LoadedModel, schedule: Schedule, budget: float, progress: Progress
) -> Measurements:
    """Measure everything.

    Parameters
    ----------
    loaded : LoadedModel
    schedule : Schedule
    budget : float
        Seconds of a tick.
    progress : Progress
    """
    found = Measurements()
    np.random.seed(0)  # agents draw from NumPy's global generator
    with Ways(loaded.model, schedule.registration) as ways:
        found.step_seconds = _one_step(ways, progress)
        sizes = sorted({*schedule.sizes, REFERENCE_SIZE})
        for size in sizes:
            _scaling(found, ways, schedule, size, progress)
        if not found.scaling:
            raise ModelError(f"{loaded.name}: no agents could be measured: {found.left_out}")
        _phases(found, ways, schedule, progress)
        _capacities(found, ways, schedule, budget, progress)
    if schedule.left() > 5:
        limit = min(schedule.peers, schedule.left())
        advance = progress.begin("peers that are installed", limit)
        found.peers = peers.measure(
            loaded.arguments,
            list(schedule.peer_sizes),
            schedule.per_peer,
            schedule.min_rounds,
            limit,
            advance,
        )
    else:
        found.left_out.append("peers: the time was up")
    found.seconds = time.perf_counter() - schedule.begin
    return found


def _one_step(ways: Ways, progress: Progress) -> float:
    progress.begin("one agent's step", 0.5)
    player = rounds.Player(ways.get("loop", 1), ways.model, 1, 0)
    try:
        player.play(1)
    except Exception as error:
        raise ModelError(f"an agent's step failed: {type(error).__name__}: {error}") from error
    times = player.play(1)
    if times[0] < 1.0:
        times += player.play(rounds.EPISODE)
    return float(np.median(times))


def _scaling(
    found: Measurements, ways: Ways, schedule: Schedule, size: int, progress: Progress
) -> None:
    first = not found.scaling
    planned = schedule.at_reference if size == REFERENCE_SIZE else schedule.per_size
    allowed = schedule.before_peers()
    if not first:
        allowed = min(3 * planned, allowed)
    names = tuple(LABELS)
    affordable = _affordable_rounds(found, size, names, allowed)
    if affordable < MIN_ROUNDS and first:  # something has to be measured
        names = FEWEST_WAYS
        affordable = max(1, _affordable_rounds(found, size, names, allowed))
        found.left_out.append(f"{agents(size)}, other ways: a step takes too long")
    elif affordable < MIN_ROUNDS:
        tick = found.step_seconds * size * len(names)
        found.left_out.append(
            f"{agents(size)}: a tick of all ways takes about {tick:,.1f} s, more than there is time"
        )
        return
    advance = progress.begin(f"{agents(size)}, each way", planned)
    made, reasons = ways.of_size(size, names)
    found.left_out += [f"{agents(size)}, {reason}" for reason in reasons]
    if not made:
        return
    try:
        found.scaling[size] = rounds.measure(
            made,
            ways.model,
            size,
            min(planned, max(1.0, schedule.before_peers())),
            min(schedule.min_rounds, affordable),
            advance,
        )
    except Exception as error:  # an agent's own
        found.left_out.append(f"{agents(size)}: {type(error).__name__}: {error}")


def _affordable_rounds(
    found: Measurements, size: int, names: tuple[str, ...], seconds: float
) -> int:
    """Return the rounds of a tick that fit, if nothing runs in parallel."""
    tick = found.step_seconds * size * len(names)
    return int(min(seconds / max(tick, 1e-9), 1e6)) - TICKS_BEFORE


def agents(size: int) -> str:
    """Return a number of agents in words."""
    return f"{size:,} agent" + ("s" if size != 1 else "")


def _phases(found: Measurements, ways: Ways, schedule: Schedule, progress: Progress) -> None:
    affordable = int(schedule.before_peers() / 20 / max(found.step_seconds, 1e-9))
    if affordable < 1:
        found.left_out.append("where the time goes: the time was up")
        return
    advance = progress.begin("where the time goes", schedule.phases)
    size = min(PHASE_SIZE, affordable)
    try:
        found.phases = phases.measure(
            ways.model, size, schedule.phases, schedule.min_rounds, advance
        )
        found.phase_size = size
    except (MemoryError, NotImplementedError, ValueError) as error:
        found.left_out.append(f"where the time goes: {error}")


def fastest_manager(scaling: dict[int, dict[str, Rounds]]) -> str | None:
    """Return the manager that is fastest at the largest number of agents."""
    for size in sorted(scaling, reverse=True):
        times = {
            name: float(np.median(each.seconds))
            for name, each in scaling[size].items()
            if name in MANAGERS
        }
        if times:
            return min(times, key=times.__getitem__)
    return None


def _capacities(
    found: Measurements, ways: Ways, schedule: Schedule, budget: float, progress: Progress
) -> None:
    best = fastest_manager(found.scaling)
    measured = {name for each in found.scaling.values() for name in each}
    held = [name for name in ("population", best) if name in measured]
    names = held if schedule.quick else [*held, *(m for m in MANAGERS if m not in held)]
    for name in names:
        assert name is not None
        if schedule.before_peers() < schedule.search:
            found.left_out.append(f"capacity of {LABELS[name]}: the time was up")
            continue
        size = max(n for n, each in found.scaling.items() if name in each)
        per_agent = float(np.median(found.scaling[size][name].seconds)) / size
        if schedule.before_peers() < capacity.FEWEST_TICKS * capacity.PROBES * budget:
            found.left_out.append(
                f"capacity of {LABELS[name]}: ticks of {budget:g} s are too long for this report"
            )
            continue
        progress.begin(f"capacity, {LABELS[name]}", schedule.search)
        deadline = time.perf_counter() + min(2 * schedule.search, schedule.before_peers())
        result = capacity.search(ways, name, budget, budget / per_agent, schedule.search, deadline)
        found.capacities.append(result)
    for result in found.capacities:
        if result.way not in held:
            continue
        if result.size and schedule.before_peers() > schedule.hold:
            text = f"{result.size:,} agents for {schedule.hold:g} s, {LABELS[result.way]}"
            advance = progress.begin(text, schedule.hold)
            deadline = time.perf_counter() + min(
                4 * schedule.hold, schedule.before_peers() - schedule.hold * (len(held) - 1)
            )
            capacity.hold(ways, result, schedule.hold, deadline, advance)
        elif result.size:
            found.left_out.append(f"{schedule.hold:g} s with {LABELS[result.way]}: the time was up")


def raw(found: Measurements) -> dict[str, Any]:
    """Return all repetitions as JSON takes them, in seconds."""
    return {
        "step_seconds": found.step_seconds,
        "scaling": [
            {
                "agents": size,
                "way": name,
                "ticks_per_round": each.ticks,
                "tick_seconds": each.seconds,
                "p50_seconds": _quantile(each, 0.5),
                "p99_seconds": _quantile(each, 0.99),
                "max_seconds": [float(times.max()) for times in each.times],
            }
            for size, ways in found.scaling.items()
            for name, each in ways.items()
        ],
        "capacity": [
            {
                "way": each.way,
                "budget_seconds": each.budget,
                "limit": each.limit,
                "probes": [_probe(p) for p in each.probes],
                "holds": [_probe(p) for p in each.holds],
            }
            for each in found.capacities
        ],
        "phases": {"agents": found.phase_size, "seconds_per_agent": found.phases},
        "peers": [
            {
                "peer": each.peer,
                "agents": each.size,
                "ours_tick_seconds": each.ours,
                "theirs_tick_seconds": each.theirs,
            }
            for each in found.peers.rounds
        ],
    }


def _quantile(each: Rounds, q: float) -> dict[str, float]:
    """Return a quantile of all ticks with its interval."""
    found = each.quantile(q)
    return {"value": found.median, "low": found.low, "high": found.high, "ticks": found.count}


def _probe(probe: capacity.Probe) -> dict[str, Any]:
    return {
        "agents": probe.size,
        "seconds": probe.seconds,
        "tick_seconds": probe.times.tolist(),
    }
