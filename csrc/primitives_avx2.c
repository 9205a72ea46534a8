/* AVX2 and FMA (256 bits): Intel since 2013, AMD since 2015. */
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define FC_LEVEL_AVX2
#define FC_NAME "avx2"
#define FC_TABLE fc_primitives_avx2
#include "primitives_body.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int fc_no_avx2; /* a translation unit must not be empty */
#endif
