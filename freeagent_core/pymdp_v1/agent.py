"""`pymdp.agent.Agent` of pymdp 1.x on NumPy arrays: batches of agents, nothing to compile."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from freeagent_core._model.validation import MAX_INT, integer
from freeagent_core.pymdp_v1 import _actions, _states, _windows
from freeagent_core.pymdp_v1._agent_model import AgentModel
from freeagent_core.pymdp_v1._arguments import ModelError, checked_actions, decode, encode
from freeagent_core.pymdp_v1._compiled import forget, inference_of, planning_of
from freeagent_core.pymdp_v1._settings import REPLACEABLE, SEQUENCE_METHODS, model_structure

Array = npt.NDArray[Any]


class Agent(AgentModel):
    """A batch of agents: perception, planning, action and learning.

    Arrays may have a leading axis of agents; without one, or with one of size 1, all agents share
    the array. An agent does not change: `infer_parameters` and `replace` return new agents, and
    ``agent[i]`` one of the batch.

    Parameters
    ----------
    A : list of (num_obs, *num_states) array, or of Distribution
        Likelihood of each modality's outcomes given the states it depends on.
    B : list of (num_states, *num_states, num_controls) array, or of Distribution
        Transitions of each factor given the states it depends on and the action.
    C : list of (num_obs,) or (steps, num_obs) array, optional
        Preferences, of each step of a policy if there are several. Where A[m] has an axis of
        agents, C[m] has one too. Uniform by default.
    D : list of (num_states,) or (batch_size or 1, num_states) array, optional
        Prior over initial states; uniform by default.
    E : (num_policies,) or (batch_size or 1, num_policies) array, optional
        Prior over policies; uniform by default.
    pA, pB : list of array, optional
        Dirichlet counts of A and B; an entry of pA may be None.
    H : list of (num_states,) array, optional
        Goals of inductive inference, 1 at states to reach.
    I : list of (batch_size, depth, num_states) array, optional
        Used instead of H, see `control.generate_I_matrix`.
    A_dependencies, B_dependencies : list of list of int, optional
        The factors that each modality, and each factor's next state, depends on. By default all,
        and itself.
    B_action_dependencies : list of list of int, optional
        The controls that each factor's transitions depend on; needs `num_controls`.
    num_controls : list of int, optional
        Actions of each control.
    control_fac_idx : list of int, optional
        Factors that actions control; each must have more than one action.
    policy_len : int, default 1
    policies : (num_policies, policy_len, num_factors) array or `control.Policies`, optional
        By default all sequences of actions.
    gamma, alpha : float or (batch_size,) array, default 1.0
        Precision of policies and of stochastic actions.
    inductive_depth : int, default 1
    inductive_threshold, inductive_epsilon : float or (batch_size,) array, default 0.1 and 1e-3
    use_utility, use_states_info_gain, use_param_info_gain, use_inductive : bool
        Terms of the expected free energy.
    categorical_obs : bool, default False
        Observations are distributions over outcomes instead of indices.
    preprocess_fn : callable, optional
        Makes distributions over outcomes of whatever `infer_states` is given.
    action_selection : {"deterministic", "stochastic"}
    sampling_mode : {"full", "marginal"}
        Choose among policies, or among each factor's actions.
    inference_algo : {"fpi", "ovf", "exact", "mmp", "vmp"}
    inference_horizon : int, optional
        Steps of the past that mmp and vmp look at.
    num_iter : int, default 16
    batch_size : int, default 1
    learning_mode : {"online", "offline"}
    learn_A, learn_B, learn_C, learn_D, learn_E : bool, default False
    upstream_faults : bool, default False
        Do as pymdp 1.0.4 does where its authors call it a fault (docs/coming_from_pymdp_v1.md).

    Raises
    ------
    ValueError
        If shapes do not fit together, or A or B is not normalised. (Some are AssertionError too,
        as in pymdp.)

    Examples
    --------
    >>> import numpy as np
    >>> A, B = [np.array([[0.9, 0.2], [0.1, 0.8]])], [np.eye(2)[:, :, None] @ np.ones((1, 2))]
    >>> B[0][:, :, 1] = np.eye(2)[::-1]
    >>> agent = Agent(A, B, C=[np.array([0.0, 2.0])], batch_size=3)
    >>> qs = agent.infer_states([np.array([0, 0, 1])], empirical_prior=agent.D)
    >>> q_pi, neg_efe = agent.infer_policies(qs)
    >>> agent.sample_action(q_pi).ravel()
    array([1, 1, 0])

    Source: `pymdp.agent.Agent`.
    """

    def __init__(
        self,
        A: Sequence[Any],
        B: Sequence[Any],
        C: Sequence[Any] | None = None,
        D: Sequence[Any] | None = None,
        E: Any = None,
        pA: Sequence[Any] | None = None,
        pB: Sequence[Any] | None = None,
        H: Sequence[Any] | None = None,
        I: Sequence[Any] | None = None,  # noqa: E741
        A_dependencies: Sequence[Sequence[int]] | None = None,
        B_dependencies: Sequence[Sequence[int]] | None = None,
        B_action_dependencies: Sequence[Sequence[int]] | None = None,
        num_controls: Sequence[int] | None = None,
        control_fac_idx: Sequence[int] | None = None,
        policy_len: int = 1,
        policies: Any = None,
        gamma: Any = 1.0,
        alpha: Any = 1.0,
        inductive_depth: int = 1,
        inductive_threshold: Any = 0.1,
        inductive_epsilon: Any = 1e-3,
        use_utility: bool = True,
        use_states_info_gain: bool = True,
        use_param_info_gain: bool = False,
        use_inductive: bool = False,
        categorical_obs: bool = False,
        preprocess_fn: Callable[[Any], Any] | None = None,
        action_selection: str = "deterministic",
        sampling_mode: str = "full",
        inference_algo: str = "fpi",
        inference_horizon: int | None = None,
        num_iter: int = 16,
        batch_size: int = 1,
        learning_mode: str = "online",
        learn_A: bool = False,
        learn_B: bool = False,
        learn_C: bool = False,
        learn_D: bool = False,
        learn_E: bool = False,
        *,
        upstream_faults: bool = False,
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self"}
        if B_action_dependencies is not None and num_controls is None:
            raise ModelError(
                "Please specify num_controls if you're also using complex action dependencies"
            )
        if learn_A and pA is None:
            raise ModelError("pA is required for A learning")
        batch_size = integer(batch_size, 1, MAX_INT, "batch_size")
        sizes, A, B, C, pB, policies = model_structure(
            A, B, C, pB, A_dependencies, B_dependencies, B_action_dependencies, num_controls,
            control_fac_idx, policy_len, policies,
        )  # fmt: skip
        given |= {"A": A, "B": B, "C": C, "pB": pB, "policies": policies}
        self._set(**sizes, batch_size=batch_size, pA=None, pB=None, H=None, preprocess_fn=None)
        self._adopt({name: value for name, value in given.items() if name in REPLACEABLE})
        if preprocess_fn is not None and not categorical_obs:
            warnings.warn(
                "preprocess_fn is set while categorical_obs=False. If your preprocess_fn returns "
                "categorical distributions, set categorical_obs=True so that learning/planning can "
                "interpret observations correctly.",
                UserWarning,
                stacklevel=2,
            )

    # --- observations and states ------------------------------------------------------------------

    def process_obs(self, observations: Any) -> list[Array]:
        """Return observations as distributions over outcomes, by `preprocess_fn` if there is one.

        Parameters
        ----------
        observations : list
            For each modality indices of outcomes, or distributions with `categorical_obs`.

        Returns
        -------
        list of (..., num_obs) array
        """
        return _states.processed(self, observations)

    def make_categorical(self, observations: Any) -> list[Array]:
        """Return indices of outcomes as one-hot distributions; -1 (no evidence) as zeros.

        Parameters
        ----------
        observations : list of int or array of int

        Returns
        -------
        list of (..., num_obs) array
        """
        return _states.one_hot(self, observations)

    def infer_states(
        self,
        observations: Any,
        empirical_prior: Any,
        *,
        past_actions: Any = None,
        qs_hist: Any = None,
        valid_steps: Any = None,
        mask: Any = None,
        preprocess_fn: Callable[[Any], Any] | None = None,
        return_info: bool = False,
    ) -> Any:
        """Infer the hidden states from what was observed.

        Parameters
        ----------
        observations : list
            For each modality indices (batch_size,), or (batch_size, steps) for a window; with
            `categorical_obs`, or a `preprocess_fn`, distributions (batch_size, num_obs) or
            (batch_size, steps, num_obs). An index of -1 is no evidence.
        empirical_prior : list of (batch_size, num_states) array
            Prior over the states now, or over the first of the window for mmp and vmp. Of a model
            of one factor, fpi, ovf and exact take (batch_size, 1, num_states) too; the beliefs
            then have that axis as well.
        past_actions : (batch_size, steps - 1, num_factors) array of int, optional
            For mmp and vmp; -1 where an action is not known.
        qs_hist : list of (batch_size, steps, num_states) array, optional
            Beliefs before; fpi, ovf and exact append to them.
        valid_steps : int or (batch_size,) array of int, optional
            For mmp and vmp: only so many steps at the end of the window count, at least 1 and
            at most all.
        mask : list, optional
            For each modality 1 to observe it and 0 not to, or a share between.
        preprocess_fn : callable, optional
            Instead of the agent's.
        return_info : bool, default False
            Return the variational free energy too.

        Returns
        -------
        qs : list of (batch_size, steps, num_states) array
            Beliefs; of one step for fpi, ovf and exact without `qs_hist`.
        info : dict
            With `return_info`: ``vfe_t``, ``vfe`` and ``vfe_components``.

        Raises
        ------
        ValueError, TypeError
            If an argument does not fit, with its index and the expected shape.

        Source: `pymdp.inference.update_posterior_states`.
        """
        return _states.infer_states(
            self, observations, empirical_prior, past_actions, qs_hist, valid_steps, mask,
            preprocess_fn, return_info,
        )  # fmt: skip

    def update_empirical_prior(self, action: Any, qs: Any) -> list[Array]:
        """Return the prior over the next states: the last beliefs, propagated by an action.

        Parameters
        ----------
        action : (batch_size, num_factors) array of int
        qs : list of (batch_size, steps, num_states) array

        Returns
        -------
        list of (batch_size, num_states) array
            D for mmp and vmp, whose prior is over the first state of the window.
        """
        if self.inference_algo in SEQUENCE_METHODS:
            return list(self.D)
        return inference_of(self).predict_states(action, qs)

    def infer_parameters(
        self,
        beliefs_A: Any,
        observations: Any,
        actions: Any,
        beliefs_B: Any = None,
        lr_pA: Any = 1.0,
        lr_pB: Any = 1.0,
        **kwargs: Any,
    ) -> Agent:
        """Learn A, B or both from a window of beliefs, as `learn_A` and `learn_B` say.

        Parameters
        ----------
        beliefs_A : list of (batch_size, steps, num_states) array
            Beliefs when `observations` were made. For ovf and exact, filtered beliefs, which are
            smoothed first.
        observations : list of (batch_size, steps) array of int
            Or of (batch_size, steps, num_obs) distributions with `categorical_obs`.
        actions : (batch_size, steps - 1, num_factors) array of int, or None
            What led from each step to the next; -1 where not known. One more is left out.
        beliefs_B : list of (batch_size, steps, num_states) array, optional
            Beliefs to learn B (and, for ovf and exact, A) from; by default `beliefs_A`.
        lr_pA, lr_pB : float or (batch_size,) array, default 1.0
            What one observation counts.
        **kwargs
            Ignored, as in pymdp.

        Returns
        -------
        Agent
            With new counts pA, pB and their means A, B. B of all agents stays unless one of them
            has a transition with a known action. With `use_inductive` and H, I is made again.

        Source: `pymdp.agent.Agent.infer_parameters`.
        """
        changes = _windows.learned(self, beliefs_A, observations, actions, beliefs_B, lr_pA, lr_pB)
        agent = self._copy()
        agent._set(**changes)
        forget(agent)
        return agent

    # --- policies and actions ---------------------------------------------------------------------

    def infer_policies(self, qs: Any) -> tuple[Array, Array]:
        """Infer the policies from the last beliefs.

        Parameters
        ----------
        qs : list of (batch_size, steps, num_states) array

        Returns
        -------
        q_pi : (batch_size, num_policies) array
            softmax(gamma * neg_efe + log E)
        neg_efe : (batch_size, num_policies) array
            Minus the expected free energy, in nats.

        Raises
        ------
        ValueError
            If beliefs do not fit, or `use_param_info_gain` without pA and pB.

        Source: `pymdp.control.update_posterior_policies_inductive`.
        """
        return planning_of(self).infer_policies(qs)

    @property
    def unique_multiactions(self) -> Array:
        """The distinct first actions of the policies in order, then rows of -1."""
        return _actions.unique_multiactions(self)

    def multiaction_probabilities(self, q_pi: Any) -> Array:
        """Return the probability of each combined first action.

        Parameters
        ----------
        q_pi : (batch_size, num_policies) or (num_policies,) array

        Returns
        -------
        (batch_size, actions) or (actions,) array
            Of `unique_multiactions`; for ``sampling_mode="marginal"`` of all combinations, the
            last factor fastest, each factor's action drawn for itself.
        """
        return _actions.multiaction_probabilities(self, q_pi)

    def sample_action(self, q_pi: Any, rng_key: Any = None) -> Array:
        """Choose an action for each factor.

        Parameters
        ----------
        q_pi : (batch_size, num_policies) array
        rng_key : optional
            For stochastic selection: a key for each agent, (batch_size, 2) of uint32, from
            `random.split` or JAX; or one key, an int or a `numpy.random.Generator` for all.

        Returns
        -------
        (batch_size, num_factors) array of int

        Notes
        -----
        With ``sampling_mode="marginal"`` pymdp draws all factors under one key, so that their
        actions go together (issue 430). Here the first factor that has a choice is drawn under
        the key and each later one under ``random.fold_in(key, factor)``; `upstream_faults` draws
        as pymdp.
        """
        return _actions.chosen(self, q_pi, rng_key)

    def decode_multi_actions(self, action: Any) -> Array:
        """Take combined actions (..., num_factors) apart into those of each control."""
        actions = checked_actions(action, "action", self.num_factors)
        if self.action_maps is None or self.num_controls_multi is None:
            return actions
        return decode(actions, self.action_maps, len(self.num_controls_multi))

    def encode_multi_actions(self, action_multi: Any) -> Array:
        """Combine the actions of each control (..., controls) into those of each factor."""
        controls = (
            self.num_factors if self.action_maps is None else len(self.num_controls_multi or ())
        )
        action_multi = checked_actions(action_multi, "action_multi", controls)
        return action_multi if self.action_maps is None else encode(action_multi, self.action_maps)

    def get_model_dimensions(self) -> dict[str, Any]:
        """Return the numbers of outcomes, states, actions and policies, and the dependencies."""
        names = "num_obs num_states num_controls num_modalities num_factors policy_len "
        names += "inference_horizon A_dependencies B_dependencies"
        sizes = {name: getattr(self, name) for name in names.split()}
        return sizes | {"num_policies": self.policies.num_policies}

    def __repr__(self) -> str:
        return (
            f"Agent(batch_size={self.batch_size}, num_states={self.num_states}, "
            f"num_obs={self.num_obs}, num_controls={self.num_controls}, "
            f"num_policies={self.policies.num_policies}, inference_algo={self.inference_algo!r})"
        )
