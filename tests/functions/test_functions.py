"""The function modules against those of ``pymdp.legacy``, on random input."""

import inspect

import numpy as np
import pymdp.legacy.control
import pymdp.legacy.inference
import pymdp.legacy.learning
import pymdp.legacy.maths
import pymdp.legacy.utils
import pytest
from comparison import assert_same
from hypothesis import given, settings
from hypothesis import strategies as st
from random_arrays import KINDS, distribution, object_array

from freeagent_core import control, inference, learning, maths, utils

MODULES = [
    (utils, pymdp.legacy.utils),
    (maths, pymdp.legacy.maths),
    (learning, pymdp.legacy.learning),
    (inference, pymdp.legacy.inference),
    (control, pymdp.legacy.control),
]
LEFT_OUT: set[str] = set()  # none

fast = settings(max_examples=40, deadline=None, derandomize=True)


@pytest.mark.parametrize(("ours", "theirs"), MODULES)
def test_every_public_name_is_here(ours, theirs):
    def public(module):
        return {
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and (inspect.isfunction(value) or inspect.isclass(value))
            and value.__module__ == module.__name__
        }

    assert public(theirs) - set(vars(ours)) <= LEFT_OUT
    for name in public(theirs) & set(vars(ours)):
        expected = list(inspect.signature(getattr(theirs, name)).parameters)
        assert list(inspect.signature(getattr(ours, name)).parameters) == expected, name


def check(ours, theirs, name, *arguments, **keywords):
    np.random.seed(0)
    expected = getattr(theirs, name)(*arguments, **keywords)
    state = np.random.get_state()
    np.random.seed(0)
    assert_same(getattr(ours, name)(*arguments, **keywords), expected)
    np.testing.assert_equal(np.random.get_state(), state)


def check_utils(name, *arguments, **keywords):
    check(utils, pymdp.legacy.utils, name, *arguments, **keywords)


def check_maths(name, *arguments, **keywords):
    check(maths, pymdp.legacy.maths, name, *arguments, **keywords)


sizes = st.lists(st.integers(2, 4), min_size=1, max_size=3)


@st.composite
def arrays(draw):
    """Likelihoods over all factors, beliefs, and a generator."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_states, num_obs = draw(sizes), draw(sizes)
    kind = draw(st.sampled_from(KINDS))
    A = object_array(distribution(rng, (n, *num_states), kind) for n in num_obs)
    x = object_array(distribution(rng, (n,), draw(st.sampled_from(KINDS))) for n in num_states)
    return A, x, rng


@fast
@given(num_states=sizes, num_obs=sizes, data=st.data())
def test_arrays_of_models(num_states, num_obs, data):
    controls = [data.draw(st.integers(1, 3)) for _ in num_states]
    lists = [sorted(data.draw(st.sets(st.integers(0, len(num_states) - 1), min_size=1)))
             for _ in num_obs]  # fmt: skip
    own = [sorted(data.draw(st.sets(st.integers(0, len(num_states) - 1), min_size=1)))
           for _ in num_states]  # fmt: skip
    check_utils("initialize_empty_A", num_obs, num_states)
    check_utils("initialize_empty_B", num_states, controls)
    check_utils("random_A_matrix", num_obs, num_states)
    check_utils("random_A_matrix", num_obs, num_states, lists)
    check_utils("random_A_matrix", num_obs[0], num_states[0])
    check_utils("random_B_matrix", num_states, controls)
    check_utils("random_B_matrix", num_states, controls, own)
    check_utils("random_B_matrix", num_states, controls, own, [[f] for f in range(len(controls))])
    check_utils("random_B_matrix", num_states[0], controls[0])
    check_utils("random_single_categorical", num_states)
    check_utils("construct_controllable_B", num_states, num_states)
    for name in ("obj_array_zeros", "obj_array_ones", "obj_array_uniform"):
        check_utils(name, num_states)
    check_utils("obj_array_ones", num_states, scale=2.5)
    A, B = utils.random_A_matrix(num_obs, num_states), utils.random_B_matrix(num_states, controls)
    check_utils("get_model_dimensions", A, B)
    check_utils("get_model_dimensions", A)
    check_utils("get_model_dimensions", B=B)
    check_utils("get_model_dimensions", A[0], B[0])
    for arrays_ in (A, B):
        check_utils("is_normalized", arrays_)
        check_utils("is_normalized", arrays_[0] * 2)
        check_utils("norm_dist_obj_arr", arrays_)
        check_utils("dirichlet_like", arrays_, scale=3.0)
        check_utils("to_obj_array", arrays_)
        check_utils("to_obj_array", arrays_[0])
        check_utils("obj_array_from_list", list(arrays_))


@fast
@given(num_obs=sizes, seed=st.integers(0, 2**32 - 1))
def test_observations(num_obs, seed):
    rng = np.random.default_rng(seed)
    indices = [[int(rng.integers(n)) for n in num_obs] for _ in range(3)]
    M = len(num_obs)
    for obs in indices:
        check_utils("process_observation", obs, M, num_obs)
        check_utils("process_observation", tuple(obs), M, num_obs)
        check_utils("process_observation", obs[0], 1, num_obs)
        check_utils("process_observation", np.eye(num_obs[0])[obs[0]], 1, num_obs)
        check_utils("get_combination_index", obs, num_obs)
        check_utils("index_to_combination", utils.get_combination_index(obs, num_obs), num_obs)
    check_utils("process_observation_seq", indices, M, num_obs)
    check_utils("convert_observation_array", np.array(indices).T + 1, num_obs)
    p = object_array(rng.dirichlet(np.ones(n)) for n in num_obs)
    check_utils("sample_obj_array", p)
    check_utils("sample", p[0])
    check_utils("onehot", 1, 3)


@fast
@given(
    seed=st.integers(0, 2**32 - 1), num_states=st.lists(st.integers(2, 4), min_size=2, max_size=4)
)
def test_reduction(seed, num_states):
    rng = np.random.default_rng(seed)
    kept = sorted(int(f) for f in rng.choice(len(num_states), size=1 + seed % 2, replace=False))
    small = distribution(rng, (3, *(num_states[f] for f in kept)), "smooth")
    check_utils("construct_full_a", small, kept, num_states)
    full = utils.construct_full_a(small, kept, num_states)
    check_utils("reduce_a_matrix", full)
    if len(kept) < len(num_states):
        reduced, factors = utils.reduce_a_matrix(full)
        assert factors == kept
        np.testing.assert_allclose(reduced, small)


def test_labels_and_lists():
    labels = {
        "observations": {"a": ["x", "y"], "b": ["x"]},
        "states": {"s": ["1", "2", "3"]},
        "actions": {"u": ["go"]},
    }
    for given_labels in (labels, {k: labels[k] for k in ("observations", "states")}):
        ours = utils.get_model_dimensions_from_labels(given_labels)
        assert vars(ours) == vars(pymdp.legacy.utils.get_model_dimensions_from_labels(given_labels))
    check_utils("insert_multiple", [1, 2, 3], [0, 2], ["a", "b"])
    rng = np.random.default_rng(0)
    for num_factors in (1, 2):
        traces = [
            [object_array(rng.random((2 + f, 4)) for f in range(num_factors)) for _ in range(3)]
            for _ in range(5)
        ]
        check_utils("build_xn_vn_array", traces)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: utils.get_model_dimensions(), "needs A or B"),
        (lambda: utils.get_model_dimensions(np.eye(2), factorized=True), "give B"),
        (lambda: utils.process_observation(np.array([0.5, 0.5]), 1, [2]), "one-hot"),
        (lambda: utils.process_observation(np.eye(2)[0], 2, [2, 2]), r"per modality \(2\)"),
        (lambda: utils.random_B_matrix([2, 2], [1]), r"one entry per factor \(2\)"),
        (lambda: utils.random_B_matrix([2], [1, 2], None, [[0]]), "0 to 1"),
        (lambda: utils.get_combination_index([1], [2, 2]), "2 entries"),
        (lambda: maths.spm_dot_classic(np.eye(2), np.ones(2), 0), "list of int"),
        (lambda: maths.spm_cross(np.array(["a"])), "arrays of numbers"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@fast
@given(drawn=arrays())
def test_products(drawn):
    A, x, rng = drawn
    for name in ("spm_dot", "spm_dot_classic", "spm_dot_old"):
        check_maths(name, A[0], x)
        X = A[0][0]
        for f in range(X.ndim):
            check_maths(name, X, x, [f])
        check_maths(name, rng.random((3, len(x[0]))), x[0])
    check_maths("spm_dot_old", A[0], rng.random(len(A[0])), obs_mode=True)
    check_maths("spm_cross", x)
    check_maths("spm_cross", x[0], x)
    check_maths("spm_cross", x[0], x[0], x[0])
    check_maths("spm_cross", x[0])
    dims = [(f + 1,) for f in range(len(x))]
    check_maths("factor_dot_flex", A[0], list(x), dims, keep_dims=(0,))
    check_maths("factor_dot_flex", A[0], list(x[1:]), dims[1:], keep_dims=(0, 1))


@fast
@given(drawn=arrays())
def test_likelihoods_and_measures(drawn):
    A, x, rng = drawn
    num_states = [len(q) for q in x]
    obs = object_array(distribution(rng, (len(a),), "sparse") for a in A)
    check_maths("dot_likelihood", A[0], obs[0])
    check_maths("get_joint_likelihood", A, obs, num_states)
    check_maths("get_joint_likelihood_seq", A, [obs, obs], num_states)
    check_maths("get_joint_likelihood_seq_by_modality", A, [obs, obs], num_states)
    for name in ("spm_norm", "spm_log_single", "spm_wnorm", "softmax"):
        check_maths(name, A[0])
    for name in ("spm_log_obj_array", "softmax_obj_arr", "entropy"):
        check_maths(name, A)
    for name in ("spm_calc_qo_entropy", "spm_calc_neg_ambig", "spm_MDP_G"):
        check_maths(name, A, x)
        check_maths(name, A[0], x)
    log_joint = np.log(maths.get_joint_likelihood(A, obs, num_states) + 1e-16)
    check_maths("compute_accuracy", log_joint, x)
    prior = maths.spm_log_obj_array(x)
    check_maths("calc_free_energy", x, prior, len(x))
    check_maths("calc_free_energy", x, prior, len(x), log_joint)
    check_maths("kl_div", x, x[::-1] if len({len(q) for q in x}) == 1 else x)
    q, p, r = (rng.random(4) * 5 + 1 for _ in range(3))
    check_maths("spm_betaln", q)
    check_maths("dirichlet_log_evidence", q + p, p, r)
    check_maths("dirichlet_log_evidence", *(rng.random((3, 2)) + k for k in (3, 1, 1)))


def check_learning(name, *arguments, **keywords):
    check(learning, pymdp.legacy.learning, name, *arguments, **keywords)


@fast
@given(drawn=arrays(), data=st.data())
def test_learning_rules(drawn, data):
    A, qs, rng = drawn
    num_states = [len(q) for q in qs]
    num_obs = [len(a) for a in A]
    before = object_array(distribution(rng, (n,), "smooth") for n in num_states)
    controls = [int(n) for n in rng.integers(1, 4, size=len(num_states))]
    lists = [sorted(data.draw(st.sets(st.integers(0, len(num_states) - 1), min_size=1)))
             for _ in range(max(len(num_obs), len(num_states)))]  # fmt: skip
    small_A = utils.random_A_matrix(num_obs, num_states, lists)
    B = utils.random_B_matrix(num_states, controls)
    wide_B = utils.random_B_matrix(num_states, controls, lists)
    obs = [int(rng.integers(n)) for n in num_obs]
    actions = np.array([float(rng.integers(n)) for n in controls])
    for some in ("all", [0]):
        pA = object_array(5.0 * a for a in A)
        check_learning("update_obs_likelihood_dirichlet", pA, A, obs, qs, 0.5, some)
        pA = object_array(5.0 * a for a in small_A)
        name = "update_obs_likelihood_dirichlet_factorized"
        check_learning(name, pA, small_A, obs, qs, lists, lr=0.5, modalities=some)
        pB = object_array(5.0 * b for b in B)
        name = "update_state_likelihood_dirichlet"
        check_learning(name, pB, B, actions, qs, before, lr=0.5, factors=some)
        pB = object_array(5.0 * b for b in wide_B)
        name = "update_state_likelihood_dirichlet_interactions"
        check_learning(name, pB, wide_B, actions, qs, before, lists, lr=0.5, factors=some)
        pD = object_array(rng.integers(0, 3, size=n) + 0.0 for n in num_states)
        check_learning("update_state_prior_dirichlet", pD, qs, lr=0.5, factors=some)


def test_pruning():
    rng = np.random.default_rng(0)
    A = object_array(rng.random((n, 4, 3)) for n in (3, 5))
    B = object_array(rng.random((n, n, 3)) for n in (4, 3))
    D = object_array(rng.random(n) for n in (4, 3))
    check_learning("_prune_A", A, [[0], [1, 4]], [[2], [0]])
    check_learning("_prune_A", A[0][:, :, 0], [1], [0, 3])
    check_learning("_prune_B", B, [[2], [0]], [[0], []])
    check_learning("_prune_B", B[0], [1], [0])
    check_learning("_prune_prior", D, [[2], [0, 1]])
    check_learning("_prune_prior", D[0], [1])
    assert len(learning._prune_prior(D, [[0, 1, 2, 3], [0]])) == 1
    with pytest.raises(NotImplementedError, match="Dirichlet"):
        learning._prune_prior(D[0], [1], dirichlet=True)


def test_plots(monkeypatch):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = []
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(pyplot.gca()))
    utils.plot_beliefs(np.array([0.2, 0.8]), "belief")
    assert [bar.get_height() for bar in shown[0].patches] == [0.2, 0.8]
    assert shown[0].get_title() == "belief"
    pyplot.close("all")
    utils.plot_likelihood(np.eye(3)[:2], "likelihood")
    np.testing.assert_array_equal(shown[1].images[0].get_array(), np.eye(3)[:2])
    assert shown[1].get_title() == "likelihood"
    pyplot.close("all")
