from freeagent_core._kernels.action.random_source cimport RandomSource


cdef class NumPyGenerator:
    cdef RandomSource source
    cdef object _release           # of the lock that is held, or None
    cdef int acquire(self) except -1
    cdef int release(self) except -1


# NumPy's global generator. Hold the GIL from `acquire` to `release`.
cdef NumPyGenerator numpy_generator
