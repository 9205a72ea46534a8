"""What kernels return: 0, or why they failed. Kernels never raise."""


from freeagent_core._kernels.base.interrupts cimport handle_interrupt


class NotReadyError(AttributeError):
    """Something that an earlier call would have set is missing."""


cdef int raise_status(int status, str what) except -1:
    """Raise the error that a kernel's status stands for, with the GIL."""
    if status == NO_MEMORY:
        raise MemoryError(f"no memory for {what}: too many predicted beliefs are distinct, or "
                          "policies to enumerate")
    if status == INTERRUPTED:  # where the call does not begin again
        handle_interrupt()
        raise InterruptedError(f"{what}: the main thread was interrupted; call again")
    if status != 0:
        raise FloatingPointError(f"{what} became NaN or infinite")
    return 0
