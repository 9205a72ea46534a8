"""pymdp's two plots, with matplotlib (the extra ``report``)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def pyplot() -> Any:
    """Return ``matplotlib.pyplot``, or raise an error that says how to install it."""
    try:
        from matplotlib import pyplot as module
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'freeagent-core[report]'") from error
    return module


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
    plt = pyplot()
    states = range(len(belief_dist))
    plt.grid(zorder=0)
    plt.bar(states, belief_dist, color="r", zorder=3)
    plt.xticks(states)
    plt.title(title)
    plt.show()


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
    plt = pyplot()
    plt.imshow(A, cmap="OrRd", aspect="auto")
    plt.colorbar()
    plt.xticks(range(A.shape[1]))
    plt.yticks(range(A.shape[0]))
    plt.title(title)
    plt.show()
