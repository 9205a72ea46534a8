from freeagent_core._kernels.action.random_source cimport RandomSource

# NumPy's global generator. Draw with the GIL held, and keep it until `end_draws`.
cdef RandomSource numpy_source

# After the draws of a call: releases the generator's lock, and raises what kept a draw from
# being made (its result is void then).
cdef int end_draws() except -1
