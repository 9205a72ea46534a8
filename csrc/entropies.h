/* entropies.h: sums of x log(x), of one vector and of rows of expected outcomes. */
#ifndef FREEAGENT_ENTROPIES_H
#define FREEAGENT_ENTROPIES_H

#include "vectors.h"

/* log(x) of x > 0 that is not subnormal in the sum of an entropy: the same series, log(m) = 2 s + s z odd(z) with
 * s = (m - 1) / (m + 1), without the two parts that keep it below 1 ulp where log(x) is close to 0 and
 * x log(x) too. The error is below 2 ulp, and finite for inf and NaN, which x itself shows.
 * Cost: two thirds of log_normal. */
ALWAYS_INLINE vm entropy_log_of_sum(vm x)
{
    const vmi bits = (vmi)x + VM_SPLATI(0x3ff0000000000000LL - 0x3fe6a09e00000000LL);
    /* unsigned: AVX2 has no arithmetic shift of 64 bits */
    const vm k = (vm)((vmi)((vmu)bits >> 52) + VM_SPLATI(ROUND_MAGIC_BITS - 0x3ff)) -
                 VM_SPLAT(ROUND_MAGIC);
    const vm m = (vm)((bits & VM_SPLATI(0x000fffffffffffffLL)) + VM_SPLATI(0x3fe6a09e00000000LL));
    const vm s = vm_divide(m - VM_SPLAT(1.0), m + VM_SPLAT(1.0));
    const vm z = s * s;
    const vm w = z * z;
    const vm series = vm_fma(z, vm_fma(z, log_series_even(w), log_series_odd(w)), VM_SPLAT(2.0));
    return vm_fma(k, VM_SPLAT(6.93147180559945286227e-01), s * series);
}

/* log(x + eps) of x >= 0. Cost: entropy_log_of_sum. */
ALWAYS_INLINE vm entropy_log(vm x)
{
    return entropy_log_of_sum(x + VM_SPLAT(FC_EPS));
}

/* sum_i x[i] * log(x[i] + eps), as in pymdp.legacy.maths.spm_MDP_G and calc_free_energy.
 * Cost: a logarithm per entry, none for vectors of zeros. */
static double neg_entropy(const double *x, ptrdiff_t n)
{
    vm total = VM_SPLAT(0.0);
    for (ptrdiff_t i = 0; i < n; i += VM_LANES) {
        const vm p = i + VM_LANES <= n ? vm_load(x + i) : vm_load_tail(x + i, n - i, 0.0);
        if (vm_bits(p != VM_SPLAT(0.0))) /* 0 * log(eps) adds nothing */
            total = vm_fma(p, entropy_log(p), total);
    }
    return vm_sum_lanes(total);
}

/* sum of row[r][start:stop] for VM_LANES rows, the first `distinct` of which differ.
 * Cost: stop - start additions per row. */
static inline vm part_sums(const double *const *row, ptrdiff_t distinct, ptrdiff_t start,
                           ptrdiff_t stop)
{
    vm part[VM_LANES];
    UNROLL for (int r = 0; r < VM_LANES; r++) part[r] = VM_SPLAT(0.0);
    for (ptrdiff_t i = start; i < stop; i += VM_LANES) {
        part[0] += vm_load_some(row[0] + i, stop - i, 0.0);
        if (distinct > 1)
            UNROLL for (int r = 1; r < VM_LANES; r++)
                part[r] += vm_load_some(row[r] + i, stop - i, 0.0);
    }
    return vm_sums_of_lanes(part);
}

/* n ones, then zeros, from ONES + VM_LANES - n */
#if defined(FC_LEVEL_AVX512)
static const double ONES[16] = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0};
#elif defined(FC_LEVEL_AVX2)
static const double ONES[8] = {1.0, 1.0, 1.0, 1.0};
#else
static const double ONES[4] = {1.0, 1.0};
#endif

/* sum of x * (scale * weight - log(x + eps)) of one row, lane by lane. Zeros, of which a sharp
 * belief has many, add nothing. Cost: a logarithm per entry. */
static vm row_terms(const double *row, ptrdiff_t n, const double *weights, vm scale)
{
    vm total = VM_SPLAT(0.0);
    for (ptrdiff_t i = 0; i < n; i += VM_LANES) {
        const vm there = vm_load(ONES + (n - i < VM_LANES ? VM_LANES - (n - i) : 0));
        const vm p = there * vm_load(row + i);
        if (vm_bits(p != VM_SPLAT(0.0)))
            total = vm_fma(p, scale * vm_load(weights + i) - entropy_log(p), total);
    }
    return total;
}

/* row_terms of two rows at once: a logarithm is a long chain. (With AVX2, one loop with a mask for
 * all vectors took 1.6 times as long as whole vectors and a masked one.) Cost: as there. */
static void two_row_terms(const double *row, const double *other, ptrdiff_t n,
                          const double *weights, vm scale, vm *out)
{
    vm a = VM_SPLAT(0.0), b = a;
    ptrdiff_t i = 0;
    for (; i + VM_LANES <= n; i += VM_LANES) {
        const vm weight = scale * vm_load(weights + i);
        const vm p = vm_load(row + i), q = vm_load(other + i);
        a = vm_fma(p, weight - entropy_log(p), a);
        b = vm_fma(q, weight - entropy_log(q), b);
    }
    if (i < n) {
        const vm there = vm_load(ONES + VM_LANES - (n - i)), weight = scale * vm_load(weights + i);
        const vm p = there * vm_load(row + i), q = there * vm_load(other + i);
        a = vm_fma(p, weight - entropy_log(p), a);
        b = vm_fma(q, weight - entropy_log(q), b);
    }
    out[0] = a;
    out[1] = b;
}

/* dot(weights, x) - sum(x log(x + eps)) - sum(complement log(complement + eps)) of each row:
 * expected utility plus entropy of expected outcomes. pymdp.legacy.control.calc_expected_utility
 * and maths.spm_MDP_G. Eight rows at a time: their sums across lanes are one operation, and their
 * complements vectors. Cost: a logarithm per entry and complement. */
static void outcome_terms(const double *rows, ptrdiff_t count, ptrdiff_t stride, ptrdiff_t n,
                          const double *weights, const double *totals, const int32_t *part_start,
                          ptrdiff_t num_parts, double *out)
{
    const vm scale = VM_SPLAT(weights == NULL ? 0.0 : 1.0);
    if (weights == NULL)
        weights = rows; /* any numbers */
    for (ptrdiff_t first = 0; first < count; first += VM_LANES) {
        const ptrdiff_t left = count - first < VM_LANES ? count - first : VM_LANES;
        const double *row[VM_LANES]; /* beyond `left`, the last row again */
        vm value[VM_LANES];
        ptrdiff_t r;
        for (r = 0; r < VM_LANES; r++) {
            row[r] = rows + (first + (r < left ? r : left - 1)) * stride;
            value[r] = VM_SPLAT(0.0);
        }
        for (r = 0; r + 2 <= left; r += 2)
            two_row_terms(row[r], row[r + 1], n, weights, scale, value + r);
        if (r < left)
            value[r] = row_terms(row[r], n, weights, scale);
        vm result = vm_sums_of_lanes(value);
        const vm total = vm_load_some(totals + first, left, 0.0);
        for (ptrdiff_t k = 0; k < num_parts; k++) {
            const vm part = part_sums(row, left, part_start[k], part_start[k + 1]);
            const vm complement = vm_max(VM_SPLAT(0.0), total - part);
            result = vm_fma(-complement, entropy_log(complement), result);
        }
        vm_store_some(out + first, result, left);
    }
}

#endif
