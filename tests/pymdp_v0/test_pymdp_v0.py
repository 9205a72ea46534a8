"""``freeagent_core.pymdp_v0.Agent`` against golden data of pymdp 0.0.7.1 itself."""

import json
from pathlib import Path

import numpy as np
import pytest
from parity import BELIEFS, G, assert_same_beliefs, draw_hangs_on_rounding, nearly_equal
from random_arrays import object_array

import freeagent_core
from freeagent_core import GenerativeModel
from freeagent_core.pymdp_v0 import Agent

GOLDEN = np.load(Path(__file__).parent.parent / "golden" / "pymdp_v0.npz")
CASES = json.loads(str(GOLDEN["cases"]))


def unpack():
    """Return the arrays of each name, which the file holds one after the other."""
    numbers, start, arrays = GOLDEN["numbers"], 0, {}
    for name, shapes in json.loads(str(GOLDEN["shapes"])).items():
        arrays[name] = []
        for shape in shapes:
            size = int(np.prod(shape))
            arrays[name].append(numbers[start : start + size].reshape(shape))
            start += size
    assert start == len(numbers)
    return arrays


ARRAYS = unpack()


def load(case, name):
    values = ARRAYS.get(f"{case}/{name}")
    return None if values is None else object_array(values)


class Expected:
    """What `draw_hangs_on_rounding` asks of a reference agent."""

    def __init__(self, agent, q_pi):
        self.q_pi = q_pi
        self.policies = agent.policies
        self.num_controls = agent.num_controls
        self.sampling_mode = agent.sampling_mode
        self.action_selection = "stochastic"  # 0.0.7.1's argmax hangs on rounding as well


@pytest.mark.parametrize("case", range(len(CASES)))
def test_golden_episode(case):
    names = ("A", "B", "C", "D", "pA", "pB", "pD")
    model = {name: load(case, name) for name in names if load(case, name) is not None}
    agent = Agent(**model, **CASES[case]["settings"])
    before = None
    for t, observation in enumerate(CASES[case]["observations"]):
        np.random.seed(t)
        qs = load(case, f"{t}/qs")
        agent.infer_states(observation)
        if agent.inference_algo == "MMP":
            assert_same_beliefs(
                [np.concatenate([q for step in each for q in step]) for each in agent.qs], qs
            )
            np.testing.assert_allclose(agent.F, load(case, f"{t}/F")[0], rtol=1e-12, atol=G)
        else:
            assert_same_beliefs(agent.qs, qs)
        q_pi, G_, action = load(case, f"{t}/policies")
        agent.infer_policies()
        np.testing.assert_allclose(agent.G, G_, rtol=1e-12, atol=G)
        np.testing.assert_allclose(agent.q_pi, q_pi, rtol=0, atol=BELIEFS)
        mine = agent.sample_action()
        if draw_hangs_on_rounding(Expected(agent, q_pi)):
            agent.action = agent.prev_actions[-1] = action
        else:
            np.testing.assert_array_equal(mine, action)
        if "pA" in model and agent.inference_algo != "MMP":
            learned = {"pA": agent.update_A(observation), "pD": agent.update_D(agent.qs)}
            if before is not None:
                learned["pB"] = agent.update_B(before)
            for name, values in learned.items():
                assert_same_beliefs(values, load(case, f"{t}/{name}"))
        before = agent.qs


def test_golden_data_covers_ties():
    """Some policies tie to the bit: 0.0.7.1's argmax then decides."""
    posteriors = [
        load(case, f"{t}/policies")[0]
        for case, spec in enumerate(CASES)
        for t in range(len(spec["observations"]))
    ]
    tied = [p for p in posteriors if len(p) > 1 and np.count_nonzero(p == p.max()) > 1]
    assert any(not nearly_equal(p) for p in tied)


def test_first_of_equals():
    """Where pymdp.legacy draws among equals, 0.0.7.1 takes the first, without a draw."""
    model = {"A": np.eye(3), "B": np.eye(3)[:, [0, 1, 2], None] * np.ones((1, 1, 4))}
    agent = Agent(**model)
    np.random.seed(0)
    before = np.random.get_state()
    assert [float(agent.step([0])[0]) for _ in range(10)] == [0.0] * 10
    np.testing.assert_equal(np.random.get_state(), before)
    legacy = freeagent_core.Agent(**model)
    assert len({float(legacy.step([0])[0]) for _ in range(30)}) == 4


def test_versions_do_not_mix():
    model = GenerativeModel(np.eye(2), np.eye(2)[:, :, None], pymdp_version="0.0.7.1")
    assert isinstance(Agent.from_model(model), Agent)
    with pytest.raises(ValueError, match="pymdp_version 'legacy'"):
        freeagent_core.Agent.from_model(model)


def test_too_many_joint_outcomes():
    A = object_array([np.full((200, 2), 1 / 200)] * 5)
    with pytest.raises(ValueError, match="joint probabilities"):
        Agent(A, np.eye(2)[:, :, None])
