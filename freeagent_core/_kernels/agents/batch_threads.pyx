"""A kernel on a batch of agents, on the caller's thread or several."""

from freeagent_core._kernels.agents.parallel_work cimport ParallelWork
from freeagent_core._kernels.base.clock cimport monotonic_ns
from freeagent_core._kernels.model.workspace cimport Workspace


cdef class KernelWork(ParallelWork):
    """One batch after the other; the threads that linger from the last one serve the next."""

    cdef batch_kernel kernel
    cdef void* job
    cdef int status
    cdef bint busy

    cdef void _run(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works) noexcept nogil:
        if self.kernel(self.job, start, stop) != 0:
            self.status = -1


cdef KernelWork _work = KernelWork()
cdef Py_ssize_t _num_threads = 1
cdef double _min_parallel_ns = 0.0
cdef object _finish = None


def set_threads(Py_ssize_t num_threads, finish, double min_parallel_ns):
    """Use so many threads, the caller's included, for work of at least so many nanoseconds;
    `finish` is `freeagent_core._agent.threads`'s."""
    global _num_threads, _finish, _min_parallel_ns
    _num_threads, _finish, _min_parallel_ns = num_threads, finish, min_parallel_ns


# Run the kernel on all agents. `agent_ns` holds what an agent cost last time, or 0.
# A caller that finds the threads at work for another does its batch alone.
cdef int run_batch(batch_kernel kernel, void* job, Py_ssize_t batch_size,
                   double* agent_ns) except -1:
    cdef int status
    cdef double expected = agent_ns[0] * batch_size
    if batch_size == 1:
        with nogil:
            status = kernel(job, 0, 1)
    elif expected < _min_parallel_ns or _num_threads == 1 or _work.busy:
        begin = monotonic_ns()
        with nogil:
            status = kernel(job, 0, batch_size)
        agent_ns[0] = (monotonic_ns() - begin) / <double>batch_size
    else:
        _work.busy = True
        try:
            _work.provide(_num_threads, [])
            _work.kernel, _work.job, _work.status = kernel, job, 0
            _work.arm(batch_size, max(batch_size // (4 * _num_threads), 1), 0)
            _finish(_work, _num_threads, expected)
            status = _work.status
            agent_ns[0] = _work._busy_ns / <double>batch_size
        finally:
            _work.busy = False
    if status != 0:
        raise MemoryError("no memory for a batch")
    return 0
