/* marginal_messages.h: the update of one belief in marginal message passing. */
#ifndef FREEAGENT_MARGINAL_MESSAGES_H
#define FREEAGENT_MARGINAL_MESSAGES_H

#include "vectors.h"

/* The vector of a message before its logarithm that begins at state j. Cost: a multiply-add per
 * row. */
ALWAYS_INLINE vm linear_message(const fc_message *message, ptrdiff_t j, ptrdiff_t n)
{
    if (message->M == NULL)
        return vm_load_some(message->x + j, n - j, 1.0);
    vm total = VM_SPLAT(0.0);
    for (ptrdiff_t i = 0; i < message->rows; i++)
        total = vm_fma(VM_SPLAT(message->x[i]),
                       vm_load_some(message->M + i * message->stride + j, n - j, 0.0), total);
    return total;
}

ALWAYS_INLINE vm log_message(const fc_message *message, ptrdiff_t j, ptrdiff_t n)
{
    return log_eps_vm(linear_message(message, j, n));
}

/* The vector from state j on of the error, or without gradient of the sum of messages; beyond n it
 * is not defined. Part of update_marginal. Cost: that of the messages and a logarithm. */
ALWAYS_INLINE vm marginal_error(const fc_marginal_update *u, const double *q, ptrdiff_t j,
                                ptrdiff_t n, vm *log_q, vm *F)
{
    const fc_message *message = u->messages;
    const vm balance = VM_SPLAT(u->balance);
    vm lnA = VM_SPLAT(0.0), future = lnA;
    if (u->log_likelihood != NULL)
        lnA = vm_load_some(u->log_likelihood + j, n - j, 0.0);
    for (ptrdiff_t k = 0; k < u->num_likelihoods; k++)
        lnA += log_message(message++, j, n);
    vm others = u->log_prior != NULL ? vm_load_some(u->log_prior + j, n - j, 0.0)
                                     : log_message(message++, j, n);
    for (ptrdiff_t k = 0; k < u->num_future; k++)
        future += log_message(message++, j, n);
    others = vm_fma(VM_SPLAT(u->future_weight), future, others);
    if (!u->gradient)
        return lnA + others;
    const vm belief = vm_load_some(q + j, n - j, 0.0);
    *log_q = log_eps_vm(belief);
    const vm error = vm_fma(balance, lnA - *log_q, others);
    *F = vm_fma(belief, vm_fma(VM_SPLAT(-u->coupling), lnA, error), *F);
    return error;
}

/* Beliefs of up to four vectors stay in registers, with code for each number of vectors. The plain
 * level of x86-64, for processors of before 2013, has the loops alone: 100 KB less in each wheel. */
#if defined(__x86_64__) && !defined(__AVX2__)
#define IN_REGISTERS 0
#else
#define IN_REGISTERS 4
#endif

static const double FIRST_LANES[2 * 8] = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0};

/* update_marginal of up to `count` vectors, a constant: nothing goes through memory. */
ALWAYS_INLINE double update_marginal_in_registers(const fc_marginal_update *u, ptrdiff_t n,
                                                  double *q, double *error, int count)
{
    const ptrdiff_t last = (count - 1) * VM_LANES;
    const vmi in_use = vm_load(FIRST_LANES + 8 - (n - last)) > VM_SPLAT(0.5);
    vm x[4], log_q[4] = {{0.0}}, F = VM_SPLAT(0.0), best = VM_SPLAT(-INFINITY), total = F;
    UNROLL for (int b = 0; b < count; b++)
        x[b] = marginal_error(u, q, b * VM_LANES, n, &log_q[b], &F);
    if (u->gradient) {
        UNROLL for (int b = 0; b < count; b++)
            total += b < count - 1 ? x[b] : vm_select(in_use, x[b], VM_SPLAT(0.0));
        const vm mean = VM_SPLAT(vm_sum_lanes(total) / (double)n);
        UNROLL for (int b = 0; b < count; b++) {
            x[b] -= mean;
            if (error != NULL)
                vm_store_some(error + b * VM_LANES, x[b], n - b * VM_LANES);
            x[b] = vm_fma(VM_SPLAT(u->tau), x[b], log_q[b]);
        }
    }
    x[count - 1] = vm_select(in_use, x[count - 1], VM_SPLAT(-INFINITY));
    UNROLL for (int b = 0; b < count; b++) best = vm_max(best, x[b]);
    const vm top = VM_SPLAT(vm_max_lanes(best));
    total = VM_SPLAT(0.0);
    UNROLL for (int b = 0; b < count; b++) {
        x[b] = exp_vm(x[b] - top);
        total += x[b]; /* exp(-746) beyond n is 0 */
    }
    const vm norm = VM_SPLAT(vm_sum_lanes(total));
    UNROLL for (int b = 0; b < count; b++)
        vm_store_some(q + b * VM_LANES, x[b] / norm, n - b * VM_LANES);
    return 0.5 * vm_sum_lanes(F);
}

/* err = c lnA + lnB_past + lnB_future - c log q
 * q <- softmax(log q + tau (err - mean err))             with gradient
 * q <- softmax(lnA + lnB_past + lnB_future)              without
 * Returns (q . err - coupling q . lnA) / 2 of the old q, 0 without gradient.
 * pymdp.legacy.algos.mmp.run_mmp_factorized and run_mmp. Cost: that of the messages, a logarithm
 * and an exponential per state. */
static double update_marginal(const fc_marginal_update *u, ptrdiff_t n, double *q, double *error)
{
    const ptrdiff_t count = (n + VM_LANES - 1) / VM_LANES;
    switch (count <= IN_REGISTERS ? count : 0) {
    case 1: return update_marginal_in_registers(u, n, q, error, 1);
    case 2: return update_marginal_in_registers(u, n, q, error, 2);
    case 3: return update_marginal_in_registers(u, n, q, error, 3);
    case 4: return update_marginal_in_registers(u, n, q, error, 4);
    default: break;
    }
    double few_errors[8]; /* of more states there is an array */
    if (error == NULL)
        error = few_errors;
    vm F = VM_SPLAT(0.0), log_q = F;
    for (ptrdiff_t j = 0; j < n; j += VM_LANES) {
        const vm x = marginal_error(u, q, j, n, &log_q, &F);
        if (u->gradient)
            vm_store_some(error + j, x, n - j);
        vm_store_some(q + j, u->gradient ? log_q : x, n - j);
    }
    if (u->gradient) {
        const vm mean = VM_SPLAT(sum(error, n) / (double)n);
        for (ptrdiff_t j = 0; j < n; j += VM_LANES) {
            const vm x = vm_load_some(error + j, n - j, 0.0) - mean;
            vm_store_some(error + j, x, n - j);
            vm_store_some(q + j, vm_fma(VM_SPLAT(u->tau), x, vm_load_some(q + j, n - j, 0.0)),
                          n - j);
        }
    }
    softmax(q, n, q);
    return 0.5 * vm_sum_lanes(F);
}

/* The vector from state j on of the belief before it is normalised, from products: exponents of
 * messages are quarters, tau being 1/4. With keeps_F, what F has of it is added.
 * Cost: that of the messages, and up to three square roots; with F a logarithm or two. */
ALWAYS_INLINE vm marginal_by_roots(const fc_marginal_update *u, const double *q, ptrdiff_t j,
                                   ptrdiff_t n, int keeps_F, vm *F)
{
    const fc_message *message = u->messages;
    const vm eps = VM_SPLAT(FC_EPS);
    vm A = VM_SPLAT(1.0), future = A;
    if (u->likelihood != NULL)
        A = vm_load_some(u->likelihood + j, n - j, 1.0);
    for (ptrdiff_t k = 0; k < u->num_likelihoods; k++)
        A *= linear_message(message++, j, n) + eps;
    vm others = eps + (u->prior != NULL ? vm_load_some(u->prior + j, n - j, 1.0)
                                        : linear_message(message++, j, n));
    for (ptrdiff_t k = 0; k < u->num_future; k++)
        future *= linear_message(message++, j, n) + eps;
    if (u->num_future > 0)
        others *= u->future_weight == 1.0 ? future : vm_sqrt(future);
    if (!u->gradient)
        return A * others;
    const vm belief = vm_load_some(q + j, n - j, 0.0), raised = belief + eps;
    const vm x = u->balance == 2.0 ? vm_sqrt(raised * A * vm_sqrt(others))
                                   : vm_sqrt(raised * vm_sqrt(raised * A * others));
    if (keeps_F) {
        vm error = VM_SPLAT(4.0) * log_of_sum(x / raised);
        if (u->coupling != 0.0)
            error -= VM_SPLAT(u->coupling) * log_of_sum(A);
        *F = vm_fma(belief, error, *F);
    }
    return x;
}

/* update_marginal_by_roots of up to `count` vectors, a constant. */
ALWAYS_INLINE double roots_in_registers(const fc_marginal_update *u, ptrdiff_t n, double *q,
                                        int keeps_F, int count)
{
    const ptrdiff_t last = (count - 1) * VM_LANES;
    const vmi in_use = vm_load(FIRST_LANES + 8 - (n - last)) > VM_SPLAT(0.5);
    vm x[4], total = VM_SPLAT(0.0), F = total;
    UNROLL for (int b = 0; b < count; b++)
        x[b] = marginal_by_roots(u, q, b * VM_LANES, n, keeps_F, &F);
    x[count - 1] = vm_select(in_use, x[count - 1], VM_SPLAT(0.0));
    UNROLL for (int b = 0; b < count; b++) total += x[b];
    const vm inverse = VM_SPLAT(1.0 / vm_sum_lanes(total));
    UNROLL for (int b = 0; b < count; b++)
        vm_store_some(q + b * VM_LANES, x[b] * inverse, n - b * VM_LANES);
    return keeps_F ? 0.5 * vm_sum_lanes(F) : 0.0;
}

ALWAYS_INLINE double update_by_roots(const fc_marginal_update *u, ptrdiff_t n, double *q,
                                     int keeps_F)
{
    const ptrdiff_t count = (n + VM_LANES - 1) / VM_LANES;
    switch (count <= IN_REGISTERS ? count : 0) {
    case 1: return roots_in_registers(u, n, q, keeps_F, 1);
    case 2: return roots_in_registers(u, n, q, keeps_F, 2);
    case 3: return roots_in_registers(u, n, q, keeps_F, 3);
    case 4: return roots_in_registers(u, n, q, keeps_F, 4);
    default: break;
    }
    vm F = VM_SPLAT(0.0);
    for (ptrdiff_t j = 0; j < n; j += VM_LANES)
        vm_store_some(q + j, marginal_by_roots(u, q, j, n, keeps_F, &F), n - j);
    scale(1.0 / sum(q, n), q, n, q);
    return keeps_F ? 0.5 * vm_sum_lanes(F) : 0.0;
}

/* With c the balance and w the future's weight,
 *   log q + err / 4, err = c lnA + lnB_past + w lnB_future - c log q
 * is the logarithm of x = sqrt(q A sqrt(B_past B_future^w)) for c = 2, of sqrt(q sqrt(q A B_past)) for
 * c = 1: what update_marginal takes a logarithm for each message and an exponential for. The mean of
 * the error falls out of the softmax, and err = 4 log(x / q). Without gradient q is A B_past
 * B_future^w. Cost: that of the messages, and up to three square roots per state. */
static double update_marginal_by_roots(const fc_marginal_update *u, ptrdiff_t n, double *q,
                                       int keeps_F)
{
    return keeps_F ? update_by_roots(u, n, q, 1) : update_by_roots(u, n, q, 0);
}

#endif
