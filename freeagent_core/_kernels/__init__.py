"""The compiled layer: `nogil` kernels on packed structs, over the C primitives of ``csrc/``.

Folders are layers; each imports only from those before it in this list:

- `base`: the C primitives, chosen for the processor at run time; JAX's random numbers by keys.
- `model`: what a `GenerativeModel` is packed into, the workspace that a thread needs to
  run kernels on it, and the checks between Python input and the kernels.
- `inference`: beliefs about states, by fixed-point iteration or marginal message passing.
- `learning`: updates of Dirichlet parameters.
- `action`: the probabilities to choose by, and random numbers.
- `planning`: the expected free energy of policies.
- `agents`: the state and the step of one agent and of many.
"""
