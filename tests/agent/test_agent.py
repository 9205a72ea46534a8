"""The Agent as callers use it: attributes, copies, histories, threads."""

import copy
import pickle
import threading

import models
import numpy as np
import pytest
from environments import epistemic_bandit
from pymdp.legacy.agent import Agent as Reference
from random_arrays import distribution, object_array

import freeagent_core.pymdp_v0
from freeagent_core import Agent, GenerativeModel
from freeagent_core._kernels.base import primitives


def bandit(**flags):
    return {**epistemic_bandit(), "policy_len": 2, **flags}


def run(agent, steps=4, seed=0):
    np.random.seed(seed)
    return [agent.step([t % 3, t % 3, t % 4]).tolist() for t in range(steps)]


def test_has_every_public_attribute_of_the_reference():
    reference, agent = Reference(**bandit()), Agent(**bandit())
    for each in (reference, agent):
        each.infer_states([0, 0, 0])
        each.infer_policies()
        each.sample_action()
    names = {name for name in dir(reference) if not name.startswith("__")}
    assert names <= set(dir(agent))
    for name in vars(reference):
        ours, theirs = getattr(agent, name), getattr(reference, name)
        if isinstance(theirs, (int, float, str, bool, list, dict, type(None))):
            if name == "policies":
                np.testing.assert_array_equal(ours, theirs)
            elif name not in ("prev_actions",):
                assert ours == theirs, name
    assert agent.inference_params == reference.inference_params


def test_priors_that_are_not_given():
    agent, reference = Agent(**bandit()), Reference(**bandit())
    for name in ("_construct_C_prior", "_construct_D_prior"):
        for mine, theirs in zip(getattr(agent, name)(), getattr(reference, name)(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(agent._construct_E_prior(), reference._construct_E_prior())
    np.testing.assert_array_equal(agent._construct_policies(), reference._construct_policies())
    assert agent._construct_num_controls() == reference._construct_num_controls()
    assert agent._get_default_params() == reference._get_default_params()


@pytest.mark.parametrize("kind", [Agent, freeagent_core.pymdp_v0.Agent])
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, copy.copy, lambda agent: pickle.loads(pickle.dumps(agent))]
)
def test_copies_go_on_as_the_original(kind, duplicate):
    agent = kind(**bandit(action_selection="stochastic", gamma=2.0, save_belief_hist=True))
    run(agent)
    agent.alpha = 3.0
    twin = duplicate(agent)
    assert twin.curr_timestep == 4
    assert twin.alpha == 3.0
    assert len(twin.qs_hist) == 4
    assert run(twin, seed=5) == run(agent, seed=5)
    for mine, other in zip(twin.qs, agent.qs, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_fresh_agents_copy_too():
    agent = pickle.loads(pickle.dumps(Agent(**bandit())))
    assert not hasattr(agent, "q_pi")
    assert agent.action is None


def test_histories():
    flags = {"save_belief_hist": True, "action_selection": "deterministic"}
    agent, reference = Agent(**bandit(**flags)), Reference(**bandit(**flags))
    for each in (agent, reference):
        for t in range(4):
            each.infer_states([0, 0, t])
            each.infer_policies()
            each.action = np.array([0.0, t])
            each.step_time()
    assert len(agent.qs_hist) == len(reference.qs_hist) == 4
    assert len(agent.q_pi_hist) == len(reference.q_pi_hist)
    for mine, theirs in zip(agent.qs_hist, reference.qs_hist, strict=True):
        np.testing.assert_allclose(np.concatenate(mine), np.concatenate(theirs), atol=1e-9)
    assert not hasattr(Agent(**bandit()), "qs_hist")


def test_results_already_returned_do_not_change():
    agent = Agent(**bandit())
    kept = []
    for observation in ([0, 0, 0], [1, 0, 1], [2, 1, 3]):
        qs = agent.infer_states(observation)
        q_pi, G = agent.infer_policies()
        action = agent.sample_action()
        kept.append([(x, x.copy()) for x in (*qs, q_pi, G, action)])
        agent.step(observation)
    for pairs in kept:
        for array, value in pairs:
            np.testing.assert_array_equal(array, value)


def test_callers_may_write_into_beliefs():
    agent, reference = Agent(**bandit()), Reference(**bandit())
    for each in (agent, reference):
        each.infer_states([0, 0, 0])
        each.infer_policies()
        each.sample_action()
        each.qs[0][:] = [0.9, 0.1]
        each.action[1] = 2
        each.infer_states([1, 2, 2])
    np.testing.assert_allclose(agent.qs[0], reference.qs[0], atol=1e-9)
    for each in (agent, reference):
        each.infer_policies()
        each.q_pi[:] = 0.0
        each.q_pi[5] = 1.0
    np.testing.assert_array_equal(agent.sample_action(), reference.sample_action())


@pytest.mark.parametrize("name", ["A", "B", "C", "D", "E", "gamma", "policies", "use_utility"])
def test_assignments_count_at_the_next_call(name):
    rng = np.random.default_rng(0)
    model = bandit()
    values = {
        "A": object_array(a + rng.random(a.shape) for a in model["A"]),
        "B": object_array(b + 0.1 for b in model["B"]),
        "C": object_array([rng.normal(size=len(a)) for a in model["A"]]),
        "D": object_array([np.array([0.2, 0.8]), np.full(4, 0.25)]),
        "E": rng.dirichlet(np.ones(16)),
        "gamma": 0.5,
        "policies": [np.array([[0, 1], [0, 2]]), np.array([[0, 3], [0, 0]])],
        "use_utility": False,
    }
    if name in ("A", "B"):
        for i, x in enumerate(values[name]):
            values[name][i] = x / x.sum(axis=0)
    agent, reference = Agent(**model), Reference(**model)
    for each in (agent, reference):
        setattr(each, name, values[name])
        if name == "policies":
            each.E = np.array([0.3, 0.7])
        each.infer_states([0, 0, 0])
        each.infer_policies()
        each.action = np.array([0.0, 2.0])
        each.infer_states([0, 1, 2])
        each.infer_policies()
    np.testing.assert_allclose(agent.G, reference.G, atol=1e-8)
    np.testing.assert_allclose(agent.q_pi, reference.q_pi, atol=1e-9)
    for mine, theirs in zip(agent.qs, reference.qs, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_another_shape_by_assignment():
    """A whole new model by assignments; beliefs and action start again."""
    agent = Agent(**bandit())
    run(agent)
    grid = models.grid(3, 1)
    agent.A, agent.B, agent.C, agent.D = (grid[name] for name in "ABCD")
    agent.policies = None
    expected = Agent(**grid)
    agent.policy_len = 1
    agent.reset()
    np.random.seed(0)
    action = agent.step([4])
    np.random.seed(0)
    np.testing.assert_array_equal(action, expected.step([4]))
    np.testing.assert_allclose(agent.G, expected.G)


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("other", ["states", "fewer policies"])
def test_another_shape_by_assignment_with_message_passing(steps, other):
    """Beliefs and free energies of other states or policies mean nothing: they begin again."""
    rng = np.random.default_rng(0)
    A, B = (
        {n: distribution(rng, (*shape, n, *more), "smooth") for n, shape, more in sizes}
        for sizes in ([(3, (2,), ()), (4, (2,), ())], [(3, (3,), (2,)), (4, (4,), (2,))])
    )
    flags = {"inference_algo": "MMP", "inference_horizon": 2, "policy_len": 2}
    agent = Agent(A[4], B[4], **flags)
    for _ in range(steps):
        agent.step([1])
    if other == "states":
        agent.A, agent.B, agent.D = A[3], B[3], np.full(3, 1 / 3)
        expected = Agent(A[3], B[3], **flags)
    else:
        agent.policies = [np.zeros((2, 1)), np.ones((2, 1)), np.array([[0], [1]])]
        expected = Agent(A[4], B[4], policies=agent.policies, **flags)
    agent.reset()
    agent.prev_obs, agent.prev_actions = [], None
    for each in (agent, expected):
        each.infer_states([0])
        each.infer_policies()
    np.testing.assert_allclose(agent.F, expected.F, rtol=1e-12)
    np.testing.assert_allclose(agent.q_pi, expected.q_pi, rtol=1e-12)


def test_callers_do_not_share_arrays_with_the_model():
    given = bandit()
    model = GenerativeModel(**given)
    agent = Agent.from_model(model)
    given["A"][0][:] = 0.0
    assert agent.A[0].sum() > 0
    agent.A[0][:] = np.roll(agent.A[0], 1, axis=0)
    assert not np.array_equal(agent.A[0], model.A[0])
    np.testing.assert_array_equal(Agent.from_model(model).A[0], model.A[0])


def test_agents_share_a_model():
    model = GenerativeModel(**bandit(gamma=4.0))
    agents = [Agent.from_model(model) for _ in range(3)]
    assert all(agent.model is model for agent in agents)
    assert run(agents[0]) == run(Agent(**bandit(gamma=4.0)))
    agents[1].gamma = 1.0
    assert agents[2].gamma == 4.0
    assert copy.deepcopy(model) is model
    twin = pickle.loads(pickle.dumps(model))
    assert run(Agent.from_model(twin)) == run(agents[2])


def test_model_is_immutable():
    model = GenerativeModel(**bandit())
    with pytest.raises(AttributeError, match="immutable"):
        model.gamma = 2.0
    with pytest.raises(AttributeError, match="immutable"):
        del model.A
    with pytest.raises(ValueError, match="read-only"):
        model.A[0][0] = 0.0


def test_replace_shares_what_does_not_change():
    model = GenerativeModel(**bandit())
    other = model.replace(C=object_array([np.ones(3), np.ones(3), np.ones(4)]))
    assert other._parts["tree"] is model._parts["tree"]
    assert other._parts["factors"] is model._parts["factors"]
    assert other._parts["groups"] is not model._parts["groups"]
    assert len(model.replace(policy_len=1).policies) == 4


def test_step_calls_what_a_subclass_overrides():
    class Cautious(Agent):
        def sample_action(self):
            self.asked = True
            return super().sample_action()

    agent = Cautious(**bandit())
    agent.step([0, 0, 0])
    assert agent.asked
    assert agent.curr_timestep == 1


def test_inductive_state_survives_learning():
    """pymdp plans with the B that was given, whatever is learned later."""
    model = models.grid(3, 1)
    H = object_array([np.eye(9)[8]])
    pB = object_array([model["B"][0] + 0.01])
    agent = Agent(**model, H=H, pB=pB)
    I_before = agent.I[0].copy()
    agent.step([0])
    agent.update_B(agent.qs)
    np.testing.assert_array_equal(agent.I[0], I_before)
    np.testing.assert_array_equal(Reference(**model, H=H, pB=pB).I[0], I_before)


def test_two_threads_on_one_agent_and_many_on_one_model():
    model = GenerativeModel(**models.three_factors())
    shared = Agent.from_model(model)
    agents = [Agent.from_model(model) for _ in range(4)]
    expected = Agent.from_model(model)
    for t in range(30):
        expected.step([t % 6] * 3)

    def work(agent):
        for t in range(30):
            agent.step([t % 6] * 3)
            shared.step([0, 0, 0])

    threads = [threading.Thread(target=work, args=(agent,)) for agent in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for agent in agents:
        np.testing.assert_array_equal(agent.q_pi, expected.q_pi)
        np.testing.assert_array_equal(agent.prev_actions, expected.prev_actions)
    assert shared.curr_timestep == 120


def test_results_do_not_depend_on_what_ran_before():
    """Workspace is shared by the agents of a model and never cleared."""
    model = GenerativeModel(**bandit())
    first = Agent.from_model(model)
    expected = run(first), first.G.tolist()
    busy = Agent.from_model(model)
    run(busy, steps=9, seed=3)
    again = Agent.from_model(model)
    assert (run(again), again.G.tolist()) == expected


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"inference_algo": "MMP", "inference_horizon": 3},
        {"sophisticated": True, "policy_len": 1},
    ],
)
def test_simd_levels_agree_to_1e_12(flags):
    results = []
    for level in primitives.simd_levels():
        primitives.set_simd_level(level)
        agent = Agent(**bandit(action_selection="stochastic", **flags))
        results.append((run(agent), agent.q_pi.tolist(), agent.G.tolist()))
    actions, q_pi, G = results[0]
    for other_actions, other_q_pi, other_G in results[1:]:
        assert other_actions == actions
        np.testing.assert_allclose(other_q_pi, q_pi, rtol=0, atol=1e-12)
        np.testing.assert_allclose(other_G, G, rtol=0, atol=1e-12)


def test_warnings_of_the_reference():
    with pytest.warns(UserWarning, match="use_BMA"):
        agent = Agent(**bandit(policy_sep_prior=True))
    assert agent.edge_handling_params == {"use_BMA": False, "policy_sep_prior": True}


def test_sample_action_test_returns_the_probabilities():
    for flags in (
        {"sampling_mode": "marginal"},
        {"sampling_mode": "full"},
        {"sampling_mode": "marginal", "action_selection": "stochastic"},
        {"sampling_mode": "full", "action_selection": "stochastic"},
    ):
        agent, reference = Agent(**bandit(**flags)), Reference(**bandit(**flags))
        for each in (agent, reference):
            each.infer_states([0, 0, 0])
            each.infer_policies()
        np.random.seed(0)
        action, p = agent._sample_action_test()
        np.random.seed(0)
        expected, p_expected = reference._sample_action_test()
        if flags["sampling_mode"] == "full":
            p, p_expected = [p], [p_expected]
        for mine, theirs in zip(p, p_expected, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-9)
        if "action_selection" in flags:
            np.testing.assert_array_equal(action, expected)
