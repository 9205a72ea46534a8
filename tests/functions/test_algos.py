"""Inference as functions, against the functions of ``pymdp.legacy``."""

import contextlib
import inspect
import io

import numpy as np
import pymdp.legacy.algos
import pymdp.legacy.inference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymdp.legacy.algos import mmp
from random_arrays import KINDS, distribution, object_array

from freeagent_core import algos, inference, maths, utils

fast = settings(max_examples=40, deadline=None, derandomize=True)
NAMES = [
    "run_vanilla_fpi",
    "run_vanilla_fpi_factorized",
    "run_mmp",
    "run_mmp_factorized",
    "_run_mmp_testing",
]


@pytest.fixture(autouse=True, scope="module")
def reference_on_new_numpy():
    """pymdp.legacy gives F without gradient descent as an array of one element."""
    original = mmp.calc_free_energy
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mmp, "calc_free_energy", lambda *a, **k: np.squeeze(original(*a, **k))[()])
        yield


def test_signatures():
    for name in NAMES:
        ours, theirs = getattr(algos, name), getattr(pymdp.legacy.algos, name)
        assert str(inspect.signature(theirs)).replace(" ", "") == str(
            inspect.Signature(
                [
                    p.replace(annotation=inspect.Parameter.empty)
                    for p in inspect.signature(ours).parameters.values()
                ]
            )
        ).replace(" ", "")


def quiet(name, *arguments, **keywords):
    with contextlib.redirect_stdout(io.StringIO()):
        return getattr(pymdp.legacy.algos, name)(*arguments, **keywords)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_states = draw(st.lists(st.integers(2, 4), min_size=1, max_size=3))
    num_obs = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    F = len(num_states)
    lists = [sorted(draw(st.sets(st.integers(0, F - 1), min_size=1))) for _ in num_obs]
    own = [sorted(draw(st.sets(st.integers(0, F - 1), min_size=1))) for _ in num_states]
    kind = draw(st.sampled_from(KINDS))
    A = object_array(distribution(rng, (n, *num_states), kind) for n in num_obs)
    small = object_array(
        distribution(rng, (n, *(num_states[f] for f in fs)), kind)
        for n, fs in zip(num_obs, lists, strict=True)
    )
    mb_dict = {
        "A_factor_list": lists,
        "A_modality_list": [[m for m, fs in enumerate(lists) if f in fs] for f in range(F)],
    }
    prior = object_array(distribution(rng, (n,), "smooth") for n in num_states)
    return rng, num_states, num_obs, A, small, mb_dict, own, prior


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, list) or b.dtype == object:
            assert_same(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@fast
@given(problem=problems(), num_iter=st.integers(1, 4), compute_vfe=st.booleans())
def test_fixed_point_iteration(problem, num_iter, compute_vfe):
    rng, num_states, num_obs, A, small, mb_dict, _, prior = problem
    obs = object_array(distribution(rng, (n,), "smooth") for n in num_obs)
    flags = {"num_iter": num_iter, "compute_vfe": compute_vfe}
    for p in (None, prior):
        name, arguments = "run_vanilla_fpi", (A, obs, num_obs, num_states, p)
        assert_same(getattr(algos, name)(*arguments, **flags), quiet(name, *arguments, **flags))
        name = "run_vanilla_fpi_factorized"
        arguments = (small, obs, num_obs, num_states, mb_dict, p)
        assert_same(getattr(algos, name)(*arguments, **flags), quiet(name, *arguments, **flags))


@fast
@given(
    problem=problems(),
    past=st.integers(1, 3),
    policy_len=st.integers(1, 3),
    grad_descent=st.booleans(),
    last_timestep=st.booleans(),
)
def test_message_passing(problem, past, policy_len, grad_descent, last_timestep):
    rng, num_states, num_obs, A, small, mb_dict, own, prior = problem
    controls = [int(n) for n in rng.integers(1, 4, size=len(num_states))]
    B = utils.random_B_matrix(num_states, controls)
    wide = utils.random_B_matrix(num_states, controls, own)
    policy = rng.integers(0, controls, size=(policy_len, len(num_states)))
    actions = rng.integers(0, controls, size=(past - 1, len(num_states))) if past > 1 else None
    obs = [object_array(distribution(rng, (n,), "smooth") for n in num_obs) for _ in range(past)]
    joint = maths.get_joint_likelihood_seq(A, obs, num_states)
    split = maths.get_joint_likelihood_seq_by_modality(small, obs, num_states)
    flags = {"num_iter": 4, "grad_descent": grad_descent, "last_timestep": last_timestep}
    for p in (None, prior):
        for name in ("run_mmp", "_run_mmp_testing"):
            arguments = (joint, B, policy, actions, p)
            ours = getattr(algos, name)(*arguments, **flags)
            theirs = quiet(name, *arguments, **flags)
            if name == "_run_mmp_testing" and not grad_descent:
                ours, theirs = ours[:2], theirs[:2]  # pymdp traces gradient descent only
            assert_same(ours[0], theirs[0])
            np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9, atol=1e-9)
            assert_same(ours[2:], theirs[2:])
        name, arguments = "run_mmp_factorized", (split, mb_dict, wide, own, policy, actions, p)
        ours, theirs = getattr(algos, name)(*arguments, **flags), quiet(name, *arguments, **flags)
        assert_same(ours[0], theirs[0])
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9, atol=1e-9)


@fast
@given(problem=problems(), seed=st.integers(0, 1000))
def test_inference_functions(problem, seed):
    rng, num_states, num_obs, A, small, mb_dict, own, prior = problem
    theirs = pymdp.legacy.inference
    controls = [int(n) for n in rng.integers(1, 3, size=len(num_states))]
    B = utils.random_B_matrix(num_states, controls)
    wide = utils.random_B_matrix(num_states, controls, own)
    steps = [[int(rng.integers(n)) for n in num_obs] for _ in range(2)]
    actions = [rng.integers(0, controls).astype(float)]
    policies = [rng.integers(0, controls, size=(2, len(num_states))) for _ in range(3)]
    separate = object_array([prior] * 3)
    calls = [
        ("update_posterior_states", (A, steps[0], prior)),
        ("update_posterior_states", (A, tuple(steps[0]))),
        (
            "update_posterior_states_factorized",
            (small, steps[0], num_obs, num_states, mb_dict, prior),
        ),
        ("average_states_over_policies", (separate, rng.dirichlet(np.ones(3)))),
    ]
    for sep, p in ((True, separate), (False, prior)):
        calls += [
            ("update_posterior_states_full", (A, B, steps, policies, actions, p, sep)),
            ("_update_posterior_states_full_test", (A, B, steps, policies, actions, p, sep)),
            (
                "update_posterior_states_full_factorized",
                (small, mb_dict, wide, own, steps, policies, actions, p, sep),
            ),
        ]
    for name, arguments in calls:
        with contextlib.redirect_stdout(io.StringIO()):
            expected = getattr(theirs, name)(*arguments)
        mine = getattr(inference, name)(*arguments)
        if "full" not in name:
            assert_same(mine, expected)
            continue
        assert_same(mine[0], expected[0])
        np.testing.assert_allclose(mine[1], expected[1], rtol=1e-9, atol=1e-9)
        for a, b in zip(mine[2:], expected[2:], strict=True):
            assert_same(a, b)
