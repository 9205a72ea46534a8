# cython: boundscheck=True, wraparound=True
"""What policies have in common, found once, when an agent is made.

Per factor the distinct sequences of actions that its belief depends on, per group of modalities the
distinct joint beliefs, and the distinct beginnings of policies. `shared_prefixes` evaluates them.
"""

from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc

import numpy as np


cdef class PolicyPlan:
    """Policies and what they share, with the tables that their values are made of.

    Parameters
    ----------
    model : BatchedModel
    plan : dict
        From `freeagent_core.pymdp_v1._policy_plan`: arrays of int32.
    tables : dict
        From `freeagent_core.pymdp_v1._tables`: float64 arrays, each with a leading axis of 1 or
        `batch_size` agents.
    states_info_gain : bool
    merge : bool
        Leave out what rounding left of impossible states; not with novelty.
    """

    def __cinit__(self, BatchedModel model, dict plan, dict tables, bint states_info_gain,
                  bint merge):
        cdef SharedPolicies* p = &self.policies
        cdef BatchedTables* t = &model.tables
        cdef Py_ssize_t i, k, step, num_steps = plan["num_steps"]
        cdef Py_ssize_t nf = t.num_factors, ng = t.num_groups, nm = t.num_modalities
        cdef BeliefSlots* b
        cdef JointSlots* j
        cdef Prefixes* x
        self.model, self._kept, self._block = model, [], NULL
        self._block = malloc(
            num_steps * (nf * sizeof(BeliefSlots) + ng * sizeof(JointSlots) + sizeof(Prefixes))
            + 2 * nf * sizeof(Py_ssize_t) + ng * sizeof(GroupValues) + nm * sizeof(OutcomeTables)
            + nf * sizeof(TransitionTables))
        if self._block == NULL:
            raise MemoryError("no memory for the policies")
        p.beliefs = <BeliefSlots*>self._block
        p.joints = <JointSlots*>(p.beliefs + num_steps * nf)
        p.prefixes = <Prefixes*>(p.joints + num_steps * ng)
        p.max_slots = <Py_ssize_t*>(p.prefixes + num_steps)
        p.max_beliefs = p.max_slots + nf
        p.groups = <GroupValues*>(p.max_beliefs + nf)
        p.modalities = <OutcomeTables*>(p.groups + ng)
        p.factors = <TransitionTables*>(p.modalities + nm)
        p.num_policies, p.num_steps = plan["num_policies"], num_steps
        p.states_info_gain, p.merge = states_info_gain, merge
        for i in range(nf):
            p.max_slots[i] = p.max_beliefs[i] = 1
        for step in range(num_steps):
            for i in range(nf):
                b = &p.beliefs[step * nf + i]
                b.count = plan["belief_counts"][step][i]
                b.actions = self._ints(plan["belief_actions"][step][i], b.count, "belief_actions")
                b.parents = self._ints(plan["belief_parents"][step][i],
                                       b.count * t.factors[i].num_parents, "belief_parents")
                p.max_slots[i] = max(p.max_slots[i], b.count)
                p.max_beliefs[i] += b.count
            for i in range(ng):
                j = &p.joints[step * ng + i]
                j.count = plan["joint_counts"][step][i]
                j.parents = self._ints(plan["joint_parents"][step][i],
                                       j.count * t.groups[i].num_parents, "joint_parents")
            x = &p.prefixes[step]
            x.count = plan["prefix_counts"][step]
            x.before = self._ints(plan["prefix_before"][step], x.count, "prefix_before")
            x.joints = self._ints(plan["prefix_joints"][step], x.count * ng, "prefix_joints")
            x.beliefs = self._ints(plan["prefix_beliefs"][step], x.count * nf, "prefix_beliefs")
        p.last = self._ints(plan["last"], p.num_policies, "last")
        p.first_action = self._ints(plan["first_action"], p.num_policies * nf, "first_action")
        for i in range(ng):
            p.groups[i].num_steps = tables["linear"][i].shape[1]
            shape = (p.groups[i].num_steps, t.groups[i].size)
            self._set(&p.groups[i].linear, tables["linear"][i], shape, "linear")
            self._set(&p.groups[i].certain, tables["certain"][i], shape, "certain")
        for i in range(nm):
            shape = (t.modalities[i].size, t.modalities[i].num_obs)
            self._set(&p.modalities[i].A, tables["A"][i], shape, "A")
            p.modalities[i].novelty.data = NULL
            if tables["A_novelty"][i] is not None:
                self._set(&p.modalities[i].novelty, tables["A_novelty"][i], shape, "A_novelty")
        for i in range(nf):
            p.factors[i].next_state = NULL
            p.factors[i].novelty.data = p.factors[i].inductive.data = NULL
            shape = (t.factors[i].num_controls, t.factors[i].size)
            if tables["next_state"][i] is not None:
                array = tables["next_state"][i]
                p.factors[i].next_state = self._ints(
                    array, len(array) * shape[0] * shape[1], "next_state")
                p.factors[i].next_state_stride = 0 if len(array) == 1 else shape[0] * shape[1]
            if tables["B_novelty"][i] is not None:
                self._set(&p.factors[i].novelty, tables["B_novelty"][i],
                          (*shape, t.factors[i].num_states), "B_novelty")
            if tables["inductive"][i] is not None:
                p.factors[i].depth = tables["inductive"][i].shape[1]
                self._set(&p.factors[i].inductive, tables["inductive"][i],
                          (p.factors[i].depth, t.factors[i].num_states), "inductive")
        self._set(&p.log_E, tables["log_E"], (p.num_policies,), "log_E")
        self._set(&p.gamma, tables["gamma"], (), "gamma")
        self._set(&p.log_epsilon, tables["log_epsilon"], (), "log_epsilon")

    def __dealloc__(self):
        free(self._block)

    cdef const int32_t* _ints(self, object array, Py_ssize_t size, str name) except NULL:
        cdef const int32_t[::1] flat
        if array.dtype != np.int32 or not array.flags.c_contiguous or array.size != size:
            raise ValueError(f"{name} must be {size} int32, got {array.dtype} {array.shape}")
        if size == 0:
            array = np.zeros(1, dtype=np.int32)
        flat = array.reshape(-1)
        self._kept.append(array)
        return &flat[0]

    cdef int _set(self, Table* table, object array, tuple shape, str name) except -1:
        self._kept.append(array)
        return self.model._set(table, array, shape, name)
