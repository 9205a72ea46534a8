"""The functions of agents: those made here are populations of one, which share workspaces; those of
Python are called as Python calls them (`python_agents`)."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from freeagent_core._c_api.core_target cimport CoreTarget, ModelTarget, new_agent
from freeagent_core._c_api.errors cimport fail, fail_exception, fail_null
from freeagent_core._c_api.handles cimport (
    AGENT, MODEL, Slot, find, free_handle, new_handle, slot_of,
)
from freeagent_core._c_api.operations cimport (
    Input, act, borrow, copy_sizes, learn, read, reset, step_one,
)
from freeagent_core._c_api.python_agents cimport (
    PythonAgent, act_in_python, learn_in_python, read_in_python, reset_in_python, sizes_in_python,
)
from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION,
)
from freeagent_core._kernels.agents.population_core cimport LEARN_A, LEARN_B, LEARN_D
from freeagent_core.c_api cimport (
    FREEAGENT_BAD_HANDLE, FREEAGENT_OK, FREEAGENT_UNSUPPORTED, freeagent_agent,
    freeagent_model, freeagent_rows, freeagent_sizes,
)


cdef class AgentTarget:
    """One of the two, and None."""

    def __init__(self, CoreTarget made, PythonAgent python):
        self.made, self.python = made, python


cdef int agent_new(freeagent_model* model, int64_t seed, int64_t index,
                   freeagent_agent** agent) noexcept nogil:
    cdef void* target
    if agent == NULL:
        return fail_null(b"agent")
    with gil:
        target = find(model, MODEL)
        if target == NULL:
            return FREEAGENT_BAD_HANDLE
        try:
            made = new_agent(<ModelTarget>target, None if seed < 0 else seed, index)
            agent[0] = <freeagent_agent*>new_handle(
                AGENT, AgentTarget(made, None), <void*>made if made.is_at_hand else NULL)
            return FREEAGENT_OK
        except BaseException as error:
            return fail_exception(error)


cdef int agent_from_python(PyObject* source, freeagent_agent** agent) noexcept nogil:
    if source == NULL:
        return fail_null(b"object")
    if agent == NULL:
        return fail_null(b"agent")
    with gil:
        try:
            target = AgentTarget(None, PythonAgent(<object><void*>source))
            agent[0] = <freeagent_agent*>new_handle(AGENT, target)
            return FREEAGENT_OK
        except BaseException as error:
            return fail_exception(error)


cdef int agent_sizes(freeagent_agent* agent, freeagent_sizes* sizes) noexcept nogil:
    cdef void* target = find(agent, AGENT)
    cdef freeagent_sizes known
    cdef int code
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    if (<AgentTarget>target).made is not None:
        return copy_sizes(&(<AgentTarget>target).made.sizes, sizes)
    code = sizes_in_python((<AgentTarget>target).python, &known)
    return code if code != 0 else copy_sizes(&known, sizes)


cdef int _act(freeagent_agent* agent, int operations, const int64_t* observation,
              int64_t num_modalities, int64_t* action, int64_t num_factors) noexcept nogil:
    cdef void* target = find(agent, AGENT)
    cdef Input given
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    given.observations, given.num_observations = observation, num_modalities
    given.mask, given.num_mask = NULL, 0
    if (<AgentTarget>target).made is not None:
        return act((<AgentTarget>target).made, operations, &given, action, num_factors)
    return act_in_python((<AgentTarget>target).python, operations, &given, action, num_factors)


cdef int _act_all(freeagent_agent* agent, const int64_t* observation, int64_t num_modalities,
                  int64_t* action, int64_t num_factors) noexcept nogil:
    return _act(agent, INFER_STATES | INFER_POLICIES | SAMPLE_ACTION, observation,
                num_modalities, action, num_factors)


ctypedef int (*Step)(freeagent_agent*, const int64_t*, int64_t, int64_t*, int64_t) noexcept nogil

# Called by its address, so that `agent_step` does not save the registers that this needs.
cdef Step _step_any = _act_all


cdef int agent_step(freeagent_agent* agent, const int64_t* observation, int64_t num_modalities,
                    int64_t* action, int64_t num_factors) noexcept nogil:
    cdef Slot* slot = slot_of(agent)
    if slot != NULL and slot.at_hand != NULL:
        return step_one(<CoreTarget>slot.at_hand, observation, num_modalities, action,
                        num_factors)
    return _step_any(agent, observation, num_modalities, action, num_factors)


cdef int agent_infer_states(freeagent_agent* agent, const int64_t* observation,
                            int64_t num_modalities) noexcept nogil:
    return _act(agent, INFER_STATES, observation, num_modalities, NULL, 0)


cdef int agent_infer_policies(freeagent_agent* agent) noexcept nogil:
    return _act(agent, INFER_POLICIES, NULL, 0, NULL, 0)


cdef int agent_sample_action(freeagent_agent* agent, int64_t* action,
                             int64_t num_factors) noexcept nogil:
    return _act(agent, SAMPLE_ACTION, NULL, 0, action, num_factors)


cdef int agent_reset(freeagent_agent* agent) noexcept nogil:
    cdef void* target = find(agent, AGENT)
    cdef Input given
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    if (<AgentTarget>target).made is None:
        return reset_in_python((<AgentTarget>target).python)
    given.mask, given.num_mask = NULL, 0
    return reset((<AgentTarget>target).made, &given)


cdef int _learn(freeagent_agent* agent, int operation, const int64_t* observation,
                int64_t num_modalities, const double* beliefs,
                int64_t num_states) noexcept nogil:
    cdef void* target = find(agent, AGENT)
    cdef Input given
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    given.observations, given.num_observations = observation, num_modalities
    given.beliefs, given.num_beliefs = beliefs, num_states
    given.mask, given.num_mask = NULL, 0
    if (<AgentTarget>target).made is not None:
        return learn((<AgentTarget>target).made, operation, &given)
    return learn_in_python((<AgentTarget>target).python, operation, &given)


cdef int agent_update_A(freeagent_agent* agent, const int64_t* observation,
                        int64_t num_modalities) noexcept nogil:
    return _learn(agent, LEARN_A, observation, num_modalities, NULL, 0)


cdef int agent_update_B(freeagent_agent* agent, const double* qs_previous,
                        int64_t num_states) noexcept nogil:
    return _learn(agent, LEARN_B, NULL, 0, qs_previous, num_states)


cdef int agent_update_D(freeagent_agent* agent, const double* qs_first,
                        int64_t num_states) noexcept nogil:
    return _learn(agent, LEARN_D, NULL, 0, qs_first, num_states)


cdef int agent_read(freeagent_agent* agent, int quantity, double* values,
                    int64_t num_values) noexcept nogil:
    cdef void* target = find(agent, AGENT)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    if (<AgentTarget>target).made is not None:
        return read((<AgentTarget>target).made, quantity, values, num_values)
    return read_in_python((<AgentTarget>target).python, quantity, values, num_values)


cdef int agent_borrow(freeagent_agent* agent, int quantity, int64_t factor,
                      freeagent_rows* rows) noexcept nogil:
    cdef void* target = find(agent, AGENT)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    if (<AgentTarget>target).made is None:
        return fail(FREEAGENT_UNSUPPORTED, b"an Agent of Python makes new arrays at each call: "
                    b"read them with agent_read")
    return borrow((<AgentTarget>target).made, quantity, factor, rows)


cdef int agent_free(freeagent_agent* agent) noexcept nogil:
    with gil:
        return free_handle(agent, AGENT)
