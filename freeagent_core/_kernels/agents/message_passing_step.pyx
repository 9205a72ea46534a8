"""The part of a step that is marginal message passing over a window of steps.

The window has the last observed steps, the present one among them, and those that a policy
plans. What is inferred lies in the workspace's extra memory until it is kept:

    sequences    (num_policies, infer_len, qs_size)
    F            (num_policies,)
    what the window points to: likelihoods of its observed steps
"""

from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, History,
)
from freeagent_core._kernels.base.interrupts cimport interrupted
from freeagent_core._kernels.base.primitives cimport P, fc_message
from freeagent_core._kernels.base.status cimport INTERRUPTED, NO_MEMORY
from freeagent_core._kernels.inference.message_passing cimport (
    log_likelihood_sum, pass_messages,
)
from freeagent_core._kernels.base.growable_array cimport grow
from freeagent_core._kernels.model.structs cimport Factor, Group, Modality, Model, PolicyTree
from freeagent_core._kernels.planning.policy_evaluation cimport evaluate_sequences


# The steps and likelihoods of a window, in the workspace's extra memory behind the sequences.
# Likelihoods of outcomes are rows of A; those of distributions, and the joint ones of pymdp
# 0.0.7.1, are computed: cost of the modality's size a step. Returns 0 or NO_MEMORY.
cdef int lay_out_window(Task* task, MMPWindow* window) noexcept nogil:
    cdef AgentState* agent = task.agent
    cdef const Model* model = agent.model
    cdef const History* history = task.history
    cdef Py_ssize_t num_modalities = model.num_modalities, past_len = history.num_steps + 1
    cdef Py_ssize_t largest = 1, joint = 1, num_doubles, sequences, g, k, t
    cdef Py_ssize_t num_messages, message_size = 0
    cdef Py_ssize_t message_doubles = sizeof(fc_message) // sizeof(double)
    cdef bint factorized = not task.joint_likelihood
    cdef Py_ssize_t num_terms = num_modalities if factorized else 1
    cdef double* here
    cdef int32_t* term_group
    for g in range(model.num_groups):
        largest = max(largest, model.groups[g].num_joint)
    num_messages = num_terms + 2  # with one from before and the belief itself
    for k in range(model.num_factors):
        joint *= model.factors[k].num_states
        num_messages += model.factors[k].num_dependencies
        message_size = max(message_size, model.factors[k].stride)
    window.past_len = past_len
    window.infer_len = past_len + model.tree.policy_len
    window.future_cutoff = window.infer_len - 2
    window.factorized = factorized
    window.num_terms, window.most_messages = num_terms, num_messages
    window.num_actions = history.num_actions
    window.actions = history.actions
    window.log_joint = NULL
    sequences = model.tree.num_policies * (window.infer_len * model.qs_size + 1)
    num_doubles = sequences + num_modalities + past_len * (num_terms * (1 + largest) + 1)
    num_doubles += 2 * past_len * model.qs_size + 2 * model.num_controls_total
    num_doubles += num_messages * (message_size + message_doubles)
    if not agent.parameters.mmp.grad_descent:
        num_doubles += (past_len + 2) * joint
    if grow(&task.work.extra, num_doubles * <Py_ssize_t>sizeof(double)) != 0:
        return NO_MEMORY
    here = <double*>task.work.extra.data + sequences
    term_group = <int32_t*>here
    memset(term_group, 0, num_modalities * sizeof(double))
    if factorized:
        for g in range(model.num_groups):
            for k in range(model.groups[g].num_modalities):
                term_group[model.groups[g].modalities[k]] = <int32_t>g
    window.term_group = term_group
    here += num_modalities
    window.likelihood = <const double**>here
    here += past_len * num_terms
    window.log_joint = <const double**>here
    here += past_len
    window.messages = <fc_message*>here
    here += num_messages * message_doubles
    window.message_memory, window.message_size = here, message_size
    here += num_messages * message_size
    window.last_belief = <const double**>here
    window.last_F = here + model.num_controls_total
    here += 2 * model.num_controls_total
    window.log_likelihood = here
    here += past_len * model.qs_size
    window.likelihood_product = here
    here += past_len * model.qs_size
    memset(window.log_likelihood, 0, past_len * model.qs_size * sizeof(double))
    for t in range(past_len):
        _likelihoods_of_step(task, window, t, largest, here)
        _sum_log_likelihoods(model, window, t, task.work.row)
        here += num_terms * largest
    P.exp(window.log_likelihood, past_len * model.qs_size, window.likelihood_product)
    if agent.parameters.mmp.grad_descent:
        window.log_joint = NULL
        return 0
    window.joint_memory = here
    here += 2 * joint
    for t in range(past_len):
        log_likelihood_sum(model, window, t, here)
        window.log_joint[t] = here
        here += joint
    return 0


# window.log_likelihood of a step. Cost: a logarithm per state and term of one factor.
cdef void _sum_log_likelihoods(const Model* model, MMPWindow* window, Py_ssize_t step,
                               double* scratch) noexcept nogil:
    cdef const Group* group
    cdef const Factor* f
    cdef Py_ssize_t k
    for k in range(window.num_terms):
        group = &model.groups[window.term_group[k]]
        if group.num_factors != 1:
            continue
        f = &model.factors[group.factors[0]]
        P.log_eps(window.likelihood[step * window.num_terms + k], f.num_states, scratch)
        P.axpy(1.0, scratch, window.log_likelihood + step * model.qs_size + f.offset,
               f.num_states)


# p(o_t | s) of each term of a window's step: a row of A, or sum_o p_t(o) p(o | s) into `out`.
cdef void _likelihoods_of_step(Task* task, MMPWindow* window, Py_ssize_t step,
                               Py_ssize_t largest, double* out) noexcept nogil:
    cdef const Model* model = task.agent.model
    cdef const History* history = task.history
    cdef const Modality* modality
    cdef const Group* group
    cdef const Py_ssize_t* outcomes
    cdef const double* distributions = NULL
    cdef const double** likelihood = window.likelihood + step * window.num_terms
    cdef double* row
    cdef Py_ssize_t m, s, before = 0
    if step == history.num_steps:
        outcomes = task.observation.outcomes
        if task.observation.vectors:
            distributions = task.observation.distributions
    else:
        outcomes = history.outcomes + step * model.num_modalities
        if history.vectors != NULL and history.vectors[step]:
            distributions = history.distributions + step * model.num_obs_total
    for m in range(model.num_modalities):
        modality = &model.modalities[m]
        group = &model.groups[window.term_group[m] if window.factorized else 0]
        if distributions == NULL:
            row = <double*>modality.A + outcomes[m] * group.num_joint
        else:
            row = task.work.joint
            P.gemv_t(distributions + before, modality.A, modality.num_obs, group.num_joint,
                     row)
        before += modality.num_obs
        if window.factorized and distributions == NULL:
            likelihood[m] = row
        elif window.factorized:
            memcpy(out + m * largest, row, group.num_joint * sizeof(double))
            likelihood[m] = out + m * largest
        elif m == 0:
            memcpy(out, row, group.num_joint * sizeof(double))
            likelihood[0] = out
        else:
            for s in range(group.num_joint):
                out[s] *= row[s]


# Beliefs of all policies over the window, and F, to the workspace's extra memory.
# pymdp.legacy.inference.update_posterior_states_full_factorized. Policies that agree in all but
# the last action share all steps but the last, unless each has a prior of its own.
cdef int infer_window(Task* task) noexcept nogil:
    cdef AgentState* agent = task.agent
    cdef const PolicyTree* tree = &agent.model.tree
    cdef MMPWindow window
    cdef Py_ssize_t family, start, stop, size, members
    cdef double* sequences
    cdef double* F
    cdef bint per_policy = agent.parameters.policy_sep_prior and agent.num_priors > 1
    cdef int status = lay_out_window(task, &window)
    if status != 0:
        return status
    size = window.infer_len * agent.model.qs_size
    sequences = <double*>task.work.extra.data
    F = sequences + tree.num_policies * size
    memset(sequences, 0, tree.num_policies * size * sizeof(double))
    for family in range(tree.num_families):
        start, stop = tree.family_start[family], tree.family_start[family + 1]
        while start < stop and status == 0:
            if interrupted():
                return INTERRUPTED
            members = 1 if per_policy else stop - start
            status = pass_messages(
                agent.model, &agent.parameters.mmp, &window, tree.family_members + start, members,
                agent.latest_belief + (
                    tree.family_members[start] * agent.model.qs_size if per_policy else 0),
                sequences + start * size, F + start, NULL, NULL, task.work)
            start += members
    return status


# The same one policy after the other, with each iteration's beliefs and errors, (num_policies,
# num_iter, infer_len, qs_size), in `xn` and `vn` if they are not NULL.
cdef int infer_window_traced(Task* task, MMPWindow* window, double* xn,
                             double* vn) noexcept nogil:
    cdef const Model* model = task.agent.model
    cdef const Py_ssize_t* members = model.tree.family_members
    cdef Py_ssize_t size = window.infer_len * model.qs_size, row, at
    cdef double* sequences = <double*>task.work.extra.data
    cdef double* F = sequences + model.tree.num_policies * size
    cdef bint per_policy = task.agent.num_priors > 1
    cdef int status = 0
    memset(sequences, 0, model.tree.num_policies * size * sizeof(double))
    for row in range(model.tree.num_policies):
        at = members[row] * task.agent.parameters.mmp.num_iter * size
        status = pass_messages(
            model, &task.agent.parameters.mmp, window, members + row, 1,
            task.agent.latest_belief + (members[row] * model.qs_size if per_policy else 0),
            sequences + row * size, F + row, NULL if xn == NULL else xn + at,
            NULL if vn == NULL else vn + at, task.work)
        if status != 0:
            break
    return status


# G and q_pi from the sequences inferred just now, or from the agent's:
# pymdp.legacy.control.update_posterior_policies_full_factorized over the last num_future_steps.
cdef int evaluate_window(Task* task, bint inferred) noexcept nogil:
    cdef AgentState* agent = task.agent
    cdef Workspace* work = task.work
    cdef const Model* model = agent.model
    cdef const PolicyTree* tree = &model.tree
    cdef Py_ssize_t infer_len = inferred_len(task, inferred), num_steps, first, row
    cdef const double* sequences = <double*>work.extra.data if inferred else agent.sequences
    cdef const double* F = agent.F
    cdef double* average = work.prior
    if inferred:
        F = sequences + tree.num_policies * infer_len * model.qs_size
    num_steps = max(1, min(agent.parameters.num_future_steps, infer_len))
    first = infer_len - num_steps
    memset(average, 0, model.qs_size * sizeof(double))
    for row in range(tree.num_policies):
        P.axpy(model.softmax_E[tree.family_members[row]],
               sequences + (row * infer_len + first) * model.qs_size, average, model.qs_size)
    return evaluate_sequences(model, &agent.parameters.efe, sequences + first * model.qs_size,
                              infer_len * model.qs_size, num_steps, tree.family_members, F,
                              average, work)


cdef Py_ssize_t inferred_len(Task* task, bint inferred) noexcept nogil:
    if inferred:
        return task.history.num_steps + 1 + task.agent.model.tree.policy_len
    return task.agent.infer_len


# Keep the sequences and F, and the beliefs about the present step averaged over policies.
cdef void keep_window(Task* task, int operations) noexcept nogil:
    cdef AgentState* agent = task.agent
    cdef const Model* model = agent.model
    cdef const PolicyTree* tree = &model.tree
    cdef Py_ssize_t infer_len = inferred_len(task, operations & INFER_STATES), row, size
    cdef Py_ssize_t present = infer_len - tree.policy_len - 1
    cdef double weight = 1.0 / tree.num_policies
    if operations & INFER_STATES:
        size = tree.num_policies * infer_len * model.qs_size
        memcpy(agent.sequences, task.work.extra.data, size * sizeof(double))
        memcpy(agent.F, <double*>task.work.extra.data + size, tree.num_policies * sizeof(double))
        agent.infer_len = infer_len
    elif not operations & INFER_POLICIES:
        return
    memset(agent.qs, 0, model.qs_size * sizeof(double))
    for row in range(tree.num_policies):
        if operations & INFER_POLICIES:
            weight = agent.q_pi[tree.family_members[row]]
        P.axpy(weight, agent.sequences + (row * infer_len + present) * model.qs_size, agent.qs,
               model.qs_size)


# Once the window is full, the beliefs of its first step are before the next window: averaged
# over policies by `q_pi`, or each policy's own. pymdp.legacy.agent.Agent.set_latest_beliefs.
cdef void keep_latest_belief(AgentState* agent, const double* q_pi, bint average) noexcept nogil:
    cdef const Model* model = agent.model
    cdef const PolicyTree* tree = &model.tree
    cdef Py_ssize_t row
    cdef const double* first
    if average:
        memset(agent.latest_belief, 0, model.qs_size * sizeof(double))
    agent.num_priors = 1 if average else tree.num_policies
    for row in range(tree.num_policies):
        first = agent.sequences + row * agent.infer_len * model.qs_size
        if average:
            P.axpy(q_pi[tree.family_members[row]], first, agent.latest_belief, model.qs_size)
        else:
            memcpy(agent.latest_belief + tree.family_members[row] * model.qs_size, first,
                   model.qs_size * sizeof(double))
