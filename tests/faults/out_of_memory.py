"""Run by test_out_of_memory.py, with an allocator whose n-th call fails (failing_allocator.c).

Each scenario is tried with the first allocation failing, then the second, until there is none
that fails. It must raise a MemoryError or succeed, and what there was before is as it was. The
scenario prints how many allocations failed.
"""

import contextlib
import copy
import ctypes
import sys

import numpy as np

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core._kernels.agents.step_batch import StepBatch

LIBRARY = ctypes.CDLL(None)  # has failing_allocator.c's functions where that is preloaded
MAX_ALLOCATIONS = 5000


def arrays(learns):
    rng = np.random.default_rng(0)
    A = np.empty(2, dtype=object)
    B = np.empty(2, dtype=object)
    for m, num_obs in enumerate((3, 2)):
        likelihood = rng.random((num_obs, 3, 2)) + 0.1
        A[m] = likelihood / likelihood.sum(axis=0)
    for f, num_states in enumerate((3, 2)):
        transitions = rng.random((num_states, num_states, 2)) + 0.1
        B[f] = transitions / transitions.sum(axis=0)
    return {"A": A, "B": B, **({"pA": A * 2, "pB": B * 2} if learns else {})}


KINDS = {
    "tree": {"policy_len": 3},
    "graph": {},
    "enumerated": {"policy_len": 16, "sampling_mode": "full"},
    "MMP": {"inference_algo": "MMP", "policy_len": 2, "inference_horizon": 2},
    "sophisticated": {"sophisticated": True, "si_horizon": 2},
    "learning": {"policy_len": 2},
}


def arguments_of(kind):
    arguments = arrays(kind == "learning")
    if kind in ("graph", "enumerated"):
        arguments["B"] = np.empty(2, dtype=object)
        arguments["B"][0] = np.stack([np.roll(np.eye(3), k, axis=0) for k in range(2)], axis=-1)
        arguments["B"][1] = np.stack([np.eye(2)], axis=-1)
    return {**arguments, **KINDS[kind]}


def model_of(kind):
    return GenerativeModel(**arguments_of(kind))


def with_failing(n, call, all_libraries):
    """Return what `call` returns, or None for a MemoryError, with the n-th allocation failing;
    and whether there was an n-th."""
    result = None
    LIBRARY.fail_allocation(n, all_libraries)
    try:
        result = call()
    except MemoryError:
        pass
    finally:
        failed = LIBRARY.num_failed_allocations()
        LIBRARY.fail_allocation(-1, True)
    return result, failed


def making(kind):
    """A model and an agent, or a population: a MemoryError or whole. NumPy's functions, which
    packing uses, crash themselves where memory runs out: their allocations do not fail here."""
    np.random.seed(0)
    expected = Agent.from_model(model_of(kind)).step([0, 1])
    for n in range(MAX_ALLOCATIONS):
        arguments = arguments_of(kind)
        agent, failed = with_failing(
            n, lambda a=arguments: Agent.from_model(GenerativeModel(**a)), False
        )
        if agent is not None:
            np.random.seed(0)
            np.testing.assert_array_equal(agent.step([0, 1]), expected)
        if not failed:
            break
    model = model_of(kind)
    expected = Population(model, 3, seed=0).step([[0, 1]] * 3)
    for m in range(MAX_ALLOCATIONS):
        population, failed = with_failing(m, lambda: Population(model, 3, seed=0), False)
        if population is not None:
            np.testing.assert_array_equal(population.step([[0, 1]] * 3), expected)
        if not failed:
            return n + m
    raise AssertionError("there is no end of allocations")


def numbers(nested):
    """Return all numbers of nested object arrays, such as MMP's ``qs``, in one array."""
    flat = []

    def add(value):
        if isinstance(value, np.ndarray) and value.dtype == object:
            for item in value:
                add(item)
        elif value is not None:
            flat.append(np.asarray(value, dtype=float))

    add(nested)
    return np.concatenate(flat)


CALLS = {
    "step": lambda agent: agent.step([0, 1]),
    "infer_states": lambda agent: agent.infer_states([0, 1]),
    "infer_policies": lambda agent: agent.infer_policies()[0],
    "update_A": lambda agent: agent.update_A([0, 1])[0],
}


def stepping(kind, name):
    """A call of a new agent fails and leaves it as it was, so that it can be made again."""
    for n in range(MAX_ALLOCATIONS):
        agent, twin = (Agent.from_model(model_of(kind)) for _ in range(2))
        if name in ("infer_policies", "update_A"):
            agent.infer_states([0, 1])
            twin.infer_states([0, 1])
        call = CALLS[name]
        before = numbers(agent.qs)
        np.random.seed(0)
        result, failed = with_failing(n, lambda a=agent, call=call: call(a), True)
        if result is None:
            assert agent.curr_timestep == 0, n
            assert agent.action is None, n
            np.testing.assert_array_equal(numbers(agent.qs), before, err_msg=str(n))
            np.random.seed(0)
            result = call(agent)
        np.random.seed(0)
        expected = call(twin)
        np.testing.assert_array_equal(numbers(result), numbers(expected), err_msg=str(n))
        if not failed:
            return n
    raise AssertionError("there is no end of allocations")


HELD = ["curr_timestep", "action", "qs", "q_pi", "G", "prev_obs", "prev_actions"]
HELD += ["qs_hist", "q_pi_hist", "latest_belief"]


def held_by(agent):
    """Return what callers see of an agent, with its histories, and of the random numbers."""

    def values(value):
        if isinstance(value, np.ndarray) and value.dtype != object:
            return value.tobytes()
        if isinstance(value, (list, tuple, np.ndarray)):
            return [values(item) for item in value]
        return value

    seen = {"random numbers": np.random.get_state()[1:3]}
    for name in HELD:
        with contextlib.suppress(AttributeError):  # not set yet, or not of this algorithm
            seen[name] = getattr(agent, name)
    return {name: values(value) for name, value in seen.items()}


def making_objects(kind, name):
    """A call in which Python has no memory for the n-th object leaves an agent and its histories
    as they were. Lists of four entries: the next one needs memory."""
    from _testcapi import remove_mem_hooks, set_nomemory

    agent = Agent(**arguments_of(kind), save_belief_hist=True)
    np.random.seed(0)
    for _ in range(4):
        agent.step([1, 0])
    if name != "step":
        agent.infer_states([0, 1])
    if name == "sample_action":
        agent.infer_policies()
    call = {**CALLS, "sample_action": Agent.sample_action}[name]
    before, random_numbers = held_by(agent), np.random.get_state()
    twin = copy.deepcopy(agent)
    call(twin)
    after = held_by(twin)
    failures = successes = 0
    while successes < 3:  # one that fails may not be needed
        np.random.set_state(random_numbers)
        tried = copy.deepcopy(agent)
        held_by(tried)
        start = failures + successes
        try:
            set_nomemory(start, start + 1)
            call(tried)
        except MemoryError:
            remove_mem_hooks()
            failures, successes = failures + 1 + successes, 0
            now, expected = held_by(tried), before
        else:
            remove_mem_hooks()
            successes += 1
            now, expected = held_by(tried), after
        finally:
            remove_mem_hooks()
        different = [key for key in expected if now[key] != expected[key]]
        assert not different, (start, different)
    return failures


def stepping_a_population(kind):
    """An agent that lacks memory is as it was; the others have stepped."""
    observations = np.array([[0, 1], [1, 0], [2, 1]])
    for n in range(MAX_ALLOCATIONS):
        population, twin = (Population(model_of(kind), 3, num_threads=1, seed=0) for _ in range(2))
        expected = twin.step(observations)
        actions, failed = with_failing(n, lambda p=population: p.step(observations), True)
        if actions is None:
            missing = population.timesteps == 0
            population.step(observations, mask=missing)
        np.testing.assert_array_equal(population.actions, expected, err_msg=str(n))
        if not failed:
            return n
    raise AssertionError("there is no end of allocations")


def stepped(agents):
    """Step agents together; return the batch, which has the errors."""
    batch = StepBatch()
    batch.load([agent._core for agent in agents], [[0, 1]] * len(agents), None, 1, 1, False)
    try:
        batch.finish()
    finally:
        batch.results(False)
    return batch


def stepping_a_batch(kind):
    """Of agents that are stepped together, one that lacks memory is as it was."""
    model = model_of(kind)
    for n in range(MAX_ALLOCATIONS):
        agents, twins = ([Agent.from_model(model) for _ in range(3)] for _ in range(2))
        np.random.seed(0)
        batch, failed = with_failing(n, lambda a=agents: stepped(a), True)
        times = [agent.curr_timestep for agent in agents]
        expected = [0] * 3 if batch is None else [int(error is None) for error in batch.errors]
        assert times == expected, n
        assert [agent.action is not None for agent in agents] == [time == 1 for time in times], n
        for agent, twin in zip(agents, twins, strict=True):
            np.random.seed(0)
            if agent.curr_timestep == 0:
                agent.step([0, 1])
            np.random.seed(0)
            twin.step([0, 1])
            np.testing.assert_array_equal(numbers(agent.qs), numbers(twin.qs), err_msg=str(n))
            np.testing.assert_array_equal(agent.action, twin.action, err_msg=str(n))
        if not failed:
            return n
    raise AssertionError("there is no end of allocations")


def making_objects_of_a_batch(kind):
    """Agents that are stepped together, as `ThreadPoolManager` does it, while Python has no memory
    for the n-th object: each has stepped or is as it was. Lists of four entries, as above."""
    from _testcapi import remove_mem_hooks, set_nomemory

    agents = [Agent(**arguments_of(kind)) for _ in range(3)]
    np.random.seed(0)
    for _ in range(4):
        for agent in agents:
            agent.step([1, 0])
    random_numbers = np.random.get_state()

    def states(agents):
        return [{**held_by(agent), "random numbers": None} for agent in agents]

    twins = copy.deepcopy(agents)
    stepped(twins)
    before, after = states(agents), states(twins)
    failures = successes = 0
    while successes < 3:
        np.random.set_state(random_numbers)
        tried = copy.deepcopy(agents)
        states(tried)
        start, batch = failures + successes, None
        try:
            set_nomemory(start, start + 1)
            batch = stepped(tried)
        except MemoryError:
            pass
        finally:
            remove_mem_hooks()
        now = states(tried)
        as_before = [one == other for one, other in zip(now, before, strict=True)]
        if batch is None or any(as_before):
            failures, successes = failures + 1 + successes, 0
            assert batch is None or sum(as_before) == len([e for e in batch.errors if e]), start
        else:
            successes += 1
            assert now == after, start
        for i, agent in enumerate(now):
            # another agent's draw may be missing: then these draws are others
            assert as_before[i] or {**agent, "action": 0, "prev_actions": 0} == {
                **after[i], "action": 0, "prev_actions": 0
            }, (start, i)  # fmt: skip
        stepped(tried)  # nothing is locked, and all of them go on
    return failures


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
