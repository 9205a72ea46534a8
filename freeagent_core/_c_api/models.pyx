"""The functions of models."""

from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t

from freeagent_core._c_api.arguments cimport read_arguments
from freeagent_core._c_api.core_target cimport ModelTarget
from freeagent_core._c_api.errors cimport fail_exception, fail_null, fail_sizes
from freeagent_core._c_api.handles cimport MODEL, find, free_handle, new_handle
from freeagent_core._c_api.operations cimport copy_sizes
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core.c_api cimport (
    FREEAGENT_BAD_HANDLE, FREEAGENT_OK, freeagent_argument, freeagent_model,
    freeagent_sizes,
)

from freeagent_core.model import GenerativeModel


cdef ModelTarget _new_target(object model):
    if not isinstance(model, GenerativeModel):
        raise TypeError(f"the object must be a GenerativeModel, got {type(model).__name__}")
    return ModelTarget(model)


cdef int model_new(const freeagent_argument* arguments, int64_t num_arguments,
                   freeagent_model** model) noexcept nogil:
    if model == NULL:
        return fail_null(b"model")
    with gil:
        try:
            given = read_arguments(arguments, num_arguments)
            missing = {"A", "B"} - given.keys()
            if missing:
                raise TypeError(f"a model needs {min(missing)}")
            model[0] = <freeagent_model*>new_handle(MODEL, _new_target(GenerativeModel(**given)))
            return FREEAGENT_OK
        except BaseException as error:
            return fail_exception(error)


cdef int model_from_python(PyObject* generative_model, freeagent_model** model) noexcept nogil:
    if generative_model == NULL:
        return fail_null(b"generative_model")
    if model == NULL:
        return fail_null(b"model")
    with gil:
        try:
            model[0] = <freeagent_model*>new_handle(
                MODEL, _new_target(<object><void*>generative_model))
            return FREEAGENT_OK
        except BaseException as error:
            return fail_exception(error)


cdef int model_to_python(freeagent_model* model, PyObject** generative_model) noexcept nogil:
    cdef void* target
    if generative_model == NULL:
        return fail_null(b"generative_model")
    with gil:
        target = find(model, MODEL)
        if target == NULL:
            return FREEAGENT_BAD_HANDLE
        found = (<ModelTarget>target).model
        Py_INCREF(found)
        generative_model[0] = <PyObject*><void*>found
    return FREEAGENT_OK


cdef int model_sizes(freeagent_model* model, freeagent_sizes* sizes) noexcept nogil:
    cdef void* target = find(model, MODEL)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    return copy_sizes(&(<ModelTarget>target).sizes, sizes)


# The packed model, for the numbers of a list of `count` that `name` says; NULL with `code` an error.
cdef const Model* _packed_for(freeagent_model* model, const char* name, const int64_t* numbers,
                              int64_t count, bint of_modalities, int* code) noexcept nogil:
    cdef void* target = find(model, MODEL)
    cdef const Model* packed
    cdef int64_t expected
    if target == NULL:
        code[0] = FREEAGENT_BAD_HANDLE
        return NULL
    packed = &(<ModelTarget>target).packed.model
    expected = packed.num_modalities if of_modalities else packed.num_factors
    code[0] = FREEAGENT_OK
    if numbers == NULL:
        code[0] = fail_null(name)
    elif count != expected:
        code[0] = fail_sizes(name, expected, count)
    return packed if code[0] == FREEAGENT_OK else NULL


cdef int model_num_obs(freeagent_model* model, int64_t* num_obs,
                       int64_t num_modalities) noexcept nogil:
    cdef int code
    cdef const Model* packed = _packed_for(model, b"num_obs", num_obs, num_modalities, True, &code)
    cdef Py_ssize_t m
    if packed != NULL:
        for m in range(num_modalities):
            num_obs[m] = packed.modalities[m].num_obs
    return code


cdef int model_num_states(freeagent_model* model, int64_t* num_states,
                          int64_t num_factors) noexcept nogil:
    cdef int code
    cdef const Model* packed = _packed_for(model, b"num_states", num_states, num_factors, False,
                                           &code)
    cdef Py_ssize_t f
    if packed != NULL:
        for f in range(num_factors):
            num_states[f] = packed.factors[f].num_states
    return code


cdef int model_num_controls(freeagent_model* model, int64_t* num_controls,
                            int64_t num_factors) noexcept nogil:
    cdef int code
    cdef const Model* packed = _packed_for(model, b"num_controls", num_controls, num_factors,
                                           False, &code)
    cdef Py_ssize_t f
    if packed != NULL:
        for f in range(num_factors):
            num_controls[f] = packed.factors[f].num_controls
    return code


cdef int model_free(freeagent_model* model) noexcept nogil:
    with gil:
        return free_handle(model, MODEL)
