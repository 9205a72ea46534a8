/* AVX-512 F and DQ (512 bits): Intel servers since 2017, AMD since 2022. */
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,prefer-vector-width=512")
#endif
#define FC_LEVEL_AVX512
#define FC_NAME "avx512"
#define FC_TABLE fc_primitives_avx512
#include "primitives_body.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int fc_no_avx512; /* a translation unit must not be empty */
#endif
