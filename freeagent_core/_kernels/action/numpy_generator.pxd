cdef Py_ssize_t draw_below(Py_ssize_t count) except -1
