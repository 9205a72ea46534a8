from freeagent_core._kernels.model.batched_model cimport BatchedTables
from freeagent_core._kernels.planning.policy_plan cimport SharedPolicies
from freeagent_core._kernels.planning.tree_nodes cimport Tree


ctypedef struct TreeSettings:
    Py_ssize_t horizon, max_nodes, max_branching, topk, num_iter
    double policy_prune_threshold, observation_prune_threshold, entropy_stop_threshold
    double neg_efe_stop_threshold, kl_threshold, prune_penalty, gamma


cdef int search_tree(const BatchedTables* t, const SharedPolicies* p, const TreeSettings* settings,
                     Py_ssize_t agent, Tree* tree, double* q_pi) noexcept nogil
