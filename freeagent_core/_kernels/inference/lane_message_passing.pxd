from freeagent_core._kernels.inference.message_passing cimport MMPParameters
from freeagent_core._kernels.model.lane_model cimport LaneMemory
from freeagent_core._kernels.model.message_lanes cimport MessageLanes


cdef struct LaneWindow:            # arrays of lanes of one block; MMPWindow says what they are
    Py_ssize_t past_len
    Py_ssize_t infer_len
    double* prior                  # (num_states,)
    double* likelihood             # (past_len, num_states): the product of p(o | s) + 1e-16 of the
                                   # modalities that depend on one factor alone
    double* coupled                # (past_len, num_coupled): p(o | s) of the others
    double* forward                # (past_len - 1, num_forward): transitions under the actions
    double* backward               # (past_len - 1, num_backward)
    double* beliefs                # (num_families, infer_len - 1, num_states)
    double* last                   # (num_families, num_last): those of the last step
    double* F                      # (num_policies,), in the order of families
    double* messages               # (MAX_MESSAGES, max_states)
    double* present                # (num_states,): averaged over policies
    double* shared_F               # (1,)
    double* total                  # (1,)
    double* last_F                 # (num_controls_total,)
    double* values                 # (max_members, num_groups)
    unsigned char* is_last         # (num_controls_total,): whether a member has the action last


cdef void lay_out_lanes(const MessageLanes* m, Py_ssize_t past_len, double* memory,
                        LaneWindow* window) noexcept nogil
cdef void pass_family_messages(const MessageLanes* m, const MMPParameters* parameters,
                               const LaneWindow* window, Py_ssize_t family,
                               LaneMemory* memory) noexcept nogil
