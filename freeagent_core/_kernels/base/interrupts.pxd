cdef enum:
    LOOK_NS = 20_000_000           # how often the main thread looks for Ctrl-C


# Whether a kernel should stop and return INTERRUPTED: Ctrl-C has come, and the main thread has
# seen it. Cost: two loads; on the main thread a look at the clock, and every 20 ms the GIL.
cdef bint interrupted() noexcept nogil

# After a kernel returned INTERRUPTED, with the GIL. On the main thread Ctrl-C's handler is called;
# another thread waits until that is done. Then the kernel may begin again.
cdef int handle_interrupt() except -1

# Whether a kernel that returned this status is to run again: it was INTERRUPTED, which has been
# handled. With the GIL.
cdef bint begins_again(int status) except -1
