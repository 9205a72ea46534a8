/* Agents in corridors, from C: the model from arrays, the loop without the GIL.
 *
 * An extension module, so that Python starts it; all it needs is the header. See setup.py beside it.
 * In C++ it compiles as it is.
 */
#include "freeagent_core.h"
#include <stdlib.h>

enum { CELLS = 5, MOVES = 3 }; /* back, stay, on */

static int64_t moved(int64_t cell, int64_t move)
{
    int64_t next = cell + move - 1;
    return next < 0 ? 0 : next >= CELLS ? CELLS - 1 : next;
}

/* Agents see their cell and would like to be in the last one. */
static int make_model(const freeagent_api *api, freeagent_model **model)
{
    static double A[CELLS][CELLS], B[CELLS][CELLS][MOVES], C[CELLS], D[CELLS];
    const int64_t shape_A[] = {CELLS, CELLS}, shape_B[] = {CELLS, CELLS, MOVES}, shape[] = {CELLS};
    for (int64_t cell = 0; cell < CELLS; cell++) {
        A[cell][cell] = 1.0;
        for (int64_t move = 0; move < MOVES; move++) B[moved(cell, move)][cell][move] = 1.0;
    }
    C[CELLS - 1] = 3.0;
    D[0] = 1.0;
    const freeagent_argument arguments[] = {
        freeagent_doubles("A", 0, &A[0][0], 2, shape_A), /* of modality 0 */
        freeagent_doubles("B", 0, &B[0][0][0], 3, shape_B), /* of factor 0 */
        freeagent_doubles("C", 0, C, 1, shape),
        freeagent_doubles("D", 0, D, 1, shape),
        freeagent_number("policy_len", 4),
        freeagent_text("action_selection", "deterministic"),
    };
    return api->model_new(arguments, sizeof(arguments) / sizeof(arguments[0]), model);
}

/* Without the GIL. Returns an error of the interface. */
static int simulate(const freeagent_api *api, freeagent_population *agents, int64_t size,
                    int64_t ticks, int64_t *cells, int64_t *actions)
{
    for (int64_t tick = 0; tick < ticks; tick++) {
        int code = api->population_step(agents, cells, size, NULL, 0, actions, size);
        if (code != FREEAGENT_OK) return code;
        for (int64_t i = 0; i < size; i++) cells[i] = moved(cells[i], actions[i]);
    }
    return FREEAGENT_OK;
}

/* run(size, ticks) -> how many agents are in the last cell */
static PyObject *run(PyObject *self, PyObject *args)
{
    const freeagent_api *api = freeagent_import();
    freeagent_model *model = NULL;
    freeagent_population *agents = NULL;
    long long size, ticks;
    int64_t *cells = NULL, arrived = 0;
    int code;
    (void)self;
    if (api == NULL || !PyArg_ParseTuple(args, "LL", &size, &ticks)) return NULL;
    code = make_model(api, &model);
    if (code == FREEAGENT_OK) code = api->population_new(model, size, 0, 0, &agents);
    if (code == FREEAGENT_OK) /* a size that has been checked; the actions are behind the cells */
        cells = (int64_t *)calloc((size_t)size, 2 * sizeof(int64_t));
    if (code == FREEAGENT_OK && cells != NULL) {
        Py_BEGIN_ALLOW_THREADS
        code = simulate(api, agents, size, ticks, cells, cells + size);
        Py_END_ALLOW_THREADS
        for (int64_t i = 0; i < size; i++) arrived += cells[i] == CELLS - 1;
    }
    if (code != FREEAGENT_OK)
        PyErr_SetString(PyExc_RuntimeError, api->last_error_message());
    else if (cells == NULL)
        PyErr_NoMemory();
    free(cells);
    if (agents != NULL) api->population_free(agents);
    if (model != NULL) api->model_free(model);
    return PyErr_Occurred() ? NULL : PyLong_FromLongLong(arrived);
}

static PyMethodDef functions[] = {{"run", run, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "corridor", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_corridor(void)
{
    return PyModule_Create(&definition);
}
