from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.batched_inference import BatchedInference
from freeagent_core._kernels.model.batched_model import BatchedModel
from freeagent_core._kernels.planning.policy_plan import PolicyPlan

class SearchTree:
    def __init__(self, model: BatchedModel) -> None: ...
    def __len__(self) -> int: ...
    def node(self, index: int) -> dict[str, Any]: ...
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    def root(self) -> dict[str, Any]: ...
    @property
    def used(self) -> npt.NDArray[np.int64]: ...

def new_trees(inference: BatchedInference, qs: Any) -> list[SearchTree]: ...
def search_trees(
    inference: BatchedInference,
    plan: PolicyPlan,
    trees: list[SearchTree],
    *,
    horizon: int,
    max_nodes: int,
    max_branching: int,
    topk_obsspace: int,
    num_iter: int,
    policy_prune_threshold: float,
    observation_prune_threshold: float,
    entropy_stop_threshold: float,
    neg_efe_stop_threshold: float,
    kl_threshold: float,
    prune_penalty: float,
    gamma: float,
) -> npt.NDArray[np.float64]: ...
