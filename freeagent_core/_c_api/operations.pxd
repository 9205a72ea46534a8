from libc.stdint cimport int64_t, uint8_t

from freeagent_core._c_api.core_target cimport CoreTarget
from freeagent_core.c_api cimport freeagent_rows, freeagent_sizes


cdef struct Input:                 # as callers give it
    const int64_t* observations
    int64_t num_observations
    const double* beliefs
    int64_t num_beliefs
    const uint8_t* mask
    int64_t num_mask


cdef int act(CoreTarget target, int operations, const Input* given, int64_t* actions,
             int64_t num_actions) noexcept nogil
cdef int step_one(CoreTarget target, const int64_t* observation, int64_t num_modalities,
                  int64_t* action, int64_t num_factors) noexcept nogil
cdef int learn(CoreTarget target, int operation, const Input* given) noexcept nogil
cdef int reset(CoreTarget target, const Input* given) noexcept nogil
cdef int read(CoreTarget target, int quantity, double* values, int64_t num_values) noexcept nogil
cdef int borrow(CoreTarget target, int quantity, int64_t factor,
                freeagent_rows* rows) noexcept nogil
cdef int copy_sizes(const freeagent_sizes* known, freeagent_sizes* sizes) noexcept nogil
