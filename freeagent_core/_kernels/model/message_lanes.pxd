from libc.stdint cimport int32_t

from freeagent_core._kernels.model.lane_model cimport LaneModel, PackedLanes
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, PolicyTree


cdef struct LaneEntries:           # of matrices, rows behind each other
    const double* values           # with n_base values that all rows have, behind each matrix
    const int32_t* start           # a matrix has as many as rows, and one
    const int32_t* column


# Transitions of a factor that depends on one, under each action: dense, or as lists of entries.
# Past actions differ between lanes: their lists are of all entries that are not zero under any
# action, which all actions have; planned ones have their own.
cdef struct LaneTransition:
    Py_ssize_t source              # the factor that it depends on
    Py_ssize_t num_previous, num_states
    Py_ssize_t forward_entries, backward_entries
    const double* forward          # (num_controls, forward_entries): B; dense (num_previous,
                                   # num_states)
    const double* backward         # (num_controls, backward_entries): Factor.backward; dense
                                   # (num_states, num_previous), else then (num_states,) that all
                                   # rows have besides
    const int32_t* forward_start   # (num_states + 1,), NULL: dense
    const int32_t* forward_column  # previous states
    const int32_t* backward_start  # (num_previous + 1,)
    const int32_t* backward_column # next states
    LaneEntries planned_forward    # of all actions
    LaneEntries planned_backward


cdef struct MessageLanes:          # of message passing in lanes
    const LaneModel* lanes
    LaneTransition transitions[MAX_FACTORS]
    Py_ssize_t last_start[MAX_FACTORS]  # row of the beliefs after each last action of a factor
    Py_ssize_t num_last            # of those, all
    Py_ssize_t num_coupled         # joint states of the modalities of several factors
    Py_ssize_t num_forward, num_backward  # entries of one action of each factor
    Py_ssize_t max_states, max_members
    Py_ssize_t num_rows            # of a block, beside those of LaneMemory


cdef class PackedMessageLanes:
    cdef MessageLanes values
    cdef readonly PackedLanes lanes
    cdef readonly Py_ssize_t horizon
    cdef list _keep
    cdef const double* _table(self, object array, Py_ssize_t num_controls,
                              Py_ssize_t* entries) except NULL
    cdef LaneEntries _entries(self, tuple arrays) except *
    cdef const int32_t* _index(self, object array) except NULL


# Rows of a block with so many observed steps. Cost: constant.
cdef Py_ssize_t window_rows(const MessageLanes* m, Py_ssize_t past_len) noexcept nogil


# The last actions of the policy in a row of the families, (num_factors,). Cost: constant.
cdef inline const int32_t* last_actions(const PolicyTree* tree, Py_ssize_t num_factors,
                                        Py_ssize_t row) noexcept nogil:
    return tree.policy_actions + (
        (tree.family_members[row] + 1) * tree.policy_len - 1) * num_factors
