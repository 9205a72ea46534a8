"""Numbers at the limits of what float64 holds: finite results, pymdp's where pymdp's are finite."""

import itertools

import numpy as np
import pytest
from pymdp.legacy.agent import Agent as Reference
from random_arrays import object_array

from freeagent_core import Agent, GenerativeModel, Population


def base(num_states=3, num_obs=3, num_controls=2, seed=0):
    rng = np.random.default_rng(seed)
    A, B = rng.random((num_obs, num_states)), rng.random((num_states, num_states, num_controls))
    return {
        "A": object_array([A / A.sum(axis=0)]),
        "B": object_array([B / B.sum(axis=0)]),
        "C": object_array([rng.normal(size=num_obs)]),
        "D": object_array([np.full(num_states, 1 / num_states)]),
        "policy_len": 2,
    }


def identity(n=3):
    """One-hot columns everywhere."""
    B = np.stack([np.roll(np.eye(n), k, axis=0) for k in range(2)], axis=-1)
    return {"A": object_array([np.eye(n)]), "B": object_array([B])}


def columns(*values):
    """Return A with these entries in each column, rotated."""
    values = np.array(values)
    return np.stack([np.roll(values, k) for k in range(len(values))], axis=1)


TINY = 5e-324  # the least denormal
MODELS = {
    "one-hot columns": identity(),
    "C of 1e6": {"C": object_array([np.array([1e6, 0.0, -1e6])])},
    "C of 1e6 and one-hot": {**identity(), "C": object_array([np.array([1e6, 0.0, -1e6])])},
    "gamma 0": {"gamma": 0.0},
    "gamma 1e6": {"gamma": 1e6},
    "gamma 1e6 and C of 1e6": {"gamma": 1e6, "C": object_array([np.array([1e6, 0.0, -1e6])])},
    "alpha 0": {"alpha": 0.0, "action_selection": "stochastic"},
    "alpha 1e6": {"alpha": 1e6, "action_selection": "stochastic"},
    "alpha 1e6, full": {"alpha": 1e6, "action_selection": "stochastic", "sampling_mode": "full"},
    "1e-300 in A": {"A": object_array([columns(1.0, 1e-300, 1e-300)])},
    "denormals in A": {"A": object_array([columns(1.0, TINY, 1e-310)])},
    "denormals in D": {"D": object_array([np.array([1.0, TINY, 1e-310])])},
    "D of a sure state": {"D": object_array([np.array([0.0, 1.0, 0.0])])},
    "1e-300 in B": {"B": object_array([np.stack([columns(1.0, 1e-300, 0.0)] * 2, axis=-1)])},
    "ties everywhere": {
        "A": object_array([np.full((3, 3), 1 / 3)]),
        "B": object_array([np.full((3, 3, 2), 1 / 3)]),
        "C": object_array([np.zeros(3)]),
    },
    "E of a sure policy": {"E": np.array([0.0, 0.0, 1.0, 0.0])},
    "E with a denormal": {"E": np.array([TINY, 0.5, 0.5, 1e-310])},
    "counts of 1e300": {"pA": object_array([np.full((3, 3), 1e300)]), "use_param_info_gain": True},
    "counts of 1e-3": {"pA": object_array([np.full((3, 3), 1e-3)]), "use_param_info_gain": True},
}
# Observations of the second step contradict certain beliefs: the state seen first moves by the
# action alone.
EPISODE = [[0], [2], [1], [0]]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("use_states_info_gain", [True, False])
def test_results_are_finite_and_those_of_pymdp(name, use_states_info_gain):
    changes = MODELS[name] if isinstance(name, str) else name
    model = {**base(), **changes, "use_states_info_gain": use_states_info_gain}
    agent, reference = Agent(**model), Reference(**model)
    for t, observation in enumerate(EPISODE):
        with np.errstate(all="ignore"):
            qs = reference.infer_states(observation)
            q_pi, G = reference.infer_policies()
        agent.infer_states(observation)
        agent.infer_policies()
        assert np.isfinite(agent.qs[0]).all()
        assert np.isfinite(agent.q_pi).all()
        assert np.isfinite(agent.G).all()
        np.testing.assert_allclose(agent.qs[0].sum(), 1.0, rtol=0, atol=1e-12)
        np.testing.assert_allclose(agent.q_pi.sum(), 1.0, rtol=0, atol=1e-12)
        if np.isfinite(qs[0]).all():
            np.testing.assert_allclose(agent.qs[0], qs[0], rtol=0, atol=1e-9)
        if np.isfinite(G).all():
            np.testing.assert_allclose(agent.G, G, rtol=1e-12, atol=1e-8)
            # gamma times G: a rounding of G counts as often
            if model.get("gamma", 16.0) * np.abs(G).max() < 1e5 and np.isfinite(q_pi).all():
                np.testing.assert_allclose(agent.q_pi, q_pi, rtol=0, atol=1e-9)
        agent.action = reference.action = np.array([float(t % 2)])
        action = agent.sample_action()
        assert action[0] in (0.0, 1.0)
        agent.action = reference.action


@pytest.mark.parametrize("name", MODELS)
def test_a_population_agrees(name):
    model = {**base(), **MODELS[name], "action_selection": "deterministic"}
    shared = GenerativeModel(**model)
    agents = [Agent.from_model(shared) for _ in range(3)]
    population = Population(shared, 3, num_threads=1, seed=0)
    for observation in EPISODE[:3]:
        actions = population.step(np.repeat([observation], 3, axis=0))
        for i, agent in enumerate(agents):
            agent.step(observation)
            np.testing.assert_allclose(population.qs[0][i], agent.qs[0], rtol=0, atol=1e-12)
            agent.action = actions[i].astype(float)


@pytest.mark.parametrize("name", ["one-hot columns", "1e-300 in A", "denormals in A", "gamma 1e6"])
def test_learning_stays_finite(name):
    model = {**base(), **MODELS[name]}
    model["pA"] = object_array([model["A"][0] * 1e-3 + 1e-300])
    model["pB"] = object_array([model["B"][0] * 1e6 + TINY])
    agent = Agent(**model)
    before = None
    for observation in EPISODE:
        agent.step(observation)
        agent.update_A(observation)
        if before is not None:
            agent.update_B(before)
        before = agent.qs
        assert np.isfinite(agent.A[0]).all()
        assert np.isfinite(agent.B[0]).all()
        np.testing.assert_allclose(agent.A[0].sum(axis=0), 1.0, rtol=0, atol=1e-12)


def test_contradictory_observations_of_several_modalities():
    """Each modality is sure of another state."""
    model = {
        "A": object_array([np.eye(3), np.eye(3)]),
        "B": object_array([np.stack([np.eye(3)] * 2, axis=-1)]),
    }
    agent, reference = Agent(**model), Reference(**model)
    for observation in itertools.product(range(3), repeat=2):
        theirs = reference.infer_states(list(observation))
        ours = agent.infer_states(list(observation))
        assert np.isfinite(ours[0]).all()
        np.testing.assert_allclose(ours[0], theirs[0], rtol=0, atol=1e-9)
        agent.action = reference.action = np.zeros(1)


def test_factors_of_one_state():
    """pymdp's squeeze loses them: those of a model without them are the reference."""
    plain = base()
    wider = {
        **plain,
        "A": object_array([plain["A"][0][:, None, :, None]]),
        "B": object_array([np.ones((1, 1, 1)), plain["B"][0], np.ones((1, 1, 1))]),
        "D": object_array([np.ones(1), plain["D"][0], np.ones(1)]),
    }
    agent, twin = Agent(**plain), Agent(**wider)
    passing = Agent(**wider, inference_algo="MMP")
    for observation in EPISODE:
        action = agent.step(observation)
        twin.infer_states(observation)
        twin.infer_policies()
        np.testing.assert_allclose(twin.qs[1], agent.qs[0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(twin.G, agent.G, rtol=1e-12, atol=1e-8)
        np.testing.assert_allclose(twin.q_pi, agent.q_pi, rtol=0, atol=1e-9)
        twin.action = np.array([0.0, action[0], 0.0])
        # message passing counts the likelihood once a factor, in pymdp too: other numbers
        passing.step(observation)
        assert np.isfinite(passing.F).all()
        assert np.isfinite(passing.q_pi).all()


def test_a_million_policies():
    """In a deterministic world, against pymdp's value of one of them."""
    n = 5
    B = np.stack([np.roll(np.eye(n), k, axis=0) for k in range(4)], axis=-1)
    model = {"A": np.eye(n), "B": B, "C": np.arange(n) * 1e3, "policy_len": 10}
    agent = Agent(**model)
    action = agent.step([0])
    policy = np.zeros((10, 1), int)
    policy[0] = 4 - 1
    shorter = Reference(
        object_array([np.eye(n)]),
        object_array([B]),
        C=object_array([np.arange(n) * 1e3]),
        policies=[policy],
        num_controls=[4],
    )
    shorter.infer_states([0])
    _, G = shorter.infer_policies()
    assert np.isfinite(G).all()
    assert action[0] in (0.0, 1.0, 2.0, 3.0)
    population = Population(GenerativeModel(**model), 2, seed=0)
    q_pi, values = population.policies_of(0) if population.step(np.zeros(2, int)).size else None
    assert np.isfinite(values).all()
    assert len(values) == 4**10
    index = int(np.ravel_multi_index(tuple(policy[:, 0]), (4,) * 10))
    np.testing.assert_allclose(values[index], G[0], rtol=1e-12)
    np.testing.assert_allclose(q_pi.sum(), 1.0, rtol=0, atol=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["gamma", "alpha", "lr_pA", "A", "B", "C", "D", "E", "pA"])
def test_what_is_not_finite_is_an_error_with_its_name(name, value):
    model = base()
    if name in ("gamma", "alpha", "lr_pA"):
        model[name] = value
    elif name == "E":
        model["E"] = np.array([value, 0.5, 0.25, 0.25])
    else:
        array = (model["A"] if name == "pA" else model[name])[0].copy()
        array.flat[0] = value
        model[name] = object_array([array])
    if name == "C" and value == -np.inf:  # what is never to be seen: pymdp's log(0 + 1e-16)
        test_results_are_finite_and_those_of_pymdp({"C": model["C"]}, True)
        return
    with pytest.raises(ValueError, match=rf"\b{name}"):
        Agent(**model)
