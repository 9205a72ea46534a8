"""The C interface for Cython: the names of freeagent_core.h, which explains them.

    from freeagent_core.c_api cimport freeagent_api, freeagent_import

    cdef const freeagent_api* api = freeagent_import()

Compile with ``include_dirs=[freeagent_core.get_include()]``.
"""

from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t


cdef extern from "freeagent_core.h" nogil:
    const uint32_t FREEAGENT_ABI

    ctypedef struct freeagent_model:
        pass
    ctypedef struct freeagent_agent:
        pass
    ctypedef struct freeagent_population:
        pass

    ctypedef enum freeagent_error:
        FREEAGENT_OK
        FREEAGENT_BAD_HANDLE
        FREEAGENT_BAD_ARGUMENT
        FREEAGENT_NOT_READY
        FREEAGENT_NOT_FINITE
        FREEAGENT_NO_MEMORY
        FREEAGENT_UNSUPPORTED
        FREEAGENT_BUSY
        FREEAGENT_PYTHON_ERROR
        FREEAGENT_INTERRUPTED

    ctypedef enum freeagent_kind:
        FREEAGENT_NUMBER
        FREEAGENT_TEXT
        FREEAGENT_DOUBLES
        FREEAGENT_INDICES

    ctypedef struct freeagent_argument:
        const char* name
        int64_t item
        int32_t kind
        int32_t ndim
        const int64_t* shape
        const void* data
        double number

    ctypedef struct freeagent_sizes:
        int64_t struct_size
        int64_t num_modalities
        int64_t num_factors
        int64_t num_states
        int64_t num_policies

    ctypedef enum freeagent_quantity:
        FREEAGENT_QS
        FREEAGENT_Q_PI
        FREEAGENT_G

    ctypedef struct freeagent_rows:
        const double* data
        int64_t num_rows
        int64_t num_columns
        int64_t stride

    ctypedef struct freeagent_api:
        uint32_t abi
        uint32_t struct_size
        const char* version
        int (*last_error)() noexcept nogil
        const char* (*last_error_message)() noexcept nogil
        int (*model_new)(const freeagent_argument* arguments, int64_t num_arguments,
                         freeagent_model** model) noexcept nogil
        int (*model_from_python)(PyObject* generative_model, freeagent_model** model) noexcept nogil
        int (*model_to_python)(freeagent_model* model, PyObject** generative_model) noexcept nogil
        int (*model_sizes)(freeagent_model* model, freeagent_sizes* sizes) noexcept nogil
        int (*model_num_obs)(freeagent_model* model, int64_t* num_obs,
                             int64_t num_modalities) noexcept nogil
        int (*model_num_states)(freeagent_model* model, int64_t* num_states,
                                int64_t num_factors) noexcept nogil
        int (*model_num_controls)(freeagent_model* model, int64_t* num_controls,
                                  int64_t num_factors) noexcept nogil
        int (*model_free)(freeagent_model* model) noexcept nogil
        int (*agent_new)(freeagent_model* model, int64_t seed, int64_t index,
                         freeagent_agent** agent) noexcept nogil
        int (*agent_from_python)(PyObject* object, freeagent_agent** agent) noexcept nogil
        int (*agent_sizes)(freeagent_agent* agent, freeagent_sizes* sizes) noexcept nogil
        int (*agent_step)(freeagent_agent* agent, const int64_t* observation,
                          int64_t num_modalities, int64_t* action,
                          int64_t num_factors) noexcept nogil
        int (*agent_infer_states)(freeagent_agent* agent, const int64_t* observation,
                                  int64_t num_modalities) noexcept nogil
        int (*agent_infer_policies)(freeagent_agent* agent) noexcept nogil
        int (*agent_sample_action)(freeagent_agent* agent, int64_t* action,
                                   int64_t num_factors) noexcept nogil
        int (*agent_reset)(freeagent_agent* agent) noexcept nogil
        int (*agent_update_A)(freeagent_agent* agent, const int64_t* observation,
                              int64_t num_modalities) noexcept nogil
        int (*agent_update_B)(freeagent_agent* agent, const double* qs_previous,
                              int64_t num_states) noexcept nogil
        int (*agent_update_D)(freeagent_agent* agent, const double* qs_first,
                              int64_t num_states) noexcept nogil
        int (*agent_read)(freeagent_agent* agent, int quantity, double* values,
                          int64_t num_values) noexcept nogil
        int (*agent_borrow)(freeagent_agent* agent, int quantity, int64_t factor,
                            freeagent_rows* rows) noexcept nogil
        int (*agent_free)(freeagent_agent* agent) noexcept nogil
        int (*population_new)(freeagent_model* model, int64_t size, int64_t seed,
                              int64_t first_agent, freeagent_population** population) noexcept nogil
        int (*population_from_python)(PyObject* object,
                                      freeagent_population** population) noexcept nogil
        int (*population_to_python)(freeagent_population* population,
                                    PyObject** object) noexcept nogil
        int (*population_size)(freeagent_population* population, int64_t* size) noexcept nogil
        int (*population_sizes)(freeagent_population* population,
                                freeagent_sizes* sizes) noexcept nogil
        int (*population_step)(freeagent_population* population, const int64_t* observations,
                               int64_t num_observations, const uint8_t* mask, int64_t num_mask,
                               int64_t* actions, int64_t num_actions) noexcept nogil
        int (*population_infer_states)(freeagent_population* population,
                                       const int64_t* observations, int64_t num_observations,
                                       const uint8_t* mask, int64_t num_mask) noexcept nogil
        int (*population_infer_policies)(freeagent_population* population, const uint8_t* mask,
                                         int64_t num_mask) noexcept nogil
        int (*population_sample_action)(freeagent_population* population, const uint8_t* mask,
                                        int64_t num_mask, int64_t* actions,
                                        int64_t num_actions) noexcept nogil
        int (*population_reset)(freeagent_population* population, const uint8_t* mask,
                                int64_t num_mask) noexcept nogil
        int (*population_update_A)(freeagent_population* population, const int64_t* observations,
                                   int64_t num_observations, const uint8_t* mask,
                                   int64_t num_mask) noexcept nogil
        int (*population_update_B)(freeagent_population* population, const double* qs_previous,
                                   int64_t num_values, const uint8_t* mask,
                                   int64_t num_mask) noexcept nogil
        int (*population_update_D)(freeagent_population* population, const double* qs_first,
                                   int64_t num_values, const uint8_t* mask,
                                   int64_t num_mask) noexcept nogil
        int (*population_read)(freeagent_population* population, int quantity, double* values,
                               int64_t num_values) noexcept nogil
        int (*population_borrow)(freeagent_population* population, int quantity, int64_t factor,
                                 freeagent_rows* rows) noexcept nogil
        int (*population_free)(freeagent_population* population) noexcept nogil

    freeagent_argument freeagent_number(const char* name, double number) noexcept
    freeagent_argument freeagent_text(const char* name, const char* text) noexcept
    freeagent_argument freeagent_doubles(const char* name, int64_t item, const double* data,
                                         int32_t ndim, const int64_t* shape) noexcept
    freeagent_argument freeagent_indices(const char* name, int64_t item, const int64_t* data,
                                         int32_t ndim, const int64_t* shape) noexcept


cdef extern from "freeagent_core.h":
    const freeagent_api* freeagent_import() except NULL  # with the GIL
