cdef int last_error() noexcept nogil
cdef const char* last_error_message() noexcept nogil
cdef int fail(int code, const char* message) noexcept nogil
cdef int fail_sizes(const char* name, long long expected, long long given) noexcept nogil
cdef int fail_null(const char* name) noexcept nogil
cdef int fail_exception(object error) noexcept
cdef int fail_interrupted(object error) noexcept
