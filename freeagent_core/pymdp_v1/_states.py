"""Observations as distributions, and beliefs about the states that made them.

Functions of an agent; `freeagent_core.pymdp_v1.agent.Agent` calls them and documents the arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from freeagent_core.pymdp_v1 import _windows
from freeagent_core.pymdp_v1._arguments import outcomes, parts, taken_apart, whole_numbers
from freeagent_core.pymdp_v1._arrays import as_array
from freeagent_core.pymdp_v1._compiled import forget, inference_of
from freeagent_core.pymdp_v1._settings import SEQUENCE_METHODS

if TYPE_CHECKING:
    from freeagent_core.pymdp_v1.agent import Agent

Array = npt.NDArray[Any]


def processed(agent: Agent, observations: Any) -> list[Array]:
    """Do what `Agent.process_obs` does."""
    if agent.preprocess_fn is not None:
        return agent.preprocess_fn(observations)  # type: ignore[no-any-return]
    if agent.categorical_obs:
        return [
            as_array(o, f"observations[{m}]")
            for m, o in enumerate(_modalities(agent, observations))
        ]
    return one_hot(agent, observations)


def one_hot(agent: Agent, observations: Any) -> list[Array]:
    """Do what `Agent.make_categorical` does."""
    each = zip(_modalities(agent, observations), agent.num_obs, strict=True)
    return [
        (outcomes(o, n, f"observations[{m}]")[..., None] == np.arange(n)).astype(np.float64)
        for m, (o, n) in enumerate(each)
    ]


def _modalities(agent: Agent, observations: Any) -> list[Any]:
    if agent.num_modalities > 1:
        observations = taken_apart(observations, agent.num_modalities)
    return parts(observations, agent.num_modalities, "observations", "modality")


def infer_states(
    agent: Agent,
    observations: Any,
    empirical_prior: Any,
    past_actions: Any,
    qs_hist: Any,
    valid_steps: Any,
    mask: Any,
    preprocess_fn: Callable[[Any], Any] | None,
    return_info: bool,
) -> Any:
    """Do what `Agent.infer_states` does."""
    distributions = agent.categorical_obs
    preprocess = agent.preprocess_fn if preprocess_fn is None else preprocess_fn
    if preprocess is not None:
        if not callable(preprocess):
            raise TypeError(f"preprocess_fn must be callable, got {type(preprocess).__name__}")
        observations, distributions = preprocess(observations), True
    if type(observations) is not list:
        observations = taken_apart(observations, agent.num_modalities)
    seeing = agent
    if mask is not None:
        seeing = agent if agent.upstream_faults else agent._copy()
        observations, A = _windows.masked(seeing, observations, distributions, mask)
        distributions = True
        seeing._set(A=A)
        forget(seeing)
    if agent.inference_algo in SEQUENCE_METHODS:
        if qs_hist is not None:  # not used, but looked at
            _windows.histories_of(agent, qs_hist, "qs_hist")
        return _windows.infer_window(
            seeing, observations, distributions, empirical_prior, past_actions, valid_steps,
            return_info,
        )  # fmt: skip
    if past_actions is not None:  # neither is used, but looked at
        whole_numbers(past_actions, "past_actions")
    if valid_steps is not None:
        _windows.checked_valid_steps(valid_steps, agent.batch_size)
    has_steps = False
    if qs_hist is None:
        empirical_prior, has_steps = _without_steps(empirical_prior)
    qs: list[Array] = inference_of(seeing).infer_states(
        observations, distributions, empirical_prior, agent.num_iter
    )
    history = qs if qs_hist is None else _appended(agent, qs_hist, qs)
    if has_steps:
        history = [q[:, :, None] for q in qs]
    if not return_info:
        return history
    return history, _windows.one_step_info(seeing, observations, distributions, empirical_prior, qs)


def _appended(agent: Agent, qs_hist: Any, qs: list[Array]) -> list[Array]:
    past = _windows.histories_of(agent, qs_hist, "qs_hist")
    horizon = agent.inference_horizon
    steps = slice(None) if horizon is None else slice(-horizon, None)
    pairs = zip(past, qs, strict=True)
    return [np.concatenate([before, new], axis=1)[:, steps] for before, new in pairs]


def _without_steps(prior: Any) -> tuple[Any, bool]:
    """Return the prior of one factor without its axis of one step, and whether it has that axis.

    In pymdp such a prior broadcasts, and notebooks have it; that of several factors is an error.
    """
    if type(prior) in (list, tuple) and len(prior) == 1:
        shape: tuple[int, ...] = getattr(prior[0], "shape", ())
        if len(shape) == 3 and shape[1] == 1:
            return [as_array(prior[0])[:, 0]], True
    return prior, False
