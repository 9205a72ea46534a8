#!/usr/bin/env bash
# The whole suite with the thread sanitizer. More arguments go to pytest. Left out: forks of
# processes with threads, which the sanitizer does not support, JAX, whose threads it does
# not know, and tests that measure memory.
exec "$(dirname "$0")/run_installed.sh" thread tests --ignore tests/faults/test_memory.py \
    --ignore tests/faults/test_fork.py --ignore tests/faults/test_worker_processes.py \
    --ignore tests/managers/test_process_pool.py --ignore tests/test_doctests.py --ignore tests/test_layers.py \
    --ignore tests/pymdp_v1 -k "not processes and not fork and not context_managers" "$@"
