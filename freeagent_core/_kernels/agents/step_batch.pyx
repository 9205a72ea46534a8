"""A step of many `AgentCore`s, of one model or several: one crossing of Python for all.

Observations are read, and actions drawn, in the order given and with the GIL, so that the
draws from NumPy's global generator are those of stepping one after the other; the
inference between runs on any number of threads without it.
"""

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memcpy

from freeagent_core._kernels.action.numpy_generator cimport end_draws, numpy_source
from freeagent_core._kernels.agents.agent_core cimport AgentCore
from freeagent_core._kernels.agents.agent_history cimport Histories
from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION, AgentState,
)
from freeagent_core._kernels.agents.agent_step cimport draw_action, infer, keep
from freeagent_core._kernels.base.clock cimport monotonic_ns, nap
from freeagent_core._kernels.base.status cimport INTERRUPTED, raise_status
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.python_input cimport read_observation
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Model
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace, Workspace


# Of an item; else the status of its kernels.
cdef enum:
    NOT_RUN = 1
    NOT_READ = 2

# With `considerate`, the GIL is given away for a moment after as many agents.
cdef Py_ssize_t YIELD_EVERY = 100


cdef void _let_others_run() noexcept nogil:
    nap(1000)


cdef int _by_address(const void* a, const void* b) noexcept nogil:
    cdef size_t first = <size_t>(<void**>a)[0], second = <size_t>(<void**>b)[0]
    return (first > second) - (first < second)


cdef class StepBatch(ParallelWork):
    """Steps of agents: `load`, then `finish`, then `results`, over and over.

    Attributes
    ----------
    errors : list
        An exception per agent whose observation could not be read, or whose step failed.
    interruption : BaseException or None
        What a signal's handler raised during `results`, which goes on.
    """

    def __cinit__(self):
        self.errors = []
        self._items = NULL
        self._order = NULL
        self._memory_block = NULL

    def __dealloc__(self):
        free(self._items)
        free(self._order)
        free(self._memory_block)

    def load(self, list cores, list observations, timeout, Py_ssize_t chunk,
             Py_ssize_t num_threads, bint considerate):
        """Read what the agents observe, and lock them.

        Parameters
        ----------
        cores : list of AgentCore
            Distinct, without histories of beliefs and message passing, whose results are
            objects. They are locked, in an order that all batches share, until `results`.
        observations : list
            One for each, as `AgentCore.step` takes it.
        timeout : float or None
            Seconds from now after which no agent is begun.
        chunk : int
            Agents that a thread claims at once.
        num_threads : int
        considerate : bool
            Give the GIL, and the processor, away now and then, for threads that must not wait.
        """
        cdef Py_ssize_t i, count = len(cores)
        cdef int64_t deadline = 0
        if self._num_locked or len(observations) != count or count == 0:
            raise ValueError("a StepBatch needs agents and as many observations")
        if timeout is not None:
            deadline = max(monotonic_ns() + <int64_t>(min(timeout, 1e9) * 1e9), 1)
        self.errors, self.interruption = [None] * count, None
        self._chosen, self._actions = [None] * count, [None] * count
        self._durations = [0.0] * count
        for core in cores:
            if not isinstance(core, AgentCore):
                raise TypeError("cores must be AgentCores")
        self.provide(num_threads, self._frame_at(cores))
        for i in range(count):  # before the agents are locked: it may run code of callers
            try:
                self._read(i, cores[i], observations[i])
            except Exception as error:
                self._refuse(i, error)
            if considerate and i % YIELD_EVERY == YIELD_EVERY - 1:
                with nogil:
                    _let_others_run()
        self._lock_all(cores, considerate)
        try:
            for i in range(count):
                if self._items[i].status == NOT_RUN:
                    try:
                        self._load(i)
                    except Exception as error:
                        self._refuse(i, error)
                if considerate and i % YIELD_EVERY == YIELD_EVERY - 1:
                    with nogil:
                        _let_others_run()
        except BaseException:
            for i in range(count):
                self._take_back(i)
            self._unlock_all()
            raise
        self._considerate = considerate
        self.arm(count, chunk, deadline)

    # In the order of their addresses, which all batches share. Sorted without the GIL: by
    # Python, 10,000 agents would hold it for more than a millisecond.
    cdef int _lock_all(self, list cores, bint considerate) except -1:
        cdef Py_ssize_t i, count = len(cores)
        free(self._order)
        self._order = <PyObject**>malloc(count * sizeof(void*))
        if self._order == NULL:
            raise MemoryError("no memory for a batch of agents")
        self._cores = cores
        for i in range(count):
            self._order[i] = <PyObject*>cores[i]
        with nogil:
            qsort(self._order, count, sizeof(void*), _by_address)
        try:
            for i in range(count):
                (<AgentCore>self._order[i]).lock.acquire()
                self._num_locked += 1
                if considerate and i % YIELD_EVERY == YIELD_EVERY - 1:
                    with nogil:
                        _let_others_run()
        except BaseException:
            self._unlock_all()
            raise
        return 0

    # Nothing here takes memory.
    cdef void _unlock_all(self) noexcept:
        while self._num_locked:
            self._num_locked -= 1
            (<AgentCore>self._order[self._num_locked]).lock.release()
        self._cores = None

    # Memory for what each agent reads, for what is drawn from and for its former state, in one
    # block. Return the models.
    cdef list _frame_at(self, list cores):
        cdef Py_ssize_t i, size = 0
        cdef dict index = {}
        cdef AgentCore core
        cdef PackedModel shared
        cdef const Model* model
        cdef Item* item
        cdef char* here
        free(self._items)
        free(self._memory_block)
        self._memory_block = NULL
        self._items = <Item*>calloc(len(cores), sizeof(Item))
        if self._items == NULL:
            raise MemoryError("no memory for a batch of agents")
        for i in range(len(cores)):
            core = cores[i]
            item = &self._items[i]
            model = &core.packed.model
            shared = core.packed if core.learned is None else core.learned.shared
            index.setdefault(shared, len(index))
            item.model = index[shared]
            item.status = NOT_RUN
            item.choice_size = (model.tree.num_policies if core.parameters.values.full
                                else model.num_controls_total)
            size += 8 * (model.num_modalities + model.num_obs_total + item.choice_size)
            size += core.block_size
        self._memory_block = malloc(size + 8)
        if self._memory_block == NULL:
            raise MemoryError("no memory for a batch of agents")
        here = <char*>self._memory_block
        for i in range(len(cores)):
            item = &self._items[i]
            model = &(<AgentCore>cores[i]).packed.model
            item.outcomes = <Py_ssize_t*>here
            here += 8 * model.num_modalities
            item.distributions = <double*>here
            here += 8 * model.num_obs_total
            item.choice = <double*>here
            here += 8 * item.choice_size
            item.former = here
            item.former_size = (<AgentCore>cores[i]).block_size
            here += item.former_size
        return list(index)

    def _refuse(self, Py_ssize_t i, error):
        self.errors[i] = error
        self._items[i].status = NOT_READ

    cdef int _read(self, Py_ssize_t i, core, observation) except -1:
        cdef Item* item = &self._items[i]
        cdef PackedModel packed = (<AgentCore>core).packed
        cdef OwnedWorkspace workspace = packed.acquire_workspace()
        cdef const Model* model = &packed.model
        item.task.observation.vectors = read_observation(packed, workspace, observation, False)
        item.task.observation.outcomes = item.outcomes
        item.task.observation.distributions = item.distributions
        memcpy(item.outcomes, workspace.work.observation,
               model.num_modalities * sizeof(Py_ssize_t))
        memcpy(item.distributions, workspace.work.outcome_probabilities,
               model.num_obs_total * sizeof(double))
        packed.release_workspace(workspace)
        return 0

    cdef int _load(self, Py_ssize_t i) except -1:
        cdef AgentCore core = self._cores[i]
        cdef PackedModel shared = core.packed if core.learned is None else core.learned.shared
        cdef OwnedWorkspace workspace = core.packed.acquire_workspace()
        if shared is not self._models[self._items[i].model]:
            raise RuntimeError("the agent got another model while its batch waited for it")
        if core.window is not None or core.histories.qs_hist is not None:
            raise RuntimeError("the agent got a history while its batch waited for it")
        core.load(&self._items[i].task, workspace, True)
        core.packed.release_workspace(workspace)
        # All that a step allocates is there before it; see `results`.
        chosen = core.new_action()
        core.histories.add(None, None, None, chosen, 0)
        self._chosen[i] = chosen
        return 0

    # The action that was to be chosen out of the histories, for the agent has not stepped.
    cdef int _take_back(self, Py_ssize_t i) except -1:
        cdef Histories histories = (<AgentCore>self._cores[i]).histories
        cdef Py_ssize_t count = len(histories.prev_actions) if histories.prev_actions else 0
        chosen, self._chosen[i] = self._chosen[i], None
        # unless another thread has assigned another list meanwhile
        if chosen is not None and count and histories.prev_actions[count - 1] is chosen:
            histories.undo()
        return 0

    cdef void _run(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works) noexcept nogil:
        cdef Py_ssize_t i
        cdef int64_t begin = monotonic_ns(), end
        for i in range(start, stop):
            if self._items[i].status == NOT_RUN:
                _step(&self._items[i], works[self._items[i].model])
                if self._items[i].status == INTERRUPTED:
                    self.note_interrupted()
            end = monotonic_ns()
            self._items[i].duration_ns = end - begin
            begin = end

    cdef void _run_interrupted(self, Workspace** works) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(self._size):
            if self._items[i].status == INTERRUPTED:
                self._items[i].status = NOT_RUN
                self._run(i, i + 1, works)

    @property
    def is_loaded(self):
        """Whether `results` are to be asked for: agents are locked."""
        return self._num_locked > 0

    def results(self, bint considerate):
        """Draw the actions and release the agents.

        An agent whose action cannot be drawn, because there is no memory for that, is as it
        was before the step.

        Returns
        -------
        actions : list
            An action per agent; None where it failed or was not begun.
        durations : list of float
            Seconds of inference.
        """
        cdef Py_ssize_t i, count = self._num_locked
        try:
            for i in range(count):
                if self._items[i].status == 0 and self._draw(i):
                    self._actions[i] = self._chosen[i]
                else:
                    self._take_back(i)
                    if self._items[i].status < 0 and self._items[i].status != INTERRUPTED:
                        try:
                            raise_status(self._items[i].status, "a belief or q_pi")
                        except Exception as error:
                            self.errors[i] = error
                if considerate and i % YIELD_EVERY == YIELD_EVERY - 1:
                    with nogil:
                        _let_others_run()
        finally:
            self._unlock_all()
        for i in range(count):
            self._durations[i] = self._items[i].duration_ns * 1e-9
        return self._actions, self._durations

    # Return whether the action is drawn. A draw waits for NumPy's generator: Ctrl-C then is kept
    # for the end, because what the other agents have inferred would be lost.
    cdef bint _draw(self, Py_ssize_t i) except -1:
        cdef AgentCore core = self._cores[i]
        cdef Item* item = &self._items[i]
        cdef Py_ssize_t action[MAX_FACTORS]
        while True:
            try:
                draw_action(&core.state, item.choice, &numpy_source, action)
                end_draws()
                break
            except Exception as error:
                self.errors[i] = error
                memcpy(core.block, item.former, item.former_size)
                core.state.has_policies = item.had_policies
                core.state.evaluated_efe = item.former_efe
                return False
            except BaseException as error:
                self.interruption = error
        core.forget_objects(INFER_STATES | INFER_POLICIES)
        core.keep_action(action, self._chosen[i])
        core.histories.curr_timestep += 1
        return True


# As AgentCore.step, up to the draw.
cdef void _step(Item* item, Workspace* work) noexcept nogil:
    cdef int operations = INFER_STATES | INFER_POLICIES | SAMPLE_ACTION
    cdef AgentState* agent = item.task.agent
    item.task.work = work
    infer(&item.task, 1, operations)
    item.status = item.task.status
    if item.status != 0:
        return
    memcpy(item.choice, item.task.choice, item.choice_size * sizeof(double))
    memcpy(item.former, agent.qs, item.former_size)  # the first of its block
    item.had_policies, item.former_efe = agent.has_policies, agent.evaluated_efe
    keep(&item.task, operations)
