"""The step of one agent of VANILLA or sophisticated inference, from the kernels it consists of.

Results go to the workspace; `keep_beliefs` and `keep_policies` make them the agent's.
"""

from libc.string cimport memcpy

from freeagent_core._kernels.action.action_selection cimport action_marginals, sharpen
from freeagent_core._kernels.inference.fixed_point_iteration cimport infer_posterior, predict_all
from freeagent_core._kernels.learning.dirichlet_updates cimport refresh
from freeagent_core._kernels.planning.graph_search cimport enumerate_policies
from freeagent_core._kernels.planning.policy_evaluation cimport evaluate_policies
from freeagent_core._kernels.planning.sophisticated cimport sophisticated_search


# Before any inference: what updates of learned parameters have put off.
cdef void refresh_learned(AgentState* agent, Workspace* work) noexcept nogil:
    if agent.learned != NULL:
        refresh(agent.learned, work)


# work.qs_new, from the observation and, with has_action, the action in the workspace.
cdef int infer_states(AgentState* agent, const Py_ssize_t* observation, bint vectors,
                      bint has_action, bint joint_likelihood, Workspace* work) noexcept nogil:
    cdef const Model* model = agent.model
    refresh_learned(agent, work)
    if has_action:
        predict_all(model, agent.qs, work.action, work, work.prior)
    else:
        memcpy(work.prior, model.D, model.qs_size * sizeof(double))
    return infer_posterior(model, &agent.fpi, observation, vectors, joint_likelihood, work)


# work.G_new and work.q_pi_new, or work.p_first.
cdef int infer_policies(AgentState* agent, const double* qs, Workspace* work) noexcept nogil:
    refresh_learned(agent, work)
    if agent.search_memory == NULL:
        return evaluate_policies(agent.model, &agent.efe, qs, work)
    return sophisticated_search(agent.model, &agent.fpi, &agent.search, qs, agent.search_memory,
                                work)


cdef void keep_beliefs(AgentState* agent, Workspace* work) noexcept nogil:
    memcpy(agent.qs, work.qs_new, agent.model.qs_size * sizeof(double))


# `qs` are the beliefs that policies were evaluated from.
cdef void keep_policies(AgentState* agent, const double* qs, Workspace* work) noexcept nogil:
    cdef const Model* model = agent.model
    if are_enumerated(agent):
        memcpy(agent.q_pi, work.q_pi_new, model.tree.num_enumerated * sizeof(double))
        memcpy(agent.G, work.G_new, model.tree.num_enumerated * sizeof(double))
        return
    memcpy(agent.p_first, work.p_first, model.num_controls_total * sizeof(double))
    memcpy(agent.evaluated_qs, qs, model.qs_size * sizeof(double))
    agent.evaluated_efe = agent.efe


# G and q_pi of policies that are too many to keep, in the graph's own arrays: evaluated
# again, from what they were evaluated from last.
cdef int enumerate_evaluated(AgentState* agent, Workspace* work) noexcept nogil:
    cdef int status = evaluate_policies(agent.model, &agent.evaluated_efe, agent.evaluated_qs,
                                        work)
    return enumerate_policies(agent.model, &agent.evaluated_efe, work) if status == 0 else status


# Fills work.p_actions (marginal) and returns them, or returns probabilities of policies
# (full). `q_pi` is NULL for policies that are not listed: the actions' are p_first then.
cdef const double* action_probabilities(AgentState* agent, const double* q_pi,
                                        const double* p_first, Workspace* work) noexcept nogil:
    cdef const Model* model = agent.model
    cdef double* p
    cdef Py_ssize_t i
    if agent.full:
        if not agent.stochastic:
            return q_pi
        p = work.p_policies if are_enumerated(agent) else <double*>work.graph.enumerated_q_pi.data
        sharpen(q_pi, model.tree.num_policies, agent.alpha, p)
        return p
    if q_pi == NULL:
        memcpy(work.p_actions, p_first, model.num_controls_total * sizeof(double))
    else:
        action_marginals(model, q_pi, work)
    if agent.stochastic:
        for i in range(model.num_factors):
            p = work.p_actions + model.factors[i].control_offset
            sharpen(p, model.factors[i].num_controls, agent.alpha, p)
    return work.p_actions


# From the observation to the probabilities to choose by, `choice`; work.qs_new and the
# policies' results are ready to be kept then. Returns 0, NOT_FINITE or NO_MEMORY.
cdef int whole_step(AgentState* agent, const Py_ssize_t* observation, bint vectors,
                    bint has_action, const double** choice, Workspace* work) noexcept nogil:
    cdef const double* q_pi = NULL
    cdef int status = infer_states(agent, observation, vectors, has_action,
                                   agent.joint_likelihood, work)
    if status != 0:
        return status
    status = infer_policies(agent, work.qs_new, work)
    if status != 0:
        return status
    if are_enumerated(agent):
        q_pi = work.q_pi_new
    elif agent.full:
        status = enumerate_policies(agent.model, &agent.efe, work)
        if status != 0:
            return status
        q_pi = <double*>work.graph.enumerated_q_pi.data
    choice[0] = action_probabilities(agent, q_pi, work.p_first, work)
    return 0
