"""Products against NumPy, over shapes and layouts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymdp.legacy.maths import spm_cross
from random_arrays import object_array

from freeagent_core import kernels

fast = settings(max_examples=60, deadline=None, derandomize=True)
EXACT = {"rtol": 1e-12, "atol": 1e-12}
sides = st.integers(1, 40)


@fast
@given(seed=st.integers(0, 2**32 - 1), rows=sides, n=sides, columns=sides, turned=st.booleans())
def test_products(seed, rows, n, columns, turned):
    rng = np.random.default_rng(seed)
    M, N = rng.normal(size=(rows, n)), rng.normal(size=(n, columns))
    if turned:
        M, N = np.asfortranarray(M), np.asfortranarray(N)
    x, y = rng.normal(size=n), rng.normal(size=rows)
    y[rng.random(rows) < 0.3] = 0.0
    np.testing.assert_allclose(kernels.gemv(M, x), M @ x, **EXACT)
    np.testing.assert_allclose(kernels.gemv_t(y, M), y @ M, **EXACT)
    np.testing.assert_allclose(kernels.gemm(M, N), M @ N, **EXACT)
    np.testing.assert_array_equal(kernels.outer(y, x), np.outer(y, x))
    assert kernels.dot(x, x, repeats=2) == pytest.approx(x @ x, rel=1e-12)
    out = np.empty((rows, columns))
    assert kernels.gemm(M, N, out, repeats=2) is out
    np.testing.assert_allclose(out, M @ N, **EXACT)


@fast
@given(
    seed=st.integers(0, 2**32 - 1), num_states=st.lists(st.integers(2, 6), min_size=1, max_size=5)
)
def test_joint_belief(seed, num_states):
    rng = np.random.default_rng(seed)
    qs = object_array(rng.dirichlet(np.ones(n)) for n in num_states)
    np.testing.assert_allclose(kernels.joint_belief(qs), spm_cross(qs), **EXACT)
    out = np.empty(num_states)
    assert kernels.joint_belief(qs, out, repeats=3) is out
    np.testing.assert_allclose(out, spm_cross(qs), **EXACT)


@pytest.mark.parametrize("repeats", [1, 3])
def test_out_may_overlap_the_input(repeats):
    M = np.arange(9.0).reshape(3, 3)
    expected = M @ M[0]
    kernels.gemv(M, M[0], M[0], repeats=repeats)
    np.testing.assert_array_equal(M[0], expected)
    M = np.arange(64.0).reshape(8, 8)
    expected = M @ M
    np.testing.assert_array_equal(kernels.gemm(M, M, M, repeats=repeats), expected)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.gemv(np.eye(2), np.ones(3)), ValueError, r"x must have shape \(2,\)"),
        (lambda: kernels.gemv(np.ones(2), np.ones(2)), ValueError, "M must have 2 dimensions"),
        (lambda: kernels.gemv(np.ones((0, 2)), np.ones(2)), ValueError, "M must not be empty"),
        (lambda: kernels.gemv_t(np.ones(3), np.eye(2)), ValueError, r"x must have shape \(2,\)"),
        (lambda: kernels.gemm(np.eye(2), np.eye(3)), ValueError, "M must have 2 rows"),
        (lambda: kernels.gemm(np.eye(2), np.eye(2), np.eye(3)), ValueError, r"shape \(2, 2\)"),
        (lambda: kernels.dot([1.0], [1.0, 2.0]), ValueError, r"y must have shape \(1,\)"),
        (lambda: kernels.outer([], [1.0]), ValueError, "x must not be empty"),
        (lambda: kernels.joint_belief([]), ValueError, "beliefs must not be empty"),
        (lambda: kernels.joint_belief(3), TypeError, "beliefs must be an array or a sequence"),
        (lambda: kernels.joint_belief([[0.5], []]), ValueError, r"beliefs\[1\] must not be empty"),
        (lambda: kernels.joint_belief([[0.5]] * 40), ValueError, "at most 32 factors, got 40"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
