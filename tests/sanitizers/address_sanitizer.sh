#!/usr/bin/env bash
# The whole suite with the address and undefined behaviour sanitizers, or what pytest's arguments say.
exec "$(dirname "$0")/run_installed.sh" address,undefined "$@"
