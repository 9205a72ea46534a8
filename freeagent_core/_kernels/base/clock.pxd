"""Time for code without the GIL."""

from libc.stdint cimport int64_t


cdef extern from *:
    """
    #ifndef FREEAGENT_CLOCK
    #define FREEAGENT_CLOCK
    #include <time.h>
    static inline long long fc_monotonic_ns(void)
    {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000000000LL + now.tv_nsec;
    }
    static inline void fc_nap(long nanoseconds)
    {
        struct timespec nap = {0, nanoseconds};
        nanosleep(&nap, NULL);
    }
    #endif
    """
    int64_t monotonic_ns "fc_monotonic_ns"() nogil
    void nap "fc_nap"(long nanoseconds) nogil  # below a second
