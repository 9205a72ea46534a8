# cython: boundscheck=True, wraparound=True
"""What one agent keeps for message passing: its window's past, sequences and prior.

pymdp nests sequences as ``qs[policy][step][factor]``; in memory they are rows in the order of
families (policies that agree in all but the last action). Nested arrays are made when callers ask
for them, and read again before their next use, because callers may write into them.
"""

from libc.stdlib cimport free
from libc.string cimport memcpy

from freeagent_core._kernels.base.growable_array cimport GrowableArray, grow
from freeagent_core._kernels.model.python_input cimport (
    new_array, new_beliefs, read_action, read_beliefs, read_doubles, read_observation,
)
from freeagent_core._kernels.model.structs cimport Factor, Model, PolicyTree

import numpy as np

from freeagent_core._kernels.base.status import NotReadyError

cdef object _empty = np.empty


cdef int _reserve(GrowableArray* array, Py_ssize_t count, Py_ssize_t size, str what) except -1:
    if grow(array, max(count, 1) * size) != 0:
        raise MemoryError(f"no memory for {what} ({count * size} bytes)")
    return 0


# Of qs, or of a policy's sequence. No object is made where it has one: see `AgentCore._end_step`.
cdef Py_ssize_t _length(object sequence, Py_ssize_t policy=-1) except -1:
    try:
        return len(sequence)
    except TypeError:
        name = "qs" if policy < 0 else f"qs[{policy}]"
        raise TypeError(f"{name} must be an object array of [policy][step][factor], "
                        f"got {sequence!r:.80}") from None


cdef bint _are_beliefs(PackedModel packed, object value) except -1:
    try:
        read_beliefs(packed, packed.acquire_workspace(), value, "qs")
    except (IndexError, TypeError, ValueError):
        return False
    return True


cdef bint _has_empty_entries(object sequences) except -1:
    if not isinstance(sequences, np.ndarray) or sequences.dtype != object:
        return False
    return any(steps is None or (isinstance(steps, np.ndarray) and steps.dtype == object
                                 and any(step is None for step in steps))
               for steps in sequences)


cdef class Window:
    """The window of one agent; all methods take the agent's state."""

    def __dealloc__(self):
        free(self._outcomes.data)
        free(self._vectors.data)
        free(self._distributions.data)
        free(self._actions.data)
        free(self._sequences.data)
        free(self._F.data)
        free(self._latest_belief.data)

    # --- the past --------------------------------------------------------------------------

    # The observed steps before the present one, and the actions since the first of them. The
    # present observation moves out of the way, for the past is read by way of the workspace.
    cdef int load_history(self, PackedModel packed, OwnedWorkspace workspace, AgentState* state,
                          list prev_obs, object prev_actions,
                          Observation* observation, str observations_name="prev_obs",
                          str actions_name="prev_actions") except -1:
        cdef const Model* model = &packed.model
        cdef Py_ssize_t horizon = state.parameters.inference_horizon
        cdef Py_ssize_t num_steps = min(<Py_ssize_t>len(prev_obs), horizon - 1)
        cdef Py_ssize_t num_actions = len(prev_actions) if prev_actions is not None else 0
        cdef Py_ssize_t first_step = len(prev_obs) - num_steps, first_action = 0, t, f
        cdef Py_ssize_t* outcomes
        cdef Py_ssize_t* actions
        cdef unsigned char* vectors
        cdef double* distributions
        if <Py_ssize_t>len(prev_obs) + 1 > horizon > 1:
            first_action = max(num_actions - (horizon - 1), 0)
            num_actions -= first_action
        # with a horizon of 1 pymdp reads the first actions of all; no more than the window has
        num_actions = min(num_actions, num_steps + model.tree.policy_len + 2)
        if num_actions < num_steps:
            raise ValueError(f"{num_steps + 1} observations need {num_steps} actions between "
                             f"them, got {num_actions}: call sample_action")
        _reserve(&self._outcomes, (num_steps + 1) * model.num_modalities, sizeof(Py_ssize_t), "prev_obs")
        _reserve(&self._vectors, num_steps, 1, "prev_obs")
        _reserve(&self._distributions, (num_steps + 1) * model.num_obs_total, sizeof(double), "prev_obs")
        _reserve(&self._actions, num_actions * model.num_factors, sizeof(Py_ssize_t),
                 "prev_actions")
        outcomes = <Py_ssize_t*>self._outcomes.data
        distributions = <double*>self._distributions.data
        vectors = <unsigned char*>self._vectors.data
        memcpy(outcomes + num_steps * model.num_modalities, observation.outcomes,
               model.num_modalities * sizeof(Py_ssize_t))
        memcpy(distributions + num_steps * model.num_obs_total, observation.distributions,
               model.num_obs_total * sizeof(double))
        observation.outcomes = outcomes + num_steps * model.num_modalities
        observation.distributions = distributions + num_steps * model.num_obs_total
        for t in range(num_steps):
            entry = prev_obs[first_step + t]
            vectors[t] = read_observation(packed, workspace, entry, not isinstance(entry, tuple),
                                          observations_name, first_step + t)
            memcpy(outcomes + t * model.num_modalities, workspace.work.observation,
                   model.num_modalities * sizeof(Py_ssize_t))
            memcpy(distributions + t * model.num_obs_total,
                   workspace.work.outcome_probabilities, model.num_obs_total * sizeof(double))
        actions = <Py_ssize_t*>self._actions.data
        for t in range(num_actions):
            read_action(packed, workspace, prev_actions[first_action + t], actions_name,
                        first_action + t)
            for f in range(model.num_factors):
                actions[t * model.num_factors + f] = workspace.work.action[f]
        self.history.num_steps = num_steps
        self.history.outcomes = outcomes
        self.history.vectors = vectors
        self.history.distributions = distributions
        self.history.num_actions = num_actions
        self.history.actions = actions
        return 0

    # --- the belief before the window ---------------------------------------------------------

    cdef int reserve_priors(self, AgentState* state, Py_ssize_t count) except -1:
        _reserve(&self._latest_belief, count * state.model.qs_size, sizeof(double),
                 "latest_belief")
        state.latest_belief = <double*>self._latest_belief.data
        return 0

    # D is the belief before the first step.
    cdef int begin_episode(self, AgentState* state) except -1:
        self.reserve_priors(state, 1)
        memcpy(state.latest_belief, state.model.D, state.model.qs_size * sizeof(double))
        state.num_priors = 1
        state.infer_len = 0
        self.latest_belief = self.qs = self.F = None
        self.prior_is_D = not state.parameters.policy_sep_prior
        return 0

    cdef int load_prior(self, PackedModel packed, OwnedWorkspace workspace, AgentState* state) except -1:
        cdef const Model* model = &packed.model
        cdef Py_ssize_t p, count = 1
        if self.latest_belief is not None:
            if state.parameters.policy_sep_prior:
                count = model.tree.num_policies
                if len(self.latest_belief) != count:
                    raise ValueError(f"latest_belief must have an entry per policy ({count})")
            self.reserve_priors(state, count)
            for p in range(count):
                if state.parameters.policy_sep_prior:
                    read_beliefs(packed, workspace, self.latest_belief[p], f"latest_belief[{p}]")
                else:
                    read_beliefs(packed, workspace, self.latest_belief, "latest_belief")
                memcpy(state.latest_belief + p * model.qs_size, workspace.work.qs_new,
                       model.qs_size * sizeof(double))
            state.num_priors = count
        elif self.prior_is_D:
            memcpy(state.latest_belief, model.D, model.qs_size * sizeof(double))
        if state.num_priors > 1 and not state.parameters.policy_sep_prior:
            raise ValueError(
                "latest_belief has a belief per policy, and neither use_BMA nor policy_sep_prior "
                "is set: message passing cannot go on beyond inference_horizon "
                f"{state.parameters.inference_horizon} (pymdp fails there too)")
        return 0

    # As pymdp nests it: by factor, or [policy][factor].
    cdef object nested_prior(self, AgentState* state):
        cdef Py_ssize_t p, count = state.model.tree.num_policies
        if state.num_priors == 1 and not state.parameters.policy_sep_prior:
            return new_beliefs(state.model, state.latest_belief)
        nested = _empty(count, object)
        for p in range(count):
            nested[p] = new_beliefs(state.model, state.latest_belief
                                 + (p if state.num_priors > 1 else 0) * state.model.qs_size)
        return nested

    # --- sequences -----------------------------------------------------------------------------

    cdef int reserve_sequences(self, AgentState* state, Py_ssize_t infer_len) except -1:
        cdef Py_ssize_t num_policies = state.model.tree.num_policies
        _reserve(&self._sequences, num_policies * infer_len * state.model.qs_size, sizeof(double),
                 "the beliefs of all policies")
        _reserve(&self._F, num_policies, sizeof(double), "F")
        state.sequences, state.F = <double*>self._sequences.data, <double*>self._F.data
        return 0

    # What callers wrote into the nested sequences and F.
    cdef int load_sequences(self, PackedModel packed, OwnedWorkspace workspace,
                            AgentState* state) except -1:
        cdef const PolicyTree* tree = &packed.model.tree
        cdef Py_ssize_t row
        if state.infer_len == 0:
            raise NotReadyError("there are no beliefs: call infer_states before infer_policies")
        if self.F is not None:
            read_doubles(self.F, tree.num_policies, workspace.work.G_new, "F")
            for row in range(tree.num_policies):
                state.F[row] = workspace.work.G_new[tree.family_members[row]]
        if self.qs is None:
            return 0
        return self.read_sequences(packed, workspace, state)

    cdef int read_sequences(self, PackedModel packed, OwnedWorkspace workspace,
                            AgentState* state) except -1:
        cdef const PolicyTree* tree = &packed.model.tree
        cdef Py_ssize_t row, t, p, infer_len
        if _length(self.qs) != tree.num_policies:
            raise ValueError(f"qs must have an entry per policy ({tree.num_policies}), "
                             f"got {len(self.qs)}")
        infer_len = _length(self.qs[0], 0)
        if infer_len < 1:
            raise ValueError("qs[0] must have a belief per step")
        self.reserve_sequences(state, infer_len)
        state.infer_len = infer_len
        for row in range(tree.num_policies):
            p = tree.family_members[row]
            steps = self.qs[p]
            if _length(steps, p) != infer_len:
                raise ValueError(f"qs[{p}] must have {infer_len} steps, got {len(steps)}")
            for t in range(infer_len):
                read_beliefs(packed, workspace, steps[t], "qs[policy][step]")
                memcpy(state.sequences + (row * infer_len + t) * packed.model.qs_size,
                       workspace.work.qs_new, packed.model.qs_size * sizeof(double))
        return 0

    # [policy][step][factor], writable views of one new block.
    cdef object nested_sequences(self, const Model* model, const double* sequences,
                                 Py_ssize_t infer_len):
        cdef Py_ssize_t row, step, f, num_policies = model.tree.num_policies
        cdef const Factor* factor
        block = new_array(sequences, num_policies * infer_len * model.qs_size)
        block = block.reshape(num_policies, infer_len, model.qs_size)
        slices = []
        for f in range(model.num_factors):
            factor = &model.factors[f]
            slices.append(slice(factor.offset, factor.offset + factor.num_states))
        nested = _empty(num_policies, object)
        for row in range(num_policies):
            steps = _empty(infer_len, object)
            for step in range(infer_len):
                beliefs = _empty(model.num_factors, object)
                here = block[row, step]
                for f in range(model.num_factors):
                    beliefs[f] = here[slices[f]]
                steps[step] = beliefs
            nested[model.tree.family_members[row]] = steps
        return nested

    # F, (num_policies,), in the order of the policies.
    cdef object free_energies(self, AgentState* state):
        cdef const PolicyTree* tree = &state.model.tree
        cdef Py_ssize_t row
        if state.infer_len == 0:
            raise NotReadyError("F is not set before infer_states")
        out = _empty(tree.num_policies)
        cdef double[::1] view = out
        for row in range(tree.num_policies):
            view[tree.family_members[row]] = state.F[row]
        return out

    # --- what callers hold or assign ------------------------------------------------------

    cdef object held_sequences(self, AgentState* state):
        if self.qs is None and state.infer_len:
            self.qs = self.nested_sequences(state.model, state.sequences, state.infer_len)
        return self.qs

    cdef object held_free_energies(self, AgentState* state):
        if self.F is None:
            self.F = self.free_energies(state)
        return self.F

    # None where it is D itself.
    cdef object held_prior(self, AgentState* state):
        if self.latest_belief is None and not self.prior_is_D:
            self.latest_belief = self.nested_prior(state)
        return self.latest_belief

    # pymdp's `reset` assigns sequences with empty entries: until they are inferred, or others
    # are assigned, there are none. Before the first inference anything is taken, as in pymdp.
    # Beliefs by factor are what `update_A` and `update_B` learn from, until sequences are assigned
    # or inferred.
    cdef int assign_sequences(self, PackedModel packed, AgentState* state, value) except -1:
        cdef bint had_beliefs = state.infer_len > 0
        before = self.held_sequences(state)
        if had_beliefs and _are_beliefs(packed, value):
            self.qs = value
            return 0
        self.qs = value
        if had_beliefs and _has_empty_entries(value):
            self.F = self.held_free_energies(state)
            state.infer_len = 0
            return 0
        try:
            self.read_sequences(packed, packed.acquire_workspace(), state)
        except BaseException as error:
            if had_beliefs or not isinstance(error, IndexError | TypeError | ValueError):
                self.qs = before
                raise
            state.infer_len = 0
        return 0

    # Before the first inference there is nothing else that it may contradict.
    cdef int assign_free_energies(self, PackedModel packed, AgentState* state,
                                  value) except -1:
        cdef Py_ssize_t num_policies = state.model.tree.num_policies
        cdef OwnedWorkspace workspace = packed.acquire_workspace()
        try:
            shape = np.shape(value)
        except ValueError:  # its items differ in length
            raise ValueError(f"F must have shape ({num_policies},), got {value!r:.80}") from None
        if shape != (num_policies,):
            raise ValueError(f"F must have shape ({num_policies},), got {shape}")
        read_doubles(value, num_policies, workspace.work.G_new, "F")
        packed.release_workspace(workspace)
        self.F = value
        return 0

    cdef int assign_prior(self, PackedModel packed, AgentState* state, value) except -1:
        cdef Py_ssize_t p, num_policies = state.model.tree.num_policies
        cdef OwnedWorkspace workspace = packed.acquire_workspace()
        try:
            by_policy = len(value) and isinstance(value[0], np.ndarray) and (
                value[0].dtype == object)
        except TypeError:
            raise TypeError(f"latest_belief must be an object array, got {value!r:.80}") from None
        if not by_policy:
            read_beliefs(packed, workspace, value, "latest_belief")
        elif len(value) != num_policies:
            raise ValueError(f"latest_belief must have an entry per policy ({num_policies}), "
                             f"got {len(value)}")
        else:
            for p in range(num_policies):
                read_beliefs(packed, workspace, value[p], f"latest_belief[{p}]")
        packed.release_workspace(workspace)
        self.latest_belief, self.prior_is_D = value, False
        return 0
