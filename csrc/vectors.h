/* vectors.h: vectors of doubles, with the vector extension of GCC and Clang.
 *
 * v8 is eight lanes at every level; vm is one register of the level. Compiled once per SIMD level,
 * from primitives_body.h.
 */
#ifndef FREEAGENT_VECTORS_H
#define FREEAGENT_VECTORS_H

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
 * of n doubles is a call and a failed store forwarding, which dominated the cost of short
 * vectors.) */
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

/* min(limit, x), lane by lane; x where x is NaN. Cost: one instruction on AVX-512. */
static inline v8 min_v8(v8 limit, v8 x)
{
#if defined(FC_LEVEL_AVX512)
    return (v8)_mm512_min_pd((__m512d)limit, (__m512d)x);
#else
    return select_v8(x > limit, limit, x);
#endif
}

/* max(limit, x), lane by lane; x where x is NaN. Cost: one instruction on AVX-512. */
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
 * round the same way but for rare last bits. Cost: seven operations on AVX-512, else a division. */
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

/* Bit i is set where lane i of a comparison's result is true. Cost: one or two instructions. */
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

/* ((v0 + v4) + (v2 + v6)) + ((v1 + v5) + (v3 + v7)), at every level. Cost: seven additions. */
static inline double sum_lanes(v8 v)
{
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/* The sums and the maxima of the lanes of eight vectors, each in the same order. */
#if defined(FC_LEVEL_AVX512)
#if defined(__clang__)
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define PICK(a, b, ...) __builtin_shuffle(a, b, (v8i){__VA_ARGS__})
#endif
#define GREATER(a, b) max_v8(a, b)
#define ACROSS_LANES(name, combine)                                                            \
    static inline v8 name(const v8 *x)                                                         \
    {                                                                                          \
        v8 a[4], b[2];                                                                         \
        for (int e = 0; e < 4; e++) /* pairs of lanes, of two vectors in turn */               \
            a[e] = combine(PICK(x[2 * e], x[2 * e + 1], 0, 8, 2, 10, 4, 12, 6, 14),            \
                           PICK(x[2 * e], x[2 * e + 1], 1, 9, 3, 11, 5, 13, 7, 15));           \
        for (int e = 0; e < 2; e++) /* halves, of four */                                      \
            b[e] = combine(PICK(a[2 * e], a[2 * e + 1], 0, 1, 8, 9, 4, 5, 12, 13),             \
                           PICK(a[2 * e], a[2 * e + 1], 2, 3, 10, 11, 6, 7, 14, 15));          \
        return combine(PICK(b[0], b[1], 0, 1, 2, 3, 8, 9, 10, 11),                             \
                       PICK(b[0], b[1], 4, 5, 6, 7, 12, 13, 14, 15));                          \
    }
#else
#define GREATER(a, b) ((a) > (b) ? (a) : (b))
#define ACROSS_LANES(name, combine)                                                            \
    static inline v8 name(const v8 *x)                                                         \
    {                                                                                          \
        v8 all;                                                                                \
        for (int e = 0; e < LANES; e++)                                                        \
            all[e] = combine(combine(combine(x[e][0], x[e][1]), combine(x[e][2], x[e][3])),    \
                             combine(combine(x[e][4], x[e][5]), combine(x[e][6], x[e][7])));   \
        return all;                                                                            \
    }
#endif
#define PLUS(a, b) ((a) + (b))
ACROSS_LANES(sums_of_lanes, PLUS)
ACROSS_LANES(maxima_of_lanes, GREATER)

/* max of the eight lanes. Cost: three comparisons of vectors on AVX-512, else seven. */
static inline double max_lanes(v8 v)
{
#if defined(FC_LEVEL_AVX512)
    v = max_v8(v, PICK(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
    v = max_v8(v, PICK(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
    return max_v8(v, PICK(v, v, 1, 0, 3, 2, 5, 4, 7, 6))[0];
#else
    double m = v[0];
    for (int i = 1; i < LANES; i++)
        m = v[i] > m ? v[i] : m;
    return m;
#endif
}

#endif
