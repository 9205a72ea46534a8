"""The learning methods of `Agent`: Dirichlet updates of A, B and D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from freeagent_core import _validation as check
from freeagent_core import learning, utils
from freeagent_core._message_passing import MessagePassingAgent, average_over_policies
from freeagent_core.model import normalised

if TYPE_CHECKING:
    from freeagent_core.model import GenerativeModel

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]


class LearningAgent(MessagePassingAgent):
    """What `Agent` inherits to learn; it gives the model and the histories."""

    modalities_to_learn: Any
    factors_to_learn: Any
    lr_pA: float
    lr_pB: float
    lr_pD: float
    qs_hist: list[ObjectArray]
    _changes: dict[str, Any]
    _learned: set[str]
    A: Any
    B: Any
    pA: Any
    pB: Any
    pD: Any

    if TYPE_CHECKING:

        @property
        def model(self) -> GenerativeModel: ...

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
        model = self._model_to_learn()
        pA, A = self.pA, self.A
        if pA is None:
            raise ValueError("update_A needs pA, the Dirichlet parameters of A")
        vectors = self._core.observation_vectors(obs)
        qs = self._core.checked_qs()
        learned = check.indices_to_learn(
            self.modalities_to_learn, model.num_modalities, "modalities_to_learn"
        )
        qA = learning.update_obs_likelihood_dirichlet_factorized(
            pA, A, utils.obj_array_from_list(vectors), qs, model.A_factor_list, self.lr_pA, learned
        )
        return self._learn("A", qA)

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
        model = self._model_to_learn()
        pB, B = self.pB, self.B
        if pB is None:
            raise ValueError("update_B needs pB, the Dirichlet parameters of B")
        action = self._core.action
        if action is None:
            raise ValueError("update_B needs an action: call sample_action before")
        self._core.action = self._core.action  # checked again: callers write into it
        before = self._core.checked_qs(qs_prev, "qs_prev")
        qs = self._core.checked_qs()
        learned = check.indices_to_learn(
            self.factors_to_learn, model.num_factors, "factors_to_learn"
        )
        qB = learning.update_state_likelihood_dirichlet_interactions(
            pB, B, action, qs, before, model.B_factor_list, self.lr_pB, learned
        )
        return self._learn("B", qB)

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
        model = self._model_to_learn()
        pD = self.pD
        if pD is None:
            raise ValueError("update_D needs pD, the Dirichlet parameters of D")
        if model.inference_algo == "MMP":
            qs_t0 = self._beliefs_at_horizon(qs_t0)
        if qs_t0 is None:
            if not self.__dict__.get("qs_hist"):
                raise ValueError("update_D needs qs_t0, or save_belief_hist=True and a step before")
            qs_t0 = self.qs_hist[0]
        first = self._core.checked_qs(qs_t0, "qs_t0")
        learned = check.indices_to_learn(
            self.factors_to_learn, model.num_factors, "factors_to_learn"
        )
        qD = learning.update_state_prior_dirichlet(pD, first, self.lr_pD, learned)
        return self._learn("D", qD)

    def _beliefs_at_horizon(self, qs_t0: Any) -> Any:
        """Return the beliefs at the first step of MMP's horizon, averaged over policies."""
        if self.edge_handling_params["use_BMA"]:
            return self.latest_belief
        if self.edge_handling_params["policy_sep_prior"]:
            begin = max(0, self.curr_timestep - self.model.inference_horizon)
            return average_over_policies(self.latest_belief, self._q_pi_at(begin))
        return qs_t0

    def _model_to_learn(self) -> GenerativeModel:
        """Return a model of the present shapes; what was learned since is in `_learned`."""
        return self.model if self._changes.keys() - self._learned else self._model

    def _learn(self, name: str, posterior: ObjectArray) -> ObjectArray:
        """Make the posterior Dirichlet parameters the prior, and their mean A, B or D."""
        # the caller may write into what is returned
        self._changes["p" + name] = check.object_array([array.copy() for array in posterior])
        self._changes[name] = normalised(posterior)
        self._learned |= {name, "p" + name}
        return posterior

    def _update_A_old(self, obs: Any) -> ObjectArray:
        """pymdp's form of `update_A` for models without factor lists: the same result."""
        return self.update_A(obs)

    def _update_B_old(self, qs_prev: Any) -> ObjectArray:
        """pymdp's form of `update_B` for models without factor lists: the same result."""
        return self.update_B(qs_prev)
