"""All sequences of actions of one factor, the beliefs they lead to as columns of matrices.

Where a belief has many states, hardly any two sequences lead to equal beliefs, so that a graph of
them only costs; what is left are the products. The beliefs after t actions are one matrix, states
by sequences: B has few entries a column and is added row by row, A is a constant per outcome (noise
that is spread evenly) plus few entries, and the logarithms, most of the cost, fill whole vectors.
The mask of the information gain (states at or below exp(-16)) is a comparison, so there is no
slow case. Actions that change nothing (B the identity) make no new beliefs; the sequences with and
without them share one, which is decided when the model is packed
(`freeagent_core._model.belief_matrices`).

Beliefs before the last action are kept; those after it, the most numerous, are made and valued
`block` parents at a time, in the first cache.

G of a sequence is the sum of the values on its way, as in `graph_search`:

    G(u_1 ... u_T) = sum_t value(q_t),  q_t = B[u_t] q_{t-1}

Measured (benchmarks/sparse_forms.py --beliefs, AVX2, us an infer_policies, with a graph and with
matrices): grid 6x6, 10% noise, policy_len 2, all states 9.8 and 2.8, two states 3.9 and 2.8; 5x5,
policy_len 4, all states 42 and 18, two states 8.4 and 18; with slips 132 and 22. Three quarters
of it are logarithms.
"""

from libc.stdint cimport int32_t
from libc.string cimport memset

from freeagent_core._kernels.base.primitives cimport P, fc_sparse_rows
from freeagent_core._kernels.model.structs cimport (
    BeliefMatrices, Factor, Group, column_stride, padded,
)
from freeagent_core._kernels.planning.policy_tree cimport policy_posterior


# Whether `evaluate_matrices` can take the place of the other ways: the model was packed for it, and
# no terms are wanted that it has not. Cost: constant.
cdef bint has_matrices(const Model* model, const EFEParameters* parameters) noexcept nogil:
    return (model.matrices.num_steps > 0
            and not (parameters.use_param_info_gain and (model.has_wA or model.has_wB))
            and not (parameters.use_utility and model.groups[0].num_utility_steps > 1))


# work.G_new[pi] = sum_t value(q_t) and work.q_pi_new = softmax(gamma G + log E), with
#   value(q) = q . (utility + inductive cost) + information gain (column_terms).
# The caller has found the inductive row. pymdp.legacy.control.
# update_posterior_policies_factorized. Returns 0 or NOT_FINITE.
# Cost: per sequence of moves the nonzeros of B and of A less its constants, a comparison per
# state and a logarithm per outcome; an addition per sequence of actions.
cdef int evaluate_matrices(const Model* model, const EFEParameters* parameters, const double* qs,
                           Workspace* work) noexcept nogil:
    cdef const BeliefMatrices* matrices = &model.matrices
    cdef const Factor* factor = &model.factors[0]
    cdef const double* inductive = NULL
    cdef double* linear = work.columns
    cdef double* parents = linear + factor.stride
    cdef double* children
    cdef Py_ssize_t s, t, count = 1, stride = column_stride(1), next_stride
    if factor.inductive_cost != NULL and work.inductive_row[0] >= 0:
        inductive = factor.inductive_cost + work.inductive_row[0] * factor.num_states
    for s in range(factor.num_states):
        linear[s] = model.groups[0].utility[s] if parameters.use_utility else 0.0
        if inductive != NULL:
            linear[s] += inductive[s]
    memset(parents, 0, factor.num_states * stride * sizeof(double))
    for s in range(factor.num_states):
        parents[s * stride] = qs[factor.offset + s]
    for t in range(matrices.num_steps):
        children = parents + factor.num_states * stride
        if t == matrices.num_steps - 1:
            _value_last_level(model, parameters, parents, stride, count, linear, children, work)
        else:
            next_stride = column_stride(count * matrices.num_moves)
            _next_level(model, parents, stride, count, children, next_stride)
        if t > 0 or matrices.num_moves < matrices.num_actions:
            # (nobody reads them again: their masked states may go)
            _values(model, parameters, parents, stride, count, linear,
                    work.column_value + matrices.first_node[t])
        if t < matrices.num_steps - 1:
            parents, stride, count = children, next_stride, count * matrices.num_moves
    _sum_values(matrices, work.column_value, work.G_new)
    return policy_posterior(model, parameters.gamma, work.G_new, work.q_pi_new)


# children[:, m * count + j] = B[move m] parents[:, j], j < count.
# pymdp.legacy.control.get_expected_states. Cost: the nonzeros of B per parent.
cdef void _next_level(const Model* model, const double* parents, Py_ssize_t stride,
                      Py_ssize_t count, double* children, Py_ssize_t next_stride) noexcept nogil:
    cdef const BeliefMatrices* matrices = &model.matrices
    cdef Py_ssize_t num_states = model.factors[0].num_states, m
    cdef Py_ssize_t size = num_states * matrices.entries
    memset(children, 0, num_states * next_stride * sizeof(double))
    for m in range(matrices.num_moves):
        P.push_columns(parents, stride, count, matrices.next + m * size,
                       matrices.weight + m * size, num_states, matrices.entries,
                       children + m * count, next_stride)


# out[j] = value(q[:, j]). pymdp.legacy.control.calc_expected_utility, calc_inductive_cost and
# calc_states_info_gain. Cost: that of column_terms.
cdef void _values(const Model* model, const EFEParameters* parameters, double* q,
                  Py_ssize_t stride, Py_ssize_t count, const double* linear,
                  double* out) noexcept nogil:
    cdef const fc_sparse_rows* outcomes = NULL
    if parameters.use_states_info_gain:
        outcomes = &model.matrices.outcomes
    P.column_terms(q, stride, count, model.factors[0].num_states, linear, outcomes, out)


# work.column_value of the last level, `block` parents at a time, in the memory from `children` on.
# Cost: that of _next_level and _values.
cdef void _value_last_level(const Model* model, const EFEParameters* parameters,
                            const double* parents, Py_ssize_t stride, Py_ssize_t count,
                            const double* linear, double* children,
                            Workspace* work) noexcept nogil:
    cdef const BeliefMatrices* matrices = &model.matrices
    cdef Py_ssize_t num_states = model.factors[0].num_states
    cdef Py_ssize_t num_moves = matrices.num_moves
    cdef Py_ssize_t first = 0, size, next_stride, m, j
    cdef double* value = work.column_value + matrices.first_node[matrices.num_steps]
    cdef double* block_value
    while first < count:
        size = min(matrices.block, count - first)
        next_stride = column_stride(size * num_moves)
        _next_level(model, parents + first, stride, size, children, next_stride)
        if size == count:
            _values(model, parameters, children, next_stride, size * num_moves, linear, value)
            break
        block_value = children + num_states * next_stride
        _values(model, parameters, children, next_stride, size * num_moves, linear, block_value)
        for m in range(num_moves):
            for j in range(size):
                value[m * count + first + j] = block_value[m * size + j]
        first += size


# G[pi] = sum_t value[the node after t actions]: part of pymdp.legacy.control.
# update_posterior_policies_factorized. Cost: an addition per sequence of 1, 2, ... actions.
cdef void _sum_values(const BeliefMatrices* matrices, const double* value,
                      double* G) noexcept nogil:
    cdef const int32_t* node = matrices.prefix_node
    cdef Py_ssize_t t, p, u, count = 1
    cdef double before
    G[0] = 0.0
    for t in range(matrices.num_steps):
        for p in range(count - 1, -1, -1):  # from the end: in place
            before = G[p]
            for u in range(matrices.num_actions):
                G[p * matrices.num_actions + u] = before + value[
                    node[p * matrices.num_actions + u]]
        count *= matrices.num_actions
        node += count
