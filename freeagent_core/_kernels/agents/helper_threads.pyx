"""Threads that help callers with their work, and never need the GIL for it.

A caller opens an offer of its work, wakes helpers, works itself, and closes the offer, after which
it waits for the helpers that are inside and for nobody else: a helper that comes late or not at all
costs nothing. Offers stand in static memory, so that helpers hold no reference to anybody's work.

A helper without work looks for offers for LINGER_NS, then it rests until it is called.

Measured (benchmarks/coordination.py, 2 processors): a thread that rests begins some 50 to 80 us
after the call, so two threads were 1.7 times one for ticks of 400 us; with helpers that linger 1.8 to
1.9. When the helper needed the GIL between the call and its work, a caller in a loop of calls of 70 us
had it back each time before the helper woke: the first 10 to 15 calls after a pause were on one
thread, and all of them while OpenBLAS's threads waited for work of their own.
"""

from libc.stdint cimport int64_t

from cpython.pythread cimport (
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_release_lock,
    PyThread_type_lock,
    WAIT_LOCK,
)

from freeagent_core._kernels.agents.processor_affinity cimport ProcessorMask
from freeagent_core._kernels.base.atomics cimport exchange, fetch_add, load, store
from freeagent_core._kernels.base.clock cimport monotonic_ns

import threading


cdef extern from "<sched.h>" nogil:
    int sched_yield()


cdef enum:
    MAX_OFFERS = 64
    AWAKE = 0
    RESTING = 1

cdef int64_t LINGER_NS = 200_000

cdef Offer _offers[MAX_OFFERS]
cdef Py_ssize_t _num_lingering = 0  # helpers that look for offers


# Offer work to `room` helpers; NULL if too many callers have offers now.
cdef Offer* open_offer(void* work, help_function help, Py_ssize_t room) noexcept nogil:
    cdef Py_ssize_t i
    cdef Offer* offer
    for i in range(MAX_OFFERS):
        offer = &_offers[i]
        if load(&offer.is_taken) == 0 and exchange(&offer.is_taken, 1) == 0:
            offer.work, offer.help = work, help
            store(&offer.room, room)
            store(&offer.is_open, 1)
            return offer
    return NULL


# Close it. Nobody looks at the work when this returns.
cdef void close_offer(Offer* offer) noexcept nogil:
    store(&offer.is_open, 0)
    while num_inside(offer) > 0:
        sched_yield()
    store(&offer.is_taken, 0)


cdef Py_ssize_t num_inside(Offer* offer) noexcept nogil:
    return load(&offer.num_inside)


cdef bint _has_room(Offer* offer) noexcept nogil:
    return load(&offer.is_open) and load(&offer.room) > 0


cdef bint _is_any_open() noexcept nogil:
    cdef Py_ssize_t i
    for i in range(MAX_OFFERS):
        if _has_room(&_offers[i]):
            return True
    return False


# Enter each offer that has room, and return whether there was one. Entered first, then looked at:
# an offer that is closed meanwhile waits.
cdef bint _help() noexcept nogil:
    cdef Py_ssize_t i, slot
    cdef Offer* offer
    cdef bint found = False
    for i in range(MAX_OFFERS):
        offer = &_offers[i]
        if not _has_room(offer):
            continue
        fetch_add(&offer.num_inside, 1)
        if load(&offer.is_open):
            slot = fetch_add(&offer.room, -1)
            if slot > 0:
                fetch_add(&_num_lingering, -1)
                offer.help(offer.work, slot)
                fetch_add(&_num_lingering, 1)
                found = True
        fetch_add(&offer.num_inside, -1)
    return found


cdef class Helper:
    """A thread that helps, once it calls `serve`."""

    cdef Py_ssize_t _state
    cdef PyThread_type_lock _bell  # held but for the moment between a call and the awakening
    cdef ProcessorMask _mask

    def __cinit__(self):
        self._state = AWAKE
        self._bell = PyThread_allocate_lock()
        if self._bell == NULL:
            raise MemoryError("no memory for a thread")
        PyThread_acquire_lock(self._bell, WAIT_LOCK)

    def __dealloc__(self):
        if self._bell != NULL:
            PyThread_free_lock(self._bell)

    def serve(self):
        """Help whoever offers work, for ever."""
        self._mask = ProcessorMask(threading.get_native_id())
        with nogil:
            fetch_add(&_num_lingering, 1)
            while True:
                self._linger()
                fetch_add(&_num_lingering, -1)
                store(&self._state, RESTING)
                # whoever opened an offer before that may have counted on this one
                if not (_is_any_open() and exchange(&self._state, AWAKE) == RESTING):
                    PyThread_acquire_lock(self._bell, WAIT_LOCK)
                    self._mask.restore()
                fetch_add(&_num_lingering, 1)

    cdef void _linger(self) noexcept nogil:
        cdef int64_t idle_since = monotonic_ns()
        while monotonic_ns() - idle_since < LINGER_NS:
            if _help():
                idle_since = monotonic_ns()
            sched_yield()

    # Wake it, on another processor than the caller's if it may; False if it does not rest.
    cdef bint call(self) noexcept nogil:
        if load(&self._state) != RESTING or exchange(&self._state, AWAKE) != RESTING:
            return False
        self._mask.leave_processor()
        PyThread_release_lock(self._bell)
        return True


def call_helpers(list helpers, Py_ssize_t count):
    """Have `count` helpers awake, if there are as many that linger or rest.

    Parameters
    ----------
    helpers : list of Helper
        All of the process.
    count : int

    Returns
    -------
    missing : int
        How many of `count` are not: the others are at work for somebody, or there are none.
    """
    cdef Helper helper
    count -= load(&_num_lingering)
    for helper in helpers:
        if count <= 0:
            break
        count -= helper.call()
    return max(count, 0)


def num_lingering():
    """Return how many helpers look for offers."""
    return count_lingering()


cdef Py_ssize_t count_lingering() noexcept nogil:
    return load(&_num_lingering)


def forget_offers():
    """Call in a child process: of a fork's parent neither callers nor helpers are there."""
    cdef Py_ssize_t i
    store(&_num_lingering, 0)
    for i in range(MAX_OFFERS):
        store(&_offers[i].is_open, 0)
        store(&_offers[i].num_inside, 0)
        store(&_offers[i].is_taken, 0)
