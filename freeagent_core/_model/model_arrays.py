"""What the packed form of a model is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from freeagent_core._model.sparse_columns import SparseColumns

FloatArray = npt.NDArray[np.float64]
# One array per factor or modality: a list, or an object array as pymdp has.
Arrays = Sequence[FloatArray] | npt.NDArray[Any]
# A and B may be held as nonzero entries.
Tables = Sequence[FloatArray | SparseColumns] | npt.NDArray[Any]


class ModelArrays(Protocol):
    """The arrays and sizes of a generative model, as `freeagent_core._model.packing` reads them.

    `GenerativeModel` has checked them; the function modules bring them as their callers gave them.
    """

    @property
    def A(self) -> Tables: ...
    @property
    def B(self) -> Tables: ...
    @property
    def C(self) -> Arrays: ...
    @property
    def D(self) -> Arrays: ...
    @property
    def E(self) -> FloatArray: ...
    @property
    def I(self) -> Arrays | None: ...  # noqa: E743
    @property
    def pA(self) -> Arrays | None: ...
    @property
    def pB(self) -> Arrays | None: ...
    @property
    def num_obs(self) -> Sequence[int]: ...
    @property
    def num_states(self) -> Sequence[int]: ...
    @property
    def num_factors(self) -> int: ...
    @property
    def A_factor_list(self) -> Sequence[Sequence[int]]: ...
    @property
    def B_factor_list(self) -> Sequence[Sequence[int]]: ...
    @property
    def policy_arrays(self) -> Sequence[npt.NDArray[Any]]: ...
    @property
    def preference_steps(self) -> int:
        """Steps of a time-dependent C that policies reach."""
        ...

    @property
    def constant_E(self) -> bool:
        """Whether E is the same for all policies."""
        ...

    @property
    def joint_likelihood(self) -> bool:
        """Whether beliefs take the joint likelihood of all modalities (pymdp 0.0.7.1)."""
        ...

    @property
    def inference_algo(self) -> str: ...
    @property
    def sophisticated(self) -> bool: ...
