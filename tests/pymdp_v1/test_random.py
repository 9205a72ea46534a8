"""Random numbers by keys against ``jax.random``, in float32 and in float64."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeagent_core.pymdp_v1 import random

jax.config.update("jax_enable_x64", True)
reference = jax.random

SEEDS = [0, 5, -3, 2**40 + 7]
FLOATS = [np.float32, np.float64]
fast = settings(max_examples=25, deadline=None, derandomize=True)


def assert_same(ours, theirs):
    theirs = np.asarray(theirs)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def assert_close(ours, theirs):
    theirs = np.asarray(theirs)
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, **TOLERANCE[ours.dtype.type])


TOLERANCE = {
    np.float32: {"rtol": 1e-5, "atol": 1e-5},
    np.float64: {"rtol": 1e-12, "atol": 1e-14},
}


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seed",
    [np.int8(-1), np.int32(-5), np.uint32(2**32 - 1), np.int64(-5), np.uint64(2**64 - 1), True],
    ids=repr,
)
def test_seeds_of_numpy(seed):
    assert_same(random.PRNGKey(seed), reference.PRNGKey(seed))
    assert_same(random.PRNGKey(jax.numpy.asarray(seed)), reference.PRNGKey(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_and_their_splits(seed):
    key = reference.PRNGKey(seed)
    assert_same(random.PRNGKey(seed), key)
    assert_same(random.key(seed), key)
    assert_same(random.split(key), reference.split(key))
    assert_same(random.split(key, (2, 3)), reference.split(key, (2, 3)))
    for data in (0, 7, 2**31):
        assert_same(random.fold_in(key, data), reference.fold_in(key, data))


def test_what_stands_for_a_key():
    expected = random.uniform(random.PRNGKey(3), (4,))
    for key in (3, np.int64(3), reference.PRNGKey(3), reference.key(3), [0, 3]):
        np.testing.assert_array_equal(random.uniform(key, (4,)), expected)
    first, again = (random.uniform(np.random.default_rng(1), (4,)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    generator = np.random.default_rng(1)
    assert np.any(random.uniform(generator, (4,)) != random.uniform(generator, (4,)))


@pytest.mark.parametrize("key", [1.5, True, "key", None, [0.0, 1.0], [-1, 2]])
def test_what_is_no_key(key):
    with pytest.raises(TypeError, match="key must be a key"):
        random.split(key)


def test_keys_of_another_shape():
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        random.split(np.zeros(3, dtype=np.uint32))
    with pytest.raises(OverflowError, match="64 bits"):
        random.PRNGKey(2**63)
    with pytest.raises(TypeError, match="seed must be an integer"):
        random.PRNGKey(1.5)


def test_several_keys_at_once():
    keys = random.split(random.PRNGKey(1), (3, 2))
    p = np.random.default_rng(0).random((3, 2, 20))
    drawn = {
        "uniform": random.uniform(keys, (5,)),
        "split": random.split(keys, 4),
        "normal": random.normal(keys),
        "fold_in": random.fold_in(keys, np.arange(6).reshape(3, 2)),
        "choice": random.choice(keys, 20, (5,), p=p),
        "categorical": random.categorical(keys, np.log(p)),
    }
    for i in np.ndindex(3, 2):
        one = {
            "uniform": random.uniform(keys[i], (5,)),
            "split": random.split(keys[i], 4),
            "normal": random.normal(keys[i]),
            "fold_in": random.fold_in(keys[i], i[0] * 2 + i[1]),
            "choice": random.choice(keys[i], 20, (5,), p=p[i]),
            "categorical": random.categorical(keys[i], np.log(p[i])),
        }
        for name, value in one.items():
            np.testing.assert_array_equal(drawn[name][i], value, err_msg=name)


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_bits(dtype):
    key = reference.PRNGKey(1)
    assert_same(random.bits(key, (3, 4), dtype), reference.bits(key, (3, 4), dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("limits", [(0.0, 1.0), (-2.5, 7.3)])
def test_uniform(dtype, limits):
    for seed in SEEDS:
        key = reference.PRNGKey(seed)
        theirs = reference.uniform(key, (3, 50), dtype, *limits)
        assert_same(random.uniform(key, (3, 50), dtype, *limits), theirs)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
@pytest.mark.parametrize("limits", [(0, 10), (3, 3), (0, 127), (5, 2), (0, 256)])
def test_randint(dtype, limits):
    key = reference.PRNGKey(7)
    assert_same(
        random.randint(key, (50,), *limits, dtype), reference.randint(key, (50,), *limits, dtype)
    )


def test_randint_over_all_integers():
    key, limits = reference.PRNGKey(7), (-(2**63), 2**63 - 1)
    assert_same(random.randint(key, (50,), *limits), reference.randint(key, (50,), *limits))


@pytest.mark.parametrize("n", [1, 4, 100, 3000])
def test_permutation(n):
    key = reference.PRNGKey(n)
    assert_same(random.permutation(key, n), reference.permutation(key, n))


@pytest.mark.parametrize("axis", [0, 1])
def test_permutation_and_choice_of_rows(axis):
    key, x = reference.PRNGKey(2), np.arange(12).reshape(3, 4)
    for independent in (True, False):
        assert_same(
            random.permutation(key, x, axis, independent),
            reference.permutation(key, x, axis, independent=independent),
        )
    for replace in (True, False):
        assert_same(
            random.choice(key, x, (2,), replace, axis=axis),
            reference.choice(key, x, (2,), replace, axis=axis),
        )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", [2, 16, 17, 300])  # XLA sums in blocks of 16
def test_choice_by_probability(n, dtype):
    generator = np.random.default_rng(n)
    for seed in SEEDS:
        key = reference.PRNGKey(seed)
        p = generator.random(n).astype(dtype) * (generator.random(n) < 0.7)
        p = np.maximum(p, generator.random() * (np.arange(n) == 1)).astype(dtype)
        assert_same(random.choice(key, n, (50,), p=p), reference.choice(key, n, (50,), p=p))
    drawn = random.choice(key, n, (1,), replace=False, p=p)
    assert_same(drawn, reference.choice(key, n, (1,), replace=False, p=p))


@pytest.mark.parametrize("dtype", FLOATS)
def test_categorical(dtype):
    logits = np.random.default_rng(3).normal(size=(3, 12)).astype(dtype)
    for seed in SEEDS:
        key = reference.PRNGKey(seed)
        for options in (
            {},
            {"axis": 0},
            {"shape": (6, 3)},
            {"shape": (2, 3), "replace": False},
        ):
            assert_same(
                random.categorical(key, logits, **options),
                reference.categorical(key, logits, **options),
            )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["normal", "exponential", "gumbel"])
def test_continuous_numbers(name, dtype):
    key = reference.PRNGKey(11)
    assert_close(
        getattr(random, name)(key, (2000,), dtype), getattr(reference, name)(key, (2000,), dtype)
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["gamma", "loggamma"])
def test_gamma(name, dtype):
    key, a = reference.PRNGKey(4), np.linspace(0.05, 9, 60).astype(dtype)
    theirs = getattr(reference, name)(key, a, dtype=dtype)
    assert_close(getattr(random, name)(key, a, dtype=dtype), theirs)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dirichlet(dtype):
    key, alpha = reference.PRNGKey(4), np.array([0.3, 1.0, 4.0], dtype=dtype)
    theirs = reference.dirichlet(key, alpha, (7, 5), dtype)
    assert_close(random.dirichlet(key, alpha, (7, 5), dtype), theirs)


def test_bad_arguments_are_named():
    key = random.PRNGKey(0)
    for call, message in [
        (lambda: random.bits(key, (), np.int32), "dtype must be"),
        (lambda: random.uniform(key, (), np.int32), "dtype must be"),
        (lambda: random.uniform(key, (-1,)), "shape must be at least 0"),
        (lambda: random.choice(key, 3, p=np.ones(4)), r"p must have the shape \(3,\)"),
        (lambda: random.choice(key, 0), "a must have entries"),
        (lambda: random.choice(key, 2, (3,), replace=False), "cannot draw 3 of 2"),
        (lambda: random.gamma(key, -1.0), "a must be finite and at least 0"),
        (lambda: random.dirichlet(key, 1.0), "alpha must have at least one axis"),
        (lambda: random.categorical(key, np.zeros((2, 3)), shape=(3, 3)), "shape must end in"),
        (lambda: random.permutation(random.split(key), 3), "one key"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


@fast
@given(seed=st.integers(-(2**63), 2**63 - 1), counter=st.integers(0, 2**32 - 1))
def test_any_seed_and_data(seed, counter):
    key = reference.PRNGKey(seed)
    assert_same(random.PRNGKey(seed), key)
    assert_same(random.fold_in(seed, counter), reference.fold_in(key, counter))
