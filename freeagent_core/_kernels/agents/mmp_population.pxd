from libc.stdint cimport int32_t

from freeagent_core._kernels.inference.message_passing cimport MMPParameters, MMPWindow
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.agents.population_core cimport PopulationCore
from freeagent_core._kernels.model.workspace cimport Workspace


cdef class MMPPopulationCore(PopulationCore):
    cdef MMPParameters _mmp
    cdef Py_ssize_t _horizon, _num_kept    # steps observed, and actions kept, at most
    cdef Py_ssize_t _sequence_size         # doubles: (num_policies, longest infer_len, qs_size)
    cdef Py_ssize_t _num_priors            # 1, or num_policies
    cdef bint _use_BMA
    cdef int32_t[::1] _term_group
    cdef Py_ssize_t* _past                 # (size, horizon, num_modalities): outcomes
    cdef Py_ssize_t* _past_len             # (size,)
    cdef Py_ssize_t* _past_actions         # (size, num_kept, num_factors)
    cdef Py_ssize_t* _num_actions          # (size,) of those
    cdef double* _latest_belief            # (size, num_priors, qs_size)
    cdef double* _sequences                # (size, sequence_size)
    cdef double* _F                        # (size, num_policies)
    cdef void _read_window(self, Py_ssize_t i, const Model* model, MMPWindow* window,
                           Workspace* work, double* extra) noexcept nogil
    cdef Py_ssize_t _present_len(self, Py_ssize_t i) noexcept nogil
    cdef void _average(self, Py_ssize_t i, const Model* model, const double* sequences,
                       const double* q_pi, Workspace* work, Py_ssize_t infer_len) noexcept nogil
