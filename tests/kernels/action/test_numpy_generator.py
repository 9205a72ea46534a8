"""Draws of our own against NumPy's: the same values from the same generator."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeagent_core._kernels.action.numpy_generator import choice


@given(count=st.integers(1, 2**31 + 5), seed=st.integers(0, 2**32 - 1))
def test_choice_is_numpys(count, seed):
    np.random.seed(seed)
    expected = [int(np.random.randint(count)) for _ in range(3)]
    state = np.random.get_state()
    np.random.seed(seed)
    assert [choice(count) for _ in range(3)] == expected
    np.testing.assert_equal(np.random.get_state(), state)


@pytest.mark.parametrize("count", [1, 2, 5, 1000])
def test_choice_itself(count):
    np.random.seed(1)
    expected = [int(np.random.choice(count)) for _ in range(50)]
    np.random.seed(1)
    assert [choice(count) for _ in range(50)] == expected


def test_follows_another_bit_generator():
    before = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(np.random.PCG64(3))
        expected = int(np.random.choice(100))
        np.random.set_bit_generator(np.random.PCG64(3))
        assert choice(100) == expected
    finally:
        np.random.set_bit_generator(before)


def test_draws_beside_other_threads():
    """Another thread draws with NumPy's lock held and the GIL released: no draw is lost or
    made twice, so that the generator ends where that many draws lead."""
    many, times = 20_000, 200
    np.random.seed(5)
    np.random.random_sample(many * times)
    for _ in range(2 * many):  # a double takes two draws of 32 bits
        np.random.random_sample()
    expected = np.random.get_state()
    np.random.seed(5)
    other = threading.Thread(target=lambda: [np.random.random_sample(many) for _ in range(times)])
    other.start()
    for _ in range(4 * many):
        choice(2**30)
    other.join()
    np.testing.assert_equal(np.random.get_state(), expected)


def test_bad_count():
    with pytest.raises(ValueError, match="count must be at least 1"):
        choice(0)
