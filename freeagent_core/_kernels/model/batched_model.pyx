"""The packed model of a batch of agents: arrays that agents share or have each their own.

Every array has a leading axis of agents, of size 1 if they share it: a kernel reads agent i at
`data + i * stride`, and a shared array has stride 0.
"""

from cpython.object cimport PyObject
from libc.stdlib cimport free, malloc

import numpy as np

cdef extern from "Python.h":  # Cython's own return new references
    PyObject* PyTuple_GET_ITEM(object, Py_ssize_t)
    PyObject* PyList_GET_ITEM(object, Py_ssize_t)
    Py_ssize_t PyTuple_GET_SIZE(object)
    Py_ssize_t PyList_GET_SIZE(object)


def unwritten(tuple lists, /):
    """Return whether lists hold the very objects that they held when tuples were made of them.

    Takes lists and tuples by turns. Cost: a comparison of pointers for each object.
    """
    cdef Py_ssize_t i, j, n
    cdef PyObject* written
    cdef PyObject* before
    for i in range(0, PyTuple_GET_SIZE(lists), 2):
        written, before = PyTuple_GET_ITEM(lists, i), PyTuple_GET_ITEM(lists, i + 1)
        n = PyTuple_GET_SIZE(<object>before)
        if PyList_GET_SIZE(<object>written) != n:
            return False
        for j in range(n):
            if PyList_GET_ITEM(<object>written, j) != PyTuple_GET_ITEM(<object>before, j):
                return False
    return True


cdef class BatchedModel:
    """Shapes, dependencies and tables of a batch of agents.

    Parameters
    ----------
    batch_size : int
    num_states, num_obs, num_controls : tuple of int
    A_dependencies, B_dependencies : tuple of tuple of int
        The factors that each modality, and each factor's next state, depends on.
    log_A : list of ndarray, (agents, num_obs, joint states)
    B : list of ndarray, (agents, num_controls, joint states, num_states)
        `agents` is 1 or `batch_size`.

    Everything is checked by the caller but the shapes of the tables.
    """

    def __cinit__(self, Py_ssize_t batch_size, tuple num_states, tuple num_obs,
                  tuple num_controls, tuple A_dependencies, tuple B_dependencies,
                  list log_A, list B):
        cdef BatchedTables* t = &self.tables
        cdef Py_ssize_t i, k, parents_total, nm = len(num_obs), nf = len(num_states)
        cdef Likelihood* m
        cdef Transition* f
        cdef ParentGroup* g
        cdef int32_t* ints
        cdef Py_ssize_t* sizes
        self._kept = []
        self._block = NULL
        self.num_states, self.num_obs, self.num_controls = num_states, num_obs, num_controls
        self.A_dependencies, self.B_dependencies = A_dependencies, B_dependencies
        self.groups = tuple(dict.fromkeys(A_dependencies))
        members = [[i for i in range(nm) if A_dependencies[i] == parents]
                   for parents in self.groups]
        t.batch_size, t.num_modalities, t.num_factors = batch_size, nm, nf
        t.num_groups = len(self.groups)
        parents_total = sum(map(len, self.groups)) + sum(map(len, B_dependencies))
        self._block = malloc(
            nm * sizeof(Likelihood) + nf * sizeof(Transition) + nm * sizeof(ParentGroup)
            + parents_total * sizeof(Py_ssize_t) + (parents_total + nm) * sizeof(int32_t))
        if self._block == NULL:
            raise MemoryError("no memory for the model")
        t.modalities = <Likelihood*>self._block
        t.factors = <Transition*>(t.modalities + nm)
        t.groups = <ParentGroup*>(t.factors + nf)
        sizes = <Py_ssize_t*>(t.groups + nm)
        ints = <int32_t*>(sizes + parents_total)
        t.num_states_total = t.num_obs_total = t.max_tensor = t.group_total = 0
        for i in range(nf):
            f = &t.factors[i]
            f.num_states, f.offset, f.num_controls = num_states[i], t.num_states_total, num_controls[i]
            t.num_states_total += f.num_states
            f.parents, f.sizes, f.num_parents = ints, sizes, len(B_dependencies[i])
            f.size = 1
            for parent in B_dependencies[i]:
                ints[0], sizes[0] = parent, num_states[parent]
                f.size *= sizes[0]
                ints += 1
                sizes += 1
            f.log_B.data = NULL
            self._set(&f.B, B[i], (f.num_controls, f.size, f.num_states), f"B[{i}]")
            t.max_tensor = max(t.max_tensor, f.size * f.num_states)
        for i in range(t.num_groups):
            g = &t.groups[i]
            g.parents, g.sizes, g.num_parents = ints, sizes, len(self.groups[i])
            g.size = 1
            for parent in self.groups[i]:
                ints[0], sizes[0] = parent, num_states[parent]
                g.size *= sizes[0]
                ints += 1
                sizes += 1
            g.modalities, g.num_modalities = ints, len(members[i])
            for k in members[i]:
                ints[0] = k
                ints += 1
                t.modalities[k].group, t.modalities[k].size = i, g.size
            t.group_total += g.size
            t.max_tensor = max(t.max_tensor, g.size)
        for i in range(nm):
            m = &t.modalities[i]
            m.num_obs, m.obs_offset = num_obs[i], t.num_obs_total
            t.num_obs_total += m.num_obs
            self._set(&m.log_A, log_A[i], (m.num_obs, m.size), f"log_A[{i}]")

    def __dealloc__(self):
        free(self._block)

    @property
    def has_log_B(self):
        """Whether `set_log_B` was called."""
        return self.tables.factors[0].log_B.data != NULL

    def set_log_B(self, list log_B):
        """Add the logarithms of B, which variational message passing reads."""
        cdef Py_ssize_t i
        cdef Transition* f
        for i in range(self.tables.num_factors):
            f = &self.tables.factors[i]
            self._set(&f.log_B, log_B[i], (f.num_controls, f.size, f.num_states), f"log_B[{i}]")

    cdef int _set(self, Table* table, object array, tuple shape, str name) except -1:
        cdef const double[::1] flat
        if (array.dtype != np.float64 or not array.flags.c_contiguous
                or array.shape[1:] != shape or array.shape[0] not in (1, self.tables.batch_size)):
            raise ValueError(f"{name} must be float64 of shape (1 or {self.tables.batch_size}, "
                             f"{', '.join(map(str, shape))}), got {array.dtype} {array.shape}")
        flat = array.reshape(-1)
        table.data = &flat[0]
        table.stride = 0 if array.shape[0] == 1 else flat.shape[0] // array.shape[0]
        self._kept.append(array)
        return 0
