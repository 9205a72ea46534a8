"""Whether agents of one kind are stepped faster by threads: measured, not guessed."""

from __future__ import annotations

import math

PROBES = 3  # measurements of each way before one is chosen
AGAIN = 200  # decisions after which the other way is measured once more
ADVANTAGE = 1.1  # threads must be this much faster: one timing on a busy machine says little


class Choice:
    """The faster of two ways, by the least seconds an agent took in each."""

    def __init__(self) -> None:
        self._seconds: dict[bool, list[float]] = {False: [], True: []}
        self._decisions = 0

    def use_threads(self) -> bool:
        """Return whether to use threads now."""
        self._decisions += 1
        for way in (False, True):
            if len(self._seconds[way]) < PROBES:
                return way
        best = self._is_faster()
        # an old measurement may be of other times; the losing way costs one tick in 200
        return not best if self._decisions % AGAIN == 0 else best

    def _is_faster(self) -> bool:
        return min(self._seconds[True]) * ADVANTAGE < min(self._seconds[False])

    def note(self, threads: bool, count: int, seconds: float) -> None:
        """Keep what `count` agents took."""
        if count and math.isfinite(seconds):
            kept = self._seconds[threads]
            kept.append(seconds / count)
            del kept[:-PROBES]
