/* matrix_products.h: products of vectors and small matrices, on registers of the level.
 *
 * Each result is summed in the order of the rows of the matrix, whatever the blocks, so that a
 * row of a product has the bits it has when it is alone.
 * Measured on AVX-512 (benchmarks/roofline.py): 85 to 90 % of the peak of multiply-adds for
 * 64 rows, half of it for one row, which waits for the second cache.
 */
#include "vectors.h"

/* a sum of few terms: a factor of 8 states, say (3 of them: 5.8 us a step before, 5.1 after) */
#define UNROLL4 _Pragma("GCC unroll 4")
#define UNROLL12 _Pragma("GCC unroll 12")

/* sum_i x[i] * y[i] (BLAS ddot), in two registers: one would wait for each multiply-add.
 * Cost: n multiply-adds. */
static double dot(const double *x, const double *y, ptrdiff_t n)
{
    vm total = VM_SPLAT(0.0), other = total;
    ptrdiff_t i = 0;
    for (; i + 2 * VM_LANES <= n; i += 2 * VM_LANES) {
        total = vm_fma(vm_load(x + i), vm_load(y + i), total);
        other = vm_fma(vm_load(x + i + VM_LANES), vm_load(y + i + VM_LANES), other);
    }
    for (; i < n; i += VM_LANES)
        total = vm_fma(vm_load_some(x + i, n - i, 0.0), vm_load_some(y + i, n - i, 0.0), total);
    return vm_sum_lanes(total + other);
}

/* y += a * x (BLAS daxpy). Cost: n multiply-adds. */
static void axpy(double a, const double *x, double *y, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

/* out[i, j] = x[i] * y[j] (BLAS dger of zeros). Cost: nx * ny products. */
static void outer(const double *x, ptrdiff_t nx, const double *y, ptrdiff_t ny, double *out)
{
    for (ptrdiff_t i = 0; i < nx; i++) {
        const double a = x[i];
        for (ptrdiff_t j = 0; j < ny; j++)
            out[i * ny + j] = a * y[j];
    }
}

/* out = x @ M (BLAS dgemv, transposed). Four vectors of columns at a time stay in registers over
 * all rows; rows of weight 0 are skipped. Cost: rows * n multiply-adds. */
static void gemv_t(const double *x, const double *M, ptrdiff_t rows, ptrdiff_t n, double *out)
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
        vm total = VM_SPLAT(0.0);
        for (ptrdiff_t i = 0; i < rows; i++)
            if (x[i] != 0.0)
                total = vm_fma(VM_SPLAT(x[i]), vm_load_tail(M + i * n + j, n - j, 0.0), total);
        vm_store_tail(out + j, total, n - j);
    }
}

/* out = M @ x (BLAS dgemv). Cost: rows * n multiply-adds, a sum across lanes per VM_LANES rows. */
static void gemv(const double *M, const double *x, ptrdiff_t rows, ptrdiff_t n, double *out)
{
    if (n < VM_LANES) { /* most factors have few states: a lane per term would be mostly empty */
        for (ptrdiff_t i = 0; i < rows; i++) {
            double total = 0.0;
            for (ptrdiff_t j = 0; j < n; j++)
                total += M[i * n + j] * x[j];
            out[i] = total;
        }
        return;
    }
    ptrdiff_t i = 0;
    for (; i + VM_LANES <= rows; i += VM_LANES) {
        vm total[VM_LANES];
        UNROLL for (int r = 0; r < VM_LANES; r++) total[r] = VM_SPLAT(0.0);
        ptrdiff_t j = 0;
        for (; j + VM_LANES <= n; j += VM_LANES)
            UNROLL for (int r = 0; r < VM_LANES; r++)
                total[r] = vm_fma(vm_load(M + (i + r) * n + j), vm_load(x + j), total[r]);
        if (j < n)
            UNROLL for (int r = 0; r < VM_LANES; r++)
                total[r] = vm_fma(vm_load_tail(M + (i + r) * n + j, n - j, 0.0),
                                  vm_load_tail(x + j, n - j, 0.0), total[r]);
        vm_store(out + i, vm_sums_of_lanes(total));
    }
    for (; i < rows; i++)
        out[i] = dot(M + i * n, x, n);
}

/* The columns from j on, BLOCK vectors at a time, which stay in registers over all rows. */
#define SPARSE_GEMV_T_BLOCK(BLOCK)                                                             \
    static ptrdiff_t sparse_gemv_t_##BLOCK(const double *weights, const double *M,             \
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

SPARSE_GEMV_T_BLOCK(8)
SPARSE_GEMV_T_BLOCK(6)
SPARSE_GEMV_T_BLOCK(4)
SPARSE_GEMV_T_BLOCK(3)
SPARSE_GEMV_T_BLOCK(2)
SPARSE_GEMV_T_BLOCK(1)

/* out = weights @ M[index] (sparse BLAS, a sparse x). Cost: count * stride multiply-adds. */
static void sparse_gemv_t(const double *weights, const double *M, const int32_t *index,
                          ptrdiff_t count, ptrdiff_t stride, double *out)
{
    ptrdiff_t j = sparse_gemv_t_8(weights, M, index, count, stride, out, 0);
    j = sparse_gemv_t_6(weights, M, index, count, stride, out, j);
    j = sparse_gemv_t_4(weights, M, index, count, stride, out, j);
    j = sparse_gemv_t_3(weights, M, index, count, stride, out, j);
    j = sparse_gemv_t_2(weights, M, index, count, stride, out, j);
    sparse_gemv_t_1(weights, M, index, count, stride, out, j);
}

/* A block of ROWS rows of x and COLUMNS vectors of M stays in registers over all n; each
 * result is summed in the order of n whatever the block, so blocks do not change its bits. */
#define GEMM_BLOCK(ROWS, COLUMNS)                                                              \
    static ptrdiff_t gemm_##ROWS##_##COLUMNS(                                                  \
        const double *const *x, ptrdiff_t n, const double *M, ptrdiff_t stride,                \
        ptrdiff_t stop, double *const *out, ptrdiff_t j)                                       \
    {                                                                                          \
        for (; j + COLUMNS * VM_LANES <= stop; j += COLUMNS * VM_LANES) {                      \
            vm total[ROWS][COLUMNS];                                                           \
            UNROLL for (int r = 0; r < ROWS; r++)                                              \
                UNROLL for (int c = 0; c < COLUMNS; c++) total[r][c] = VM_SPLAT(0.0);          \
            UNROLL4 for (ptrdiff_t k = 0; k < n; k++) {                                        \
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
GEMM_BLOCK(4, 3)
GEMM_BLOCK(4, 2)
GEMM_BLOCK(4, 1)
GEMM_BLOCK(1, 8)
GEMM_BLOCK(1, 2)
GEMM_BLOCK(1, 1)
#if defined(FC_LEVEL_AVX512)
GEMM_BLOCK(1, 16)
GEMM_BLOCK(8, 3)
GEMM_BLOCK(8, 2)
GEMM_BLOCK(8, 1)
GEMM_BLOCK(3, 8)
GEMM_BLOCK(3, 4)
GEMM_BLOCK(3, 3)
GEMM_BLOCK(3, 2)
GEMM_BLOCK(3, 1)
GEMM_BLOCK(1, 3)
#else
GEMM_BLOCK(1, 4)
GEMM_BLOCK(6, 2)
#endif

#if defined(FC_LEVEL_AVX512)
#define PANEL(COLUMNS)                                                                         \
    for (; j + COLUMNS * VM_LANES <= stop; j += COLUMNS * VM_LANES) {                          \
        ptrdiff_t r = 0;                                                                       \
        for (; r + 8 <= rows; r += 8)                                                          \
            gemm_8_##COLUMNS(x + r, n, M, stride, j + COLUMNS * VM_LANES, out + r, j);         \
        if (rows - r >= 4) {                                                                   \
            gemm_4_##COLUMNS(x + r, n, M, stride, j + COLUMNS * VM_LANES, out + r, j);         \
            r += 4;                                                                            \
        }                                                                                      \
        if (rows - r == 3) { /* three actions are common */                                    \
            gemm_3_##COLUMNS(x + r, n, M, stride, j + COLUMNS * VM_LANES, out + r, j);         \
            r += 3;                                                                            \
        }                                                                                      \
        for (; r < rows; r++)                                                                  \
            gemm_1_##COLUMNS(x + r, n, M, stride, j + COLUMNS * VM_LANES, out + r, j);         \
    }

/* out = x @ M, x given by rows (BLAS dgemm). A panel of columns at a time, so that it stays in
 * the first cache for all rows. Cost: rows * n * columns multiply-adds. */
static void gemm(const double *const *x, ptrdiff_t rows, ptrdiff_t n, const double *M,
                 ptrdiff_t stride, ptrdiff_t columns, double *const *out)
{
    const ptrdiff_t stop = (columns + VM_LANES - 1) / VM_LANES * VM_LANES;
    ptrdiff_t j = 0;
    if (rows == 1) {
        j = gemm_1_16(x, n, M, stride, stop, out, 0); /* long runs of each row */
        j = gemm_1_8(x, n, M, stride, stop, out, j);
        gemm_1_1(x, n, M, stride, stop, out, j);
        return;
    }
    if (rows == 3) {
        j = gemm_3_8(x, n, M, stride, stop, out, 0);
        j = gemm_3_4(x, n, M, stride, stop, out, j);
    }
    PANEL(3)
    PANEL(2)
    PANEL(1)
}
#else
/* One row from column j to `stop`. */
static void gemm_row(const double *const *x, ptrdiff_t n, const double *M, ptrdiff_t stride,
                     ptrdiff_t stop, double *const *out, ptrdiff_t j)
{
    j = gemm_1_8(x, n, M, stride, stop, out, j);
    j = gemm_1_4(x, n, M, stride, stop, out, j);
    j = gemm_1_2(x, n, M, stride, stop, out, j);
    gemm_1_1(x, n, M, stride, stop, out, j);
}

/* The same. Blocks of four rows by three vectors, and of six by two, have twelve sums at work, which
 * hide the latency of a multiply-add; so 3 k + 1 vectors are k - 1 times three and two pairs.
 * Cost: rows * n * columns multiply-adds. */
static void gemm(const double *const *x, ptrdiff_t rows, ptrdiff_t n, const double *M,
                 ptrdiff_t stride, ptrdiff_t columns, double *const *out)
{
    const ptrdiff_t vectors = (columns + VM_LANES - 1) / VM_LANES, stop = vectors * VM_LANES;
    const ptrdiff_t threes = vectors % 3 == 1 && vectors > 1 ? vectors / 3 - 1 : vectors / 3;
    const ptrdiff_t pairs = rows < 4 ? 0 : threes * 3 * VM_LANES; /* where they begin */
    ptrdiff_t r;
    for (r = 0; pairs > 0 && r + 4 <= rows; r += 4)
        gemm_4_3(x + r, n, M, stride, pairs, out + r, 0);
    for (; pairs > 0 && r < rows; r++)
        gemm_row(x + r, n, M, stride, pairs, out + r, 0);
    for (r = 0; vectors > 1 && r + 6 <= rows && rows - r != 8; r += 6)
        gemm_6_2(x + r, n, M, stride, stop, out + r, pairs);
    for (; r + 4 <= rows; r += 4)
        if (vectors > 1)
            gemm_4_2(x + r, n, M, stride, stop, out + r, pairs);
        else
            gemm_4_1(x + r, n, M, stride, stop, out + r, 0);
    for (; pairs < stop && r < rows; r++)
        gemm_row(x + r, n, M, stride, stop, out + r, pairs);
}
#endif
