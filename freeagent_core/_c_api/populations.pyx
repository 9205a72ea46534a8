"""The functions of populations."""

from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t, uint8_t

from freeagent_core._c_api.core_target cimport CoreTarget, ModelTarget, target_of
from freeagent_core._c_api.errors cimport fail, fail_exception, fail_null
from freeagent_core._c_api.handles cimport MODEL, POPULATION, find, free_handle, new_handle
from freeagent_core._c_api.operations cimport Input, act, borrow, copy_sizes, learn, read, reset
from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION,
)
from freeagent_core._kernels.agents.population_core cimport LEARN_A, LEARN_B, LEARN_D
from freeagent_core.c_api cimport (
    FREEAGENT_BAD_HANDLE, FREEAGENT_OK, FREEAGENT_UNSUPPORTED, freeagent_model,
    freeagent_population, freeagent_rows, freeagent_sizes,
)

from freeagent_core.population import Population


cdef int population_new(freeagent_model* model, int64_t size, int64_t seed, int64_t first_agent,
                        freeagent_population** population) noexcept nogil:
    cdef void* target
    if population == NULL:
        return fail_null(b"population")
    with gil:
        target = find(model, MODEL)
        if target == NULL:
            return FREEAGENT_BAD_HANDLE
        try:
            made = Population((<ModelTarget>target).model, size, num_threads=1,
                              seed=None if seed < 0 else seed, first_agent=first_agent)
            kept = target_of(made, True)
            kept.is_exclusive = True
            population[0] = <freeagent_population*>new_handle(POPULATION, kept)
            return FREEAGENT_OK
        except BaseException as error:
            return fail_exception(error)


cdef int population_from_python(PyObject* source,
                                freeagent_population** population) noexcept nogil:
    if source == NULL:
        return fail_null(b"object")
    if population == NULL:
        return fail_null(b"population")
    with gil:
        try:
            found = <object><void*>source
            if not isinstance(found, Population):
                raise TypeError(f"the object must be a Population, got {type(found).__name__}")
            population[0] = <freeagent_population*>new_handle(
                POPULATION, target_of(found, True))
            return FREEAGENT_OK
        except BaseException as error:
            return fail_exception(error)


cdef int population_to_python(freeagent_population* population, PyObject** result) noexcept nogil:
    cdef void* target
    if result == NULL:
        return fail_null(b"object")
    with gil:
        target = find(population, POPULATION)
        if target == NULL:
            return FREEAGENT_BAD_HANDLE
        kept = <CoreTarget>target
        if kept.population is None:
            return fail(FREEAGENT_UNSUPPORTED, b"the handle belongs to a Population of Python, "
                        b"which does not go by way of it")
        kept.is_exclusive, kept.prepared = False, 0
        Py_INCREF(kept.population)
        result[0] = <PyObject*><void*>kept.population
    return FREEAGENT_OK


cdef int population_size(freeagent_population* population, int64_t* size) noexcept nogil:
    cdef void* target = find(population, POPULATION)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    if size == NULL:
        return fail_null(b"size")
    size[0] = (<CoreTarget>target).core.size
    return FREEAGENT_OK


cdef int population_sizes(freeagent_population* population,
                          freeagent_sizes* sizes) noexcept nogil:
    cdef void* target = find(population, POPULATION)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    return copy_sizes(&(<CoreTarget>target).sizes, sizes)


cdef Input _input(const int64_t* observations, int64_t num_observations, const double* beliefs,
                  int64_t num_beliefs, const uint8_t* mask, int64_t num_mask) noexcept nogil:
    cdef Input given
    given.observations, given.num_observations = observations, num_observations
    given.beliefs, given.num_beliefs = beliefs, num_beliefs
    given.mask, given.num_mask = mask, num_mask
    return given


cdef int _act(freeagent_population* population, int operations, Input given, int64_t* actions,
              int64_t num_actions) noexcept nogil:
    cdef void* target = find(population, POPULATION)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    return act(<CoreTarget>target, operations, &given, actions, num_actions)


cdef int _learn(freeagent_population* population, int operation, Input given) noexcept nogil:
    cdef void* target = find(population, POPULATION)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    return learn(<CoreTarget>target, operation, &given)


cdef int population_step(freeagent_population* population, const int64_t* observations,
                         int64_t num_observations, const uint8_t* mask, int64_t num_mask,
                         int64_t* actions, int64_t num_actions) noexcept nogil:
    return _act(population, INFER_STATES | INFER_POLICIES | SAMPLE_ACTION,
                _input(observations, num_observations, NULL, 0, mask, num_mask), actions,
                num_actions)


cdef int population_infer_states(freeagent_population* population, const int64_t* observations,
                                 int64_t num_observations, const uint8_t* mask,
                                 int64_t num_mask) noexcept nogil:
    return _act(population, INFER_STATES,
                _input(observations, num_observations, NULL, 0, mask, num_mask), NULL, 0)


cdef int population_infer_policies(freeagent_population* population, const uint8_t* mask,
                                   int64_t num_mask) noexcept nogil:
    return _act(population, INFER_POLICIES, _input(NULL, 0, NULL, 0, mask, num_mask), NULL, 0)


cdef int population_sample_action(freeagent_population* population, const uint8_t* mask,
                                  int64_t num_mask, int64_t* actions,
                                  int64_t num_actions) noexcept nogil:
    return _act(population, SAMPLE_ACTION, _input(NULL, 0, NULL, 0, mask, num_mask), actions,
                num_actions)


cdef int population_reset(freeagent_population* population, const uint8_t* mask,
                          int64_t num_mask) noexcept nogil:
    cdef Input given = _input(NULL, 0, NULL, 0, mask, num_mask)
    cdef void* target = find(population, POPULATION)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    return reset(<CoreTarget>target, &given)


cdef int population_update_A(freeagent_population* population, const int64_t* observations,
                             int64_t num_observations, const uint8_t* mask,
                             int64_t num_mask) noexcept nogil:
    return _learn(population, LEARN_A,
                  _input(observations, num_observations, NULL, 0, mask, num_mask))


cdef int population_update_B(freeagent_population* population, const double* qs_previous,
                             int64_t num_values, const uint8_t* mask,
                             int64_t num_mask) noexcept nogil:
    return _learn(population, LEARN_B, _input(NULL, 0, qs_previous, num_values, mask, num_mask))


cdef int population_update_D(freeagent_population* population, const double* qs_first,
                             int64_t num_values, const uint8_t* mask,
                             int64_t num_mask) noexcept nogil:
    return _learn(population, LEARN_D, _input(NULL, 0, qs_first, num_values, mask, num_mask))


cdef int population_read(freeagent_population* population, int quantity, double* values,
                         int64_t num_values) noexcept nogil:
    cdef void* target = find(population, POPULATION)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    return read(<CoreTarget>target, quantity, values, num_values)


cdef int population_borrow(freeagent_population* population, int quantity, int64_t factor,
                           freeagent_rows* rows) noexcept nogil:
    cdef void* target = find(population, POPULATION)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    return borrow(<CoreTarget>target, quantity, factor, rows)


cdef int population_free(freeagent_population* population) noexcept nogil:
    with gil:
        return free_handle(population, POPULATION)
