"""pymdp 0.0.7.1: an `Agent` with its numbers where they differ from later releases.

The differences from `freeagent_core.Agent`:

- one joint likelihood of all modalities, ``log(prod_m p_m + 1e-16)``, instead of the sum
  of their logarithms;
- the information gain about states runs over the joint outcomes of all modalities;
- the best action is a plain argmax, the first of equals, instead of a random choice among
  those within 1e-8;
- message passing takes one joint likelihood too, and does not halve what a step hears from
  later ones;
- A and B as given are used where pA and pB exist, and `reset` does not replace them.

Its function modules are here too: most functions are those of `freeagent_core`, the others
(`control.sample_action` and `sample_policy`, `maths.spm_cross`,
`utils.get_model_dimensions_from_labels`) have 0.0.7.1's results.
"""

from freeagent_core.pymdp_v0 import algos, control, inference, learning, maths, utils
from freeagent_core.pymdp_v0.agent import Agent

__all__ = ["Agent", "algos", "control", "inference", "learning", "maths", "utils"]
