"""The agents of a manager, and what is counted about each."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from freeagent_core.managers._records import Record


class Registry:
    """Agents by id."""

    def __init__(self) -> None:
        self._records: dict[Hashable, Record] = {}

    def add(self, agent_id: Hashable, agent: Any) -> Record:
        """Add an agent."""
        if agent_id in self._records:
            raise ValueError(f"agent_id {agent_id!r} is registered already")
        if not callable(getattr(agent, "step", None)):
            raise TypeError(
                f"agent must have a method step(observation), got {type(agent).__name__}"
            )
        record = self._records[agent_id] = Record(agent_id, agent)
        return record

    def remove(self, agent_id: Hashable) -> Record:
        """Take an agent out and return its record."""
        self[agent_id]
        return self._records.pop(agent_id)

    def put_back(self, record: Record) -> None:
        """Have an agent again whose removal failed."""
        self._records.setdefault(record.agent_id, record)

    def __getitem__(self, agent_id: Hashable) -> Record:
        try:
            return self._records[agent_id]
        except KeyError:
            raise KeyError(f"agent_id {agent_id!r} is not registered") from None

    def __contains__(self, agent_id: Hashable) -> bool:
        return agent_id in self._records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def select(self, observations: Mapping[Hashable, Any]) -> list[Record]:
        """Return the records that `observations` names, in its order."""
        if not isinstance(observations, Mapping):
            raise TypeError(
                f"observations must be a dict of agent_id to observation, "
                f"got {type(observations).__name__}"
            )
        records = self._records
        try:
            return [records[agent_id] for agent_id in observations]
        except KeyError:
            return [self[agent_id] for agent_id in observations]  # names the one

    def statistics(self) -> dict[Hashable, dict[str, Any]]:
        """Return each agent's statistics."""
        return {record.agent_id: record.statistics() for record in self}
