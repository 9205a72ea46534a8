from freeagent_core._kernels.belief_update cimport FPIParameters
from freeagent_core._kernels.dirichlet_updates cimport Learned
from freeagent_core._kernels.packed_model cimport Model, Workspace
from freeagent_core._kernels.policy_evaluation cimport EFEParameters
from freeagent_core._kernels.sophisticated cimport SIParameters


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
    double* q_pi                   # (num_policies,)
    double* G                      # (num_policies,)


cdef int infer_states(AgentState* agent, bint vectors, bint has_action, bint joint_likelihood,
                      Workspace* work) noexcept nogil
cdef int infer_policies(AgentState* agent, const double* qs, Workspace* work) noexcept nogil
cdef void keep_beliefs(AgentState* agent, Workspace* work) noexcept nogil
cdef void keep_policies(AgentState* agent, Workspace* work) noexcept nogil
cdef void action_probabilities(AgentState* agent, const double* q_pi, Workspace* work) noexcept nogil
cdef void refresh_learned(AgentState* agent, Workspace* work) noexcept nogil
