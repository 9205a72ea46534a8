/* The C interface of freeagent_core: models, agents and populations for compiled callers.
 *
 *     #include "freeagent_core.h"            // -I $(python -c "import freeagent_core as f; print(f.get_include())")
 *
 *     const freeagent_api *api = freeagent_import();     // with the GIL, once
 *     if (api == NULL) return NULL;                      // a Python error is set
 *     freeagent_population *population;
 *     if (api->population_new(model, 1000, 0, 0, &population) != FREEAGENT_OK)
 *         puts(api->last_error_message());
 *     api->population_step(population, observations, 1000, NULL, 0, actions, 1000);  // no GIL
 *
 * Nothing is linked: all functions are in the struct that `freeagent_import` gets from the installed
 * package. The header is C99 and C++11. docs/linking.md has examples from C, Cython, cffi, ctypes
 * and Numba.
 *
 * Results. Functions return FREEAGENT_OK (0) or a negative `freeagent_error`; then nothing was
 * written, no agent has changed (FREEAGENT_NOT_FINITE, _NO_MEMORY and _INTERRUPTED in a population:
 * agents with an action of -1 have not, the others have stepped; where Ctrl-C ends what returns no
 * actions, the first agents are done and the others are as they were), and `last_error_message` of
 * the same thread says what is wrong. All input is checked. Success leaves the last error as it was.
 *
 * Handles. A `freeagent_model *`, `freeagent_agent *` or `freeagent_population *` is an opaque
 * number, not an address. NULL, a freed handle, one of another kind and any other value are
 * FREEAGENT_BAD_HANDLE. Free each handle once; the order does not matter: agents and
 * populations keep their model.
 *
 * The GIL. No function needs it held, and all may be called with it held. These take it for
 * themselves: those that make, take from Python, give to Python or free; all of an agent that was
 * taken from Python; update_A, update_B and update_D, where parameters are copied (see there); a call
 * on an agent, once, when more threads than before work on agents of its model at the same time,
 * each with memory of its own. The others never touch Python. So do not wait for another thread's
 * call with the GIL held. The interpreter must be running. A thread that does not come from Python
 * may call.
 *
 * Threads. Any number of threads may use different handles at the same time. Calls on one agent
 * or population wait for each other, and for calls from Python on the same object. A call runs on
 * the thread that calls: to use several processors, make a population per thread
 * (`first_agent` gives each the random numbers of its part of the whole). Free a handle when no
 * other thread is in a call with it. Ctrl-C waits until Python runs again, but in calls of more than
 * 20 ms on the main thread, which look for it in long kernels and every 64 agents
 * (FREEAGENT_INTERRUPTED).
 *
 * Random numbers. Agents and populations made here draw from streams of their own, which depend on
 * `seed` and the agent's index alone, like those of freeagent_core.Population. An agent taken from
 * Python draws from NumPy's global generator, as in Python.
 *
 * Arrays. Indices are int64_t, numbers are double, both in C order and aligned as their types
 * are. Beside each pointer stands the number of its entries, all dimensions together; another number
 * than the one needed is FREEAGENT_BAD_ARGUMENT. Arrays are read and written during the call alone.
 *
 * What is stable. The functions keep their places and meanings under one FREEAGENT_ABI; later versions
 * append functions to `freeagent_api`, numbers to the enums and fields to structs that have a
 * `struct_size`. So a program runs with any later package of the same FREEAGENT_ABI without
 * compiling it again; `freeagent_import` refuses any other with an error that says so.
 */
#ifndef FREEAGENT_CORE_H
#define FREEAGENT_CORE_H

#ifndef FREEAGENT_NO_PYTHON /* define it where the struct comes from elsewhere, and Python.h not */
#include <Python.h>
#endif
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FREEAGENT_ABI 1

typedef struct freeagent_model freeagent_model;
typedef struct freeagent_agent freeagent_agent;
typedef struct freeagent_population freeagent_population;
struct _object; /* PyObject */

typedef enum {
    FREEAGENT_OK = 0,
    FREEAGENT_BAD_HANDLE = -1,   /* NULL, freed, of another kind, or not a handle */
    FREEAGENT_BAD_ARGUMENT = -2, /* NULL, a wrong size, an index out of range, NaN ... */
    FREEAGENT_NOT_READY = -3,    /* out of order, such as sample_action before infer_policies */
    FREEAGENT_NOT_FINITE = -4,   /* a belief or q_pi became NaN or infinite */
    FREEAGENT_NO_MEMORY = -5,
    FREEAGENT_UNSUPPORTED = -6,  /* this model or agent cannot do it */
    FREEAGENT_BUSY = -7,         /* this thread is in a call on it, or a fork caught it in one */
    FREEAGENT_PYTHON_ERROR = -8, /* any other exception of Python code that was called */
    FREEAGENT_INTERRUPTED = -9   /* Ctrl-C in a long step: the agents at work are as they were */
} freeagent_error;

/* One argument of freeagent_core.GenerativeModel, by its name there. */
typedef enum {
    FREEAGENT_NUMBER = 0,  /* `number`: float, int or bool arguments */
    FREEAGENT_TEXT = 1,    /* `data`: UTF-8, terminated by 0 */
    FREEAGENT_DOUBLES = 2, /* `data`: const double *, of `shape` */
    FREEAGENT_INDICES = 3  /* `data`: const int64_t *, of `shape` */
} freeagent_kind;

typedef struct {
    const char *name;     /* "A", "B", "C", "policy_len", "gamma", "A_factor_list" ...;
                           * "inference_params.num_iter" for an entry of inference_params */
    int64_t item;         /* arguments that are lists: which modality or factor this is; else -1 */
    int32_t kind;         /* freeagent_kind */
    int32_t ndim;
    const int64_t *shape; /* (ndim,) */
    const void *data;
    double number;
} freeagent_argument;

typedef struct {
    int64_t struct_size;    /* IN: sizeof(freeagent_sizes) */
    int64_t num_modalities; /* the entries of an observation */
    int64_t num_factors;    /* the entries of an action */
    int64_t num_states;     /* the entries of a belief: the sum over factors */
    int64_t num_policies;
} freeagent_sizes;

typedef enum {
    FREEAGENT_QS = 0,   /* beliefs: num_states, one factor after the other; with MMP those about the
                         * present, averaged over policies */
    FREEAGENT_Q_PI = 1, /* posterior over policies: num_policies */
    FREEAGENT_G = 2     /* negative expected free energy in nats: num_policies */
} freeagent_quantity;

/* Rows of agents in memory that the package owns: entry j of agent i is data[i * stride + j]. Valid
 * until the population is freed and nobody else, in Python, holds it. Later calls write to it:
 * read it between calls. */
typedef struct {
    const double *data;
    int64_t num_rows;    /* agents */
    int64_t num_columns;
    int64_t stride;      /* in doubles */
} freeagent_rows;

typedef struct freeagent_api {
    uint32_t abi;         /* FREEAGENT_ABI of the package */
    uint32_t struct_size; /* bytes of its struct */
    const char *version;  /* of the package */

    /* --- errors: of the calling thread's last call that failed; valid until its next ---------- */

    int (*last_error)(void);
    const char *(*last_error_message)(void); /* UTF-8; "" before any */

    /* --- models ------------------------------------------------------------------------------ */

    /* GenerativeModel(**arguments): A and B are needed, all others have their defaults. The arrays
     * are copied. A list argument is given by items 0, 1, ... in any order. */
    int (*model_new)(const freeagent_argument *arguments, int64_t num_arguments,
                     freeagent_model **model);
    int (*model_from_python)(struct _object *generative_model, freeagent_model **model);
    int (*model_to_python)(freeagent_model *model, struct _object **generative_model); /* a new
                     reference */
    int (*model_sizes)(freeagent_model *model, freeagent_sizes *sizes);
    /* num_obs[m] of each modality, num_states[f] and num_controls[f] of each factor */
    int (*model_num_obs)(freeagent_model *model, int64_t *num_obs, int64_t num_modalities);
    int (*model_num_states)(freeagent_model *model, int64_t *num_states, int64_t num_factors);
    int (*model_num_controls)(freeagent_model *model, int64_t *num_controls, int64_t num_factors);
    int (*model_free)(freeagent_model *model);

    /* --- one agent --------------------------------------------------------------------------- */

    /* With the random numbers of agent `index` of a population with this seed; seed < 0: new ones
     * from the operating system. */
    int (*agent_new)(freeagent_model *model, int64_t seed, int64_t index, freeagent_agent **agent);
    /* A freeagent_core.Agent, of which the handle keeps a reference. Its calls are Python's own, with
     * all that follows: histories, subclasses, live arrays, NumPy's generator, the GIL. */
    int (*agent_from_python)(struct _object *object, freeagent_agent **agent);
    int (*agent_sizes)(freeagent_agent *agent, freeagent_sizes *sizes);
    /* infer_states, infer_policies and sample_action in one.
     * observation: (num_modalities,), action: OUT (num_factors,) */
    int (*agent_step)(freeagent_agent *agent, const int64_t *observation, int64_t num_modalities,
                      int64_t *action, int64_t num_factors);
    int (*agent_infer_states)(freeagent_agent *agent, const int64_t *observation,
                              int64_t num_modalities);
    int (*agent_infer_policies)(freeagent_agent *agent);
    int (*agent_sample_action)(freeagent_agent *agent, int64_t *action, int64_t num_factors);
    /* A new episode. What was learned stays. (Of an Agent of Python: `agent.reset()`.) */
    int (*agent_reset)(freeagent_agent *agent);
    /* Learn A from an observation and the present beliefs; B from the last action and the beliefs
     * before it; D from the beliefs at the first step. Beliefs: (num_states,). The first update
     * copies what it learns, for which it takes the GIL; of objects that Python holds too, each
     * update takes it. */
    int (*agent_update_A)(freeagent_agent *agent, const int64_t *observation,
                          int64_t num_modalities);
    int (*agent_update_B)(freeagent_agent *agent, const double *qs_previous, int64_t num_states);
    int (*agent_update_D)(freeagent_agent *agent, const double *qs_first, int64_t num_states);
    /* values: OUT, as many as the freeagent_quantity has */
    int (*agent_read)(freeagent_agent *agent, int quantity, double *values, int64_t num_values);
    /* One row; FREEAGENT_UNSUPPORTED for an agent of Python, and for Q_PI and G of policies that are
     * too many to keep (more than 8192), which agent_read evaluates again. `factor`: of
     * FREEAGENT_QS, else 0. */
    int (*agent_borrow)(freeagent_agent *agent, int quantity, int64_t factor, freeagent_rows *rows);
    int (*agent_free)(freeagent_agent *agent);

    /* --- many agents: freeagent_core.Population ---------------------------------------------- */

    /* `size` agents: agents first_agent to first_agent + size - 1 of a population with this seed */
    int (*population_new)(freeagent_model *model, int64_t size, int64_t seed, int64_t first_agent,
                          freeagent_population **population);
    int (*population_from_python)(struct _object *object, freeagent_population **population);
    int (*population_to_python)(freeagent_population *population, struct _object **object); /* a
                          new reference */
    int (*population_size)(freeagent_population *population, int64_t *size);
    int (*population_sizes)(freeagent_population *population, freeagent_sizes *sizes);
    /* observations: (size, num_modalities), actions: OUT (size, num_factors). mask: (size,), 0 for
     * agents that stay as they are, whatever their observations, and get actions of -1; or
     * NULL and 0: all are present. */
    int (*population_step)(freeagent_population *population, const int64_t *observations,
                           int64_t num_observations, const uint8_t *mask, int64_t num_mask,
                           int64_t *actions, int64_t num_actions);
    int (*population_infer_states)(freeagent_population *population, const int64_t *observations,
                                   int64_t num_observations, const uint8_t *mask, int64_t num_mask);
    int (*population_infer_policies)(freeagent_population *population, const uint8_t *mask,
                                     int64_t num_mask);
    int (*population_sample_action)(freeagent_population *population, const uint8_t *mask,
                                    int64_t num_mask, int64_t *actions, int64_t num_actions);
    int (*population_reset)(freeagent_population *population, const uint8_t *mask,
                            int64_t num_mask);
    /* Like agent_update_A, _B and _D; beliefs: (size, num_states). */
    int (*population_update_A)(freeagent_population *population, const int64_t *observations,
                               int64_t num_observations, const uint8_t *mask, int64_t num_mask);
    int (*population_update_B)(freeagent_population *population, const double *qs_previous,
                               int64_t num_values, const uint8_t *mask, int64_t num_mask);
    int (*population_update_D)(freeagent_population *population, const double *qs_first,
                               int64_t num_values, const uint8_t *mask, int64_t num_mask);
    /* values: OUT (size, entries of the quantity) */
    int (*population_read)(freeagent_population *population, int quantity, double *values,
                           int64_t num_values);
    int (*population_borrow)(freeagent_population *population, int quantity, int64_t factor,
                             freeagent_rows *rows);
    int (*population_free)(freeagent_population *population);
} freeagent_api;

/* --- arguments of a model ---------------------------------------------------------------------- */

static inline freeagent_argument
freeagent_number(const char *name, double number)
{
    freeagent_argument argument = {name, -1, FREEAGENT_NUMBER, 0, NULL, NULL, number};
    return argument;
}

static inline freeagent_argument
freeagent_text(const char *name, const char *text)
{
    freeagent_argument argument = {name, -1, FREEAGENT_TEXT, 0, NULL, text, 0.0};
    return argument;
}

static inline freeagent_argument
freeagent_doubles(const char *name, int64_t item, const double *data, int32_t ndim,
                  const int64_t *shape)
{
    freeagent_argument argument = {name, item, FREEAGENT_DOUBLES, ndim, shape, data, 0.0};
    return argument;
}

static inline freeagent_argument
freeagent_indices(const char *name, int64_t item, const int64_t *data, int32_t ndim,
                  const int64_t *shape)
{
    freeagent_argument argument = {name, item, FREEAGENT_INDICES, ndim, shape, data, 0.0};
    return argument;
}

/* --- the struct of functions ------------------------------------------------------------------- */

#define FREEAGENT_CAPSULE "freeagent_core.c_api._C_API"

#ifndef FREEAGENT_NO_PYTHON
/* Call with the GIL. NULL with a Python error: the package is not installed, or its interface is
 * not the one that this was compiled for. The struct lives as long as the process. */
static inline const freeagent_api *
freeagent_import(void)
{
    const freeagent_api *api;
    PyObject *capsule, *module = PyImport_ImportModule("freeagent_core.c_api");
    if (module == NULL) return NULL;
    capsule = PyObject_GetAttrString(module, "_C_API");
    Py_DECREF(module);
    if (capsule == NULL) return NULL;
    api = (const freeagent_api *)PyCapsule_GetPointer(capsule, FREEAGENT_CAPSULE);
    Py_DECREF(capsule);
    if (api == NULL) return NULL;
    if (api->abi != FREEAGENT_ABI) {
        PyErr_Format(PyExc_ImportError,
                     "this program was compiled for ABI %u of freeagent_core's C interface, the "
                     "installed freeagent_core %s has ABI %u: compile the program again",
                     (unsigned)FREEAGENT_ABI, api->version, (unsigned)api->abi);
        return NULL;
    }
    if (api->struct_size < sizeof(freeagent_api)) {
        PyErr_Format(PyExc_ImportError,
                     "this program was compiled for a later freeagent_core than the installed %s, "
                     "whose C interface has fewer functions: install a later one",
                     api->version);
        return NULL;
    }
    return api;
}
#endif

#ifdef __cplusplus
}
#endif
#endif
