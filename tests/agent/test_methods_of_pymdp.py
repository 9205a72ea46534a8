"""Subclasses that copy methods of pymdp's `Agent`: its own functions run on this project's agent.

Scripts that change how an agent infers or plans copy pymdp's method and change a line of it; the
copy reads and assigns `qs`, `F`, `q_pi`, `prev_obs` and what else pymdp keeps.
"""

import copy
import pickle

import numpy as np
import pymdp.legacy.agent
import pytest

from freeagent_core import Agent, utils

Reference = pymdp.legacy.agent.Agent
METHODS = ["infer_states", "infer_policies", "sample_action", "update_A", "update_D", "reset",
           "step_time", "set_latest_beliefs", "get_future_qs"]  # fmt: skip
ALGORITHMS = {
    "VANILLA": {"save_belief_hist": True},
    "MMP averaged": {"inference_algo": "MMP", "inference_horizon": 2},
    "MMP by policy": {
        "inference_algo": "MMP",
        "inference_horizon": 3,
        "use_BMA": False,
        "policy_sep_prior": True,
        "save_belief_hist": True,
    },
}


def arguments(**more):
    np.random.seed(0)
    A = utils.random_A_matrix([3, 2], [3, 2])
    C = utils.obj_array_zeros([3, 2])
    C[0][1] = 1.5
    return {
        "A": A,
        "B": utils.random_B_matrix([3, 2], [2, 1]),
        "C": C,
        "pA": utils.dirichlet_like(A, scale=3.0),
        "pD": utils.dirichlet_like(utils.obj_array_uniform([3, 2])),
        "policy_len": 2,
        **more,
    }


def numbers(value):
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
        return np.concatenate([np.zeros(0), *map(numbers, value)])
    return np.zeros(0) if value is None else np.ravel(np.asarray(value, dtype=float))


def episodes(kind, **more):
    agent = kind(**arguments(**more))
    trace = []
    for episode in range(2):
        for t in range(4):
            np.random.seed(10 * episode + t)
            trace.append(copy.deepcopy(agent.infer_states([t % 3, (t + episode) % 2])))
            trace += [np.array(each) for each in agent.infer_policies()]
            trace.append(np.array(agent.sample_action()))
            if "inference_algo" not in more:  # pymdp's fails with message passing
                trace.append(copy.deepcopy(agent.update_A([t % 3, 1])))
        qs_t0 = None if "inference_algo" in more else copy.deepcopy(agent.qs)
        trace.append(copy.deepcopy(agent.update_D(qs_t0)))
        trace.append(copy.deepcopy(agent.reset()))
        if "inference_algo" in more:
            trace.append(np.array(agent.F))
    return [numbers(each) for each in trace]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("methods", [*([name] for name in METHODS), METHODS], ids="+".join)
def test_methods_of_pymdp_run_on_our_agent(algorithm, methods):
    kind = type("Copied", (Agent,), {name: getattr(Reference, name) for name in methods})
    more = ALGORITHMS[algorithm]
    ours, theirs = episodes(kind, **more), episodes(Reference, **more)
    assert len(ours) == len(theirs)
    for mine, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=0, atol=1e-8)


def test_F_of_a_vanilla_agent_is_the_callers_own():
    agent = Agent(np.eye(2), np.eye(2)[:, :, None])
    assert not hasattr(agent, "F")
    agent.F = 1.5
    for each in (agent, copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))):
        assert each.F == 1.5


def test_F_stays_with_reset_and_in_copies():
    agent = Agent(**arguments(**ALGORITHMS["MMP averaged"]))
    agent.step([0, 1])
    F = agent.F.copy()
    agent.reset()
    for each in (agent, copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))):
        np.testing.assert_array_equal(each.F, F)
    agent.step([1, 1])
    assert not np.array_equal(agent.F, F)


def test_sequences_assigned_before_the_first_inference_count():
    more = ALGORITHMS["MMP averaged"]
    source, agent, reference = (kind(**arguments(**more)) for kind in (Agent, Agent, Reference))
    qs = source.infer_states([2, 0])
    for each in (agent, reference):
        each.qs = copy.deepcopy(qs)
    np.testing.assert_allclose(agent.get_future_qs()[0][0][0], qs[0][0][0])
    reference.F = agent.F = source.F.copy()
    for mine, theirs in zip(agent.infer_policies(), reference.infer_policies(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-8)


def test_sequences_with_empty_entries_are_none():
    agent = Agent(**arguments(**ALGORITHMS["MMP averaged"]))
    agent.infer_states([0, 1])
    agent.qs = utils.obj_array(len(agent.policies))
    with pytest.raises(AttributeError, match="infer_states"):
        agent.infer_policies()


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("F", np.zeros(3), ValueError, r"F must have shape \(4,\)"),
        ("F", [0.0, np.ones(2), 1.0, 2.0], ValueError, r"F must have shape \(4,\)"),
        ("F", np.array([0.0, np.nan, 1.0, 2.0]), ValueError, r"F\[1\] must be finite"),
        ("qs", 1.0, TypeError, r"qs must be an object array of \[policy\]\[step\]\[factor\]"),
        ("qs", np.ones(4), TypeError, r"qs\[0\] must be an object array of"),
    ],
)
def test_bad_assignments_with_message_passing(name, value, error, message):
    agent = Agent(**arguments(**ALGORITHMS["MMP averaged"]))
    agent.infer_states([0, 1])
    before = numbers(getattr(agent, name))
    with pytest.raises(error, match=message):
        setattr(agent, name, value)
    np.testing.assert_array_equal(numbers(getattr(agent, name)), before)
