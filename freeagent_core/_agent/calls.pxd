from freeagent_core._kernels.agents.agent_core cimport AgentCore


cdef class AgentCalls:
    cdef object _own_model
    cdef public AgentCore _core
    cdef public dict _changes      # assigned since the model was packed last
    cdef public object prev_actions, modalities_to_learn, factors_to_learn, lr_pA, lr_pB, lr_pD
    cdef public Py_ssize_t curr_timestep
    cdef object _qs_hist, _q_pi_hist
    # what calls ask of the model and the class
    cdef bint _at_once, _searches, _passes_messages
    cdef Py_ssize_t _horizon
    cdef bytes _all_modalities, _all_factors
    cdef int begin_step(self) except -1
    cdef int end_step(self, action) except -1
    cdef int advance(self, action) except -1
    cdef AgentCore _learner(self, str parameters, str mean)
