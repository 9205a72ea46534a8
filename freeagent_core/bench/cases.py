"""All kernels that are measured, by name."""

from freeagent_core.bench import model_cases, vector_cases

CASES = {**vector_cases.CASES, **model_cases.CASES}
