"""What handles of models, populations and agents made here stand for."""

from freeagent_core._kernels.model.packed_model cimport PackedModel

from freeagent_core._agent.parameters import to_learn


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
    """The agents of a `Population`, and what operations on them need beside.

    Parameters
    ----------
    population : Population
    workspaces : SharedWorkspaces or None
        For a population of one, which is an agent; else each population has its own.
    keeps : bool
        Keep the population itself, not only its agents.
    """

    def __init__(self, population, SharedWorkspaces workspaces, bint keeps):
        model = population.model
        self.core, self.lock, self.workspaces = population._core, population._lock, workspaces
        self.population = population if keeps else None
        self.model = model
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
        self.core.begin_learning(self.model.pA, self.model.pB, self.model.pD)
        self.core._own(operation)
        if self.is_exclusive and self.core._mask == NULL:
            self.prepared |= operation
        return 0


cdef int _fill_sizes(freeagent_sizes* sizes, object model) except -1:
    sizes.num_modalities, sizes.num_factors = model.num_modalities, model.num_factors
    sizes.num_states = sum(model.num_states)
    sizes.num_policies = (<PackedModel>model.packed).model.tree.num_policies
    return 0
