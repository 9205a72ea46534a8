"""The functions of `control` against those of ``pymdp.legacy``."""

import inspect

import numpy as np
import pymdp.legacy.control as theirs
import pytest
from comparison import assert_same
from hypothesis import given, settings
from hypothesis import strategies as st
from random_arrays import KINDS, distribution, object_array

from freeagent_core import control, utils

fast = settings(max_examples=30, deadline=None, derandomize=True)


def test_every_name_and_signature():
    names = {
        name
        for name, value in vars(theirs).items()
        if inspect.isfunction(value) and value.__module__ == theirs.__name__
    }
    for name in names:
        expected = list(inspect.signature(getattr(theirs, name)).parameters)
        assert list(inspect.signature(getattr(control, name)).parameters) == expected, name


def check(name, *arguments, **keywords):
    np.random.seed(1)
    expected = getattr(theirs, name)(*arguments, **keywords)
    state = np.random.get_state()
    np.random.seed(1)
    result = getattr(control, name)(*arguments, **keywords)
    if isinstance(expected, tuple):
        for a, b in zip(result, expected, strict=True):
            compare(a, b)
    else:
        compare(result, expected)
    np.testing.assert_equal(np.random.get_state(), state)


def compare(a, b):
    if isinstance(b, float | np.floating) or (isinstance(b, np.ndarray) and b.dtype != object):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
        assert np.shape(a) == np.shape(b)
    else:
        assert_same(a, b)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_states = draw(st.lists(st.integers(2, 3), min_size=1, max_size=3))
    num_obs = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    F = len(num_states)
    kind = draw(st.sampled_from(KINDS))
    lists = [sorted(draw(st.sets(st.integers(0, F - 1), min_size=1))) for _ in num_obs]
    own = [sorted(draw(st.sets(st.integers(0, F - 1), min_size=1))) for _ in num_states]
    controls = [draw(st.integers(1, 2)) for _ in num_states]
    policy_len = draw(st.integers(1, 2))

    def likelihoods(factor_lists):
        return object_array(
            distribution(rng, (n, *(num_states[f] for f in fs)), kind)
            for n, fs in zip(num_obs, factor_lists, strict=True)
        )

    return {
        "rng": rng,
        "num_states": num_states,
        "controls": controls,
        "lists": lists,
        "own": own,
        "A": likelihoods([list(range(F))] * len(num_obs)),
        "small": likelihoods(lists),
        "B": utils.random_B_matrix(num_states, controls),
        "wide": utils.random_B_matrix(num_states, controls, own),
        "C": object_array(rng.normal(size=n) for n in num_obs),
        "qs": object_array(distribution(rng, (n,), kind) for n in num_states),
        "policies": theirs.construct_policies(num_states, controls, policy_len),
    }


def parameters(arrays):
    return object_array(5.0 * a + 0.5 for a in arrays)


@fast
@given(p=problems(), flags=st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_evaluation(p, flags):
    E = p["rng"].dirichlet(np.ones(len(p["policies"])))
    for prior in (None, E):
        check(
            "update_posterior_policies",
            *(p[name] for name in ("qs", "A", "B", "C", "policies")),
            *flags, pA=parameters(p["A"]), pB=parameters(p["B"]), E=prior, gamma=2.0,
        )  # fmt: skip
        check(
            "update_posterior_policies_factorized",
            *(p[name] for name in ("qs", "small", "wide", "C", "lists", "own", "policies")),
            *flags, pA=parameters(p["small"]), pB=parameters(p["wide"]), E=prior, gamma=2.0,
        )  # fmt: skip
    sequences = object_array(
        object_array(
            object_array(distribution(p["rng"], (n,), "smooth") for n in p["num_states"])
            for _ in range(3)
        )
        for _ in p["policies"]
    )
    F = p["rng"].normal(size=len(p["policies"]))
    for free_energies in (None, F):
        check(
            "update_posterior_policies_full",
            sequences, *(p[name] for name in ("A", "B", "C", "policies")),
            *flags[:2], E=E, F=free_energies, gamma=2.0,
        )  # fmt: skip
        check(
            "update_posterior_policies_full_factorized",
            sequences,
            *(p[name] for name in ("small", "wide", "C", "lists", "own", "policies")),
            *flags[:2], E=E, F=free_energies, gamma=2.0,
        )  # fmt: skip


@fast
@given(p=problems())
def test_terms(p):
    policy = p["policies"][-1]
    arguments = {"get_expected_states": (p["qs"], p["B"], policy)}
    arguments["get_expected_states_interactions"] = (p["qs"], p["wide"], p["own"], policy)
    for name, given_ in arguments.items():
        check(name, *given_)
    qs_pi = control.get_expected_states(p["qs"], p["B"], policy)
    check("get_expected_obs", qs_pi, p["A"])
    check("get_expected_obs_factorized", qs_pi, p["small"], p["lists"])
    qo_pi = control.get_expected_obs(qs_pi, p["A"])
    small_qo = control.get_expected_obs_factorized(qs_pi, p["small"], p["lists"])
    timed = object_array(np.column_stack([c] * len(policy)) for c in p["C"])
    for C in (p["C"], timed):
        check("calc_expected_utility", qo_pi, C)
    check("calc_states_info_gain", p["A"], qs_pi)
    check("calc_states_info_gain_factorized", p["small"], qs_pi, p["lists"])
    check("calc_pA_info_gain", parameters(p["A"]), qo_pi, qs_pi)
    check("calc_pA_info_gain_factorized", parameters(p["small"]), small_qo, qs_pi, p["lists"])
    check("calc_pB_info_gain", parameters(p["B"]), qs_pi, p["qs"], policy)
    check("calc_pB_info_gain_interactions", parameters(p["wide"]), qs_pi, p["qs"], p["own"], policy)
    check("calc_ambiguity_factorized", qs_pi, p["small"], p["lists"])
    H = object_array(np.eye(n)[-1] for n in p["num_states"])
    check("backwards_induction", H, p["B"], None, 0.3, 4)
    reached = control.backwards_induction(H, p["B"], None, 0.3, 4)
    check("calc_inductive_cost", p["qs"], qs_pi, reached)


@fast
@given(p=problems(), horizon=st.integers(1, 2))
def test_sophisticated_search(p, horizon):
    policies = theirs.construct_policies(p["num_states"], p["controls"], 1)
    check(
        "sophisticated_inference_search",
        p["qs"], policies, p["small"], p["wide"], p["C"], p["lists"], p["own"],
        horizon=horizon, gamma=2.0, policy_prune_threshold=0.07, state_prune_threshold=0.11,
    )  # fmt: skip


@fast
@given(p=problems(), seed=st.integers(0, 100))
def test_actions(p, seed):
    q_pi = np.random.default_rng(seed).dirichlet(np.ones(len(p["policies"])))
    for selection in ("deterministic", "stochastic"):
        for name in ("sample_action", "sample_policy"):
            check(name, q_pi, p["policies"], p["controls"], selection, 1.5)
        for name in ("_sample_action_test", "_sample_policy_test"):
            check(name, q_pi, p["policies"], p["controls"], selection, 1.5, seed=3)
    check("get_num_controls_from_policies", p["policies"])
    check("construct_policies", p["num_states"], p["controls"], 2)
    check("construct_policies", p["num_states"])
    check("construct_policies", p["num_states"], control_fac_idx=[0])
    tied = np.array([0.2, 0.4, 0.4 - 1e-10])
    check("select_highest", tied)
    check("_select_highest_test", tied, seed=5)
    check("select_highest", np.array([0.1, 0.9]))


def test_bad_input():
    with pytest.raises(ValueError, match="action_selection must be"):
        control.sample_policy(np.ones(1), [np.zeros((1, 1), int)], [1], "best")
    A, B = object_array([np.eye(2)]), object_array([np.eye(2)[:, :, None]])
    qs, C = object_array([np.ones(2) / 2]), object_array([np.zeros(2)])
    with pytest.raises(ValueError, match=r"node_action|first_action"):
        control.update_posterior_policies(qs, A, B, C, [np.array([[3]])])
    with pytest.raises(ValueError, match="packed"):
        control.update_posterior_policies(qs, object_array([np.ones((2, 3))]), B, C,
                                          [np.array([[0]])])  # fmt: skip
