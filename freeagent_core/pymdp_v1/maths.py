"""Logarithms, contractions, likelihoods and free energies: the functions of ``pymdp.maths``.

Same names, arguments and results; arrays are NumPy's, computed in float64. Sparse arrays are made
dense. Left out, because they are the same numbers in shapes for XLA: the padded and block-diagonal
variants of the likelihoods (docs/pymdp_v1_left_out.md).
"""

from freeagent_core.pymdp_v1._maths import (
    MINVAL,
    compute_accuracy,
    compute_log_likelihood,
    compute_log_likelihood_per_modality,
    compute_log_likelihood_single_modality,
    dirichlet_expected_value,
    dirichlet_kl_divergence,
    factor_dot,
    factor_dot_flex,
    log_stable,
    multidimensional_outer,
    spm_dot_sparse,
    spm_wnorm,
    stable_cross_entropy,
    stable_entropy,
    stable_xlogx,
)
from freeagent_core.pymdp_v1._vfe import calc_vfe

__all__ = [
    "MINVAL",
    "calc_vfe",
    "compute_accuracy",
    "compute_log_likelihood",
    "compute_log_likelihood_per_modality",
    "compute_log_likelihood_single_modality",
    "dirichlet_expected_value",
    "dirichlet_kl_divergence",
    "factor_dot",
    "factor_dot_flex",
    "log_stable",
    "multidimensional_outer",
    "spm_dot_sparse",
    "spm_wnorm",
    "stable_cross_entropy",
    "stable_entropy",
    "stable_xlogx",
]
