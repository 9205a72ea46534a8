#!/usr/bin/env bash
# Runs the tests of Population and of the managers with the thread sanitizer, in an
# environment and a build of its own. Needs GCC with libtsan; not part of .ci/run.
#
# Nothing is suppressed. Python itself is not compiled with the sanitizer, but its locks are
# pthread's, which the sanitizer knows. That a race is seen was tried with one that was put into
# PopulationCore._run (a store of all threads to one field).
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet --no-hardlinks . "$work/checkout"
python3 -m venv "$work/environment"
# shellcheck disable=SC1091
. "$work/environment/bin/activate"
cd "$work/checkout"
pip install --quiet 'setuptools>=77' 'Cython>=3.1' numpy pytest hypothesis
FREEAGENT_CORE_SANITIZE=thread pip install --quiet --no-build-isolation --no-deps -e .
LD_PRELOAD=$(gcc -print-file-name=libtsan.so) \
    TSAN_OPTIONS="exitcode=66 ignore_noninstrumented_modules=1 log_path=$work/report" \
    python -m pytest -q -p no:cacheprovider \
    tests/population tests/managers/test_managers.py tests/managers/test_thread_pool.py \
    -k "not processes and not fork and not context_managers" || status=$?
cat "$work"/report* 2>/dev/null || true
exit "${status:-0}"
