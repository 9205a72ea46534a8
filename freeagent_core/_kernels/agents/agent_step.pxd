from freeagent_core._kernels.action.random_source cimport RandomSource
from freeagent_core._kernels.agents.agent_state cimport AgentState, Task
from freeagent_core._kernels.agents.parameters cimport StepParameters
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace


cdef void infer(Task* tasks, Py_ssize_t count, int operations) noexcept nogil
cdef void keep(Task* task, int operations) noexcept nogil
cdef void draw_action(const AgentState* agent, const double* choice, RandomSource* source,
                      Py_ssize_t* action) noexcept nogil
cdef int prepare_choice(Task* task, bint evaluated) noexcept nogil
cdef int enumerate_evaluated(AgentState* agent, Workspace* work) noexcept nogil
cdef void set_uniform_beliefs(const Model* model, double* qs) noexcept nogil
cdef int refresh_learned(AgentState* agent, Workspace* work) noexcept nogil

# Agents that a block may have where they share matrix products.
cdef Py_ssize_t shared_block(const Model* model, bint uses_belief_graph,
                             const StepParameters* parameters) noexcept nogil


# Whether G and q_pi are kept as arrays.
cdef inline bint are_enumerated(const AgentState* agent) noexcept nogil:
    return agent.model.tree.num_enumerated > 0
