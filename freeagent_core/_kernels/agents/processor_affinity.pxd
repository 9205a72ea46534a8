cdef extern from *:
    """
    #ifdef __linux__
    #include <sched.h>
    #include <string.h>
    typedef cpu_set_t fc_processors;
    /* Leave the caller's processor out of a thread's mask; 0 if that was done. */
    static int fc_leave_processor(int thread, fc_processors *before, fc_processors *after)
    {
        int here = sched_getcpu();
        if (here < 0 || here >= CPU_SETSIZE) return -1;
        if (sched_getaffinity(thread, sizeof(*before), before) != 0) return -1;
        *after = *before;
        CPU_CLR(here, after);
        if (CPU_EQUAL(after, before) || CPU_COUNT(after) == 0) return -1;
        return sched_setaffinity(thread, sizeof(*after), after);
    }
    /* Give a thread its mask back, unless somebody has set another one since. */
    static int fc_restore_processors(int thread, const fc_processors *before,
                                     const fc_processors *after)
    {
        fc_processors now;
        if (sched_getaffinity(thread, sizeof(now), &now) != 0) return -1;
        if (!CPU_EQUAL(&now, after)) return 0;
        return sched_setaffinity(thread, sizeof(*before), before);
    }
    #else
    typedef int fc_processors;
    static int fc_leave_processor(int thread, fc_processors *before, fc_processors *after)
    {
        return -1;
    }
    static int fc_restore_processors(int thread, const fc_processors *before,
                                     const fc_processors *after)
    {
        return 0;
    }
    #endif
    """
    ctypedef struct fc_processors:
        pass
    int fc_leave_processor(int thread, fc_processors* before, fc_processors* after) nogil
    int fc_restore_processors(int thread, const fc_processors* before,
                              const fc_processors* after) nogil


cdef class ProcessorMask:
    cdef int _thread
    cdef bint _is_narrowed
    cdef fc_processors _before, _after
    cpdef bint leave_processor(self) noexcept nogil
    cpdef void restore(self) noexcept nogil
