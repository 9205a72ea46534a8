"""Learning of pymdp 0.0.7.1: that of `freeagent_core.learning`, with the same results."""

from __future__ import annotations

from freeagent_core.learning import _prune_A as _prune_A
from freeagent_core.learning import _prune_B as _prune_B
from freeagent_core.learning import _prune_prior as _prune_prior
from freeagent_core.learning import (
    update_obs_likelihood_dirichlet,
    update_state_likelihood_dirichlet,
    update_state_prior_dirichlet,
)

__all__ = [
    "update_obs_likelihood_dirichlet",
    "update_state_likelihood_dirichlet",
    "update_state_prior_dirichlet",
]
