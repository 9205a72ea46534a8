cdef class TaskResult:
    cdef public object agent_id
    cdef public bint success
    cdef public object result
    cdef public object error
    cdef public double execution_time


cdef class Record:
    cdef public object agent_id, agent, lock, last_error, durations
    cdef public Py_ssize_t count, errors
    cdef public double last        # seconds of the last operation; 0 before
    cpdef note(self, double seconds, error=*)
