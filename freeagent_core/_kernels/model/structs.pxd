from libc.stdint cimport int32_t

from freeagent_core._kernels.base.primitives cimport fc_sparse_rows


# More factors than any joint of two or more states each could be held in memory for.
cdef enum:
    MAX_FACTORS = 64
    GEMM_ROWS = 64                 # of a matrix product
    AGENTS_PER_GEMM = 8            # agents whose beliefs share matrix products
    CONTRACTION_ROWS = 4           # beliefs of a contraction's first factor


cdef struct Factor:
    Py_ssize_t num_states
    Py_ssize_t stride              # num_states rounded up to 8: the space of a belief
    Py_ssize_t offset              # of this factor's belief in a flat array of all factors
    Py_ssize_t num_controls
    Py_ssize_t control_offset      # of this factor's actions in a flat array of all factors
    Py_ssize_t num_dependencies    # factors its transitions depend on (B_factor_list)
    const int32_t* dependencies
    Py_ssize_t num_previous        # joint states of the dependencies
    const unsigned char* is_sparse # (num_controls,): which form of B an action has
    const double* B                # (num_controls, num_previous, stride), NULL if all are sparse
    const int32_t* sparse_start    # (num_controls * num_previous + 1,), NULL if none is sparse
    const int32_t* sparse_state    # next states of the nonzero entries of B
    const double* sparse_B         # their probabilities
    const int32_t* deterministic_next  # (num_controls, num_states): the next state of a
                                   # deterministic transition, or -1; NULL if none is sparse
                                   # or it depends on other factors
    const double* backward         # (num_controls, num_states, num_previous rounded up to 8): B
                                   # with axes exchanged, normalised over the previous state;
                                   # NULL without MMP, or with several dependencies
    const double* wB               # like B: wB of pB; NULL without pB
    const double* inductive_cost   # (depth, num_states): (1 - I) * log(1e-3); NULL without H
    const int32_t* inductive_row   # (num_states,): the row if this state is likeliest, or -1


cdef struct Modality:
    Py_ssize_t num_obs
    const double* A                # (num_obs, num_joint of its group); NULL where that is large
    const double* log_A            # log(A + 1e-16), same shape      and has few nonzero entries:
    const int32_t* row_start       # (num_obs + 1,) of the rows' nonzero entries; else NULL
    const int32_t* row_state       # their joint states
    const double* row_A            # their probabilities
    const double* row_log_A        # log(row_A + 1e-16)
    double log_zero                # log(1e-16), of the others
    Py_ssize_t num_C_steps         # 1, or the group's num_utility_steps
    const double* log_C            # (num_C_steps, num_obs): log(softmax(C) + 1e-16)


cdef struct Group:                 # the modalities that depend on the same factors
    Py_ssize_t num_factors
    const int32_t* factors
    Py_ssize_t num_joint           # joint states of its factors
    Py_ssize_t num_modalities
    const int32_t* modalities
    Py_ssize_t num_utility_steps   # 1, or the steps that a time-dependent C reaches
    const double* utility          # (num_utility_steps, num_joint): sum_o A[o, s] log C[o]
    bint joint_outcomes            # the information gain is about all its modalities at once
    Py_ssize_t num_outcomes        # columns that are outcomes (not those of sparse modalities)
    Py_ssize_t outcome_stride      # num_outcomes + 1, rounded up to 8
    const double* outcomes         # (num_joint, outcome_stride): A; sum_o A log(A + exp(-16)) over
                                   # all modalities
    Py_ssize_t num_complements     # distributions whose last outcome is no column but 1 minus
    const int32_t* complement_start  # the sum of the others; (num_complements + 1,)
    const int32_t* learned_complement_start  # with all modalities dense; NULL if not normalised
    const double* outcome_utility  # (outcome_stride,): log C of columns minus complements'
    double complement_utility      # the sum of log C of the complements
    const double* contraction      # `outcomes` with rows in the order of the contraction
    const int32_t* contraction_order  # (num_factors,): positions in `factors`
    const int32_t* contraction_row    # (num_joint,): the row of a joint state
    Py_ssize_t num_sparse_outcomes
    const int32_t* sparse_start    # (num_joint + 1,) of the sparse modalities; NULL without any
    const int32_t* sparse_outcome  # outcomes of the nonzero entries of A
    const double* sparse_A         # their probabilities
    const double* next_outcomes    # (num_controls, num_previous, outcome_stride): B times outcomes;
                                   # of dense groups of one factor, or NULL
    const double* min_row_sum      # (num_controls,): the smallest sum of a row of B
    const double* point_mass_gain  # (num_joint,): the information gain of a point mass; NULL where
                                   # A is learned and no belief graph reads it
    Py_ssize_t wA_stride           # sum of num_obs, rounded up to 8
    const double* A_by_state       # (num_joint, wA_stride): A; NULL without pA
    const double* wA_by_state      # same shape: wA of pA; NULL without pA


cdef struct PolicyTree:
    Py_ssize_t num_policies
    Py_ssize_t num_enumerated      # num_policies, or 0 if there are too many
    # all sequences of actions, over a belief graph: the tree is empty then
    Py_ssize_t num_steps           # 0 with a tree
    Py_ssize_t num_actions         # joint actions
    const int32_t* actions         # (num_actions, num_factors)
    Py_ssize_t policies_per_action   # num_actions ** (num_steps - 1), of one first action
    # a tree
    Py_ssize_t num_factor_nodes    # distinct (factor, step, action sequence); first the roots
    const int32_t* node_factor
    const int32_t* node_action
    const int32_t* node_parent_start  # (num_factor_nodes + 1,) into node_parents
    const int32_t* node_parents    # the factor nodes of the dependencies, one step before
    const Py_ssize_t* node_offset  # of the node's belief
    Py_ssize_t beliefs_size
    Py_ssize_t first_leaf          # the factor nodes from here on are those of the last step
    Py_ssize_t num_group_nodes     # distinct (group, step, factor nodes)
    const int32_t* group_of
    const int32_t* group_step
    const int32_t* group_start     # (num_group_nodes + 1,) into group_factor_nodes
    const int32_t* group_factor_nodes
    Py_ssize_t num_prefixes        # distinct policy prefixes, each after its parent
    const int32_t* prefix_parent   # -1 at the first step
    const int32_t* prefix_factor_nodes  # (num_prefixes, num_factors)
    const int32_t* prefix_group_nodes   # (num_prefixes, num_groups)
    const int32_t* policy_prefix   # (num_policies,): its last prefix
    const int32_t* first_action    # (num_policies, num_factors); NULL with num_steps
    Py_ssize_t policy_len          # of all policies; 0 without MMP
    const int32_t* policy_actions  # (num_policies, policy_len, num_factors); NULL without MMP
    Py_ssize_t num_families        # policies that agree in all but the last action; 0 without MMP
    const Py_ssize_t* family_start # (num_families + 1,) into family_members
    const Py_ssize_t* family_members


cdef struct BeliefMatrices:        # all sequences of actions of one factor; see belief_matrices.py
    Py_ssize_t num_steps           # 0 without
    Py_ssize_t num_actions
    Py_ssize_t num_moves           # actions whose B is not the identity
    Py_ssize_t entries             # a column of B
    const int32_t* next            # (num_moves, num_states, entries): next states, with zeros
    const double* weight           # same shape: their probabilities    to fill up
    const int32_t* first_node      # (num_steps + 2,): where the nodes of 0, 1, ... moves begin,
    Py_ssize_t num_nodes           # each level in whole vectors; and their number
    const int32_t* prefix_node     # of each sequence of 1, 2, ... actions, in order
    Py_ssize_t graph_support       # with so many states or fewer, beliefs go to the belief graph
    Py_ssize_t block               # nodes before the last move that go together
    Py_ssize_t beliefs_size        # doubles that the beliefs of one evaluation take
    fc_sparse_rows outcomes        # A, of all modalities


cdef struct Model:
    Py_ssize_t num_factors
    Py_ssize_t num_modalities
    Py_ssize_t num_groups
    Py_ssize_t qs_size             # sum of the factors' strides
    Py_ssize_t num_controls_total
    Py_ssize_t max_controls
    bint time_dependent            # the utility of some group has several steps
    Py_ssize_t num_obs_total
    const Factor* factors
    const Modality* modalities
    const Group* groups
    PolicyTree tree
    BeliefMatrices matrices
    const double* D                # (qs_size,)
    const double* log_E            # (num_policies,)
    const double* softmax_E        # (num_policies,): weights in MMP's inductive cost
    bint has_inductive
    bint has_wA
    bint has_wB


# The first action of a policy, (num_factors,).
cdef inline const int32_t* first_action(const Model* model, Py_ssize_t policy) noexcept nogil:
    if model.tree.num_steps:
        return model.tree.actions + policy // model.tree.policies_per_action * model.num_factors
    return model.tree.first_action + policy * model.num_factors


# Doubles of a row of `count` columns of beliefs: vectors may go beyond the last; a stride of a power
# of two would put a column's entries into few sets of the cache.
cdef inline Py_ssize_t column_stride(Py_ssize_t count) noexcept nogil:
    return padded(count) + 8


# BeliefMatrices.beliefs_size: `linear`, the levels before the last action, a block of the last and
# its values. Cost: num_steps.
cdef inline Py_ssize_t columns_size(const BeliefMatrices* matrices,
                                    Py_ssize_t num_states) noexcept nogil:
    cdef Py_ssize_t t, count = 1, last, size = padded(num_states)
    for t in range(matrices.num_steps):
        size += num_states * column_stride(count)
        last = min(count, matrices.block) * matrices.num_moves
        count *= matrices.num_moves
    return padded(size + (num_states + 1) * column_stride(last))


# Doubles up to the next multiple of eight: the space of a vector.
cdef inline Py_ssize_t padded(Py_ssize_t size) noexcept nogil:
    return (size + 7) // 8 * 8
