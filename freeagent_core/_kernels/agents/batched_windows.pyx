"""Windows of the past: message passing, smoothing, free energy and learning of a batch."""

cimport numpy as cnp
from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from freeagent_core._kernels.agents.batch_threads cimport run_batch
from freeagent_core._kernels.agents.batched_inference cimport (
    BatchedInference, Beliefs, Observations, new_array, read_actions, read_beliefs,
    read_sequences)
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.inference.backward_smoothing cimport smooth_backwards
from freeagent_core._kernels.inference.lane_messages cimport (
    fit_message_lanes, lane_messages_scratch, pass_messages_in_lanes)
from freeagent_core._kernels.inference.observed_evidence cimport Observed
from freeagent_core._kernels.inference.window_free_energy cimport (
    free_energy_scratch, window_free_energy)
from freeagent_core._kernels.inference.window_messages cimport (
    Window, messages_scratch, pass_messages)
from freeagent_core._kernels.learning.window_counts cimport (
    add_outcome_counts, add_transition_counts, expected_probabilities)
from freeagent_core._kernels.model.batched_model cimport (
    BatchedModel, BatchedTables, Likelihood, Transition)
from freeagent_core._kernels.model.lane_model cimport LANES

import numpy as np

cnp.import_array()

cdef enum:
    MAX_FACTORS = 64


# The parts of a window that all agents' kernels read; NULL where there are none.
ctypedef struct Windows:
    const int32_t* actions         # (batch_size, steps - 1, num_factors)
    const unsigned char* step_valid
    const unsigned char* transition_valid
    bint variational, without_prior


cdef Window _of_agent(const Windows* w, Py_ssize_t agent, Py_ssize_t steps,
                      Py_ssize_t num_factors) noexcept nogil:
    cdef Window window
    window.actions = NULL
    if w.actions != NULL:
        window.actions = w.actions + agent * (steps - 1) * num_factors
    window.step_valid = w.step_valid + agent * steps
    window.transition_valid = w.transition_valid + agent * (steps - 1)
    window.variational, window.without_prior = w.variational, w.without_prior
    return window


cdef list _read_window(const BatchedTables* t, Windows* w, Py_ssize_t steps, object actions,
                       object step_valid, object transition_valid):
    cdef Py_ssize_t batch = t.batch_size
    cdef list kept = []
    w.actions = NULL
    if actions is not None:
        actions = read_actions(t, actions, (batch, max(steps - 1, 0), t.num_factors), -1,
                               "past_actions")
        kept.append(actions)
        w.actions = <const int32_t*>cnp.PyArray_DATA(<cnp.ndarray>actions)
    step_valid = np.ascontiguousarray(step_valid, dtype=np.uint8)
    transition_valid = np.ascontiguousarray(transition_valid, dtype=np.uint8)
    if step_valid.shape != (batch, steps) or transition_valid.shape != (batch, steps - 1):
        raise ValueError(f"valid steps and transitions must have shapes ({batch}, {steps}) and "
                         f"({batch}, {steps - 1}), got {step_valid.shape} and "
                         f"{transition_valid.shape}")
    kept += [step_valid, transition_valid]
    w.step_valid = <const unsigned char*>cnp.PyArray_DATA(<cnp.ndarray>step_valid)
    w.transition_valid = <const unsigned char*>cnp.PyArray_DATA(<cnp.ndarray>transition_valid)
    return kept


# --- message passing ------------------------------------------------------------------------------

ctypedef struct MessageJob:
    const BatchedTables* t
    const Observed* observed
    const Windows* windows
    const Beliefs* prior
    Py_ssize_t num_iter
    double* out[MAX_FACTORS]


cdef int _pass_messages(void* pointer, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef MessageJob* job = <MessageJob*>pointer
    cdef const BatchedTables* t = job.t
    cdef Py_ssize_t steps = job.observed.num_steps, agent, i, n
    cdef const double* prior[MAX_FACTORS]
    cdef double* qs[MAX_FACTORS]
    cdef Window window
    cdef double* scratch = <double*>malloc(
        (steps * t.num_states_total + messages_scratch(t, steps)) * sizeof(double))
    if scratch == NULL:
        return -1
    for i in range(t.num_factors):
        qs[i] = scratch + steps * t.factors[i].offset
    for agent in range(start, stop):
        for i in range(t.num_factors):
            prior[i] = job.prior.data[i] + agent * job.prior.stride[i]
        window = _of_agent(job.windows, agent, steps, t.num_factors)
        pass_messages(t, job.observed, &window, agent, prior, job.num_iter, qs,
                      scratch + steps * t.num_states_total)
        for i in range(t.num_factors):
            n = steps * t.factors[i].num_states
            memcpy(job.out[i] + agent * n, qs[i], n * sizeof(double))
    free(scratch)
    return 0


# The same of blocks of eight agents, one a lane; lanes that are left over repeat the first one.
cdef int _pass_messages_in_lanes(void* pointer, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef MessageJob* job = <MessageJob*>pointer
    cdef const BatchedTables* t = job.t
    cdef Py_ssize_t steps = job.observed.num_steps, block, count, lane, i, k, n, step
    cdef Py_ssize_t agents[LANES]
    cdef Window windows[LANES]
    cdef const double* prior[LANES * MAX_FACTORS]
    cdef double* rows[LANES]
    cdef double* qs
    cdef double* scratch = <double*>malloc(
        (LANES * steps * t.num_states_total + lane_messages_scratch(t, steps)) * sizeof(double))
    if scratch == NULL:
        return -1
    qs = scratch + lane_messages_scratch(t, steps)
    for block in range(start, stop):
        count = min(<Py_ssize_t>LANES, t.batch_size - LANES * block)
        for lane in range(LANES):
            agents[lane] = LANES * block + (lane if lane < count else 0)
            windows[lane] = _of_agent(job.windows, agents[lane], steps, t.num_factors)
            for i in range(t.num_factors):
                prior[lane * t.num_factors + i] = (
                    job.prior.data[i] + agents[lane] * job.prior.stride[i])
        pass_messages_in_lanes(t, job.observed, windows, agents, prior, job.num_iter, qs, scratch)
        for i in range(t.num_factors):
            n = t.factors[i].num_states
            for step in range(steps):
                for lane in range(count):
                    rows[lane] = job.out[i] + (agents[lane] * steps + step) * n
                P.lanes.scatter(qs + LANES * (step * t.num_states_total + t.factors[i].offset), n,
                                count, rows)
    free(scratch)
    return 0


def infer_windows(BatchedInference inference, Observations observed, object actions,
                  object step_valid, object transition_valid, object prior, Py_ssize_t num_iter,
                  bint variational, bint without_prior):
    """Infer the states of a window by marginal, or variational, message passing.

    Returns
    -------
    list of (batch_size, steps, num_states) array
    """
    cdef const BatchedTables* t = &inference.model.tables
    cdef Beliefs beliefs
    cdef MessageJob job
    cdef Windows windows
    cdef Py_ssize_t i, steps = observed.observed.num_steps
    cdef list kept = read_beliefs(t, prior, False, &beliefs, "empirical_prior")
    cdef list also_kept = _read_window(t, &windows, steps, actions, step_valid, transition_valid)
    cdef list qs = []
    windows.variational, windows.without_prior = variational, without_prior
    job.t, job.observed, job.windows, job.prior = t, &observed.observed, &windows, &beliefs
    job.num_iter = num_iter
    for i in range(t.num_factors):
        qs.append(new_array(t.batch_size, steps, t.factors[i].num_states, &job.out[i]))
    if t.batch_size > 1 and fit_message_lanes(t, steps, variational):
        run_batch(_pass_messages_in_lanes, &job, (t.batch_size + LANES - 1) // LANES,
                  &inference._window_ns)
    else:
        run_batch(_pass_messages, &job, t.batch_size, &inference._window_ns)
    return qs


# --- free energy ----------------------------------------------------------------------------------

def free_energies(BatchedInference inference, Observations observed, bint chain, object actions,
                  object step_valid, object transition_valid, object prior, object qs):
    """Terms of the variational free energy of beliefs about the last steps that were observed.

    Returns
    -------
    neg_entropy, prior, transition, accuracy : (batch_size, steps) array
        Steps of `qs`.
    """
    cdef const BatchedTables* t = &inference.model.tables
    cdef Beliefs beliefs
    cdef Windows windows
    cdef Window window
    cdef const double* priors[MAX_FACTORS]
    cdef const double* q[MAX_FACTORS]
    cdef double* terms[4]
    cdef double* data[4]
    cdef double* scratch
    cdef Py_ssize_t i, agent, first, steps = qs[0].shape[1], all_steps = observed.observed.num_steps
    cdef const double* sequences[MAX_FACTORS]
    cdef list kept = read_beliefs(t, prior, False, &beliefs, "empirical_prior")
    cdef list also_kept = _read_window(t, &windows, steps, actions, step_valid, transition_valid)
    cdef list arrays = read_sequences(t, qs, steps, "qs"), out = []
    windows.variational = windows.without_prior = False
    first = all_steps - steps
    for i in range(t.num_factors):
        sequences[i] = <const double*>cnp.PyArray_DATA(<cnp.ndarray>arrays[i])
    for i in range(4):
        out.append(new_array(t.batch_size, steps, -1, &data[i]))
    scratch = <double*>malloc(free_energy_scratch(t) * sizeof(double))
    if scratch == NULL:
        raise MemoryError("no memory for the free energy")
    with nogil:
        for agent in range(t.batch_size):
            for i in range(t.num_factors):
                priors[i] = beliefs.data[i] + agent * beliefs.stride[i]
                q[i] = sequences[i] + agent * steps * t.factors[i].num_states
            for i in range(4):
                terms[i] = data[i] + agent * steps
            window = _of_agent(&windows, agent, steps, t.num_factors)
            window_free_energy(t, &observed.observed, &window, chain, agent, priors, q, first,
                               terms, scratch)
    free(scratch)
    return out


# --- learning -------------------------------------------------------------------------------------

# Windows (batch_size, steps, ...) to learn from.
ctypedef struct LearningJob:
    const BatchedTables* t
    Py_ssize_t steps
    const double* qs[MAX_FACTORS]  # (batch_size, steps, num_states)
    const int32_t* actions         # (batch_size, steps - 1, num_factors)
    const Observed* observed
    bint exact
    Py_ssize_t part                # the modality or factor
    const double* joints           # (batch_size, steps - 1, num_states, size), or NULL
    const double* rates            # (batch_size,)
    double* smoothed[MAX_FACTORS]
    double* new_joints[MAX_FACTORS]
    double* counts                 # (batch_size, num_outcomes, width)
    double* mean


cdef double _smooth_ns = 0.0, _learn_A_ns = 0.0, _learn_B_ns = 0.0


cdef void _of_parents(const LearningJob* job, Py_ssize_t factor, Py_ssize_t agent,
                      const double** parents) noexcept nogil:
    cdef const Transition* f = &job.t.factors[factor]
    cdef Py_ssize_t k
    for k in range(f.num_parents):
        parents[k] = job.qs[f.parents[k]] + agent * job.steps * f.sizes[k]


cdef int _smooth(void* pointer, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef LearningJob* job = <LearningJob*>pointer
    cdef const BatchedTables* t = job.t
    cdef const double* parents[MAX_FACTORS]
    cdef Py_ssize_t agent, i, n, past = job.steps - 1
    cdef double* scratch = <double*>malloc(3 * t.max_tensor * sizeof(double))
    if scratch == NULL:
        return -1
    for agent in range(start, stop):
        for i in range(t.num_factors):
            n = t.factors[i].num_states
            _of_parents(job, i, agent, parents)
            smooth_backwards(t, i, agent, job.steps, job.actions + agent * past * t.num_factors,
                             parents, job.exact, job.smoothed[i] + agent * job.steps * n,
                             job.new_joints[i] + agent * past * n * t.factors[i].size, scratch)
    free(scratch)
    return 0


cdef int _learn_A(void* pointer, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef LearningJob* job = <LearningJob*>pointer
    cdef const BatchedTables* t = job.t
    cdef const Likelihood* m = &t.modalities[job.part]
    cdef const double* q[MAX_FACTORS]
    cdef Py_ssize_t agent, i, size = m.num_obs * m.size
    cdef double* scratch = <double*>malloc(t.max_tensor * sizeof(double)
                                           + t.num_modalities * sizeof(double*))
    cdef double** counts = <double**>(scratch + t.max_tensor)
    if scratch == NULL:
        return -1
    memset(counts, 0, t.num_modalities * sizeof(double*))
    for agent in range(start, stop):
        for i in range(t.num_factors):
            q[i] = job.qs[i] + agent * job.steps * t.factors[i].num_states
        counts[job.part] = job.counts + agent * size
        add_outcome_counts(t, m.group, agent, job.observed, q, job.rates[agent], counts, scratch)
        expected_probabilities(counts[job.part], m.num_obs, m.size, job.mean + agent * size,
                               scratch)
    free(scratch)
    return 0


cdef int _learn_B(void* pointer, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef LearningJob* job = <LearningJob*>pointer
    cdef const BatchedTables* t = job.t
    cdef const Transition* f = &t.factors[job.part]
    cdef const double* parents[MAX_FACTORS]
    cdef const double* joint = NULL
    cdef Py_ssize_t agent, n = f.num_states, width = f.size * f.num_controls, past = job.steps - 1
    cdef double* scratch = <double*>malloc(max(t.max_tensor, width) * sizeof(double))
    if scratch == NULL:
        return -1
    for agent in range(start, stop):
        _of_parents(job, job.part, agent, parents)
        if job.joints != NULL:
            joint = job.joints + agent * past * n * f.size
        add_transition_counts(t, job.part, agent, job.steps,
                              job.actions + agent * past * t.num_factors, parents,
                              job.qs[job.part] + agent * job.steps * n, joint, job.rates[agent],
                              job.counts + agent * n * width, scratch)
        expected_probabilities(job.counts + agent * n * width, n, width,
                               job.mean + agent * n * width, scratch)
    free(scratch)
    return 0


# Points the job at beliefs (batch_size, num_steps, num_states), of any number of steps if 0;
# returns the arrays, which the caller keeps.
cdef list _read_job(BatchedModel model, LearningJob* job, object qs, Py_ssize_t num_steps,
                    str name):
    cdef list arrays = read_sequences(&model.tables, qs, num_steps, name)
    cdef Py_ssize_t i
    job.t, job.steps = &model.tables, arrays[0].shape[1]
    for i in range(model.tables.num_factors):
        job.qs[i] = <const double*>cnp.PyArray_DATA(<cnp.ndarray>arrays[i])
    return arrays


cdef object _read_past(LearningJob* job, object actions):
    actions = read_actions(job.t, actions, (job.t.batch_size, job.steps - 1, job.t.num_factors),
                           -1, "actions")
    job.actions = <const int32_t*>cnp.PyArray_DATA(<cnp.ndarray>actions)
    return actions


# Points the job at counts (batch_size, num_outcomes, width) and at their means, which it returns.
cdef object _read_counts(LearningJob* job, double[:, :, ::1] counts, const double[::1] rates,
                         Py_ssize_t num_outcomes, Py_ssize_t width):
    cdef double[:, :, ::1] mean = np.empty((job.t.batch_size, num_outcomes, width))
    if (counts.shape[0] != job.t.batch_size or counts.shape[1] != num_outcomes
            or counts.shape[2] != width or rates.shape[0] != job.t.batch_size):
        raise ValueError(
            f"counts must have shape ({job.t.batch_size}, {num_outcomes}, {width})")
    job.counts, job.mean, job.rates = &counts[0, 0, 0], &mean[0, 0, 0], &rates[0]
    return np.asarray(mean)


def smooth(BatchedModel model, object qs, object actions, bint exact):
    """Smooth filtered beliefs backwards.

    Parameters
    ----------
    qs : list of (batch_size, steps, num_states) array
    actions : (batch_size, steps - 1, num_factors) array of int
        -1 where not known.
    exact : bool

    Returns
    -------
    smoothed : list of (batch_size, steps, num_states) array
    joints : list of (batch_size, steps - 1, num_states, joint states of the parents) array
    """
    cdef LearningJob job
    cdef list filtered = _read_job(model, &job, qs, 0, "qs"), smoothed = [], joints = []
    cdef Py_ssize_t i
    cdef const Transition* f
    actions = _read_past(&job, actions)
    job.exact = exact
    for i in range(job.t.num_factors):
        f = &job.t.factors[i]
        smoothed.append(np.array(filtered[i]))
        joints.append(np.empty((job.t.batch_size, job.steps - 1, f.num_states, f.size)))
        job.smoothed[i] = <double*>cnp.PyArray_DATA(<cnp.ndarray>smoothed[i])
        job.new_joints[i] = <double*>cnp.PyArray_DATA(<cnp.ndarray>joints[i])
    run_batch(_smooth, &job, job.t.batch_size, &_smooth_ns)
    return smoothed, joints


def learn_A(BatchedModel model, Py_ssize_t modality, Observations observed, object qs,
            const double[::1] rates, double[:, :, ::1] counts):
    """Add a window's outcomes to `counts` (batch_size, num_obs, joint states), in place.

    Returns the expected probabilities, an array of the same shape.
    """
    cdef LearningJob job
    cdef list kept = _read_job(model, &job, qs, observed.observed.num_steps, "beliefs_A")
    cdef const Likelihood* m = &model.tables.modalities[modality]
    mean = _read_counts(&job, counts, rates, m.num_obs, m.size)
    job.part, job.observed = modality, &observed.observed
    run_batch(_learn_A, &job, job.t.batch_size, &_learn_A_ns)
    return mean


def learn_B(BatchedModel model, Py_ssize_t factor, object qs, object actions, object joints,
            const double[::1] rates, double[:, :, ::1] counts):
    """Add a window's transitions to `counts` (batch_size, num_states, parents * controls), in place.

    `joints` are those of `smooth`, or None for products of the beliefs `qs`. Returns the expected
    probabilities, an array of the same shape.
    """
    cdef LearningJob job
    cdef list kept = _read_job(model, &job, qs, 0, "beliefs_B")
    cdef const Transition* f = &model.tables.factors[factor]
    mean = _read_counts(&job, counts, rates, f.num_states, f.size * f.num_controls)
    actions = _read_past(&job, actions)
    job.part, job.joints = factor, NULL
    if joints is not None:
        shape = (job.t.batch_size, job.steps - 1, f.num_states, f.size)
        if joints.shape != shape:
            raise ValueError(f"joints must have shape {shape}")
        joints = np.ascontiguousarray(joints, dtype=np.float64)
        job.joints = <const double*>cnp.PyArray_DATA(<cnp.ndarray>joints)
    run_batch(_learn_B, &job, job.t.batch_size, &_learn_B_ns)
    return mean
