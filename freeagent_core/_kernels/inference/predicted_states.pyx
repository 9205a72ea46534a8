"""The next states that an action leads to."""

from freeagent_core._kernels.base.contractions cimport outer_product
from freeagent_core._kernels.model.batched_model cimport Transition, of_agent
from freeagent_core._kernels.base.primitives cimport P


# out[f][s'] = sum_s B[f][s', s, action[f]] prod_k qs[parent k][s_k]
# pymdp.control.compute_expected_state. Scratch: max_tensor. Cost: the size of B of the action.
cdef void predict_states(const BatchedTables* t, Py_ssize_t agent, const int32_t* action,
                         const double** qs, double** out, double* scratch) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef const Transition* f
    cdef const double* joint
    cdef const double* parents[64]
    for i in range(t.num_factors):
        f = &t.factors[i]
        joint = qs[f.parents[0]]
        if f.num_parents > 1:
            for k in range(f.num_parents):
                parents[k] = qs[f.parents[k]]
            outer_product(parents, f.sizes, f.num_parents, scratch)
            joint = scratch
        P.gemv_t(joint, of_agent(&f.B, agent) + action[i] * f.size * f.num_states, f.size,
                      f.num_states, out[i])
