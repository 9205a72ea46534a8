from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from freeagent_core._c_api.core_target cimport CoreTarget
from freeagent_core._c_api.python_agents cimport PythonAgent
from freeagent_core.c_api cimport (
    freeagent_agent, freeagent_model, freeagent_rows, freeagent_sizes,
)


cdef class AgentTarget:
    cdef CoreTarget made
    cdef PythonAgent python


cdef int agent_new(freeagent_model* model, int64_t seed, int64_t index,
                   freeagent_agent** agent) noexcept nogil
cdef int agent_from_python(PyObject* source, freeagent_agent** agent) noexcept nogil
cdef int agent_sizes(freeagent_agent* agent, freeagent_sizes* sizes) noexcept nogil
cdef int agent_step(freeagent_agent* agent, const int64_t* observation, int64_t num_modalities,
                    int64_t* action, int64_t num_factors) noexcept nogil
cdef int agent_infer_states(freeagent_agent* agent, const int64_t* observation,
                            int64_t num_modalities) noexcept nogil
cdef int agent_infer_policies(freeagent_agent* agent) noexcept nogil
cdef int agent_sample_action(freeagent_agent* agent, int64_t* action,
                             int64_t num_factors) noexcept nogil
cdef int agent_reset(freeagent_agent* agent) noexcept nogil
cdef int agent_update_A(freeagent_agent* agent, const int64_t* observation,
                        int64_t num_modalities) noexcept nogil
cdef int agent_update_B(freeagent_agent* agent, const double* qs_previous,
                        int64_t num_states) noexcept nogil
cdef int agent_update_D(freeagent_agent* agent, const double* qs_first,
                        int64_t num_states) noexcept nogil
cdef int agent_read(freeagent_agent* agent, int quantity, double* values,
                    int64_t num_values) noexcept nogil
cdef int agent_borrow(freeagent_agent* agent, int quantity, int64_t factor,
                      freeagent_rows* rows) noexcept nogil
cdef int agent_free(freeagent_agent* agent) noexcept nogil
