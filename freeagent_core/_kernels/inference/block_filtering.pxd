from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace


cdef enum:
    FILTER_ROWS = 256              # agents of a block


cdef bint fits_filter(const Model* model) noexcept nogil
cdef int filter_block(const Model* model, const double** qs, const Py_ssize_t** action,
                      const Py_ssize_t** outcomes, Py_ssize_t count, double** out, bint* failed,
                      Workspace* work) noexcept nogil
