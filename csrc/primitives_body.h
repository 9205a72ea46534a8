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

static inline v8 load_tail(const double *p, ptrdiff_t n, double fill)
{
    v8 v = SPLAT(fill);
    memcpy(&v, p, (size_t)n * sizeof(double));
    return v;
}

static inline void store_tail(double *p, v8 v, ptrdiff_t n)
{
    memcpy(p, &v, (size_t)n * sizeof(double));
}

static inline v8 select_v8(v8i mask, v8 yes, v8 no)
{
    return (v8)((mask & (v8i)yes) | (~mask & (v8i)no));
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
    const v8 s = f / (SPLAT(2.0) + f);
    const v8 z = s * s;
    const v8 w = z * z;
    const v8 even = w * (SPLAT(3.999999999940941908e-01) +
                         w * (SPLAT(2.222219843214978396e-01) + w * SPLAT(1.531383769920937332e-01)));
    const v8 odd = z * (SPLAT(6.666666666666735130e-01) +
                        w * (SPLAT(2.857142874366239149e-01) +
                             w * (SPLAT(1.818357216161805012e-01) +
                                  w * SPLAT(1.479819860511658591e-01))));
    return k * SPLAT(6.93147180369123816490e-01) -
           ((half_square - (s * (half_square + (even + odd)) + k * SPLAT(1.90821492927058770002e-10))) - f);
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
    x = select_v8(x > SPLAT(710.0), SPLAT(710.0), x);
    x = select_v8(x < SPLAT(-746.0), SPLAT(-746.0), x);
    const v8 k = (x * SPLAT(1.44269504088896338700e+00) + SPLAT(ROUND_MAGIC)) - SPLAT(ROUND_MAGIC);
    const v8 hi = x - k * SPLAT(6.93147180369123816490e-01);
    const v8 lo = k * SPLAT(1.90821492927058770002e-10);
    const v8 r = hi - lo;
    const v8 t = r * r;
    const v8 c = r - t * (SPLAT(1.66666666666666019037e-01) +
                          t * (SPLAT(-2.77777777770155933842e-03) +
                               t * (SPLAT(6.61375632143793436117e-05) +
                                    t * (SPLAT(-1.65339022054652515390e-06) +
                                         t * SPLAT(4.13813679705723846039e-08)))));
    const v8 y = SPLAT(1.0) - ((lo - (r * c) / (SPLAT(2.0) - c)) - hi);
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
            total += p * log_eps_v8(p);
    }
    return sum_lanes(total);
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
    for (; i + LANES <= n; i += LANES) {
        const v8 v = load(x + i);
        best = select_v8(v > best, v, best);
    }
    if (i < n) {
        const v8 v = load_tail(x + i, n - i, x[0]);
        best = select_v8(v > best, v, best);
    }
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
    for (i = 0; i < n; i++)
        out[i] /= norm;
}

static double dot(const double *x, const double *y, ptrdiff_t n)
{
    v8 total = SPLAT(0.0);
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        total += load(x + i) * load(y + i);
    if (i < n)
        total += load_tail(x + i, n - i, 0.0) * load_tail(y + i, n - i, 0.0);
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

static void columns_dot(const double *x, const double *M, ptrdiff_t rows, ptrdiff_t n, double *out)
{
    for (ptrdiff_t j = 0; j < n; j++)
        out[j] = 0.0;
    for (ptrdiff_t i = 0; i < rows; i++)
        if (x[i] != 0.0)
            axpy(x[i], M + i * n, out, n);
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

/* BLOCK columns of eight at a time stay in registers over all rows. */
#define WEIGHTED_ROWS(BLOCK)                                                                   \
    static void weighted_rows_##BLOCK(const double *x, const double *M, const int32_t *index,  \
                                      ptrdiff_t num_index, ptrdiff_t stride, double *out)      \
    {                                                                                          \
        v8 total[BLOCK];                                                                       \
        for (int b = 0; b < BLOCK; b++)                                                        \
            total[b] = SPLAT(0.0);                                                             \
        for (ptrdiff_t k = 0; k < num_index; k++) {                                            \
            const double *row = M + (ptrdiff_t)index[k] * stride;                              \
            const v8 weight = SPLAT(x[index[k]]);                                              \
            for (int b = 0; b < BLOCK; b++)                                                    \
                total[b] += weight * load(row + b * LANES);                                    \
        }                                                                                      \
        for (int b = 0; b < BLOCK; b++)                                                        \
            store(out + b * LANES, total[b]);                                                  \
    }

WEIGHTED_ROWS(1)
WEIGHTED_ROWS(2)
WEIGHTED_ROWS(3)
WEIGHTED_ROWS(4)
WEIGHTED_ROWS(6)
WEIGHTED_ROWS(8)

static void weighted_rows(const double *x, const double *M, const int32_t *index,
                          ptrdiff_t num_index, ptrdiff_t stride, double *out)
{
    ptrdiff_t j = 0;
    for (ptrdiff_t left = stride / LANES; left > 0; left = (stride - j) / LANES) {
        if (left >= 8) {
            weighted_rows_8(x, M + j, index, num_index, stride, out + j);
            j += 8 * LANES;
        } else if (left >= 6) {
            weighted_rows_6(x, M + j, index, num_index, stride, out + j);
            j += 6 * LANES;
        } else if (left >= 4) {
            weighted_rows_4(x, M + j, index, num_index, stride, out + j);
            j += 4 * LANES;
        } else if (left == 3) {
            weighted_rows_3(x, M + j, index, num_index, stride, out + j);
            j += 3 * LANES;
        } else if (left == 2) {
            weighted_rows_2(x, M + j, index, num_index, stride, out + j);
            j += 2 * LANES;
        } else {
            weighted_rows_1(x, M + j, index, num_index, stride, out + j);
            j += LANES;
        }
    }
}

static ptrdiff_t above(const double *x, ptrdiff_t n, double threshold, int32_t *index)
{
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const v8 v = i + LANES <= n ? load(x + i) : load_tail(x + i, n - i, -INFINITY);
        for (unsigned bits = bits_v8(v > SPLAT(threshold)); bits; bits &= bits - 1)
            index[count++] = (int32_t)(i + __builtin_ctz(bits));
    }
    return count;
}

const fc_primitives FC_TABLE = {
    FC_NAME, log_array, exp_array, log_eps_array, neg_entropy, softmax,       sum,   max,
    dot,     axpy,      add_counts, outer,     rows_dot,      columns_dot,   weighted_rows, above,
};
