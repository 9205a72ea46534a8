/* dispatch.c: chooses the table of primitives that fits the processor. */
#include "freeagent_primitives.h"

#include <string.h>

extern const fc_primitives fc_primitives_plain;
#if defined(__x86_64__)
extern const fc_primitives fc_primitives_avx2, fc_primitives_avx512;
#endif

const fc_primitives *fc_active = &fc_primitives_plain;

static const fc_primitives *level(int i)
{
    const fc_primitives *found[3];
    int count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        found[count++] = &fc_primitives_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found[count++] = &fc_primitives_avx2;
#endif
    found[count++] = &fc_primitives_plain;
    return i >= 0 && i < count ? found[i] : NULL;
}

const char *fc_available(int i)
{
    const fc_primitives *table = level(i);
    return table ? table->name : NULL;
}

int fc_select(const char *name)
{
    const fc_primitives *table;
    if (name == NULL || name[0] == '\0') {
        fc_active = level(0);
        return 0;
    }
    for (int i = 0; (table = level(i)) != NULL; i++) {
        if (strcmp(table->name, name) == 0) {
            fc_active = table;
            return 0;
        }
    }
    return -1;
}
