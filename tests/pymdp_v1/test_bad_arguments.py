"""Bad arguments are refused with an error that names them, and leave the agent as it was."""

import re

import numpy as np
import pytest

from freeagent_core.pymdp_v1 import Agent, random
from freeagent_core.pymdp_v1._settings import REPLACEABLE
from freeagent_core.pymdp_v1.envs import GridWorld, rollout
from freeagent_core.pymdp_v1.planning.si import si_policy_search


def model(**settings):
    """Two agents with two factors and two modalities that learn A and B."""
    rng = np.random.default_rng(0)
    A = [rng.dirichlet(np.ones(n), size=s).T for n, s in ((3, (2, 2)), (2, (2,)))]
    B = [rng.dirichlet(np.ones(2), size=(n, 2)).T for n in (2, 1)]
    B = [np.swapaxes(b, 1, 2).swapaxes(1, 2) for b in B]
    arguments = {
        "A_dependencies": [[0, 1], [1]],
        "batch_size": 2,
        "pA": [a + 1 for a in A],
        "pB": [b + 1 for b in B],
        "learn_A": True,
        "learn_B": True,
    }
    return {"A": A, "B": B} | arguments | settings


OBSERVATIONS = [np.array([0, 1]), np.array([1, 0])]
WINDOW = [o[:, None] for o in OBSERVATIONS]

NO_NUMBER = {
    "text": "x",
    "object": object(),
    "dict": {},
    "complex": np.array([1j, 0]),
    "ragged": [[1], [2, 3]],
}
NO_INTEGER = NO_NUMBER | {"nan": float("nan"), "1.5": 1.5, "1e300": 1e300, "2**70": 2**70}
NO_LIST = {"int": 5, "nan": float("nan"), "text": "x", "object": object(), "bool": True}
NO_LISTS = NO_LIST | {"dict": {}, "empty": [], "complex": np.array([1j, 0]), "of floats": [[0.5]]}

# argument of the constructor: bad values
CONSTRUCTOR = {
    "A": NO_LIST | {"empty": [], "ragged": [[[1], [2, 3]], [1]]},
    "B": NO_LIST | {"empty": []},
    "A_dependencies": NO_LISTS | {"out of range": [[0, 2], [1]], "twice": [[0, 0], [1]]},
    "B_dependencies": NO_LISTS | {"negative": [[-1], [1]], "text within": ["x", "y"]},
    "num_controls": NO_LIST | {"empty": [], "dict": {}, "zero": [0, 1], "floats": [1.5, 1]},
    "control_fac_idx": NO_LIST | {"dict": {}, "floats": [0.5], "out of range": [2]},
    "policy_len": NO_INTEGER | {"none": None, "0": 0, "-2": -2, "99": 99, "empty": []},
    "policies": NO_NUMBER | {"floats": [[[0.5, 0.0]]], "out of range": [[[0, 1]]]},
    "num_iter": NO_INTEGER | {"none": None, "-1": -1, "bool": True},
    "batch_size": NO_INTEGER | {"none": None, "0": 0, "bool": True},
    "inductive_depth": NO_INTEGER | {"-2": -2, "bool": True},
    "inference_horizon": NO_INTEGER | {"0": 0, "-2": -2, "bool": True},
    "gamma": NO_NUMBER | {"nan": np.nan, "three": np.ones(3), "none": None},
    "alpha": NO_NUMBER | {"inf": np.inf},
    "inductive_threshold": NO_NUMBER,
    "E": NO_NUMBER | {"three": np.ones(3) / 3},
    "action_selection": {"other": "x", "none": None, "array": np.ones(3)},
    "sampling_mode": {"other": "x", "list": ["full", "full"]},
    "learning_mode": {"other": "x"},
    "inference_algo": {"other": "x", "array": np.ones(3)},
    "preprocess_fn": {"int": 1},
    "use_utility": {"array": np.ones(3)},
}

# name in the message: (call with a bad value, bad values)
BELIEFS = NO_LIST | {"none": None, "dict": {}, "short": [np.ones((2, 1, 2))], "flat": [[0.5], [1]]}
HISTORY = {label: bad for label, bad in BELIEFS.items() if bad is not None}
CALLS = {
    "observations": (
        lambda a, bad: a.infer_states(bad, a.D),
        NO_LIST | {"none": None, "dict": {}, "outcome": [[3, 0], [0, 0]], "ragged": [[[1], []], 0]},
    ),
    "empirical_prior": (lambda a, bad: a.infer_states(OBSERVATIONS, bad), BELIEFS),
    "past_actions": (
        lambda a, bad: a.infer_states(OBSERVATIONS, a.D, past_actions=bad),
        NO_NUMBER | {"nan": np.full((2, 1, 2), np.nan)},
    ),
    "past_actions of a window": (
        lambda a, bad: mmp(a).infer_states(WINDOW, a.D, past_actions=bad),
        NO_NUMBER | {"shape": np.zeros((2, 3, 2), int), "nan": np.full((2, 0, 3), np.nan)},
    ),
    "valid_steps": (
        lambda a, bad: a.infer_states(OBSERVATIONS, a.D, valid_steps=bad),
        NO_NUMBER | {"1.5": 1.5, "three": np.ones(3, int)},
    ),
    "valid_steps of a window": (
        lambda a, bad: mmp(a).infer_states(WINDOW, a.D, valid_steps=bad),
        NO_NUMBER | {"1.5": 1.5, "three": np.ones(3, int)},
    ),
    "qs_hist": (lambda a, bad: a.infer_states(OBSERVATIONS, a.D, qs_hist=bad), HISTORY),
    "qs_hist of a window": (lambda a, bad: mmp(a).infer_states(WINDOW, a.D, qs_hist=bad), HISTORY),
    "mask": (
        lambda a, bad: a.infer_states(OBSERVATIONS, a.D, mask=bad),
        NO_LIST | {"dict": {}, "one": [1.0], "above 1": [2.0, 1.0], "ragged": [[1], [2, 3]]},
    ),
    "qs": (lambda a, bad: a.infer_policies(bad), BELIEFS),
    "q_pi": (
        lambda a, bad: a.sample_action(bad),
        NO_NUMBER | {"nan": np.full((2, 2), np.nan), "one": np.ones((2, 1)), "none": None},
    ),
    "q_pi of combined actions": (
        lambda a, bad: a.multiaction_probabilities(bad),
        NO_NUMBER | {"nan": np.full((2, 2), np.nan)},
    ),
    "rng_key": (
        lambda a, bad: a.replace(action_selection="stochastic").sample_action(q_pi_of(a), bad),
        NO_INTEGER | {"none": None, "three": np.zeros((3, 2), np.uint32)},
    ),
    "action": (
        lambda a, bad: a.update_empirical_prior(bad, a.infer_states(OBSERVATIONS, a.D)),
        NO_NUMBER | {"other": np.full((2, 2), 1), "none": None},
    ),
    "beliefs_A": (lambda a, bad: a.infer_parameters(bad, WINDOW, None), BELIEFS),
    "beliefs_B": (
        lambda a, bad: a.infer_parameters(a.infer_states(OBSERVATIONS, a.D), WINDOW, None, bad),
        HISTORY,
    ),
    "actions": (
        lambda a, bad: a.infer_parameters(a.infer_states(OBSERVATIONS, a.D), WINDOW, bad),
        NO_NUMBER | {"nan": np.full((2, 1, 2), np.nan), "shape": np.zeros((2, 1, 3), int)},
    ),
    "lr_pA": (
        lambda a, bad: a.infer_parameters(
            a.infer_states(OBSERVATIONS, a.D), WINDOW, None, lr_pA=bad
        ),
        NO_NUMBER | {"nan": np.nan},
    ),
    "observations to process": (
        lambda a, bad: a.process_obs(bad),
        NO_LIST | {"dict": {}, "one": [0], "fraction": [0.5, 1], "outcome": [3, 0]},
    ),
    "observations to make categorical": (
        lambda a, bad: a.make_categorical(bad),
        NO_LIST | {"dict": {}, "text within": ["x", "y"], "ragged": [[[1], [2, 3]], 0]},
    ),
    "action to decode": (
        lambda a, bad: a.decode_multi_actions(bad),
        NO_NUMBER | {"three": np.zeros((2, 3), int), "1.5": np.full((2, 2), 1.5)},
    ),
    "action_multi": (lambda a, bad: a.encode_multi_actions(bad), NO_NUMBER),
    "index": (
        lambda a, bad: a[bad],
        {"none": None, "bool": True, "text": "x", "float": 1.5, "ragged": [[1], [2, 3]]},
    ),
    "horizon": (lambda a, bad: si_policy_search(horizon=bad), NO_INTEGER | {"0": 0, "true": True}),
    "max_nodes": (lambda a, bad: si_policy_search(max_nodes=bad), NO_INTEGER | {"none": None}),
    "topk_obsspace": (lambda a, bad: si_policy_search(topk_obsspace=bad), {"0": 0, "1.5": 1.5}),
    "gamma": (lambda a, bad: si_policy_search(gamma=bad), NO_NUMBER | {"nan": np.nan}),
    "agent": (
        lambda a, bad: rollout(bad, GridWorld(), 2, 0),
        NO_LIST | {"none": None, "array": np.ones(3)},
    ),
    "agent of a search": (
        lambda a, bad: si_policy_search()(bad, a.D),
        NO_LIST | {"none": None},
    ),
    "tree": (
        lambda a, bad: si_policy_search()(a, None, tree=bad),
        {"int": 5, "text": "x", "of ints": [1, 2]},
    ),
    "env": (lambda a, bad: rollout(a, bad, 2, 0), NO_LIST | {"none": None}),
    "num_timesteps": (
        lambda a, bad: rollout(a, GridWorld(), bad, 0),
        NO_INTEGER | {"none": None, "-1": -1},
    ),
    "rng_key of a rollout": (
        lambda a, bad: rollout(a, GridWorld(), 1, bad),
        NO_INTEGER | {"none": None, "two": np.zeros((2, 2), np.uint32)},
    ),
    "shape": (
        lambda a, bad: GridWorld(bad),
        NO_LIST | {"none": None, "three": (1, 2, 3), "zero": (0, 2), "floats": (1.5, 2)},
    ),
    "seed": (lambda a, bad: random.PRNGKey(bad), NO_NUMBER | {"1.5": 1.5}),
}


def mmp(agent):
    return agent.replace(inference_algo="mmp")


def q_pi_of(agent):
    return agent.infer_policies(agent.infer_states(OBSERVATIONS, agent.D))[0]


def step(agent):
    """What one step of an agent returns, and what it learns from it."""
    qs = agent.infer_states(OBSERVATIONS, agent.D)
    q_pi, neg_efe = agent.infer_policies(qs)
    action = agent.sample_action(q_pi)
    learned = agent.infer_parameters(qs, WINDOW, None)
    return [*qs, q_pi, neg_efe, action, *agent.update_empirical_prior(action, qs), *learned.A]


def check_message(error, name):
    """The message has the argument's name as a word, and is no bare error of Python or NumPy."""
    word = name.split(" ")[0]
    assert re.search(rf"(?<!\w){word}(?!\w)", str(error.value)), str(error.value)
    assert not re.search(r"has no attribute|truth value|not iterable|len\(\)", str(error.value))


def cases(table):
    """One case for each argument of a table and each of its bad values."""
    return [
        pytest.param(name, bad, id=f"{name}-{label}")
        for name, values in table.items()
        for label, bad in (values if isinstance(values, dict) else values[1]).items()
    ]


@pytest.mark.parametrize(("name", "bad"), cases(CONSTRUCTOR))
def test_the_constructor_names_a_bad_argument(name, bad):
    with pytest.raises((ValueError, TypeError)) as error:
        Agent(**model(**{name: bad}))
    check_message(error, name)


@pytest.mark.parametrize(
    ("name", "bad"), cases({n: v for n, v in CONSTRUCTOR.items() if n in REPLACEABLE})
)
def test_replace_names_a_bad_argument_and_changes_nothing(name, bad):
    agent = Agent(**model())
    with pytest.raises((ValueError, TypeError)) as error:
        agent.replace(**{name: bad})
    check_message(error, name)
    for left, right in zip(step(agent), step(Agent(**model())), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(("name", "bad"), cases(CALLS))
def test_a_call_names_a_bad_argument_and_changes_nothing(name, bad):
    agent = Agent(**model())
    with pytest.raises((ValueError, TypeError)) as error:
        CALLS[name][0](agent, bad)
    check_message(error, name)
    for left, right in zip(step(agent), step(Agent(**model())), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("lists", "controls", "message"),
    [
        (5, [2, 1], "B_action_dependencies must be a list"),
        ([[0]], [2, 1], "B_action_dependencies must have 2 lists"),
        ([[0], [2]], [2, 1], r"B_action_dependencies\[1\]\[0\]"),
        ([[0], [0.5]], [2, 1], r"B_action_dependencies\[1\]\[0\]"),
        ([[0], [1]], [3, 1], r"B\[0\] must end in axes of \(3,\) actions"),
    ],
)
def test_bad_dependencies_on_actions(lists, controls, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Agent(**model(B_action_dependencies=lists, num_controls=controls))


def test_what_pymdp_runs_with_is_taken():
    for settings in ({"gamma": -2.0}, {"alpha": 0.0}, {"inductive_threshold": -2.0}):
        assert np.isfinite(step(Agent(**model(**settings)))[2]).all()
    clipped = [
        mmp(Agent(**model())).infer_states(WINDOW, Agent(**model()).D, valid_steps=n)[0]
        for n in (-1, 1, 99)
    ]
    np.testing.assert_array_equal(clipped[0], clipped[1])
    np.testing.assert_array_equal(clipped[2], clipped[1])


def test_integers_of_other_libraries_are_taken():
    agent = Agent(
        **model(
            num_iter=np.int32(3),
            policy_len=np.array(2),
            A_dependencies=np.array([[0, 1], [1, 0]]),
            A=[model()["A"][0]] * 2,
            pA=None,
            learn_A=False,
        )
    )
    assert (agent.num_iter, agent.policy_len, agent.A_dependencies[1]) == (3, 2, [1, 0])


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("A", [1.0, np.eye(2)], r"A\[0\] must have an axis for the outcome and one for each of"),
        ("B", [np.zeros((2, 2, 0)), np.eye(2)[:, :, None]], r"B\[0\] must have no axis of length"),
        ("C", [np.zeros((0, 3)), np.zeros(2)], r"C\[0\] must have shape \(1, 3\)"),
    ],
)
def test_arrays_without_axes_or_entries(name, values, message):
    with pytest.raises(ValueError, match=message):
        Agent(**model(**{name: values}))


def test_a_number_that_is_not_finite_has_no_index():
    with pytest.raises(ValueError, match="gamma must be finite, got nan"):
        Agent(**model(gamma=np.nan))
