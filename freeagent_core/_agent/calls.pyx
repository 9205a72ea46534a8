"""The calls that an `Agent` gets at every step, compiled.

They keep time and histories and pass everything else on to the `AgentCore`; what is rare
(assignments, message passing, copies) is in `agent.py` and its mixins. Measured
(benchmarks/peers.py, pytest benchmarks/test_algorithms.py): in Python a step of the 5x5 grid took
3.6 us and an `update_D` 0.9 us; compiled, with the reading of plain input, 1.4 us and 0.5 us.
"""

cimport cython

from freeagent_core._kernels.agents.agent_core cimport AgentCore

from freeagent_core._model import validation as check
from freeagent_core._kernels.learning.learned_model import LearnedModel

cdef str ALL = "all"


@cython.auto_pickle(False)
cdef class AgentCalls:
    """Base of `Agent`: its calls, and the attributes that they read and write."""

    @property
    def _model(self):
        return self._own_model

    @_model.setter
    def _model(self, model):
        self._own_model = model
        self._passes_messages = model.inference_algo == "MMP"
        self._searches = model.sophisticated
        self._horizon = model.inference_horizon
        self._at_once = type(self)._steps_at_once and not self._passes_messages
        self._all_modalities = b"\1" * model.num_modalities
        self._all_factors = b"\1" * model.num_factors

    @property
    def qs_hist(self):
        """Beliefs of all steps, with `save_belief_hist`."""
        if self._qs_hist is None:
            raise AttributeError("qs_hist is kept with save_belief_hist=True")
        return self._qs_hist

    @qs_hist.setter
    def qs_hist(self, value):
        self._qs_hist = value

    @property
    def q_pi_hist(self):
        """Policy posteriors of the last steps, with `save_belief_hist`."""
        if self._q_pi_hist is None:
            raise AttributeError("q_pi_hist is kept with save_belief_hist=True")
        return self._q_pi_hist

    @q_pi_hist.setter
    def q_pi_hist(self, value):
        self._q_pi_hist = value

    # --- inference and action --------------------------------------------------------------

    def infer_states(self, observation, distr_obs=False):
        """Update the beliefs about hidden states with an observation.

        Parameters
        ----------
        observation : sequence of int
            An index per modality; with one modality, an int as well. One-hot vectors, alone
            or one per modality, are taken too.
        distr_obs : bool
            The vectors are distributions over outcomes.

        Returns
        -------
        qs : ndarray of object
            The new ``agent.qs``: per factor a float64 array of shape (num_states[f],).

        Raises
        ------
        ValueError, TypeError
            Naming the modality and what was expected; the agent stays as it was.

        Notes
        -----
        Source: ``pymdp.legacy.inference.update_posterior_states_factorized``.

        Examples
        --------
        >>> import numpy as np
        >>> from freeagent_core import Agent
        >>> Agent(A=np.eye(2), B=np.eye(2)[:, :, None]).infer_states([1])[0].round(9)
        array([0., 1.])
        """
        if self._changes:
            self._synchronise()
        if self._passes_messages:
            self._infer_sequences(observation, distr_obs, not self._own_model.joint_likelihood)
        else:
            self._core.infer_states(observation, distr_obs)
        qs = self._core.qs
        if self._qs_hist is not None:
            self._qs_hist.append(qs)
        return qs

    def infer_policies(self):
        """Update the posterior over policies, from the expected free energy of each.

        Returns
        -------
        q_pi : ndarray of float64, shape (num_policies,)
            ``softmax(G * gamma + log(E))``.
        G : ndarray of float64, shape (num_policies,)
            Negative expected free energies, in nats.

        Notes
        -----
        Source: ``pymdp.legacy.control.update_posterior_policies_factorized``. `step` needs no
        such arrays where there are very many policies.
        """
        if self._changes:
            self._synchronise()
        if self._passes_messages:
            self._evaluate_sequences()
        else:
            if self._searches:
                self._set_search()
            self._core.infer_policies()
        q_pi = self._core.q_pi
        if self._q_pi_hist is not None:
            self._keep_q_pi(q_pi)
        return q_pi, self._core.G

    def sample_action(self):
        """Choose an action from ``q_pi``, keep it as ``agent.action`` and advance time.

        Returns
        -------
        action : ndarray of float64, shape (num_factors,)
            A control per factor, as floats like pymdp's.

        Notes
        -----
        Random numbers are NumPy's global ones (``np.random.seed``), drawn as pymdp draws them.
        """
        if self._changes:
            self._synchronise()
        action = self._core.sample_action()
        if self._at_once:
            self.advance(action)
        else:
            self.step_time()
        return action

    def step(self, observation, distr_obs=False):
        """Take an observation to an action: the three calls in one, without the GIL.

        `infer_states`, `infer_policies` and `sample_action` with the same results.

        Parameters
        ----------
        observation, distr_obs
            See `infer_states`.

        Returns
        -------
        action : ndarray of float64, shape (num_factors,)

        Notes
        -----
        A subclass that overrides one of the three gets them called one by one.

        Examples
        --------
        >>> import numpy as np
        >>> from freeagent_core import Agent
        >>> B = np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
        >>> Agent(A=np.eye(2), B=B, C=np.array([0.0, 2.0])).step([0])
        array([1.])
        """
        if not self._at_once:
            self.infer_states(observation, distr_obs)
            self.infer_policies()
            return self.sample_action()
        self.begin_step()
        action = self._core.step(observation, distr_obs)
        self.end_step(action)
        return action

    # What is done before the core's step.
    cdef int begin_step(self) except -1:
        if self._changes:
            self._synchronise()
        if self._searches:
            self._set_search()
        return 0

    # Keep the histories of a step that the core has done.
    cdef int end_step(self, action) except -1:
        if self._qs_hist is not None:
            self._qs_hist.append(self._core.qs)
        if self._q_pi_hist is not None:
            self._keep_q_pi(self._core.q_pi)
        self.advance(action)
        return 0

    cdef int advance(self, action) except -1:
        if self.prev_actions is None:
            self.prev_actions = []
        self.prev_actions.append(action)
        self.curr_timestep += 1
        return 0

    def step_time(self):
        """Append the last action to ``prev_actions`` and advance time; return the time."""
        self.advance(self._core.action)
        if self._passes_messages and self.curr_timestep >= self._horizon:
            self.set_latest_beliefs()
        return self.curr_timestep

    def _keep_q_pi(self, q_pi):
        self._q_pi_hist.append(q_pi)
        if len(self._q_pi_hist) > self._horizon:
            self._q_pi_hist = self._q_pi_hist[-(self._horizon - 1):]

    # --- learning --------------------------------------------------------------------------

    def update_A(self, obs):
        """Learn the likelihoods from an observation and the present beliefs.

        Parameters
        ----------
        obs : sequence of int, or of vectors
            See `infer_states`.

        Returns
        -------
        qA : ndarray of object
            The new Dirichlet parameters ``agent.pA``; ``agent.A`` becomes their mean.

        Raises
        ------
        ValueError
            Without `pA`.

        Notes
        -----
        Source: ``pymdp.legacy.learning.update_obs_likelihood_dirichlet_factorized``.
        """
        cdef AgentCore core = self._learner("pA", "A")
        wanted = self._all_modalities
        if self.modalities_to_learn is not ALL:
            wanted = _to_learn(self.modalities_to_learn, len(wanted), "modalities")
        return core.update_A(obs, wanted, self.lr_pA)

    def update_B(self, qs_prev):
        """Learn the transitions from the last action and the beliefs before and after it.

        Parameters
        ----------
        qs_prev : ndarray of object
            Beliefs one step before, like ``agent.qs``.

        Returns
        -------
        qB : ndarray of object
            The new Dirichlet parameters ``agent.pB``; ``agent.B`` becomes their mean.

        Raises
        ------
        ValueError
            Without `pB`, or before the first action.

        Notes
        -----
        Source: ``pymdp.legacy.learning.update_state_likelihood_dirichlet_interactions``.
        """
        cdef AgentCore core = self._learner("pB", "B")
        if core.action is None:
            raise ValueError("update_B needs an action: call sample_action before")
        return core.update_B(qs_prev, self._factors_wanted(), self.lr_pB)

    def update_D(self, qs_t0=None):
        """Learn the initial states.

        Parameters
        ----------
        qs_t0 : ndarray of object, optional
            Beliefs at the first step; the first of ``qs_hist`` by default.

        Returns
        -------
        qD : ndarray of object
            The new Dirichlet parameters ``agent.pD``; ``agent.D`` becomes their mean.

        Raises
        ------
        ValueError
            Without `pD`, or without `qs_t0` and a history.

        Notes
        -----
        Source: ``pymdp.legacy.learning.update_state_prior_dirichlet``.
        """
        cdef AgentCore core = self._learner("pD", "D")
        if self._passes_messages:
            qs_t0 = self._beliefs_at_horizon(qs_t0)
        if qs_t0 is None:
            if not self._qs_hist:
                raise ValueError("update_D needs qs_t0, or save_belief_hist=True and a step before")
            qs_t0 = self._qs_hist[0]
        return core.update_D(qs_t0, self._factors_wanted(), self.lr_pD)

    def _factors_wanted(self):
        if self.factors_to_learn is ALL:
            return self._all_factors
        return _to_learn(self.factors_to_learn, len(self._all_factors), "factors")

    # The core, which has its own copy of the model to write to.
    cdef AgentCore _learner(self, str parameters, str mean):
        if self._changes:
            self._synchronise()
        model = self._own_model
        if self._core.learned is None:
            if getattr(model, parameters) is None:
                raise ValueError(
                    f"update_{mean} needs {parameters}, the Dirichlet parameters of {mean}")
            self._core.begin_learning(LearnedModel(self._core.packed, model.pA, model.pB,
                                                   model.pD))
        return self._core


def _to_learn(value, count, name):
    """Return ``modalities_to_learn`` or ``factors_to_learn`` as `AgentCore` takes them."""
    indices = check.index_subset(value, count, f"{name}_to_learn")
    return bytes(indices == ALL or i in indices for i in range(count))
