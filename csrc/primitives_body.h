/* primitives_body.h: the functions of fc_primitives, written once with the vector
 * extension of GCC and Clang and included by one .c file per SIMD level, which has
 * set the target before and defines FC_NAME (the level) and FC_TABLE (its table).
 *
 * log and exp follow the classical argument reduction of FDLIBM (Sun Microsystems,
 * e_log.c and e_exp.c: the method and its published coefficients), with selects in
 * the place of branches. Measured against mpmath: below 1 ulp (tests/test_primitives.py).
 */
#include "freeagent_primitives.h"

#include <float.h>
#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef double v8 __attribute__((vector_size(64)));
typedef int64_t v8i __attribute__((vector_size(64)));
typedef uint64_t v8u __attribute__((vector_size(64)));

#define LANES 8
#define SPLAT(a) ((v8){(a), (a), (a), (a), (a), (a), (a), (a)})
#define SPLATI(a) ((v8i){(a), (a), (a), (a), (a), (a), (a), (a)})
/* Adding 1.5 * 2^52 rounds a small double to the nearest integer and leaves that
 * integer in the low bits: int64 <-> double without AVX-512 conversions. */
#define ROUND_MAGIC 0x1.8p52
#define ROUND_MAGIC_BITS 0x4338000000000000LL

static inline v8 load(const double *p)
{
    v8 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(double *p, v8 v)
{
    memcpy(p, &v, sizeof v);
}

/* The first n < 8 lanes from p, `fill` in the others; nothing past p[n - 1] is read. (A memcpy
 * of n doubles is a call and a failed store forwarding: most of what a short vector cost.) */
static inline v8 load_tail(const double *p, ptrdiff_t n, double fill)
{
#if defined(FC_LEVEL_AVX512)
    return (v8)_mm512_mask_loadu_pd((__m512d)SPLAT(fill), (__mmask8)((1u << n) - 1), p);
#else
    v8 v = SPLAT(fill);
    for (ptrdiff_t i = 0; i < n; i++)
        v[i] = p[i];
    return v;
#endif
}

static inline void store_tail(double *p, v8 v, ptrdiff_t n)
{
#if defined(FC_LEVEL_AVX512)
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#else
    for (ptrdiff_t i = 0; i < n; i++)
        p[i] = v[i];
#endif
}

/* vm: the register of the level, for matrix products. (Where v8 is several registers, GCC 12
 * keeps arrays of it in memory: five times slower.) fma is a * b + c, with one rounding where
 * the level has such an instruction. */
#if defined(FC_LEVEL_AVX512)
typedef v8 vm;
#define VM_SPLAT(a) SPLAT(a)
#elif defined(FC_LEVEL_AVX2)
typedef double vm __attribute__((vector_size(32)));
#define VM_SPLAT(a) ((vm){(a), (a), (a), (a)})
#else
typedef double vm __attribute__((vector_size(16)));
#define VM_SPLAT(a) ((vm){(a), (a)})
#endif
#define VM_LANES ((ptrdiff_t)(sizeof(vm) / sizeof(double)))

static inline vm vm_load(const double *p)
{
    vm v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vm_store(double *p, vm v)
{
    memcpy(p, &v, sizeof v);
}

static inline vm vm_fma(vm a, vm b, vm c)
{
#if defined(FC_LEVEL_AVX512)
    return (vm)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(FC_LEVEL_AVX2)
    return (vm)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__aarch64__)
    return (vm)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    return a * b + c;
#endif
}

static inline v8 fma_v8(v8 a, v8 b, v8 c)
{
#if defined(FC_LEVEL_AVX512)
    return vm_fma(a, b, c);
#else
    return a * b + c;
#endif
}

static inline v8 select_v8(v8i mask, v8 yes, v8 no)
{
#if defined(FC_LEVEL_AVX512)
    return (v8)_mm512_mask_blend_pd(_mm512_movepi64_mask((__m512i)mask), (__m512d)no, (__m512d)yes);
#else
    return (v8)((mask & (v8i)yes) | (~mask & (v8i)no));
#endif
}

/* The lesser or the greater; x where x is NaN. */
static inline v8 min_v8(v8 limit, v8 x)
{
#if defined(FC_LEVEL_AVX512)
    return (v8)_mm512_min_pd((__m512d)limit, (__m512d)x);
#else
    return select_v8(x > limit, limit, x);
#endif
}

static inline v8 max_v8(v8 limit, v8 x)
{
#if defined(FC_LEVEL_AVX512)
    return (v8)_mm512_max_pd((__m512d)limit, (__m512d)x);
#else
    return select_v8(x < limit, limit, x);
#endif
}

/* a / b for b between 1 and 4. A division of 512 bits takes 16 cycles; an approximate
 * reciprocal, two steps of Newton and Markstein's correction of the quotient take four and
 * round alike but for rare last bits. */
static inline v8 divide_v8(v8 a, v8 b)
{
#if defined(FC_LEVEL_AVX512)
    v8 r = (v8)_mm512_rcp14_pd((__m512d)b);
    r = fma_v8(fma_v8(-b, r, SPLAT(1.0)), r, r);
    r = fma_v8(fma_v8(-b, r, SPLAT(1.0)), r, r);
    const v8 q = a * r;
    return fma_v8(fma_v8(-b, q, a), r, q);
#else
    return a / b;
#endif
}

/* bit i is set where lane i of a comparison's result is true */
static inline unsigned bits_v8(v8i mask)
{
#if defined(FC_LEVEL_AVX512)
    return (unsigned)_mm512_movepi64_mask((__m512i)mask);
#elif defined(FC_LEVEL_AVX2)
    __m256d half[2];
    memcpy(half, &mask, sizeof half);
    return (unsigned)(_mm256_movemask_pd(half[0]) | (_mm256_movemask_pd(half[1]) << 4));
#else
    unsigned bits = 0;
    for (int i = 0; i < LANES; i++)
        bits |= (unsigned)(mask[i] & 1) << i;
    return bits;
#endif
}

static inline double sum_lanes(v8 v)
{
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

static inline double max_lanes(v8 v)
{
    double m = v[0];
    for (int i = 1; i < LANES; i++)
        m = v[i] > m ? v[i] : m;
    return m;
}

/* log of positive normal numbers; exponent_offset is added to the binary exponent. */
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
    const v8 rest = half_square + fma_v8(z, odd, w * even);
    const v8 low = fma_v8(s, rest, k * SPLAT(1.90821492927058770002e-10));
    return fma_v8(k, SPLAT(6.93147180369123816490e-01), f - (half_square - low));
}

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

/* log(x + eps) of x >= 0: never subnormal; the last term is 0, or NaN for inf and NaN. */
static inline v8 log_eps_v8(v8 x)
{
    const v8 y = x + SPLAT(FC_EPS);
    return log_normal(y, SPLAT(0.0)) + (y - y);
}

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
    const v8 rest = (k - (half - SPLAT(ROUND_MAGIC))) + SPLAT(ROUND_MAGIC);
    const v8 scale_1 = (v8)(((v8i)half - SPLATI(ROUND_MAGIC_BITS - 1023)) << 52);
    const v8 scale_2 = (v8)(((v8i)rest - SPLATI(ROUND_MAGIC_BITS - 1023)) << 52);
    return (y * scale_1) * scale_2;
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

static double neg_entropy(const double *x, ptrdiff_t n)
{
    v8 total = SPLAT(0.0);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const v8 p = i + LANES <= n ? load(x + i) : load_tail(x + i, n - i, 0.0);
        if (bits_v8(p != SPLAT(0.0))) /* 0 * log(eps) adds nothing: most of a sharp belief */
            total = fma_v8(p, log_eps_v8(p), total);
    }
    return sum_lanes(total);
}

static void neg_entropies(const double *rows, ptrdiff_t count, ptrdiff_t stride, ptrdiff_t n,
                          double *out)
{
    ptrdiff_t r = 0;
    for (; r + 2 <= count; r += 2) { /* two at a time: a logarithm is a long chain */
        const double *x = rows + r * stride, *y = x + stride;
        v8 a = SPLAT(0.0), b = a;
        ptrdiff_t i = 0;
        for (; i + LANES <= n; i += LANES) {
            const v8 p = load(x + i), q = load(y + i);
            a = fma_v8(p, log_eps_v8(p), a);
            b = fma_v8(q, log_eps_v8(q), b);
        }
        if (i < n) {
            const v8 p = load_tail(x + i, n - i, 0.0), q = load_tail(y + i, n - i, 0.0);
            a = fma_v8(p, log_eps_v8(p), a);
            b = fma_v8(q, log_eps_v8(q), b);
        }
        out[r] = sum_lanes(a);
        out[r + 1] = sum_lanes(b);
    }
    if (r < count)
        out[r] = neg_entropy(rows + r * stride, n);
}

/* numpy.sum's order for contiguous doubles (pairwise, in blocks of eight lanes up to 128):
 * probabilities that come out equal to the bit there do so here, and so do draws from them. */
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

static double dot(const double *x, const double *y, ptrdiff_t n)
{
    v8 total = SPLAT(0.0);
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        total = fma_v8(load(x + i), load(y + i), total);
    if (i < n)
        total = fma_v8(load_tail(x + i, n - i, 0.0), load_tail(y + i, n - i, 0.0), total);
    return sum_lanes(total);
}

static void axpy(double a, const double *x, double *y, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

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

static void outer(const double *x, ptrdiff_t nx, const double *y, ptrdiff_t ny, double *out)
{
    for (ptrdiff_t i = 0; i < nx; i++) {
        const double a = x[i];
        for (ptrdiff_t j = 0; j < ny; j++)
            out[i * ny + j] = a * y[j];
    }
}

/* Four vectors of columns at a time stay in registers over all rows. */
static void columns_dot(const double *x, const double *M, ptrdiff_t rows, ptrdiff_t n, double *out)
{
    ptrdiff_t j = 0;
    for (; j + 4 * VM_LANES <= n; j += 4 * VM_LANES) {
        vm a = VM_SPLAT(0.0), b = a, c = a, d = a;
        for (ptrdiff_t i = 0; i < rows; i++) {
            if (x[i] == 0.0)
                continue;
            const vm weight = VM_SPLAT(x[i]);
            const double *row = M + i * n + j;
            a = vm_fma(weight, vm_load(row), a);
            b = vm_fma(weight, vm_load(row + VM_LANES), b);
            c = vm_fma(weight, vm_load(row + 2 * VM_LANES), c);
            d = vm_fma(weight, vm_load(row + 3 * VM_LANES), d);
        }
        vm_store(out + j, a);
        vm_store(out + j + VM_LANES, b);
        vm_store(out + j + 2 * VM_LANES, c);
        vm_store(out + j + 3 * VM_LANES, d);
    }
    for (; j + VM_LANES <= n; j += VM_LANES) {
        vm total = VM_SPLAT(0.0);
        for (ptrdiff_t i = 0; i < rows; i++)
            if (x[i] != 0.0)
                total = vm_fma(VM_SPLAT(x[i]), vm_load(M + i * n + j), total);
        vm_store(out + j, total);
    }
    if (j < n) {
        v8 total = SPLAT(0.0);
        for (ptrdiff_t i = 0; i < rows; i++)
            if (x[i] != 0.0)
                total = fma_v8(SPLAT(x[i]), load_tail(M + i * n + j, n - j, 0.0), total);
        store_tail(out + j, total, n - j);
    }
}

static void rows_dot(const double *M, const double *x, ptrdiff_t rows, ptrdiff_t n, double *out)
{
    if (n < LANES) { /* most factors have few states: a lane per term would be mostly empty */
        for (ptrdiff_t i = 0; i < rows; i++) {
            double total = 0.0;
            for (ptrdiff_t j = 0; j < n; j++)
                total += M[i * n + j] * x[j];
            out[i] = total;
        }
        return;
    }
    for (ptrdiff_t i = 0; i < rows; i++)
        out[i] = dot(M + i * n, x, n);
}

/* or GCC keeps arrays of vectors in memory */
#define UNROLL _Pragma("GCC unroll 8")
#define UNROLL12 _Pragma("GCC unroll 12")

/* The columns from j on, BLOCK vectors at a time, which stay in registers over all rows. */
#define WEIGHTED_ROWS(BLOCK)                                                                   \
    static ptrdiff_t weighted_rows_##BLOCK(const double *weights, const double *M,             \
                                           const int32_t *index, ptrdiff_t count,              \
                                           ptrdiff_t stride, double *out, ptrdiff_t j)         \
    {                                                                                          \
        for (; j + BLOCK * VM_LANES <= stride; j += BLOCK * VM_LANES) {                        \
            vm total[BLOCK];                                                                   \
            UNROLL for (int b = 0; b < BLOCK; b++) total[b] = VM_SPLAT(0.0);                   \
            for (ptrdiff_t k = 0; k < count; k++) {                                            \
                const double *row = M + (ptrdiff_t)index[k] * stride + j;                      \
                const vm weight = VM_SPLAT(weights[k]);                                        \
                UNROLL for (int b = 0; b < BLOCK; b++)                                         \
                    total[b] = vm_fma(weight, vm_load(row + b * VM_LANES), total[b]);          \
            }                                                                                  \
            UNROLL for (int b = 0; b < BLOCK; b++) vm_store(out + j + b * VM_LANES, total[b]); \
        }                                                                                      \
        return j;                                                                              \
    }

WEIGHTED_ROWS(8)
WEIGHTED_ROWS(6)
WEIGHTED_ROWS(4)
WEIGHTED_ROWS(3)
WEIGHTED_ROWS(2)
WEIGHTED_ROWS(1)

static void weighted_rows(const double *weights, const double *M, const int32_t *index,
                          ptrdiff_t count, ptrdiff_t stride, double *out)
{
    ptrdiff_t j = weighted_rows_8(weights, M, index, count, stride, out, 0);
    j = weighted_rows_6(weights, M, index, count, stride, out, j);
    j = weighted_rows_4(weights, M, index, count, stride, out, j);
    j = weighted_rows_3(weights, M, index, count, stride, out, j);
    j = weighted_rows_2(weights, M, index, count, stride, out, j);
    weighted_rows_1(weights, M, index, count, stride, out, j);
}

/* A block of ROWS rows of x and COLUMNS vectors of M stays in registers over all n; each
 * result is summed in the order of n whatever the block, so blocks do not change its bits. */
#define ROWS_PRODUCT(ROWS, COLUMNS)                                                            \
    static ptrdiff_t rows_product_##ROWS##_##COLUMNS(                                          \
        const double *const *x, ptrdiff_t n, const double *M, ptrdiff_t stride,                \
        ptrdiff_t stop, double *const *out, ptrdiff_t j)                                       \
    {                                                                                          \
        for (; j + COLUMNS * VM_LANES <= stop; j += COLUMNS * VM_LANES) {                      \
            vm total[ROWS][COLUMNS];                                                           \
            UNROLL for (int r = 0; r < ROWS; r++)                                              \
                UNROLL for (int c = 0; c < COLUMNS; c++) total[r][c] = VM_SPLAT(0.0);          \
            for (ptrdiff_t k = 0; k < n; k++) {                                                \
                vm row[COLUMNS];                                                               \
                UNROLL for (int c = 0; c < COLUMNS; c++)                                       \
                    row[c] = vm_load(M + k * stride + j + c * VM_LANES);                       \
                UNROLL for (int r = 0; r < ROWS; r++) {                                        \
                    const vm weight = VM_SPLAT(x[r][k]);                                       \
                    UNROLL for (int c = 0; c < COLUMNS; c++)                                   \
                        total[r][c] = vm_fma(weight, row[c], total[r][c]);                     \
                }                                                                              \
            }                                                                                  \
            UNROLL for (int r = 0; r < ROWS; r++)                                              \
                UNROLL for (int c = 0; c < COLUMNS; c++)                                       \
                    vm_store(out[r] + j + c * VM_LANES, total[r][c]);                          \
        }                                                                                      \
        return j;                                                                              \
    }

/* Blocks as large as the level's registers hold: 32, 16 (AVX2), 16 (SSE2) or 32 (NEON). */
ROWS_PRODUCT(4, 3)
ROWS_PRODUCT(4, 1)
ROWS_PRODUCT(1, 8)
ROWS_PRODUCT(1, 1)
#if defined(FC_LEVEL_AVX512)
ROWS_PRODUCT(8, 3)
ROWS_PRODUCT(8, 1)
ROWS_PRODUCT(3, 6)
ROWS_PRODUCT(3, 3)
ROWS_PRODUCT(3, 1)
ROWS_PRODUCT(1, 3)
#endif

/* PANEL columns at a time, so that a panel of M stays in the first cache for all rows. */
#if defined(FC_LEVEL_AVX512)
#define PANEL(COLUMNS)                                                                         \
    for (; j + COLUMNS * VM_LANES <= stride; j += COLUMNS * VM_LANES) {                        \
        ptrdiff_t r = 0;                                                                       \
        for (; r + 8 <= rows; r += 8)                                                          \
            rows_product_8_##COLUMNS(x + r, n, M, stride, j + COLUMNS * VM_LANES, out + r, j); \
        if (rows - r >= 4) {                                                                   \
            rows_product_4_##COLUMNS(x + r, n, M, stride, j + COLUMNS * VM_LANES, out + r, j); \
            r += 4;                                                                            \
        }                                                                                      \
        if (rows - r == 3) { /* three actions are common */                                    \
            rows_product_3_##COLUMNS(x + r, n, M, stride, j + COLUMNS * VM_LANES, out + r, j); \
            r += 3;                                                                            \
        }                                                                                      \
        for (; r < rows; r++)                                                                  \
            rows_product_1_##COLUMNS(x + r, n, M, stride, j + COLUMNS * VM_LANES, out + r, j); \
    }

static void rows_product(const double *const *x, ptrdiff_t rows, ptrdiff_t n, const double *M,
                         ptrdiff_t stride, double *const *out)
{
    ptrdiff_t j = 0;
    if (rows == 1) {
        j = rows_product_1_8(x, n, M, stride, stride, out, 0);
        rows_product_1_1(x, n, M, stride, stride, out, j);
        return;
    }
    if (rows == 3)
        j = rows_product_3_6(x, n, M, stride, stride, out, 0);
    PANEL(3)
    PANEL(1)
}
#else
static void rows_product(const double *const *x, ptrdiff_t rows, ptrdiff_t n, const double *M,
                         ptrdiff_t stride, double *const *out)
{
    ptrdiff_t r = 0, j;
    for (; r + 4 <= rows; r += 4) {
        j = rows_product_4_3(x + r, n, M, stride, stride, out + r, 0);
        rows_product_4_1(x + r, n, M, stride, stride, out + r, j);
    }
    for (; r < rows; r++) {
        j = rows_product_1_8(x + r, n, M, stride, stride, out + r, 0);
        rows_product_1_1(x + r, n, M, stride, stride, out + r, j);
    }
}
#endif

static ptrdiff_t above(const double *x, ptrdiff_t n, double threshold, int32_t *index,
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

static double min(const double *x, ptrdiff_t n)
{
    v8 least = SPLAT(x[0]), other = least;
    ptrdiff_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        least = min_v8(least, load(x + i));
        other = min_v8(other, load(x + i + LANES));
    }
    for (; i < n; i += LANES)
        least = min_v8(least, i + LANES <= n ? load(x + i) : load_tail(x + i, n - i, x[0]));
    return -max_lanes(-min_v8(least, other));
}

static double least_above_zero(const double *x, ptrdiff_t n)
{
    /* two at a time: a chain of comparisons would wait for each */
    v8 least = SPLAT(INFINITY), other = least;
    ptrdiff_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        const v8 v = load(x + i), w = load(x + i + LANES);
        least = min_v8(least, select_v8(v > SPLAT(0.0), v, SPLAT(INFINITY)));
        other = min_v8(other, select_v8(w > SPLAT(0.0), w, SPLAT(INFINITY)));
    }
    for (; i < n; i += LANES) {
        const v8 v = i + LANES <= n ? load(x + i) : load_tail(x + i, n - i, 0.0);
        least = min_v8(least, select_v8(v > SPLAT(0.0), v, SPLAT(INFINITY)));
    }
    return -max_lanes(-min_v8(least, other));
}

static double raised_product(const double *x, const double *y, double y_eps, ptrdiff_t n,
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

static void scale(double a, const double *x, ptrdiff_t n, double *out)
{
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(out + i, SPLAT(a) * load(x + i));
    if (i < n)
        store_tail(out + i, SPLAT(a) * load_tail(x + i, n - i, 0.0), n - i);
}

static double softmax_of_sum(const double *x, const double *y, ptrdiff_t n, double *out,
                             double *top, double *norm)
{
    v8 best = SPLAT(-INFINITY), total = SPLAT(0.0), mean = SPLAT(0.0);
    ptrdiff_t i;
    for (i = 0; i < n; i += LANES) {
        best = max_v8(best, i + LANES <= n ? load(x + i) + load(y + i)
                                           : load_tail(x + i, n - i, -INFINITY) +
                                                 load_tail(y + i, n - i, 0.0));
    }
    *top = max_lanes(best);
    for (i = 0; i < n; i += LANES) {
        const ptrdiff_t left = n - i < LANES ? n - i : LANES;
        const v8 xi = left == LANES ? load(x + i) : load_tail(x + i, left, 0.0);
        const v8 yi = left == LANES ? load(y + i) : load_tail(y + i, left, -INFINITY);
        const v8 e = exp_v8((xi + yi) - SPLAT(*top));
        total += e;
        mean += e * xi;
        if (left == LANES)
            store(out + i, e);
        else
            store_tail(out + i, e, left);
    }
    *norm = sum_lanes(total);
    scale(1.0 / *norm, out, n, out);
    return sum_lanes(mean) / *norm;
}

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
    neg_entropies,
    softmax,
    sum,
    max,
    dot,
    axpy,
    add_counts,
    outer,
    rows_dot,
    columns_dot,
    weighted_rows,
    rows_product,
    above,
    min,
    least_above_zero,
    raised_product,
    scale,
    softmax_of_sum,
    (ptrdiff_t)(12 * sizeof(vm) / sizeof(double)),
    multiply_adds,
    read_all,
};
