/* belief_columns.h: many beliefs of one factor at once, as the columns of a matrix of states.
 *
 * A vector holds one state of several beliefs, so that sparse transitions and likelihoods need
 * neither gathers nor sums across lanes, and a state is left out of a belief by a mask. Each column
 * is computed as if it were alone: its bits do not depend on where it stands.
 */
#ifndef FREEAGENT_BELIEF_COLUMNS_H
#define FREEAGENT_BELIEF_COLUMNS_H

#include "entropies.h"
#include "vectors.h"

/* out[next[s, e], j] += weight[s, e] * x[s, j] for j of one block of BLOCK vectors. */
#define PUSH_COLUMNS(BLOCK)                                                                    \
    ALWAYS_INLINE void push_columns_##BLOCK(                                                   \
        const double *x, ptrdiff_t x_stride, const int32_t *next, const double *weight,        \
        ptrdiff_t num_states, ptrdiff_t entries, double *out, ptrdiff_t out_stride)            \
    {                                                                                          \
        for (ptrdiff_t s = 0; s < num_states; s++) {                                           \
            vm q[BLOCK];                                                                       \
            UNROLL for (int b = 0; b < BLOCK; b++)                                             \
                q[b] = vm_load(x + s * x_stride + b * VM_LANES);                               \
            for (ptrdiff_t e = s * entries; e < (s + 1) * entries; e++) {                      \
                double *to = out + next[e] * out_stride;                                       \
                const vm w = VM_SPLAT(weight[e]);                                              \
                UNROLL for (int b = 0; b < BLOCK; b++)                                         \
                    vm_store(to + b * VM_LANES, vm_load(to + b * VM_LANES) + w * q[b]);        \
            }                                                                                  \
        }                                                                                      \
    }

PUSH_COLUMNS(1)
PUSH_COLUMNS(2)

/* out += B x for `count` columns of x, B by its columns of `entries` entries each. Columns of x
 * beyond `count`, up to a whole vector, are zeros, which change nothing where they are added.
 * pymdp.legacy.control.get_expected_states. Cost: num_states * entries * count additions. */
static void push_columns(const double *x, ptrdiff_t x_stride, ptrdiff_t count,
                         const int32_t *next, const double *weight, ptrdiff_t num_states,
                         ptrdiff_t entries, double *out, ptrdiff_t out_stride)
{
    ptrdiff_t j = 0;
    if (count == 1) {
        for (ptrdiff_t s = 0; s < num_states; s++)
            for (ptrdiff_t e = s * entries; e < (s + 1) * entries; e++)
                out[next[e] * out_stride] += weight[e] * x[s * x_stride];
        return;
    }
    for (; j + VM_LANES < count; j += 2 * VM_LANES)
        push_columns_2(x + j, x_stride, next, weight, num_states, entries, out + j, out_stride);
    if (j < count)
        push_columns_1(x + j, x_stride, next, weight, num_states, entries, out + j, out_stride);
}

/* column_terms of one block of BLOCK vectors of columns. */
#define COLUMN_TERMS(BLOCK)                                                                    \
    ALWAYS_INLINE void column_terms_##BLOCK(double *q, ptrdiff_t stride, ptrdiff_t num_states, \
                                            const double *linear, const fc_sparse_rows *rows,  \
                                            double *out)                                       \
    {                                                                                          \
        vm value[BLOCK], total[BLOCK];                                                         \
        const vm zero = VM_SPLAT(0.0), mask = VM_SPLAT(FC_MASK);                               \
        UNROLL for (int b = 0; b < BLOCK; b++) value[b] = total[b] = zero;                     \
        for (ptrdiff_t s = 0; s < num_states; s++) {                                           \
            const vm utility = VM_SPLAT(linear[s]);                                            \
            const vm neg_ambiguity = VM_SPLAT(rows ? rows->neg_ambiguity[s] : 0.0);            \
            double *row = q + s * stride;                                                      \
            UNROLL for (int b = 0; b < BLOCK; b++) {                                           \
                const vm p = vm_load(row + b * VM_LANES);                                      \
                value[b] = vm_fma(p, utility, value[b]);                                       \
                if (rows) {                                                                    \
                    const vm above = vm_above(p, mask);                                        \
                    value[b] = vm_fma(above, neg_ambiguity, value[b]);                         \
                    total[b] += above;                                                         \
                    vm_store(row + b * VM_LANES, above);                                       \
                }                                                                              \
            }                                                                                  \
        }                                                                                      \
        for (ptrdiff_t o = 0; rows && o < rows->num_rows; o++) {                               \
            const vm constant = VM_SPLAT(rows->constant[o]);                                   \
            vm p[BLOCK];                                                                       \
            UNROLL for (int b = 0; b < BLOCK; b++) p[b] = constant * total[b];                 \
            for (ptrdiff_t e = rows->start[o]; e < rows->start[o + 1]; e++) {                  \
                const double *row = q + rows->column[e] * stride;                              \
                const vm entry = VM_SPLAT(rows->value[e]);                                     \
                UNROLL for (int b = 0; b < BLOCK; b++)                                         \
                    p[b] = vm_fma(entry, vm_load(row + b * VM_LANES), p[b]);                   \
            }                                                                                  \
            UNROLL for (int b = 0; b < BLOCK; b++) {                                           \
                p[b] = vm_max(zero, p[b]); /* what rounding leaves of an outcome */            \
                value[b] = vm_fma(-p[b], entropy_log(p[b]), value[b]);                          \
            }                                                                                  \
        }                                                                                      \
        UNROLL for (int b = 0; b < BLOCK; b++) vm_store(out + b * VM_LANES, value[b]);         \
    }

COLUMN_TERMS(1)
COLUMN_TERMS(2)
COLUMN_TERMS(4)

/* Of each of `count` beliefs q, columns of (num_states, stride):
 *   out = linear . q + neg_ambiguity . q' - sum_o p(o) log(p(o) + eps),  p = A q',
 * q' = q where it is above exp(-16), else 0; A = constant 1' + sparse. Without `rows` only
 * linear . q. pymdp.legacy.control.calc_expected_utility and maths.spm_MDP_G. q becomes q'.
 * Cost: the nonzeros of A - constant, and a logarithm per row and column. */
static void column_terms(double *q, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t num_states,
                         const double *linear, const fc_sparse_rows *rows, double *out)
{
    ptrdiff_t j = 0;
    for (; j + 4 * VM_LANES <= count; j += 4 * VM_LANES)
        column_terms_4(q + j, stride, num_states, linear, rows, out + j);
    for (; j + VM_LANES < count; j += 2 * VM_LANES)
        column_terms_2(q + j, stride, num_states, linear, rows, out + j);
    if (j < count)
        column_terms_1(q + j, stride, num_states, linear, rows, out + j);
}

#endif
