from freeagent_core._kernels.model.batched_model cimport BatchedTables, Table
from freeagent_core._kernels.planning.policy_plan cimport SharedPolicies


# Dirichlet counts of a modality or a factor to begin with, and after each step.
ctypedef struct Counts:
    Table prior                    # (num_outcomes, width); data is NULL if it is not learned
    double* counts                 # (batch_size, num_steps, num_outcomes, width)
    double* mean


ctypedef struct Preferences:
    Py_ssize_t num_steps
    Table C                        # (num_steps, num_obs)


# What agents learn while they run.
ctypedef struct Learning:
    bint A, B, utility
    Counts* modalities
    Counts* factors
    Preferences* preferences       # (num_modalities,)


cdef class LearnedParts:
    cdef Learning learning
    cdef readonly object pA, A, pB, B
    cdef list _kept
    cdef void* _block
    cdef tuple _read(self, Counts* counts, object arrays, tuple shapes, Py_ssize_t batch_size,
                     Py_ssize_t num_steps, str name)


# What agents have learned of a modality or a factor, each with `size` numbers of an array.
ctypedef struct OwnTable:
    Py_ssize_t size
    double* counts                 # (num_outcomes, width), as pymdp has them
    double* mean
    double* p                      # outcomes last, as the kernels read them
    double* log_p
    double* novelty
    double* changed                # (width,): not 0 where a column of the last agent's has changed
    double* sum                    # (width,): its means times their logarithms, of each column


# Models and policies of a few agents: a batch of their own.
ctypedef struct OwnModels:
    BatchedTables t
    SharedPolicies p
    bint learns_A, learns_B        # whether they use what they have learned
    OwnTable* modalities
    OwnTable* factors
    double** linear                # (num_groups,)
    double** certain
    void* block


cdef int allocate_own(OwnModels* own, const BatchedTables* t, const SharedPolicies* p,
                      const Learning* learning, Py_ssize_t count) noexcept nogil
cdef void look_at(OwnModels* own, const BatchedTables* t, const SharedPolicies* p,
                  const Learning* learning, Py_ssize_t first, Py_ssize_t count) noexcept nogil
cdef void adopt_A(OwnModels* own, const Learning* learning, Py_ssize_t first, Py_ssize_t count,
                  Py_ssize_t step, Py_ssize_t num_steps) noexcept nogil
cdef void adopt_B(OwnModels* own, const Learning* learning, Py_ssize_t first, Py_ssize_t count,
                  Py_ssize_t step, Py_ssize_t num_steps) noexcept nogil
