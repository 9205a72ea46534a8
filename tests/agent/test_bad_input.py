"""Bad input gets an error that names the argument, and changes nothing; odd input works."""

import numpy as np
import pytest
from random_arrays import object_array

from freeagent_core import Agent, GenerativeModel

NUM_OBS, NUM_STATES = [3, 2], [3, 2]


def arguments(**changes):
    rng = np.random.default_rng(0)

    def columns(*shape):
        p = rng.random(shape) + 0.1
        return p / p.sum(axis=0)

    model = {
        "A": object_array([columns(3, 3, 2), columns(2, 3, 2)]),
        "B": object_array([columns(3, 3, 2), columns(2, 2, 1)]),
        "C": object_array([rng.normal(size=3), rng.normal(size=2)]),
        "D": object_array([columns(3), columns(2)]),
        "pA": object_array([rng.random((3, 3, 2)) + 1, rng.random((2, 3, 2)) + 1]),
        "pB": object_array([rng.random((3, 3, 2)) + 1, rng.random((2, 2, 1)) + 1]),
        "pD": object_array([np.ones(3), np.ones(2)]),
    }
    return {**model, **changes}


def changed(name, index, change):
    """Return arguments in which `change` made one array of one argument."""
    model = arguments()
    arrays = [array.copy() for array in model[name]]
    arrays[index] = change(arrays[index])
    return {**model, name: object_array(arrays)}


def put(place, value):
    def change(array):
        array[place] = value
        return array

    return change


BAD_MODELS = [
    ("A wrong shape", changed("A", 1, lambda a: a[:, :2]), ValueError, r"A\[1\] must have shape"),
    ("A unnormalised", changed("A", 0, put((0, 1, 1), 2.0)), ValueError, r"A\[0\]\[:, 1, 1\]"),
    ("A NaN", changed("A", 0, put((0, 1, 1), np.nan)), ValueError, r"A\[0\]\[0, 1, 1\].*finite"),
    (
        "A negative",
        changed("A", 0, put((0, 1, 1), -0.5)),
        ValueError,
        r"A\[0\]\[0, 1, 1\].*non-neg",
    ),
    ("A zero-size", changed("A", 0, lambda a: a[:0]), ValueError, r"A\[0\] must not be empty"),
    ("A no modality", arguments(A=object_array([])), ValueError, "A must not be empty"),
    ("A of one axis", arguments(A=np.ones(3)), ValueError, r"A\[0\] must have shape"),
    ("A text", changed("A", 0, lambda a: a.astype(str)), TypeError, r"A\[0\].*real numbers"),
    ("A complex", changed("A", 0, lambda a: a + 0j), TypeError, r"A\[0\].*real numbers"),
    ("A None", arguments(A=None), TypeError, "A must be a NumPy array"),
    ("B wrong shape", changed("B", 0, lambda b: b[:2]), ValueError, r"B\[0\]"),
    ("B unnormalised", changed("B", 0, lambda b: 2 * b), ValueError, r"B\[0\]\[:, 0, 0\]"),
    ("B of two axes", changed("B", 1, lambda b: b[..., 0]), ValueError, r"B\[1\] must have shape"),
    ("C too long", changed("C", 0, lambda c: np.zeros(4)), ValueError, r"C\[0\] must have shape"),
    ("C too few", arguments(C=object_array([np.zeros(3)])), ValueError, "C must have one array"),
    ("C NaN", changed("C", 1, put(0, np.nan)), ValueError, r"C\[1\]\[0\] must not be NaN"),
    (
        "C too few steps",
        {**changed("C", 0, lambda c: c[:, None]), "policy_len": 2},
        ValueError,
        r"C\[0\] must have a column for each of the 2 steps",
    ),
    (
        "D too long",
        changed("D", 0, lambda d: np.full(4, 0.25)),
        ValueError,
        r"D\[0\] must have sha",
    ),
    ("D unnormalised", changed("D", 0, lambda d: d / 2), ValueError, r"D\[0\].*must sum to 1"),
    ("D too few", arguments(D=object_array([np.ones(1)])), ValueError, "D must have one array"),
    (
        "E wrong length",
        arguments(E=np.ones(3)),
        ValueError,
        r"E must have shape \(2,\), got \(3,\)",
    ),
    ("E negative", arguments(E=np.array([-1.0, 1.0])), ValueError, r"E\[0\] must be non-neg"),
    ("pA wrong shape", changed("pA", 0, lambda p: p[0]), ValueError, r"pA\[0\] must have shape"),
    (
        "pA zero column",
        changed("pA", 0, put((slice(None), 0, 0), 0.0)),
        ValueError,
        r"pA\[0\]\[:, 0, 0\]",
    ),
    ("pB negative", changed("pB", 0, put((0, 0, 0), -1.0)), ValueError, r"pB\[0\]\[0, 0, 0\]"),
    ("pD wrong shape", changed("pD", 0, lambda p: p[:2]), ValueError, r"pD\[0\] must have shape"),
    ("H too few", arguments(H=object_array([np.ones(3)])), ValueError, "H must have one array"),
    ("policies empty", arguments(policies=[]), ValueError, "policies must not be empty"),
    (
        "action too large",
        arguments(policies=[np.array([[0, 0]]), np.array([[2, 0]])]),
        ValueError,
        r"policies\[1\]\[0, 0\] must be in 0 to 1",
    ),
    ("action negative", arguments(policies=[[[-1, 0]]]), ValueError, r"policies\[0\]\[0, 0\]"),
    (
        "policy too narrow",
        arguments(policies=[[[0]]]),
        ValueError,
        r"policies\[0\] must have shape",
    ),
    (
        "policy of floats",
        arguments(policies=[[[0.5, 0]]]),
        TypeError,
        r"policies\[0\]\[0, 0\] must be an integer",
    ),
    ("policy of no steps", arguments(policies=[np.zeros((0, 2))]), ValueError, r"policies\[0\]"),
    ("too many policies", arguments(policy_len=70), ValueError, "policy_len 70"),
    ("too many to list", arguments(policy_len=40, E=np.ones(2)), ValueError, r"E must have shape"),
    ("policy_len 0", arguments(policy_len=0), ValueError, "policy_len must be at least 1"),
    ("policy_len float", arguments(policy_len=1.5), TypeError, "policy_len must be an integer"),
    ("num_controls", arguments(num_controls=[3, 1]), ValueError, r"num_controls must be \[2, 1\]"),
    ("control_fac_idx", arguments(control_fac_idx=[1]), ValueError, r"control_fac_idx\[0\]"),
    (
        "A_factor_list range",
        arguments(A_factor_list=[[0, 2], [0, 1]]),
        ValueError,
        r"A_factor_list\[0\]\[1\]",
    ),
    (
        "A_factor_list short",
        arguments(A_factor_list=[[0, 1]]),
        ValueError,
        "A_factor_list must have 2",
    ),
    (
        "A_factor_list empty",
        arguments(A_factor_list=[[], [0, 1]]),
        ValueError,
        r"A_factor_list\[0\]",
    ),
    ("B_factor_list twice", arguments(B_factor_list=[[0, 0], [1]]), ValueError, "factor twice"),
    ("gamma NaN", arguments(gamma=np.nan), ValueError, "gamma must be finite"),
    ("gamma text", arguments(gamma="high"), TypeError, "gamma must be a number"),
    ("alpha inf", arguments(alpha=np.inf), ValueError, "alpha must be finite"),
    (
        "action_selection",
        arguments(action_selection="best"),
        ValueError,
        "action_selection must be",
    ),
    ("sampling_mode", arguments(sampling_mode="all"), ValueError, "sampling_mode must be"),
    ("inference_params", arguments(inference_params={"iter": 3}), ValueError, "inference_params"),
    ("inference_algo", arguments(inference_algo="VMP"), NotImplementedError, "'VMP'"),
    ("modalities", arguments(modalities_to_learn=[2]), ValueError, r"modalities_to_learn\[0\]"),
    ("factors", arguments(factors_to_learn="none"), ValueError, "factors_to_learn must be 'all'"),
]


@pytest.mark.parametrize(
    ("model", "error", "message"), [c[1:] for c in BAD_MODELS], ids=[c[0] for c in BAD_MODELS]
)
def test_bad_model(model, error, message):
    with pytest.raises(error, match=message):
        Agent(**model)


def stepped_agent(**changes):
    agent = Agent(**arguments(save_belief_hist=True, **changes))
    np.random.seed(0)
    for observation in ([0, 1], [2, 0]):
        agent.infer_states(observation)
        agent.infer_policies()
        agent.sample_action()
    return agent


def state_of(agent):
    return [
        *(q.copy() for q in agent.qs),
        agent.q_pi.copy(),
        agent.G.copy(),
        agent.action.copy(),
        np.array([len(agent.qs_hist), len(agent.q_pi_hist), agent.curr_timestep]),
        np.array(agent.prev_actions),
        *agent.pA,
        *agent.A,
        *agent.pB,
        *agent.D,
    ]


ones = np.ones
BAD_OBSERVATIONS = [
    ("out of range", [3, 0], ValueError, r"observation\[0\] must be in 0 to 2, got 3"),
    ("negative", [0, -1], ValueError, r"observation\[1\] must be in 0 to 1, got -1"),
    ("huge", [10**30, 0], ValueError, r"observation\[0\] must be in 0 to 2"),
    ("too short", [0], ValueError, r"one entry per modality \(2\), got 1"),
    ("too long", [0, 0, 0], ValueError, r"one entry per modality \(2\), got 3"),
    ("empty", [], ValueError, r"one entry per modality \(2\), got 0"),
    ("float", [1.0, 0], TypeError, r"observation\[0\] must be an integer"),
    ("float array", np.array([1.0, 0.0]), (TypeError, ValueError), "observation"),
    ("bool", [True, 0], TypeError, r"observation\[0\] must be an integer, got True"),
    ("None", None, (TypeError, ValueError), "observation"),
    ("text", "01", (TypeError, ValueError), "observation"),
    ("int for two modalities", 0, ValueError, r"one entry per modality \(2\), got 1"),
    ("not one-hot", object_array([np.array([0.5, 0.5, 0]), [1, 0]]), ValueError, "distr_obs=True"),
    ("two hot", [[1, 1, 0], [1, 0]], ValueError, r"observation\[0\] must be an index or a one-hot"),
    (
        "vector too long",
        [[1, 0, 0, 0], [1, 0]],
        ValueError,
        r"observation\[0\] must have shape \(3,\)",
    ),
    ("vector and index", [[1, 0, 0], 0], ValueError, r"observation\[1\] must have shape \(2,\)"),
    ("two axes", np.zeros((2, 2), dtype=int), (TypeError, ValueError), "observation"),
]
METHODS = ["infer_states", "step", "update_A"]


CALLS = [
    (name, method, *case)
    for method in METHODS
    for name, *case in BAD_OBSERVATIONS
    # update_A takes any distribution
    if method != "update_A" or name not in ("not one-hot", "two hot")
]


@pytest.mark.parametrize(
    ("method", "observation", "error", "message"),
    [call[1:] for call in CALLS],
    ids=[f"{call[1]}-{call[0]}" for call in CALLS],
)
def test_bad_observation(method, observation, error, message):
    agent = stepped_agent()
    before = state_of(agent)
    with pytest.raises(error, match=message):
        getattr(agent, method)(observation)
    for was, now in zip(before, state_of(agent), strict=True):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize("distribution", [[0.5, np.nan], [0.5, -0.5], [0.5, np.inf], [1.0]])
def test_bad_distribution(distribution):
    agent = stepped_agent()
    before = state_of(agent)
    with pytest.raises(ValueError, match=r"observation\[1\]"):
        agent.infer_states([[1.0, 0.0, 0.0], distribution], distr_obs=True)
    for was, now in zip(before, state_of(agent), strict=True):
        np.testing.assert_array_equal(was, now)


BAD_ASSIGNMENTS = [
    ("qs", object_array([ones(2), ones(2)]), ValueError, r"qs\[0\] must have shape \(3,\)"),
    ("qs", object_array([ones(3)]), ValueError, r"one array per factor \(2\)"),
    ("qs", object_array([ones(3), -ones(2)]), ValueError, r"qs\[1\]\[0\] must not be negative"),
    ("qs", 1.0, TypeError, "qs must be an object array"),
    ("q_pi", ones(3), ValueError, r"q_pi must have shape \(2,\)"),
    ("q_pi", np.array([np.nan, 1]), ValueError, r"q_pi\[0\] must be finite"),
    ("action", np.array([2.0, 0.0]), ValueError, r"action\[0\] must be an integer in 0 to 1"),
    ("action", np.array([0.5, 0.0]), ValueError, r"action\[0\] must be an integer"),
    ("action", np.array([0.0]), ValueError, r"action must have shape \(2,\)"),
    ("action", "left", TypeError, "action must be an array"),
    ("gamma", np.nan, ValueError, "gamma must be finite"),
    ("alpha", "x", TypeError, "alpha must be a number"),
    ("action_selection", "best", ValueError, "action_selection must be"),
    ("action_selection", ones(2), ValueError, "action_selection must be"),
    ("sampling_mode", None, ValueError, "sampling_mode must be"),
    ("sampling_mode", ones(0), ValueError, "sampling_mode must be"),
    ("curr_timestep", None, TypeError, "curr_timestep must be an integer"),
    ("inference_params", {"num_iter": 1.5}, TypeError, "num_iter"),
    ("num_states", [3], AttributeError, "num_states follows from the model"),
]


@pytest.mark.parametrize(("name", "value", "error", "message"), BAD_ASSIGNMENTS)
def test_bad_assignment(name, value, error, message):
    agent = stepped_agent()
    before = state_of(agent)
    with pytest.raises(error, match=message):
        setattr(agent, name, value)
    for was, now in zip(before, state_of(agent), strict=True):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("A", object_array([ones((3, 3, 2)), ones((2, 3, 2))]), r"A\[0\] is not normalized"),
        ("B", object_array([ones((3, 3, 2)) / 3]), r"A\[0\] must have shape"),
        ("D", object_array([ones(3), ones(2)]), r"D\[0\] is not normalized"),
        ("C", object_array([ones(1), ones(2)]), r"C\[0\] must have shape"),
        ("policies", [[[5, 0]]], r"policies\[0\]\[0, 0\]"),
    ],
)
def test_bad_model_assignment(name, value, message):
    """An assignment is checked at the next call; the error drops it."""
    agent = stepped_agent()
    before = state_of(agent)
    setattr(agent, name, value)
    with pytest.raises(ValueError, match=message):
        agent.step([0, 0])
    for was, now in zip(before, state_of(agent), strict=True):
        np.testing.assert_array_equal(was, now)
    agent.step([0, 0])


def test_arrays_written_into_are_checked_again():
    agent = stepped_agent()
    agent.qs[0][0] = np.nan
    with pytest.raises(ValueError, match=r"qs\[0\]\[0\] must be finite"):
        agent.infer_policies()
    with pytest.raises(ValueError, match=r"qs\[0\]\[0\] must be finite"):
        agent.step([0, 0])
    agent = stepped_agent()
    agent.q_pi[0] = -1.0
    with pytest.raises(ValueError, match=r"q_pi\[0\] must not be negative"):
        agent.sample_action()
    agent = stepped_agent()
    agent.action[0] = 7
    with pytest.raises(ValueError, match=r"action\[0\] must be an integer"):
        agent.step([0, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda agent: agent.update_B(object_array([ones(3)])), "qs_prev must have one array"),
        (lambda agent: agent.update_D(object_array([ones(4), ones(2)])), r"qs_t0\[0\] must have"),
        (lambda agent: agent.reset(object_array([ones(4), ones(2)])), r"qs\[0\] must have shape"),
    ],
)
def test_bad_beliefs(call, message):
    agent = stepped_agent()
    before = state_of(agent)
    with pytest.raises(ValueError, match=message):
        call(agent)
    for was, now in zip(before, state_of(agent), strict=True):
        np.testing.assert_array_equal(was, now)


def test_calls_too_early():
    model = arguments()
    agent = Agent(**model)
    with pytest.raises(AttributeError, match="infer_policies"):
        agent.sample_action()
    assert not hasattr(agent, "q_pi")
    with pytest.raises(ValueError, match="needs an action"):
        agent.update_B(agent.qs)
    with pytest.raises(ValueError, match="qs_t0"):
        agent.update_D()
    plain = Agent(model["A"], model["B"])
    for call, name in ((plain.update_A, "pA"), (plain.update_B, "pB"), (plain.update_D, "pD")):
        with pytest.raises(ValueError, match=f"needs {name}"):
            call([0, 0])


LAYOUTS = {
    "non-contiguous": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "Fortran order": np.asfortranarray,
    "read-only": lambda a: a.view(),
    "float32": lambda a: a.astype(np.float32),
    "big-endian": lambda a: a.astype(">f8"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    """The same numbers in another layout or dtype give the same results."""
    model = arguments()
    other = {
        name: object_array(LAYOUTS[layout](array) for array in value)
        for name, value in model.items()
    }
    if layout == "read-only":
        for arrays in other.values():
            for array in arrays:
                array.flags.writeable = False
    tolerance = 1e-4 if layout == "float32" else 0.0
    agent, odd = Agent(**model), Agent(**other)
    for observation in ([0, 1], (2, 0), np.array([1, 1])):
        np.testing.assert_allclose(odd.step(observation), agent.step(observation))
        np.testing.assert_allclose(odd.G, agent.G, rtol=0, atol=tolerance)
        odd.qs = object_array(LAYOUTS[layout](q) for q in odd.qs)


def test_kinds_of_observation():
    model = arguments()
    expected = Agent(**model).infer_states([2, 1])
    vectors = [np.array([0.0, 0.0, 1.0]), np.array([0, 1])]
    for observation in (
        (2, 1),
        np.array([2, 1]),
        np.array([2, 1], dtype=np.uint8),
        [np.int64(2), np.array(1)],
        object_array([2, 1]),
        vectors,
        object_array(vectors),
        tuple(vector.tolist() for vector in vectors),
    ):
        for q, e in zip(Agent(**model).infer_states(observation), expected, strict=True):
            np.testing.assert_array_equal(q, e)
    one = {"A": np.eye(3), "B": np.eye(3)[:, :, None]}
    expected = Agent(**one).infer_states([2])[0]
    for observation in (2, np.int64(2), np.array(2), np.array([2]), np.eye(3)[2], [np.eye(3)[2]]):
        np.testing.assert_array_equal(Agent(**one).infer_states(observation)[0], expected)
        assert np.isfinite(Agent(**one).step(observation)).all()
    soft = Agent(**one).infer_states(np.array([0.0, 0.0, 1.0]), distr_obs=True)[0]
    np.testing.assert_array_equal(soft, expected)


def test_model_rejects_unknown_arguments():
    with pytest.raises(TypeError, match="no argument 'gama'"):
        GenerativeModel(np.eye(2), np.eye(2)[:, :, None]).replace(gama=1.0)
    with pytest.raises(TypeError, match="must be a GenerativeModel"):
        Agent.from_model("model")
