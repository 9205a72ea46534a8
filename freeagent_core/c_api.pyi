from typing import Any

from freeagent_core.population import Population

_C_API: Any

def function_address(name: str) -> int: ...

class PopulationHandle:
    address: int
    def __init__(self, population: Population) -> None: ...
