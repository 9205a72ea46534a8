"""Sophisticated inference against pymdp 1.x's planning tree, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pymdp.agent import Agent as Reference
from pymdp.planning import si as reference_si
from random_arrays import distribution

from freeagent_core.pymdp_v1 import Agent
from freeagent_core.pymdp_v1.planning.si import si_policy_search


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
