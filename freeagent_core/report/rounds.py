"""Rounds in which all ways step agents in turn, each in environments of its own.

The ways alternate in an order that is drawn for each round, so that the noise of the machine
falls on all alike. A round is one or more whole episodes, or, where ticks are long, a few ticks
of one, the same ones for all ways. Only the calls that step
agents are timed; environments move in between, as in a simulation. Nothing sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core.model import GenerativeModel
from freeagent_core.report import statistics
from freeagent_core.report.environment import Environments
from freeagent_core.report.statistics import Estimate
from freeagent_core.report.ways import Way

FloatArray = npt.NDArray[np.float64]
EPISODE = 20  # ticks
MAX_ROUNDS = 60
FEWEST_ROUNDS = 3  # when they take much longer than expected
PATIENCE = 2.0  # times the seconds that were to suffice


@dataclass
class Rounds:
    """What one way took, round by round.

    Parameters
    ----------
    size : int
        Agents.
    ticks : int
        Ticks of a round.
    seconds : list of float
        Mean of a tick in each round, in seconds.
    times : list of ndarray
        Every tick of each round, in seconds.
    """

    size: int
    ticks: int = 0
    seconds: list[float] = field(default_factory=list)
    times: list[FloatArray] = field(default_factory=list)

    def note(self, times: FloatArray) -> None:
        """Keep a round."""
        self.ticks = len(times)
        self.seconds.append(float(times.mean()))
        self.times.append(times)

    def quantile(self, q: float) -> Estimate:
        """Return a quantile of all ticks."""
        return statistics.quantile(np.concatenate(self.times), q)


class Player:
    """One way in its own environments, in episodes of `EPISODE` ticks."""

    def __init__(self, way: Way, model: GenerativeModel, size: int, seed: Any) -> None:
        self.way = way
        self.size = size
        self.environments = Environments(model, seed)
        self.restart()

    def restart(self) -> None:
        """Begin an episode with the next tick."""
        self._tick = 0

    def play(self, ticks: int) -> list[float]:
        """Go on for some ticks and return the seconds of each."""
        way, environments = self.way, self.environments
        clock = time.perf_counter
        times = []
        for _ in range(ticks):
            if self._tick % EPISODE == 0:
                way.begin_episode(self.size)
                self._observations = environments.reset(self.size)
            self._tick += 1
            prepared = way.prepare(self._observations)
            begin = clock()
            results = way.tick(prepared)
            times.append(clock() - begin)
            self._observations = environments.step(way.actions(results))
        return times


def measure(
    ways: Mapping[str, Way],
    model: GenerativeModel,
    size: int,
    seconds: float,
    min_rounds: int,
    advance: Callable[[float], None] = lambda share: None,
    in_step: bool = True,
) -> dict[str, Rounds]:
    """Measure ways that already have `size` agents.

    Parameters
    ----------
    ways : dict of name to Way
    model : GenerativeModel
    size : int
    seconds : float
        For all ways and rounds together; exceeded where `min_rounds` takes longer.
    min_rounds : int
    advance : callable
        Told the share that is done.
    in_step : bool
        Where an episode is too long for a round: all ways play the same few ticks of it. Else
        those that can play whole episodes do, beside a peer that is slower by far.
    """
    begin = time.perf_counter()
    players = {
        name: Player(way, model, size, [size, k]) for k, (name, way) in enumerate(ways.items())
    }
    for player in players.values():  # threads start, caches fill, peers compile
        _wall(player, 1)
    once = {name: _wall(player, 1) for name, player in players.items()}
    slot = 0.7 * seconds / len(players) / min_rounds
    fitting = {name: int(min(EPISODE, max(1.0, slot / took))) for name, took in once.items()}
    if in_step:
        fitting = dict.fromkeys(players, min(fitting.values()))
    ticks = {
        name: n if n < EPISODE else n * max(1, int(slot / 2 / _wall(players[name], n)))
        for name, n in fitting.items()
    }
    for player in players.values():
        player.restart()
    found = {name: Rounds(size) for name in players}
    order = np.random.default_rng(size)
    done = 0
    while done < MAX_ROUNDS:
        spent = (time.perf_counter() - begin) / seconds
        if done >= (min_rounds if spent < PATIENCE else FEWEST_ROUNDS) and spent >= 1:
            break
        for k in order.permutation(len(players)):
            name = list(players)[k]
            found[name].note(np.array(players[name].play(ticks[name])))
        done += 1
        advance(min(1.0, max(done / MAX_ROUNDS, (time.perf_counter() - begin) / seconds)))
    return found


def _wall(player: Player, ticks: int) -> float:
    """Return what some ticks take with their environments."""
    begin = time.perf_counter()
    player.play(ticks)
    return time.perf_counter() - begin
