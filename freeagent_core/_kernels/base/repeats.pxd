from freeagent_core._kernels.base.interrupts cimport interrupted


# Whether the loop over `repeats` runs of a kernel should end after run `i`: Ctrl-C has come.
# Cost: a comparison, and `interrupted` every 64 runs.
cdef inline bint stops(Py_ssize_t i, Py_ssize_t repeats) noexcept nogil:
    return i & 63 == 63 and i < repeats - 1 and interrupted()

# After that loop, with the GIL: raises what ended it.
cdef int check_all_ran(Py_ssize_t i, Py_ssize_t repeats) except -1
