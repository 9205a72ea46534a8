"""The compiled kernels as functions of arrays: to call, to test and to time them one by one.

They are the kernels that a step calls, not copies of them. Functions that need a model take a
`freeagent_core.GenerativeModel`, which is packed already, or in its place the arrays that they
need of it, which are then packed at every call. All of them check their input.

Every function takes `repeats`: it runs the kernel that often, without the GIL where it draws no
random numbers, and returns the same as for 1. A small kernel takes less time than a call from
Python does, and is timed so: ``timeit(lambda: f(x, repeats=1000), number=1) / 1000``.
``freeagent-core bench`` does that for all of them.

>>> import numpy as np
>>> from freeagent_core import GenerativeModel, kernels
>>> model = GenerativeModel(A=np.eye(2), B=np.stack([np.eye(2), 1 - np.eye(2)], axis=-1))
>>> kernels.predicted_states(model, [np.array([0.9, 0.1])], [1])[0].tolist()
[0.1, 0.9]
"""

from freeagent_core.kernels._actions import action_marginals, choose, sample, sharpen
from freeagent_core.kernels._beliefs import (
    free_energy,
    pass_messages,
    predicted_outcomes,
    predicted_states,
    update_beliefs,
)
from freeagent_core.kernels._learning import update_A, update_B, update_D
from freeagent_core.kernels._policies import (
    evaluate_policies,
    expected_utility,
    inductive_cost,
    pA_info_gain,
    pB_info_gain,
    policy_posterior,
    states_info_gain,
)
from freeagent_core.kernels._products import dot, gemm, gemv, gemv_t, joint_belief, outer
from freeagent_core.kernels._vectors import entropy, exp, log, log_eps, softmax, sum

__all__ = [
    "action_marginals",
    "choose",
    "dot",
    "entropy",
    "evaluate_policies",
    "exp",
    "expected_utility",
    "free_energy",
    "gemm",
    "gemv",
    "gemv_t",
    "inductive_cost",
    "joint_belief",
    "log",
    "log_eps",
    "outer",
    "pA_info_gain",
    "pB_info_gain",
    "pass_messages",
    "policy_posterior",
    "predicted_outcomes",
    "predicted_states",
    "sample",
    "sharpen",
    "softmax",
    "states_info_gain",
    "sum",
    "update_A",
    "update_B",
    "update_D",
    "update_beliefs",
]
