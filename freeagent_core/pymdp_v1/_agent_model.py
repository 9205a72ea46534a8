"""The arrays and settings of a batch of agents, which do not change, and variations of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from freeagent_core._kernels.model.batched_model import unwritten
from freeagent_core.pymdp_v1._compiled import forget, forget_policies
from freeagent_core.pymdp_v1._policies import Policies
from freeagent_core.pymdp_v1._settings import (
    ARRAYS,
    LISTS,
    PER_AGENT,
    REPLACEABLE,
    agents_at,
    checked_settings,
    each,
    restored,
    same,
    state_of,
    taken,
)

if TYPE_CHECKING:
    from typing_extensions import Self

Array = npt.NDArray[Any]


class AgentModel:
    """The model of a batch of agents: what `freeagent_core.pymdp_v1.agent.Agent` is made of.

    Attributes cannot be assigned to. What is written into a list of arrays (``agent.A[0] = A``)
    is checked and counts from the agent's next call on, as in pymdp.
    """

    A: list[Array]
    B: list[Array]
    C: list[Array]
    D: list[Array]
    E: Array
    pA: list[Any] | None  # an entry may be None
    pB: list[Array] | None
    H: list[Array] | None
    I: list[Array]  # noqa: E741
    gamma: Array
    alpha: Array
    inductive_threshold: Array
    inductive_epsilon: Array
    policies: Policies
    A_dependencies: list[list[int]]
    B_dependencies: list[list[int]]
    B_action_dependencies: list[list[int]]
    action_maps: list[dict[str, list[int]]] | None
    batch_size: int
    num_iter: int
    num_obs: list[int]
    num_modalities: int
    num_states: list[int]
    num_factors: int
    num_controls: list[int]
    num_controls_multi: list[int] | None
    control_fac_idx: list[int]
    policy_len: int
    inference_horizon: int | None
    inductive_depth: int
    use_utility: bool
    use_states_info_gain: bool
    use_param_info_gain: bool
    use_inductive: bool
    categorical_obs: bool
    preprocess_fn: Callable[[Any], Any] | None
    action_selection: str
    sampling_mode: str
    inference_algo: str
    learning_mode: str
    learn_A: bool
    learn_B: bool
    learn_C: bool
    learn_D: bool
    learn_E: bool
    upstream_faults: bool

    def _set(self, **values: Any) -> None:
        """Keep some values; lists of arrays in lists that are this agent's own."""
        kept = self.__dict__
        for name, value in values.items():
            kept[name] = list(value) if name in LISTS and value is not None else value
        if not LISTS.isdisjoint(values):
            self._remember_lists()

    def _remember_lists(self) -> None:
        kept = self.__dict__
        lists = [kept[name] for name in LISTS if kept.get(name) is not None]
        kept["_lists"] = tuple(x for arrays in lists for x in (arrays, tuple(arrays)))

    def _take_writes(self) -> None:
        """Check what the caller has written into lists of arrays, and use it from now on."""
        kept = self.__dict__
        if unwritten(kept["_lists"]):
            return
        lists = {name: kept[name] for name in LISTS if kept[name] is not None}
        pairs = zip(lists, kept["_lists"][1::2], strict=True)
        written = {n: lists[n] for n, before in pairs if not unwritten((lists[n], before))}
        for name, value in checked_settings(kept, written).items():
            if name in lists:
                lists[name][:] = value  # the very list that the caller has
            else:
                kept[name] = value
        self._remember_lists()
        forget(self)

    def __setattr__(self, name: str, value: Any) -> None:
        from dataclasses import FrozenInstanceError  # 2 ms, and seldom needed

        raise FrozenInstanceError(
            f"cannot assign to {name}: agent.replace({name}=...) returns a new agent"
        )

    def __delattr__(self, name: str) -> None:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot delete {name}")

    def _adopt(self, given: dict[str, Any]) -> None:
        """Check the given parts of the model and settings and keep them all, or none."""
        self._set(**checked_settings(self.__dict__, given))
        forget(self)
        if "policies" in given:
            forget_policies(self)

    def replace(self, **changes: Any) -> Self:
        """Return an agent that differs in some arrays or settings.

        Parameters
        ----------
        **changes
            Any of A, B, C, D, E, pA, pB, H, I, gamma, alpha, policies, num_iter,
            inference_algo, inference_horizon, the flags and the other settings of the
            constructor that do not change the model's dimensions. Arrays as in the constructor;
            with `use_inductive` and H, I is made again if B or H changes.

        Returns
        -------
        Agent

        Raises
        ------
        TypeError
            If a name is none of these.
        ValueError
            If an array does not fit.

        Examples
        --------
        >>> import numpy as np
        >>> from freeagent_core.pymdp_v1 import Agent
        >>> agent = Agent([np.eye(2)], [np.eye(2)[:, :, None]])
        >>> agent.replace(gamma=4.0).gamma
        array([4.])
        """
        unknown = sorted(changes.keys() - REPLACEABLE)
        if unknown:
            known = ", ".join(sorted(REPLACEABLE))
            raise TypeError(f"replace() takes {known}, got {', '.join(unknown)}")
        agent = self._copy()
        agent._adopt(changes)
        return agent

    def _copy(self) -> Self:
        self._take_writes()
        agent = object.__new__(type(self))
        agent._set(**self.__dict__)
        return agent

    def __getstate__(self) -> dict[str, Any]:
        self._take_writes()
        return state_of(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(**restored(state))

    def __eq__(self, other: object) -> bool:
        """Whether all arrays and settings are the same."""
        if not isinstance(other, AgentModel):
            return NotImplemented
        return type(self) is type(other) and same(self.__getstate__(), other.__getstate__())

    def __hash__(self) -> int:
        return hash((self.batch_size, *self.num_states, *self.num_obs, *self.num_controls))

    def __getitem__(self, index: Any) -> Self:
        """Return the agents of the batch that an int, slice or array of int picks, as an agent."""
        numbers = agents_at(index, self.batch_size)
        agent = self._copy()
        chosen = {
            name: each(lambda array: taken(array, numbers), self.__dict__[name])
            for name in (*ARRAYS, *PER_AGENT)
        }
        agent._set(batch_size=len(numbers), **chosen)
        forget(agent)
        return agent
