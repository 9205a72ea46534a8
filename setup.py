"""Builds the C primitives and the Cython kernels; everything else is in pyproject.toml.

Environment variables:

- ``FREEAGENT_CORE_SANITIZE=address,undefined`` (or ``thread``) compiles with these
  sanitizers and debug information (CONTRIBUTING.md tells how to run the tests so).
- ``FREEAGENT_CORE_DEBUG=1`` compiles without optimisation, with bounds checks.
"""

import os
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

PRIMITIVES = ["plain", "avx2", "avx512"]

debug = os.environ.get("FREEAGENT_CORE_DEBUG") == "1"
sanitize = os.environ.get("FREEAGENT_CORE_SANITIZE", "")

# -ffp-contract=off: the same bits at every SIMD level (see csrc/freeagent_primitives.h).
compile_args = ["-std=c11", "-ffp-contract=off", "-Wno-psabi", "-Wno-unused-function"]
compile_args += ["-O0", "-g"] if debug else ["-O3", "-g0"]
link_args = []
if sanitize:
    compile_args += [f"-fsanitize={sanitize}", "-fno-omit-frame-pointer", "-g", "-O1"]
    link_args += [f"-fsanitize={sanitize}"]

csrc = [f"csrc/primitives_{level}.c" for level in PRIMITIVES] + ["csrc/dispatch.c"]
headers = [
    f"csrc/{name}.h"
    for name in ("freeagent_primitives", "primitives_body", "vectors", "matrix_products")
]

extensions = [
    Extension(
        str(source.with_suffix("")).replace(os.sep, "."),
        # One module owns the primitives and their dispatch; the others reach them through it.
        [str(source)] + (csrc if source.stem == "primitives" else []),
        include_dirs=["csrc", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=headers,
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )
    for source in sorted(Path("freeagent_core").rglob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives={
            "language_level": 3,
            "boundscheck": debug,
            "wraparound": debug,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
        },
    )
)
