from libc.stdint cimport int64_t

from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Model
from freeagent_core._kernels.model.workspace cimport Workspace


cdef enum:
    LANES = 8                      # agents of a block, doubles of a row


cdef struct LaneGroup:
    const double* A                # (num_outcomes, num_joint): all its modalities
    Py_ssize_t num_outcomes
    Py_ssize_t likelihood_start    # row of its log likelihood
    Py_ssize_t A_start, utility_start  # rows of agents' own arrays


# Arrays of lanes are rows of eight doubles (csrc/lanes.h); a `start` is the number of a row.
cdef struct LaneModel:
    const Model* model             # with a tree of policies
    bint own                       # of agents that learn, each with arrays of its own
    bint only_with_B               # it does not pay for those that have not learned B
    const double** A               # (num_modalities,): (num_obs, num_joint)
    const double* B[MAX_FACTORS]   # (num_controls, num_previous, B_stride)
    Py_ssize_t B_stride[MAX_FACTORS]  # num_states; `own`: Factor.stride
    Py_ssize_t B_start[MAX_FACTORS]   # row of agents' own B, of num_states without a stride
    Py_ssize_t state_start[MAX_FACTORS]  # of a factor's belief
    const LaneGroup* groups
    const Py_ssize_t* node_start   # (tree.num_factor_nodes,): of a node's belief
    Py_ssize_t num_states          # of all factors
    Py_ssize_t num_likelihoods     # joint states of all groups
    Py_ssize_t num_node_states
    Py_ssize_t num_A, num_B, num_utilities  # entries of agents' own arrays; 0 without
    Py_ssize_t max_joint, max_entries, max_choice


cdef struct LaneMemory:            # of one block of agents
    # what each lane reads: the shared model's arrays, or those that its agent has learned
    const double** A_of[LANES]     # as LaneModel.A
    const double* B_of[LANES * MAX_FACTORS]  # as LaneModel.B, those of a factor adjacent
    const double* D_of[LANES]
    # the same as arrays of lanes, of agents that learn
    double* A                      # (num_A,): (num_outcomes, num_joint) of each group
    double* B                      # (num_B,): (num_controls, num_previous, num_states)
    double* wA                     # (num_A,): (num_joint, num_outcomes)
    double* wB                     # (num_B,)
    double* utility                # (num_utilities,): (num_utility_steps, num_joint)
    double* neg_ambiguity          # (num_likelihoods,)
    double* before                 # (num_states,): beliefs at the last step
    double* prior                  # (num_states,)
    double* qs                     # (num_states,)
    double* message                # (num_states,)
    double* inductive_cost         # (num_states,)
    double* log_likelihood         # (num_likelihoods,)
    double* joint                  # (2 * max_joint,)
    double* trailing               # (2 * max_joint,)
    double* contraction            # (2 * max_joint,)
    double* row                    # (max_entries,)
    double* other_row              # (max_entries,)
    double* beliefs                # (num_node_states,)
    double* factor_value           # (tree.num_factor_nodes,)
    double* group_value            # (tree.num_group_nodes,)
    double* prefix_value           # (tree.num_prefixes,)
    double* other_prefix_value     # (tree.num_prefixes,)
    double* G                      # (tree.num_policies,)
    double* q_pi                   # (tree.num_policies,)
    double* marginals              # (num_controls_total,)
    double* sharpened              # (max_choice,)
    double* value                  # (1,)
    double* norm                   # (1,)
    double* accuracy               # (1,)
    int64_t* active                # (1,)
    double* choice                 # an agent's max_choice numbers after the other's
    double* discarded              # (max_entries / 8 and more,)
    double* more                   # rows that lane_memory was asked for beside these


cdef class PackedLanes:
    cdef LaneModel lanes
    cdef readonly PackedModel packed
    cdef list _keep
    cdef LaneGroup* _groups
    cdef const double** _modalities
    cdef const double* _array(self, object array, tuple shape, str name) except NULL


cdef int lane_memory(const LaneModel* lanes, Workspace* work, LaneMemory* memory,
                     Py_ssize_t more_rows) noexcept nogil
cdef const double* joint_in_lanes(const double** parts, const Py_ssize_t* sizes, Py_ssize_t count,
                                  Py_ssize_t max_joint, double* out) noexcept nogil
