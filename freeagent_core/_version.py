"""The version, in a file of its own so that setup can read it without the kernels."""

__version__ = "0.2.0"
