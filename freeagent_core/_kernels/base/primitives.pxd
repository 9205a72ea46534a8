from libc.stdint cimport int32_t, int64_t


cdef extern from "freeagent_primitives.h" nogil:
    const double FC_EPS
    const double FC_MASK

    ctypedef struct fc_lane_functions:
        void (*gather)(const double** rows, Py_ssize_t n, int add, double* out) noexcept nogil
        void (*scatter)(const double* x, Py_ssize_t n, Py_ssize_t count,
                        double** rows) noexcept nogil
        void (*matmul)(const double* M, bint own, Py_ssize_t in_stride, Py_ssize_t out_stride,
                       const double* x, Py_ssize_t n_in, Py_ssize_t n_out,
                       double* out) noexcept nogil
        void (*own_matmul)(const double** M, Py_ssize_t stride, const double* x, Py_ssize_t n_in,
                           Py_ssize_t n_out, double* out) noexcept nogil
        void (*outer)(const double* x, Py_ssize_t nx, const double* y, Py_ssize_t ny,
                      double* out) noexcept nogil
        void (*dot)(double a, const double* x, const double* y, Py_ssize_t n,
                    double* total) noexcept nogil
        void (*gemv)(const double* T, const double* w, Py_ssize_t rows, Py_ssize_t n,
                     double* out) noexcept nogil
        void (*gemv_t)(const double* q, const double* T, Py_ssize_t rows, Py_ssize_t n,
                       double* out) noexcept nogil
        void (*multiply_eps)(const double** rows, const double* y, double y_eps, Py_ssize_t n,
                             double* out, double* total) noexcept nogil
        void (*divide)(double* x, Py_ssize_t n, const double* total) noexcept nogil
        void (*posterior)(const double* message, const double* prior, Py_ssize_t n,
                          const int64_t* active, double* q, double* scratch, double* value,
                          double* norm) noexcept nogil
        void (*shared_dot)(const double* q, const double* w, Py_ssize_t n,
                           double* total) noexcept nogil
        void (*states_info_gain)(const double* q, Py_ssize_t n, const double* ambiguity,
                                 Py_ssize_t stride, const double* A, bint own,
                                 Py_ssize_t num_outcomes, double* masked, double* expected,
                                 double* value) noexcept nogil
        void (*prefix_sums)(const double* x, const int32_t* index, Py_ssize_t count,
                            Py_ssize_t width, const int32_t* parent, double* out) noexcept nogil
        void (*policy_posterior)(const double* x, const int32_t* index, Py_ssize_t count,
                                 double gamma, const double* log_E, double* G,
                                 double* q_pi) noexcept nogil
        void (*marginals)(const double* x, const int32_t* index, Py_ssize_t count,
                          Py_ssize_t stride, Py_ssize_t n, double* out) noexcept nogil
        void (*sharpen)(const double* p, Py_ssize_t n, double alpha, double tie_ratio,
                        Py_ssize_t max_pairwise, double* out) noexcept nogil

    ctypedef struct fc_lane_update:
        const double* likelihood
        const double** messages
        Py_ssize_t num_likelihoods, num_future
        double balance, coupling

    ctypedef struct fc_lane_messages:
        void (*add_weighted)(const double* w, const double* x, Py_ssize_t n,
                             double* out) noexcept nogil
        void (*multiply)(const double* x, const double* y, Py_ssize_t n,
                         double* out) noexcept nogil
        void (*multiply_message)(const double* w, const double* x, Py_ssize_t n,
                                 double* out) noexcept nogil
        void (*marginal)(const double* e, const double* square, Py_ssize_t n,
                         double* q) noexcept nogil
        void (*relative_exp)(const double* x, Py_ssize_t n, double* out) noexcept nogil
        void (*softmax)(const double* x, Py_ssize_t n, double* out) noexcept nogil
        void (*sparse_matmul)(const double* values, bint own, const int32_t* start,
                              const int32_t* column, const double* x, Py_ssize_t n_base,
                              Py_ssize_t n_out, double* out) noexcept nogil
        void (*update_marginal)(const fc_lane_update* u, Py_ssize_t n, double* q) noexcept nogil
        void (*update_marginal_and_F)(const fc_lane_update* u, Py_ssize_t n, double* q,
                                      double* F) noexcept nogil

    ctypedef struct fc_sparse_rows:
        Py_ssize_t num_rows
        const double* constant
        const int32_t* start
        const int32_t* column
        const double* value
        const double* neg_ambiguity

    ctypedef struct fc_message:
        const double* x
        const double* M
        Py_ssize_t rows, stride

    ctypedef struct fc_marginal_update:
        const double* log_likelihood
        const double* log_prior
        const fc_message* messages
        Py_ssize_t num_likelihoods, num_future
        double future_weight, balance, coupling, tau
        bint gradient
        const double* likelihood
        const double* prior

    ctypedef struct fc_primitives:
        const char* name
        void (*log)(const double* x, Py_ssize_t n, double* out) noexcept nogil
        void (*exp)(const double* x, Py_ssize_t n, double* out) noexcept nogil
        void (*log_eps)(const double* x, Py_ssize_t n, double* out) noexcept nogil
        double (*neg_entropy)(const double* x, Py_ssize_t n) noexcept nogil
        void (*outcome_terms)(const double* rows, Py_ssize_t count, Py_ssize_t stride,
                              Py_ssize_t n, const double* weights, const double* totals,
                              const int32_t* part_start, Py_ssize_t num_parts,
                              double* out) noexcept nogil
        void (*softmax)(const double* x, Py_ssize_t n, double* out) noexcept nogil
        double (*sum)(const double* x, Py_ssize_t n) noexcept nogil
        double (*max)(const double* x, Py_ssize_t n) noexcept nogil
        double (*dot)(const double* x, const double* y, Py_ssize_t n) noexcept nogil
        void (*axpy)(double a, const double* x, double* y, Py_ssize_t n) noexcept nogil
        void (*add_counts)(double a, double w, const double* x, const double* mask, double* y,
                           Py_ssize_t n, unsigned char mark, unsigned char* marks) noexcept nogil
        void (*outer)(const double* x, Py_ssize_t nx, const double* y, Py_ssize_t ny,
                      double* out) noexcept nogil
        void (*gemv)(const double* M, const double* x, Py_ssize_t rows, Py_ssize_t n,
                     double* out) noexcept nogil
        void (*gemv_t)(const double* x, const double* M, Py_ssize_t rows, Py_ssize_t n,
                       double* out) noexcept nogil
        void (*sparse_gemv_t)(const double* weights, const double* M, const int32_t* index,
                              Py_ssize_t count, Py_ssize_t stride, double* out) noexcept nogil
        void (*gemm)(const double** x, Py_ssize_t rows, Py_ssize_t n, const double* M,
                     Py_ssize_t stride, Py_ssize_t columns, double** out) noexcept nogil
        Py_ssize_t (*support)(const double* x, Py_ssize_t n, double threshold, int32_t* index,
                              double* weights) noexcept nogil
        double (*min)(const double* x, Py_ssize_t n) noexcept nogil
        double (*min_positive)(const double* x, Py_ssize_t n) noexcept nogil
        double (*multiply_eps)(const double* x, const double* y, double y_eps, Py_ssize_t n,
                               double* out) noexcept nogil
        void (*scale)(double a, const double* x, Py_ssize_t n, double* out) noexcept nogil
        void (*posterior_rows)(const double** x, double** y, double y_eps, Py_ssize_t n,
                               Py_ssize_t count, double min_norm, double** out,
                               double* norm) noexcept nogil
        double (*softmaxes_of_sums)(const double** x, const double** y, const Py_ssize_t* size,
                                    Py_ssize_t count, double** out, double* norm) noexcept nogil
        double (*update_marginal)(const fc_marginal_update* u, Py_ssize_t n, double* q,
                                  double* error) noexcept nogil
        double (*update_marginal_by_roots)(const fc_marginal_update* u, Py_ssize_t n, double* q,
                                           bint keeps_F) noexcept nogil
        fc_lane_functions lanes
        void (*push_columns)(const double* x, Py_ssize_t x_stride, Py_ssize_t count,
                             const int32_t* next, const double* weight, Py_ssize_t num_states,
                             Py_ssize_t entries, double* out,
                             Py_ssize_t out_stride) noexcept nogil
        void (*column_terms)(double* q, Py_ssize_t stride, Py_ssize_t count,
                             Py_ssize_t num_states, const double* linear,
                             const fc_sparse_rows* rows, double* out) noexcept nogil
        void (*column_means)(const double* counts, Py_ssize_t num_obs, Py_ssize_t n,
                             const unsigned char* marks, unsigned char mark, const double* log_C,
                             Py_ssize_t num_steps, Py_ssize_t C_stride, bint adds, double* A,
                             double* utility, double* neg_ambiguity) noexcept nogil
        void (*add_count_rows)(double a, const double* w, Py_ssize_t rows, const double* x,
                               Py_ssize_t n, const double* mask, Py_ssize_t stride,
                               double* counts, unsigned char mark,
                               unsigned char* marks) noexcept nogil
        void (*row_means)(const double* counts, Py_ssize_t rows, Py_ssize_t n,
                          const unsigned char* marks, unsigned char mark, double* out,
                          Py_ssize_t stride) noexcept nogil
        Py_ssize_t multiply_adds_per_round
        double (*multiply_adds)(Py_ssize_t n, double start) noexcept nogil
        double (*read)(const double* x, Py_ssize_t n, Py_ssize_t repeats) noexcept nogil
        fc_lane_messages lane_messages
        void (*clipped_means)(const double* counts, Py_ssize_t num_obs, Py_ssize_t n, double* mean,
                              double* log_mean, double* neg_entropy) noexcept nogil


# The table of the SIMD level in use. Only primitives.pyx links csrc/, so that there is
# one choice of level in a process; other kernels cimport P.
cdef const fc_primitives* P
