"""The C interface's functions for ctypes and cffi, like those of NumPy's bit generators."""

from __future__ import annotations

import ctypes
import functools
import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

from freeagent_core.c_api import PopulationHandle, function_address

if TYPE_CHECKING:
    from freeagent_core.population import Population

# The C types of each function's arguments, as in freeagent_core.h; results are int.
_SIGNATURES: dict[str, tuple[str, ...]] = {
    "step": ("int64_t *", "int64_t", "uint8_t *", "int64_t", "int64_t *", "int64_t"),
    "infer_states": ("int64_t *", "int64_t", "uint8_t *", "int64_t"),
    "infer_policies": ("uint8_t *", "int64_t"),
    "sample_action": ("uint8_t *", "int64_t", "int64_t *", "int64_t"),
    "reset": ("uint8_t *", "int64_t"),
    "update_A": ("int64_t *", "int64_t", "uint8_t *", "int64_t"),
    "update_B": ("double *", "int64_t", "uint8_t *", "int64_t"),
    "update_D": ("double *", "int64_t", "uint8_t *", "int64_t"),
    "read": ("int", "double *", "int64_t"),
}

_CTYPES = {
    "int": ctypes.c_int,
    "int64_t": ctypes.c_int64,
    "int64_t *": ctypes.c_void_p,
    "uint8_t *": ctypes.c_void_p,
    "double *": ctypes.c_void_p,
    "void *": ctypes.c_void_p,
}


class PopulationInterface(NamedTuple):
    """A population's handle and the functions that take it first.

    Each function is ``population_`` and its name in ``freeagent_core.h``, where its arguments are
    explained; it releases the GIL and returns 0 or an error. `population` keeps the
    population, without which the handle is not valid.
    """

    state_address: int
    state: Any
    step: Any
    infer_states: Any
    infer_policies: Any
    sample_action: Any
    reset: Any
    update_A: Any
    update_B: Any
    update_D: Any
    read: Any
    last_error: Any
    last_error_message: Any
    population: Population


def ctypes_interface(population: Population, handle: PopulationHandle) -> PopulationInterface:
    """Return the interface of ``population.ctypes``; pointers are ``c_void_p``."""
    address = handle.address
    return PopulationInterface._make(
        (address, ctypes.c_void_p(address), *_ctypes_functions(), population)
    )


@functools.cache
def _ctypes_functions() -> tuple[Any, ...]:
    functions = [
        ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *(_CTYPES[name] for name in arguments))(
            function_address(f"population_{function}")
        )
        for function, arguments in _SIGNATURES.items()
    ]
    functions.append(ctypes.CFUNCTYPE(ctypes.c_int)(function_address("last_error")))
    functions.append(ctypes.CFUNCTYPE(ctypes.c_char_p)(function_address("last_error_message")))
    return tuple(functions)


def cffi_interface(population: Population, handle: PopulationHandle) -> PopulationInterface:
    """Return the interface of ``population.cffi``; pointers have their types."""
    ffi, functions = _cffi_functions()
    address = handle.address
    return PopulationInterface._make((address, ffi.cast("void *", address), *functions, population))


@functools.cache
def _cffi_functions() -> tuple[Any, tuple[Any, ...]]:
    try:
        cffi: Any = importlib.import_module("cffi")
    except ImportError as error:
        raise ImportError("population.cffi needs cffi: pip install cffi") from error
    ffi = cffi.FFI()
    functions = [
        ffi.cast(f"int (*)(void *, {', '.join(arguments)})", function_address(f"population_{name}"))
        for name, arguments in _SIGNATURES.items()
    ]
    functions.append(ffi.cast("int (*)(void)", function_address("last_error")))
    functions.append(ffi.cast("char *(*)(void)", function_address("last_error_message")))
    return ffi, tuple(functions)
