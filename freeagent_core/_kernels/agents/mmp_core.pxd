from freeagent_core._kernels.agents.agent_core cimport AgentCore
from freeagent_core._kernels.inference.message_passing cimport MMPParameters, MMPWindow
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cdef class MMPCore(AgentCore):
    cdef MMPParameters _mmp
    cdef double* _sequences        # (num_policies, infer_len, qs_size), in the order of families
    cdef double* _F                # (num_policies,), in the same order
    cdef Py_ssize_t _infer_len     # 0 before the first inference
    cdef int _read_window(self, OwnedWorkspace workspace, MMPWindow* window, list observations,
                          list actions, bint factorized, list keep) except -1
    cdef int _read_log_joint(self, MMPWindow* window, list keep) except -1
    cdef double* _read_priors(self, OwnedWorkspace workspace, prior, bint per_policy, list keep) except NULL
