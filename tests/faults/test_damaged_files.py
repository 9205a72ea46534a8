"""Files of a population with random damage: a ValueError, or the population they tell of."""

import contextlib
import io

import numpy as np
import pytest
from manager_agents import model

from freeagent_core import Population

KINDS = {
    "plain": {},
    "learning": {"pA": np.ones((3, 4)), "pB": np.ones((4, 4, 2)), "pD": np.ones(4)},
    "MMP": {"inference_algo": "MMP", "inference_horizon": 3},
}
TRIES = 700  # tests/fuzzing/fuzz.py goes on from here
EDITS = [-1, -5, 0, 1, 2, 3, 4, 9, -3, 10**6, 10**9, -(10**9), 2**40, 2**62, -(2**63), 2**63 - 1,
         np.nan, np.inf, -np.inf, 0.5, 1e-300, 1e300]  # fmt: skip


def contents_of(population):
    file = io.BytesIO()
    population.save(file)
    return file.getvalue()


def arrays_of(contents):
    with np.load(io.BytesIO(contents)) as file:
        return {name: file[name] for name in file.files}


def made(kind):
    shared = model(**KINDS[kind])
    population = Population(shared, 3, seed=0)
    for _ in range(2):
        population.step(np.zeros(3, int))
        if kind == "learning":
            population.update_A(np.zeros(3, int))
    return shared, contents_of(population)


def loads_the_same(contents, arrays, shared):
    """Return whether a file is taken; then it must be these arrays, and step."""
    try:
        population = Population.load(io.BytesIO(contents), shared)
    except ValueError:
        return False
    again = arrays_of(contents_of(population))
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
    with contextlib.suppress(ValueError):  # an agent that observed twice may need an action
        population.step(np.zeros(3, int))
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bytes(kind):
    shared, contents = made(kind)
    arrays = arrays_of(contents)
    rng = np.random.default_rng(1)
    taken = 0
    for _ in range(TRIES):
        damaged = bytearray(contents)
        damaged[rng.integers(len(damaged))] ^= int(rng.integers(1, 256))
        taken += loads_the_same(bytes(damaged), arrays, shared)
    assert taken < TRIES / 2  # time stamps and their like


@pytest.mark.parametrize("kind", KINDS)
def test_edited_arrays(kind):
    shared, contents = made(kind)
    original = arrays_of(contents)
    assert loads_the_same(contents, original, shared)
    rng = np.random.default_rng(2)
    names = [name for name in original if "/" in name]
    refused = 0
    for _ in range(TRIES):
        arrays = dict(original)
        name = names[rng.integers(len(names))]
        array = arrays[name].copy()
        value = EDITS[rng.integers(len(EDITS))]
        with np.errstate(invalid="ignore"):
            if array.dtype.kind != "f" and not np.isfinite(value):
                value = 7
            if array.dtype.kind in "iu":
                info = np.iinfo(array.dtype)
                value = min(max(int(value), info.min), info.max)
            array.flat[rng.integers(array.size)] = value
        arrays[name] = array
        file = io.BytesIO()
        np.savez(file, **arrays)
        refused += not loads_the_same(file.getvalue(), arrays, shared)
    assert refused > TRIES / 4
