"""What learning adds to `Agent` beside the calls of `calls`."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from freeagent_core._agent.message_passing import MessagePassingAgent, average_over_policies

ObjectArray = npt.NDArray[Any]


class LearningAgent(MessagePassingAgent):
    """What `Agent` inherits to learn."""

    def _beliefs_at_horizon(self, qs_t0: Any) -> Any:
        """Return the beliefs at the first step of MMP's horizon, averaged over policies."""
        if self.edge_handling_params["use_BMA"]:
            return self.latest_belief
        if self.edge_handling_params["policy_sep_prior"]:
            begin = max(0, self.curr_timestep - self._model.inference_horizon)
            return average_over_policies(self.latest_belief, self._q_pi_at(begin))
        return qs_t0

    def _update_A_old(self, obs: Any) -> ObjectArray:
        """pymdp's form of `update_A` for models without factor lists: the same result."""
        return self.update_A(obs)

    def _update_B_old(self, qs_prev: Any) -> ObjectArray:
        """pymdp's form of `update_B` for models without factor lists: the same result."""
        return self.update_B(qs_prev)
