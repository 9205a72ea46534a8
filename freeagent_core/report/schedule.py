"""What is measured and how long, for a quick and a full report."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

REFERENCE_SIZE = 30  # agents of the section on coordination, as in the original report


@dataclass(frozen=True)
class Schedule:
    """Settings of a report; times in seconds.

    Parameters
    ----------
    quick : bool
    sizes : tuple of int
        Numbers of agents, ascending.
    limit : float
        When it has passed, what is left is left out and said to be.
    per_size : float
        For all ways at one number of agents.
    at_reference : float
        The same at `REFERENCE_SIZE` agents.
    search : float
        For each way's search of its capacity.
    hold : float
        Of `Population` and of the fastest manager with as many agents as fit.
    registration : float
        Of agents in worker processes; with more of them, processes are left out.
    phases : float
    per_peer : float
        For each peer and batch size.
    peers : float
        For all of them, compiling included.
    peer_sizes : tuple of int
    min_rounds : int
    """

    quick: bool
    sizes: tuple[int, ...]
    limit: float
    per_size: float
    at_reference: float
    search: float
    hold: float
    registration: float
    phases: float
    per_peer: float
    peers: float
    peer_sizes: tuple[int, ...]
    min_rounds: int
    begin: float = field(default_factory=time.perf_counter)

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.limit - (time.perf_counter() - self.begin)

    def before_peers(self) -> float:
        """Return the seconds that are left when the peers' share is kept free."""
        return self.left() - self.peers


def schedule(quick: bool, sizes: list[int] | None = None) -> Schedule:
    """Return the settings of a quick or a full report."""
    if quick:
        return Schedule(
            quick=True,
            sizes=tuple(sizes or (1, 5, 30, 300, 1000, 10_000)),
            limit=75.0,
            per_size=2.5,
            at_reference=5.0,
            search=2.0,
            hold=4.0,
            registration=4.0,
            phases=2.0,
            per_peer=1.5,
            peers=22.0,
            peer_sizes=(1, 30, 300),
            min_rounds=5,
        )
    return Schedule(
        quick=False,
        sizes=tuple(sizes or (1, 2, 3, 5, 10, 20, 30, 50, 100, 300, 1000, 3000, 10_000)),
        limit=14 * 60.0,
        per_size=10.0,
        at_reference=25.0,
        search=10.0,
        hold=60.0,
        registration=20.0,
        phases=10.0,
        per_peer=6.0,
        peers=100.0,
        peer_sizes=(1, 30, 300, 3000),
        min_rounds=11,
    )
