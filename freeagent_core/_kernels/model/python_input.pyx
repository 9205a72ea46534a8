# cython: boundscheck=True, wraparound=True
"""Reading Python input: the checks between callers' objects and the kernels.

Every function either fills C memory with checked numbers or raises an error that names
the argument, the index and what was expected; none changes anything else.

Arrays are made and read through NumPy's C interface, here alone. Measured (a step of the 5x5
grid): as Python calls and requests for buffers that was 0.25 us of 1.4.
"""

cimport cython
cimport numpy as cnp
from cpython.long cimport PyLong_AsLongAndOverflow, PyLong_CheckExact
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.math cimport isfinite
from libc.string cimport memcpy

from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.structs cimport Factor, Model

from numbers import Real as _Real
from operator import index as _as_index

import numpy as np

cnp.import_array()

cdef type _ndarray = np.ndarray


cdef object new_array(const double* values, Py_ssize_t n):
    """Return a new float64 array of the `n` values."""
    cdef cnp.npy_intp size = n
    cdef object array = cnp.PyArray_SimpleNew(1, &size, cnp.NPY_DOUBLE)
    memcpy(cnp.PyArray_DATA(<cnp.ndarray>array), values, n * sizeof(double))
    return array


# The numbers of an array that `new_array` made.
cdef double* array_data(object array) noexcept:
    return <double*>cnp.PyArray_DATA(<cnp.ndarray>array)


cdef object new_beliefs(const Model* model, const double* qs):
    """Return beliefs about all factors: an object array of a new array per factor."""
    cdef Py_ssize_t f
    cdef cnp.npy_intp num_factors = model.num_factors
    cdef object beliefs = cnp.PyArray_SimpleNew(1, &num_factors, cnp.NPY_OBJECT)
    cdef PyObject** entries = <PyObject**>cnp.PyArray_DATA(<cnp.ndarray>beliefs)
    for f in range(model.num_factors):
        belief = new_array(qs + model.factors[f].offset, model.factors[f].num_states)
        Py_XDECREF(entries[f])  # None, where NumPy fills new arrays with it
        Py_INCREF(belief)
        entries[f] = <PyObject*>belief
    return beliefs


# The data of an array of one axis with `n` contiguous entries of a type; else NULL.
cdef void* _plain_data(object value, Py_ssize_t n, int kind) noexcept:
    cdef cnp.ndarray array
    if not cnp.PyArray_CheckExact(value):
        return NULL
    array = <cnp.ndarray>value
    if (cnp.PyArray_NDIM(array) != 1 or cnp.PyArray_DIM(array, 0) != n
            or cnp.PyArray_TYPE(array) != kind or not cnp.PyArray_ISCARRAY_RO(array)):
        return NULL
    return cnp.PyArray_DATA(array)


# The usual case, a float64 array of `n` contiguous numbers; False if it is something else.
cdef bint _copy_plain(object value, Py_ssize_t n, double* out) noexcept:
    cdef void* data = _plain_data(value, n, cnp.NPY_DOUBLE)
    if data == NULL:
        return False
    memcpy(out, data, n * sizeof(double))
    return True


cdef int read_doubles(object value, Py_ssize_t n, double* out, str name) except -1:
    """Copy `n` finite numbers from an array of any real dtype and layout."""
    cdef Py_ssize_t i
    if not _copy_plain(value, n, out):
        array = _float_array(value, name)
        if array.ndim != 1 or len(array) != n:
            raise ValueError(f"{name} must have shape ({n},), got {array.shape}")
        _copy_plain(array, n, out)
    for i in range(n):
        if not isfinite(out[i]):
            raise ValueError(f"{name}[{i}] must be finite, got {out[i]}")
    return 0


cdef bint _is_real_number(object value):
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return isinstance(value, (_Real, np.bool_))


cdef object _float_array(object value, str name):
    if np.ma.is_masked(value):
        raise ValueError(f"{name} must not have masked entries")
    try:
        array = np.asarray(value)
        if array.dtype == object:  # numbers in an object array are numbers
            array = np.array(array.tolist())
        if array.dtype.kind not in "biuf":
            raise TypeError
    except (TypeError, ValueError):
        if isinstance(value, (list, tuple)):
            for i, entry in enumerate(value):
                if not _is_real_number(entry):
                    raise TypeError(f"{name}[{i}] must be a real number, got {entry!r:.80}") from None
        raise TypeError(f"{name} must be an array of real numbers, got {value!r:.80}") from None
    return np.ascontiguousarray(array, dtype=np.float64)


cdef int read_probabilities(object value, Py_ssize_t n, double* out, str name) except -1:
    """Copy `n` finite numbers that are not negative."""
    cdef Py_ssize_t i
    read_doubles(value, n, out, name)
    for i in range(n):
        if out[i] < 0.0:
            raise ValueError(f"{name}[{i}] must not be negative, got {out[i]}")
    return 0


cdef bint _is_plain_belief(object value, Py_ssize_t n, double* out) noexcept:
    # a finite sum has no NaN in it, so the minimum is one
    return _copy_plain(value, n, out) and isfinite(P.sum(out, n)) and P.min(out, n) >= 0.0


cdef int read_beliefs(PackedModel packed, OwnedWorkspace workspace, object value,
                      str name) except -1:
    """Write the beliefs of all factors, an object array or a sequence, to work.qs_new."""
    cdef Py_ssize_t i, num_factors = packed.model.num_factors
    cdef bint is_one = False
    cdef const Factor* f
    # the usual case, as `new_beliefs` makes them
    cdef PyObject** entries = <PyObject**>_plain_data(value, num_factors, cnp.NPY_OBJECT)
    if entries != NULL:
        for i in range(num_factors):
            f = &packed.model.factors[i]
            if entries[i] == NULL or not _is_plain_belief(
                    <object>entries[i], f.num_states, workspace.work.qs_new + f.offset):
                break
        else:
            return 0
    if num_factors == 1 and isinstance(value, _ndarray) and value.dtype != object:
        value, is_one = [value.squeeze() if value.ndim > 1 else value], True
    try:
        count = -1 if isinstance(value, (dict, set, frozenset)) else len(value)
    except TypeError:
        count = -1
    if count < 0:
        raise TypeError(f"{name} must be an object array with one array per factor, "
                        f"got {type(value).__name__}")
    if count != num_factors:
        raise ValueError(f"{name} must have one array per factor ({num_factors}), got {count}")
    if isinstance(value, list):
        value = tuple(value)
    for i in range(num_factors):
        f = &packed.model.factors[i]
        belief = value[i]
        # the name is made only where it is needed
        if not _is_plain_belief(belief, f.num_states, workspace.work.qs_new + f.offset):
            read_probabilities(belief, f.num_states, workspace.work.qs_new + f.offset,
                               name if is_one else f"{name}[{i}]")
    return 0


# What an argument is called, or its entry of a time step.
cdef str _of_step(str name, Py_ssize_t step):
    return name if step < 0 else f"{name}[{step}]"


cdef int read_action(PackedModel packed, OwnedWorkspace workspace, object value,
                     str name="action", Py_ssize_t step=-1) except -1:
    """Write an action, one control per factor, to work.action."""
    cdef Py_ssize_t i, num_factors = packed.model.num_factors
    cdef Py_ssize_t* action = workspace.work.action
    # p_actions is free between calls, and every factor has at least one control
    cdef double* values = workspace.work.p_actions
    if not (_copy_plain(value, num_factors, values) and isfinite(P.sum(values, num_factors))):
        read_doubles(value, num_factors, values, _of_step(name, step))
    for i in range(num_factors):
        # the conversion is defined in the bounds
        action[i] = <Py_ssize_t>values[i] if -1.0 < values[i] < 1e9 else -1
        if not (0.0 <= values[i] < packed.model.factors[i].num_controls
                and values[i] == action[i]):
            raise ValueError(f"{_of_step(name, step)}[{i}] must be an integer in 0 to "
                             f"{packed.model.factors[i].num_controls - 1}, got {values[i]}")
    return 0


# A list of plain ints, one in range per modality: the usual case, without a name lookup.
cdef bint _are_indices(const Model* model, list values, Py_ssize_t* indices) except -1:
    cdef Py_ssize_t m
    cdef int overflow = 0
    if len(values) != model.num_modalities:
        return False
    for m in range(model.num_modalities):
        entry = values[m]
        if not PyLong_CheckExact(entry):
            return False
        indices[m] = PyLong_AsLongAndOverflow(entry, &overflow)
        if overflow != 0 or not 0 <= indices[m] < model.modalities[m].num_obs:
            return False
    return True


cdef int read_observation(PackedModel packed, OwnedWorkspace workspace, object observation,
                          bint distr_obs, str name="observation",
                          Py_ssize_t step=-1) except -1:
    """Write indices to work.observation and return 0, or vectors to work.distributions: 1.

    Accepts an int (one modality), a sequence of ints, an integer array with an entry per
    modality, a vector (one modality) and sequences or object arrays of vectors.
    """
    cdef const Model* model = &packed.model
    cdef Py_ssize_t m, i, num_modalities = model.num_modalities
    if type(observation) is list and _are_indices(model, <list>observation,
                                                  workspace.work.observation):
        return 0
    if isinstance(observation, _ndarray):
        if observation.ndim == 0:
            observation = [observation[()]]
        elif observation.dtype == object:
            pass
        elif observation.ndim == 1 and observation.dtype.kind in "iu" and (
                len(observation) == num_modalities and not (distr_obs and num_modalities == 1)):
            observation = observation.tolist()
        elif observation.ndim == 1 and num_modalities == 1:
            observation = [observation]
    elif not isinstance(observation, (list, tuple)):
        if num_modalities == 1 or not hasattr(observation, "__len__"):
            observation = [observation]
        elif isinstance(observation, (dict, set, frozenset)):
            raise TypeError(f"{_of_step(name, step)} must be a sequence with one entry per "
                            f"modality, got {observation!r:.80}")
    if len(observation) != num_modalities:
        raise ValueError(f"{_of_step(name, step)} must have one entry per modality ({num_modalities}), "
                         f"got {len(observation)}")
    if isinstance(observation, list):  # an entry's own code may change the caller's list
        observation = tuple(observation)
    for m in range(num_modalities):
        entry = observation[m]
        if PyLong_CheckExact(entry):
            try:
                i = entry
            except OverflowError:
                i = -1
        elif isinstance(entry, (bool, np.bool_)):
            raise TypeError(f"{_of_step(name, step)}[{m}] must be an integer, got {entry!r}")
        else:
            try:
                i = _as_index(entry)
            except OverflowError:
                i = -1
            except (TypeError, np.ma.MAError):
                if isinstance(entry, (list, tuple)) or (
                        isinstance(entry, _ndarray) and entry.ndim > 0):
                    return _read_vectors(packed, workspace, observation, distr_obs,
                                         _of_step(name, step))
                raise TypeError(f"{_of_step(name, step)}[{m}] must be an integer or a vector, "
                                f"got {entry!r:.80}") from None
        if not 0 <= i < model.modalities[m].num_obs:
            raise ValueError(f"{_of_step(name, step)}[{m}] must be in 0 to "
                             f"{model.modalities[m].num_obs - 1}, got {entry!r:.80}")
        workspace.work.observation[m] = i
    return 0


cdef int _read_vectors(PackedModel packed, OwnedWorkspace workspace, object observation,
                       bint distr_obs, str name) except -1:
    """Write one vector per modality: one-hot, or any distribution with distr_obs."""
    cdef const Model* model = &packed.model
    cdef Py_ssize_t m, o, ones, others
    cdef double* vector
    for m in range(model.num_modalities):
        vector = <double*>workspace.work.distributions[m]
        read_probabilities(observation[m], model.modalities[m].num_obs, vector,
                           f"{name}[{m}]")
        if distr_obs:
            continue
        ones = others = 0
        for o in range(model.modalities[m].num_obs):
            ones += vector[o] == 1.0
            others += vector[o] != 0.0 and vector[o] != 1.0
        if ones != 1 or others:
            raise ValueError(f"{name}[{m}] must be an index or a one-hot vector; "
                             "give distributions with distr_obs=True")
    return 1
