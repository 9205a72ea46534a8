/* dirichlet.h: Dirichlet parameters and their means, whole columns or rows at a time.
 *
 * Included by primitives_body.h, whose logarithms it uses.
 */
#ifndef FREEAGENT_DIRICHLET_H
#define FREEAGENT_DIRICHLET_H

#include "vectors.h"

/* y + a * (w * x) where mask > 0: a Dirichlet update, pymdp.legacy.learning. */
ALWAYS_INLINE vm counts_after(vm y, double a, double w, vm x, vm mask)
{
    const vm added = VM_SPLAT(a) * (VM_SPLAT(w) * x);
    return y + vm_select(mask > VM_SPLAT(0.0), added, VM_SPLAT(0.0));
}

/* Up to VM_LANES entries of add_counts. */
ALWAYS_INLINE void add_counts_block(double a, double w, const double *x, const double *mask,
                                    double *y, unsigned char mark, unsigned char *marks,
                                    ptrdiff_t left)
{
    const vm before = vm_load_some(y, left, 0.0);
    const vm after = counts_after(before, a, w, vm_load_some(x, left, 0.0),
                                  vm_load_some(mask, left, 0.0));
    if (marks != NULL) {
        if (vm_bits(after != before) == 0)
            return;
        for (ptrdiff_t k = 0; k < left; k++)
            marks[k] |= mark;
    }
    vm_store_some(y, after, left);
}

/* y[i] = counts_after(y[i], ...). With `marks`: where that changed a bit of y, and for the rest of
 * the vector, marks[i] |= mark. Cost: n. */
static void add_counts(double a, double w, const double *x, const double *mask, double *y,
                       ptrdiff_t n, unsigned char mark, unsigned char *marks)
{
    ptrdiff_t i = 0;
    for (; i + VM_LANES <= n; i += VM_LANES)
        add_counts_block(a, w, x + i, mask + i, y + i, mark, marks == NULL ? NULL : marks + i,
                         VM_LANES);
    if (i < n)
        add_counts_block(a, w, x + i, mask + i, y + i, mark, marks == NULL ? NULL : marks + i,
                         n - i);
}

/* Up to VM_LANES columns of column_means. */
ALWAYS_INLINE void column_means_block(const double *counts, ptrdiff_t num_obs, ptrdiff_t n,
                                      const double *log_C, ptrdiff_t num_steps, ptrdiff_t C_stride,
                                      int adds, double *A, double *utility, double *neg_ambiguity,
                                      ptrdiff_t left)
{
    vm total = VM_SPLAT(0.0);
    for (ptrdiff_t o = 0; o < num_obs; o++)
        total += vm_load_some(counts + o * n, left, 1.0);
    vm sum = adds ? vm_load_some(neg_ambiguity, left, 0.0) : VM_SPLAT(0.0);
    vm expected = adds ? vm_load_some(utility, left, 0.0) : VM_SPLAT(0.0);
    for (ptrdiff_t o = 0; o < num_obs; o++) {
        const vm mean = vm_load_some(counts + o * n, left, 1.0) / total;
        vm_store_some(A + o * n, mean, left);
        expected = vm_fma(VM_SPLAT(log_C[o]), mean, expected);
        sum = vm_fma(mean, entropy_log_of_sum(mean + VM_SPLAT(FC_MASK)), sum);
    }
    vm_store_some(neg_ambiguity, sum, left);
    vm_store_some(utility, expected, left);
    for (ptrdiff_t step = 1; step < num_steps; step++) {
        expected = adds ? vm_load_some(utility + step * n, left, 0.0) : VM_SPLAT(0.0);
        for (ptrdiff_t o = 0; o < num_obs; o++)
            expected = vm_fma(VM_SPLAT(log_C[step * C_stride + o]),
                              vm_load_some(A + o * n, left, 0.0), expected);
        vm_store_some(utility + step * n, expected, left);
    }
}

/* A[o, s] = counts[o, s] / sum_o counts[o, s], of shape (num_obs, n), in the columns that `marks`
 * has bit `mark` of, and for the rest of a vector; in these
 *   utility[t, s] (+)= sum_o log_C[t, o] A[o, s]          rows of log_C C_stride apart, or all one
 *   neg_ambiguity[s] (+)= sum_o A[o, s] log(A[o, s] + FC_MASK)
 * which are added to what is there with `adds`. pymdp.legacy.utils.norm_dist, maths.spm_MDP_G.
 * Cost: a division and a logarithm an entry. */
static void column_means(const double *counts, ptrdiff_t num_obs, ptrdiff_t n,
                         const unsigned char *marks, unsigned char mark, const double *log_C,
                         ptrdiff_t num_steps, ptrdiff_t C_stride, int adds, double *A,
                         double *utility, double *neg_ambiguity)
{
    for (ptrdiff_t i = 0; i < n; i += VM_LANES) {
        const ptrdiff_t left = n - i < VM_LANES ? n - i : VM_LANES;
        unsigned char any = 0;
        for (ptrdiff_t k = 0; k < left; k++)
            any |= marks[i + k];
        if (!(any & mark))
            continue;
        if (left == VM_LANES)
            column_means_block(counts + i, num_obs, n, log_C, num_steps, C_stride, adds, A + i,
                               utility + i, neg_ambiguity + i, VM_LANES);
        else
            column_means_block(counts + i, num_obs, n, log_C, num_steps, C_stride, adds, A + i,
                               utility + i, neg_ambiguity + i, left);
    }
}

/* Up to VM_LANES columns of clipped_means. */
ALWAYS_INLINE void clipped_means_block(const double *counts, ptrdiff_t num_obs, ptrdiff_t n,
                                       double *mean, double *log_mean, double *neg_entropy,
                                       ptrdiff_t left)
{
    const vm least = VM_SPLAT(DBL_EPSILON);
    vm total = VM_SPLAT(0.0), sum = total;
    for (ptrdiff_t o = 0; o < num_obs; o++)
        total += vm_max(least, vm_load_some(counts + o * n, left, 1.0));
    for (ptrdiff_t o = 0; o < num_obs; o++) {
        const vm p = vm_max(least, vm_load_some(counts + o * n, left, 1.0)) / total;
        const vm log_p = log_of_sum(vm_max(least, p));
        vm_store_some(mean + o * n, p, left);
        vm_store_some(log_mean + o * n, log_p, left);
        sum = vm_fma(p, log_p, sum);
    }
    vm_store_some(neg_entropy, sum, left);
}

/* mean[o, s] = c[o, s] / sum_o c[o, s], c = max(counts, 2^-52), of shape (num_obs, n);
 * log_mean = log(max(mean, 2^-52)); neg_entropy[s] = sum_o mean[o, s] log_mean[o, s].
 * pymdp.maths.dirichlet_expected_value and log_stable. Cost: a division and a logarithm an entry. */
static void clipped_means(const double *counts, ptrdiff_t num_obs, ptrdiff_t n, double *mean,
                          double *log_mean, double *neg_entropy)
{
    ptrdiff_t i = 0;
    for (; i + VM_LANES <= n; i += VM_LANES)
        clipped_means_block(counts + i, num_obs, n, mean + i, log_mean + i, neg_entropy + i,
                            VM_LANES);
    if (i < n)
        clipped_means_block(counts + i, num_obs, n, mean + i, log_mean + i, neg_entropy + i,
                            n - i);
}

/* out[r] = counts[r] / sum(counts[r]), rows of n counts, and `stride` apart in out, that `marks`
 * has bit `mark` of. pymdp.legacy.utils.norm_dist of transitions. Cost: a division an entry. */
static void row_means(const double *counts, ptrdiff_t rows, ptrdiff_t n,
                      const unsigned char *marks, unsigned char mark, double *out,
                      ptrdiff_t stride)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        if (!(marks[r] & mark))
            continue;
        const double *row = counts + r * n;
        const vm total = VM_SPLAT(sum(row, n));
        for (ptrdiff_t i = 0; i < n; i += VM_LANES) {
            const ptrdiff_t left = n - i;
            vm_store_some(out + r * stride + i, vm_load_some(row + i, left, 0.0) / total, left);
        }
    }
}

/* counts[r, s] = counts_after(counts[r, s], a, w[r], x[s], mask[r, s]), rows of the mask `stride`
 * apart. With `marks`: marks[r] |= mark where that changed a bit of the row. pymdp.legacy.learning.
 * update_state_likelihood_dirichlet_interactions. Cost: n per row with w[r] not 0. */
static void add_count_rows(double a, const double *w, ptrdiff_t rows, const double *x, ptrdiff_t n,
                           const double *mask, ptrdiff_t stride, double *counts,
                           unsigned char mark, unsigned char *marks)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        double *row = counts + r * n;
        unsigned changed = 0;
        if (w[r] == 0.0)
            continue;
        for (ptrdiff_t i = 0; i < n; i += VM_LANES) {
            const ptrdiff_t left = n - i;
            const vm before = vm_load_some(row + i, left, 0.0);
            const vm after = counts_after(before, a, w[r], vm_load_some(x + i, left, 0.0),
                                          vm_load_some(mask + r * stride + i, left, 0.0));
            changed |= vm_bits(after != before);
            vm_store_some(row + i, after, left);
        }
        if (changed && marks != NULL)
            marks[r] |= mark;
    }
}

#endif
