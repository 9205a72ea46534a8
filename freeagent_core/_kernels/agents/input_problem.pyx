"""A check notes what is wrong as a struct. Here stands the sentence that says it: one for the
Python error and for the C interface."""

from libc.stdio cimport snprintf


cdef void describe_problem(const InputProblem* problem, char* text, size_t size) noexcept nogil:
    """Write what is wrong into `text`, a string of at most `size` bytes."""
    cdef Py_ssize_t i = problem.agent
    if problem.kind == OBSERVATION_OUT_OF_RANGE:
        snprintf(text, size, "observations[%zd, %zd] must be in 0 to %zd, got %zd", i,
                 problem.modality, problem.limit - 1, problem.value)
    elif problem.kind == NO_OBSERVATIONS:
        snprintf(text, size, "observations are needed")
    elif problem.kind == NO_POLICIES:
        snprintf(text, size, "agent %zd needs an infer_policies before sample_action", i)
    elif problem.kind == NO_ACTION:
        snprintf(text, size, "agent %zd needs a sample_action before update_B", i)
    elif problem.kind == NO_ACTION_BETWEEN:
        snprintf(text, size, "agent %zd needs an action between two observations: call "
                 "sample_action before infer_states", i)
    elif problem.kind == NO_BELIEFS:
        snprintf(text, size, "agent %zd has no beliefs: call infer_states before", i)
    elif problem.kind == NO_PRIOR:
        snprintf(text, size, "agent %zd is beyond inference_horizon %zd with neither use_BMA nor "
                 "policy_sep_prior: message passing cannot go on (pymdp fails there too)", i,
                 problem.limit)
    elif problem.kind == NO_PARAM_INFO_GAIN:
        snprintf(text, size, "use_param_info_gain with pB and inference_algo 'MMP' (pymdp fails "
                 "on it)")
    elif problem.kind == NO_LEARNING:
        snprintf(text, size, "update_A and update_B need inference_algo 'VANILLA': MMP's beliefs "
                 "are given a policy, and pymdp's Agent cannot learn from them either")


cdef int raise_problem(const InputProblem* problem) except -1:
    """Raise the Python error of a problem, if there is one."""
    cdef char text[256]
    if problem.kind == NO_PROBLEM:
        return 0
    describe_problem(problem, text, sizeof(text))
    message = text.decode()
    if problem.kind == NO_PARAM_INFO_GAIN:
        raise NotImplementedError(message)
    raise ValueError(message)
