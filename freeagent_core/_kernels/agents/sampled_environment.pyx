"""An environment whose states and observations are drawn from categorical A, B and D.

The draws are those of `pymdp.envs.PymdpEnv` under the same keys: one hash and one cumulative sum
for each factor and modality, neither where the outcome is sure.
"""

from libc.stdint cimport int32_t, uint32_t
from libc.stdlib cimport free, malloc

from freeagent_core._kernels.base.threefry cimport choice, choice_float, hashed

import numpy as np

cdef enum:
    MAX_FACTORS = 64


# Drawn under entry `number` of split(key); a sure outcome needs no hash.
cdef int32_t _drawn(const Conditional* c, Py_ssize_t element, Py_ssize_t condition, Key key,
                    Py_ssize_t number, double* scratch) noexcept nogil:
    cdef int32_t sure = c.sure[element * c.sure_stride + condition]
    cdef const double* p = c.p + element * c.stride + condition * c.size
    if sure >= 0:
        return sure
    key = hashed(key, number)
    return <int32_t>(choice_float(key, p, c.size, scratch) if c.single
                     else choice(key, p, c.size, scratch))


cdef Py_ssize_t _condition(const Conditional* c, const int32_t* state) noexcept nogil:
    cdef Py_ssize_t i, index = 0
    for i in range(c.num_parents):
        index = index * c.sizes[i] + state[c.parents[i]]
    return index


# obs[m] ~ A[m][:, parents of state], under key m of split(key)
cdef void observe(const EnvironmentTables* e, Py_ssize_t element, Key key, const int32_t* state,
                  int32_t* obs, double* scratch) noexcept nogil:
    cdef Py_ssize_t m
    for m in range(e.num_modalities):
        obs[m] = _drawn(&e.A[m], element, _condition(&e.A[m], state), key, m, scratch)


# state[f] ~ D[f], then an observation: `PymdpEnv.reset`
cdef void start(const EnvironmentTables* e, Py_ssize_t element, Key key, int32_t* state,
                int32_t* obs, double* scratch) noexcept nogil:
    cdef Py_ssize_t f
    for f in range(e.num_factors):
        state[f] = _drawn(&e.D[f], element, 0, key, f + 1, scratch)
    observe(e, element, hashed(key, 0), state, obs, scratch)


# state[f] ~ B[f][:, parents of state, action[f]] in place, then an observation: `PymdpEnv.step`.
# Without an action the state stays.
cdef void move(const EnvironmentTables* e, Py_ssize_t element, Key key, const int32_t* action,
               int32_t* state, int32_t* obs, double* scratch) noexcept nogil:
    cdef Key state_key = hashed(key, 0)
    cdef int32_t new_state[MAX_FACTORS]
    cdef Py_ssize_t f, condition
    if action != NULL:
        for f in range(e.num_factors):
            condition = _condition(&e.B[f], state) * e.num_controls[f] + action[f]
            new_state[f] = _drawn(&e.B[f], element, condition, state_key, f, scratch)
        for f in range(e.num_factors):
            state[f] = new_state[f]
    observe(e, element, hashed(key, 1), state, obs, scratch)


cdef class SampledEnvironment:
    """Packed A, B and D of an environment, for one element or a batch of them.

    Parameters
    ----------
    batch_size : int
    A, B, D : list of ndarray of float64 or float32
        With a leading axis of size 1 (all elements share it) or `batch_size`.
    A_dependencies, B_dependencies : tuple of tuple of int

    Everything is checked by the caller.
    """

    def __cinit__(self, Py_ssize_t batch_size, list A, list B, list D, tuple A_dependencies,
                  tuple B_dependencies):
        cdef EnvironmentTables* e = &self.tables
        cdef Py_ssize_t nf = len(B), nm = len(A), i
        cdef int32_t* controls
        self._block = NULL
        if nf > MAX_FACTORS:
            raise ValueError(f"at most {MAX_FACTORS} factors, got {nf}")
        self.batch_size, self._kept = batch_size, []
        self.num_states = tuple(d.shape[1] for d in D)
        self.num_obs = tuple(a.shape[1] for a in A)
        self.num_controls = tuple(b.shape[b.ndim - 1] for b in B)
        e.num_factors, e.num_modalities = nf, nm
        e.max_size = max(self.num_states + self.num_obs)
        self._block = malloc((nm + 2 * nf) * sizeof(Conditional) + nf * sizeof(int32_t))
        if self._block == NULL:
            raise MemoryError("no memory for the environment")
        e.A = <Conditional*>self._block
        e.B = e.A + nm
        e.D = e.B + nf
        controls = <int32_t*>(e.D + nf)
        e.num_controls = controls
        for i in range(nm):
            self._pack(&e.A[i], A[i], A_dependencies[i])
        for i in range(nf):
            controls[i] = self.num_controls[i]
            self._pack(&e.B[i], B[i], B_dependencies[i])
            self._pack(&e.D[i], D[i], ())

    cdef int _pack(self, Conditional* c, object array, tuple parents) except -1:
        rows = np.ascontiguousarray(np.moveaxis(array, 1, -1), dtype=np.float64)
        flat = rows.reshape(len(rows), -1, rows.shape[rows.ndim - 1])
        is_sure = (flat == 1.0).any(axis=-1) & ((flat != 0.0).sum(axis=-1) == 1)
        sure = np.ascontiguousarray(np.where(is_sure, flat.argmax(axis=-1), -1), dtype=np.int32)
        cdef const double[::1] p = flat.reshape(-1)
        cdef const int32_t[::1] outcomes = sure.reshape(-1)
        ints = np.array([*parents, *(self.num_states[f] for f in parents), 0], dtype=np.int32)
        cdef const int32_t[::1] names = ints
        self._kept += [flat, sure, ints]
        c.size, c.num_parents, c.single = flat.shape[2], len(parents), array.dtype == np.float32
        c.p, c.sure, c.parents, c.sizes = &p[0], &outcomes[0], &names[0], &names[len(parents)]
        c.stride = 0 if len(flat) == 1 else flat.shape[1] * flat.shape[2]
        c.sure_stride = 0 if len(flat) == 1 else flat.shape[1]
        return 0

    def __dealloc__(self):
        free(self._block)

    def reset(self, const uint32_t[:, ::1] keys):
        """Draw states from D, and observations.

        Parameters
        ----------
        keys : (batch_size, 2) array of uint32

        Returns
        -------
        obs : (batch_size, num_modalities) array of int32
        state : (batch_size, num_factors) array of int32
        """
        return self._run(keys, None, None)

    def step(self, const uint32_t[:, ::1] keys, state, action):
        """Move states by actions (None: not at all) and draw observations.

        Parameters
        ----------
        keys : (batch_size, 2) array of uint32
        state, action : (batch_size, num_factors) array of int32

        Returns
        -------
        obs : (batch_size, num_modalities) array of int32
        state : (batch_size, num_factors) array of int32
        """
        return self._run(keys, state, action)

    cdef tuple _run(self, const uint32_t[:, ::1] keys, object state, object action):
        cdef const EnvironmentTables* e = &self.tables
        cdef Py_ssize_t i, n = self.batch_size
        obs = np.empty((n, e.num_modalities), dtype=np.int32)
        cdef bint begin = state is None, stays = action is None
        new_state = (np.empty((n, e.num_factors), dtype=np.int32) if begin
                     else np.array(state, dtype=np.int32))
        scratch_array = np.empty(2 * e.max_size)
        cdef int32_t[:, ::1] states = new_state, seen = obs
        cdef const int32_t[:, ::1] actions = action
        cdef double[::1] scratch = scratch_array
        cdef Key key
        if keys.shape[0] != n or states.shape[0] != n or states.shape[1] != e.num_factors:
            raise ValueError("keys and states for each element")
        if not stays and (actions.shape[0] != n or actions.shape[1] != e.num_factors):
            raise ValueError("an action for each element and factor")
        with nogil:
            for i in range(n):
                key = Key(keys[i, 0], keys[i, 1])
                if begin:
                    start(e, i, key, &states[i, 0], &seen[i, 0], &scratch[0])
                else:
                    move(e, i, key, NULL if stays else &actions[i, 0], &states[i, 0],
                         &seen[i, 0], &scratch[0])
        return obs, new_state

    def observe(self, const uint32_t[:, ::1] keys, state):
        """Draw observations of states: `reset` where the state is given."""
        cdef const EnvironmentTables* e = &self.tables
        cdef Py_ssize_t i, n = self.batch_size
        obs = np.empty((n, e.num_modalities), dtype=np.int32)
        scratch_array = np.empty(2 * e.max_size)
        cdef const int32_t[:, ::1] states = state
        cdef int32_t[:, ::1] seen = obs
        cdef double[::1] scratch = scratch_array
        if keys.shape[0] != n or states.shape[0] != n or states.shape[1] != e.num_factors:
            raise ValueError("keys and states for each element")
        with nogil:
            for i in range(n):
                observe(e, i, Key(keys[i, 0], keys[i, 1]), &states[i, 0], &seen[i, 0], &scratch[0])
        return obs
