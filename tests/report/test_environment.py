"""Environments draw states and outcomes as the model says."""

import numpy as np
import pytest

from freeagent_core import GenerativeModel
from freeagent_core.report import environment
from freeagent_core.report.environment import Environments


def objects(*arrays):
    found = np.empty(len(arrays), dtype=object)
    found[:] = arrays
    return found


def model(**changes):
    rng = np.random.default_rng(0)
    A = [rng.random((4, 3, 2)), rng.random((2, 2))]
    B = [rng.random((3, 3, 2, 2)), rng.random((2, 2, 2))]
    return GenerativeModel(
        objects(*(x / x.sum(axis=0) for x in A)),
        objects(*(x / x.sum(axis=0) for x in B)),
        D=objects(np.array([0.2, 0.3, 0.5]), np.array([0.0, 1.0])),
        A_factor_list=[[0, 1], [1]],
        B_factor_list=[[0, 1], [1]],
        **changes,
    )


@pytest.mark.parametrize("chunk", [environment.CHUNK, 1000])
def test_frequencies(monkeypatch, chunk):
    """Also where the probabilities are gathered in chunks."""
    monkeypatch.setattr(environment, "CHUNK", chunk)
    m, size = model(), 40_000
    world = Environments(m, seed=1)
    seen = world.reset(size)
    start = np.einsum("osr,s,r->o", m.A[0], m.D[0], m.D[1])
    assert np.abs(np.bincount(seen[:, 0], minlength=4) / size - start).max() < 0.015
    seen = world.step(np.ones((size, 2)))
    state = np.einsum("nsr,s,r->nr", m.B[0][..., 1], m.D[0], m.D[1])  # the second was state 1
    other = m.B[1][:, 1, 1]
    first = np.einsum("osr,s,r->o", m.A[0], state.sum(axis=1), other)
    assert np.abs(np.bincount(seen[:, 0], minlength=4) / size - first).max() < 0.015
    second = m.A[1] @ other
    assert np.abs(np.bincount(seen[:, 1], minlength=2) / size - second).max() < 0.015


def test_certain_columns():
    B = np.stack([np.eye(3), np.roll(np.eye(3), 1, axis=0)], axis=-1)
    world = Environments(GenerativeModel(np.eye(3), B, D=objects(np.array([1.0, 0, 0]))), 0)
    assert world.reset(2).tolist() == [[0], [0]]
    assert world.step(np.array([[0.0], [1.0]])).tolist() == [[0], [1]]
    assert world.step(np.array([[1.0], [1.0]])).tolist() == [[1], [2]]
