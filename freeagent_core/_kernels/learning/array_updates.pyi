import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

def joint_belief(beliefs: list[FloatArray]) -> FloatArray: ...
def update_likelihood(
    pA: FloatArray,
    A: FloatArray,
    observation: FloatArray,
    q: FloatArray,
    lr: float,
    qA: FloatArray,
    repeats: int = 1,
) -> None: ...
def update_transition(
    pB: FloatArray,
    B: FloatArray,
    action: int,
    q: FloatArray,
    q_previous: FloatArray,
    lr: float,
    qB: FloatArray,
    repeats: int = 1,
) -> None: ...
def update_prior(
    pD: FloatArray, q: FloatArray, lr: float, qD: FloatArray, repeats: int = 1
) -> None: ...
