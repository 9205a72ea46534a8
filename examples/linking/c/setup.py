"""Build `corridor` in place: ``python setup.py build_ext --inplace``; ``corridor.run(1000, 5)``."""

from setuptools import Extension, setup

import freeagent_core

corridor = Extension("corridor", ["corridor.c"], include_dirs=[freeagent_core.get_include()])
setup(name="corridor", ext_modules=[corridor])
