/* primitives_body.h: the functions of fc_primitives, written once with the vector
 * extension of GCC and Clang and included by one .c file per SIMD level, which has
 * set the target before and defines FC_NAME (the level) and FC_TABLE (its table).
 *
 * log and exp follow the classical argument reduction of FDLIBM (Sun Microsystems,
 * e_log.c and e_exp.c: the method and its published coefficients), with selects in
 * the place of branches. Measured against mpmath: below 1 ulp 
 * (tests/kernels/base/test_primitives.py).
 */
#include "matrix_products.h"
#include "vectors.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* log(x) of positive normal numbers; exponent_offset is added to the binary exponent. FDLIBM,
 * e_log.c. Cost: a division and about twenty operations per vector. */
static inline v8 log_normal(v8 x, v8 exponent_offset)
{
    const v8i bits = (v8i)x + SPLATI(0x3ff0000000000000LL - 0x3fe6a09e00000000LL);
    /* unsigned: AVX2 has no arithmetic shift of 64 bits */
    const v8i exponent = (v8i)((v8u)bits >> 52) - SPLATI(0x3ff);
    const v8 k = ((v8)(exponent + SPLATI(ROUND_MAGIC_BITS)) - SPLAT(ROUND_MAGIC)) + exponent_offset;
    const v8 m = (v8)((bits & SPLATI(0x000fffffffffffffLL)) + SPLATI(0x3fe6a09e00000000LL));
    const v8 f = m - SPLAT(1.0);
    const v8 half_square = SPLAT(0.5) * f * f;
    const v8 s = divide_v8(f, SPLAT(2.0) + f);
    const v8 z = s * s;
    const v8 w = z * z;
    const v8 even = fma_v8(w, fma_v8(w, SPLAT(1.531383769920937332e-01), SPLAT(2.222219843214978396e-01)),
                           SPLAT(3.999999999940941908e-01));
    const v8 odd = fma_v8(
        w,
        fma_v8(w, fma_v8(w, SPLAT(1.479819860511658591e-01), SPLAT(1.818357216161805012e-01)),
               SPLAT(2.857142874366239149e-01)),
        SPLAT(6.666666666666735130e-01));
    const v8 tail = half_square + fma_v8(z, odd, w * even);
    const v8 low = fma_v8(s, tail, k * SPLAT(1.90821492927058770002e-10));
    return fma_v8(k, SPLAT(6.93147180369123816490e-01), f - (half_square - low));
}

/* log(x) as IEEE has it for 0, subnormals, negatives, inf and NaN. Cost: log_normal and five
 * selects. */
static inline v8 log_any(v8 x)
{
    const v8i small = x < SPLAT(DBL_MIN);
    const v8 scaled = select_v8(small, x * SPLAT(0x1p54), x);
    v8 y = log_normal(scaled, select_v8(small, SPLAT(-54.0), SPLAT(0.0)));
    y = select_v8(x == SPLAT(INFINITY), x, y);
    y = select_v8(x == SPLAT(0.0), SPLAT(-INFINITY), y);
    /* false for NaN too */
    return select_v8(x >= SPLAT(0.0), y, SPLAT(NAN));
}

/* log(x + eps) of x >= 0: never subnormal; the last term is 0, or NaN for inf and NaN.
 * pymdp.legacy.maths.spm_log_single. Cost: log_normal. */
static inline v8 log_eps_v8(v8 x)
{
    const v8 y = x + SPLAT(FC_EPS);
    return log_normal(y, SPLAT(0.0)) + (y - y);
}

/* exp(x) = 2^k exp(r), |r| <= log(2) / 2. FDLIBM, e_exp.c. Cost: a division and about twenty
 * operations per vector. */
static inline v8 exp_v8(v8 x)
{
    x = max_v8(SPLAT(-746.0), min_v8(SPLAT(710.0), x));
    const v8 k = (x * SPLAT(1.44269504088896338700e+00) + SPLAT(ROUND_MAGIC)) - SPLAT(ROUND_MAGIC);
    const v8 hi = fma_v8(-k, SPLAT(6.93147180369123816490e-01), x);
    const v8 lo = k * SPLAT(1.90821492927058770002e-10);
    const v8 r = hi - lo;
    const v8 t = r * r;
    const v8 series = fma_v8(
        t,
        fma_v8(t,
               fma_v8(t, fma_v8(t, SPLAT(4.13813679705723846039e-08), SPLAT(-1.65339022054652515390e-06)),
                      SPLAT(6.61375632143793436117e-05)),
               SPLAT(-2.77777777770155933842e-03)),
        SPLAT(1.66666666666666019037e-01));
    const v8 c = fma_v8(-t, series, r);
    const v8 y = SPLAT(1.0) - ((lo - divide_v8(r * c, SPLAT(2.0) - c)) - hi);
    /* 2^k in two factors, so that results round once where they are subnormal */
    const v8 half = (k * SPLAT(0.5) + SPLAT(ROUND_MAGIC));
    const v8 other_half = (k - (half - SPLAT(ROUND_MAGIC))) + SPLAT(ROUND_MAGIC);
    const v8 scale_1 = (v8)(((v8i)half - SPLATI(ROUND_MAGIC_BITS - 1023)) << 52);
    const v8 scale_2 = (v8)(((v8i)other_half - SPLATI(ROUND_MAGIC_BITS - 1023)) << 52);
    return (y * scale_1) * scale_2;
}

/* Up to eight entries, of which `left` are there. */
static inline v8 load_some(const double *p, ptrdiff_t left, double fill)
{
    return left >= LANES ? load(p) : load_tail(p, left, fill);
}

static inline void store_some(double *p, v8 v, ptrdiff_t left)
{
    if (left >= LANES)
        store(p, v);
    else
        store_tail(p, v, left);
}

#define MAP(name, function, fill)                                                              \
    static void name(const double *x, ptrdiff_t n, double *out)                                \
    {                                                                                          \
        ptrdiff_t i = 0;                                                                       \
        for (; i + LANES <= n; i += LANES)                                                     \
            store(out + i, function(load(x + i)));                                             \
        if (i < n)                                                                             \
            store_tail(out + i, function(load_tail(x + i, n - i, fill)), n - i);               \
    }

MAP(log_array, log_any, 1.0)
MAP(exp_array, exp_v8, 0.0)
MAP(log_eps_array, log_eps_v8, 1.0)

/* sum_i x[i] * log(x[i] + eps), as in pymdp.legacy.maths.spm_MDP_G and calc_free_energy.
 * Cost: a logarithm per entry, none for vectors of zeros. */
static double neg_entropy(const double *x, ptrdiff_t n)
{
    v8 total = SPLAT(0.0);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const v8 p = i + LANES <= n ? load(x + i) : load_tail(x + i, n - i, 0.0);
        if (bits_v8(p != SPLAT(0.0))) /* 0 * log(eps) adds nothing */
            total = fma_v8(p, log_eps_v8(p), total);
    }
    return sum_lanes(total);
}

/* sum_i x[i] in numpy.sum's order for contiguous doubles (pairwise, in blocks of eight lanes up to
 * 128): probabilities that are equal to the bit there are so here, and so are draws from them.
 * Cost: n additions. */
static double sum(const double *x, ptrdiff_t n)
{
    if (n < LANES) {
        double total = 0.0;
        for (ptrdiff_t i = 0; i < n; i++)
            total += x[i];
        return total;
    }
    if (n <= 128) {
        v8 lanes = load(x);
        ptrdiff_t i = LANES;
        for (; i + LANES <= n; i += LANES)
            lanes += load(x + i);
        double total = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
                       ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
        for (; i < n; i++)
            total += x[i];
        return total;
    }
    const ptrdiff_t half = n / 2 - (n / 2) % LANES;
    return sum(x, half) + sum(x + half, n - half);
}

/* sum of row[r][start:stop] for eight rows, the first `distinct` of which differ.
 * Cost: stop - start additions per row. */
static inline v8 part_sums(const double *const *row, ptrdiff_t distinct, ptrdiff_t start,
                           ptrdiff_t stop)
{
#if defined(FC_LEVEL_AVX512)
    v8 part[LANES];
    for (int r = 0; r < LANES; r++)
        part[r] = SPLAT(0.0);
    for (ptrdiff_t i = start; i < stop; i += LANES) {
        part[0] += load_some(row[0] + i, stop - i, 0.0);
        if (distinct > 1)
            for (int r = 1; r < LANES; r++)
                part[r] += load_some(row[r] + i, stop - i, 0.0);
    }
    return sums_of_lanes(part);
#else
    v8 sums = SPLAT(0.0);
    for (ptrdiff_t r = 0; r < distinct; r++)
        sums[r] = sum(row[r] + start, stop - start);
    return sums;
#endif
}

static const double ONES[2 * LANES] = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0};

/* sum of x * (scale * weight - log(x + eps)) of one row, lane by lane. Zeros, of which a sharp
 * belief has many, add nothing. Cost: a logarithm per entry. */
static v8 row_terms(const double *row, ptrdiff_t n, const double *weights, v8 scale)
{
    v8 total = SPLAT(0.0);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const v8 there = load(ONES + (n - i < LANES ? LANES - (n - i) : 0));
        const v8 p = there * load(row + i);
        if (bits_v8(p != SPLAT(0.0)))
            total = fma_v8(p, scale * load(weights + i) - log_eps_v8(p), total);
    }
    return total;
}

/* row_terms of two rows at once: a logarithm is a long chain. (With AVX2, one loop with a mask for
 * all vectors took 1.6 times as long as whole vectors and a masked one.) Cost: as there. */
static void two_row_terms(const double *row, const double *other, ptrdiff_t n,
                          const double *weights, v8 scale, v8 *out)
{
    v8 a = SPLAT(0.0), b = a;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const v8 weight = scale * load(weights + i);
        const v8 p = load(row + i), q = load(other + i);
        a = fma_v8(p, weight - log_eps_v8(p), a);
        b = fma_v8(q, weight - log_eps_v8(q), b);
    }
    if (i < n) {
        const v8 there = load(ONES + LANES - (n - i)), weight = scale * load(weights + i);
        const v8 p = there * load(row + i), q = there * load(other + i);
        a = fma_v8(p, weight - log_eps_v8(p), a);
        b = fma_v8(q, weight - log_eps_v8(q), b);
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
    const v8 scale = SPLAT(weights == NULL ? 0.0 : 1.0);
    if (weights == NULL)
        weights = rows; /* any numbers */
    for (ptrdiff_t first = 0; first < count; first += LANES) {
        const ptrdiff_t left = count - first < LANES ? count - first : LANES;
        const double *row[LANES]; /* beyond `left`, the last row again */
        v8 value[LANES];
        ptrdiff_t r;
        for (r = 0; r < LANES; r++) {
            row[r] = rows + (first + (r < left ? r : left - 1)) * stride;
            value[r] = SPLAT(0.0);
        }
        for (r = 0; r + 2 <= left; r += 2)
            two_row_terms(row[r], row[r + 1], n, weights, scale, value + r);
        if (r < left)
            value[r] = row_terms(row[r], n, weights, scale);
        v8 result = sums_of_lanes(value);
        const v8 total = load_some(totals + first, left, 0.0);
        for (ptrdiff_t k = 0; k < num_parts; k++) {
            const v8 complement =
                max_v8(SPLAT(0.0), total - part_sums(row, left, part_start[k], part_start[k + 1]));
            result = fma_v8(-complement, log_eps_v8(complement), result);
        }
        store_some(out + first, result, left);
    }
}

/* max_i x[i]. Cost: n comparisons. */
static double max(const double *x, ptrdiff_t n)
{
    v8 best = SPLAT(x[0]);
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        best = max_v8(best, load(x + i));
    if (i < n)
        best = max_v8(best, load_tail(x + i, n - i, x[0]));
    return max_lanes(best);
}

/* exp(x - max(x)) / sum(exp(x - max(x))). pymdp.legacy.maths.softmax. Cost: an exponential per
 * entry, one division. */
static void softmax(const double *x, ptrdiff_t n, double *out)
{
    const double top = max(x, n);
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(out + i, exp_v8(load(x + i) - SPLAT(top)));
    if (i < n)
        store_tail(out + i, exp_v8(load_tail(x + i, n - i, top) - SPLAT(top)), n - i);
    const double norm = sum(out, n);
#if defined(FC_LEVEL_AVX512)
    /* Markstein's correction, as in divide_v8 */
    const v8 b = SPLAT(norm), r = SPLAT(1.0 / norm);
    for (i = 0; i < n; i += LANES) {
        const ptrdiff_t left = n - i < LANES ? n - i : LANES;
        const v8 a = left == LANES ? load(out + i) : load_tail(out + i, left, 0.0);
        const v8 q = a * r, exact = fma_v8(fma_v8(-b, q, a), r, q);
        if (left == LANES)
            store(out + i, exact);
        else
            store_tail(out + i, exact, left);
    }
#else
    for (i = 0; i < n; i++)
        out[i] /= norm;
#endif
}

/* y[i] += a * (w * x[i]) where mask[i] > 0: a Dirichlet update, pymdp.legacy.learning. Cost: n. */
static void add_counts(double a, double w, const double *x, const double *mask, double *y,
                       ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        v8 added = SPLAT(a) * (SPLAT(w) * load(x + i));
        store(y + i, load(y + i) + select_v8(load(mask + i) > SPLAT(0.0), added, SPLAT(0.0)));
    }
    for (; i < n; i++)
        y[i] += mask[i] > 0.0 ? a * (w * x[i]) : 0.0;
}

/* index = flatnonzero(x > threshold), weights = x[index]; returns how many. Cost: n comparisons
 * and a store per entry found. */
static ptrdiff_t support(const double *x, ptrdiff_t n, double threshold, int32_t *index,
                         double *weights)
{
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const v8 v = i + LANES <= n ? load(x + i) : load_tail(x + i, n - i, -INFINITY);
        for (unsigned bits = bits_v8(v > SPLAT(threshold)); bits; bits &= bits - 1) {
            const ptrdiff_t at = i + __builtin_ctz(bits);
            index[count] = (int32_t)at;
            weights[count++] = x[at];
        }
    }
    return count;
}

/* min_i x[i]. Cost: n comparisons. */
static double min(const double *x, ptrdiff_t n)
{
    v8 lowest = SPLAT(x[0]), other = lowest;
    ptrdiff_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        lowest = min_v8(lowest, load(x + i));
        other = min_v8(other, load(x + i + LANES));
    }
    for (; i < n; i += LANES)
        lowest = min_v8(lowest, i + LANES <= n ? load(x + i) : load_tail(x + i, n - i, x[0]));
    return -max_lanes(-min_v8(lowest, other));
}

/* min of the x[i] > 0, or inf. Cost: 2 n comparisons. */
static double min_positive(const double *x, ptrdiff_t n)
{
    /* two at a time: a chain of comparisons would wait for each */
    v8 lowest = SPLAT(INFINITY), other = lowest;
    ptrdiff_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        const v8 v = load(x + i), w = load(x + i + LANES);
        lowest = min_v8(lowest, select_v8(v > SPLAT(0.0), v, SPLAT(INFINITY)));
        other = min_v8(other, select_v8(w > SPLAT(0.0), w, SPLAT(INFINITY)));
    }
    for (; i < n; i += LANES) {
        const v8 v = i + LANES <= n ? load(x + i) : load_tail(x + i, n - i, 0.0);
        lowest = min_v8(lowest, select_v8(v > SPLAT(0.0), v, SPLAT(INFINITY)));
    }
    return -max_lanes(-min_v8(lowest, other));
}

/* out = (x + eps) * (y + y_eps); returns sum(out): one factor of a posterior and its norm.
 * Cost: n products. */
static double multiply_eps(const double *x, const double *y, double y_eps, ptrdiff_t n,
                           double *out)
{
    v8 total = SPLAT(0.0);
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const v8 v = (load(x + i) + SPLAT(FC_EPS)) * (load(y + i) + SPLAT(y_eps));
        store(out + i, v);
        total += v;
    }
    if (i < n) {
        const v8 v = (load_tail(x + i, n - i, -FC_EPS) + SPLAT(FC_EPS)) *
                     (load_tail(y + i, n - i, 0.0) + SPLAT(y_eps));
        store_tail(out + i, v, n - i);
        total += v;
    }
    return sum_lanes(total);
}

/* out = a * x (BLAS dscal). Cost: n products. */
static void scale(double a, const double *x, ptrdiff_t n, double *out)
{
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(out + i, SPLAT(a) * load(x + i));
    if (i < n)
        store_tail(out + i, SPLAT(a) * load_tail(x + i, n - i, 0.0), n - i);
}

/* softmaxes_of_sums of `count` pairs, a constant: their sums across lanes are one operation.
 * Cost: an exponential per entry, a division per pair. */
ALWAYS_INLINE double softmax_group(const double *const *x, const double *const *y,
                                   const ptrdiff_t *size, double *const *out, double *norm,
                                   int count)
{
    v8 best[LANES], total[LANES]; /* of exponentials, and from 4 on of their products with x */
    for (int k = 0; k < LANES; k++)
        total[k] = best[k] = SPLAT(0.0);
    for (int k = 0; k < count; k++) {
        best[k] = SPLAT(-INFINITY);
        for (ptrdiff_t i = 0; i < size[k]; i += LANES)
            best[k] = max_v8(best[k], load_some(x[k] + i, size[k] - i, -INFINITY) +
                                          load_some(y[k] + i, size[k] - i, 0.0));
    }
    const v8 top = maxima_of_lanes(best);
    for (int k = 0; k < count; k++)
        for (ptrdiff_t i = 0; i < size[k]; i += LANES) {
            const v8 xi = load_some(x[k] + i, size[k] - i, 0.0);
            const v8 e = exp_v8(xi + load_some(y[k] + i, size[k] - i, -INFINITY) - SPLAT(top[k]));
            total[k] += e;
            total[4 + k] = fma_v8(e, xi, total[4 + k]);
            store_some(out[k] + i, e, size[k] - i);
        }
    const v8 sums = sums_of_lanes(total);
    double value = 0.0;
    *norm = 1.0;
    for (int k = 0; k < count; k++) {
        const double inverse = 1.0 / sums[k];
        value += sums[4 + k] * inverse - top[k];
        *norm *= sums[k];
        for (ptrdiff_t i = 0; i < size[k]; i += LANES)
            store_some(out[k] + i, SPLAT(inverse) * load_some(out[k] + i, size[k] - i, 0.0),
                       size[k] - i);
    }
    return value;
}

/* out = softmax(x + y) of up to four pairs; returns sum_k (sum(out * x) - max(x + y)), and in *norm
 * the product of the norms. Part of pymdp.legacy.algos.fpi.run_vanilla_fpi_factorized.
 * Cost: an exponential per entry, a division per pair. */
static double softmaxes_of_sums(const double *const *x, const double *const *y,
                                const ptrdiff_t *size, ptrdiff_t count, double *const *out,
                                double *norm)
{
    switch (count) {
    case 1: return softmax_group(x, y, size, out, norm, 1);
    case 2: return softmax_group(x, y, size, out, norm, 2);
    case 3: return softmax_group(x, y, size, out, norm, 3);
    default: return softmax_group(x, y, size, out, norm, 4);
    }
}

/* total = total * 0.5 + 1 in twelve independent registers, n times: the peak of benchmarks/
 * roofline.py. Cost: n * multiply_adds_per_round. */
static double multiply_adds(ptrdiff_t n, double start)
{
    vm total[12]; /* that differ, or the compiler computes one of them */
    UNROLL12 for (int i = 0; i < 12; i++) total[i] = VM_SPLAT(start + i);
    const vm factor = VM_SPLAT(0.5), term = VM_SPLAT(1.0);
    for (ptrdiff_t k = 0; k < n; k++)
        UNROLL12 for (int i = 0; i < 12; i++) total[i] = vm_fma(total[i], factor, term);
    double sum_of_all = 0.0;
    for (int i = 0; i < 12; i++)
        for (int lane = 0; lane < VM_LANES; lane++)
            sum_of_all += total[i][lane];
    return sum_of_all;
}

/* Sum of all x, `repeats` times: the bandwidth of benchmarks/roofline.py.
 * Cost: n * repeats reads. */
static double read_all(const double *x, ptrdiff_t n, ptrdiff_t repeats)
{
    vm total[8];
    UNROLL for (int i = 0; i < 8; i++) total[i] = VM_SPLAT(0.0);
    for (ptrdiff_t r = 0; r < repeats; r++)
        for (ptrdiff_t k = 0; k + 8 * VM_LANES <= n; k += 8 * VM_LANES)
            UNROLL for (int i = 0; i < 8; i++) total[i] += vm_load(x + k + i * VM_LANES);
    for (int i = 1; i < 8; i++)
        total[0] += total[i];
    return total[0][0] + total[0][1];
}

const fc_primitives FC_TABLE = {
    FC_NAME,
    log_array,
    exp_array,
    log_eps_array,
    neg_entropy,
    outcome_terms,
    softmax,
    sum,
    max,
    dot,
    axpy,
    add_counts,
    outer,
    gemv,
    gemv_t,
    sparse_gemv_t,
    gemm,
    support,
    min,
    min_positive,
    multiply_eps,
    scale,
    softmaxes_of_sums,
    (ptrdiff_t)(12 * sizeof(vm) / sizeof(double)),
    multiply_adds,
    read_all,
};
