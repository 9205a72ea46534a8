# distutils: language = c
"""1,000 agents on a 5 x 5 grid: they and their environments in one loop without the GIL.

Each agent sees its cell and would like to be in the last one. `run` may be called from several
threads, each with a part of the agents: the result is the same.
"""

from libc.stdint cimport int64_t

import numpy as np

from freeagent_core import GenerativeModel

cimport cython
from cpython.object cimport PyObject
from freeagent_core.c_api cimport (
    FREEAGENT_OK, freeagent_api, freeagent_import, freeagent_model, freeagent_population,
)

cdef enum:
    SIDE = 5
    CELLS = SIDE * SIDE

cdef const freeagent_api* api = freeagent_import()


cdef int64_t moved(int64_t cell, int64_t move) noexcept nogil:
    """The cell after a move: up, down, left, right, stay."""
    cdef int64_t row = cell // SIDE, column = cell % SIDE
    if move == 0:
        row = max(row - 1, 0)
    elif move == 1:
        row = min(row + 1, SIDE - 1)
    elif move == 2:
        column = max(column - 1, 0)
    elif move == 3:
        column = min(column + 1, SIDE - 1)
    return row * SIDE + column


def make_model(policy_len=1, **arguments):
    """Return the grid as a `GenerativeModel`."""
    B = np.zeros((CELLS, CELLS, 5))
    for cell in range(CELLS):
        for move in range(5):
            B[moved(cell, move), cell, move] = 1.0
    C, D = np.zeros(CELLS), np.zeros(CELLS)
    C[-1], D[0] = 3.0, 1.0
    return GenerativeModel(np.eye(CELLS), B, C=C, D=D, policy_len=policy_len, **arguments)


# The loop: no Python object, no GIL. Returns an error of the interface, or 0.
cdef int simulate(freeagent_population* population, int64_t* cells, int64_t* actions,
                  int64_t size, int64_t ticks) noexcept nogil:
    cdef int64_t tick, i
    cdef int code
    for tick in range(ticks):
        code = api.population_step(population, cells, size, NULL, 0, actions, size)
        if code != FREEAGENT_OK:
            return code
        for i in range(size):
            cells[i] = moved(cells[i], actions[i])
    return FREEAGENT_OK


def run(model, int64_t[::1] cells not None, int64_t ticks, int64_t seed=0, int64_t first_agent=0):
    """Move agents that begin in `cells`, which is written to.

    `first_agent` is the number of the first of these agents among all.
    """
    cdef int64_t[::1] actions = np.empty(cells.shape[0], dtype=np.int64)
    cdef freeagent_model* handle = NULL
    cdef freeagent_population* population = NULL
    cdef int code = api.model_from_python(<PyObject*>model, &handle)
    if code == FREEAGENT_OK:
        code = api.population_new(handle, cells.shape[0], seed, first_agent, &population)
    if code == FREEAGENT_OK:
        with nogil:
            code = simulate(population, &cells[0], &actions[0], cells.shape[0], ticks)
    message = "" if code == FREEAGENT_OK else api.last_error_message().decode()
    api.population_free(population)  # NULL is an error here, and does no harm
    api.model_free(handle)
    if message:
        raise RuntimeError(message)
