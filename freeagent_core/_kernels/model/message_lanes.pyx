"""What message passing needs beside `PackedLanes` to go through blocks of eight agents: transitions
as lists of entries, or dense.

`freeagent_core._model.message_lane_packing` decides which models have it.
"""

from freeagent_core._kernels.model.structs cimport Factor, Group, Model, PolicyTree


cdef class PackedMessageLanes:
    """A model with message passing, for blocks of agents.

    Parameters
    ----------
    lanes : PackedLanes
        Of agents that share a model.
    transitions : list of tuple
        Per factor (source, forward, backward, pattern): the factor that it depends on, arrays of
        float64 of shape (num_controls, entries) of B and of `Factor.backward`, and None, where
        they are dense, or a tuple: four arrays of int32, row starts and columns of both, and for
        both the entries of all actions, (values, row starts, columns).
    horizon : int
        Observed steps at most.
    """

    def __init__(self, PackedLanes lanes not None, list transitions, Py_ssize_t horizon):
        cdef const Model* model = &lanes.packed.model
        cdef MessageLanes* m = &self.values
        cdef LaneTransition* t
        cdef const Factor* f
        cdef const Group* group
        cdef Py_ssize_t i, k
        if self.lanes is not None:
            raise TypeError("a PackedMessageLanes cannot be initialised twice")
        if len(transitions) != model.num_factors or not model.tree.num_families:
            raise ValueError("message passing in lanes needs the transitions of each factor")
        self._keep = []
        m.lanes = &lanes.lanes
        for i, (source, forward, backward, pattern) in enumerate(transitions):
            f, t = &model.factors[i], &m.transitions[i]
            t.source = source
            t.forward = self._matrices(forward, f.num_previous, f.num_states, f.num_controls)
            t.backward = self._matrices(backward, f.num_states, f.num_previous, f.num_controls)
            if pattern is not None:
                self._list(&t.forward, pattern[0], pattern[1], pattern[4], 0)
                self._list(&t.backward, pattern[2], pattern[3], pattern[5], f.num_states)
            m.num_forward += t.forward.num_entries
            m.num_backward += t.backward.num_entries
            m.max_states = max(m.max_states, f.num_states, f.num_previous)
            m.last_start[i] = m.num_last
            m.num_last += f.num_controls * f.num_states
        for i in range(model.num_groups):
            group = &model.groups[i]
            if group.num_factors > 1:
                m.num_coupled += group.num_modalities * group.num_joint
        for i in range(model.tree.num_families):
            k = model.tree.family_start[i + 1] - model.tree.family_start[i]
            m.max_members = max(m.max_members, k)
        self.lanes, self.horizon = lanes, horizon
        m.num_rows = window_rows(m, horizon)

    # Dense ones.
    cdef LaneMatrices _matrices(self, object array, Py_ssize_t num_in, Py_ssize_t num_out,
                                Py_ssize_t num_controls) except *:
        cdef LaneMatrices matrices
        cdef const double[:, ::1] view = array
        if view.shape[0] != num_controls:
            raise ValueError(f"a transition must have {num_controls} actions, got {view.shape[0]}")
        self._keep.append(array)
        matrices.num_in, matrices.num_out = num_in, num_out
        matrices.values, matrices.num_entries = &view[0, 0], view.shape[1]
        matrices.start = matrices.column = NULL
        matrices.num_base = 0
        return matrices

    # They are lists of entries.
    cdef int _list(self, LaneMatrices* matrices, object start, object column, tuple planned,
                   Py_ssize_t num_base) except -1:
        cdef const double[::1] values = planned[0]
        self._keep.append(planned[0])
        matrices.start, matrices.column = self._index(start), self._index(column)
        matrices.planned.values = &values[0]
        matrices.planned.start = self._index(planned[1])
        matrices.planned.column = self._index(planned[2])
        matrices.num_base = num_base
        return 0

    cdef const int32_t* _index(self, object array) except NULL:
        cdef const int32_t[::1] view = array
        self._keep.append(array)
        return &view[0]

    @property
    def num_rows(self):
        """Rows of eight doubles that a block takes, beside those of `lanes`."""
        return self.values.num_rows


cdef Py_ssize_t window_rows(const MessageLanes* m, Py_ssize_t past_len) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef Py_ssize_t n = m.lanes.num_states, steps = past_len + tree.policy_len - 1
    return (n + past_len * (n + m.num_coupled) + (past_len - 1) * (m.num_forward + m.num_backward)
            + tree.num_families * (steps * n + m.num_last) + MAX_MESSAGES * m.max_states
            + tree.num_policies + n + 2 + model.num_controls_total
            + m.max_members * model.num_groups + (model.num_controls_total + 63) // 64)
