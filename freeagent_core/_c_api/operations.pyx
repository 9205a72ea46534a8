"""Operations on the agents of a `CoreTarget`, without the GIL: check the pointers, take the lock, run
the core's kernels, say what failed."""

from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from freeagent_core._c_api.core_target cimport CoreTarget
from freeagent_core._c_api.errors cimport (
    fail, fail_exception, fail_interrupted, fail_null, fail_sizes,
)
from freeagent_core._kernels.agents.agent_state cimport (
    AgentState, History, INFER_POLICIES, INFER_STATES, SAMPLE_ACTION, Task,
)
from freeagent_core._kernels.agents.agent_step cimport (
    draw_action, enumerate_evaluated, infer, keep,
)
from freeagent_core._kernels.agents.input_problem cimport (
    InputProblem, NO_ACTION, NO_ACTION_BETWEEN, NO_BELIEFS, NO_LEARNING, NO_PARAM_INFO_GAIN,
    NO_POLICIES, NO_PRIOR, describe_problem,
)
from freeagent_core._kernels.agents.population_core cimport (
    LEARN_A, LEARN_B, LEARN_D, PopulationCore,
)
from freeagent_core._kernels.base.interrupts cimport handle_interrupt
from freeagent_core._kernels.base.state_lock cimport HELD_BY_THIS_THREAD, LockStatus, StateLock
from freeagent_core._kernels.base.status cimport INTERRUPTED, NO_MEMORY
from freeagent_core._kernels.model.shared_workspaces cimport SharedWorkspace, SharedWorkspaces
from freeagent_core._kernels.model.structs cimport Factor, Model
from freeagent_core._kernels.model.workspace cimport Workspace
from freeagent_core.c_api cimport (
    FREEAGENT_BAD_ARGUMENT, FREEAGENT_BUSY, FREEAGENT_G, FREEAGENT_NO_MEMORY, FREEAGENT_NOT_FINITE, FREEAGENT_NOT_READY, FREEAGENT_Q_PI, FREEAGENT_QS,
    FREEAGENT_UNSUPPORTED,
)


cdef extern from *:
    """
    typedef char fc_int64_is_the_index[sizeof(Py_ssize_t) == sizeof(int64_t) ? 1 : -1];
    /* memcpy of one entry or a few more, in a loop that stays one: a call and the vectors of a
       longer copy would take more than the step's checks */
    static inline void fc_copy_few(int64_t *to, const int64_t *from, int64_t count)
    {
        for (int64_t i = 0; i < count; i++) {
            to[i] = from[i];
            __asm__ volatile("");
        }
    }
    """
    void fc_copy_few(int64_t* to, const int64_t* source, int64_t count) nogil


cdef enum:
    STEP = INFER_STATES | INFER_POLICIES | SAMPLE_ACTION


# --- the lock and the memory of a call -----------------------------------------------------------


cdef inline int _lock(StateLock lock) noexcept nogil:
    cdef LockStatus status = lock.acquire_without_gil()
    return 0 if status == 0 else _fail_lock(status)


cdef int _fail_lock(LockStatus status) noexcept nogil:
    if status == HELD_BY_THIS_THREAD:
        return fail(FREEAGENT_BUSY, b"this thread is in the middle of a call on the same agents")
    return fail(FREEAGENT_BUSY, b"another thread was at work on these agents when this process was "
                b"forked: their state is incomplete here; make them again")


cdef struct Memory:                # for kernels to work in
    SharedWorkspace* shared
    Workspace* one
    Workspace** works


cdef int _take_memory(CoreTarget target, Memory* memory) noexcept nogil:
    memory.shared, memory.works = NULL, NULL
    if target.workspaces is None:
        memory.works = target.core._works[0]
        return 0
    memory.shared = target.workspaces.take()
    if memory.shared == NULL:
        return fail(FREEAGENT_NO_MEMORY, b"no memory for a workspace")
    memory.one = memory.shared.work
    memory.works = &memory.one
    return 0


cdef void _give_back_memory(CoreTarget target, Memory* memory) noexcept nogil:
    if memory.shared != NULL:
        target.workspaces.give_back(memory.shared)


# --- checks --------------------------------------------------------------------------------------


cdef int _check_input(CoreTarget target, int operations, const Input* given) noexcept nogil:
    cdef int64_t size = target.core.size, expected
    if operations & (INFER_STATES | LEARN_A):
        expected = size * target.sizes.num_modalities
        if given.observations == NULL:
            return fail_null(b"observations")
        if given.num_observations != expected:
            return fail_sizes(b"observations", expected, given.num_observations)
    if operations & (LEARN_B | LEARN_D):
        expected = size * target.sizes.num_states
        if given.beliefs == NULL:
            return fail_null(b"beliefs")
        if given.num_beliefs != expected:
            return fail_sizes(b"beliefs", expected, given.num_beliefs)
    if given.mask != NULL and given.num_mask != size:
        return fail_sizes(b"mask", size, given.num_mask)
    if given.mask == NULL and given.num_mask != 0:
        return fail_null(b"mask")
    return 0


# Set what the core's operation reads, and check it; with the lock.
cdef int _set_input(PopulationCore core, int operations, const Input* given) noexcept nogil:
    cdef InputProblem problem
    cdef char text[256]
    core._operations = operations
    core._observations = NULL
    if operations & (INFER_STATES | LEARN_A):
        core._observations = <const Py_ssize_t*>given.observations
    core._mask = given.mask
    if not core.find_problem(&problem):
        return 0
    describe_problem(&problem, text, sizeof(text))
    if problem.kind in (NO_LEARNING, NO_PARAM_INFO_GAIN, NO_PRIOR):
        return fail(FREEAGENT_UNSUPPORTED, text)
    if problem.kind in (NO_ACTION, NO_ACTION_BETWEEN, NO_BELIEFS, NO_POLICIES):
        return fail(FREEAGENT_NOT_READY, text)
    return fail(FREEAGENT_BAD_ARGUMENT, text)


# The beliefs of all agents, a row of `num_states` each, as the kernels have them.
cdef double* _pack_beliefs(const Model* model, int64_t size, int64_t num_states,
                           const Input* given, int* code) noexcept nogil:
    cdef const double* row
    cdef double* packed
    cdef Py_ssize_t i, k, f
    cdef char text[128]
    for i in range(size):
        if given.mask != NULL and not given.mask[i]:
            continue
        row = given.beliefs + i * num_states
        for k in range(num_states):
            if not isfinite(row[k]) or row[k] < 0.0:
                snprintf(text, sizeof(text), "beliefs[%zd, %zd] must be finite and not negative, "
                         "got %g", i, k, row[k])
                code[0] = fail(FREEAGENT_BAD_ARGUMENT, text)
                return NULL
    packed = <double*>calloc(size * model.qs_size, sizeof(double))
    if packed == NULL:
        code[0] = fail(FREEAGENT_NO_MEMORY, b"no memory for beliefs")
        return NULL
    for i in range(size):
        row = given.beliefs + i * num_states
        for f in range(model.num_factors):
            memcpy(packed + i * model.qs_size + model.factors[f].offset, row,
                   model.factors[f].num_states * sizeof(double))
            row += model.factors[f].num_states
    return packed


# Ctrl-C came in a long kernel: its handler runs. An error if it raises, as it does by default.
cdef int _handle_interrupt() noexcept nogil:
    with gil:
        try:
            handle_interrupt()
            return 0
        except BaseException as error:
            return fail_interrupted(error)


# --- what failed ---------------------------------------------------------------------------------


cdef bint _is_interrupted(PopulationCore core) noexcept nogil:
    cdef Py_ssize_t i
    if not core.has_failed():
        return False
    for i in range(core.size):
        if core._status[i] == <unsigned char>(-INTERRUPTED):
            return True
    return False


cdef int _fail_one(int status) noexcept nogil:
    if status == NO_MEMORY:
        return fail(FREEAGENT_NO_MEMORY, b"no memory for the predicted beliefs: too many are "
                    b"distinct, or policies to enumerate; the agent stays as it was")
    return fail(FREEAGENT_NOT_FINITE, b"the agent's beliefs or q_pi became NaN or infinite; it "
                b"stays as it was")


cdef int _fail_status(PopulationCore core) noexcept nogil:
    cdef Py_ssize_t i, count = 0, first = -1
    cdef bint without_memory = False
    cdef char text[256]
    if not core.has_failed():
        return 0
    for i in range(core.size):
        if core._status[i]:
            count += 1
            first = i if first < 0 else first
            without_memory |= core._status[i] == <unsigned char>(-NO_MEMORY)
    if without_memory:
        snprintf(text, sizeof(text), "no memory for the predicted beliefs of %zd agents, first "
                 "agent %zd: too many are distinct, or policies to enumerate; they stay as they "
                 "were", count, first)
        return fail(FREEAGENT_NO_MEMORY, text)
    snprintf(text, sizeof(text), "beliefs or q_pi of %zd agents, first agent %zd, became NaN or "
             "infinite; they stay as they were", count, first)
    return fail(FREEAGENT_NOT_FINITE, text)


cdef void _write_actions(PopulationCore core, const uint8_t* mask,
                         int64_t* actions) noexcept nogil:
    cdef Py_ssize_t i, k, n = core.packed.model.num_factors
    memcpy(actions, core._rows.action, core.size * n * sizeof(int64_t))
    if mask == NULL and not core.has_failed():
        return
    for i in range(core.size):
        if core._status[i] or (mask != NULL and not mask[i]):
            for k in range(n):
                actions[i * n + k] = -1


# --- operations ----------------------------------------------------------------------------------


# The operation that is set, on all agents. When Ctrl-C ends it, those that were not reached or in the
# middle of a kernel are as they were, with the status INTERRUPTED.
cdef int _run_all(PopulationCore core, Workspace** works) noexcept nogil:
    cdef Py_ssize_t reached = 0, size = core.size
    cdef int code = 0
    memset(&core._status[0], 0, size)
    while code == 0:
        reached = core.run_until_interrupted(reached, size, works)
        if reached == size and not _is_interrupted(core):
            return 0
        code = _handle_interrupt()
        if code == 0:
            core._run_interrupted(works)
    if reached < size:
        memset(&core._status[reached], <unsigned char>(-INTERRUPTED), size - reached)
    return code


cdef int act(CoreTarget target, int operations, const Input* given, int64_t* actions,
             int64_t num_actions) noexcept nogil:
    """Do `Operation`s; write the actions with SAMPLE_ACTION."""
    cdef int code = _check_input(target, operations, given)
    cdef int64_t expected = target.core.size * target.sizes.num_factors
    cdef Memory memory
    if code != 0:
        return code
    if operations & SAMPLE_ACTION:
        if actions == NULL:
            return fail_null(b"actions")
        if num_actions != expected:
            return fail_sizes(b"actions", expected, num_actions)
    code = _lock(target.lock)
    if code != 0:
        return code
    code = _set_input(target.core, operations, given)
    if code == 0:
        code = _take_memory(target, &memory)
    if code == 0:
        code = _run_all(target.core, memory.works)
        _give_back_memory(target, &memory)
        if code == 0:
            code = _fail_status(target.core)
        # of an agent nothing is written on failure; in a population others have stepped
        if operations & SAMPLE_ACTION and (code == 0 or target.workspaces is None):
            _write_actions(target.core, given.mask, actions)
    target.lock.release_without_gil()
    return code


ctypedef int (*Refuse)(CoreTarget, const int64_t*, int64_t, int64_t*, int64_t) noexcept nogil
ctypedef int (*GoOn)(CoreTarget) noexcept nogil

# Called by their addresses, so that a step does not save the registers that these need.
cdef Refuse _refuse = _refuse_one
cdef GoOn _go_on = _go_on_with_one


cdef int step_one(CoreTarget target, const int64_t* observation, int64_t num_modalities,
                  int64_t* action, int64_t num_factors) noexcept nogil:
    """`act` with a whole step of an agent that `is_at_hand`."""
    cdef SharedWorkspace* memory
    cdef int code
    cdef int64_t m
    if (observation == NULL or action == NULL or num_modalities != target.sizes.num_modalities
            or num_factors != target.sizes.num_factors):
        return _refuse(target, observation, num_modalities, action, num_factors)
    for m in range(num_modalities):
        if <uint64_t>observation[m] >= <uint64_t>target.num_obs[m]:  # -1 is large
            return _refuse(target, observation, num_modalities, action, num_factors)
    code = _lock(target.lock)
    if code != 0:
        return code
    memory = target.memory
    if not SharedWorkspaces.take_again(memory):
        memory = target.workspaces.take()
        if memory == NULL:
            target.lock.release_without_gil()
            return fail(FREEAGENT_NO_MEMORY, b"no memory for a workspace")
        target.memory = memory
    target.task.work = memory.work
    target.task.observation.outcomes = <const Py_ssize_t*>observation
    target.state.has_action = target.has_action
    infer(&target.task, 1, STEP)
    if target.task.status != 0:
        code = _go_on(target)
    if code == 0:
        keep(&target.task, STEP)
        target.has_policies = True
        draw_action(&target.state, target.task.choice, &target.source, target.state.action)
        target.has_action = True
        target.time += 1
        fc_copy_few(action, <const int64_t*>target.state.action, num_factors)
    target.workspaces.give_back(memory)
    target.lock.release_without_gil()
    return code


# `act` says what is wrong.
cdef int _refuse_one(CoreTarget target, const int64_t* observation, int64_t num_modalities,
                     int64_t* action, int64_t num_factors) noexcept nogil:
    cdef Input given
    given.observations, given.num_observations = observation, num_modalities
    given.mask, given.num_mask = NULL, 0
    return act(target, STEP, &given, action, num_factors)


# A step's `infer` gave a status: after Ctrl-C it goes on; 0 once it is done.
cdef int _go_on_with_one(CoreTarget target) noexcept nogil:
    cdef int code
    while target.task.status == INTERRUPTED:
        code = _handle_interrupt()
        if code != 0:
            return code
        infer(&target.task, 1, STEP)
    return _fail_one(target.task.status) if target.task.status != 0 else 0


cdef int learn(CoreTarget target, int operation, const Input* given) noexcept nogil:
    """Do one `Learning`."""
    cdef int code = _check_input(target, operation, given)
    cdef const Model* model = &target.core.packed.model
    cdef double* beliefs = NULL
    cdef Memory memory
    if code != 0:
        return code
    if operation != LEARN_A:
        beliefs = _pack_beliefs(model, target.core.size, target.sizes.num_states, given, &code)
        if beliefs == NULL:
            return code
    code = _lock(target.lock)
    if code == 0:
        code = _set_input(target.core, operation, given)
        if code == 0 and not target.prepared & operation:
            code = _own(target, operation)
        if code == 0:
            code = _take_memory(target, &memory)
        if code == 0:
            target.core._given_qs = beliefs
            target.core._to_learn = target.factors_to_learn
            target.core._lr = target.lr_pD if operation == LEARN_D else target.lr_pB
            if operation == LEARN_A:
                target.core._to_learn, target.core._lr = target.modalities_to_learn, target.lr_pA
            code = _run_all(target.core, memory.works)
            target.core._given_qs = NULL
            _give_back_memory(target, &memory)
        target.lock.release_without_gil()
    free(beliefs)
    return code


cdef int _own(CoreTarget target, int operation) noexcept nogil:
    with gil:
        try:
            return target.own(operation)
        except BaseException as error:
            return fail_exception(error)


cdef int reset(CoreTarget target, const Input* given) noexcept nogil:
    """Begin an episode."""
    cdef int code = _check_input(target, 0, given)
    cdef Py_ssize_t i
    if code == 0:
        code = _lock(target.lock)
    if code != 0:
        return code
    for i in range(target.core.size):
        if given.mask == NULL or given.mask[i]:
            target.core.begin_episode(i)
    target.lock.release_without_gil()
    return 0


# --- beliefs and posteriors ----------------------------------------------------------------------


cdef int read(CoreTarget target, int quantity, double* values, int64_t num_values) noexcept nogil:
    """Copy a quantity of all agents."""
    cdef int64_t width = target.sizes.num_policies
    cdef int code
    cdef Memory memory
    if quantity == FREEAGENT_QS:
        width = target.sizes.num_states
    elif quantity != FREEAGENT_Q_PI and quantity != FREEAGENT_G:
        return fail(FREEAGENT_BAD_ARGUMENT, b"quantity is none of freeagent_quantity")
    if values == NULL:
        return fail_null(b"values")
    if num_values != target.core.size * width:
        return fail_sizes(b"values", target.core.size * width, num_values)
    code = _lock(target.lock)
    if code != 0:
        return code
    if quantity == FREEAGENT_QS:
        _copy_beliefs(target.core, values)
    else:
        code = _take_memory(target, &memory)
        if code == 0:
            code = _copy_policies(target, quantity, memory.works[0], values)
            _give_back_memory(target, &memory)
    target.lock.release_without_gil()
    return code


cdef void _copy_beliefs(PopulationCore core, double* values) noexcept nogil:
    cdef const Model* model = &core.packed.model
    cdef const Factor* factor
    cdef Py_ssize_t i, f
    for i in range(core.size):
        for f in range(model.num_factors):
            factor = &model.factors[f]
            memcpy(values, core._rows.qs + i * model.qs_size + factor.offset,
                   factor.num_states * sizeof(double))
            values += factor.num_states


cdef int _copy_policies(CoreTarget target, int quantity, Workspace* work,
                        double* values) noexcept nogil:
    cdef Py_ssize_t i, n = target.sizes.num_policies
    cdef AgentState agent
    cdef History history
    cdef const double* found
    cdef int status
    for i in range(target.core.size):
        if not target.core._rows.has_policies[i]:
            if target.workspaces is not None:
                return fail(FREEAGENT_NOT_READY, b"the agent needs an infer_policies before its "
                            b"q_pi and G are read")
            memset(values + i * n, 0, n * sizeof(double))
            continue
        target.core._load(i, &agent, &history)
        if target.core.packed.model.tree.num_enumerated:
            found = agent.q_pi if quantity == FREEAGENT_Q_PI else agent.G
        else:
            status = enumerate_evaluated(&agent, work)
            while status == INTERRUPTED:
                status = _handle_interrupt()
                if status != 0:
                    return status
                status = enumerate_evaluated(&agent, work)
            if status != 0:
                return fail(FREEAGENT_NO_MEMORY, b"no memory to enumerate all policies")
            found = <double*>work.graph.enumerated_G.data
            if quantity == FREEAGENT_Q_PI:
                found = <double*>work.graph.enumerated_q_pi.data
        memcpy(values + i * n, found, n * sizeof(double))
    return 0


cdef int borrow(CoreTarget target, int quantity, int64_t factor,
                freeagent_rows* rows) noexcept nogil:
    """Show where a quantity is."""
    cdef const Model* model = &target.core.packed.model
    cdef int64_t num_factors = model.num_factors if quantity == FREEAGENT_QS else 1
    if rows == NULL:
        return fail_null(b"rows")
    if quantity not in (FREEAGENT_QS, FREEAGENT_Q_PI, FREEAGENT_G):
        return fail(FREEAGENT_BAD_ARGUMENT, b"quantity is none of freeagent_quantity")
    if not 0 <= factor < num_factors:
        return fail(FREEAGENT_BAD_ARGUMENT, b"factor is out of range")
    if quantity != FREEAGENT_QS and model.tree.num_enumerated == 0:
        return fail(FREEAGENT_UNSUPPORTED, b"the policies are too many to keep q_pi and G: read "
                    b"them")
    rows.num_rows = target.core.size
    if quantity == FREEAGENT_QS:
        rows.data = target.core._rows.qs + model.factors[factor].offset
        rows.num_columns, rows.stride = model.factors[factor].num_states, model.qs_size
        return 0
    rows.data = target.core._rows.q_pi if quantity == FREEAGENT_Q_PI else target.core._rows.G
    rows.num_columns = rows.stride = model.tree.num_enumerated
    return 0


cdef int copy_sizes(const freeagent_sizes* known, freeagent_sizes* sizes) noexcept nogil:
    """Fill as much of the caller's struct as it has."""
    cdef int64_t given
    if sizes == NULL:
        return fail_null(b"sizes")
    given = sizes.struct_size
    if given < <int64_t>sizeof(freeagent_sizes):  # its fields of ABI 1
        return fail(FREEAGENT_BAD_ARGUMENT, b"sizes.struct_size must be sizeof(freeagent_sizes)")
    memcpy(sizes, known, sizeof(freeagent_sizes))
    sizes.struct_size = given
    return 0
