"""The ways to evaluate policies: over merged beliefs, over the tree, with and without a list.

Parity with pymdp.legacy on models larger than those of `test_parity_random`, in which columns
repeat, paths meet and modalities are identity-like; and the ways among each other, on random
models forced into each.
"""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parity import G, assert_same_episode
from pymdp.legacy.agent import Agent as Reference
from random_arrays import distribution, object_array, observations
from random_models import models

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core._kernels.base.growable_array import bound_memory
from freeagent_core._model import packing
from freeagent_core._model.policies import AllSequences, construct_policies

slow = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

# constants of packing that force a way
GRAPH = {"MAX_GRAPH_COLUMN": 1e9}
TREE = {"MAX_GRAPH_COLUMN": -1.0}
SPARSE = {"SPARSE_COLUMN": 1e9}
DENSE = {"SPARSE_COLUMN": -1.0, "SPARSE_SHARE": 0.0}
NOT_ENUMERATED = {"MAX_STORED_POLICIES": 0}


def packed(arguments, *constants):
    """Return a model that was packed with these constants."""
    with pytest.MonkeyPatch.context() as patch:
        for each in constants:
            for name, value in each.items():
                patch.setattr(packing, name, value)
        return GenerativeModel(**arguments)


def grid(rows, columns, policy_len, slip=0.0):
    """Return a grid world that is seen as it is; with `slip` a move may fail."""
    moves = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))
    B = np.zeros((rows * columns, rows * columns, len(moves)))
    for cell in range(rows * columns):
        for action, (down, right) in enumerate(moves):
            row = min(max(cell // columns + down, 0), rows - 1)
            column = min(max(cell % columns + right, 0), columns - 1)
            B[row * columns + column, cell, action] += 1.0 - slip
            B[cell, cell, action] += slip
    C = np.linspace(0.0, 2.0, rows * columns)
    return {
        "A": object_array([np.eye(rows * columns)]),
        "B": object_array([B]),
        "C": object_array([C]),
        "policy_len": policy_len,
    }


@st.composite
def larger_models(draw):
    """Draw models of up to 12 states a factor whose transitions are of one kind."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_factors = draw(st.integers(1, 3))
    most = {1: 12, 2: 6, 3: 4}[num_factors]
    num_states = draw(st.lists(st.integers(2, most), min_size=num_factors, max_size=num_factors))
    num_controls = [draw(st.integers(1, 3 if f == 0 else 2)) for f in range(num_factors)]
    policy_len = draw(st.integers(1, 3 if np.prod(num_controls) < 6 else 2))
    kind = draw(st.sampled_from(["deterministic", "slip", "smooth", "peaked", "sparse"]))
    B = []
    for n, u in zip(num_states, num_controls, strict=True):
        if kind == "slip":
            base = distribution(rng, (n, n, u), "deterministic")
            B.append(0.8 * base + 0.2 * np.eye(n)[:, :, None])
        else:
            B.append(distribution(rng, (n, n, u), kind))
    A = []
    for _ in range(draw(st.integers(1, 3))):
        which = draw(st.sampled_from(["identity", "smooth", "deterministic", "sparse"]))
        if which == "identity":  # of one factor
            f = int(rng.integers(num_factors))
            shape = [1] * num_factors
            shape[f] = num_states[f]
            A.append(
                np.eye(num_states[f]).reshape(num_states[f], *shape)
                + np.zeros((num_states[f], *num_states))
            )
        else:
            A.append(distribution(rng, (int(rng.integers(1, 6)), *num_states), which))
    model = {
        "A": object_array(A),
        "B": object_array(B),
        "C": object_array(rng.normal(scale=2.0, size=len(a)) for a in A),
        "policy_len": policy_len,
        "action_selection": draw(st.sampled_from(["deterministic", "stochastic"])),
        "sampling_mode": draw(st.sampled_from(["marginal", "full"])),
        "use_utility": draw(st.booleans()),
        "use_states_info_gain": draw(st.booleans()),
        "use_param_info_gain": draw(st.booleans()),
    }
    if draw(st.booleans()):
        model["C"] = object_array(rng.normal(size=(len(a), policy_len)) for a in A)
    if draw(st.booleans()):
        # no counts of 1e-20: their novelty is 1e16 nats, and rounding decides
        model["pA"] = object_array(np.where(a > 1e-6, a * rng.integers(1, 9), 0.0) for a in A)
    if draw(st.booleans()):
        model["pB"] = object_array(np.where(b > 1e-6, b * rng.integers(1, 9), 0.0) for b in B)
    if draw(st.booleans()):
        model["H"] = object_array(distribution(rng, (n,), "deterministic") for n in num_states)
    return model


@slow
@given(model=larger_models(), seed=st.integers(0, 2**32 - 1), fused=st.booleans())
def test_parity(model, seed, fused):
    agent, reference = Agent(**model), Reference(**model)
    assert_same_episode(agent, reference, observations(model, seed, 3), seed, fused)


@slow
@given(model=larger_models(), seed=st.integers(0, 2**32 - 1), which=st.sampled_from(["A", "B"]))
def test_sums_that_are_not_quite_one(model, seed, which):
    """A or B of float32 numbers, say: no outcome is taken to be what the others leave."""
    rng = np.random.default_rng(seed)
    arrays = model[which]
    model[which] = object_array(x * (1.0 + 1e-7 * rng.random(x.shape[1:])) for x in arrays)
    agent, reference = Agent(**model), Reference(**model)
    assert_same_episode(agent, reference, observations(model, seed, 3), seed, True)
    assert_same_values(
        evaluated(packed(model, GRAPH), model, seed), evaluated(packed(model, TREE), model, seed)
    )


def evaluated(model, arguments, seed, steps=3):
    """Return q_pi and G of an agent of `model`, step by step with actions that are given."""
    agent = Agent.from_model(model)
    rng = np.random.default_rng(seed)
    results = []
    for observation in observations(arguments, seed, steps):
        agent.infer_states(observation)
        results.append([x.copy() for x in agent.infer_policies()])
        agent.action = [rng.integers(u) for u in model.num_controls]
    return results


def assert_same_values(found, expected):
    """Compare two results of `evaluated`."""
    for (q_pi, values), (other_q_pi, other_values) in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, other_values, rtol=1e-12, atol=G / 10)
        np.testing.assert_allclose(q_pi, other_q_pi, rtol=0, atol=1e-10)


@slow
@given(model=st.one_of(larger_models(), models()), seed=st.integers(0, 2**32 - 1))
def test_all_ways_agree(model, seed):
    expected = evaluated(packed(model, TREE, DENSE), model, seed)
    for way in ((GRAPH, SPARSE), (GRAPH, DENSE), (TREE, SPARSE), (GRAPH, SPARSE, NOT_ENUMERATED)):
        found = evaluated(packed(model, *way), model, seed)
        assert_same_values(found, expected)


@slow
@given(model=larger_models(), seed=st.integers(0, 2**32 - 1))
def test_actions_without_a_list(model, seed):
    """The same probabilities of actions, draws and beliefs whether policies are listed or not."""
    enumerated = Agent.from_model(packed(model, GRAPH))
    not_enumerated = Agent.from_model(packed(model, GRAPH, NOT_ENUMERATED))
    assert enumerated.model.packed.enumerates_policies
    assert not not_enumerated.model.packed.enumerates_policies
    for t, observation in enumerate(observations(model, seed, 3)):
        expected = enumerated.step(observation)
        chosen = enumerated._core.action_distribution()
        np.random.seed(t)
        not_enumerated.step(observation)
        for ours, theirs in zip(not_enumerated._core.action_distribution(), chosen, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
        np.testing.assert_allclose(not_enumerated.q_pi, enumerated.q_pi, rtol=0, atol=1e-12)
        np.testing.assert_allclose(not_enumerated.G, enumerated.G, rtol=1e-13, atol=1e-12)
        not_enumerated.action = expected


@slow
@given(model=larger_models(), seed=st.integers(0, 2**32 - 1))
def test_not_enumerated_policies_of_a_population(model, seed):
    shared = packed(model, GRAPH, NOT_ENUMERATED)
    population = Population(shared, 3, num_threads=2, seed=seed)
    agents = [Agent.from_model(shared) for _ in range(3)]
    for observation in observations(model, seed, 3):
        actions = population.step(np.tile(observation, (3, 1)))
        for i, agent in enumerate(agents):
            agent.infer_states(observation)
            agent.infer_policies()
            q_pi, values = population.policies_of(i)
            np.testing.assert_array_equal(q_pi, agent.q_pi)
            np.testing.assert_array_equal(values, agent.G)
            np.testing.assert_array_equal(population.q_pi[i], q_pi)
            p = agent._core.action_distribution()
            if model["sampling_mode"] == "marginal":
                assert all(p[f][u] > 0 for f, u in enumerate(actions[i]))
            agent.action = actions[i].astype(float)


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
@pytest.mark.parametrize("policy_len", [6, 8])
def test_cost_follows_distinct_beliefs(rows, policy_len):
    model = GenerativeModel(**grid(rows, 5, policy_len))
    agent = Agent.from_model(model)
    agent.step([1])
    size = model.packed.graph_size()
    at = agent.qs[0].argmax()
    in_reach = sum(
        abs(cell // 5 - at // 5) + abs(cell % 5 - at % 5) <= policy_len for cell in range(rows * 5)
    )
    # one of each cell in reach, and the present belief as the root
    assert in_reach <= size["nodes"] <= in_reach + 1
    assert in_reach <= size["beliefs"] <= in_reach + 1
    assert len(model.policy_arrays) == 5**policy_len


def test_very_many_policies():
    """390,625 and 10^16 policies: the first action is what the full list says."""
    agent = Agent(**grid(5, 5, 8), action_selection="deterministic", gamma=0.5)
    agent.infer_states([12])
    q_pi, values = agent.infer_policies()
    assert q_pi.shape == values.shape == (390625,)
    first = q_pi.reshape(5, -1).sum(axis=1)
    np.testing.assert_allclose(agent._core.action_distribution()[0], first, atol=1e-12)
    assert agent.sample_action()[0] in np.flatnonzero(first > first.max() - 1e-8)
    assert len(agent._model.policy_arrays) == 390625
    many = Agent(**grid(5, 5, 23))
    assert 0 <= many.step([12])[0] < 5
    for call in (lambda: many.policies, lambda: many.q_pi, lambda: many.E):
        with pytest.raises((ValueError, MemoryError)):
            call()
    assert 0 <= many.step([12])[0] < 5  # and goes on
    many.C = object_array([np.arange(25.0)])
    assert 0 <= many.step([12])[0] < 5
    for twin in (copy.deepcopy(many), pickle.loads(pickle.dumps(many))):
        np.testing.assert_array_equal(twin.qs[0], many.qs[0])
        with pytest.raises(AttributeError, match="call infer_policies"):
            twin.sample_action()
        assert 0 <= twin.step([12])[0] < 5
    many.pA = object_array([np.eye(25) + 0.1])
    many.step([12])
    many.update_A([12])
    assert 0 <= many.step([12])[0] < 5


def test_not_enumerated_agent_keeps_what_it_evaluated():
    """q_pi and G are those of infer_policies, whatever changed since; copies keep them too."""
    model = {**grid(3, 3, 3), "pA": object_array([np.eye(9) + 0.1])}
    expected = Agent.from_model(packed(model, GRAPH))
    agents = [Agent.from_model(packed(model, GRAPH, NOT_ENUMERATED)) for _ in range(4)]
    expected.infer_states([4])
    q_pi, _ = expected.infer_policies()
    for agent in agents:
        agent.infer_states([4])
        agent._core.infer_policies()  # without asking for the list
    agents[0].gamma = 1.0
    agents[1].qs = object_array([np.full(9, 1 / 9)])
    agents[2].update_A([4])
    agents.append(copy.deepcopy(agents[3]))
    agents.append(pickle.loads(pickle.dumps(agents[3])))
    for agent in agents:
        np.testing.assert_allclose(agent.q_pi, q_pi, rtol=0, atol=1e-12)
    agents[3].q_pi = np.eye(125 * 1)[7]
    assert agents[3].sample_action()[0] == 0  # of policy 7, the first action


def test_learning_with_not_enumerated_policies():
    model = {
        **grid(3, 3, 3, slip=0.1),
        "pA": object_array([np.eye(9) * 5 + 0.1]),
        "pB": object_array([grid(3, 3, 1, slip=0.1)["B"][0] * 5]),
    }
    enumerated = Agent.from_model(packed(model, TREE))
    not_enumerated = Agent.from_model(packed(model, GRAPH, NOT_ENUMERATED))
    population = Population(packed(model, GRAPH, NOT_ENUMERATED), 2, seed=0)
    before = None
    for t, seen in enumerate([0, 1, 2, 5, 8]):
        for agent in (enumerated, not_enumerated):
            np.random.seed(t)
            agent.infer_states([seen])
            agent.infer_policies()
        np.testing.assert_allclose(not_enumerated.G, enumerated.G, rtol=1e-12, atol=G / 10)
        population.infer_states([seen, seen])
        assert population.infer_policies() is None
        np.testing.assert_allclose(population.G[1], enumerated.G, rtol=1e-12, atol=G / 10)
        for agent in (enumerated, not_enumerated):
            agent.update_A([seen])
            if before is not None:
                agent.update_B(before)
            agent.action = np.array([3.0])
        population.update_A([seen, seen])
        with pytest.raises(ValueError, match="agent 1 needs an infer_policies"):
            population.policies_of(1)
        population.infer_policies()
        population.sample_action()
        population._core.state["action"][:] = 3
        if before is not None:
            population.update_B([np.tile(before[0], (2, 1))])
        before = enumerated.qs


def test_too_many_distinct_beliefs():
    """A clear error instead of exhausted memory; the agent stays as it was."""
    rng = np.random.default_rng(0)
    B = np.zeros((40, 40, 3))
    for u in range(3):
        for s in range(40):
            B[[s, (s + 1 + u) % 40], s, u] = rng.dirichlet([1, 1])
    model = {"A": object_array([rng.dirichlet(np.ones(4), 40).T]), "B": object_array([B]),
             "policy_len": 12}  # fmt: skip
    agent = Agent(**model)
    population = Population(agent.model, 2, seed=0)
    before = agent.qs[0].copy()
    limit = bound_memory(1 << 20)
    try:
        for call in (lambda: agent.step([0]), agent.infer_policies):
            with pytest.raises(MemoryError, match="predicted beliefs are distinct"):
                call()
        with pytest.raises(MemoryError, match=r"agents \[0, 1\]"):
            population.step([0, 1])
    finally:
        bound_memory(limit)
    np.testing.assert_array_equal(agent.qs[0], before)
    assert agent.prev_actions is None
    assert (population.timesteps == 0).all()
    assert Agent.from_model(agent.model.replace(policy_len=3)).step([0]).shape == (1,)


def test_contraction_order():
    """Factors of unlike sizes and controls are summed out in another order than given."""
    rng = np.random.default_rng(1)
    num_states, num_controls = [2, 9, 4], [4, 1, 2]
    A = [distribution(rng, (5, *num_states), "smooth") for _ in range(2)]
    B = [
        distribution(rng, (n, n, u), "smooth")
        for n, u in zip(num_states, num_controls, strict=True)
    ]
    model = {"A": object_array(A), "B": object_array(B), "policy_len": 2,
             "pA": object_array(a * 3.0 for a in A), "use_param_info_gain": True}  # fmt: skip
    agent, reference = Agent(**model), Reference(**model)
    assert agent.model._parts["groups"][0]["contraction_order"].tolist() != [0, 1, 2]
    assert_same_episode(agent, reference, [[0, 1], [4, 2], [3, 3]])
    agent.update_A([1, 1])
    reference.update_A([1, 1])
    assert_same_episode(agent, reference, [[0, 1], [4, 2]])


def test_lazy_policies():
    policies = AllSequences([2, 3], 3)
    every = construct_policies([2, 3], 3)
    assert len(policies) == len(every) == 216
    for i in (0, 1, 5, 215, -1):
        np.testing.assert_array_equal(policies[i], every[i])
    np.testing.assert_array_equal(np.array(policies[3:9]), every[3:9])
    with pytest.raises(IndexError):
        policies[216]
    with pytest.raises(ValueError, match="too many to list"):
        AllSequences([10], 12).array()


@pytest.mark.parametrize("policy_len", [2, 6])
def test_a_file_belongs_to_an_equal_model(policy_len, tmp_path):
    """However its policies are held, and whatever was asked of it."""
    population = Population(GenerativeModel(**grid(5, 5, policy_len)), 3, seed=0)
    population.step([0, 1, 2])
    population.save(tmp_path / "population")
    other = GenerativeModel(**grid(5, 5, policy_len))
    assert other.E.shape == (5**policy_len,)
    loaded = Population.load(tmp_path / "population", other)
    np.testing.assert_array_equal(loaded.step([1, 1, 2]), population.step([1, 1, 2]))
    np.testing.assert_array_equal(loaded.policies_of(1), population.policies_of(1))
    with pytest.raises(ValueError, match="another model"):
        Population.load(tmp_path / "population", other.replace(policy_len=1))


@pytest.mark.parametrize("kind", ["smooth", "deterministic"])
@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_assigned_arrays(kind, name):
    """An array that is assigned changes all that was computed from it."""
    rng = np.random.default_rng(3)

    def arguments():
        return {
            "A": object_array([distribution(rng, (5, 7), "smooth")]),
            "B": object_array([distribution(rng, (7, 7, 3), kind)]),
            "C": object_array([rng.normal(size=5)]),
            "policy_len": 2,
        }

    first, second = arguments(), arguments()
    agent = Agent(**first)
    agent.infer_states([1])
    agent.infer_policies()
    setattr(agent, name, second[name])
    other = Agent(**{**first, name: second[name]})
    for each in (agent, other):
        each.qs = object_array([np.full(7, 1 / 7)])
    np.testing.assert_array_equal(agent.infer_policies(), other.infer_policies())


def test_many_joint_actions():
    """16,384 joint actions, each to a joint belief of its own: no table of their square."""
    B = np.stack([np.roll(np.eye(4), u, axis=0) for u in range(4)], axis=-1)
    model = {
        "A": object_array([np.eye(4)] * 7),
        "B": object_array([B] * 7),
        "C": object_array([np.arange(4.0)] * 7),
        "A_factor_list": [[f] for f in range(7)],
    }
    agent = Agent(**model)
    limit = bound_memory(1 << 24)
    try:
        np.testing.assert_array_equal(agent.step([0] * 7), np.full(7, 3.0))
        assert agent.model.packed.graph_size()["nodes"] == 4**7 + 1
    finally:
        bound_memory(limit)
