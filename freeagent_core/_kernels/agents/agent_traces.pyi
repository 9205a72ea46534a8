from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.agent_core import AgentCore

FloatArray = npt.NDArray[np.float64]

def infer_traces(
    core: AgentCore, observation: Any, distr_obs: bool
) -> tuple[FloatArray, FloatArray]: ...
def action_distribution(core: AgentCore) -> Any: ...
