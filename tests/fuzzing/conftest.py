"""The targets are commands, and atheris is not among the packages that the tests need."""

collect_ignore = ["fuzz.py"]
