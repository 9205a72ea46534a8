"""Many agents of one model: their state in contiguous arrays, and their steps in parallel.

The step is that of `agent_step`; here stands where its memory is. Each agent draws from a stream
of random numbers of its own. An agent whose step fails stays as it was.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset

from freeagent_core._kernels.action.agent_generator cimport agent_source
from freeagent_core._kernels.action.random_source cimport RandomSource
from freeagent_core._kernels.agents.agent_policies cimport enumerated_policies
from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION,
)
from freeagent_core._kernels.agents.agent_step cimport infer, keep, shared_block
from freeagent_core._kernels.agents.input_problem cimport (
    InputProblem, NO_ACTION, NO_ACTION_BETWEEN, NO_BELIEFS, NO_LEARNING, NO_OBSERVATIONS,
    NO_PARAM_INFO_GAIN, NO_POLICIES, NO_PRIOR, NO_PROBLEM, OBSERVATION_OUT_OF_RANGE, Problem,
    raise_problem,
)
from freeagent_core._kernels.agents.lane_step cimport fit_lanes, infer_in_lanes, keep_lanes
from freeagent_core._kernels.agents.lane_windows cimport (
    fit_window_lanes, fits_window_lanes, infer_windows_in_lanes, keep_window_lanes,
)
from freeagent_core._kernels.agents.population_rows cimport (
    advance_window, begin_row, keep_outcomes, load_row, new_rows,
)
from freeagent_core._kernels.base.status cimport INTERRUPTED, NO_MEMORY
from freeagent_core._kernels.inference.block_filtering cimport (
    FILTER_ROWS, filter_block, fits_filter,
)
from freeagent_core._kernels.inference.lane_message_passing cimport LaneWindow
from freeagent_core._kernels.learning.dirichlet_updates cimport (
    derive_A, derive_B, learn_A, learn_B, learn_D, refresh,
)
from freeagent_core._kernels.learning.learned_model cimport (
    FirstParameters, learned_arrays, own_parameters,
)
from freeagent_core._kernels.learning.own_arrays cimport (
    fetch_all, fetch_counts_A, fetch_counts_B, fetch_heads, fetch_learned, fetch_rows, free_learned,
    new_learned,
)
from freeagent_core._kernels.model.lane_model cimport LANES, LaneMemory
from freeagent_core._kernels.model.message_lanes cimport MessageLanes
from freeagent_core._kernels.model.structs cimport AGENTS_PER_GEMM, PolicyTree
from freeagent_core._kernels.planning.sophisticated cimport search_size

import numpy as np

cdef enum:
    WINDOW_ROWS = 64               # agents among which those with windows of one length are found
    # What updates read is asked for before from so many bytes of pA and pB of all agents on, which
    # do not stay in a second cache, and up to so many numbers an agent: the processor sees by itself
    # where reading of more goes.
    MIN_FETCHED = 1 << 20
    MAX_COUNTS_FETCHED = 1024


cdef class PopulationCore(ParallelWork):
    """`size` agents of one packed model.

    Parameters
    ----------
    packed : PackedModel
    size : int
    parameters : Parameters
        Of all agents.
    lanes : PackedLanes, optional
        Step agents that have learned nothing in SIMD lanes; `begin_learning` is given that of the
        others.
    window_lanes : PackedMessageLanes, optional
        The same, for message passing.
    """

    def __cinit__(self):
        self._models = NULL
        self._learned = NULL

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.size if self._learned != NULL else 0):
            if self._learned[i] != NULL:
                free_learned(self._learned[i])
                free(self._learned[i])
        free(self._models)
        free(self._learned)

    def __init__(self, PackedModel packed not None, Py_ssize_t size,
                 Parameters parameters not None, PackedLanes lanes=None,
                 PackedMessageLanes window_lanes=None):
        cdef Py_ssize_t i
        if self._models != NULL:
            raise TypeError("a PopulationCore cannot be initialised twice")
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        self.packed, self.size, self.parameters = packed, size, parameters
        if parameters.values.search.horizon:
            self._search_size = search_size(&packed.model, parameters.values.search.horizon)
        self.block = shared_block(&packed.model, packed.uses_belief_graph, &parameters.values)
        if lanes is not None and fit_lanes(&parameters.values):
            self.lanes, self.block = lanes, LANES
        if window_lanes is not None and fit_window_lanes(&parameters.values):
            self.window_lanes = window_lanes
        self._filters = (fits_filter(&packed.model) and not parameters.values.passes_messages
                         and not parameters.values.joint_likelihood)
        self.state = new_rows(&self._rows, size, &packed.model, &parameters.values)
        self._status = np.zeros(size, dtype=np.uint8)
        self._models = <const Model**>calloc(size, sizeof(void*))
        if self._models == NULL:
            raise MemoryError("no memory for the population")
        for i in range(size):
            self._models[i] = &packed.model

    # --- one operation on all agents -------------------------------------------------------

    # Check and keep what an operation reads; `finish` then executes it. `operations`: a sum of the
    # `Operation`s; those that learn come alone. chunk: agents that a thread claims at once.
    # observations: (size, num_modalities). mask: (size,), 0 for agents that stay as they are, or
    # NULL. given_qs: (size, qs_size), beliefs that learning starts from. to_learn: per modality (A)
    # or factor (B, D), 1 to learn it. What they point to stays until `finish` returns.
    cdef int begin(self, int operations, Py_ssize_t chunk, Py_ssize_t num_threads,
                   const Py_ssize_t* observations, const unsigned char* mask,
                   const double* given_qs, const unsigned char* to_learn, double lr) except -1:
        cdef InputProblem problem
        self._operations, self._observations, self._mask = operations, observations, mask
        if self.find_problem(&problem):
            raise_problem(&problem)
        if operations & (LEARN_A | LEARN_B | LEARN_D):
            self._given_qs, self._to_learn, self._lr = given_qs, to_learn, lr
            self.own(operations)
        memset(&self._status[0], 0, self.size)
        self.provide_threads(num_threads)
        self.arm(self.size, chunk, 0)
        return 0

    cdef int provide_threads(self, Py_ssize_t num_threads) except -1:
        if num_threads > self._num_slots:
            # a block of lanes has its memory in one workspace
            self.provide(num_threads, [self.packed] * (self.block if self.lanes is None else 1))
        return 0

    # Whether the operation at hand can be done with `_observations` and `_mask`, and what is
    # wrong first if not.
    cdef bint find_problem(self, InputProblem* problem) noexcept nogil:
        cdef int operations = self._operations
        cdef bint needs_policies = operations & SAMPLE_ACTION and not operations & INFER_POLICIES
        cdef const Model* model = &self.packed.model
        cdef Py_ssize_t i
        cdef Problem kind = NO_PROBLEM
        cdef bint passes_messages = self.parameters.values.passes_messages
        problem.kind = NO_PROBLEM
        if self._observations == NULL and operations & (INFER_STATES | LEARN_A):
            problem.kind = NO_OBSERVATIONS
        elif passes_messages:
            if operations & (LEARN_A | LEARN_B):
                problem.kind = NO_LEARNING
            elif (operations & INFER_POLICIES and self.parameters.values.efe.use_param_info_gain
                    and model.has_wB):
                problem.kind = NO_PARAM_INFO_GAIN
        if problem.kind != NO_PROBLEM:
            return True
        if self._observations != NULL and self._is_any_outside():
            self._find_outside(problem)
        if not needs_policies and not operations & LEARN_B and not passes_messages:
            return problem.kind != NO_PROBLEM
        # the first agent with a problem; of one agent, the outcome's comes first
        for i in range(self.size if problem.kind == NO_PROBLEM else problem.agent):
            if self._mask != NULL and not self._mask[i]:
                continue
            if needs_policies and not self._rows.has_policies[i]:
                kind = NO_POLICIES
            elif operations & LEARN_B and not self._rows.has_action[i]:
                kind = NO_ACTION
            elif passes_messages:
                kind = self._window_problem(i)
            if kind != NO_PROBLEM:
                problem.kind, problem.agent = kind, i
                problem.limit = self.parameters.values.inference_horizon
                break
        return problem.kind != NO_PROBLEM

    # Whether an outcome is none of its modality's: mostly not, which vectors of comparisons tell.
    cdef bint _is_any_outside(self) noexcept nogil:
        cdef const Model* model = &self.packed.model
        cdef const Py_ssize_t* outcomes = self._observations
        cdef Py_ssize_t i, m, count = model.num_modalities, outside
        cdef size_t limit
        for m in range(count):
            outside, limit = 0, <size_t>model.modalities[m].num_obs
            if self._mask == NULL and count == 1:
                for i in range(self.size):
                    outside |= <size_t>outcomes[i] >= limit  # negative ones are large as well
            elif self._mask == NULL:
                for i in range(self.size):
                    outside |= <size_t>outcomes[i * count + m] >= limit
            else:
                for i in range(self.size):
                    outside |= (self._mask[i] != 0) & (<size_t>outcomes[i * count + m] >= limit)
            if outside:
                return True
        return False

    # The first of them, of the first agent.
    cdef void _find_outside(self, InputProblem* problem) noexcept nogil:
        cdef const Model* model = &self.packed.model
        cdef Py_ssize_t i, m, outcome
        for i in range(self.size):
            for m in range(model.num_modalities if self._mask == NULL or self._mask[i] else 0):
                outcome = self._observations[i * model.num_modalities + m]
                if not 0 <= outcome < model.modalities[m].num_obs:
                    problem.kind, problem.agent = OBSERVATION_OUT_OF_RANGE, i
                    problem.modality, problem.value = m, outcome
                    problem.limit = model.modalities[m].num_obs
                    return

    cdef Problem _window_problem(self, Py_ssize_t i) noexcept nogil:
        cdef Py_ssize_t horizon = self.parameters.values.inference_horizon
        if self._operations & INFER_STATES:
            if self._rows.num_actions[i] < min(self._rows.past_len[i], horizon - 1):
                return NO_ACTION_BETWEEN
            if self._rows.num_priors[i] > 1 and not self.parameters.values.policy_sep_prior:
                return NO_PRIOR
        elif self._operations & INFER_POLICIES and self._rows.infer_len[i] == 0:
            return NO_BELIEFS
        return NO_PROBLEM

    # Agents that fill lanes; 0 without lanes.
    cdef Py_ssize_t lane_block(self) noexcept:
        if self.lanes is None and self.learned_lanes is None and self.window_lanes is None:
            return 0
        return LANES

    # How many agents share matrix products, or go into blocks together; 1 where none.
    cdef Py_ssize_t rows_of_product(self, int operations) noexcept:
        if self._filters and operations == INFER_STATES:
            return FILTER_ROWS
        if self.window_lanes is not None and operations & INFER_STATES:
            return WINDOW_ROWS
        return self.block if self.lanes is None else 1

    # Almost always not, which vectors of bytes tell.
    cdef bint has_failed(self) noexcept nogil:
        cdef const unsigned char* status = &self._status[0]
        cdef unsigned char found = 0
        cdef Py_ssize_t i
        for i in range(self.size):
            found |= status[i]
        return found != 0

    def failed(self):
        """Return the agents whose last operation failed, and whether one ran out of memory."""
        status = np.asarray(self._status)
        return np.flatnonzero(status), bool((status == -NO_MEMORY).any())

    def enumerate_policies(self, Py_ssize_t i):
        """Return q_pi and G of agent i, arrays over all policies: where they are too many to
        keep, evaluated again from the beliefs they were evaluated from last."""
        cdef AgentState agent
        cdef History history
        if not 0 <= i < self.size:
            raise IndexError(f"agent {i} is not in 0 to {self.size - 1}")
        if not self._rows.has_policies[i]:
            raise ValueError(f"agent {i} needs an infer_policies before its policies are enumerated")
        self._load(i, &agent, &history)
        return enumerated_policies(self.packed, &agent)

    # --- kernels -----------------------------------------------------------------------------

    cdef void _run(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works) noexcept nogil:
        cdef Py_ssize_t i, size = self.block if self.learned_lanes is None else LANES
        if self._operations >= LEARN_A:
            for i in range(start, stop):
                if self._fetches:
                    self._fetch(i, stop)
                if self._mask == NULL or self._mask[i]:
                    self._learn(i, works[0])
            return
        if self._filters and self._operations == INFER_STATES:
            while start < stop:
                i = min(start + FILTER_ROWS, stop)
                self._filter_block(start, i, works)
                start = i
            return
        while start < stop and self.window_lanes is not None and self._operations & INFER_STATES:
            i = min(start + WINDOW_ROWS, stop)
            self._step_windows(start, i, works)
            start = i
        while start < stop:
            i = min(start + size, stop)
            self._step_block(start, i, works)
            start = i

    # The two kinds of agents apart: all of a block share a model, or each has its own.
    cdef void _step_block(self, Py_ssize_t start, Py_ssize_t stop,
                          Workspace** works) noexcept nogil:
        self._step_some(start, stop, False, works)
        if self._learned != NULL:
            self._step_some(start, stop, True, works)

    cdef void _filter_block(self, Py_ssize_t start, Py_ssize_t stop,
                            Workspace** works) noexcept nogil:
        cdef const Model* model = &self.packed.model
        cdef const double* before[FILTER_ROWS]
        cdef double* qs[FILTER_ROWS]
        cdef const Py_ssize_t* action[FILTER_ROWS]
        cdef const Py_ssize_t* outcomes[FILTER_ROWS]
        cdef Py_ssize_t index[FILTER_ROWS]
        cdef bint failed[FILTER_ROWS]
        cdef Py_ssize_t i, count = 0
        for i in range(start, stop):
            if (self._mask != NULL and not self._mask[i]
                    or self._learned != NULL and self._learned[i] != NULL):
                continue
            before[count] = qs[count] = self._rows.qs + i * model.qs_size
            action[count] = self._rows.action + i if self._rows.has_action[i] else NULL
            outcomes[count] = self._observations + i * model.num_modalities
            index[count] = i
            count += 1
        if filter_block(model, before, action, outcomes, count, qs, failed, works[0]) != 0:
            for i in range(count):
                self._status[index[i]] = -NO_MEMORY
        else:
            for i in range(count):
                if failed[i]:
                    self._step_block(index[i], index[i] + 1, works)
        while self._learned != NULL and start < stop:
            i = min(start + LANES, stop)
            self._step_some(start, i, True, works)
            start = i

    # Agents that have learned something, or those that have not.
    cdef void _step_some(self, Py_ssize_t start, Py_ssize_t stop, bint learned,
                         Workspace** works) noexcept nogil:
        cdef const LaneModel* lanes = NULL
        cdef AgentState agents[AGENTS_PER_GEMM]
        cdef History histories[AGENTS_PER_GEMM]
        cdef Task tasks[AGENTS_PER_GEMM]
        cdef Py_ssize_t index[AGENTS_PER_GEMM]
        cdef Py_ssize_t i, count = 0, size = 1 if learned else self.block
        if learned and self.learned_lanes is not None:
            lanes = &self.learned_lanes.lanes
        elif not learned and self.lanes is not None:
            lanes = &self.lanes.lanes
        if learned and self._fetches:
            self._fetch_ahead(start)
        for i in range(start, stop):
            if (self._mask != NULL and not self._mask[i]
                    or (self._learned != NULL and self._learned[i] != NULL) != learned):
                continue
            self._prepare_task(i, &agents[count], &histories[count],
                               works[count % size if lanes == NULL else 0], &tasks[count])
            if lanes != NULL and lanes.only_with_B and not agents[count].learned.has_B:
                infer(&tasks[count], 1, self._operations)
                self._end_step(i, &tasks[count])
                continue
            index[count] = i
            count += 1
        if lanes != NULL:
            if count > 0:
                self._infer_lanes(lanes, tasks, index, count)
            return
        start = 0
        while start < count:
            stop = min(start + size, count)
            infer(tasks + start, stop - start, self._operations)
            for i in range(start, stop):
                self._end_step(index[i], &tasks[i])
            start = stop

    cdef void _run_interrupted(self, Workspace** works) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(self.size):
            if self._status[i] == -INTERRUPTED:
                self._run(i, i + 1, works)

    cdef void _end_step(self, Py_ssize_t i, Task* task) noexcept nogil:
        if task.status == 0:
            keep(task, self._operations)
        self._note_step(i, task)

    # What follows when a step's results are kept, if it has some.
    cdef void _note_step(self, Py_ssize_t i, Task* task) noexcept nogil:
        self._status[i] = <unsigned char>(-task.status)
        if task.status == 0:
            self._keep_step(i, task)
        elif task.status == INTERRUPTED:
            self.note_interrupted()

    cdef void _infer_lanes(self, const LaneModel* lanes, Task* tasks, const Py_ssize_t* index,
                           Py_ssize_t count) noexcept nogil:
        cdef LaneMemory memory
        cdef Py_ssize_t i
        if infer_in_lanes(lanes, tasks, count, self._operations, &memory) == 0:
            keep_lanes(lanes, tasks, count, self._operations, &memory)
        for i in range(count):
            tasks[i].agent.model = &self.packed.model  # whose policies are its own: no new reading
            self._note_step(index[i], &tasks[i])

    cdef void _prepare_task(self, Py_ssize_t i, AgentState* agent, History* history,
                            Workspace* work, Task* task) noexcept nogil:
        self._load(i, agent, history)
        task.agent, task.work, task.history = agent, work, history
        task.observation.vectors = False
        task.observation.outcomes = self._observations + i * self.packed.model.num_modalities
        task.joint_likelihood = self.parameters.values.joint_likelihood
        task.q_pi = NULL

    # Agents of message passing, as many as WINDOW_ROWS: of different windows, which begin anew at
    # different times, whole blocks are found among more agents than a block has.
    cdef void _step_windows(self, Py_ssize_t start, Py_ssize_t stop,
                            Workspace** works) noexcept nogil:
        cdef AgentState agents[WINDOW_ROWS]
        cdef History histories[WINDOW_ROWS]
        cdef Task tasks[WINDOW_ROWS]
        cdef Py_ssize_t index[WINDOW_ROWS]
        cdef Py_ssize_t i, count = 0
        for i in range(start, stop):
            if self._mask != NULL and not self._mask[i]:
                continue
            self._prepare_task(i, &agents[count], &histories[count], works[0], &tasks[count])
            index[count] = i
            count += 1
        self._infer_windows(tasks, index, count)

    # Those with windows of one length together, eight at most; the others one by one.
    cdef void _infer_windows(self, Task* tasks, const Py_ssize_t* index,
                             Py_ssize_t count) noexcept nogil:
        cdef const MessageLanes* lanes = &self.window_lanes.values
        cdef bint done[WINDOW_ROWS]
        cdef Task together[LANES]
        cdef Py_ssize_t chosen[LANES]
        cdef LaneWindow window
        cdef LaneMemory memory
        cdef Py_ssize_t first, i, n
        for i in range(count):
            done[i] = not fits_window_lanes(&tasks[i])
            if done[i]:
                infer(&tasks[i], 1, self._operations)
                self._end_step(index[i], &tasks[i])
        for first in range(count):
            if done[first]:
                continue
            n = 0
            for i in range(first, count):
                if (n < LANES and not done[i]
                        and tasks[i].history.num_steps == tasks[first].history.num_steps):
                    together[n], chosen[n], done[i] = tasks[i], index[i], True
                    n += 1
            if infer_windows_in_lanes(lanes, together, n, self._operations, &window, &memory) == 0:
                keep_window_lanes(lanes, together, n, self._operations, &window, &memory)
            for i in range(n):
                self._note_step(chosen[i], &together[i])

    cdef void _load(self, Py_ssize_t i, AgentState* agent, History* history) noexcept nogil:
        agent.model = self._models[i]
        agent.learned = self._learned[i] if self._learned != NULL else NULL
        agent.parameters = &self.parameters.values
        agent.search_size = self._search_size
        if agent.learned != NULL:  # what updates have put off
            refresh(agent.learned, &self.packed.model)
        load_row(&self._rows, i, &self.packed.model, agent, history)

    cdef void _keep_step(self, Py_ssize_t i, Task* task) noexcept nogil:
        cdef AgentState* agent = task.agent
        cdef RandomSource source
        self._rows.has_policies[i] = agent.has_policies
        if agent.parameters.passes_messages:
            self._rows.infer_len[i] = agent.infer_len
            if self._operations & INFER_STATES:
                keep_outcomes(&self._rows, i, agent, task.observation.outcomes)
        if not self._operations & SAMPLE_ACTION:
            return
        source = agent_source(self._rows.random + 4 * i)
        self.act(i, agent, task.choice, &source)
        if agent.parameters.passes_messages:
            advance_window(&self._rows, i, agent)

    # --- episodes ------------------------------------------------------------------------------

    def begin_episodes(self, const unsigned char[::1] chosen):
        """Make the chosen agents' beliefs uniform and forget their actions and their past."""
        cdef Py_ssize_t i
        _check_rows(chosen.shape[0], self.size, "chosen")
        for i in range(self.size):
            if chosen[i]:
                self.begin_episode(i)

    cdef void begin_episode(self, Py_ssize_t i) noexcept nogil:
        begin_row(&self._rows, i, self._models[i], &self.parameters.values)

    def sequences(self, Py_ssize_t i):
        """Return agent i's beliefs, (num_policies, infer_len, qs_size), in order of policies."""
        cdef const PolicyTree* tree = &self.packed.model.tree
        cdef Py_ssize_t row, infer_len = self._rows.infer_len[i]
        rows = self.state["sequences"][i].reshape(-1)[
            :tree.num_policies * infer_len * self.packed.model.qs_size]
        rows = rows.reshape(tree.num_policies, infer_len, self.packed.model.qs_size)
        ordered = np.empty_like(rows)
        for row in range(tree.num_policies):
            ordered[tree.family_members[row]] = rows[row]
        return ordered

    def free_energies(self):
        """Return F of all agents, (size, num_policies), in order of policies."""
        cdef Py_ssize_t row
        order = [self.packed.model.tree.family_members[row]
                 for row in range(self.packed.model.tree.num_policies)]
        ordered = np.empty_like(self.state["F"])
        ordered[:, order] = self.state["F"]
        return ordered

    # --- learning --------------------------------------------------------------------------

    def begin_learning(self, pA, pB, pD, PackedLanes lanes=None):
        """Keep the Dirichlet parameters that agents begin with, and how those that learn are
        stepped in lanes; nothing is copied yet."""
        if self.learns:
            return
        learned = <Learned**>calloc(self.size, sizeof(void*))
        if learned == NULL:
            raise MemoryError("no memory for the population")
        self._learned = learned
        self._first_parameters = FirstParameters(pA, pB, pD)
        counts = sum([array.size for given in (pA, pB) if given is not None for array in given])
        self._fetches = (counts <= MAX_COUNTS_FETCHED
                         and self.size * counts * sizeof(double) > MIN_FETCHED)
        if lanes is not None and fit_lanes(&self.parameters.values):
            self.learned_lanes = lanes
        self.learns = True

    # Give each agent that learns its own copy of what it learns.
    cdef int own(self, int operation) except -1:
        cdef Py_ssize_t i, which = 0 if operation == LEARN_A else 1 if operation == LEARN_B else 2
        self._first_parameters.values(self.packed, which)  # raises where there are none
        for i in range(self.size):
            if self._mask == NULL or self._mask[i]:
                self._own(i, self._first_parameters, which)
        return 0

    # Agent i has its own copy of pA, pB or pD (0, 1, 2), of which the first ones are `first`.
    cdef int _own(self, Py_ssize_t i, FirstParameters first, Py_ssize_t which) except -1:
        if self._learned[i] == NULL:
            self._learned[i] = new_learned(&self.packed.model, self.packed.uses_belief_graph)
            if self._learned[i] == NULL:
                raise MemoryError("no memory for what an agent learns")
            self._models[i] = self._learned[i].model
        return own_parameters(self._learned[i], first, self.packed, which)

    # What agent i has learned, if `name` (A, B, D, pA, pB or pD) is in it; else NULL.
    cdef const Learned* _learned_of(self, Py_ssize_t i, str name) except? NULL:
        cdef const Learned* own
        if not 0 <= i < self.size:
            raise IndexError(f"agent {i} is not in 0 to {self.size - 1}")
        own = self._learned[i] if self.learns else NULL
        if own == NULL:
            return NULL
        blocks = {"A": own.has_A, "B": own.has_B, "D": own.D != NULL}
        return own if blocks[name[len(name) - 1]] else NULL

    def learners(self, str name):
        """Return the agents that have learned `name`: A, B, D, pA, pB or pD."""
        cdef Py_ssize_t i
        return [i for i in range(self.size) if self._learned_of(i, name) != NULL]

    def learned(self, Py_ssize_t i, str name):
        """Return the arrays of `name` that agent i has learned, copies, or None."""
        if self._learned_of(i, name) == NULL:
            return None
        shapes = self._first_parameters.shapes("ABD".index(name[len(name) - 1]))
        return learned_arrays(self._learned[i], name, shapes)

    def restore(self, Py_ssize_t i, str name, list values):
        """Give agent i parameters ("pA", "pB" or "pD") that another one of the model learned."""
        cdef Py_ssize_t which = ("pA", "pB", "pD").index(name)
        cdef FirstParameters first
        cdef bytes nothing = bytes(self.packed.model.num_factors)
        given = [None, None, None]
        given[which] = values
        first = FirstParameters(*given)
        self._first_parameters.values(self.packed, which)
        self._own(i, first, which)
        if which == 0:
            derive_A(self._learned[i])
        elif which == 1:
            derive_B(self._learned[i])
        else:
            learn_D(self._learned[i], NULL, nothing, 0.0)
        refresh(self._learned[i], &self.packed.model)

    # Ask for the memory of agents after agent i, but not of those from `stop` on.
    cdef void _fetch(self, Py_ssize_t i, Py_ssize_t stop) noexcept nogil:
        cdef const Model* shape = &self.packed.model
        if i + 6 < stop and self._learned[i + 6] != NULL:
            fetch_learned(self._learned[i + 6])
        if i + 4 < stop and self._learned[i + 4] != NULL:
            fetch_heads(self._learned[i + 4])
        i += 2
        if i >= stop or self._learned[i] == NULL:
            return
        if self._operations == LEARN_A:
            fetch_counts_A(self._learned[i], shape, self._observations + i * shape.num_modalities)
        elif self._operations == LEARN_B:
            fetch_counts_B(self._learned[i], shape, self._rows.action + i * shape.num_factors)

    # Ask for what steps read of the agents after `start`, a block of lanes each time: for the structs
    # of those that come late, for what they point to of those that come soon.
    cdef void _fetch_ahead(self, Py_ssize_t start) noexcept nogil:
        cdef const Model* shape = &self.packed.model
        cdef Py_ssize_t i, last = self.size
        for i in range(min(start + 3 * LANES, last), min(start + 4 * LANES, last)):
            if self._learned[i] != NULL:
                fetch_learned(self._learned[i])
        if self._operations & INFER_POLICIES:
            for i in range(min(start + LANES, last), min(start + 2 * LANES, last)):
                if self._learned[i] != NULL:
                    fetch_all(self._learned[i])
        elif self._operations & INFER_STATES:
            for i in range(min(start + 2 * LANES, last), min(start + 3 * LANES, last)):
                if self._learned[i] != NULL:
                    fetch_heads(self._learned[i])
            for i in range(min(start + LANES, last), min(start + 2 * LANES, last)):
                if self._learned[i] != NULL:
                    fetch_rows(self._learned[i], shape,
                               self._observations + i * shape.num_modalities,
                               self._rows.action + i * shape.num_factors)

    cdef void _learn(self, Py_ssize_t i, Workspace* work) noexcept nogil:
        cdef Py_ssize_t qs_size = self.packed.model.qs_size
        cdef Py_ssize_t m, num_modalities = self.packed.model.num_modalities
        cdef Learned* own = self._learned[i]
        cdef const Model* shape = &self.packed.model
        cdef const double* qs = self._rows.qs + i * qs_size
        if self._operations == LEARN_A:
            for m in range(num_modalities):
                work.observation[m] = self._observations[i * num_modalities + m]
            learn_A(own, shape, False, qs, self._to_learn, self._lr, work)
        elif self._operations == LEARN_B:
            learn_B(own, shape, self._rows.action + i * self.packed.model.num_factors, qs,
                    self._given_qs + i * qs_size, self._to_learn, self._lr, work)
        else:
            learn_D(own, self._given_qs + i * qs_size, self._to_learn, self._lr)
        if self.learned_lanes is None:  # else when it is read next, with all of it
            refresh(own, shape)
        if self.packed.model.tree.num_enumerated == 0:  # they could not be enumerated as they were
            self._rows.has_policies[i] = 0


cdef int _check_rows(Py_ssize_t rows, Py_ssize_t expected, str name) except -1:
    if rows != expected:
        raise ValueError(f"{name} must have {expected} entries, got {rows}")
    return 0
