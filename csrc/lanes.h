/* lanes.h: eight agents at once, one a lane, for models whose arrays are small.
 *
 * An array of n entries of eight agents is n rows of eight doubles on cache lines: entry i of agent
 * l is x[8 * i + l]. No operation crosses lanes, so that a result does not depend on the other
 * agents. A matrix is the model's, one number for all lanes, or of agents that have learned, each
 * its `own`: then its entries are rows of eight too. A row is PARTS registers of the level.
 * Included by primitives_body.h, whose logarithms and exponentials it uses.
 *
 * Measured (benchmarks/lanes.py, one thread, AVX2), us an agent in lanes and alone: 2x3 states, 3
 * policies 0.42 / 1.91; 2 states, policy_len 3 0.31 / 0.51; 3x3x3x3 states 2.5 / 23.7.
 */
#ifndef FREEAGENT_LANES_H
#define FREEAGENT_LANES_H

#include "vectors.h"

#define LANES 8
#define PARTS ((int)(LANES / VM_LANES))
#define EACH_PART for (ptrdiff_t p = 0; p < LANES; p += VM_LANES)
/* part p of entry i */
#define ROW(x, i) vm_load((x) + LANES * (i) + p)
#define SET_ROW(x, i, v) vm_store((x) + LANES * (i) + p, v)
/* the same of a matrix, shared or own */
#define ENTRY(M, i, own) ((own) ? vm_load((M) + LANES * (i) + p) : VM_SPLAT((M)[i]))

/* out[i, l] = rows[l][i], or out[i, l] += rows[l][i] with `add`. Cost: 8 n loads. */
static void lanes_gather(const double *const *rows, ptrdiff_t n, int add, double *out)
{
    for (ptrdiff_t i = 0; i < n; i++)
        EACH_PART {
            vm v;
            UNROLL for (int l = 0; l < VM_LANES; l++) v[l] = rows[p + l][i];
            SET_ROW(out, i, add ? ROW(out, i) + v : v);
        }
}

/* rows[l][i] = x[i, l] of the first `count` lanes. Cost: count * n stores. */
static void lanes_scatter(const double *x, ptrdiff_t n, ptrdiff_t count, double *const *rows)
{
    for (ptrdiff_t l = 0; l < count; l++)
        for (ptrdiff_t i = 0; i < n; i++)
            rows[l][i] = x[LANES * i + l];
}

/* BLOCK entries of out from j on, which stay in registers over all n_in. */
#define LANES_MATMUL_BLOCK(BLOCK)                                                              \
    ALWAYS_INLINE ptrdiff_t lanes_matmul_##BLOCK(                                              \
        const double *M, int own, ptrdiff_t in_stride, ptrdiff_t out_stride, const double *x,  \
        ptrdiff_t n_in, ptrdiff_t n_out, double *out, ptrdiff_t j)                             \
    {                                                                                          \
        for (; j + BLOCK <= n_out; j += BLOCK) {                                               \
            vm total[BLOCK][PARTS];                                                            \
            UNROLL for (int b = 0; b < BLOCK; b++)                                             \
                UNROLL for (int p = 0; p < PARTS; p++) total[b][p] = VM_SPLAT(0.0);            \
            for (ptrdiff_t i = 0; i < n_in; i++) {                                             \
                vm here[PARTS];                                                                \
                UNROLL for (int p = 0; p < PARTS; p++)                                         \
                    here[p] = vm_load(x + LANES * i + VM_LANES * p);                           \
                UNROLL for (int b = 0; b < BLOCK; b++) {                                       \
                    const ptrdiff_t at = i * in_stride + (j + b) * out_stride;                 \
                    const double *entry = M + (own ? LANES * at : at);                         \
                    UNROLL for (int p = 0; p < PARTS; p++)                                     \
                        total[b][p] = vm_fma(own ? vm_load(entry + VM_LANES * p)               \
                                                 : VM_SPLAT(entry[0]),                         \
                                             here[p], total[b][p]);                            \
                }                                                                              \
            }                                                                                  \
            UNROLL for (int b = 0; b < BLOCK; b++)                                             \
                UNROLL for (int p = 0; p < PARTS; p++)                                         \
                    vm_store(out + LANES * (j + b) + VM_LANES * p, total[b][p]);               \
        }                                                                                      \
        return j;                                                                              \
    }

LANES_MATMUL_BLOCK(4)
LANES_MATMUL_BLOCK(2)
LANES_MATMUL_BLOCK(1)

ALWAYS_INLINE void lanes_matmul_all(const double *M, int own, ptrdiff_t in_stride,
                                    ptrdiff_t out_stride, const double *x, ptrdiff_t n_in,
                                    ptrdiff_t n_out, double *out)
{
    ptrdiff_t j = 0;
    j = lanes_matmul_4(M, own, in_stride, out_stride, x, n_in, n_out, out, j);
    j = lanes_matmul_2(M, own, in_stride, out_stride, x, n_in, n_out, out, j);
    lanes_matmul_1(M, own, in_stride, out_stride, x, n_in, n_out, out, j);
}

/* out[j] = sum_i M[i * in_stride + j * out_stride] x[i], M shared or own. pymdp.legacy.control.
 * get_expected_states and get_expected_obs. Cost: n_in * n_out multiply-adds of eight lanes. */
static void lanes_matmul(const double *M, int own, ptrdiff_t in_stride, ptrdiff_t out_stride,
                         const double *x, ptrdiff_t n_in, ptrdiff_t n_out, double *out)
{
    if (own)
        lanes_matmul_all(M, 1, in_stride, out_stride, x, n_in, n_out, out);
    else
        lanes_matmul_all(M, 0, in_stride, out_stride, x, n_in, n_out, out);
}

/* out[j, l] = sum_i M[l][i * stride + j] x[i, l]: a matrix of its own for each lane (transitions
 * under each agent's own action). Cost: n_in * n_out multiply-adds and eight times as many loads. */
static void lanes_own_matmul(const double *const *M, ptrdiff_t stride, const double *x,
                             ptrdiff_t n_in, ptrdiff_t n_out, double *out)
{
    for (ptrdiff_t j = 0; j < n_out; j++) {
        vm total[PARTS];
        UNROLL for (int p = 0; p < PARTS; p++) total[p] = VM_SPLAT(0.0);
        for (ptrdiff_t i = 0; i < n_in; i++) {
            UNROLL for (int p = 0; p < PARTS; p++) {
                vm own;
                UNROLL for (int l = 0; l < VM_LANES; l++)
                    own[l] = M[VM_LANES * p + l][i * stride + j];
                total[p] = vm_fma(own, vm_load(x + LANES * i + VM_LANES * p), total[p]);
            }
        }
        UNROLL for (int p = 0; p < PARTS; p++)
            vm_store(out + LANES * j + VM_LANES * p, total[p]);
    }
}

/* out[i * ny + j] = x[i] y[j]: pymdp.legacy.maths.spm_cross. Cost: nx * ny products. */
static void lanes_outer(const double *x, ptrdiff_t nx, const double *y, ptrdiff_t ny, double *out)
{
    EACH_PART
        for (ptrdiff_t i = 0; i < nx; i++) {
            const vm a = ROW(x, i);
            for (ptrdiff_t j = 0; j < ny; j++)
                SET_ROW(out, i * ny + j, a * ROW(y, j));
        }
}

/* total += a sum_i x[i] y[i]. Cost: n multiply-adds. */
static void lanes_dot(double a, const double *x, const double *y, ptrdiff_t n, double *total)
{
    EACH_PART {
        vm sum = VM_SPLAT(0.0);
        for (ptrdiff_t i = 0; i < n; i++)
            sum = vm_fma(ROW(x, i), ROW(y, i), sum);
        SET_ROW(total, 0, ROW(total, 0) + VM_SPLAT(a) * sum);
    }
}

/* out[i] += sum_j T[i * n + j] w[j]. Cost: rows * n multiply-adds. */
static void lanes_gemv(const double *T, const double *w, ptrdiff_t rows, ptrdiff_t n, double *out)
{
    EACH_PART
        for (ptrdiff_t i = 0; i < rows; i++) {
            vm sum = VM_SPLAT(0.0);
            for (ptrdiff_t j = 0; j < n; j++)
                sum = vm_fma(ROW(T, i * n + j), ROW(w, j), sum);
            SET_ROW(out, i, ROW(out, i) + sum);
        }
}

/* out[j] = sum_i q[i] T[i * n + j]. Cost: rows * n multiply-adds. */
static void lanes_gemv_t(const double *q, const double *T, ptrdiff_t rows, ptrdiff_t n,
                         double *out)
{
    EACH_PART
        for (ptrdiff_t j = 0; j < n; j++) {
            vm sum = VM_SPLAT(0.0);
            for (ptrdiff_t i = 0; i < rows; i++)
                sum = vm_fma(ROW(q, i), ROW(T, i * n + j), sum);
            SET_ROW(out, j, sum);
        }
}

/* out = (x + eps) (y + y_eps), total = sum_i out[i], x[i, l] = rows[l][i]; out may be y: one factor
 * of a posterior, to the bit as multiply_eps, which sums VM_LANES entries apart.
 * pymdp.legacy.algos.fpi.run_vanilla_fpi. Cost: 8 n loads, n products. */
static void lanes_multiply_eps(const double *const *rows, const double *y, double y_eps,
                               ptrdiff_t n, double *out, double *total)
{
    EACH_PART {
        vm sum[VM_BYTES / 8];
        UNROLL for (int k = 0; k < VM_LANES; k++) sum[k] = VM_SPLAT(0.0);
        for (ptrdiff_t i = 0; i < n; i += VM_LANES)
            UNROLL for (int k = 0; k < VM_LANES; k++) {
                if (i + k >= n)
                    break;
                vm x;
                UNROLL for (int l = 0; l < VM_LANES; l++) x[l] = rows[p + l][i + k];
                const vm v = (x + VM_SPLAT(FC_EPS)) * (ROW(y, i + k) + VM_SPLAT(y_eps));
                SET_ROW(out, i + k, v);
                sum[k] += v;
            }
        for (int half = (int)VM_LANES / 2; half > 0; half /= 2)
            for (int k = 0; k < half; k++)
                sum[k] += sum[k + half];
        SET_ROW(total, 0, sum[0]);
    }
}

/* x[i] /= total. Cost: a division, n products. */
static void lanes_divide(double *x, ptrdiff_t n, const double *total)
{
    EACH_PART {
        const vm inverse = VM_SPLAT(1.0) / ROW(total, 0);
        for (ptrdiff_t i = 0; i < n; i++)
            SET_ROW(x, i, ROW(x, i) * inverse);
    }
}

/* q = softmax(message + prior) in lanes that are active (all bits set), unchanged in the others;
 * value += sum(q message) - max(message + prior); norm *= sum(exp(message + prior - max)).
 * One factor of pymdp.legacy.algos.fpi.run_vanilla_fpi_factorized. Cost: an exponential an entry. */
static void lanes_posterior(const double *message, const double *prior, ptrdiff_t n,
                            const int64_t *active, double *q, double *scratch, double *value,
                            double *norm)
{
    EACH_PART {
        vmi mask;
        memcpy(&mask, active + p, sizeof mask);
        if (vm_bits(mask) == 0) /* what is computed of them is not used */
            continue;
        vm top = ROW(message, 0) + ROW(prior, 0);
        for (ptrdiff_t i = 1; i < n; i++)
            top = vm_max(top, ROW(message, i) + ROW(prior, i));
        vm total = VM_SPLAT(0.0), expected = total;
        for (ptrdiff_t i = 0; i < n; i++) {
            const vm m = ROW(message, i);
            const vm e = exp_vm(m + ROW(prior, i) - top);
            total += e;
            expected = vm_fma(e, m, expected);
            SET_ROW(scratch, i, e);
        }
        const vm inverse = VM_SPLAT(1.0) / total;
        for (ptrdiff_t i = 0; i < n; i++)
            SET_ROW(q, i, vm_select(mask, ROW(scratch, i) * inverse, ROW(q, i)));
        SET_ROW(value, 0, ROW(value, 0) + (expected * inverse - top));
        SET_ROW(norm, 0, ROW(norm, 0) * total);
    }
}

/* out = softmax(x) over the n entries; out may be x. pymdp.legacy.maths.softmax.
 * Cost: an exponential an entry. */
static void lanes_softmax(const double *x, ptrdiff_t n, double *out)
{
    EACH_PART {
        vm top = ROW(x, 0), total = VM_SPLAT(0.0);
        for (ptrdiff_t i = 1; i < n; i++)
            top = vm_max(top, ROW(x, i));
        for (ptrdiff_t i = 0; i < n; i++) {
            const vm e = exp_vm(ROW(x, i) - top);
            total += e;
            SET_ROW(out, i, e);
        }
        for (ptrdiff_t i = 0; i < n; i++)
            SET_ROW(out, i, ROW(out, i) / total);
    }
}

/* total += sum_s q[s] w[s], w shared. Cost: n multiply-adds. */
static void lanes_shared_dot(const double *q, const double *w, ptrdiff_t n, double *total)
{
    EACH_PART {
        vm sum = VM_SPLAT(0.0);
        for (ptrdiff_t s = 0; s < n; s++)
            sum = vm_fma(ROW(q, s), VM_SPLAT(w[s]), sum);
        SET_ROW(total, 0, ROW(total, 0) + sum);
    }
}

/* Information gain about states, of a joint belief q of n states:
 *   value += sum_s q(s) ambiguity(s) - sum_o q(o) log(q(o) + eps), q(o) = sum_s A(o, s) q(s)
 * over the states with q(s) > exp(-16), which are put in `masked`; A (num_outcomes, n) and
 * ambiguity, every `stride`, are shared or own; q(o) is put in `expected`.
 * pymdp.legacy.maths.spm_MDP_G. Cost: num_outcomes * n multiply-adds, a logarithm an outcome. */
static void lanes_states_info_gain(const double *q, ptrdiff_t n, const double *ambiguity,
                                   ptrdiff_t stride, const double *A, int own,
                                   ptrdiff_t num_outcomes, double *masked, double *expected,
                                   double *value)
{
    EACH_PART {
        vm gain = ROW(value, 0);
        for (ptrdiff_t s = 0; s < n; s++) {
            const vm here = ROW(q, s);
            const vm above = vm_select(here > VM_SPLAT(FC_MASK), here, VM_SPLAT(0.0));
            gain = vm_fma(above, ENTRY(ambiguity, s * stride, own), gain);
            SET_ROW(masked, s, above);
        }
        SET_ROW(value, 0, gain);
    }
    lanes_matmul(A, own, 1, n, masked, n, num_outcomes, expected);
    EACH_PART {
        vm gain = ROW(value, 0);
        for (ptrdiff_t o = 0; o < num_outcomes; o++)
            gain = vm_fma(-ROW(expected, o), log_eps_vm(ROW(expected, o)), gain);
        SET_ROW(value, 0, gain);
    }
}

/* out[k] = the sum of x[index[k, j]] over j < width, and of out[parent[k]], unless that is -1.
 * G of prefixes of policies: pymdp.legacy.control.update_posterior_policies. Cost: count * width
 * additions. */
static void lanes_prefix_sums(const double *x, const int32_t *index, ptrdiff_t count,
                              ptrdiff_t width, const int32_t *parent, double *out)
{
    for (ptrdiff_t k = 0; k < count; k++)
        EACH_PART {
            vm total = VM_SPLAT(0.0);
            for (ptrdiff_t j = 0; j < width; j++)
                total += ROW(x, index[k * width + j]);
            if (parent[k] >= 0)
                total += ROW(out, parent[k]);
            SET_ROW(out, k, total);
        }
}

/* G[k] = x[index[k]] and q_pi = softmax(gamma G + log_E); log_E is shared.
 * pymdp.legacy.control.update_posterior_policies. Cost: an exponential a policy. */
static void lanes_policy_posterior(const double *x, const int32_t *index, ptrdiff_t count,
                                   double gamma, const double *log_E, double *G, double *q_pi)
{
    for (ptrdiff_t k = 0; k < count; k++)
        EACH_PART {
            const vm value = ROW(x, index[k]);
            SET_ROW(G, k, value);
            SET_ROW(q_pi, k, value * VM_SPLAT(gamma) + VM_SPLAT(log_E[k]));
        }
    lanes_softmax(q_pi, count, q_pi);
}

/* out[u] = the sum of x[k] over k < count with index[k * stride] = u, over that of all:
 * pymdp.legacy.control.sample_action's marginals. Cost: count additions, n divisions. */
static void lanes_marginals(const double *x, const int32_t *index, ptrdiff_t count,
                            ptrdiff_t stride, ptrdiff_t n, double *out)
{
    EACH_PART {
        vm total = VM_SPLAT(0.0);
        for (ptrdiff_t u = 0; u < n; u++)
            SET_ROW(out, u, total);
        for (ptrdiff_t k = 0; k < count; k++)
            SET_ROW(out, index[k * stride], ROW(out, index[k * stride]) + ROW(x, k));
        for (ptrdiff_t u = 0; u < n; u++)
            total += ROW(out, u);
        for (ptrdiff_t u = 0; u < n; u++)
            SET_ROW(out, u, ROW(out, u) / total);
    }
}

/* out = softmax(alpha log(p + eps)), where entries that differ by rounding alone are equal before:
 * out[i] = the first out[j] within tie_ratio of p[i], else p[i]; of more than max_pairwise entries,
 * p rounded to 38 bits (Dekker 1971). pymdp.legacy.control.sample_action; action_selection.sharpen.
 * Cost: a logarithm and an exponential an entry, n^2 / 2 comparisons. */
static void lanes_sharpen(const double *x, ptrdiff_t n, double alpha, double tie_ratio,
                          ptrdiff_t max_pairwise, double *out)
{
    EACH_PART {
        for (ptrdiff_t i = 0; i < n; i++) {
            const vm here = ROW(x, i);
            vm chosen = here;
            if (n > max_pairwise) {
                const vm scaled = VM_SPLAT(32769.0) * here; /* 2^15 + 1 */
                chosen = scaled - (scaled - here);
            }
            else {
                for (ptrdiff_t j = i - 1; j >= 0; j--) { /* the first of them last */
                    const vm other = ROW(out, j), gap = here - other;
                    const vm bound = VM_SPLAT(tie_ratio) * other;
                    chosen = vm_select((gap <= bound) & (-gap <= bound), other, chosen);
                }
            }
            SET_ROW(out, i, chosen);
        }
        for (ptrdiff_t i = 0; i < n; i++)
            SET_ROW(out, i, VM_SPLAT(alpha) * log_eps_vm(ROW(out, i)));
    }
    lanes_softmax(out, n, out);
}

#endif
