"""A step happens or does not: what a caller has written wrongly is found before it is kept."""

import copy
import pickle

import numpy as np
import pytest

from freeagent_core import Agent

HELD = ["curr_timestep", "action", "qs", "q_pi", "G", "F", "prev_obs", "prev_actions"]
HELD += ["qs_hist", "q_pi_hist", "latest_belief"]


def arguments_of(**changes):
    rng = np.random.default_rng(0)
    A, B = rng.random((3, 4)), rng.random((4, 4, 2))
    return {"A": A / A.sum(axis=0), "B": B / B.sum(axis=0), "save_belief_hist": True, **changes}


def passing_agent(kind=Agent):
    """Return an agent whose next step, of a full window, averages over policies."""
    agent = kind(**arguments_of(inference_algo="MMP", inference_horizon=3, policy_len=2))
    agent.edge_handling_params = {"use_BMA": True, "policy_sep_prior": False}
    np.random.seed(0)
    for _ in range(2):  # pymdp averages by the first entry after the third
        agent.step([1])
    return agent


def held_by(agent):
    return pickle.dumps([getattr(agent, name) for name in HELD])


class Marked(Agent):
    """Its step is made of calls."""

    def infer_policies(self):
        return super().infer_policies()


WRONG = {
    "too many axes": (np.ones((2, 4)), "shape"),
    "a number": (1.0, "shape"),
    "ragged": ([[1.0], [1.0, 2.0]], "shape"),
    "negative": (np.full(4, -1.0), "negative"),
    "nan": (np.full(4, np.nan), "finite"),
    "text": (["x"] * 4, "real number"),
}


def first_of(agent, entry):
    """Let the history's entries be this one."""
    agent.q_pi_hist[:] = [entry] * len(agent.q_pi_hist)


@pytest.mark.parametrize("entry", WRONG)
def test_a_wrong_posterior_in_the_history_is_found_before_the_step(entry):
    agent = passing_agent()
    right = list(agent.q_pi_hist)
    value, message = WRONG[entry]
    first_of(agent, value)
    before, random_numbers = held_by(agent), np.random.get_state()[1:3]
    with pytest.raises((TypeError, ValueError), match=f"q_pi_hist.*{message}"):
        agent.step([2])
    assert held_by(agent) == before
    np.testing.assert_equal(np.random.get_state()[1:3], random_numbers)
    agent.q_pi_hist[:] = right
    twin = passing_agent()
    np.testing.assert_array_equal(agent.step([2]), twin.step([2]))
    assert held_by(agent) == held_by(twin)


@pytest.mark.parametrize("kind", [Agent, Marked])
def test_a_wrong_posterior_in_the_history_before_an_action(kind):
    agent = passing_agent(kind)
    agent.infer_states([2])
    agent.infer_policies()
    right, now = list(agent.q_pi_hist), agent.curr_timestep
    first_of(agent, np.full(4, -1.0))
    actions = len(agent.prev_actions)
    with pytest.raises(ValueError, match="q_pi_hist"):
        agent.sample_action()
    assert agent.curr_timestep == now
    assert len(agent.prev_actions) == actions
    agent.q_pi_hist[:] = right
    agent.sample_action()
    assert agent.curr_timestep == now + 1


def test_wrong_sequences_before_an_action():
    agent = passing_agent()
    agent.infer_states([2])
    agent.infer_policies()
    twin = copy.deepcopy(agent)
    before = [agent.curr_timestep, len(agent.prev_actions), agent.action.copy()]
    right = agent.qs[1][0]
    agent.qs[1][0] = np.array([np.full(9, 1 / 9)], dtype=object)
    random_numbers = np.random.get_state()
    with pytest.raises(ValueError, match="qs"):
        agent.sample_action()
    now = [agent.curr_timestep, len(agent.prev_actions), agent.action.copy()]
    np.testing.assert_equal(now, before)
    agent.qs[1][0] = right
    np.random.set_state(random_numbers)
    action = agent.sample_action()
    np.random.set_state(random_numbers)
    np.testing.assert_array_equal(action, twin.sample_action())


def test_a_posterior_of_other_policies_counts_as_far_as_both_go():
    agent = passing_agent()
    agent.q_pi_hist[:] = [np.array([0.5, 0.5])] * len(agent.q_pi_hist)
    agent.step([2])
    expected = 0.5 * (agent.qs[0][0][0] + agent.qs[1][0][0])
    np.testing.assert_allclose(agent.latest_belief[0], expected)


@pytest.mark.parametrize("qs", [(), [], np.empty(0, dtype=object), np.empty(3, dtype=object)])
def test_a_state_without_sequences_is_refused(qs):
    agent = passing_agent()
    state = pickle.loads(pickle.dumps(agent.__getstate__()))
    state["core"]["qs"] = qs
    with pytest.raises(ValueError, match="qs must have an entry per policy"):
        Agent.__new__(Agent).__setstate__(state)
