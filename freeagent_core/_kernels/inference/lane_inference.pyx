"""Belief update of eight agents at once, one a lane: `fixed_point_iteration` for small models.

The same steps on rows of eight doubles (csrc/lanes.h). A lane that has converged keeps its belief
while others go on. What a lane cannot do (products that underflow) is left to the caller.
"""

from libc.math cimport fabs, isfinite, log
from libc.string cimport memset

from freeagent_core._kernels.base.primitives cimport FC_EPS, P
from freeagent_core._kernels.inference.fixed_point_iteration cimport MIN_PRODUCT
from freeagent_core._kernels.model.lane_model cimport LANES, joint_in_lanes
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Group, Model


# memory.prior = B q(s_before) under each agent's last action, or D of those that have none, with
# the B and D of each; memory.before has their beliefs. pymdp.legacy.control.get_expected_states_interactions.
# Cost: num_previous * num_states a factor, of eight lanes, and as many loads a lane where actions
# may differ.
cdef void predict_in_lanes(const LaneModel* lanes, LaneMemory* memory, const Py_ssize_t** action,
                           const bint* has_action) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef const Factor* f
    cdef const double* parts[MAX_FACTORS]
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef const double* own[LANES]
    cdef const double* x
    cdef double* prior
    cdef Py_ssize_t i, d, s, lane
    for i in range(model.num_factors):
        f = &model.factors[i]
        for d in range(f.num_dependencies):
            parts[d] = memory.before + LANES * lanes.state_start[f.dependencies[d]]
            sizes[d] = model.factors[f.dependencies[d]].num_states
        x = joint_in_lanes(parts, sizes, f.num_dependencies, lanes.max_joint, memory.joint)
        prior = memory.prior + LANES * lanes.state_start[i]
        if f.num_controls == 1 and not lanes.own:
            P.lanes.matmul(lanes.B[i], False, f.num_states, 1, x, f.num_previous, f.num_states,
                           prior)
        else:
            for lane in range(LANES):
                own[lane] = memory.B_of[LANES * i + lane]
                if has_action[lane]:
                    own[lane] += action[lane][i] * f.num_previous * lanes.B_stride[i]
            P.lanes.own_matmul(own, lanes.B_stride[i], x, f.num_previous, f.num_states, prior)
        for lane in range(LANES):
            if not has_action[lane]:
                for s in range(f.num_states):
                    prior[LANES * s + lane] = memory.D_of[lane][f.offset + s]


# memory.qs = q(s | o) from memory.prior, which may be overwritten; failed[lane] is set where the
# result is not to be used. pymdp.legacy.inference.update_posterior_states_factorized.
# Cost: as fixed_point_iteration.infer_posterior, an eighth for each agent.
cdef void infer_posterior_in_lanes(const LaneModel* lanes, LaneMemory* memory,
                                   const FPIParameters* parameters, const Py_ssize_t** outcomes,
                                   bint* failed) noexcept nogil:
    cdef Py_ssize_t lane, f
    if lanes.model.num_factors == 1:
        _product_of_outcomes(lanes, memory, outcomes)
        for lane in range(LANES):
            failed[lane] = not (memory.norm[lane] > MIN_PRODUCT and isfinite(memory.norm[lane]))
        P.lanes.divide(memory.qs, lanes.num_states, memory.norm)
        return
    _log_likelihood(lanes, memory, outcomes)
    _iterate(lanes, memory, parameters)
    for lane in range(LANES):
        failed[lane] = False
        for f in range(lanes.model.num_factors):
            if not isfinite(memory.qs[LANES * lanes.state_start[f] + lane]):
                failed[lane] = True


# memory.qs = (prior + 1e-16) prod_m (A_m[o_m] + 1e-16), memory.norm = its sum, of one factor.
# pymdp.legacy.algos.fpi.run_vanilla_fpi. Cost: num_states per modality.
cdef void _product_of_outcomes(const LaneModel* lanes, LaneMemory* memory,
                               const Py_ssize_t** outcomes) noexcept nogil:
    cdef const Group* group = &lanes.model.groups[0]
    cdef const double* rows[LANES]
    cdef Py_ssize_t i, m, lane
    for i in range(group.num_modalities):
        m = group.modalities[i]
        for lane in range(LANES):
            rows[lane] = memory.A_of[lane][m] + outcomes[lane][m] * group.num_joint
        P.lanes.multiply_eps(rows, memory.prior if i == 0 else memory.qs,
                             FC_EPS if i == 0 else 0.0, group.num_joint, memory.qs, memory.norm)


# LL_g = sum_{m in g} log(A_m[o_m] + 1e-16). pymdp.legacy.algos.fpi.run_vanilla_fpi_factorized.
# Cost: num_joint per modality; of agents' own A as many logarithms.
cdef void _log_likelihood(const LaneModel* lanes, LaneMemory* memory,
                          const Py_ssize_t** outcomes) noexcept nogil:
    cdef const Group* group
    cdef const double* rows[LANES]
    cdef double* total
    cdef Py_ssize_t g, i, m, lane
    for g in range(lanes.model.num_groups):
        group = &lanes.model.groups[g]
        total = memory.log_likelihood + LANES * lanes.groups[g].likelihood_start
        for i in range(group.num_modalities):
            m = group.modalities[i]
            for lane in range(LANES):
                rows[lane] = ((memory.A_of[lane][m] if lanes.own
                               else lanes.model.modalities[m].log_A)
                              + outcomes[lane][m] * group.num_joint)
            if not lanes.own:
                P.lanes.gather(rows, group.num_joint, i > 0, total)
                continue
            P.lanes.gather(rows, group.num_joint, False, memory.row)
            P.log_eps(memory.row, LANES * group.num_joint, memory.row if i else total)
            if i:
                P.axpy(1.0, memory.row, total, LANES * group.num_joint)


# q_f = softmax(E_{q others}[LL] + log prior_f) of all factors at once, from uniform beliefs, until
# |dF| < dF_tol or num_iter; F as in fixed_point_iteration._update_beliefs, lane by lane.
# pymdp.legacy.algos.fpi.run_vanilla_fpi_factorized. Cost: 2 joints per group and iteration of the
# slowest lane, an exponential per state.
cdef void _iterate(const LaneModel* lanes, LaneMemory* memory,
                   const FPIParameters* parameters) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef double before[LANES]
    cdef double vfe, share
    cdef Py_ssize_t f, s, n, lane
    cdef int iteration = 0
    cdef bint any_active = not parameters.compute_vfe or parameters.dF >= parameters.dF_tol
    P.log_eps(memory.prior, LANES * lanes.num_states, memory.prior)
    for lane in range(LANES):
        before[lane] = 0.0
        memory.active[lane] = -1
    for f in range(model.num_factors):
        n = model.factors[f].num_states
        share = 1.0 / n
        for s in range(LANES * lanes.state_start[f], LANES * (lanes.state_start[f] + n)):
            memory.qs[s] = share
            before[s % LANES] -= share * memory.prior[s]
        vfe = log(share + FC_EPS)
        for lane in range(LANES):
            before[lane] += vfe
    if parameters.compute_vfe and any_active:
        _messages(lanes, memory)
    while iteration < parameters.num_iter and any_active:
        if not parameters.compute_vfe:
            _messages(lanes, memory)
        for lane in range(LANES):
            memory.value[lane], memory.norm[lane] = 0.0, 1.0
        for f in range(model.num_factors):
            s = LANES * lanes.state_start[f]
            P.lanes.posterior(memory.message + s, memory.prior + s, model.factors[f].num_states,
                              memory.active, memory.qs + s, memory.row, memory.value,
                              memory.norm)
        if parameters.compute_vfe:
            P.log(memory.norm, LANES, memory.norm)
            # these messages serve the free energy now and the next iteration
            _messages(lanes, memory)
            any_active = False
            for lane in range(LANES):
                vfe = memory.value[lane] - memory.norm[lane] - memory.accuracy[lane]
                if not fabs(before[lane] - vfe) >= parameters.dF_tol:
                    memory.active[lane] = 0
                before[lane] = vfe
                any_active |= memory.active[lane] != 0
        iteration += 1


# memory.message and memory.accuracy, as fixed_point_iteration._messages.
# pymdp.legacy.maths.spm_dot and compute_accuracy. Cost: about two joints per group.
cdef void _messages(const LaneModel* lanes, LaneMemory* memory) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef const double* trailing[MAX_FACTORS]
    cdef const double* leading
    cdef const double* q
    cdef double* store
    cdef double* message
    cdef const Group* group
    cdef const Factor* f
    cdef Py_ssize_t g, j, remaining, size
    memset(memory.message, 0, LANES * lanes.num_states * sizeof(double))
    memset(memory.accuracy, 0, LANES * sizeof(double))
    for g in range(model.num_groups):
        group = &model.groups[g]
        store, size = memory.trailing, 1
        for j in range(group.num_factors - 2, -1, -1):
            f = &model.factors[group.factors[j + 1]]
            q = memory.qs + LANES * lanes.state_start[group.factors[j + 1]]
            if size == 1:
                trailing[j] = q
            elif f.num_states == 1:  # its belief is 1
                trailing[j] = trailing[j + 1]
            else:
                P.lanes.outer(q, f.num_states, trailing[j + 1], size, store)
                trailing[j] = store
                store += LANES * f.num_states * size
            size *= f.num_states
        leading = memory.log_likelihood + LANES * lanes.groups[g].likelihood_start
        store, remaining = memory.contraction, group.num_joint
        for j in range(group.num_factors):
            f = &model.factors[group.factors[j]]
            q = memory.qs + LANES * lanes.state_start[group.factors[j]]
            message = memory.message + LANES * lanes.state_start[group.factors[j]]
            remaining //= f.num_states
            if j == group.num_factors - 1:
                P.axpy(1.0, leading, message, LANES * f.num_states)
                P.lanes.dot(1.0, leading, q, f.num_states, memory.accuracy)
                break
            P.lanes.gemv(leading, trailing[j], f.num_states, remaining, message)
            if f.num_states > 1:
                P.lanes.gemv_t(q, leading, f.num_states, remaining, store)
                leading = store
                store += LANES * remaining
