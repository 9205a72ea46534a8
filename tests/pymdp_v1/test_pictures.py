"""Pictures of mazes and of search trees."""

import numpy as np
import pytest

from freeagent_core.pymdp_v1 import Agent, random
from freeagent_core.pymdp_v1.envs import SimplifiedTMaze, TMaze, rollout
from freeagent_core.pymdp_v1.envs.generalized_tmaze import (
    GeneralizedTMazeEnv,
    get_maze_matrix,
    parse_maze,
)
from freeagent_core.pymdp_v1.planning.si import si_policy_search

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def plt(monkeypatch):
    """Pyplot without windows, each of whose `show` is counted in `plt.shows`."""
    from matplotlib import pyplot

    pyplot.switch_backend("Agg")
    monkeypatch.setattr(pyplot, "shows", 0, raising=False)
    monkeypatch.setattr(pyplot, "show", lambda: setattr(pyplot, "shows", pyplot.shows + 1))
    yield pyplot
    pyplot.close("all")


def mice(env, batch_size=1, **settings):
    return Agent(
        env.A,
        env.B,
        C=[np.zeros(len(env.A[0])), np.array([0.0, 2.0, -3.0]), *[np.zeros(3)] * (len(env.A) - 2)],
        D=env.D,
        A_dependencies=env.A_dependencies,
        B_dependencies=env.B_dependencies,
        batch_size=batch_size,
        **settings,
    )


# --- mazes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("maze", [TMaze, SimplifiedTMaze])
@pytest.mark.parametrize("categorical_obs", [False, True])
def test_every_step_of_a_rollout_is_drawn(maze, categorical_obs, plt):
    env = maze(categorical_obs=categorical_obs)
    agent = mice(env, batch_size=3, policy_len=2, categorical_obs=categorical_obs)
    _, info = rollout(agent, env, 4, random.PRNGKey(0))
    for t in range(5):
        picture = env.render(mode="rgb_array", observations=[o[:, t] for o in info["observation"]])
        assert picture.shape == (600, 600, 3)
        assert picture.dtype == np.uint8
    assert plt.get_fignums() == []


@pytest.mark.parametrize("maze", [TMaze, SimplifiedTMaze])
def test_pictures_of_different_observations_differ(maze):
    env = maze()
    sizes = [len(a) for a in env.A]
    seen = [np.array(o) for o in np.ndindex(*sizes)]
    arms = [1, 2]  # what is got, and what is not
    pictures = {}
    for outcome in seen:
        if outcome[0] not in arms and outcome[1] != 0:
            continue
        picture = env.render([np.array([[o]]) for o in outcome], mode="rgb_array")
        pictures[tuple(outcome)] = picture.tobytes()
    assert len(set(pictures.values())) == len(pictures)


def test_a_picture_is_shown(plt):
    env = TMaze()
    assert env.render([np.array([1, 2])] * 3, title="two mice") is None
    assert plt.shows == 1
    (number,) = plt.get_fignums()
    figure = plt.figure(number)
    assert len(figure.axes) == 2
    assert figure.get_suptitle() == "two mice"


@pytest.mark.parametrize(
    ("observations", "message"),
    [
        ([np.array([0])] * 2, "observations must have 3 arrays"),
        ([np.array([5])] * 3, r"observations\[0\]\[0\] must be in range"),
        (
            [np.array([0]), np.array([-1]), np.array([0])],
            r"observations\[1\]\[0\] must be in range",
        ),
        ([np.array([0]), np.array([0, 1]), np.array([0])], r"observations\[1\] must have 1 entr"),
        ([np.zeros((1, 2))] * 3, r"observations\[0\] must have shape"),
        ([np.zeros(0)] * 3, r"observations\[0\] must have shape"),
    ],
)
def test_observations_that_are_none(observations, message, plt):
    with pytest.raises(ValueError, match=message):
        TMaze().render(observations, mode="rgb_array")
    with pytest.raises(ValueError, match="mode must be one of"):
        TMaze().render([np.array([0])] * 3, mode="ascii")
    assert plt.get_fignums() == []


def test_generalized_mazes(plt):
    env = GeneralizedTMazeEnv(parse_maze(get_maze_matrix(), random.PRNGKey(1)))
    _, state = env.reset(random.PRNGKey(2))
    assert env.render(states=state, mode="human") is None
    assert plt.shows == 1
    plt.close("all")
    pictures = {
        env.render([np.array([cell, 0])] + [np.zeros(2)] * 3, mode="rgb_array").tobytes()
        for cell in range(25)
    }
    assert len(pictures) == 25
    assert plt.get_fignums() == []
    for wrong in ([25], [-1], [[0]], []):
        with pytest.raises(ValueError, match=r"states\[0\]"):
            env.render([np.array(wrong, dtype=int)] + [np.zeros(1)] * 3)
    with pytest.raises(ValueError, match="states must have 4 arrays"):
        env.render([np.array([0])])


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ImportError, match="plots need matplotlib: pip install"):
        TMaze().render([np.array([0])] * 3)


# --- search trees and beliefs ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def searched():
    env = SimplifiedTMaze()
    search = si_policy_search(horizon=2, entropy_stop_threshold=0.0)
    _, info = rollout(mice(env, batch_size=2), env, 2, random.PRNGKey(0), policy_search=search)
    return info


def test_nodes_have_pymdps_shapes(searched):
    tree = searched["tree"][1][0]
    root = tree.root()
    assert root["qs"][0].shape == (1, 1, 4)
    assert root["observation"].shape == (1, 2)
    child = tree[int(root["children"][0])]
    assert child["policy"].shape == (2,)
    assert "observation" not in child
    with pytest.raises(IndexError):
        tree[len(tree)]


@pytest.mark.parametrize("layout", ["dot", "twopi", "spring"])
def test_a_tree_is_drawn(searched, layout, plt):
    from freeagent_core.pymdp_v1.planning.visualize import plot_plan_tree

    pytest.importorskip("networkx")
    tree = searched["tree"][0][0]
    graph, pos = plot_plan_tree(tree, layout=layout, min_prob=0.0, max_depth=10)
    below, queue = set(), [tree.root()]
    while queue:
        node = queue.pop()
        below.add(node["idx"])
        queue += [tree[int(child)] for child in node["children"]]
    assert {data["idx"] for _, data in graph.nodes(data=True)} == below
    assert len({tuple(np.round(at, 9)) for at in pos.values()}) == len(graph)
    assert len(plt.gca().texts) == len(graph)
    one, _ = plot_plan_tree(tree, layout=layout, max_depth=1, ax=plt.gca())
    assert len(one) == 1 + int((tree.root()["children_probs"] >= 0.2).sum())


def test_trees_of_a_rollout_and_of_a_search_are_shown(searched, plt):
    from freeagent_core.pymdp_v1.planning.visualize import visualize_plan_tree

    pytest.importorskip("networkx")
    described = []
    visualize_plan_tree(
        searched,
        time_idx=1,
        agent_idx=1,
        min_prob=0.0,
        observation_description=lambda o, model: described.append(o.shape) or "seen",
        action_description=lambda a, model: described.append(a.shape) or "done",
    )
    assert set(described) == {(1, 2), (2,)}
    visualize_plan_tree({"tree": searched["tree"][0]}, time_idx=None, root_idx=1)
    assert plt.shows == 2
    with pytest.raises(TypeError, match="time_idx must be None"):
        visualize_plan_tree({"tree": searched["tree"][0]})


def test_beliefs_are_shown(searched, plt):
    from freeagent_core.pymdp_v1.planning.visualize import visualize_beliefs

    visualize_beliefs(searched, agent_idx=1)
    assert plt.shows == 1
    assert len(plt.gcf().axes) == 2
    np.testing.assert_array_equal(plt.gcf().axes[1].images[0].get_array(), searched["qs"][1][1].T)


def test_names_of_a_compiled_model(searched, plt):
    from freeagent_core.pymdp_v1 import distribution
    from freeagent_core.pymdp_v1.planning import visualize

    model = distribution.compile_model(
        {
            "observations": {"seen": {"elements": ["left", "right"], "depends_on": ["place"]}},
            "controls": {"move": {"elements": ["noop", "go"]}},
            "states": {
                "place": {
                    "elements": ["west", "east"],
                    "depends_on": ["place"],
                    "controlled_by": ["move"],
                }
            },
        }
    )
    assert visualize.action_to_string(np.array([1]), model) == "go"
    assert visualize.action_to_string(np.array([0]), model) == "noop"
    assert visualize.observation_to_string(np.array([[1]]), model) == "right,\n"
    visualize.visualize_beliefs({"qs": [np.full((1, 3, 2), 0.5)]}, model=model)
    labels = [label.get_text() for label in plt.gca().get_yticklabels()]
    assert labels == ["west", "east"]
    assert plt.gca().get_title() == "place"
