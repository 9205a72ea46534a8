cdef const double* joint_belief(const double** parts, const Py_ssize_t* sizes,
                                Py_ssize_t count, double* out, Py_ssize_t max_joint) noexcept nogil
