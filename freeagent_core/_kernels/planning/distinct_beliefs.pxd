from libc.stdint cimport int32_t, int64_t

from freeagent_core._kernels.base.fixed_hash_table cimport FixedHashTable


cdef struct FactorBeliefs:
    Py_ssize_t count
    double* values                 # (max_beliefs, num_states)
    int32_t* support               # (max_beliefs, num_states): states of nonzero probability
    int32_t* support_size          # (max_beliefs,)
    int32_t* of_state              # (num_states,): the belief that is certain of it, or -1
    int32_t* certain_state         # (max_beliefs,): the state that a belief is certain of, or -1
    double* inductive              # (max_beliefs,)
    const double* inductive_row    # of the current belief, or NULL
    FixedHashTable by_value
    FixedHashTable by_cause             # (action, parents) -> belief
    int64_t radix                  # keys of causes; 0 if they do not fit into 63 bits
    int32_t* now                   # the belief of each slot at the step at hand
    int32_t* before                # and at the step before
    double* slot_value             # novelty and inductive value of each slot


cdef int32_t add_belief(FactorBeliefs* f, Py_ssize_t n, int32_t epoch) noexcept nogil
cdef int32_t add_certain(FactorBeliefs* f, Py_ssize_t n, Py_ssize_t state,
                         int32_t epoch) noexcept nogil
