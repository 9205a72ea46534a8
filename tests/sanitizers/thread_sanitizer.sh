#!/usr/bin/env bash
# The whole suite with the thread sanitizer, or what pytest's arguments say.
exec "$(dirname "$0")/run_installed.sh" thread "$@"
