from freeagent_core._kernels.model.batched_model cimport BatchedTables
from freeagent_core._kernels.planning.policy_plan cimport SharedPolicies


cdef double LEAST
# Whether all agents share all tables, so that equal beliefs of theirs have equal values.
cdef bint all_shared(const BatchedTables* t, const SharedPolicies* p) noexcept nogil
cdef int evaluate_policies(const BatchedTables* t, const SharedPolicies* p,
                           const double* const* qs, const Py_ssize_t* qs_stride,
                           Py_ssize_t start, Py_ssize_t stop,
                           double* q_pi, double* G) noexcept nogil
cdef void* new_evaluation(const BatchedTables* t, const SharedPolicies* p) noexcept nogil
cdef void evaluate_again(void* evaluation, const BatchedTables* t, const SharedPolicies* p,
                         const double* const* qs, const Py_ssize_t* qs_stride, Py_ssize_t agent,
                         double* q_pi, double* G) noexcept nogil
cdef void free_evaluation(void* evaluation) noexcept nogil
