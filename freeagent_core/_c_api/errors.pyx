"""The last error of each thread: a code and a message."""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdio cimport snprintf
from libc.string cimport memcpy, strlen

from freeagent_core.c_api cimport (
    FREEAGENT_BAD_ARGUMENT, FREEAGENT_BUSY, FREEAGENT_INTERRUPTED, FREEAGENT_NO_MEMORY,
    FREEAGENT_NOT_FINITE, FREEAGENT_NOT_READY, FREEAGENT_PYTHON_ERROR, FREEAGENT_UNSUPPORTED,
)

from freeagent_core._kernels.base.state_lock import BusyError
from freeagent_core._kernels.base.status import NotReadyError


cdef extern from *:
    """
    typedef struct { int code; char text[1024]; } fc_thread_error;
    static __thread fc_thread_error fc_error;
    static inline fc_thread_error *fc_this_threads_error(void) { return &fc_error; }
    """
    ctypedef struct fc_thread_error:
        int code
        char* text
    fc_thread_error* fc_this_threads_error() noexcept nogil

cdef extern from "Python.h":
    void PyErr_SetInterrupt()
    void PyErr_SetObject(object kind, object value)
    int Py_AddPendingCall(int (*function)(void*) noexcept, void* argument)


cdef int SIZE = 1024


cdef int last_error() noexcept nogil:
    return fc_this_threads_error().code


cdef const char* last_error_message() noexcept nogil:
    return fc_this_threads_error().text


# Keep the message, cut where a character of UTF-8 begins, and return the code.
cdef int fail(int code, const char* message) noexcept nogil:
    cdef fc_thread_error* error = fc_this_threads_error()
    cdef size_t length = strlen(message)
    if length > <size_t>SIZE - 1:
        length = SIZE - 1
        while length > 0 and (message[length] & 0xC0) == 0x80:
            length -= 1
    error.code = code
    memcpy(error.text, message, length)
    error.text[length] = 0
    return code


cdef int fail_sizes(const char* name, long long expected, long long given) noexcept nogil:
    cdef fc_thread_error* error = fc_this_threads_error()
    error.code = FREEAGENT_BAD_ARGUMENT
    snprintf(error.text, SIZE, "%s must have %lld entries, got %lld", name, expected, given)
    return error.code


cdef int fail_null(const char* name) noexcept nogil:
    cdef fc_thread_error* error = fc_this_threads_error()
    error.code = FREEAGENT_BAD_ARGUMENT
    snprintf(error.text, SIZE, "%s is NULL", name)
    return error.code


cdef int fail_exception(object error) noexcept:
    """Keep a Python exception as a code and a message, with the GIL."""
    cdef int code = FREEAGENT_PYTHON_ERROR
    try:
        message = str(error)
        if isinstance(error, NotImplementedError):
            code = FREEAGENT_UNSUPPORTED
        elif isinstance(error, (ValueError, TypeError, IndexError, OverflowError)):
            code = FREEAGENT_BAD_ARGUMENT
        elif isinstance(error, FloatingPointError):
            code = FREEAGENT_NOT_FINITE
        elif isinstance(error, MemoryError):
            code = FREEAGENT_NO_MEMORY
        elif isinstance(error, NotReadyError):
            code = FREEAGENT_NOT_READY
        elif isinstance(error, BusyError):
            code = FREEAGENT_BUSY
        elif isinstance(error, KeyboardInterrupt):
            code, message = FREEAGENT_INTERRUPTED, "Ctrl-C: the agents at work are as they were"
            PyErr_SetInterrupt()  # Python gets it when it runs again
        else:
            message = f"{type(error).__name__}: {message}"
        return fail(code, message.encode("utf-8", "replace"))
    except BaseException:
        return fail(code, b"an exception whose message cannot be made")


cdef int _raise_kept(void* error) noexcept:
    """Raise an exception that `fail_interrupted` kept."""
    kept = <object>error
    Py_DECREF(kept)
    PyErr_SetObject(type(kept), kept)
    return -1


cdef int fail_interrupted(object error) noexcept:
    """Keep what a signal's handler raised, with the GIL: Python raises it when it runs again."""
    cdef int code = fail_exception(error)
    if isinstance(error, KeyboardInterrupt):
        return code
    Py_INCREF(error)
    if Py_AddPendingCall(_raise_kept, <void*>error) != 0:  # its queue is full
        Py_DECREF(error)
    fc_this_threads_error().code = FREEAGENT_INTERRUPTED
    return FREEAGENT_INTERRUPTED
