"""Sophisticated inference of a batch of agents: a search tree for each."""

cimport numpy as cnp
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from freeagent_core._kernels.agents.batch_threads cimport run_batch
from freeagent_core._kernels.agents.batched_inference cimport (
    BatchedInference, Beliefs, new_array, read_beliefs)
from freeagent_core._kernels.model.batched_model cimport BatchedModel, BatchedTables
from freeagent_core._kernels.planning.observation_tree cimport search_tree, TreeSettings
from freeagent_core._kernels.planning.policy_plan cimport PolicyPlan, SharedPolicies
from freeagent_core._kernels.planning.tree_nodes cimport add_node, free_tree, Tree

import numpy as np

cnp.import_array()


cdef class SearchTree:
    """Beliefs of one agent, and what policies and observations may lead to."""

    cdef Tree tree
    cdef tuple num_states

    def __cinit__(self, BatchedModel model):
        memset(&self.tree, 0, sizeof(Tree))
        self.num_states = model.num_states
        self.tree.num_states_total = model.tables.num_states_total
        self.tree.num_factors = model.tables.num_factors
        self.tree.num_modalities = model.tables.num_modalities

    def __dealloc__(self):
        free_tree(&self.tree)

    def __len__(self):
        return self.tree.size

    def node(self, Py_ssize_t index):
        """Return a node as a dict: beliefs, value, level, children and what led to it."""
        cdef Tree* t = &self.tree
        cdef Py_ssize_t k, at = 0, entry
        if not 0 <= index < t.size:
            raise IndexError(f"node {index} of {t.size}")
        qs = []
        for n in self.num_states:
            qs.append(np.array([t.qs[index * t.num_states_total + at + k] for k in range(n)]))
            at += n
        entry = t.first_child[index]
        pairs = [(t.children[entry + k], t.child_probs[entry + k])
                 for k in range(t.num_children[index]) if t.children[entry + k] >= 0]
        node = {
            "idx": index,
            "qs": qs,
            "neg_efe": t.neg_efe[index],
            "horizon": t.horizon[index],
            "children": np.array([child for child, _ in pairs], dtype=np.int64),
            "children_probs": np.array([p for _, p in pairs], dtype=np.float64),
        }
        if t.policy[index * t.num_factors] >= 0:
            node["policy"] = np.array([t.policy[index * t.num_factors + k]
                                       for k in range(t.num_factors)])
        else:
            node["observation"] = np.array([t.observation[index * t.num_modalities + k]
                                            for k in range(t.num_modalities)])
        return node

    def __getitem__(self, Py_ssize_t index):
        """Return `node` with axes of one before its beliefs and its observation, as in pymdp."""
        node = self.node(index)
        node["qs"] = [q[None, None] for q in node["qs"]]
        if "observation" in node:
            node["observation"] = node["observation"][None]
        return node

    def root(self):
        """Return the node that all others follow from, as ``tree[0]``."""
        return self[0]

    @property
    def used(self):
        """Indices of the nodes that are part of the tree."""
        return np.array([k for k in range(self.tree.size) if self.tree.used[k]], dtype=np.int64)


ctypedef struct TreeJob:
    const BatchedTables* t
    const SharedPolicies* p
    TreeSettings settings
    Tree** trees
    unsigned char* is_grown        # (batch_size,)
    double* q_pi


cdef int _search(void* pointer, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef TreeJob* job = <TreeJob*>pointer
    cdef Py_ssize_t agent
    cdef int status
    for agent in range(start, stop):
        if not job.is_grown[agent]:
            status = search_tree(job.t, job.p, &job.settings, agent, job.trees[agent],
                                 job.q_pi + agent * job.p.num_policies)
            if status != 0:
                return status
            job.is_grown[agent] = True
    return 0


def new_trees(BatchedInference inference, object qs):
    """Return a tree for each agent, whose root is its last belief of qs."""
    cdef const BatchedTables* t = &inference.model.tables
    cdef Beliefs beliefs
    cdef list kept = read_beliefs(t, qs, True, &beliefs, "qs"), trees = []
    cdef SearchTree tree
    cdef Py_ssize_t agent, k
    for agent in range(t.batch_size):
        tree = SearchTree(inference.model)
        if add_node(&tree.tree, 0) < 0:
            raise MemoryError("no memory for a tree")
        for k in range(t.num_factors):
            memcpy(tree.tree.qs + t.factors[k].offset,
                   beliefs.data[k] + agent * beliefs.stride[k],
                   t.factors[k].num_states * sizeof(double))
        for k in range(t.num_modalities):
            tree.tree.observation[k] = 0
        trees.append(tree)
    return trees


def search_trees(BatchedInference inference, PolicyPlan plan, list trees, *, Py_ssize_t horizon,
                 Py_ssize_t max_nodes, Py_ssize_t max_branching, Py_ssize_t topk_obsspace,
                 Py_ssize_t num_iter, double policy_prune_threshold,
                 double observation_prune_threshold, double entropy_stop_threshold,
                 double neg_efe_stop_threshold, double kl_threshold, double prune_penalty,
                 double gamma):
    """Grow the trees, in place; returns q_pi of their roots, (batch_size, num_policies).

    Ctrl-C leaves trees of whole levels, which may go on growing; some may have got none.
    """
    cdef const BatchedTables* t = &inference.model.tables
    cdef TreeJob job
    cdef SearchTree tree
    cdef Py_ssize_t agent
    cdef double cost = 1e5 if t.batch_size > 1 else 0.0
    if len(trees) != t.batch_size:
        raise ValueError(f"trees must be {t.batch_size}, one for each agent, got {len(trees)}")
    job.t, job.p = t, &plan.policies
    job.settings.horizon, job.settings.max_nodes = horizon, max_nodes
    job.settings.max_branching, job.settings.topk = max_branching, topk_obsspace
    job.settings.num_iter, job.settings.gamma = num_iter, gamma
    job.settings.policy_prune_threshold = policy_prune_threshold
    job.settings.observation_prune_threshold = observation_prune_threshold
    job.settings.entropy_stop_threshold = entropy_stop_threshold
    job.settings.neg_efe_stop_threshold = neg_efe_stop_threshold
    job.settings.kl_threshold, job.settings.prune_penalty = kl_threshold, prune_penalty
    q_pi = new_array(t.batch_size, plan.policies.num_policies, -1, &job.q_pi)
    job.trees = <Tree**>malloc(t.batch_size * (sizeof(Tree*) + 1))
    if job.trees == NULL:
        raise MemoryError("no memory for the trees")
    job.is_grown = <unsigned char*>(job.trees + t.batch_size)
    memset(job.is_grown, 0, t.batch_size)
    try:
        for agent in range(t.batch_size):
            tree = trees[agent]
            job.trees[agent] = &tree.tree
        run_batch(_search, &job, t.batch_size, &cost, True)
    finally:
        free(job.trees)
    return q_pi
