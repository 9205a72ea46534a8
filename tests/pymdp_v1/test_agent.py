"""What pymdp_v1.Agent does beyond pymdp's numbers: faults mended, functional updates, errors."""

import pickle

import numpy as np
import pytest

from freeagent_core.pymdp_v1 import Agent, random

A = [np.array([[0.9, 0.1], [0.1, 0.9]])]
B = [np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)]


def two_factors(**keywords):
    rng = np.random.default_rng(0)
    shapes = ((3, 2, 2), (2, 2, 2))
    likelihoods = [rng.dirichlet(np.ones(s[0]), size=s[1:]).transpose(2, 0, 1) for s in shapes]
    return Agent(likelihoods, [B[0], B[0]], **keywords)


def test_vmp_of_one_observation_starts_from_the_prior():
    prior = [np.array([[0.8, 0.2]])]
    fixed = Agent(A, B, inference_algo="vmp").infer_states([np.array([[0]])], prior)
    filtered = Agent(A, B).infer_states([np.array([0])], prior)
    np.testing.assert_allclose(fixed[0], filtered[0], atol=1e-12)
    faulty = Agent(A, B, inference_algo="vmp", upstream_faults=True)
    np.testing.assert_allclose(
        faulty.infer_states([np.array([[0]])], prior)[0][0, 0], [0.9, 0.1], atol=1e-9
    )


@pytest.mark.parametrize("faults", [False, True])
def test_a_mask_holds_for_one_call_unless_pymdps_fault_is_wanted(faults):
    agent = Agent(A, B, upstream_faults=faults)
    qs = agent.infer_states([np.array([0])], agent.D, mask=[0.0])
    np.testing.assert_allclose(qs[0], 0.5)
    again = agent.infer_states([np.array([0])], agent.D)
    np.testing.assert_allclose(again[0][0, 0], [0.5, 0.5] if faults else [0.9, 0.1])


def test_factors_are_drawn_independently_unless_pymdps_fault_is_wanted():
    keys = random.split(random.PRNGKey(0), 400)
    settings = {"action_selection": "stochastic", "sampling_mode": "marginal", "batch_size": 400}
    agent = two_factors(**settings)
    q_pi = np.full((400, 4), 0.25)
    actions = agent.sample_action(q_pi, rng_key=keys)
    assert 120 < (actions[:, 0] == actions[:, 1]).sum() < 280
    faulty = agent.replace(upstream_faults=True).sample_action(q_pi, rng_key=keys)
    np.testing.assert_array_equal(faulty[:, 0], faulty[:, 1])
    np.testing.assert_array_equal(faulty[:, 0], actions[:, 0])


def test_smoothing_of_several_parents():
    transitions = (
        np.random.default_rng(0).dirichlet(np.ones(2), size=(2, 2, 2)).transpose(3, 0, 1, 2)
    )
    model = {
        "A": [A[0], A[0]],
        "B": [transitions, B[0]],
        "pB": [transitions * 4, B[0] + 1],
        "A_dependencies": [[0], [1]],
        "B_dependencies": [[0, 1], [1]],
        "inference_algo": "ovf",
        "learn_B": True,
    }
    qs = [np.array([[[0.7, 0.3], [0.4, 0.6]]]), np.array([[[0.2, 0.8], [0.9, 0.1]]])]
    arguments = (qs, [np.zeros((1, 2), dtype=int)] * 2, np.array([[[1, 0]]]))
    counts = Agent(**model).infer_parameters(*arguments).pB[0][0] - model["pB"][0]
    # q(s', s0, s1) of Bayes' rule for the transition that was made
    joint = transitions[..., 1] * np.einsum("i,j->ij", qs[0][0, 0], qs[1][0, 0])
    expected = joint / joint.sum(axis=(1, 2), keepdims=True) * qs[0][0, 1][:, None, None]
    np.testing.assert_allclose(counts[..., 1], expected, atol=1e-12)
    np.testing.assert_allclose(counts[..., 0], 0.0)
    with pytest.raises(ValueError, match="invalid_action_mode"):
        Agent(**model, upstream_faults=True).infer_parameters(*arguments)


def test_whole_numbers_may_be_floats_and_one_agent_needs_no_axis():
    agent = two_factors()
    expected = agent.infer_states([np.array([0]), np.array([1])], agent.D)
    for observed in ([np.array([0.0]), np.array([1.0])], [0.0, 1.0], [0, 1]):
        np.testing.assert_equal(agent.infer_states(observed, agent.D), expected)
    with pytest.raises(TypeError, match=r"observations\[0\] must hold indices"):
        agent.infer_states([0.5, 1.0], agent.D)
    weights = [np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.4])]
    weights = [w[:n] / w[:n].sum() for w, n in zip(weights, agent.num_obs, strict=True)]
    agent = two_factors(categorical_obs=True)
    expected = agent.infer_states([w[None] for w in weights], agent.D)
    np.testing.assert_equal(agent.infer_states(weights, agent.D), expected)
    agent, actions = two_factors(inference_algo="mmp"), np.array([[[1, 0]]])
    window = [np.array([[0, 1]]), np.array([[1, 1]])]
    expected = agent.infer_states(window, agent.D, past_actions=actions)
    floats = agent.infer_states(window, agent.D, past_actions=actions.astype(float))
    np.testing.assert_equal(floats, expected)


@pytest.mark.parametrize("algorithm", ["mmp", "vmp"])
def test_steps_before_the_valid_ones_have_no_free_energy(algorithm):
    agent = two_factors(inference_algo=algorithm)
    window = [np.array([[2, 0, 1]]), np.array([[0, 1, 1]])]
    actions = np.array([[[0, 1], [1, 0]]])
    arguments = {"return_info": True, "empirical_prior": agent.D}
    _, info = agent.infer_states(
        window, past_actions=actions, valid_steps=np.array([2]), **arguments
    )
    _, short = agent.infer_states(
        [o[:, 1:] for o in window], past_actions=actions[:, 1:], **arguments
    )
    assert info["vfe_t"][0, 0] == 0.0
    np.testing.assert_allclose(info["vfe_t"][:, 1:], short["vfe_t"], rtol=1e-12)


def test_replace_and_index():
    agent = Agent(A, B, batch_size=3, gamma=np.array([1.0, 2.0, 3.0]), pA=A, learn_A=True)
    assert agent[1].batch_size == 1
    np.testing.assert_array_equal(agent[1].gamma, [2.0])
    np.testing.assert_array_equal(agent[[2, 0]].gamma, [3.0, 1.0])
    assert agent[1:].batch_size == 2
    sharper = agent.replace(A=[np.eye(2)], gamma=5.0)
    np.testing.assert_array_equal(sharper.A[0][2], np.eye(2))
    np.testing.assert_array_equal(agent.gamma, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(agent.A[0][2], A[0])
    longer = agent.replace(policies=[[[0], [0]], [[1], [1]], [[0], [1]]])
    assert longer.E.shape == (3, 3)
    assert longer.infer_policies([np.full((3, 1, 2), 0.5)])[0].shape == (3, 3)
    with pytest.raises(TypeError, match="batch_size"):
        agent.replace(batch_size=2)


def test_a_part_of_a_batch_does_as_the_batch():
    agent = two_factors(batch_size=3, gamma=np.array([1.0, 2.0, 3.0]))
    observed = [np.array([0, 1, 2]), np.array([1, 0, 1])]
    q_pi, G = agent.infer_policies(agent.infer_states(observed, agent.D))
    for i in range(3):
        one = agent[i]
        qs = one.infer_states([o[i : i + 1] for o in observed], one.D)
        np.testing.assert_array_equal(one.infer_policies(qs)[0][0], q_pi[i])
        np.testing.assert_array_equal(one.infer_policies(qs)[1][0], G[i])


def test_an_agent_cannot_be_assigned_to():
    agent = Agent(A, B)
    with pytest.raises(AttributeError, match=r"replace\(gamma"):
        agent.gamma = 2.0
    with pytest.raises(ValueError, match="read-only"):
        agent.A[0][0, 0, 0] = 1.0


def test_what_is_written_into_a_list_counts_from_the_next_call_on():
    agent = Agent(A, B, use_inductive=True, H=[np.array([1.0, 0.0])], inductive_depth=2)
    qs = agent.infer_states([0], agent.D)
    other, transitions, likelihood = agent.replace(gamma=2.0), agent.B, A[0][::-1]
    agent.A[0] = likelihood
    agent.C[0] = np.array([[0.0, 3.0]])
    written = Agent([likelihood], B, [np.array([0.0, 3.0])], use_inductive=True, H=list(agent.H))
    np.testing.assert_array_equal(
        agent.infer_states([0], agent.D), written.infer_states([0], written.D)
    )
    np.testing.assert_array_equal(agent.infer_policies(qs)[1], written.infer_policies(qs)[1])
    assert not agent.A[0].flags.writeable
    np.testing.assert_array_equal(other.infer_states([0], other.D), qs)  # has lists of its own
    transitions[0] = B[0][..., ::-1]  # the list that the caller has is still the agent's
    np.testing.assert_array_equal(
        agent.infer_policies(qs)[1], written.replace(B=[B[0][..., ::-1]]).infer_policies(qs)[1]
    )
    transitions[0] = B[0]
    np.testing.assert_array_equal(agent.infer_policies(qs)[1], written.infer_policies(qs)[1])


@pytest.mark.parametrize(
    "use",
    [
        lambda agent: agent.infer_states([0], agent.D),
        lambda agent: agent.infer_states([0], agent.D, mask=[1.0]),
        lambda agent: agent.infer_policies([np.array([[[0.5, 0.5]]])]),
        lambda agent: agent.replace(gamma=2.0),
        lambda agent: agent[0],
        pickle.dumps,
    ],
)
def test_what_is_written_into_a_list_is_checked(use):
    agent = Agent(A, B)
    agent.A[0] = np.eye(3)
    with pytest.raises(ValueError, match=r"A\[0\] must have shape \(2, 2\)"):
        use(agent)
    agent.A[0] = A[0]
    use(agent)
    agent.A.append(A[0])
    with pytest.raises(ValueError, match="A must have 1 arrays"):
        use(agent)


def test_jax_maps_over_an_agents_arrays():
    jax = pytest.importorskip("jax")
    agent = Agent(A, B)
    assert [d.shape for d in jax.tree_util.tree_map(lambda d: d[:, None], agent.D)] == [(1, 1, 2)]
    qs = agent.infer_states([jax.numpy.array([0])], [jax.numpy.array([[0.5, 0.5]])])
    np.testing.assert_allclose(qs[0][0, 0], [0.9, 0.1], atol=1e-7)
    for pair in ((agent.D, qs), (qs, agent.D)):
        (sums,) = jax.tree_util.tree_map(lambda x, y: x.sum() + y.sum(), *pair)
        assert sums == pytest.approx(2.0)


def test_pickled():
    agent = pickle.loads(pickle.dumps(Agent(A, B, policy_len=2)))
    np.testing.assert_array_equal(agent.A[0][0], A[0])


def test_one_seed_or_generator_for_all_agents():
    agent = Agent(A, B, batch_size=4, action_selection="stochastic")
    q_pi = np.full((4, 2), 0.5)
    keys = random.split(random.PRNGKey(3), 4)
    np.testing.assert_array_equal(agent.sample_action(q_pi, 3), agent.sample_action(q_pi, keys))
    assert agent.sample_action(q_pi, np.random.default_rng(0)).shape == (4, 1)
    with pytest.raises(ValueError, match="random number generator key"):
        agent.sample_action(q_pi)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"A": [A[0] * 0.5]}, "properly normalised"),
        ({"A": [np.zeros((2, 2))]}, "sum to zero"),
        ({"A": [np.array([[np.nan, 0.5], [0.5, 0.5]])]}, r"A\[0\]\[0, 0\] must be finite"),
        ({"D": [np.ones(3) / 3]}, r"D\[0\] must have shape \(2,\)"),
        ({"E": np.ones(3) / 3}, "E must have shape"),
        ({"A_dependencies": [[1]]}, r"A_dependencies\[0\]\[0\] must be in 0 to 0, got 1"),
        ({"policies": [[[2]]]}, r"policies\[0, 0, 0\] must be in range\(2\)"),
        ({"control_fac_idx": [1]}, "control_fac_idx"),
        ({"learn_A": True}, "pA is required"),
        ({"inference_algo": "mcmc"}, "inference_algo must be one of"),
        ({"inference_horizon": 0}, "inference_horizon"),
        ({"gamma": np.ones(3)}, "gamma must be a number"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_errors_of_the_constructor(change, message):
    with pytest.raises((ValueError, AssertionError), match=message):
        Agent(**({"A": A, "B": B} | change))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda a: a.infer_states([np.array([2])], a.D),
            r"observations\[0\] must be in range\(2\)",
        ),
        (lambda a: a.infer_states([np.array([0, 1])], a.D), r"observations\[0\] must have shape"),
        (lambda a: a.infer_states([np.array([0])], []), "empirical_prior must have 1 arrays"),
        (lambda a: a.infer_states([np.array([0])], [np.ones(2)]), r"empirical_prior\[0\]"),
        (lambda a: a.infer_policies([np.ones((1, 2))]), r"qs\[0\] must have shape"),
        (lambda a: a.infer_policies([np.full((1, 1, 2), np.inf)]), r"qs\[0\] must be finite"),
        (lambda a: a.update_empirical_prior(np.array([[2]]), [np.ones((1, 1, 2))]), "range"),
        (lambda a: a.sample_action(np.ones((1, 3))), "q_pi must have shape"),
    ],
)
def test_errors_of_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call(Agent(A, B))


@pytest.mark.parametrize("algorithm", ["fpi", "ovf"])
def test_many_agents_learn_as_each_alone(algorithm):
    rng = np.random.default_rng(0)
    A, B = [rng.dirichlet(np.ones(5), 30).T], [rng.dirichlet(np.ones(30), (30, 3))]
    B = [np.moveaxis(B[0], 2, 0)]
    agent = Agent(
        A, B, pA=[A[0] * 3], pB=[B[0] * 2], learn_A=True, learn_B=True, batch_size=200,
        inference_algo=algorithm,
    )  # fmt: skip
    qs = [rng.dirichlet(np.ones(30), (200, 4))]
    observations, actions = [rng.integers(0, 5, (200, 4))], rng.integers(0, 3, (200, 3, 1))
    for _ in range(3):  # from the second time on by several threads
        learned = agent.infer_parameters(qs, observations, actions)
        for i in (0, 99, 199):
            alone = agent[i].infer_parameters(
                [qs[0][i : i + 1]], [observations[0][i : i + 1]], actions[i : i + 1]
            )
            for name in ("A", "B", "pA", "pB"):
                np.testing.assert_array_equal(
                    getattr(learned, name)[0][i], getattr(alone, name)[0][0]
                )
