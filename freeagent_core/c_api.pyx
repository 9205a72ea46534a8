"""The capsule of the C interface, and what Python programs do with it.

The functions are explained in ``freeagent_core.h`` (`freeagent_core.get_include`); Cython
programs cimport them from here.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint32_t, uintptr_t

from freeagent_core._c_api.agents cimport (
    agent_new, agent_from_python, agent_sizes, agent_step, agent_infer_states,
    agent_infer_policies, agent_sample_action, agent_reset, agent_update_A, agent_update_B,
    agent_update_D, agent_read, agent_borrow, agent_free,
)
from freeagent_core._c_api.errors cimport (
    last_error, last_error_message,
)
from freeagent_core._c_api.models cimport (
    model_new, model_from_python, model_to_python, model_sizes, model_num_obs, model_num_states,
    model_num_controls, model_free,
)
from freeagent_core._c_api.populations cimport (
    population_new, population_from_python, population_to_python, population_size,
    population_sizes, population_step, population_infer_states, population_infer_policies,
    population_sample_action, population_reset, population_update_A, population_update_B,
    population_update_D, population_read, population_borrow, population_free,
)
from freeagent_core._c_api.core_target cimport target_of
from freeagent_core._c_api.handles cimport POPULATION, free_handle, new_handle
from freeagent_core.c_api cimport FREEAGENT_ABI, freeagent_api

from freeagent_core._version import __version__

cdef bytes _version = __version__.encode()
cdef freeagent_api _api

_api.abi = FREEAGENT_ABI
_api.struct_size = <uint32_t>sizeof(freeagent_api)
_api.version = _version
_api.last_error = last_error
_api.last_error_message = last_error_message
_api.model_new = model_new
_api.model_from_python = model_from_python
_api.model_to_python = model_to_python
_api.model_sizes = model_sizes
_api.model_num_obs = model_num_obs
_api.model_num_states = model_num_states
_api.model_num_controls = model_num_controls
_api.model_free = model_free
_api.agent_new = agent_new
_api.agent_from_python = agent_from_python
_api.agent_sizes = agent_sizes
_api.agent_step = agent_step
_api.agent_infer_states = agent_infer_states
_api.agent_infer_policies = agent_infer_policies
_api.agent_sample_action = agent_sample_action
_api.agent_reset = agent_reset
_api.agent_update_A = agent_update_A
_api.agent_update_B = agent_update_B
_api.agent_update_D = agent_update_D
_api.agent_read = agent_read
_api.agent_borrow = agent_borrow
_api.agent_free = agent_free
_api.population_new = population_new
_api.population_from_python = population_from_python
_api.population_to_python = population_to_python
_api.population_size = population_size
_api.population_sizes = population_sizes
_api.population_step = population_step
_api.population_infer_states = population_infer_states
_api.population_infer_policies = population_infer_policies
_api.population_sample_action = population_sample_action
_api.population_reset = population_reset
_api.population_update_A = population_update_A
_api.population_update_B = population_update_B
_api.population_update_D = population_update_D
_api.population_read = population_read
_api.population_borrow = population_borrow
_api.population_free = population_free

_C_API = PyCapsule_New(&_api, "freeagent_core.c_api._C_API", NULL)


def function_address(str name not None):
    """Return the address of a function of the interface.

    Parameters
    ----------
    name : str
        Of a member of ``freeagent_api``.

    Returns
    -------
    address : int

    Examples
    --------
    >>> function_address("population_step") > 0
    True
    """
    if name not in _addresses:
        raise ValueError(f"the C interface has no function {name!r}")
    return _addresses[name]


cdef dict _addresses = {
    "last_error": <uintptr_t>_api.last_error,
    "last_error_message": <uintptr_t>_api.last_error_message,
    "model_new": <uintptr_t>_api.model_new,
    "model_from_python": <uintptr_t>_api.model_from_python,
    "model_to_python": <uintptr_t>_api.model_to_python,
    "model_sizes": <uintptr_t>_api.model_sizes,
    "model_num_obs": <uintptr_t>_api.model_num_obs,
    "model_num_states": <uintptr_t>_api.model_num_states,
    "model_num_controls": <uintptr_t>_api.model_num_controls,
    "model_free": <uintptr_t>_api.model_free,
    "agent_new": <uintptr_t>_api.agent_new,
    "agent_from_python": <uintptr_t>_api.agent_from_python,
    "agent_sizes": <uintptr_t>_api.agent_sizes,
    "agent_step": <uintptr_t>_api.agent_step,
    "agent_infer_states": <uintptr_t>_api.agent_infer_states,
    "agent_infer_policies": <uintptr_t>_api.agent_infer_policies,
    "agent_sample_action": <uintptr_t>_api.agent_sample_action,
    "agent_reset": <uintptr_t>_api.agent_reset,
    "agent_update_A": <uintptr_t>_api.agent_update_A,
    "agent_update_B": <uintptr_t>_api.agent_update_B,
    "agent_update_D": <uintptr_t>_api.agent_update_D,
    "agent_read": <uintptr_t>_api.agent_read,
    "agent_borrow": <uintptr_t>_api.agent_borrow,
    "agent_free": <uintptr_t>_api.agent_free,
    "population_new": <uintptr_t>_api.population_new,
    "population_from_python": <uintptr_t>_api.population_from_python,
    "population_to_python": <uintptr_t>_api.population_to_python,
    "population_size": <uintptr_t>_api.population_size,
    "population_sizes": <uintptr_t>_api.population_sizes,
    "population_step": <uintptr_t>_api.population_step,
    "population_infer_states": <uintptr_t>_api.population_infer_states,
    "population_infer_policies": <uintptr_t>_api.population_infer_policies,
    "population_sample_action": <uintptr_t>_api.population_sample_action,
    "population_reset": <uintptr_t>_api.population_reset,
    "population_update_A": <uintptr_t>_api.population_update_A,
    "population_update_B": <uintptr_t>_api.population_update_B,
    "population_update_D": <uintptr_t>_api.population_update_D,
    "population_read": <uintptr_t>_api.population_read,
    "population_borrow": <uintptr_t>_api.population_borrow,
    "population_free": <uintptr_t>_api.population_free,
}


cdef class PopulationHandle:
    """A handle of a population's agents, valid as long as this object.

    Parameters
    ----------
    population : Population
        Is not kept; its agents are.
    """
    cdef void* _handle

    def __cinit__(self, population):
        self._handle = NULL
        self._handle = new_handle(POPULATION, target_of(population, False))

    def __dealloc__(self):
        if self._handle != NULL:
            free_handle(self._handle, POPULATION)

    @property
    def address(self):
        """The handle as a number."""
        return <uintptr_t>self._handle
