"""The interface of environments, and environments given by categorical A, B and D."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from freeagent_core._kernels.agents.sampled_environment import SampledEnvironment
from freeagent_core.pymdp_v1 import random
from freeagent_core.pymdp_v1._arrays import Array, as_array, as_floats
from freeagent_core.pymdp_v1.distribution import Distribution, get_dependencies
from freeagent_core.pymdp_v1.utils import resolve_a_dependencies, resolve_b_dependencies

Params = Mapping[str, Sequence[Any]]
Dependencies = Sequence[Sequence[int]]


def select_probs(
    positions: Sequence[Any],
    matrix: Any,
    dependency_list: Sequence[int],
    actions: Any = None,
) -> Array:
    """Return the distribution of an array's first axis at a state, and at an action.

    Parameters
    ----------
    positions : list of int
        The state of each factor.
    matrix : array
    dependency_list : list of int
        The factors of the axes after the first.
    actions : int, optional
        The index of the last axis.

    Returns
    -------
    array

    Examples
    --------
    >>> select_probs([1, 0], np.array([[0.2, 0.7], [0.8, 0.3]]), [0])
    array([0.7, 0.3])
    """
    index: list[Any] = [as_array(positions[f]).astype(np.int64) for f in dependency_list]
    if actions is not None:
        index.append(as_array(actions).astype(np.int64))
    selection: tuple[Any, ...] = (..., *index)
    return np.asarray(as_array(matrix)[selection])


def cat_sample(key: Any, p: Any) -> Array:
    """Draw the index of a category, or one for each row.

    Parameters
    ----------
    key : key, int or numpy.random.Generator
        Split into one for each row.
    p : array
        Probabilities along the last axis.

    Returns
    -------
    int64 or array of int64

    Examples
    --------
    >>> int(cat_sample(0, np.array([0.0, 1.0])))
    1
    """
    probabilities = as_floats(p)
    keys = random.as_keys(key)
    if probabilities.ndim > 1:
        keys = random.split(keys, len(probabilities))
    return random.choice(keys, probabilities.shape[-1], p=probabilities)


class Env(ABC):
    """What `rollout` needs of an environment; without a batch, or with one (see `PymdpEnv`)."""

    @abstractmethod
    def reset(
        self, key: Any, state: Sequence[Any] | None = None, env_params: Params | None = None
    ) -> tuple[list[Array], list[Array]]:
        """Begin an episode.

        Parameters
        ----------
        key : key
        state : list of array, optional
            The first state.
        env_params : dict of str to list of array, optional
            Used instead of the environment's own.

        Returns
        -------
        observation, state : list of array
        """

    @abstractmethod
    def step(
        self,
        key: Any,
        state: Sequence[Any],
        action: Any,
        env_params: Params | None = None,
    ) -> tuple[list[Array], list[Array]]:
        """Go on by one step.

        Parameters
        ----------
        key : key
        state : list of array
        action : array of int, or None
        env_params : dict of str to list of array, optional

        Returns
        -------
        observation, state : list of array
        """

    def generate_env_params(self, key: Any = None, batch_size: int | None = None) -> Any:
        """Return parameters for `reset` and `step`; None where there are none."""
        return None


class PymdpEnv(Env):
    """An environment given by the arrays of a model.

    `reset` and `step` take one key and a state without a batch, or, instead of JAX's ``vmap``, keys
    of shape ``(batch, 2)`` and arrays with a leading axis of the batch.

    Parameters
    ----------
    A, B, D : list of array or of Distribution, optional
        Likelihoods, transitions and priors of the first state; without a batch, or all with a
        leading axis for one. Of float32, draws are JAX's of float32. What is not given must be in
        `env_params`.
    A_dependencies, B_dependencies : list of list of int, optional
        By default from distributions' names; of arrays all factors, and each factor itself.
    categorical_obs : bool, default False
        Observations are one-hot arrays of shape ``(1, num_obs)`` instead of indices of shape
        ``(1,)``.
    **kwargs
        Ignored, as in pymdp.

    Raises
    ------
    ValueError
        If dependencies are unknown, or arrays do not fit them.

    Examples
    --------
    >>> env = PymdpEnv(A=[np.eye(2)], B=[np.eye(2)[:, :, None]], D=[np.array([0.0, 1.0])])
    >>> env.reset(0)
    ([array([1])], [array(1)])
    >>> env.step(random.split(0, 3), [np.array([0, 1, 1])], np.zeros((3, 1), dtype=int))[1]
    [array([0, 1, 1])]

    Source: `pymdp.envs.PymdpEnv`.
    """

    def __init__(
        self,
        A: Sequence[Any] | None = None,
        B: Sequence[Any] | None = None,
        D: Sequence[Any] | None = None,
        A_dependencies: Dependencies | None = None,
        B_dependencies: Dependencies | None = None,
        categorical_obs: bool = False,
        **kwargs: Any,
    ) -> None:
        self.categorical_obs = categorical_obs
        found: tuple[Any, Any] = (None, None)
        if A is not None and B is not None:
            if isinstance(A[0], Distribution) and isinstance(B[0], Distribution):
                found = get_dependencies(A, B)
            else:
                found = (resolve_a_dependencies(len(B), len(A)), resolve_b_dependencies(len(B)))
        self.A_dependencies = found[0] if A_dependencies is None else A_dependencies
        self.B_dependencies = found[1] if B_dependencies is None else B_dependencies
        if self.A_dependencies is None:
            raise ValueError("Need to provide A and B or A_dependencies")
        if self.B_dependencies is None:
            raise ValueError("Need to provide A and B or B_dependencies")
        self.A, self.B, self.D = (_own(part) for part in (A, B, D))
        self._packed: dict[int, tuple[tuple[int, ...], SampledEnvironment]] = {}
        if self.A is not None and self.B is not None and self.D is not None:
            self.pack(len(self.D[0]) if self.D[0].ndim > 1 else 1)

    def generate_env_params(
        self, key: Any = None, batch_size: int | None = None
    ) -> dict[str, list[Array] | None]:
        """Return A, B and D, with a leading axis of the batch if there is one.

        Parameters
        ----------
        key : optional
            Not used.
        batch_size : int, optional

        Returns
        -------
        dict of str to list of array
        """
        params = {"A": self.A, "B": self.B, "D": self.D}
        if batch_size is None:
            return params
        return {
            name: part and [np.broadcast_to(x, (batch_size, *x.shape)) for x in part]
            for name, part in params.items()
        }

    def reset(
        self, key: Any, state: Sequence[Any] | None = None, env_params: Params | None = None
    ) -> tuple[list[Array], list[Array]]:
        """Draw a state from D, unless it is given, and an observation.

        Parameters
        ----------
        key : key, or (batch, 2) array of keys
        state : list of int, or of (batch,) array of int, optional
        env_params : dict of str to list of array, optional
            ``A``, ``B`` and ``D`` instead of the environment's own; with a leading axis of the
            batch if there is one.

        Returns
        -------
        observation : list of array of int
            Of shape (1,), with a batch (batch, 1); with `categorical_obs` (..., 1, num_obs).
        state : list of array of int
            Of shape (), with a batch (batch,).

        Raises
        ------
        ValueError, TypeError
            If keys, states or parameters do not fit.
        """
        keys, batch = self._keys(key)
        packed = self.pack(len(keys), env_params)
        if state is None:
            obs, states = packed.reset(keys)
        else:
            states = _read(state, len(keys), packed.num_states, "state")
            obs = packed.observe(keys, states)
        return self._observation(obs, batch, packed), _columns(states, batch)

    def step(
        self,
        key: Any,
        state: Sequence[Any],
        action: Any,
        env_params: Params | None = None,
    ) -> tuple[list[Array], list[Array]]:
        """Draw the next state from B, and an observation.

        Parameters
        ----------
        key : key, or (batch, 2) array of keys
        state : list of int, or of (batch,) array of int
        action : (num_factors,) or (batch, num_factors) array of int, or None
            None leaves the state as it is.
        env_params : dict of str to list of array, optional
            See `reset`.

        Returns
        -------
        observation, state : list of array of int
            See `reset`.
        """
        keys, batch = self._keys(key)
        packed = self.pack(len(keys), env_params)
        states = _read(state, len(keys), packed.num_states, "state")
        actions = None
        if action is not None:
            parts = as_array(action) if not isinstance(action, list | tuple) else action
            if not isinstance(parts, list | tuple):
                parts = [parts[..., f] for f in range(parts.shape[-1])] if parts.ndim else [parts]
            elif batch and len(parts) == len(keys) and np.ndim(parts[0]) == 1:
                parts = list(np.asarray(parts).T)
            actions = _read(parts, len(keys), packed.num_controls, "action")
        obs, states = packed.step(keys, states, actions)
        return self._observation(obs, batch, packed), _columns(states, batch)

    def _keys(self, key: Any) -> tuple[random.Keys, bool]:
        keys = random.as_keys(key)
        if keys.ndim > 2:
            raise ValueError(f"key must have the shape (2,) or (batch, 2), got {keys.shape}")
        return keys.reshape(-1, 2), keys.ndim == 2

    def _observation(self, obs: Array, batch: bool, packed: SampledEnvironment) -> list[Array]:
        columns = [column[..., None] for column in _columns(obs, batch)]
        if not self.categorical_obs:
            return columns
        return [
            (column[..., None] == np.arange(n)).astype(np.float64)
            for column, n in zip(columns, packed.num_obs, strict=True)
        ]

    def pack(self, batch_size: int, env_params: Params | None = None) -> SampledEnvironment:
        """Return the arrays as compiled code reads them, checked."""
        chosen = [getattr(self, name) if env_params is None else env_params[name] for name in "ABD"]
        for name, part in zip("ABD", chosen, strict=True):
            if part is None:
                raise ValueError(f"the environment has no {name}: pass it in env_params")
        if env_params is not None:
            return self._pack(batch_size, *map(_own, chosen))
        identity = tuple(id(x) for part in chosen for x in part)
        known = self._packed.get(batch_size)
        if known is None or known[0] != identity:
            if len(self._packed) > 8:
                self._packed.clear()
            own = [_own(part) for part in chosen]
            known = self._packed[batch_size] = (identity, self._pack(batch_size, *own))
        return known[1]

    def _pack(self, batch_size: int, A: Any, B: Any, D: Any) -> SampledEnvironment:
        num_factors = len(B)
        num_states = [d.shape[-1] for d in D]
        if len(D) != num_factors or len(self.B_dependencies) != num_factors:
            raise ValueError(
                f"B, D and B_dependencies must have one entry for each factor, got {num_factors}, "
                f"{len(D)} and {len(self.B_dependencies)}"
            )
        if len(self.A_dependencies) != len(A):
            raise ValueError(
                f"A_dependencies must have one entry for each of {len(A)} modalities, "
                f"got {len(self.A_dependencies)}"
            )
        for name, lists in (("A", self.A_dependencies), ("B", self.B_dependencies)):
            for i, factors in enumerate(lists):
                if not all(0 <= f < num_factors for f in factors):
                    raise ValueError(
                        f"{name}_dependencies[{i}] must hold factors in range({num_factors}), "
                        f"got {list(factors)}"
                    )
        shapes = {
            "A": [(None, *(num_states[f] for f in deps)) for deps in self.A_dependencies],
            "B": [
                (num_states[i], *(num_states[f] for f in deps), None)
                for i, deps in enumerate(self.B_dependencies)
            ],
            "D": [(n,) for n in num_states],
        }
        fitted = {
            name: [_fit(x, shapes[name][i], batch_size, f"{name}[{i}]") for i, x in enumerate(part)]
            for name, part in (("A", A), ("B", B), ("D", D))
        }
        return SampledEnvironment(
            batch_size,
            fitted["A"],
            fitted["B"],
            fitted["D"],
            tuple(tuple(int(f) for f in deps) for deps in self.A_dependencies),
            tuple(tuple(int(f) for f in deps) for deps in self.B_dependencies),
        )


def make(
    A: Sequence[Any],
    B: Sequence[Any],
    D: Sequence[Any],
    A_dependencies: Dependencies | None = None,
    B_dependencies: Dependencies | None = None,
    make_env_params: bool = False,
    **kwargs: Any,
) -> tuple[PymdpEnv, dict[str, list[Array] | None] | None]:
    """Make a `PymdpEnv`, and its parameters if asked for.

    Parameters
    ----------
    A, B, D : list of array or of Distribution
    A_dependencies, B_dependencies : list of list of int, optional
    make_env_params : bool, default False
    **kwargs
        For `PymdpEnv`.

    Returns
    -------
    env : PymdpEnv
    env_params : dict of str to list of array, or None

    Examples
    --------
    >>> env, params = make([np.eye(2)], [np.eye(2)[:, :, None]], [np.ones(2) / 2])
    >>> params is None
    True
    """
    env = PymdpEnv(A, B, D, A_dependencies, B_dependencies, **kwargs)
    return env, env.generate_env_params() if make_env_params else None


def _own(part: Sequence[Any] | None) -> list[Array] | None:
    """Return arrays, read-only, of what may be distributions."""
    if part is None:
        return None
    arrays = []
    for x in part:
        array = as_floats(x.data if isinstance(x, Distribution) else x)
        if array.flags.writeable:
            array = array.copy()
            array.flags.writeable = False
        arrays.append(array)
    return arrays


def _fit(x: Array, shape: tuple[int | None, ...], batch_size: int, name: str) -> Array:
    """Return an array with a leading axis of 1 or the batch; raise an error if it does not fit."""
    if x.ndim == len(shape):
        x = x[None]
    elif x.ndim == len(shape) + 1 and x.strides[0] == 0:
        x = x[:1]
    own = x.shape[1:]
    if (
        x.ndim != len(shape) + 1
        or len(x) not in (1, batch_size)
        or 0 in own
        or any(n is not None and n != size for n, size in zip(shape, own, strict=True))
    ):
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(
            f"{name} must have the shape ({expected}), or that behind a batch of {batch_size}, "
            f"got {x.shape if len(x) > 1 else own}"
        )
    if not np.all(np.isfinite(x)) or np.any(x < 0):
        raise ValueError(f"{name} must be finite and not negative")
    return x


def _read(parts: Sequence[Any], count: int, sizes: Sequence[int], name: str) -> Array:
    """Return the index of each factor as the columns of an array, checked."""
    if len(parts) != len(sizes):
        raise ValueError(f"{name} must have {len(sizes)} entries, one per factor, got {len(parts)}")
    columns = np.empty((count, len(sizes)), dtype=np.int32)
    for f, (part, size) in enumerate(zip(parts, sizes, strict=True)):
        index = as_array(part)
        if index.dtype.kind not in "iuf" or np.any(index != np.floor(index)):
            raise TypeError(f"{name}[{f}] must hold integers, got {index.dtype}")
        if index.shape not in ((), (count,), (count, 1)):
            raise ValueError(f"{name}[{f}] must have the shape ({count},), got {index.shape}")
        if index.size and not (index.min() >= 0 and index.max() < size):
            raise ValueError(f"{name}[{f}] must be in range({size}), got {index.tolist()}")
        columns[:, f] = index.reshape(-1)
    return columns


def _columns(rows: Array, batch: bool) -> list[Array]:
    columns = np.ascontiguousarray(rows.T, dtype=np.int64)
    return [column if batch else column.reshape(()) for column in columns]
