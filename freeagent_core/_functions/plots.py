"""pymdp's two plots, with matplotlib (the extra ``report``)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'freeagent-core[report]'") from error
    return pyplot


def plot_beliefs(belief_dist: npt.NDArray[np.float64], title: str = "") -> None:
    """Show a belief as bars.

    Parameters
    ----------
    belief_dist : ndarray, shape (num_states,)
    title : str

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    pyplot = _pyplot()
    states = range(len(belief_dist))
    pyplot.grid(zorder=0)
    pyplot.bar(states, belief_dist, color="r", zorder=3)
    pyplot.xticks(states)
    pyplot.title(title)
    pyplot.show()


def plot_likelihood(A: npt.NDArray[np.float64], title: str = "") -> None:
    """Show a likelihood as a map: outcomes down, states across.

    Parameters
    ----------
    A : ndarray, shape (num_obs, num_states)
    title : str

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    pyplot = _pyplot()
    pyplot.imshow(A, cmap="OrRd", aspect="auto")
    pyplot.colorbar()
    pyplot.xticks(range(A.shape[1]))
    pyplot.yticks(range(A.shape[0]))
    pyplot.title(title)
    pyplot.show()
