from typing import Any

from freeagent_core._kernels.model.batched_model import BatchedModel

class PolicyPlan:
    def __init__(
        self,
        model: BatchedModel,
        plan: dict[str, Any],
        tables: dict[str, Any],
        states_info_gain: bool,
        merge: bool,
    ) -> None: ...
