"""On which processors a thread that is woken may run.

Linux wakes a thread on the processor of the thread that wakes it where it believes that the two work
in turn; after a pause of some milliseconds a helper then waits for the processor on which its caller
works. So the caller leaves its own processor out of the helper's mask for the wake-up, and the
helper, once it runs, has its mask back. Elsewhere than on Linux nothing is done.

Measured: `freeagent_core._agent.threads`.
"""

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
    """On which processors one thread may run.

    Parameters
    ----------
    thread : int
        From `threading.get_native_id`; it must not have ended when this is used.
    """

    cdef int _thread
    cdef bint _is_narrowed
    cdef fc_processors _before
    cdef fc_processors _after

    def __init__(self, int thread):
        self._thread = thread

    def leave_processor(self):
        """Leave the calling thread's processor out of the mask, until `restore`.

        Returns
        -------
        is_narrowed : bool
            False if the mask is as it was: no other processor is in it, this one is not in it, the
            thread is gone, or this is not Linux.
        """
        if not self._is_narrowed:
            self._is_narrowed = fc_leave_processor(self._thread, &self._before, &self._after) == 0
        return self._is_narrowed

    def restore(self):
        """Give the thread its mask back, unless somebody has set another one since."""
        if self._is_narrowed:
            fc_restore_processors(self._thread, &self._before, &self._after)
            self._is_narrowed = False
