"""Policy evaluation: the (negative) expected free energy G of every policy, and q(pi).

Four ways, chosen when the model is packed (`freeagent_core._model.packing`), the first two by the
present belief too:

- where transitions are sparse, equal predicted beliefs are one: `graph_search`, and
  `deterministic_rollout` where they are states;
- where beliefs of one factor have many states, they are columns of matrices: `belief_matrices`;
- where transitions are dense, hardly any two beliefs are equal, and all beliefs of a step are
  matrix products: `policy_tree`;
- beliefs that exist for each policy and step (MMP) are evaluated one by one, here.
"""

from libc.math cimport isfinite
from libc.string cimport memcmp

from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.status cimport NOT_FINITE
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Group
from freeagent_core._kernels.planning.belief_matrices cimport evaluate_matrices, has_matrices
from freeagent_core._kernels.planning.expected_free_energy cimport (
    expected_inductive_cost, find_inductive_rows, group_terms,
)
from freeagent_core._kernels.planning.graph_search cimport evaluate_graph
from freeagent_core._kernels.planning.policy_tree cimport evaluate_tree


# work.G_new[pi] = sum_t sum_g (utility + information gains) + sum_t sum_f (inductive cost
# + information gain about pB); work.q_pi_new = softmax(G * gamma + log(E + 1e-16))
# pymdp.legacy.control.update_posterior_policies_factorized.
# If policies are not enumerated, work.p_first instead: the probabilities of the first action.
# Returns 0, NOT_FINITE or NO_MEMORY. Cost: that of evaluate_graph or evaluate_tree.
cdef int evaluate_policies(const Model* model, const EFEParameters* parameters, const double* qs,
                           Workspace* work) noexcept nogil:
    if work.graph != NULL:
        return evaluate_graph(model, parameters, qs, work)
    if has_matrices(model, parameters):
        if model.has_inductive:
            find_inductive_rows(model, qs, work)
        return evaluate_matrices(model, parameters, qs, work)
    return evaluate_tree(model, parameters, qs, work)


# G of policies whose beliefs are given step by step: `qs` has num_steps beliefs for each policy,
# `stride` doubles from one policy to the next; row r is policy order[r].
#   work.q_pi_new = softmax(G * gamma - F + log(E + 1e-16))
# pymdp.legacy.control.update_posterior_policies_full_factorized.
# The inductive cost takes the average of the first beliefs under softmax(E), `average`.
# Neighbours of one family share all steps but the last, which are valued once.
# Returns 0 or NOT_FINITE. Cost: that of group_terms per policy, step that it does not share, and
# group.
cdef int evaluate_sequences(const Model* model, const EFEParameters* parameters,
                            const double* qs, Py_ssize_t stride, Py_ssize_t num_steps,
                            const Py_ssize_t* order, const double* F, const double* average,
                            Workspace* work) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    cdef const double* belief
    cdef const Group* group
    cdef Py_ssize_t row, step, g, f, num_policies = model.tree.num_policies
    cdef Py_ssize_t shared_size = (num_steps - 1) * model.qs_size * sizeof(double)
    cdef double value, shared = 0.0
    cdef bint is_shared
    if model.has_inductive:
        find_inductive_rows(model, average, work)
    for row in range(num_policies):
        belief = qs + row * stride
        is_shared = row > 0 and memcmp(belief, belief - stride, shared_size) == 0
        value = shared if is_shared else 0.0
        for step in range(num_steps - 1 if is_shared else 0, num_steps):
            if step == num_steps - 1:
                shared = value
            belief = qs + row * stride + step * model.qs_size
            for g in range(model.num_groups):
                group = &model.groups[g]
                for f in range(group.num_factors):
                    parts[f] = belief + model.factors[group.factors[f]].offset
                value += group_terms(model, parameters, group, step, parts, work)
            value += expected_inductive_cost(model, belief, work)
        work.G_new[order[row]] = value
        work.q_pi_new[order[row]] = value * parameters.gamma - F[row] + model.log_E[order[row]]
    P.softmax(work.q_pi_new, num_policies, work.q_pi_new)
    return 0 if isfinite(P.sum(work.q_pi_new, num_policies)) else NOT_FINITE
