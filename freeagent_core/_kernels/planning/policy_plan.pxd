from libc.stdint cimport int32_t

from freeagent_core._kernels.model.batched_model cimport BatchedModel, BatchedTables, Table


# Beliefs of one factor at one step that policies can lead to: the action and, of each parent,
# the belief at the step before.
ctypedef struct BeliefSlots:
    Py_ssize_t count
    const int32_t* actions
    const int32_t* parents         # (count, num_parents)


# Joint beliefs of a group's parents at one step.
ctypedef struct JointSlots:
    Py_ssize_t count
    const int32_t* parents         # (count, num_parents): beliefs at this step


# Distinct beginnings of policies.
ctypedef struct Prefixes:
    Py_ssize_t count
    const int32_t* before          # the prefix one step shorter
    const int32_t* joints          # (count, num_groups)
    const int32_t* beliefs         # (count, num_factors)


ctypedef struct GroupValues:
    Py_ssize_t num_steps           # 1 if preferences do not depend on time
    Table linear                   # (num_steps, size): what a joint state adds
    Table certain                  # (num_steps, size): the value where the state is certain


ctypedef struct OutcomeTables:
    Table A                        # (size, num_obs)
    Table novelty                  # (size, num_obs), or data is NULL


ctypedef struct TransitionTables:
    const int32_t* next_state      # (num_controls, size): where it is certain, else -1; or NULL
    Py_ssize_t next_state_stride
    Table novelty                  # (num_controls, size, num_states), or data is NULL
    Table inductive                # (depth, num_states), or data is NULL
    Py_ssize_t depth


ctypedef struct SharedPolicies:
    Py_ssize_t num_policies, num_steps
    bint states_info_gain, merge
    BeliefSlots* beliefs           # (num_steps, num_factors)
    JointSlots* joints             # (num_steps, num_groups)
    Prefixes* prefixes             # (num_steps,)
    const int32_t* last            # of each policy, its prefix of all steps
    const int32_t* first_action    # (num_policies, num_factors)
    Py_ssize_t* max_slots          # (num_factors,) at one step
    Py_ssize_t* max_beliefs        # (num_factors,) at all steps and now
    GroupValues* groups
    OutcomeTables* modalities
    TransitionTables* factors
    Table log_E                    # (num_policies,)
    Table gamma                    # ()
    Table log_epsilon              # (): of inductive inference


cdef class PolicyPlan:
    cdef SharedPolicies policies
    cdef BatchedModel model
    cdef list _kept
    cdef void* _block
    cdef int _set(self, Table* table, object array, tuple shape, str name) except -1
    cdef const int32_t* _ints(self, object array, Py_ssize_t size, str name) except NULL
