"""Loops over the C interface and over the kernels of a step, to be timed by linking.py."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from freeagent_core._c_api.agents cimport AgentTarget
from freeagent_core._c_api.core_target cimport CoreTarget
from freeagent_core._c_api.handles cimport AGENT, look_up
from freeagent_core._kernels.action.random_source cimport RandomSource
from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION, Task,
)
from freeagent_core._kernels.agents.agent_step cimport draw_action, infer, keep
from freeagent_core._kernels.model.shared_workspaces cimport SharedWorkspace
from freeagent_core.c_api cimport (
    freeagent_agent, freeagent_api, freeagent_import, freeagent_model, freeagent_population,
)

import time

import numpy as np

from freeagent_core._agent.random_streams import agent_streams

cdef int STEP = INFER_STATES | INFER_POLICIES | SAMPLE_ACTION
cdef const freeagent_api* api = freeagent_import()


cdef int _check(int code) except -1:
    if code != 0:
        raise RuntimeError(api.last_error_message().decode())
    return 0


cdef class Handles:
    """`size` agents and a population of as many, of one model."""
    cdef freeagent_model* model
    cdef freeagent_population* population
    cdef freeagent_agent** agents
    cdef int64_t size
    cdef int64_t num_factors

    def __init__(self, model, int64_t size):
        cdef int64_t i
        self.size, self.num_factors = size, model.num_factors
        _check(api.model_from_python(<PyObject*>model, &self.model))
        _check(api.population_new(self.model, size, 0, 0, &self.population))
        self.agents = <freeagent_agent**>calloc(size, sizeof(void*))
        for i in range(size):
            _check(api.agent_new(self.model, 0, i, &self.agents[i]))

    def __dealloc__(self):
        cdef int64_t i
        for i in range(self.size if self.agents != NULL else 0):
            api.agent_free(self.agents[i])
        api.population_free(self.population)
        api.model_free(self.model)
        free(self.agents)

    def step_agents(self, const int64_t[:, ::1] observations, int64_t repeats):
        """Return the seconds of a step of each agent in turn, one call each."""
        cdef int64_t[::1] actions = self._action(self.num_factors)
        cdef int64_t* action = &actions[0]
        cdef const int64_t* observation = &observations[0, 0]
        cdef freeagent_agent** agents = self.agents
        cdef int64_t k, i, n = observations.shape[1], m = self.num_factors, size = self.size
        cdef int code = 0
        begin = time.perf_counter()
        with nogil:
            for k in range(repeats):
                for i in range(size):
                    code |= api.agent_step(agents[i], observation + i * n, n, action, m)
        seconds = time.perf_counter() - begin
        _check(code)
        return seconds / repeats / self.size

    def step_kernels(self, const int64_t[::1] observation, int64_t repeats):
        """Return the seconds of a step's kernels alone, on the memory of the first agent."""
        cdef CoreTarget agent = (<AgentTarget>look_up(self.agents[0], AGENT)).made
        cdef SharedWorkspace* memory = agent.workspaces.take()
        agent.task.work = memory.work
        agent.task.observation.outcomes = <const Py_ssize_t*>&observation[0]
        begin = time.perf_counter()
        with nogil:
            run_kernels(&agent.task, &agent.source, repeats)
        seconds = time.perf_counter() - begin
        agent.core._rows.has_action[0] = agent.core._rows.has_policies[0] = 1
        agent.workspaces.give_back(memory)
        return seconds / repeats

    def restart(self):
        """Begin the first agent's episode, with the random numbers that it had at first."""
        cdef CoreTarget agent = (<AgentTarget>look_up(self.agents[0], AGENT)).made
        _check(api.agent_reset(self.agents[0]))
        agent.state.has_action = False
        agent.core.state["random"][:] = agent_streams(0, 0, 1)

    def step_population(self, const int64_t[:, ::1] observations, int64_t repeats):
        """Return the seconds of a call that steps all agents."""
        cdef int64_t[::1] actions = self._action(self.size * self.num_factors)
        cdef int64_t k, n = observations.shape[0] * observations.shape[1]
        cdef int code = 0
        begin = time.perf_counter()
        with nogil:
            for k in range(repeats):
                code |= api.population_step(self.population, &observations[0, 0], n, NULL, 0,
                                            &actions[0], actions.shape[0])
        seconds = time.perf_counter() - begin
        _check(code)
        return seconds / repeats

    cdef int64_t[::1] _action(self, int64_t count):
        return np.empty(count, dtype=np.int64)


# A step's kernels on an agent whose memory is at hand: beliefs, policies and the probabilities to
# choose by; their copy to the agent; the draw.
cdef void run_kernels(Task* task, RandomSource* source, int64_t repeats) noexcept nogil:
    cdef int64_t k
    for k in range(repeats):
        infer(task, 1, STEP)
        keep(task, STEP)
        draw_action(task.agent, task.choice, source, task.agent.action)
        task.agent.has_action = True
