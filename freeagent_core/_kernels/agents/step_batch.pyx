"""A step of many `AgentCore`s, of one model or several: one crossing of Python for all.

Observations are read, and actions drawn, in the order given and with the GIL, so that the
draws from NumPy's global generator are those of stepping one after the other; the
inference between runs on any number of threads without it.
"""

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memcpy

from freeagent_core._kernels.agents.agent_core cimport AgentCore
from freeagent_core._kernels.base.status cimport raise_status
from freeagent_core._kernels.agents.agent_step cimport keep_beliefs, keep_policies, whole_step
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.agents.parallel_work cimport monotonic_ns
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace, Workspace


cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int nanosleep(const timespec* request, timespec* remaining)

# Of an item; else the status of its kernels.
cdef enum:
    NOT_RUN = 1
    NOT_READ = 2

# With `considerate`, the GIL is given away for a moment after as many agents.
cdef Py_ssize_t AGENTS_PER_YIELD = 100


cdef void _let_others_run() noexcept nogil:
    cdef timespec nap
    nap.tv_sec, nap.tv_nsec = 0, 1000
    nanosleep(&nap, NULL)


cdef int _by_address(const void* a, const void* b) noexcept nogil:
    cdef size_t first = <size_t>(<void**>a)[0], second = <size_t>(<void**>b)[0]
    return (first > second) - (first < second)


cdef class StepBatch(ParallelWork):
    """Steps of agents: `load`, then `finish`, then `results`, over and over.

    Attributes
    ----------
    errors : list
        An exception per agent whose observation could not be read, or whose step failed.
    """

    def __cinit__(self):
        self._cores, self.errors = [], []
        self._items = NULL
        self._memory_block = NULL

    def __dealloc__(self):
        free(self._items)
        free(self._memory_block)

    def load(self, list cores, list observations, timeout, Py_ssize_t chunk,
             Py_ssize_t num_threads, bint considerate):
        """Lock the agents and read what they observe.

        Parameters
        ----------
        cores : list of AgentCore
            Distinct, of VANILLA or sophisticated inference. They are locked, in an order that
            all batches share, until `results`.
        observations : list
            One for each, as `AgentCore.step` takes it.
        timeout : float or None
            Seconds from now after which no agent is begun.
        chunk : int
            Agents that a thread takes at once.
        num_threads : int
        considerate : bool
            Give the GIL, and the processor, away now and then, for threads that must not wait.
        """
        cdef Py_ssize_t i, count = len(cores)
        cdef int64_t deadline = 0
        if self._cores or len(observations) != count or count == 0:
            raise ValueError("a StepBatch needs agents and as many observations")
        if timeout is not None:
            deadline = max(monotonic_ns() + <int64_t>(min(timeout, 1e9) * 1e9), 1)
        self.errors = [None] * count
        for core in cores:
            if not isinstance(core, AgentCore):
                raise TypeError("cores must be AgentCores")
        self._lock_all(cores, considerate)
        try:
            self.provide(num_threads, self._frame_at(), 0)
            for i in range(count):
                try:
                    self._read(i, observations[i])
                except Exception as error:
                    self.errors[i] = error
                    self._items[i].status = NOT_READ
                if considerate and i % AGENTS_PER_YIELD == AGENTS_PER_YIELD - 1:
                    with nogil:
                        _let_others_run()
        except BaseException:
            self._unlock_all()
            raise
        self._considerate = considerate
        self.arm(count, chunk, deadline)

    # In the order of their addresses, which all batches share. Sorted without the GIL: by
    # Python, 10,000 agents would hold it for more than a millisecond.
    cdef int _lock_all(self, list cores, bint considerate) except -1:
        cdef Py_ssize_t i, count = len(cores)
        cdef PyObject** order = <PyObject**>malloc(count * sizeof(void*))
        if order == NULL:
            raise MemoryError("no memory for a batch of agents")
        for i in range(count):
            order[i] = <PyObject*>cores[i]
        with nogil:
            qsort(order, count, sizeof(void*), _by_address)
        i = 0
        try:
            while i < count:
                (<AgentCore>order[i])._lock.take()
                i += 1
                if considerate and i % AGENTS_PER_YIELD == 0:
                    with nogil:
                        _let_others_run()
        except BaseException:  # held when this process was forked, or Ctrl-C meanwhile
            while i > 0:
                i -= 1
                (<AgentCore>order[i])._lock.give()
            raise
        finally:
            free(order)
        self._cores = cores
        return 0

    def _unlock_all(self):
        cdef AgentCore core
        cores, self._cores = self._cores, []
        for core in cores:
            core._lock.give()

    # What each agent reads and what is drawn from, in one block.
    # Return the models.
    cdef list _frame_at(self):
        cdef Py_ssize_t i, size = 0
        cdef dict index = {}
        cdef AgentCore core
        cdef PackedModel shared
        cdef const Model* model
        cdef char* here
        free(self._items)
        free(self._memory_block)
        self._memory_block = NULL
        self._items = <Item*>calloc(len(self._cores), sizeof(Item))
        for core in self._cores:
            model = &core.packed.model
            size += 8 * (model.num_modalities + model.num_obs_total + model.num_factors
                         + (model.tree.num_policies if core.state.full
                            else model.num_controls_total))
        self._memory_block = malloc(size + 8)
        if self._items == NULL or self._memory_block == NULL:
            raise MemoryError("no memory for a batch of agents")
        here = <char*>self._memory_block
        for i in range(len(self._cores)):
            core = self._cores[i]
            shared = core.packed if core.learned is None else core.learned.shared
            index.setdefault(shared, len(index))
            model = &core.packed.model
            self._items[i].agent = &core.state
            self._items[i].status = NOT_RUN
            self._items[i].model = index[shared]
            self._items[i].observation = <Py_ssize_t*>here
            here += 8 * model.num_modalities
            self._items[i].distributions = <double*>here
            here += 8 * model.num_obs_total
            self._items[i].action = <Py_ssize_t*>here
            here += 8 * model.num_factors
            self._items[i].choice = <double*>here
            here += 8 * (model.tree.num_policies if core.state.full
                         else model.num_controls_total)
        return list(index)

    cdef int _read(self, Py_ssize_t i, observation) except -1:
        cdef AgentCore core = self._cores[i]
        cdef Item* item = &self._items[i]
        cdef const Model* model = &core.packed.model
        cdef OwnedWorkspace workspace = core.packed.acquire_workspace()
        cdef int read
        try:
            read = core._read_step(workspace, observation, False)
            item.vectors, item.has_action = read & 1, (read & 2) != 0
            if item.vectors:
                memcpy(item.distributions, workspace.work.distributions[0],
                       model.num_obs_total * sizeof(double))
            else:
                memcpy(item.observation, workspace.work.observation,
                       model.num_modalities * sizeof(Py_ssize_t))
            memcpy(item.action, workspace.work.action, model.num_factors * sizeof(Py_ssize_t))
        finally:
            core.packed.release_workspace(workspace)
        return 0

    cdef void _run(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works,
                   double* extra) noexcept nogil:
        cdef Py_ssize_t i
        cdef int64_t begin = monotonic_ns(), end
        for i in range(start, stop):
            if self._items[i].status == NOT_RUN:
                _step(&self._items[i], works[self._items[i].model])
            end = monotonic_ns()
            self._items[i].duration_ns = end - begin
            begin = end

    def results(self, bint considerate):
        """Draw the actions and release the agents.

        Returns
        -------
        actions : list
            An action per agent; None where it failed or was not begun.
        durations : list of float
            Seconds of inference.
        """
        cdef Py_ssize_t i
        cdef AgentCore core
        cdef Item* item
        cdef list actions = [None] * len(self._cores), durations = [0.0] * len(self._cores)
        try:
            for i in range(len(self._cores)):
                item = &self._items[i]
                durations[i] = item.duration_ns * 1e-9
                if item.status < 0:
                    try:
                        raise_status(item.status, "a belief or q_pi")
                    except Exception as error:
                        self.errors[i] = error
                if item.status == 0:
                    core = self._cores[i]
                    core._qs_object = core._q_pi_object = core._G_object = None
                    core._has_policies = True
                    core._action_object = core._draw_action(item.choice)
                    actions[i] = core._action_object
                if considerate and i % AGENTS_PER_YIELD == AGENTS_PER_YIELD - 1:
                    with nogil:
                        _let_others_run()
            return actions, durations
        finally:
            self._unlock_all()


# As AgentCore.step, up to the draw.
cdef void _step(Item* item, Workspace* work) noexcept nogil:
    cdef AgentState* agent = item.agent
    cdef const Model* model = agent.model
    cdef const double* choice = NULL
    if item.vectors:
        memcpy(<double*>work.distributions[0], item.distributions,
               model.num_obs_total * sizeof(double))
    memcpy(work.action, item.action, model.num_factors * sizeof(Py_ssize_t))
    item.status = whole_step(agent, item.observation, item.vectors, item.has_action, &choice, work)
    if item.status != 0:
        return
    memcpy(item.choice, choice, (model.tree.num_policies if agent.full
                                 else model.num_controls_total) * sizeof(double))
    keep_beliefs(agent, work)
    keep_policies(agent, agent.qs, work)
