/* The allocator of the C library, of which the n-th call from now may fail: loaded with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static long until_failure = -1; /* calls; negative: none fails */
static long num_failed = 0;
static int counts_all = 1;

/* Let the n-th call from now fail, and no other one; n < 0: none. Count the calls of all
 * libraries, or of freeagent_core's alone. */
void fail_allocation(long n, int all)
{
    __atomic_store_n(&counts_all, all, __ATOMIC_SEQ_CST);
    __atomic_store_n(&until_failure, n, __ATOMIC_SEQ_CST);
    __atomic_store_n(&num_failed, 0, __ATOMIC_SEQ_CST);
}

long num_failed_allocations(void)
{
    return __atomic_load_n(&num_failed, __ATOMIC_SEQ_CST);
}

static int is_ours(void *caller)
{
    Dl_info info;
    return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "freeagent_core/");
}

static int fails(void *caller)
{
    if (__atomic_load_n(&until_failure, __ATOMIC_RELAXED) < 0
        || (!__atomic_load_n(&counts_all, __ATOMIC_RELAXED) && !is_ours(caller))
        || __atomic_fetch_sub(&until_failure, 1, __ATOMIC_SEQ_CST) != 0)
        return 0;
    __atomic_fetch_add(&num_failed, 1, __ATOMIC_SEQ_CST);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (fails(__builtin_return_address(0)))
        return ENOMEM;
    *memory = __libc_memalign(alignment, size);
    return *memory == NULL ? ENOMEM : 0;
}
