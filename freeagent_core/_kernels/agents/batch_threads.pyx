"""A kernel on a batch of agents, on the caller's thread or several."""

from libc.stdint cimport int64_t

from freeagent_core._kernels.agents.parallel_work cimport ParallelWork
from freeagent_core._kernels.base.atomics cimport store
from freeagent_core._kernels.base.clock cimport monotonic_ns
from freeagent_core._kernels.base.interrupts cimport handle_interrupt, LOOK_NS
from freeagent_core._kernels.base.status cimport INTERRUPTED
from freeagent_core._kernels.model.workspace cimport Workspace


cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1


# Agents of unknown cost that are done before Ctrl-C is looked for.
cdef Py_ssize_t FIRST_PART = 8


cdef class KernelWork(ParallelWork):
    """One batch after the other, in the memory of all threads."""

    cdef batch_kernel kernel
    cdef void* job
    # What any thread has met; an error counts, however many others were interrupted.
    cdef Py_ssize_t error, was_interrupted
    cdef bint busy

    cdef void _run(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works) noexcept nogil:
        cdef int status = self.kernel(self.job, start, stop)
        if status == INTERRUPTED:
            store(&self.was_interrupted, 1)
            self.note_interrupted()
        elif status != 0:
            store(&self.error, status)

    cdef int status(self) noexcept:
        if self.error != 0:
            return <int>self.error
        return INTERRUPTED if self.was_interrupted else 0


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
#
# Ctrl-C on the main thread ends the batch, and whatever it has written is of no use then: between
# agents, or within one where the kernel is interruptible, i.e. returns INTERRUPTED.
cdef int run_batch(batch_kernel kernel, void* job, Py_ssize_t batch_size,
                   double* agent_ns, bint is_interruptible=False) except -1:
    cdef int status = INTERRUPTED
    cdef double expected = agent_ns[0] * batch_size
    while status == INTERRUPTED:
        if batch_size > 1 and not (
                expected < _min_parallel_ns or _num_threads == 1 or _work.busy):
            status = _run_in_threads(kernel, job, batch_size, agent_ns, expected)
        else:
            status = _run_alone(kernel, job, batch_size, agent_ns, is_interruptible)
    if status != 0:
        raise MemoryError("no memory for a batch")
    return 0


# On this thread. A kernel that does not look for Ctrl-C gets as many agents at once as take some
# 20 ms.
cdef int _run_alone(batch_kernel kernel, void* job, Py_ssize_t batch_size, double* agent_ns,
                    bint is_interruptible) except? INTERRUPTED:
    cdef int status
    cdef Py_ssize_t start = 0, stop
    cdef int64_t begin = monotonic_ns()
    while True:
        stop = batch_size
        if not is_interruptible and batch_size > 1:
            stop = start + (max(<Py_ssize_t>(LOOK_NS / agent_ns[0]), 1) if agent_ns[0] > 0.0
                            else FIRST_PART)
            stop = min(stop, batch_size)
        with nogil:
            status = kernel(job, start, stop)
        if status == INTERRUPTED:
            handle_interrupt()
        if status != 0:
            return status
        if batch_size > 1:
            agent_ns[0] = (monotonic_ns() - begin) / <double>stop
        if stop == batch_size:
            return 0
        PyErr_CheckSignals()
        start = stop


cdef int _run_in_threads(batch_kernel kernel, void* job, Py_ssize_t batch_size,
                         double* agent_ns, double expected) except? INTERRUPTED:
    _work.busy = True
    try:
        _work.provide(_num_threads, [])
        _work.kernel, _work.job = kernel, job
        _work.error = _work.was_interrupted = 0
        _work.arm(batch_size, max(batch_size // (4 * _num_threads), 1), 0)
        _finish(_work, _num_threads, expected)
        agent_ns[0] = _work._busy_ns / <double>batch_size
        return _work.status()
    finally:
        _work.busy = False
