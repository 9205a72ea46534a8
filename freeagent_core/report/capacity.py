"""How many agents fit into a tick's budget, found by trying, and whether that holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from freeagent_core.model import GenerativeModel
from freeagent_core.report.rounds import Player
from freeagent_core.report.statistics import Estimate, quantile
from freeagent_core.report.ways import MAX_BYTES, LeftOutError, Ways, bytes_of_agent

MAX_AGENTS = {"population": 1_000_000}
MAX_MANAGED = 200_000  # objects; making and registering them takes seconds
PROBES = 8
GAP = 0.9  # a number is good enough when its p99 is above this share of the budget
MARGIN = 0.97
BRACKET = 1.25  # the least number that did not fit, over the most that did: at most
MIN_TICKS = 20  # of a probe; its p99 is then its maximum
FEWEST_TICKS = 3  # of a probe whose ticks are long
SHRINK = (0.6, 0.92)  # of the agents, when they did not hold: at least, at most


@dataclass
class Probe:
    """A number of agents that was tried: the times of its ticks, in seconds."""

    size: int
    times: npt.NDArray[np.float64]
    seconds: float  # of the whole, environments included

    @property
    def p50(self) -> float:
        return self.quantile(0.5).median

    @property
    def p99(self) -> float:
        return self.quantile(0.99).median

    def quantile(self, q: float) -> Estimate:
        """Return a quantile of the ticks with its interval from order statistics."""
        return quantile(self.times, q)

    def within(self, budget: float) -> float:
        """Return the share of ticks that took at most `budget` seconds."""
        return float(np.mean(self.times <= budget))


@dataclass
class Capacity:
    """How many agents of one way fit into the budget.

    Parameters
    ----------
    way : str
    budget : float
        Seconds of a tick.
    probes : list of Probe
        The search, in order.
    holds : list of Probe
        The long runs, in order; the last one counts.
    limit : str
        Why no more agents were tried; empty where the budget was the reason.
    """

    way: str
    budget: float
    probes: list[Probe] = field(default_factory=list)
    holds: list[Probe] = field(default_factory=list)
    limit: str = ""

    @property
    def size(self) -> int:
        """The most agents whose p99 stayed within the budget: in the long run where there was
        one, else in the search; 0 where not even one agent did."""
        tried = self.holds or self.probes
        return max((p.size for p in tried if p.p99 <= self.budget), default=0)


def run(player: Player, seconds: float, budget: float) -> Probe:
    """Step agents for a time and return the times of all ticks."""
    min_ticks = int(min(MIN_TICKS, max(FEWEST_TICKS, seconds / budget)))
    at_once = min_ticks if budget < seconds else 1
    begin = time.perf_counter()
    times: list[float] = []
    while len(times) < min_ticks or time.perf_counter() - begin < seconds:
        times += player.play(at_once)
    return Probe(player.size, np.array(times), time.perf_counter() - begin)


def search(
    ways: Ways, name: str, budget: float, guess: float, seconds: float, deadline: float
) -> Capacity:
    """Find the most agents whose p99 stays within the budget.

    Parameters
    ----------
    ways : Ways
    name : str
    budget : float
        Seconds.
    guess : float
        Agents to begin with.
    seconds : float
        For all probes together.
    deadline : float
        Of `time.perf_counter`; no probe begins after it.

    Notes
    -----
    Tick time is about proportional to agents: each probe scales the number by budget / p99,
    between the largest number that fitted and the least that did not, until these are close.
    """
    found = Capacity(name, budget)
    cap = _cap(ways.model, name)
    fits, too_many, is_near = 0, cap + 1, False
    size = int(min(max(guess, 1), cap))
    for _ in range(PROBES):
        if time.perf_counter() > deadline and found.probes:
            break
        try:
            way = ways.get(name, size)
        except (LeftOutError, MemoryError) as error:
            found.limit = str(error)
            too_many = size
            size = (fits + too_many) // 2
            if size <= fits:
                break
            continue
        player = Player(way, ways.model, size, [size, 7])
        player.play(1)  # not kept
        player.restart()
        probe = run(player, seconds / PROBES, budget)
        found.probes.append(probe)
        if probe.p99 <= budget:
            fits = max(fits, size)
            is_near = probe.p99 >= GAP * budget
        else:
            too_many = min(too_many, size)
        if too_many - fits <= 1 or (is_near and too_many <= BRACKET * fits):
            break
        size = int(size * MARGIN * _scale(probe, budget))
        if is_near and not fits < size < too_many:  # what is too many, closer
            size = min(int(BRACKET * fits), cap)
        if not fits < size < too_many:
            size = (fits + too_many) // 2 if too_many <= cap else min(2 * fits, cap)
        if not fits < size < too_many:
            break
    if fits == cap and not found.limit:
        found.limit = f"not more than {cap:,} agents are tried"
    return found


def _scale(probe: Probe, budget: float) -> float:
    """Return by what to multiply the agents of a probe.

    A few ticks that something else delayed say little about the number of agents: where the
    median is within the budget, it goes down by steps.
    """
    if probe.p50 > budget:
        return budget / probe.p50
    return max(SHRINK[0], budget / probe.p99)


def hold(
    ways: Ways,
    found: Capacity,
    seconds: float,
    deadline: float,
    advance: Callable[[float], None] = lambda share: None,
) -> None:
    """Step as many agents as fitted for `seconds`; with fewer while they do not hold and
    there is time."""
    size = found.size
    while size > 0:
        way = ways.get(found.way, size)
        probe = run(Player(way, ways.model, size, [size, 11]), seconds, found.budget)
        found.holds.append(probe)
        advance(1.0)
        if probe.p99 <= found.budget or time.perf_counter() + seconds > deadline:
            break
        size = min(size - 1, int(size * np.clip(MARGIN * found.budget / probe.p99, *SHRINK)))


def _cap(model: GenerativeModel, name: str) -> int:
    """Return how many agents to try at most."""
    if name != "population":
        return MAX_MANAGED
    return max(1, min(MAX_AGENTS["population"], MAX_BYTES // bytes_of_agent(model, 512)))
