"""The models every benchmark steps, as keyword arguments of ``Agent``.

Each function returns a dict with ``A, B, C, D`` and ``policy_len``; both
``freeagent_core.Agent`` and ``pymdp.legacy.agent.Agent`` accept it as it is.
"""

import numpy as np

MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))


def object_array(arrays):
    """Return `arrays` as the one-dimensional object array that pymdp expects."""
    out = np.empty(len(arrays), dtype=object)
    for index, array in enumerate(arrays):
        out[index] = np.asarray(array, dtype=float)
    return out


def grid_transitions(rows, columns):
    """Return B of one factor: the cells of a grid, moved up, down, left, right or not at all."""
    num_cells = rows * columns
    B = np.zeros((num_cells, num_cells, len(MOVES)))
    for cell in range(num_cells):
        row, column = divmod(cell, columns)
        for action, (down, right) in enumerate(MOVES):
            new_row = min(max(row + down, 0), rows - 1)
            new_column = min(max(column + right, 0), columns - 1)
            B[new_row * columns + new_column, cell, action] = 1.0
    return B


def grid(side, policy_len):
    """Return a `side` x `side` grid world whose cell is observed; the last cell is preferred."""
    num_cells = side * side
    C = np.zeros(num_cells)
    C[-1] = 3.0
    D = np.zeros(num_cells)
    D[0] = 1.0
    return {
        "A": object_array([np.eye(num_cells)]),
        "B": object_array([grid_transitions(side, side)]),
        "C": object_array([C]),
        "D": object_array([D]),
        "policy_len": policy_len,
    }


def three_factors(seed=0):
    """Return three factors of 8 states, three modalities of 6 outcomes, 27 policies, all dense."""
    rng = np.random.default_rng(seed)
    num_states, num_obs, num_controls = [8, 8, 8], [6, 6, 6], [3, 3, 3]
    A = [rng.random([n, *num_states]) for n in num_obs]
    B = [rng.random((n, n, u)) for n, u in zip(num_states, num_controls, strict=True)]
    return {
        "A": object_array([a / a.sum(axis=0) for a in A]),
        "B": object_array([b / b.sum(axis=0) for b in B]),
        "C": object_array([rng.normal(size=n) for n in num_obs]),
        "D": object_array([np.full(n, 1.0 / n) for n in num_states]),
        "policy_len": 1,
    }


def cue_chaining(
    policy_len=4, rows=5, columns=7, cue_1=14, cue_2=(2, 10, 24, 30), rewards=(12, 26)
):
    """Return pymdp's cue-chaining task: 35 cells, 4 places of the second cue, 2 of the reward.

    The first cue (cell `cue_1`) tells in which cell the second cue is, the second cue
    tells which of two cells holds the reward and which the shock.
    """
    num_cells, num_places = rows * columns, len(cue_2)
    num_states = [num_cells, num_places, 2]

    location = np.zeros([num_cells, *num_states])
    location[np.arange(num_cells), np.arange(num_cells)] = 1.0
    first = np.zeros([num_places + 1, *num_states])  # nothing, or the place
    first[0] = 1.0
    first[0, cue_1] = 0.0
    for place in range(num_places):
        first[place + 1, cue_1, place, :] = 1.0
    second = np.zeros([3, *num_states])  # nothing, reward above, reward below
    second[0] = 1.0
    for place, cell in enumerate(cue_2):
        second[0, cell, place] = 0.0
        for side in range(2):
            second[side + 1, cell, place, side] = 1.0
    reward = np.zeros([3, *num_states])  # nothing, cheese, shock
    reward[0] = 1.0
    for side, cell in enumerate(rewards):
        reward[0, cell] = 0.0
        reward[1, cell, :, side] = 1.0
        reward[2, cell, :, 1 - side] = 1.0

    D_location = np.zeros(num_cells)
    D_location[0] = 1.0
    return {
        "A": object_array([location, first, second, reward]),
        "B": object_array(
            [
                grid_transitions(rows, columns),
                np.eye(num_places)[:, :, None],
                np.eye(2)[:, :, None],
            ]
        ),
        "C": object_array(
            [np.zeros(num_cells), np.zeros(num_places + 1), np.zeros(3), [0.0, 2.0, -4.0]]
        ),
        "D": object_array([D_location, np.full(num_places, 1 / num_places), np.full(2, 0.5)]),
        "policy_len": policy_len,
    }


def dense(num_states=128, num_obs=64, num_controls=8, policy_len=2, seed=0):
    """Return one dense factor and one dense modality."""
    rng = np.random.default_rng(seed)
    A = rng.random((num_obs, num_states))
    B = rng.random((num_states, num_states, num_controls))
    return {
        "A": object_array([A / A.sum(axis=0)]),
        "B": object_array([B / B.sum(axis=0)]),
        "C": object_array([rng.normal(size=num_obs)]),
        "D": object_array([np.full(num_states, 1.0 / num_states)]),
        "policy_len": policy_len,
    }


MODELS = {
    "grid 5x5, policy_len 1": lambda: grid(5, 1),
    "grid 5x5, policy_len 3": lambda: grid(5, 3),
    "grid 10x10, policy_len 2": lambda: grid(10, 2),
    "3 factors of 8, 3 modalities of 6": three_factors,
    "dense 128 states, 64 outcomes": dense,
    "cue chaining 35x4x2, policy_len 4": cue_chaining,
}


class ModelEnvironment:
    """Draws states and outcomes from a model's own A and B."""

    def __init__(self, model, state, seed):
        self.model = model
        self.state = list(state)
        self.rng = np.random.default_rng(seed)

    def observe(self):
        """Return an outcome per modality, drawn from the state."""
        return [
            int(self.rng.choice(len(A), p=A[(slice(None), *self.state)])) for A in self.model["A"]
        ]

    def step(self, action):
        """Draw the next state after `action`, and return its outcomes."""
        self.state = [
            int(self.rng.choice(len(B), p=B[:, s, int(u)]))
            for B, s, u in zip(self.model["B"], self.state, action, strict=True)
        ]
        return self.observe()


def recorded_observations(model, agent, steps, seed=0):
    """Return the outcomes that `agent` meets in an environment of its own model."""
    rng = np.random.default_rng(seed)
    environment = ModelEnvironment(model, [rng.choice(len(D), p=D) for D in model["D"]], seed)
    observations = [environment.observe()]
    for _ in range(steps - 1):
        observations.append(environment.step(agent.step(observations[-1])))
    return observations


class Environments:
    """Many environments of one model in arrays, for batches of agents.

    Parameters
    ----------
    model : dict
        Without factor lists.
    size : int
    seed : int
    """

    def __init__(self, model, size, seed):
        self.rng = np.random.default_rng(seed)
        self.A = [np.cumsum(A, axis=0) for A in model["A"]]
        self.B = [np.cumsum(B, axis=0) for B in model["B"]]
        self.states = [self._draw(np.tile(np.cumsum(D)[:, None], size)) for D in model["D"]]

    def _draw(self, cumulated):
        """Return an index per column of cumulated probabilities."""
        drawn = self.rng.random(cumulated.shape[1]) * cumulated[-1]
        return (cumulated <= drawn).sum(axis=0)

    def observe(self):
        """Return outcomes, shape (size, num_modalities)."""
        return np.stack([self._draw(A[(slice(None), *self.states)]) for A in self.A], axis=1)

    def step(self, actions):
        """Draw the next states after `actions`, (size, num_factors); return their outcomes."""
        self.states = [
            self._draw(B[:, states, chosen.astype(int)])
            for B, states, chosen in zip(self.B, self.states, np.asarray(actions).T, strict=True)
        ]
        return self.observe()
