"""Workspaces: the memory one thread needs to run kernels on one model, in one aligned block."""

from libc.stdint cimport int32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from freeagent_core._kernels.model.graph_memory cimport free_graph, new_graph
from freeagent_core._kernels.model.structs cimport GEMM_ROWS, PolicyTree, padded


cdef class OwnedWorkspace:
    """The memory of one step of one thread; no kernel allocates."""

    def __cinit__(self):
        self._block = NULL
        self.work.graph = NULL

    def __dealloc__(self):
        free(self._block)
        free_graph(self.work.graph)
        free(self.work.extra.data)


cdef class WorkspacePool:
    """Workspaces that no thread uses now. Most programs have one thread: the one released last has
    a place of its own, which costs less than a list."""

    def __cinit__(self):
        self.others = []


cdef OwnedWorkspace new_workspace(const Model* model, const WorkspaceSizes* room,
                                  bint uses_belief_graph):
    cdef const PolicyTree* tree = &model.tree
    cdef OwnedWorkspace workspace = OwnedWorkspace()
    cdef Workspace* work = &workspace.work
    cdef Py_ssize_t likelihoods = 0, g, i, num_doubles = 0, num_ints = 0
    for g in range(model.num_groups):
        likelihoods += padded(model.groups[g].num_joint)
    cdef Py_ssize_t joint = padded(room.joint), stride = room.stride
    cdef Py_ssize_t policies = padded(tree.num_enumerated), sparse = padded(room.sparse)
    cdef Py_ssize_t nodes = padded(tree.num_factor_nodes)
    cdef Py_ssize_t controls = padded(model.num_controls_total)
    # a graph keeps its beliefs itself
    cdef bint tree_beliefs = not uses_belief_graph
    cdef double** doubles[34]
    cdef Py_ssize_t[34] sizes
    cdef int32_t** ints[6]
    cdef Py_ssize_t[6] lengths
    doubles[0], sizes[0] = &work.prior, model.qs_size
    doubles[1], sizes[1] = &work.qs_new, model.qs_size
    doubles[2], sizes[2] = &work.message, model.qs_size
    doubles[3], sizes[3] = &work.log_likelihood, likelihoods
    doubles[4], sizes[4] = &work.contraction, 2 * joint
    doubles[5], sizes[5] = &work.trailing, 2 * joint
    doubles[6], sizes[6] = &work.joint, 2 * joint
    doubles[7], sizes[7] = &work.row, 2 * stride
    doubles[8], sizes[8] = &work.weights, joint
    doubles[9], sizes[9] = &work.support_weight, stride
    doubles[10], sizes[10] = &work.outcome_sums, sparse
    doubles[11], sizes[11] = &work.neg_pB_gains, controls
    doubles[12], sizes[12] = &work.action_weights, padded(tree.num_actions)
    doubles[13], sizes[13] = &work.beliefs, padded(tree.beliefs_size) if tree_beliefs else 0
    doubles[14], sizes[14] = &work.min_positive, nodes if tree_beliefs else 0
    doubles[15], sizes[15] = &work.rows, GEMM_ROWS * stride if tree_beliefs else 0
    doubles[16], sizes[16] = &work.partial, padded(room.partial)
    doubles[17], sizes[17] = &work.factor_value, nodes
    doubles[18], sizes[18] = &work.group_value, padded(tree.num_group_nodes)
    doubles[19], sizes[19] = &work.prefix_value, padded(tree.num_prefixes)
    doubles[20], sizes[20] = &work.q_pi_new, policies
    doubles[21], sizes[21] = &work.G_new, policies
    doubles[22], sizes[22] = &work.p_policies, policies
    doubles[23], sizes[23] = &work.p_actions, controls
    doubles[24], sizes[24] = &work.log_prior, model.qs_size
    doubles[25], sizes[25] = &work.error, model.qs_size
    doubles[26], sizes[26] = &work.outcome_probabilities, padded(model.num_obs_total)
    doubles[27], sizes[27] = <double**>&work.distributions, padded(model.num_modalities)
    doubles[28], sizes[28] = <double**>&work.observation, padded(
        model.num_modalities + model.num_factors)
    doubles[29], sizes[29] = &work.p_first, controls
    doubles[30], sizes[30] = &work.min_weight, nodes if tree_beliefs else 0
    doubles[31], sizes[31] = &work.total, nodes if tree_beliefs else 0
    doubles[32], sizes[32] = &work.columns, model.matrices.beliefs_size
    doubles[33], sizes[33] = &work.column_value, padded(model.matrices.num_nodes)
    ints[0], lengths[0] = &work.index, joint
    ints[1], lengths[1] = &work.support_state, stride
    ints[2], lengths[2] = &work.touched, sparse
    ints[3], lengths[3] = &work.node_belief, nodes if uses_belief_graph else 0
    ints[4], lengths[4] = &work.successors, controls
    ints[5], lengths[5] = &work.inductive_row, padded(model.num_factors)
    for i in range(34):
        num_doubles += sizes[i]
    for i in range(6):
        num_ints += lengths[i]
    cdef Py_ssize_t num_bytes = num_doubles * sizeof(double) + num_ints * sizeof(int32_t) + 64
    workspace._block = malloc(num_bytes)
    if workspace._block == NULL:
        raise MemoryError(f"no memory for {num_bytes} bytes of workspace")
    memset(workspace._block, 0, num_bytes)
    cdef double* here = <double*>((<uintptr_t>workspace._block + 63) // 64 * 64)
    for i in range(34):
        doubles[i][0] = here
        here += sizes[i]
    for i in range(6):
        ints[i][0] = <int32_t*>here
        here = <double*>(ints[i][0] + lengths[i])
    work.action = work.observation + model.num_modalities
    work.max_joint = joint
    here = work.outcome_probabilities
    for i in range(model.num_modalities):
        work.distributions[i] = here
        here += model.modalities[i].num_obs
    if uses_belief_graph:
        work.graph = new_graph()
        if work.graph == NULL:
            raise MemoryError("no memory for a belief graph")
    return workspace
