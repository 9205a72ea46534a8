"""`Agent`: one active-inference agent with the interface of ``pymdp.legacy.agent.Agent``.

An `Agent` holds a compiled `AgentCore` (beliefs, policies, the last action, time, histories), a
shared, immutable `GenerativeModel`, and what its callers hold of the model's arrays
(`LiveArrays`). Its calls are the compiled functions of ``_agent/calls.pyx``; this class gives all
of it pymdp's names. No arithmetic of inference here.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._agent import calls, parameters
from freeagent_core._agent.attributes import (
    CoreAttribute,
    FreeEnergyAttribute,
    HistoryAttribute,
    ModelArgument,
    ModelFact,
    ParameterAttribute,
    UtilityAttribute,
)
from freeagent_core._agent.early_attributes import has_begun, read_early, settle_early
from freeagent_core._agent.live_arrays import LiveArrays
from freeagent_core._agent.sequences import (
    average_over_policies,
    split_traces,
    unfilled_sequences,
)
from freeagent_core._kernels.agents import agent_transfer
from freeagent_core._kernels.agents.agent_core import AgentCore
from freeagent_core._kernels.agents.agent_traces import action_distribution, infer_traces
from freeagent_core._model import validation as check
from freeagent_core._model.arguments import normalised
from freeagent_core._model.inference_params import check_inference_params
from freeagent_core.model import GenerativeModel
from freeagent_core.utils import obj_array_uniform

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

# Plain attributes, each with its value in GenerativeModel; read, and checked, at their use.
PLAIN_ATTRIBUTES = (
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


class Agent:
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

    __slots__ = ("__dict__", "__weakref__", "_core", "_live", "_model", "_search")

    si_horizon: int
    si_policy_prune_threshold: float
    si_state_prune_threshold: float
    si_prune_penalty: float

    _pymdp_version = "legacy"

    A = ModelArgument()
    B = ModelArgument()
    C = ModelArgument()
    D = ModelArgument()
    E = ModelArgument()
    H = ModelArgument()
    I = ModelArgument()  # noqa: E741
    pA = ModelArgument()
    pB = ModelArgument()
    pD = ModelArgument()
    policies = ModelArgument()
    A_factor_list = ModelArgument()
    B_factor_list = ModelArgument()

    num_obs = ModelFact()
    num_modalities = ModelFact()
    num_states = ModelFact()
    num_factors = ModelFact()
    num_controls = ModelFact()
    factorized = ModelFact()
    control_fac_idx = ModelFact()
    inference_algo = ModelFact()
    inference_horizon = ModelFact()
    sophisticated = ModelFact()

    gamma = ParameterAttribute("Precision of policies.")
    alpha = ParameterAttribute("Precision of stochastic action selection.")
    use_utility = UtilityAttribute("Whether G has the expected utility.")
    use_states_info_gain = ParameterAttribute("Whether G has the information gain about states.")
    use_param_info_gain = ParameterAttribute("Whether G has the information gain about pA and pB.")
    action_selection = ParameterAttribute('"deterministic" or "stochastic".')
    sampling_mode = ParameterAttribute('"marginal" or "full".')

    qs = CoreAttribute("Beliefs, an object array of one float64 array per factor.")
    q_pi = CoreAttribute("Posterior over policies, shape (num_policies,).")
    G = CoreAttribute("Negative expected free energy of policies, in nats.")
    F = FreeEnergyAttribute('Variational free energy of policies in nats, with "MMP".')
    action = CoreAttribute("The last action, shape (num_factors,), or None.")
    prev_obs = HistoryAttribute("Observations of all steps, a list, with MMP.")
    prev_actions = HistoryAttribute("Actions of all steps, a list, or None before the first.")
    curr_timestep = HistoryAttribute("Actions since the start or the last `reset`.")
    edge_handling_params = CoreAttribute("`use_BMA` and `policy_sep_prior`, a dict.")
    qs_hist = HistoryAttribute("Beliefs of all steps, with `save_belief_hist`.")
    q_pi_hist = HistoryAttribute("Policy posteriors of the last steps, with `save_belief_hist`.")

    infer_states = calls.infer_states
    infer_policies = calls.infer_policies
    sample_action = calls.sample_action
    step = calls.step
    step_time = calls.step_time
    update_A = calls.update_A
    update_B = calls.update_B
    update_D = calls.update_D

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
        self._call_own_reset()

    def _call_own_reset(self) -> None:
        """Call a subclass's `reset`, as pymdp's constructor does."""
        if type(self).reset is not Agent.reset:
            self.reset()

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
        >>> agents[0].model is agents[1].model
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

    def _begin(self, model: GenerativeModel) -> None:
        early = set(self.__dict__)
        self._model = model
        self._search: tuple[Any, ...] | None = None  # parameters that the core has
        self._core = AgentCore(
            model.packed, parameters.parameters_of(model), model.save_belief_hist
        )
        self._live = LiveArrays(self._core)
        if early:
            settle_early(self, Agent, early)
            if not early.isdisjoint(("step", *calls.PARTS)):
                self._core.replaces_parts = True
        for name in PLAIN_ATTRIBUTES:
            setattr(self, name, getattr(model, name))
        if model.policy_sep_prior and model.use_BMA:
            warnings.warn(
                "policy_sep_prior and use_BMA exclude each other: use_BMA is set to False",
                stacklevel=3,
            )
        if model.inference_algo == "MMP":
            self.qs = self._unfilled_sequences()

    def __init_subclass__(cls, reads_early: bool = True, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if reads_early and cls.__init__ is not Agent.__init__ and not hasattr(cls, "__getattr__"):
            cls.__getattr__ = read_early  # type: ignore[attr-defined]

    # A method of its own in the place of a part of `step` is called by `step`.
    def __setattr__(self, name: str, value: Any) -> None:
        try:
            object.__setattr__(self, name, value)
        except AttributeError:
            if has_begun(self) or name.startswith("__"):
                raise
            self.__dict__[name] = value
        else:
            if (name == "step" or name in calls.PARTS) and has_begun(self):
                self._core.replaces_parts = True

    # --- the model -----------------------------------------------------------------------

    @property
    def model(self) -> GenerativeModel:
        """The model in use, with all that was written or assigned and all that was learned."""
        self._synchronise()
        return self._with_learned()

    def _with_learned(self) -> GenerativeModel:
        learned = self._core.learned
        if learned is None:
            return self._model
        arrays = {}
        for name in ("A", "pA", "B", "pB", "D", "pD"):
            value = getattr(learned, name)
            if value is not None:
                arrays[name] = [array.copy() for array in value]
        return self._model.with_learned(**arrays)

    def _synchronise(self) -> None:
        """Take over what callers wrote or assigned since the last call."""
        core, live = self._core, self._live
        learned = core.learned
        for name in () if learned is None else learned.written():
            live.assign(name, getattr(learned, name))
        if not core.is_watched:
            return
        changes = dict(live.changes())
        arguments = {name: entry.value for name, entry in changes.items() if name not in INERT}
        params = arguments.pop("inference_params", None)
        try:
            if params is not None:
                params = check_inference_params(params, self._model.inference_algo)
            if arguments:
                model = self._with_learned().replace(
                    **arguments,
                    **({"policy_len": self.policy_len} if "policies" in arguments else {}),
                )
                if "D" in changes and changes["D"].assigned:
                    core.keep_prior()
                agent_transfer.adopt(core, model.packed)
                self._model = model
        except BaseException:
            live.drop_assigned()
            raise
        if params is not None:
            self._set_inference_params(params)
        live.settle()

    @property
    def policy_len(self) -> int:
        """Steps of policies; as in pymdp, another value does not make other policies."""
        return self._core.parameters.num_future_steps - 1

    @policy_len.setter
    def policy_len(self, value: int) -> None:
        self._core.parameters.num_future_steps = check.integer(value, 1, None, "policy_len") + 1

    @property
    def mb_dict(self) -> dict[str, list[list[int]]]:
        """``A_factor_list``, and per factor the modalities that depend on it."""
        lists = self.model.A_factor_list
        modalities = [
            [m for m, factors in enumerate(lists) if f in factors]
            for f in range(self._model.num_factors)
        ]
        return {"A_factor_list": [list(item) for item in lists], "A_modality_list": modalities}

    @property
    def inference_params(self) -> dict[str, Any]:
        """``num_iter``, ``dF``, ``dF_tol`` and ``compute_vfe``, or MMP's; may be written into."""
        entry = self._live.find("inference_params")
        if entry is None:
            params: dict[str, Any] = self._live.hand_out(
                "inference_params", dict(self._model.inference_params)
            )
            return params
        value: dict[str, Any] = entry.value
        return value

    @inference_params.setter
    def inference_params(self, value: Mapping[str, Any]) -> None:
        params = check_inference_params(value, self._model.inference_algo)
        self._set_inference_params(params)
        self._live.watch("inference_params", dict(params))

    def _set_inference_params(self, params: Mapping[str, Any]) -> None:
        if self._core.parameters.passes_messages:
            self._core.parameters.set_message_passing(**params)
        else:
            self._core.parameters.set_fixed_point(**params)
        self._model = self._model.with_inference_params(params)

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
        self._synchronise()
        if init_qs is not None:
            self.qs = init_qs
            self._core.histories.curr_timestep = 0
        else:
            passes_messages = self._core.parameters.passes_messages
            sequences = self._unfilled_sequences() if passes_messages else None
            self._core.begin_episode()
            if passes_messages:
                self.qs = sequences
        if not self._model.joint_likelihood:
            model = self._with_learned()
            for name, prior in (("A", model.pA), ("B", model.pB)):
                if prior is None:
                    continue
                self._live.forget(name)
                means = normalised(prior)
                if not all(map(np.array_equal, means, getattr(model, name))):
                    setattr(self, name, means)
        qs: ObjectArray = self.qs
        return qs

    def _unfilled_sequences(self) -> ObjectArray:
        return unfilled_sequences(
            len(self._model.policy_arrays),
            self._model.inference_horizon + self.policy_len + 1,
            obj_array_uniform(self._model.num_states),
        )

    def _infer_states_test(self, observation: Any, distr_obs: bool = False) -> Any:
        """Update the beliefs from the joint likelihood of all modalities, as pymdp's method
        of this name does; with MMP, return the beliefs xn and errors vn of each iteration too."""
        self._synchronise()
        if self._model.factorized:
            raise ValueError("_infer_states_test needs a model without factor lists")
        if not self._core.parameters.passes_messages:
            return self._core.infer_states(observation, distr_obs, True)
        traces = infer_traces(self._core, observation, distr_obs)
        return self.qs, *(split_traces(each, self._model.num_states) for each in traces)

    def _set_search(self) -> None:
        """Give the core the parameters of sophisticated inference where they have changed."""
        arguments = (
            self.si_horizon,
            self.si_policy_prune_threshold,
            self.si_state_prune_threshold,
            self.si_prune_penalty,
        )
        if self._search != arguments:
            self._core.set_search(
                check.integer(self.si_horizon, 1, None, "si_horizon"),
                check.number(self.si_policy_prune_threshold, "si_policy_prune_threshold"),
                check.number(self.si_state_prune_threshold, "si_state_prune_threshold"),
                check.number(self.si_prune_penalty, "si_prune_penalty"),
            )
            self._search = arguments

    def _sample_action_test(self) -> tuple[FloatArray, Any]:
        """Return an action and the probabilities that it was chosen by."""
        self._synchronise()
        p_dist = action_distribution(self._core)
        return self.sample_action(), p_dist

    # --- message passing -------------------------------------------------------------------

    @property
    def latest_belief(self) -> Any:
        """Beliefs before the first step of the window, with MMP: by factor, or
        ``[policy][factor]``. Before the first step it is `D` itself."""
        value = self._core.latest_belief
        return self.D if value is None else value

    @latest_belief.setter
    def latest_belief(self, value: Any) -> None:
        self._core.latest_belief = value

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
        core = self._core
        if last_belief is None and core.infer_len:
            core.set_latest_belief()
            return core.latest_belief
        if last_belief is None:
            last_belief = np.empty(len(self._model.policy_arrays), dtype=object)
            for p, sequence in enumerate(core.qs):
                last_belief[p] = sequence[0]
        begin = core.histories.curr_timestep - self._model.inference_horizon
        if core.edge_handling_params["use_BMA"] and begin >= 0:
            last_belief = average_over_policies(last_belief, self._q_pi_at(begin))
        core.latest_belief = last_belief
        return last_belief

    def _q_pi_at(self, step: int) -> FloatArray:
        """Return the posterior over policies of a step in the history, else the present one."""
        q_pi = self._core.histories.q_pi_at(step)
        return self._core.q_pi if q_pi is None else q_pi

    def get_future_qs(self) -> ObjectArray:
        """Return the beliefs of the present and the planned steps, ``[policy][step][factor]``."""
        future = np.empty(len(self._core.qs), dtype=object)
        for p, sequence in enumerate(self._core.qs):
            future[p] = sequence[-(self.policy_len + 1) :]
        return future

    def _beliefs_at_horizon(self, qs_t0: Any) -> Any:
        """Return the beliefs at the first step of MMP's horizon, averaged over policies."""
        edges = self._core.edge_handling_params
        if edges["use_BMA"]:
            return self.latest_belief
        if edges["policy_sep_prior"]:
            begin = max(0, self.curr_timestep - self._model.inference_horizon)
            return average_over_policies(self.latest_belief, self._q_pi_at(begin))
        return qs_t0

    # --- what pymdp has beside them ---------------------------------------------------------

    def _update_A_old(self, obs: Any) -> ObjectArray:
        """pymdp's form of `update_A` for models without factor lists: the same result."""
        return self.update_A(obs)

    def _update_B_old(self, qs_prev: Any) -> ObjectArray:
        """pymdp's form of `update_B` for models without factor lists: the same result."""
        return self.update_B(qs_prev)

    def _construct_C_prior(self) -> ObjectArray:
        return check.object_array(np.zeros(n) for n in self.num_obs)

    def _construct_D_prior(self) -> ObjectArray:
        return normalised(np.ones(n) for n in self.num_states)

    def _construct_E_prior(self) -> FloatArray:
        return np.ones(len(self.policies)) / len(self.policies)

    def _construct_policies(self) -> list[npt.NDArray[np.int64]]:
        return self.model.replace(policies=None, policy_len=self.policy_len).policies

    def _construct_num_controls(self) -> list[int]:
        return [int(n) for n in np.max(np.vstack(self.policies), axis=0) + 1]

    def _get_default_params(self) -> dict[str, Any]:
        return dict(check_inference_params(None, self._model.inference_algo))

    # --- copies --------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        self._synchronise()
        core = self._core
        return {
            "model": self._with_learned(),
            "attributes": dict(self.__dict__),
            "parameters": {name: getattr(core.parameters, name) for name in parameters.NAMES},
            "policy_len": self.policy_len,
            "core": agent_transfer.get_state(core),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._begin(state["model"])
        for name, value in state["attributes"].items():
            setattr(self, name, value)
        for name, value in state["parameters"].items():
            setattr(self._core.parameters, name, value)
        self.policy_len = state["policy_len"]
        agent_transfer.set_state(self._core, state["core"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model!r}, curr_timestep={self.curr_timestep})"


# As in pymdp, an assignment changes nothing else.
INERT = ("H",)

calls.set_parts(Agent)
