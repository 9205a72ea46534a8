from libc.stdint cimport int32_t

from freeagent_core._kernels.inference.observed_evidence cimport Observed
from freeagent_core._kernels.model.batched_model cimport BatchedModel, BatchedTables
from freeagent_core._kernels.planning.policy_plan cimport PolicyPlan


# Beliefs of all factors, that of agent i of factor f at data[f] + i * stride[f].
ctypedef struct Beliefs:
    const double* data[64]
    Py_ssize_t stride[64]


cdef class Observations:
    cdef Observed observed
    cdef int32_t* _codes
    cdef double* _weights


cdef class BatchedInference:
    cdef readonly BatchedModel model
    cdef public PolicyPlan plan
    cdef double _infer_ns, _predict_ns, _evaluate_ns, _window_ns


cdef list read_beliefs(const BatchedTables* t, object qs, bint steps, Beliefs* out, str name)
cdef list read_sequences(const BatchedTables* t, object qs, Py_ssize_t num_steps, str name)
cdef object new_array(Py_ssize_t a, Py_ssize_t b, Py_ssize_t c, double** data)
cdef object read_actions(const BatchedTables* t, object actions, tuple shape, Py_ssize_t least,
                         str name)
