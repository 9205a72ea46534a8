from libc.stdint cimport int32_t

from freeagent_core._kernels.model.structs cimport Factor, Group, Model
from freeagent_core._kernels.model.workspace cimport Workspace


cdef struct EFEParameters:
    double gamma
    bint use_utility
    bint use_states_info_gain
    bint use_param_info_gain


# Beliefs that differ by no more are equal but for rounding.
cdef double EQUAL_BELIEFS


cdef double support_terms(const Model* model, const EFEParameters* parameters, const Group* group,
                          Py_ssize_t step, int32_t* index, double* weights, Py_ssize_t count,
                          Workspace* work) noexcept nogil
cdef double group_terms(const Model* model, const EFEParameters* parameters, const Group* group,
                        Py_ssize_t step, const double** parts, Workspace* work) noexcept nogil
cdef double first_step_terms(const Model* model, const Group* group, const double** parts,
                             Workspace* work) noexcept nogil
cdef double neg_pB_info_gain(const Factor* f, Py_ssize_t action, const int32_t* index,
                             const double* weights, Py_ssize_t count, const int32_t* state,
                             const double* next_weights, Py_ssize_t next_count,
                             Workspace* work) noexcept nogil
cdef void find_inductive_rows(const Model* model, const double* qs,
                              Workspace* work) noexcept nogil
cdef double expected_inductive_cost(const Model* model, const double* qs,
                                    Workspace* work) noexcept nogil
cdef double calc_inductive_cost(const Model* model, const double* qs, const double* predicted,
                                Workspace* work) noexcept nogil
