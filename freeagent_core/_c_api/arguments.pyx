"""`GenerativeModel`'s keyword arguments from C: names, numbers, texts and arrays."""

from libc.math cimport floor, isfinite
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from freeagent_core.c_api cimport (
    FREEAGENT_DOUBLES, FREEAGENT_INDICES, FREEAGENT_NUMBER, FREEAGENT_TEXT, freeagent_argument,
)

import inspect

import numpy as np

from freeagent_core.model import GenerativeModel

cdef enum:
    MAX_NDIM = 32                  # what every NumPy has
cdef int64_t MAX_ENTRIES = 1 << 40
cdef int64_t MAX_ITEMS = 1 << 16
cdef dict _defaults = {
    name: parameter.default
    for name, parameter in inspect.signature(GenerativeModel).parameters.items()
}


cdef dict read_arguments(const freeagent_argument* arguments, int64_t count):
    """Return the keyword arguments; ValueError or TypeError names the one that is wrong."""
    cdef int64_t i
    cdef dict found = {}, lists = {}
    if arguments == NULL:
        raise ValueError("arguments is NULL")
    if not 0 < count <= MAX_ITEMS:
        raise ValueError(f"num_arguments must be in 1 to {MAX_ITEMS}, got {count}")
    for i in range(count):
        if arguments[i].name == NULL:
            raise ValueError(f"arguments[{i}].name is NULL")
        name = arguments[i].name.decode()
        known, _, entry = name.partition(".")
        if known not in _defaults:
            raise TypeError(f"arguments[{i}]: a model has no argument {name!r}")
        value = _read_value(&arguments[i], f"arguments[{i}], {name}", _defaults[known])
        if entry:
            target, key = found.setdefault(known, {}), entry
            if not isinstance(target, dict):
                raise ValueError(f"arguments[{i}]: {known} is given twice")
        elif arguments[i].item >= 0:
            target, key = lists.setdefault(known, {}), arguments[i].item
        else:
            target, key = found, known
        if key in target or (target is not found and known in found and not entry):
            raise ValueError(f"arguments[{i}]: {name} is given twice")
        target[key] = value
    for name, items in lists.items():
        if name in found:
            raise ValueError(f"{name} is given both by items and as a whole")
        if max(items) != len(items) - 1:
            raise ValueError(f"{name} has {len(items)} items, but not those from 0 to "
                             f"{len(items) - 1}")
        found[name] = _as_list(name, [items[index] for index in range(len(items))])
    return found


cdef object _read_value(const freeagent_argument* argument, str where, object default):
    if argument.kind == FREEAGENT_NUMBER:
        return _read_number(argument.number, where, default)
    if argument.data == NULL:
        raise ValueError(f"{where}: data is NULL")
    if argument.kind == FREEAGENT_TEXT:
        return (<const char*>argument.data).decode()
    if argument.kind == FREEAGENT_DOUBLES or argument.kind == FREEAGENT_INDICES:
        return _read_array(argument, where)
    raise ValueError(f"{where}: kind is none of freeagent_kind, got {argument.kind}")


cdef object _read_number(double number, str where, object default):
    if not isfinite(number):
        raise ValueError(f"{where} must be finite, got {number}")
    if isinstance(default, bool):
        if number != 0.0 and number != 1.0:
            raise ValueError(f"{where} must be 0 or 1, got {number}")
        return bool(number)
    if isinstance(default, float) or number != floor(number):
        return number
    return int(number)


cdef object _read_array(const freeagent_argument* argument, str where):
    cdef int64_t count = 1
    cdef int32_t k
    cdef double[::1] doubles
    cdef int64_t[::1] indices
    if not 0 <= argument.ndim <= MAX_NDIM:
        raise ValueError(f"{where}: ndim must be in 0 to {MAX_NDIM}, got {argument.ndim}")
    if argument.shape == NULL and argument.ndim > 0:
        raise ValueError(f"{where}: shape is NULL")
    for k in range(argument.ndim):
        if not 1 <= argument.shape[k] <= MAX_ENTRIES // count:
            raise ValueError(f"{where}: shape[{k}] must be positive, and all entries at most "
                             f"{MAX_ENTRIES}, got {argument.shape[k]}")
        count *= argument.shape[k]
    shape = tuple([argument.shape[k] for k in range(argument.ndim)])
    if argument.kind == FREEAGENT_DOUBLES:
        array = np.empty(count)
        doubles = array
        memcpy(&doubles[0], argument.data, count * sizeof(double))
    else:
        array = np.empty(count, dtype=np.int64)
        indices = array
        memcpy(&indices[0], argument.data, count * sizeof(int64_t))
    return array.reshape(shape)


cdef object _as_list(str name, list items):
    if name in ("A_factor_list", "B_factor_list"):
        return [array.tolist() for array in items]
    if name == "policies":
        return items
    container = np.empty(len(items), dtype=object)
    for i, array in enumerate(items):
        container[i] = array
    return container
