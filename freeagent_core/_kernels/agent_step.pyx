"""The step of one agent of VANILLA or sophisticated inference, from the kernels it consists of.

Results go to the workspace; `keep_beliefs` and `keep_policies` make them the agent's.
"""

from libc.string cimport memcpy

from freeagent_core._kernels.action_selection cimport action_marginals, sharpen
from freeagent_core._kernels.belief_update cimport (
    log_likelihood_of_distributions, log_likelihood_of_outcomes, predict_all, update_beliefs,
)
from freeagent_core._kernels.dirichlet_updates cimport refresh
from freeagent_core._kernels.policy_evaluation cimport evaluate_policies
from freeagent_core._kernels.sophisticated cimport sophisticated_search


# Before any inference: what updates of learned parameters have put off.
cdef void refresh_learned(AgentState* agent, Workspace* work) noexcept nogil:
    if agent.learned != NULL:
        refresh(agent.learned, work)


# work.qs_new, from the observation and, with has_action, the action in the workspace.
cdef int infer_states(AgentState* agent, bint vectors, bint has_action, bint joint_likelihood,
                      Workspace* work) noexcept nogil:
    cdef const Model* model = agent.model
    if has_action:
        predict_all(model, agent.qs, work.action, work, work.prior)
    else:
        memcpy(work.prior, model.D, model.qs_size * sizeof(double))
    if vectors:
        log_likelihood_of_distributions(model, work.distributions, joint_likelihood, work)
    else:
        log_likelihood_of_outcomes(model, work.observation, joint_likelihood, work)
    return update_beliefs(model, &agent.fpi, work)


# work.G_new and work.q_pi_new.
cdef int infer_policies(AgentState* agent, const double* qs, Workspace* work) noexcept nogil:
    if agent.search_memory == NULL:
        return evaluate_policies(agent.model, &agent.efe, qs, work)
    return sophisticated_search(agent.model, &agent.fpi, &agent.search, qs, agent.search_memory,
                                work)


cdef void keep_beliefs(AgentState* agent, Workspace* work) noexcept nogil:
    memcpy(agent.qs, work.qs_new, agent.model.qs_size * sizeof(double))


cdef void keep_policies(AgentState* agent, Workspace* work) noexcept nogil:
    cdef Py_ssize_t num_bytes = agent.model.tree.num_policies * sizeof(double)
    memcpy(agent.q_pi, work.q_pi_new, num_bytes)
    memcpy(agent.G, work.G_new, num_bytes)


# Fills work.p_actions (marginal) or work.p_policies (full, stochastic) with what is
# drawn from; full and deterministic chooses on q_pi itself.
cdef void action_probabilities(AgentState* agent, const double* q_pi,
                               Workspace* work) noexcept nogil:
    cdef const Model* model = agent.model
    cdef double* p
    cdef Py_ssize_t i
    if agent.full:
        if agent.stochastic:
            sharpen(q_pi, model.tree.num_policies, agent.alpha, work.p_policies)
        return
    action_marginals(model, q_pi, work)
    if agent.stochastic:
        for i in range(model.num_factors):
            p = work.p_actions + model.factors[i].control_offset
            sharpen(p, model.factors[i].num_controls, agent.alpha, p)
