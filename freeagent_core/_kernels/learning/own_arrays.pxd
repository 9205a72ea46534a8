from freeagent_core._kernels.model.structs cimport Factor, Group, Modality, Model


cdef enum ColumnState:             # what has to be computed again of a column of A or B
    STALE_MEAN = 1                 # it, and what kernels read for belief updates
    STALE_OUTCOMES = 2             # its row of Group.outcomes
    STALE_WEIGHTS = 4              # wA or wB
    STALE = 7


cdef struct Learned:               # one agent's own arrays, as the kernels write them
    # What updates and steps in lanes read: a cache line of A, one of B and D. The pointers within
    # A_block and B_block stand at their heads; NULL before own_A, own_B and own_D.
    double** pA                    # (num_modalities,): (num_obs, num_joint)
    double** A                     # likewise; set by adopt_A, as the three below
    double** utility               # (num_groups,): (num_utility_steps, num_joint)
    double** neg_ambiguity         # (num_groups,): (num_joint,) sum_o A log(A + exp(-16))
    unsigned char** columns        # (num_groups,): (num_joint,) of ColumnState
    bint has_A                     # the model's arrays of A are the agent's own
    bint has_B
    bint first_A                   # A is still that of the shared model
    bint first_B
    bint stale_A                   # `refresh` has work to do
    bint stale_B
    double** pB                    # (num_factors,): (num_controls, num_previous, num_states)
    double** B                     # (num_factors,): (num_controls, num_previous, stride)
    unsigned char** transitions    # (num_factors,): (num_controls, num_previous) of ColumnState
    double* D                      # (qs_size,)
    double** pD                    # (num_factors,): (num_states,)
    Py_ssize_t A_bytes, B_bytes    # of A_block and B_block
    # the others
    Py_ssize_t num_factors
    Py_ssize_t num_groups
    Model* model                   # the agent's, with the three below
    Factor* factors
    Modality* modalities
    Group* groups
    bint keeps_gains               # of point masses: only a belief graph reads them often
    const double** first_pA        # what pA and pB are before the first update
    const double** first_pB
    void* A_block                  # all that own_A, own_B and own_D allocated
    void* B_block
    void* D_block
    double* A_memory               # where adopt_A and adopt_B put the agent's own arrays
    double* B_memory
    void* outcome_memory           # rows of outcomes; NULL until policies are evaluated
    void* weight_memory            # A_by_state, wA_by_state and wB; likewise


cdef void begin_learned(Learned* own, Model* model, Factor* factors, Modality* modalities,
                        Group* groups, bint keeps_gains) noexcept nogil
cdef Learned* new_learned(const Model* shared, bint keeps_gains) noexcept nogil
cdef void free_learned(Learned* own) noexcept nogil
cdef void fetch_learned(const Learned* own) noexcept nogil
cdef void fetch_heads(const Learned* own) noexcept nogil
cdef void fetch_counts_A(const Learned* own, const Model* shape,
                         const Py_ssize_t* outcomes) noexcept nogil
cdef void fetch_counts_B(const Learned* own, const Model* shape,
                         const Py_ssize_t* action) noexcept nogil
cdef void fetch_all(const Learned* own) noexcept nogil
cdef void fetch_rows(const Learned* own, const Model* shape, const Py_ssize_t* outcomes,
                     const Py_ssize_t* action) noexcept nogil
cdef int own_A(Learned* own, const double** first_pA) noexcept nogil
cdef int own_B(Learned* own, const double** first_pB) noexcept nogil
cdef int own_D(Learned* own, const double** first_pD) noexcept nogil
cdef double* adopt(const double* values, Py_ssize_t count, double** here) noexcept nogil
cdef void adopt_A(Learned* own) noexcept nogil
cdef void adopt_B(Learned* own) noexcept nogil
