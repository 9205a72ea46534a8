"""The part of `Agent` that marginal message passing (``inference_algo="MMP"``) adds.

Time and histories as pymdp keeps them: the last `inference_horizon` observations, the
actions between them, and `latest_belief`, the beliefs before the first of them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from freeagent_core._agent.calls import AgentCalls
from freeagent_core._kernels.agents.mmp_core import MMPCore
from freeagent_core.utils import obj_array_uniform

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]


class MessagePassingAgent(AgentCalls):
    """What `Agent` inherits for ``inference_algo="MMP"``."""

    prev_obs: list[Any]
    latest_belief: Any
    edge_handling_params: dict[str, bool]

    @property
    def F(self) -> FloatArray:
        """Variational free energy of each policy, in nats, after `infer_states` with MMP."""
        if self._model.inference_algo != "MMP":
            raise AttributeError("F belongs to inference_algo 'MMP'")
        return cast(MMPCore, self._core).free_energies()

    def _evaluate_sequences(self) -> None:
        """Evaluate the policies from their beliefs at each step."""
        cast(MMPCore, self._core).evaluate_sequences(self._model.policy_len + 1)

    def _infer_sequences(
        self, observation: Any, distr_obs: bool, factorized: bool, traces: bool = False
    ) -> tuple[FloatArray, FloatArray] | None:
        """Infer the beliefs of all policies with one more observation."""
        entry = observation
        if not distr_obs:
            whole = isinstance(observation, list | tuple) or (
                isinstance(observation, np.ndarray)
                and (observation.dtype == object or observation.dtype.kind in "iu")
                and observation.ndim == 1
                and len(observation) == self._model.num_modalities
            )
            entry = tuple(observation) if whole else (observation,)
        horizon = self._model.inference_horizon
        history = [*self.prev_obs, entry]
        actions = self.prev_actions or []
        if len(history) > horizon:
            # with a horizon of 1 this is all of them, as in pymdp
            actions = actions[-(horizon - 1) :]
        core = cast(MMPCore, self._core)
        result = core.infer_sequences(
            [(each, not isinstance(each, tuple)) for each in history[-horizon:]],
            actions,
            self.latest_belief,
            self.edge_handling_params["policy_sep_prior"],
            factorized,
            traces,
        )
        self.prev_obs.append(entry)
        return result

    def _reset_sequences(self, D: Any) -> ObjectArray:
        """Return pymdp's beliefs before the first observation, and set `latest_belief`."""
        model = self._model
        qs = np.empty(len(model.policy_arrays), dtype=object)
        for p in range(len(qs)):
            qs[p] = np.empty(model.inference_horizon + model.policy_len + 1, dtype=object)
            qs[p][0] = obj_array_uniform(model.num_states)
        if self.edge_handling_params["policy_sep_prior"]:
            self.set_latest_beliefs([copy.deepcopy(D) for _ in range(len(qs))])
        else:
            self.set_latest_beliefs(D)
        return qs

    def set_latest_beliefs(self, last_belief: Any = None) -> Any:
        """Set `latest_belief`, from which the next inference starts.

        Parameters
        ----------
        last_belief : object array, optional
            Beliefs of each policy, by default those of the first step inferred. With
            `use_BMA` they are averaged over policies once the horizon is full.

        Returns
        -------
        latest_belief : object array
        """
        begin = self.curr_timestep - self._model.inference_horizon
        average = self.edge_handling_params["use_BMA"] and begin >= 0
        if average and last_belief is None:
            core = cast(MMPCore, self._core)
            self.latest_belief = core.average_first_beliefs(self._q_pi_at(begin))
            return self.latest_belief
        if last_belief is None:
            last_belief = np.empty(len(self._model.policy_arrays), dtype=object)
            for p, sequence in enumerate(self._core.qs):
                last_belief[p] = copy.deepcopy(sequence[0])
        if average:
            last_belief = average_over_policies(last_belief, self._q_pi_at(begin))
        self.latest_belief = last_belief
        return last_belief

    def _q_pi_at(self, step: int) -> FloatArray:
        """Return the posterior over policies that pymdp looks up for a step: the present one,
        or with a history its entry of this number. pymdp shortens that history and then fails
        where the entry is gone; here it is the latest one."""
        if "q_pi_hist" not in self.__dict__:
            return self._core.q_pi
        return self.q_pi_hist[min(step, len(self.q_pi_hist) - 1)]

    def get_future_qs(self) -> ObjectArray:
        """Return the beliefs of the present and the planned steps, ``[policy][step][factor]``."""
        future = np.empty(len(self._core.qs), dtype=object)
        for p, sequence in enumerate(self._core.qs):
            future[p] = sequence[-(self._model.policy_len + 1) :]
        return future


def average_over_policies(qs_pi: Any, q_pi: Any) -> ObjectArray:
    """Return beliefs averaged over policies, factor by factor.

    Source: ``pymdp.legacy.inference.average_states_over_policies``.
    """
    average = np.empty(len(qs_pi[0]), dtype=object)
    for f in range(len(average)):
        average[f] = np.zeros(len(qs_pi[0][f]))
        for beliefs, weight in zip(qs_pi, q_pi, strict=False):
            average[f] += beliefs[f] * weight
    return average


def split_traces(traces: FloatArray, num_states: Sequence[int]) -> list[list[ObjectArray]]:
    """Return traces as pymdp nests them: [policy][iteration][factor], (num_states, steps)."""
    nested = []
    for policy in traces:
        iterations = []
        for beliefs in policy:
            factors = np.empty(len(num_states), dtype=object)
            start = 0
            for f, size in enumerate(num_states):
                factors[f] = beliefs[:, start : start + size].T.copy()
                start += -(-size // 8) * 8
            iterations.append(factors)
        nested.append(iterations)
    return nested
