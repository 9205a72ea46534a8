"""Beliefs of pymdp 0.0.7.1: those of `freeagent_core.inference`, with the same results."""

from __future__ import annotations

from freeagent_core.inference import (
    _update_posterior_states_full_test as _update_posterior_states_full_test,
)
from freeagent_core.inference import (
    average_states_over_policies,
    update_posterior_states,
    update_posterior_states_full,
)

__all__ = [
    "average_states_over_policies",
    "update_posterior_states",
    "update_posterior_states_full",
]
