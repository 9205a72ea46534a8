"""Kernels of action selection against pymdp.legacy, with NumPy's draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymdp.legacy.maths import softmax, spm_log_single
from pymdp.legacy.utils import sample

from freeagent_core import GenerativeModel, kernels

fast = settings(max_examples=60, deadline=None, derandomize=True)


@fast
@given(
    seed=st.integers(0, 2**32 - 1),
    controls=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    count=st.integers(1, 12),
)
def test_marginals(seed, controls, count):
    rng = np.random.default_rng(seed)
    policies = rng.integers(0, controls, size=(count, 2, len(controls)))
    q_pi = rng.dirichlet(np.ones(count))
    found = kernels.action_marginals(list(policies), q_pi, num_controls=controls, repeats=2)
    for f, n in enumerate(controls):
        expected = np.bincount(policies[:, 0, f], weights=q_pi, minlength=n)
        np.testing.assert_allclose(found[f], expected, rtol=0, atol=1e-12)


def test_marginals_of_a_model():
    B = np.stack([np.roll(np.eye(3), u, axis=0) for u in range(3)], axis=-1)
    model = GenerativeModel(np.eye(3), B, policy_len=2)
    q_pi = np.random.default_rng(0).dirichlet(np.ones(9))
    found = kernels.action_marginals(model, q_pi)
    np.testing.assert_allclose(found[0], q_pi.reshape(3, 3).sum(axis=1), rtol=0, atol=1e-12)
    again = kernels.action_marginals(model.policies, q_pi)
    np.testing.assert_allclose(again[0], found[0], rtol=0, atol=1e-12)


@fast
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 100), alpha=st.sampled_from([0.5, 1.0, 16]))
def test_sharpen(seed, n, alpha):
    p = np.random.default_rng(seed).dirichlet(np.ones(n))
    expected = softmax(alpha * spm_log_single(p))
    # rounding to 38 bits makes equal what differs by rounding, above 64 entries
    tolerance = 1e-12 if n <= 64 else 1e-10
    np.testing.assert_allclose(kernels.sharpen(p, alpha, repeats=2), expected, atol=tolerance)


@fast
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 20))
def test_sample_draws_as_numpy(seed, n):
    p = np.random.default_rng(seed).dirichlet(np.ones(n))
    np.random.seed(seed)
    expected = [sample(p) for _ in range(5)]
    np.random.seed(seed)
    assert [kernels.sample(p) for _ in range(5)] == expected
    np.random.seed(seed)
    assert kernels.sample(p, repeats=5) == expected[-1]


@fast
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 20))
def test_choose(seed, n):
    p = np.random.default_rng(seed).random(n)
    assert kernels.choose(p) == int(np.argmax(p))
    p[:2] = 2.0
    np.random.seed(seed)
    expected = np.random.choice(2)
    np.random.seed(seed)
    assert kernels.choose(p) == expected
    assert kernels.choose(p, first_of_ties=True) == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.action_marginals([], [1.0]), ValueError, "policies must not be empty"),
        (lambda: kernels.action_marginals(3, [1.0]), TypeError, "policies must be a list"),
        (lambda: kernels.action_marginals([[[0]]], [0.5, 0.5]), ValueError, "q_pi must have shape"),
        (lambda: kernels.action_marginals([[[0]]], [np.nan]), ValueError, r"q_pi\[0\] must be"),
        (lambda: kernels.action_marginals([[[0]]], [0.0]), ValueError, "q_pi must have a positive"),
        (lambda: kernels.action_marginals([[[-1]]], [1.0]), ValueError, r"policies\[0\]\[0, 0\]"),
        (
            lambda: kernels.action_marginals([[[2]]], [1.0], num_controls=[2]),
            ValueError,
            "in 0 to 1",
        ),
        (
            lambda: kernels.action_marginals([[[0.5]]], [1.0]),
            TypeError,
            r"policies\[0\]\[0, 0\] must be an integer",
        ),
        (lambda: kernels.sharpen([]), ValueError, "p must not be empty"),
        (lambda: kernels.sharpen([-1.0]), ValueError, r"p\[0\] must be non-negative"),
        (lambda: kernels.sharpen([1.0], alpha="x"), TypeError, "alpha must be a number"),
        (lambda: kernels.choose([np.nan, 1.0]), ValueError, r"p\[0\] must be finite"),
        (lambda: kernels.choose([1.0], tolerance=-1.0), ValueError, "tolerance must not be"),
        (lambda: kernels.sample([0.5, 0.4]), ValueError, "must sum to 1"),
        (lambda: kernels.sample([]), ValueError, "p must not be empty"),
        (lambda: kernels.sample([[1.0]]), ValueError, "p must have 1 dimension"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
