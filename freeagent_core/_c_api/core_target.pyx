"""What handles of models, populations and agents made here stand for."""

from libc.stdint cimport int64_t

from freeagent_core._kernels.action.agent_generator cimport agent_source
from freeagent_core._kernels.agents.agent_state cimport History
from freeagent_core._kernels.agents.population_core cimport (
    LEARN_A, LEARN_B, LEARN_D, PopulationCore,
)
from freeagent_core._kernels.base.state_lock cimport StateLock
from freeagent_core._kernels.model.packed_model cimport PackedModel

import numpy as np

from freeagent_core._agent.parameters import parameters_of, to_learn
from freeagent_core._agent.random_streams import agent_streams


cdef class ModelTarget:
    """A `GenerativeModel`.

    Parameters
    ----------
    model : GenerativeModel
    """

    def __init__(self, model):
        self.model = model
        _fill_sizes(&self.sizes, model)
        self.packed = model.packed
        self.workspaces = SharedWorkspaces(model.packed)


cdef class CoreTarget:
    """Agents of one model, and what operations on them need beside.

    Parameters
    ----------
    model : GenerativeModel
    core : PopulationCore
    lock : StateLock
        Of the core.
    workspaces : SharedWorkspaces or None
        For an agent, which is a core of one; else each core has its own.
    population : Population or None
        The one that has the core, to be kept with it.
    """

    def __init__(self, model, PopulationCore core not None, StateLock lock not None,
                 SharedWorkspaces workspaces, population):
        self.core, self.lock, self.workspaces = core, lock, workspaces
        self.population, self.model = population, model
        _fill_sizes(&self.sizes, model)
        self._modalities = to_learn(model.modalities_to_learn, model.num_modalities)
        self._factors = to_learn(model.factors_to_learn, model.num_factors)
        self.modalities_to_learn = self._modalities
        self.factors_to_learn = self._factors
        self.lr_pA, self.lr_pB, self.lr_pD = model.lr_pA, model.lr_pB, model.lr_pD
        if workspaces is None:
            with self.lock:
                self.core.provide_threads(1)

    # Give each agent its own copy of what it learns, and detach what Python holds of it.
    cdef int own(self, int operation) except -1:
        cdef str mean = {LEARN_A: "A", LEARN_B: "B", LEARN_D: "D"}[operation]
        if getattr(self.model, f"p{mean}") is None:  # refused before anything is set up
            raise ValueError(f"update_{mean} needs p{mean}, the Dirichlet parameters of {mean}")
        self.core.begin_learning(self.model.pA, self.model.pB, self.model.pD)
        try:
            self.core.own(operation)
        finally:
            if self.is_at_hand:
                self.keep_at_hand()  # what it learns is elsewhere now
        if self.is_exclusive and self.core._mask == NULL:
            self.prepared |= operation
        return 0

    # A step of this core of one finds all it needs here.
    cdef int put_at_hand(self) except -1:
        self._num_obs = np.array(self.model.num_obs, dtype=np.int64).tobytes()
        self.num_obs = <const int64_t*><const char*>self._num_obs
        self.core._rows.has_action = &self.has_action
        self.core._rows.has_policies = &self.has_policies
        self.core._rows.time = &self.time
        self.keep_at_hand()
        self.memory = self.workspaces.take()
        if self.memory == NULL:
            raise MemoryError("no memory for a workspace")
        self.workspaces.give_back(self.memory)
        self.is_at_hand = True
        return 0

    # Where the parts of its state are.
    cdef void keep_at_hand(self) noexcept nogil:
        cdef History history
        self.core._load(0, &self.state, &history)
        self.task.agent, self.task.history, self.task.q_pi = &self.state, NULL, NULL
        self.task.observation.vectors = False
        self.task.joint_likelihood = self.core.parameters.values.joint_likelihood
        self.source = agent_source(self.core._rows.random)


# The handle's object of an agent with the random numbers of agent `index` of a population.
cdef CoreTarget new_agent(ModelTarget source, object seed, int64_t index):
    cdef PopulationCore core
    if index < 0:
        raise ValueError(f"index must not be negative, got {index}")
    # one agent does not fill lanes
    core = PopulationCore(source.packed, 1, parameters_of(source.model))
    core.state["random"][:] = agent_streams(seed, index, 1)
    core.begin_episode(0)
    target = CoreTarget(source.model, core, StateLock(), source.workspaces, None)
    target.is_exclusive = True
    if not core.parameters.values.passes_messages:  # whose window moves
        target.put_at_hand()
    return target


cdef CoreTarget target_of(object population, bint keeps):
    """The handle's object of a `Population`, which it keeps or not."""
    return CoreTarget(population.model, population._core, population._lock, None,
                      population if keeps else None)


cdef int _fill_sizes(freeagent_sizes* sizes, object model) except -1:
    sizes.num_modalities, sizes.num_factors = model.num_modalities, model.num_factors
    sizes.num_states = sum(model.num_states)
    sizes.num_policies = (<PackedModel>model.packed).model.tree.num_policies
    return 0
