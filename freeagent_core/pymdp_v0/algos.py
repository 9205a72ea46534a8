"""Algorithms of pymdp 0.0.7.1: those of `freeagent_core.algos`, with the same results."""

from __future__ import annotations

from freeagent_core.algos import _run_mmp_testing as _run_mmp_testing
from freeagent_core.algos import (
    run_mmp,
    run_vanilla_fpi,
)

__all__ = [
    "run_mmp",
    "run_vanilla_fpi",
]
