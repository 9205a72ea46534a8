"""Agents that look at windows of the past, learn at every step, or both, in a sampled environment.

One agent after the other, all its steps, without Python: what `pymdp_v1.envs.rollout` does step
by step where an agent infers by message passing (mmp, vmp) or learns online. An agent that learns
has a model of its own (`own_model`).
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from freeagent_core._kernels.agents.batch_threads cimport run_batch
from freeagent_core._kernels.agents.batched_inference cimport new_array
from freeagent_core._kernels.agents.own_model cimport (
    adopt_A, adopt_B, allocate_own, LearnedParts, Learning, look_at, OwnModel)
from freeagent_core._kernels.agents.rollout_run cimport (
    choose, is_shared, max_choices, record, Rollout, Run)
from freeagent_core._kernels.agents.sampled_environment cimport move, start
from freeagent_core._kernels.base.threefry cimport hashed
from freeagent_core._kernels.inference.backward_smoothing cimport smooth_backwards
from freeagent_core._kernels.inference.jacobi_iteration cimport jacobi_iteration, jacobi_scratch
from freeagent_core._kernels.inference.observed_evidence cimport NO_EVIDENCE, Observed
from freeagent_core._kernels.inference.predicted_states cimport predict_states
from freeagent_core._kernels.inference.window_messages cimport (
    messages_scratch, pass_messages, UNKNOWN, Window)
from freeagent_core._kernels.learning.window_counts cimport (
    add_outcome_counts, add_transition_counts)
from freeagent_core._kernels.model.batched_model cimport BatchedTables, Transition
from freeagent_core._kernels.planning.shared_prefixes cimport (
    evaluate_again, free_evaluation, new_evaluation)

cdef enum:
    MAX_FACTORS = 64
    NOWHERE = -1
    MAX_PLACES = 4096
    MAX_REMEMBERED = 1 << 18       # numbers


ctypedef struct WindowJob:
    Run run
    const Learning* learning       # or NULL
    Py_ssize_t length              # steps of the window
    bint sequence                  # infer by message passing over the window
    bint variational               # vmp
    bint smoothing                 # learn from a window of smoothed beliefs
    bint exact
    bint remember                  # what one agent has inferred holds for another
    double* last_qs[MAX_FACTORS]   # (batch_size, length, num_states), or NULL
    double* last_prior[MAX_FACTORS]  # (batch_size, num_states): of the step to come, or NULL


# Memory of a thread, and the pointers to an agent's present.
ctypedef struct Present:
    OwnModel own
    int32_t* codes                 # (length - 1 + num_steps + 1, num_modalities): what was observed
    int32_t* actions               # (length - 1 + num_steps, num_factors)
    int32_t* state
    unsigned char* step_valid
    unsigned char* transition_valid
    double* prior[MAX_FACTORS]
    double* window[MAX_FACTORS]    # (length, num_states): one block
    double* beliefs[MAX_FACTORS]   # (length - 1 + num_steps, num_states), of one-step inference
    double* smoothed[MAX_FACTORS]  # (length, num_states)
    double* joint
    double* scratch
    double* choices
    int64_t* places                # where windows were inferred, by their hash
    double* first_qs               # of each place, the beliefs about the window's first step
    Py_ssize_t num_places          # a power of two, or 0
    void* evaluation
    void* block


# Cuts `size` bytes off a block; with block NULL only counts.
cdef inline char* _piece(char* block, Py_ssize_t* used, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t at = used[0]
    used[0] += (size + 7) & ~7
    return block + at if block != NULL else NULL


cdef Py_ssize_t _lay_out(const WindowJob* job, Present* now, char* block) noexcept nogil:
    cdef const BatchedTables* t = job.run.t
    cdef Py_ssize_t used = 0, i, n, rows = job.length - 1 + job.run.num_steps, joint = 0
    cdef Py_ssize_t room = max(jacobi_scratch(t), max(3 * t.max_tensor, 2 * job.run.e.max_size))
    if job.sequence:
        room = max(room, messages_scratch(t, job.length))
    for i in range(t.num_factors):
        n = t.factors[i].num_states * t.factors[i].size
        joint = max(joint, n if job.smoothing else 0)
    now.prior[0] = <double*>_piece(block, &used, t.num_states_total * 8)
    now.window[0] = <double*>_piece(block, &used, job.length * t.num_states_total * 8)
    now.beliefs[0] = <double*>_piece(block, &used, rows * t.num_states_total * 8)
    now.smoothed[0] = <double*>_piece(block, &used, job.length * t.num_states_total * 8)
    now.joint = <double*>_piece(block, &used, (job.length - 1) * joint * 8)
    now.scratch = <double*>_piece(block, &used, room * 8)
    now.choices = <double*>_piece(block, &used, 2 * max_choices(&job.run) * 8)
    now.first_qs = <double*>_piece(block, &used, now.num_places * t.num_states_total * 8)
    now.places = <int64_t*>_piece(block, &used, now.num_places * 8)
    now.codes = <int32_t*>_piece(block, &used, (rows + 1) * t.num_modalities * 4)
    now.actions = <int32_t*>_piece(block, &used, rows * t.num_factors * 4)
    now.state = <int32_t*>_piece(block, &used, t.num_factors * 4)
    now.step_valid = <unsigned char*>_piece(block, &used, job.length)
    now.transition_valid = <unsigned char*>_piece(block, &used, job.length)
    if block != NULL:
        for i in range(1, t.num_factors):
            n = t.factors[i].offset
            now.prior[i] = now.prior[0] + n
            now.window[i] = now.window[0] + job.length * n
            now.beliefs[i] = now.beliefs[0] + rows * n
            now.smoothed[i] = now.smoothed[0] + job.length * n
    return used


cdef int _allocate(const WindowJob* job, Present* now, Py_ssize_t num_agents) noexcept nogil:
    cdef Py_ssize_t size, total = job.run.t.num_states_total
    now.num_places = 0
    if job.remember:
        now.num_places = 16
        while (now.num_places < 2 * num_agents * job.run.num_steps
               and now.num_places < MAX_PLACES and now.num_places * total < MAX_REMEMBERED):
            now.num_places *= 2
    now.block = malloc(_lay_out(job, now, NULL))
    if now.block == NULL:
        return -1
    _lay_out(job, now, <char*>now.block)
    for size in range(now.num_places):
        now.places[size] = NOWHERE
    now.evaluation = new_evaluation(job.run.t, job.run.p)
    if (now.evaluation == NULL
            or allocate_own(&now.own, job.run.t, job.run.p, job.learning) != 0):
        free_evaluation(now.evaluation)
        free(now.block)
        return -1
    return 0


# --- windows that were inferred before ------------------------------------------------------------

# Where the rows (num_steps) of what is kept of the steps begin that a place's window covers.
cdef inline Py_ssize_t _covered(const WindowJob* job, int64_t place) noexcept nogil:
    return min(place % job.run.num_steps + 1, job.length)


cdef uint64_t _hash(const WindowJob* job, const Present* now, int64_t place) noexcept nogil:
    cdef const BatchedTables* t = job.run.t
    cdef Py_ssize_t valid = _covered(job, place), i
    cdef uint64_t value = 0x9E3779B97F4A7C15ULL ^ <uint64_t>valid, bits
    cdef int64_t seen = place + place // job.run.num_steps - valid + 1
    for i in range(valid * t.num_modalities):
        value = ((value ^ <uint64_t>job.run.observations[seen * t.num_modalities + i])
                 * 0x2545F4914F6CDD1DULL)
        value ^= value >> 29
    for i in range((valid - 1) * t.num_factors):
        value = ((value ^ <uint64_t>job.run.actions[(place - valid + 1) * t.num_factors + i])
                 * 0x2545F4914F6CDD1DULL)
        value ^= value >> 29
    for i in range(t.num_states_total):
        memcpy(&bits, &now.prior[0][i], sizeof(double))
        value = (value ^ bits) * 0x2545F4914F6CDD1DULL
        value ^= value >> 29
    return value ^ (value >> 32)


# Whether at two places the same, to the bit, was known, done and observed.
cdef bint _same(const WindowJob* job, int64_t a, int64_t b) noexcept nogil:
    cdef const Run* run = &job.run
    cdef Py_ssize_t valid = _covered(job, a), nm = run.t.num_modalities, nf = run.t.num_factors
    cdef Py_ssize_t i, n, past = valid - 1
    if _covered(job, b) != valid:
        return False
    if memcmp(run.observations + (a + a // run.num_steps - past) * nm,
              run.observations + (b + b // run.num_steps - past) * nm,
              valid * nm * sizeof(int64_t)) != 0:
        return False
    if memcmp(run.actions + (a - past) * nf, run.actions + (b - past) * nf,
              past * nf * sizeof(int64_t)) != 0:
        return False
    for i in range(nf):
        n = run.t.factors[i].num_states
        if memcmp(run.prior[i] + a * n, run.prior[i] + b * n, n * sizeof(double)) != 0:
            return False
    return True


# --- steps ----------------------------------------------------------------------------------------

# Infers the states at `place` by message passing: now.window, and run.qs.
cdef void _infer_window(const WindowJob* job, Present* now, int64_t place,
                        Py_ssize_t step) noexcept nogil:
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t valid = _covered(job, place), length = job.length, i, n
    cdef Observed observed
    cdef Window window
    observed.num_steps, observed.weights = length, NULL
    observed.codes = now.codes + step * t.num_modalities
    for i in range(length):
        now.step_valid[i] = i >= length - valid
        now.transition_valid[i] = i >= length - valid
    window.actions = now.actions + step * t.num_factors
    window.step_valid, window.transition_valid = now.step_valid, now.transition_valid
    window.variational, window.without_prior = job.variational, False
    pass_messages(t, &observed, &window, 0, <const double**>now.prior, job.run.num_iter,
                  now.window, now.scratch)
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        memcpy(job.run.qs[i] + place * n, now.window[i] + (length - 1) * n, n * sizeof(double))


# Infers the states at `place` from this step: run.qs, and a row more of now.beliefs.
cdef void _infer_step(const WindowJob* job, Present* now, int64_t place,
                      Py_ssize_t step) noexcept nogil:
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t row = job.length - 1 + step, i, n
    cdef double* qs[MAX_FACTORS]
    cdef Observed observed
    observed.num_steps, observed.weights = 1, NULL
    observed.codes = now.codes + row * t.num_modalities
    for i in range(t.num_factors):
        qs[i] = now.window[0] + t.factors[i].offset
    jacobi_iteration(t, &observed, 0, <const double**>now.prior, job.run.num_iter, qs,
                     now.scratch)
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        memcpy(job.run.qs[i] + place * n, qs[i], n * sizeof(double))
        memcpy(now.beliefs[i] + row * n, qs[i], n * sizeof(double))


# Learns from the window that ends at this step: `pymdp_v1.envs.update_parameters_online` and
# `_windows.learned`. Message passing learns from its window; ovf and exact from a window of
# beliefs smoothed backwards, once there is a transition; fpi learns A from this step, B from the
# last two.
cdef void _learn(const WindowJob* job, Present* now, Py_ssize_t agent, int64_t place,
                 Py_ssize_t step) noexcept nogil:
    cdef const Learning* learning = job.learning
    cdef OwnModel* own = &now.own
    cdef const BatchedTables* t = &own.t
    cdef const Transition* f
    cdef Py_ssize_t length = job.length, i, k, n, size, first = 0
    cdef bint transitions = step > 0 and length > 1
    cdef bint smooth = job.smoothing and transitions
    cdef const int32_t* past = now.actions + step * t.num_factors
    cdef const double* q[MAX_FACTORS]
    cdef const double* q_A[MAX_FACTORS]
    cdef const double* parents[MAX_FACTORS]
    cdef Observed observed
    if not (job.sequence or job.smoothing):
        first = length - 1
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        q[i] = now.window[i] if job.sequence else now.beliefs[i] + step * n
        q_A[i] = q[i] + first * n
        if smooth:
            q_A[i] = now.smoothed[i]
    if transitions and (smooth or learning.B):
        for i in range(t.num_factors):
            f = &t.factors[i]
            n = f.num_states
            for k in range(f.num_parents):
                parents[k] = q[f.parents[k]]
            if smooth:
                memcpy(now.smoothed[i], q[i], length * n * sizeof(double))
                smooth_backwards(t, i, 0, length, past, parents, job.exact, now.smoothed[i],
                                 now.joint, now.scratch)
            if learning.B:
                add_transition_counts(t, i, 0, length, past, parents, q[i],
                                      now.joint if smooth else NULL, 1.0, own.factors[i].counts,
                                      now.scratch)
    if learning.A:
        observed.num_steps, observed.weights = length - first, NULL
        observed.codes = now.codes + (step + first) * t.num_modalities
        for i in range(t.num_modalities):
            if learning.modalities[i].prior.data != NULL:
                add_outcome_counts(t, i, 0, &observed, q_A, 1.0, own.modalities[i].counts,
                                   now.scratch)
        adopt_A(own, learning, agent, place)
        for i in range(t.num_modalities):
            if learning.modalities[i].prior.data != NULL:
                size = learning.modalities[i].prior.stride
                memcpy(learning.modalities[i].counts + place * size, own.modalities[i].counts,
                       size * sizeof(double))
                memcpy(learning.modalities[i].mean + place * size, own.modalities[i].mean,
                       size * sizeof(double))
    if learning.B and transitions:
        adopt_B(own, learning, place)
        for i in range(t.num_factors):
            size = learning.factors[i].prior.stride
            memcpy(learning.factors[i].counts + place * size, own.factors[i].counts,
                   size * sizeof(double))
            memcpy(learning.factors[i].mean + place * size, own.factors[i].mean,
                   size * sizeof(double))


# Infers states and evaluates policies at `place`, or copies what was inferred before.
cdef void _infer(const WindowJob* job, Present* now, int64_t place, Py_ssize_t step) noexcept nogil:
    cdef const Run* run = &job.run
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t i, n, slot = 0, np_ = run.p.num_policies
    cdef Py_ssize_t stride[MAX_FACTORS]
    cdef const double* q[MAX_FACTORS]
    cdef double* first
    cdef int64_t found
    if now.num_places > 0:
        slot = _hash(job, now, place) & <uint64_t>(now.num_places - 1)
        first = now.first_qs + slot * t.num_states_total
        found = now.places[slot]
        # the last step leaves its window behind
        if found != NOWHERE and step < run.num_steps - 1 and _same(job, found, place):
            for i in range(t.num_factors):
                n = t.factors[i].num_states
                memcpy(run.qs[i] + place * n, run.qs[i] + found * n, n * sizeof(double))
                memcpy(now.window[i], first + t.factors[i].offset, n * sizeof(double))
            memcpy(run.q_pi + place * np_, run.q_pi + found * np_, np_ * sizeof(double))
            memcpy(run.G + place * np_, run.G + found * np_, np_ * sizeof(double))
            return
    if job.sequence:
        _infer_window(job, now, place, step)
    else:
        _infer_step(job, now, place, step)
    for i in range(t.num_factors):
        q[i], stride[i] = run.qs[i] + place * t.factors[i].num_states, 0
    evaluate_again(now.evaluation, t, &now.own.p, q, stride, run.q_pi + place * np_,
                   run.G + place * np_)
    if now.num_places > 0:
        now.places[slot] = place
        for i in range(t.num_factors):
            memcpy(first + t.factors[i].offset, now.window[i],
                   t.factors[i].num_states * sizeof(double))


# All steps of an agent.
cdef void _run_agent(const WindowJob* job, Present* now, Py_ssize_t agent) noexcept nogil:
    cdef const Run* run = &job.run
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t nf = t.num_factors, nm = t.num_modalities, length = job.length
    cdef Py_ssize_t step, i, k, n
    cdef int64_t place
    cdef const double* q[MAX_FACTORS]
    cdef int32_t* past
    cdef int32_t* seen
    for i in range((length - 1) * nm):
        now.codes[i] = NO_EVIDENCE
    for i in range((length - 1) * nf):
        now.actions[i] = UNKNOWN
    for i in range(nf):
        n = t.factors[i].num_states
        memcpy(now.prior[i], run.D.data[i] + agent * run.D.stride[i], n * sizeof(double))
        for k in range(length - 1):
            memcpy(now.beliefs[i] + k * n, now.prior[i], n * sizeof(double))
    seen = now.codes + (length - 1) * nm
    start(run.e, agent, hashed(run.key, agent + 1), now.state, seen, now.scratch)
    record(run, agent, 0, now.state, seen)
    for step in range(run.num_steps):
        place = agent * run.num_steps + step
        past = now.actions + step * nf  # of the window; the action to come stands behind it
        if step > 0 and not job.sequence:
            for i in range(nf):
                q[i] = now.beliefs[i] + (length - 2 + step) * t.factors[i].num_states
            predict_states(t, 0, past + (length - 2) * nf, q, now.prior, now.scratch)
        for i in range(nf):
            n = t.factors[i].num_states
            memcpy(run.prior[i] + place * n, now.prior[i], n * sizeof(double))
        _infer(job, now, place, step)
        if job.learning != NULL:
            _learn(job, now, agent, place, step)
        choose(run, agent, hashed(run.choose_keys[step], agent + 1),
               run.q_pi + place * run.p.num_policies, past + (length - 1) * nf, now.choices)
        for i in range(nf):
            run.actions[place * nf + i] = past[(length - 1) * nf + i]
        if job.sequence and length > 1 and step + 1 >= length:  # the window moves on
            predict_states(t, 0, past, <const double**>now.window, now.prior, now.scratch)
        seen += nm
        move(run.e, agent, hashed(run.step_keys[step], agent + 2), past + (length - 1) * nf,
             now.state, seen, now.scratch)
        record(run, agent, step + 1, now.state, seen)
    for i in range(nf):
        n = length * t.factors[i].num_states
        if job.last_qs[i] != NULL:
            memcpy(job.last_qs[i] + agent * n,
                   now.window[i] if job.sequence
                   else now.beliefs[i] + (run.num_steps - 1) * t.factors[i].num_states,
                   n * sizeof(double))
        n = t.factors[i].num_states
        if job.last_prior[i] != NULL:
            memcpy(job.last_prior[i] + agent * n, now.prior[i], n * sizeof(double))


cdef int _run(void* pointer, Py_ssize_t begin, Py_ssize_t stop) noexcept nogil:
    cdef WindowJob* job = <WindowJob*>pointer
    cdef Present now
    cdef Py_ssize_t agent
    if _allocate(job, &now, stop - begin) != 0:
        return -1
    for agent in range(begin, stop):
        look_at(&now.own, job.run.t, job.run.p, job.learning, agent)
        _run_agent(job, &now, agent)
    free(now.own.block)
    free_evaluation(now.evaluation)
    free(now.block)
    return 0


def run_windows(Rollout rollout, str algorithm, Py_ssize_t window_length, LearnedParts learned):
    """Run a batch of agents for all steps.

    Parameters
    ----------
    rollout : Rollout
    algorithm : str
        "mmp" and "vmp" look at windows; "ovf" and "exact" learn from smoothed windows; else
        inference and learning are those of fpi.
    window_length : int
        Steps of the windows; 0 without.
    learned : LearnedParts or None

    Returns
    -------
    qs : list of (batch_size, window_length, num_states) array, or None
        The last window of beliefs.
    prior : list of (batch_size, num_states) array, or None
        Over the first step of the window to come, for mmp and vmp.
    """
    cdef WindowJob job
    cdef const BatchedTables* t = rollout.run.t
    cdef Py_ssize_t i, batch = t.batch_size
    cdef double cost = 5000.0 * rollout.run.num_steps
    cdef list qs = [], prior = []
    job.run = rollout.run
    job.learning = NULL if learned is None else &learned.learning
    job.sequence = algorithm in ("mmp", "vmp")
    job.variational = algorithm == "vmp"
    job.exact = algorithm == "exact"
    job.smoothing = algorithm in ("ovf", "exact") and learned is not None
    if (job.sequence or job.smoothing) != (window_length > 0):
        raise ValueError(f"no window of {window_length} steps with {algorithm}")
    if job.variational and not rollout.inference.model.has_log_B:
        raise ValueError("vmp needs the logarithms of B")
    job.length = window_length or 2
    job.remember = job.sequence and learned is None and is_shared(t, rollout.run.p)
    for i in range(t.num_factors):
        job.last_qs[i] = job.last_prior[i] = NULL
        if window_length > 0:
            qs.append(new_array(batch, job.length, t.factors[i].num_states, &job.last_qs[i]))
        if job.sequence:
            prior.append(new_array(batch, t.factors[i].num_states, -1, &job.last_prior[i]))
    run_batch(_run, &job, batch, &cost)
    return qs or None, prior or None
