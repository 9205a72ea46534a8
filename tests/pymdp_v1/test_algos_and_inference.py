"""`pymdp_v1.algos`, `inference` and `learning` against pymdp's, on random arguments."""

import inspect

import jax_reference  # noqa: F401  (float64)
import numpy as np
import pymdp.algos
import pymdp.inference
import pymdp.learning
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax_reference import assert_equal, to_jax

from freeagent_core.pymdp_v1 import algos, inference, learning

some = settings(max_examples=4, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

A_LISTS, B_LISTS = [[0], [0, 1]], [[0], [0, 1]]
NUM_STATES, NUM_OBS, NUM_CONTROLS = [3, 2], [4, 3], [2, 3]

LEFT_OUT = {
    "algos": {
        "FilterMessage",
        "compute_qL_all",
        "compute_qL_marginals",
        "get_qs_padded",
        "qL_flatten",
        "run_factorized_fpi_end2end_padded",
        "run_factorized_fpi_hybrid",
        "run_online_filtering",
    },
    "inference": set(),
    "learning": set(),
}
MODULES = {
    "algos": (algos, pymdp.algos),
    "inference": (inference, pymdp.inference),
    "learning": (learning, pymdp.learning),
}


def distribution(generator, shape, zeros=0.2):
    p = generator.random(shape) * (generator.random(shape) > zeros)
    p[0] += 1e-2
    return p / p.sum(axis=0)


def model(seed):
    generator = np.random.default_rng(seed)
    A = [distribution(generator, (4, 3)), distribution(generator, (3, 3, 2))]
    B = [distribution(generator, (3, 3, 2)), distribution(generator, (2, 3, 2, 3))]
    prior = [distribution(generator, n) for n in NUM_STATES]
    return generator, A, B, prior


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_and_argument(name):
    ours, theirs = MODULES[name]
    public = {
        key
        for key, value in vars(theirs).items()
        if not key.startswith("_")
        and callable(value)
        and getattr(value, "__module__", None) == theirs.__name__
    }
    assert LEFT_OUT[name] <= public
    assert public - LEFT_OUT[name] == {key for key in public if hasattr(ours, key)}
    for key in public - LEFT_OUT[name]:
        if inspect.isclass(getattr(theirs, key)):
            continue
        expected = inspect.signature(getattr(theirs, key)).parameters
        got = inspect.signature(getattr(ours, key)).parameters
        assert [p for p in got if p != "upstream_faults"] == list(expected), key
        for parameter, value in expected.items():
            assert got[parameter].default == value.default, (key, parameter)


# --- algos and inference -------------------------------------------------------------------------


@some
@given(seed=seeds, num_iter=st.sampled_from([1, 4]), distr_obs=st.booleans())
def test_fixed_point_iteration(seed, num_iter, distr_obs):
    generator, A, _, prior = model(seed)
    obs = [distribution(generator, n) for n in NUM_OBS]
    if not distr_obs:
        obs = [int(generator.integers(n)) for n in NUM_OBS]
    args = (A_LISTS, num_iter, distr_obs)
    theirs = pymdp.algos.run_factorized_fpi(*to_jax([A, obs, prior]), *args)
    assert_equal(algos.run_factorized_fpi(A, obs, prior, *args), theirs)
    full = [distribution(generator, (n, *NUM_STATES)) for n in NUM_OBS]
    theirs = pymdp.algos.run_vanilla_fpi(*to_jax([full, obs, prior]), num_iter, distr_obs)
    assert_equal(algos.run_vanilla_fpi(full, obs, prior, num_iter, distr_obs), theirs)
    theirs = pymdp.algos.run_factorized_fpi(*to_jax([A[:1], obs[:1], prior[:1]]), *args)
    assert_equal(algos.run_factorized_fpi(A[:1], obs[:1], prior[:1], *args), theirs)


@pytest.mark.parametrize("method", ["mmp", "vmp", "fpi"])
@pytest.mark.parametrize("steps", [1, 4])
def test_posterior_states(method, steps):
    # seed 0 is plain, 1 has steps that do not count, 2 a horizon
    for seed in (1,) if steps == 1 or method == "vmp" else (0, 2) if method == "mmp" else (0, 1):
        generator, A, B, prior = model(seed)
        obs = [np.moveaxis(distribution(generator, (n, steps)), 0, -1) for n in NUM_OBS]
        actions = np.stack([generator.integers(-1, n, steps - 1) for n in NUM_CONTROLS], axis=-1)
        options = {
            "A_dependencies": A_LISTS,
            "B_dependencies": B_LISTS,
            "num_iter": 3,
            "method": method,
            "return_info": True,
            "valid_steps": None if seed == 0 else 2 + seed,
            "inference_horizon": 3 if seed == 2 else None,
        }
        if method == "fpi" and seed == 1:
            options["qs_hist"] = [np.moveaxis(distribution(generator, (n, 3)), 0, -1)
                                  for n in NUM_STATES]  # fmt: skip
        history = {"qs_hist": to_jax(options["qs_hist"])} if "qs_hist" in options else {}
        theirs = pymdp.inference.update_posterior_states(
            *to_jax([A, B, obs, actions, prior]), **{**options, **history}
        )
        ours = inference.update_posterior_states(A, B, obs, actions, prior, **options)
        assert_equal(ours, theirs, atol=1e-8)


def test_one_step_of_vmp_without_actions():
    _, A, B, prior = model(0)
    obs = [np.eye(n)[:1] for n in NUM_OBS]
    options = {"A_dependencies": A_LISTS, "B_dependencies": B_LISTS, "method": "vmp"}
    theirs = pymdp.inference.update_posterior_states(
        *to_jax([A, B, obs]), None, to_jax(prior), **options
    )
    args = (A, B, obs, None, prior)
    assert_equal(inference.update_posterior_states(*args, **options, upstream_faults=True), theirs)
    with_prior = inference.update_posterior_states(
        A, B, obs, np.zeros((0, 2), int), prior, **options
    )
    assert_equal(inference.update_posterior_states(*args, **options), with_prior)
    assert np.abs(with_prior[0] - np.asarray(theirs[0])).max() > 1e-3


def test_methods_are_named():
    _, A, B, prior = model(0)
    obs = [np.eye(n)[:2] for n in NUM_OBS]
    for change, message in [
        ({"method": "exakt"}, "Unsupported inference method `exakt`"),
        ({"method": "mmp", "B": None}, "requires `B`"),
        ({"method": "mmp"}, "requires `past_actions`"),
        ({"method": "mmp", "past_actions": np.zeros((3, 2), int)}, "dimension 3, expected 1"),
        ({"method": "mmp", "past_actions": np.full((1, 2), 9)}, "must be below 2, got 9"),
        ({"prior": None, "return_info": True}, "`prior` must be provided"),
    ]:  # fmt: skip
        arguments = {"A": A, "B": B, "obs": obs, "past_actions": None, "prior": prior,
                     "A_dependencies": A_LISTS, "B_dependencies": B_LISTS} | change  # fmt: skip
        with pytest.raises(ValueError, match=message):
            inference.update_posterior_states(**arguments)


@pytest.mark.parametrize("stationary", [False])
def test_hidden_markov_models(stationary):
    generator = np.random.default_rng(0)
    T, K = 5, 3
    initial, ll = distribution(generator, K), generator.normal(size=(T, K))
    shape = (K, K) if stationary else (K, T - 1, K)
    mats = distribution(generator, shape)
    mats = mats if stationary else mats.transpose(1, 0, 2)
    rows = np.swapaxes(mats, -1, -2)
    for name, transitions in (("rowstoch", rows), ("colstoch", mats)):
        for kind in ("filter", "smoother"):
            function = f"hmm_{kind}_scan_{name}"
            theirs = getattr(pymdp.algos, function)(*to_jax([initial, transitions, ll]))
            assert_equal(getattr(algos, function)(initial, transitions, ll), theirs, name=function)
    filtered = algos.hmm_filter_scan_colstoch(initial, mats, ll)[1]
    theirs = pymdp.algos.hmm_smoother_from_filtered_colstoch(*to_jax([filtered, mats]), True)
    assert_equal(algos.hmm_smoother_from_filtered_colstoch(filtered, mats, True), theirs)


def test_exact_inference_of_a_sequence():
    generator, A, B, prior = model(3)
    obs = [np.moveaxis(distribution(generator, (4, 5)), 0, -1)]
    for actions in (generator.integers(0, 2, 4), generator.integers(0, 2, (4, 1))):
        args = (obs, A[:1], B[:1], prior[:1], actions)
        theirs = pymdp.algos.run_exact_single_factor_hmm_scan(*to_jax(args))
        assert_equal(algos.run_exact_single_factor_hmm_scan(*args), theirs)
    with pytest.raises(ValueError, match="singleton lists"):
        algos.run_exact_single_factor_hmm_scan(obs, A, B, prior)
    with pytest.raises(ValueError, match="actions must be provided"):
        algos.run_exact_single_factor_hmm_scan(*args[:4])
    with pytest.raises(ValueError, match="length 2 but expected 4"):
        algos.run_exact_single_factor_hmm_scan(*args[:4], np.zeros(2, int))


def test_smoothing():
    generator, _, B, _ = model(0)
    filtered = [np.moveaxis(distribution(generator, (3, 5)), 0, -1) for _ in range(2)]
    single = [B[0], distribution(generator, (3, 3, 2))]
    actions = generator.integers(-1, 2, (4, 2))
    theirs = pymdp.inference.smoothing_ovf(*to_jax([filtered, single, actions]))
    assert_equal(list(inference.smoothing_ovf(filtered, single, actions)), list(theirs))
    args = (filtered[:1], single[:1], actions[:, :1])
    theirs = pymdp.inference.smoothing_exact(*to_jax(args))
    assert_equal(list(inference.smoothing_exact(*args)), list(theirs))
    taken = np.maximum(actions[:, 0], 0)
    theirs = pymdp.inference.joint_dist_factor(*to_jax([B[0], filtered[0], taken]))
    assert_equal(inference.joint_dist_factor(B[0], filtered[0], taken), theirs)
    with pytest.raises(ValueError, match="square 2D transitions"):
        inference.smoothing_ovf(filtered, B, actions)


# --- learning ------------------------------------------------------------------------------------


@some
@given(seed=seeds, categorical=st.booleans())
def test_learning_A(seed, categorical):
    generator, A, _, _ = model(seed)
    T = 4
    pA = [A[0] * 3, None] if categorical else [a * 3 for a in A]
    qs = [np.moveaxis(distribution(generator, (n, T)), 0, -1) for n in NUM_STATES]
    obs = [generator.integers(-1, n, T) for n in NUM_OBS]
    if categorical:
        obs = [np.moveaxis(distribution(generator, (n, T)), 0, -1) for n in NUM_OBS]
    options = {"A_dependencies": A_LISTS, "categorical_obs": categorical, "num_obs": NUM_OBS,
               "lr": 0.7}  # fmt: skip
    theirs = pymdp.learning.update_obs_likelihood_dirichlet(*to_jax([pA, A, obs, qs]), **options)
    assert_equal(learning.update_obs_likelihood_dirichlet(pA, A, obs, qs, **options), theirs)


@pytest.mark.parametrize("chosen", ["all", [1]])
def test_learning_B(chosen):
    for seed in range(2):
        generator, _, B, _ = model(seed)
        T = 4
        pB = [b * 3 for b in B]
        qs = [np.moveaxis(distribution(generator, (n, T)), 0, -1) for n in NUM_STATES]
        joint = [[qs[f][1:], *(qs[p][:-1] for p in B_LISTS[f])] for f in range(2)]
        if seed:
            joint = [np.moveaxis(distribution(generator, (*b.shape[:-1], T - 1)), -1, 0) for b in B]
        actions = np.stack([generator.integers(-1, n, T - 1) for n in NUM_CONTROLS], axis=-1)
        options = {"num_controls": NUM_CONTROLS, "lr": 0.7, "factors_to_update": chosen}
        theirs = pymdp.learning.update_state_transition_dirichlet(
            *to_jax([pB, B, joint, actions]), **options
        )
        ours = learning.update_state_transition_dirichlet(pB, B, joint, actions, **options)
        assert_equal(ours, theirs)


def test_indices_are_checked():
    with pytest.raises(ValueError, match=r"obs\[0\] must be in range\(-1, 2\)"):
        learning.update_obs_likelihood_dirichlet(
            [np.ones((2, 2))], [np.ones((2, 2))], [np.array([2])], [np.ones((1, 2))],
            A_dependencies=[[0]], categorical_obs=False, num_obs=[2], lr=1.0,
        )  # fmt: skip


def test_a_step_of_filtering():
    generator = np.random.default_rng(2)
    prior = [distribution(generator, (n,)) for n in NUM_STATES]
    B = [distribution(generator, (n, n)) + 1e-3 for n in NUM_STATES]
    ln_A = [generator.normal(size=[NUM_STATES[f] for f in factors]) for factors in A_LISTS]
    ours = algos.variational_filtering_step(prior, B, ln_A, A_LISTS)
    theirs = pymdp.algos.variational_filtering_step(*to_jax([prior, B, ln_A]), A_LISTS)
    assert_equal(ours, list(theirs))
    both = [[np.stack([x, x[::-1]]) for x in part] for part in (prior, B, ln_A)]
    batch = algos.variational_filtering_step(*both, A_LISTS)
    assert_equal([[x[0] for x in part] for part in batch], list(ours))
    other = [[x[1] for x in part] for part in both]
    alone = algos.variational_filtering_step(*other, A_LISTS)
    assert_equal([[x[1] for x in part] for part in batch], list(alone))


def test_filtering_a_sequence():
    """pymdp's function of a sequence fails; its step, agent by agent, is the reference."""
    generator = np.random.default_rng(3)
    steps, agents = 4, 3

    def each(shape, *axes):
        count = int(np.prod(axes))
        arrays = [distribution(generator, shape) + 1e-3 for _ in range(count)]
        return np.stack(arrays).reshape(*axes, *shape)

    A = [
        each((o, *(NUM_STATES[f] for f in d)), agents)
        for o, d in zip(NUM_OBS, A_LISTS, strict=True)
    ]
    B = [each((n, n), steps - 1, agents) for n in NUM_STATES]
    prior = [each((n,), agents) for n in NUM_STATES]
    obs = [each((o,), steps, agents) for o in NUM_OBS]
    qs, ps, qss = algos.update_variational_filtering(obs, A, B, prior, A_LISTS)
    for i in range(agents):
        pred = [p[i] for p in prior]
        for t in range(steps):
            last = [np.ones((n, n)) for n in NUM_STATES]
            ln_A = [
                np.tensordot(o[t, i], np.log(a[i]), axes=1) for o, a in zip(obs, A, strict=True)
            ]
            post, pred, cond = pymdp.algos.variational_filtering_step(
                *to_jax([pred, last if t == steps - 1 else [b[t, i] for b in B], ln_A]), A_LISTS
            )
            assert_equal([q[t, i] for q in qss], cond)
        assert_equal([q[i] for q in qs], post)
        assert_equal([p[i] for p in ps], pred)
    with pytest.raises(ValueError, match="B must have a transition for each of 3 steps"):
        algos.update_variational_filtering(obs, A, [b[:1] for b in B], prior, A_LISTS)
