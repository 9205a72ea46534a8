# What a helper does for a work; slots are 1, 2, ... up to the number of helpers asked for.
ctypedef void (*help_function)(void* work, Py_ssize_t slot) noexcept nogil


# Work that helpers may enter, on a cache line of its own.
cdef struct Offer:
    Py_ssize_t is_taken        # by a caller
    Py_ssize_t is_open         # to helpers
    Py_ssize_t num_inside      # helpers that may look at the work
    Py_ssize_t room            # helpers that may still enter
    void* work
    help_function help
    Py_ssize_t unused[2]


cdef Offer* open_offer(void* work, help_function help, Py_ssize_t room) noexcept nogil
cdef void close_offer(Offer* offer) noexcept nogil
cdef Py_ssize_t num_inside(Offer* offer) noexcept nogil
cdef Py_ssize_t count_lingering() noexcept nogil
