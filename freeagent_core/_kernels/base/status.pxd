cdef enum Status:                  # of kernels that can fail; 0 is success
    NOT_FINITE = -1
    NO_MEMORY = -2
    INTERRUPTED = -3               # by Ctrl-C: nothing has changed (base/interrupts)


cdef int raise_status(int status, str what) except -1
