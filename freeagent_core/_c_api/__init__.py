"""What stands behind the functions of ``include/freeagent_core.h``.

Data flows down: `models`, `agents` and `populations` have the functions; they look up a handle
(`handles`), which stands for a `GenerativeModel`, a `CoreTarget` or an `Agent`; `operations` checks
the pointers and runs a `PopulationCore`'s kernels under its lock; `errors` keeps what went wrong.
"""
