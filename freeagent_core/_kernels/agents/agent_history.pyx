# cython: boundscheck=True, wraparound=True
"""Time and histories of one agent, as pymdp keeps them: the only place that does."""

from freeagent_core._kernels.model.python_input cimport (
    read_action, read_beliefs, read_observation,
)
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace

import numpy as np

# What `Histories.add` has appended:
cdef enum:
    OBSERVATION = 1
    QS = 2
    Q_PI = 4
    ACTION = 8
    FIRST_ACTION = 16


# An entry of `prev_obs`: a tuple, or distributions in another container.
cdef object observation_entry(object observation, bint distr_obs, Py_ssize_t num_modalities):
    if distr_obs:
        return list(observation) if isinstance(observation, tuple) else observation
    if isinstance(observation, (list, tuple)) or (
            isinstance(observation, np.ndarray) and observation.ndim == 1
            and (observation.dtype == object or observation.dtype.kind in "iu")
            and len(observation) == num_modalities):
        return tuple(observation)
    return (observation,)


cdef class Histories:
    """The time step, and lists of what was observed, done and believed.

    Parameters
    ----------
    save_belief_hist : bool
    """

    def __init__(self, bint save_belief_hist=False):
        self.prev_obs = []
        if save_belief_hist:
            self.qs_hist, self.q_pi_hist = [], []

    def assign(self, str name, value, PackedModel packed not None, bint by_policy=False):
        """Let `value` be the history `name`, once all of its entries fit the model.

        Parameters
        ----------
        name : str
            An attribute.
        value : list, or None where pymdp has None
        packed : PackedModel
        by_policy : bool
            Beliefs are message passing's sequences, which nothing reads again.

        Raises
        ------
        TypeError, ValueError
            Naming the entry.
        """
        cdef OwnedWorkspace workspace
        if name == "curr_timestep":
            try:
                self.curr_timestep = value
            except TypeError:
                raise TypeError(f"curr_timestep must be an integer, got {value!r:.80}") from None
            return
        if not isinstance(value, list) and (value is not None or name == "prev_obs"):
            raise TypeError(f"{name} must be a list, got {type(value).__name__}")
        workspace = packed.acquire_workspace()
        if name == "prev_obs":
            for entry in value:
                read_observation(packed, workspace, entry, not isinstance(entry, tuple))
        elif name == "prev_actions":
            for t, action in enumerate(value or ()):
                try:
                    read_action(packed, workspace, action)
                except (TypeError, ValueError) as error:
                    raise type(error)(f"prev_actions[{t}]: {error}") from None
        elif name == "qs_hist" and not by_policy:
            for t, qs in enumerate(value or ()):
                read_beliefs(packed, workspace, qs, f"qs_hist[{t}]")
        packed.release_workspace(workspace)
        setattr(self, name, value)

    # Append what is not None, or nothing at all: a call does this before it keeps its results.
    cdef int add(self, object observation, object qs, object q_pi, object action,
                 Py_ssize_t horizon) except -1:
        cdef list longer
        self._added = 0
        self._former_q_pi_hist = None
        try:
            if observation is not None:
                self.prev_obs.append(observation)
                self._added |= OBSERVATION
            if qs is not None:
                self.qs_hist.append(qs)
                self._added |= QS
            if q_pi is not None and <Py_ssize_t>len(self.q_pi_hist) < horizon:
                self.q_pi_hist.append(q_pi)
                self._added |= Q_PI
            elif q_pi is not None:
                longer = self.q_pi_hist + [q_pi]
                longer = longer[-(horizon - 1):]
                self._former_q_pi_hist, self.q_pi_hist = self.q_pi_hist, longer
            if action is not None:
                if self.prev_actions is None:
                    self.prev_actions = []
                    self._added |= FIRST_ACTION
                self.prev_actions.append(action)
                self._added |= ACTION
        except BaseException:
            self.undo()
            raise
        return 0

    # Take away what `add` has appended last.
    cdef int undo(self) except -1:
        if self._added & OBSERVATION:
            self.prev_obs.pop()
        if self._added & QS:
            self.qs_hist.pop()
        if self._added & Q_PI:
            self.q_pi_hist.pop()
        if self._former_q_pi_hist is not None:
            self.q_pi_hist, self._former_q_pi_hist = self._former_q_pi_hist, None
        if self._added & ACTION:
            self.prev_actions.pop()
        if self._added & FIRST_ACTION:
            self.prev_actions = None
        self._added = 0
        return 0

    cdef int advance(self, object action) except -1:
        self.add(None, None, None, action, 0)
        self.curr_timestep += 1
        return 0

    cpdef object q_pi_at(self, Py_ssize_t step):
        """Return the posterior over policies that pymdp looks up for a step, or None without a
        history. pymdp shortens that history and then fails where the entry is gone; here it is
        the latest one."""
        if not self.q_pi_hist:
            return None
        return self.q_pi_hist[min(step, <Py_ssize_t>len(self.q_pi_hist) - 1)]
