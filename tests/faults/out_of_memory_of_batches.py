"""Run by test_out_of_memory.py: batches of `pymdp_v1`, with an allocator whose n-th call fails.

As in out_of_memory.py. Agents of `pymdp_v1` do not change; a call that has failed is made again, by
the same agent, and must return what it returns where no memory is missing.
"""

import sys

import numpy as np
from out_of_memory import MAX_ALLOCATIONS, arrays, with_failing

from freeagent_core.pymdp_v1 import Agent, random
from freeagent_core.pymdp_v1.envs import PymdpEnv, rollout
from freeagent_core.pymdp_v1.envs.rollout import default_policy_search
from freeagent_core.pymdp_v1.planning.si import si_policy_search

KEY = random.PRNGKey(0)


def agent_of(algorithm, learns, **options):
    model = {name: list(value) for name, value in arrays(learns).items()}
    if algorithm == "exact":  # one factor
        model = {name: [value[0].mean(axis=2) if name[-1] == "A" else value[0]]
                 for name, value in model.items()}  # fmt: skip
    if learns:
        options |= {"learn_A": True, "learn_B": True}
    options = {"batch_size": 3, "policy_len": 2, "action_selection": "stochastic", **options}
    return Agent(**model, inference_algo=algorithm, **options)


def run(algorithm, learns, **options):
    """Return a function of an agent that runs a few steps, made by Python or not."""

    def call(agent):
        env = PymdpEnv(agent.A, agent.B, agent.D, agent.A_dependencies, agent.B_dependencies)
        last, info = rollout(agent, env, 3, KEY, **options)
        return [info, last["agent"].A, last["agent"].B]

    return agent_of(algorithm, learns), call


def search():
    agent = agent_of("fpi", False, policy_len=1)
    grow = si_policy_search(horizon=2, entropy_stop_threshold=-1.0)

    def call(agent):
        q_pi, info = grow(agent, [d[:, None] for d in agent.D])
        return [q_pi, *(tree.node(0)["neg_efe"] for tree in info["tree"])]

    return agent, call


def with_info(algorithm):
    def call(agent):
        seen = [np.zeros((3, 2), int), np.ones((3, 2), int)]
        past = np.zeros((3, 1, 2), int)
        qs, info = agent.infer_states(seen, agent.D, past_actions=past, return_info=True)
        q_pi, G = agent.infer_policies(qs)
        return [qs, info, q_pi, G, agent.multiaction_probabilities(q_pi)]

    return agent_of(algorithm, False), call


def by_python(agent, qs, key):
    return default_policy_search(agent, qs, key)


SCENARIOS = {"search": search}
for name in ("fpi", "ovf", "exact", "mmp", "vmp"):
    for learns in (False, True):
        learning = " learns" if learns else ""
        SCENARIOS[f"{name}{learning}"] = lambda n=name, k=learns: run(n, k)
        SCENARIOS[f"{name}{learning} by Python"] = lambda n=name, k=learns: run(
            n, k, policy_search=by_python
        )
for name in ("mmp", "vmp"):
    SCENARIOS[f"{name} with info"] = lambda n=name: with_info(n)


def numbers(value):
    """Return all numbers of nested lists and dicts in one array."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return np.concatenate([np.zeros(0), *map(numbers, value)])
    return np.zeros(0) if value is None else np.asarray(value, dtype=float).ravel()


def calling(name):
    agent, call = SCENARIOS[name]()
    expected = numbers(call(agent))
    for n in range(MAX_ALLOCATIONS):
        agent, _ = SCENARIOS[name]()
        result, failed = with_failing(n, lambda a=agent: call(a), False)
        assert (result is None) <= (failed > 0), n
        if result is None:
            result = call(agent)
        np.testing.assert_array_equal(numbers(result), expected, err_msg=str(n))
        if not failed:
            return n
    raise AssertionError("there is no end of allocations")


if __name__ == "__main__":
    print(calling(sys.argv[1]))
