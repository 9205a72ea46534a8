from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cdef object new_array(const double* values, Py_ssize_t n)
cdef double* array_data(object array) noexcept
cdef object new_beliefs(const Model* model, const double* qs)
cdef int read_doubles(object value, Py_ssize_t n, double* out, str name) except -1
cdef int read_probabilities(object value, Py_ssize_t n, double* out, str name) except -1
cdef int read_beliefs(PackedModel packed, OwnedWorkspace workspace, object value,
                      str name) except -1
cdef int read_action(PackedModel packed, OwnedWorkspace workspace, object value,
                     str name=*, Py_ssize_t step=*) except -1
cdef int read_observation(PackedModel packed, OwnedWorkspace workspace, object observation,
                          bint distr_obs, str name=*, Py_ssize_t step=*) except -1
