"""A population and its environments in one compiled loop, which calls the functions of ctypes."""

import numba
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


# The functions are the same for all populations; the handle is an argument.
step = Population(make_model(), 1).ctypes.step


@numba.njit(nogil=True)
def simulate(handle, cells, actions, ticks):
    """Return 0, or the error of the step that failed."""
    for _ in range(ticks):
        code = step(handle, cells.ctypes, cells.size, 0, 0, actions.ctypes, actions.size)
        if code != 0:
            return code
        for i in range(cells.size):
            cells[i] = min(max(cells[i] + actions[i] - 1, 0), CELLS - 1)
    return 0


def run(size: int, ticks: int) -> int:
    """Return how many of `size` agents are in the last cell after so many ticks."""
    population = Population(make_model(), size, seed=0)
    interface = population.ctypes
    cells, actions = np.zeros(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    if simulate(interface.state_address, cells, actions, ticks) != 0:
        raise RuntimeError(interface.last_error_message().decode())
    return int((cells == CELLS - 1).sum())


if __name__ == "__main__":
    print(run(1000, 5))
