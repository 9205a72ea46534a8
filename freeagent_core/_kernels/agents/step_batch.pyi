from typing import Any

from freeagent_core._kernels.agents.agent_core import AgentCore
from freeagent_core._kernels.agents.parallel_work import ParallelWork

class StepBatch(ParallelWork):
    errors: list[BaseException | None]
    interruption: BaseException | None
    def load(
        self,
        cores: list[AgentCore],
        observations: list[Any],
        timeout: float | None,
        chunk: int,
        num_threads: int,
        considerate: bool,
    ) -> None: ...
    @property
    def is_loaded(self) -> bool: ...
    def results(self, considerate: bool) -> tuple[list[Any], list[float]]: ...
