from libc.stdint cimport uint64_t

from freeagent_core._kernels.action.random_source cimport RandomSource


# Draws from the stream with these four words of state.
cdef RandomSource agent_source(uint64_t* state) noexcept nogil
