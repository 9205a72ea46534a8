"""One agent as the step sees it, wherever its memory is: an `AgentCore` or a row of a population."""

from freeagent_core._kernels.agents.parameters cimport StepParameters
from freeagent_core._kernels.learning.own_arrays cimport Learned
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters


cdef enum Operation:
    INFER_STATES = 1
    INFER_POLICIES = 2
    SAMPLE_ACTION = 4


cdef struct AgentState:
    const Model* model
    Learned* learned               # NULL before the agent learns
    const StepParameters* parameters
    double* qs                     # (qs_size,)
    bint has_action
    Py_ssize_t* action             # (num_factors,): the last one
    bint has_policies
    double* q_pi                   # (num_enumerated,)
    double* G                      # (num_enumerated,)
    # of policies that are too many to keep q_pi and G:
    double* p_first                # (num_controls_total,): probabilities of the first action
    double* evaluated_qs           # (qs_size,): the beliefs that they were evaluated from ...
    EFEParameters evaluated_efe    # ... and the terms
    # of message passing:
    Py_ssize_t infer_len           # steps of the sequences; 0 before the first inference
    double* sequences              # (num_policies, infer_len, qs_size), in the order of families
    double* F                      # (num_policies,), in the same order
    double* latest_belief          # (num_priors, qs_size): before the first step of the window
    Py_ssize_t num_priors          # 1, or num_policies: each its own
    Py_ssize_t search_size         # doubles that sophisticated inference needs; 0 without it


cdef struct Observation:           # of all modalities, checked
    bint vectors                   # distributions, else outcomes
    const Py_ssize_t* outcomes     # (num_modalities,)
    const double* distributions    # (num_obs_total,)


cdef struct History:               # of message passing: what came before the observation at hand
    Py_ssize_t num_steps           # observed
    const Py_ssize_t* outcomes     # (num_steps, num_modalities)
    const unsigned char* vectors   # (num_steps,): `distributions` count instead; NULL: nowhere
    const double* distributions    # (num_steps, num_obs_total)
    Py_ssize_t num_actions         # between the steps, the present one included
    const Py_ssize_t* actions      # (num_actions, num_factors)


cdef struct Task:                  # one agent's part of a block
    AgentState* agent
    Workspace* work                # of this agent alone until its results are kept
    Observation observation        # with INFER_STATES
    const History* history         # with INFER_STATES and message passing, else NULL
    bint joint_likelihood          # pymdp's `_infer_states_test`, or always
    const double* q_pi             # assigned by the caller, or NULL: the agent's
    const double* choice           # OUT: what is drawn from, with SAMPLE_ACTION
    int status                     # OUT: 0 or why it failed
