"""The compiled layer: `nogil` kernels on packed structs, over the C primitives of ``csrc/``.

Layers, from below (data flows down, results flow up):

- `primitives`: vector logarithms, products and sums, chosen for the processor at run time.
- `packed_model`: the structs that a `GenerativeModel` is packed into, and the scratch
  memory that one thread needs to run kernels on it.
- `belief_update`, `policy_evaluation`, `action_selection`, `message_passing`,
  `sophisticated`: pure ``noexcept nogil``
  functions on these structs. They return a status code where they can fail and never
  touch a Python object.
- `agent_core` and `mmp_core`: the state of one agent and its step. They take their input
  through `python_input`, which checks it before a kernel sees it, and draw through
  `global_random`. `learning` has the Dirichlet updates.
"""
