"""`Population` against as many Agents, whatever the threads, and its files."""

import copy
import io
import os
import threading

import numpy as np
import pytest
from environments import epistemic_bandit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_models import models

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core import pymdp_v0 as v0
from freeagent_core._agent.random_streams import agent_streams

SIZE = 5

slow = settings(
    max_examples=int(os.environ.get("FREEAGENT_CORE_EXAMPLES", "100")),
    deadline=None,
    derandomize="FREEAGENT_CORE_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
versions = st.one_of(
    st.tuples(st.just("legacy"), models()),
    st.tuples(st.just("0.0.7.1"), models(factor_lists=False)),
)


def agents_of(model):
    kind = v0.Agent if model.pymdp_version == "0.0.7.1" else Agent
    return [kind.from_model(model) for _ in range(SIZE)]


def outcomes(model, seed, count):
    """Return `count` arrays of outcomes, (SIZE, num_modalities)."""
    rng = np.random.default_rng(seed)
    return [np.stack([rng.integers(n, size=SIZE) for n in model.num_obs], 1) for _ in range(count)]


def assert_same(population, agents, actions):
    for i, agent in enumerate(agents):
        np.testing.assert_allclose(population.G[i], agent.G, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(population.q_pi[i], agent.q_pi, rtol=1e-9, atol=1e-12)
        agent.action = actions[i].astype(float)


@slow
@given(case=versions, seed=st.integers(0, 2**32 - 1), sophisticated=st.booleans())
def test_the_numbers_are_those_of_agents(case, seed, sophisticated):
    version, arguments = case
    sophisticated &= arguments["policy_len"] == 1 and "H" not in arguments
    model = GenerativeModel(
        **arguments, pymdp_version=version, sophisticated=sophisticated, si_horizon=2
    )
    population, agents = Population(model, SIZE, seed=seed), agents_of(model)
    for observed in outcomes(model, seed, 3):
        actions = population.step(observed)
        for agent, observation in zip(agents, observed, strict=True):
            agent.infer_states(observation.tolist())
            agent.infer_policies()
        for f, qs in enumerate(population.qs):
            own = [agent.qs[f] for agent in agents]
            np.testing.assert_allclose(qs, own, rtol=0, atol=1e-12)
        assert_same(population, agents, actions)
        for i, agent in enumerate(agents):  # an action that the agent itself could take
            _, p = agent._sample_action_test()
            if model.sampling_mode == "marginal":
                chosen = [p[f][u] for f, u in enumerate(actions[i])]
                best = [np.max(each) for each in p]
            else:
                matches = [(policy[0] == actions[i]).all() for policy in model.policies]
                chosen, best = [np.max(p[matches])], [np.max(p)]
            if model.action_selection == "deterministic":
                np.testing.assert_allclose(chosen, best, atol=2e-8)
            assert min(chosen) > 0
            agent.action = actions[i].astype(float)


@slow
@given(
    case=versions,
    seed=st.integers(0, 2**32 - 1),
    horizon=st.integers(1, 4),
    separate=st.booleans(),
)
def test_message_passing(case, seed, horizon, separate):
    version, arguments = case
    arguments.pop("C", None)  # whose columns would have to reach the horizon
    arguments["use_param_info_gain"] &= "pB" not in arguments
    model = GenerativeModel(
        **arguments,
        pymdp_version=version,
        inference_algo="MMP",
        inference_horizon=horizon,
        policy_sep_prior=separate,
        use_BMA=not separate,
    )
    population, agents = Population(model, SIZE, seed=seed), agents_of(model)
    for observed in outcomes(model, seed, horizon + 2):
        actions = population.step(observed)
        for i, (agent, observation) in enumerate(zip(agents, observed, strict=True)):
            agent.infer_states(observation.tolist())
            agent.infer_policies()
            sequences = population.sequences(i)
            for p, steps in enumerate(agent.qs):
                for t, beliefs in enumerate(steps):
                    for f, belief in enumerate(beliefs):
                        np.testing.assert_allclose(sequences[f][p, t], belief, atol=1e-12)
            np.testing.assert_allclose(population.F[i], agent.F, rtol=1e-9, atol=1e-9)
        assert_same(population, agents, actions)
        for agent in agents:
            agent.step_time()


def learning_model(**changes):
    rng = np.random.default_rng(3)
    A, B = rng.random((3, 4)), rng.random((4, 4, 2))
    arguments = {
        "A": A / A.sum(axis=0),
        "B": B / B.sum(axis=0),
        "C": np.array([0.0, 1.0, 2.0]),
        "pA": 5 * A,
        "pB": 5 * B,
        "pD": np.ones(4),
        "use_param_info_gain": True,
        "action_selection": "stochastic",
        "alpha": 1.0,
    }
    return GenerativeModel(**{**arguments, **changes})


def test_what_parameters_returns_stays_as_it_was():
    population = Population(learning_model(), SIZE, seed=0)
    observed = outcomes(population.model, 1, 1)[0]
    population.step(observed)
    for update in range(2):
        population.update_A(observed)
        population.update_B([qs.copy() for qs in population.qs])
        population.update_D(population.qs)
        found = population.parameters(1)
        if update == 0:
            first, before = found, copy.deepcopy(found)
        for name, arrays in found.items():
            with pytest.raises(ValueError, match="read-only"):
                arrays[0][...] = 1.0
            np.testing.assert_array_equal(first[name][0], before[name][0])
            assert update == 0 or (arrays[0] != before[name][0]).any()


def test_learning_is_that_of_agents():
    model = learning_model()
    population, agents = Population(model, SIZE, seed=0), agents_of(model)
    present = np.array([True, True, False, True, False])
    for observed in outcomes(model, 1, 4):
        before = [qs.copy() for qs in population.qs]
        population.infer_states(observed)
        population.update_A(observed, mask=present)
        if population.timesteps[0] > 0:
            population.update_B(before, mask=present)
        population.update_D(population.qs, mask=present)
        population.infer_policies()
        actions = population.sample_action()
        for i, agent in enumerate(agents):
            earlier = agent.qs
            agent.infer_states(observed[i].tolist())
            if present[i]:
                agent.update_A(observed[i].tolist())
                if agent.action is not None:
                    agent.update_B(earlier)
                agent.update_D(agent.qs)
            agent.infer_policies()
            for name, arrays in population.parameters(i).items():
                np.testing.assert_allclose(arrays[0], getattr(agent, name)[0], rtol=1e-12)
        assert_same(population, agents, actions)


def run(population, seed, ticks=4):
    return np.stack([population.step(o) for o in outcomes(population.model, seed, ticks)])


@pytest.mark.parametrize("algorithm", ["VANILLA", "MMP"])
def test_results_do_not_depend_on_threads_or_neighbours(algorithm):
    model = learning_model(inference_algo=algorithm, use_param_info_gain=algorithm == "VANILLA")
    big = [Population(model, 400, num_threads=n, seed=7) for n in (1, 2, 5)]
    observed = [np.resize(o, (400, 1)) for o in outcomes(model, 3, 6)]
    actions = [np.stack([p.step(o) for o in observed]) for p in big]
    np.testing.assert_array_equal(actions[0], actions[1])
    np.testing.assert_array_equal(actions[0], actions[2])
    np.testing.assert_array_equal(big[0].G, big[2].G)
    few = Population(model, SIZE, seed=7)
    np.testing.assert_array_equal(
        np.stack([few.step(o[:SIZE]) for o in observed]), actions[0][:, :SIZE]
    )
    # NumPy's global generator plays no part
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    few.step(observed[0][:SIZE])
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_streams_differ_and_follow_the_seed():
    model = GenerativeModel(np.eye(2), np.ones((2, 2, 8)) / 2)
    draws = [Population(model, 2000, seed=s).step(np.zeros(2000, int))[:, 0] for s in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
    counts = np.bincount(draws[0], minlength=8)  # eight actions of the same worth
    assert ((counts - 250) ** 2 / 250).sum() < 30  # chi squared, 7 degrees: p < 1e-4


@pytest.mark.parametrize("first", [0, 3, 250, 300])
def test_a_part_of_a_larger_population(first):
    model = learning_model()
    whole = Population(model, 600, seed=4)
    part = Population(model, 290, seed=4, first_agent=first)
    for observed in outcomes(model, 8, 3):
        seen = np.resize(observed, (600, 1))
        np.testing.assert_array_equal(
            part.step(seen[first : first + 290]), whole.step(seen)[first : first + 290]
        )


def test_no_two_agents_have_the_same_stream():
    states = agent_streams(np.random.SeedSequence(5), 0, 5000)
    assert len(np.unique(states, axis=0)) == 5000
    children = np.random.SeedSequence(5).spawn(2)
    assert not np.isin(agent_streams(children[0], 0, 50), agent_streams(children[1], 0, 50)).any()


def test_stochastic_actions_follow_their_probabilities():
    model = learning_model(sampling_mode="full")
    population = Population(model, 4000, seed=5)
    actions = population.step(np.zeros(4000, int))[:, 0]
    agent = Agent.from_model(model)
    agent.infer_states([0])
    agent.infer_policies()
    p = agent._sample_action_test()[1]
    assert abs((actions == 1).mean() - p[1]) < 4 * np.sqrt(p[1] * p[0] / 4000)


def test_masks_leave_absent_agents_alone():
    model = learning_model()
    population = Population(model, SIZE, seed=0)
    population.step(np.zeros(SIZE, int))
    before = population.qs[0].copy(), population.G.copy(), population.actions.copy()
    mask = np.array([True, False, True, False, True])
    actions = population.step([1, 99, 2, -7, 0], mask=mask)  # what absent agents see is ignored
    assert (actions[~mask] == -1).all()
    assert (actions[mask] >= 0).all()
    for now, then in zip((population.qs[0], population.G, population.actions), before, strict=True):
        np.testing.assert_array_equal(now[~mask], then[~mask])
    np.testing.assert_array_equal(population.timesteps, [2, 1, 2, 1, 2])
    population.reset(mask)
    np.testing.assert_array_equal(population.timesteps, [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(population.qs[0][mask], np.full((3, 4), 0.25))
    fresh = Population(model, SIZE, seed=1)
    np.testing.assert_array_equal(
        population.infer_states([0] * SIZE)[0][mask], fresh.infer_states([0] * SIZE)[0][mask]
    )


def test_views_are_of_the_agents_own_memory_and_read_only():
    population = Population(learning_model(), SIZE, seed=0)
    qs, q_pi, G = population.qs, population.q_pi, population.G
    population.step([0, 1, 2, 0, 1])
    assert qs[0] is population.qs[0]
    assert q_pi.sum() == pytest.approx(SIZE)
    for view in (*qs, q_pi, G, population.actions, population.timesteps):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 0


@pytest.mark.parametrize("algorithm", ["VANILLA", "MMP"])
@pytest.mark.parametrize("learning", [False, True])
def test_a_file_goes_on_as_the_population_would_have(tmp_path, algorithm, learning):
    model = learning_model(inference_algo=algorithm, use_param_info_gain=algorithm == "VANILLA")
    population = Population(model, SIZE, seed=0)
    run(population, 1)
    if learning:
        mask = np.array([True, False, False, True, True])
        population.update_D(population.qs, mask=mask)
        if algorithm == "VANILLA":
            population.update_A([0] * SIZE, mask=mask)
            population.update_B(population.qs, mask=~mask)
    path = tmp_path / "agents.npz"
    path.write_text("an older file")
    population.save(path)
    loaded = Population.load(path, model)
    assert os.listdir(tmp_path) == ["agents.npz"]
    np.testing.assert_array_equal(run(loaded, 2), run(population, 2))
    np.testing.assert_array_equal(loaded.G, population.G)
    if learning and algorithm == "VANILLA":
        for each in (loaded, population):
            each.update_A([1] * SIZE)
        np.testing.assert_array_equal(
            loaded.parameters(0)["pA"][0], population.parameters(0)["pA"][0]
        )


def test_open_files():
    model = learning_model()
    population = Population(model, SIZE, seed=0)
    run(population, 1)
    file = io.BytesIO()
    population.save(file)
    file.seek(0)
    loaded = Population.load(file, model)
    np.testing.assert_array_equal(run(loaded, 2), run(population, 2))
    with pytest.raises(ValueError, match="not a file of"):
        Population.load(io.BytesIO(b"PK"), model)


def test_files_that_cannot_be_loaded(tmp_path):
    model = learning_model()
    population = Population(model, SIZE)
    path = tmp_path / "agents.npz"
    population.save(path)
    with pytest.raises(ValueError, match="another model"):
        Population.load(path, learning_model(gamma=2.0))
    with pytest.raises(ValueError, match="another model"):
        Population.load(path, learning_model(C=np.zeros(3)))
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "version": np.array(99)})
    with pytest.raises(ValueError, match="version 99"):
        Population.load(path, model)
    np.savez(path, **{**arrays, "state/q_pi": arrays["state/q_pi"][:2]})
    with pytest.raises(ValueError, match="state/q_pi"):
        Population.load(path, model)
    path.write_bytes(b"PK not a file of ours")
    with pytest.raises(ValueError, match="not a file of"):
        Population.load(path, model)
    with pytest.raises(FileNotFoundError):
        Population.load(tmp_path / "none.npz", model)


BAD = [
    (lambda p: p.step([0, 1]), ValueError, r"observations must have shape \(5, 1\), got \(2, 1\)"),
    (lambda p: p.step([0, 1, 2, 3, 0]), ValueError, r"observations\[3, 0\] must be in 0 to 2"),
    (lambda p: p.step([0, 1, -1, 0, 0]), ValueError, r"observations\[2, 0\] must be in 0 to 2"),
    (lambda p: p.step([0.0, 1, 1, 0, 0]), TypeError, "observations must be integers"),
    (lambda p: p.step([[0], [1, 2], [0], [0], [0]]), ValueError, "rows differ"),
    (lambda p: p.step([0] * 5, mask=[1, 0, 1, 0, 1]), ValueError, "mask must be an array of bool"),
    (lambda p: p.step([0] * 5, mask=np.ones(4, bool)), ValueError, "mask must be an array of bool"),
    (lambda p: p.reset(np.ones(4, bool)), ValueError, "mask must be an array of bool"),
    (lambda p: p.sample_action(), ValueError, "agent 0 needs an infer_policies"),
    (lambda p: p.update_B([np.ones((5, 4))]), ValueError, "agent 0 needs a sample_action"),
    (lambda p: p.update_D([np.ones((5, 3))]), ValueError, r"qs_t0\[0\] must have shape \(5, 4\)"),
    (lambda p: p.update_D([]), ValueError, "qs_t0 must have one array per factor"),
    (lambda p: p.update_D([np.full((5, 4), -1.0)]), ValueError, r"qs_t0\[0\]"),
    (lambda p: p.update_D([np.full((5, 4), np.nan)]), ValueError, r"qs_t0\[0\]"),
    (lambda p: p.parameters(5), ValueError, "index must be"),
    (lambda p: p.sequences(0), AttributeError, "MMP"),
    (lambda p: setattr(p, "num_threads", 0), ValueError, "num_threads must be"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input_changes_nothing(call, error, message):
    population = Population(learning_model(), SIZE, seed=0)
    state = {name: array.copy() for name, array in population._core.state.items()}
    with pytest.raises(error, match=message):
        call(population)
    for name, array in population._core.state.items():
        np.testing.assert_array_equal(array, state[name])


@pytest.mark.parametrize(
    "flags",
    [
        {"inference_params": {"grad_descent": False}},
        {"use_BMA": False, "policy_sep_prior": False},
        {"use_BMA": False, "policy_sep_prior": True},
    ],
)
@pytest.mark.parametrize("kind", [Agent, v0.Agent])
def test_message_passing_as_agents_do(kind, flags):
    horizon = 3
    version = {"pymdp_version": "0.0.7.1"} if kind is v0.Agent else {}
    model = GenerativeModel(
        **{**epistemic_bandit(), "policy_len": 2},
        inference_algo="MMP",
        inference_horizon=horizon,
        **flags,
        **version,
    )
    population, agent = Population(model, 3, seed=0), kind.from_model(model)
    steps = 6 if flags.get("policy_sep_prior") or "use_BMA" not in flags else horizon
    for t in range(steps):
        observation = [t % 3, (t + 1) % 3, t % 4]
        population.infer_states([observation] * 3)
        population.infer_policies()
        agent.infer_states(observation)
        agent.infer_policies()
        for i in range(3):
            np.testing.assert_allclose(population.G[i], agent.G, atol=1e-12)
            np.testing.assert_allclose(population.F[i], agent.F, atol=1e-12)
        population.sample_action()
        agent.sample_action()
        agent.action = population.actions[0].astype(float)
        agent.prev_actions[-1] = agent.action
        population._core.state["action"][:] = population.actions[0]
        population._core.state["past_actions"][:] = population._core.state["past_actions"][0]
    if steps == horizon:
        with pytest.raises(ValueError, match="neither use_BMA nor policy_sep_prior"):
            population.step([[0, 0, 0]] * 3)
        with pytest.raises(ValueError, match="neither use_BMA nor policy_sep_prior"):
            agent.step([0, 0, 0])


def test_bad_arguments():
    model = learning_model()
    with pytest.raises(TypeError, match="model must be a GenerativeModel"):
        Population(Agent.from_model(model), 3)
    with pytest.raises(ValueError, match="size must be"):
        Population(model, 0)
    with pytest.raises(ValueError, match="first_agent must be"):
        Population(model, 3, first_agent=-1)
    plain = learning_model(pA=None, use_param_info_gain=False)
    with pytest.raises(ValueError, match="update_A needs pA"):
        Population(plain, 2).update_A([0, 0])


def test_calls_from_several_threads_are_ticks_one_after_the_other():
    model = learning_model()
    population, twin = Population(model, 200, seed=0), Population(model, 200, seed=0)
    threads = [
        threading.Thread(target=lambda: [population.step(np.zeros(200, int)) for _ in range(20)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(80):
        twin.step(np.zeros(200, int))
    np.testing.assert_array_equal(population.timesteps, 80)
    np.testing.assert_array_equal(population.qs[0], twin.qs[0])
    np.testing.assert_array_equal(population.actions, twin.actions)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_threads_of_its_own():
    population = Population(learning_model(), 5000, num_threads=2, seed=0)
    for _ in range(3):
        population.step(np.zeros(5000, int))
    child = os.fork()
    if child == 0:
        try:
            for _ in range(3):
                population.step(np.zeros(5000, int))
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    population.step(np.zeros(5000, int))


def test_memory_of_a_further_agent():
    """At most 4 KiB beyond its beliefs and policy arrays."""
    model = learning_model()
    core = Population(model, 10)._core
    own = sum(a.nbytes for name, a in core.state.items() if name not in ("qs", "q_pi", "G")) / 10
    assert own + 2 * 8 < 4096  # and the pointers to its model


def layouts(array):
    """Return `array` as callers may have it: other types, orders and owners."""
    strided = np.zeros((2 * len(array), *array.shape[1:]), array.dtype)[::2]
    strided[...] = array
    locked = array.copy()
    locked.flags.writeable = False
    swapped = array.astype(array.dtype.newbyteorder())
    found = [array, strided, locked, swapped, np.asfortranarray(array), array.tolist()]
    return (
        found if array.dtype == bool else [*found, array.astype(np.dtype(f"{array.dtype.kind}4"))]
    )


def test_layouts_of_input():
    """Arrays that are read in place and those that are converted are the same to the agents."""
    model = learning_model()
    size, rng = 7, np.random.default_rng(5)
    observations = rng.integers(model.num_obs[0], size=(size, 1))
    mask = rng.random(size) < 0.6
    beliefs = (
        np.round(rng.dirichlet(np.ones(model.num_states[0]), size) * 64) / 64
    )  # in float32 too

    def run(observations, mask, beliefs):
        population = Population(model, size, seed=3)
        actions = population.step(observations)
        population.update_A(observations, mask)
        population.update_B([beliefs], mask)
        population.update_D([beliefs], mask)
        return np.array([actions, population.step(observations, mask)]), population

    expected, first = run(observations, mask, beliefs)
    assert (expected[1][~mask] == -1).all()
    assert (expected[1][mask] >= 0).all()
    cases = [(each, mask, beliefs) for each in layouts(observations)]
    cases += [(each, mask, beliefs) for each in [observations[:, 0], observations[:, 0].tolist()]]
    cases += [(observations, each, beliefs) for each in layouts(mask)[:-1]]
    cases += [(observations, mask, each) for each in layouts(beliefs)]
    for case in cases:
        actions, population = run(*case)
        np.testing.assert_array_equal(actions, expected)
        np.testing.assert_array_equal(population.qs[0], first.qs[0])
        np.testing.assert_array_equal(
            population.parameters(0)["pB"][0], first.parameters(0)["pB"][0]
        )


def test_the_first_problem_is_told():
    """Of several agents with bad input the first one, of one agent the outcome."""
    population = Population(learning_model(), 4, seed=0)
    population.step([0] * 4, [False, True, True, True])  # agent 0 has not acted
    for observations, mask, told in [
        ([9, 0, 0, 9], None, r"observations\[0, 0\]"),
        ([9, 0, -1, 9], [False, True, True, True], r"observations\[2, 0\]"),
        ([9, 9, 9, 9], [False] * 3 + [True], r"observations\[3, 0\]"),
    ]:
        with pytest.raises(ValueError, match=told):
            population.step(observations, None if mask is None else np.array(mask))
    population.step([9, 9, 9, 9], np.zeros(4, bool))
    with pytest.raises(ValueError, match="agent 0 needs a sample_action"):
        population.update_B(population.qs)
    population.update_B(population.qs, np.array([False, True, True, True]))
