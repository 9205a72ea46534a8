"""Functions that are one NumPy expression in ``pymdp.legacy`` give the same bits here.

Not among them, and compared within tolerances in `test_functions.py` and `test_control.py`:
what pymdp computes in loops over joint states (`spm_MDP_G` and its parts), by a product of all
pairs of states (`entropy`), through SciPy (`spm_betaln`) or opt_einsum (`factor_dot_flex`), and
what runs in the kernels.
"""

import numpy as np
import pymdp.legacy.control
import pymdp.legacy.inference
import pymdp.legacy.learning
import pymdp.legacy.maths
import pymdp.legacy.utils
from hypothesis import given, settings
from hypothesis import strategies as st
from random_arrays import KINDS, distribution, object_array, subset

from freeagent_core import control, inference, learning, maths, utils

fast = settings(max_examples=60, deadline=None, derandomize=True)


def assert_equal(ours, theirs):
    assert isinstance(ours, list) == isinstance(theirs, list)
    if isinstance(theirs, list | tuple) or (
        isinstance(theirs, np.ndarray) and theirs.dtype == object
    ):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_equal(mine, other)
    else:
        np.testing.assert_array_equal(ours, theirs, strict=True)


def check(ours, name, *arguments, **keywords):
    theirs = getattr(pymdp.legacy, ours.__name__.rpartition(".")[2])
    np.random.seed(0)
    expected = getattr(theirs, name)(*arguments, **keywords)
    np.random.seed(0)
    assert_equal(getattr(ours, name)(*arguments, **keywords), expected)


@st.composite
def problems(draw):
    """Random arrays of every shape; from two entries on, as pymdp's squeeze loses single ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_states = draw(st.lists(st.integers(2, 9), min_size=1, max_size=3))
    num_obs = draw(st.lists(st.integers(2, 9), min_size=1, max_size=3))
    controls = draw(st.lists(st.integers(1, 4), min_size=len(num_states), max_size=len(num_states)))
    kinds = [draw(st.sampled_from(KINDS)) for _ in range(3)]
    F = len(num_states)
    lists, own = [subset(rng, F) for _ in num_obs], [subset(rng, F) for _ in num_states]
    order = (lambda a: a) if draw(st.booleans()) else np.asfortranarray

    def sizes(factors):
        return [num_states[f] for f in factors]

    def probabilities(shapes, kind):
        return object_array(order(distribution(rng, tuple(shape), kind)) for shape in shapes)

    beliefs = [probabilities([[n] for n in num_states], kinds[i]) for i in (0, 1)]
    return {
        "rng": rng,
        "num_states": num_states,
        "num_obs": num_obs,
        "controls": controls,
        "lists": lists,
        "own": own,
        "A": probabilities([[n, *num_states] for n in num_obs], kinds[2]),
        "small_A": probabilities(
            [[n, *sizes(f)] for n, f in zip(num_obs, lists, strict=True)], kinds[2]
        ),
        "B": probabilities(
            [[n, n, u] for n, u in zip(num_states, controls, strict=True)], kinds[2]
        ),
        "wide_B": probabilities(
            [[n, *sizes(f), u] for n, f, u in zip(num_states, own, controls, strict=True)], kinds[2]
        ),
        "qs": beliefs[0],
        "before": beliefs[1],
        "policy": rng.integers(0, controls, size=(draw(st.integers(1, 4)), F)),
        "obs": [int(rng.integers(n)) for n in num_obs],
        "distributions": object_array(distribution(rng, (n,), kinds[0]) for n in num_obs),
    }


@fast
@given(p=problems())
def test_expected_states_and_outcomes(p):
    check(control, "get_expected_states", p["qs"], p["B"], p["policy"])
    check(control, "get_expected_states_interactions", p["qs"], p["wide_B"], p["own"], p["policy"])
    qs_pi = control.get_expected_states(p["qs"], p["B"], p["policy"])
    check(control, "get_expected_obs", qs_pi, p["A"])
    check(control, "get_expected_obs_factorized", qs_pi, p["small_A"], p["lists"])


@fast
@given(p=problems(), depth=st.integers(1, 4))
def test_terms_of_the_expected_free_energy(p, depth):
    rng, steps = p["rng"], len(p["policy"])
    qs_pi = control.get_expected_states(p["qs"], p["B"], p["policy"])
    qo_pi = control.get_expected_obs(qs_pi, p["A"])
    C = object_array(
        rng.normal(size=n if i % 2 else (n, steps)) for i, n in enumerate(p["num_obs"])
    )
    check(control, "calc_expected_utility", qo_pi, C)
    pA, small_pA, pB, wide_pB = (
        object_array(a * rng.integers(0, 5, size=a.shape) for a in p[name])
        for name in ("A", "small_A", "B", "wide_B")
    )
    check(control, "calc_pA_info_gain", pA, qo_pi, qs_pi)
    small_qo = control.get_expected_obs_factorized(qs_pi, p["small_A"], p["lists"])
    check(control, "calc_pA_info_gain_factorized", small_pA, small_qo, qs_pi, p["lists"])
    check(control, "calc_pB_info_gain", pB, qs_pi, p["before"], p["policy"])
    check(
        control, "calc_pB_info_gain_interactions", wide_pB, qs_pi, p["before"], p["own"],
        p["policy"],
    )  # fmt: skip
    H = object_array(np.eye(n)[rng.integers(n)] for n in p["num_states"])
    check(control, "backwards_induction", H, p["B"], None, 0.3, depth)
    I = control.backwards_induction(H, p["B"], None, 0.3, depth)  # noqa: E741
    check(control, "calc_inductive_cost", p["qs"], qs_pi, I)


@fast
@given(p=problems(), lr=st.floats(0.01, 3.0))
def test_learning(p, lr):
    rng = p["rng"]
    pA, small_pA, pB, wide_pB = (
        object_array(a * rng.integers(1, 5, size=a.shape) for a in p[name])
        for name in ("A", "small_A", "B", "wide_B")
    )
    pD = object_array(rng.integers(0, 3, size=n) * rng.random(n) for n in p["num_states"])
    actions = p["policy"][0].astype(float)
    qs, before = p["qs"], p["before"]
    for some in ("all", [0]):
        for obs in (p["obs"], p["distributions"]):
            check(learning, "update_obs_likelihood_dirichlet", pA, p["A"], obs, qs, lr, some)
            check(
                learning, "update_obs_likelihood_dirichlet_factorized", small_pA, p["small_A"],
                obs, qs, p["lists"], lr, some,
            )  # fmt: skip
        check(learning, "update_state_likelihood_dirichlet", pB, p["B"], actions, qs, before,
              lr, some)  # fmt: skip
        check(
            learning, "update_state_likelihood_dirichlet_interactions", wide_pB, p["wide_B"],
            actions, qs, before, p["own"], lr, some,
        )  # fmt: skip
        check(learning, "update_state_prior_dirichlet", pD, qs, lr, some)


@fast
@given(p=problems())
def test_maths(p):
    A, qs, rng = p["A"], p["qs"], p["rng"]
    for name in ("spm_dot", "spm_dot_classic", "spm_dot_old"):
        check(maths, name, A[0], qs)
        for f in range(len(qs)):
            check(maths, name, A[0][0], qs, [f])
        check(maths, name, rng.random((3, len(qs[0]))), qs[0])
    check(maths, "spm_dot_old", A[0], rng.random(len(A[0])), obs_mode=True)
    for arguments in ((qs,), (qs[0],), (qs[0], qs), (qs, qs[0], qs[-1]), (qs[0], qs[0], qs)):
        check(maths, "spm_cross", *arguments)
    obs = p["distributions"]
    check(maths, "dot_likelihood", A[0], obs[0])
    check(maths, "get_joint_likelihood", A, obs, p["num_states"])
    check(maths, "get_joint_likelihood_seq", A, [obs, obs], p["num_states"])
    check(maths, "get_joint_likelihood_seq_by_modality", p["small_A"], [obs, obs], None)
    for name in ("spm_norm", "spm_log_single", "spm_wnorm", "softmax"):
        check(maths, name, A[0])
    for name in ("spm_log_obj_array", "softmax_obj_arr"):
        check(maths, name, A)
    log_joint = maths.spm_log_single(maths.get_joint_likelihood(A, obs, p["num_states"]))
    prior = maths.spm_log_obj_array(p["before"])
    check(maths, "compute_accuracy", log_joint, qs)
    check(maths, "calc_free_energy", qs, prior, len(qs))
    check(maths, "calc_free_energy", qs, prior, len(qs), log_joint)
    check(maths, "kl_div", qs, p["before"])


@fast
@given(p=problems(), count=st.integers(1, 20))
def test_averages_and_choices(p, count):
    rng = p["rng"]
    q_pi = rng.dirichlet(np.ones(count))
    qs_pi = object_array(
        object_array(distribution(rng, (n,), "smooth") for n in p["num_states"])
        for _ in range(count)
    )
    check(inference, "average_states_over_policies", qs_pi, q_pi)
    policies = [rng.integers(0, p["controls"], size=p["policy"].shape) for _ in range(count)]
    for _ in range(20):  # every action at least once, or a marginal may be 0 / 0
        policies.append(policies[0])
    q_pi = rng.dirichlet(np.ones(len(policies)))
    for selection in ("deterministic", "stochastic"):
        for name in ("sample_action", "sample_policy"):
            check(control, name, q_pi, policies, p["controls"], selection, 2.5)
        for name in ("_sample_action_test", "_sample_policy_test"):
            check(control, name, q_pi, policies, p["controls"], selection, 2.5, seed=3)
    check(utils, "norm_dist_obj_arr", p["A"])
    check(utils, "reduce_a_matrix", p["A"][0])
    check(utils, "dirichlet_like", p["A"], 0.3)
    check(utils, "random_A_matrix", p["num_obs"], p["num_states"], p["lists"])
    check(utils, "random_B_matrix", p["num_states"], p["controls"], p["own"])
