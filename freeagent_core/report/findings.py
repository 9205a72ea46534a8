"""What follows from the measurements: estimates, winners, crossings, quantities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeagent_core.report import phases as phases_module
from freeagent_core.report import statistics
from freeagent_core.report.capacity import Capacity
from freeagent_core.report.document import Quantity
from freeagent_core.report.measuring import Measurements
from freeagent_core.report.peers import PeerRounds
from freeagent_core.report.statistics import Crossing, Estimate, Winner
from freeagent_core.report.ways import LABELS, MANAGERS, PARALLEL

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Range:
    """Neighbouring numbers of agents at which the same ways win.

    Parameters
    ----------
    sizes : list of int
    winners : list of Winner
        At each of the sizes.
    """

    sizes: list[int]
    winners: list[Winner]

    @property
    def name(self) -> str:
        """The winner, or the two that cannot be told apart."""
        first = self.winners[0]
        return first.name if first.is_clear else f"{first.name} or {first.runner_up}"


@dataclass
class Findings:
    """Estimates from measurements.

    Parameters
    ----------
    measurements : Measurements
    processors : int
    budget : float
        Seconds of a tick.
    """

    measurements: Measurements
    processors: int
    budget: float

    @property
    def sizes(self) -> list[int]:
        """Numbers of agents that were measured, ascending."""
        return sorted(self.measurements.scaling)

    def ways_at(self, size: int, among: Sequence[str] = tuple(LABELS)) -> list[str]:
        """Return the ways that were measured at a number of agents."""
        measured = self.measurements.scaling.get(size, {})
        return [name for name in among if name in measured]

    def times(self, size: int, way: str) -> FloatArray:
        """Return the seconds of a tick in each round."""
        return np.array(self.measurements.scaling[size][way].seconds)

    def tick(self, size: int, way: str) -> Estimate:
        """Return the seconds of a tick."""
        return statistics.estimate(self.times(size, way))

    def throughput(self, size: int, way: str) -> Estimate:
        """Return agents stepped per second."""
        return self.tick(size, way).inverse(size)

    def quantile_tick(self, size: int, way: str, q: float) -> Estimate:
        """Return a quantile of all ticks, in seconds."""
        return self.measurements.scaling[size][way].quantile(q)

    def speed_up(self, size: int, way: str) -> Estimate:
        """Return the sequential manager's time over this way's, if both were measured."""
        if "sequential" not in self.ways_at(size):
            return statistics.NOTHING
        return statistics.ratio(self.times(size, "sequential"), self.times(size, way), True)

    def efficiency(self, size: int, way: str) -> Estimate:
        """Return speed-up / processors that the way may use."""
        return self.speed_up(size, way).scaled(1 / (self.processors if way in PARALLEL else 1))

    def used(self, size: int, way: str) -> int:
        """Return the processors that could share the work."""
        return min(self.processors, size) if way in PARALLEL else 1

    def overhead(self, size: int, way: str) -> Estimate:
        """Return the seconds per agent of a tick beyond inference / processors used.

        Inference is the loop's: its calls of `step` and nothing else.
        """
        if "loop" not in self.ways_at(size):
            return statistics.NOTHING
        ideal = self.times(size, "loop") / self.used(size, way)
        return statistics.estimate((self.times(size, way) - ideal) / size)

    def overhead_share(self, size: int, way: str) -> Estimate:
        """Return the overhead over the inference of one agent."""
        if "loop" not in self.ways_at(size):
            return statistics.NOTHING
        loop = self.times(size, "loop")
        return statistics.estimate((self.times(size, way) - loop / self.used(size, way)) / loop)

    def original_overhead(self, size: int, way: str) -> Estimate:
        """Return agents / speed-up - 1: the original report's formula, which takes for granted
        that n agents can be n times as fast, as sleeping ones are."""
        return self.speed_up(size, way).inverse(size).plus(-1.0)

    def one_step(self) -> Estimate:
        """Return the seconds of one agent's step, alone."""
        for size in self.sizes:
            if "loop" in self.ways_at(size):
                return self.tick(size, "loop").scaled(1 / size)
        return statistics.estimate([self.measurements.step_seconds])

    # --- who wins ----------------------------------------------------------------------------

    def winner(self, size: int, among: Sequence[str]) -> Winner:
        """Return who is fastest at a number of agents."""
        return statistics.winner({w: self.times(size, w) for w in self.ways_at(size, among)})

    def ranges(self, among: Sequence[str]) -> list[Range]:
        """Return who wins over which numbers of agents."""
        found: list[Range] = []
        for size in self.sizes:
            if not self.ways_at(size, among):
                continue
            here = Range([size], [self.winner(size, among)])
            if found and {*found[-1].name.split(" or ")} == {*here.name.split(" or ")}:
                found[-1] = Range([*found[-1].sizes, size], [*found[-1].winners, *here.winners])
            else:
                found.append(here)
        return found

    def crossing(self, way: str, over: str) -> Crossing | None:
        """Return from how many agents on one way stays faster than another."""
        sizes = [n for n in self.sizes if {way, over} <= set(self.ways_at(n))]
        if not sizes:
            return None
        ours, theirs = ([self.times(n, name) for n in sizes] for name in (way, over))
        return statistics.crossing(sizes, ours, theirs)

    def best_manager(self) -> str | None:
        """Return the manager that is fastest at the largest number of agents."""
        for size in reversed(self.sizes):
            if self.ways_at(size, MANAGERS):
                return self.winner(size, MANAGERS).name
        return None

    # --- capacity ----------------------------------------------------------------------------

    def theoretical(self, way: str) -> float:
        """Return budget / one agent's step, times the processors that the way may use."""
        used = self.processors if way in PARALLEL else 1
        return used * self.budget / self.one_step().median

    def capacity_of(self, way: str) -> Capacity | None:
        """Return what was found about a way's capacity."""
        return next((c for c in self.measurements.capacities if c.way == way), None)

    @staticmethod
    def capacity_estimate(found: Capacity) -> Estimate:
        """Return the most agents that fit, up to the least number that did not."""
        tried = [*found.probes, *found.holds]
        too_many = [p.size for p in tried if p.p99 > found.budget and p.size > found.size]
        high = max(found.size, min(too_many) - 1) if too_many else found.size
        return Estimate(found.size, found.size, high, len(tried))

    # --- where the time goes -----------------------------------------------------------------

    def phase(self, name: str) -> Estimate:
        """Return the seconds per agent of a phase of the step."""
        return statistics.estimate(self.measurements.phases[name])

    def phase_share(self, name: str) -> Estimate:
        """Return a phase over the sum of all three."""
        rounds = self.measurements.phases
        total = np.sum([rounds[each] for each in phases_module.PHASES], axis=0)
        return statistics.estimate(np.array(rounds[name]) / total)

    @staticmethod
    def peer_ratio(rounds: PeerRounds) -> Estimate:
        """Return the peer's time over ours."""
        return statistics.ratio(rounds.theirs, rounds.ours, True)

    # --- what two reports are compared by ----------------------------------------------------

    def quantities(self) -> dict[str, Quantity]:
        """Return every figure that two reports may be compared by."""
        found: dict[str, Quantity] = {}
        for size in self.sizes:
            for way in self.ways_at(size):
                found[f"tick/{way}/{size}"] = Quantity(
                    f"tick of {size:,} agents, {LABELS[way]}",
                    "s",
                    "lower",
                    self.tick(size, way),
                    self.times(size, way).tolist(),
                )
        for name, values in self.measurements.phases.items():
            found[f"phase/{name}"] = Quantity(
                f"{phases_module.LABELS[name]}, per agent", "s", "lower", self.phase(name), values
            )
        for each in self.measurements.capacities:
            found[f"capacity/{each.way}"] = Quantity(
                f"agents within {each.budget * 1e3:g} ms, {LABELS[each.way]}",
                "agents",
                "higher",
                self.capacity_estimate(each),
                [],
            )
        for rounds in self.measurements.peers.rounds:
            found[f"peer/{rounds.peer}/{rounds.size}"] = Quantity(
                f"times faster than {rounds.peer}, {rounds.size:,} agents",
                "ratio",
                "higher",
                self.peer_ratio(rounds),
                (np.array(rounds.theirs) / np.array(rounds.ours)).tolist(),
            )
        return found
