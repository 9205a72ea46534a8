"""mmp and vmp of a batch, eight agents at a time, with each agent alone and in other batches.

`test_agent_parity.py` compares such batches with pymdp 1.x.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_arrays import distribution
from random_batches import random_batch

from freeagent_core.pymdp_v1 import Agent

ALONE = 1e-12
many = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32 - 1)
algorithms = st.sampled_from(["mmp", "vmp"])


def drawn(algorithm, seed):
    """Return agents of a random model, repeated to 2 to 19, and what they observed and did."""
    rng = np.random.default_rng(seed)
    model = random_batch(algorithm, seed, seed)
    model["inference_horizon"] = None
    agent = Agent(**model)
    agent = agent[rng.integers(0, agent.batch_size, rng.integers(2, 20))]
    batch, steps = agent.batch_size, int(rng.integers(1, 6))
    observed = [rng.integers(-1, n, (batch, steps)) for n in agent.num_obs]
    if rng.random() < 0.3:
        observed = [rng.dirichlet(np.ones(n), (batch, steps)) for n in agent.num_obs]
        agent = agent.replace(categorical_obs=True)
    past = np.stack([rng.integers(-1, n, (batch, steps - 1)) for n in agent.num_controls], axis=-1)
    valid = None if rng.random() < 0.3 else rng.integers(1, steps + 1, batch)
    prior = [rng.dirichlet(np.ones(n), batch) for n in agent.num_states]
    return agent, observed, prior, past, valid


def infer(agent, observed, prior, past, valid, which=slice(None)):
    """Infer those of the batch that `which` says, as a batch of their own."""
    return agent[which].infer_states(
        [o[which] for o in observed],
        [p[which] for p in prior],
        past_actions=past[which],
        valid_steps=None if valid is None else valid[which],
    )


def moves_away(agent, observed, prior, past, valid, qs):
    """Which agents' message passing stands where rounding errors grow."""
    rng = np.random.default_rng(0)
    away = np.zeros(agent.batch_size, dtype=bool)
    for _ in range(4):
        A, B, moved = (
            [x * (1 + 1e-14 * rng.normal(size=x.shape)) for x in part]
            for part in (agent.A, agent.B, prior)
        )
        other = infer(agent.replace(A=A, B=B), observed, moved, past, valid)
        for q, p in zip(qs, other, strict=True):
            away |= np.abs(q - p).max(axis=(1, 2)) > ALONE / 4
    return away


@many
@given(algorithms, seeds)
def test_a_batch_has_the_numbers_of_each_agent_alone(algorithm, seed):
    case = drawn(algorithm, seed)
    qs = infer(*case)
    away = moves_away(*case, qs)
    for agent in np.flatnonzero(~away):
        alone = infer(*case, slice(agent, agent + 1))
        for f, (q, p) in enumerate(zip(qs, alone, strict=True)):
            np.testing.assert_allclose(q[agent], p[0], rtol=0, atol=ALONE, err_msg=f"factor {f}")


@many
@given(algorithms, seeds)
def test_numbers_do_not_depend_on_the_other_agents(algorithm, seed):
    case = drawn(algorithm, seed)
    qs = infer(*case)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(qs[0]))[: rng.integers(2, len(qs[0]) + 1)]
    other = infer(*case, order)
    for q, p in zip(qs, other, strict=True):
        np.testing.assert_array_equal(q[order], p)


@pytest.mark.parametrize("algorithm", ["mmp", "vmp"])
@pytest.mark.parametrize("num_states", [40, 200])
def test_large_factors(algorithm, num_states):
    """Which are in lanes or not; a batch has the numbers of its agents either way."""
    rng = np.random.default_rng(0)
    A = [rng.dirichlet(np.ones(5), num_states).T]
    B = [np.moveaxis(rng.dirichlet(np.ones(num_states), (num_states, 3)), -1, 0)]
    agent = Agent(A, B, batch_size=9, inference_algo=algorithm, num_iter=4)
    observed = [rng.integers(0, 5, (9, 3))]
    past = rng.integers(0, 3, (9, 2, 1))
    case = (agent, observed, [np.repeat(D, 9, axis=0) for D in agent.D], past, None)
    case[2][0] = rng.dirichlet(np.ones(num_states), 9)
    qs = infer(*case)[0]
    for i in range(9):
        np.testing.assert_allclose(qs[i], infer(*case, slice(i, i + 1))[0][0], rtol=0, atol=ALONE)


def test_contradicting_evidence_of_many_modalities_stays_finite():
    """Likelihoods that are zero in all states but one of each modality."""
    A = [np.full((2, 3), 1e-300) for _ in range(25)]
    for m, a in enumerate(A):
        a[0, m % 3] = 1.0
        a /= a.sum(axis=0)
    agent = Agent(A, [np.eye(3)[:, :, None]], batch_size=5, inference_algo="mmp")
    observed = [np.zeros((5, 4), dtype=int) for _ in A]
    case = (agent, observed, [np.full((5, 3), 1 / 3)], np.zeros((5, 3, 1), dtype=int), None)
    qs = infer(*case)[0]
    assert np.isfinite(qs).all()
    np.testing.assert_allclose(qs.sum(axis=-1), 1.0, atol=1e-14)
    np.testing.assert_allclose(qs[1], infer(*case, slice(1, 2))[0][0], rtol=0, atol=ALONE)


def test_models_that_lanes_do_not_fit_are_inferred_one_by_one():
    """Too many messages to one factor, and too many states for vmp."""
    rng = np.random.default_rng(0)
    for algorithm, states, lists in (
        ("vmp", [300], [[0]]),
        ("mmp", [2] * 17, [[k] if k else list(range(2)) for k in range(17)]),
        ("mmp", [2] * 18, [[0] if k == 0 else [0, k] for k in range(18)]),
    ):
        A = [distribution(rng, (3, states[0]), "smooth")]
        B = [
            distribution(rng, (n, *(states[k] for k in parents), 1), "smooth")
            for n, parents in zip(states, lists, strict=True)
        ]
        agent = Agent(
            A, B, A_dependencies=[[0]], B_dependencies=lists, batch_size=9,
            inference_algo=algorithm,
        )  # fmt: skip
        prior = [rng.dirichlet(np.ones(n), 9) for n in states]
        observed, past = [rng.integers(3, size=(9, 3))], np.zeros((9, 2, len(states)), int)
        qs = infer(agent, observed, prior, past, None)
        for i in (0, 8):
            alone = infer(agent, observed, prior, past, None, slice(i, i + 1))
            for q, p in zip(qs, alone, strict=True):
                np.testing.assert_allclose(q[i : i + 1], p, rtol=0, atol=ALONE)
