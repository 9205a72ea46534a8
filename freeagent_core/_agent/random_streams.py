"""The random streams of agents: a function of the seed and an agent's index alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Agents share a child of the seed in blocks, whose bounds do not depend on who is there: a
# `SeedSequence` for each agent would cost 20 us, and the words of a single one repeat after 2^30.
BLOCK = 256
WORDS = 4  # of an agent's generator (xoshiro256**)


def agent_streams(seed: Any, first: int, count: int) -> npt.NDArray[np.uint64]:
    """Return the initial states of the random generators of consecutive agents.

    Parameters
    ----------
    seed : int, sequence of int, numpy.random.SeedSequence or None
    first : int
        Index of the first agent.
    count : int

    Returns
    -------
    states : ndarray of uint64, shape (count, 4)
        Row i belongs to agent ``first + i``, whatever `first` and `count` are.

    Examples
    --------
    >>> (agent_streams(7, 0, 1000)[600:] == agent_streams(7, 600, 400)).all()
    np.True_
    """
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    stop = first + count
    words = []
    for block in range(first // BLOCK, -(-stop // BLOCK)):
        child = np.random.SeedSequence(
            entropy=root.entropy, spawn_key=(*root.spawn_key, block), pool_size=root.pool_size
        )
        start = block * BLOCK
        needed = min(BLOCK, stop - start)
        states = child.generate_state(WORDS * needed, np.uint64).reshape(needed, WORDS)
        words.append(states[max(first - start, 0) :])
    return np.concatenate(words)
