"""``inference_params`` of each algorithm: the defaults, and their check."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from freeagent_core._model import validation as check

DEFAULTS: dict[str, dict[str, Any]] = {
    "VANILLA": {"num_iter": 10, "dF": 1.0, "dF_tol": 0.001, "compute_vfe": True},
    "MMP": {"num_iter": 10, "grad_descent": True, "tau": 0.25},
}
MIN_ITERATIONS = {"VANILLA": 0, "MMP": 1}


def check_inference_params(value: Mapping[str, Any] | None, algorithm: str) -> Mapping[str, Any]:
    """Return the defaults of `algorithm` with `value` over them, checked and read-only.

    Raises
    ------
    NotImplementedError
        If there is no such algorithm.
    ValueError, TypeError
        For a name that it does not take, or a value out of range.
    """
    if algorithm not in DEFAULTS:
        raise NotImplementedError(f"inference_algo {algorithm!r} is not implemented")
    params = dict(DEFAULTS[algorithm])
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f"inference_params must be a dict, got {value!r:.80}")
    for name, entry in (value or {}).items():
        where = f"inference_params[{name!r}]"
        if name not in params:
            raise ValueError(f"inference_params must have only {list(params)}, got {name!r}")
        if name == "num_iter":
            params[name] = check.integer(entry, MIN_ITERATIONS[algorithm], 2**31, where)
        elif name in ("compute_vfe", "grad_descent"):
            params[name] = check.flag(entry, where)
        else:
            params[name] = check.number(entry, where)
    return MappingProxyType(params)
