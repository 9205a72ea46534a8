from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport Scratch


cdef object new_array(const double* values, Py_ssize_t n)
cdef int read_doubles(object value, Py_ssize_t n, double* out, str name) except -1
cdef int read_probabilities(object value, Py_ssize_t n, double* out, str name) except -1
cdef int read_beliefs(PackedModel packed, Scratch scratch, object value, str name) except -1
cdef int read_action(PackedModel packed, Scratch scratch, object value) except -1
cdef int read_observation(PackedModel packed, Scratch scratch, object observation,
                          bint distr_obs) except -1
