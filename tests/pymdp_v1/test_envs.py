"""Environments of `pymdp_v1.envs` against pymdp's: the same arrays, the same episodes by keys."""

import importlib
import itertools

import jax
import jax_reference  # noqa: F401  (float64)
import networkx as nx
import numpy as np
import pymdp.envs
import pymdp.envs.generalized_tmaze
import pymdp.envs.graph_worlds
import pytest
from jax_reference import assert_equal, to_jax

from freeagent_core.pymdp_v1 import random
from freeagent_core.pymdp_v1.distribution import compile_model
from freeagent_core.pymdp_v1.envs import PymdpEnv, SimplifiedTMaze, TMaze, make

ROOT = "freeagent_core.pymdp_v1.envs"
GRAPH = nx.Graph([(0, 1), (1, 2), (2, 3), (0, 3)])


def both(module, name, *args, **kwargs):
    """Make an environment of each of the two packages."""
    return [
        getattr(importlib.import_module(f"{root}.{module}"), name)(*args, **kwargs)
        for root in (ROOT, "pymdp.envs")
    ]


def generalized(small, key):
    worlds = []
    for root in (ROOT, "pymdp.envs"):
        module = importlib.import_module(f"{root}.generalized_tmaze")
        info = module.parse_maze(module.get_maze_matrix(small), random.PRNGKey(key))
        worlds.append(module.GeneralizedTMazeEnv(info))
    return worlds


WORLDS = {
    "tmaze": lambda: both("tmaze", "TMaze", 0.8, 0.7),
    "tmaze, dependent": lambda: both("tmaze", "TMaze", 0.8, dependent_outcomes=True),
    "tmaze, fixed": lambda: both("tmaze", "TMaze", reward_condition=1),
    "simplified": lambda: both("tmaze", "SimplifiedTMaze", None, 0.9, 0.8),
    "adjacent": lambda: both(
        "tmaze", "BaseTMaze", num_locations=4, cue_mode="embedded", connectivity="adjacent",
        has_middle=False,
    ),
    "grid": lambda: both("grid_world", "GridWorld", (3, 4), [(1, 1), (9, 9)], None, True, 0.7),
    "grid, sure": lambda: both("grid_world", "GridWorld", (2, 3), None, (1, 2), False),
    "graph": lambda: both("graph_worlds", "GraphEnv", GRAPH, key=random.PRNGKey(4)),
    "graph, default key": lambda: both("graph_worlds", "GraphEnv", GRAPH, object_location=2),
    "cue chaining": lambda: both(
        "cue_chaining", "CueChainingEnv", (4, 4), cue2_locations=[(0, 2), (3, 3), (1, 1)],
        reward_locations=[(0, 3), (3, 0)],
    ),
    "generalized": lambda: generalized(True, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", WORLDS)
def test_same_arrays(name):
    ours, theirs = WORLDS[name]()
    for letter in "ABD":
        for own, their in zip(getattr(ours, letter), getattr(theirs, letter), strict=True):
            assert own.dtype == their.dtype  # float32 is drawn otherwise
            np.testing.assert_array_equal(own, np.asarray(their), err_msg=letter)
    assert ours.A_dependencies == theirs.A_dependencies
    assert ours.B_dependencies == theirs.B_dependencies


@pytest.mark.parametrize("name", ["tmaze", "grid", "cue chaining"])
def test_same_episodes(name):
    ours, theirs = WORLDS[name]()
    batch, generator = 6, np.random.default_rng(0)
    reset, step = jax.vmap(theirs.reset), jax.vmap(theirs.step)
    keys = random.split(7, batch)
    observation, state = ours.reset(keys)
    their_observation, their_state = reset(keys)
    for t in range(8):
        assert_equal([observation, state], [their_observation, their_state], name=f"step {t}")
        action = np.stack([generator.integers(0, b.shape[-1], batch) for b in ours.B], axis=-1)
        keys = random.split(random.fold_in(7, t), batch)
        observation, state = ours.step(keys, state, action)
        their_observation, their_state = step(keys, their_state, action)


def test_one_element_and_a_batch_agree():
    env = WORLDS["tmaze"]()[0]
    keys = random.split(1, 5)
    observation, state = env.reset(keys)
    action = np.array([[4, 0], [3, 0], [1, 0], [2, 0], [0, 0]])
    later, later_state = env.step(keys, state, action)
    stayed, stayed_state = env.step(keys, state, None)
    for i, key in enumerate(keys):
        own = [s[i] for s in state]
        assert_equal(env.reset(key), ([o[i] for o in observation], own))
        assert_equal(env.reset(key, own)[1], own)
        for act in (action[i], list(action[i])):
            assert_equal(
                env.step(key, own, act), ([o[i] for o in later], [s[i] for s in later_state])
            )
        assert_equal(
            env.step(key, own, None), ([o[i] for o in stayed], [s[i] for s in stayed_state])
        )
    assert_equal(stayed_state, state)


def test_given_state_and_categorical_observations():
    ours, theirs = both("tmaze", "TMaze", 0.8, categorical_obs=True)
    state = [np.array(1), np.array(0)]
    for seed in range(3):
        key = random.PRNGKey(seed)
        assert_equal(ours.reset(key, state), theirs.reset(key, to_jax(state)))
        theirs_next = theirs.step(key, to_jax(state), np.array([4, 0]))
        assert_equal(ours.step(key, state, np.array([4, 0])), theirs_next)


def test_parameters_of_a_batch():
    ours, theirs = WORLDS["graph"]()
    keys = random.split(2, 5)
    for options in (
        {"key": random.PRNGKey(8), "batch_size": 5},
        {"object_locations": [0, 1, 2, 3, 4], "agent_locations": [3, 2, 1, 0, 3]},
    ):
        params = ours.generate_env_params(GRAPH, **options)
        their_params = theirs.generate_env_params(GRAPH, **options)
        assert_equal(params, their_params)
        observation, state = ours.reset(keys, env_params=params)
        theirs_now = jax.vmap(theirs.reset)(keys, env_params=their_params)
        assert_equal((observation, state), theirs_now)
    with pytest.warns(UserWarning, match="no batch"):
        assert ours.generate_env_params(GRAPH)["A"] is ours.A
    with pytest.raises(ValueError, match="random key must be provided"):
        ours.generate_env_params(GRAPH, batch_size=2)


def test_parameters_replace_the_environments_own():
    env, none = make([np.eye(2)], [np.eye(2)[:, :, None]], [np.ones(2) / 2])
    assert none is None
    _, params = make(
        [np.eye(2)], [np.eye(2)[:, :, None]], [np.array([0.0, 1.0])], make_env_params=True
    )
    keys = random.split(0, 20)
    assert 0 < env.reset(keys)[1][0].sum() < 20
    np.testing.assert_array_equal(env.reset(keys, env_params=params)[1][0], 1)
    bare = PymdpEnv(A_dependencies=[[0]], B_dependencies=[[0]])
    np.testing.assert_array_equal(bare.reset(keys, env_params=params)[1][0], 1)
    with pytest.raises(ValueError, match="has no A"):
        bare.reset(keys)
    batched, params = make(
        [np.stack([np.eye(2)] * 20)],
        [np.stack([np.eye(2)[:, :, None]] * 20)],
        [np.eye(2)[np.arange(20) % 2]],
        make_env_params=True,
    )
    assert params["A"][0].shape == (20, 2, 2)
    np.testing.assert_array_equal(batched.reset(keys)[1][0], np.arange(20) % 2)
    env.D = [np.array([1.0, 0.0])]
    np.testing.assert_array_equal(env.reset(keys)[1][0], 0)


def test_an_environment_of_distributions():
    config = {
        "observations": {"seen": {"size": 2, "depends_on": ["place"]}},
        "controls": {"move": {"size": 2}},
        "states": {
            "mood": {"size": 3, "depends_on": ["mood"], "controlled_by": ["move"]},
            "place": {"size": 2, "depends_on": ["place", "mood"], "controlled_by": ["move"]},
        },
    }
    model = compile_model(config)
    model.A[0].data = np.eye(2)
    model.B[0].data = np.repeat(np.eye(3)[:, :, None], 2, axis=-1)
    model.B[1].data = np.full((2, 2, 3, 2), 0.5)
    env = PymdpEnv(model["A"], model["B"], model["D"])
    assert env.A_dependencies == [[1]]
    assert env.B_dependencies == [[0], [1, 0]]
    assert [s.shape for s in env.reset(random.split(0, 4))[1]] == [(4,), (4,)]


def test_bad_input_is_named():
    env = WORLDS["tmaze"]()[0]
    for call, kind, message in [
        (lambda: env.reset(0, [0]), ValueError, "state must have 2 entries"),
        (lambda: env.reset(0, [0, 2]), ValueError, r"state\[1\] must be in range\(2\)"),
        (lambda: env.step(0, [0, 0], [5, 0]), ValueError, r"action\[0\] must be in range\(5\)"),
        (lambda: env.step(0, [0, 0], [-1, 0]), ValueError, r"action\[0\] must be in range\(5\)"),
        (lambda: env.step(0, [0.5, 0], [0, 0]), TypeError, r"state\[0\] must hold integers"),
        (lambda: env.step(0, [0, 0], [0]), ValueError, "action must have 2 entries"),
        (lambda: env.step(0, [[0, 1], 0], [0, 0]), ValueError, r"state\[0\] must have the shape"),
        (lambda: env.reset(np.zeros((2, 2, 2), np.uint32)), ValueError, r"\(batch, 2\)"),
        (lambda: PymdpEnv(A=[np.eye(2)]), ValueError, "Need to provide A and B"),
        (lambda: PymdpEnv([np.eye(2)], [np.eye(2)], [np.ones(2)]), ValueError, r"B\[0\] must have"),
        (lambda: PymdpEnv([np.eye(3)], [np.eye(2)[..., None]], [np.ones(2)]), ValueError,
         r"A\[0\] must have the shape \(any, 2\)"),
        (lambda: PymdpEnv([-np.eye(2)], [np.eye(2)[..., None]], [np.ones(2)]), ValueError,
         r"A\[0\] must be finite and not negative"),
        (lambda: both("grid_world", "GridWorld", (2, 2), [(0, 0)], 0), ValueError, "be a wall"),
        (lambda: both("cue_chaining", "CueChainingEnv", start_location=(9, 9)), ValueError,
         "outside grid bounds"),
    ]:  # fmt: skip
        with pytest.raises(kind, match=message):
            call()


def test_coordinates():
    grid, cues = WORLDS["grid"]()[0], WORLDS["cue chaining"]()[0]
    for row, col in itertools.product(range(4), range(4)):
        assert cues.index_to_coords(cues.coords_to_index((row, col))) == (row, col)
        assert grid.index_to_coords((4, 4), grid.coords_to_index((4, 4), (row, col))) == (row, col)


def test_connected_clusters():
    from freeagent_core.pymdp_v1.envs.graph_worlds import generate_connected_clusters

    graph, labels = generate_connected_clusters(3, 2)
    theirs, their_labels = pymdp.envs.graph_worlds.generate_connected_clusters(3, 2)
    assert list(graph.edges) == list(theirs.edges)
    assert labels == their_labels


@pytest.mark.parametrize("maze", [TMaze, SimplifiedTMaze])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward_condition": 2}, "reward_condition must be"),
        ({"reward_condition": -1}, "reward_condition must be"),
        ({"reward_probability": 1.1}, r"reward_probability must be in \[0, 1\], got 1.1"),
        ({"punishment_probability": -0.1}, "punishment_probability must be in"),
        ({"cue_validity": float("nan")}, "cue_validity must not be NaN"),
    ],
)
def test_mazes_that_cannot_be(maze, options, message):
    with pytest.raises(ValueError, match=message):
        maze(**options)


@pytest.mark.parametrize("maze", [TMaze, SimplifiedTMaze])
def test_a_reward_condition_is_whole(maze):
    with pytest.raises(TypeError, match="reward_condition"):
        maze(reward_condition=0.9)
