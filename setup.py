"""Builds the C primitives and the Cython kernels; everything else is in pyproject.toml.

Environment variables:

- ``FREEAGENT_CORE_SANITIZE=address,undefined`` (or ``thread``) compiles with these
  sanitizers and debug information (CONTRIBUTING.md tells how to run the tests so).
- ``FREEAGENT_CORE_COVERAGE=1`` compiles with gcov's counters (tests/coverage/measure.py).
- ``FREEAGENT_CORE_DEBUG=1`` compiles without optimisation, with bounds checks.
- ``FREEAGENT_CORE_REUSE=1`` takes the modules that ``pip install -e .`` left beside their sources,
  where they are newer than these: a wheel in seconds. Not after a build with other variables.
"""

import multiprocessing
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

COMMANDS = {"bdist_wheel", "build", "build_ext", "develop", "editable_wheel", "install"}
INSTALL_COMPILER = {
    "linux": "apt install gcc python3-dev, or dnf install gcc python3-devel",
    "darwin": "xcode-select --install",
    "win32": "winget install LLVM.LLVM, and the Build Tools for Visual Studio",
}


def compiler_problem():
    """Return why nothing can be compiled here, in one line, or None."""
    advice = INSTALL_COMPILER.get(sys.platform)
    if advice is None:
        return (
            f"{platform.system()} is not supported: Linux and macOS are, and Windows with clang-cl "
            "(untested)"
        )
    default = "clang-cl" if sys.platform == "win32" else sysconfig.get_config_var("CC") or "cc"
    command = shlex.split(os.environ.get("CC", default), posix=sys.platform != "win32")
    if not command or shutil.which(command[0]) is None:
        return f"no C compiler ({' '.join(command)} is not found): {advice}"
    asked = [*command, "--version"] if sys.platform == "win32" else [*command, "-dM", "-E", "-"]
    answer = subprocess.run(asked, capture_output=True, text=True, input="").stdout
    if "clang" not in answer and "__GNUC__" not in answer:
        return (
            f"{' '.join(command)} is neither GCC nor Clang, whose vector extension the sources "
            f"use: set CC to one of them ({advice})"
        )
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return f"the headers of Python {platform.python_version()} are missing: {advice}"
    return None


if COMMANDS & set(sys.argv[1:]):
    problem = compiler_problem()
    if problem is not None:
        sys.exit(f"freeagent_core cannot be built: {problem}")

# The line above comes before any other's output.
import numpy  # noqa: E402
from Cython.Build import cythonize  # noqa: E402
from setuptools import Extension, setup  # noqa: E402
from setuptools.command.build_ext import build_ext  # noqa: E402

PRIMITIVES = ["plain", "avx2", "avx512"]

debug = os.environ.get("FREEAGENT_CORE_DEBUG") == "1"
coverage = os.environ.get("FREEAGENT_CORE_COVERAGE") == "1"
sanitize = os.environ.get("FREEAGENT_CORE_SANITIZE", "")

# -ffp-contract=off: multiply-adds are fused only where csrc/ asks for it, so that results do not
# depend on the compiler. (SIMD levels differ by rounding: csrc/freeagent_primitives.h.)
compile_args = ["-std=c11", "-ffp-contract=off", "-Wno-psabi", "-Wno-unused-function"]
compile_args += ["-O0", "-g"] if debug else ["-O3", "-g0"]
link_args = []
if sys.platform == "linux":
    # Code and constants share pages: 90 small modules take 0.4 MB less, and half the mappings.
    link_args += ["-Wl,-z,noseparate-code", "-Wl,--hash-style=gnu"]
    # Symbols stay in a checkout: valgrind counts what a function takes (benchmarks/linking.py).
    if "bdist_wheel" in sys.argv and not (debug or coverage or sanitize):
        link_args += ["-Wl,--strip-all"]
if sys.platform == "win32":  # clang-cl; not run
    compile_args = ["/clang:-std=c11", "/clang:-ffp-contract=off", "/Od" if debug else "/O2"]
if coverage:  # each function once, so that its branches are counted once
    compile_args += ["--coverage", "-O0", "-Dalways_inline="]
    link_args += ["--coverage"]
if sanitize:
    compile_args += [f"-fsanitize={sanitize}", "-fno-omit-frame-pointer", "-g", "-O1"]
    link_args += [f"-fsanitize={sanitize}"]


def is_cold(source):
    """Return whether nothing that is called at every step stands in a module."""
    if source.stem.endswith("_functions"):
        return True
    if source.parts[1] != "_kernels":
        return source.parent.name not in ("_agent", "_c_api")
    return source.stem in ("agent_learning", "agent_traces", "agent_transfer", "parameters")


# Such modules are smaller by 30% with -Os. Those that pass a call on are not among them:
# infer_states of an agent with 32 states took a fifth longer.
small_args = [] if debug or coverage or sanitize or sys.platform == "win32" else ["-Os"]

csrc = [f"csrc/primitives_{level}.c" for level in PRIMITIVES] + ["csrc/dispatch.c"]
headers = [
    f"csrc/{name}.h"
    for name in (
        "freeagent_primitives",
        "primitives_body",
        "vectors",
        "matrix_products",
        "belief_columns",
        "dirichlet",
        "entropies",
        "lanes",
        "lane_messages",
        "lane_marginals",
        "marginal_messages",
    )
] + ["freeagent_core/include/freeagent_core.h"]

extensions = [
    Extension(
        str(source.with_suffix("")).replace(os.sep, "."),
        # One module owns the primitives and their dispatch; the others reach them through it.
        [str(source)] + (csrc if source.stem == "primitives" else []),
        include_dirs=["csrc", "freeagent_core/include", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=headers,
        extra_compile_args=compile_args + (small_args if is_cold(source) else []),
        extra_link_args=link_args,
    )
    for source in sorted(Path("freeagent_core").rglob("*.pyx"))
]
# Memoryviews and other helpers of Cython are compiled once, not into every module: building takes
# 155 s of processor time instead of 353, and the modules 5.6 MB instead of 10.6.
SHARED = "freeagent_core._cython_shared"
extensions.append(
    Extension(SHARED, [], extra_compile_args=compile_args + small_args, extra_link_args=link_args)
)


class BuildInParallel(build_ext):
    """On all processors; on Windows, clang-cl in the place of cl, with the same options."""

    def finalize_options(self):
        """Compile as many modules at once as there are processors, if nothing else is asked."""
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count()

    def build_extensions(self):
        """Compile all modules."""
        if sys.platform == "win32":
            self.compiler.initialize()
            self.compiler.cc = os.environ.get("CC", "clang-cl")
        super().build_extensions()

    def build_extension(self, extension):
        """Compile a module, or copy it."""
        if not reuse:
            super().build_extension(extension)
            return
        target = Path(self.get_ext_fullpath(extension.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(built_path(extension), target)


def built_path(extension):
    """Return where ``pip install -e .`` leaves a module."""
    return Path(*extension.name.split(".")).with_suffix(sysconfig.get_config_var("EXT_SUFFIX"))


def all_are_built():
    """Return whether all modules are there, and newer than whatever they are made from."""
    made_from = [Path("setup.py"), *Path("csrc").iterdir(), *map(Path, headers)]
    made_from += [
        path for kind in ("pyx", "pxd") for path in Path("freeagent_core").rglob(f"*.{kind}")
    ]
    newest = max(path.stat().st_mtime for path in made_from)
    built = [built_path(extension) for extension in extensions]
    return all(path.exists() and path.stat().st_mtime > newest for path in built)


reuse = os.environ.get("FREEAGENT_CORE_REUSE") == "1" and all_are_built()
setup(
    cmdclass={"build_ext": BuildInParallel},
    ext_modules=extensions
    if reuse
    else cythonize(
        extensions,
        # other ways to start processes would run this file again
        nthreads=os.cpu_count() if multiprocessing.get_start_method() == "fork" else 0,
        shared_utility_qualified_name=SHARED,
        compiler_directives={
            "language_level": 3,
            "boundscheck": debug,
            "wraparound": debug,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
            # 28 modules would get methods that only refuse to pickle; object's refuses too.
            "auto_pickle": False,
        },
    ),
)
