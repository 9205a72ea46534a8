"""The compiled layer: `nogil` kernels on packed structs, over the C primitives of ``csrc/``.

Data flow of one step: observation -> q(s) -> G and q(pi) of policies -> action -> agent::

    observation                                              action
        |                                                      ^
    agents/     agent_step: read -> infer -> evaluate -> choose -> keep
        |             |          |           |            |
        |             |    inference/    planning/     action/      learning/
        |             |     fixed_point   belief_graph  selection    dirichlet_updates
        |             |     message_pass. policy_tree   generators   learned_model
        |             |          |           |            |             |
    model/      python_input   structs (A, B, C, D, E, policies), workspace, packed_model
                                 |           |            |             |
    base/       primitives (csrc/), joint_belief, hash_table, growable_array,
                aligned_memory, status

Folders are layers; each imports only from those before it in this list (tests/test_layers.py):

- `base`: the C primitives, chosen for the processor at run time; JAX's random numbers by keys;
  growable arrays and hash tables; statuses and the errors they stand for.
- `model`: what a `GenerativeModel` is packed into, the workspace that a thread needs to
  run kernels on it, and the checks between Python input and the kernels.
- `inference`: beliefs about states, by fixed-point iteration or marginal message passing.
- `learning`: updates of Dirichlet parameters.
- `action`: the probabilities to choose by, and random numbers.
- `planning`: the expected free energy of policies.
- `agents`: the state and the step of one agent, and of many: alone, or eight at a time, one a SIMD
  lane (`lane_step`, with `lane_model`, `lane_inference` and `lane_policies` below it).
"""
