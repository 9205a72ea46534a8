from libc.stdint cimport int32_t

from freeagent_core._kernels.base.primitives cimport fc_message
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace


cdef struct MMPParameters:         # pymdp's inference_params of the MMP algorithm
    int num_iter
    bint grad_descent
    double tau


cdef struct MMPWindow:             # what is inferred over: observed steps, then planned ones
    Py_ssize_t past_len            # observed steps
    Py_ssize_t infer_len           # all steps
    Py_ssize_t future_cutoff       # from this step on no messages come from later ones
    bint factorized                # run_mmp_factorized, else run_mmp on one joint likelihood
    Py_ssize_t num_terms           # likelihoods a step has: modalities, or 1
    Py_ssize_t most_messages       # of one update
    const int32_t* term_group      # (num_terms,): the group whose factors each depends on
    const double** likelihood      # (past_len, num_terms): p(o | s) over the group's joint states
    double* log_likelihood         # (past_len, qs_size): the sum of log(p(o | s) + 1e-16) over the
                                   # terms that depend on one factor alone
    double* likelihood_product     # (past_len, qs_size): and its exponential
    fc_message* messages           # (num_messages,): of one update, and where those are computed
    double* message_memory         # (num_messages, message_size)
    Py_ssize_t message_size
    const double** last_belief     # (num_controls_total,): the last step's after each action, and
    double* last_F                 # its share of F; in use within an iteration
    const double** log_joint       # (past_len,): log of the sum of likelihoods over all factors'
                                   # joint states; used without grad_descent only
    double* joint_memory           # (2, joint states of all factors), with log_joint
    Py_ssize_t num_actions         # actions before the policy's
    const Py_ssize_t* actions      # (num_actions, num_factors)


cdef void log_likelihood_sum(const Model* model, const MMPWindow* window, Py_ssize_t step,
                             double* out) noexcept nogil
cdef int pass_messages(const Model* model, const MMPParameters* parameters,
                       const MMPWindow* window, const Py_ssize_t* members,
                       Py_ssize_t num_members, const double* prior, double* qs, double* F,
                       double* xn, double* vn, Workspace* work) noexcept nogil
