from typing import Any

import numpy.typing as npt

from freeagent_core._kernels.model.packed_model import PackedModel

ObjectArray = npt.NDArray[Any]

def predicted_states(packed: PackedModel, qs: Any, action: Any, repeats: int) -> ObjectArray: ...
def predicted_outcomes(packed: PackedModel, qs: Any, repeats: int) -> ObjectArray: ...
def updated_beliefs(
    packed: PackedModel,
    observation: Any,
    prior: Any,
    joint_likelihood: bool,
    num_iter: int,
    dF: float,
    dF_tol: float,
    compute_vfe: bool,
    repeats: int,
) -> ObjectArray: ...
def free_energy(
    packed: PackedModel,
    observation: Any,
    qs: Any,
    prior: Any,
    joint_likelihood: bool,
    repeats: int,
) -> float: ...
