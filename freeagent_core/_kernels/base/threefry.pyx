"""Random numbers of JAX's default generator: Threefry-2x32 with 20 rounds, keyed and counter-based.

J. Salmon, M. Moraes, R. Dror and D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
A key is two words; number i of a key is the hash of the 64-bit counter i under that key, so numbers
have no order and need no state. What JAX makes of the two words (one 64-bit integer, or their
exclusive or for 32 bits) is in `jax.random` with `jax_threefry_partitionable`, the default since
JAX 0.5. One number costs one hash, about 60 integer operations.
"""

from libc.float cimport DBL_MIN
from libc.stdint cimport int32_t
from libc.math cimport erf, erfc, exp, fabs, fma, fmaf, INFINITY, log, log1p, M_PI, NAN, sqrt

import numpy as np

ctypedef fused real:
    float
    double

# Cumulative sums over more than this many numbers add up block by block, as XLA's do: the index
# that a uniform number falls on depends on the rounding.
cdef enum:
    BLOCK = 16
    LANES = 8                      # hashes at once


cdef inline uint32_t _rotated(uint32_t x, int bits) noexcept nogil:
    return (x << bits) | (x >> (32 - bits))


cdef inline void _four_rounds(uint32_t* x, int r0, int r1, int r2, int r3) noexcept nogil:
    x[0] += x[1]
    x[1] = _rotated(x[1], r0) ^ x[0]
    x[0] += x[1]
    x[1] = _rotated(x[1], r1) ^ x[0]
    x[0] += x[1]
    x[1] = _rotated(x[1], r2) ^ x[0]
    x[0] += x[1]
    x[1] = _rotated(x[1], r3) ^ x[0]


cdef Key _threefry(Key key, uint32_t x0, uint32_t x1) noexcept nogil:
    cdef uint32_t parity = key.high ^ key.low ^ 0x1BD11BDA
    cdef uint32_t x[2]
    cdef Key out
    x[0] = x0 + key.high
    x[1] = x1 + key.low
    _four_rounds(x, 13, 15, 26, 6)
    x[0] += key.low
    x[1] += parity + 1
    _four_rounds(x, 17, 29, 16, 24)
    x[0] += parity
    x[1] += key.high + 2
    _four_rounds(x, 13, 15, 26, 6)
    x[0] += key.high
    x[1] += key.low + 3
    _four_rounds(x, 17, 29, 16, 24)
    x[0] += key.low
    x[1] += parity + 4
    _four_rounds(x, 13, 15, 26, 6)
    out.high = x[0] + parity
    out.low = x[1] + key.high + 5
    return out


# entry `counter` of jax.random.split(key, ...), and the two words of random number `counter`
cdef Key hashed(Key key, uint64_t counter) noexcept nogil:
    return _threefry(key, <uint32_t>(counter >> 32), <uint32_t>counter)


# uniform in [0, 1), a multiple of 2^-52: number `counter` of jax.random.uniform in float64
cdef double uniform(Key key, uint64_t counter) noexcept nogil:
    cdef Key bits = hashed(key, counter)
    return <double>(((<uint64_t>bits.high << 32) | bits.low) >> 12) * (1.0 / 4503599627370496.0)


# uniform in [0, 1), a multiple of 2^-23: number `counter` of jax.random.uniform in float32
cdef float uniform_float(Key key, uint64_t counter) noexcept nogil:
    cdef Key bits = hashed(key, counter)
    return <float>((bits.high ^ bits.low) >> 9) * <float>(1.0 / 8388608.0)


# out[i] = p[0] + ... + p[i], with the additions in XLA's order: 16 numbers in turn, the sums of
# these blocks by the same rule, then each block's offset. out holds 2 n numbers. O(n).
cdef void _cumulative_sum(const real* p, Py_ssize_t n, real* out) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, i
    cdef real* ends = out + n
    cdef real* offsets = ends + blocks
    for i in range(n):
        out[i] = p[i] if i % BLOCK == 0 else out[i - 1] + p[i]
    if blocks > 1:
        for i in range(blocks):
            ends[i] = out[min((i + 1) * BLOCK, n) - 1]
        _cumulative_sum(ends, blocks, offsets)
        for i in range(BLOCK, n):
            out[i] += offsets[i // BLOCK - 1]


# the first i with cumulative[i] >= x, where sums do not fall; n if there is none. O(log n).
cdef Py_ssize_t _first_at_least(const real* cumulative, Py_ssize_t n, real x) noexcept nogil:
    cdef Py_ssize_t low = 0, high = n, middle
    while low < high:
        middle = (low + high) // 2
        if x <= cumulative[middle]:
            high = middle
        else:
            low = middle + 1
    return low


# i with probability p[i] / sum(p): jax.random.choice(key, n, p=p) in float64. scratch: 2 n. O(n).
cdef Py_ssize_t choice(Key key, const double* p, Py_ssize_t n, double* scratch) noexcept nogil:
    _cumulative_sum(p, n, scratch)
    return min(_first_at_least(scratch, n, scratch[n - 1] * (1.0 - uniform(key, 0))), n - 1)


# the same in float32, for p that are float32 numbers. scratch: room for 2 n doubles.
cdef Py_ssize_t choice_float(Key key, const double* p, Py_ssize_t n, double* scratch) noexcept nogil:
    cdef float* numbers = <float*>scratch
    cdef float* cumulative = numbers + n
    cdef Py_ssize_t i
    for i in range(n):
        numbers[i] = <float>p[i]
    _cumulative_sum(numbers, n, cumulative)
    cdef float x = cumulative[n - 1] * (<float>1.0 - uniform_float(key, 0))
    return min(_first_at_least(cumulative, n, x), n - 1)


# i with probability softmax(logits)[i]: the first argmax of logits + Gumbel noise,
# jax.random.categorical in float64. Two logarithms and a hash for each i.
cdef Py_ssize_t categorical(Key key, const double* logits, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, best = 0
    cdef double value, highest = -INFINITY
    for i in range(n):
        value = logits[i] - log(-log(max(uniform(key, i), DBL_MIN)))
        if value > highest:
            highest = value
            best = i
    return best


# The same rounds of LANES hashes, which the compiler puts into vectors.
cdef inline void _four_rounds_of_lanes(uint32_t* x, uint32_t* y, int r0, int r1, int r2,
                                       int r3) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(LANES):
        x[i] += y[i]
        y[i] = _rotated(y[i], r0) ^ x[i]
        x[i] += y[i]
        y[i] = _rotated(y[i], r1) ^ x[i]
        x[i] += y[i]
        y[i] = _rotated(y[i], r2) ^ x[i]
        x[i] += y[i]
        y[i] = _rotated(y[i], r3) ^ x[i]


cdef inline void _add_to_lanes(uint32_t* x, uint32_t* y, uint32_t a, uint32_t b) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(LANES):
        x[i] += a
        y[i] += b


# u[i] = uniform(key, first + i), i < LANES, first + i < 2^32
cdef void _uniforms(Key key, uint32_t first, double* u) noexcept nogil:
    cdef uint32_t parity = key.high ^ key.low ^ 0x1BD11BDA
    cdef uint32_t x[LANES]
    cdef uint32_t y[LANES]
    cdef Py_ssize_t i
    for i in range(LANES):
        x[i] = key.high
        y[i] = first + <uint32_t>i + key.low
    _four_rounds_of_lanes(x, y, 13, 15, 26, 6)
    _add_to_lanes(x, y, key.low, parity + 1)
    _four_rounds_of_lanes(x, y, 17, 29, 16, 24)
    _add_to_lanes(x, y, parity, key.high + 2)
    _four_rounds_of_lanes(x, y, 13, 15, 26, 6)
    _add_to_lanes(x, y, key.high, key.low + 3)
    _four_rounds_of_lanes(x, y, 17, 29, 16, 24)
    _add_to_lanes(x, y, key.low, parity + 4)
    _four_rounds_of_lanes(x, y, 13, 15, 26, 6)
    _add_to_lanes(x, y, parity, key.high + 5)
    for i in range(LANES):  # of 52 bits the upper 32 and the lower 20: both exact
        u[i] = (<double>(<int32_t>(x[i] >> 1)) * (1.0 / 2147483648.0)
                + <double>(<int32_t>(((x[i] & 1) << 20) | (y[i] >> 12))) * (1.0 / 4503599627370496.0))


# i with probability weights[i] / sum(weights), all above 0: categorical(key, log(weights), n), as the
# argmin of -log(u[i]) / weights[i]. As -log(u) >= 1 - u, few numbers need a logarithm; the least
# bound of each LANES is looked at first. -1 where another i comes so close that rounding could
# decide. A hash for each i, LANES at a time.
cdef Py_ssize_t categorical_of_weights(Key key, const double* weights,
                                       Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t start = 0, i, k, count, first, best = -1
    cdef double score, lowest = INFINITY, next_lowest = INFINITY, limit = INFINITY
    cdef double u[LANES]
    cdef double bound[LANES]
    while start < n:
        count = min(LANES, n - start)
        _uniforms(key, <uint32_t>start, u)
        for i in range(count):
            bound[i] = (1.0 - u[i]) / weights[start + i]
        first = 0
        for i in range(1, count):
            if bound[i] < bound[first]:
                first = i
        for k in range(-1, count):
            i = first if k < 0 else k
            if k == first or bound[i] > limit:
                continue
            score = -log(max(u[i], DBL_MIN)) / weights[start + i]
            if score < lowest:
                next_lowest = lowest
                lowest = score
                limit = lowest * (1.0 + 1e-11)
                best = start + i
            elif score < next_lowest:
                next_lowest = score
        start += LANES
    return best if next_lowest - lowest > 1e-12 * lowest else -1


# --- samplers by rejection ---------------------------------------------------------------------


# x with erf(x) = y: A. Winitzki's approximation, then Newton's steps on the smaller tail
cdef double _inverse_erf(double y) noexcept nogil:
    cdef double a = 0.147, tail, half, x, error
    cdef double side = fabs(y)
    cdef int step
    if side >= 1.0:
        return INFINITY if y > 0.0 else -INFINITY
    tail = log1p(-y * y)
    half = 2.0 / (M_PI * a) + 0.5 * tail
    x = sqrt(sqrt(half * half - tail / a) - half)
    for step in range(4):
        # Halley's step: erf'' / erf' = -2 x
        error = (erf(x) - side if side < 0.5 else (1.0 - side) - erfc(x))
        error /= 2.0 / sqrt(M_PI) * exp(-x * x)
        x -= error / (1.0 + x * error)
    return x if y > 0.0 else -x


# jax.random.normal(key, ()): sqrt(2) times the inverse error function of a uniform in (-1, 1)
cdef double _normal(Key key, bint single) noexcept nogil:
    cdef double lowest = -0.99999994039535522461 if single else -0.99999999999999988898
    if single:
        return <float>(sqrt(2.0) * _inverse_erf(
            <float>(uniform_float(key, 0) * <float>2.0 + <float>lowest)))
    return sqrt(2.0) * _inverse_erf(max(uniform(key, 0) * 2.0 + lowest, lowest))


cdef double _uniform_of(Key key, bint single) noexcept nogil:
    return uniform_float(key, 0) if single else uniform(key, 0)


# log of a Gamma(alpha, 1) variable: G. Marsaglia and W. W. Tsang, "A simple method for generating
# gamma variables", ACM TOMS 26, 2000, with the keys that jax.random.loggamma takes for each try.
# alpha < 1 is raised by one, and the variable multiplied by U^(1 / alpha).
cdef double _log_gamma_variable(Key key, double alpha, bint single) noexcept nogil:
    cdef double raised = alpha if alpha >= 1.0 else alpha + 1.0
    cdef double d = raised - 1.0 / 3.0, c = (1.0 / 3.0) / sqrt(raised - 1.0 / 3.0)
    cdef double x, v, u, square, cube, boost = 0.0
    cdef Key boost_key = hashed(key, 1), x_key, attempt
    key = hashed(key, 0)
    while True:
        attempt = key
        key = hashed(attempt, 0)
        x_key = hashed(attempt, 1)
        while True:
            x = _normal(hashed(x_key, 1), single)
            v = 1.0 + x * c
            if v > 0.0:
                break
            x_key = hashed(x_key, 0)
        square = x * x
        cube = v * v * v
        u = _uniform_of(hashed(attempt, 2), single)
        if u < 1.0 - 0.0331 * square * square:
            break
        if log(u) < 0.5 * square + d * (1.0 - cube + log(cube)):
            break
    if alpha < 1.0:
        u = log1p(-_uniform_of(boost_key, single))
        boost = u / alpha if u < 0.0 else 0.0
    return log(d) + log(cube) + boost


# --- arrays, for pymdp_v1.random -----------------------------------------------------------------


def hash_counters(const uint32_t[:, ::1] keys, Py_ssize_t count):
    """Return the words of the numbers 0 .. count - 1 of each key.

    Parameters
    ----------
    keys : (n, 2) array of uint32
    count : int

    Returns
    -------
    (n, count, 2) array of uint32
        jax.random.split(key, count) of each key.
    """
    out = np.empty((keys.shape[0], count, 2), dtype=np.uint32)
    cdef uint32_t[:, :, ::1] view = out
    cdef Key key, words
    cdef Py_ssize_t i, j
    with nogil:
        for i in range(keys.shape[0]):
            key = Key(keys[i, 0], keys[i, 1])
            for j in range(count):
                words = hashed(key, j)
                view[i, j, 0] = words.high
                view[i, j, 1] = words.low
    return out


def hash_words(const uint32_t[:, ::1] keys, const uint32_t[:, ::1] words):
    """Return the hash of a pair of words under each key: `jax.random.fold_in` of the second word."""
    if words.shape[0] != keys.shape[0]:
        raise ValueError("one pair of words for each key")
    out = np.empty((keys.shape[0], 2), dtype=np.uint32)
    cdef uint32_t[:, ::1] view = out
    cdef Key hash
    cdef Py_ssize_t i
    with nogil:
        for i in range(keys.shape[0]):
            hash = _threefry(Key(keys[i, 0], keys[i, 1]), words[i, 0], words[i, 1])
            view[i, 0] = hash.high
            view[i, 1] = hash.low
    return out


def cumulative_sums(const real[:, ::1] p):
    """Return the sums of each row's first numbers, rounded as `jax.numpy.cumsum` does on a CPU."""
    cdef Py_ssize_t n = p.shape[1], i
    dtype = np.float32 if real is float else np.float64
    out = np.empty((p.shape[0], 2 * n), dtype=dtype)
    cdef real[:, ::1] view = out
    with nogil:
        for i in range(p.shape[0] if n > 0 else 0):
            _cumulative_sum(&p[i, 0], n, &view[i, 0])
    return out[:, :n]


def multiply_add(const real[::1] x, const real[::1] factor, const real[::1] start):
    """Return x * factor + start rounded once, as compiled by XLA."""
    if not x.shape[0] == factor.shape[0] == start.shape[0]:
        raise ValueError("vectors of one length")
    out = np.empty(x.shape[0], dtype=np.float32 if real is float else np.float64)
    cdef real[::1] view = out
    cdef Py_ssize_t i
    with nogil:
        for i in range(x.shape[0]):
            if real is float:
                view[i] = fmaf(x[i], factor[i], start[i])
            else:
                view[i] = fma(x[i], factor[i], start[i])
    return out


def inverse_erf(const double[::1] y):
    """Return the inverse of the error function of each number."""
    out = np.empty(y.shape[0])
    cdef double[::1] view = out
    cdef Py_ssize_t i
    with nogil:
        for i in range(y.shape[0]):
            view[i] = _inverse_erf(y[i])
    return out


def log_gamma_variables(const uint32_t[:, ::1] keys, const double[::1] alpha, bint single):
    """Return the logarithm of a gamma variable for each key.

    Parameters
    ----------
    keys : (n, 2) array of uint32
    alpha : (n,) array
        Shape parameters, at least 0.
    single : bool
        Draw the numbers that JAX draws in float32.

    Returns
    -------
    (n,) array
    """
    if alpha.shape[0] != keys.shape[0]:
        raise ValueError("one shape parameter for each key")
    out = np.empty(keys.shape[0])
    cdef double[::1] view = out
    cdef Py_ssize_t i
    with nogil:
        for i in range(keys.shape[0]):
            # nan and values below 0 would never be accepted
            if alpha[i] >= 0.0 and alpha[i] < INFINITY:
                view[i] = _log_gamma_variable(Key(keys[i, 0], keys[i, 1]), alpha[i], single)
            else:
                view[i] = NAN
    return out
