"""The state of one agent with marginal message passing, beside that of `AgentCore`."""

from libc.stdint cimport int32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from freeagent_core._kernels.agents.agent_step cimport refresh_learned
from freeagent_core._kernels.inference.message_passing cimport pass_messages
from freeagent_core._kernels.model.structs cimport Factor, Group, Modality, Model, PolicyTree
from freeagent_core._kernels.planning.policy_evaluation cimport evaluate_sequences
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.python_input cimport (
    new_array, read_action, read_beliefs, read_observation,
)

import numpy as np

cdef object _empty = np.empty


cdef class MMPCore(AgentCore):
    """Beliefs per policy and step, and the variational free energy F of each policy."""

    def __cinit__(self):
        self._sequences = NULL
        self._F = NULL

    def __dealloc__(self):
        free(self._sequences)
        free(self._F)

    def set_inference_params(self, int num_iter, bint grad_descent, double tau):
        """Set the iterations, their kind and their rate."""
        self._mmp.num_iter = num_iter
        self._mmp.grad_descent = grad_descent
        self._mmp.tau = tau

    @property
    def infer_len(self):
        """Steps of the sequences; 0 before the first inference."""
        return self._infer_len

    def infer_sequences(self, list observations, list actions, prior, bint per_policy,
                        bint factorized, bint traces, bint last_timestep=False):
        """Infer the beliefs of all policies.

        Parameters
        ----------
        observations : list
            The observed steps, each as `infer_states` takes it, and whether it may be
            distributions: pairs.
        actions : list of array_like
            Actions between them, one less at least.
        prior : object array
            Beliefs before the first step; with `per_policy` one object array per policy.
        factorized : bool
            pymdp.legacy's scheme, else that of pymdp 0.0.7.1.
        traces : bool
            Return each iteration's beliefs and errors.
        last_timestep : bool
            Leave out the step after the policy's last action.

        Returns
        -------
        traces : tuple of ndarray, shape (num_policies, num_iter, infer_len, qs_size), or None
        """
        cdef Model* model = &self.packed.model
        cdef PolicyTree* tree = &model.tree
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        cdef MMPWindow window
        cdef double* priors
        cdef double* sequences = NULL
        cdef double* F = NULL
        cdef const Py_ssize_t* members
        cdef Py_ssize_t family, size, start, count, num_policies = tree.num_policies
        cdef int status = 0
        cdef double[:, :, :, ::1] xn
        cdef double[:, :, :, ::1] vn
        cdef double* x = NULL
        cdef double* v = NULL
        cdef bint alone
        keep = []
        try:
            with self._lock:
                refresh_learned(&self.state, &workspace.work)
            self._read_window(workspace, &window, observations, actions, factorized, keep)
            if last_timestep:
                window.infer_len -= 1
            # only the step after the last action is what policies do not share
            alone = traces or per_policy or last_timestep
            priors = self._read_priors(workspace, prior, per_policy, keep)
            size = window.infer_len * model.qs_size
            if traces:
                shape = (num_policies, self._mmp.num_iter, window.infer_len, model.qs_size)
                xn, vn = np.zeros(shape), np.zeros(shape)
            sequences = <double*>calloc(num_policies * size, sizeof(double))
            F = <double*>calloc(num_policies, sizeof(double))
            if sequences == NULL or F == NULL:
                raise MemoryError("no memory for the beliefs of all policies")
            with self._lock:
                with nogil:
                    for family in range(tree.num_families):
                        start = tree.family_start[family]
                        count = tree.family_start[family + 1] - start
                        members = tree.family_members + start
                        while count > 0 and status == 0:
                            if traces:
                                x, v = &xn[members[0], 0, 0, 0], &vn[members[0], 0, 0, 0]
                            status = pass_messages(
                                model, &self._mmp, &window, members,
                                1 if alone else count,
                                priors + (members[0] * model.qs_size if per_policy else 0),
                                sequences + start * size, F + start, x, v, &workspace.work)
                            if not alone:
                                break
                            start += 1
                            members += 1
                            count -= 1
                if status != 0:
                    raise FloatingPointError("a belief or F became NaN or infinite")
                sequences, self._sequences = self._sequences, sequences
                F, self._F = self._F, F
                self._infer_len = window.infer_len
                self._qs_object = None
            return (np.asarray(xn), np.asarray(vn)) if traces else None
        finally:
            free(sequences)
            free(F)
            self.packed.release_workspace(workspace)

    cdef int _read_window(self, OwnedWorkspace workspace, MMPWindow* window, list observations,
                          list actions, bint factorized, list keep) except -1:
        cdef Model* model = &self.packed.model
        cdef const Modality* modality
        cdef const Group* group
        cdef Py_ssize_t t, k, m, s
        cdef int vectors
        cdef double[:, ::1] computed
        cdef double* out
        window.past_len = len(observations)
        window.num_actions = len(actions)
        window.infer_len = window.past_len + model.tree.policy_len
        window.future_cutoff = window.infer_len - 2
        window.factorized = factorized
        window.num_terms = model.num_modalities if factorized else 1
        if window.num_actions < window.past_len - 1:
            raise ValueError(f"{window.past_len} observations need {window.past_len - 1} actions "
                             f"between them, got {window.num_actions}: call sample_action")
        terms = np.zeros(window.num_terms, dtype=np.int32)
        if factorized:
            for k in range(model.num_groups):
                for m in range(model.groups[k].num_modalities):
                    terms[model.groups[k].modalities[m]] = k
        cdef const int32_t[::1] term_view = terms
        window.term_group = &term_view[0]
        action_rows = np.zeros((max(window.num_actions, 1), model.num_factors), dtype=np.intp)
        cdef Py_ssize_t[:, ::1] action_view = action_rows
        for t in range(window.num_actions):
            read_action(self.packed, workspace, actions[t])
            for k in range(model.num_factors):
                action_view[t, k] = workspace.work.action[k]
        window.actions = &action_view[0, 0]
        pointers = np.zeros((max(window.past_len, 1), window.num_terms), dtype=np.uintp)
        cdef size_t[:, ::1] pointer_view = pointers
        window.likelihood = <const double**>&pointer_view[0, 0]
        keep += [terms, action_rows, pointers]
        for t in range(window.past_len):
            observation, distr_obs = observations[t]
            vectors = read_observation(self.packed, workspace, observation, distr_obs)
            if factorized and not vectors:
                for m in range(model.num_modalities):
                    modality = &model.modalities[m]
                    group = &model.groups[term_view[m]]
                    window.likelihood[t * window.num_terms + m] = (
                        modality.A + workspace.work.observation[m] * group.num_joint)
                continue
            rows = np.ones((window.num_terms, self.packed.workspace_sizes.joint))
            computed = rows
            keep.append(rows)
            for m in range(model.num_modalities):
                modality = &model.modalities[m]
                group = &model.groups[term_view[m] if factorized else 0]
                if vectors:
                    P.gemv_t(workspace.work.distributions[m], modality.A, modality.num_obs,
                             group.num_joint, workspace.work.joint)
                else:
                    memcpy(workspace.work.joint,
                           modality.A + workspace.work.observation[m] * group.num_joint,
                           group.num_joint * sizeof(double))
                out = &computed[m if factorized else 0, 0]
                for s in range(group.num_joint):
                    out[s] *= workspace.work.joint[s]
            for m in range(window.num_terms):
                window.likelihood[t * window.num_terms + m] = &computed[m, 0]
        window.log_joint = NULL
        if not self._mmp.grad_descent:
            self._read_log_joint(window, keep)
        return 0

    cdef int _read_log_joint(self, MMPWindow* window, list keep) except -1:
        """log(sum_m p(o_m | s) + 1e-16) over the joint states of all factors, per observed step."""
        cdef Model* model = &self.packed.model
        cdef const Group* group
        cdef const double[::1] row
        cdef Py_ssize_t t, m, k
        shape = tuple([model.factors[k].num_states for k in range(model.num_factors)])
        if np.prod(shape, dtype=object) > self.packed.workspace_sizes.joint:
            raise ValueError(
                f"grad_descent=False needs the joint states of all factors, and {shape} are too many")
        pointers = np.zeros(max(window.past_len, 1), dtype=np.uintp)
        cdef size_t[::1] pointer_view = pointers
        window.log_joint = <const double**>&pointer_view[0]
        keep.append(pointers)
        for t in range(window.past_len):
            total = np.zeros(shape)
            for m in range(window.num_terms):
                group = &model.groups[window.term_group[m]]
                factors = [group.factors[k] for k in range(group.num_factors)]
                term = new_array(window.likelihood[t * window.num_terms + m], group.num_joint)
                term = term.reshape([shape[f] for f in factors])
                term = term.transpose(np.argsort(factors))
                total += term.reshape([shape[f] if f in factors else 1 for f in range(len(shape))])
            log_total = np.log(total + 1e-16).ravel()
            row = log_total
            window.log_joint[t] = &row[0]
            keep.append(log_total)
        return 0

    cdef double* _read_priors(self, OwnedWorkspace workspace, prior, bint per_policy, list keep) except NULL:
        cdef Py_ssize_t p, size = self.packed.model.qs_size
        cdef Py_ssize_t count = self.packed.model.tree.num_policies if per_policy else 1
        rows = np.zeros((count, size))
        cdef double[:, ::1] view = rows
        keep.append(rows)
        if per_policy and len(prior) != count:
            raise ValueError(f"latest_belief must have an entry per policy ({count})")
        for p in range(count):
            read_beliefs(self.packed, workspace, prior[p] if per_policy else prior,
                         f"latest_belief[{p}]" if per_policy else "latest_belief")
            memcpy(&view[p, 0], workspace.work.qs_new, size * sizeof(double))
        return &view[0, 0]

    def evaluate_sequences(self, Py_ssize_t num_steps):
        """Evaluate the policies from the last `num_steps` beliefs of each sequence."""
        cdef Model* model = &self.packed.model
        cdef OwnedWorkspace workspace
        cdef double* average
        cdef Py_ssize_t row, i, first
        cdef int status
        cdef double weight
        if self._infer_len == 0:
            raise AttributeError("there are no beliefs: call infer_states before infer_policies")
        if self.state.efe.use_param_info_gain and model.has_wB:
            raise NotImplementedError(
                "use_param_info_gain with pB and inference_algo 'MMP' (pymdp fails on it)")
        num_steps = max(1, min(num_steps, self._infer_len))
        for i in range(model.num_groups):
            if 1 < model.groups[i].num_utility_steps < num_steps:
                raise ValueError(f"C must have a column for each of the {num_steps} steps")
        first = self._infer_len - num_steps
        workspace = self.packed.acquire_workspace()
        try:
            with self._lock:
                refresh_learned(&self.state, &workspace.work)
                with nogil:
                    average = workspace.work.prior
                    for i in range(model.qs_size):
                        average[i] = 0.0
                    for row in range(model.tree.num_policies):
                        weight = model.softmax_E[model.tree.family_members[row]]
                        P.axpy(weight, self._sequences
                               + (row * self._infer_len + first) * model.qs_size,
                               average, model.qs_size)
                    status = evaluate_sequences(
                        model, &self.state.efe, self._sequences + first * model.qs_size,
                        self._infer_len * model.qs_size, num_steps, model.tree.family_members,
                        self._F, average, &workspace.work)
                if status != 0:
                    raise FloatingPointError("q_pi became NaN or infinite")
                self._keep_policies(self.state.qs, workspace)
        finally:
            self.packed.release_workspace(workspace)

    def free_energies(self):
        """Return F, shape (num_policies,), in the order of the policies."""
        out = np.empty(self.packed.model.tree.num_policies)
        cdef double[::1] view = out
        cdef Py_ssize_t row
        if self._infer_len == 0:
            raise AttributeError("F is not set before infer_states")
        for row in range(view.shape[0]):
            view[self.packed.model.tree.family_members[row]] = self._F[row]
        return out

    def sequences(self):
        """Return the beliefs as pymdp nests them: [policy][step][factor], read-only arrays."""
        cdef Model* model = &self.packed.model
        cdef Py_ssize_t row, step, f, num_policies = model.tree.num_policies
        cdef const Factor* factor
        block = new_array(self._sequences, num_policies * self._infer_len * model.qs_size)
        block = block.reshape(num_policies, self._infer_len, model.qs_size)
        block.flags.writeable = False
        slices = []
        for f in range(model.num_factors):
            factor = &model.factors[f]
            slices.append(slice(factor.offset, factor.offset + factor.num_states))
        nested = _empty(num_policies, object)
        for row in range(num_policies):
            steps = _empty(self._infer_len, object)
            for step in range(self._infer_len):
                beliefs = _empty(model.num_factors, object)
                here = block[row, step]
                for f in range(model.num_factors):
                    beliefs[f] = here[slices[f]]
                steps[step] = beliefs
            nested[model.tree.family_members[row]] = steps
        return nested

    def average_first_beliefs(self, weights):
        """Return the beliefs of the first step, averaged over policies, as an object array.

        Source: ``pymdp.legacy.inference.average_states_over_policies``.
        """
        cdef Model* model = &self.packed.model
        cdef const double[::1] view = np.ascontiguousarray(weights, dtype=np.float64)
        cdef const Factor* factor
        cdef Py_ssize_t row, f
        cdef double[::1] total = np.zeros(model.qs_size)
        if view.shape[0] != model.tree.num_policies or self._infer_len == 0:
            raise ValueError("weights must have an entry per policy, after infer_states")
        with nogil:
            for row in range(model.tree.num_policies):
                P.axpy(view[model.tree.family_members[row]],
                       self._sequences + row * self._infer_len * model.qs_size, &total[0],
                       model.qs_size)
        beliefs = _empty(model.num_factors, object)
        for f in range(model.num_factors):
            factor = &model.factors[f]
            beliefs[f] = new_array(&total[factor.offset], factor.num_states)
        return beliefs

    # Learning takes the beliefs about the present, which MMP has only per policy: an error.
    cdef const double* _current_qs(self, OwnedWorkspace workspace) except NULL:
        read_beliefs(self.packed, workspace, self.qs, "qs")
        return workspace.work.qs_new

    # --- state ---------------------------------------------------------------------------

    @property
    def qs(self):
        """Beliefs as pymdp nests them: [policy][step][factor]; made when asked for."""
        if self._qs_object is None and self._infer_len:
            self._qs_object = self.sequences()
        return self._qs_object

    @qs.setter
    def qs(self, value):
        self._qs_object = value
        self._infer_len = 0

    def sequence_state(self):
        """Return what `restore_sequences` takes: beliefs and F, or None before the first."""
        cdef Py_ssize_t num_policies = self.packed.model.tree.num_policies
        if self._infer_len == 0:
            return None
        block = new_array(self._sequences,
                          num_policies * self._infer_len * self.packed.model.qs_size)
        return block, new_array(self._F, num_policies)

    def policy_order(self):
        """Return the policy of each row of the sequences."""
        cdef Py_ssize_t row
        return [self.packed.model.tree.family_members[row]
                for row in range(self.packed.model.tree.num_policies)]

    def restore_sequences(self, state):
        """Take over the beliefs of another core of a model of the same shape."""
        cdef const double[::1] block
        cdef const double[::1] F
        cdef Py_ssize_t num_policies = self.packed.model.tree.num_policies
        block, F = state
        cdef Py_ssize_t size = num_policies * self.packed.model.qs_size
        if F.shape[0] != num_policies or block.shape[0] % size != 0:
            raise ValueError("the beliefs are those of a model of another shape")
        cdef double* sequences = <double*>calloc(block.shape[0], sizeof(double))
        cdef double* values = <double*>calloc(num_policies, sizeof(double))
        if sequences == NULL or values == NULL:
            free(sequences)
            free(values)
            raise MemoryError("no memory for the beliefs of all policies")
        memcpy(sequences, &block[0], block.shape[0] * sizeof(double))
        memcpy(values, &F[0], num_policies * sizeof(double))
        free(self._sequences)
        free(self._F)
        self._sequences, self._F = sequences, values
        self._infer_len = block.shape[0] // size
        self._qs_object = None
