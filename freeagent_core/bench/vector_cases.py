"""The vector primitives and products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core import kernels
from freeagent_core.bench.case import Case, Problem
from freeagent_core.bench.work import FUNCTION

FloatArray = npt.NDArray[np.float64]

SIZES = (16, 256, 65_536)
SIDES = (8, 64, 512)


def _distribution(n: int) -> FloatArray:
    return np.random.default_rng(0).dirichlet(np.ones(n))


def _map(
    function: Callable[..., Any], numpy: Callable[[FloatArray, FloatArray], Any], operations: int
) -> Callable[[int], Problem]:
    def make(n: int) -> Problem:
        x, out = _distribution(n), np.empty(n)
        return Problem(
            lambda repeats: function(x, out, repeats=repeats),
            operations * n,
            16 * n,
            lambda: numpy(x, out),
            {"x": x},
        )

    return make


def _reduce(
    function: Callable[..., Any], numpy: Callable[[FloatArray], Any], operations: int
) -> Callable[[int], Problem]:
    def make(n: int) -> Problem:
        x = _distribution(n)
        return Problem(
            lambda repeats: function(x, repeats=repeats),
            operations * n,
            8 * n,
            lambda: numpy(x),
            {"x": x},
        )

    return make


def _log_eps(x: FloatArray, out: FloatArray) -> FloatArray:
    return np.log(x + 1e-16, out=out)


def _softmax(x: FloatArray, out: FloatArray) -> FloatArray:
    np.exp(x - x.max(), out=out)
    out /= out.sum()
    return out


def _dot(n: int) -> Problem:
    x, y = _distribution(n), np.ones(n)
    return Problem(lambda r: kernels.dot(x, y, repeats=r), 2 * n, 16 * n, lambda: x @ y)


def _outer(n: int) -> Problem:
    x, out = _distribution(n), np.empty((n, n))
    return Problem(
        lambda r: kernels.outer(x, x, out, repeats=r),
        n * n,
        8 * n * n,
        lambda: np.outer(x, x, out=out),
    )


def _matrices(n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    rng = np.random.default_rng(0)
    return rng.random((n, n)), rng.random(n), np.empty(n)


def _gemv(n: int) -> Problem:
    M, x, out = _matrices(n)
    return Problem(
        lambda r: kernels.gemv(M, x, out, repeats=r),
        2 * n * n,
        8 * n * n,
        lambda: np.dot(M, x, out=out),
    )


def _gemv_t(n: int) -> Problem:
    M, x, out = _matrices(n)
    return Problem(
        lambda r: kernels.gemv_t(x, M, out, repeats=r),
        2 * n * n,
        8 * n * n,
        lambda: np.dot(x, M, out=out),
    )


def _gemm(n: int) -> Problem:
    M = _matrices(n)[0]
    out = np.empty((n, n))
    columns = -(-n // 8) * 8  # a packed matrix has no other number
    right, result = np.zeros((n, columns)), np.empty((n, columns))
    right[:, :n] = M
    return Problem(
        lambda r: kernels.gemm(M, right, result, repeats=r),
        2 * n**3,
        24 * n * n,
        lambda: np.matmul(M, M, out=out),
    )


def _joint(n: int) -> Problem:
    qs = [_distribution(n) for _ in range(3)]
    out = np.empty((n, n, n))
    return Problem(
        lambda r: kernels.joint_belief(qs, out, repeats=r),
        n**3 + n**2,
        8 * n**3,
        lambda: np.multiply(qs[0][:, None, None], np.multiply.outer(qs[1], qs[2]), out=out),
        {"qs": qs},
    )


CASES = {
    "log": Case(_map(kernels.log, lambda x, out: np.log(x, out=out), FUNCTION), SIZES, "entries"),
    "exp": Case(_map(kernels.exp, lambda x, out: np.exp(x, out=out), FUNCTION), SIZES, "entries"),
    "log_eps": Case(_map(kernels.log_eps, _log_eps, FUNCTION + 1), SIZES, "entries"),
    "softmax": Case(_map(kernels.softmax, _softmax, FUNCTION + 4), SIZES, "entries"),
    "entropy": Case(
        _reduce(kernels.entropy, lambda x: -(x @ np.log(x + 1e-16)), FUNCTION + 3),
        SIZES,
        "entries",
    ),
    "sum": Case(_reduce(kernels.sum, lambda x: x.sum(), 1), SIZES, "entries"),
    "dot": Case(_dot, SIZES, "entries"),
    "outer": Case(_outer, SIDES, "entries of each vector"),
    "gemv": Case(_gemv, SIDES, "rows and columns"),
    "gemv_t": Case(_gemv_t, SIDES, "rows and columns"),
    "gemm": Case(_gemm, SIDES, "rows and columns"),
    "joint_belief": Case(_joint, (4, 16, 64), "states of each of 3 factors"),
}
