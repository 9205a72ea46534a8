/* lane_messages.h: messages between beliefs of eight agents at once, one a lane (lanes.h). */
#ifndef FREEAGENT_LANE_MESSAGES_H
#define FREEAGENT_LANE_MESSAGES_H

#include "lanes.h"

/* out[i] += w x[i], with a weight of each lane. Cost: n multiply-adds. */
static void lanes_add_weighted(const double *w, const double *x, ptrdiff_t n, double *out)
{
    EACH_PART {
        const vm weight = ROW(w, 0);
        for (ptrdiff_t i = 0; i < n; i++)
            SET_ROW(out, i, vm_fma(weight, ROW(x, i), ROW(out, i)));
    }
}

/* out = x y, entry by entry. Cost: n products. */
static void lanes_multiply(const double *x, const double *y, ptrdiff_t n, double *out)
{
    EACH_PART
        for (ptrdiff_t i = 0; i < n; i++)
            SET_ROW(out, i, ROW(x, i) * ROW(y, i));
}

/* out[i] *= max(x[i], 2^-52)^(2 w), w of each lane 0, 1/2 or 1: exp of twice the weighted message
 * w log(max(x, 2^-52)), pymdp.maths.log_stable. Cost: n products. */
static void lanes_multiply_message(const double *w, const double *x, ptrdiff_t n, double *out)
{
    EACH_PART {
        const vm weight = ROW(w, 0);
        const vmi none = weight == VM_SPLAT(0.0), twice = weight == VM_SPLAT(1.0);
        for (ptrdiff_t i = 0; i < n; i++) {
            vm message = vm_max(ROW(x, i), VM_SPLAT(DBL_EPSILON));
            message *= vm_select(twice, message, VM_SPLAT(1.0));
            SET_ROW(out, i, ROW(out, i) * vm_select(none, VM_SPLAT(1.0), message));
        }
    }
}

/* q[i] = e[i] sqrt(square[i]) / sum_i(e[i] sqrt(square[i])): softmax(log e + messages), of which
 * square is exp of twice the sum. Cost: n square roots and products, a division. */
static void lanes_marginal(const double *e, const double *square, ptrdiff_t n, double *q)
{
    EACH_PART {
        vm total = VM_SPLAT(0.0);
        for (ptrdiff_t i = 0; i < n; i++) {
            const vm v = ROW(e, i) * vm_sqrt(ROW(square, i));
            total += v;
            SET_ROW(q, i, v);
        }
        const vm inverse = VM_SPLAT(1.0) / total;
        for (ptrdiff_t i = 0; i < n; i++)
            SET_ROW(q, i, ROW(q, i) * inverse);
    }
}

/* out[i] = exp(x[i] - max x). Cost: n exponentials. */
static void lanes_relative_exp(const double *x, ptrdiff_t n, double *out)
{
    EACH_PART {
        vm top = ROW(x, 0);
        for (ptrdiff_t i = 1; i < n; i++)
            top = vm_max(top, ROW(x, i));
        for (ptrdiff_t i = 0; i < n; i++)
            SET_ROW(out, i, exp_vm(ROW(x, i) - top));
    }
}

#endif
