/* freeagent_primitives.h: the vector and small-matrix arithmetic below the kernels.
 *
 * Plain C11 without Python, without allocation and without global state but one
 * pointer: the table of functions for the SIMD level chosen at run time
 * (dispatch.c). The same source (primitives_body.h) is compiled once per level.
 *
 * Every sum runs over fixed lanes, in an order that does not depend on the size of a batch.
 * Products are added by fused multiply-adds where the level has them (twice as fast), so
 * levels differ by rounding; at one level equal input gives equal bits.
 *
 * What no function here checks: pointers are valid, do not alias unless the
 * contract says so, and sizes are not negative. Doubles need no alignment.
 */
#ifndef FREEAGENT_PRIMITIVES_H
#define FREEAGENT_PRIMITIVES_H

#include <stddef.h>
#include <stdint.h>

/* pymdp's constant in log(x + EPS) (pymdp.legacy.maths.EPS_VAL). */
#define FC_EPS 1e-16
/* exp(-16): states at or below this joint probability do not count in the
 * state information gain (pymdp.legacy.maths.spm_MDP_G). */
#define FC_MASK 1.1253517471925912e-07

/* Eight agents at once, one a lane (lanes.h): entry i of agent l is x[8 * i + l]. Arrays of lanes
 * start on cache lines and have whole rows of eight; `shared` ones are one number for all lanes.
 * Matrices with `own` are arrays of lanes, without it shared. */
typedef struct {
    /* out[i, l] = rows[l][i], or += with add; eight pointers */
    void (*gather)(const double *const *rows, ptrdiff_t n, int add, double *out);
    /* rows[l][i] = x[i, l], l < count */
    void (*scatter)(const double *x, ptrdiff_t n, ptrdiff_t count, double *const *rows);
    /* out[j] = sum_i M[i * in_stride + j * out_stride] * x[i] */
    void (*matmul)(const double *M, int own, ptrdiff_t in_stride, ptrdiff_t out_stride,
                   const double *x, ptrdiff_t n_in, ptrdiff_t n_out, double *out);
    /* out[j, l] = sum_i M[l][i * stride + j] * x[i, l] */
    void (*own_matmul)(const double *const *M, ptrdiff_t stride, const double *x, ptrdiff_t n_in,
                       ptrdiff_t n_out, double *out);
    /* out[i * ny + j] = x[i] * y[j] */
    void (*outer)(const double *x, ptrdiff_t nx, const double *y, ptrdiff_t ny, double *out);
    /* total += a * sum_i x[i] * y[i] */
    void (*dot)(double a, const double *x, const double *y, ptrdiff_t n, double *total);
    /* out[i] += sum_j T[i * n + j] * w[j] */
    void (*gemv)(const double *T, const double *w, ptrdiff_t rows, ptrdiff_t n, double *out);
    /* out[j] = sum_i q[i] * T[i * n + j] */
    void (*gemv_t)(const double *q, const double *T, ptrdiff_t rows, ptrdiff_t n, double *out);
    /* out = (x + FC_EPS) * (y + y_eps), x[i, l] = rows[l][i], total = sum_i out[i]; out may be y */
    void (*multiply_eps)(const double *const *rows, const double *y, double y_eps, ptrdiff_t n,
                         double *out, double *total);
    /* x[i] /= total */
    void (*divide)(double *x, ptrdiff_t n, const double *total);
    /* q = softmax(message + prior) in lanes where all bits of `active` are set;
     * value += sum(q * message) - max(message + prior); norm *= that of the softmax */
    void (*posterior)(const double *message, const double *prior, ptrdiff_t n,
                      const int64_t *active, double *q, double *scratch, double *value,
                      double *norm);
    /* total += sum_s q[s] * w[s], w shared */
    void (*shared_dot)(const double *q, const double *w, ptrdiff_t n, double *total);
    /* masked = q above FC_MASK, else 0; expected[o] = sum_s A[o * n + s] * masked[s];
     * value += sum(masked * ambiguity[:: stride]) - sum(expected * log(expected + FC_EPS)) */
    void (*states_info_gain)(const double *q, ptrdiff_t n, const double *ambiguity,
                             ptrdiff_t stride, const double *A, int own, ptrdiff_t num_outcomes,
                             double *masked, double *expected, double *value);
    /* out[k] = sum_{j < width} x[index[k * width + j]] + out[parent[k]], if parent[k] >= 0 */
    void (*prefix_sums)(const double *x, const int32_t *index, ptrdiff_t count, ptrdiff_t width,
                        const int32_t *parent, double *out);
    /* G[k] = x[index[k]], q_pi = softmax(gamma * G + log_E); log_E is shared */
    void (*policy_posterior)(const double *x, const int32_t *index, ptrdiff_t count, double gamma,
                             const double *log_E, double *G, double *q_pi);
    /* out[u] = sum of x[k] with index[k * stride] = u, over the sum of all */
    void (*marginals)(const double *x, const int32_t *index, ptrdiff_t count, ptrdiff_t stride,
                      ptrdiff_t n, double *out);
    /* out = softmax(alpha * log(p + FC_EPS)); entries that differ by rounding alone are made equal
     * before. out must not be p. */
    void (*sharpen)(const double *p, ptrdiff_t n, double alpha, double tie_ratio,
                    ptrdiff_t max_pairwise, double *out);
} fc_lane_functions;

/* fc_marginal_update of eight agents at once, with gradient, tau = 1/4 and a weight of the future of
 * 1/2; messages are computed, without FC_EPS. */
typedef struct {
    const double *likelihood;      /* the product of those that depend on no belief, or NULL */
    const double *const *messages; /* likelihoods; from the step before; from the one after */
    ptrdiff_t num_likelihoods, num_future;
    double balance, coupling;
} fc_lane_update;

/* Messages between beliefs of eight agents at once (lane_messages.h); w has a weight of each lane. */
typedef struct {
    /* out[i] += w * x[i] */
    void (*add_weighted)(const double *w, const double *x, ptrdiff_t n, double *out);
    /* out = x * y */
    void (*multiply)(const double *x, const double *y, ptrdiff_t n, double *out);
    /* out[i] *= max(x[i], 2^-52)^(2 w), w = 0, 1/2 or 1 */
    void (*multiply_message)(const double *w, const double *x, ptrdiff_t n, double *out);
    /* q = e * sqrt(square), over its sum */
    void (*marginal)(const double *e, const double *square, ptrdiff_t n, double *q);
    /* out = exp(x - max(x)) */
    void (*relative_exp)(const double *x, ptrdiff_t n, double *out);
    /* out = softmax(x) over the n entries; out may be x */
    void (*softmax)(const double *x, ptrdiff_t n, double *out);
    /* out[j] = sum of values[e] * x[column[e]], start[j] <= e < start[j + 1],
     * + sum_{i < n_base} values[start[n_out] + i] * x[i] */
    void (*sparse_matmul)(const double *values, int own, const int32_t *start,
                          const int32_t *column, const double *x, ptrdiff_t n_base,
                          ptrdiff_t n_out, double *out);
    /* fc_primitives.update_marginal_by_roots */
    void (*update_marginal)(const fc_lane_update *u, ptrdiff_t n, double *q);
    /* fc_primitives.update_marginal, whose result is added to F */
    void (*update_marginal_and_F)(const fc_lane_update *u, ptrdiff_t n, double *q, double *F);
} fc_lane_messages;

/* Rows A[o, s] = constant[o] + (sum of value[e] with column[e] == s, start[o] <= e < start[o + 1]). */
typedef struct {
    ptrdiff_t num_rows;
    const double *constant;      /* (num_rows,) */
    const int32_t *start;        /* (num_rows + 1,) */
    const int32_t *column;
    const double *value;
    const double *neg_ambiguity; /* per column s: sum_o A[o, s] log(A[o, s] + exp(-16)) */
} fc_sparse_rows;

/* A message before its logarithm: x @ M, M of shape (rows, stride), or x itself where M is NULL. */
typedef struct {
    const double *x;
    const double *M;
    ptrdiff_t rows, stride;
} fc_message;

/* What updates a belief in marginal message passing. */
typedef struct {
    const double *log_likelihood; /* added to those of `messages`; NULL: none */
    const double *log_prior;      /* the message from before; NULL: it is one of `messages` */
    const fc_message *messages;   /* likelihoods; from the step before; from the one after */
    ptrdiff_t num_likelihoods, num_future;
    double future_weight; /* of messages from the step after */
    double balance;       /* c: 2 with messages from both sides, else 1 */
    double coupling;      /* share of q . lnA that F has of other factors */
    double tau;
    int gradient;
    /* Of update_marginal_by_roots alone, which takes tau as 1/4: */
    const double *likelihood; /* exp(log_likelihood) */
    const double *prior;      /* exp(log_prior) - FC_EPS */
} fc_marginal_update;

typedef struct {
    const char *name; /* "plain", "avx2", "avx512" or "neon" */

    /* out[i] = log(x[i]); IEEE results for 0, subnormals, negatives, inf, NaN. out may be x. */
    void (*log)(const double *x, ptrdiff_t n, double *out);
    /* out[i] = exp(x[i]); overflows to inf, underflows through subnormals to 0. out may be x. */
    void (*exp)(const double *x, ptrdiff_t n, double *out);
    /* out[i] = log(x[i] + FC_EPS) for x[i] >= 0; NaN and inf give NaN. out may be x. */
    void (*log_eps)(const double *x, ptrdiff_t n, double *out);
    /* sum(x * log(x + FC_EPS)) for x >= 0: minus the entropy. */
    double (*neg_entropy)(const double *x, ptrdiff_t n);
    /* Expected utility plus entropy of expected outcomes. Each of `count` rows has n
     * probabilities x, of num_parts distributions without their last outcome: part k has those in
     * part_start[k:k+1], and its last outcome has complement = max(totals[r] - sum(part), 0).
     * out[r] = dot(weights, x) - sum(x * log(x + FC_EPS))
     *          - sum(complement * log(complement + FC_EPS)).
     * Rows and weights have stride entries, a multiple of 8, which are finite; weights may be
     * NULL: zeros. */
    void (*outcome_terms)(const double *rows, ptrdiff_t count, ptrdiff_t stride, ptrdiff_t n,
                          const double *weights, const double *totals, const int32_t *part_start,
                          ptrdiff_t num_parts, double *out);
    /* out = exp(x - max(x)) / sum(exp(x - max(x))), n >= 1. out may be x. */
    void (*softmax)(const double *x, ptrdiff_t n, double *out);
    /* sum(x), to the bit as numpy.sum of contiguous doubles */
    double (*sum)(const double *x, ptrdiff_t n);
    /* max(x), n >= 1, no NaN */
    double (*max)(const double *x, ptrdiff_t n);
    /* sum(x * y) */
    double (*dot)(const double *x, const double *y, ptrdiff_t n);
    /* y += a * x */
    void (*axpy)(double a, const double *x, double *y, ptrdiff_t n);
    /* y[i] += a * (w * x[i]) where mask[i] > 0. mask may be y. With `marks`, not NULL: marks[i] |= mark
     * where y[i] changed (and, harmless, near by). */
    void (*add_counts)(double a, double w, const double *x, const double *mask, double *y,
                       ptrdiff_t n, unsigned char mark, unsigned char *marks);
    /* out[i * ny + j] = x[i] * y[j]: outer(x, y) */
    void (*outer)(const double *x, ptrdiff_t nx, const double *y, ptrdiff_t ny, double *out);
    /* out[i] = sum_j M[i * n + j] * x[j]: M @ x, M of shape (rows, n) */
    void (*gemv)(const double *M, const double *x, ptrdiff_t rows, ptrdiff_t n, double *out);
    /* out[j] = sum_i x[i] * M[i * n + j]: x @ M, M of shape (rows, n); rows where x[i] is 0 are
     * not read */
    void (*gemv_t)(const double *x, const double *M, ptrdiff_t rows, ptrdiff_t n, double *out);
    /* out[j] = sum_k weights[k] * M[index[k] * stride + j], j < stride: weights @ M[index].
     * stride must be a multiple of 8. count may be 0. */
    void (*sparse_gemv_t)(const double *weights, const double *M, const int32_t *index,
                          ptrdiff_t count, ptrdiff_t stride, double *out);
    /* out[r][j] = sum_k x[r][k] * M[k * stride + j], j < columns: x @ M, each row equal to the bit
     * to sparse_gemv_t with all n weights. stride must be a multiple of 8; out has room for it, and
     * what is beyond `columns` is written or not. */
    void (*gemm)(const double *const *x, ptrdiff_t rows, ptrdiff_t n, const double *M,
                 ptrdiff_t stride, ptrdiff_t columns, double *const *out);
    /* index = flatnonzero(x > threshold), weights = x[index]; returns how many. Both have room for
     * n entries. */
    ptrdiff_t (*support)(const double *x, ptrdiff_t n, double threshold, int32_t *index,
                         double *weights);
    /* min(x), n >= 1, no NaN */
    double (*min)(const double *x, ptrdiff_t n);
    /* min(x[x > 0]), or inf */
    double (*min_positive)(const double *x, ptrdiff_t n);
    /* out = (x + FC_EPS) * (y + y_eps); returns sum(out). out may be x or y. */
    double (*multiply_eps)(const double *x, const double *y, double y_eps, ptrdiff_t n,
                           double *out);
    /* out = a * x. out may be x. */
    void (*scale)(double a, const double *x, ptrdiff_t n, double *out);
    /* Of each of `count` rows: y[i] = (x[i] + FC_EPS) * (y[i] + y_eps), norm[i] = sum(y[i]), and
     * where min_norm < norm[i] < inf: out[i] = y[i] / norm[i]. Rows of y and out go up to a multiple
     * of 8, with finite entries of y there, which become zero. */
    void (*posterior_rows)(const double *const *x, double *const *y, double y_eps, ptrdiff_t n,
                           ptrdiff_t count, double min_norm, double *const *out, double *norm);
    /* For each of `count` (1 to 4) pairs x, y of size[k] >= 1 finite entries:
     * e = exp(x + y - max(x + y)), out = e / sum(e). *norm = the product of the sum(e); returns
     * the sum of sum(out * x) - max(x + y). */
    double (*softmaxes_of_sums)(const double *const *x, const double *const *y,
                                const ptrdiff_t *size, ptrdiff_t count, double *const *out,
                                double *norm);
    /* With gradient: err = balance (lnA - log(q + FC_EPS)) + lnB_past + lnB_future, error = err -
     * mean(err), q = softmax(log(q + FC_EPS) + tau error); returns (q . err - coupling q . lnA) / 2
     * of the old q. Else: q = softmax(lnA + lnB_past + lnB_future); returns 0. `error` has n entries
     * (of up to 8 states it may be NULL). Matrices and vectors x are read up to n columns. */
    double (*update_marginal)(const fc_marginal_update *u, ptrdiff_t n, double *q, double *error);
    /* The same q, tau being 1/4, from square roots of products of at most 16 messages. With gradient
     * and keeps_F it returns the same, else 0. */
    double (*update_marginal_by_roots)(const fc_marginal_update *u, ptrdiff_t n, double *q,
                                       int keeps_F);

    fc_lane_functions lanes;

    /* Beliefs as columns of a matrix (states, stride), beginning at x:
     * out[next[s * entries + e], j] += weight[s * entries + e] * x[s, j], j < count. Columns of x
     * beyond `count`, up to a multiple of 8, are there and zero; those of out are there. */
    void (*push_columns)(const double *x, ptrdiff_t x_stride, ptrdiff_t count,
                         const int32_t *next, const double *weight, ptrdiff_t num_states,
                         ptrdiff_t entries, double *out, ptrdiff_t out_stride);
    /* out[j] = sum_s linear[s] q[s, j] + sum_s neg_ambiguity[s] q'[s, j]
     *          - sum_o p[o, j] log(p[o, j] + FC_EPS), p = A q', q' = q where q > FC_MASK, else 0;
     * without rows (NULL) only the first sum. q becomes q'. q and out have columns up to a multiple
     * of 8. */
    void (*column_terms)(double *q, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t num_states,
                         const double *linear, const fc_sparse_rows *rows, double *out);

    /* Dirichlet parameters; `marks` are bits of columns or rows. */
    /* In columns s with marks[s] & mark: A[o, s] = counts[o, s] / sum_o(counts[o, s]),
     * utility[t, s] = sum_o log_C[t * C_stride + o] A[o, s], neg_ambiguity[s] = sum_o A[o, s]
     * log(A[o, s] + FC_MASK), the last two plus what is there with `adds`. Arrays (num_obs, n). */
    void (*column_means)(const double *counts, ptrdiff_t num_obs, ptrdiff_t n,
                         const unsigned char *marks, unsigned char mark, const double *log_C,
                         ptrdiff_t num_steps, ptrdiff_t C_stride, int adds, double *A,
                         double *utility, double *neg_ambiguity);
    /* counts[r, s] += a * (w[r] * x[s]) where mask[r * stride + s] > 0, n a row. mask may be counts.
     * With `marks`, not NULL: marks[r] |= mark where that changed the row. */
    void (*add_count_rows)(double a, const double *w, ptrdiff_t rows, const double *x, ptrdiff_t n,
                           const double *mask, ptrdiff_t stride, double *counts,
                           unsigned char mark, unsigned char *marks);
    /* out[r * stride + s] = counts[r, s] / sum_s(counts[r, s]) in rows with marks[r] & mark */
    void (*row_means)(const double *counts, ptrdiff_t rows, ptrdiff_t n,
                      const unsigned char *marks, unsigned char mark, double *out,
                      ptrdiff_t stride);

    /* To measure what the processor can do (benchmarks/roofline.py), not for inference: */
    ptrdiff_t multiply_adds_per_round;
    /* n * multiply_adds_per_round independent multiply-adds, in registers */
    double (*multiply_adds)(ptrdiff_t n, double start);
    /* reads all n doubles (but for the last, fewer than 64), over and over */
    double (*read)(const double *x, ptrdiff_t n, ptrdiff_t repeats);

    fc_lane_messages lane_messages;
    /* mean = max(counts, 2^-52) over its sum in each column, log_mean = log(max(mean, 2^-52)),
     * neg_entropy[s] = sum_o mean[o, s] log_mean[o, s] */
    void (*clipped_means)(const double *counts, ptrdiff_t num_obs, ptrdiff_t n, double *mean,
                          double *log_mean, double *neg_entropy);
} fc_primitives;

/* The table in use; set by fc_select before any other call. */
extern const fc_primitives *fc_active;

/* Select a level by name, or the best this processor runs if name is NULL or empty.
 * Returns 0, or -1 (and changes nothing) if the level is unknown or cannot run here. */
int fc_select(const char *name);

/* Name of the i-th level that this processor can run, best first; NULL past the last. */
const char *fc_available(int i);

#endif
