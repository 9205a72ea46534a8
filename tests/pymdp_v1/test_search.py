"""Sophisticated inference against pymdp 1.x's planning tree, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pymdp.agent import Agent as Reference
from pymdp.planning import si as reference_si
from random_arrays import distribution

from freeagent_core.pymdp_v1 import Agent
from freeagent_core.pymdp_v1.envs import GridWorld, rollout
from freeagent_core.pymdp_v1.planning.si import infer_fn, predict_fn, si_policy_search


class _Float64Numpy:
    """jax.numpy whose float32 and int32 have 64 bits: pymdp's tree is not made for both."""

    float32, int32 = jnp.float64, jnp.int64

    def __getattr__(self, name):
        return getattr(jnp, name)


@pytest.fixture(autouse=True, scope="module")
def float64():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference_si, "jnp", _Float64Numpy())
        yield
    jax.config.update("jax_enable_x64", before)


def agents(A, B, C, lists):
    """Return two agents of one model, this package's and pymdp's."""
    reference = Reference(
        [jnp.array(a) for a in A],
        [jnp.array(b) for b in B],
        C=[jnp.array(c) for c in C],
        **lists,
        batch_size=2,
    )
    return Agent(A, B, C=C, **lists, batch_size=2), reference


SETTINGS = [
    {"horizon": 3, "entropy_stop_threshold": -1.0, "max_nodes": 400},
    {"horizon": 2, "max_nodes": 60, "topk_obsspace": 2, "gamma": 4.0, "prune_penalty": 20.0},
    {"horizon": 3, "max_nodes": 24, "entropy_stop_threshold": 0.0, "max_branching": 6},
    {"horizon": 3, "max_nodes": 200, "kl_threshold": 0.05, "entropy_stop_threshold": 0.0},
    {"horizon": 2, "max_nodes": 200, "entropy_stop_threshold": -1.0, "max_branching": 4},
    {"horizon": 2, "max_nodes": 5, "entropy_stop_threshold": -1.0},
    {"horizon": 2, "max_nodes": 6, "entropy_stop_threshold": -1.0},
]


@pytest.mark.parametrize("case", range(len(SETTINGS)))
def test_same_policies_as_pymdp(case):
    settings = SETTINGS[case]
    search, reference_search = None, None
    for seed in range(6):
        rng = np.random.default_rng(100 * case + seed)
        kind = ("smooth", "peaked", "sparse")[seed % 3]
        A = [distribution(rng, (3, 3, 2), kind), distribution(rng, (2, 2), kind)]
        B = [distribution(rng, (3, 3, 2), kind), distribution(rng, (2, 2, 2), kind)]
        C = [rng.normal(scale=2.0, size=n) for n in (3, 2)]
        lists = {"A_dependencies": [[0, 1], [1]], "B_dependencies": [[0], [1]]}
        agent, reference = agents(A, B, C, lists)
        qs = [
            np.stack([distribution(rng, (n,), "smooth") for _ in range(2)])[:, None] for n in (3, 2)
        ]
        search = search or si_policy_search(**settings)
        reference_search = reference_search or reference_si.si_policy_search(**settings)
        q_pi, info = search(agent, qs)
        other, other_info = reference_search(reference, [jnp.array(q) for q in qs])
        np.testing.assert_allclose(q_pi, other, rtol=0, atol=1e-9)
        for tree, used, values in zip(
            info["tree"], other_info["tree"].used, other_info["tree"].neg_efe, strict=True
        ):
            assert len(tree.used) == int(used.sum())
            assert abs(tree.node(0)["neg_efe"] - float(values[0, 0])) < 1e-8


def test_factors_that_depend_on_each_other():
    rng = np.random.default_rng(9)
    A = [distribution(rng, (3, 3, 2), "smooth")]
    B = [distribution(rng, (3, 3, 2, 2), "smooth"), distribution(rng, (2, 2, 3, 1), "smooth")]
    lists = {"A_dependencies": [[0, 1]], "B_dependencies": [[0, 1], [1, 0]]}
    C = [rng.normal(size=3)]
    agent, reference = agents(A, B, C, lists)
    qs = [np.stack([distribution(rng, (n,), "smooth") for _ in range(2)])[:, None] for n in (3, 2)]
    settings = {"horizon": 3, "max_nodes": 400, "entropy_stop_threshold": -1.0}
    q_pi, _ = si_policy_search(**settings)(agent, qs)
    other, _ = reference_si.si_policy_search(**settings)(reference, [jnp.array(q) for q in qs])
    np.testing.assert_allclose(q_pi, other, rtol=0, atol=1e-9)


def test_cost_follows_nodes_in_use():
    agent = Agent([np.eye(2)], [np.stack([np.eye(2), np.eye(2)[::-1]], -1)])
    qs = [np.array([[[0.5, 0.5]]])]
    _, info = si_policy_search(horizon=1, max_nodes=10**9)(agent, qs)
    assert len(info["tree"][0]) < 20


def test_more_policies_than_branches():
    B = [np.stack([np.roll(np.eye(12), u, axis=0) for u in range(12)], axis=-1)]
    agent = Agent([np.eye(12)], B, C=[np.arange(12.0)])
    q_pi, _ = si_policy_search(horizon=1)(agent, [np.eye(12)[None, None, 0]])
    assert q_pi.argmax() == 11
    with pytest.raises(ValueError, match="max_branching"):
        si_policy_search()(agent.replace(upstream_faults=True), [np.eye(12)[None, None, 0]])


def test_policies_of_one_step_are_needed():
    agent = Agent([np.eye(2)], [np.eye(2)[:, :, None]], policy_len=2)
    with pytest.raises(ValueError, match="one step"):
        si_policy_search()(agent, [np.array([[[0.5, 0.5]]])])


def test_equal_beliefs_have_equal_trees():
    # in a grid many paths lead to one belief; each has its own nodes, with the same values below
    size = 4
    B = np.stack([np.roll(np.eye(size), u, axis=0) for u in (-1, 0, 1)], axis=-1)
    agent = Agent([0.9 * np.eye(size) + 0.025], [B], C=[np.array([0.0, 1.0, 0.0, 0.5])])
    _, info = si_policy_search(horizon=3, entropy_stop_threshold=0.0)(
        agent, [np.eye(size)[None, :1]]
    )
    tree = info["tree"][0]
    values, parents = {}, set()
    for index in tree.used:
        node = tree.node(index)
        assert not parents & set(node["children"])  # a tree: one parent each
        parents |= set(node["children"])
        for child in node["children"]:
            assert tree.node(child)["horizon"] - node["horizon"] == ("observation" in node)
        if "observation" in node:
            key = (node["horizon"], *np.round(node["qs"][0], 9))
            below = sorted(tree.node(c)["neg_efe"] for c in node["children"])
            values.setdefault(key, []).append((node["neg_efe"], *below))
    assert parents == set(tree.used) - {0}
    assert max(map(len, values.values())) > 3
    for same in values.values():
        np.testing.assert_allclose(same, [same[0]] * len(same), rtol=0, atol=1e-9)


# --- functions of the caller ----------------------------------------------------------------------


def random_agent(rng, kind, algorithm="fpi"):
    A = [distribution(rng, (3, 3, 2), kind), distribution(rng, (2, 2), kind)]
    B = [distribution(rng, (3, 3, 2, 2), kind), distribution(rng, (2, 2, 2), kind)]
    return Agent(
        A,
        B,
        C=[rng.normal(scale=2.0, size=n) for n in (3, 2)],
        A_dependencies=[[0, 1], [1]],
        B_dependencies=[[0, 1], [1]],
        batch_size=2,
        inference_algo=algorithm,
    )


def own_infer_fn(agent, obs, qs):
    return infer_fn(agent, obs, qs)


def own_predict_fn(agent, qs):
    return predict_fn(agent, qs)


@pytest.mark.parametrize("case", range(len(SETTINGS)))
@pytest.mark.parametrize("kind", ["smooth", "peaked", "sparse"])
def test_functions_of_the_caller_make_the_same_trees(case, kind):
    rng = np.random.default_rng(case)
    agent = random_agent(rng, kind)
    qs = [np.stack([distribution(rng, (n,), "smooth") for _ in range(2)])[:, None] for n in (3, 2)]
    q_pi, info = si_policy_search(**SETTINGS[case])(agent, qs)
    search = si_policy_search(**SETTINGS[case], infer_fn=own_infer_fn, predict_fn=own_predict_fn)
    other, other_info = search(agent, qs)
    np.testing.assert_allclose(other, q_pi, rtol=0, atol=1e-10)
    for tree, other_tree in zip(info["tree"], other_info["tree"], strict=True):
        assert same_nodes(tree, 0, other_tree, 0) == len(tree.used) == len(other_tree.used)
    again, _ = search(agent, tree=other_info["tree"])
    np.testing.assert_allclose(
        again, si_policy_search(**SETTINGS[case])(agent, tree=info["tree"])[0], rtol=0, atol=1e-10
    )


def same_nodes(tree, index, other, other_index):
    """Compare what stands below two nodes and return how many nodes that is."""
    node, other_node = tree[index], other[other_index]
    assert node.keys() == other_node.keys()
    for name in node.keys() - {"idx", "children"}:
        values = [n[name] if isinstance(n[name], list) else [n[name]] for n in (node, other_node)]
        for x, y in zip(*values, strict=True):
            np.testing.assert_allclose(y, x, rtol=0, atol=1e-9)
    pairs = zip(node["children"], other_node["children"], strict=True)
    return 1 + sum(same_nodes(tree, a, other, b) for a, b in pairs)


def test_values_and_inference_of_the_callers_own():
    B = [np.stack([np.eye(2), np.eye(2)[::-1]], -1)]
    agent = Agent([np.eye(2)], B, C=[np.array([0.0, 4.0])])
    qs = [np.array([[[1.0, 0.0]]])]
    seen = []

    def staying_pays(agent, qs):
        after, outcomes, neg_efe = predict_fn(agent, qs)
        return after, outcomes, neg_efe + np.array([[9.0], [0.0]])

    def watched(agent, obs, qs):
        seen.append(([o.shape for o in obs], [q.shape for q in qs]))
        return infer_fn(agent, obs, qs)

    assert si_policy_search(horizon=2)(agent, qs)[0].argmax() == 1
    search = si_policy_search(horizon=2, predict_fn=staying_pays, infer_fn=watched)
    assert search(agent, qs)[0].argmax() == 0
    assert seen
    assert all(shapes == ([(1, 1)], [(1, 2)]) for shapes in seen)
    _, info = rollout(agent, GridWorld((1, 2), include_stay=False), 1, 0, policy_search=search)
    assert len(info["tree"][0]) == 2


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"predict_fn": lambda agent, qs: None}, "predict_fn must return"),
        ({"predict_fn": lambda agent, qs: ([], [], [])}, "predict_fn's qs must be a list of 2"),
        (
            {"predict_fn": lambda agent, qs: (*predict_fn(agent, qs)[:2], np.zeros(3))},
            r"neg_efe must have shape \(4, 1\), got \(3,\)",
        ),
        ({"infer_fn": lambda agent, obs, qs: [qs[0], qs[1][:, :1]]}, r"infer_fn's qs\[1\]"),
        ({"infer_fn": lambda agent, obs, qs: 1 / 0}, "division"),
    ],
)
def test_what_functions_of_the_caller_return_is_checked(functions, message):
    agent = random_agent(np.random.default_rng(0), "smooth")
    qs = [np.full((2, 1, n), 1.0 / n) for n in (3, 2)]
    search = si_policy_search(**functions)
    _, info = search(agent, qs, reset=True)
    with pytest.raises((ValueError, ZeroDivisionError), match=message):
        search(agent, tree=info["tree"])
    assert [len(tree) for tree in info["tree"]] == [1, 1]


def test_trees_go_on_with_the_functions_they_began_with():
    agent = random_agent(np.random.default_rng(0), "smooth")
    qs = [np.full((2, 1, n), 1.0 / n) for n in (3, 2)]
    trees = si_policy_search(horizon=1)(agent, qs)[1]["tree"]
    with pytest.raises(TypeError, match="PythonTree"):
        si_policy_search(infer_fn=own_infer_fn)(agent, tree=trees)
    with pytest.raises(TypeError, match="predict_fn must be callable"):
        si_policy_search(predict_fn=3)
