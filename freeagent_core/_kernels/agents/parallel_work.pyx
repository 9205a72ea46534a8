"""Work on many independent items, done in chunks by any number of threads without the GIL.

A thread that comes to `help` takes the next chunk of a shared counter until there is none,
so threads that start late or run slowly take less, and one thread alone does all of it.
The caller works too; whoever starts the others (`freeagent_core._agent.threads`) need not wait for
them, only for the chunks that they have taken.

Which thread ran an item must not matter: an item reads and writes what is its own.

Measured (benchmarks/coordination.py; 30 agents of 27 us a tick, 2 cores): waking a thread
through the executor takes some 80 us, and two threads were 1.7 times one. So a thread that
finds no more chunks stays awake for LINGER_NS, for the next tick of the same work: 1.8 to 1.9
times. A native pool in csrc/ would have the same wake-up and the same remedy.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from freeagent_core._kernels.base.clock cimport monotonic_ns
from freeagent_core._kernels.base.interrupts cimport handle_interrupt, interrupted
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cdef extern from *:
    """
    #include <sched.h>
    /* Sequentially consistent: `help` enters and then looks at the counter, `finish` closes
     * the counter and then looks who has entered. */
    static inline Py_ssize_t fc_take(Py_ssize_t *counter, Py_ssize_t n)
    {
        return __atomic_fetch_add(counter, n, __ATOMIC_SEQ_CST);
    }
    static inline Py_ssize_t fc_load(Py_ssize_t *counter)
    {
        return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
    }
    static inline Py_ssize_t fc_exchange(Py_ssize_t *counter, Py_ssize_t value)
    {
        return __atomic_exchange_n(counter, value, __ATOMIC_SEQ_CST);
    }
    static inline void fc_store(Py_ssize_t *counter, Py_ssize_t value)
    {
        __atomic_store_n(counter, value, __ATOMIC_SEQ_CST);
    }
    /* Take one of the slots that are free, a bit each; -1 if none is. */
    static inline int fc_take_slot(unsigned long long *free_slots)
    {
        unsigned long long now = __atomic_load_n(free_slots, __ATOMIC_ACQUIRE);
        while (now) {
            if (__atomic_compare_exchange_n(free_slots, &now, now & (now - 1), 0,
                                            __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                return __builtin_ctzll(now);
        }
        return -1;
    }
    static inline void fc_free_slot(unsigned long long *free_slots, int slot)
    {
        __atomic_fetch_or(free_slots, 1ULL << slot, __ATOMIC_ACQ_REL);
    }
    static inline void fc_pause(int tries)
    {
        if (tries < 2000) sched_yield();
        else fc_nap(20000);
    }
    """
    Py_ssize_t fc_take(Py_ssize_t* counter, Py_ssize_t n) nogil
    Py_ssize_t fc_load(Py_ssize_t* counter) nogil
    Py_ssize_t fc_exchange(Py_ssize_t* counter, Py_ssize_t value) nogil
    void fc_store(Py_ssize_t* counter, Py_ssize_t value) nogil
    int fc_take_slot(unsigned long long* free_slots) nogil
    void fc_free_slot(unsigned long long* free_slots, int slot) nogil
    void fc_pause(int tries) nogil


# Slots are the bits of a word.
cdef Py_ssize_t MAX_SLOTS = 64
cdef int64_t LINGER_NS = 200_000
# What the counter of chunks holds between ticks: nothing to take.
cdef Py_ssize_t IDLE = <Py_ssize_t>1 << 60
# Of `run_until_interrupted`: a multiple of all blocks, whose agents are then those of one range.
cdef Py_ssize_t CHUNK = 64


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
    # Call before `arm`, while no chunk is at work; threads that linger know their slot alone.
    cdef int provide(self, Py_ssize_t num_slots, list models) except -1:
        cdef Py_ssize_t i
        cdef ThreadMemory memory
        if min(num_slots, MAX_SLOTS) <= self._num_slots and len(models) == len(self._models) and all(
                [a is b for a, b in zip(models, self._models)]):
            return 0
        num_slots = max(min(num_slots, MAX_SLOTS), self._num_slots)
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
        for i in range(max(self._num_slots, 1), num_slots):
            fc_free_slot(&self._free_slots, i)
        self._models, self._memories, self._num_slots = models, memories, num_slots
        return 0

    # A kernel: items [start, stop). Errors are noted per item by the subclass; an item that was
    # INTERRUPTED is noted by `note_interrupted` too, and `_run_interrupted` runs those again.
    cdef void _run(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works) noexcept nogil:
        pass

    cdef void _run_interrupted(self, Workspace** works) noexcept nogil:
        pass

    cdef void note_interrupted(self) noexcept nogil:
        fc_store(&self._unfinished, 1)

    # Call when all input is in place; threads that linger in `help` may begin at once.
    cdef void arm(self, Py_ssize_t size, Py_ssize_t chunk, int64_t deadline) noexcept:
        self._size = size
        self._chunk = chunk
        self._deadline = deadline
        self._unfinished = 0
        fc_store(&self._next, 0)

    @property
    def num_chunks(self):
        """Chunks of the work at hand."""
        return (self._size + self._chunk - 1) // self._chunk

    def expect_helpers(self, Py_ssize_t count, Py_ssize_t generation):
        """Return how many more calls of `help` there should be to have `count`; they count as
        soon as this returns. `generation` changes when all threads are gone, after a fork."""
        cdef Py_ssize_t missing
        cdef int i
        if generation != self._generation:
            self._generation = generation
            for i in range(1, self._num_slots):
                fc_free_slot(&self._free_slots, i)
            fc_store(&self._helpers, 0)
            fc_store(&self._inside, 0)
        missing = max(count - fc_load(&self._helpers), 0)
        fc_take(&self._helpers, missing)
        return missing

    # Take chunks until there is none, or until Ctrl-C; the caller's thread (slot 0) lets nobody
    # take a further one then: items [0, _reached) are executed, but those that were interrupted.
    cdef bint _work(self, Py_ssize_t slot) noexcept nogil:
        cdef Py_ssize_t start, stop
        while True:
            if slot == 0 and interrupted():
                self._reached = min(fc_exchange(&self._next, IDLE), self._size)
                return True
            start = fc_take(&self._next, self._chunk)
            if start >= self._size:
                break
            stop = min(start + self._chunk, self._size)
            if self._deadline == 0 or monotonic_ns() < self._deadline:
                self._run(start, stop, self._works[slot])
            if self._considerate:  # a thread that waits for a processor gets this one
                fc_pause(0)
        return False

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

    def help(self):
        """What a thread beside the caller's does; see `expect_helpers`."""
        cdef int64_t idle_since
        cdef int slot
        with nogil:
            slot = fc_take_slot(&self._free_slots)
            if slot >= 0:
                idle_since = monotonic_ns()
                while monotonic_ns() - idle_since < LINGER_NS:
                    if fc_load(&self._next) < IDLE:
                        fc_take(&self._inside, 1)
                        if fc_load(&self._next) < IDLE:
                            self._work(slot)
                        fc_take(&self._inside, -1)
                        idle_since = monotonic_ns()
                    fc_pause(0)
                fc_free_slot(&self._free_slots, slot)
            # here, not when the GIL is back: the next tick's caller may hold it
            fc_take(&self._helpers, -1)

    def finish(self):
        """Work, and wait for the threads that have taken chunks. When this returns or raises
        nobody looks at the work any more: it may be changed and armed again.

        On the main thread Ctrl-C raises between two chunks, or within an item whose kernels are
        long: the items before that are executed, but for those within, the others are as they
        were. Where its handler does not raise, the work goes on.
        """
        cdef int tries
        cdef bint stopped, seen
        while True:
            tries = 0
            with nogil:
                stopped = self._work(0)
                if not stopped:
                    self._reached = self._size
                    fc_store(&self._next, IDLE)
                seen = stopped
                while fc_load(&self._inside) > 0:
                    seen |= interrupted()  # for the kernels of those inside
                    fc_pause(tries)
                    tries += 1
            if not seen and not fc_load(&self._unfinished):
                return
            handle_interrupt()
            while fc_load(&self._unfinished):
                fc_store(&self._unfinished, 0)
                with nogil:
                    self._run_interrupted(self._works[0])
                if fc_load(&self._unfinished):
                    handle_interrupt()
            if not stopped:
                return
            fc_store(&self._next, self._reached)
