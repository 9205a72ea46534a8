"""The benchmark's cases: all sides compute the same, so that their times can be compared."""

import contextlib
import io

import numpy as np
import pytest

from freeagent_core.bench import peers
from freeagent_core.bench.cases import CASES

RANDOM = {"sample"}
# pymdp 1.x means something else: raw C, no mask, exact novelty, other stopping rules
OTHER_MEANING = {"expected_utility", "pA_info_gain", "pB_info_gain", "evaluate_policies"}


@pytest.fixture(autouse=True)
def single_precision():
    """pymdp 1.x as it is benchmarked, whatever other tests of the process have set."""
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", before)


def flat(value):
    """Return all numbers of a result, of whatever nesting."""
    if isinstance(value, tuple):  # q_pi or beliefs, and what comes with them
        value = value[0]
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype == object):
        return np.concatenate([flat(each) for each in value])
    return np.ravel(np.asarray(value, dtype=np.float64))


def results(name, find):
    """Return our result and another's, of the smallest size."""
    problem = CASES[name].make(CASES[name].sizes[0])
    call = problem.numpy if find is None else find(name, problem.arrays)
    if call is None or name in RANDOM:
        pytest.skip("nothing to compare with")
    with contextlib.redirect_stdout(io.StringIO()):
        other = flat(call())
    ours = flat(problem.ours(2))
    if name == "update_B" and len(other) != len(ours):  # the chosen action alone
        ours = problem.ours(1)[:, :, 1].ravel()
    return ours.copy(), other


@pytest.mark.parametrize("name", CASES)
def test_numpy_computes_the_same(name):
    ours, other = results(name, None)
    np.testing.assert_allclose(ours, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_pymdp_legacy_computes_the_same(name):
    ours, other = results(name, peers.legacy)
    np.testing.assert_allclose(ours, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", sorted(set(CASES) - OTHER_MEANING))
def test_pymdp_1x_computes_the_same(name):
    ours, other = results(name, peers.jitted)
    np.testing.assert_allclose(ours, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(OTHER_MEANING))
def test_pymdp_1x_computes_something_alike(name):
    ours, other = results(name, peers.jitted)
    assert ours.shape == other.shape
    assert np.isfinite(other).all()


@pytest.mark.parametrize("name", CASES)
def test_work_grows_with_the_size(name):
    small, large = (CASES[name].make(size) for size in CASES[name].sizes[:2])
    assert 0 < small.operations < large.operations
    assert 0 < small.bytes < large.bytes
    assert CASES[name].meaning
