"""Workspaces of one model that threads take and give back without the GIL."""

from freeagent_core._kernels.base.atomics cimport load, store
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cdef extern from "<sched.h>" nogil:
    int sched_yield()


cdef class SharedWorkspaces:
    """Workspaces of `packed`, as many as threads have been at work at the same time."""

    def __init__(self, PackedModel packed not None):
        if self._packed is not None:
            raise TypeError("SharedWorkspaces cannot be initialised twice")
        self._packed, self._owned = packed, []
        if not self._add():
            raise MemoryError("no memory for a workspace")

    def __dealloc__(self):
        for workspace in self._owned or ():
            self._packed.release_workspace(<OwnedWorkspace>workspace)

    # Another than the one at `at`, which is taken; a new one if all are.
    cdef SharedWorkspace* search(self, Py_ssize_t at) noexcept nogil:
        cdef Py_ssize_t i, count = load(&self._count)
        cdef bint added
        while True:
            for i in range(count):
                if fc_take_flag(&self._slots[at].is_taken):
                    fc_note_taker(&self._slots[at].thread, fc_this_thread())
                    return &self._slots[at]
                at = at + 1 if at + 1 < count else 0
            if count == MAX_SHARED:
                sched_yield()
                continue
            with gil:
                added = self._add()
            if not added:
                return NULL
            count = load(&self._count)
            at = count - 1

    cdef bint _add(self) noexcept:
        cdef OwnedWorkspace workspace
        if self._count == MAX_SHARED:
            return True
        try:
            workspace = self._packed.acquire_workspace()
            self._owned.append(workspace)
        except MemoryError:
            return False
        self._slots[self._count].work = &workspace.work
        store(&self._count, self._count + 1)
        return True
