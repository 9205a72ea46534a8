"""Build `grid` in place: ``python setup.py build_ext --inplace``; then ``python run.py``."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import freeagent_core

grid = Extension("grid", ["grid.pyx"], include_dirs=[freeagent_core.get_include()])
setup(name="grid", ext_modules=cythonize([grid], language_level=3))
