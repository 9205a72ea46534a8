"""The C primitives against NumPy and mpmath, at every SIMD level this machine runs."""

import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeagent_core._kernels.base import primitives

LEVELS = primitives.simd_levels()


@pytest.fixture(params=LEVELS)
def level(request):
    before = primitives.simd_level()
    primitives.set_simd_level(request.param)
    assert primitives.simd_level() == request.param
    yield request.param
    primitives.set_simd_level(before)


def ulps(values, exact):
    """Distance from the exact results, in units of the last place of the result."""
    with mpmath.workprec(200):
        return max(
            float(abs(mpmath.mpf(float(v)) - e) / mpmath.mpf(float(np.spacing(abs(v)))))
            for v, e in zip(values, exact, strict=True)
        )


def test_log_accuracy(level):
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [
            rng.random(2000),
            1 + rng.normal(scale=1e-3, size=2000),
            np.exp(rng.uniform(-744, 709, size=4000)),
            np.ldexp(1 + rng.random(500), -1070).astype(float),
            [5e-324, 2.2250738585072014e-308, 1e-16, 1.0, 1.7976931348623157e308],
        ]
    )
    with mpmath.workprec(200):
        exact = [mpmath.log(mpmath.mpf(float(v))) for v in x]
    assert ulps(primitives.log(x), exact) < 1.0


def test_exp_accuracy(level):
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [
            rng.uniform(-708, 709.7, size=6000),
            rng.normal(scale=1e-3, size=2000),
            rng.uniform(-745, -708, size=500),
            [0.0, -0.0, 709.782712893384, 1e-320],
        ]
    )
    with mpmath.workprec(200):
        exact = [mpmath.exp(mpmath.mpf(float(v))) for v in x]
    assert ulps(primitives.exp(x), exact) < 1.0


@pytest.mark.parametrize("size", [1, 7, 8, 9])
def test_special_values(level, size):
    inf, nan = np.inf, np.nan
    pad = [1.0] * (size - 1)
    for x, expected in [
        (0.0, -inf),
        (-0.0, -inf),
        (-1.0, nan),
        (inf, inf),
        (nan, nan),
        (-inf, nan),
    ]:
        np.testing.assert_equal(primitives.log([*pad, x])[-1], expected)
    for x, expected in [(710.0, inf), (inf, inf), (-inf, 0.0), (-746.0, 0.0), (nan, nan)]:
        np.testing.assert_equal(primitives.exp([*pad, x])[-1], expected)
    np.testing.assert_equal(primitives.exp([*pad, -745.13])[-1], 5e-324)
    for x in (nan, inf):
        assert np.isnan(primitives.log_eps([*pad, x])[-1])
        np.testing.assert_equal(primitives.neg_entropy([*pad, x]), x)


@given(st.integers(1, 700), st.integers(0, 2**32 - 1))
def test_sum_is_numpys_to_the_bit(size, seed):
    x = np.random.default_rng(seed).random(size)
    assert primitives.sum(x) == np.sum(x)


@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_levels_differ_by_rounding_only(size, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.random(size) * (rng.random(size) < 0.8), rng.normal(scale=30, size=size)
    results = []
    for name in LEVELS:
        primitives.set_simd_level(name)
        results.append(
            np.concatenate(
                [
                    primitives.log(x + 1e-300),
                    primitives.exp(y),
                    primitives.log_eps(x),
                    primitives.softmax(y),
                    [primitives.neg_entropy(x)],
                ]
            )
        )
    sums = []
    for name in LEVELS:
        primitives.set_simd_level(name)
        sums.append(primitives.sum(y))
    assert len(set(sums)) == 1
    for other in results[1:]:
        np.testing.assert_allclose(results[0], other, rtol=2e-14, atol=1e-320)


@given(st.integers(1, 100), st.integers(0, 2**32 - 1))
def test_against_numpy(size, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.random(size), rng.normal(scale=100, size=size)
    np.testing.assert_allclose(primitives.dot(x, y), x @ y, rtol=1e-12, atol=1e-11)
    e = np.exp(y - y.max())
    np.testing.assert_allclose(primitives.softmax(y), e / e.sum(), rtol=1e-14)
    np.testing.assert_allclose(
        primitives.neg_entropy(x), (x * np.log(x + 1e-16)).sum(), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: primitives.softmax([]), ValueError, "x must not be empty"),
        (lambda: primitives.log([[1.0]]), ValueError, "x must have 1 dimension"),
        (lambda: primitives.dot([1.0], [1.0, 2.0]), ValueError, "same length"),
        (lambda: primitives.set_simd_level("mmx"), ValueError, "'mmx' does not run here"),
        (lambda: primitives.set_simd_level(2), TypeError, "level must be a str"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_empty_vectors_map_to_empty():
    assert primitives.log([]).shape == (0,)


@given(st.integers(1, 70), st.integers(1, 40), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_matrix_products(rows, size, columns, seed):
    """At every level what NumPy gives, and for each row the bits it has when it is alone."""
    rng = np.random.default_rng(seed)
    x = rng.random((rows, size)) * (rng.random((rows, size)) < 0.7)
    M = rng.normal(size=(size, 8 * columns))
    for name in LEVELS:
        primitives.set_simd_level(name)
        product = primitives.gemm(x, M)
        np.testing.assert_allclose(product, x @ M, rtol=1e-13, atol=1e-14 * size)
        for r in range(0, rows, 7):
            np.testing.assert_array_equal(primitives.sparse_gemv_t(x[r], M), product[r])
        np.testing.assert_allclose(
            primitives.sparse_gemv_t(x[0], M, 0.5), np.where(x[0] > 0.5, x[0], 0) @ M,
            rtol=1e-13, atol=1e-14 * size,
        )  # fmt: skip


@given(
    st.integers(1, 70),
    st.lists(st.integers(0, 20), min_size=0, max_size=5),
    st.integers(0, 2**32 - 1),
)
def test_outcome_values(rows, parts, seed):
    """What NumPy gives, with and without weights, and for each row the bits it has alone."""
    rng = np.random.default_rng(seed)
    start = np.append(0, np.cumsum(parts))
    n = int(start[-1]) + (0 if parts else 5)
    x = np.zeros((rows, 8 * (n // 8 + 1)))
    x[:, :n] = rng.random((rows, n)) * (rng.random((rows, n)) < 0.7) / 20
    x[:, n:] = rng.normal(size=(rows, x.shape[1] - n))  # no probabilities
    totals = rng.uniform(0.5, 1.5, rows)
    weights = rng.normal(size=x.shape[1])
    complements = [
        np.maximum(totals - x[:, a:b].sum(axis=1), 0.0) for a, b in itertools.pairwise(start)
    ]
    every = np.column_stack([x[:, :n], *complements])
    expected = -(every * np.log(every + 1e-16)).sum(axis=1)
    for name in LEVELS:
        primitives.set_simd_level(name)
        found = primitives.outcome_terms(x, n, totals, start)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
        weighted = primitives.outcome_terms(x, n, totals, start, weights)
        linear = x[:, :n] @ weights[:n]
        np.testing.assert_allclose(weighted, expected + linear, rtol=1e-12, atol=1e-12)
        for r in range(0, rows, 7):
            alone = primitives.outcome_terms(x[r : r + 1], n, totals[r : r + 1], start, weights)
            assert alone[0] == weighted[r]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_softmaxes_of_sums(sizes, seed):
    """What NumPy gives, and for each the bits it has alone."""
    rng = np.random.default_rng(seed)
    x = [rng.random(size) * (rng.random(size) < 0.5) for size in sizes]
    y = [rng.normal(scale=30, size=size) for size in sizes]
    for name in LEVELS:
        primitives.set_simd_level(name)
        outs, value, norms = primitives.softmaxes_of_sums(x, y)
        expected_value, expected_norms = 0.0, 1.0
        for a, b, out in zip(x, y, outs, strict=True):
            top = (a + b).max()
            e = np.exp(a + b - top)
            np.testing.assert_allclose(out, e / e.sum(), rtol=1e-13, atol=1e-320)
            np.testing.assert_array_equal(primitives.softmaxes_of_sums([a], [b])[0][0], out)
            expected_value += out @ a - top
            expected_norms *= e.sum()
        np.testing.assert_allclose(value, expected_value, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(norms, expected_norms, rtol=1e-13)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_reductions(size, seed):
    rng = np.random.default_rng(seed)
    x = rng.random(size) * (rng.random(size) < 0.5)
    for name in LEVELS:
        primitives.set_simd_level(name)
        assert primitives.min_positive(x) == min(x[x > 0], default=np.inf)


def test_what_measures_the_processor(level):
    lanes = {"plain": 2, "avx2": 4, "avx512": 8}[level]
    assert primitives.multiply_adds(200) == 200 * 12 * lanes
    assert primitives.read(np.ones(130), 3) == 3 * 2 * 512  # whole blocks of 64 numbers
