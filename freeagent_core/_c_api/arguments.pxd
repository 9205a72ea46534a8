from libc.stdint cimport int64_t

from freeagent_core.c_api cimport freeagent_argument


cdef dict read_arguments(const freeagent_argument* arguments, int64_t count)
