"""Descriptors that give an `Agent` the attributes of its model and of its compiled core."""

from __future__ import annotations

from typing import Any


class ModelArgument:
    """An attribute of the model; an assignment packs another model at the next call."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.__doc__ = f"`{name}` of `GenerativeModel`; its arrays are read-only, assign new ones."

    def __get__(self, agent: Any, owner: type) -> Any:
        if agent is None:
            return self
        changes = agent._changes
        if self.name in changes:
            return changes[self.name]
        learned = agent._core.learned
        value = None if learned is None else getattr(learned, self.name, None)
        return getattr(agent._model, self.name) if value is None else value

    def __set__(self, agent: Any, value: Any) -> None:
        agent._changes[self.name] = value


class ModelFact:
    """An attribute that follows from the model's arguments."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.__doc__ = f"`{name}`, from the model."

    def __get__(self, agent: Any, owner: type) -> Any:
        if agent is None:
            return self
        if agent._changes:
            agent._synchronise()
        return getattr(agent._model, self.name)

    def __set__(self, agent: Any, value: Any) -> None:
        raise AttributeError(f"{self.name} follows from the model; it cannot be set")


class CoreAttribute:
    """An attribute that the compiled core holds and checks."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, agent: Any, owner: type) -> Any:
        return self if agent is None else getattr(agent._core, self.name)

    def __set__(self, agent: Any, value: Any) -> None:
        if agent._changes:
            agent._synchronise()
        setattr(agent._core, self.name, value)


class AgentAttributes:
    """The attributes of an `Agent` that live elsewhere."""

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
    policy_len = ModelArgument()
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

    gamma = CoreAttribute("Precision of policies.")
    alpha = CoreAttribute("Precision of stochastic action selection.")
    use_utility = CoreAttribute("Whether G has the expected utility.")
    use_states_info_gain = CoreAttribute("Whether G has the information gain about states.")
    use_param_info_gain = CoreAttribute("Whether G has the information gain about pA and pB.")
    action_selection = CoreAttribute('"deterministic" or "stochastic".')
    sampling_mode = CoreAttribute('"marginal" or "full".')
    qs = CoreAttribute("Beliefs, an object array of one float64 array per factor.")
    q_pi = CoreAttribute("Posterior over policies, shape (num_policies,).")
    G = CoreAttribute("Negative expected free energy of policies, in nats.")
    action = CoreAttribute("The last action, shape (num_factors,), or None.")
