"""A population stepped by cffi: like ctypes, with a fraction of its cost per call."""

import cffi
import numpy as np

from freeagent_core import GenerativeModel, Population

CELLS, MOVES = 5, 3  # back, stay, on
ffi = cffi.FFI()


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
    interface = population.cffi
    cells = np.zeros(size, dtype=np.int64)
    actions = np.empty(size, dtype=np.int64)
    seen, chosen = ffi.from_buffer("int64_t[]", cells), ffi.from_buffer("int64_t[]", actions)
    for _ in range(ticks):
        code = interface.step(interface.state, seen, size, ffi.NULL, 0, chosen, size)
        if code != 0:
            raise RuntimeError(ffi.string(interface.last_error_message()).decode())
        np.clip(cells + actions - 1, 0, CELLS - 1, out=cells)
    return int((cells == CELLS - 1).sum())


if __name__ == "__main__":
    print(run(1000, 5))
