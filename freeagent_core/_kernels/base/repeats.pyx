"""Kernels that run many times in one call, to be timed."""

from freeagent_core._kernels.base.status cimport INTERRUPTED, raise_status


cdef int check_all_ran(Py_ssize_t i, Py_ssize_t repeats) except -1:
    if i < repeats - 1:
        raise_status(INTERRUPTED, "a kernel that is repeated")
    return 0
