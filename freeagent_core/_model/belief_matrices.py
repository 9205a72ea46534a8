"""What policies over matrices of beliefs need: sequences of moves, and A and B by their entries.

Served are models of one factor whose policies are all sequences of its actions. A *move* is an
action whose B is not the identity; a *node* is one sequence of moves, and stands for all sequences
of actions that differ from it by actions that change nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model.layout import padded
from freeagent_core._model.policies import AllSequences
from freeagent_core.maths import MASK

FloatArray = npt.NDArray[np.float64]

# Numbers that differ by no more than this are one noise, whatever the order it was normalised in.
EQUAL_NOISE = 4 * np.finfo(np.float64).eps
# Beliefs after the last action that are made and valued together: of 36 states in 32 KiB.
BLOCK_COLUMNS = 112
# What a belief costs: an entry of B or of A less its constants, a state (its masks and its place in
# memory), an outcome (its logarithm), and an entry of dense products. Measured: ns, AVX2,
# benchmarks/sparse_forms.py --beliefs.
ENTRY, STATE, OUTCOME, DENSE_ENTRY = 0.10, 0.93, 1.45, 0.06
# What a belief of k states costs over a belief graph, of k squared, and of all states. Measured
# there: graph and matrices cost the same at 2 to 4 states of 25, at 2 of 36 and, with policy_len
# 4, at 10 to 25 of 100.
GRAPH_PAIR, GRAPH_STATE = 7.0, 11.0
# Doubles that the beliefs of one thread may take.
MAX_COLUMNS = 2**19
# Entries of A and B that are looked through.
MAX_ENTRIES = 2**22


def constant_and_entries(rows: FloatArray) -> dict[str, Any]:
    """Return rows as a constant each plus what differs from it.

    Parameters
    ----------
    rows : ndarray, shape (num_rows, num_columns)

    Returns
    -------
    parts : dict
        ``constant`` of shape (num_rows,), and the rest by rows: ``start``, ``column``, ``value``.
    """
    constant = np.median(rows, axis=1)
    differs = np.abs(rows - constant[:, None]) > EQUAL_NOISE * np.abs(constant)[:, None]
    nonzero = rows != 0.0
    zero = nonzero.sum(axis=1) <= differs.sum(axis=1)
    constant[zero] = 0.0
    differs[zero] = nonzero[zero]
    row, column = np.nonzero(differs)
    return {
        "constant": constant,
        "start": np.append(0, np.cumsum(differs.sum(axis=1))).astype(np.int32),
        "column": column.astype(np.int32),
        "value": np.ascontiguousarray(rows[row, column] - constant[row]),
    }


def entries_by_column(by_action: FloatArray) -> dict[str, Any]:
    """Return B by its columns, each with as many entries as the fullest; zeros fill up.

    Parameters
    ----------
    by_action : ndarray, shape (num_moves, num_states, num_states)
        B with the previous state before the next.
    """
    num_moves, num_states, _ = by_action.shape
    move, state, to = np.nonzero(by_action)
    column = move * num_states + state
    counts = np.bincount(column, minlength=num_moves * num_states)
    place = np.arange(len(column)) - (np.cumsum(counts) - counts)[column]
    shape = (num_moves, num_states, max(int(counts.max()), 1))
    next_state, weight = np.zeros(shape, dtype=np.int32), np.zeros(shape)
    next_state[move, state, place] = to
    weight[move, state, place] = by_action[move, state, to]
    return {"next": next_state, "weight": weight}


def _sequences(moves: npt.NDArray[np.int64], num_steps: int) -> dict[str, Any]:
    """Return the nodes that sequences of actions lead to; `moves` numbers the moves, -1 if none.

    The node of moves (m_1, ..., m_t) is ``first_node[t] + m_t * num_moves**(t - 1) + ...``:
    children of all nodes of a level by one move are adjacent. Levels begin at whole vectors.
    """
    num_moves = int(moves.max()) + 1
    first = np.append(0, np.cumsum([padded(num_moves**t) for t in range(num_steps + 1)]))
    length, place = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    prefix_nodes = []
    for _ in range(num_steps):
        moved = moves[None, :] >= 0
        place = np.where(
            moved, place[:, None] + moves * num_moves ** length[:, None], place[:, None]
        ).ravel()
        length = (length[:, None] + moved).ravel()
        prefix_nodes.append(first[length] + place)
    return {
        "num_steps": num_steps,
        "first_node": first.astype(np.int32),
        "prefix_node": np.concatenate(prefix_nodes).astype(np.int32),
    }


def _num_distinct(next_state: npt.NDArray[np.int32], num_steps: int) -> int:
    """Return how many different maps of states sequences of deterministic moves make.

    Parameters
    ----------
    next_state : ndarray, shape (num_moves, num_states)
    num_steps : int
    """
    level = np.arange(next_state.shape[1], dtype=np.int32)[None]
    found = {level.tobytes()}
    for _ in range(num_steps):
        children = np.unique(next_state[:, level].reshape(-1, next_state.shape[1]), axis=0)
        fresh = [row for row in children if row.tobytes() not in found]
        if not fresh:
            break
        level = np.stack(fresh)
        found.update(row.tobytes() for row in level)
    return len(found)


def pack_matrices(
    B: FloatArray,
    outcomes: FloatArray,
    policies: AllSequences,
    uses_belief_graph: bool,
) -> dict[str, Any] | None:
    """Return the packed form, or None where it is too large or dense products cost less.

    Parameters
    ----------
    B : ndarray, shape (num_states, num_states, num_controls)
    outcomes : ndarray, shape (num_outcomes, num_states)
        A of all modalities.
    policies : AllSequences
    uses_belief_graph : bool
        Whether a belief graph is the other way to evaluate policies; else it is dense products.
    """
    num_states, num_steps = len(B), policies.policy_len
    if outcomes.size > MAX_ENTRIES:  # joint ones
        return None
    by_action = B.transpose(2, 1, 0)
    is_move = (by_action != np.eye(num_states)).any(axis=(1, 2))
    num_moves = int(is_move.sum())
    if num_moves == 0 or num_moves ** (num_steps - 1) * num_states > MAX_COLUMNS:
        return None
    packed = entries_by_column(by_action[is_move])
    packed.update(constant_and_entries(outcomes))
    entries = packed["next"].shape[2]
    cost = (
        ENTRY * (entries * num_states + len(packed["value"]))
        + STATE * num_states
        + OUTCOME * len(outcomes)
    )
    dense = DENSE_ENTRY * (num_states + len(outcomes)) * num_states + OUTCOME * len(outcomes)
    if not uses_belief_graph and cost > dense:
        return None
    packed.update(_sequences(np.where(is_move, np.cumsum(is_move) - 1, -1), num_steps))
    # over a graph equal beliefs are one; a belief costs more the more states it has
    spread = entries ** (num_steps / 2)
    nodes = distinct = int(packed["first_node"][-1])
    if uses_belief_graph and entries == 1 and (packed["weight"] == 1.0).all():
        distinct = _num_distinct(packed["next"][:, :, 0], num_steps)
        if distinct * GRAPH_STATE * num_states < nodes * cost:
            return None
    packed["graph_support"] = int(np.sqrt(cost * nodes / distinct / GRAPH_PAIR) / spread)
    packed["block"] = max(BLOCK_COLUMNS // num_moves // 8, 1) * 8
    packed["neg_ambiguity"] = (outcomes * np.log(outcomes + MASK)).sum(axis=0)
    return packed
