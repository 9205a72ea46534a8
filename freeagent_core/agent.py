"""`Agent`: one active-inference agent with the interface of ``pymdp.legacy.agent.Agent``.

No arithmetic of inference here: beliefs, policies and the last action live in a compiled
`AgentCore`, everything that describes the model in a shared, immutable `GenerativeModel`.
This class keeps time and histories, and gives all of it pymdp's names.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._agent.attributes import AgentAttributes
from freeagent_core._agent.learning import LearningAgent
from freeagent_core._agent.message_passing import split_traces
from freeagent_core._kernels.action.action_selection import TIE_TOLERANCE
from freeagent_core._kernels.agents.agent_core import AgentCore
from freeagent_core._kernels.agents.mmp_core import MMPCore
from freeagent_core._model import validation as check
from freeagent_core._model.inference_params import check_inference_params
from freeagent_core._model.policies import MAX_POLICIES
from freeagent_core.model import GenerativeModel, normalised
from freeagent_core.utils import obj_array_uniform

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

# pymdp 0.0.7.1 takes numpy.argmax, the first of equals. Sums that are equal but for
# rounding count as equal here.
ARGMAX_TOLERANCE = 1e-13


# Each with its default in GenerativeModel.
CORE_PARAMETERS = (
    "gamma",
    "alpha",
    "use_utility",
    "use_states_info_gain",
    "use_param_info_gain",
    "action_selection",
    "sampling_mode",
)
OWN_PARAMETERS = (
    "modalities_to_learn",
    "lr_pA",
    "factors_to_learn",
    "lr_pB",
    "lr_pD",
    "si_horizon",
    "si_policy_prune_threshold",
    "si_state_prune_threshold",
    "si_prune_penalty",
)


# Of `AgentCalls`, which keeps no __dict__ of its own.
CALL_ATTRIBUTES = (
    "_changes",
    "prev_actions",
    "curr_timestep",
    "qs_hist",
    "q_pi_hist",
    "modalities_to_learn",
    "factors_to_learn",
    "lr_pA",
    "lr_pB",
    "lr_pD",
)


class Agent(AgentAttributes, LearningAgent):
    """An active-inference agent of a discrete POMDP.

    A drop-in for ``pymdp.legacy.agent.Agent`` (pymdp 1.0 and later): the same arguments,
    attributes, methods and results, computed in compiled code.

    Parameters
    ----------
    A, B, C, D, E, H, pA, pB, pD, num_controls, policy_len, inference_horizon, \
control_fac_idx, policies, gamma, alpha, use_utility, use_states_info_gain, \
use_param_info_gain, action_selection, sampling_mode, inference_algo, inference_params, \
modalities_to_learn, lr_pA, factors_to_learn, lr_pB, lr_pD, use_BMA, policy_sep_prior, \
save_belief_hist, A_factor_list, B_factor_list, sophisticated, si_horizon, \
si_policy_prune_threshold, si_state_prune_threshold, si_prune_penalty, ii_depth, ii_threshold
        See `GenerativeModel`.

    Attributes
    ----------
    qs : ndarray of object
        Beliefs: per factor a float64 array of shape (num_states[f],).
    q_pi, G : ndarray of float64, shape (num_policies,)
        Posterior over policies and their negative expected free energy (nats), after
        `infer_policies`.
    action : ndarray of float64, shape (num_factors,), or None
        The last action.
    prev_actions : list of ndarray, or None
    curr_timestep : int
    qs_hist, q_pi_hist : list
        With `save_belief_hist`.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, the index and the expected shape. A call that raises leaves
        the agent as it was.

    See Also
    --------
    Agent.from_model : many agents of one model.

    Examples
    --------
    >>> import numpy as np
    >>> agent = Agent(A=np.eye(2), B=np.stack([np.eye(2), 1 - np.eye(2)], axis=-1),
    ...               C=np.array([0.0, 2.0]))
    >>> qs = agent.infer_states([0])
    >>> q_pi, G = agent.infer_policies()
    >>> agent.sample_action()
    array([1.])
    >>> agent.step([1])
    array([0.])
    """

    si_horizon: int
    si_policy_prune_threshold: float
    si_state_prune_threshold: float
    si_prune_penalty: float

    _pymdp_version = "legacy"
    _steps_at_once = True

    def __init__(
        self,
        A: Any,
        B: Any,
        C: Any = None,
        D: Any = None,
        E: Any = None,
        H: Any = None,
        pA: Any = None,
        pB: Any = None,
        pD: Any = None,
        num_controls: Any = None,
        policy_len: int = 1,
        inference_horizon: int = 1,
        control_fac_idx: Any = None,
        policies: Any = None,
        gamma: float = 16.0,
        alpha: float = 16.0,
        use_utility: bool = True,
        use_states_info_gain: bool = True,
        use_param_info_gain: bool = False,
        action_selection: str = "deterministic",
        sampling_mode: str = "marginal",
        inference_algo: str | None = "VANILLA",
        inference_params: Mapping[str, Any] | None = None,
        modalities_to_learn: Any = "all",
        lr_pA: float = 1.0,
        factors_to_learn: Any = "all",
        lr_pB: float = 1.0,
        lr_pD: float = 1.0,
        use_BMA: bool = True,
        policy_sep_prior: bool = False,
        save_belief_hist: bool = False,
        A_factor_list: Any = None,
        B_factor_list: Any = None,
        sophisticated: bool = False,
        si_horizon: int = 3,
        si_policy_prune_threshold: float = 1 / 16,
        si_state_prune_threshold: float = 1 / 16,
        si_prune_penalty: float = 512,
        ii_depth: int = 10,
        ii_threshold: float = 1 / 16,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name != "self"}
        self._begin(GenerativeModel(**arguments, pymdp_version=self._pymdp_version))

    @classmethod
    def from_model(cls, model: GenerativeModel) -> Agent:
        """Return a new agent of `model`, which it shares.

        Parameters
        ----------
        model : GenerativeModel
            With the `pymdp_version` of this class.

        Returns
        -------
        agent : Agent
            Without a call of ``__init__``.

        Examples
        --------
        >>> import numpy as np
        >>> model = GenerativeModel(A=np.eye(2), B=np.eye(2)[:, :, None])
        >>> agents = [Agent.from_model(model) for _ in range(3)]
        >>> agents[0].A is agents[1].A
        True
        """
        if not isinstance(model, GenerativeModel):
            raise TypeError(f"model must be a GenerativeModel, got {type(model).__name__}")
        if model.pymdp_version != cls._pymdp_version:
            raise ValueError(
                f"model must have pymdp_version {cls._pymdp_version!r} for this Agent, "
                f"got {model.pymdp_version!r}"
            )
        agent = cls.__new__(cls)
        agent._begin(model)
        return agent

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A subclass that changes one of the three calls gets it called by `step` too.
        if any(
            getattr(cls, name) is not getattr(Agent, name)
            for name in ("infer_states", "infer_policies", "sample_action", "step_time")
        ):
            cls._steps_at_once = False

    def _begin(self, model: GenerativeModel) -> None:
        self._model = model
        self._changes = {}
        self._search: tuple[Any, Any] | None = None  # the core that knows these parameters
        self._inference_params = model.inference_params
        for name in OWN_PARAMETERS:
            setattr(self, name, getattr(model, name))
        self.edge_handling_params = {
            "use_BMA": model.use_BMA,
            "policy_sep_prior": model.policy_sep_prior,
        }
        if model.policy_sep_prior and model.use_BMA:
            warnings.warn(
                "policy_sep_prior and use_BMA exclude each other: use_BMA is set to False",
                stacklevel=3,
            )
            self.edge_handling_params["use_BMA"] = False
        if model.save_belief_hist:
            self.qs_hist = []
            self.q_pi_hist = []
        self.prev_obs: list[Any] = []
        self.prev_actions = None
        self.curr_timestep = 0
        self._core = self._new_core({name: getattr(model, name) for name in CORE_PARAMETERS})
        if model.inference_algo == "MMP":
            self.qs = self._reset_sequences(model.D)

    def _new_core(self, state: dict[str, Any]) -> AgentCore:
        """Return a core of the present model, with these attributes set."""
        argmax = self._model.joint_likelihood
        tolerance = ARGMAX_TOLERANCE if argmax else TIE_TOLERANCE
        kind = MMPCore if self._model.inference_algo == "MMP" else AgentCore
        core = kind(self._model.packed, self._model.joint_likelihood, tolerance, argmax)
        core.set_inference_params(**self._inference_params)
        sequences = state.pop("sequences", None)
        for name, value in state.items():
            setattr(core, name, value)
        if sequences is not None and isinstance(core, MMPCore):
            core.restore_sequences(sequences)
        return core

    # --- the model -----------------------------------------------------------------------

    @property
    def model(self) -> GenerativeModel:
        """The model in use, with all assignments carried out and all that was learned."""
        if self._changes:
            self._synchronise()
        return self._with_learned()

    def _with_learned(self) -> GenerativeModel:
        learned = self._core.learned
        if learned is None:
            return self._model
        arrays = {name: getattr(learned, name) for name in ("A", "pA", "B", "pB", "D", "pD")}
        return self._model.with_learned(**{k: v for k, v in arrays.items() if v is not None})

    def _synchronise(self) -> None:
        """Pack what was assigned since the last call. An error drops the assignments."""
        changes, self._changes = self._changes, {}
        before = self._model
        self._model = self._with_learned().replace(**changes)
        state = self._core_state()
        if before.num_states != self._model.num_states:
            state = {name: state[name] for name in CORE_PARAMETERS}
        elif len(before.policy_arrays) != len(self._model.policy_arrays):
            state = {name: state[name] for name in (*CORE_PARAMETERS, "qs", "action")}
            if isinstance(self._core, MMPCore):
                state["qs"] = self._reset_sequences(self._model.D)
        try:
            self._core = self._new_core(state)
        except BaseException:
            self._model = before
            raise

    def _core_state(self) -> dict[str, Any]:
        names = [*CORE_PARAMETERS, "qs", "action"]
        # of policies that nobody could list nothing is kept: they are evaluated anew
        if len(self._model.policy_arrays) <= MAX_POLICIES:
            names += [name for name in ("q_pi", "G") if hasattr(self._core, name)]
        state = {name: getattr(self._core, name) for name in names}
        if isinstance(self._core, MMPCore):
            state["sequences"] = self._core.sequence_state()
        return state

    @property
    def mb_dict(self) -> dict[str, list[list[int]]]:
        """``A_factor_list``, and per factor the modalities that depend on it."""
        lists = self.model.A_factor_list
        modalities = [
            [m for m, factors in enumerate(lists) if f in factors]
            for f in range(self._model.num_factors)
        ]
        return {"A_factor_list": lists, "A_modality_list": modalities}

    @property
    def inference_params(self) -> MappingProxyType[str, Any]:
        """``num_iter``, ``dF``, ``dF_tol`` and ``compute_vfe``; assign a dict to change them."""
        return MappingProxyType(dict(self._inference_params))

    @inference_params.setter
    def inference_params(self, value: Mapping[str, Any]) -> None:
        self._inference_params = check_inference_params(value, self._model.inference_algo)
        self._core.set_inference_params(**self._inference_params)

    # --- the step ------------------------------------------------------------------------

    def reset(self, init_qs: Any = None) -> ObjectArray:
        """Set time to 0 and the beliefs to `init_qs`, or to uniform ones.

        Where there are pA and pB, A and B become their means again (not with pymdp
        0.0.7.1's numbers). As in pymdp, the last action stays.

        Parameters
        ----------
        init_qs : ndarray of object, optional

        Returns
        -------
        qs : ndarray of object
        """
        if init_qs is None and self.inference_algo == "MMP":
            self.curr_timestep = 0  # which set_latest_beliefs looks at
            init_qs = self._reset_sequences(self.D)
        elif init_qs is None:
            init_qs = obj_array_uniform(self.num_states)
        self.qs = init_qs
        if not self._model.joint_likelihood:
            for name, prior in (("A", self.pA), ("B", self.pB)):
                if prior is not None:
                    means = normalised(prior)
                    if not all(map(np.array_equal, means, getattr(self, name))):
                        setattr(self, name, means)
        self.curr_timestep = 0
        qs: ObjectArray = self.qs
        return qs

    def _infer_states_test(self, observation: Any, distr_obs: bool = False) -> Any:
        """Update the beliefs from the joint likelihood of all modalities, as pymdp's method
        of this name does; with MMP, return the beliefs xn and errors vn of each iteration too."""
        if self.model.factorized:
            raise ValueError("_infer_states_test needs a model without factor lists")
        traces = None
        if self._model.inference_algo == "MMP":
            traces = self._infer_sequences(observation, distr_obs, False, traces=True)
        else:
            self._core.infer_states(observation, distr_obs, True)
        qs = self._core.qs
        if hasattr(self, "qs_hist"):
            self.qs_hist.append(qs)
        if traces is None:
            return qs
        return qs, *(split_traces(each, self._model.num_states) for each in traces)

    def _set_search(self) -> None:
        """Give the core the parameters of sophisticated inference where they have changed."""
        parameters = (
            self.si_horizon,
            self.si_policy_prune_threshold,
            self.si_state_prune_threshold,
            self.si_prune_penalty,
        )
        if self._search != (self._core, parameters):
            self._core.set_search(
                check.integer(self.si_horizon, 1, None, "si_horizon"),
                check.number(self.si_policy_prune_threshold, "si_policy_prune_threshold"),
                check.number(self.si_state_prune_threshold, "si_state_prune_threshold"),
                check.number(self.si_prune_penalty, "si_prune_penalty"),
            )
            self._search = (self._core, parameters)

    def _sample_action_test(self) -> tuple[FloatArray, Any]:
        """Return an action and the probabilities that it was chosen by."""
        if self._changes:
            self._synchronise()
        p_dist = self._core.action_distribution()
        return self.sample_action(), p_dist

    # --- what pymdp's constructor fills in ------------------------------------------------

    def _construct_C_prior(self) -> ObjectArray:
        return check.object_array(np.zeros(n) for n in self.num_obs)

    def _construct_D_prior(self) -> ObjectArray:
        return normalised(np.ones(n) for n in self.num_states)

    def _construct_E_prior(self) -> FloatArray:
        return np.ones(len(self.policies)) / len(self.policies)

    def _construct_policies(self) -> list[npt.NDArray[np.int64]]:
        model = self.model
        return model.replace(policies=None, policy_len=model.policy_len).policies

    def _construct_num_controls(self) -> list[int]:
        return [int(n) for n in np.max(np.vstack(self.policies), axis=0) + 1]

    def _get_default_params(self) -> dict[str, Any]:
        return dict(check_inference_params(None, self._model.inference_algo))

    # --- copies --------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        own = {"_model": self._with_learned(), **self.__dict__}
        own.update((name, getattr(self, name)) for name in CALL_ATTRIBUTES if hasattr(self, name))
        own["_search"] = None
        own["_inference_params"] = dict(self._inference_params)
        return {"own": own, "core": self._core_state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state["own"].items():
            setattr(self, name, value)
        self._core = self._new_core(state["core"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model!r}, curr_timestep={self.curr_timestep})"
