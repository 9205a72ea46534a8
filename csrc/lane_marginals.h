/* lane_marginals.h: updates of beliefs in marginal message passing of eight agents at once, one a lane
 * (lanes.h): marginal_messages.h for small models that agents share. */
#ifndef FREEAGENT_LANE_MARGINALS_H
#define FREEAGENT_LANE_MARGINALS_H

#include "lanes.h"

/* out[j] = sum of values[e] x[column[e]], start[j] <= e < start[j + 1], + (with n_base) sum_i
 * values[start[n_out] + i] x[i], i < n_base: a sparse matrix and what each of its rows has besides;
 * values shared or own. Cost: a multiply-add of eight lanes per value. */
ALWAYS_INLINE void sparse_rows(const double *values, int own, const int32_t *start,
                               const int32_t *column, const double *x, ptrdiff_t n_base,
                               ptrdiff_t n_out, double *out)
{
    vm base[PARTS];
    UNROLL for (int p = 0; p < PARTS; p++) base[p] = VM_SPLAT(0.0);
    for (ptrdiff_t i = 0; i < n_base; i++) {
        const ptrdiff_t e = start[n_out] + i;
        UNROLL for (int p = 0; p < PARTS; p++)
            base[p] = vm_fma(own ? vm_load(values + LANES * e + VM_LANES * p) : VM_SPLAT(values[e]),
                             vm_load(x + LANES * i + VM_LANES * p), base[p]);
    }
    for (ptrdiff_t j = 0; j < n_out; j++) {
        vm total[PARTS];
        UNROLL for (int p = 0; p < PARTS; p++) total[p] = base[p];
        for (ptrdiff_t e = start[j]; e < start[j + 1]; e++) {
            const double *here = x + LANES * column[e];
            UNROLL for (int p = 0; p < PARTS; p++)
                total[p] = vm_fma(
                    own ? vm_load(values + LANES * e + VM_LANES * p) : VM_SPLAT(values[e]),
                    vm_load(here + VM_LANES * p), total[p]);
        }
        UNROLL for (int p = 0; p < PARTS; p++)
            vm_store(out + LANES * j + VM_LANES * p, total[p]);
    }
}

static void lanes_sparse_matmul(const double *values, int own, const int32_t *start,
                                const int32_t *column, const double *x, ptrdiff_t n_base,
                                ptrdiff_t n_out, double *out)
{
    if (own)
        sparse_rows(values, 1, start, column, x, n_base, n_out, out);
    else
        sparse_rows(values, 0, start, column, x, n_base, n_out, out);
}

/* Products of the messages to state i: of likelihoods, and of the others, those of the next step to
 * the power of 1/2. */
ALWAYS_INLINE void lane_messages_to(const fc_lane_update *u, ptrdiff_t i, ptrdiff_t p,
                                    vm *likelihood, vm *others)
{
    const double *const *message = u->messages;
    const vm eps = VM_SPLAT(FC_EPS);
    vm A = u->likelihood != NULL ? ROW(u->likelihood, i) : VM_SPLAT(1.0);
    for (ptrdiff_t k = 0; k < u->num_likelihoods; k++)
        A *= ROW(*message++, i) + eps;
    vm before = ROW(*message++, i) + eps;
    if (u->num_future > 0) {
        vm future = ROW(*message++, i) + eps;
        for (ptrdiff_t k = 1; k < u->num_future; k++)
            future *= ROW(*message++, i) + eps;
        before *= vm_sqrt(future);
    }
    *likelihood = A;
    *others = before;
}

/* The belief of state i before it is normalised, `raised` being that of before + FC_EPS. */
ALWAYS_INLINE vm lane_marginal(const fc_lane_update *u, vm raised, vm A, vm others)
{
    return u->balance == 2.0 ? vm_sqrt(raised * A * vm_sqrt(others))
                             : vm_sqrt(raised * vm_sqrt(raised * A * others));
}

/* update_marginal_by_roots with gradient and a weight of the future of 1/2.
 * Cost: two or three square roots per state. */
static void lanes_update_marginal(const fc_lane_update *u, ptrdiff_t n, double *q)
{
    EACH_PART {
        vm total = VM_SPLAT(0.0), A, others;
        for (ptrdiff_t i = 0; i < n; i++) {
            lane_messages_to(u, i, p, &A, &others);
            const vm x = lane_marginal(u, ROW(q, i) + VM_SPLAT(FC_EPS), A, others);
            total += x;
            SET_ROW(q, i, x);
        }
        const vm inverse = VM_SPLAT(1.0) / total;
        for (ptrdiff_t i = 0; i < n; i++)
            SET_ROW(q, i, ROW(q, i) * inverse);
    }
}

/* The same, and F += (q . err - coupling q . lnA) / 2 of the old q, err = 4 log(x / q).
 * Cost: a logarithm per state more, or two. */
static void lanes_update_marginal_and_F(const fc_lane_update *u, ptrdiff_t n, double *q,
                                        double *F)
{
    EACH_PART {
        vm energy = VM_SPLAT(0.0), total = energy, A, others;
        for (ptrdiff_t i = 0; i < n; i++) {
            lane_messages_to(u, i, p, &A, &others);
            const vm belief = ROW(q, i), raised = belief + VM_SPLAT(FC_EPS);
            const vm x = lane_marginal(u, raised, A, others);
            vm error = VM_SPLAT(4.0) * log_of_sum(x / raised);
            if (u->coupling != 0.0)
                error -= VM_SPLAT(u->coupling) * log_of_sum(A);
            energy = vm_fma(belief, error, energy);
            total += x;
            SET_ROW(q, i, x);
        }
        SET_ROW(F, 0, vm_fma(VM_SPLAT(0.5), energy, ROW(F, 0)));
        const vm inverse = VM_SPLAT(1.0) / total;
        for (ptrdiff_t i = 0; i < n; i++)
            SET_ROW(q, i, ROW(q, i) * inverse);
    }
}

#endif
