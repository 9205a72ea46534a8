"""The kernels of inference, planning, action selection and learning, on dense random models."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core import kernels
from freeagent_core.bench.case import Case, Problem
from freeagent_core.bench.work import FUNCTION, dense_evaluation
from freeagent_core.model import GenerativeModel

FloatArray = npt.NDArray[np.float64]

SIZES = (8, 64, 512)
CONTROLS = 4
POLICIES = (16, 256, 4096)
SWEEPS = 10


def objects(arrays: Any) -> npt.NDArray[Any]:
    """Return an object array."""
    items = list(arrays)
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out


def random_model(n: int, **arguments: Any) -> dict[str, Any]:
    """Return a dense model of one factor of `n` states, one modality of as many outcomes, and
    beliefs."""
    rng = np.random.default_rng(0)
    pA, pB = rng.random((n, n)) + 0.5, rng.random((n, n, CONTROLS)) + 0.5
    A, B = pA / pA.sum(axis=0), pB / pB.sum(axis=0)
    C = rng.normal(size=n)
    q, prior = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n))
    model = GenerativeModel(
        objects([A]), objects([B]), objects([C]), pA=objects([pA]), pB=objects([pB]), **arguments
    )
    return {"model": model, "A": A, "B": B, "C": C, "pA": pA, "pB": pB, "q": q, "prior": prior}


def _predicted_states(n: int) -> Problem:
    m = random_model(n)
    return Problem(
        lambda r: kernels.predicted_states(m["model"], [m["q"]], [1], repeats=r),
        2 * n * n,
        8 * n * n,
        lambda: m["B"][:, :, 1] @ m["q"],
        m,
    )


def _predicted_outcomes(n: int) -> Problem:
    m = random_model(n)
    return Problem(
        lambda r: kernels.predicted_outcomes(m["model"], [m["q"]], repeats=r),
        2 * n * n,
        8 * n * n,
        lambda: m["A"] @ m["q"],
        m,
    )


def _update_beliefs(n: int) -> Problem:
    m = random_model(n)

    def numpy() -> FloatArray:
        x = np.log(m["A"][1] + 1e-16) + np.log(m["prior"] + 1e-16)
        return _softmax(x)

    return Problem(
        lambda r: kernels.update_beliefs(m["model"], [1], [m["prior"]], repeats=r),
        5 * n,
        24 * n,
        numpy,
        m,
    )


def _factors(n: int) -> dict[str, Any]:
    """Return A of two modalities over 3 factors of `n` states each, and beliefs."""
    rng = np.random.default_rng(0)
    A = objects(rng.random((4, n, n, n)) + 0.5 for _ in range(2))
    for array in A:
        array /= array.sum(axis=0)
    B = objects(np.eye(n)[:, :, np.newaxis] for _ in range(3))
    beliefs = [objects(rng.dirichlet(np.ones(n)) for _ in range(3)) for _ in range(2)]
    model = GenerativeModel(A, B)
    return {"model": model, "A": A, "B": B, "prior": beliefs[0], "qs": beliefs[1]}


def _log_likelihood(m: dict[str, Any]) -> FloatArray:
    rows: FloatArray = np.log(m["A"][0][1] + 1e-16) + np.log(m["A"][1][2] + 1e-16)
    return rows


def _softmax(x: FloatArray) -> FloatArray:
    e: FloatArray = np.exp(x - x.max())
    e /= e.sum()
    return e


def _fixed_point(n: int) -> Problem:
    m = _factors(n)

    def numpy() -> list[FloatArray]:
        LL = _log_likelihood(m)
        logs = [np.log(p + 1e-16) for p in m["prior"]]
        q = [np.full(n, 1 / n)] * 3
        for _ in range(SWEEPS):
            q = [
                _softmax(np.einsum("abc,b,c->a", LL, q[1], q[2]) + logs[0]),
                _softmax(np.einsum("abc,a,c->b", LL, q[0], q[2]) + logs[1]),
                _softmax(np.einsum("abc,a,b->c", LL, q[0], q[1]) + logs[2]),
            ]
        return q

    return Problem(
        lambda r: kernels.update_beliefs(
            m["model"], [1, 2], m["prior"], num_iter=SWEEPS, compute_vfe=False, repeats=r
        ),
        n**3 + SWEEPS * (4 * n**3 + 3 * n * (FUNCTION + 6)) + 3 * n * FUNCTION,
        8 * 2 * n**3,
        numpy,
        m,
    )


def _free_energy(n: int) -> Problem:
    m = _factors(n)

    def numpy() -> Any:
        accuracy = np.einsum("abc,a,b,c", _log_likelihood(m), *m["qs"])
        return -accuracy + sum(
            q @ (np.log(q + 1e-16) - np.log(p + 1e-16))
            for q, p in zip(m["qs"], m["prior"], strict=True)
        )

    return Problem(
        lambda r: kernels.free_energy(m["model"], [1, 2], m["qs"], m["prior"], repeats=r),
        n**3 + 4 * n**3 + 3 * n * (2 * FUNCTION + 4),
        8 * 2 * n**3,
        numpy,
        m,
    )


def _pass_messages(n: int) -> Problem:
    m = random_model(n, inference_algo="MMP", inference_horizon=2, policies=[np.zeros((1, 1), int)])
    # a sweep is over 3 steps: messages over 2 transitions, forwards and backwards
    each = 2 * 2 * 2 * n * n + 3 * n * (5 * FUNCTION + 12)
    return Problem(
        lambda r: kernels.pass_messages(
            m["model"], [[0], [1]], [[0]], [m["prior"]], num_iter=SWEEPS, repeats=r
        ),
        SWEEPS * each,
        8 * 4 * n * n,
        None,
        m,
    )


def _expected_utility(n: int) -> Problem:
    m = random_model(n)
    log_C = np.log(_softmax(m["C"]) + 1e-16)
    return Problem(
        lambda r: kernels.expected_utility(m["model"], [m["q"]], repeats=r),
        2 * n,
        16 * n,
        lambda: log_C @ (m["A"] @ m["q"]),
        m,
    )


def _states_info_gain(n: int) -> Problem:
    m = random_model(n)

    def numpy() -> Any:
        qo = m["A"] @ m["q"]
        ambiguity = (m["A"] * np.log(m["A"] + np.exp(-16))).sum(axis=0) @ m["q"]
        return ambiguity - qo @ np.log(qo + 1e-16)

    return Problem(
        lambda r: kernels.states_info_gain(m["model"], [m["q"]], repeats=r),
        2 * n * n + n * (FUNCTION + 2),
        8 * n * n,
        numpy,
        m,
    )


def _novelty(p: FloatArray) -> FloatArray:
    raised = p + 1e-16
    weights: FloatArray = (1.0 / raised.sum(axis=0) - 1.0 / raised) * (p > 0)
    return weights


def _pA_info_gain(n: int) -> Problem:
    m = random_model(n)
    wA = _novelty(m["pA"])
    return Problem(
        lambda r: kernels.pA_info_gain(m["model"], [m["q"]], repeats=r),
        4 * n * n,
        16 * n * n,
        lambda: -(m["A"] @ m["q"]) @ (wA @ m["q"]),
        m,
    )


def _pB_info_gain(n: int) -> Problem:
    m = random_model(n)
    wB = _novelty(m["pB"])
    predicted = m["B"][:, :, 1] @ m["q"]
    return Problem(
        lambda r: kernels.pB_info_gain(m["model"], [m["q"]], [1], [predicted], repeats=r),
        2 * n * n,
        8 * n * n,
        lambda: -predicted @ (wB[:, :, 1] @ m["q"]),
        {**m, "predicted": predicted},
    )


def _inductive_cost(n: int) -> Problem:
    B = np.stack([np.roll(np.eye(n), u, axis=0) for u in (0, 1)], axis=-1)
    H = objects([np.eye(n)[n - 1]])
    model = GenerativeModel(np.eye(n), B, H=H, ii_depth=8, ii_threshold=0.1)
    rng = np.random.default_rng(0)
    q, predicted = (rng.dirichlet(np.ones(n)) for _ in range(2))
    reach = np.asarray(model.I[0]) if model.I is not None else np.zeros((1, n))

    def numpy() -> Any:
        rows = np.flatnonzero(reach[:, np.argmax(q)] == 1.0)
        if len(rows) == 0:
            return 0.0
        return (1.0 - reach[max(rows[0] - 1, 0)]) * np.log(1e-3) @ predicted

    return Problem(
        lambda r: kernels.inductive_cost(model, [q], [predicted], repeats=r),
        3 * n,
        24 * n,
        numpy,
        {"q": q, "predicted": predicted, "I": reach},
    )


def _evaluate_policies(n: int) -> Problem:
    m = random_model(n, policy_len=2)
    operations, read = dense_evaluation(m["model"])
    return Problem(
        lambda r: kernels.evaluate_policies(m["model"], [m["q"]], repeats=r),
        operations,
        read,
        None,
        m,
    )


def _policy_posterior(n: int) -> Problem:
    rng = np.random.default_rng(0)
    G, E, out = rng.normal(size=n), rng.dirichlet(np.ones(n)), np.empty(n)
    log_E = np.log(E + 1e-16)
    return Problem(
        lambda r: kernels.policy_posterior(G, E, out, repeats=r),
        (FUNCTION + 6) * n,
        24 * n,
        lambda: _softmax(16.0 * G + log_E),
        {"G": G, "E": E},
    )


def _action_marginals(n: int) -> Problem:
    steps = max(1, round(np.log(n) / np.log(CONTROLS)))
    model = random_model(4, policy_len=steps)["model"]
    count = CONTROLS**steps
    q_pi = np.random.default_rng(0).dirichlet(np.ones(count))
    first = np.arange(count) // (count // CONTROLS)
    return Problem(
        lambda r: kernels.action_marginals(model, q_pi, repeats=r),
        count,
        8 * count,
        lambda: np.bincount(first, weights=q_pi, minlength=CONTROLS),
        {"q_pi": q_pi, "policies": np.asarray(model.policies)},
    )


def _sharpen(n: int) -> Problem:
    p, out = np.random.default_rng(0).dirichlet(np.ones(n)), np.empty(n)
    return Problem(
        lambda r: kernels.sharpen(p, 16.0, out, repeats=r),
        (2 * FUNCTION + 5) * n,
        16 * n,
        lambda: _softmax(16.0 * np.log(p + 1e-16)),
        {"p": p},
    )


def _choose(n: int) -> Problem:
    p = np.random.default_rng(0).dirichlet(np.ones(n))
    return Problem(
        lambda r: kernels.choose(p, repeats=r), 2 * n, 8 * n, lambda: np.argmax(p), {"p": p}
    )


def _sample(n: int) -> Problem:
    p = np.full(n, 1.0 / n)
    # on average half of the entries come before the one that is drawn
    return Problem(
        lambda r: kernels.sample(p, repeats=r),
        (2 * FUNCTION + 5) * n / 2,
        8 * n / 2,
        lambda: np.random.multinomial(1, p).argmax(),
        {"p": p},
    )


def _update_A(n: int) -> Problem:
    m = random_model(n)
    out = np.empty((n, n))

    def numpy() -> FloatArray:
        np.copyto(out, m["pA"])
        out[1] += m["q"] * (m["pA"][1] > 0)
        return out

    return Problem(
        lambda r: kernels.update_A(m["pA"], 1, m["q"], out=out, repeats=r),
        2 * n,
        16 * n * n,
        numpy,
        m,
    )


def _update_B(n: int) -> Problem:
    m = random_model(n)
    out = np.empty_like(m["pB"])
    part, counts = np.empty((n, n)), m["pB"][:, :, 1].copy()

    def numpy() -> FloatArray:
        np.copyto(part, counts)
        np.add(part, np.outer(m["q"], m["prior"]) * (counts > 0), out=part)
        return part

    return Problem(
        lambda r: kernels.update_B(m["pB"], 1, m["q"], m["prior"], out=out, repeats=r),
        3 * n * n,
        16 * n * n,
        numpy,
        m,
    )


def _update_D(n: int) -> Problem:
    rng = np.random.default_rng(0)
    pD, q, out = rng.random(n), rng.dirichlet(np.ones(n)), np.empty(n)
    return Problem(
        lambda r: kernels.update_D(pD, q, out=out, repeats=r),
        2 * n,
        24 * n,
        lambda: np.add(pD, q * (pD > 0), out=out),
        {"pD": pD, "q": q},
    )


STATES = "states and outcomes"
CASES = {
    "predicted_states": Case(_predicted_states, SIZES, "states"),
    "predicted_outcomes": Case(_predicted_outcomes, SIZES, STATES),
    "update_beliefs": Case(_update_beliefs, SIZES, "states, one factor"),
    "fixed_point_iteration": Case(_fixed_point, (4, 8, 24), "states of each of 3 factors"),
    "free_energy": Case(_free_energy, (4, 8, 24), "states of each of 3 factors"),
    "pass_messages": Case(_pass_messages, (8, 64), "states; 10 sweeps over 3 steps"),
    "expected_utility": Case(_expected_utility, SIZES, STATES),
    "states_info_gain": Case(_states_info_gain, SIZES, STATES),
    "pA_info_gain": Case(_pA_info_gain, SIZES, STATES),
    "pB_info_gain": Case(_pB_info_gain, SIZES, "states"),
    "inductive_cost": Case(_inductive_cost, SIZES, "states"),
    "evaluate_policies": Case(_evaluate_policies, (8, 64), "states; 16 policies of 2 steps"),
    "policy_posterior": Case(_policy_posterior, POLICIES, "policies"),
    "action_marginals": Case(_action_marginals, POLICIES, "policies"),
    "sharpen": Case(_sharpen, (4, 64, 4096), "probabilities"),
    "choose": Case(_choose, (4, 64, 4096), "probabilities"),
    "sample": Case(_sample, (4, 64), "probabilities"),
    "update_A": Case(_update_A, SIZES, STATES),
    "update_B": Case(_update_B, SIZES, "states; 4 actions"),
    "update_D": Case(_update_D, SIZES, "states"),
}
