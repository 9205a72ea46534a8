"""Draws cue_then_reward.png: one agent of ``freeagent-core demo`` and its beliefs.

Run from anywhere: ``python docs/images/make_cue_then_reward.py`` (extra ``report``).
"""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from freeagent_core import Agent, demo

mpl.use("Agg")
INK, PATH, REWARD, SHOCK, CUE = "#30343f", "#2a6fbb", "#2e9e5b", "#c8443c", "#e2a829"


def draw_world(axes, world, steps):
    """Draw the grid and the way of the agent."""
    rows = demo.GRID.split()
    for r, row in enumerate(rows):
        for c, mark in enumerate(row):
            axes.add_patch(
                plt.Rectangle((c - 0.5, r - 0.5), 1, 1, fc=INK if mark == "#" else "white", ec=INK)
            )
    for end, colour, text in zip(world.ends, (REWARD, SHOCK), ("reward", "shock"), strict=True):
        r, c = world.cells[end]
        axes.add_patch(plt.Rectangle((c - 0.5, r - 0.5), 1, 1, fc=colour, ec=INK))
        axes.text(c, r + 0.36, text, ha="center", color="white", fontsize=9)
    r, c = world.cells[world.cue]
    axes.add_patch(plt.Rectangle((c - 0.5, r - 0.5), 1, 1, fc=CUE, ec=INK))
    axes.text(c + 0.45, r - 0.3, "cue", ha="right", color=INK, fontsize=9)
    points = np.array([world.cells[cell] for cell in steps.cells], float)
    axes.plot(points[:, 1], points[:, 0], color=PATH, lw=2.5, zorder=3)
    for tick, (y, x) in enumerate(points, start=1):
        axes.plot(x, y, "o", ms=15, color=PATH, zorder=4)
        axes.text(x, y, str(tick), ha="center", va="center", color="white", fontsize=9, zorder=5)
    axes.set(xlim=(-0.55, 4.55), ylim=(3.55, -0.55), aspect="equal")
    axes.axis("off")
    axes.set_title("where it goes", fontsize=11)


def draw_beliefs(axes, world, steps):
    """Draw how sure the agent is that the reward is on the left."""
    ticks = np.arange(1, len(steps.left) + 1)
    axes.bar(ticks, steps.left, color=PATH, width=0.7)
    axes.axhline(0.5, color=INK, lw=0.8, ls=":")
    named = {1: "cannot\nknow", 1 + steps.cells.index(world.cue): "sees\nthe cue"}
    named[len(ticks)] = "is\nthere"
    for tick, text in named.items():
        axes.text(tick, steps.left[tick - 1] + 0.03, text, ha="center", color=INK, fontsize=9)
    axes.set(
        ylim=(0, 1.28),
        yticks=[0, 0.5, 1],
        yticklabels=["0%", "50%", "100%"],
        xticks=ticks,
        xlim=(0.2, len(ticks) + 0.8),
        xlabel="tick",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("how sure it is that the reward is on the left", fontsize=11)


def main():
    """Write the picture beside this file."""
    np.random.seed(0)
    world = demo.GridWorld(0)
    steps = demo.walk(world, Agent(**world.model()), side=0, ticks=demo.MAX_TICKS_ALONE)
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.3), width_ratios=[1.15, 1], dpi=110)
    draw_world(axes[0], world, steps)
    draw_beliefs(axes[1], world, steps)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_name("cue_then_reward.png"), metadata={"Software": None})


if __name__ == "__main__":
    main()
