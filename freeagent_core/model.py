"""`GenerativeModel`: a discrete POMDP, checked once and packed once, shared by its agents."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.model.packed_model import PackedModel
from freeagent_core._model import sparse_input, tables
from freeagent_core._model import validation as check
from freeagent_core._model.arguments import check_arguments, constant_E
from freeagent_core._model.packing import pack
from freeagent_core._model.policies import AllSequences

FloatArray = npt.NDArray[np.float64]


class GenerativeModel:
    """A generative model of a discrete POMDP, and the parameters of agents that use it.

    Checks its arguments once, packs all that depends on them alone, and is immutable:
    any number of agents may share one (`Agent.from_model`, `replace` for a variation).

    Parameters
    ----------
    A : ndarray, or object array of ndarray of shape (num_obs[m], *states of its factors)
        Likelihoods: ``A[m][o, s1, s2, ...]`` is the probability of outcome ``o``.
        Columns sum to 1. A modality that depends on one factor may be a sparse matrix.
    B : ndarray, or object array of ndarray of shape (num_states[f], *previous, num_controls[f])
        Transitions: ``B[f][next, previous, ..., action]``. Columns sum to 1. A factor that
        depends on one may have a list of sparse matrices ``B[f][action][next, previous]``, or an
        integer array ``B[f][previous, action]``, the next state (see Notes).
    C : object array of ndarray of shape (num_obs[m],) or (num_obs[m], steps), optional
        Preferences over outcomes, in nats up to a constant; with a second axis, per step
        of a policy. Default: none.
    D : object array of ndarray of shape (num_states[f],), optional
        Beliefs before the first observation. Default: from `pD`, or uniform.
    E : ndarray of shape (num_policies,), optional
        Prior over policies. Default: uniform.
    H : object array of ndarray of shape (num_states[f],), optional
        Goal states (1), for inductive inference.
    pA, pB, pD : object arrays like A, B, D, optional
        Dirichlet parameters to learn. As in pymdp, A and B are then their means.
    num_controls : list of int, optional
        Must agree with `B`, from which it is taken by default.
    policy_len : int
        Steps of the policies that are made where `policies` is not given.
    inference_horizon : int
        Observed steps that "MMP" infers over.
    control_fac_idx : list of int, optional
        Which factors are controlled; each must have more than one control in `B`. As in pymdp
        (its issue 177) this names them and no more: policies are made of the controls of all
        factors. For policies in which the other factors keep control 0, give ``policies =
        control.construct_policies(num_states, num_controls, policy_len)`` with 1 in
        ``num_controls`` for each of these.
    policies : list of ndarray of int, shape (policy_len, num_factors), optional
        Default: all sequences of actions.
    gamma, alpha : float
        Precision of policies, and of stochastic action selection.
    use_utility, use_states_info_gain, use_param_info_gain : bool
        Which terms the expected free energy has.
    action_selection : {"deterministic", "stochastic"}
    sampling_mode : {"marginal", "full"}
    inference_algo : {"VANILLA", "MMP"}
        Mean-field fixed-point iteration on the present, or marginal message passing over
        the last observations and the steps of each policy.
    inference_params : dict, optional
        ``num_iter``, ``dF``, ``dF_tol``, ``compute_vfe`` of "VANILLA", or ``num_iter``,
        ``grad_descent``, ``tau`` of "MMP", each replacing its default (pymdp ignores this
        argument).
    modalities_to_learn, factors_to_learn : "all" or list of int
    lr_pA, lr_pB, lr_pD : float
        Learning rates.
    use_BMA, policy_sep_prior, save_belief_hist : bool
    A_factor_list, B_factor_list : list of list of int, optional
        Factors that each modality, and each factor's transitions, depend on. Default: a
        modality on all factors, a factor on itself.
    sophisticated : bool
        Evaluate policies of one step by a search over what may follow.
    si_horizon : int
        Steps that the search looks ahead.
    si_policy_prune_threshold, si_state_prune_threshold : float
        Policies and outcomes less probable than this are not followed.
    si_prune_penalty : float
        Taken off G of the policies that are not, in nats.
    ii_depth, ii_threshold
        Steps, and least transition probability, of inductive inference.
    pymdp_version : {"legacy", "0.0.7.1"}
        Whose numbers to reproduce; see `freeagent_core.pymdp_v0`.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, the index and the expected shape.
    NotImplementedError
        For another `inference_algo`.

    Notes
    -----
    The arguments and their defaults are those of ``pymdp.legacy.agent.Agent``.

    Sparse matrices are SciPy's, in any format, or have ``shape`` and ``tocsc`` like these;
    duplicates add up. The model keeps them as arrays up to 2**20 entries, and beyond that as their
    nonzero entries, of which no array of more than 2**27 entries (1 GiB) is made: ``A[m]`` and
    ``B[f]`` then have ``shape``, ``nnz`` and ``toarray()``, and what needs a whole array (MMP,
    pymdp 0.0.7.1's numbers, pA) is a ValueError where it would be larger.

    Examples
    --------
    >>> import numpy as np
    >>> model = GenerativeModel(A=np.eye(2), B=np.stack([np.eye(2), 1 - np.eye(2)], axis=-1))
    >>> model.num_states, model.num_controls, len(model.policies)
    ([2], [2], 2)
    """

    A: npt.NDArray[Any]
    B: npt.NDArray[Any]
    C: npt.NDArray[Any]
    D: npt.NDArray[Any]
    E: FloatArray
    H: npt.NDArray[Any] | None
    I: npt.NDArray[Any] | None  # noqa: E741
    pA: npt.NDArray[Any] | None
    pB: npt.NDArray[Any] | None
    pD: npt.NDArray[Any] | None
    num_obs: list[int]
    num_states: list[int]
    num_controls: list[int]
    num_modalities: int
    num_factors: int
    A_factor_list: list[list[int]]
    B_factor_list: list[list[int]]
    control_fac_idx: list[int]
    policy_arrays: Sequence[npt.NDArray[np.int64]]
    inference_params: Mapping[str, Any]
    policy_len: int
    preference_steps: int
    inference_horizon: int
    inference_algo: str
    factorized: bool
    joint_likelihood: bool
    constant_E: bool
    sophisticated: bool
    use_BMA: bool
    policy_sep_prior: bool
    save_belief_hist: bool
    pymdp_version: str
    gamma: float
    alpha: float
    use_utility: bool
    use_states_info_gain: bool
    use_param_info_gain: bool
    action_selection: str
    sampling_mode: str
    modalities_to_learn: str | list[int]
    factors_to_learn: str | list[int]
    lr_pA: float
    lr_pB: float
    lr_pD: float
    si_horizon: int
    si_policy_prune_threshold: float
    si_state_prune_threshold: float
    si_prune_penalty: float
    packed: PackedModel
    _parts: dict[str, Any]

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
        pymdp_version: str = "legacy",
    ) -> None:
        self._initialise({name: value for name, value in locals().items() if name != "self"}, {})

    # --- construction --------------------------------------------------------------------

    @classmethod
    def from_table(cls, P: Any, **arguments: Any) -> GenerativeModel:
        """Return the model of a Markov decision process whose transitions are listed.

        Parameters
        ----------
        P : dict or sequence
            ``P[state][action]`` is a list of ``(probability, next_state, reward, done)``, as
            Gymnasium's toy worlds have it. Probabilities sum to 1; `done` is not used: a state
            that ends an episode needs transitions too (to itself).
        **arguments
            Of `GenerativeModel`. By default ``A`` is the identity (states are seen as they are)
            and, with that, ``C`` the reward of arriving in each state, in nats: the mean over the
            transitions that lead there.

        Returns
        -------
        model : GenerativeModel

        Raises
        ------
        ValueError, TypeError
            Naming the entry of `P` and what was expected.

        Examples
        --------
        >>> stay, go = [(1.0, 0, 0.0, False)], [(0.9, 1, 1.0, True), (0.1, 0, 0.0, False)]
        >>> end = [(1.0, 1, 0.0, True)]
        >>> model = GenerativeModel.from_table({0: {0: stay, 1: go}, 1: {0: end, 1: end}})
        >>> model.B[0][:, 0, 1]
        array([0.1, 0.9])
        """
        for name in ("B", "num_controls"):
            if name in arguments:
                raise TypeError(f"{name} follows from P and cannot be given")
        B, rewards = tables.read_table(P)
        if arguments.get("A") is None:
            arguments["A"] = [tables.identity(len(B))]
            if arguments.get("C") is None:
                arguments["C"] = [rewards]
        return cls(B=[B], **arguments)

    @classmethod
    def from_gymnasium(cls, env: Any, **arguments: Any) -> GenerativeModel:
        """Return the model of a Gymnasium environment that has its transitions in a table.

        Parameters
        ----------
        env : gymnasium.Env
            With an attribute ``P`` like FrozenLake, Taxi and CliffWalking; wrappers are taken off.
        **arguments
            See `from_table`. By default ``D`` is the environment's `initial_state_distrib`.

        Returns
        -------
        model : GenerativeModel
        """
        world = getattr(env, "unwrapped", env)
        P = getattr(world, "P", None)
        if P is None:
            raise TypeError(
                f"env must have a table of transitions P, {type(world).__name__} has none"
            )
        start = getattr(world, "initial_state_distrib", None)
        if arguments.get("D") is None and start is not None:
            arguments["D"] = [start]
        return cls.from_table(P, **arguments)

    # `arguments` are those of __init__; a model made from another one adds what its
    # arguments alone do not tell (see _arguments).
    def _initialise(
        self, arguments: dict[str, Any], parts: dict[str, Any], changed: Iterable[str] = ()
    ) -> None:
        fields = self.__dict__
        fields.update(check_arguments(arguments))
        fields["_parts"] = parts
        fields["packed"] = pack(self, parts, changed)

    def __getattr__(self, name: str) -> Any:
        # of too many policies to keep a list that is not needed
        if name == "E" and "policy_arrays" in self.__dict__:
            return constant_E(len(self.policy_arrays))
        raise AttributeError(f"GenerativeModel has no attribute {name!r}")

    # --- use -----------------------------------------------------------------------------

    @property
    def policies(self) -> list[npt.NDArray[np.int64]]:
        """Policies, a list of read-only int arrays of shape (policy_len, num_factors).

        Made when it is asked for; a ValueError where there are too many to list.
        """
        arrays = self.policy_arrays
        return list(arrays.array() if isinstance(arrays, AllSequences) else arrays)

    def replace(self, **changes: Any) -> GenerativeModel:
        """Return a model that differs in these arguments; what they do not touch is shared.

        Parameters
        ----------
        **changes
            Arguments of `GenerativeModel`.

        Returns
        -------
        model : GenerativeModel

        Notes
        -----
        Unlike at construction, A and B are taken as they are where `pA` and `pB` exist.

        Examples
        --------
        >>> import numpy as np
        >>> model = GenerativeModel(A=np.eye(2), B=np.eye(2)[:, :, None])
        >>> model.replace(gamma=4.0).gamma
        4.0
        """
        arguments = self._arguments()
        unknown = [name for name in changes if name not in arguments]
        if unknown:
            raise TypeError(f"GenerativeModel has no argument {unknown[0]!r}")
        if "policies" in changes or "policy_len" in changes:
            arguments["policy_arrays"] = None
            if self.constant_E:
                arguments["E"] = None
        if changes.keys() & {"H", "ii_depth", "ii_threshold"}:
            del arguments["I"]
        if "B" in changes:
            changes["B"] = sparse_input.read_transitions(changes["B"], "B")
        # another shape of B changes the layout of everything
        same = [B.shape for B in changes.get("B", self.B)] == [B.shape for B in self.B]
        if not same:
            arguments.update(num_controls=None, control_fac_idx=None)
        arguments.update(changes)
        model = object.__new__(type(self))
        model._initialise(arguments, dict(self._parts) if same else {}, list(changes))
        return model

    def with_learned(self, **arrays: Any) -> GenerativeModel:
        """Return a model with learned arrays (A, B, D, pA, pB, pD), which are not checked again.

        Parameters
        ----------
        **arrays
            Object arrays of the shapes of the present ones. They belong to the model now.

        Returns
        -------
        model : GenerativeModel
        """
        model = object.__new__(type(self))
        fields = model.__dict__
        fields.update(self.__dict__)
        for name, value in arrays.items():
            for array in value:
                array.flags.writeable = False
            fields[name] = check.object_array(value)
        fields["_parts"] = dict(self._parts)
        fields["packed"] = pack(model, model._parts, arrays)
        return model

    def with_inference_params(self, params: Mapping[str, Any]) -> GenerativeModel:
        """Return a model with checked `inference_params`; all else is shared."""
        model = object.__new__(type(self))
        model.__dict__.update(self.__dict__)
        model.__dict__["inference_params"] = params
        return model

    def _arguments(self) -> dict[str, Any]:
        """Return what makes an equal model: the arguments, and what pymdp keeps beside them."""
        arguments = {name: self.__dict__.get(name) for name in ARGUMENTS}
        arguments["policies"] = None
        arguments["inference_params"] = dict(self.inference_params)
        if not self.factorized:
            arguments.update(A_factor_list=None, B_factor_list=None)
        for name in ("policy_arrays", "I", "factorized"):
            arguments[name] = self.__dict__[name]
        return arguments

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(
            f"cannot set {name}: a GenerativeModel is immutable; make another with replace()"
        )

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"cannot delete {name}: a GenerativeModel is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._arguments(),)

    def __deepcopy__(self, memo: dict[int, Any]) -> GenerativeModel:
        return self

    def __copy__(self) -> GenerativeModel:
        return self

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_obs={self.num_obs}, num_states={self.num_states}, "
            f"num_controls={self.num_controls}, {len(self.policy_arrays)} policies)"
        )


ARGUMENTS = tuple(inspect.signature(GenerativeModel).parameters)


def _restore(arguments: dict[str, Any]) -> GenerativeModel:
    model = object.__new__(GenerativeModel)
    model._initialise(arguments, {})
    return model
