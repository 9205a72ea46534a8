from freeagent_core._kernels.action.random_source cimport RandomSource
from freeagent_core._kernels.agents.agent_state cimport AgentState, History, Task
from freeagent_core._kernels.agents.agent_step cimport draw_action
from freeagent_core._kernels.agents.input_problem cimport InputProblem, Problem
from freeagent_core._kernels.agents.parallel_work cimport ParallelWork
from freeagent_core._kernels.agents.parameters cimport Parameters
from freeagent_core._kernels.agents.population_rows cimport Rows
from freeagent_core._kernels.learning.own_arrays cimport Learned
from freeagent_core._kernels.learning.learned_model cimport FirstParameters
from freeagent_core._kernels.model.lane_model cimport LaneModel, PackedLanes
from freeagent_core._kernels.model.message_lanes cimport PackedMessageLanes
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace


cdef enum Learning:                # operations that come alone, beside `Operation`
    LEARN_A = 8
    LEARN_B = 16
    LEARN_D = 32


cdef class PopulationCore(ParallelWork):
    cdef readonly PackedModel packed
    cdef readonly Parameters parameters
    cdef readonly Py_ssize_t size
    # how agents are stepped in lanes, that have learned nothing or something; or None
    cdef readonly PackedLanes lanes, learned_lanes
    cdef readonly PackedMessageLanes window_lanes  # the same of message passing
    cdef readonly Py_ssize_t block     # agents that share a step, having learned nothing; or 1
    cdef readonly dict state       # the arrays that `_rows` points into, by name
    cdef readonly bint learns      # agents may have learned something
    cdef bint _filters             # beliefs alone are updated by filter_block
    cdef bint _fetches             # updates ask for the memory of agents that come after
    cdef FirstParameters _first_parameters  # pA, pB, pD that agents begin with
    cdef Rows _rows
    cdef unsigned char[::1] _status    # (size,) of the last operation
    cdef const Model** _models     # (size,)
    cdef Learned** _learned        # (size,), NULL before any agent learns, or where one has not
    cdef Py_ssize_t _search_size
    # what an operation reads
    cdef int _operations
    cdef const Py_ssize_t* _observations   # (size, num_modalities)
    cdef const unsigned char* _mask        # (size,), NULL: all
    cdef const double* _given_qs           # (size, qs_size)
    cdef const unsigned char* _to_learn
    cdef double _lr
    cdef int begin(self, int operations, Py_ssize_t chunk, Py_ssize_t num_threads,
                   const Py_ssize_t* observations, const unsigned char* mask,
                   const double* given_qs, const unsigned char* to_learn, double lr) except -1
    cdef Py_ssize_t lane_block(self) noexcept
    cdef Py_ssize_t rows_of_product(self, int operations) noexcept
    cdef bint _is_any_outside(self) noexcept nogil
    cdef void _find_outside(self, InputProblem* problem) noexcept nogil
    cdef int provide_threads(self, Py_ssize_t num_threads) except -1
    cdef bint has_failed(self) noexcept nogil
    cdef bint find_problem(self, InputProblem* problem) noexcept nogil
    cdef Problem _window_problem(self, Py_ssize_t i) noexcept nogil
    cdef void begin_episode(self, Py_ssize_t i) noexcept nogil
    cdef void _load(self, Py_ssize_t i, AgentState* agent, History* history) noexcept nogil
    cdef void _step_block(self, Py_ssize_t start, Py_ssize_t stop,
                          Workspace** works) noexcept nogil
    cdef void _step_some(self, Py_ssize_t start, Py_ssize_t stop, bint learned,
                         Workspace** works) noexcept nogil
    cdef void _filter_block(self, Py_ssize_t start, Py_ssize_t stop,
                            Workspace** works) noexcept nogil
    cdef void _note_step(self, Py_ssize_t i, Task* task) noexcept nogil
    cdef void _end_step(self, Py_ssize_t i, Task* task) noexcept nogil
    cdef void _infer_lanes(self, const LaneModel* lanes, Task* tasks, const Py_ssize_t* index,
                           Py_ssize_t count) noexcept nogil
    cdef void _step_windows(self, Py_ssize_t start, Py_ssize_t stop,
                            Workspace** works) noexcept nogil
    cdef void _infer_windows(self, Task* tasks, const Py_ssize_t* index,
                             Py_ssize_t count) noexcept nogil
    cdef void _prepare_task(self, Py_ssize_t i, AgentState* agent, History* history,
                            Workspace* work, Task* task) noexcept nogil
    cdef void _keep_step(self, Py_ssize_t i, Task* task) noexcept nogil
    cdef int own(self, int operation) except -1
    cdef int _own(self, Py_ssize_t i, FirstParameters first, Py_ssize_t which) except -1
    cdef const Learned* _learned_of(self, Py_ssize_t i, str name) except? NULL
    cdef void _fetch(self, Py_ssize_t i, Py_ssize_t stop) noexcept nogil
    cdef void _fetch_ahead(self, Py_ssize_t start) noexcept nogil
    cdef void _learn(self, Py_ssize_t i, Workspace* work) noexcept nogil

    # Agent i acts, by the probabilities to choose by.
    cdef inline void act(self, Py_ssize_t i, AgentState* agent, const double* choice,
                         RandomSource* source) noexcept nogil:
        draw_action(agent, choice, source, agent.action)
        self._rows.has_action[i] = 1
        self._rows.time[i] += 1
