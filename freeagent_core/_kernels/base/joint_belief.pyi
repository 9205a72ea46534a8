import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

def joint_of(beliefs: list[FloatArray], out: FloatArray, repeats: int) -> None: ...
