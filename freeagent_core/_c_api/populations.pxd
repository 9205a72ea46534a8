from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t

from freeagent_core.c_api cimport (
    freeagent_model, freeagent_population, freeagent_rows, freeagent_sizes,
)


cdef int population_new(freeagent_model* model, int64_t size, int64_t seed, int64_t first_agent,
                        freeagent_population** population) noexcept nogil
cdef int population_from_python(PyObject* source,
                                freeagent_population** population) noexcept nogil
cdef int population_to_python(freeagent_population* population, PyObject** result) noexcept nogil
cdef int population_size(freeagent_population* population, int64_t* size) noexcept nogil
cdef int population_sizes(freeagent_population* population,
                          freeagent_sizes* sizes) noexcept nogil
cdef int population_step(freeagent_population* population, const int64_t* observations,
                         int64_t num_observations, const uint8_t* mask, int64_t num_mask,
                         int64_t* actions, int64_t num_actions) noexcept nogil
cdef int population_infer_states(freeagent_population* population, const int64_t* observations,
                                 int64_t num_observations, const uint8_t* mask,
                                 int64_t num_mask) noexcept nogil
cdef int population_infer_policies(freeagent_population* population, const uint8_t* mask,
                                   int64_t num_mask) noexcept nogil
cdef int population_sample_action(freeagent_population* population, const uint8_t* mask,
                                  int64_t num_mask, int64_t* actions,
                                  int64_t num_actions) noexcept nogil
cdef int population_reset(freeagent_population* population, const uint8_t* mask,
                          int64_t num_mask) noexcept nogil
cdef int population_update_A(freeagent_population* population, const int64_t* observations,
                             int64_t num_observations, const uint8_t* mask,
                             int64_t num_mask) noexcept nogil
cdef int population_update_B(freeagent_population* population, const double* qs_previous,
                             int64_t num_values, const uint8_t* mask,
                             int64_t num_mask) noexcept nogil
cdef int population_update_D(freeagent_population* population, const double* qs_first,
                             int64_t num_values, const uint8_t* mask,
                             int64_t num_mask) noexcept nogil
cdef int population_read(freeagent_population* population, int quantity, double* values,
                         int64_t num_values) noexcept nogil
cdef int population_borrow(freeagent_population* population, int quantity, int64_t factor,
                           freeagent_rows* rows) noexcept nogil
cdef int population_free(freeagent_population* population) noexcept nogil
