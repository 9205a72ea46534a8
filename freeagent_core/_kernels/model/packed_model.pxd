from freeagent_core._kernels.model.structs cimport Factor, Group, Modality, Model
from freeagent_core._kernels.model.workspace cimport Largest, Scratch, ScratchPool


cdef class PackedModel:
    cdef Model model
    cdef readonly bint merges      # equal predicted beliefs
    cdef readonly bint brief       # a step takes a few microseconds
    cdef readonly list _keep       # the arrays that the pointers point into
    cdef Factor* _factors
    cdef Modality* _modalities
    cdef Group* _groups
    cdef ScratchPool _pool
    cdef Largest largest
    cdef int _pack_factors(self, list factors) except -1
    cdef int _pack_groups(self, list groups, list modalities) except -1
    cdef int _pack_tree(self, dict spec) except -1
    cdef int _pack_sequences(self, dict spec) except -1
    cdef int _check_utility_steps(self, Py_ssize_t g, dict spec) except -1
    cdef Py_ssize_t _most_values(self)
    cdef Scratch take_scratch(self)
    cdef void give_scratch(self, Scratch scratch)


# Joint belief of independent parts, x0 (x1 (x2 ...)): pymdp's spm_cross, from the last
# part, so that the inner loop is long where the last factors are small (profiled on cue
# chaining, where from the first part it was the largest single cost of a step). One part
# is returned as it is; `out` has room for two joints. Cost: the joint's size.
cdef const double* joint_belief(const double** parts, const Py_ssize_t* sizes,
                                Py_ssize_t count, double* out, Py_ssize_t largest) noexcept nogil
