#!/usr/bin/env bash
# run_installed.sh SANITIZERS [PYTEST_ARGUMENTS...]
# Builds a wheel with these sanitizers (GCC's names), installs it beside a copy of the tests and
# runs them there: those that the arguments say, or the whole suite, a folder at a time, because a
# sanitizer gives no memory back. Uses the interpreter that `python` is, with what it has installed
# (pip install '.[test]'; Ray for its folder). Prints how each part ended; exits non-zero when a
# test fails or a sanitizer finds something. Left out: tests that measure memory, which the
# sanitizers keep, and those of the sources, which are not beside the installed package.
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

case $sanitizers in
thread)
    # Nothing is suppressed. Python itself is not compiled with the sanitizer, but its locks
    # are pthread's, which the sanitizer knows. That a race is seen was tried with one that was
    # put into PopulationCore._run (a store of all threads to one field).
    preload=$(gcc -print-file-name=libtsan.so)
    # Children that tests fork start threads; a size that no memory has is NULL, as without it.
    options="exitcode=66 ignore_noninstrumented_modules=1 die_after_fork=0"
    export TSAN_OPTIONS="$options allocator_may_return_null=1 log_path=$work/report"
    ;;
*)
    preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
    # Python keeps memory to its end, so leaks are counted otherwise (tests/faults/test_memory.py).
    # A size that no memory has is NULL, as without the sanitizer.
    export ASAN_OPTIONS="detect_leaks=0 allocator_may_return_null=1 log_path=$work/report"
    export UBSAN_OPTIONS="halt_on_error=1 print_stacktrace=1 log_path=$work/report"
    ;;
esac

status=0
part() {
    local code=0 begin=$SECONDS
    LD_PRELOAD=$preload PYTHONPATH=$work/site python -m pytest -q -p no:cacheprovider "$@" \
        < /dev/null || code=$?
    # Tests ask for more memory than there is: that NULL is returned is a report too, and no fault.
    local found
    found=$(cat "$work"/report* 2> /dev/null \
        | grep -v "WARNING: [A-Za-z]*Sanitizer failed to allocate" || true)
    rm -f "$work"/report*
    if [[ -n $found ]]; then echo "$found"; fi
    if [[ -n $found || ($code -ne 0 && $code -ne 5) ]]; then status=1; fi  # 5: no test is for here
    echo "== $*: exit code $code, ${found:+reports, }$((SECONDS - begin)) s"
}
if [[ $# -gt 0 ]]; then
    part "$@"
else
    while read -r folder; do
        case $folder in
        tests) part tests/test_[!dl]*.py tests/test_docs.py ;;  # without test_doctests and test_layers
        tests/faults) part tests/faults --ignore tests/faults/test_memory.py ;;
        tests/pymdp_v1) for file in tests/pymdp_v1/test_*.py; do part "$file"; done ;;  # JAX is large
        *) part "$folder"/test_*.py ;;
        esac
    done < <(git ls-files 'tests/**/test_*.py' 'tests/test_*.py' | xargs -n 1 dirname | sort -u)
fi
exit "$status"
