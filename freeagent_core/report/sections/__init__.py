"""The sections of a report, each from the findings.

`text` and `curves` are shared; one module for each of the others.
"""

from freeagent_core.report.sections.capacity import capacity
from freeagent_core.report.sections.coordination import coordination, overhead
from freeagent_core.report.sections.inflection import inflection
from freeagent_core.report.sections.recommendation import recommendation
from freeagent_core.report.sections.scaling import scaling
from freeagent_core.report.sections.text import SPREAD
from freeagent_core.report.sections.time import peers, time_split

__all__ = [
    "SPREAD",
    "capacity",
    "coordination",
    "inflection",
    "overhead",
    "peers",
    "recommendation",
    "scaling",
    "time_split",
]
