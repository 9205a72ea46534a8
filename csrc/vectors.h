/* vectors.h: vm, one vector register of the level, with the vector extension of GCC and Clang.
 *
 * Compiled once per SIMD level, from primitives_body.h. (GCC 12 keeps vectors that are wider than a
 * register in memory and compares them lane by lane: with AVX2, a logarithm of eight lanes took
 * 4.5 times as long an entry as one of four.)
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

#if defined(FC_LEVEL_AVX512)
#define VM_BYTES 64
#define VM_SPLAT(a) ((vm){(a), (a), (a), (a), (a), (a), (a), (a)})
#define VM_SPLATI(a) ((vmi){(a), (a), (a), (a), (a), (a), (a), (a)})
#elif defined(FC_LEVEL_AVX2)
#define VM_BYTES 32
#define VM_SPLAT(a) ((vm){(a), (a), (a), (a)})
#define VM_SPLATI(a) ((vmi){(a), (a), (a), (a)})
#else
#define VM_BYTES 16
#define VM_SPLAT(a) ((vm){(a), (a)})
#define VM_SPLATI(a) ((vmi){(a), (a)})
#endif
typedef double vm __attribute__((vector_size(VM_BYTES)));
typedef int64_t vmi __attribute__((vector_size(VM_BYTES)));
typedef uint64_t vmu __attribute__((vector_size(VM_BYTES)));
#define VM_LANES ((ptrdiff_t)(VM_BYTES / sizeof(double)))

/* Adding 1.5 * 2^52 rounds a small double to the nearest integer and leaves that
 * integer in the low bits: int64 <-> double without AVX-512 conversions. */
#define ROUND_MAGIC 0x1.8p52
#define ROUND_MAGIC_BITS 0x4338000000000000LL

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* without it GCC keeps arrays of vectors in memory */
#define UNROLL _Pragma("GCC unroll 16")

ALWAYS_INLINE vm vm_load(const double *p)
{
    vm v;
    memcpy(&v, p, sizeof v);
    return v;
}

ALWAYS_INLINE void vm_store(double *p, vm v)
{
    memcpy(p, &v, sizeof v);
}

#if defined(FC_LEVEL_AVX2)
/* the first n lanes, n < 4, from LANE_MASK + 4 - n */
static const int64_t LANE_MASK[8] = {-1, -1, -1, -1, 0, 0, 0, 0};

static inline __m256i lane_mask(ptrdiff_t n)
{
    return _mm256_loadu_si256((const __m256i *)(LANE_MASK + 4 - n));
}
#endif

/* The first n < VM_LANES lanes from p, `fill` in the others; nothing past p[n - 1] is read. (A
 * memcpy of n doubles is a call and a failed store forwarding, which dominated the cost of short
 * vectors.) */
ALWAYS_INLINE vm vm_load_tail(const double *p, ptrdiff_t n, double fill)
{
#if defined(FC_LEVEL_AVX512)
    return (vm)_mm512_mask_loadu_pd((__m512d)VM_SPLAT(fill), (__mmask8)((1u << n) - 1), p);
#elif defined(FC_LEVEL_AVX2)
    const __m256i mask = lane_mask(n);
    return (vm)_mm256_blendv_pd((__m256d)VM_SPLAT(fill), _mm256_maskload_pd(p, mask),
                                _mm256_castsi256_pd(mask));
#else
    vm v = VM_SPLAT(fill);
    if (n > 0)
        v[0] = p[0];
    return v;
#endif
}

ALWAYS_INLINE void vm_store_tail(double *p, vm v, ptrdiff_t n)
{
#if defined(FC_LEVEL_AVX512)
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#elif defined(FC_LEVEL_AVX2)
    _mm256_maskstore_pd(p, lane_mask(n), (__m256d)v);
#else
    if (n > 0)
        p[0] = v[0];
#endif
}

/* Up to VM_LANES entries, of which `left` are there. */
ALWAYS_INLINE vm vm_load_some(const double *p, ptrdiff_t left, double fill)
{
    return left >= VM_LANES ? vm_load(p) : vm_load_tail(p, left, fill);
}

ALWAYS_INLINE void vm_store_some(double *p, vm v, ptrdiff_t left)
{
    if (left >= VM_LANES)
        vm_store(p, v);
    else
        vm_store_tail(p, v, left);
}

/* a * b + c, with one rounding where the level has such an instruction. */
ALWAYS_INLINE vm vm_fma(vm a, vm b, vm c)
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

ALWAYS_INLINE vm vm_select(vmi mask, vm yes, vm no)
{
#if defined(FC_LEVEL_AVX512)
    return (vm)_mm512_mask_blend_pd(_mm512_movepi64_mask((__m512i)mask), (__m512d)no, (__m512d)yes);
#elif defined(FC_LEVEL_AVX2)
    return (vm)_mm256_blendv_pd((__m256d)no, (__m256d)yes, (__m256d)mask);
#else
    return (vm)((mask & (vmi)yes) | (~mask & (vmi)no));
#endif
}

/* x where it is above the limit, else 0. Cost: two instructions on x86. */
ALWAYS_INLINE vm vm_above(vm x, vm limit)
{
#if defined(FC_LEVEL_AVX512)
    return (vm)_mm512_maskz_mov_pd(
        _mm512_cmp_pd_mask((__m512d)x, (__m512d)limit, _CMP_GT_OQ), (__m512d)x);
#else
    return (vm)((x > limit) & (vmi)x);
#endif
}

/* min(limit, x), lane by lane; x where x is NaN. Cost: one instruction on x86. */
ALWAYS_INLINE vm vm_min(vm limit, vm x)
{
#if defined(FC_LEVEL_AVX512)
    return (vm)_mm512_min_pd((__m512d)limit, (__m512d)x);
#elif defined(FC_LEVEL_AVX2)
    return (vm)_mm256_min_pd((__m256d)limit, (__m256d)x);
#else
    return vm_select(x > limit, limit, x);
#endif
}

/* max(limit, x), lane by lane; x where x is NaN. Cost: one instruction on x86. */
ALWAYS_INLINE vm vm_max(vm limit, vm x)
{
#if defined(FC_LEVEL_AVX512)
    return (vm)_mm512_max_pd((__m512d)limit, (__m512d)x);
#elif defined(FC_LEVEL_AVX2)
    return (vm)_mm256_max_pd((__m256d)limit, (__m256d)x);
#else
    return vm_select(x < limit, limit, x);
#endif
}

/* Correctly rounded, as IEEE has it. */
ALWAYS_INLINE vm vm_sqrt(vm x)
{
#if defined(FC_LEVEL_AVX512)
    return (vm)_mm512_sqrt_pd((__m512d)x);
#elif defined(FC_LEVEL_AVX2)
    return (vm)_mm256_sqrt_pd((__m256d)x);
#elif defined(__x86_64__)
    return (vm)_mm_sqrt_pd((__m128d)x);
#elif defined(__aarch64__)
    return (vm)vsqrtq_f64((float64x2_t)x);
#else
    for (int l = 0; l < VM_LANES; l++)
        x[l] = sqrt(x[l]);
    return x;
#endif
}

/* a / b for b between 1 and 4. A division of 512 bits takes 16 cycles; an approximate
 * reciprocal, two steps of Newton and Markstein's correction of the quotient take four and
 * round the same way but for rare last bits. Cost: seven operations on AVX-512, else a division. */
ALWAYS_INLINE vm vm_divide(vm a, vm b)
{
#if defined(FC_LEVEL_AVX512)
    vm r = (vm)_mm512_rcp14_pd((__m512d)b);
    r = vm_fma(vm_fma(-b, r, VM_SPLAT(1.0)), r, r);
    r = vm_fma(vm_fma(-b, r, VM_SPLAT(1.0)), r, r);
    const vm q = a * r;
    return vm_fma(vm_fma(-b, q, a), r, q);
#else
    return a / b;
#endif
}

/* Bit i is set where lane i of a comparison's result is true. Cost: one instruction on x86. */
ALWAYS_INLINE unsigned vm_bits(vmi mask)
{
#if defined(FC_LEVEL_AVX512)
    return (unsigned)_mm512_movepi64_mask((__m512i)mask);
#elif defined(FC_LEVEL_AVX2)
    return (unsigned)_mm256_movemask_pd((__m256d)mask);
#elif defined(__x86_64__)
    return (unsigned)_mm_movemask_pd((__m128d)mask);
#else
    return (unsigned)(mask[0] & 1) | (unsigned)(mask[1] & 1) << 1;
#endif
}

#if defined(__clang__)
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define PICK(a, b, ...) __builtin_shuffle(a, b, (vmi){__VA_ARGS__})
#endif
#define PLUS(a, b) ((a) + (b))

/* The sum of the lanes: halves are added until one is left. Cost: log2(VM_LANES) additions. */
ALWAYS_INLINE double vm_sum_lanes(vm v)
{
#if defined(FC_LEVEL_AVX512)
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
#elif defined(FC_LEVEL_AVX2)
    return (v[0] + v[2]) + (v[1] + v[3]);
#else
    return v[0] + v[1];
#endif
}

/* max of the lanes. Cost: log2(VM_LANES) comparisons of vectors. */
ALWAYS_INLINE double vm_max_lanes(vm v)
{
#if defined(FC_LEVEL_AVX512)
    v = vm_max(v, PICK(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
    v = vm_max(v, PICK(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
    return vm_max(v, PICK(v, v, 1, 0, 3, 2, 5, 4, 7, 6))[0];
#elif defined(FC_LEVEL_AVX2)
    v = vm_max(v, PICK(v, v, 2, 3, 0, 1));
    return vm_max(v, PICK(v, v, 1, 0, 3, 2))[0];
#else
    return v[0] > v[1] ? v[0] : v[1];
#endif
}

/* The sums of the lanes of VM_LANES vectors, and their maxima, each in the same order: lane i of the
 * result is that of x[i]. Cost: 2 shuffles and an addition per pair of vectors and level. */
#if defined(FC_LEVEL_AVX512)
#define ACROSS_LANES(name, combine)                                                            \
    ALWAYS_INLINE vm name(const vm *x)                                                         \
    {                                                                                          \
        vm a[4], b[2];                                                                         \
        UNROLL for (int e = 0; e < 4; e++) /* pairs of lanes, of two vectors in turn */        \
            a[e] = combine(PICK(x[2 * e], x[2 * e + 1], 0, 8, 2, 10, 4, 12, 6, 14),            \
                           PICK(x[2 * e], x[2 * e + 1], 1, 9, 3, 11, 5, 13, 7, 15));           \
        UNROLL for (int e = 0; e < 2; e++) /* halves, of four */                               \
            b[e] = combine(PICK(a[2 * e], a[2 * e + 1], 0, 1, 8, 9, 4, 5, 12, 13),             \
                           PICK(a[2 * e], a[2 * e + 1], 2, 3, 10, 11, 6, 7, 14, 15));          \
        return combine(PICK(b[0], b[1], 0, 1, 2, 3, 8, 9, 10, 11),                             \
                       PICK(b[0], b[1], 4, 5, 6, 7, 12, 13, 14, 15));                          \
    }
#elif defined(FC_LEVEL_AVX2)
#define ACROSS_LANES(name, combine)                                                            \
    ALWAYS_INLINE vm name(const vm *x)                                                         \
    {                                                                                          \
        vm a[2];                                                                               \
        UNROLL for (int e = 0; e < 2; e++) /* pairs of lanes, of two vectors in turn */        \
            a[e] = combine(PICK(x[2 * e], x[2 * e + 1], 0, 4, 2, 6),                           \
                           PICK(x[2 * e], x[2 * e + 1], 1, 5, 3, 7));                          \
        return combine(PICK(a[0], a[1], 0, 1, 4, 5), PICK(a[0], a[1], 2, 3, 6, 7));            \
    }
#else
#define ACROSS_LANES(name, combine)                                                            \
    ALWAYS_INLINE vm name(const vm *x)                                                         \
    {                                                                                          \
        return combine(PICK(x[0], x[1], 0, 2), PICK(x[0], x[1], 1, 3));                        \
    }
#endif
ACROSS_LANES(vm_sums_of_lanes, PLUS)
ACROSS_LANES(vm_maxima_of_lanes, vm_max)

#endif
