"""`Population`: many agents of one model, stepped by one call without the GIL."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from freeagent_core._agent import threads
from freeagent_core._agent.parameters import parameters_of, to_learn
from freeagent_core._agent.population_calls import PopulationCalls
from freeagent_core._agent.population_file import read_population, write_population
from freeagent_core._agent.random_streams import agent_streams
from freeagent_core._kernels.agents.population_core import PopulationCore
from freeagent_core._kernels.base.state_lock import StateLock
from freeagent_core._model import validation as check
from freeagent_core._model.lane_packing import pack_lanes
from freeagent_core._model.layout import belief_slices
from freeagent_core._model.message_lane_packing import pack_message_lanes
from freeagent_core.model import GenerativeModel

if TYPE_CHECKING:
    from freeagent_core._c_api.interfaces import PopulationInterface
    from freeagent_core.c_api import PopulationHandle

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

MAX_POPULATION_ENTRIES = 2**27  # 1 GiB

INFER_STATES, INFER_POLICIES, SAMPLE_ACTION, LEARN_A, LEARN_B, LEARN_D = 1, 2, 4, 8, 16, 32
STEP = INFER_STATES | INFER_POLICIES | SAMPLE_ACTION


class Population:
    """Agents of one `GenerativeModel` in contiguous arrays.

    One call per tick crosses Python once, steps all agents on native threads with the GIL
    released, and returns their actions. The numbers are those of `size` times `Agent`; each
    agent has its own stream of random numbers, so that results do not depend on the number
    of threads, on the other agents or on NumPy's global generator.

    Parameters
    ----------
    model : GenerativeModel
    size : int
        Number of agents.
    num_threads : int, optional
        Threads that a call may use, the caller's included; by default one per processor.
        `population.num_threads` may be assigned.
    seed : int, sequence of int or numpy.random.SeedSequence, optional
        Of the agents' random streams; agent i's stream depends on `seed` and i alone.
    first_agent : int
        Index of the first agent, where this is a part of a larger population: agent i has the
        random stream of that one's agent ``first_agent + i``.

    Attributes
    ----------
    qs : tuple of ndarray of float64, shape (size, num_states[f])
        Beliefs per factor: read-only views, which later calls write to. With MMP those about
        the present step, averaged over policies (`sequences` has the rest).
    q_pi, G : ndarray of float64, shape (size, num_policies)
        Policy posteriors and negative expected free energies (nats): read-only views.
    actions : ndarray of intp, shape (size, num_factors)
        The last actions: a read-only view.
    timesteps : ndarray of intp, shape (size,)
        Actions since the start or the last `reset`: a read-only view.
    model : GenerativeModel

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape, before any agent changes.

    See Also
    --------
    freeagent_core.Agent : one agent, with pymdp's interface.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import GenerativeModel, Population
    >>> model = GenerativeModel(A=np.eye(2), B=np.stack([np.eye(2), 1 - np.eye(2)], axis=-1),
    ...                         C=np.array([0.0, 2.0]))
    >>> population = Population(model, size=3, seed=1)
    >>> population.step([0, 1, 0])
    array([[1],
           [0],
           [1]])
    >>> population.qs[0].shape, population.q_pi.shape
    ((3, 2), (3, 2))
    """

    def __init__(
        self,
        model: GenerativeModel,
        size: int,
        num_threads: int | None = None,
        seed: Any = None,
        *,
        first_agent: int = 0,
    ) -> None:
        if not isinstance(model, GenerativeModel):
            raise TypeError(f"model must be a GenerativeModel, got {type(model).__name__}")
        self._model = model
        self._size = check.integer(size, 1, None, "size")
        self.num_threads = num_threads
        lanes = pack_lanes(model, model.packed)
        window_lanes = pack_message_lanes(model, model.packed, model.inference_horizon)
        self._core = PopulationCore(
            model.packed, self._size, parameters_of(model), lanes, window_lanes
        )
        self._lock = StateLock()
        self._handles: dict[str, PopulationHandle] = {}  # of the C interface: one, when asked for
        self._calls = PopulationCalls(model, self._core, self._lock)
        first = check.integer(first_agent, 0, None, "first_agent")
        self._core.state["random"][:] = agent_streams(seed, first, self._size)
        self._core.begin_episodes(np.ones(self._size, dtype=np.uint8))
        self._views = {name: _read_only(array) for name, array in self._core.state.items()}
        self._slices = belief_slices(model.num_states)
        self._qs = tuple(self._views["qs"][:, states] for states in self._slices)

    # --- what callers look at --------------------------------------------------------------

    @property
    def model(self) -> GenerativeModel:
        """The model that the agents share."""
        return self._model

    @property
    def num_threads(self) -> int:
        """Threads that a call may use, the caller's included."""
        return self._num_threads

    @num_threads.setter
    def num_threads(self, value: int | None) -> None:
        self._num_threads = (
            threads.num_cpus() if value is None else check.integer(value, 1, None, "num_threads")
        )

    @property
    def qs(self) -> tuple[FloatArray, ...]:
        """Beliefs per factor, each of shape (size, num_states[f])."""
        return self._qs

    @property
    def q_pi(self) -> FloatArray:
        """Policy posteriors, shape (size, num_policies); see `policies_of`."""
        return self._all_policies("q_pi", 0)

    @property
    def G(self) -> FloatArray:
        """Negative expected free energies in nats, shape (size, num_policies); `policies_of`."""
        return self._all_policies("G", 1)

    def policies_of(self, index: int) -> tuple[FloatArray, FloatArray]:
        """Return ``q_pi`` and ``G`` of one agent, each of shape (num_policies,).

        Policies that are too many to keep (more than 8192, where steps need no such arrays)
        are enumerated when they are asked for, by evaluating them again. An agent that has learned
        since has to `infer_policies` first.

        Parameters
        ----------
        index : int

        Returns
        -------
        q_pi, G : ndarray of float64, shape (num_policies,)
        """
        index = check.integer(index, 0, self._size, "index")
        with self._lock:
            return self._core.enumerate_policies(index)

    def _all_policies(self, name: str, position: int) -> FloatArray:
        if self._model.packed.enumerates_policies:
            return self._views[name]
        count = self._size * len(self._model.policy_arrays)
        if count > MAX_POPULATION_ENTRIES:
            raise ValueError(
                f"{name} of all agents has {count} entries, too many to list at once; "
                "policies_of(index) lists those of one agent"
            )
        return np.stack([self.policies_of(i)[position] for i in range(self._size)])

    @property
    def F(self) -> FloatArray:
        """Variational free energies in nats with MMP, shape (size, num_policies): a copy."""
        return self._message_passing_core("F").free_energies()

    def sequences(self, index: int) -> list[FloatArray]:
        """Return agent `index`'s beliefs given each policy, with MMP.

        Parameters
        ----------
        index : int

        Returns
        -------
        sequences : list of ndarray of float64, shape (num_policies, steps, num_states[f])
            Per factor; the steps observed, then those that are planned.
        """
        core = self._message_passing_core("sequences")
        rows = core.sequences(check.integer(index, 0, self._size, "index"))
        return [rows[:, :, states] for states in self._slices]

    @property
    def actions(self) -> IntArray:
        """The last actions, shape (size, num_factors)."""
        return self._views["action"]

    @property
    def timesteps(self) -> IntArray:
        """Actions since the start or the last `reset`, shape (size,)."""
        return self._views["time"][:, 0]

    def parameters(self, index: int) -> dict[str, Any]:
        """Return what agent `index` has learned.

        Parameters
        ----------
        index : int

        Returns
        -------
        parameters : dict
            ``A, B, D, pA, pB, pD``: object arrays of read-only arrays, or None.
        """
        index = check.integer(index, 0, self._size, "index")
        with self._lock:
            found = {}
            for name in ("A", "B", "D", "pA", "pB", "pD"):
                own = self._core.learned(index, name)
                for array in () if own is None else own:
                    array.flags.writeable = False
                found[name] = getattr(self._model, name) if own is None else own
            return found

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"Population({self._model!r}, size={self._size})"

    # --- the step --------------------------------------------------------------------------

    def step(self, observations: Any, mask: Any = None) -> IntArray:
        """Take each agent's observation to its action.

        Parameters
        ----------
        observations : array_like of int, shape (size, num_modalities)
            An index per modality; with one modality shape (size,) as well.
        mask : array_like of bool, shape (size,), optional
            False for agents that are absent: they stay as they are, whatever their row of
            `observations` has.

        Returns
        -------
        actions : ndarray of intp, shape (size, num_factors)
            A new array; rows of absent agents are -1.

        Raises
        ------
        FloatingPointError
            If beliefs became NaN or infinite. The agents that are named stay as they were;
            the others have stepped.
        KeyboardInterrupt
            On Ctrl-C, when the agents at work are done: each agent has stepped, or is as it was.
            `timesteps` tells which have, `actions` has what they chose, and a step with
            ``mask=population.timesteps == before`` is the rest of the tick.
        """
        return self._calls.act(STEP, self._num_threads, mask, observations)

    def infer_states(self, observations: Any, mask: Any = None) -> tuple[FloatArray, ...]:
        """Update the beliefs of the present agents; see `step`. Returns `qs`."""
        self._calls.run(INFER_STATES, self._num_threads, mask, observations)
        return self._qs

    def infer_policies(self, mask: Any = None) -> tuple[FloatArray, FloatArray] | None:
        """Evaluate the policies of the present agents. Returns `q_pi` and `G`, or None where
        there are too many to keep (`policies_of`)."""
        self._calls.run(INFER_POLICIES, self._num_threads, mask)
        if not self._model.packed.enumerates_policies:
            return None
        return self.q_pi, self.G

    def sample_action(self, mask: Any = None) -> IntArray:
        """Choose actions from `q_pi`; returns them like `step`."""
        return self._calls.act(SAMPLE_ACTION, self._num_threads, mask)

    def reset(self, mask: Any = None) -> None:
        """Begin a new episode: uniform beliefs, no last action, D as the next prior.

        Parameters
        ----------
        mask : array_like of bool, shape (size,), optional
            True for the agents to reset; all by default.

        Notes
        -----
        What agents have learned, and their random streams, go on.
        """
        self._calls.reset(mask)

    # --- learning --------------------------------------------------------------------------

    def update_A(self, observations: Any, mask: Any = None) -> None:
        """Let each present agent learn its likelihoods, like `Agent.update_A`.

        Parameters
        ----------
        observations, mask
            See `step`.

        Notes
        -----
        An agent's first update copies the model's arrays of A; `parameters` shows them.
        """
        model = self._model
        wanted = to_learn(model.modalities_to_learn, model.num_modalities)
        self._calls.run(
            *(LEARN_A, self._num_threads, mask, observations, None, None, wanted, model.lr_pA)
        )

    def update_B(self, qs_prev: Sequence[Any], mask: Any = None) -> None:
        """Let each present agent learn its transitions, like `Agent.update_B`.

        Parameters
        ----------
        qs_prev : sequence of array_like, each of shape (size, num_states[f])
            Beliefs before the last action: copies of `qs` made then.
        mask : array_like of bool, shape (size,), optional
        """
        model = self._model
        wanted = to_learn(model.factors_to_learn, model.num_factors)
        self._calls.run(
            *(LEARN_B, self._num_threads, mask, None, qs_prev, "qs_prev", wanted, model.lr_pB)
        )

    def update_D(self, qs_t0: Sequence[Any], mask: Any = None) -> None:
        """Let each present agent learn its initial states, like `Agent.update_D`.

        Parameters
        ----------
        qs_t0 : sequence of array_like, each of shape (size, num_states[f])
            Beliefs at the first step.
        mask : array_like of bool, shape (size,), optional
        """
        model = self._model
        wanted = to_learn(model.factors_to_learn, model.num_factors)
        self._calls.run(
            *(LEARN_D, self._num_threads, mask, None, qs_t0, "qs_t0", wanted, model.lr_pD)
        )

    # --- compiled callers ------------------------------------------------------------------

    @property
    def ctypes(self) -> PopulationInterface:
        """The C interface's functions of this population for ctypes and Numba.

        A named tuple like ``numpy.random.BitGenerator.ctypes``: ``state_address``, ``state``,
        ``step`` and the others of ``freeagent_core.h``.
        """
        from freeagent_core._c_api.interfaces import ctypes_interface

        return ctypes_interface(self, self._c_handle())

    @property
    def cffi(self) -> PopulationInterface:
        """The C interface's functions of this population for cffi; see `ctypes`."""
        from freeagent_core._c_api.interfaces import cffi_interface

        return cffi_interface(self, self._c_handle())

    # One for the population's life.
    def _c_handle(self) -> PopulationHandle:
        from freeagent_core.c_api import PopulationHandle

        if not self._handles:
            self._handles.setdefault("population", PopulationHandle(self))
        return self._handles["population"]

    # --- files -----------------------------------------------------------------------------

    def save(self, path: str | Path | BinaryIO) -> None:
        """Write all state of the agents to a file, atomically.

        Parameters
        ----------
        path : str, Path or binary file
            An existing file is replaced when the new one is complete. A file object, such as
            `io.BytesIO`, is written to as it is.
        """
        with self._lock:
            write_population(_opened(path), self._model, self._core)

    @classmethod
    def load(
        cls, path: str | Path | BinaryIO, model: GenerativeModel, num_threads: int | None = None
    ) -> Population:
        """Return the population that `save` wrote.

        Parameters
        ----------
        path : str, Path or binary file
        model : GenerativeModel
            The model that it was saved with; the file has the agents' state alone.
        num_threads : int, optional

        Returns
        -------
        population : Population
            Goes on exactly as the saved one would have.

        Raises
        ------
        ValueError
            If the file is not one of `save`, of another version, or of another model.
        """
        contents = read_population(_opened(path), model)
        contents.check(cls(model, 1, 1, seed=0)._core)  # before memory is taken
        population = cls(model, contents.size, num_threads, seed=0)
        contents.restore(population._core)
        return population

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles and copies have the model and what `save` writes; they go on as this one."""
        file = io.BytesIO()
        self.save(file)
        return _restored, (type(self), self._model, self._num_threads, file.getvalue())

    # --- inside ----------------------------------------------------------------------------

    def _message_passing_core(self, name: str) -> PopulationCore:
        if self._model.inference_algo != "MMP":
            raise AttributeError(f"{name} belongs to inference_algo 'MMP'")
        return self._core


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _restored(
    cls: type[Population], model: GenerativeModel, num_threads: int, contents: bytes
) -> Population:
    return cls.load(io.BytesIO(contents), model, num_threads)


def _opened(path: str | Path | BinaryIO) -> Path | BinaryIO:
    return Path(path) if isinstance(path, str | os.PathLike) else path
