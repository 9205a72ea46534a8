"""The learning methods of `Agent`: Dirichlet updates of A, B and D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from freeagent_core import _validation as check
from freeagent_core._kernels.learned_model import LearnedModel
from freeagent_core._message_passing import MessagePassingAgent, average_over_policies

if TYPE_CHECKING:
    from freeagent_core._kernels.agent_core import AgentCore

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

ALL = "all"


class LearningAgent(MessagePassingAgent):
    """What `Agent` inherits to learn; it gives the model and the histories."""

    modalities_to_learn: Any
    factors_to_learn: Any
    lr_pA: float
    lr_pB: float
    lr_pD: float
    qs_hist: list[ObjectArray]
    _changes: dict[str, Any]

    if TYPE_CHECKING:

        def _synchronise(self) -> None: ...

    def update_A(self, obs: Any) -> ObjectArray:
        """Learn the likelihoods from an observation and the present beliefs.

        Parameters
        ----------
        obs : sequence of int, or of vectors
            See `infer_states`.

        Returns
        -------
        qA : ndarray of object
            The new Dirichlet parameters ``agent.pA``; ``agent.A`` becomes their mean.

        Raises
        ------
        ValueError
            Without `pA`.

        Notes
        -----
        Source: ``pymdp.legacy.learning.update_obs_likelihood_dirichlet_factorized``.
        """
        core = self._core
        if self._changes or core.learned is None:
            core = self._learner("pA", "A")
        to_learn = _to_learn(self.modalities_to_learn, self._model.num_modalities, "modalities")
        return core.update_A(obs, to_learn, self.lr_pA)

    def update_B(self, qs_prev: Any) -> ObjectArray:
        """Learn the transitions from the last action and the beliefs before and after it.

        Parameters
        ----------
        qs_prev : ndarray of object
            Beliefs one step before, like ``agent.qs``.

        Returns
        -------
        qB : ndarray of object
            The new Dirichlet parameters ``agent.pB``; ``agent.B`` becomes their mean.

        Raises
        ------
        ValueError
            Without `pB`, or before the first action.

        Notes
        -----
        Source: ``pymdp.legacy.learning.update_state_likelihood_dirichlet_interactions``.
        """
        core = self._core
        if self._changes or core.learned is None:
            core = self._learner("pB", "B")
        if core.action is None:
            raise ValueError("update_B needs an action: call sample_action before")
        to_learn = _to_learn(self.factors_to_learn, self._model.num_factors, "factors")
        return core.update_B(qs_prev, to_learn, self.lr_pB)

    def update_D(self, qs_t0: Any = None) -> ObjectArray:
        """Learn the initial states.

        Parameters
        ----------
        qs_t0 : ndarray of object, optional
            Beliefs at the first step; the first of ``qs_hist`` by default.

        Returns
        -------
        qD : ndarray of object
            The new Dirichlet parameters ``agent.pD``; ``agent.D`` becomes their mean.

        Raises
        ------
        ValueError
            Without `pD`, or without `qs_t0` and a history.

        Notes
        -----
        Source: ``pymdp.legacy.learning.update_state_prior_dirichlet``.
        """
        core = self._core
        if self._changes or core.learned is None:
            core = self._learner("pD", "D")
        if self._model.inference_algo == "MMP":
            qs_t0 = self._beliefs_at_horizon(qs_t0)
        if qs_t0 is None:
            if not self.__dict__.get("qs_hist"):
                raise ValueError("update_D needs qs_t0, or save_belief_hist=True and a step before")
            qs_t0 = self.qs_hist[0]
        to_learn = _to_learn(self.factors_to_learn, self._model.num_factors, "factors")
        return core.update_D(qs_t0, to_learn, self.lr_pD)

    def _beliefs_at_horizon(self, qs_t0: Any) -> Any:
        """Return the beliefs at the first step of MMP's horizon, averaged over policies."""
        if self.edge_handling_params["use_BMA"]:
            return self.latest_belief
        if self.edge_handling_params["policy_sep_prior"]:
            begin = max(0, self.curr_timestep - self._model.inference_horizon)
            return average_over_policies(self.latest_belief, self._q_pi_at(begin))
        return qs_t0

    def _learner(self, parameters: str, mean: str) -> AgentCore:
        """Return the core, which has its own copy of the model to write to."""
        if self._changes:
            self._synchronise()
        core, model = self._core, self._model
        if getattr(model, parameters) is None:
            raise ValueError(
                f"update_{mean} needs {parameters}, the Dirichlet parameters of {mean}"
            )
        if core.learned is None:
            core.begin_learning(LearnedModel(core.packed, model.pA, model.pB, model.pD))
        return core

    def _update_A_old(self, obs: Any) -> ObjectArray:
        """pymdp's form of `update_A` for models without factor lists: the same result."""
        return self.update_A(obs)

    def _update_B_old(self, qs_prev: Any) -> ObjectArray:
        """pymdp's form of `update_B` for models without factor lists: the same result."""
        return self.update_B(qs_prev)


def _to_learn(value: Any, count: int, name: str) -> bytes:
    """Return ``modalities_to_learn`` or ``factors_to_learn`` as `AgentCore` takes them."""
    if value is ALL:
        return b"\1" * count
    indices = check.index_subset(value, count, f"{name}_to_learn")
    return bytes(indices == ALL or i in indices for i in range(count))
