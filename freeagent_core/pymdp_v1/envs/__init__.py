"""Environments of pymdp 1.x: the same models, and the same draws under the same keys.

`rollout` runs an agent in one of them; `render` of the T-mazes draws them with Matplotlib.
"""

from freeagent_core.pymdp_v1.envs.cue_chaining import CueChainingEnv
from freeagent_core.pymdp_v1.envs.env import Env, PymdpEnv, make
from freeagent_core.pymdp_v1.envs.generalized_tmaze import GeneralizedTMazeEnv
from freeagent_core.pymdp_v1.envs.graph_worlds import GraphEnv
from freeagent_core.pymdp_v1.envs.grid_world import GridWorld
from freeagent_core.pymdp_v1.envs.rollout import infer_and_plan, rollout
from freeagent_core.pymdp_v1.envs.tmaze import SimplifiedTMaze, TMaze

__all__ = [
    "CueChainingEnv",
    "Env",
    "GeneralizedTMazeEnv",
    "GraphEnv",
    "GridWorld",
    "PymdpEnv",
    "SimplifiedTMaze",
    "TMaze",
    "infer_and_plan",
    "make",
    "rollout",
]
