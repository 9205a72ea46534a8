from freeagent_core._kernels.inference.fixed_point_iteration cimport FPIParameters
from freeagent_core._kernels.learning.dirichlet_updates cimport Learned
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.planning.sophisticated cimport SIParameters
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters
from freeagent_core._kernels.model.workspace cimport Workspace


cdef struct AgentState:            # one agent, as the kernels see it
    const Model* model
    Learned* learned               # NULL before the agent learns
    FPIParameters fpi
    EFEParameters efe
    SIParameters search
    double* search_memory          # NULL without sophisticated inference
    double alpha
    double tie_tolerance
    bint stochastic
    bint full
    bint first_of_ties
    bint joint_likelihood
    double* qs                     # (qs_size,)
    double* q_pi                   # (num_enumerated,)
    double* G                      # (num_enumerated,)
    # with policies that are too many to list, instead of q_pi and G:
    double* p_first                # (num_controls_total,): probabilities of the first action
    double* evaluated_qs           # (qs_size,): the beliefs they were evaluated from
    EFEParameters evaluated_efe


cdef int infer_states(AgentState* agent, const Py_ssize_t* observation, bint vectors,
                      bint has_action, bint joint_likelihood, Workspace* work) noexcept nogil
cdef int infer_policies(AgentState* agent, const double* qs, Workspace* work) noexcept nogil
cdef void keep_beliefs(AgentState* agent, Workspace* work) noexcept nogil
cdef void keep_policies(AgentState* agent, const double* qs, Workspace* work) noexcept nogil
cdef int enumerate_evaluated(AgentState* agent, Workspace* work) noexcept nogil
cdef const double* action_probabilities(AgentState* agent, const double* q_pi,
                                        const double* p_first, Workspace* work) noexcept nogil
cdef void refresh_learned(AgentState* agent, Workspace* work) noexcept nogil
cdef int whole_step(AgentState* agent, const Py_ssize_t* observation, bint vectors,
                    bint has_action, const double** choice, Workspace* work) noexcept nogil


# Whether G and q_pi are kept as arrays.
cdef inline bint are_enumerated(const AgentState* agent) noexcept nogil:
    return agent.model.tree.num_enumerated > 0
