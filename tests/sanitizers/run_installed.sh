#!/usr/bin/env bash
# run_installed.sh SANITIZERS PYTEST_ARGUMENTS...
# Builds a wheel with these sanitizers (GCC's names), installs it beside a copy of the tests and
# runs them there. Uses the interpreter that `python` is, with what it has installed
# (pip install '.[test]'). Exits non-zero when a test or a sanitizer fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
sanitizers=$1
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet --no-hardlinks . "$work/checkout"
cd "$work/checkout"
FREEAGENT_CORE_SANITIZE=$sanitizers python -m pip wheel --quiet --no-deps --no-build-isolation \
    --wheel-dir "$work/wheel" .
python -m pip install --quiet --no-deps --target "$work/site" "$work"/wheel/*.whl
rm -rf freeagent_core build  # the tests must find the installed package

status=0
case $sanitizers in
thread)
    # Nothing is suppressed. Python itself is not compiled with the sanitizer, but its locks
    # are pthread's, which the sanitizer knows. That a race is seen was tried with one that was
    # put into PopulationCore._run (a store of all threads to one field).
    export LD_PRELOAD=$(gcc -print-file-name=libtsan.so)
    # Children that tests fork start threads; a size that no memory has is NULL, as without it.
    export TSAN_OPTIONS="exitcode=66 ignore_noninstrumented_modules=1 die_after_fork=0"
    TSAN_OPTIONS+=" allocator_may_return_null=1 log_path=$work/report"
    ;;
*)
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
    export LD_PRELOAD
    # Python keeps memory to its end, so leaks are counted otherwise (tests/faults/test_memory.py).
    # A size that no memory has is NULL, as without the sanitizer.
    export ASAN_OPTIONS="detect_leaks=0 allocator_may_return_null=1 log_path=$work/report"
    export UBSAN_OPTIONS="halt_on_error=1 print_stacktrace=1 log_path=$work/report"
    ;;
esac
PYTHONPATH=$work/site python -m pytest -q -p no:cacheprovider "$@" || status=$?
unset LD_PRELOAD
# Tests ask for more memory than there is: that NULL is returned is a report too, and no fault.
found=$(cat "$work"/report* 2>/dev/null | grep -v "WARNING: AddressSanitizer failed to allocate" || true)
if [[ -n $found ]]; then
    echo "$found"
    status=${status/#0/1}
fi
exit "$status"
