"""The joint belief of independent factors."""

from freeagent_core._kernels.base.primitives cimport P


# joint = x_0 (x_1 (x_2 ...)), the joint belief of independent parts, flat: pymdp's spm_cross.
# From the last part, so that the inner loop is long where the last factors are small (on cue
# chaining, from the first part it was the largest single cost of a step). One part is returned
# as it is; `out` has room for two joints of max_joint entries. Cost: the size of the joint.
cdef const double* joint_belief(const double** parts, const Py_ssize_t* sizes,
                                Py_ssize_t count, double* out,
                                Py_ssize_t max_joint) noexcept nogil:
    cdef const double* joint = parts[count - 1]
    cdef Py_ssize_t size = sizes[count - 1], k
    for k in range(count - 2, -1, -1):
        P.outer(parts[k], sizes[k], joint, size, out + (max_joint if k % 2 else 0))
        joint = out + (max_joint if k % 2 else 0)
        size *= sizes[k]
    return joint
