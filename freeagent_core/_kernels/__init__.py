"""The compiled layer: `nogil` kernels on packed structs, over the C primitives of ``csrc/``.

Layers, from below (data flows down, results flow up):

- `primitives`: vector logarithms, products and sums, chosen for the processor at run time.
- `model_structs`: what a `GenerativeModel` is packed into, by `packed_model`; `workspace`: the
  scratch memory that one thread needs to run kernels on it.
- `belief_update`, `policy_evaluation`, `action_selection`, `message_passing`,
  `sophisticated`: pure ``noexcept nogil`` functions on these structs. They return a status
  code where they can fail and never touch a Python object. Below `policy_evaluation` stand
  `step_values` (what one step of a policy is worth), `policy_tree` (dense models: matrix
  products), `sure_states` (no belief at all where states and outcomes of actions are sure) and
  `merged_policies` (equal predicted beliefs are one) over `belief_graph`, whose memory is
  `graph_memory`'s.
- `agent_step`: one agent's step from these. `learned_model`: an agent's own arrays of what it
  learns, which the kernels of `dirichlet_updates` write to.
- `agent_core` (over `agent_parameters`) and `mmp_core`: the state of one agent and its step.
  They take their input through `python_input`, which checks it before a kernel sees it, and draw
  through `global_random`. `learning` has the Dirichlet updates of arrays.
- `parallel_work`: items in chunks on several threads. `population_core`, `mmp_population`:
  many agents of one model, who draw through `agent_random`; `step_batch`: a step of many
  `AgentCore`s.
"""
