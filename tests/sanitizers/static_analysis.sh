#!/usr/bin/env bash
# csrc/ without a warning of GCC (-Wall -Wextra -Wconversion -Werror, at the level that it is
# built with), of its analyser, and of clang's static analyser (pip install clang-tidy).
set -euo pipefail
cd "$(dirname "$0")/../.."
flags=(-std=c11 -ffp-contract=off -Wno-psabi -Icsrc)
for source in csrc/*.c; do
    gcc "${flags[@]}" -O3 -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Werror \
        -c "$source" -o /dev/null
    # (GCC 12's analyser takes a shift of 64-bit lanes for one of 32-bit ints.)
    gcc "${flags[@]}" -O1 -fanalyzer -Wno-analyzer-shift-count-overflow -Werror -c "$source" -o /dev/null
done
# That memcpy has no bounds checks is what one check of the analyser says of every memcpy.
clang-tidy --quiet --warnings-as-errors='*' \
    --checks='-*,clang-analyzer-*,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling' \
    csrc/*.c -- "${flags[@]}"
echo "csrc/: no warnings"
