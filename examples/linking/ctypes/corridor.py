"""A population stepped by ctypes: the functions of the C interface on the memory of NumPy arrays.

A step of ctypes costs some 2 us of Python for the call; the agents run without the GIL.
"""

import numpy as np

from freeagent_core import GenerativeModel, Population

CELLS, MOVES = 5, 3  # back, stay, on


def make_model() -> GenerativeModel:
    """Return a corridor whose last cell the agents prefer."""
    cells = np.arange(CELLS)
    B = np.zeros((CELLS, CELLS, MOVES))
    for move in range(MOVES):
        B[np.clip(cells + move - 1, 0, CELLS - 1), cells, move] = 1.0
    C, D = np.zeros(CELLS), np.zeros(CELLS)
    C[-1], D[0] = 3.0, 1.0
    return GenerativeModel(np.eye(CELLS), B, C=C, D=D, policy_len=4)


def run(size: int, ticks: int) -> int:
    """Return how many of `size` agents are in the last cell after so many ticks."""
    population = Population(make_model(), size, seed=0)
    interface = population.ctypes
    cells = np.zeros((size, 1), dtype=np.int64)
    actions = np.empty((size, 1), dtype=np.int64)
    for _ in range(ticks):
        code = interface.step(
            interface.state, cells.ctypes, cells.size, None, 0, actions.ctypes, actions.size
        )
        if code != 0:
            raise RuntimeError(interface.last_error_message().decode())
        cells = np.clip(cells + actions - 1, 0, CELLS - 1)
    return int((cells == CELLS - 1).sum())


if __name__ == "__main__":
    print(run(1000, 5))
