from freeagent_core._kernels.agents.agent_state cimport AgentState, History, Observation
from freeagent_core._kernels.base.growable_array cimport GrowableArray
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cdef class Window:
    cdef History history           # read from the agent's lists by `load_history`
    cdef GrowableArray _outcomes, _vectors, _distributions, _actions
    cdef GrowableArray _sequences, _F, _latest_belief  # what the agent's state points to
    # what callers hold of these, or have assigned; None where the memory is all there is
    cdef object qs, F, latest_belief
    cdef bint prior_is_D           # the latest belief is the model's D, whatever becomes of it
    cdef int load_history(self, PackedModel packed, OwnedWorkspace workspace, AgentState* state,
                          list prev_obs, object prev_actions,
                          Observation* observation, str observations_name=*,
                          str actions_name=*) except -1
    cdef int load_prior(self, PackedModel packed, OwnedWorkspace workspace, AgentState* state) except -1
    cdef int load_sequences(self, PackedModel packed, OwnedWorkspace workspace,
                            AgentState* state) except -1
    cdef int read_sequences(self, PackedModel packed, OwnedWorkspace workspace,
                            AgentState* state) except -1
    cdef int reserve_sequences(self, AgentState* state, Py_ssize_t infer_len) except -1
    cdef int begin_episode(self, AgentState* state) except -1
    cdef int reserve_priors(self, AgentState* state, Py_ssize_t count) except -1
    cdef object nested_sequences(self, const Model* model, const double* sequences,
                                 Py_ssize_t infer_len)
    cdef object nested_prior(self, AgentState* state)
    cdef object free_energies(self, AgentState* state)
    cdef object held_sequences(self, AgentState* state)
    cdef object held_free_energies(self, AgentState* state)
    cdef object held_prior(self, AgentState* state)
    cdef int assign_sequences(self, PackedModel packed, AgentState* state, value) except -1
    cdef int assign_free_energies(self, PackedModel packed, AgentState* state, value) except -1
    cdef int assign_prior(self, PackedModel packed, AgentState* state, value) except -1
