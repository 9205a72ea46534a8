"""What is wrong with the input of an operation on a population, found without the GIL."""


cdef enum Problem:
    NO_PROBLEM = 0
    OBSERVATION_OUT_OF_RANGE
    NO_OBSERVATIONS
    NO_POLICIES                    # sample_action before infer_policies
    NO_ACTION                      # update_B before sample_action
    NO_ACTION_BETWEEN              # message passing: two observations, no action
    NO_BELIEFS                     # message passing: infer_policies before infer_states
    NO_PRIOR                       # message passing: beyond the horizon
    NO_PARAM_INFO_GAIN             # message passing with pB
    NO_LEARNING                    # message passing: update_A and update_B


cdef struct InputProblem:
    Problem kind
    Py_ssize_t agent, modality
    Py_ssize_t value, limit


cdef void describe_problem(const InputProblem* problem, char* text, size_t size) noexcept nogil
cdef int raise_problem(const InputProblem* problem) except -1
