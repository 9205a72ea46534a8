"""A stream of random numbers per agent: four words of state, advanced without the GIL.

xoshiro256** (D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators",
ACM TOMS 47, 2021). NumPy's bit generators would need a Python object per agent. States come
from one `numpy.random.SeedSequence`, so that streams of neighbours have nothing in common.
"""


# x rotated left by k bits. Cost: one instruction.
cdef uint64_t _rotated(uint64_t x, int k) noexcept nogil:
    return (x << k) | (x >> (64 - k))


# The next 64 bits: rotl(s1 * 5, 7) * 9, then the linear step of the state. Blackman and Vigna,
# 2021 (above). Cost: about ten operations.
cdef uint64_t _next(uint64_t* s) noexcept nogil:
    cdef uint64_t result = _rotated(s[1] * 5, 7) * 9
    cdef uint64_t t = s[1] << 17
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = _rotated(s[3], 45)
    return result


# u = (64 bits >> 11) * 2^-53, uniform in [0, 1). Cost: one draw.
cdef double _uniform(uint64_t* state) noexcept nogil:
    return <double>(_next(state) >> 11) * (1.0 / 9007199254740992.0)


# floor(u * count), uniform in range(count), count >= 2, but for a bias below count * 2^-53.
# Cost: one draw.
cdef Py_ssize_t _below(void* state, Py_ssize_t count) noexcept nogil:
    return min(<Py_ssize_t>(_uniform(<uint64_t*>state) * count), count - 1)


# i with probability p[i] / sum(p), by inversion: the first i with u * sum(p) < sum(p[:i + 1]),
# or the last of positive probability where rounding leaves none. Cost: one draw, 2 n additions.
cdef Py_ssize_t _categorical(void* state, const double* p, Py_ssize_t n) noexcept nogil:
    cdef double total = 0.0, u
    cdef Py_ssize_t i, last = 0
    for i in range(n):
        total += p[i]
    u = _uniform(<uint64_t*>state) * total
    total = 0.0
    for i in range(n):
        if p[i] > 0.0:
            last = i
            total += p[i]
            if u < total:
                return i
    return last


cdef RandomSource agent_source(uint64_t* state) noexcept nogil:
    cdef RandomSource source
    source.state = state
    source.below = _below
    source.categorical = _categorical
    return source
