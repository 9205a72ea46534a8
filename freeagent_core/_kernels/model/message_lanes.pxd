from libc.stdint cimport int32_t

from freeagent_core._kernels.model.lane_model cimport LaneModel, PackedLanes
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, PolicyTree


cpdef enum:
    MAX_MESSAGES = 16              # to one factor: those whose product cannot underflow


cdef struct LaneEntries:           # of matrices, rows behind each other
    const double* values           # with n_base values that all rows have, behind each matrix
    const int32_t* start           # a matrix has as many as rows, and one
    const int32_t* column


# Matrices of a factor, one for each action: dense, or as lists of entries. Past actions differ between
# lanes: their lists are of all entries that are not zero under any action, which all actions have;
# planned ones have their own.
cdef struct LaneMatrices:
    Py_ssize_t num_in, num_out
    Py_ssize_t num_entries         # of one action
    Py_ssize_t num_base            # of lists: values that all rows have besides, num_in or 0
    const double* values           # (num_controls, num_entries); dense (num_in, num_out)
    const int32_t* start           # (num_out + 1,), NULL: dense
    const int32_t* column
    LaneEntries planned            # of all actions


cdef struct LaneTransition:        # of a factor that depends on one
    Py_ssize_t source              # the factor that it depends on
    LaneMatrices forward           # B, from the previous state to the next
    LaneMatrices backward          # Factor.backward, from the next state to the previous


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
    cdef LaneMatrices _matrices(self, object array, Py_ssize_t num_in, Py_ssize_t num_out,
                                Py_ssize_t num_controls) except *
    cdef int _list(self, LaneMatrices* matrices, object start, object column, tuple planned,
                   Py_ssize_t num_base) except -1
    cdef const int32_t* _index(self, object array) except NULL


# Rows of a block with so many observed steps. Cost: constant.
cdef Py_ssize_t window_rows(const MessageLanes* m, Py_ssize_t past_len) noexcept nogil


# The last actions of the policy in a row of the families, (num_factors,). Cost: constant.
cdef inline const int32_t* last_actions(const PolicyTree* tree, Py_ssize_t num_factors,
                                        Py_ssize_t row) noexcept nogil:
    return tree.policy_actions + (
        (tree.family_members[row] + 1) * tree.policy_len - 1) * num_factors
