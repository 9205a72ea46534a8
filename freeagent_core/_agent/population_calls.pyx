"""What every call of a `Population` does, compiled: read its input, execute on threads under the
lock, and hand out actions.

Input is read before: no code of callers runs while the lock is held. Measured (30 agents of two
states, a step): in Python this took 6 us of 10.
"""

cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING
from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

from freeagent_core._kernels.agents.helper_threads cimport count_lingering
from freeagent_core._kernels.agents.parallel_work cimport chunk_size
from freeagent_core._kernels.agents.population_core cimport LEARN_A, PopulationCore
from freeagent_core._kernels.base.state_lock cimport StateLock
from freeagent_core._kernels.model.structs cimport Model

import numpy as np

from freeagent_core._agent import threads
from freeagent_core._agent.population_learning import begin_learning
from freeagent_core._model import validation as check

cnp.import_array()

cdef double MIN_PARALLEL_NS = threads.MIN_PARALLEL_NS, MIN_SHARED_NS = threads.MIN_SHARED_NS


cdef struct Call:                  # what an operation reads, or NULL
    const unsigned char* mask      # (size,)
    const Py_ssize_t* observations  # (size, num_modalities)
    const double* beliefs          # (size, qs_size)


cdef class PopulationCalls:
    """The calls of one population.

    Parameters
    ----------
    model : GenerativeModel
    core : PopulationCore
    lock : StateLock
        Of the core.

    Attributes
    ----------
    costs : dict
        Per kind of operation, what an agent costs: nanoseconds, the least of recent calls.
    """

    cdef object _model
    cdef PopulationCore _core
    cdef StateLock _lock
    cdef public dict costs

    def __init__(self, model, PopulationCore core not None, StateLock lock not None):
        self._model, self._core, self._lock, self.costs = model, core, lock, {}

    def act(self, int operations, Py_ssize_t num_threads, mask, observations=None):
        """Execute an operation that chooses actions.

        Parameters
        ----------
        operations : int
        num_threads : int
        mask, observations : array_like or None
            As callers give them; None for `observations` where they are not read.

        Returns
        -------
        actions : ndarray of intp, shape (size, num_factors)
            A new array; rows of absent agents are -1.
        """
        cdef PopulationCore core = self._core
        cdef Py_ssize_t i, f, num_factors = core.packed.model.num_factors
        cdef Call call
        cdef Py_ssize_t* chosen
        cdef cnp.npy_intp* shape = [core.size, num_factors]
        present = self._read_mask(mask, &call)
        outcomes = self._read_observations(observations, &call)
        actions = cnp.PyArray_SimpleNew(2, shape, cnp.NPY_INTP)
        chosen = <Py_ssize_t*>cnp.PyArray_DATA(<cnp.ndarray>actions)
        self._lock.acquire()
        try:
            self._execute(operations, num_threads, &call, None, 1.0)
            memcpy(chosen, core._rows.action, core.size * num_factors * sizeof(Py_ssize_t))
        finally:
            self._lock.release()
        for i in range(core.size if call.mask != NULL else 0):
            for f in range(num_factors if not call.mask[i] else 0):
                chosen[i * num_factors + f] = -1
        return actions

    def run(self, int operations, Py_ssize_t num_threads, mask, observations=None, beliefs=None,
            str name=None, bytes to_learn=None, double lr=1.0):
        """Execute an operation that chooses nothing.

        Parameters
        ----------
        operations : int
        num_threads : int
        mask, observations : array_like or None
            See `act`.
        beliefs : sequence of array_like, each of shape (size, num_states[f]), or None
            That learning starts from.
        name : str
            Of the argument `beliefs`.
        to_learn : bytes
            Per modality (A) or factor (B, D), 1 to learn it.
        lr : float
        """
        cdef Call call
        present = self._read_mask(mask, &call)
        outcomes = self._read_observations(observations, &call)
        given = self._read_beliefs(beliefs, name, &call)
        self._lock.acquire()
        try:
            self._execute(operations, num_threads, &call, to_learn, lr)
        finally:
            self._lock.release()

    def reset(self, mask):
        """Begin an episode of the agents that `mask` has."""
        cdef Call call
        cdef Py_ssize_t i
        present = self._read_mask(mask, &call)
        self._lock.acquire()
        try:
            for i in range(self._core.size):
                if call.mask == NULL or call.mask[i]:
                    self._core.begin_episode(i)
        finally:
            self._lock.release()

    # --- execution -------------------------------------------------------------------------

    cdef int _execute(self, int operations, Py_ssize_t num_threads, const Call* call,
                      bytes to_learn, double lr) except -1:
        cdef PopulationCore core = self._core
        cdef double cost = self.costs.get(operations, 0.0), measured
        cdef double expected = cost * core.size if cost > 0.0 else INFINITY  # unknown: all threads
        cdef const unsigned char* wanted = NULL
        cdef Py_ssize_t chunk, helpers
        if to_learn is not None and not core.learns:
            begin_learning(core, self._model)
        chunk = self._chunk(operations, num_threads, cost)
        helpers = min(num_threads, (core.size + chunk - 1) // chunk) - 1
        if helpers > 0:  # while the work is still prepared
            _helpers_awake(helpers, expected)
        if to_learn is not None:
            wanted = <const unsigned char*>PyBytes_AS_STRING(to_learn)
        core.begin(operations, chunk, num_threads, call.observations, call.mask, call.beliefs,
                   wanted, lr)
        try:
            if helpers > 0:
                core.offer(_helpers_awake(helpers, expected))
        finally:  # Ctrl-C may come between: nobody must be at work when this returns
            core.finish()
        # the least of recent ones: a noisy machine makes it longer, never shorter
        measured = core._busy_ns / <double>core.size
        self.costs[operations] = min(measured, 1.1 * cost) if cost > 0.0 else measured
        if core.has_failed():
            self._raise_failed()
        return 0

    # How many agents a thread takes at once.
    cdef Py_ssize_t _chunk(self, int operations, Py_ssize_t num_threads, double cost) noexcept:
        cdef PopulationCore core = self._core
        cdef Py_ssize_t chunk = chunk_size(core.size, num_threads, cost)
        cdef Py_ssize_t rows = core.rows_of_product(operations), block = core.lane_block()
        if rows > 1:  # as many as go together, if each thread has two chunks
            chunk = max(chunk, min(rows, core.size // (2 * num_threads)))
        if block:  # a part of a block takes as long as a whole one
            chunk = (chunk + block - 1) // block * block
        return chunk

    cdef int _raise_failed(self) except -1:
        failed, without_memory = self._core.failed()
        agents = f"agents {failed[:10].tolist()}"
        if without_memory:
            raise MemoryError(
                f"no memory for the predicted beliefs of {agents}: too many are distinct, or "
                "policies to be enumerated; they stay as they were, the others have stepped")
        raise FloatingPointError(
            f"beliefs or q_pi of {agents} became NaN or infinite; they stay as they were, the "
            "others have stepped")

    # --- input -----------------------------------------------------------------------------
    #
    # Each returns what keeps the numbers that the call points to: copies, for another thread of the
    # caller may write into its arrays while agents step (1,000 observations: 0.3 us).

    cdef object _read_mask(self, mask, Call* call):
        cdef cnp.ndarray array
        call.mask = NULL
        if mask is None:
            return None
        if not _is_plain(mask, cnp.NPY_BOOL, 1, self._core.size, 0):
            mask = np.asarray(mask)
            if mask.shape != (self._core.size,) or mask.dtype != bool:
                raise ValueError(f"mask must be an array of bool of shape ({self._core.size},), "
                                 f"got {mask.dtype} of shape {mask.shape}")
        array = cnp.PyArray_NewCopy(mask, cnp.NPY_CORDER)
        call.mask = <const unsigned char*>cnp.PyArray_DATA(array)
        return array

    cdef object _read_observations(self, observations, Call* call):
        cdef cnp.ndarray array
        cdef Py_ssize_t size = self._core.size, width = self._core.packed.model.num_modalities
        call.observations = NULL
        if observations is None:
            return None
        if not (_is_plain(observations, cnp.NPY_INTP, 2, size, width)
                or (width == 1 and _is_plain(observations, cnp.NPY_INTP, 1, size, 0))):
            observations = _whole_numbers(observations, size, width)
        array = cnp.PyArray_NewCopy(observations, cnp.NPY_CORDER)
        call.observations = <const Py_ssize_t*>cnp.PyArray_DATA(array)
        return array

    # As the kernels have them: a row per agent, of padded factors.
    cdef object _read_beliefs(self, beliefs, str name, Call* call):
        cdef const Model* model = &self._core.packed.model
        cdef Py_ssize_t size = self._core.size, f, n, i
        cdef cnp.npy_intp* shape = [size, model.qs_size]
        cdef cnp.ndarray array
        cdef double* numbers
        cdef double* rows
        cdef const double* values
        cdef bint valid = True
        call.beliefs = NULL
        if beliefs is None:
            return None
        if len(beliefs) != model.num_factors:
            raise ValueError(f"{name} must have one array per factor ({model.num_factors}), "
                             f"got {len(beliefs)}")
        packed = cnp.PyArray_SimpleNew(2, shape, cnp.NPY_DOUBLE)
        numbers = <double*>cnp.PyArray_DATA(<cnp.ndarray>packed)
        memset(numbers, 0, size * model.qs_size * sizeof(double))
        for f in range(model.num_factors):
            n = model.factors[f].num_states
            given = beliefs[f]
            if not _is_plain(given, cnp.NPY_DOUBLE, 2, size, n):
                given = check.real_numbers(given, f"{name}[{f}]")
                check.check_shape(given, (size, n), f"{name}[{f}]")
            array = given
            values = <const double*>cnp.PyArray_DATA(array)
            rows = numbers + model.factors[f].offset
            for i in range(size):
                memcpy(rows + i * model.qs_size, values + i * n, n * sizeof(double))
        for i in range(size * model.qs_size):
            valid &= (numbers[i] >= 0.0) & (numbers[i] < INFINITY)
        for f in range(model.num_factors if not valid else 0):
            n = model.factors[f].offset
            check.check_non_negative(packed[:, n:n + model.factors[f].num_states], f"{name}[{f}]")
        call.beliefs = numbers
        return packed


# Return how many of `helpers` are to have a part in work of a measured cost, and see to it that
# they are awake: little work stays with the caller, or is shared with those that linger.
cdef Py_ssize_t _helpers_awake(Py_ssize_t helpers, double expected_ns) except -1:
    cdef Py_ssize_t lingering = count_lingering()
    if expected_ns <= MIN_SHARED_NS:
        return 0
    if expected_ns <= MIN_PARALLEL_NS or lingering >= helpers:
        return min(helpers, lingering)
    return threads.wake(helpers + 1, expected_ns)


# Whether `value` is a contiguous array of a type and a shape: (size,) or (size, width).
cdef bint _is_plain(value, int kind, int num_axes, Py_ssize_t size, Py_ssize_t width) noexcept:
    cdef cnp.ndarray array
    if not cnp.PyArray_CheckExact(value):
        return False
    array = <cnp.ndarray>value
    return (cnp.PyArray_NDIM(array) == num_axes and cnp.PyArray_TYPE(array) == kind
            and cnp.PyArray_ISCARRAY_RO(array) and cnp.PyArray_DIM(array, 0) == size
            and (num_axes == 1 or cnp.PyArray_DIM(array, 1) == width))


cdef object _whole_numbers(observations, Py_ssize_t size, Py_ssize_t width):
    try:
        array = np.asarray(observations)
    except ValueError:
        raise ValueError(
            f"observations must have shape ({size}, {width}); rows differ") from None
    if array.ndim == 1 and width == 1:
        array = array[:, np.newaxis]
    if array.shape != (size, width):
        raise ValueError(f"observations must have shape ({size}, {width}), got {array.shape}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"observations must be integers, got dtype {array.dtype}")
    return array.astype(np.intp, copy=False)
