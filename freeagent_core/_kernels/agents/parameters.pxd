from freeagent_core._kernels.inference.fixed_point_iteration cimport FPIParameters
from freeagent_core._kernels.inference.message_passing cimport MMPParameters
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters
from freeagent_core._kernels.planning.sophisticated cimport SIParameters


cdef struct StepParameters:        # what a step is done with, beside the model
    bint passes_messages           # MMP, else the fixed-point iteration
    FPIParameters fpi
    MMPParameters mmp
    Py_ssize_t inference_horizon   # MMP: observed steps at most
    Py_ssize_t num_future_steps    # MMP: steps of a sequence that G adds up
    bint use_BMA                   # MMP: the prior of the next window is averaged over policies
    bint policy_sep_prior          # MMP: the prior of the next window is each policy's own
    EFEParameters efe
    SIParameters search            # horizon 0: no sophisticated inference
    double alpha
    bint stochastic                # action_selection
    bint full                      # sampling_mode
    bint joint_likelihood          # pymdp 0.0.7.1: one likelihood of all modalities
    double tie_tolerance           # probabilities this close to the best are equal to it
    bint first_of_ties             # else one is drawn


cdef class Parameters:
    cdef StepParameters values


# The number `value`, or an error that has its name.
cdef double finite_number(object value, str name) except? -1.0
