from libc.stdint cimport int64_t

from freeagent_core._c_api.operations cimport Input
from freeagent_core.c_api cimport freeagent_sizes


cdef class PythonAgent:
    cdef object agent


cdef int sizes_in_python(PythonAgent self, freeagent_sizes* sizes) noexcept nogil
cdef int act_in_python(PythonAgent self, int operations, const Input* given, int64_t* action,
                       int64_t num_factors) noexcept nogil
cdef int reset_in_python(PythonAgent self) noexcept nogil
cdef int learn_in_python(PythonAgent self, int operation, const Input* given) noexcept nogil
cdef int read_in_python(PythonAgent self, int quantity, double* values,
                        int64_t num_values) noexcept nogil
