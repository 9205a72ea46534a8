"""T-mazes: a reward in one of two arms, and a cue that tells in which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model.validation import choice, integer
from freeagent_core.pymdp_v1._arguments import outcomes, parts
from freeagent_core.pymdp_v1._arrays import Array, FloatArray, as_array, as_real
from freeagent_core.pymdp_v1.envs import _pictures
from freeagent_core.pymdp_v1.envs.env import PymdpEnv

_NOTHING, _REWARD, _PUNISHMENT = range(3)  # outcomes of the reward modality


class BaseTMaze(PymdpEnv):
    """A T-maze with locations centre, left, right, cue and, with `has_middle`, middle.

    Factors are the location and the reward condition (left or right); the modalities location,
    reward (nothing, reward, punishment) and, with ``cue_mode="separate"``, cue (none, left, right).

    Parameters
    ----------
    reward_probability, punishment_probability : float, default 1.0
        In the right arm, and in the wrong one; otherwise there is nothing.
    cue_validity : float, default 0.95
    reward_condition : int, optional
        0 for left, 1 for right; by default both are equally likely.
    dependent_outcomes : bool, default False
        Where there is no reward in the right arm, there is punishment, and the other way round.
    categorical_obs : bool, default False
    num_locations : int
    cue_mode : {"separate", "embedded"}
        Embedded: the cue is one of two outcomes of the location modality.
    connectivity : {"fully_connected", "adjacent"}
    has_middle : bool
        The arms are reached from between them, not from the centre.
    location_obs_size : int, optional

    Raises
    ------
    ValueError, TypeError
        If a probability is not in [0, 1], or `reward_condition` neither 0 nor 1.

    Source: `pymdp.envs.tmaze.BaseTMaze`.
    """

    def __init__(
        self,
        reward_probability: float = 1.0,
        punishment_probability: float = 1.0,
        cue_validity: float = 0.95,
        reward_condition: int | None = None,
        dependent_outcomes: bool = False,
        categorical_obs: bool = False,
        *,
        num_locations: int,
        cue_mode: str,
        connectivity: str,
        has_middle: bool,
        location_obs_size: int | None = None,
    ) -> None:
        if cue_mode not in ("separate", "embedded"):
            raise ValueError(f"Unsupported cue_mode: {cue_mode}")
        if connectivity not in ("fully_connected", "adjacent"):
            raise ValueError(f"Unsupported connectivity: {connectivity}")
        for name, value in (
            ("reward_probability", reward_probability),
            ("punishment_probability", punishment_probability),
            ("cue_validity", cue_validity),
        ):
            if not 0.0 <= as_real(value, name) <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {value}")
        if reward_condition is not None:
            reward_condition = integer(reward_condition, 0, 2, "reward_condition")
        self.reward_probability = reward_probability
        self.punishment_probability = punishment_probability
        self.cue_validity = cue_validity
        self.reward_condition = reward_condition
        self.dependent_outcomes = dependent_outcomes
        self.cue_mode = cue_mode
        self.connectivity = connectivity
        self.has_middle = has_middle
        self.num_locations = num_locations
        self._places = {"centre": 0, "left": 1, "right": 2, "cue": 3}
        if has_middle:
            self._places["middle"] = 4
        if location_obs_size is None:
            location_obs_size = self._places["cue"] + 2 if cue_mode == "embedded" else num_locations
        self.location_obs_size = location_obs_size
        A, A_dependencies = self.generate_A()
        B, B_dependencies = self.generate_B()
        super().__init__(A, B, self.generate_D(), A_dependencies, B_dependencies, categorical_obs)

    def generate_A(self) -> tuple[list[FloatArray], list[list[int]]]:
        """Return the likelihoods of the modalities, and the factors of each."""
        reward = np.zeros((3, self.num_locations, 2))
        reward[_NOTHING] = 1.0
        for condition in range(2):
            for arm in (self._places["left"], self._places["right"]):
                reward[:, arm, condition] = self._outcomes(arm == condition + 1)
        cue = self._places["cue"]
        right, wrong = self.cue_validity, 1 - self.cue_validity
        if self.cue_mode == "separate":
            cues = np.zeros((3, self.num_locations, 2))
            cues[0] = 1.0
            cues[:, cue] = [[0.0, 0.0], [right, wrong], [wrong, right]]
            return [np.eye(self.num_locations), reward, cues], [[0], [0, 1], [0, 1]]
        location = np.zeros((self.location_obs_size, self.num_locations, 2))
        for place in range(self.num_locations):
            location[place, place] = 1.0
        location[cue : cue + 2, cue] = [[right, wrong], [wrong, right]]
        return [location, reward], [[0, 1], [0, 1]]

    def _outcomes(self, is_right_arm: bool) -> list[float]:
        """Return the probabilities of nothing, reward and punishment in an arm."""
        if is_right_arm:
            p = self.reward_probability
            return [0.0, p, 1 - p] if self.dependent_outcomes else [1 - p, p, 0.0]
        if self.dependent_outcomes:
            return [0.0, 1 - self.reward_probability, self.reward_probability]
        return [1 - self.punishment_probability, 0.0, self.punishment_probability]

    def generate_B(self) -> tuple[list[FloatArray], list[list[int]]]:
        """Return the transitions of the factors, and the factors of each."""
        n = self.num_locations
        B = np.zeros((n, n, n))
        for here in range(n):
            for there in range(n):
                reached = self.connectivity == "fully_connected" or self._adjacent(here, there)
                B[there if reached else here, here, there] = 1.0
        return [B, np.eye(2)[:, :, None]], [[0], [1]]

    def _adjacent(self, here: int, there: int) -> bool:
        hub = self._places["middle" if self.has_middle else "centre"]
        pairs = (
            [("centre", "cue"), ("centre", "middle")] if self.has_middle else [("centre", "cue")]
        )
        ways = [{self._places[a], self._places[b]} for a, b in pairs]
        ways += [{hub, self._places["left"]}, {hub, self._places["right"]}]
        return {here, there} in ways

    def generate_D(self) -> list[FloatArray]:
        """Return the priors of the first state: the centre, and the reward condition."""
        condition = self.reward_condition
        rewarded = np.full(2, 0.5) if condition is None else np.eye(2)[condition]
        return [np.eye(self.num_locations)[self._places["centre"]], rewarded]

    def render(
        self, observations: Sequence[Any], mode: str = "human", title: str | None = None
    ) -> npt.NDArray[np.uint8] | None:
        """Draw what agents observe, each in a maze of its own. Needs Matplotlib.

        Parameters
        ----------
        observations : list of (batch,) or (batch, 1) array of int
            Of each modality, such as ``[o[:, t] for o in info["observation"]]`` of a `rollout`;
            (batch, 1, num_obs) arrays with `categorical_obs`.
        mode : {"human", "rgb_array"}
            Show the picture, or return it.
        title : str, optional

        Returns
        -------
        (height, width, 3) array of uint8, or None with ``mode="human"``

        Raises
        ------
        ImportError
            Without Matplotlib.
        ValueError, TypeError
            If observations do not fit.
        """
        choice(mode, _pictures.MODES, "mode")
        sizes = [self.location_obs_size, 3, 3][: 2 if self.cue_mode == "embedded" else 3]
        seen = parts(observations, len(sizes), "observations", "modality")
        columns = [
            _indices(o, n, f"observations[{m}]")
            for m, (o, n) in enumerate(zip(seen, sizes, strict=True))
        ]
        for m, column in enumerate(columns):
            if len(column) != len(columns[0]):
                raise ValueError(
                    f"observations[{m}] must have {len(columns[0])} entries, as observations[0] "
                    f"has, got {len(column)}"
                )
        names = list(self._places)
        figure, axes = _pictures.squares(len(columns[0]), 6, title)
        for own, location, reward, *rest in zip(axes, *columns, strict=True):
            cue = rest[0] if rest else max(0, location - self._places["cue"] + 1)
            if not rest:  # the outcomes that follow the cue's location tell of the cue
                location = min(location, self._places["cue"])
            _pictures.draw_tmaze(own, names[location], reward, cue)
        return _pictures.shown(figure, mode)


def _indices(observation: Any, num_obs: int, name: str) -> Array:
    """Return outcomes, or one-hot distributions over them, of a batch as an array (batch,)."""
    array = as_array(observation, name)
    if array.ndim == 3 and array.shape[1:] == (1, num_obs):
        array = array.argmax(axis=-1)
    while array.ndim > 1 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 1 or not len(array):
        raise ValueError(
            f"{name} must have shape (batch,), (batch, 1) or (batch, 1, {num_obs}), got "
            f"{array.shape}"
        )
    array = outcomes(array, num_obs, name).astype(np.int64)
    if (array < 0).any():
        raise ValueError(f"{name}[{int(array.argmin())}] must be in range({num_obs}), got -1")
    return array


class TMaze(BaseTMaze):
    """The T-maze with a middle, neighbouring locations connected, and a modality for the cue.

    Parameters
    ----------
    reward_probability, punishment_probability : float, default 1.0
    cue_validity : float, default 0.95
    reward_condition : int, optional
    dependent_outcomes, categorical_obs : bool, default False

    Examples
    --------
    >>> env = TMaze(reward_condition=1)
    >>> env.reset(0)
    ([array([0]), array([0]), array([0])], [array(0), array(1)])

    Source: `pymdp.envs.TMaze`.
    """

    def __init__(
        self,
        reward_probability: float = 1.0,
        punishment_probability: float = 1.0,
        cue_validity: float = 0.95,
        reward_condition: int | None = None,
        dependent_outcomes: bool = False,
        categorical_obs: bool = False,
    ) -> None:
        super().__init__(
            reward_probability,
            punishment_probability,
            cue_validity,
            reward_condition,
            dependent_outcomes,
            categorical_obs,
            num_locations=5,
            cue_mode="separate",
            connectivity="adjacent",
            has_middle=True,
        )


class SimplifiedTMaze(BaseTMaze):
    """The T-maze without a middle, all locations connected, the cue seen as part of the location.

    Parameters
    ----------
    reward_condition : int, optional
    cue_validity : float, default 0.95
    reward_probability : float, default 1.0
    dependent_outcomes : bool, default False
    punishment_probability : float, default 1.0
    categorical_obs : bool, default False

    Examples
    --------
    >>> [a.shape for a in SimplifiedTMaze().A]
    [(5, 4, 2), (3, 4, 2)]

    Source: `pymdp.envs.SimplifiedTMaze`.
    """

    def __init__(
        self,
        reward_condition: int | None = None,
        cue_validity: float = 0.95,
        reward_probability: float = 1.0,
        dependent_outcomes: bool = False,
        punishment_probability: float = 1.0,
        categorical_obs: bool = False,
    ) -> None:
        super().__init__(
            reward_probability,
            punishment_probability,
            cue_validity,
            reward_condition,
            dependent_outcomes,
            categorical_obs,
            num_locations=4,
            cue_mode="embedded",
            connectivity="fully_connected",
            has_middle=False,
            location_obs_size=5,
        )
