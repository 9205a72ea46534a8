"""Work on many independent items, done in chunks by any number of threads without the GIL.

A thread takes the next chunk of a shared counter until there is none, so threads that start late or
run slowly take less, and one thread alone does all of it. The caller works too; the helpers
(`helper_threads`) are waited for only while they are at chunks that they have taken.

Which thread ran an item must not matter: an item reads and writes what is its own.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from freeagent_core._kernels.agents.helper_threads cimport close_offer, num_inside, open_offer
from freeagent_core._kernels.base.atomics cimport exchange, fetch_add, load, store
from freeagent_core._kernels.base.clock cimport monotonic_ns, nap
from freeagent_core._kernels.base.interrupts cimport handle_interrupt, interrupted
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cdef extern from "<sched.h>" nogil:
    int sched_yield()


# What the counter of chunks holds between ticks: nothing to take.
cdef Py_ssize_t IDLE = <Py_ssize_t>1 << 60
# A thread takes this much work at once, from the shared counter: a chunk costs 0.05 us, and
# the last one of a tick is waited for (30,000 left 10 % of 30 agents' tick of 100 us idle).
cdef double CHUNK_NS = 8_000.0
# How a caller waits for helpers: it yields so often, then it sleeps for so long each time.
cdef int YIELDS = 2000
cdef long NAP_NS = 20_000
# Of `run_until_interrupted`: a multiple of all blocks, whose agents are then those of one range.
cdef Py_ssize_t CHUNK = 64


cpdef Py_ssize_t chunk_size(Py_ssize_t num_items, Py_ssize_t num_threads,
                            double item_ns) noexcept:
    """Return how many items of a measured cost a thread should take at once."""
    cdef Py_ssize_t chunk = num_items // (4 * num_threads)
    if item_ns * chunk > CHUNK_NS:
        chunk = <Py_ssize_t>(CHUNK_NS / item_ns)
    return max(chunk, 1)


cdef class ThreadMemory:
    """Workspace of one thread for each of some models."""

    def __cinit__(self, list models):
        cdef Py_ssize_t i
        self._models, self._workspaces = models, []
        self.works = <Workspace**>malloc((len(models) + 1) * sizeof(Workspace*))
        if self.works == NULL:
            raise MemoryError("no memory for a thread")
        for i in range(len(models)):
            workspace = (<PackedModel?>models[i]).acquire_workspace()
            self._workspaces.append(workspace)
            self.works[i] = &(<OwnedWorkspace>workspace).work

    def __dealloc__(self):
        free(self.works)

    def give_back(self):
        """Return the workspace to its models."""
        for model, workspace in zip(self._models, self._workspaces):
            (<PackedModel>model).release_workspace(<OwnedWorkspace>workspace)
        self._workspaces = []


cdef class ParallelWork:
    """Base of work in chunks: a subclass says what one chunk is."""

    def __cinit__(self):
        self._next = IDLE
        self._models, self._memories = [], []
        self._works = NULL

    def __dealloc__(self):
        free(self._works)

    # Have memory for so many threads to run kernels on these models; slot 0 is the caller's.
    # Call before `arm`, while no chunk is at work.
    cdef int provide(self, Py_ssize_t num_slots, list models) except -1:
        cdef Py_ssize_t i
        cdef ThreadMemory memory
        if num_slots <= self._num_slots and len(models) == len(self._models) and all(
                [a is b for a, b in zip(models, self._models)]):
            return 0
        num_slots = max(num_slots, self._num_slots)
        memories = [ThreadMemory(models) for _ in range(num_slots)]
        works = <Workspace***>malloc(num_slots * sizeof(void*))
        if works == NULL:
            raise MemoryError("no memory for the threads")
        for i in range(num_slots):
            memory = memories[i]
            works[i] = memory.works
        for before in self._memories:
            before.give_back()
        free(self._works)
        self._works = works
        self._models, self._memories, self._num_slots = models, memories, num_slots
        return 0

    # A kernel: items [start, stop). Errors are noted per item by the subclass; an item that was
    # INTERRUPTED is noted by `note_interrupted` too, and `_run_interrupted` runs those again.
    cdef void _run(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works) noexcept nogil:
        pass

    cdef void _run_interrupted(self, Workspace** works) noexcept nogil:
        pass

    cdef void note_interrupted(self) noexcept nogil:
        store(&self._unfinished, 1)

    # Call when all input is in place.
    cdef void arm(self, Py_ssize_t size, Py_ssize_t chunk, int64_t deadline) noexcept:
        self._size = size
        self._chunk = chunk
        self._deadline = deadline
        self._unfinished = 0
        self._busy_ns = 0
        store(&self._next, 0)

    @property
    def num_chunks(self):
        """Chunks of the work at hand."""
        return (self._size + self._chunk - 1) // self._chunk

    @property
    def busy_ns(self):
        """Time of all threads at the last work, in nanoseconds."""
        return self._busy_ns

    cpdef offer(self, Py_ssize_t count):
        """Let at most `count` helpers work on what is armed, until `finish` returns or raises."""
        count = min(count, self._num_slots - 1)
        if count > 0 and self._offer == NULL:
            self._offer = open_offer(<void*>self, _work_of, count)

    # Take chunks until there is none, or until Ctrl-C; the caller's thread (slot 0) lets nobody
    # take a further one then: items [0, _reached) are executed, but those that were interrupted.
    cdef bint _work(self, Py_ssize_t slot) noexcept nogil:
        cdef Py_ssize_t start, stop
        cdef int64_t begin = monotonic_ns()
        cdef bint stopped = False
        while True:
            if slot == 0 and interrupted():
                self._reached = min(exchange(&self._next, IDLE), self._size)
                stopped = True
                break
            start = fetch_add(&self._next, self._chunk)
            if start >= self._size:
                break
            stop = min(start + self._chunk, self._size)
            if self._deadline == 0 or monotonic_ns() < self._deadline:
                self._run(start, stop, self._works[slot])
            if self._considerate:  # a thread that waits for a processor gets this one
                sched_yield()
        fetch_add(&self._busy_ns, monotonic_ns() - begin)
        return stopped

    # `_work` for a caller without `arm`, in chunks that are short enough to look for Ctrl-C between
    # them: items [start, stop), or those up to the one returned. One chunk looks for nothing.
    cdef Py_ssize_t run_until_interrupted(self, Py_ssize_t start, Py_ssize_t stop,
                                          Workspace** works) noexcept nogil:
        cdef Py_ssize_t i
        while start < stop and not (start > 0 and interrupted()):
            i = min(start + CHUNK, stop)
            self._run(start, i, works)
            start = i
        return start

    cpdef finish(self):
        """Work, and wait for the helpers that have taken chunks. When this returns or raises
        nobody looks at the work any more: it may be changed and armed again.

        On the main thread Ctrl-C raises between two chunks, or within an item whose kernels are
        long: the items before that are executed, but for those within, the others are as they
        were. Where its handler does not raise, the work goes on.
        """
        try:
            while not self._work_until_interrupted():
                pass
        finally:
            if self._offer != NULL:
                close_offer(self._offer)
                self._offer = NULL

    # Return whether all is done; an exception of a signal's handler leaves.
    cdef bint _work_until_interrupted(self) except -1:
        cdef int tries = 0
        cdef bint stopped, seen
        with nogil:
            stopped = self._work(0)
            if not stopped:
                self._reached = self._size
                store(&self._next, IDLE)
            seen = stopped
            while self._offer != NULL and num_inside(self._offer) > 0:
                seen |= interrupted()  # for the kernels of those inside
                if tries < YIELDS:
                    sched_yield()
                else:
                    nap(NAP_NS)
                tries += 1
        if not seen and not load(&self._unfinished):
            return True
        handle_interrupt()
        while load(&self._unfinished):
            store(&self._unfinished, 0)
            with nogil:
                self._run_interrupted(self._works[0])
            if load(&self._unfinished):
                handle_interrupt()
        if stopped:
            store(&self._next, self._reached)
        return not stopped


# A helper's part.
cdef void _work_of(void* work, Py_ssize_t slot) noexcept nogil:
    (<ParallelWork>work)._work(slot)
