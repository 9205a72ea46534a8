"""Builds the C primitives and the Cython kernels; everything else is in pyproject.toml.

Environment variables:

- ``FREEAGENT_CORE_SANITIZE=address,undefined`` (or ``thread``) compiles with these
  sanitizers and debug information (CONTRIBUTING.md tells how to run the tests so).
- ``FREEAGENT_CORE_COVERAGE=1`` compiles with gcov's counters (tests/coverage/measure.py).
- ``FREEAGENT_CORE_DEBUG=1`` compiles without optimisation, with bounds checks.
- ``FREEAGENT_CORE_REUSE=1`` takes what ``pip install -e .`` has compiled, where that is newer than
  the sources: a wheel in seconds. Not after a build with other variables.
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
from setuptools.modified import newer_group  # noqa: E402

PRIMITIVES = ["plain", "avx2", "avx512"]

debug = os.environ.get("FREEAGENT_CORE_DEBUG") == "1"
coverage = os.environ.get("FREEAGENT_CORE_COVERAGE") == "1"
sanitize = os.environ.get("FREEAGENT_CORE_SANITIZE", "")

# -ffp-contract=off: multiply-adds are fused only where csrc/ asks for it, so that results do not
# depend on the compiler. (SIMD levels differ by rounding: csrc/freeagent_primitives.h.)
compile_args = ["-std=c11", "-ffp-contract=off", "-Wno-psabi", "-Wno-unused-function"]
compile_args += ["-O0", "-g"] if debug else ["-O3", "-g0"]
compile_args += ["-fvisibility=hidden"]  # but for the functions that Python looks up
link_args = []
if sys.platform == "linux":
    # Code and constants share pages: less to load and to map.
    link_args += ["-Wl,-z,noseparate-code", "-Wl,--hash-style=gnu"]
# Symbols stay in a checkout: valgrind counts what a function takes (benchmarks/linking.py).
strip_args = [] if debug or coverage or sanitize or sys.platform != "linux" else ["-Wl,--strip-all"]
if sys.platform == "win32":  # clang-cl; not run
    compile_args = ["/clang:-std=c11", "/clang:-ffp-contract=off", "/Od" if debug else "/O2"]
if coverage:  # each function once, so that its branches are counted once
    compile_args += ["--coverage", "-O0", "-Dalways_inline="]
    link_args += ["--coverage"]
if sanitize:
    compile_args += [f"-fsanitize={sanitize}", "-fno-omit-frame-pointer", "-g", "-O1"]
    link_args += [f"-fsanitize={sanitize}"]


# By folder: modules that make models, read arguments and copy arrays, for kernels of others.
COLD = {
    ".": ["c_api"],
    "_agent": ["population_calls"],
    "managers": ["_records"],
    "_c_api": ["arguments", "core_target", "errors", "handles", "models", "populations"]
    + ["python_agents"],
    "_kernels/agents": ["agent_history", "agent_learning", "agent_policies", "agent_traces"]
    + ["agent_transfer", "batch_threads", "batched_inference", "batched_trees", "batched_windows"]
    + ["message_passing_prior", "message_passing_window", "own_model", "parameters"]
    + ["population_rows", "processor_affinity", "rollout_run", "sampled_environment"],
    "_kernels/base": ["interrupts", "primitives", "status"],
    "_kernels/model": ["batched_model", "graph_memory", "lane_model", "message_lanes"]
    + ["packed_model", "shared_workspaces", "workspace"],
    "_kernels/planning": ["policy_plan"],
}


# Modules that read arguments at each step and pass a call on.
PASSING = ["agent_core", "agents", "calls", "learned_model", "operations", "parallel_work"]
PASSING += ["population_core", "python_input", "step_batch"]


def is_cold(source):
    """Return whether a module has no kernel, and nothing of a step that Python does not call."""
    folder = source.parent.relative_to("freeagent_core").as_posix()
    return source.stem.endswith("_functions") or source.stem in COLD.get(folder, ())


# Such modules are smaller by 40% with -Os, which adds at most half a percent to the instructions of
# a step, a hundredth to those of a call of `pymdp_v1`. Those that pass a call on are not among
# them: infer_states of an agent with 32 states took a fifth longer.
# They are smaller by a tenth with -O2.
small_args, passing_args = ["-Os"], ["-O2"]
if debug or coverage or sanitize or sys.platform == "win32":
    small_args = passing_args = []
elif sys.platform == "linux":
    # No padding before what is jumped to: 2% less. Without tables for unwinding, another 3%, the
    # stacks that debuggers show end in this package; Python's are whole. FREEAGENT_CORE_DEBUG=1 has
    # both.
    compile_args += ["-falign-jumps=1", "-fno-asynchronous-unwind-tables"]


def optimization(source):
    """Return the options that make a module smaller."""
    if is_cold(source):
        return small_args
    return passing_args if source.stem in PASSING else []


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
        [str(source)],
        include_dirs=["csrc", "freeagent_core/include", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=headers + (csrc if source.stem == "primitives" else []),
        extra_compile_args=compile_args + optimization(source),
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


# A wheel has all modules in one shared object: freeagent_core/_compiled_modules.py finds them. The
# tables by which 100 files are linked and loaded took a quarter of their size. In a checkout each
# has its own file, so that only what has changed is compiled.
BUNDLE = "freeagent_core._compiled"
OWNER = "freeagent_core._kernels.base.primitives"
OBJECTS = Path("build", f"temp.{sysconfig.get_platform()}-{sys.implementation.cache_tag}")


class BuildInParallel(build_ext):
    """On all processors; on Windows, clang-cl in the place of cl, with the same options."""

    def finalize_options(self):
        """Compile as many modules at once as there are processors, if nothing else is asked."""
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count()
        self.build_temp = str(OBJECTS)  # an editable wheel's would be a temporary one

    def run(self):
        """Note what is built before that is changed."""
        self.is_wheel = not (self.inplace or self.editable_mode)
        super().run()

    def build_extensions(self):
        """Compile all modules, each for itself or to be linked together."""
        if sys.platform == "win32":
            self.compiler.initialize()
            self.compiler.cc = os.environ.get("CC", "clang-cl")
        if not self.is_wheel:
            super().build_extensions()
            return
        names = sorted(extension.name for extension in self.extensions)
        for name in names:  # from a build in place
            Path(self.get_ext_fullpath(name)).unlink(missing_ok=True)
        link, self.compiler.link_shared_object = self.compiler.link_shared_object, keep_objects
        if not reuse:
            super().build_extensions()
        target, list_of_names = self.get_outputs()
        link(
            sorted(str(path) for extension in self.extensions for path in objects_of(extension)),
            target,
            export_symbols=[f"PyInit_{name.rpartition('.')[2]}" for name in names],
            extra_postargs=link_args + strip_args,
            build_temp=self.build_temp,
            target_lang="c",
        )
        Path(list_of_names).write_text("\n".join(names) + "\n")

    def build_extension(self, extension):
        """Compile a module. One owns the primitives; the others reach them through it."""
        made = self.get_ext_fullpath(extension.name)
        if extension.name == OWNER and newer_group(extension.sources + extension.depends, made):
            extension.extra_objects = self.compiler.compile(
                csrc,
                output_dir=self.build_temp,
                include_dirs=extension.include_dirs,
                debug=self.debug,
                extra_postargs=compile_args,
                depends=headers,
            )
        super().build_extension(extension)

    def get_outputs(self):
        """Return the files that are made."""
        if self.inplace or self.editable_mode:
            return super().get_outputs()
        target = Path(self.get_ext_fullpath(BUNDLE))
        return [str(target), str(target.parent / "_compiled_modules.txt")]


def keep_objects(*_, **__):
    """Link nothing yet."""


def objects_of(extension):
    """Return what a module's sources are compiled into."""
    suffix = ".obj" if sys.platform == "win32" else ".o"
    sources = extension.sources or [extension.name.replace(".", "/")]
    if extension.name == OWNER:
        sources = sources + csrc
    return [OBJECTS / Path(source).with_suffix(suffix) for source in sources]


def all_are_compiled():
    """Return whether all objects are there, and newer than whatever they are made from."""
    made_from = [Path("setup.py"), *Path("csrc").iterdir(), *map(Path, headers)]
    made_from += [
        path for kind in ("pyx", "pxd") for path in Path("freeagent_core").rglob(f"*.{kind}")
    ]
    newest = max(path.stat().st_mtime for path in made_from)
    objects = [path for extension in extensions for path in objects_of(extension)]
    return all(path.exists() and path.stat().st_mtime > newest for path in objects)


reuse = (
    os.environ.get("FREEAGENT_CORE_REUSE") == "1"
    and "bdist_wheel" in sys.argv
    and all_are_compiled()
)
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
