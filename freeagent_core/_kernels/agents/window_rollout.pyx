"""Agents that look at windows of the past, learn at every step, or both, in a sampled environment.

All steps of a block of agents, then of the next, without Python: what `pymdp_v1.envs.rollout` does
step by step where an agent infers by message passing (mmp, vmp) or learns online. Agents that learn
have each a model of their own (`own_model`); the eight of a block pass messages and evaluate
policies one a lane where `lane_messages` and `lane_values` allow it.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from freeagent_core._kernels.agents.batch_threads cimport run_batch
from freeagent_core._kernels.agents.batched_inference cimport new_array
from freeagent_core._kernels.agents.own_model cimport (
    adopt_A, adopt_B, allocate_own, LearnedParts, Learning, look_at, OwnModels, OwnTable)
from freeagent_core._kernels.agents.rollout_run cimport (
    choose, is_shared, max_choices, record, Rollout, Run)
from freeagent_core._kernels.agents.sampled_environment cimport move, start
from freeagent_core._kernels.base.interrupts cimport interrupted
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.status cimport INTERRUPTED, NO_MEMORY
from freeagent_core._kernels.base.threefry cimport hashed
from freeagent_core._kernels.inference.backward_smoothing cimport (
    smooth_backwards, smooth_chain)
from freeagent_core._kernels.inference.jacobi_iteration cimport jacobi_iteration, jacobi_scratch
from freeagent_core._kernels.inference.lane_messages cimport (
    fit_message_lanes, lane_messages_scratch, pass_messages_in_lanes)
from freeagent_core._kernels.inference.observed_evidence cimport NO_EVIDENCE, Observed
from freeagent_core._kernels.inference.predicted_states cimport predict_states
from freeagent_core._kernels.inference.window_messages cimport (
    messages_scratch, pass_messages, UNKNOWN, Window)
from freeagent_core._kernels.learning.window_counts cimport (
    add_chain_counts, add_outcome_counts, add_transition_counts)
from freeagent_core._kernels.model.batched_model cimport BatchedTables, Transition
from freeagent_core._kernels.model.lane_model cimport LANES
from freeagent_core._kernels.planning.lane_values cimport (
    evaluate_policies_in_lanes, fit_value_lanes)
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
    bint lanes                     # infer the states of a block's agents in lanes
    Py_ssize_t width               # agents of a block
    double* last_qs[MAX_FACTORS]   # (batch_size, length, num_states), or NULL
    double* last_prior[MAX_FACTORS]  # (batch_size, num_states): of the step to come, or NULL


# Memory of a thread: the present of a block of agents, `width` of each of the arrays.
ctypedef struct Present:
    OwnModels own
    Py_ssize_t rows                # steps that are kept: length - 1 + num_steps
    int32_t* codes                 # (rows + 1, num_modalities): what was observed
    int32_t* actions               # (rows, num_factors)
    int32_t* state                 # (num_factors,)
    double* prior[MAX_FACTORS]     # (num_states,)
    double* window[MAX_FACTORS]    # (length, num_states)
    double* beliefs[MAX_FACTORS]   # (rows, num_states), of one-step inference
    # of one agent after the other, and of windows in lanes
    unsigned char* step_valid
    unsigned char* transition_valid
    int32_t* window_codes          # (LANES, length, num_modalities)
    double* smoothed[MAX_FACTORS]  # (length, num_states)
    double* joint                  # (length - 1, num_states, joint states)
    double* weights                # (num_controls, num_states, num_states)
    double** counts                # (num_modalities,): of one agent
    double* qs                     # (num_states_total,), or of windows in lanes
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
    cdef Py_ssize_t used = 0, i, n, width = job.width, joint = 0, rows, lanes = 1
    cdef Py_ssize_t total, steps, weights = 0
    cdef Py_ssize_t room = max(jacobi_scratch(t), max(4 * t.max_tensor, 2 * job.run.e.max_size))
    total = t.num_states_total
    rows = now.rows = job.length - 1 + job.run.num_steps
    if job.sequence:
        room = max(room, messages_scratch(t, job.length))
    steps = job.length if job.sequence else 1
    if job.lanes:
        room, lanes = max(room, lane_messages_scratch(t, steps)), LANES
    for i in range(t.num_factors):
        n = t.factors[i].num_states * t.factors[i].size
        joint = max(joint, n if job.smoothing else 0)
        weights = max(weights, n * t.factors[i].num_controls if job.smoothing else 0)
    now.prior[0] = <double*>_piece(block, &used, width * total * 8)
    now.window[0] = <double*>_piece(block, &used, width * job.length * total * 8)
    now.beliefs[0] = <double*>_piece(block, &used, width * rows * total * 8)
    now.smoothed[0] = <double*>_piece(block, &used, job.length * total * 8)
    now.joint = <double*>_piece(block, &used, (job.length - 1) * joint * 8)
    now.weights = <double*>_piece(block, &used, weights * 8)
    now.counts = <double**>_piece(block, &used, t.num_modalities * sizeof(double*))
    now.qs = <double*>_piece(block, &used, lanes * steps * total * 8)
    now.scratch = <double*>_piece(block, &used, room * 8)
    now.choices = <double*>_piece(block, &used, 2 * max_choices(&job.run) * 8)
    now.first_qs = <double*>_piece(block, &used, now.num_places * total * 8)
    now.places = <int64_t*>_piece(block, &used, now.num_places * 8)
    now.codes = <int32_t*>_piece(block, &used, width * (rows + 1) * t.num_modalities * 4)
    now.actions = <int32_t*>_piece(block, &used, width * rows * t.num_factors * 4)
    now.state = <int32_t*>_piece(block, &used, width * t.num_factors * 4)
    now.window_codes = <int32_t*>_piece(block, &used, lanes * job.length * t.num_modalities * 4)
    now.step_valid = <unsigned char*>_piece(block, &used, job.length)
    now.transition_valid = <unsigned char*>_piece(block, &used, job.length)
    if block != NULL:
        for i in range(1, t.num_factors):
            n = t.factors[i].offset
            now.prior[i] = now.prior[0] + width * n
            now.window[i] = now.window[0] + width * job.length * n
            now.beliefs[i] = now.beliefs[0] + width * rows * n
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
            or allocate_own(&now.own, job.run.t, job.run.p, job.learning, job.width) != 0):
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

# The window of so many steps of agent `index` of the block that ends at this step; what is before
# the beginning does not count.
cdef Window _window(const WindowJob* job, Present* now, Py_ssize_t index, Py_ssize_t step,
                    Py_ssize_t length) noexcept nogil:
    cdef Py_ssize_t valid = min(step + 1, length), i
    cdef Window window
    for i in range(length):
        now.step_valid[i] = i >= length - valid
        now.transition_valid[i] = i >= length - valid
    window.actions = (now.actions
                      + (index * now.rows + step + job.length - length) * job.run.t.num_factors)
    window.step_valid, window.transition_valid = now.step_valid, now.transition_valid
    window.variational, window.without_prior = job.variational, False
    return window


# Infers the states of an agent of the block by message passing: now.window.
cdef void _infer_window(const WindowJob* job, Present* now, Py_ssize_t index,
                        Py_ssize_t step) noexcept nogil:
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t length = job.length, i, n
    cdef const double* prior[MAX_FACTORS]
    cdef double* qs[MAX_FACTORS]
    cdef Observed observed
    cdef Window window = _window(job, now, index, step, length)
    observed.num_steps, observed.weights = length, NULL
    # the codes of agent `index`, as those of a batch whose windows follow one another
    observed.codes = (now.codes + (index * (now.rows + 1) + step - index * length)
                      * t.num_modalities)
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        prior[i], qs[i] = now.prior[i] + index * n, now.qs + length * t.factors[i].offset
    pass_messages(t, &observed, &window, index, prior, job.run.num_iter, qs, now.scratch)
    for i in range(t.num_factors):
        n = length * t.factors[i].num_states
        memcpy(now.window[i] + index * n, qs[i], n * sizeof(double))


# The same of all agents of the block, one a lane; lanes that are left over repeat the first one. From
# one step it is what `jacobi_iteration` does, whose updates are those of VMP in a window of one
# step: now.beliefs.
cdef void _infer_in_lanes(const WindowJob* job, Present* now, Py_ssize_t count,
                          Py_ssize_t step) noexcept nogil:
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t length = job.length if job.sequence else 1, nm = t.num_modalities
    cdef Py_ssize_t row = step + job.length - length, lane, i, k, n
    cdef Py_ssize_t agents[LANES]
    cdef Window windows[LANES]
    cdef const double* prior[LANES * MAX_FACTORS]
    cdef double* rows[LANES]
    cdef Observed observed
    for lane in range(LANES):
        i = agents[lane] = lane if lane < count else 0
        windows[lane] = _window(job, now, i, step, length)
        memcpy(now.window_codes + lane * length * nm, now.codes + (i * (now.rows + 1) + row) * nm,
               length * nm * sizeof(int32_t))
        for k in range(t.num_factors):
            prior[lane * t.num_factors + k] = now.prior[k] + i * t.factors[k].num_states
    observed.num_steps, observed.weights, observed.codes = length, NULL, now.window_codes
    pass_messages_in_lanes(t, &observed, windows, agents, prior, job.run.num_iter, now.qs,
                           now.scratch)
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        for k in range(length):
            for lane in range(count):
                rows[lane] = (now.window[i] + (lane * length + k) * n if job.sequence
                              else now.beliefs[i] + (lane * now.rows + row) * n)
            P.lanes.scatter(now.qs + LANES * (k * t.num_states_total + t.factors[i].offset), n,
                            count, rows)


# Infers the states of an agent of the block from this step: a row more of now.beliefs.
cdef void _infer_step(const WindowJob* job, Present* now, Py_ssize_t index,
                      Py_ssize_t step) noexcept nogil:
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t row = job.length - 1 + step, i, n
    cdef const double* prior[MAX_FACTORS]
    cdef double* qs[MAX_FACTORS]
    cdef Observed observed
    observed.num_steps, observed.weights = 1, NULL
    observed.codes = now.codes + (index * now.rows + row) * t.num_modalities
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        prior[i], qs[i] = now.prior[i] + index * n, now.qs + t.factors[i].offset
    jacobi_iteration(t, &observed, index, prior, job.run.num_iter, qs, now.scratch)
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        memcpy(now.beliefs[i] + (index * now.rows + row) * n, qs[i], n * sizeof(double))


# Copies counts and means of `count` agents, from `first` on, to this step's place.
cdef void _write_down(const WindowJob* job, const OwnTable* own, double* counts, double* mean,
                      Py_ssize_t first, Py_ssize_t count, Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t index
    cdef int64_t place
    for index in range(count):
        place = ((first + index) * job.run.num_steps + step) * own.size
        memcpy(counts + place, own.counts + index * own.size, own.size * sizeof(double))
        memcpy(mean + place, own.mean + index * own.size, own.size * sizeof(double))


# Counts the window of an agent of the block that ends at this step:
# `pymdp_v1.envs.update_parameters_online` and `_windows.learned`. Message passing learns from its
# window; ovf and exact from a window of beliefs smoothed backwards, once there is a transition; fpi
# learns A from this step, B from the last two.
cdef void _count(const WindowJob* job, Present* now, Py_ssize_t index,
                 Py_ssize_t step) noexcept nogil:
    cdef const Learning* learning = job.learning
    cdef OwnModels* own = &now.own
    cdef const BatchedTables* t = &own.t
    cdef const Transition* f
    cdef Py_ssize_t length = job.length, i, k, n, first = 0
    cdef bint transitions = step > 0 and length > 1
    cdef bint smooth = job.smoothing and transitions
    cdef const int32_t* past = now.actions + (index * now.rows + step) * t.num_factors
    cdef const double* q[MAX_FACTORS]
    cdef const double* q_A[MAX_FACTORS]
    cdef const double* parents[MAX_FACTORS]
    cdef double* counts
    cdef Observed observed
    if not (job.sequence or job.smoothing):
        first = length - 1
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        if job.sequence:
            q[i] = now.window[i] + index * length * n
        else:
            q[i] = now.beliefs[i] + (index * now.rows + step) * n
        q_A[i] = q[i] + first * n
        if smooth:
            q_A[i] = now.smoothed[i]
    for i in range(t.num_factors if transitions and (smooth or learning.B) else 0):
        f = &t.factors[i]
        n = f.num_states
        counts = own.factors[i].counts + index * own.factors[i].size if learning.B else NULL
        for k in range(f.num_parents):
            parents[k] = q[f.parents[k]]
        if smooth:
            memcpy(now.smoothed[i] + (length - 1) * n, q[i] + (length - 1) * n, n * sizeof(double))
            if (f.num_parents == 1 and f.parents[0] == i
                    and smooth_chain(t, i, index, length, past, q[i], job.exact, now.smoothed[i],
                                     now.weights if learning.B else NULL, now.scratch)):
                if learning.B:
                    add_chain_counts(t, i, index, now.weights, counts)
                continue
            memcpy(now.smoothed[i] + (length - 1) * n, q[i] + (length - 1) * n, n * sizeof(double))
            smooth_backwards(t, i, index, length, past, parents, job.exact, now.smoothed[i],
                             now.joint, now.scratch)
        if learning.B:
            add_transition_counts(t, i, index, length, past, parents, q[i],
                                  now.joint if smooth else NULL, 1.0, counts, now.scratch)
    if learning.A:
        observed.num_steps, observed.weights = length - first, NULL
        observed.codes = now.codes + (index * (now.rows + 1) + step + first) * t.num_modalities
        for i in range(t.num_modalities):
            now.counts[i] = NULL
            if learning.modalities[i].prior.data != NULL:
                now.counts[i] = own.modalities[i].counts + index * own.modalities[i].size
        for i in range(t.num_groups):
            add_outcome_counts(t, i, 0, &observed, q_A, 1.0, now.counts, now.scratch)


# The agents of a block learn from the windows that end at this step.
cdef void _learn(const WindowJob* job, Present* now, Py_ssize_t first, Py_ssize_t count,
                 Py_ssize_t step) noexcept nogil:
    cdef const Learning* learning = job.learning
    cdef OwnModels* own = &now.own
    cdef Py_ssize_t i
    for i in range(count):
        _count(job, now, i, step)
    if learning.A:
        adopt_A(own, learning, first, count, step, job.run.num_steps)
        for i in range(own.t.num_modalities):
            if learning.modalities[i].prior.data != NULL:
                _write_down(job, &own.modalities[i], learning.modalities[i].counts,
                            learning.modalities[i].mean, first, count, step)
    if learning.B and step > 0 and job.length > 1:
        adopt_B(own, learning, first, count, step, job.run.num_steps)
        for i in range(own.t.num_factors):
            _write_down(job, &own.factors[i], learning.factors[i].counts,
                        learning.factors[i].mean, first, count, step)


# Infers states and evaluates policies of a block; 0, or -1 without memory.
cdef int _infer(const WindowJob* job, Present* now, Py_ssize_t first, Py_ssize_t count,
                Py_ssize_t step) noexcept nogil:
    cdef const Run* run = &job.run
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t i, n, index, np_ = run.p.num_policies, row = job.length - 1 + step
    cdef Py_ssize_t stride[MAX_FACTORS]
    cdef const double* q[MAX_FACTORS]
    cdef int64_t place = first * run.num_steps + step
    if job.lanes:
        _infer_in_lanes(job, now, count, step)
    for index in range(count):
        if not job.lanes and job.sequence:
            _infer_window(job, now, index, step)
        elif not job.lanes:
            _infer_step(job, now, index, step)
        for i in range(t.num_factors):
            n = t.factors[i].num_states
            memcpy(run.qs[i] + (place + index * run.num_steps) * n,
                   now.window[i] + (index * job.length + job.length - 1) * n if job.sequence
                   else now.beliefs[i] + (index * now.rows + row) * n, n * sizeof(double))
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        q[i], stride[i] = run.qs[i] + place * n, run.num_steps * n
    if run.t.batch_size > 1 and job.width > 1 and fit_value_lanes(t, &now.own.p):
        return evaluate_policies_in_lanes(t, &now.own.p, q, stride, 0, count,
                                          run.num_steps * np_, run.q_pi + place * np_,
                                          run.G + place * np_)
    for index in range(count):
        evaluate_again(now.evaluation, t, &now.own.p, q, stride, index,
                       run.q_pi + place * np_, run.G + place * np_)
        place += run.num_steps
    return 0


# The same of a block of one agent, or copies what was inferred before.
cdef int _infer_or_remember(const WindowJob* job, Present* now, Py_ssize_t agent,
                            Py_ssize_t step) noexcept nogil:
    cdef const Run* run = &job.run
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t i, n, np_ = run.p.num_policies
    cdef int64_t place = agent * run.num_steps + step, found
    cdef Py_ssize_t slot = _hash(job, now, place) & <uint64_t>(now.num_places - 1)
    cdef double* first = now.first_qs + slot * t.num_states_total
    found = now.places[slot]
    # the last step leaves its window behind
    if found != NOWHERE and step < run.num_steps - 1 and _same(job, found, place):
        for i in range(t.num_factors):
            n = t.factors[i].num_states
            memcpy(run.qs[i] + place * n, run.qs[i] + found * n, n * sizeof(double))
            memcpy(now.window[i], first + t.factors[i].offset, n * sizeof(double))
        memcpy(run.q_pi + place * np_, run.q_pi + found * np_, np_ * sizeof(double))
        memcpy(run.G + place * np_, run.G + found * np_, np_ * sizeof(double))
        return 0
    if _infer(job, now, agent, 1, step) != 0:
        return -1
    now.places[slot] = place
    for i in range(t.num_factors):
        memcpy(first + t.factors[i].offset, now.window[i],
               t.factors[i].num_states * sizeof(double))
    return 0


# The first states and observations of a block, before which nothing is known.
cdef void _begin(const WindowJob* job, Present* now, Py_ssize_t first,
                 Py_ssize_t count) noexcept nogil:
    cdef const Run* run = &job.run
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t nf = t.num_factors, nm = t.num_modalities, past = job.length - 1
    cdef Py_ssize_t index, i, k, n
    cdef int32_t* seen
    for index in range(count):
        seen = now.codes + index * (now.rows + 1) * nm
        for i in range(past * nm):
            seen[i] = NO_EVIDENCE
        for i in range(past * nf):
            now.actions[index * now.rows * nf + i] = UNKNOWN
        for i in range(nf):
            n = t.factors[i].num_states
            memcpy(now.prior[i] + index * n,
                   run.D.data[i] + (first + index) * run.D.stride[i], n * sizeof(double))
            for k in range(past):
                memcpy(now.beliefs[i] + (index * now.rows + k) * n, now.prior[i] + index * n,
                       n * sizeof(double))
        start(run.e, first + index, hashed(run.key, first + index + 1), now.state + index * nf,
              seen + past * nm, now.scratch)
        record(run, first + index, 0, now.state + index * nf, seen + past * nm)


# The prior of an agent of the block at this step, from the last action.
cdef void _predict(const WindowJob* job, Present* now, Py_ssize_t index,
                   Py_ssize_t step) noexcept nogil:
    cdef const BatchedTables* t = &now.own.t
    cdef const double* q[MAX_FACTORS]
    cdef double* prior[MAX_FACTORS]
    cdef Py_ssize_t i, n, last = index * now.rows + job.length - 2 + step
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        q[i], prior[i] = now.beliefs[i] + last * n, now.prior[i] + index * n
    predict_states(t, index, now.actions + last * t.num_factors, q, prior, now.scratch)


# The prior of the window's first step once it moves on.
cdef void _predict_window(const WindowJob* job, Present* now, Py_ssize_t index,
                          Py_ssize_t step) noexcept nogil:
    cdef const BatchedTables* t = &now.own.t
    cdef const double* q[MAX_FACTORS]
    cdef double* prior[MAX_FACTORS]
    cdef Py_ssize_t i, n
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        q[i], prior[i] = now.window[i] + index * job.length * n, now.prior[i] + index * n
    predict_states(t, index, now.actions + (index * now.rows + step) * t.num_factors, q, prior,
                   now.scratch)


# An agent of the block acts, and observes what follows.
cdef void _act(const WindowJob* job, Present* now, Py_ssize_t agent, Py_ssize_t index,
               Py_ssize_t step) noexcept nogil:
    cdef const Run* run = &job.run
    cdef Py_ssize_t nf = run.t.num_factors, nm = run.t.num_modalities, i
    cdef Py_ssize_t row = job.length - 1 + step
    cdef int64_t place = agent * run.num_steps + step
    cdef int32_t* action = now.actions + (index * now.rows + row) * nf
    cdef int32_t* seen = now.codes + (index * (now.rows + 1) + row + 1) * nm
    choose(run, agent, hashed(run.choose_keys[step], agent + 1),
           run.q_pi + place * run.p.num_policies, action, now.choices)
    for i in range(nf):
        run.actions[place * nf + i] = action[i]
    if job.sequence and job.length > 1 and step + 1 >= job.length:
        _predict_window(job, now, index, step)
    move(run.e, agent, hashed(run.step_keys[step], agent + 2), action, now.state + index * nf,
         seen, now.scratch)
    record(run, agent, step + 1, now.state + index * nf, seen)


# All steps of a block; returns a status: 0, NO_MEMORY or INTERRUPTED.
cdef int _run_block(const WindowJob* job, Present* now, Py_ssize_t first,
                    Py_ssize_t count) noexcept nogil:
    cdef const Run* run = &job.run
    cdef const BatchedTables* t = &now.own.t
    cdef Py_ssize_t step, index, i, n, status, last
    look_at(&now.own, run.t, run.p, job.learning, first, count)
    _begin(job, now, first, count)
    for step in range(run.num_steps):
        for index in range(count):
            if step > 0 and not job.sequence:
                _predict(job, now, index, step)
            for i in range(t.num_factors):
                n = t.factors[i].num_states
                memcpy(run.prior[i] + ((first + index) * run.num_steps + step) * n,
                       now.prior[i] + index * n, n * sizeof(double))
        if interrupted():
            return INTERRUPTED
        if now.num_places > 0:
            status = _infer_or_remember(job, now, first, step)
        else:
            status = _infer(job, now, first, count, step)
        if status != 0:
            return NO_MEMORY
        if job.learning != NULL:
            _learn(job, now, first, count, step)
        for index in range(count):
            _act(job, now, first + index, index, step)
    for index in range(count):
        for i in range(t.num_factors):
            n = t.factors[i].num_states
            last = index * now.rows + run.num_steps - 1
            if job.last_qs[i] != NULL:
                memcpy(job.last_qs[i] + (first + index) * job.length * n,
                       now.window[i] + index * job.length * n if job.sequence
                       else now.beliefs[i] + last * n, job.length * n * sizeof(double))
            if job.last_prior[i] != NULL:
                memcpy(job.last_prior[i] + (first + index) * n, now.prior[i] + index * n,
                       n * sizeof(double))
    return 0


# Blocks in range(begin, stop).
cdef int _run(void* pointer, Py_ssize_t begin, Py_ssize_t stop) noexcept nogil:
    cdef WindowJob* job = <WindowJob*>pointer
    cdef Present now
    cdef Py_ssize_t block, status = 0
    if _allocate(job, &now, stop - begin) != 0:
        return NO_MEMORY
    for block in range(begin, stop):
        if status == 0:
            status = _run_block(job, &now, block * job.width,
                                min(job.width, job.run.t.batch_size - block * job.width))
    free(now.own.block)
    free_evaluation(now.evaluation)
    free(now.block)
    return status


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
    cdef double cost
    cdef bint coupled = False
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
    # what is remembered comes from the agents before
    job.width = 1 if job.remember else min(batch, <Py_ssize_t>LANES)
    job.variational = job.variational or not job.sequence
    for i in range(t.num_groups):
        coupled = coupled or t.groups[i].num_parents > 1
    # one step of factors that no evidence couples takes no iterations
    job.lanes = (job.width > 1 and (job.sequence or coupled)
                 and fit_message_lanes(t, job.length if job.sequence else 1, job.variational))
    cost = 5000.0 * job.width * rollout.run.num_steps
    for i in range(t.num_factors):
        job.last_qs[i] = job.last_prior[i] = NULL
        if window_length > 0:
            qs.append(new_array(batch, job.length, t.factors[i].num_states, &job.last_qs[i]))
        if job.sequence:
            prior.append(new_array(batch, t.factors[i].num_states, -1, &job.last_prior[i]))
    run_batch(_run, &job, (batch + job.width - 1) // job.width, &cost, True)
    return qs or None, prior or None
