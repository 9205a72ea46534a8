/* The baseline of the platform: SSE2 on x86-64, NEON on AArch64. */
#if defined(__aarch64__)
#define FC_NAME "neon"
#else
#define FC_NAME "plain"
#endif
#define FC_TABLE fc_primitives_plain
#include "primitives_body.h"
