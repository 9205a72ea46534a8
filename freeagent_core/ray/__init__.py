"""Agents on more than one machine, on actors of the library Ray (extra ``ray``).

- `RayPopulation`: the interface of `Population`, in shards.
- `RayManager`: the interface of the managers, for agents of any class.

Layers: `_actor` and its hosts run in the actors; `_log`, `_checkpoints`, `_shard` and `_fleet`
are the driver's side, from one operation to all actors; `population` and `manager` are the
interfaces. Importing this package does not import Ray.
"""

from freeagent_core.ray._fleet import Recovery, ShardLostError
from freeagent_core.ray.manager import RayManager
from freeagent_core.ray.population import PendingStep, RayPopulation

__all__ = ["PendingStep", "RayManager", "RayPopulation", "Recovery", "ShardLostError"]
