"""Operations on an `Agent` of Python: its own methods, called with the GIL, with all that follows in
Python (histories, arrays that callers hold, subclasses, NumPy's generator)."""

from libc.math cimport fabs, isfinite
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from freeagent_core._c_api.errors cimport fail, fail_exception, fail_null, fail_sizes
from freeagent_core._c_api.operations cimport Input
from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION,
)
from freeagent_core._kernels.agents.population_core cimport LEARN_A, LEARN_B
from freeagent_core.c_api cimport (
    FREEAGENT_BAD_ARGUMENT, FREEAGENT_G, FREEAGENT_NOT_READY, FREEAGENT_OK, FREEAGENT_Q_PI,
    FREEAGENT_QS, FREEAGENT_UNSUPPORTED, freeagent_sizes,
)

import numpy as np

from freeagent_core.agent import Agent

cdef int STEP = INFER_STATES | INFER_POLICIES | SAMPLE_ACTION


cdef class PythonAgent:
    """An `Agent`.

    Parameters
    ----------
    agent : Agent
    """

    def __init__(self, agent):
        if not isinstance(agent, Agent):
            raise TypeError("the object must be an Agent of freeagent_core or "
                            f"freeagent_core.pymdp_v0, got {type(agent).__name__}")
        self.agent = agent


# Its arrays may have been assigned others, so the sizes are read at each call.
cdef int sizes_in_python(PythonAgent self, freeagent_sizes* sizes) noexcept nogil:
    with gil:
        try:
            agent = self.agent
            sizes.num_modalities, sizes.num_factors = agent.num_modalities, agent.num_factors
            sizes.num_states = sum(agent.num_states)
            agent._synchronise()
            sizes.num_policies = len(agent._model.policy_arrays)  # which enumerates none
            return FREEAGENT_OK
        except BaseException as error:
            return fail_exception(error)


cdef tuple _observation(object agent, const Input* given):
    cdef int64_t m, expected = agent.num_modalities
    if given.observations == NULL:
        raise ValueError("observations is NULL")
    if given.num_observations != expected:
        raise ValueError(f"observations must have {expected} entries, got "
                         f"{given.num_observations}")
    return tuple([given.observations[m] for m in range(expected)])


cdef int act_in_python(PythonAgent self, int operations, const Input* given, int64_t* action,
                       int64_t num_factors) noexcept nogil:
    with gil:
        try:
            agent = self.agent
            if operations & SAMPLE_ACTION:
                if action == NULL:
                    return fail_null(b"action")
                if num_factors != agent.num_factors:
                    return fail_sizes(b"action", agent.num_factors, num_factors)
            if operations == STEP:
                chosen = agent.step(_observation(agent, given))
            elif operations == INFER_STATES:
                agent.infer_states(_observation(agent, given))
            elif operations == INFER_POLICIES:
                agent.infer_policies()
            else:
                chosen = agent.sample_action()
            if operations & SAMPLE_ACTION:
                _write_action(chosen, action, num_factors)
            return FREEAGENT_OK
        except BaseException as error:
            return fail_exception(error)


# What an int64 and a double both hold exactly: no conversion below it is undefined.
cdef double MAX_CONTROL = 2.0**53


cdef int _write_action(object chosen, int64_t* action, int64_t num_factors) except -1:
    cdef double[::1] values = np.ascontiguousarray(chosen, dtype=np.float64)
    cdef int64_t i
    if values.shape[0] != num_factors:  # a subclass's own
        raise ValueError(f"the action must have {num_factors} entries, got {values.shape[0]}")
    for i in range(num_factors):
        if not fabs(values[i]) < MAX_CONTROL:
            raise ValueError(f"action[{i}] must be a control, got {values[i]}")
    for i in range(num_factors):
        action[i] = <int64_t>values[i]
    return 0


cdef int reset_in_python(PythonAgent self) noexcept nogil:
    with gil:
        try:
            self.agent.reset()
            return FREEAGENT_OK
        except BaseException as error:
            return fail_exception(error)


cdef int learn_in_python(PythonAgent self, int operation, const Input* given) noexcept nogil:
    with gil:
        try:
            agent = self.agent
            if operation == LEARN_A:
                agent.update_A(_observation(agent, given))
            elif operation == LEARN_B:
                if agent.action is None:
                    return fail(FREEAGENT_NOT_READY, b"update_B needs an action: call "
                                b"sample_action before")
                agent.update_B(_beliefs(agent, given))
            else:
                agent.update_D(_beliefs(agent, given))
            return FREEAGENT_OK
        except BaseException as error:
            return fail_exception(error)


cdef object _beliefs(object agent, const Input* given):
    cdef int64_t k, begin = 0, expected = sum(agent.num_states)
    cdef double[::1] values
    if given.beliefs == NULL:
        raise ValueError("beliefs is NULL")
    if given.num_beliefs != expected:
        raise ValueError(f"beliefs must have {expected} entries, got {given.num_beliefs}")
    beliefs = np.empty(agent.num_factors, dtype=object)
    flat = np.empty(expected)
    values = flat
    for k in range(expected):
        if not isfinite(given.beliefs[k]) or given.beliefs[k] < 0.0:
            raise ValueError(f"beliefs[0, {k}] must be finite and not negative, got "
                             f"{given.beliefs[k]}")
        values[k] = given.beliefs[k]
    for f, n in enumerate(agent.num_states):
        beliefs[f] = flat[begin:begin + n]
        begin += n
    return beliefs


cdef int read_in_python(PythonAgent self, int quantity, double* values,
                        int64_t num_values) noexcept nogil:
    if values == NULL:
        return fail_null(b"values")
    if quantity not in (FREEAGENT_QS, FREEAGENT_Q_PI, FREEAGENT_G):
        return fail(FREEAGENT_BAD_ARGUMENT, b"quantity is none of freeagent_quantity")
    with gil:
        try:
            if quantity == FREEAGENT_QS and self.agent.inference_algo == "MMP":
                return fail(FREEAGENT_UNSUPPORTED, b"with MMP an Agent's beliefs are sequences: "
                            b"read them in Python")
            return _copy(_array(self.agent, quantity), values, num_values)
        except BaseException as error:
            return fail_exception(error)


cdef object _array(object agent, int quantity):
    if quantity == FREEAGENT_Q_PI:
        return agent.q_pi
    if quantity == FREEAGENT_G:
        return agent.G
    return np.concatenate([np.asarray(qs).reshape(-1) for qs in agent.qs])


cdef int _copy(object array, double* values, int64_t num_values) except? -1:
    cdef const double[::1] found = np.ascontiguousarray(array, dtype=np.float64)
    if num_values != found.shape[0]:
        return fail_sizes(b"values", found.shape[0], num_values)
    memcpy(values, &found[0], num_values * sizeof(double))
    return FREEAGENT_OK
