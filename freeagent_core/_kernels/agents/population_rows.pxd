from libc.stdint cimport uint64_t

from freeagent_core._kernels.agents.agent_state cimport AgentState, History
from freeagent_core._kernels.agents.parameters cimport StepParameters
from freeagent_core._kernels.model.structs cimport Model


cdef struct Rows:                  # the arrays of a population, a row per agent
    double* qs                     # (qs_size,)
    double* q_pi                   # (num_enumerated,)
    double* G                      # (num_enumerated,)
    double* p_first                # (num_controls_total,), of policies that are not enumerated
    double* evaluated_qs           # (qs_size,), likewise
    Py_ssize_t* action             # (num_factors,)
    unsigned char* has_action      # it has acted since its last reset
    unsigned char* has_policies
    Py_ssize_t* time               # actions since the last reset
    uint64_t* random               # (4,)
    # of message passing:
    Py_ssize_t* past               # (horizon, num_modalities): outcomes
    Py_ssize_t* past_len           # steps of those
    Py_ssize_t* past_actions       # (num_kept, num_factors)
    Py_ssize_t* num_actions        # of those
    double* latest_belief          # (max_priors, qs_size)
    Py_ssize_t* num_priors
    double* sequences              # (num_policies, horizon + policy_len, qs_size)
    double* F                      # (num_policies,)
    Py_ssize_t* infer_len
    Py_ssize_t num_kept, max_priors


cdef dict new_rows(Rows* rows, Py_ssize_t size, const Model* model,
                   const StepParameters* parameters)
cdef void load_row(const Rows* rows, Py_ssize_t i, const Model* model, AgentState* agent,
                   History* history) noexcept nogil
cdef void begin_row(const Rows* rows, Py_ssize_t i, const Model* model,
                    const StepParameters* parameters) noexcept nogil
cdef void keep_outcomes(const Rows* rows, Py_ssize_t i, const AgentState* agent,
                        const Py_ssize_t* outcomes) noexcept nogil
cdef void advance_window(const Rows* rows, Py_ssize_t i, AgentState* agent) noexcept nogil
