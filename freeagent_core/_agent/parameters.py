"""The parameters of a step, from the arguments of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freeagent_core._kernels.action.action_selection import TIE_TOLERANCE
from freeagent_core._kernels.agents.parameters import Parameters

if TYPE_CHECKING:
    from freeagent_core.model import GenerativeModel

# pymdp 0.0.7.1 takes numpy.argmax, the first of equals. Sums that are equal but for
# rounding count as equal here.
ARGMAX_TOLERANCE = 1e-13

# Attributes of `Parameters` that an agent may change; each an argument of `GenerativeModel`.
NAMES = (
    "gamma",
    "alpha",
    "use_utility",
    "use_states_info_gain",
    "use_param_info_gain",
    "action_selection",
    "sampling_mode",
)


def parameters_of(model: GenerativeModel) -> Parameters:
    """Return new parameters with the values of `model`'s arguments."""
    argmax = model.joint_likelihood
    parameters = Parameters(
        joint_likelihood=argmax,
        tie_tolerance=ARGMAX_TOLERANCE if argmax else TIE_TOLERANCE,
        first_of_ties=argmax,
    )
    for name in NAMES:
        setattr(parameters, name, getattr(model, name))
    if model.inference_algo == "MMP":
        parameters.set_message_passing(**model.inference_params)
    else:
        parameters.set_fixed_point(**model.inference_params)
    parameters.set_window(
        model.inference_horizon,
        model.policy_len + 1,
        model.use_BMA and not model.policy_sep_prior,
        model.policy_sep_prior,
    )
    if model.sophisticated:
        parameters.set_search(
            model.si_horizon,
            model.si_policy_prune_threshold,
            model.si_state_prune_threshold,
            model.si_prune_penalty,
        )
    return parameters


def to_learn(subset: Any, count: int) -> bytes:
    """Return ``modalities_to_learn`` or ``factors_to_learn`` as a byte for each, 1 to learn it."""
    return bytes(isinstance(subset, str) or i in subset for i in range(count))
