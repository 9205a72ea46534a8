"""``freeagent-core bench``: each kernel over sizes, beside NumPy, pymdp and the machine's limit.

``benchmarks/test_kernels.py`` runs the same cases under pytest-benchmark.
"""
