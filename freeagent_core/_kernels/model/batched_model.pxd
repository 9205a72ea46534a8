from libc.stdint cimport int32_t


# An array with a leading axis of agents; stride is 0 if all agents share one.
ctypedef struct Table:
    const double* data
    Py_ssize_t stride


# Modalities with the same parents: their likelihoods are over the same joint states.
ctypedef struct ParentGroup:
    Py_ssize_t num_parents, size, num_modalities
    const int32_t* parents         # factors
    const Py_ssize_t* sizes        # states of each parent
    const int32_t* modalities


ctypedef struct Likelihood:
    Py_ssize_t num_obs, obs_offset, size, group
    Table log_A                    # (num_obs, size), log(max(A, 2^-52))


ctypedef struct Transition:
    Py_ssize_t num_states, offset, num_controls, size, num_parents
    const int32_t* parents
    const Py_ssize_t* sizes
    Table B                        # (num_controls, size, num_states)
    Table log_B                    # log(max(B, 2^-52)), for VMP; data is NULL without


ctypedef struct BatchedTables:
    Py_ssize_t batch_size, num_modalities, num_factors, num_groups
    Py_ssize_t num_states_total, num_obs_total
    Py_ssize_t max_tensor          # the most numbers in log_A of one observation or B of one action
    Py_ssize_t group_total         # joint states of all groups
    Likelihood* modalities
    Transition* factors
    ParentGroup* groups


cdef class BatchedModel:
    cdef BatchedTables tables
    cdef list _kept                # what the pointers point into
    cdef void* _block
    cdef readonly tuple num_states, num_obs, num_controls
    cdef readonly tuple A_dependencies, B_dependencies, groups
    cdef int _set(self, Table* table, object array, tuple shape, str name) except -1


cdef inline const double* of_agent(const Table* table, Py_ssize_t agent) noexcept nogil:
    return table.data + agent * table.stride
