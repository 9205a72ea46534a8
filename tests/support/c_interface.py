"""The C interface as ctypes sees it: every function of freeagent_core.h, read from the header."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

import numpy as np

import freeagent_core
from freeagent_core.c_api import function_address

HEADER = Path(freeagent_core.get_include()) / "freeagent_core.h"
ERRORS = {
    name: int(value) for name, value in re.findall(r"FREEAGENT_(\w+) = (-?\d+)", HEADER.read_text())
}
QS, Q_PI, G = ERRORS["QS"], ERRORS["Q_PI"], ERRORS["G"]


class Argument(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("item", ctypes.c_int64),
        ("kind", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("shape", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("number", ctypes.c_double),
    ]


class Sizes(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("struct_size", "num_modalities", "num_factors", "num_states", "num_policies")
    ]


class Rows(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("num_rows", ctypes.c_int64),
        ("num_columns", ctypes.c_int64),
        ("stride", ctypes.c_int64),
    ]

    def array(self):
        """Return the rows as an array on the same memory."""
        size = (self.num_rows - 1) * self.stride + self.num_columns
        flat = np.ctypeslib.as_array(
            ctypes.cast(self.data, ctypes.POINTER(ctypes.c_double)), (size,)
        )
        return np.lib.stride_tricks.as_strided(
            flat, (self.num_rows, self.num_columns), (8 * self.stride, 8)
        )


def declared():
    """Return the functions of the struct by name: the types of their arguments."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    struct = text[text.index("typedef struct freeagent_api {") : text.index("} freeagent_api;")]
    found = {}
    for name, arguments in re.findall(r"\(\*(\w+)\)\(([^)]*)\)", struct):
        each = [] if arguments.strip() == "void" else arguments.split(",")
        found[name] = [_ctype(argument) for argument in each]
    return found


def _ctype(argument):
    if "*" in argument:
        return ctypes.c_void_p
    return {"int": ctypes.c_int, "int64_t": ctypes.c_int64}[argument.split()[0]]


def _function(name, arguments):
    result = ctypes.c_char_p if name == "last_error_message" else ctypes.c_int
    return ctypes.CFUNCTYPE(result, *arguments)(function_address(name))


class Interface:
    """All functions as attributes."""

    def __init__(self):
        for name, arguments in declared().items():
            setattr(self, name, _function(name, arguments))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def message(self):
        return self.last_error_message().decode()


api = Interface()


def pointer(array):
    """Return a contiguous array's address."""
    assert array.flags.c_contiguous
    return array.ctypes.data


def check(code):
    """Raise what the interface says is wrong."""
    if code != 0:
        assert api.last_error() == code
        raise RuntimeError(api.message())


def as_arguments(arguments):
    """Return a model's keyword arguments for `model_new`, and what must outlive the call."""
    made, kept = [], []
    for name, value in arguments.items():
        if name == "policies" or name.endswith("_factor_list"):
            items = [(i, np.asarray(item, dtype=np.int64)) for i, item in enumerate(value)]
        elif isinstance(value, np.ndarray) and value.dtype == object:
            items = [(i, np.asarray(item, dtype=np.float64)) for i, item in enumerate(value)]
        elif isinstance(value, (list, np.ndarray)):
            array = np.asarray(value)
            items = [(-1, array.astype(np.int64 if array.dtype.kind in "iu" else np.float64))]
        else:
            items = [(-1, value)]
        for item, entry in items:
            argument = Argument(name=name.encode(), item=item)
            if isinstance(entry, str):
                argument.kind, text = ERRORS["TEXT"], ctypes.create_string_buffer(entry.encode())
                argument.data = ctypes.addressof(text)
                kept.append(text)
            elif isinstance(entry, np.ndarray):
                entry = np.ascontiguousarray(entry)
                shape = np.array(entry.shape, dtype=np.int64)
                argument.kind = ERRORS["INDICES" if entry.dtype.kind == "i" else "DOUBLES"]
                argument.ndim, argument.shape = entry.ndim, pointer(shape)
                argument.data = pointer(entry)
                kept += [entry, shape]
            else:
                argument.number = float(entry)
            made.append(argument)
    return (Argument * len(made))(*made), kept


def new_model(**arguments):
    """Return the handle of a model made from arrays."""
    given, kept = as_arguments(arguments)
    handle = ctypes.c_void_p()
    check(api.model_new(ctypes.addressof(given), len(given), ctypes.addressof(handle)))
    del kept
    return handle.value


def new(function, *arguments):
    """Return the handle that a function of the interface makes."""
    handle = ctypes.c_void_p()
    check(getattr(api, function)(*arguments, ctypes.addressof(handle)))
    return handle.value


def sizes_of(kind, handle):
    """Return the sizes of a model, agent or population."""
    sizes = Sizes(struct_size=ctypes.sizeof(Sizes))
    check(getattr(api, f"{kind}_sizes")(handle, ctypes.addressof(sizes)))
    return sizes
