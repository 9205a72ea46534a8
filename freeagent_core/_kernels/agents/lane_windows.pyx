"""The step of up to eight agents of one small model that pass messages, one a SIMD lane:
`message_passing_step` on arrays of lanes, as `lane_step` is `agent_step`.

Agents of a block have windows of one length: after a reset of some, a block is several.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION, History,
)
from freeagent_core._kernels.agents.lane_step cimport keep_lanes, prepare_choices
from freeagent_core._kernels.base.interrupts cimport interrupted
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.status cimport INTERRUPTED, NOT_FINITE
from freeagent_core._kernels.inference.lane_message_passing cimport (
    lay_out_lanes, pass_family_messages,
)
from freeagent_core._kernels.model.lane_model cimport LANES, lane_memory
from freeagent_core._kernels.model.message_lanes cimport (
    LaneMatrices, LaneTransition, last_actions, window_rows,
)
from freeagent_core._kernels.model.structs cimport Factor, Group, Model, PolicyTree
from freeagent_core._kernels.planning.lane_sequences cimport evaluate_sequences_in_lanes


cdef bint fit_window_lanes(const StepParameters* parameters) noexcept nogil:
    return (parameters.passes_messages and not parameters.joint_likelihood
            and parameters.mmp.grad_descent and parameters.mmp.tau == 0.25)


# With a horizon of 1 pymdp reads past actions in the place of planned ones; with priors of their
# own no policies are a family.
cdef bint fits_window_lanes(const Task* task) noexcept nogil:
    return (task.agent.learned == NULL and task.agent.num_priors == 1
            and task.history.num_actions == task.history.num_steps
            and not task.observation.vectors and task.history.vectors == NULL)


# agent_step.infer of 1 to 8 agents of one model, of which fits_window_lanes and whose windows are
# of one length, with INFER_STATES; results are in `memory` and `window` until keep_window_lanes.
# task.status of each is 0 or why it failed; returns 0 unless all failed. Cost: that of its parts.
cdef int infer_windows_in_lanes(const MessageLanes* m, Task* tasks, Py_ssize_t count,
                                int operations, LaneWindow* window,
                                LaneMemory* memory) noexcept nogil:
    cdef const StepParameters* parameters = tasks[0].agent.parameters
    cdef Py_ssize_t past_len = tasks[0].history.num_steps + 1, family, i
    cdef Task* task[LANES]
    cdef int status = lane_memory(m.lanes, tasks[0].work, memory, window_rows(m, past_len))
    for i in range(LANES):
        task[i] = &tasks[i if i < count else 0]
    if status == 0:
        lay_out_lanes(m, past_len, memory.more, window)
        _gather_evidence(m, task, window)
        for family in range(m.lanes.model.tree.num_families):
            if interrupted():
                status = INTERRUPTED
                break
            pass_family_messages(m, &parameters.mmp, window, family, memory)
    for i in range(count):
        tasks[i].status = status
    if status != 0:
        return status
    _find_failures(m, tasks, count, window)
    if operations & INFER_POLICIES:
        evaluate_sequences_in_lanes(
            m, window, &parameters.efe,
            max(1, min(parameters.num_future_steps, window.infer_len)), memory)
        for i in range(count):
            if tasks[i].status == 0 and not isfinite(memory.q_pi[i]):
                tasks[i].status = NOT_FINITE
    if operations & SAMPLE_ACTION:
        prepare_choices(m.lanes, task, count, operations, memory)
    return 0


# The prior, what was observed and the transitions that were chosen. Cost: eight loads per state,
# joint state and entry of a transition, of each observed step.
cdef void _gather_evidence(const MessageLanes* m, Task** task, LaneWindow* window) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const LaneTransition* t
    cdef const double* rows[LANES]
    cdef double* forward = window.forward
    cdef double* backward = window.backward
    cdef Py_ssize_t action[LANES]
    cdef Py_ssize_t step, i, lane
    for i in range(model.num_factors):
        for lane in range(LANES):
            rows[lane] = task[lane].agent.latest_belief + model.factors[i].offset
        P.lanes.gather(rows, model.factors[i].num_states, False,
                       window.prior + LANES * m.lanes.state_start[i])
    for i in range(LANES * window.past_len * m.lanes.num_states):
        window.likelihood[i] = 1.0
    for step in range(window.past_len):
        _gather_likelihoods(m, task, window, step)
    for step in range(window.past_len - 1):
        for i in range(model.num_factors):
            t = &m.transitions[i]
            for lane in range(LANES):
                action[lane] = task[lane].history.actions[step * model.num_factors + i]
            forward = _gather_matrices(&t.forward, action, forward)
            backward = _gather_matrices(&t.backward, action, backward)


# Each lane's matrix, under its action; returns where the next ones go.
cdef double* _gather_matrices(const LaneMatrices* m, const Py_ssize_t* action,
                              double* out) noexcept nogil:
    cdef const double* rows[LANES]
    cdef Py_ssize_t lane
    for lane in range(LANES):
        rows[lane] = m.values + action[lane] * m.num_entries
    P.lanes.gather(rows, m.num_entries, False, out)
    return out + LANES * m.num_entries


cdef void _gather_likelihoods(const MessageLanes* m, Task** task, LaneWindow* window,
                              Py_ssize_t step) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const Group* group
    cdef const History* history
    cdef const double* rows[LANES]
    cdef double* coupled = window.coupled + LANES * step * m.num_coupled
    cdef double* likelihood
    cdef Py_ssize_t g, i, k, lane, outcome
    for g in range(model.num_groups):
        group = &model.groups[g]
        for i in range(group.num_modalities):
            k = group.modalities[i]
            for lane in range(LANES):
                history = task[lane].history
                outcome = task[lane].observation.outcomes[k]
                if step < history.num_steps:
                    outcome = history.outcomes[step * model.num_modalities + k]
                rows[lane] = model.modalities[k].A + outcome * group.num_joint
            if group.num_factors == 1:
                likelihood = window.likelihood + LANES * (
                    step * m.lanes.num_states + m.lanes.state_start[group.factors[0]])
                P.lanes.multiply_eps(rows, likelihood, 0.0, group.num_joint, likelihood,
                                     window.total)
            else:
                P.lanes.gather(rows, group.num_joint, False, coupled)
                coupled += LANES * group.num_joint


# task.status of lanes where a belief or F is not finite. Cost: the beliefs.
cdef void _find_failures(const MessageLanes* m, Task* tasks, Py_ssize_t count,
                         LaneWindow* window) noexcept nogil:
    cdef const PolicyTree* tree = &m.lanes.model.tree
    cdef double total[LANES]
    cdef Py_ssize_t i, lane, rows
    cdef const double* x = window.beliefs
    for lane in range(LANES):
        total[lane] = 0.0
    rows = tree.num_families * ((window.infer_len - 1) * m.lanes.num_states + m.num_last)
    rows += tree.num_policies  # beliefs, last and F lie behind each other
    for i in range(rows):
        for lane in range(LANES):
            total[lane] += x[LANES * i + lane]
    for lane in range(count):
        if not isfinite(total[lane]):
            tasks[lane].status = NOT_FINITE


# What infer_windows_in_lanes found becomes the agents', where nothing failed. Cost: what is copied.
cdef void keep_window_lanes(const MessageLanes* m, Task* tasks, Py_ssize_t count, int operations,
                            const LaneWindow* window, LaneMemory* memory) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef double* rows[LANES]
    cdef Py_ssize_t lane, i
    for lane in range(count):
        rows[lane] = memory.discarded if tasks[lane].status else NULL
    for i in range(tree.num_families):
        _keep_family(m, tasks, count, window, i, rows)
    for i in range(tree.num_policies):
        for lane in range(count):
            if tasks[lane].status == 0:
                tasks[lane].agent.F[i] = window.F[LANES * i + lane]
    keep_lanes(m.lanes, tasks, count, operations & INFER_POLICIES, memory)
    _average(m, operations, window, memory)
    for i in range(model.num_factors):
        for lane in range(count):
            if tasks[lane].status == 0:
                rows[lane] = tasks[lane].agent.qs + model.factors[i].offset
        P.lanes.scatter(window.present + LANES * m.lanes.state_start[i],
                        model.factors[i].num_states, count, rows)
    for lane in range(count):
        if tasks[lane].status == 0:
            tasks[lane].agent.infer_len = window.infer_len


# A belief of all lanes into the agents' sequences at `at`, or into the row of a lane that failed.
cdef void _scatter(const double* x, Py_ssize_t n, Task* tasks, Py_ssize_t count, double** rows,
                   Py_ssize_t at) noexcept nogil:
    cdef double* to[LANES]
    cdef Py_ssize_t lane
    for lane in range(count):
        to[lane] = rows[lane] if rows[lane] != NULL else tasks[lane].agent.sequences + at
    P.lanes.scatter(x, n, count, to)


# agent.sequences of a family: all steps but the last are those of its first member. `rows` are where
# lanes that failed write to, NULL of the others. Cost: num_members * infer_len * qs_size a lane.
cdef void _keep_family(const MessageLanes* m, Task* tasks, Py_ssize_t count,
                       const LaneWindow* window, Py_ssize_t family, double** rows) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef const Factor* f
    cdef const int32_t* actions
    cdef Py_ssize_t steps = window.infer_len - 1, size = window.infer_len * model.qs_size
    cdef Py_ssize_t start = tree.family_start[family], row, step, i, s, lane
    cdef const double* x = window.beliefs + LANES * family * steps * m.lanes.num_states
    cdef double* sequence
    for lane in range(count):
        if rows[lane] == NULL:
            memset(tasks[lane].agent.sequences + start * size, 0, size * sizeof(double))
    for step in range(steps):
        for i in range(model.num_factors):
            f = &model.factors[i]
            _scatter(x, f.num_states, tasks, count, rows,
                     start * size + step * model.qs_size + f.offset)
            x += LANES * f.num_states
    for row in range(start, tree.family_start[family + 1]):
        actions = last_actions(tree, model.num_factors, row)
        for lane in range(count):
            if rows[lane] != NULL:
                continue
            sequence = tasks[lane].agent.sequences
            if row > start:
                memcpy(sequence + row * size, sequence + start * size, size * sizeof(double))
        for i in range(model.num_factors):
            f = &model.factors[i]
            x = window.last + LANES * (
                family * m.num_last + m.last_start[i] + actions[i] * f.num_states)
            _scatter(x, f.num_states, tasks, count, rows,
                     row * size + steps * model.qs_size + f.offset)


# window.present = the beliefs about the present step, averaged over policies by q_pi or evenly:
# message_passing_step.keep_window. Cost: num_states a family.
cdef void _average(const MessageLanes* m, int operations, const LaneWindow* window,
                   LaneMemory* memory) noexcept nogil:
    cdef const PolicyTree* tree = &m.lanes.model.tree
    cdef Py_ssize_t n = m.lanes.num_states, family, row, lane
    cdef const double* x
    cdef double weight[LANES]
    memset(window.present, 0, LANES * n * sizeof(double))
    for family in range(tree.num_families):
        for lane in range(LANES):
            weight[lane] = 0.0
        for row in range(tree.family_start[family], tree.family_start[family + 1]):
            for lane in range(LANES):
                weight[lane] += (memory.q_pi[LANES * tree.family_members[row] + lane]
                                 if operations & INFER_POLICIES else 1.0 / tree.num_policies)
        x = window.beliefs + LANES * (family * (window.infer_len - 1) + window.past_len - 1) * n
        P.lane_messages.add_weighted(weight, x, n, window.present)
