"""Many agents with marginal message passing: what `mmp_core` keeps for one, in rows.

Per agent the outcomes of the last `inference_horizon` steps, the actions between them, the
beliefs before the first of them, and the beliefs of all steps given each policy.
"""

from libc.stdint cimport int32_t
from libc.string cimport memcpy, memmove, memset

from freeagent_core._kernels.agents.agent_step cimport AgentState
from freeagent_core._kernels.inference.message_passing cimport pass_messages
from freeagent_core._kernels.model.structs cimport Group, Modality, PolicyTree
from freeagent_core._kernels.planning.policy_evaluation cimport evaluate_sequences
from freeagent_core._kernels.agents.population_core cimport INFER_POLICIES, INFER_STATES
from freeagent_core._kernels.base.primitives cimport P

import numpy as np


cdef class MMPPopulationCore(PopulationCore):
    """`size` agents of one packed model; `parameters` has ``num_iter, grad_descent, tau,
    inference_horizon, use_BMA, policy_sep_prior`` in the place of those of VANILLA."""

    def _set_inference(self, dict parameters):
        cdef Model* model = &self.packed.model
        cdef PolicyTree* tree = &model.tree
        cdef Py_ssize_t g, m
        self._mmp.num_iter = parameters["num_iter"]
        self._mmp.grad_descent = parameters["grad_descent"]
        self._mmp.tau = parameters["tau"]
        if not self._mmp.grad_descent:
            raise NotImplementedError(
                "inference_params grad_descent=False is not supported by Population; use Agent")
        if not parameters["use_BMA"] and not parameters["policy_sep_prior"]:
            raise NotImplementedError(
                "MMP with neither use_BMA nor policy_sep_prior is not supported by Population")
        if self._common.efe.use_param_info_gain and model.has_wB:
            raise NotImplementedError(
                "use_param_info_gain with pB and inference_algo 'MMP' (pymdp fails on it)")
        self._horizon = parameters["inference_horizon"]
        # with a horizon of 1 pymdp reads the first actions of all in the place of the last
        self._num_kept = max(self._horizon, tree.policy_len + 2 if self._horizon == 1 else 0)
        self._use_BMA = parameters["use_BMA"]
        self._num_priors = tree.num_policies if parameters["policy_sep_prior"] else 1
        self._sequence_size = (
            tree.num_policies * (self._horizon + tree.policy_len) * model.qs_size)
        self._term_group = np.zeros(model.num_modalities, dtype=np.int32)
        if not self._common.joint_likelihood:
            for g in range(model.num_groups):
                for m in range(model.groups[g].num_modalities):
                    self._term_group[model.groups[g].modalities[m]] = g
        cdef Py_ssize_t[:, ::1] past = self._new_state(
            "past", self._horizon * model.num_modalities, np.intp)
        cdef Py_ssize_t[:, ::1] past_len = self._new_state("past_len", 1, np.intp)
        cdef Py_ssize_t[:, ::1] past_actions = self._new_state(
            "past_actions", self._num_kept * model.num_factors, np.intp)
        cdef Py_ssize_t[:, ::1] num_actions = self._new_state("num_actions", 1, np.intp)
        cdef double[:, ::1] latest = self._new_state(
            "latest_belief", self._num_priors * model.qs_size, np.float64)
        cdef double[:, ::1] sequences = self._new_state(
            "sequences", self._sequence_size, np.float64)
        cdef double[:, ::1] F = self._new_state("F", tree.num_policies, np.float64)
        self._past, self._past_len = &past[0, 0], &past_len[0, 0]
        self._past_actions, self._num_actions = &past_actions[0, 0], &num_actions[0, 0]
        self._latest_belief, self._sequences, self._F = (
            &latest[0, 0], &sequences[0, 0], &F[0, 0])

    def begin_episodes(self, const unsigned char[::1] chosen):
        """Forget the past of the chosen agents; D is before their next step."""
        cdef Py_ssize_t i, p, qs_size = self.packed.model.qs_size
        if chosen.shape[0] != self.size:
            raise ValueError(f"chosen must have {self.size} entries")
        for i in range(self.size):
            if chosen[i]:
                self._past_len[i] = self._num_actions[i] = 0
                for p in range(self._num_priors):
                    memcpy(self._latest_belief + (i * self._num_priors + p) * qs_size,
                           self._models[i].D, qs_size * sizeof(double))

    def sequences(self, Py_ssize_t i):
        """Return agent i's beliefs, (num_policies, infer_len, qs_size), in order of policies."""
        cdef PolicyTree* tree = &self.packed.model.tree
        cdef Py_ssize_t row, infer_len = self._past_len[i] + tree.policy_len
        rows = self.state["sequences"][i].reshape(-1)[
            :tree.num_policies * infer_len * self.packed.model.qs_size]
        rows = rows.reshape(tree.num_policies, infer_len, -1)
        ordered = np.empty_like(rows)
        for row in range(tree.num_policies):
            ordered[tree.family_members[row]] = rows[row]
        return ordered

    def free_energies(self):
        """Return F of all agents, (size, num_policies), in order of policies."""
        cdef Py_ssize_t row
        order = [self.packed.model.tree.family_members[row]
                 for row in range(self.packed.model.tree.num_policies)]
        ordered = np.empty_like(self.state["F"])
        ordered[:, order] = self.state["F"]
        return ordered

    cdef int _check_ready(self, int operations) except -1:
        cdef Py_ssize_t i, between
        for i in range(self.size):
            if self._mask != NULL and not self._mask[i]:
                continue
            between = min(self._past_len[i], self._horizon - 1)
            if operations & INFER_STATES and self._num_actions[i] < between:
                raise ValueError(f"agent {i} needs an action between two observations: call "
                                 "sample_action before infer_states")
            if not operations & INFER_STATES and self._past_len[i] == 0:
                raise ValueError(f"agent {i} has no beliefs: call infer_states before")
        return 0

    # --- kernels ---------------------------------------------------------------------------

    cdef bint _shares_products(self):
        return False

    # Extra memory of a thread: sequences, F, and what a window points to.
    cdef Py_ssize_t _extra_size(self):
        cdef Model* model = &self.packed.model
        return (self._sequence_size + model.tree.num_policies
                + self._horizon * (model.num_modalities + self.packed.workspace_sizes.joint))

    # Steps observed once the observation at hand is counted.
    cdef Py_ssize_t _present_len(self, Py_ssize_t i) noexcept nogil:
        cdef Py_ssize_t past_len = self._past_len[i]
        if self._operations & INFER_STATES:
            return min(past_len + 1, self._horizon)
        return past_len

    cdef void _read_window(self, Py_ssize_t i, const Model* model, MMPWindow* window,
                           Workspace* work, double* extra) noexcept nogil:
        cdef Py_ssize_t num_modalities = model.num_modalities, t, m, s, first
        cdef const Py_ssize_t* outcomes
        cdef const Modality* modality
        cdef const Group* group
        cdef const double* row
        cdef double* product
        window.past_len = self._present_len(i)
        window.infer_len = window.past_len + model.tree.policy_len
        window.future_cutoff = window.infer_len - 2
        window.factorized = not self._common.joint_likelihood
        window.num_terms = num_modalities if window.factorized else 1
        window.term_group = &self._term_group[0]
        window.log_joint = NULL
        window.num_actions = self._num_actions[i]
        window.actions = self._past_actions + i * self._num_kept * model.num_factors
        window.likelihood = <const double**>(
            extra + self._sequence_size + model.tree.num_policies)
        product = <double*>(window.likelihood + self._horizon * num_modalities)
        first = self._past_len[i] + 1 - window.past_len  # 1 where the horizon is full, else 0
        for t in range(window.past_len):
            if t == window.past_len - 1:
                outcomes = self._observations + i * num_modalities
            else:
                outcomes = self._past + (i * self._horizon + first + t) * num_modalities
            for m in range(num_modalities):
                modality = &model.modalities[m]
                group = &model.groups[self._term_group[m]]
                row = modality.A + outcomes[m] * group.num_joint
                if window.factorized:
                    window.likelihood[t * num_modalities + m] = row
                elif m == 0:
                    memcpy(product, row, group.num_joint * sizeof(double))
                else:
                    for s in range(group.num_joint):
                        product[s] *= row[s]
            if not window.factorized:
                window.likelihood[t] = product
                product += self.packed.workspace_sizes.joint

    # Fills extra with the sequences and F.
    cdef int _infer_states(self, Py_ssize_t i, AgentState* agent, Workspace* work,
                           double* extra) noexcept nogil:
        cdef const Model* model = agent.model
        cdef const PolicyTree* tree = &model.tree
        cdef MMPWindow window
        cdef Py_ssize_t family, start, stop, size, together
        cdef const double* priors = self._latest_belief + i * self._num_priors * model.qs_size
        cdef double* F = extra + self._sequence_size
        cdef int status = 0
        self._read_window(i, model, &window, work, extra)
        size = window.infer_len * model.qs_size
        memset(extra, 0, tree.num_policies * size * sizeof(double))
        for family in range(tree.num_families):
            start, stop = tree.family_start[family], tree.family_start[family + 1]
            while start < stop and status == 0:
                together = 1 if self._num_priors > 1 else stop - start
                status = pass_messages(
                    model, &self._mmp, &window, tree.family_members + start, together,
                    priors + (tree.family_members[start] * model.qs_size
                              if self._num_priors > 1 else 0),
                    extra + start * size, F + start, NULL, NULL, work)
                start += together
        return status

    cdef int _infer_policies(self, Py_ssize_t i, AgentState* agent, const double* qs,
                             Workspace* work, double* extra) noexcept nogil:
        cdef const Model* model = agent.model
        cdef const PolicyTree* tree = &model.tree
        cdef bint inferred = self._operations & INFER_STATES
        cdef const double* sequences = extra if inferred else (
            self._sequences + i * self._sequence_size)
        cdef const double* F = extra + self._sequence_size if inferred else (
            self._F + i * tree.num_policies)
        cdef Py_ssize_t row, infer_len = self._present_len(i) + tree.policy_len
        cdef Py_ssize_t num_steps = min(tree.policy_len + 1, infer_len), first
        cdef double* average = work.prior
        cdef int status
        first = infer_len - num_steps
        memset(average, 0, model.qs_size * sizeof(double))
        for row in range(tree.num_policies):
            P.axpy(model.softmax_E[tree.family_members[row]],
                   sequences + (row * infer_len + first) * model.qs_size, average, model.qs_size)
        status = evaluate_sequences(model, &self._common.efe, sequences + first * model.qs_size,
                                    infer_len * model.qs_size, num_steps, tree.family_members, F,
                                    average, work)
        if status == 0 and not inferred:
            self._average(i, model, sequences, work.q_pi_new, work, infer_len)
            memcpy(self._qs + i * model.qs_size, work.qs_new, model.qs_size * sizeof(double))
        return status

    # work.qs_new: beliefs about the present step, averaged over policies.
    cdef void _average(self, Py_ssize_t i, const Model* model, const double* sequences,
                       const double* q_pi, Workspace* work, Py_ssize_t infer_len) noexcept nogil:
        cdef const PolicyTree* tree = &model.tree
        cdef Py_ssize_t row, present = infer_len - tree.policy_len - 1
        memset(work.qs_new, 0, model.qs_size * sizeof(double))
        for row in range(tree.num_policies):
            P.axpy(q_pi[tree.family_members[row]],
                   sequences + (row * infer_len + present) * model.qs_size, work.qs_new,
                   model.qs_size)

    cdef void _keep_beliefs(self, Py_ssize_t i, Workspace* work, double* extra) noexcept nogil:
        cdef const Model* model = self._models[i]
        cdef Py_ssize_t num_policies = model.tree.num_policies, p
        cdef Py_ssize_t num_modalities = model.num_modalities
        cdef Py_ssize_t past_len = self._present_len(i), row
        cdef Py_ssize_t infer_len = past_len + model.tree.policy_len
        cdef Py_ssize_t* past = self._past + i * self._horizon * num_modalities
        if not self._operations & INFER_POLICIES:
            for p in range(num_policies):
                work.q_pi_new[p] = 1.0 / num_policies
        self._average(i, model, extra, work.q_pi_new, work, infer_len)
        memcpy(self._qs + i * model.qs_size, work.qs_new, model.qs_size * sizeof(double))
        memcpy(self._sequences + i * self._sequence_size, extra,
               num_policies * infer_len * model.qs_size * sizeof(double))
        memcpy(self._F + i * num_policies, extra + self._sequence_size,
               num_policies * sizeof(double))
        if self._past_len[i] == self._horizon:
            memmove(past, past + num_modalities,
                    (self._horizon - 1) * num_modalities * sizeof(Py_ssize_t))
        self._past_len[i] = past_len
        memcpy(past + (past_len - 1) * num_modalities, self._observations + i * num_modalities,
               num_modalities * sizeof(Py_ssize_t))

    cdef int _act(self, Py_ssize_t i, AgentState* agent, const double* q_pi,
                  const double* p_first, Workspace* work) noexcept nogil:
        cdef const Model* model = agent.model
        cdef Py_ssize_t num_factors = model.num_factors, row, infer_len, size
        cdef Py_ssize_t* actions = self._past_actions + i * self._num_kept * num_factors
        cdef double* latest = self._latest_belief + i * self._num_priors * model.qs_size
        cdef const double* first
        PopulationCore._act(self, i, agent, q_pi, p_first, work)
        # kept: those between the observed steps, the next one included
        if self._horizon == 1:
            if self._num_actions[i] < self._num_kept:
                self._num_actions[i] += 1
                memcpy(actions + (self._num_actions[i] - 1) * num_factors,
                       self._action + i * num_factors, num_factors * sizeof(Py_ssize_t))
        else:
            if self._num_actions[i] == self._horizon - 1:
                memmove(actions, actions + num_factors,
                        (self._horizon - 2) * num_factors * sizeof(Py_ssize_t))
            else:
                self._num_actions[i] += 1
            memcpy(actions + (self._num_actions[i] - 1) * num_factors,
                   self._action + i * num_factors, num_factors * sizeof(Py_ssize_t))
        if self._time[i] < self._horizon:
            return 0
        # pymdp's set_latest_beliefs: those of the first step are before the next window
        infer_len = self._past_len[i] + model.tree.policy_len
        size = infer_len * model.qs_size
        if self._use_BMA:
            memset(latest, 0, model.qs_size * sizeof(double))
        for row in range(model.tree.num_policies):
            first = self._sequences + i * self._sequence_size + row * size
            if self._use_BMA:
                P.axpy(q_pi[model.tree.family_members[row]], first, latest, model.qs_size)
            else:
                memcpy(latest + model.tree.family_members[row] * model.qs_size, first,
                       model.qs_size * sizeof(double))
        return 0
