"""Message passing over the windows of eight agents at once, one a lane: `window_messages` for small
models that the agents share.

The same sums on rows of eight doubles (csrc/lanes.h). The transitions that each agent's actions
chose are gathered once and serve all iterations. What counts in one lane and not in another, steps
without evidence and transitions that are not known, has a weight of each lane; no operation crosses
lanes, so that an agent's numbers do not depend on its block.

The marginals of MMP are not made of logarithms: where a message counts half or in full,

    softmax(ln A + 1/2 log f + 1/2 log b) = A sqrt(f b) / sum(A sqrt(f b))

takes a square root where window_messages takes two logarithms and an exponential.
"""

from libc.float cimport DBL_EPSILON
from libc.stdint cimport uintptr_t
from libc.string cimport memcmp, memcpy, memset

from freeagent_core._kernels.base.contractions cimport log_clipped
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.inference.observed_evidence cimport log_likelihoods
from freeagent_core._kernels.inference.window_messages cimport conditioned
from freeagent_core._kernels.model.batched_model cimport ParentGroup, Transition
from freeagent_core._kernels.model.lane_model cimport LANES, joint_in_lanes

cdef enum:
    MAX_PARENTS = 64
    MAX_MESSAGES = 16              # to one factor; products of more would underflow
    # Rows of a block beyond which agents are inferred one by one: 2 MiB, a second cache.
    MAX_ROWS = 32768
    # States up to which VMP, whose messages are matrix products and nothing else, is faster in
    # lanes: then one agent's fill registers, and lanes read B of each agent for themselves.
    MAX_VARIATIONAL_STATES = 32


# Arrays of one block, in rows of eight doubles.
ctypedef struct Block:
    Py_ssize_t coupled             # joint states of the groups with several parents
    Py_ssize_t transition          # entries of B of all factors under one action
    double* log_q                  # (steps, n): of MMP without the messages between steps
    double* e                      # (steps, n), of MMP: exp(log_q - max)
    double* square                 # (steps, n), of MMP: exp of twice the messages between steps
    double* qs                     # (steps, n)
    double* base                   # (steps, n): prior and the evidence of single factors
    double* before                 # (steps, n)
    double* log_prior              # (n,)
    double* evidence               # (steps, coupled)
    double* B                      # (steps - 1, transition): of each agent's actions
    double* scale                  # (steps - 1, n): 1 / sum_s B[s', s] of factors with one parent
    double* forward                # (steps,): weight of the message to the next step
    double* backward               # (steps,): and of that to this one
    double* ones                   # (steps, n)
    double* work                   # (8 * max_tensor,)
    double* sums                   # of one agent after the other: (LANES, group_total + max_tensor)
    double* uniform                # (max_tensor,), no lanes
    double* zeros                  # (group_total,), no lanes
    const double** ll              # (LANES, num_groups)
    bint* counts                   # (steps,): whether the transition counts for any agent


cdef Py_ssize_t _coupled(const BatchedTables* t) noexcept nogil:
    cdef Py_ssize_t g, size = 0
    for g in range(t.num_groups):
        if t.groups[g].num_parents > 1:
            size += t.groups[g].size
    return size


cdef Py_ssize_t _transition(const BatchedTables* t) noexcept nogil:
    cdef Py_ssize_t f, size = 0
    for f in range(t.num_factors):
        size += t.factors[f].size * t.factors[f].num_states
    return size


# Rows that an iteration reads.
cdef Py_ssize_t _rows(const BatchedTables* t, Py_ssize_t steps) noexcept nogil:
    cdef Py_ssize_t n = t.num_states_total
    return (steps * (7 * n + _coupled(t) + 2) + (steps - 1) * (_transition(t) + n)
            + n + 8 * t.max_tensor)


# Numbers of scratch that pass_messages_in_lanes needs.
cdef Py_ssize_t lane_messages_scratch(const BatchedTables* t, Py_ssize_t num_steps) noexcept nogil:
    return (LANES * (_rows(t, num_steps) + 1 + t.group_total + t.max_tensor + t.num_groups)
            + t.max_tensor + t.group_total + num_steps)


cdef bint fit_message_lanes(const BatchedTables* t, Py_ssize_t num_steps,
                            bint variational) noexcept nogil:
    cdef Py_ssize_t f, k, i, count
    for f in range(t.num_factors):
        count = 1
        for i in range(t.num_factors):
            for k in range(t.factors[i].num_parents):
                count += t.factors[i].parents[k] == f
        if count > MAX_MESSAGES or t.factors[f].num_parents > MAX_PARENTS:
            return False
        if variational and t.factors[f].num_states > MAX_VARIATIONAL_STATES:
            return False
    return _rows(t, num_steps) <= MAX_ROWS


cdef Block _lay_out(const BatchedTables* t, Py_ssize_t steps, double* scratch) noexcept nogil:
    cdef Block b
    cdef Py_ssize_t n = t.num_states_total, s
    cdef double* here = <double*>((<uintptr_t>scratch + 63) // 64 * 64)
    b.coupled, b.transition = _coupled(t), _transition(t)
    b.log_q = here
    b.e = b.log_q + LANES * steps * n
    b.square = b.e + LANES * steps * n
    b.qs = b.square + LANES * steps * n
    b.base = b.qs + LANES * steps * n
    b.before = b.base + LANES * steps * n
    b.log_prior = b.before + LANES * steps * n
    b.evidence = b.log_prior + LANES * n
    b.B = b.evidence + LANES * steps * b.coupled
    b.scale = b.B + LANES * (steps - 1) * b.transition
    b.forward = b.scale + LANES * (steps - 1) * n
    b.backward = b.forward + LANES * steps
    b.ones = b.backward + LANES * steps
    b.work = b.ones + LANES * steps * n
    b.sums = b.work + LANES * 8 * t.max_tensor
    b.uniform = b.sums + LANES * (t.group_total + t.max_tensor)
    b.zeros = b.uniform + t.max_tensor
    b.ll = <const double**>(b.zeros + t.group_total)
    b.counts = <bint*>(b.ll + LANES * t.num_groups)
    memset(b.zeros, 0, t.group_total * sizeof(double))
    for s in range(LANES * steps * n):
        b.ones[s] = 1.0
    return b


# Weights of messages between steps, as window_messages has them: 0 where they do not count.
cdef void _weigh(Block* b, const Window* windows, Py_ssize_t steps) noexcept nogil:
    cdef Py_ssize_t step, lane
    cdef const unsigned char* valid
    cdef bint marginal = not windows[0].variational
    for step in range(steps):
        b.counts[step] = False
        for lane in range(LANES):
            valid = windows[lane].transition_valid
            b.forward[LANES * step + lane] = b.backward[LANES * step + lane] = 0.0
            if step == steps - 1 or not valid[step]:
                continue
            b.counts[step] = True
            b.forward[LANES * step + lane] = b.backward[LANES * step + lane] = 1.0
            if marginal:
                b.backward[LANES * step + lane] = 0.5
                if step + 1 < steps - 1 and valid[step + 1]:
                    b.forward[LANES * step + lane] = 0.5


# base = log prior where it counts + the evidence of single factors; evidence = that of groups.
# Cost: 8 loads per joint state and step.
cdef void _gather_evidence(const BatchedTables* t, const Observed* observed, Block* b,
                           const Window* windows, const Py_ssize_t* agents,
                           const double** prior) noexcept nogil:
    cdef Py_ssize_t steps = observed.num_steps, n = t.num_states_total, step, lane, f, g
    cdef const double* rows[LANES]
    cdef double weight[LANES]
    cdef const Transition* factor
    cdef const ParentGroup* group
    cdef double* here
    for f in range(t.num_factors):
        factor = &t.factors[f]
        for lane in range(LANES):
            rows[lane] = prior[lane * t.num_factors + f]
        P.lanes.gather(rows, factor.num_states, False, b.log_prior + LANES * factor.offset)
    log_clipped(b.log_prior, LANES * n, b.log_prior)
    memset(b.base, 0, LANES * steps * n * sizeof(double))
    for step in range(steps):
        for lane in range(LANES):
            weight[lane] = 0.0
            if not windows[lane].without_prior and (
                    step == 0 or not windows[lane].transition_valid[step - 1]):
                weight[lane] = 1.0
                if (not windows[lane].variational and step < steps - 1
                        and windows[lane].transition_valid[step]):
                    weight[lane] = 0.5
            log_likelihoods(t, observed, agents[lane], step, b.ll + lane * t.num_groups,
                            b.sums + lane * (t.group_total + t.max_tensor))
        P.lane_messages.add_weighted(weight, b.log_prior, n, b.base + LANES * step * n)
        here = b.evidence + LANES * step * b.coupled
        for g in range(t.num_groups):
            group = &t.groups[g]
            for lane in range(LANES):
                rows[lane] = b.ll[lane * t.num_groups + g]
                if rows[lane] == NULL or not windows[lane].step_valid[step]:
                    rows[lane] = b.zeros
            if group.num_parents == 1:
                P.lanes.gather(rows, group.size, True, b.base + LANES * (
                    step * n + t.factors[group.parents[0]].offset))
            else:
                P.lanes.gather(rows, group.size, False, here)
                here += LANES * group.size


# The transitions under each agent's actions, and for MMP what their rows sum to.
# Cost: 8 loads per entry of B of an action and step.
cdef void _gather_transitions(const BatchedTables* t, Block* b, const Window* windows,
                              const Py_ssize_t* agents, Py_ssize_t steps) noexcept nogil:
    cdef Py_ssize_t step, f, lane, s, n = t.num_states_total
    cdef const Transition* factor
    cdef const double* rows[LANES]
    cdef double* B = b.B
    cdef double* scale
    for step in range(steps - 1):
        for f in range(t.num_factors):
            factor = &t.factors[f]
            if b.counts[step]:
                for lane in range(LANES):
                    rows[lane] = conditioned(factor, &windows[lane], step, f, t.num_factors,
                                             agents[lane], b.uniform)
                P.lanes.gather(rows, factor.size * factor.num_states, False, B)
                if factor.num_parents == 1 and not windows[0].variational:
                    scale = b.scale + LANES * (step * n + factor.offset)
                    _scale_of(B, b.ones, factor.size, factor.num_states, scale)
            B += LANES * factor.size * factor.num_states


# out[s'] = 1 / max(sum_s table[s, s'], 2^-52). Cost: the size of the table.
cdef void _scale_of(const double* table, const double* ones, Py_ssize_t size,
                    Py_ssize_t num_states, double* out) noexcept nogil:
    cdef Py_ssize_t s
    P.lanes.matmul(table, True, num_states, 1, ones, size, num_states, out)
    for s in range(LANES * num_states):
        out[s] = 1.0 / max(out[s], DBL_EPSILON)


# contractions.contract_others of lanes.
cdef const double* contract_in_lanes(const double* tensor, const Py_ssize_t* sizes,
                                     Py_ssize_t count, Py_ssize_t tail, const double** q,
                                     Py_ssize_t keep, double* scratch) noexcept nogil:
    cdef Py_ssize_t rest = tail, lead, i, k
    cdef const double* source = tensor
    cdef double* target = scratch
    cdef double* other
    for k in range(count):
        rest *= sizes[k]
    other = scratch + LANES * rest
    for k in range(keep):
        rest //= sizes[k]
        P.lanes.gemv_t(q[k], source, sizes[k], rest, target)
        source = target
        target, other = other, target
    for k in range(count - 1, keep, -1):
        lead = rest // (sizes[k] * tail)
        if tail == 1:
            P.lanes.matmul(source, True, 1, sizes[k], q[k], sizes[k], lead, target)
        else:
            for i in range(lead):
                P.lanes.gemv_t(q[k], source + LANES * i * sizes[k] * tail, sizes[k], tail,
                               target + LANES * i * tail)
        rest = lead * tail
        source = target
        target, other = other, target
    return source


# log_q of a step += the evidence of groups, averaged over the other parents: add_group of lanes.
cdef void _add_groups(const BatchedTables* t, const double* evidence, double* qs, double* log_q,
                      double* scratch) noexcept nogil:
    cdef const ParentGroup* group
    cdef const double* q[MAX_PARENTS]
    cdef const double* part
    cdef Py_ssize_t g, k
    for g in range(t.num_groups):
        group = &t.groups[g]
        if group.num_parents == 1:
            continue
        for k in range(group.num_parents):
            q[k] = qs + LANES * t.factors[group.parents[k]].offset
        for k in range(group.num_parents):
            part = contract_in_lanes(evidence, group.sizes, group.num_parents, 1, q, k, scratch)
            P.axpy(1.0, part, log_q + LANES * t.factors[group.parents[k]].offset,
                   LANES * group.sizes[k])
        evidence += LANES * group.size


# The messages across one transition of a factor, to the next step and to this one: into log_q, of
# MMP into square.
cdef void _add_messages(const BatchedTables* t, const Transition* f, const double* B,
                        const double* scale, const Block* b, Py_ssize_t step,
                        bint variational) noexcept nogil:
    cdef Py_ssize_t n = t.num_states_total, k
    cdef const double* q[MAX_PARENTS]
    cdef const double* joint
    cdef const double* table
    cdef double* now = b.qs + LANES * step * n
    cdef double* following = now + LANES * (n + f.offset)
    cdef double* to_now = (b.log_q if variational else b.square) + LANES * step * n
    cdef double* to_following = to_now + LANES * (n + f.offset)
    cdef double* message = b.work
    cdef double* rest = b.work + LANES * t.max_tensor
    cdef double* weighted = rest + LANES * t.max_tensor
    cdef double* scratch = weighted + LANES * t.max_tensor
    for k in range(f.num_parents):
        q[k] = now + LANES * t.factors[f.parents[k]].offset
    joint = joint_in_lanes(q, f.sizes, f.num_parents, t.max_tensor, scratch)
    P.lanes.matmul(B, True, f.num_states, 1, joint, f.size, f.num_states, message)
    if variational:
        P.lane_messages.add_weighted(b.forward + LANES * step, message, f.num_states,
                                     to_following)
    else:
        P.lane_messages.multiply_message(b.forward + LANES * step, message, f.num_states,
                                         to_following)
    for k in range(f.num_parents):
        table = contract_in_lanes(B, f.sizes, f.num_parents, f.num_states, q, k, scratch)
        if variational:
            P.lanes.matmul(table, True, 1, f.num_states, following, f.num_states, f.sizes[k],
                           message)
            P.lane_messages.add_weighted(b.backward + LANES * step, message, f.sizes[k],
                                         to_now + LANES * t.factors[f.parents[k]].offset)
            continue
        if f.num_parents > 1:
            _scale_of(table, b.ones, f.sizes[k], f.num_states, rest)
            scale = rest
        P.lane_messages.multiply(following, scale, f.num_states, weighted)
        P.lanes.matmul(table, True, 1, f.num_states, weighted, f.num_states, f.sizes[k], message)
        P.lane_messages.multiply_message(b.backward + LANES * step, message, f.sizes[k],
                                         to_now + LANES * t.factors[f.parents[k]].offset)


# e = exp(log_q - max log_q) of each factor and step. Cost: an exponential per state and step.
cdef void _exponentiate(const BatchedTables* t, const Block* b, Py_ssize_t steps) noexcept nogil:
    cdef Py_ssize_t step, f, s
    for step in range(steps):
        for f in range(t.num_factors):
            s = LANES * (step * t.num_states_total + t.factors[f].offset)
            P.lane_messages.relative_exp(b.log_q + s, t.factors[f].num_states, b.e + s)


# window_messages.pass_messages of eight agents, repeated ones among them: `windows`, `agents` and
# `prior`, (LANES, num_factors), of each; qs is (steps, num_states_total) in rows of lanes.
# Iterations that would change nothing in any lane, to the bit, are left out. Cost: as that of one
# agent times eight over the lanes of a register, and 8 loads per entry of B of an action and step.
cdef void pass_messages_in_lanes(const BatchedTables* t, const Observed* observed,
                                 const Window* windows, const Py_ssize_t* agents,
                                 const double** prior, Py_ssize_t num_iter, double* qs,
                                 double* scratch) noexcept nogil:
    cdef Py_ssize_t steps = observed.num_steps, n = t.num_states_total
    cdef Py_ssize_t step, f, s, iteration
    cdef double share
    cdef size_t size = LANES * steps * n * sizeof(double)
    cdef const Transition* factor
    cdef double* B
    cdef bint variational = windows[0].variational
    cdef Block b = _lay_out(t, steps, scratch)
    _weigh(&b, windows, steps)
    _gather_evidence(t, observed, &b, windows, agents, prior)
    _gather_transitions(t, &b, windows, agents, steps)
    for step in range(steps):
        for f in range(t.num_factors):
            factor = &t.factors[f]
            share = 1.0 / factor.num_states
            for s in range(LANES * factor.num_states):
                b.qs[LANES * (step * n + factor.offset) + s] = share
    if not variational:
        memcpy(b.log_q, b.base, size)
        _exponentiate(t, &b, steps)
    for iteration in range(num_iter):
        memcpy(b.before, b.qs, size)
        if variational or b.coupled:
            memcpy(b.log_q, b.base, size)
        if not variational:
            memcpy(b.square, b.ones, size)
        B = b.B
        for step in range(steps):
            if b.coupled:
                _add_groups(t, b.evidence + LANES * step * b.coupled, b.qs + LANES * step * n,
                            b.log_q + LANES * step * n, b.work)
            if not b.counts[step]:
                B += LANES * b.transition
                continue
            for f in range(t.num_factors):
                factor = &t.factors[f]
                _add_messages(t, factor, B, b.scale + LANES * (step * n + factor.offset), &b,
                              step, variational)
                B += LANES * factor.size * factor.num_states
        if b.coupled and not variational:
            _exponentiate(t, &b, steps)
        for step in range(steps):
            for f in range(t.num_factors):
                s = LANES * (step * n + t.factors[f].offset)
                if variational:
                    P.lane_messages.softmax(b.log_q + s, t.factors[f].num_states, b.qs + s)
                else:
                    P.lane_messages.marginal(b.e + s, b.square + s, t.factors[f].num_states,
                                             b.qs + s)
        if memcmp(b.before, b.qs, size) == 0:
            break
    memcpy(qs, b.qs, size)
