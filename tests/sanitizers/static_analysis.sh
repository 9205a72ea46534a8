#!/usr/bin/env bash
# csrc/ without a warning of GCC (-Wall -Wextra -Wconversion -Werror, at the level that it is
# built with) and of clang's static analyser (pip install clang-tidy). GCC 12's own analyser does
# not know vector types: it finds shifts and uninitialised values that are not there. Cython
# without a warning, under setup.py's directives: an index from the end is one of them. What it
# has written of the modules, in a checkout that is built, without a warning of -Wall -Wextra but
# for functions that no code calls and for its temporaries, which are not const.
set -euo pipefail
cd "$(dirname "$0")/../.."
flags=(-std=c11 -ffp-contract=off -Wno-psabi -Icsrc)
for source in csrc/*.c; do
    gcc "${flags[@]}" -O3 -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Werror \
        -c "$source" -o /dev/null
done
# That memcpy has no bounds checks is what one check of the analyser says of every memcpy.
clang-tidy --quiet --warnings-as-errors='*' \
    --checks='-*,clang-analyzer-*,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling' \
    csrc/*.c -- "${flags[@]}"
echo "csrc/: no warnings"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git ls-files 'freeagent_core/*.pyx' | xargs -P "$(nproc)" -n 10 python -m cython -3 -Werror \
    -X boundscheck=False,wraparound=False,cdivision=True,initializedcheck=False -o "$scratch"
echo "Cython: no warnings"
count=0
include=$(python -c 'import sysconfig, numpy; print(sysconfig.get_path("include"), numpy.get_include())')
while read -r source; do
    # shellcheck disable=SC2086
    gcc -std=c11 -Wno-psabi -Icsrc -Ifreeagent_core/include -I${include% *} -I${include#* } \
        -Wall -Wextra -Wno-unused-function -Wno-discarded-qualifiers -Werror -fsyntax-only \
        "${source%.pyx}.c"
    count=$((count + 1))
done < <(git ls-files 'freeagent_core/*.pyx')
echo "$count modules: no warnings"
