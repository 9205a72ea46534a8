"""What callers write into an agent's arrays counts at its next call, as in pymdp."""

import copy
import gc

import numpy as np
import pytest
from environments import epistemic_bandit
from parity import G
from pymdp.legacy.agent import Agent as Reference
from random_arrays import object_array

from freeagent_core import Agent, GenerativeModel

NUM_STEPS = 3


def bandit(**flags):
    rng = np.random.default_rng(0)
    model = epistemic_bandit()
    pA = object_array([a + rng.random(a.shape) for a in model["A"]])
    pB = object_array([b + rng.random(b.shape) for b in model["B"]])
    pD = object_array([np.ones(2), np.ones(4)])
    return {**model, "policy_len": 2, "pA": pA, "pB": pB, "pD": pD, **flags}


def step(agent, observation):
    np.random.seed(3)
    agent.infer_states(observation)
    agent.infer_policies()
    return agent.sample_action()


def assert_same_episode_after(write, before=0, **flags):
    """Write into both agents after some steps; they must go on alike."""
    agent, reference = Agent(**bandit(**flags)), Reference(**bandit(**flags))
    kept = []
    for t in range(before + NUM_STEPS):
        for each in (agent, reference):
            if t == before:
                kept.append(write(each))
        observation = [t % 3, (t + 1) % 3, t % 4]
        np.testing.assert_array_equal(step(agent, observation), step(reference, observation))
        np.testing.assert_allclose(agent.G, reference.G, rtol=0, atol=G)
        np.testing.assert_allclose(agent.q_pi, reference.q_pi, rtol=0, atol=1e-9)
        for name in ("A", "B", "C", "D"):
            for mine, other in zip(getattr(agent, name), getattr(reference, name), strict=True):
                np.testing.assert_allclose(mine, other, atol=1e-12)
    return agent, reference


def rolled(array):
    return np.roll(array, 1, axis=0)


def assign_element(agent):
    agent.D[0] = np.array([0.9, 0.1])


def write_into_element(agent):
    agent.C[1][1] = 3.0


def write_whole(agent):
    agent.A[0][...] = rolled(agent.A[0])


def write_through_a_view(agent):
    column = agent.A[1][:, 0]
    column[...] = rolled(column)
    return column


def write_through_a_list(agent):
    arrays = list(agent.B)
    arrays[1][:, :, 0] = rolled(arrays[1][:, :, 0])
    return arrays


def write_E(agent):
    agent.E[:] = np.arange(1.0, 17.0) / np.arange(1.0, 17.0).sum()


def assign_whole(agent):
    agent.D = object_array([np.array([0.3, 0.7]), np.full(4, 0.25)])


def assign_whole_then_write(agent):
    D = np.empty(2, dtype=object)
    D[:] = [np.array([0.3, 0.7]), np.full(4, 0.25)]
    agent.D = D
    assert agent.D is D
    D[0] = np.array([0.6, 0.4])


def write_policies(agent):
    agent.policies[0][0, 1] = 3


def change_the_list_of_policies(agent):
    agent.policies.append(np.array([[0, 1], [0, 1]]))
    agent.E = np.ones(17) / 17


def write_policy_len(agent):
    agent.policy_len = 1


def write_num_iter(agent):
    agent.inference_params["num_iter"] = 1


def write_inert(agent):
    agent.H = object_array([np.eye(2)[0], np.eye(4)[1]])


WRITES = [
    assign_element, write_into_element, write_whole, write_through_a_view, write_through_a_list,
    write_E, assign_whole, assign_whole_then_write, write_policies, change_the_list_of_policies,
    write_num_iter, write_inert,
]  # fmt: skip


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("write", WRITES)
def test_writes(write, before):
    assert_same_episode_after(write, before)


# the two vary together: pymdp takes seconds for each episode
@pytest.mark.parametrize(("before", "save_belief_hist"), [(0, False), (2, True)])
@pytest.mark.parametrize(
    "write",
    [w for w in (*WRITES, write_policy_len) if w not in (write_num_iter,)],
)
def test_writes_with_message_passing(write, before, save_belief_hist):
    assert_same_episode_after(
        write,
        before,
        inference_algo="MMP",
        inference_horizon=3,
        pA=None,
        pB=None,
        pD=None,
        save_belief_hist=save_belief_hist,
    )


def test_policy_len_makes_no_other_policies():
    agent, reference = assert_same_episode_after(write_policy_len)
    assert agent.policy_len == reference.policy_len == 1
    assert len(agent.policies) == len(reference.policies) == 16


LEARNED_WRITES = {
    "A": lambda agent: agent.A[0].__setitem__(slice(None), rolled(agent.A[0])),
    "element of A": lambda agent: agent.A.__setitem__(0, rolled(agent.A[0])),
    "pA": lambda agent: agent.pA[0].__iadd__(1.0),
    "element of pA": lambda agent: agent.pA.__setitem__(0, agent.pA[0] + 2.0),
    "pB": lambda agent: agent.pB[1].__imul__(2.0),
    "D": lambda agent: agent.D[0].__setitem__(slice(None), [0.1, 0.9]),
    "pD": lambda agent: agent.pD[1].__iadd__(1.0),
}


@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize("name", LEARNED_WRITES)
def test_writes_after_learning(name, novelty):
    flags = {"use_param_info_gain": novelty}
    agent, reference = Agent(**bandit(**flags)), Reference(**bandit(**flags))
    for t in range(5):
        observation = [t % 3, (t + 1) % 3, t % 4]
        for each in (agent, reference):
            previous = copy.deepcopy(each.qs)
            step(each, observation)
            each.update_A(observation)
            each.update_B(previous)
            each.update_D(previous)
            if t == 2:
                LEARNED_WRITES[name](each)
        np.testing.assert_allclose(agent.G, reference.G, rtol=0, atol=G)
        for array in ("A", "B", "D", "pA", "pB", "pD"):
            for mine, other in zip(getattr(agent, array), getattr(reference, array), strict=True):
                np.testing.assert_allclose(mine, other, atol=1e-9)


def test_what_an_update_returns_is_live():
    agent, reference = Agent(**bandit()), Reference(**bandit())
    for each in (agent, reference):
        step(each, [0, 0, 0])
        qA = each.update_A([0, 1, 2])
        assert qA is each.pA
        qA[0] += 1.0
        before = [a.copy() for a in qA]
        each.update_A([0, 1, 2])
        for array, value in zip(qA, before, strict=True):
            np.testing.assert_array_equal(array, value)
    for mine, other in zip(agent.pA, reference.pA, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-12)


def test_other_agents_of_the_model_never_change():
    model = GenerativeModel(**bandit())
    first, second, twin = (Agent.from_model(model) for _ in range(3))
    for write in WRITES:
        write(first)
        step(first, [0, 0, 0])
    np.testing.assert_array_equal(step(second, [0, 0, 0]), step(twin, [0, 0, 0]))
    np.testing.assert_array_equal(second.G, twin.G)
    assert second.model is model


def test_an_agent_whose_arrays_nobody_holds_is_not_watched():
    agent = Agent(**bandit())
    step(agent, [0, 0, 0])
    assert not agent._core.is_watched
    view = agent.A[0][:, 0]
    assert agent.num_states == [2, 4]
    step(agent, [0, 0, 0])
    assert agent._core.is_watched
    del view
    gc.collect()
    step(agent, [0, 0, 0])
    assert not agent._core.is_watched
    held = agent.policies[3]
    step(agent, [0, 0, 0])
    assert agent._core.is_watched
    held[0, 1] = 2
    step(agent, [0, 0, 0])
    assert agent._model.policies[3][0, 1] == 2


def test_bad_writes_are_errors_until_they_are_mended():
    agent = Agent(**bandit())
    step(agent, [0, 0, 0])
    before = copy.deepcopy(agent.qs)
    A = agent.A
    A[0][0, 0, 0] = np.nan
    for _ in range(2):
        with pytest.raises(ValueError, match=r"A\[0\]\[0, 0, 0\] must be finite"):
            agent.infer_states([0, 0, 0])
    for mine, other in zip(agent.qs, before, strict=True):
        np.testing.assert_array_equal(mine, other)
    A[0] = bandit()["A"][0]
    step(agent, [0, 0, 0])
    states = agent.num_states
    states[0] = 5
    with pytest.raises(ValueError, match="num_states follows from the model"):
        agent.step([0, 0, 0])
    states[0] = 2
    agent.step([0, 0, 0])


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("prev_actions", [np.array([0.0, 9.0])], ValueError),
        ("prev_actions", 3, TypeError),
        ("qs_hist", [[np.ones(3)]], ValueError),
        ("qs_hist", 3, TypeError),
        ("edge_handling_params", {}, ValueError),
        ("inference_params", {"num_iter": -1}, ValueError),
        ("control_fac_idx", [0], AttributeError),
        ("num_controls", [1, 4], AttributeError),
        ("num_states", [1, 4], AttributeError),
        ("inference_horizon", 2, AttributeError),
        ("policy_len", 0, ValueError),
    ],
)
def test_bad_values_are_refused_when_assigned(name, value, error):
    agent = Agent(**bandit(save_belief_hist=True))
    before = getattr(agent, name)
    with pytest.raises(error, match=name.split("_")[0]):
        setattr(agent, name, value)
    assert getattr(agent, name) == before


def test_bad_latest_beliefs_are_refused_when_assigned():
    agent = Agent(**bandit(inference_algo="MMP", inference_horizon=2, pA=None, pB=None))
    with pytest.raises(ValueError, match="latest_belief"):
        agent.latest_belief = object_array([np.ones(3), np.ones(4)])
    with pytest.raises(TypeError, match="latest_belief"):
        agent.latest_belief = 3
    agent.step([0, 0, 0])


@pytest.mark.parametrize("on_class", [False, True])
def test_step_calls_what_is_put_in_the_place_of_a_part(monkeypatch, on_class):
    agent, seen = Agent(**bandit()), []
    plain = Agent.infer_states

    def infer_states(self, observation, distr_obs=False):
        seen.append(observation)
        return plain(self, observation, distr_obs)

    agent.step([0, 0, 0])
    with monkeypatch.context() as patch:
        if on_class:
            patch.setattr(Agent, "infer_states", infer_states)
        else:
            patch.setattr(agent, "infer_states", infer_states.__get__(agent))
        agent.step([1, 0, 0])
    agent.step([0, 0, 0])
    assert seen == [[1, 0, 0]]
    assert agent.curr_timestep == 3


class StepsItself:
    """An observation whose conversion steps the agent that observes it."""

    def __init__(self, agent, value):
        self.agent, self.value, self.errors = agent, value, []

    def __index__(self):
        try:
            self.agent.step([0, 0, 0])
        except RuntimeError as error:
            self.errors.append(error)
        return self.value


def test_an_observation_that_steps_the_agent_neither_hangs_nor_counts_twice():
    agent = Agent(**bandit())
    observation = StepsItself(agent, 1)
    agent.step([observation, 0, 0])
    assert agent.curr_timestep == 2
    assert not observation.errors


@pytest.mark.parametrize("name", ["qs", "F"])
def test_bad_sequences_are_refused_when_assigned(name):
    flags = {"inference_algo": "MMP", "inference_horizon": 2, "pA": None, "pB": None}
    agent, twin = Agent(**bandit(**flags)), Agent(**bandit(**flags))
    for each in (agent, twin):
        each.infer_states([0, 0, 0])
    bad = copy.deepcopy(getattr(agent, name))
    (bad[3][1][0] if name == "qs" else bad)[0] = np.nan
    with pytest.raises(ValueError, match="must be finite"):
        setattr(agent, name, bad)
    np.testing.assert_array_equal(agent.infer_policies()[1], twin.infer_policies()[1])
