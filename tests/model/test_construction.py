"""Arguments of a model: every one with bad values of every kind, and sizes out of reach."""

import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymdp.legacy.agent import Agent as Reference
from random_arrays import object_array

from freeagent_core import Agent, GenerativeModel, control
from freeagent_core.model import ARGUMENTS


def arguments(**changes):
    rng = np.random.default_rng(0)

    def columns(*shape):
        return rng.dirichlet(np.ones(shape[0]), size=shape[1:]).transpose(
            len(shape) - 1, *range(len(shape) - 1)
        )

    return {
        "A": object_array([columns(3, 3, 2), columns(2, 3, 2)]),
        "B": object_array([columns(3, 3, 2), columns(2, 2, 2)]),
        **changes,
    }


MASKED = np.ma.masked_array(np.ones(3), mask=[0, 1, 0])
BAD = [
    np.uint64(2**63), 2**64, -(2**64), 10**400, -1, 0, 1.5, np.nan, np.inf, -np.inf, 1j, "text",
    b"", "", None, [], (), {}, object(), np.ma.masked, MASKED, np.array(None), np.array([]),
    np.zeros((2, 2, 2, 2)), np.array(["a", "b"]), np.array([1, None], dtype=object), [[1], [1, 2]],
    [np.nan], [2**64], [-1], [None], {"num_iter": 2**64}, {"dF": np.ma.masked}, {"tau": "x"},
    {1: 2},
    object_array([np.ones(3), np.ones(2)]), object_array([MASKED, np.ones(2)]), [MASKED], range(3),
    np.datetime64("2020"), lambda: 0, True, np.bool_(True), np.array([True, False]), [[[2**63, 0]]],
    [[[np.uint64(2**63), 0]]],
]  # fmt: skip
ERRORS = ("ValueError", "TypeError", "NotImplementedError")


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(ARGUMENTS),
    bad=st.sampled_from(range(len(BAD))),
    algorithm=st.sampled_from(["VANILLA", "MMP"]),
)
def test_bad_values_of_every_argument(name, bad, algorithm):
    changes = {"inference_algo": algorithm, name: BAD[bad]}
    message = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            GenerativeModel(**arguments(**changes))
        except (ValueError, TypeError, NotImplementedError) as error:
            message = f"{type(error).__name__}: {error}"
    assert message is None or name in message
    assert message is None or message.split(":")[0] in ERRORS  # none of their descendants


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policy_len": 10**10}, "policy_len"),
        ({"policy_len": 10**6}, "policy_len"),
        ({"policy_len": 60000}, r"policy_len 60000 .* gives 4\*\*60000 policies"),
        ({"policy_len": 2**64}, "policy_len"),
        ({"policy_len": 10**13, "B": object_array([np.eye(3)[..., None], np.eye(2)[..., None]])},
         "policy_len"),
        ({"sophisticated": True, "si_horizon": 60}, "si_horizon 60"),
        ({"sophisticated": True, "si_horizon": 10**9}, "si_horizon"),
        ({"si_horizon": 2**64}, "si_horizon"),
        ({"H": object_array([np.eye(3)[0], np.eye(2)[0]]), "ii_depth": 10**9}, "ii_depth"),
        ({"inference_horizon": 2**64}, "inference_horizon"),
        ({"B": object_array([np.eye(2)[:, :, None]] * 65)}, "B must have at most 64 factors"),
    ],
)  # fmt: skip
def test_sizes_out_of_reach_are_refused_at_once(changes, message):
    begin = time.perf_counter()
    with pytest.raises(ValueError, match=message):
        GenerativeModel(**arguments(**changes))
    assert time.perf_counter() - begin < 5  # a hang, not a timing


@pytest.mark.parametrize("bad", [np.uint64(2**63), 2**64, -(2**64), np.int64(-1)])
def test_indices_that_no_integer_holds(bad):
    agent = Agent(**arguments())
    for observation in ([bad, 0], (bad, 0), np.array([bad, 0], dtype=object)):
        with pytest.raises(ValueError, match=r"observation\[0\] must be in 0 to 2"):
            agent.infer_states(observation)


def test_masked_arrays_in_calls():
    agent = Agent(**arguments())
    with pytest.raises(TypeError, match=r"observation\[0\] must be an integer"):
        agent.infer_states([np.ma.masked, 0])
    with pytest.raises(ValueError, match=r"observation\[0\] must not have masked"):
        agent.infer_states([MASKED, [1, 0]], distr_obs=True)
    A = np.ma.masked_array(np.eye(2), mask=[[0, 1], [0, 0]])
    with pytest.raises(ValueError, match=r"A\[0\] must not have masked"):
        GenerativeModel(A=A, B=np.eye(2)[:, :, None])


def test_no_algorithm_means_no_horizon():
    agent = Agent(**arguments(inference_algo=None, inference_horizon=5))
    assert (agent.inference_algo, agent.inference_horizon) == ("VANILLA", 1)


def test_message_passing_takes_preferences_of_the_policies_steps_without_utility():
    C = object_array([np.ones((3, 2)), np.ones((2, 2))])
    flags = {"inference_algo": "MMP", "policy_len": 2, "inference_horizon": 2, "C": C}
    with pytest.raises(ValueError, match=r"C\[0\] must have a column for each of the 3 steps"):
        Agent(**arguments(**flags))
    agents = [kind(**arguments(**flags, use_utility=False)) for kind in (Agent, Reference)]
    for t in range(3):
        for agent in agents:
            agent.infer_states([t % 3, t % 2])
            agent.infer_policies()
            agent.action = np.array([1.0, 0.0])
            agent.step_time()
        np.testing.assert_allclose(agents[0].q_pi, agents[1].q_pi, atol=1e-9)
        np.testing.assert_allclose(agents[0].G, agents[1].G, atol=1e-8)
    with pytest.raises(ValueError, match=r"use_utility needs a C\[0\] of 3 columns"):
        agents[0].use_utility = True
    assert not agents[0].use_utility
    agents[0].infer_policies()


def test_controlled_factors_only_by_explicit_policies():
    model = arguments()
    policies = control.construct_policies([3, 2], [2, 1], policy_len=2)
    agent = Agent(**model, policies=policies, control_fac_idx=[0])
    assert len(agent.policies) == 4
    assert all((policy[:, 1] == 0).all() for policy in agent.policies)
    assert len(Agent(**model, policy_len=2, control_fac_idx=[0]).policies) == 16  # as pymdp
    assert len(Reference(**model, policy_len=2, control_fac_idx=[0]).policies) == 16


@pytest.mark.parametrize("weights", [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.125, 0.375, 0.5]])
@pytest.mark.parametrize("alpha", [1.0, 2.0, 16.0])
def test_draws_from_marginals_that_are_equal_to_the_bit(weights, alpha):
    model = {
        "A": np.ones((2, 2)) / 2,
        "B": np.repeat(np.eye(2)[:, :, None], 3, axis=2),
        "E": np.array(weights),
        "use_utility": False,
        "use_states_info_gain": False,
        "action_selection": "stochastic",
        "alpha": alpha,
    }
    agent, reference = Agent(**model), Reference(**model)
    for each in (agent, reference):
        each.infer_states([0])
        each.infer_policies()
    agent.q_pi, reference.q_pi = np.array(weights), np.array(weights)
    for seed in range(300):
        np.random.seed(seed)
        expected = reference.sample_action()
        state = np.random.get_state()
        np.random.seed(seed)
        np.testing.assert_array_equal(agent.sample_action(), expected)
        np.testing.assert_equal(np.random.get_state(), state)
