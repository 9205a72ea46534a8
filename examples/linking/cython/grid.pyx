# distutils: language = c
"""1,000 agents on a 5 x 5 grid: they and their environments in one loop without the GIL.

Each agent sees its cell and would like to be in the last one. Several threads may each `run` a
`Simulation` of a part of the agents: the result is the same.
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
    MOVES = 5                      # up, down, left, right, stay

cdef const freeagent_api* api = freeagent_import()


cdef int64_t moved(int64_t cell, int64_t move) noexcept nogil:
    """The cell after a move."""
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


# The same as a table: the loop below has nothing to guess.
cdef int64_t _after[CELLS][MOVES]
for _cell in range(CELLS):
    for _move in range(MOVES):
        _after[_cell][_move] = moved(_cell, _move)


def make_model(policy_len=1, **arguments):
    """Return the grid as a `GenerativeModel`."""
    B = np.zeros((CELLS, CELLS, MOVES))
    for cell in range(CELLS):
        for move in range(MOVES):
            B[_after[cell][move], cell, move] = 1.0
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
            cells[i] = _after[cells[i]][actions[i]]
    return FREEAGENT_OK


cdef int check(int code) except -1:
    if code != FREEAGENT_OK:
        raise RuntimeError(api.last_error_message().decode())
    return 0


cdef class Simulation:
    """Agents and the cells that they are in.

    `first_agent` is the number of the first of these agents among all.
    """

    cdef freeagent_population* population
    cdef int64_t[::1] actions
    cdef readonly object cells

    def __init__(self, model, int64_t size, int64_t seed=0, int64_t first_agent=0):
        cdef freeagent_model* handle
        if self.population != NULL:
            raise TypeError("a Simulation cannot be initialised twice")
        check(api.model_from_python(<PyObject*>model, &handle))
        try:
            check(api.population_new(handle, size, seed, first_agent, &self.population))
        finally:
            api.model_free(handle)  # the agents keep the model
        self.cells = np.zeros(size, dtype=np.int64)
        self.actions = np.empty(size, dtype=np.int64)

    def __dealloc__(self):
        if self.population != NULL:
            api.population_free(self.population)

    def run(self, int64_t ticks):
        """Step the agents and move them, `ticks` times."""
        cdef int64_t[::1] cells = self.cells
        cdef int code
        with nogil:
            code = simulate(self.population, &cells[0], &self.actions[0], cells.shape[0], ticks)
        check(code)

    def reset(self):
        """Begin again in the first cell."""
        check(api.population_reset(self.population, NULL, 0))
        self.cells[:] = 0
