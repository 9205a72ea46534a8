"""`pymdp_v1.maths` and `pymdp_v1.utils` against ``pymdp.maths`` and ``pymdp.utils``."""

import inspect

import jax_reference  # noqa: F401  (float64)
import numpy as np
import pymdp.maths
import pymdp.utils
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from jax_reference import assert_equal, to_jax

from freeagent_core._kernels.base import special_functions
from freeagent_core.pymdp_v1 import maths, random, utils

some = settings(max_examples=8, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def distribution(generator, shape, zeros=0.3):
    p = generator.random(shape) * (generator.random(shape) > zeros)
    p[0] += 1e-3
    return p / p.sum(axis=0)


@pytest.mark.parametrize(
    ("ours", "theirs", "left_out"),
    [
        (
            maths,
            pymdp.maths,
            {
                "compute_log_likelihoods_padded",
                "deconstruct_lls",
                "compute_log_likelihoods_flat_block_diag_einsum",
                "compute_log_likelihoods_flat_block_diag",
                "deconstruct_log_likelihoods_block_diag",
                "compute_log_likelihoods_block_diag",
                "log_stable_sparse",
                "compute_log_likelihood_per_modality_end2end2_padded",
            },
        ),
        (
            utils,
            pymdp.utils,
            {
                "A_dep_factors_dist",
                "A_dep_len_dist",
                "A_dep_len_dist_unconditional",
                "generate_agent_spec",
                "generate_agent_specs_from_parameter_sets",
                "init_A_and_D_from_spec",
                "apply_padding_batched",
                "apply_A_end2end_padding_batched",
                "apply_obs_end2end_padding_batched",
                "build_block_diag_A",
                "preprocess_A_for_block_diag",
                "prepare_obs_for_block_diag",
                "concatenate_observations_block_diag",
            },
        ),
    ],
)
def test_every_public_name_is_here_or_listed(ours, theirs, left_out):
    public = {
        name
        for name, value in vars(theirs).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", None) == theirs.__name__
    }
    assert public - left_out == {name for name in public if hasattr(ours, name)}
    assert left_out <= public


def test_arguments_are_pymdps():
    for ours, theirs in ((maths, pymdp.maths), (utils, pymdp.utils)):
        for name, function in inspect.getmembers(ours, inspect.isfunction):
            if not name.startswith("_") and name != "factor_dot" and hasattr(theirs, name):
                expected = inspect.signature(getattr(theirs, name)).parameters
                got = inspect.signature(function).parameters
                assert list(got) == list(expected), name
                for parameter, value in expected.items():
                    assert got[parameter].default == value.default, (name, parameter)


# --- maths ---------------------------------------------------------------------------------------


def test_digamma_and_gammaln():
    x = np.concatenate([np.geomspace(1e-16, 1e8, 400), [1.0, 1.4616321449683622, 2.0, 10.0]])
    np.testing.assert_allclose(
        special_functions.digamma(x), scipy.special.digamma(x), rtol=1e-14, atol=1e-15
    )
    np.testing.assert_allclose(
        special_functions.log_gamma(x), scipy.special.gammaln(x), rtol=1e-14, atol=1e-15
    )


@some
@given(seed=seeds)
def test_logarithms(seed):
    generator = np.random.default_rng(seed)
    x, y = distribution(generator, (5, 3)), distribution(generator, (5, 3))
    for name in ("log_stable", "stable_xlogx", "stable_entropy"):
        assert_equal(getattr(maths, name)(x), getattr(pymdp.maths, name)(to_jax(x)))
    theirs = pymdp.maths.stable_cross_entropy(to_jax(x), to_jax(y))
    assert_equal(maths.stable_cross_entropy(x, y), theirs)


@some
@given(seed=seeds, keep=st.sampled_from([None, (0,), (1,), (0, 2)]))
def test_factor_dot(seed, keep):
    generator = np.random.default_rng(seed)
    shape = (2, 3, 4)
    M = generator.random(shape)
    xs = [generator.random(n) for axis, n in enumerate(shape) if axis not in (keep or ())]
    theirs = pymdp.maths.factor_dot(to_jax(M), to_jax(xs), keep_dims=keep)
    assert_equal(maths.factor_dot(M, xs, keep_dims=keep), theirs)
    if keep == (0,):
        assert_equal(maths.spm_dot_sparse(M, xs, None, None), theirs)


def test_factor_dot_flex():
    generator = np.random.default_rng(1)
    M, q, pair = generator.random((5, 2, 3)), generator.random((5, 3)), generator.random((2, 3))
    for xs, dims, keep in [
        ([q], ((0, 2),), (0, 1)),
        ([q, pair], ((0, 2), (1, 2)), (0,)),
        ([pair], ((1, 2),), None),
    ]:
        theirs = pymdp.maths.factor_dot_flex(to_jax(M), to_jax(xs), dims, keep_dims=keep)
        assert_equal(maths.factor_dot_flex(M, xs, dims, keep_dims=keep), theirs)


@some
@given(seed=seeds, distr_obs=st.booleans())
def test_likelihoods(seed, distr_obs):
    generator = np.random.default_rng(seed)
    A = [distribution(generator, (4, 3, 2)), distribution(generator, (5, 3, 2))]
    if distr_obs:
        obs = [distribution(generator, len(a)) for a in A]
    else:
        obs = [int(generator.integers(len(a))) for a in A]
    for name in ("compute_log_likelihood", "compute_log_likelihood_per_modality"):
        theirs = getattr(pymdp.maths, name)(to_jax(obs), to_jax(A), distr_obs)
        assert_equal(getattr(maths, name)(obs, A, distr_obs), theirs)
    qs = [distribution(generator, 3), distribution(generator, 2)]
    theirs = pymdp.maths.compute_accuracy(to_jax(qs), to_jax(obs), to_jax(A), None, distr_obs)
    assert_equal(maths.compute_accuracy(qs, obs, A, None, distr_obs), theirs)


@some
@given(seed=seeds)
def test_dirichlet_distributions(seed):
    generator = np.random.default_rng(seed)
    q, p = generator.gamma(0.5, size=(2, 4, 3)) * (generator.random((2, 4, 3)) > 0.2)
    for axis in (0, 1):
        theirs = pymdp.maths.dirichlet_kl_divergence(to_jax(q), to_jax(p), axis)
        assert_equal(maths.dirichlet_kl_divergence(q, p, axis), theirs, atol=1e-8)
        theirs = pymdp.maths.dirichlet_expected_value(to_jax(q), axis)
        assert_equal(maths.dirichlet_expected_value(q, axis), theirs)
    for exact in (True, False):
        assert_equal(maths.spm_wnorm(q, exact), pymdp.maths.spm_wnorm(to_jax(q), exact))
    vectors = [q[:, 0], p[:, 1], q[0]]
    theirs = pymdp.maths.multidimensional_outer(to_jax(vectors))
    assert_equal(maths.multidimensional_outer(vectors), theirs)


# --- variational free energy ---------------------------------------------------------------------

DEPENDENCIES = {"A_dependencies": [[0], [0, 1]], "B_dependencies": [[0], [0, 1]]}


def vfe_problem(generator, T):
    """Return beliefs about T steps (None: one step without an axis of time) and a model."""
    steps = () if T is None else (T,)
    num_states, num_obs, num_controls = [3, 2], [4, 3], [2, 3]
    qs = [np.moveaxis(distribution(generator, (n, *steps)), 0, -1) for n in num_states]
    obs = [np.moveaxis(distribution(generator, (n, *steps)), 0, -1) for n in num_obs]
    prior = [distribution(generator, n) for n in num_states]
    A = [distribution(generator, (4, 3)), distribution(generator, (3, 3, 2))]
    B = [distribution(generator, (3, 3, 2)), distribution(generator, (2, 3, 2, 3))]
    actions = np.stack([generator.integers(-1, n, (T or 1) - 1) for n in num_controls], axis=-1)
    return qs, prior, obs, A, B, actions


@some
@given(seed=seeds, T=st.sampled_from([None, 1, 4]), with_B=st.booleans(), masked=st.booleans())
def test_vfe(seed, T, with_B, masked):
    generator = np.random.default_rng(seed)
    qs, prior, obs, A, B, actions = vfe_problem(generator, T)
    options = {"obs": obs, "A": A, **DEPENDENCIES, "return_decomposition": True}
    if with_B and T is not None:
        options |= {"B": B, "past_actions": actions}
    if masked and T is not None:
        options["obs_valid_mask"] = generator.random(T) < 0.7
    static = {**DEPENDENCIES, "return_decomposition": True}
    theirs = pymdp.maths.calc_vfe(to_jax(qs), to_jax(prior), **{**to_jax(options), **static})
    assert_equal(maths.calc_vfe(qs, prior, **options), theirs, atol=1e-8)


def test_vfe_of_joint_beliefs_and_parameters():
    generator = np.random.default_rng(2)
    qs, prior, obs, A, B, actions = vfe_problem(generator, 4)
    joint = [
        np.stack([distribution(generator, b[..., 0].size).reshape(b.shape[:-1]) for _ in range(3)])
        for b in B
    ]
    pA, qA = ([generator.gamma(1.0, size=a.shape) for a in A] for _ in range(2))
    options = {"obs": obs, "A": A, "B": B, "past_actions": actions, "joint_qs": joint}
    options |= {"qA": qA, "pA": pA, "qB": B, "pB": [b + 0.5 for b in B]}
    static = {**DEPENDENCIES, "return_decomposition": True}
    theirs = pymdp.maths.calc_vfe(to_jax(qs), to_jax(prior), **to_jax(options), **static)
    assert_equal(maths.calc_vfe(qs, prior, **options, **static), theirs, atol=1e-8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"obs": None}, "`obs` must be provided"),
        ({"A": None}, "`A` must be provided"),
        ({"past_actions": np.zeros((1, 2), int)}, "leading dimension 1, expected 3"),
        ({"past_actions": np.zeros(3, int)}, "1D `past_actions`"),
        ({"past_actions": np.zeros((3, 1), int)}, "second dimension 1, expected 2"),
        ({"past_actions": None}, "`past_actions` is required"),
        ({"joint_qs": [np.zeros((3, 3, 3))]}, "`joint_qs` must have one entry"),
        ({"joint_qs": [np.zeros((2, 3, 3)), np.zeros((3, 2, 3, 2))]}, r"joint_qs\[0\]` has lead"),
        ({"joint_qs": [np.zeros((3, 3, 2)), np.zeros((3, 2, 3, 2))]}, r"joint_qs\[0\]` has per"),
        ({"qA": [np.ones(2)]}, "both posterior and prior"),
    ],
)
def test_vfe_names_what_does_not_fit(change, message):
    qs, prior, obs, A, B, actions = vfe_problem(np.random.default_rng(2), 4)
    options = {"obs": obs, "A": A, "B": B, "past_actions": actions, **DEPENDENCIES} | change
    with pytest.raises(ValueError, match=message):
        maths.calc_vfe(qs, prior, **options)
    with pytest.raises(ValueError, match="`prior` must have one entry"):
        maths.calc_vfe(qs, prior[:1])


# --- utils ---------------------------------------------------------------------------------------


def test_random_models():
    # few shapes: JAX compiles its gamma sampler for each
    key = random.PRNGKey(5)
    theirs = pymdp.utils.random_factorized_categorical(key, [3, 3])
    assert_equal(utils.random_factorized_categorical(5, [3, 3]), theirs)
    args = ([2, 2], [3, 3], [[0], [1]])
    assert_equal(utils.random_A_array(5, *args), pymdp.utils.random_A_array(key, *args))
    args = ([2, 2], [3, 3], [[0], [0, 1]])
    assert_equal(utils.random_B_array(5, *args), pymdp.utils.random_B_array(key, *args))
    args = (2, [3], None, [[0]])
    assert utils.random_B_array(np.random.default_rng(0), *args)[0].shape == (2, 2, 3)


def test_models_of_a_kind():
    for args in (([2, 3], [3, 1]), (2, 2)):
        theirs = pymdp.utils.create_controllable_B(*args)
        assert_equal(utils.create_controllable_B(*args), theirs)
    reduced = [np.random.default_rng(0).random((2, 3)), np.random.default_rng(0).random((4, 2, 3))]
    args = ([[1], [0, 1]], [2, 4], [2, 3])
    theirs = pymdp.utils.make_A_full(to_jax(reduced), *args)
    assert_equal(utils.make_A_full(reduced, *args), theirs)
    for name in ("list_array_uniform", "list_array_zeros", "list_array_scaled"):
        theirs = getattr(pymdp.utils, name)([[2], [3, 2]])
        assert_equal(getattr(utils, name)([[2], [3, 2]]), theirs)
    theirs = pymdp.utils.list_array_norm_dist(to_jax(reduced))
    assert_equal(utils.list_array_norm_dist(reduced), theirs)


@some
@given(seed=seeds)
def test_combinations(seed):
    generator = np.random.default_rng(seed)
    dims = [int(n) for n in generator.integers(1, 5, 3)]
    x = np.stack([generator.integers(0, n, (4, 2)) for n in dims], axis=-1)
    index = utils.get_combination_index(x, dims)
    assert_equal(index, pymdp.utils.get_combination_index(x, dims))
    np.testing.assert_array_equal(utils.index_to_combination(index, dims), x)
    with pytest.raises(ValueError, match="last axis of 3"):
        utils.get_combination_index(x[..., :2], dims)


def test_normalization_is_validated():
    good = np.full((1, 2, 3), 0.5)
    utils.validate_normalization(good)
    for bad, message in ((good * 0, "sum to zero"), (good * 0.9, "normalised and sum to 1")):
        for validate in (utils.validate_normalization, pymdp.utils.validate_normalization):
            with pytest.raises(ValueError, match=rf"{message}"):
                validate(bad, tensor_name="A[0]")


def test_bad_controls():
    with pytest.raises(ValueError, match="num_controls must have an entry for each of 2"):
        utils.random_B_array(0, [2, 3], [2])
    with pytest.raises(ValueError, match="name each control"):
        utils.random_B_array(0, [2, 3], [2, 2], None, [[0], [0]])
    with pytest.raises(ValueError, match="same length"):
        utils.create_controllable_B([2, 3], [2])


def test_a_figure_as_an_image():
    plt = pytest.importorskip("matplotlib.pyplot")
    figure = plt.figure(figsize=(2, 1), dpi=50)
    image = utils.fig2img(figure)
    assert image.shape == (50, 100, 3)
    assert image.dtype == np.uint8
    assert not plt.fignum_exists(figure.number)
