#!/usr/bin/env bash
# The tests of the kernels under valgrind's memcheck. Python and NumPy read what is not
# initialised in ways that do no harm, so that errors count where a frame of ours is among the
# first three. AVX-512 is more than valgrind knows.
set -euo pipefail
cd "$(dirname "$0")/../.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
FREEAGENT_CORE_SIMD=avx2 FREEAGENT_CORE_EXAMPLES=3 PYTHONMALLOC=malloc \
    valgrind --quiet --num-callers=12 --log-file="$log" \
    python -m pytest -q -p no:cacheprovider "${@:-tests/kernels/base}" || status=$?
python - "$log" <<'PYTHON' || status=1
import re
import sys

text = re.sub(r"^==\d+== ?", "", open(sys.argv[1]).read(), flags=re.M)
errors = [block for block in re.split(r"\n\s*\n", text) if re.search(r"^ +at 0x", block, re.M)]
ours = []
for block in errors:
    frames = re.findall(r"^ +(?:at|by) 0x\w+: .*", block, re.M)[:3]
    if any("freeagent_core" in frame or "fc_" in frame for frame in frames):
        ours.append(block)
print(*ours, sep="\n\n")
print(f"valgrind: {len(ours)} errors in freeagent_core ({len(errors)} elsewhere)")
sys.exit(bool(ours))
PYTHON
exit "$status"
