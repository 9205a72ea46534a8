from freeagent_core._kernels.agents.own_model import LearnedParts
from freeagent_core._kernels.agents.rollout_run import Floats, Rollout

def run_windows(
    rollout: Rollout, algorithm: str, window_length: int, learned: LearnedParts | None
) -> tuple[list[Floats] | None, list[Floats] | None]: ...
