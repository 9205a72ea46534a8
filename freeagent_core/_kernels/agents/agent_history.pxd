from freeagent_core._kernels.model.packed_model cimport PackedModel


cdef object observation_entry(object observation, bint distr_obs, Py_ssize_t num_modalities)


cdef class Histories:
    cdef public Py_ssize_t curr_timestep
    cdef public list prev_obs      # of message passing
    cdef public list prev_actions  # None before the first action
    cdef public list qs_hist       # these two None without `save_belief_hist`
    cdef public list q_pi_hist

    cdef int _added                # what `undo` takes away ...
    cdef list _former_q_pi_hist    # ... and what it puts back

    cdef int add(self, object observation, object qs, object q_pi, object action,
                 Py_ssize_t horizon) except -1
    cdef int undo(self) except -1
    cdef int advance(self, object action) except -1
    cpdef object q_pi_at(self, Py_ssize_t step)
