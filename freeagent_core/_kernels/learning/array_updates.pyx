"""Dirichlet updates as Python functions: kernels with the GIL released, on arrays that the caller
has checked.

Each writes into an array of the caller, and runs the kernel `repeats` times, which all give the
same. An agent's own parameters are updated in place: `learned_model.pyx`.
"""

from libc.string cimport memcpy

from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.repeats cimport check_all_ran, stops
from freeagent_core._kernels.learning.dirichlet_updates cimport add_outcomes

import numpy as np


# ((x_0 x_1) x_2) ..., flat: pymdp.legacy.maths.spm_cross, multiplied in its order.
# Cost: the size of the joint.
def joint_belief(list beliefs):
    """Return the joint belief of independent factors, flat, the last factor fastest.

    Parameters
    ----------
    beliefs : list of ndarray of float64, shape (num_states,)

    Returns
    -------
    joint : ndarray of float64, shape (product of num_states,)
    """
    cdef const double[::1] joint = beliefs[0]
    cdef const double[::1] belief
    cdef double[::1] grown
    out = beliefs[0]
    for belief in beliefs[1:]:
        out = np.empty(joint.shape[0] * belief.shape[0])
        grown = out
        P.outer(&joint[0], joint.shape[0], &belief[0], belief.shape[0], &grown[0])
        joint = grown
    return out


# qA = pA; add_outcomes. pymdp.legacy.learning.update_obs_likelihood_dirichlet_factorized.
# Cost: num_obs * num_joint.
def update_likelihood(const double[:, ::1] pA, const double[:, ::1] A,
                      const double[::1] observation, const double[::1] q, double lr,
                      double[:, ::1] qA, Py_ssize_t repeats=1):
    """Write the posterior Dirichlet parameters of one modality into `qA`.

    Parameters
    ----------
    pA, A : ndarray of float64, shape (num_obs, num_joint), IN
    observation : ndarray of float64, shape (num_obs,), IN
    q : ndarray of float64, shape (num_joint,), IN
        Joint belief over the factors that the modality depends on.
    lr : float
    qA : ndarray of float64, shape (num_obs, num_joint), OUT
    repeats : int
    """
    cdef Py_ssize_t i, num_obs = pA.shape[0], n = q.shape[0]
    _same(pA.shape[0], A.shape[0], qA.shape[0], observation.shape[0])
    _same(pA.shape[1], A.shape[1], qA.shape[1], q.shape[0])
    with nogil:
        for i in range(repeats):
            memcpy(&qA[0, 0], &pA[0, 0], num_obs * n * sizeof(double))
            add_outcomes(&observation[0], 0, num_obs, n, &q[0], &A[0, 0], lr, &qA[0, 0],
                         NULL)
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)


# qB = pB; add_count_rows of the chosen action. pymdp.legacy.learning.
# update_state_likelihood_dirichlet_interactions. Cost: the size of pB.
def update_transition(const double[:, :, ::1] pB, const double[:, :, ::1] B, Py_ssize_t action,
                      const double[::1] q, const double[::1] q_previous, double lr,
                      double[:, :, ::1] qB, Py_ssize_t repeats=1):
    """Write the posterior Dirichlet parameters of one factor's transitions into `qB`.

    Parameters
    ----------
    pB, B : ndarray of float64, shape (num_states, num_previous, num_controls), IN
    action : int
    q : ndarray of float64, shape (num_states,), IN
    q_previous : ndarray of float64, shape (num_previous,), IN
        Joint belief, one step before, over the factors that the transitions depend on.
    lr : float
    qB : ndarray of float64, shape (num_states, num_previous, num_controls), OUT
    repeats : int
    """
    cdef Py_ssize_t i, num_states = q.shape[0], num_previous = q_previous.shape[0]
    _same(pB.shape[0], B.shape[0], qB.shape[0], num_states)
    _same(pB.shape[1], B.shape[1], qB.shape[1], num_previous)
    if not (pB.shape[2] == B.shape[2] == qB.shape[2] and 0 <= action < pB.shape[2]):
        raise ValueError("the controls of pB, B and qB, and the action, must agree")
    # A packed model has a row for each previous state, these arrays for each next one: the kernel's
    # formula is the same with the two beliefs exchanged.
    cdef const double[:, ::1] counts = np.ascontiguousarray(pB[:, :, action])
    cdef const double[:, ::1] mask = np.ascontiguousarray(B[:, :, action])
    updated = np.empty((num_states, num_previous))
    cdef double[:, ::1] rows = updated
    with nogil:
        for i in range(repeats):
            memcpy(&rows[0, 0], &counts[0, 0], num_previous * num_states * sizeof(double))
            P.add_count_rows(lr, &q[0], num_states, &q_previous[0], num_previous, &mask[0, 0],
                             num_previous, &rows[0, 0], 0, NULL)
            if stops(i, repeats):
                break
        qB[:] = pB
    check_all_ran(i, repeats)
    np.asarray(qB)[:, :, action] = updated


# qD[s] = pD[s] + lr * q(s) where pD[s] > 0. pymdp.legacy.learning.update_state_prior_dirichlet.
# Cost: num_states.
def update_prior(const double[::1] pD, const double[::1] q, double lr, double[::1] qD,
                 Py_ssize_t repeats=1):
    """Write the posterior Dirichlet parameters of one factor's initial states into `qD`.

    Parameters
    ----------
    pD, q : ndarray of float64, shape (num_states,), IN
    lr : float
    qD : ndarray of float64, shape (num_states,), OUT
    repeats : int
    """
    cdef Py_ssize_t i
    _same(pD.shape[0], q.shape[0], qD.shape[0], qD.shape[0])
    with nogil:
        for i in range(repeats):
            memcpy(&qD[0], &pD[0], pD.shape[0] * sizeof(double))
            P.add_counts(lr, 1.0, &q[0], &pD[0], &qD[0], pD.shape[0], 0, NULL)
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)


cdef int _same(Py_ssize_t a, Py_ssize_t b, Py_ssize_t c, Py_ssize_t d) except -1:
    if not a == b == c == d or a == 0:
        raise ValueError(f"the arrays' shapes must agree, got sizes {a}, {b}, {c}, {d}")
    return 0
