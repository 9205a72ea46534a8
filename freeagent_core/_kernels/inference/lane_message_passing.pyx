"""Marginal message passing of eight agents at once, one a lane: `message_passing` for small models
that the agents share.

The same updates on rows of eight doubles (csrc/lane_marginals.h). The transitions that each
agent's past actions chose are gathered once and serve all policies and iterations; those that are
planned are the model's, read once for eight agents. The last step, which hears of the step before
alone, has one belief for each last action of a factor.

Agents are the lanes, not policies: an agent has 1 to 5 families (policies with equal first actions)
in most models, so that lanes of families would stand empty for half and more; and one agent's
updates fill registers with states already. No operation crosses lanes, so that an agent's numbers
do not depend on its block.
"""

from libc.stdint cimport int32_t
from libc.string cimport memset

from freeagent_core._kernels.base.primitives cimport P, fc_lane_update
from freeagent_core._kernels.inference.lane_messages cimport contract_in_lanes
from freeagent_core._kernels.model.lane_model cimport LANES
from freeagent_core._kernels.model.message_lanes cimport (
    MAX_MESSAGES, LaneMatrices, LaneTransition, last_actions,
)
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Group, Model, PolicyTree


# `window` points into `memory`, window_rows rows. Cost: that of clearing them once.
cdef void lay_out_lanes(const MessageLanes* m, Py_ssize_t past_len, double* memory,
                        LaneWindow* window) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef Py_ssize_t n = m.lanes.num_states
    window.past_len, window.infer_len = past_len, past_len + tree.policy_len
    window.prior = memory
    window.likelihood = window.prior + LANES * n
    window.coupled = window.likelihood + LANES * past_len * n
    window.forward = window.coupled + LANES * past_len * m.num_coupled
    window.backward = window.forward + LANES * (past_len - 1) * m.num_forward
    window.beliefs = window.backward + LANES * (past_len - 1) * m.num_backward
    window.last = window.beliefs + LANES * tree.num_families * (window.infer_len - 1) * n
    window.F = window.last + LANES * tree.num_families * m.num_last
    window.messages = window.F + LANES * tree.num_policies
    window.present = window.messages + LANES * MAX_MESSAGES * m.max_states
    window.shared_F = window.present + LANES * n
    window.total = window.shared_F + LANES
    window.last_F = window.total + LANES
    window.values = window.last_F + LANES * model.num_controls_total
    window.is_last = <unsigned char*>(window.values + LANES * m.max_members * model.num_groups)


# out = M x. `past`: the matrices of the agents' own actions at a step, else the model's of `action`.
# Cost: a multiply-add of eight lanes per entry.
cdef inline void _multiply(const LaneMatrices* m, const double* past, Py_ssize_t action,
                           const double* x, double* out) noexcept nogil:
    cdef bint own = past != NULL
    if m.start == NULL:
        P.lanes.matmul(past if own else m.values + action * m.num_entries, own, m.num_out, 1, x,
                       m.num_in, m.num_out, out)
    elif own:
        P.lane_messages.sparse_matmul(past, own, m.start, m.column, x, m.num_base, m.num_out, out)
    else:
        P.lane_messages.sparse_matmul(m.planned.values, own,
                                      m.planned.start + action * (m.num_out + 1),
                                      m.planned.column, x, m.num_base, m.num_out, out)


# E_{q(s_others)}[p(o_m | s)] of the modalities that depend on `factor` and others: the messages;
# returns how many. Cost: the joint of each.
cdef Py_ssize_t _likelihood_messages(const MessageLanes* m, const LaneWindow* window,
                                     Py_ssize_t step, Py_ssize_t factor, double* qs,
                                     LaneMemory* memory, const double** messages) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const Group* group
    cdef const double* q[MAX_FACTORS]
    cdef const double* found
    cdef double* out
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef const double* tensor = window.coupled + LANES * step * m.num_coupled
    cdef Py_ssize_t g, i, j, s, keep, count = 0
    for g in range(model.num_groups):
        group = &model.groups[g]
        if group.num_factors == 1:
            continue
        keep = -1
        for j in range(group.num_factors):
            sizes[j] = model.factors[group.factors[j]].num_states
            q[j] = qs + LANES * m.lanes.state_start[group.factors[j]]
            if group.factors[j] == factor:
                keep = j
        for i in range(group.num_modalities if keep >= 0 else 0):
            found = contract_in_lanes(tensor + LANES * i * group.num_joint, sizes,
                                      group.num_factors, 1, q, keep, memory.contraction)
            out = window.messages + LANES * count * m.max_states
            for s in range(LANES * sizes[keep]):
                out[s] = found[s]
            messages[count] = out
            count += 1
        tensor += LANES * group.num_modalities * group.num_joint
    return count


# One belief, at `q`: message_passing._update_belief. `earlier` and `later` are all beliefs of the
# steps before and after, `planned` the policy's actions. Cost: that of the messages and of
# csrc/lane_marginals.h.
cdef void _update(const MessageLanes* m, const LaneWindow* window, Py_ssize_t step,
                  Py_ssize_t factor, Py_ssize_t before, const int32_t* after, double* qs,
                  double* q, const double* earlier, const double* later, LaneMemory* memory,
                  double* F) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const LaneTransition* t = &m.transitions[factor]
    cdef const double* messages[MAX_MESSAGES]
    cdef const double* past
    cdef double* out
    cdef fc_lane_update update
    cdef Py_ssize_t i, at, count, start = m.lanes.state_start[factor]
    update.likelihood, update.messages = NULL, messages
    update.num_likelihoods = update.num_future = 0
    if step < window.past_len:
        update.likelihood = window.likelihood + LANES * (step * m.lanes.num_states + start)
        if m.num_coupled:
            update.num_likelihoods = _likelihood_messages(m, window, step, factor, qs, memory,
                                                          messages)
    count = update.num_likelihoods
    if step == 0:
        messages[count] = window.prior + LANES * start
    else:
        out = window.messages + LANES * count * m.max_states
        past = NULL
        if step < window.past_len:
            past = window.forward + LANES * (step - 1) * m.num_forward
            for i in range(factor):
                past += LANES * m.transitions[i].forward.num_entries
        _multiply(&t.forward, past, before, earlier + LANES * m.lanes.state_start[t.source], out)
        messages[count] = out
    count += 1
    if step < window.infer_len - 2:
        at = 0
        for i in range(model.num_factors):
            t = &m.transitions[i]
            if t.source == factor:
                out = window.messages + LANES * count * m.max_states
                past = NULL
                if step < window.past_len - 1:
                    past = window.backward + LANES * (step * m.num_backward + at)
                _multiply(&t.backward, past, after[i] if past == NULL else 0,
                          later + LANES * m.lanes.state_start[i], out)
                messages[count] = out
                count += 1
                update.num_future += 1
            at += t.backward.num_entries
    update.balance = 2.0 if step < window.infer_len - 2 else 1.0
    update.coupling = 0.0
    if 0 < step < window.infer_len - 1:
        update.coupling = <double>(model.num_factors - 1) / model.num_factors
    if F == NULL:
        P.lane_messages.update_marginal(&update, model.factors[factor].num_states, q)
    else:
        P.lane_messages.update_marginal_and_F(&update, model.factors[factor].num_states, q, F)


# Beliefs and F of a family. pymdp.legacy.algos.mmp.run_mmp_factorized.
# Cost: num_iter * (infer_len - 1) updates of every factor, and num_iter for each last action.
cdef void pass_family_messages(const MessageLanes* m, const MMPParameters* parameters,
                               const LaneWindow* window, Py_ssize_t family,
                               LaneMemory* memory) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef const Factor* f
    cdef Py_ssize_t n = m.lanes.num_states, last_step = window.infer_len - 1
    cdef Py_ssize_t start = tree.family_start[family], stop = tree.family_start[family + 1]
    # of the first member
    cdef const int32_t* planned = tree.policy_actions + (
        tree.family_members[start] * tree.policy_len * model.num_factors)
    cdef const int32_t* actions
    cdef const int32_t* after
    cdef double* beliefs = window.beliefs + LANES * family * last_step * n
    cdef double* last = window.last + LANES * family * m.num_last
    cdef double* qs
    cdef double* F
    cdef double* out
    cdef Py_ssize_t step, i, s, action, row, lane
    cdef int iteration
    cdef bint keeps_F
    memset(window.is_last, 0, model.num_controls_total)
    for row in range(start, stop):
        actions = last_actions(tree, model.num_factors, row)
        for i in range(model.num_factors):
            window.is_last[model.factors[i].control_offset + actions[i]] = True
    for i in range(model.num_factors):
        f = &model.factors[i]
        for step in range(last_step):
            _fill(beliefs + LANES * (step * n + m.lanes.state_start[i]), f.num_states,
                  1.0 / f.num_states)
        _fill(last + LANES * m.last_start[i], f.num_controls * f.num_states, 1.0 / f.num_states)
    _fill(window.shared_F, 1, 0.0)
    _fill(window.last_F, model.num_controls_total, 0.0)
    for iteration in range(parameters.num_iter):
        keeps_F = iteration == parameters.num_iter - 1
        for step in range(last_step):
            qs = beliefs + LANES * step * n
            # the policy's actions before and after this step, where those are not past
            after = planned + (step - window.past_len + 1) * model.num_factors
            for i in range(model.num_factors):
                action = after[i - model.num_factors] if step >= window.past_len else 0
                _update(m, window, step, i, action, after, qs,
                        qs + LANES * m.lanes.state_start[i], qs - LANES * n, qs + LANES * n,
                        memory, window.shared_F if keeps_F else NULL)
        qs = beliefs + LANES * last_step * n
        for i in range(model.num_factors):
            f = &model.factors[i]
            for action in range(f.num_controls):
                if not window.is_last[f.control_offset + action]:
                    continue
                out = last + LANES * (m.last_start[i] + action * f.num_states)
                F = window.last_F + LANES * (f.control_offset + action)
                _update(m, window, last_step, i, action, NULL, NULL, out, qs - LANES * n, NULL,
                        memory, F if keeps_F else NULL)
    for row in range(start, stop):
        actions = last_actions(tree, model.num_factors, row)
        F = window.F + LANES * row
        for lane in range(LANES):
            F[lane] = window.shared_F[lane]
        for i in range(model.num_factors):
            s = LANES * (model.factors[i].control_offset + actions[i])
            for lane in range(LANES):
                F[lane] += window.last_F[s + lane]


cdef void _fill(double* x, Py_ssize_t rows, double value) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(LANES * rows):
        x[i] = value
