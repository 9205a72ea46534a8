"""What managers keep and return per agent, compiled: at 30 agents of 25 us a tick these loops
in Python were 17 % of the inference (benchmarks/coordination.py)."""

import time
from collections import deque

import numpy as np

from freeagent_core._agent.calls cimport steps_natively, synchronised_core

from freeagent_core._kernels.base.state_lock import StateLock
from freeagent_core.agent import Agent

cdef object _deque = deque
cdef object _monotonic = time.monotonic
cdef object _sleep = time.sleep

KEPT_DURATIONS = 256  # per agent, for its quantiles
# A considerate tick sleeps for a moment after as many agents: an event loop gets the GIL.
cdef Py_ssize_t RECORDS_PER_YIELD = 50
cdef double NAP = 1e-6


cdef class TaskResult:
    """The outcome of one operation of one agent.

    Attributes
    ----------
    agent_id : hashable
    success : bool
    result : object
        What the operation returned: of a step, the action. None where it failed.
    error : Exception or None
        `StepTimeoutError` where the time was up: an agent that had not begun is unchanged.
    execution_time : float
        Seconds that the operation took, without waiting; 0 where it did not run.
    """

    def __init__(self, agent_id, bint success, result=None, error=None,
                 double execution_time=0.0):
        self.agent_id = agent_id
        self.success = success
        self.result = result
        self.error = error
        self.execution_time = execution_time

    def __repr__(self):
        return (f"TaskResult(agent_id={self.agent_id!r}, success={self.success!r}, "
                f"result={self.result!r}, error={self.error!r}, "
                f"execution_time={self.execution_time!r})")

    def __reduce__(self):
        return TaskResult, (self.agent_id, self.success, self.result, self.error,
                            self.execution_time)


cdef TaskResult _succeeded(Record record, object result, double seconds):
    cdef TaskResult made = TaskResult.__new__(TaskResult)
    made.agent_id = record.agent_id
    made.success = True
    made.result = result
    made.execution_time = seconds
    return made


cdef class Record:
    """One registered agent. `lock` is held while the agent is at work."""

    def __init__(self, agent_id, agent):
        self.agent_id = agent_id
        self.agent = agent
        self.lock = StateLock()
        self.durations = _deque(maxlen=KEPT_DURATIONS)

    cpdef note(self, double seconds, error=None):
        """Count an operation that ran."""
        self.count += 1
        self.durations.append(seconds)
        self.last = seconds
        if error is not None:
            self.errors += 1
            self.last_error = error

    def statistics(self):
        """Return count, errors, last_error, and mean, p50 and p99 of the last durations (s)."""
        durations = np.array(self.durations)
        known = len(durations) > 0
        return {
            "count": self.count,
            "errors": self.errors,
            "last_error": self.last_error,
            "mean": float(durations.mean()) if known else 0.0,
            "p50": float(np.quantile(durations, 0.5)) if known else 0.0,
            "p99": float(np.quantile(durations, 0.99)) if known else 0.0,
        }


def expected_seconds(list records):
    """Return the sum of the last durations and the longest; infinite where one is unknown."""
    cdef Record record
    cdef double total = 0.0, most = 0.0
    for record in records:
        if record.last == 0.0:
            return float("inf"), float("inf")
        total += record.last
        most = max(most, record.last)
    return total, most


def split_natively(list records, list observations, bint considerate):
    """Return pairs of record and observation: those whose step may be part of a `StepBatch`,
    each agent once, and the others."""
    cdef Record record
    cdef Py_ssize_t i
    cdef list native = [], others = []
    cdef set seen = set()
    for i in range(len(records)):
        if considerate and i % RECORDS_PER_YIELD == RECORDS_PER_YIELD - 1:
            _sleep(NAP)
        record = records[i]
        agent = record.agent
        if isinstance(agent, Agent) and steps_natively(agent) and id(agent) not in seen:
            seen.add(id(agent))
            native.append((record, observations[i]))
        else:
            others.append((record, observations[i]))
    return native, others


def count_failures(dict results):
    """Return how many results have no success."""
    cdef TaskResult result
    cdef Py_ssize_t failures = 0
    for result in results.values():
        failures += not result.success
    return failures


def begin_steps(list pairs, deadline, bint considerate, dict results, list ready):
    """Lock agents and do what comes before their cores' step.

    Parameters
    ----------
    pairs : list of (Record, observation)
    deadline : float or None
        On the monotonic clock. An agent that is at work until then is left out.
    considerate : bool
        Give the GIL away now and then.
    results : dict
        Gets the result of an agent that fails here.
    ready : list of Record
        Empty; gets the agents that are locked now. The caller has it before they are, and
        unlocks them: Ctrl-C may come with this function's return.

    Returns
    -------
    cores, observations : list
        Of these agents.
    """
    cdef Record record
    cdef Py_ssize_t i
    cdef list cores = [], observations = []
    for i in range(len(pairs)):
        if considerate and i % RECORDS_PER_YIELD == RECORDS_PER_YIELD - 1:
            _sleep(NAP)
        record, observation = pairs[i]
        ready.append(record)  # there is memory before it is locked
        try:
            is_locked = (record.lock.acquire() if deadline is None else
                         record.lock.acquire(timeout=max(deadline - _monotonic(), 0)))
        except BaseException:
            ready.pop()
            raise
        if not is_locked:
            ready.pop()
            continue
        agent = record.agent
        try:
            core = synchronised_core(agent)
        except Exception as error:  # what was assigned does not fit
            ready.pop()
            record.lock.release()
            record.note(0.0, error)
            results[record.agent_id] = TaskResult(record.agent_id, False, None, error)
            continue
        cores.append(core)
        observations.append(observation)
    return cores, observations


def end_steps(batch, list ready, bint considerate, dict results):
    """End a `StepBatch`, if it is loaded, and write the results; what was not begun has none. One
    call, so that Ctrl-C, which Python looks for after calls, finds all results there."""
    cdef Record record
    cdef Py_ssize_t i
    cdef list actions, durations, errors
    if not batch.is_loaded:
        return
    actions, durations = batch.results(considerate)
    errors = batch.errors
    for i in range(len(ready)):
        if considerate and i % RECORDS_PER_YIELD == RECORDS_PER_YIELD - 1:
            _sleep(NAP)
        record = ready[i]
        seconds = durations[i]
        action = actions[i]
        error = errors[i]
        if action is not None:
            record.note(seconds)
            results[record.agent_id] = _succeeded(record, action, seconds)
        elif error is not None:
            record.note(seconds, error)
            results[record.agent_id] = TaskResult(record.agent_id, False, None, error, seconds)
    if batch.interruption is not None:
        raise batch.interruption


def end_locks(list ready):
    """Unlock agents."""
    cdef Record record
    for record in ready:
        record.lock.release()
