from libc.stdint cimport int32_t, uint32_t

from freeagent_core._kernels.base.threefry cimport Key


# Distributions over `size` outcomes, one for each combination of what they are conditioned on;
# those of batch element i start at p + i * stride, and its sure outcomes at sure + i * sure_stride.
ctypedef struct Conditional:
    Py_ssize_t size, num_parents, stride, sure_stride
    bint single                    # numbers of float32, drawn in float32
    const double* p                # (conditions, size)
    const int32_t* sure            # (conditions,): the outcome of probability 1, or -1
    const int32_t* parents         # (num_parents,) hidden state factors
    const int32_t* sizes           # states of each


ctypedef struct EnvironmentTables:
    Py_ssize_t num_factors, num_modalities, max_size
    Conditional* A                 # (num_modalities,)
    Conditional* B                 # (num_factors,): the action is its last condition
    Conditional* D                 # (num_factors,)
    const int32_t* num_controls    # (num_factors,)


cdef class SampledEnvironment:
    cdef EnvironmentTables tables
    cdef readonly Py_ssize_t batch_size
    cdef readonly tuple num_states, num_obs, num_controls
    cdef list _kept
    cdef void* _block
    cdef int _pack(self, Conditional* c, object array, tuple parents) except -1
    cdef tuple _run(self, const uint32_t[:, ::1] keys, object state, object action)


cdef void observe(const EnvironmentTables* e, Py_ssize_t element, Key key, const int32_t* state,
                  int32_t* obs, double* scratch) noexcept nogil
cdef void start(const EnvironmentTables* e, Py_ssize_t element, Key key, int32_t* state,
                int32_t* obs, double* scratch) noexcept nogil
cdef void move(const EnvironmentTables* e, Py_ssize_t element, Key key, const int32_t* action,
               int32_t* state, int32_t* obs, double* scratch) noexcept nogil
