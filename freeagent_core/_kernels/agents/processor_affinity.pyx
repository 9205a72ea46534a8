"""On which processors a thread that is woken may run.

Linux wakes a thread on the processor of the thread that wakes it where it believes that the two work
in turn; after a pause of some milliseconds a helper then waits for the processor on which its caller
works. So the caller leaves its own processor out of the helper's mask for the wake-up, and the
helper, once it runs, has its mask back. Elsewhere than on Linux nothing is done.

Measured: `freeagent_core._agent.threads`.
"""

cimport cython


@cython.final
cdef class ProcessorMask:
    """On which processors one thread may run.

    Parameters
    ----------
    thread : int
        From `threading.get_native_id`; it must not have ended when this is used.
    """

    def __init__(self, int thread):
        self._thread = thread

    cpdef bint leave_processor(self) noexcept nogil:
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

    cpdef void restore(self) noexcept nogil:
        """Give the thread its mask back, unless somebody has set another one since."""
        if self._is_narrowed:
            fc_restore_processors(self._thread, &self._before, &self._after)
            self._is_narrowed = False
