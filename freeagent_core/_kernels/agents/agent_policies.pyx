"""q_pi and G of an agent as arrays over all policies: what its callers hold of them, and those of
policies that are not enumerated in its state, which are evaluated again when they are asked for.
"""

from freeagent_core._kernels.agents.agent_step cimport are_enumerated, enumerate_evaluated
from freeagent_core._kernels.base.growable_array cimport reserve
from freeagent_core._kernels.base.interrupts cimport begins_again
from freeagent_core._kernels.base.status cimport raise_status
from freeagent_core._kernels.model.python_input cimport new_array, read_probabilities
from freeagent_core._kernels.planning.graph_search cimport enumerate_policies

from freeagent_core._kernels.base.status import NotReadyError

# More policies than this are not enumerated unasked (`_model.policies.MAX_POLICIES`).
cdef Py_ssize_t MAX_ENUMERATED = 1 << 24


cdef class HeldPolicies:
    """q_pi and G of one agent as objects."""

    # Make both, where callers have not assigned them.
    cdef int enumerate(self, PackedModel packed, AgentState* agent, StateLock lock) except -1:
        if self.q_pi is not None and self.G is not None:
            return 0
        if not agent.has_policies:
            raise NotReadyError("q_pi and G are not set before infer_policies")
        with lock:
            q_pi, G = enumerated_policies(packed, agent)
            if self.q_pi is None:
                self.q_pi = q_pi
            if self.G is None:
                self.G = G
        return 0

    # q_pi to choose by; NULL for policies that are not enumerated, where the caller has assigned
    # none. Call with the lock.
    cdef const double* load(self, AgentState* agent, OwnedWorkspace workspace) except? NULL:
        if self.q_pi is not None:
            return read_q_pi(agent, workspace, self.q_pi)
        if not agent.has_policies:
            raise NotReadyError("q_pi is not set: call infer_policies before sample_action")
        return agent.q_pi if are_enumerated(agent) else NULL


cdef bint can_enumerate(const AgentState* agent) noexcept:
    return agent.model.tree.num_policies <= MAX_ENUMERATED


# Arrays of q_pi and G of the last evaluation. Call with the agent's lock. Cost: none, or where
# policies are not enumerated that of `enumerate_evaluated`.
cdef tuple enumerated_policies(PackedModel packed, AgentState* agent):
    cdef Py_ssize_t n = agent.model.tree.num_policies
    cdef OwnedWorkspace workspace
    cdef int status
    if are_enumerated(agent):
        return new_array(agent.q_pi, n), new_array(agent.G, n)
    workspace = packed.acquire_workspace()
    while True:
        with nogil:
            status = enumerate_evaluated(agent, &workspace.work)
        if not begins_again(status):
            break
    raise_status(status, "G")
    result = (new_array(<double*>workspace.work.graph.enumerated_q_pi.data, n),
              new_array(<double*>workspace.work.graph.enumerated_G.data, n))
    packed.release_workspace(workspace)
    return result


cdef const double* read_q_pi(AgentState* agent, OwnedWorkspace workspace,
                             object value) except NULL:
    cdef Py_ssize_t n = agent.model.tree.num_policies
    cdef double* q_pi = workspace.work.q_pi_new
    if not are_enumerated(agent):
        if reserve(&workspace.work.graph.enumerated_q_pi, n * <Py_ssize_t>sizeof(double)) != 0:
            raise MemoryError(f"no memory for q_pi of {n} policies")
        q_pi = <double*>workspace.work.graph.enumerated_q_pi.data
    read_probabilities(value, n, q_pi, "q_pi")
    return q_pi


# The posterior over policies that were evaluated just now.
cdef object new_q_pi(Task* task):
    cdef Py_ssize_t n = task.agent.model.tree.num_policies
    cdef int status
    if are_enumerated(task.agent):
        return new_array(task.work.q_pi_new, n)
    with nogil:
        status = enumerate_policies(task.agent.model, &task.agent.parameters.efe, task.work)
    raise_status(status, "q_pi")
    return new_array(<double*>task.work.graph.enumerated_q_pi.data, n)


# Their expected free energies, after `new_q_pi`.
cdef object new_G(Task* task):
    cdef const double* G = task.work.G_new
    if not are_enumerated(task.agent):
        G = <double*>task.work.graph.enumerated_G.data
    return new_array(G, task.agent.model.tree.num_policies)
