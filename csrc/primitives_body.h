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

/* FDLIBM's series of log((1 + s) / (1 - s)) / s - 2 is z (odd + z even) in z = s^2, w = z^2. */
ALWAYS_INLINE vm log_series_even(vm w)
{
    return vm_fma(
        w, vm_fma(w, VM_SPLAT(1.531383769920937332e-01), VM_SPLAT(2.222219843214978396e-01)),
        VM_SPLAT(3.999999999940941908e-01));
}

ALWAYS_INLINE vm log_series_odd(vm w)
{
    return vm_fma(
        w,
        vm_fma(w, vm_fma(w, VM_SPLAT(1.479819860511658591e-01), VM_SPLAT(1.818357216161805012e-01)),
               VM_SPLAT(2.857142874366239149e-01)),
        VM_SPLAT(6.666666666666735130e-01));
}

/* log(x) of positive normal numbers; exponent_offset is added to the binary exponent. FDLIBM,
 * e_log.c. Cost: a division and about twenty operations per vector. */
static inline vm log_normal(vm x, vm exponent_offset)
{
    const vmi bits = (vmi)x + VM_SPLATI(0x3ff0000000000000LL - 0x3fe6a09e00000000LL);
    /* unsigned: AVX2 has no arithmetic shift of 64 bits */
    const vmi exponent = (vmi)((vmu)bits >> 52) - VM_SPLATI(0x3ff);
    const vm k =
        ((vm)(exponent + VM_SPLATI(ROUND_MAGIC_BITS)) - VM_SPLAT(ROUND_MAGIC)) + exponent_offset;
    const vm m = (vm)((bits & VM_SPLATI(0x000fffffffffffffLL)) + VM_SPLATI(0x3fe6a09e00000000LL));
    const vm f = m - VM_SPLAT(1.0);
    const vm half_square = VM_SPLAT(0.5) * f * f;
    const vm s = vm_divide(f, VM_SPLAT(2.0) + f);
    const vm z = s * s;
    const vm w = z * z;
    const vm tail = half_square + vm_fma(z, log_series_odd(w), w * log_series_even(w));
    const vm low = vm_fma(s, tail, k * VM_SPLAT(1.90821492927058770002e-10));
    return vm_fma(k, VM_SPLAT(6.93147180369123816490e-01), f - (half_square - low));
}

/* log(x) as IEEE has it for 0, subnormals, negatives, inf and NaN. Cost: log_normal and five
 * selects. */
static inline vm log_any(vm x)
{
    const vmi small = x < VM_SPLAT(DBL_MIN);
    const vm scaled = vm_select(small, x * VM_SPLAT(0x1p54), x);
    vm y = log_normal(scaled, vm_select(small, VM_SPLAT(-54.0), VM_SPLAT(0.0)));
    y = vm_select(x == VM_SPLAT(INFINITY), x, y);
    y = vm_select(x == VM_SPLAT(0.0), VM_SPLAT(-INFINITY), y);
    /* false for NaN too */
    return vm_select(x >= VM_SPLAT(0.0), y, VM_SPLAT(NAN));
}

/* log(x) of x > 0 that is not subnormal; the last term is 0, or NaN for inf and NaN.
 * Cost: log_normal. */
static inline vm log_of_sum(vm x)
{
    return log_normal(x, VM_SPLAT(0.0)) + (x - x);
}

/* log(x + eps) of x >= 0. pymdp.legacy.maths.spm_log_single. Cost: log_normal. */
static inline vm log_eps_vm(vm x)
{
    return log_of_sum(x + VM_SPLAT(FC_EPS));
}

/* exp(x) = 2^k exp(r), |r| <= log(2) / 2. FDLIBM, e_exp.c. Cost: a division and about twenty
 * operations per vector. */
static inline vm exp_vm(vm x)
{
    x = vm_max(VM_SPLAT(-746.0), vm_min(VM_SPLAT(710.0), x));
    const vm k = (x * VM_SPLAT(1.44269504088896338700e+00) + VM_SPLAT(ROUND_MAGIC)) -
                 VM_SPLAT(ROUND_MAGIC);
    const vm hi = vm_fma(-k, VM_SPLAT(6.93147180369123816490e-01), x);
    const vm lo = k * VM_SPLAT(1.90821492927058770002e-10);
    const vm r = hi - lo;
    const vm t = r * r;
    const vm series = vm_fma(
        t,
        vm_fma(t,
               vm_fma(t,
                      vm_fma(t, VM_SPLAT(4.13813679705723846039e-08),
                             VM_SPLAT(-1.65339022054652515390e-06)),
                      VM_SPLAT(6.61375632143793436117e-05)),
               VM_SPLAT(-2.77777777770155933842e-03)),
        VM_SPLAT(1.66666666666666019037e-01));
    const vm c = vm_fma(-t, series, r);
    const vm y = VM_SPLAT(1.0) - ((lo - vm_divide(r * c, VM_SPLAT(2.0) - c)) - hi);
    /* 2^k in two factors, so that results round once where they are subnormal */
    const vm half = (k * VM_SPLAT(0.5) + VM_SPLAT(ROUND_MAGIC));
    const vm other_half = (k - (half - VM_SPLAT(ROUND_MAGIC))) + VM_SPLAT(ROUND_MAGIC);
    const vm scale_1 = (vm)(((vmi)half - VM_SPLATI(ROUND_MAGIC_BITS - 1023)) << 52);
    const vm scale_2 = (vm)(((vmi)other_half - VM_SPLATI(ROUND_MAGIC_BITS - 1023)) << 52);
    return (y * scale_1) * scale_2;
}

#define MAP(name, function, fill)                                                              \
    static void name(const double *x, ptrdiff_t n, double *out)                                \
    {                                                                                          \
        ptrdiff_t i = 0;                                                                       \
        for (; i + VM_LANES <= n; i += VM_LANES)                                               \
            vm_store(out + i, function(vm_load(x + i)));                                       \
        if (i < n)                                                                             \
            vm_store_tail(out + i, function(vm_load_tail(x + i, n - i, fill)), n - i);         \
    }

MAP(log_array, log_any, 1.0)
MAP(exp_array, exp_vm, 0.0)
MAP(log_eps_array, log_eps_vm, 1.0)

#include "lanes.h" /* which needs the above */
#include "lane_messages.h"
#include "lane_marginals.h"

/* sum_i x[i] in numpy.sum's order for contiguous doubles (pairwise, in blocks of eight lanes up to
 * 128): probabilities that are equal to the bit there are so here, and so are draws from them.
 * Cost: n additions. */
static double sum(const double *x, ptrdiff_t n)
{
    if (n < 8) {
        double total = 0.0;
        for (ptrdiff_t i = 0; i < n; i++)
            total += x[i];
        return total;
    }
    if (n <= 128) {
        vm lanes[8 / VM_LANES];
        double lane[8];
        ptrdiff_t i = 8;
        UNROLL for (int r = 0; r < 8 / VM_LANES; r++) lanes[r] = vm_load(x + r * VM_LANES);
        for (; i + 8 <= n; i += 8)
            UNROLL for (int r = 0; r < 8 / VM_LANES; r++)
                lanes[r] += vm_load(x + i + r * VM_LANES);
        UNROLL for (int r = 0; r < 8 / VM_LANES; r++) vm_store(lane + r * VM_LANES, lanes[r]);
        double total = ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
                       ((lane[4] + lane[5]) + (lane[6] + lane[7]));
        for (; i < n; i++)
            total += x[i];
        return total;
    }
    const ptrdiff_t half = n / 2 - (n / 2) % 8;
    return sum(x, half) + sum(x + half, n - half);
}

#include "entropies.h"

/* max_i x[i]. Cost: n comparisons. */
static double max(const double *x, ptrdiff_t n)
{
    vm best = VM_SPLAT(x[0]);
    ptrdiff_t i = 0;
    for (; i + VM_LANES <= n; i += VM_LANES)
        best = vm_max(best, vm_load(x + i));
    if (i < n)
        best = vm_max(best, vm_load_tail(x + i, n - i, x[0]));
    return vm_max_lanes(best);
}

/* exp(x - max(x)) / sum(exp(x - max(x))). pymdp.legacy.maths.softmax. Cost: an exponential per
 * entry, one division. */
static void softmax(const double *x, ptrdiff_t n, double *out)
{
    const double top = max(x, n);
    ptrdiff_t i = 0;
    for (; i + VM_LANES <= n; i += VM_LANES)
        vm_store(out + i, exp_vm(vm_load(x + i) - VM_SPLAT(top)));
    if (i < n)
        vm_store_tail(out + i, exp_vm(vm_load_tail(x + i, n - i, top) - VM_SPLAT(top)), n - i);
    const double norm = sum(out, n);
#if defined(FC_LEVEL_AVX512)
    /* Markstein's correction, as in vm_divide */
    const vm b = VM_SPLAT(norm), r = VM_SPLAT(1.0 / norm);
    for (i = 0; i < n; i += VM_LANES) {
        const ptrdiff_t left = n - i < VM_LANES ? n - i : VM_LANES;
        const vm a = left == VM_LANES ? vm_load(out + i) : vm_load_tail(out + i, left, 0.0);
        const vm q = a * r, exact = vm_fma(vm_fma(-b, q, a), r, q);
        if (left == VM_LANES)
            vm_store(out + i, exact);
        else
            vm_store_tail(out + i, exact, left);
    }
#else
    for (i = 0; i < n; i++)
        out[i] /= norm;
#endif
}

/* index = flatnonzero(x > threshold), weights = x[index]; returns how many. Without a branch per
 * entry, which is mispredicted wherever the support changes. Cost: n comparisons, and two stores
 * per entry of a vector that has any above the threshold. */
static ptrdiff_t support(const double *x, ptrdiff_t n, double threshold, int32_t *index,
                         double *weights)
{
    ptrdiff_t count = 0, i = 0;
    for (; i + VM_LANES <= n; i += VM_LANES) {
        const unsigned bits = vm_bits(vm_load(x + i) > VM_SPLAT(threshold));
        if (bits == 0)
            continue;
        UNROLL for (int lane = 0; lane < VM_LANES; lane++) {
            /* count <= i + lane < n: no store is beyond the arrays */
            index[count] = (int32_t)(i + lane);
            weights[count] = x[i + lane];
            count += bits >> lane & 1;
        }
    }
    for (; i < n; i++) {
        index[count] = (int32_t)i;
        weights[count] = x[i];
        count += x[i] > threshold;
    }
    return count;
}

/* min_i x[i]. Cost: n comparisons. */
static double min(const double *x, ptrdiff_t n)
{
    vm lowest = VM_SPLAT(x[0]), other = lowest;
    ptrdiff_t i = 0;
    for (; i + 2 * VM_LANES <= n; i += 2 * VM_LANES) {
        lowest = vm_min(lowest, vm_load(x + i));
        other = vm_min(other, vm_load(x + i + VM_LANES));
    }
    for (; i < n; i += VM_LANES)
        lowest = vm_min(lowest, vm_load_some(x + i, n - i, x[0]));
    return -vm_max_lanes(-vm_min(lowest, other));
}

/* min of the x[i] > 0, or inf. Cost: 2 n comparisons. */
static double min_positive(const double *x, ptrdiff_t n)
{
    /* two at a time: a chain of comparisons would wait for each */
    vm lowest = VM_SPLAT(INFINITY), other = lowest;
    ptrdiff_t i = 0;
    for (; i + 2 * VM_LANES <= n; i += 2 * VM_LANES) {
        const vm v = vm_load(x + i), w = vm_load(x + i + VM_LANES);
        lowest = vm_min(lowest, vm_select(v > VM_SPLAT(0.0), v, VM_SPLAT(INFINITY)));
        other = vm_min(other, vm_select(w > VM_SPLAT(0.0), w, VM_SPLAT(INFINITY)));
    }
    for (; i < n; i += VM_LANES) {
        const vm v = i + VM_LANES <= n ? vm_load(x + i) : vm_load_tail(x + i, n - i, 0.0);
        lowest = vm_min(lowest, vm_select(v > VM_SPLAT(0.0), v, VM_SPLAT(INFINITY)));
    }
    return -vm_max_lanes(-vm_min(lowest, other));
}

/* out = (x + eps) * (y + y_eps); returns sum(out): one factor of a posterior and its norm.
 * Cost: n products. */
static double multiply_eps(const double *x, const double *y, double y_eps, ptrdiff_t n,
                           double *out)
{
    vm total = VM_SPLAT(0.0);
    ptrdiff_t i = 0;
    for (; i + VM_LANES <= n; i += VM_LANES) {
        const vm v = (vm_load(x + i) + VM_SPLAT(FC_EPS)) * (vm_load(y + i) + VM_SPLAT(y_eps));
        vm_store(out + i, v);
        total += v;
    }
    if (i < n) {
        const vm v = (vm_load_tail(x + i, n - i, -FC_EPS) + VM_SPLAT(FC_EPS)) *
                     (vm_load_tail(y + i, n - i, 0.0) + VM_SPLAT(y_eps));
        vm_store_tail(out + i, v, n - i);
        total += v;
    }
    return vm_sum_lanes(total);
}

/* out = a * x (BLAS dscal). Cost: n products. */
static void scale(double a, const double *x, ptrdiff_t n, double *out)
{
    ptrdiff_t i = 0;
    for (; i + VM_LANES <= n; i += VM_LANES)
        vm_store(out + i, VM_SPLAT(a) * vm_load(x + i));
    if (i < n)
        vm_store_tail(out + i, VM_SPLAT(a) * vm_load_tail(x + i, n - i, 0.0), n - i);
}

/* `rows`, a constant, of posterior_rows: their sums and divisions overlap. */
ALWAYS_INLINE void posterior_block(int rows, const double *const *x, double *const *y,
                                   double y_eps, ptrdiff_t n, double min_norm,
                                   double *const *out, double *norm)
{
    vm total[4];
    UNROLL for (int r = 0; r < rows; r++) total[r] = VM_SPLAT(0.0);
    for (ptrdiff_t j = 0; j < n; j += VM_LANES)
        UNROLL for (int r = 0; r < rows; r++) {
            const vm v = (vm_load_some(x[r] + j, n - j, -FC_EPS) + VM_SPLAT(FC_EPS)) *
                         (vm_load(y[r] + j) + VM_SPLAT(y_eps));
            vm_store(y[r] + j, v);
            total[r] += v;
        }
    UNROLL for (int r = 0; r < rows; r++) norm[r] = vm_sum_lanes(total[r]);
    UNROLL for (int r = 0; r < rows; r++) {
        if (!(norm[r] > min_norm && norm[r] < INFINITY))
            continue;
        const vm inverse = VM_SPLAT(1.0 / norm[r]);
        for (ptrdiff_t j = 0; j < n; j += VM_LANES)
            vm_store(out[r] + j, inverse * vm_load(y[r] + j));
    }
}

/* Rows of posteriors: y[i] = (x[i] + eps) * (y[i] + y_eps), norm[i] = sum(y[i]), and out[i] =
 * y[i] / norm[i] where min_norm < norm[i] < inf; to the bit multiply_eps and scale. Whole vectors of
 * y and out are written: AVX2's masked stores were a tenth of the time of filtering.
 * Cost: 2 n products a row. */
static void posterior_rows(const double *const *x, double *const *y, double y_eps, ptrdiff_t n,
                           ptrdiff_t count, double min_norm, double *const *out, double *norm)
{
    ptrdiff_t i = 0;
    for (; i + 4 <= count; i += 4)
        posterior_block(4, x + i, y + i, y_eps, n, min_norm, out + i, norm + i);
    for (; i < count; i++)
        posterior_block(1, x + i, y + i, y_eps, n, min_norm, out + i, norm + i);
}

#if defined(FC_LEVEL_AVX512) /* one operation for all vectors costs less than one for each */
#define LANE_SUMS(x, out) vm_store(out, vm_sums_of_lanes(x))
#define LANE_MAXIMA(count, x, out) vm_store(out, vm_maxima_of_lanes(x))
#else
#define LANE_SUMS(x, out)                                                                      \
    UNROLL for (int each = 0; each < 8; each++) (out)[each] = vm_sum_lanes((x)[each])
#define LANE_MAXIMA(count, x, out)                                                             \
    UNROLL for (int each = 0; each < count; each++) (out)[each] = vm_max_lanes((x)[each])
#endif

/* softmaxes_of_sums of `count` pairs, a constant: their sums across lanes are one operation.
 * Cost: an exponential per entry, a division per pair. */
ALWAYS_INLINE double softmax_group(const double *const *x, const double *const *y,
                                   const ptrdiff_t *size, double *const *out, double *norm,
                                   int count)
{
    vm best[8], total[8]; /* of exponentials, and from 4 on of their products with x */
    double top[8], sums[8];
    UNROLL for (int k = 0; k < 8; k++) total[k] = best[k] = VM_SPLAT(0.0);
    UNROLL for (int k = 0; k < count; k++) {
        best[k] = VM_SPLAT(-INFINITY);
        for (ptrdiff_t i = 0; i < size[k]; i += VM_LANES)
            best[k] = vm_max(best[k], vm_load_some(x[k] + i, size[k] - i, -INFINITY) +
                                          vm_load_some(y[k] + i, size[k] - i, 0.0));
    }
    LANE_MAXIMA(count, best, top);
    UNROLL for (int k = 0; k < count; k++)
        for (ptrdiff_t i = 0; i < size[k]; i += VM_LANES) {
            const vm xi = vm_load_some(x[k] + i, size[k] - i, 0.0);
            const vm e =
                exp_vm(xi + vm_load_some(y[k] + i, size[k] - i, -INFINITY) - VM_SPLAT(top[k]));
            total[k] += e;
            total[4 + k] = vm_fma(e, xi, total[4 + k]);
            vm_store_some(out[k] + i, e, size[k] - i);
        }
    LANE_SUMS(total, sums);
    double value = 0.0;
    *norm = 1.0;
    for (int k = 0; k < count; k++) {
        const double inverse = 1.0 / sums[k];
        value += sums[4 + k] * inverse - top[k];
        *norm *= sums[k];
        for (ptrdiff_t i = 0; i < size[k]; i += VM_LANES)
            vm_store_some(out[k] + i,
                          VM_SPLAT(inverse) * vm_load_some(out[k] + i, size[k] - i, 0.0),
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

#include "marginal_messages.h"
#include "belief_columns.h"
#include "dirichlet.h"

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
    posterior_rows,
    softmaxes_of_sums,
    update_marginal,
    update_marginal_by_roots,
    {
        lanes_gather,
        lanes_scatter,
        lanes_matmul,
        lanes_own_matmul,
        lanes_outer,
        lanes_dot,
        lanes_gemv,
        lanes_gemv_t,
        lanes_multiply_eps,
        lanes_divide,
        lanes_posterior,
        lanes_shared_dot,
        lanes_states_info_gain,
        lanes_prefix_sums,
        lanes_policy_posterior,
        lanes_marginals,
        lanes_sharpen,
    },
    push_columns,
    column_terms,
    column_means,
    add_count_rows,
    row_means,
    (ptrdiff_t)(12 * sizeof(vm) / sizeof(double)),
    multiply_adds,
    read_all,
    {
        lanes_add_weighted,
        lanes_multiply,
        lanes_multiply_message,
        lanes_marginal,
        lanes_relative_exp,
        lanes_softmax,
        lanes_sparse_matmul,
        lanes_update_marginal,
        lanes_update_marginal_and_F,
    },
    clipped_means,
};
