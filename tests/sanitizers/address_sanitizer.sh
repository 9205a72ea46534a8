#!/usr/bin/env bash
# The whole suite with the address and undefined behaviour sanitizers. More arguments go to
# pytest. Left out: tests that measure memory, which the sanitizer keeps, and those
# of the sources, which are not beside the installed package.
exec "$(dirname "$0")/run_installed.sh" address,undefined tests --ignore tests/faults/test_memory.py \
    --ignore tests/test_doctests.py --ignore tests/test_layers.py "$@"
