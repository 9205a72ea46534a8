# cython: boundscheck=True, wraparound=True
"""The methods that an `Agent` gets at every step, compiled: `Agent` takes these functions over.

They see to it that what callers wrote into the agent's arrays counts, and pass the call on to the
agent's `AgentCore`. Measured (benchmarks/call_cost.py): as Python methods they cost 0.1 us each,
a sixth of a step of the 5x5 grid.
"""

from freeagent_core._kernels.agents cimport agent_learning
from freeagent_core._kernels.agents.agent_core cimport AgentCore

from freeagent_core._kernels.learning.learned_model import FirstParameters, LearnedModel
from freeagent_core._model import validation as check

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        unsigned int tp_version_tag

# A class that replaces one of these, or an instance that does, gets it called by `step`.
PARTS = ("infer_states", "infer_policies", "sample_action", "step_time", "set_latest_beliefs",
         "get_future_qs")

cdef str ALL = "all"
cdef dict _parts = {}              # the functions of `Agent` by name
cdef object _parts_step = None


def set_parts(kind):
    """Note the parts of a step that `kind`, which is `Agent`, has."""
    global _parts_step
    for name in PARTS:
        _parts[name] = kind.__dict__[name]
    _parts_step = kind.step


cdef AgentCore synchronised_core(agent):
    cdef AgentCore core = agent._core
    if core.is_watched or (core.learned is not None and core.learned.is_written()):
        agent._synchronise()
    if core.parameters.values.search.horizon:
        agent._set_search()
    return core


# The verdict about a class holds as long as its version does: any change of it or of its bases
# makes another one.
cdef bint steps_whole(agent, AgentCore core) except -1:
    kind = type(agent)
    cdef unsigned int version = (<PyTypeObject*>kind).tp_version_tag
    if version == 0 or version != core.class_version:
        core.class_steps_whole = True
        for name, function in _parts.items():
            if getattr(kind, name) is not function:
                core.class_steps_whole = False
        core.class_has_step = kind.step is _parts_step
        core.class_version = version
    return core.class_steps_whole and not core.replaces_parts


cdef bint steps_natively(agent) except -1:
    cdef AgentCore core = agent._core
    return (core.window is None and core.histories.qs_hist is None
            and core.histories.q_pi_hist is None
            and steps_whole(agent, core) and core.class_has_step)


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
    return synchronised_core(self).infer_states(observation, distr_obs)


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

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import Agent
    >>> agent = Agent(A=np.eye(2), B=np.stack([np.eye(2), 1 - np.eye(2)], axis=-1))
    >>> q_pi, G = agent.infer_policies()
    >>> q_pi
    array([0.5, 0.5])
    """
    cdef AgentCore core = synchronised_core(self)
    core.infer_policies()
    return core.q_pi, core.G


def sample_action(self):
    """Choose an action from ``q_pi``, keep it as ``agent.action`` and advance time.

    Returns
    -------
    action : ndarray of float64, shape (num_factors,)
        A control per factor, as floats like pymdp's.

    Notes
    -----
    Random numbers are NumPy's global ones (``np.random.seed``), drawn as pymdp draws them.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import Agent
    >>> agent = Agent(A=np.eye(2), B=np.stack([np.eye(2), 1 - np.eye(2)], axis=-1),
    ...               C=np.array([0.0, 2.0]))
    >>> qs, policies = agent.infer_states([0]), agent.infer_policies()
    >>> agent.sample_action()
    array([1.])
    """
    cdef AgentCore core = synchronised_core(self)
    if steps_whole(self, core):
        return core.sample_action(True)
    action = core.sample_action()
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
    Where a subclass or an assignment replaces one of the three, they are called one by one.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import Agent
    >>> B = np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
    >>> Agent(A=np.eye(2), B=B, C=np.array([0.0, 2.0])).step([0])
    array([1.])
    """
    cdef AgentCore core = synchronised_core(self)
    if not steps_whole(self, core):
        self.infer_states(observation, distr_obs)
        self.infer_policies()
        return self.sample_action()
    return core.step(observation, distr_obs)


def step_time(self):
    """Append the last action to ``prev_actions`` and advance time.

    Returns
    -------
    curr_timestep : int
    """
    cdef AgentCore core = self._core
    if core.is_window_full_at(core.histories.curr_timestep + 1):
        core.prepare_prior(core.histories.curr_timestep + 1)  # what does not fit is found here
    core.histories.advance(core.action)
    if core.window_is_full:
        self.set_latest_beliefs()
    return core.histories.curr_timestep


# --- learning --------------------------------------------------------------------------------


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

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import Agent
    >>> agent = Agent(A=np.eye(2), B=np.eye(2)[:, :, None], pA=np.eye(2))
    >>> qs = agent.infer_states([1])
    >>> agent.update_A([1])[0].round(9)
    array([[1., 0.],
           [0., 2.]])
    """
    cdef AgentCore core = _learner(self, "pA", "A")
    count = core.state.model.num_modalities
    to_learn = _to_learn(self.modalities_to_learn, count, "modalities")
    result = agent_learning.update_A(core, obs, to_learn, self.lr_pA)
    self._live.forget("A", "pA")
    return result


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

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import Agent
    >>> agent = Agent(A=np.eye(2), B=np.eye(2)[:, :, None], pB=np.eye(2)[:, :, None])
    >>> action, qs_prev = agent.step([1]), agent.qs
    >>> qs = agent.infer_states([1])
    >>> agent.update_B(qs_prev)[0][:, :, 0].round(9)
    array([[1., 0.],
           [0., 2.]])
    """
    cdef AgentCore core = _learner(self, "pB", "B")
    if core.action is None:
        raise ValueError("update_B needs an action: call sample_action before")
    count = core.state.model.num_factors
    to_learn = _to_learn(self.factors_to_learn, count, "factors")
    result = agent_learning.update_B(core, qs_prev, to_learn, self.lr_pB)
    self._live.forget("B", "pB")
    return result


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

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import Agent
    >>> agent = Agent(A=np.eye(2), B=np.eye(2)[:, :, None], pD=np.ones(2))
    >>> agent.update_D(agent.infer_states([1]))[0].round(9)
    array([1., 2.])
    """
    cdef AgentCore core = _learner(self, "pD", "D")
    if core.window is not None:
        qs_t0 = self._beliefs_at_horizon(qs_t0)
    if qs_t0 is None:
        if not core.histories.qs_hist:
            raise ValueError("update_D needs qs_t0, or save_belief_hist=True and a step before")
        qs_t0 = core.histories.qs_hist[0]
    core.keep_prior()
    count = core.state.model.num_factors
    to_learn = _to_learn(self.factors_to_learn, count, "factors")
    result = agent_learning.update_D(core, qs_t0, to_learn, self.lr_pD)
    self._live.forget("D", "pD")
    return result


# The core, which has its own copy of the model to write to.
cdef AgentCore _learner(agent, str parameters, str mean):
    cdef AgentCore core = synchronised_core(agent)
    if core.learned is None:
        model = agent._model
        if getattr(model, parameters) is None:
            raise ValueError(f"update_{mean} needs {parameters}, the Dirichlet parameters of {mean}")
        first = FirstParameters(model.pA, model.pB, model.pD)
        agent_learning.begin_learning(core, LearnedModel(core.packed, first))
    return core


# ``modalities_to_learn`` or ``factors_to_learn`` as `AgentCore` takes them.
cdef bytes _to_learn(value, Py_ssize_t count, str name):
    if value is ALL:
        return b"\1" * count
    indices = check.index_subset(value, count, f"{name}_to_learn")
    return bytes([indices == ALL or i in indices for i in range(count)])
