"""Numbers that several threads change: each operation is one step, sequentially consistent."""

cdef extern from *:
    """
    #ifndef FREEAGENT_ATOMICS
    #define FREEAGENT_ATOMICS
    static inline Py_ssize_t fc_load(const Py_ssize_t *value)
    {
        return __atomic_load_n(value, __ATOMIC_SEQ_CST);
    }
    static inline void fc_store(Py_ssize_t *value, Py_ssize_t new_value)
    {
        __atomic_store_n(value, new_value, __ATOMIC_SEQ_CST);
    }
    static inline Py_ssize_t fc_fetch_add(Py_ssize_t *value, Py_ssize_t n)
    {
        return __atomic_fetch_add(value, n, __ATOMIC_SEQ_CST);
    }
    static inline Py_ssize_t fc_exchange(Py_ssize_t *value, Py_ssize_t new_value)
    {
        return __atomic_exchange_n(value, new_value, __ATOMIC_SEQ_CST);
    }
    #endif
    """
    Py_ssize_t load "fc_load"(const Py_ssize_t* value) nogil
    void store "fc_store"(Py_ssize_t* value, Py_ssize_t new_value) nogil
    Py_ssize_t fetch_add "fc_fetch_add"(Py_ssize_t* value, Py_ssize_t n) nogil
    Py_ssize_t exchange "fc_exchange"(Py_ssize_t* value, Py_ssize_t new_value) nogil
