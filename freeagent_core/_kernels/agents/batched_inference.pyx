# cython: boundscheck=True, wraparound=True
"""Inference of a batch of agents: what Python passes in is read, checked and given to kernels."""

cimport numpy as cnp
from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from freeagent_core._kernels.agents.batch_threads cimport run_batch
from freeagent_core._kernels.inference.jacobi_iteration cimport (
    jacobi_iteration, jacobi_scratch)
from freeagent_core._kernels.inference.observed_evidence cimport (
    IN_WEIGHTS, NO_EVIDENCE, Observed)
from freeagent_core._kernels.inference.predicted_states cimport predict_states
from freeagent_core._kernels.model.batched_model cimport BatchedTables, Likelihood, Transition
from freeagent_core._kernels.model.lane_model cimport LANES
from freeagent_core._kernels.planning.lane_values cimport (
    evaluate_policies_in_lanes, fit_value_lanes)
from freeagent_core._kernels.planning.policy_plan cimport SharedPolicies
from freeagent_core._kernels.planning.shared_prefixes cimport evaluate_policies

import numpy as np

cnp.import_array()

cdef enum:
    MAX_FACTORS = 64


# Makes a NumPy array of what is none yet; the layer above knows how (`set_array_reader`).
cdef object as_array = lambda value, name: np.asarray(value)


def set_array_reader(reader):
    """Use ``reader(value, name)`` to make NumPy arrays of other arrays and of lists."""
    global as_array
    as_array = reader


# --- reading --------------------------------------------------------------------------------------

cdef inline bint _has_length(object value) except -1:
    return isinstance(value, (list, tuple))


cdef int _check_list(object values, Py_ssize_t count, str name, str of) except -1:
    if not _has_length(values):
        raise ValueError(f"{name} must be a list with an array for each {of}, "
                         f"got {type(values).__name__}")
    if len(values) != count:
        raise ValueError(f"{name} must have {count} arrays, one for each {of}, got {len(values)}")
    return 0


# Points `out` at an array (batch_size, n), or the last step of (batch_size, steps, n); returns
# the array, which the caller keeps.
cdef object _read_beliefs_of(object value, Py_ssize_t batch_size, Py_ssize_t n, bint steps,
                             const double** out, Py_ssize_t* stride, str name, Py_ssize_t index):
    cdef cnp.ndarray array
    cdef Py_ssize_t i, s, axis = 1 + steps
    cdef const double* row
    if not cnp.PyArray_CheckExact(value) or cnp.PyArray_TYPE(<cnp.ndarray>value) != cnp.NPY_DOUBLE:
        value = _as_doubles(value, f"{name}[{index}]")
    array = <cnp.ndarray>value
    if (cnp.PyArray_NDIM(array) != axis + 1 or cnp.PyArray_DIM(array, 0) != batch_size
            or cnp.PyArray_DIM(array, axis) != n or (steps and cnp.PyArray_DIM(array, 1) == 0)):
        expected = f"({batch_size}, {'steps, ' if steps else ''}{n})"
        raise ValueError(f"{name}[{index}] must have shape {expected}, got {value.shape}")
    if (not cnp.PyArray_ISALIGNED(array) or cnp.PyArray_ISBYTESWAPPED(array)
            or (n > 1 and cnp.PyArray_STRIDE(array, axis) != sizeof(double))
            or cnp.PyArray_STRIDE(array, 0) % <Py_ssize_t>sizeof(double)):
        array = np.ascontiguousarray(value, dtype=np.float64)
    row = <const double*>cnp.PyArray_DATA(array)
    if steps:
        row = <const double*>(<const char*>row + (cnp.PyArray_DIM(array, 1) - 1)
                              * cnp.PyArray_STRIDE(array, 1))
    out[0] = row
    stride[0] = 0
    if batch_size > 1:
        stride[0] = cnp.PyArray_STRIDE(array, 0) // <Py_ssize_t>sizeof(double)
    for i in range(batch_size):
        for s in range(n):
            if not isfinite(row[s]):
                raise ValueError(f"{name}[{index}] must be finite, got {row[s]} for agent {i}")
        row += stride[0]
        if stride[0] == 0:
            break
    return array


cdef object _as_doubles(object value, str name):
    array = as_array(value, name)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
    return array.astype(np.float64)


# Outcomes (batch_size,) or (batch_size, steps) as an int64 array of two axes
cdef object _as_codes(object value, Py_ssize_t batch_size, Py_ssize_t m):
    array = as_array(value, f"observations[{m}]")
    if array.dtype.kind == "f" and np.all(array == np.floor(array)):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub":
        raise TypeError(
            f"observations[{m}] must hold indices of outcomes, got {array.dtype} (with "
            "categorical_obs=True, or a preprocess_fn, distributions over outcomes)")
    if array.ndim == 0 and batch_size == 1:
        array = array.reshape(1)
    if array.ndim not in (1, 2) or array.shape[0] != batch_size:
        raise ValueError(f"observations[{m}] must have shape ({batch_size},) or ({batch_size}, "
                         f"steps), got {array.shape}")
    return np.ascontiguousarray(array.reshape(batch_size, -1), dtype=np.int64)


cdef object _as_weights(object value, Py_ssize_t batch_size, Py_ssize_t num_obs, Py_ssize_t m):
    array = _as_doubles(value, f"observations[{m}]")
    if array.ndim == 1 and batch_size == 1:
        array = array[None]
    if array.ndim not in (2, 3) or array.shape[0] != batch_size or array.shape[array.ndim - 1] != num_obs:
        raise ValueError(
            f"observations[{m}] must have shape ({batch_size}, {num_obs}) or ({batch_size}, steps, "
            f"{num_obs}), got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"observations[{m}] must be finite")
    return np.ascontiguousarray(array.reshape(batch_size, -1, num_obs))


cdef class Observations:
    """What a batch observed, read and checked."""

    @property
    def num_steps(self):
        """Steps of the window."""
        return self.observed.num_steps

    def __cinit__(self, BatchedModel model, object observations, bint distributions):
        cdef const BatchedTables* t = &model.tables
        cdef Py_ssize_t m, i, step, steps = -1, batch = t.batch_size, nm = t.num_modalities
        cdef Py_ssize_t num_obs, offset, k
        cdef const int64_t* codes
        cdef const double* weights
        cdef int64_t code
        cdef object array
        cdef list arrays = []
        self._codes, self._weights = NULL, NULL
        _check_list(observations, nm, "observations", "modality")
        for m in range(nm):
            array = observations[m]
            if distributions:
                array = _as_weights(array, batch, t.modalities[m].num_obs, m)
            elif not (cnp.PyArray_CheckExact(array)
                      and cnp.PyArray_TYPE(<cnp.ndarray>array) == cnp.NPY_INT64
                      and cnp.PyArray_NDIM(<cnp.ndarray>array) == 1
                      and cnp.PyArray_DIM(<cnp.ndarray>array, 0) == batch
                      and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>array)):
                array = _as_codes(array, batch, m)
            i = 1
            if cnp.PyArray_NDIM(<cnp.ndarray>array) > 1:
                i = cnp.PyArray_DIM(<cnp.ndarray>array, 1)
            if steps == -1:
                steps = i
            if i != steps or steps == 0:
                raise ValueError(f"observations[{m}] has {i} steps, expected {max(steps, 1)} "
                                 "as in observations[0]")
            arrays.append(array)
        self.observed.num_steps = steps
        self._codes = <int32_t*>malloc(batch * steps * nm * sizeof(int32_t))
        if distributions:
            self._weights = <double*>malloc(batch * steps * t.num_obs_total * sizeof(double))
        if self._codes == NULL or (distributions and self._weights == NULL):
            raise MemoryError("no memory for the observations")
        for m in range(nm):
            array = arrays[m]
            num_obs, offset = t.modalities[m].num_obs, t.modalities[m].obs_offset
            if distributions:
                weights = <const double*>cnp.PyArray_DATA(<cnp.ndarray>array)
                for i in range(batch * steps):
                    self._codes[i * nm + m] = IN_WEIGHTS
                    for k in range(num_obs):
                        self._weights[i * t.num_obs_total + offset + k] = weights[i * num_obs + k]
            else:
                codes = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>array)
                for i in range(batch * steps):
                    code = codes[i]
                    if code < -1 or code >= num_obs:
                        raise ValueError(
                            f"observations[{m}] must be in range({num_obs}), or -1 for none, "
                            f"got {code} for agent {i // steps}")
                    self._codes[i * nm + m] = <int32_t>code
        self.observed.codes, self.observed.weights = self._codes, self._weights

    def __dealloc__(self):
        free(self._codes)
        free(self._weights)


cdef object new_array(Py_ssize_t a, Py_ssize_t b, Py_ssize_t c, double** data):
    cdef cnp.npy_intp dims[3]
    cdef object array
    dims[0], dims[1], dims[2] = a, b, c
    array = cnp.PyArray_SimpleNew(2 if c < 0 else 3, dims, cnp.NPY_DOUBLE)
    data[0] = <double*>cnp.PyArray_DATA(<cnp.ndarray>array)
    return array


# Points `out` at the beliefs of all factors, of the last step if they have `steps`; returns the
# arrays, which the caller keeps.
cdef list read_beliefs(const BatchedTables* t, object qs, bint steps, Beliefs* out, str name):
    cdef Py_ssize_t i
    _check_list(qs, t.num_factors, name, "hidden state factor")
    return [
        _read_beliefs_of(qs[i], t.batch_size, t.factors[i].num_states, steps, &out.data[i],
                         &out.stride[i], name, i)
        for i in range(t.num_factors)
    ]


# Beliefs of all factors as contiguous arrays (batch_size, num_steps, num_states); any number of
# steps, the same for all, if num_steps is 0.
cdef list read_sequences(const BatchedTables* t, object qs, Py_ssize_t num_steps, str name):
    cdef list arrays = []
    cdef Py_ssize_t i
    _check_list(qs, t.num_factors, name, "hidden state factor")
    for i in range(t.num_factors):
        array = np.ascontiguousarray(_as_doubles(qs[i], f"{name}[{i}]"))
        if num_steps == 0 and array.ndim == 3:
            num_steps = array.shape[1]
        if array.shape != (t.batch_size, num_steps, t.factors[i].num_states) or num_steps == 0:
            raise ValueError(
                f"{name}[{i}] must have shape ({t.batch_size}, {num_steps or 'steps'}, "
                f"{t.factors[i].num_states}), got {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}[{i}] must be finite")
        arrays.append(array)
    return arrays


# Actions, each in range(least, num_controls), as a contiguous int32 array of this shape.
cdef object read_actions(const BatchedTables* t, object actions, tuple shape, Py_ssize_t least,
                         str name):
    cdef Py_ssize_t k
    array = as_array(actions, name)
    if array.dtype.kind == "f" and np.all(array == np.floor(array)):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub":
        raise TypeError(f"{name} must hold integers, got {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    array = array.copy()  # another thread of the caller may write into theirs
    for k in range(t.num_factors):
        column = array[..., k]
        if column.size and (column.min() < least or column.max() >= t.factors[k].num_controls):
            raise ValueError(
                f"{name}[..., {k}] must be in range({least}, {t.factors[k].num_controls}), got "
                f"{column.min()} to {column.max()}")
    return np.ascontiguousarray(array, dtype=np.int32)


# --- jobs: a kernel on some agents of a batch -----------------------------------------------------

ctypedef struct InferJob:
    const BatchedTables* t
    const Observed* observed
    const Beliefs* prior
    Py_ssize_t num_iter
    double* out[MAX_FACTORS]


cdef int _infer(void* pointer, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef InferJob* job = <InferJob*>pointer
    cdef const BatchedTables* t = job.t
    cdef const double* prior[MAX_FACTORS]
    cdef double* qs[MAX_FACTORS]
    cdef Py_ssize_t agent, i, s, n
    cdef double* scratch = <double*>malloc((t.num_states_total + jacobi_scratch(t)) * sizeof(double))
    if scratch == NULL:
        return -1
    for i in range(t.num_factors):
        qs[i] = scratch + t.factors[i].offset
    for agent in range(start, stop):
        for i in range(t.num_factors):
            prior[i] = job.prior.data[i] + agent * job.prior.stride[i]
        jacobi_iteration(t, job.observed, agent, prior, job.num_iter, qs,
                         scratch + t.num_states_total)
        for i in range(t.num_factors):
            n = t.factors[i].num_states
            for s in range(n):
                job.out[i][agent * n + s] = qs[i][s]
    free(scratch)
    return 0


ctypedef struct PredictJob:
    const BatchedTables* t
    const Beliefs* qs
    const int32_t* actions
    double* out[MAX_FACTORS]


cdef int _predict(void* pointer, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef PredictJob* job = <PredictJob*>pointer
    cdef const BatchedTables* t = job.t
    cdef const double* qs[MAX_FACTORS]
    cdef double* out[MAX_FACTORS]
    cdef Py_ssize_t agent, i
    cdef double* scratch = <double*>malloc(t.max_tensor * sizeof(double))
    if scratch == NULL:
        return -1
    for agent in range(start, stop):
        for i in range(t.num_factors):
            qs[i] = job.qs.data[i] + agent * job.qs.stride[i]
            out[i] = job.out[i] + agent * t.factors[i].num_states
        predict_states(t, agent, job.actions + agent * t.num_factors, qs, out, scratch)
    free(scratch)
    return 0


ctypedef struct EvaluateJob:
    const BatchedTables* t
    const SharedPolicies* p
    const Beliefs* qs
    double* q_pi
    double* G


cdef int _evaluate(void* pointer, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef EvaluateJob* job = <EvaluateJob*>pointer
    return evaluate_policies(job.t, job.p, <const double* const*>job.qs.data, job.qs.stride,
                             start, stop, job.q_pi, job.G)


# The same of blocks of eight agents, one a lane.
cdef int _evaluate_in_lanes(void* pointer, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef EvaluateJob* job = <EvaluateJob*>pointer
    return evaluate_policies_in_lanes(
        job.t, job.p, <const double* const*>job.qs.data, job.qs.stride, LANES * start,
        min(LANES * stop, job.t.batch_size), job.p.num_policies, job.q_pi, job.G)


# One agent's action, of each factor, from its q_pi, which must be finite, else False is returned.
# pymdp.control.sample_policy and sample_action. Cost: num_policies, with `marginal` times factors.
cdef bint _choose(const BatchedTables* t, const SharedPolicies* p, const double* q_pi,
                  bint marginal, double* sums, int64_t* action) noexcept nogil:
    cdef Py_ssize_t k, f, best = 0
    cdef double total = q_pi[0]
    for k in range(1, p.num_policies):
        total += q_pi[k]
        if q_pi[k] > q_pi[best]:
            best = k
    if not isfinite(total):
        return False
    for f in range(t.num_factors):
        action[f] = p.first_action[best * t.num_factors + f]
        if not marginal:
            continue
        memset(sums, 0, t.factors[f].num_controls * sizeof(double))
        for k in range(p.num_policies):
            sums[p.first_action[k * t.num_factors + f]] += q_pi[k]
        action[f] = 0
        for k in range(1, t.factors[f].num_controls):
            if sums[k] > sums[action[f]]:
                action[f] = k
    return True


# --- calls ----------------------------------------------------------------------------------------

cdef class BatchedInference:
    """Inference of a batch of agents on a model.

    Parameters
    ----------
    model : BatchedModel
    """

    def __cinit__(self, BatchedModel model):
        if model.tables.num_factors > MAX_FACTORS:
            raise ValueError(f"at most {MAX_FACTORS} factors, got {model.tables.num_factors}")
        self.model, self.plan = model, None
        self._infer_ns = self._predict_ns = self._evaluate_ns = self._window_ns = 0.0

    def infer_states(self, object observations, bint distributions, object prior,
                     Py_ssize_t num_iter):
        """Infer states from the last of the observations: a list of (batch_size, 1, num_states)."""
        cdef const BatchedTables* t = &self.model.tables
        cdef Observations observed = Observations(self.model, observations, distributions)
        cdef Beliefs beliefs
        cdef InferJob job
        cdef Py_ssize_t i
        cdef list kept = read_beliefs(t, prior, False, &beliefs, "empirical_prior"), qs = []
        job.t, job.observed, job.prior, job.num_iter = t, &observed.observed, &beliefs, num_iter
        for i in range(t.num_factors):
            qs.append(new_array(t.batch_size, 1, t.factors[i].num_states, &job.out[i]))
        run_batch(_infer, &job, t.batch_size, &self._infer_ns)
        return qs

    def predict_states(self, object actions, object qs):
        """Propagate the last beliefs of qs by one action: a list of (batch_size, num_states)."""
        cdef const BatchedTables* t = &self.model.tables
        cdef Beliefs beliefs
        cdef PredictJob job
        cdef Py_ssize_t i, k
        cdef list kept = read_beliefs(t, qs, True, &beliefs, "qs"), out = []
        cdef cnp.ndarray array
        cdef const int64_t* values
        cdef int64_t value
        cdef int32_t* codes
        if not (cnp.PyArray_CheckExact(actions)
                and cnp.PyArray_TYPE(<cnp.ndarray>actions) == cnp.NPY_INT64
                and cnp.PyArray_NDIM(<cnp.ndarray>actions) == 2
                and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>actions)):
            actions = as_array(actions, "action")
            if actions.dtype.kind not in "iub":
                raise TypeError(f"action must hold integers, got {actions.dtype}")
            actions = np.ascontiguousarray(actions, dtype=np.int64)
        array = <cnp.ndarray>actions
        if (cnp.PyArray_NDIM(array) != 2 or cnp.PyArray_DIM(array, 0) != t.batch_size
                or cnp.PyArray_DIM(array, 1) != t.num_factors):
            raise ValueError(f"action must have shape ({t.batch_size}, {t.num_factors}), "
                             f"got {actions.shape}")
        values = <const int64_t*>cnp.PyArray_DATA(array)
        codes = <int32_t*>malloc(t.batch_size * t.num_factors * sizeof(int32_t))
        if codes == NULL:
            raise MemoryError("no memory for the actions")
        try:
            for i in range(t.batch_size * t.num_factors):
                k = i % t.num_factors
                value = values[i]  # read once: another thread of the caller may write it
                if not 0 <= value < t.factors[k].num_controls:
                    raise ValueError(
                        f"action[{i // t.num_factors}, {k}] must be in "
                        f"range({t.factors[k].num_controls}), got {value}")
                codes[i] = <int32_t>value
            job.t, job.qs, job.actions = t, &beliefs, codes
            for i in range(t.num_factors):
                out.append(new_array(t.batch_size, t.factors[i].num_states, -1, &job.out[i]))
            run_batch(_predict, &job, t.batch_size, &self._predict_ns)
        finally:
            free(codes)
        return out

    def infer_policies(self, object qs):
        """Evaluate the policies of the plan: q_pi and G, each (batch_size, num_policies)."""
        cdef const BatchedTables* t = &self.model.tables
        cdef PolicyPlan plan = self.plan
        cdef Beliefs beliefs
        cdef EvaluateJob job
        cdef list kept = read_beliefs(t, qs, True, &beliefs, "qs")
        job.t, job.p, job.qs = t, &plan.policies, &beliefs
        q_pi = new_array(t.batch_size, plan.policies.num_policies, -1, &job.q_pi)
        G = new_array(t.batch_size, plan.policies.num_policies, -1, &job.G)
        if t.batch_size > 1 and fit_value_lanes(t, &plan.policies):
            run_batch(_evaluate_in_lanes, &job, (t.batch_size + LANES - 1) // LANES,
                      &self._evaluate_ns)
        else:
            run_batch(_evaluate, &job, t.batch_size, &self._evaluate_ns)
        return q_pi, G

    def likeliest_actions(self, object q_pi, bint marginal):
        """The first action of each agent's likeliest policy, or each factor's likeliest first
        action (`marginal`); the first of ties.

        Returns (batch_size, num_factors) int64; None if q_pi is no plain float64 array.
        """
        cdef const BatchedTables* t = &self.model.tables
        cdef const SharedPolicies* p = &self.plan.policies
        cdef cnp.npy_intp dims[2]
        cdef const double* row
        cdef int64_t* out
        cdef Py_ssize_t agent, k, most = 1
        cdef double* sums
        if (not cnp.PyArray_CheckExact(q_pi)
                or cnp.PyArray_TYPE(<cnp.ndarray>q_pi) != cnp.NPY_DOUBLE
                or cnp.PyArray_NDIM(<cnp.ndarray>q_pi) != 2
                or cnp.PyArray_DIM(<cnp.ndarray>q_pi, 0) != t.batch_size
                or cnp.PyArray_DIM(<cnp.ndarray>q_pi, 1) != p.num_policies
                or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>q_pi)):
            return None
        dims[0], dims[1] = t.batch_size, t.num_factors
        actions = cnp.PyArray_SimpleNew(2, dims, cnp.NPY_INT64)
        out = <int64_t*>cnp.PyArray_DATA(<cnp.ndarray>actions)
        row = <const double*>cnp.PyArray_DATA(<cnp.ndarray>q_pi)
        for k in range(t.num_factors):
            most = max(most, t.factors[k].num_controls)
        sums = <double*>malloc(most * sizeof(double))
        if sums == NULL:
            raise MemoryError("no memory for the actions")
        try:
            for agent in range(t.batch_size):
                if not _choose(t, p, row, marginal, sums, out + agent * t.num_factors):
                    raise ValueError(f"q_pi[{agent}] must be finite")
                row += p.num_policies
        finally:
            free(sums)
        return actions
