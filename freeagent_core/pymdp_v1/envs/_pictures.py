"""Pictures of mazes, with Matplotlib (the extra ``report``): what `render` of the T-mazes draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._functions.plots import pyplot
from freeagent_core.pymdp_v1.utils import fig2img

MODES = ("human", "rgb_array")

_SIDES = {"left": "tab:orange", "right": "tab:purple"}
# centre of each location in a maze of 3 x 3 cells, y downwards, and where the animal looks
_PLACES = {
    "centre": ((1.5, 1.5), (0, -1)),
    "left": ((0.5, 0.5), (-1, 0)),
    "right": ((2.5, 0.5), (1, 0)),
    "cue": ((1.5, 2.5), (0, 1)),
    "middle": ((1.5, 0.5), (0, -1)),
}


def squares(count: int, size: float, title: str | None) -> tuple[Any, list[Any]]:
    """Make a figure with `count` axes in rows of a square.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : list of matplotlib.axes.Axes
    """
    side = math.ceil(math.sqrt(count))
    figure, grid = pyplot().subplots(side, side, figsize=(size, size), squeeze=False)
    for unused in grid.ravel()[count:]:
        figure.delaxes(unused)
    if title:
        figure.suptitle(title, fontsize=9)
    return figure, list(grid.ravel()[:count])


def shown(figure: Any, mode: str) -> npt.NDArray[np.uint8] | None:
    """Show a figure, or return it as an array of red, green and blue, and close it."""
    figure.tight_layout()
    if mode == "rgb_array":
        return fig2img(figure)
    pyplot().show()
    return None


def draw_tmaze(axes: Any, location: str, reward: int, cue: int) -> None:
    """Draw a T-maze of 3 x 3 cells: the animal, the cue it sees and what it gets in an arm.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    location : str
        Where the animal is.
    reward : int
        0 for nothing, 1 for the reward, a cheese, 2 for the punishment, a flash.
    cue : int
        0 for none, 1 for left, 2 for right.
    """
    from matplotlib.patches import Circle, Polygon, Rectangle, Wedge

    axes.set(xlim=(0, 3), ylim=(3, 0), aspect="equal")
    axes.axis("off")
    for corner, width, height, colour in (
        ((1, 0), 1, 3, "lightsteelblue"),
        ((0, 0), 1, 1, _SIDES["left"]),
        ((2, 0), 1, 1, _SIDES["right"]),
    ):
        axes.add_patch(Rectangle(corner, width, height, facecolor=colour, linewidth=0))
    told = ("tab:gray", *_SIDES.values())[cue]
    cue_at = _PLACES["cue"][0]
    axes.add_patch(Circle(cue_at, 0.3, facecolor=told, edgecolor="tab:gray", linewidth=4))
    (x, y), (ahead, down) = _PLACES[location]
    if location in _SIDES and reward == 1:
        axes.add_patch(Wedge((x, y + 0.3), 0.6, 240, 300, facecolor="gold", edgecolor="goldenrod"))
    if location in _SIDES and reward == 2:
        flash = np.array([(-0.1, -0.4), (0.2, -0.4), (0.05, -0.1), (0.25, -0.1), (-0.2, 0.4),
                          (-0.05, 0.05), (-0.25, 0.05)])  # fmt: skip
        axes.add_patch(Polygon(flash + (x, y), facecolor="red", edgecolor="darkred"))
    if location in _SIDES:
        x -= 0.3 * ahead  # beside what is there
    nose, side = np.array((ahead, down)), np.array((-down, ahead))
    body = np.array((x, y)) + 0.15 * np.array([1.4 * nose, side - nose, -side - nose])
    axes.add_patch(Polygon(body, facecolor="dimgray", edgecolor="black", zorder=3))


def draw_cells(axes: Any, maze: Mapping[str, Any], position: int) -> None:
    """Draw a maze of `generalized_tmaze.parse_maze`: walls, sets of cue and places, the agent.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    maze : dict
    position : int
        The cell of the agent.
    """
    cells = maze["maze"]
    axes.imshow(cells == 2, cmap="gray_r", origin="lower", vmin=0, vmax=1)
    colours = set_colours(maze["num_cues"])
    for cue, first, second, colour in zip(
        maze["cue_positions"],
        maze["reward_1_positions"],
        maze["reward_2_positions"],
        colours,
        strict=True,
    ):
        _dots(axes, (cue, first, second), color=[colour], s=200, alpha=0.5)
    _dots(axes, maze["cue_positions"], color="black", s=50, marker="x", label="Cue")
    places = (maze["reward_1_positions"][-1], maze["reward_2_positions"][-1])
    which = int(maze["reward_locations"][-1])  # only the last set's reward is one
    _dots(axes, places[which : which + 1], color="red", s=100, zorder=4, label="Reward")
    _dots(axes, places[1 - which : 2 - which], color="blue", s=100, zorder=4, label="Punishment")
    row, column = np.unravel_index(position, cells.shape)
    _dots(axes, ((row, column),), color="tab:green", s=100, marker="s", zorder=5, label="Agent")


def _dots(axes: Any, positions: Sequence[Sequence[Any]], **style: Any) -> None:
    rows, columns = zip(*positions, strict=True)
    axes.scatter(columns, rows, **style)


def set_colours(count: int) -> list[Any]:
    """Return the colour of each set of a cue and its two places."""
    colours = pyplot().get_cmap("tab10")
    return [colours(i) for i in range(count)]


def sets_legend(axes: Any, count: int) -> None:
    """Say beside axes what their dots are; the last set is the one with the reward."""
    from matplotlib.lines import Line2D

    handles, _ = axes.get_legend_handles_labels()
    for i, colour in enumerate(set_colours(count)):
        label = "True Reward Set" if i == count - 1 else f"Distractor Set {i + 1}"
        handles.append(
            Line2D([], [], linestyle="", marker="o", ms=10, color=colour, alpha=0.5, label=label)
        )
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1))
