"""Families of generated models: the same kinds of worlds over many sizes and seeds.

A family is a function from a random generator to a `Case`: arguments of ``Agent`` that this
project, pymdp.legacy and pymdp 1.x take alike, and the task of a tick (see `players`). The worlds
are the models themselves: states are drawn from B and outcomes from A, so that surprising
observations come as often as the noise makes them.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import models
import numpy as np
from models import MOVES, object_array

MAX_POLICIES = 16_000


class Case(NamedTuple):
    """A model of a family, and what a tick of it is."""

    label: str
    arguments: dict[str, Any]
    task: str = "step"


def noisy(exact, noise):
    """Return a distribution over outcomes with a part of it spread evenly over all of them."""
    return (1.0 - noise) * exact + noise / len(exact)


def policy_len_of(rng, num_actions, longest, most=MAX_POLICIES):
    """Draw a length of policies of which there are not more than `most`."""
    lengths = [n for n in range(1, longest + 1) if num_actions**n <= most]
    return int(rng.choice(lengths or [1]))


# --- worlds ------------------------------------------------------------------------------------


def walled_grid(
    rows, columns, walls=(), slip=0.0, noise=0.0, policy_len=2, num_moves=5, lost=False
):
    """Return a grid world whose cell is observed; the last free cell is preferred.

    Parameters
    ----------
    rows, columns : int
    walls : collection of int
        Cells that cannot be entered.
    slip : float
        Probability that another move is carried out instead, each alike.
    noise : float
        Part of the probability of outcomes that is spread over all cells.
    policy_len : int
    num_moves : {4, 5}
        Without or with staying.
    lost : bool
        Begin in any free cell, instead of in the first.
    """
    num_cells = rows * columns
    exact = np.zeros((num_cells, num_cells, num_moves))
    for cell in range(num_cells):
        row, column = divmod(cell, columns)
        for action, (down, right) in enumerate(MOVES[:num_moves]):
            r, c = row + down, column + right
            inside = 0 <= r < rows and 0 <= c < columns and r * columns + c not in walls
            exact[r * columns + c if inside else cell, cell, action] = 1.0
    free = [cell for cell in range(num_cells) if cell not in walls]
    C, D = np.zeros(num_cells), np.zeros(num_cells)
    C[free[-1]] = 3.0
    D[free if lost else free[0]] = 1.0 / len(free) if lost else 1.0
    any_move = exact.mean(axis=2, keepdims=True)
    return {
        "A": object_array([noisy(np.eye(num_cells), noise)]),
        "B": object_array([(1.0 - slip) * exact + slip * any_move]),
        "C": object_array([C]),
        "D": object_array([D]),
        "policy_len": policy_len,
    }


def drawn_walls(rng, rows, columns, share):
    """Draw walls that leave all free cells, the first and the last among them, connected."""
    num_cells = rows * columns
    walls = set()
    for cell in rng.permutation(np.arange(1, num_cells - 1))[: int(share * num_cells)]:
        walls.add(int(cell))
        B = walled_grid(rows, columns, walls)["B"][0].sum(axis=2)
        reached = np.arange(num_cells) == 0
        for _ in range(num_cells):
            reached |= B @ reached > 0
        if reached.sum() < num_cells - len(walls):
            walls.remove(int(cell))
    return walls


def dense_model(rng, num_states, num_obs, num_controls, policy_len):
    """Return a random model without zeros; each modality depends on all factors."""
    sharp = rng.choice([0.3, 1.0, 3.0])  # of gamma variates: peaked to even
    A = [rng.gamma(sharp, size=(n, *num_states)) + 1e-6 for n in num_obs]
    B = [
        rng.gamma(sharp, size=(n, n, u)) + 1e-6
        for n, u in zip(num_states, num_controls, strict=True)
    ]
    return {
        "A": object_array([a / a.sum(axis=0) for a in A]),
        "B": object_array([b / b.sum(axis=0) for b in B]),
        "C": object_array([rng.normal(size=n) for n in num_obs]),
        "D": object_array([np.full(n, 1.0 / n) for n in num_states]),
        "policy_len": policy_len,
    }


def t_maze(reward=0.98, cue=1.0, policy_len=1):
    """Return the T-maze: location (centre, two arms, cue) times the side of the reward."""
    location = np.zeros((4, 4, 2))
    location[range(4), range(4)] = 1.0
    rewarded = np.zeros((3, 4, 2))  # nothing, reward, loss
    rewarded[0] = 1.0
    rewarded[0, 1:3] = 0.0
    for side in range(2):
        rewarded[1, 1 + side] = [reward, 1 - reward] if side == 0 else [1 - reward, reward]
        rewarded[2, 1 + side] = 1.0 - rewarded[1, 1 + side]
    told = np.full((2, 4, 2), 0.5)
    told[:, 3] = [[cue, 1 - cue], [1 - cue, cue]]
    move = np.zeros((4, 4, 4))
    for action in range(4):  # from an arm there is no way back
        move[action, [0, 3], action] = 1.0
        move[[1, 2], [1, 2], action] = 1.0
    return {
        "A": object_array([location, rewarded, told]),
        "B": object_array([move, np.eye(2)[:, :, None]]),
        "C": object_array([np.zeros(4), [0.0, 3.0, -3.0], np.zeros(2)]),
        "D": object_array([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5]]),
        "policy_len": policy_len,
    }


def bandit(num_arms=2, reward=0.8, hint=0.7, policy_len=1):
    """Return a bandit with a hint: which arm is better, times the choice (start, hint, arms)."""
    num_choices = num_arms + 2
    better = np.eye(num_arms)
    told = np.zeros((num_arms + 1, num_arms, num_choices))  # nothing, or an arm
    told[0] = 1.0
    told[:, :, 1] = 0.0
    told[1:, :, 1] = hint * better + (1 - hint) * (1 - better) / (num_arms - 1)
    won = np.zeros((3, num_arms, num_choices))  # nothing, loss, reward
    won[0, :, :2] = 1.0
    won[2, :, 2:] = np.where(better > 0, reward, 1 - reward)
    won[1, :, 2:] = 1.0 - won[2, :, 2:]
    chosen = np.zeros((num_choices, num_arms, num_choices))
    chosen[range(num_choices), :, range(num_choices)] = 1.0
    choose = np.zeros((num_choices, num_choices, num_choices))
    choose[range(num_choices), :, range(num_choices)] = 1.0
    return {
        "A": object_array([told, won, chosen]),
        "B": object_array([np.eye(num_arms)[:, :, None], choose]),
        "C": object_array([np.zeros(num_arms + 1), [0.0, -4.0, 2.0], np.zeros(num_choices)]),
        "D": object_array([np.full(num_arms, 1 / num_arms), np.eye(num_choices)[0]]),
        "policy_len": policy_len,
    }


def graph_world(rng, num_nodes, policy_len):
    """Return a walk on a random connected graph, with an object to find; an action names a node."""
    edges = np.eye(num_nodes, dtype=bool)
    for node in range(1, num_nodes):  # a tree, and some more
        edges[node, rng.integers(node)] = True
    edges |= rng.random(edges.shape) < 1.0 / num_nodes
    edges |= edges.T
    move = np.zeros((num_nodes,) * 3)
    for here in range(num_nodes):
        for there in range(num_nodes):
            move[there if edges[here, there] else here, here, there] = 1.0
    location = np.zeros((num_nodes, num_nodes, num_nodes + 1))  # the object may be nowhere
    location[range(num_nodes), range(num_nodes)] = 1.0
    seen = np.eye(num_nodes, num_nodes + 1)
    return {
        "A": object_array([location, np.stack([1.0 - seen, seen])]),
        "B": object_array([move, np.eye(num_nodes + 1)[:, :, None]]),
        "C": object_array([np.zeros(num_nodes), [0.0, 3.0]]),
        "D": object_array([np.eye(num_nodes)[0], np.full(num_nodes + 1, 1 / (num_nodes + 1))]),
        "policy_len": policy_len,
    }


# --- families ----------------------------------------------------------------------------------


def grid_worlds(rng):
    rows, columns = (int(n) for n in rng.integers(3, 11, size=2))
    share, slip = rng.choice([0.0, 0.1, 0.25]), rng.choice([0.0, 0.0, 0.1, 0.25])
    noise, num_moves = rng.choice([0.0, 0.05, 0.1, 0.2, 0.3]), int(rng.integers(4, 6))
    policy_len = policy_len_of(rng, num_moves, 6)
    walls, lost = drawn_walls(rng, rows, columns, share), bool(rng.integers(2))
    return Case(
        f"{rows}x{columns}, {len(walls)} walls, slip {slip:.0%}, noise {noise:.0%}, "
        f"{num_moves} moves, policy_len {policy_len}{', lost' if lost else ''}",
        walled_grid(rows, columns, walls, slip, noise, policy_len, num_moves, lost),
    )


def t_mazes_and_bandits(rng):
    reward, cue = rng.uniform(0.7, 1.0), rng.choice([1.0, rng.uniform(0.6, 1.0)])
    if rng.random() < 0.5:
        policy_len = int(rng.integers(1, 5))
        label = f"T-maze, reward {reward:.2f}, cue {cue:.2f}, policy_len {policy_len}"
        return Case(label, t_maze(reward, cue, policy_len))
    num_arms = int(rng.integers(2, 9))
    policy_len = policy_len_of(rng, num_arms + 2, 4, 1000)
    label = f"bandit, {num_arms} arms, reward {reward:.2f}, hint {cue:.2f}, policy_len {policy_len}"
    return Case(label, bandit(num_arms, reward, cue, policy_len))


def cue_chains(rng):
    rows, columns = int(rng.integers(3, 6)), int(rng.integers(3, 8))
    num_places = int(rng.integers(2, 5))
    cells = rng.permutation(np.arange(1, rows * columns))[: num_places + 3].tolist()
    policy_len = int(rng.integers(2, 5))
    return Case(
        f"{rows}x{columns}, {num_places} places, policy_len {policy_len}",
        models.cue_chaining(policy_len, rows, columns, cells[0], cells[3:], cells[1:3]),
    )


def graph_worlds(rng):
    num_nodes = int(rng.integers(4, 21))
    policy_len = policy_len_of(rng, num_nodes, 3, 1000)
    label = f"{num_nodes} nodes, policy_len {policy_len}"
    return Case(label, graph_world(rng, num_nodes, policy_len))


def _factored(rng, max_factors, max_states, max_joint, max_obs, max_modalities, max_policies):
    while True:
        num_states = rng.integers(2, max_states + 1, size=rng.integers(1, max_factors + 1)).tolist()
        if np.prod(num_states) <= max_joint:
            break
    num_obs = rng.integers(2, max_obs + 1, size=rng.integers(1, max_modalities + 1)).tolist()
    while True:
        num_controls = rng.integers(1, 5, size=len(num_states)).tolist()
        if 1 < np.prod(num_controls) <= max_policies:
            break
    policy_len = policy_len_of(rng, int(np.prod(num_controls)), 3, max_policies)
    return Case(
        f"states {num_states}, outcomes {num_obs}, controls {num_controls}, "
        f"policy_len {policy_len}",
        dense_model(rng, num_states, num_obs, num_controls, policy_len),
    )


def dense_models(rng):
    return _factored(rng, 4, 16, 4096, 16, 4, 256)


def tiny_models(rng):
    return _factored(rng, 2, 4, 16, 4, 2, 64)


def large_factors(rng):
    num_states = int(rng.choice([64, 96, 128, 200, 256, 384, 512]))
    num_obs, num_controls = int(rng.integers(8, 129)), int(rng.integers(2, 7))
    policy_len = policy_len_of(rng, num_controls, 2)
    return Case(
        f"{num_states} states, {num_obs} outcomes, {num_controls} controls, "
        f"policy_len {policy_len}",
        dense_model(rng, [num_states], [num_obs], [num_controls], policy_len),
    )


def learning_agents(rng):
    kind = rng.choice(["grid", "dense", "bandit"])
    if kind == "grid":
        side, policy_len = int(rng.integers(3, 7)), int(rng.integers(1, 3))
        noise = float(rng.choice([0.0, 0.1]))
        label = f"grid {side}x{side}, noise {noise:.0%}, policy_len {policy_len}"
        arguments = walled_grid(side, side, noise=noise, policy_len=policy_len)
    elif kind == "dense":
        label, arguments, _ = _factored(rng, 2, 8, 64, 8, 2, 32)
    else:
        label, arguments = "bandit, 3 arms", bandit(3)
    for name in "AB":
        arguments["p" + name] = object_array([10.0 * x + 0.1 for x in arguments[name]])
        arguments[name] = object_array([p / p.sum(axis=0) for p in arguments["p" + name]])
    return Case(label, arguments, "learn")


def message_passing(rng):
    horizon = int(rng.integers(2, 6))
    kind = rng.choice(["grid", "dense", "T-maze"])
    if kind == "grid":
        side, policy_len = int(rng.integers(3, 6)), int(rng.integers(1, 3))
        noise = float(rng.choice([0.0, 0.1, 0.3]))
        label = f"grid {side}x{side}, noise {noise:.0%}, policy_len {policy_len}"
        arguments = walled_grid(side, side, noise=noise, policy_len=policy_len)
    elif kind == "dense":
        label, arguments, _ = _factored(rng, 2, 8, 64, 6, 2, 16)
    else:
        policy_len = int(rng.integers(1, 3))
        label, arguments = f"T-maze, policy_len {policy_len}", t_maze(0.9, 0.9, policy_len)
    arguments.update(inference_algo="MMP", inference_horizon=horizon)
    return Case(f"{label}, horizon {horizon}", arguments)


def sophisticated_agents(rng):
    horizon = int(rng.integers(2, 4))
    kind = rng.choice(["grid", "dense", "T-maze"])
    if kind == "grid":
        side, noise = int(rng.integers(3, 6)), float(rng.choice([0.0, 0.1]))
        label = f"grid {side}x{side}, noise {noise:.0%}"
        arguments = walled_grid(side, side, noise=noise, policy_len=1)
    elif kind == "dense":
        num_states, num_obs = (int(n) for n in rng.integers(2, 6, size=2))
        label = f"{num_states} states, {num_obs} outcomes, 3 controls"
        arguments = dense_model(rng, [num_states], [num_obs], [3], 1)
    else:
        label, arguments = "T-maze", t_maze(rng.uniform(0.7, 1.0), 0.95)
    arguments.update(sophisticated=True, si_horizon=horizon)
    return Case(f"{label}, si_horizon {horizon}", arguments)


def filters(rng):
    if rng.random() < 0.3:
        num_states = rng.integers(2, 9, size=2).tolist()
        num_obs = rng.integers(2, 9, size=2).tolist()
    else:
        num_states = [int(rng.choice([2, 4, 8, 16, 25, 32, 64, 128]))]
        num_obs = [int(rng.integers(2, 33))]
    return Case(
        f"states {num_states}, outcomes {num_obs}",
        dense_model(rng, num_states, num_obs, [1] * len(num_states), 1),
        "filter",
    )


FAMILIES = {
    "grid worlds": grid_worlds,
    "T-mazes and bandits": t_mazes_and_bandits,
    "cue chaining": cue_chains,
    "graph worlds": graph_worlds,
    "dense factored": dense_models,
    "tiny": tiny_models,
    "large factors": large_factors,
    "learning": learning_agents,
    "MMP": message_passing,
    "sophisticated": sophisticated_agents,
    "filtering": filters,
}


def table():
    """Return single models of these kinds that were slow: always the same ones."""
    rng = np.random.default_rng(0)
    return [
        Case(
            "grid 6x6, walls, noise 10%, policy_len 2",
            walled_grid(6, 6, {8, 14, 20, 27}, noise=0.1, policy_len=2, lost=True),
        ),
        Case(
            "grid 8x8, walls, noise 20%, policy_len 2",
            walled_grid(8, 8, {10, 18, 26, 44, 45, 53}, noise=0.2, policy_len=2, lost=True),
        ),
        Case(
            "grid 7x7, slip 20%, noise 30%, policy_len 2",
            walled_grid(7, 7, slip=0.2, noise=0.3, policy_len=2, lost=True),
        ),
        Case(
            "grid 5x5, wall, noise 5%, 4 actions, policy_len 4",
            walled_grid(5, 5, {12}, noise=0.05, policy_len=4, num_moves=4, lost=True),
        ),
        Case("dense 7x9x5 states, 2 modalities", dense_model(rng, [7, 9, 5], [6, 4], [3, 3, 1], 1)),
        Case(
            "dense 3x3x3x3 states, 2 modalities",
            dense_model(rng, [3, 3, 3, 3], [5, 4], [2, 2, 2, 1], 1),
        ),
        Case("dense 96 states", dense_model(rng, [96], [32], [4], 2)),
        Case(
            "2x3 states, 2 modalities of 3, 3 policies", dense_model(rng, [2, 3], [3, 3], [1, 3], 1)
        ),
        Case("2 states, 2 actions, policy_len 3", dense_model(rng, [2], [2], [2], 3)),
    ]


def generate(family, seed, count):
    """Return `count` models of a family; the same ones for the same seed."""
    if family == "table":
        return table()[:count] if count else table()
    stream = zlib.crc32(family.encode())
    return [FAMILIES[family](np.random.default_rng([seed, stream, i])) for i in range(count)]
