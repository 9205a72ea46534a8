"""How the agents of a population begin to learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freeagent_core._model.lane_packing import pack_lanes

if TYPE_CHECKING:
    from freeagent_core._kernels.agents.population_core import PopulationCore
    from freeagent_core.model import GenerativeModel


def begin_learning(core: PopulationCore, model: GenerativeModel) -> None:
    """Give a population the Dirichlet parameters that its agents begin with, unless it has them.

    Parameters
    ----------
    core : PopulationCore
    model : GenerativeModel
        Of its agents.
    """
    if not core.learns:
        lanes = pack_lanes(model, model.packed, learned=True)
        core.begin_learning(model.pA, model.pB, model.pD, lanes)
