"""The step of up to eight agents of one small model, one a SIMD lane: `agent_step.infer` and `keep`
on arrays of lanes.

Agents are gathered into rows of eight doubles, go through belief update, policy evaluation and the
probabilities to choose by together, and are scattered again. Lanes that are left over compute what
the first one does and are not kept; no operation crosses lanes, so that an agent's numbers do not
depend on its block. One whose belief update fails in its lane is inferred alone.

Agents that learn are in blocks of their own, whose matrices are gathered too, at each evaluation of
policies: benchmarks/lanes.py --learning.
"""

from libc.math cimport isfinite

from freeagent_core._kernels.action.action_selection cimport MAX_PAIRWISE, TIE_RATIO
from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION, AgentState,
)
from freeagent_core._kernels.agents.agent_step cimport infer
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.status cimport NO_MEMORY, NOT_FINITE
from freeagent_core._kernels.inference.lane_inference cimport (
    infer_posterior_in_lanes, predict_in_lanes,
)
from freeagent_core._kernels.learning.dirichlet_updates cimport refresh_weights
from freeagent_core._kernels.learning.own_arrays cimport Learned
from freeagent_core._kernels.model.lane_model cimport LANES, LaneGroup, lane_memory
from freeagent_core._kernels.model.structs cimport Factor, Group, Model
from freeagent_core._kernels.planning.lane_policies cimport evaluate_in_lanes


cdef bint fit_lanes(const StepParameters* parameters) noexcept nogil:
    return not (parameters.passes_messages or parameters.search.horizon > 0
                or parameters.joint_likelihood)


# agent_step.infer of 1 to 8 agents of one model, or (lanes.own) all of them with a model of their
# own of that shape, on the memory of the first one's workspace, which all tasks may share; results
# are in `memory` until keep_lanes. task.status of each is 0, NOT_FINITE or NO_MEMORY. Returns 0, or
# NO_MEMORY where there is nothing to keep. Cost: that of its parts.
cdef int infer_in_lanes(const LaneModel* lanes, Task* tasks, Py_ssize_t count, int operations,
                        LaneMemory* memory) noexcept nogil:
    cdef Task* task[LANES]
    cdef Py_ssize_t i
    cdef int status = lane_memory(lanes, tasks[0].work, memory, 0)
    for i in range(count):
        tasks[i].status = status
    if status != 0:
        return status
    for i in range(LANES):
        task[i] = &tasks[i if i < count else 0]
    if operations & (INFER_STATES | INFER_POLICIES):
        _find_arrays(lanes, task, memory)
    if operations & INFER_STATES:
        _infer_states(lanes, task, count, memory)
    elif operations & INFER_POLICIES:
        _gather_beliefs(lanes, task, memory.qs)
    if operations & INFER_POLICIES:
        if lanes.own:
            _gather_arrays(lanes, task, count, memory)
        evaluate_in_lanes(lanes, memory, &tasks[0].agent.parameters.efe)
        for i in range(count):
            if tasks[i].status == 0 and not isfinite(memory.q_pi[i]):
                tasks[i].status = NOT_FINITE
    if operations & SAMPLE_ACTION:
        prepare_choices(lanes, task, count, operations, memory)
    return 0


# Whose arrays each lane reads. Cost: num_factors a lane.
cdef void _find_arrays(const LaneModel* lanes, Task** task, LaneMemory* memory) noexcept nogil:
    cdef const Learned* learned
    cdef Py_ssize_t lane, f
    for lane in range(LANES):
        learned = task[lane].agent.learned
        memory.D_of[lane], memory.A_of[lane] = lanes.model.D, lanes.A
        for f in range(lanes.model.num_factors):
            memory.B_of[LANES * f + lane] = lanes.B[f]
        if learned == NULL:
            continue
        if learned.D != NULL:
            memory.D_of[lane] = learned.D
        if learned.has_A:
            memory.A_of[lane] = <const double**>learned.A
        for f in range(lanes.model.num_factors if learned.has_B else 0):
            memory.B_of[LANES * f + lane] = learned.B[f]


# What the evaluation of policies reads of models that agents have learned, as arrays of lanes.
# Cost: eight loads per entry of A, B and the utility; with weights twice as many, and those of
# refresh_weights.
cdef void _gather_arrays(const LaneModel* lanes, Task** task, Py_ssize_t count,
                         LaneMemory* memory) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef bint weights = task[0].agent.parameters.efe.use_param_info_gain
    cdef Py_ssize_t i
    for i in range(count if weights else 0):
        if refresh_weights(task[i].agent.learned) != 0:
            task[i].status = NO_MEMORY
    for i in range(model.num_groups):
        _gather_group(lanes, i, task, weights and model.groups[i].wA_by_state != NULL, memory)
    for i in range(model.num_factors):
        _gather_factor(lanes, i, task, weights and model.factors[i].wB != NULL, memory)


cdef void _gather_group(const LaneModel* lanes, Py_ssize_t g, Task** task, bint weights,
                        LaneMemory* memory) noexcept nogil:
    cdef const Group* group = &lanes.model.groups[g]
    cdef const LaneGroup* own = &lanes.groups[g]
    cdef const double* rows[LANES]
    cdef const Learned* learned
    cdef double* here = memory.A + LANES * own.A_start
    cdef Py_ssize_t k, m, s, lane, stride
    for k in range(group.num_modalities):
        m = group.modalities[k]
        for lane in range(LANES):
            rows[lane] = memory.A_of[lane][m]
        P.lanes.gather(rows, lanes.model.modalities[m].num_obs * group.num_joint, False, here)
        here += LANES * lanes.model.modalities[m].num_obs * group.num_joint
    for lane in range(LANES):
        learned = task[lane].agent.learned
        rows[lane] = learned.utility[g] if learned.has_A else group.utility
    P.lanes.gather(rows, group.num_utility_steps * group.num_joint, False,
                   memory.utility + LANES * own.utility_start)
    here = memory.neg_ambiguity + LANES * own.likelihood_start
    for lane in range(LANES):
        learned = task[lane].agent.learned
        if learned.has_A:
            rows[0], stride = learned.neg_ambiguity[g], 1
        else:
            rows[0], stride = group.outcomes + group.num_outcomes, group.outcome_stride
        for s in range(group.num_joint):
            here[LANES * s + lane] = rows[0][s * stride]
    for s in range(group.num_joint if weights else 0):
        for lane in range(LANES):
            rows[lane] = task[lane].agent.model.groups[g].wA_by_state + s * group.wA_stride
        P.lanes.gather(rows, own.num_outcomes, False,
                       memory.wA + LANES * (own.A_start + s * own.num_outcomes))


cdef void _gather_factor(const LaneModel* lanes, Py_ssize_t f, Task** task, bint weights,
                         LaneMemory* memory) noexcept nogil:
    cdef const Factor* factor = &lanes.model.factors[f]
    cdef const double* rows[LANES]
    cdef Py_ssize_t row, start, lane
    for row in range(factor.num_controls * factor.num_previous):
        start = LANES * (lanes.B_start[f] + row * factor.num_states)
        for lane in range(LANES):
            rows[lane] = memory.B_of[LANES * f + lane] + row * factor.stride
        P.lanes.gather(rows, factor.num_states, False, memory.B + start)
        if weights:
            for lane in range(LANES):
                rows[lane] = task[lane].agent.model.factors[f].wB + row * factor.stride
            P.lanes.gather(rows, factor.num_states, False, memory.wB + start)


# x = the agents' beliefs. Cost: num_states loads a lane.
cdef void _gather_beliefs(const LaneModel* lanes, Task** task, double* x) noexcept nogil:
    cdef const Factor* factor
    cdef const double* rows[LANES]
    cdef Py_ssize_t f, lane
    for f in range(lanes.model.num_factors):
        factor = &lanes.model.factors[f]
        for lane in range(LANES):
            rows[lane] = task[lane].agent.qs + factor.offset
        P.lanes.gather(rows, factor.num_states, False, x + LANES * lanes.state_start[f])


# memory.qs = q(s | o), from the prior B q(s_before) under the last action, or D.
cdef void _infer_states(const LaneModel* lanes, Task** task, Py_ssize_t count,
                        LaneMemory* memory) noexcept nogil:
    cdef const Py_ssize_t* action[LANES]
    cdef const Py_ssize_t* outcomes[LANES]
    cdef bint has_action[LANES]
    cdef bint failed[LANES]
    cdef const Factor* factor
    cdef Py_ssize_t lane, f, s
    for lane in range(LANES):
        action[lane] = task[lane].agent.action
        has_action[lane] = task[lane].agent.has_action
        outcomes[lane] = task[lane].observation.outcomes
    _gather_beliefs(lanes, task, memory.before)
    predict_in_lanes(lanes, memory, action, has_action)
    infer_posterior_in_lanes(lanes, memory, &task[0].agent.parameters.fpi, outcomes, failed)
    for lane in range(count):
        if not failed[lane]:
            continue
        infer(task[lane], 1, INFER_STATES)
        for f in range(lanes.model.num_factors):
            factor = &lanes.model.factors[f]
            for s in range(factor.num_states):
                memory.qs[LANES * (lanes.state_start[f] + s) + lane] = (
                    task[lane].work.qs_new[factor.offset + s])


# task.choice: the probabilities to choose by, of the actions of each factor or of policies, as
# agent_step.prepare_choice. pymdp.legacy.control.sample_action and sample_policy up to the draw.
# Cost: num_policies * num_factors additions; with "stochastic" a logarithm and an exponential per
# probability.
cdef void prepare_choices(const LaneModel* lanes, Task** task, Py_ssize_t count, int operations,
                          LaneMemory* memory) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef const StepParameters* parameters = task[0].agent.parameters
    cdef const double* rows[LANES]
    cdef double* choices[LANES]
    cdef const double* p = memory.marginals
    cdef const Factor* factor
    cdef Py_ssize_t lane, f, start, n = model.num_controls_total
    if not operations & INFER_POLICIES:
        for lane in range(LANES):
            rows[lane] = task[lane].agent.q_pi
        P.lanes.gather(rows, model.tree.num_policies, False, memory.q_pi)
    if parameters.full:
        p, n = memory.q_pi, model.tree.num_policies
        if parameters.stochastic:
            P.lanes.sharpen(p, n, parameters.alpha, TIE_RATIO, MAX_PAIRWISE, memory.sharpened)
    else:
        for f in range(model.num_factors):
            factor = &model.factors[f]
            start = LANES * factor.control_offset
            P.lanes.marginals(memory.q_pi, model.tree.first_action + f, model.tree.num_policies,
                              model.num_factors, factor.num_controls, memory.marginals + start)
            if parameters.stochastic:
                P.lanes.sharpen(memory.marginals + start, factor.num_controls, parameters.alpha,
                                TIE_RATIO, MAX_PAIRWISE, memory.sharpened + start)
    if parameters.stochastic:
        p = memory.sharpened
    for lane in range(count):
        choices[lane] = memory.choice + lane * lanes.max_choice
        task[lane].choice = choices[lane]
    P.lanes.scatter(p, n, count, choices)


# What infer_in_lanes found becomes the agents', where nothing failed. Cost: what is copied.
cdef void keep_lanes(const LaneModel* lanes, Task* tasks, Py_ssize_t count, int operations,
                     LaneMemory* memory) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef const Factor* factor
    cdef double* rows[LANES]
    cdef Py_ssize_t lane, f
    if operations & INFER_STATES:
        for f in range(model.num_factors):
            factor = &model.factors[f]
            for lane in range(count):
                rows[lane] = (tasks[lane].agent.qs + factor.offset if tasks[lane].status == 0
                              else memory.discarded)
            P.lanes.scatter(memory.qs + LANES * lanes.state_start[f], factor.num_states, count,
                            rows)
    if operations & INFER_POLICIES:
        for lane in range(count):
            rows[lane] = tasks[lane].agent.q_pi if tasks[lane].status == 0 else memory.discarded
        P.lanes.scatter(memory.q_pi, model.tree.num_policies, count, rows)
        for lane in range(count):
            rows[lane] = tasks[lane].agent.G if tasks[lane].status == 0 else memory.discarded
        P.lanes.scatter(memory.G, model.tree.num_policies, count, rows)
        for lane in range(count):
            if tasks[lane].status == 0:
                tasks[lane].agent.has_policies = True
