from libc.stdint cimport int32_t

from freeagent_core._kernels.base.growable_array cimport GrowableArray
from freeagent_core._kernels.model.graph_memory cimport Graph
from freeagent_core._kernels.model.structs cimport Model


cdef struct Workspace:             # what one thread needs to run kernels on one model
    double* prior                  # (qs_size,)
    double* qs_new                 # (qs_size,)
    double* message                # (qs_size,)
    double* log_likelihood         # (sum of the groups' num_joint,)
    double* contraction            # (2 * largest joint,): partial sums of the messages
    double* trailing               # (2 * largest joint,): joint beliefs of the last factors
    double* joint                  # (2 * largest joint,)
    double* row                    # (2 * largest stride,)
    Py_ssize_t max_joint
    int32_t* index                 # (largest joint,): a joint support ...
    double* weights                # (largest joint,): ... and its weights
    int32_t* support_state         # (largest stride,): the support of a belief ...
    double* support_weight         # (largest stride,): ... and its weights
    double* outcome_sums           # (largest num_sparse_outcomes,), zero between calls
    int32_t* touched               # (largest num_sparse_outcomes,)
    Graph* graph                   # NULL without a belief graph
    int32_t* node_belief           # (tree.num_factor_nodes,)
    int32_t* successors            # (num_controls_total,)
    double* neg_pB_gains           # (num_controls_total,)
    double* action_weights         # (tree.num_actions,)
    double* beliefs                # (tree.beliefs_size,)
    double* total                  # (tree.num_factor_nodes,): the sum of a belief,
    double* min_weight             # (tree.num_factor_nodes,): the smallest weight ...
    double* min_positive           # (tree.num_factor_nodes,): ... and the smallest positive one
    double* rows                   # (GEMM_ROWS, largest stride): expected outcomes
    double* partial                # partial sums of a contraction
    double* columns                # (matrices.beliefs_size,): beliefs as columns of matrices
    double* column_value           # (matrices.num_nodes,)
    double* factor_value           # (tree.num_factor_nodes,)
    double* group_value            # (tree.num_group_nodes,)
    double* prefix_value           # (tree.num_prefixes,)
    double* q_pi_new               # (num_enumerated,)
    double* G_new                  # (num_enumerated,)
    double* p_policies             # (num_enumerated,)
    double* p_actions              # (num_controls_total,)
    double* p_first                # (num_controls_total,): if policies are not enumerated
    double* log_prior              # (qs_size,)
    double* error                  # (qs_size,)
    int32_t* inductive_row         # (num_factors,)
    double* outcome_probabilities  # (sum of num_obs,)
    const double** distributions   # (num_modalities,) into outcome_probabilities
    Py_ssize_t* observation        # (num_modalities,)
    Py_ssize_t* action             # (num_factors,)
    GrowableArray extra            # what a search, or message passing over a window, needs


cdef class OwnedWorkspace:
    cdef Workspace work
    cdef void* _block


cdef class WorkspacePool:
    cdef OwnedWorkspace spare
    cdef list others


cdef struct WorkspaceSizes:        # what a model's arrays need room for
    Py_ssize_t joint, stride       # states of a joint belief, entries of a padded row
    Py_ssize_t sparse              # outcomes of sparse modalities
    Py_ssize_t partial             # partial sums of a contraction


cdef OwnedWorkspace new_workspace(const Model* model, const WorkspaceSizes* room,
                                  bint uses_belief_graph)
