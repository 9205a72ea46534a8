"""`RayPopulation`: the interface of `Population`, its agents in actors of Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._agent.atomic_file import write_atomically
from freeagent_core._agent.population_file import read_population
from freeagent_core._agent.population_parts import join_files, split_file
from freeagent_core._model import validation as check
from freeagent_core.model import GenerativeModel
from freeagent_core.population import Population
from freeagent_core.ray import _directory
from freeagent_core.ray._fleet import Fleet, Operation, Recovery
from freeagent_core.ray._inputs import PopulationInputs
from freeagent_core.ray._library import connected
from freeagent_core.ray._plan import Plan, check_num_cpus, plan_of
from freeagent_core.ray._population_host import PopulationHost

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


KNOWN_ERRORS = (ValueError, TypeError, FloatingPointError, MemoryError, NotImplementedError)


class PendingStep:
    """A step that was sent by `RayPopulation.step_async`."""

    def __init__(self, finish: Callable[[float | None], IntArray]) -> None:
        self._finish = finish

    def result(self, timeout: float | None = None) -> IntArray:
        """Wait for the actions.

        Parameters
        ----------
        timeout : float, optional
            Seconds.

        Returns
        -------
        actions : ndarray of intp, shape (size, num_factors)

        Raises
        ------
        ray.exceptions.GetTimeoutError
            When the time is up; the step goes on.
        """
        return self._finish(timeout)


class RayPopulation:
    """Agents of one `GenerativeModel`, in shards on actors of Ray.

    The numbers are those of one `Population` of the same size and seed, to the bit, whatever
    the number of shards. An actor or a node that is lost is replaced, and its agents restored
    to the last operation, from a checkpoint and the operations since; callers see a slow tick,
    and an entry in `recoveries`.

    Parameters
    ----------
    model : GenerativeModel
    size : int
        Number of agents.
    num_shards : int, optional
        Actors; by default one per node of the cluster.
    num_cpus : float
        Processors reserved for each actor, and its threads.
    seed : int, sequence of int or numpy.random.SeedSequence, optional
        See `Population`.
    max_in_flight : int
        Ticks that `step_async` sends before it waits for the first.
    checkpoint_interval : int
        Operations from a checkpoint to the next.
    checkpoint_directory : str or Path, optional
        On a file system that the driver and all nodes share. Checkpoints and the log of
        observations go there, and `resume` can go on after the driver's death. By default
        both are in the driver's memory.
    recovery_timeout : float
        Seconds to wait for processors to be free when an actor is lost. After that the new
        one shares processors with others.

    Attributes
    ----------
    recoveries : list of Recovery
        What was lost and restored, in order.
    num_shards : int
    num_operations : int
        Calls since the beginning that changed agents.

    Raises
    ------
    ImportError
        Without the library Ray (extra ``ray``).
    RuntimeError
        If the cluster has no room for the shards.
    FileExistsError
        If `checkpoint_directory` has a population already.

    See Also
    --------
    freeagent_core.Population : on one machine; faster there.

    Notes
    -----
    `qs`, `q_pi`, `G`, `actions` and `timesteps` are copies that are fetched from the actors
    when they are asked for.

    Examples
    --------
    >>> population = RayPopulation(model, size=1_000_000, seed=0)  # doctest: +SKIP
    >>> actions = population.step(observations)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: GenerativeModel,
        size: int,
        num_shards: int | None = None,
        num_cpus: float = 1,
        seed: Any = None,
        *,
        max_in_flight: int = 2,
        checkpoint_interval: int = 64,
        checkpoint_directory: str | Path | None = None,
        recovery_timeout: float = 30.0,
    ) -> None:
        plan = plan_of(model, size, num_shards, num_cpus, seed, checkpoint_interval)
        storage = _directory.create(checkpoint_directory, plan)
        self._begin(model, plan, storage, num_cpus, max_in_flight, recovery_timeout)

    def _begin(
        self,
        model: GenerativeModel,
        plan: Plan,
        storage: _directory.Storage | None,
        num_cpus: float,
        max_in_flight: int,
        recovery_timeout: float,
        *,
        saved: Path | None = None,
        is_resumed: bool = False,
    ) -> None:
        """Make the actors, of new agents, of a file's or of those in `storage`."""
        self._model = model
        self._plan = plan
        self._storage = storage
        self._inputs = PopulationInputs(model, plan.bounds[-1])
        self._is_shut_down = False
        try:
            logs, number = None, 0
            if storage is not None and is_resumed:
                logs, number = _directory.read_logs(storage)
            threads = max(int(num_cpus), 1)
            shared = connected().put(model)
            parts = list(pairwise(plan.bounds))
            self._fleet = Fleet(
                PopulationHost,
                [(shared, stop - start, start, plan.seed, threads) for start, stop in parts],
                [f"agents {start} to {stop - 1}" for start, stop in parts],
                num_cpus,
                check.integer(max_in_flight, 1, None, "max_in_flight"),
                plan.checkpoint_interval,
                recovery_timeout,
                None if storage is None else storage.shards,
                logs,
                number,
            )
        except BaseException:
            if storage is not None:
                storage.release()
            raise
        try:
            if saved is not None:
                with open(saved, "rb") as file:
                    contents = split_file(file, plan.bounds)
                    for shard, part in zip(self._fleet.shards, contents, strict=True):
                        shard.begin_from(part)
            if is_resumed:
                for shard in self._fleet.shards:
                    shard.catch_up()
            elif storage is not None:
                _directory.complete(storage, model, plan)
        except BaseException:
            self.shutdown(wait=False)
            raise

    @classmethod
    def resume(
        cls,
        checkpoint_directory: str | Path,
        model: GenerativeModel,
        num_cpus: float = 1,
        *,
        max_in_flight: int = 2,
        recovery_timeout: float = 30.0,
    ) -> RayPopulation:
        """Go on where a driver ended that had a `checkpoint_directory`.

        Parameters
        ----------
        checkpoint_directory : str or Path
        model : GenerativeModel
            The one it was made with.
        num_cpus, max_in_flight, recovery_timeout
            See the class.

        Returns
        -------
        population : RayPopulation
            After the last operation that the driver had logged, which it may not have seen
            the results of: `num_operations`, `actions` and `timesteps` tell.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no population, or one of another model.
        ShardLostError
            If no checkpoint of a shard can be read that its log goes on from.
        BlockingIOError
            If another driver is using it.
        """
        check_num_cpus(num_cpus)
        storage, plan = _directory.open_existing(Path(checkpoint_directory), model)
        population = cls.__new__(cls)
        population._begin(
            model, plan, storage, num_cpus, max_in_flight, recovery_timeout, is_resumed=True
        )
        return population

    # --- what callers look at --------------------------------------------------------------

    @property
    def model(self) -> GenerativeModel:
        """The model that the agents share."""
        return self._model

    @property
    def recoveries(self) -> list[Recovery]:
        """What was lost and restored."""
        return list(self._fleet.recoveries)

    @property
    def num_shards(self) -> int:
        """Number of actors."""
        return len(self._plan.bounds) - 1

    @property
    def num_operations(self) -> int:
        """Calls since the beginning that changed agents, those in flight included."""
        return self._fleet.shards[0].number

    @property
    def qs(self) -> tuple[FloatArray, ...]:
        """Beliefs per factor, each of shape (size, num_states[f]); see `Population`."""
        return _joined(self._read("attribute", "qs"))

    @property
    def q_pi(self) -> FloatArray:
        """Policy posteriors, shape (size, num_policies)."""
        return np.concatenate(self._read("attribute", "q_pi"))

    @property
    def G(self) -> FloatArray:
        """Negative expected free energies in nats, shape (size, num_policies)."""
        return np.concatenate(self._read("attribute", "G"))

    @property
    def F(self) -> FloatArray:
        """Variational free energies in nats with MMP, shape (size, num_policies)."""
        return np.concatenate(self._read("attribute", "F"))

    @property
    def actions(self) -> IntArray:
        """The last actions, shape (size, num_factors)."""
        return np.concatenate(self._read("attribute", "actions"))

    @property
    def timesteps(self) -> IntArray:
        """Actions since the start or the last `reset`, shape (size,)."""
        return np.concatenate(self._read("attribute", "timesteps"))

    def policies_of(self, index: int) -> tuple[FloatArray, FloatArray]:
        """Return ``q_pi`` and ``G`` of one agent; see `Population.policies_of`."""
        found: tuple[FloatArray, FloatArray] = self._of_agent("policies_of", index)
        return found

    def sequences(self, index: int) -> list[FloatArray]:
        """Return agent `index`'s beliefs given each policy, with MMP; see `Population`."""
        found: list[FloatArray] = self._of_agent("sequences", index)
        return found

    def parameters(self, index: int) -> dict[str, Any]:
        """Return what agent `index` has learned; see `Population.parameters`."""
        found: dict[str, Any] = self._of_agent("parameters", index)
        return found

    def __len__(self) -> int:
        return self._plan.bounds[-1]

    def __repr__(self) -> str:
        return f"RayPopulation({self._model!r}, size={len(self)}, num_shards={self.num_shards})"

    # --- operations ------------------------------------------------------------------------

    def step(self, observations: Any, mask: Any = None) -> IntArray:
        """Take each agent's observation to its action; see `Population.step`."""
        return self.step_async(observations, mask).result()

    def step_async(self, observations: Any, mask: Any = None) -> PendingStep:
        """Send a step without waiting for its actions.

        Parameters
        ----------
        observations, mask
            See `Population.step`.

        Returns
        -------
        pending : PendingStep

        Notes
        -----
        Steps are carried out in the order in which they are sent. While `max_in_flight` of
        them have not been completed, the call waits.
        """
        present = self._inputs.mask(mask)
        observed = self._inputs.observations(observations, present)
        operation = self._submit("step", observed, present)
        return PendingStep(lambda timeout: np.concatenate(self._results(operation, timeout)))

    def infer_states(self, observations: Any, mask: Any = None) -> tuple[FloatArray, ...]:
        """Update the beliefs of the present agents; see `Population.infer_states`."""
        present = self._inputs.mask(mask)
        observed = self._inputs.observations(observations, present)
        return _joined(self._results(self._submit("infer_states", observed, present)))

    def infer_policies(self, mask: Any = None) -> tuple[FloatArray, FloatArray] | None:
        """Evaluate the policies of the present agents; see `Population.infer_policies`."""
        results = self._results(self._submit("infer_policies", self._inputs.mask(mask)))
        if results[0] is None:
            return None
        q_pi, G = _joined(results)
        return q_pi, G

    def sample_action(self, mask: Any = None) -> IntArray:
        """Choose actions from `q_pi`; see `Population.sample_action`."""
        operation = self._submit("sample_action", self._inputs.mask(mask))
        return np.concatenate(self._results(operation))

    def reset(self, mask: Any = None) -> None:
        """Begin a new episode; see `Population.reset`."""
        self._results(self._submit("reset", self._inputs.mask(mask)))

    def update_A(self, observations: Any, mask: Any = None) -> None:
        """Let each present agent learn its likelihoods; see `Population.update_A`."""
        present = self._inputs.mask(mask)
        observed = self._inputs.observations(observations, present)
        self._results(self._submit("update_A", observed, present))

    def update_B(self, qs_prev: Sequence[Any], mask: Any = None) -> None:
        """Let each present agent learn its transitions; see `Population.update_B`."""
        beliefs = self._inputs.beliefs(qs_prev, "qs_prev")
        self._results(self._submit("update_B", self._inputs.mask(mask), *beliefs))

    def update_D(self, qs_t0: Sequence[Any], mask: Any = None) -> None:
        """Let each present agent learn its initial states; see `Population.update_D`."""
        beliefs = self._inputs.beliefs(qs_t0, "qs_t0")
        self._results(self._submit("update_D", self._inputs.mask(mask), *beliefs))

    # --- files -----------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write all state of the agents to one file, atomically.

        Parameters
        ----------
        path : str or Path
            On the driver's machine.

        Notes
        -----
        The file is one of `Population.save`: either class loads it, in any number of shards. It
        is put together in the driver's memory.
        """
        parts = self._read("snapshot")
        write_atomically(Path(path), lambda file: join_files(parts, file))

    @classmethod
    def load(
        cls,
        path: str | Path,
        model: GenerativeModel,
        num_shards: int | None = None,
        num_cpus: float = 1,
        *,
        max_in_flight: int = 2,
        checkpoint_interval: int = 64,
        checkpoint_directory: str | Path | None = None,
        recovery_timeout: float = 30.0,
    ) -> RayPopulation:
        """Return the population that `save` wrote, or `Population.save`.

        Parameters
        ----------
        path : str or Path
        model : GenerativeModel
            The model that it was saved with.
        num_shards, num_cpus, max_in_flight, checkpoint_interval, checkpoint_directory
        recovery_timeout
            See the class.

        Returns
        -------
        population : RayPopulation
            Goes on exactly as the saved one would have.

        Raises
        ------
        ValueError
            If the file is not one of `save`, of another version, or of another model.
        """
        contents = read_population(Path(path), model)
        contents.check(Population(model, 1)._core)
        plan = plan_of(model, contents.size, num_shards, num_cpus, 0, checkpoint_interval)
        storage = _directory.create(checkpoint_directory, plan)
        population = cls.__new__(cls)
        population._begin(
            model, plan, storage, num_cpus, max_in_flight, recovery_timeout, saved=Path(path)
        )
        return population

    # --- end -------------------------------------------------------------------------------

    def shutdown(self, wait: bool = True) -> None:
        """End the actors; the agents are gone but for `save` and `checkpoint_directory`.

        Parameters
        ----------
        wait : bool
            Let ticks in flight and checkpoints under way finish.
        """
        if self._is_shut_down:
            return
        self._is_shut_down = True
        if wait:
            self._fleet.complete_all()
        self._fleet.end(wait)
        if self._storage is not None:
            self._storage.release()

    def __enter__(self) -> RayPopulation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown(wait=kind is None)

    # --- inside ----------------------------------------------------------------------------

    def _submit(self, operation: str, *arguments: npt.NDArray[Any] | None) -> Operation:
        """Send an operation, with each shard's rows of the arrays."""
        if self._is_shut_down:
            raise RuntimeError("the RayPopulation is shut down")
        bounds = self._plan.bounds
        parts = [
            tuple(None if array is None else array[start:stop] for array in arguments)
            for start, stop in pairwise(bounds)
        ]
        return self._fleet.submit(operation, parts)

    def _results(self, operation: Operation, timeout: float | None = None) -> list[Any]:
        """Return the shards' results, or raise the first error."""
        outcomes = self._fleet.complete(operation, timeout)
        failed = [i for i, (succeeded, _) in enumerate(outcomes) if not succeeded]
        if failed:
            first = failed[0]
            start, stop = self._plan.bounds[first], self._plan.bounds[first + 1]
            error = outcomes[first][1]
            where = f"agents {start} to {stop - 1} (counted from 0 here): "
            others = "" if len(failed) == len(outcomes) else "; other shards have been done"
            kind = type(error) if isinstance(error, KNOWN_ERRORS) else RuntimeError
            raise kind(f"{where}{error}{others}") from error
        return [result for _, result in outcomes]

    def _read(self, name: str, *arguments: Any) -> list[Any]:
        if self._is_shut_down:
            raise RuntimeError("the RayPopulation is shut down")
        return self._fleet.read(name, *arguments)

    def _of_agent(self, method: str, index: int) -> Any:
        index = check.integer(index, 0, len(self), "index")
        shard = int(np.searchsorted(self._plan.bounds, index, side="right")) - 1
        with self._fleet.lock:
            self._fleet.complete_all()
            return self._fleet.shards[shard].read(
                "of_agent", method, index - self._plan.bounds[shard]
            )


def _joined(parts: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
