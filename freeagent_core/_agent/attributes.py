"""Descriptors that give an `Agent` the attributes that live in its model, core and parameters."""

from __future__ import annotations

from typing import Any


class ModelArgument:
    """An argument of the model. Callers get what they may write into, or assign another."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.__doc__ = f"`{name}` of `GenerativeModel`; writes into it count at the next call."

    def __get__(self, agent: Any, owner: type) -> Any:
        if agent is None:
            return self
        entry = agent._live.find(self.name)
        if entry is not None:
            return entry.value
        learned = agent._core.learned
        value = None if learned is None else getattr(learned, self.name, None)
        if value is not None and self.name.startswith("p"):  # its own, fingerprinted
            return value
        if value is None:
            value = getattr(agent._model, self.name)
        return None if value is None else agent._live.hand_out(self.name, value)

    def __set__(self, agent: Any, value: Any) -> None:
        agent._live.assign(self.name, value)


class ModelFact:
    """What follows from the model's arguments; lists are copies whose change is an error."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.__doc__ = f"`{name}`, from the model."

    def __get__(self, agent: Any, owner: type) -> Any:
        if agent is None:
            return self
        entry = agent._live.find(self.name)
        if entry is not None:
            return entry.value
        agent._synchronise()
        value = getattr(agent._model, self.name)
        if not isinstance(value, list):
            return value
        return agent._live.hand_out(self.name, value, constant=True)

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
        agent._synchronise()
        setattr(agent._core, self.name, value)


class FreeEnergyAttribute(CoreAttribute):
    """`F`, which message passing infers. With "VANILLA" it is the caller's own, as in pymdp."""

    def __get__(self, agent: Any, owner: type) -> Any:
        own = {} if agent is None else agent.__dict__
        return own[self.name] if self.name in own else super().__get__(agent, owner)

    def __set__(self, agent: Any, value: Any) -> None:
        if agent._core.parameters.passes_messages:
            super().__set__(agent, value)
        else:
            agent.__dict__[self.name] = value


class HistoryAttribute(CoreAttribute):
    """An attribute of the core's histories."""

    def __get__(self, agent: Any, owner: type) -> Any:
        if agent is None:
            return self
        value = getattr(agent._core.histories, self.name)
        if value is None and self.name.endswith("_hist"):
            raise AttributeError(f"{self.name} is kept with save_belief_hist=True")
        return value

    def __set__(self, agent: Any, value: Any) -> None:
        agent._synchronise()
        core = agent._core
        core.histories.assign(self.name, value, core.packed, core.parameters.passes_messages)


class ParameterAttribute(CoreAttribute):
    """An attribute of the core's parameters."""

    def __get__(self, agent: Any, owner: type) -> Any:
        return self if agent is None else getattr(agent._core.parameters, self.name)

    def __set__(self, agent: Any, value: Any) -> None:
        setattr(agent._core.parameters, self.name, value)


class UtilityAttribute(ParameterAttribute):
    """`use_utility`, which needs preferences for all steps that message passing reads."""

    def __set__(self, agent: Any, value: Any) -> None:
        model = agent._model
        for m, C in enumerate(model.C if value else ()):
            if C.ndim == 2 and C.shape[1] < model.preference_steps:
                raise ValueError(
                    f"use_utility needs a C[{m}] of {model.preference_steps} columns, one per "
                    f"step that message passing evaluates; it has {C.shape[1]}"
                )
        super().__set__(agent, value)
