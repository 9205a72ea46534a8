"""Time and histories of one agent, as pymdp keeps them: the only place that does."""

from freeagent_core._kernels.model.python_input cimport (
    read_action, read_beliefs, read_observation,
)
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace

import numpy as np


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
            self.curr_timestep = value
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

    # A tuple, or distributions in another container.
    cdef int note_observation(self, object observation, bint distr_obs,
                              Py_ssize_t num_modalities) except -1:
        if distr_obs:
            entry = list(observation) if isinstance(observation, tuple) else observation
        elif isinstance(observation, (list, tuple)) or (
                isinstance(observation, np.ndarray) and observation.ndim == 1
                and (observation.dtype == object or observation.dtype.kind in "iu")
                and len(observation) == num_modalities):
            entry = tuple(observation)
        else:
            entry = (observation,)
        self.prev_obs.append(entry)
        return 0

    cdef int note_q_pi(self, object q_pi, Py_ssize_t horizon) except -1:
        self.q_pi_hist.append(q_pi)
        if len(self.q_pi_hist) > horizon:
            self.q_pi_hist = self.q_pi_hist[-(horizon - 1):]
        return 0

    cdef int advance(self, object action) except -1:
        if self.prev_actions is None:
            self.prev_actions = []
        self.prev_actions.append(action)
        self.curr_timestep += 1
        return 0

    cpdef object q_pi_at(self, Py_ssize_t step):
        """Return the posterior over policies that pymdp looks up for a step, or None without a
        history. pymdp shortens that history and then fails where the entry is gone; here it is
        the latest one."""
        if not self.q_pi_hist:
            return None
        return self.q_pi_hist[min(step, <Py_ssize_t>len(self.q_pi_hist) - 1)]
