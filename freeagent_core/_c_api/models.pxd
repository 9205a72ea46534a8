from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from freeagent_core.c_api cimport (
    freeagent_argument, freeagent_model, freeagent_sizes,
)


cdef int model_new(const freeagent_argument* arguments, int64_t num_arguments,
                   freeagent_model** model) noexcept nogil
cdef int model_from_python(PyObject* generative_model, freeagent_model** model) noexcept nogil
cdef int model_to_python(freeagent_model* model, PyObject** generative_model) noexcept nogil
cdef int model_sizes(freeagent_model* model, freeagent_sizes* sizes) noexcept nogil
cdef int model_num_obs(freeagent_model* model, int64_t* num_obs,
                       int64_t num_modalities) noexcept nogil
cdef int model_num_states(freeagent_model* model, int64_t* num_states,
                          int64_t num_factors) noexcept nogil
cdef int model_num_controls(freeagent_model* model, int64_t* num_controls,
                            int64_t num_factors) noexcept nogil
cdef int model_free(freeagent_model* model) noexcept nogil
