"""The joint belief of independent factors."""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.repeats cimport check_all_ran, stops


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


def joint_of(list beliefs, double[::1] out, Py_ssize_t repeats):
    """Write `joint_belief` of 1 to 64 vectors of float64 to `out`, flat."""
    cdef const double* parts[64]
    cdef Py_ssize_t sizes[64]
    cdef const double[::1] belief
    cdef const double* joint = NULL
    cdef double* memory
    cdef Py_ssize_t i, size = 1, count = len(beliefs)
    if not 1 <= count <= 64:
        raise ValueError(f"there must be 1 to 64 beliefs, got {count}")
    for i in range(count):
        belief = beliefs[i]
        if belief.shape[0] == 0:
            raise ValueError(f"beliefs[{i}] must not be empty")
        parts[i], sizes[i] = &belief[0], belief.shape[0]
        size *= belief.shape[0]
    if out.shape[0] != size:
        raise ValueError(f"out must have {size} entries, got {out.shape[0]}")
    memory = <double*>malloc(2 * size * sizeof(double))
    if memory == NULL:
        raise MemoryError(f"no memory for a joint belief of {size} states")
    with nogil:
        for i in range(repeats):
            joint = joint_belief(parts, sizes, count, memory, size)
            if stops(i, repeats):
                break
        if joint != NULL:
            memcpy(&out[0], joint, size * sizeof(double))
    free(memory)
    check_all_ran(i, repeats)
