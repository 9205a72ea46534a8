from libc.stdint cimport uint64_t

from freeagent_core._kernels.agents.agent_step cimport AgentState
from freeagent_core._kernels.learning.dirichlet_updates cimport Learned
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.agents.parallel_work cimport ParallelWork
from freeagent_core._kernels.model.workspace cimport Workspace


cdef enum Operation:
    INFER_STATES = 1
    INFER_POLICIES = 2
    SAMPLE_ACTION = 4
    LEARN_A = 8
    LEARN_B = 16
    LEARN_D = 32


cdef class PopulationCore(ParallelWork):
    cdef readonly PackedModel packed
    cdef readonly Py_ssize_t size
    cdef readonly dict state       # the arrays that the pointers point into, by name
    cdef readonly list learned     # a LearnedModel or None per agent; None before any learns
    cdef tuple _first_parameters   # pA, pB, pD that agents begin with
    cdef double* _qs               # (size, qs_size)
    cdef double* _q_pi             # (size, num_enumerated)
    cdef double* _G                # (size, num_enumerated)
    cdef double* _p_first          # (size, num_controls_total), with unlisted policies
    cdef double* _evaluated_qs     # (size, qs_size), with unlisted policies
    cdef Py_ssize_t* _action       # (size, num_factors)
    cdef unsigned char* _has_action    # (size,): it has acted since its last reset
    cdef unsigned char* _has_policies  # (size,)
    cdef Py_ssize_t* _time         # (size,): actions since the last reset
    cdef uint64_t* _random         # (size, 4)
    cdef unsigned char[::1] _status    # (size,) of the last operation
    cdef const Model** _models     # (size,)
    cdef Learned** _learned        # (size,), NULL before any agent learns
    # what an operation reads
    cdef int _operations
    cdef const Py_ssize_t* _observations   # (size, num_modalities)
    cdef const unsigned char* _mask        # (size,), NULL: all
    cdef const double* _given_qs           # (size, qs_size)
    cdef const unsigned char* _to_learn
    cdef double _lr
    cdef AgentState _common        # the parameters, which all agents share
    cdef readonly Py_ssize_t together  # agents that share matrix products; 1: they do not
    cdef Py_ssize_t _search_size   # doubles that a search needs; 0 without one
    cdef int _check_ready(self, int operations) except -1
    cdef int _check_each(self, const unsigned char* flags, str before, str name) except -1
    cdef Py_ssize_t _extra_size(self)
    cdef bint _shares_products(self)
    cdef AgentState _agent(self, Py_ssize_t i, double* extra) noexcept nogil
    cdef int _infer_states(self, Py_ssize_t i, AgentState* agent, Workspace* work,
                           double* extra) noexcept nogil
    cdef int _infer_policies(self, Py_ssize_t i, AgentState* agent, const double* qs,
                             Workspace* work, double* extra) noexcept nogil
    cdef void _keep_beliefs(self, Py_ssize_t i, Workspace* work, double* extra) noexcept nogil
    cdef int _act(self, Py_ssize_t i, AgentState* agent, const double* q_pi,
                  const double* p_first, Workspace* work) noexcept nogil
    cdef int _step(self, Py_ssize_t i, Workspace* work, double* extra) noexcept nogil
    cdef void _step_together(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works,
                             double* extra) noexcept nogil
    cdef int _conclude(self, Py_ssize_t i, AgentState* agent, const double* qs, Workspace* work,
                       double* extra) noexcept nogil
    cdef void _learn(self, Py_ssize_t i, Workspace* work) noexcept nogil
    cdef Py_ssize_t _draw(self, uint64_t* random, const double* p, Py_ssize_t n) noexcept nogil
    cdef object _new_state(self, str name, shape, dtype)
