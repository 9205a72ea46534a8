"""The step of a block of agents, the only one there is:

    observation -> infer states -> evaluate policies -> probabilities to choose by -> keep, draw

`infer` does all that can fail and writes to workspaces alone; `keep` and `draw_action` cannot
fail and make the results the agent's. So an agent whose step fails stays as it was. What differs
between holders of agents is whose memory a `Task` points to and where random numbers come from.

Every kernel takes a block, so that agents may share work; today that is the matrix products of
dense models (`evaluate_trees`).
"""

from libc.string cimport memcpy, memmove

from freeagent_core._kernels.action.action_selection cimport (
    action_marginals, choose_best, sharpen,
)
from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION,
)
from freeagent_core._kernels.agents.message_passing_step cimport (
    evaluate_window, infer_window, keep_window,
)
from freeagent_core._kernels.agents.parameters cimport StepParameters
from freeagent_core._kernels.base.status cimport NO_MEMORY
from freeagent_core._kernels.inference.fixed_point_iteration cimport infer_posterior, predict_all
from freeagent_core._kernels.learning.dirichlet_updates cimport refresh_planning
from freeagent_core._kernels.base.growable_array cimport grow
from freeagent_core._kernels.model.structs cimport AGENTS_PER_GEMM, first_action
from freeagent_core._kernels.planning.belief_matrices cimport has_matrices
from freeagent_core._kernels.planning.graph_search cimport enumerate_policies
from freeagent_core._kernels.planning.policy_evaluation cimport evaluate_policies
from freeagent_core._kernels.planning.policy_tree cimport evaluate_trees
from freeagent_core._kernels.planning.sophisticated cimport sophisticated_search


# q(s_f) = 1 / num_states[f]: the beliefs of an agent that has seen nothing. Cost: qs_size.
cdef void set_uniform_beliefs(const Model* model, double* qs) noexcept nogil:
    cdef Py_ssize_t f, s
    for f in range(model.num_factors):
        for s in range(model.factors[f].num_states):
            qs[model.factors[f].offset + s] = 1.0 / model.factors[f].num_states


# Before policies are evaluated: what updates of learned parameters have put off. Returns 0 or
# NO_MEMORY.
cdef int refresh_learned(AgentState* agent, Workspace* work) noexcept nogil:
    if agent.learned == NULL:
        return 0
    return refresh_planning(agent.learned, agent.parameters.efe.use_param_info_gain, work)


# work.qs_new = q(s | o), from the prior B q(s_before) under the last action, or D.
cdef int _infer_states(Task* task) noexcept nogil:
    cdef AgentState* agent = task.agent
    cdef Workspace* work = task.work
    cdef const Model* model = agent.model
    if agent.parameters.passes_messages:
        return infer_window(task)
    if agent.has_action:
        predict_all(model, agent.qs, agent.action, work, work.prior)
    else:
        memcpy(work.prior, model.D, model.qs_size * sizeof(double))
    if task.observation.vectors:
        memmove(work.outcome_probabilities, task.observation.distributions,
                model.num_obs_total * sizeof(double))
    return infer_posterior(model, &agent.parameters.fpi, task.observation.outcomes,
                           task.observation.vectors, task.joint_likelihood, work)


# work.G_new and work.q_pi_new, or work.p_first where policies are not enumerated, from `qs`.
cdef int _evaluate(Task* task, const double* qs, int operations) noexcept nogil:
    cdef AgentState* agent = task.agent
    cdef Workspace* work = task.work
    cdef const StepParameters* parameters = agent.parameters
    if refresh_learned(agent, work) != 0:
        return NO_MEMORY
    if parameters.passes_messages:
        return evaluate_window(task, operations & INFER_STATES)
    if agent.search_size == 0:
        return evaluate_policies(agent.model, &parameters.efe, qs, work)
    if grow(&work.extra, agent.search_size * <Py_ssize_t>sizeof(double)) != 0:
        return NO_MEMORY
    return sophisticated_search(agent.model, &parameters.fpi, &parameters.search, qs,
                                <double*>work.extra.data, work)


# The probabilities to choose by, task.choice: of the actions of each factor ("marginal") or of
# policies ("full"); pymdp.legacy.control.sample_action and sample_policy up to the draw.
# `evaluated`: from the policies evaluated just now, else from the agent's.
cdef int prepare_choice(Task* task, bint evaluated) noexcept nogil:
    cdef AgentState* agent = task.agent
    cdef Workspace* work = task.work
    cdef const Model* model = agent.model
    cdef const StepParameters* parameters = agent.parameters
    cdef const double* q_pi = task.q_pi
    cdef double* p
    cdef Py_ssize_t i
    cdef int status
    if q_pi == NULL and are_enumerated(agent):
        q_pi = work.q_pi_new if evaluated else agent.q_pi
    if q_pi == NULL and parameters.full:
        if evaluated:
            status = enumerate_policies(model, &parameters.efe, work)
        else:
            status = enumerate_evaluated(agent, work)
        if status != 0:
            return status
        q_pi = <double*>work.graph.enumerated_q_pi.data
    if parameters.full:
        task.choice = q_pi
        if parameters.stochastic:
            p = work.p_policies
            if not are_enumerated(agent):
                p = <double*>work.graph.enumerated_q_pi.data
            sharpen(q_pi, model.tree.num_policies, parameters.alpha, p)
            task.choice = p
        return 0
    if q_pi != NULL:
        action_marginals(model, q_pi, work)
    else:
        memcpy(work.p_actions, work.p_first if evaluated else agent.p_first,
               model.num_controls_total * sizeof(double))
    if parameters.stochastic:
        for i in range(model.num_factors):
            p = work.p_actions + model.factors[i].control_offset
            sharpen(p, model.factors[i].num_controls, parameters.alpha, p)
    task.choice = work.p_actions
    return 0


# Do the operations of a block; task.status of each is 0, NOT_FINITE or NO_MEMORY.
# More than one agent: of one model that nobody has learned; see shared_block.
cdef void infer(Task* tasks, Py_ssize_t count, int operations) noexcept nogil:
    cdef const double* qs[AGENTS_PER_GEMM]
    cdef Workspace* works[AGENTS_PER_GEMM]
    cdef int status[AGENTS_PER_GEMM]
    cdef Py_ssize_t index[AGENTS_PER_GEMM]
    cdef Py_ssize_t i, ready = 0
    cdef Task* task
    for i in range(count):
        task = &tasks[i]
        task.status = 0
        if operations & INFER_STATES:
            task.status = _infer_states(task)
        if task.status == 0 and operations & INFER_POLICIES:
            qs[ready] = task.work.qs_new if operations & INFER_STATES else task.agent.qs
            works[ready], index[ready], status[ready] = task.work, i, 0
            ready += 1
    if ready == 1:
        task = &tasks[index[0]]
        task.status = _evaluate(task, qs[0], operations)
    elif ready > 1:
        evaluate_trees(tasks[0].agent.model, &tasks[0].agent.parameters.efe, qs, works, ready,
                       status)
        for i in range(ready):
            tasks[index[i]].status = status[i]
    if operations & SAMPLE_ACTION:
        for i in range(count):
            if tasks[i].status == 0:
                tasks[i].status = prepare_choice(&tasks[i], operations & INFER_POLICIES)


# Dense transitions and groups of one factor: reading a matrix once for several agents pays.
# (Factors that are summed out one by one share little: 3 factors of 8 gained nothing.)
cdef Py_ssize_t shared_block(const Model* model, bint uses_belief_graph,
                             const StepParameters* parameters) noexcept nogil:
    cdef Py_ssize_t g
    if (uses_belief_graph or has_matrices(model, &parameters.efe) or parameters.passes_messages
            or parameters.search.horizon > 0):
        return 1
    for g in range(model.num_groups):
        if model.groups[g].num_factors > 1:
            return 1
    return AGENTS_PER_GEMM


# What a task without an error found becomes the agent's.
cdef void keep(Task* task, int operations) noexcept nogil:
    cdef AgentState* agent = task.agent
    cdef Workspace* work = task.work
    cdef const Model* model = agent.model
    if operations & INFER_POLICIES:
        agent.has_policies = True
        if are_enumerated(agent):
            memcpy(agent.q_pi, work.q_pi_new, model.tree.num_enumerated * sizeof(double))
            memcpy(agent.G, work.G_new, model.tree.num_enumerated * sizeof(double))
        else:
            memcpy(agent.p_first, work.p_first, model.num_controls_total * sizeof(double))
            memcpy(agent.evaluated_qs, work.qs_new if operations & INFER_STATES else agent.qs,
                   model.qs_size * sizeof(double))
            agent.evaluated_efe = agent.parameters.efe
    if agent.parameters.passes_messages:
        keep_window(task, operations)
    elif operations & INFER_STATES:
        memcpy(agent.qs, work.qs_new, model.qs_size * sizeof(double))


# An action from the probabilities to choose by: pymdp.legacy.control.sample_action and
# sample_policy. Cost: that of reading the probabilities.
cdef void draw_action(const AgentState* agent, const double* choice, RandomSource* source,
                      Py_ssize_t* action) noexcept nogil:
    cdef const Model* model = agent.model
    cdef const StepParameters* parameters = agent.parameters
    cdef Py_ssize_t i, policy
    if parameters.full:
        policy = _draw(parameters, choice, model.tree.num_policies, source)
        for i in range(model.num_factors):
            action[i] = first_action(model, policy)[i]
    else:
        for i in range(model.num_factors):
            action[i] = _draw(parameters, choice + model.factors[i].control_offset,
                              model.factors[i].num_controls, source)


cdef Py_ssize_t _draw(const StepParameters* parameters, const double* p, Py_ssize_t n,
                      RandomSource* source) noexcept nogil:
    if parameters.stochastic:
        return source.categorical(source.state, p, n)
    return choose_best(p, n, parameters.tie_tolerance, parameters.first_of_ties, source)


# G and q_pi of policies that are too many to keep, in the graph's own arrays: evaluated
# again, from what they were evaluated from last.
cdef int enumerate_evaluated(AgentState* agent, Workspace* work) noexcept nogil:
    cdef int status = evaluate_policies(agent.model, &agent.evaluated_efe, agent.evaluated_qs,
                                        work)
    return enumerate_policies(agent.model, &agent.evaluated_efe, work) if status == 0 else status
