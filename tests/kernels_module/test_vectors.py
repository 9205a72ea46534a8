"""The vector primitives against NumPy, over shapes, layouts and dtypes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pymdp.legacy.maths import softmax, spm_log_single

from freeagent_core import kernels

fast = settings(max_examples=60, deadline=None, derandomize=True)
EXACT = {"rtol": 1e-12, "atol": 1e-12}

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9)
dtypes = st.sampled_from([np.float64, np.float32, np.int16, np.uint8, ">f8"])


def laid_out(array, how):
    """Return equal numbers in another layout."""
    if array.ndim == 0:
        return array
    if how == "fortran":
        return np.asfortranarray(array)
    if how == "strided":
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if how == "reversed":
        return array[..., ::-1].copy()[..., ::-1]
    if how == "read-only":
        array = array.copy()
        array.flags.writeable = False
    return array


layouts = st.sampled_from(["C", "fortran", "strided", "reversed", "read-only"])


@fast
@given(seed=st.integers(0, 2**32 - 1), shape=shapes, dtype=dtypes, layout=layouts)
@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (kernels.log, np.log),
        (kernels.exp, np.exp),
        (kernels.log_eps, lambda x: np.log(x + 1e-16)),
    ],
)
def test_elementwise(ours, expected, seed, shape, dtype, layout):
    rng = np.random.default_rng(seed)
    x = laid_out(np.asarray(1 + 20 * rng.random(shape)).astype(dtype), layout)
    before = x.copy()
    found = ours(x)
    assert found.shape == x.shape
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected(x.astype(np.float64)), **EXACT)
    np.testing.assert_array_equal(x, before)
    out = np.full(shape, 7.0)
    assert ours(x, out, repeats=3) is out
    np.testing.assert_array_equal(out, found)


@fast
@given(hnp.arrays(np.float64, st.integers(1, 70), elements=st.floats(-500, 500)))
def test_softmax(x):
    np.testing.assert_allclose(kernels.softmax(x), softmax(x), **EXACT)


@fast
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 70), zeros=st.booleans())
def test_entropy_and_sum(seed, n, zeros):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n))
    if zeros:
        p[rng.integers(n)] = 0.0
    assert kernels.entropy(p, repeats=2) == pytest.approx(-p @ spm_log_single(p), abs=1e-12)
    assert kernels.sum(p) == p.sum()


def test_values_outside_of_the_domain_are_numpys():
    x = np.array([0.0, -0.0, -1.0, np.inf, -np.inf, np.nan, 5e-324])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(kernels.log(x), np.log(x), rtol=1e-12)
        np.testing.assert_allclose(kernels.exp(x), np.exp(x), rtol=1e-12)


@pytest.mark.parametrize("repeats", [1, 4])
def test_out_may_be_the_input_or_overlap_it(repeats):
    x = np.linspace(0.5, 3.0, 20)
    expected = np.log(x)
    buffer = x.copy()
    assert kernels.log(buffer, buffer, repeats=repeats) is buffer
    np.testing.assert_allclose(buffer, expected, **EXACT)
    buffer = x.copy()
    kernels.log(buffer[:-3], buffer[3:], repeats=repeats)
    np.testing.assert_allclose(buffer[3:], expected[:-3], **EXACT)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.log(["a"]), TypeError, "x must be an array of real numbers"),
        (lambda: kernels.log([[1.0], [1.0, 2.0]]), TypeError, "x must be an array"),
        (lambda: kernels.log([1j]), TypeError, "x must be an array of real numbers"),
        (lambda: kernels.log(None), TypeError, "x must be an array of real numbers"),
        (lambda: kernels.log(np.ma.masked_equal([1.0, 2.0], 2.0)), ValueError, "masked"),
        (lambda: kernels.log([1.0], np.zeros(2)), ValueError, "out must be float64 of"),
        (lambda: kernels.log([1.0], np.zeros(1, np.float32)), ValueError, "out must be float64"),
        (lambda: kernels.log([1.0], [0.0]), TypeError, "out must be an ndarray"),
        (lambda: kernels.log(np.ones(2), np.zeros(4)[::2]), ValueError, "out must be writeable"),
        (lambda: kernels.log([1.0], repeats=0), ValueError, "repeats must be in 1"),
        (lambda: kernels.log([1.0], repeats=1.5), TypeError, "repeats must be an integer"),
        (lambda: kernels.exp([1.0], repeats="3"), TypeError, "repeats must be an integer"),
        (lambda: kernels.log_eps([0.5, -0.5]), ValueError, r"x\[1\] must be non-negative"),
        (lambda: kernels.log_eps([np.nan]), ValueError, r"x\[0\] must be finite"),
        (lambda: kernels.softmax([]), ValueError, "x must not be empty"),
        (lambda: kernels.softmax([0.0, np.nan]), ValueError, r"x\[1\] must be finite"),
        (lambda: kernels.softmax([[0.0]]), ValueError, "x must have 1 dimension"),
        (lambda: kernels.entropy([]), ValueError, "p must not be empty"),
        (lambda: kernels.entropy([np.inf]), ValueError, r"p\[0\] must be finite"),
        (lambda: kernels.sum([]), ValueError, "x must not be empty"),
        (lambda: kernels.sum(3.0), ValueError, "x must have 1 dimension"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_out_stays_as_it_was_on_an_error():
    out = np.full(2, 7.0)
    with pytest.raises(ValueError):
        kernels.softmax([0.0, np.nan], out)
    np.testing.assert_array_equal(out, 7.0)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        kernels.softmax([0.0, 1.0], out)
