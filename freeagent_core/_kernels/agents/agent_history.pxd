from freeagent_core._kernels.model.packed_model cimport PackedModel


cdef class Histories:
    cdef public Py_ssize_t curr_timestep
    cdef public list prev_obs      # of message passing
    cdef public list prev_actions  # None before the first action
    cdef public list qs_hist       # these two None without `save_belief_hist`
    cdef public list q_pi_hist

    cdef int note_observation(self, object observation, bint distr_obs,
                              Py_ssize_t num_modalities) except -1
    cdef int note_q_pi(self, object q_pi, Py_ssize_t horizon) except -1
    cdef int advance(self, object action) except -1
    cpdef object q_pi_at(self, Py_ssize_t step)
