from freeagent_core._kernels.model.batched_model cimport BatchedTables
from freeagent_core._kernels.planning.policy_plan cimport SharedPolicies


cdef bint fit_value_lanes(const BatchedTables* t, const SharedPolicies* p) noexcept nogil
cdef int evaluate_policies_in_lanes(const BatchedTables* t, const SharedPolicies* p,
                                    const double* const* qs, const Py_ssize_t* qs_stride,
                                    Py_ssize_t start, Py_ssize_t stop, Py_ssize_t out_stride,
                                    double* q_pi, double* G) noexcept nogil
