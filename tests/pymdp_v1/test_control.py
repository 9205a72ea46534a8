"""`pymdp_v1.control` against ``pymdp.control``, on random arguments."""

import inspect

import jax_reference  # noqa: F401  (float64)
import numpy as np
import pymdp.control
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax_reference import assert_equal, to_jax

from freeagent_core.pymdp_v1 import control, random

some = settings(max_examples=4, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

A_LISTS, B_LISTS = [[0], [0, 1]], [[0], [0, 1]]
NUM_STATES, NUM_OBS, NUM_CONTROLS = [3, 2], [4, 3], [2, 3]
POLICIES = control.construct_policies(NUM_STATES, NUM_CONTROLS, 2)[::5]


def distribution(generator, shape, zeros=0.2):
    p = generator.random(shape) * (generator.random(shape) > zeros)
    p[0] += 1e-2
    return p / p.sum(axis=0)


def model(seed):
    generator = np.random.default_rng(seed)
    A = [distribution(generator, (4, 3)), distribution(generator, (3, 3, 2))]
    B = [distribution(generator, (3, 3, 2)), distribution(generator, (2, 3, 2, 3))]
    prior = [distribution(generator, n) for n in NUM_STATES]
    return generator, A, B, prior


def test_every_public_name_and_argument():
    for name, function in inspect.getmembers(pymdp.control, inspect.isfunction):
        if function.__module__ == "pymdp.control" and not name.startswith("_"):
            expected = inspect.signature(function).parameters
            got = inspect.signature(getattr(control, name)).parameters
            assert list(got) == list(expected), name
            for parameter, value in expected.items():
                assert got[parameter].default == value.default, (name, parameter)


@some
@given(seed=seeds)
def test_terms_of_the_expected_free_energy(seed):
    generator, A, B, qs = model(seed)
    action = [int(generator.integers(n)) for n in NUM_CONTROLS]
    theirs = pymdp.control.compute_expected_state(*to_jax([qs, B]), action, B_LISTS)
    qs_next = control.compute_expected_state(qs, B, action, B_LISTS)
    assert_equal(qs_next, theirs)
    theirs = pymdp.control.compute_expected_state_and_Bs(*to_jax([qs[:1], B[:1]]), action[:1])
    assert_equal(control.compute_expected_state_and_Bs(qs[:1], B[:1], action[:1]), theirs)
    qo = control.compute_expected_obs(qs_next, A, A_LISTS)
    assert_equal(qo, pymdp.control.compute_expected_obs(*to_jax([qs_next, A]), A_LISTS))
    theirs = pymdp.control.compute_info_gain(*to_jax([qs_next, qo, A]), A_LISTS)
    assert_equal(control.compute_info_gain(qs_next, qo, A, A_LISTS), theirs)
    C = [generator.normal(size=4), generator.normal(size=(2, 3))]
    theirs = pymdp.control.compute_expected_utility(*to_jax([qo, C]), 1)
    assert_equal(control.compute_expected_utility(qo, C, 1), theirs)
    pA, pB = ([generator.gamma(1.0, size=x.shape) * (x > 0) for x in part] for part in (A, B))
    theirs = pymdp.control.calc_negative_pA_info_gain(*to_jax([pA, qo, qs_next]), A_LISTS)
    assert_equal(control.calc_negative_pA_info_gain(pA, qo, qs_next, A_LISTS), theirs)
    theirs = pymdp.control.calc_negative_pB_info_gain(*to_jax([pB, qs_next, qs]), B_LISTS, action)
    ours = control.calc_negative_pB_info_gain(pB, qs_next, qs, B_LISTS, action)
    assert_equal(ours, theirs)


def test_inductive_inference():
    for seed in range(3):
        generator, _, _, _ = model(seed)
        B = [distribution(generator, (3, 3, 2)), distribution(generator, (2, 2, 3))]
        H = [np.eye(3)[seed], np.zeros(2)]
        theirs = pymdp.control.generate_I_matrix(*to_jax([H, B]), 0.4, 3)
        reach = control.generate_I_matrix(H, B, 0.4, 3)
        assert_equal(reach, theirs)
        q, q_next = ([distribution(generator, n) for n in NUM_STATES] for _ in range(2))
        theirs = pymdp.control.calc_inductive_value_t(*to_jax([q, q_next, reach]), 1e-2)
        assert_equal(control.calc_inductive_value_t(q, q_next, reach, 1e-2), theirs)
    with pytest.raises(ValueError, match="`depth` must be >= 1"):
        control.generate_I_matrix(H, B, 0.4, 0)


@pytest.mark.parametrize("counts", ["", "pA pB"])
def test_posterior_policies(counts):
    generator, A, B, qs = model(len(counts))
    C = [generator.normal(size=n) for n in NUM_OBS]
    E = distribution(generator, len(POLICIES))
    pA = [a * 3 for a in A] if "pA" in counts else None
    pB = [b * 3 for b in B] if "pB" in counts else None
    reach = [generator.integers(0, 2, (3, n)).astype(float) for n in NUM_STATES]
    args = (POLICIES, qs, A, B, C, E, pA, pB, A_LISTS, B_LISTS)
    theirs_args = (*to_jax(args[:8]), A_LISTS, B_LISTS)
    options = {"gamma": 2.0, "use_param_info_gain": bool(counts)}
    theirs = pymdp.control.update_posterior_policies(*theirs_args, **options)
    assert_equal(control.update_posterior_policies(*args, **options), theirs, atol=1e-8)
    theirs = pymdp.control.update_posterior_policies_inductive(
        *theirs_args, to_jax(reach), **options
    )
    ours = control.update_posterior_policies_inductive(*args, reach, **options)
    assert_equal(ours, theirs, atol=1e-8)
    policy = POLICIES[0]
    single = control.compute_neg_efe_policy(qs, A, B, C, pA, pB, A_LISTS, B_LISTS, policy)
    whole = control.update_posterior_policies(*args)[1]
    np.testing.assert_allclose(single, whole[0])
    if not counts:
        with pytest.raises(ValueError, match="at least one of pA or pB"):
            control.update_posterior_policies(*args, use_param_info_gain=True)


@pytest.mark.parametrize("selection", ["deterministic", "stochastic"])
def test_actions(selection):
    generator = np.random.default_rng(0)
    for seed in range(6):
        q_pi = distribution(generator, len(POLICIES))
        key = random.PRNGKey(seed)
        theirs = pymdp.control.get_marginals(*to_jax([q_pi, POLICIES]), NUM_CONTROLS)
        assert_equal(control.get_marginals(q_pi, POLICIES, NUM_CONTROLS), theirs)
        args = (selection, 1.5, key)
        theirs = pymdp.control.sample_policy(*to_jax([POLICIES, q_pi]), *args)
        assert_equal(control.sample_policy(POLICIES, q_pi, *args), theirs)
        theirs = pymdp.control.sample_action(to_jax(POLICIES), NUM_CONTROLS, to_jax(q_pi), *args)
        assert_equal(control.sample_action(POLICIES, NUM_CONTROLS, q_pi, *args), theirs)
    with pytest.raises(NotImplementedError):
        control.sample_action(POLICIES, NUM_CONTROLS, q_pi, "greedy")


def test_all_policies():
    for args in (([3, 2],), ([3, 2], [2, 1], 2), ([3, 2], None, 2, [1])):
        assert_equal(control.construct_policies(*args), pymdp.control.construct_policies(*args))
    ours, theirs = (m.Policies(to_jax(POLICIES)) for m in (control, pymdp.control))
    assert (len(ours), ours.horizon, ours.num_policies) == (len(theirs), 2, theirs.num_policies)
    assert_equal(ours[1], theirs[1])
