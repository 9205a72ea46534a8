"""Models by names: tensors whose axes and entries have labels, as ``pymdp.distribution`` has them.

>>> model = compile_model(
...     {
...         "observations": {"seen": {"elements": ["left", "right"], "depends_on": ["place"]}},
...         "controls": {"move": {"elements": ["stay", "go"]}},
...         "states": {
...             "place": {
...                 "elements": ["left", "right"],
...                 "depends_on": ["place"],
...                 "controlled_by": ["move"],
...             }
...         },
...     }
... )
>>> model.A["seen"]["left", "left"] = 1.0
>>> model.A["seen"]["right", "right"] = 1.0
>>> model.A["seen"].data
array([[1., 0.],
       [0., 1.]])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1._arrays import Array, as_array
from freeagent_core.pymdp_v1.utils import norm_dist

Labels = Mapping[str, Sequence[Any]]


class Distribution:
    """A tensor with labelled axes: outcomes first, then what they are conditioned on.

    ``d["A", :, "up"]`` reads and writes by label, by index or whole axes, in the order of `event`
    and then `batch`; axes left off are taken whole. Lists on several axes select the block that
    they describe; `points` zips them instead.

    Parameters
    ----------
    event : dict of str to list
        The labels of each axis of outcomes.
    batch : dict of str to list, optional
        The labels of each axis of conditions.
    data : array, optional
        By default zeros.

    Attributes
    ----------
    data : ndarray
        Assigning another array needs one of the same shape.

    Examples
    --------
    >>> d = Distribution({"o": ["A", "B"]}, {"s": ["C", "D"]})
    >>> d["A", ["C", "D"]] = [0.25, 1.0]
    >>> d["B", "C"] = 0.75
    >>> d.data
    array([[0.25, 1.  ],
           [0.75, 0.  ]])
    """

    def __init__(self, event: Labels, batch: Labels | None = None, data: Any = None) -> None:
        self.event = event
        self.batch: Labels = {} if batch is None else batch
        self.event_indices = {key: _positions(labels) for key, labels in event.items()}
        self.batch_indices = {key: _positions(labels) for key, labels in self.batch.items()}
        sizes = [len(labels) for labels in [*event.values(), *self.batch.values()]]
        self._data: Array = np.zeros(sizes) if data is None else as_array(data)

    @property
    def data(self) -> Array:
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        array = as_array(value)
        if array.shape != self._data.shape:
            raise ValueError(
                f"When setting the tensor directly, the new shape {array.shape} must match the "
                f"existing tensor shape {self._data.shape}"
            )
        self._data = array

    def get(
        self,
        batch: Mapping[str, Any] | None = None,
        event: Mapping[str, Any] | None = None,
        *,
        pointwise: bool = False,
    ) -> Array:
        """Read what labels select, axes in the order of `event` and then `batch`.

        Parameters
        ----------
        batch, event : dict of str to label, index, or list of these
            Axes that are not named are taken whole.
        pointwise : bool, default False
            Zip lists into single points, see `points`.

        Returns
        -------
        array

        Examples
        --------
        >>> Distribution({"o": ["A", "B"]}, {"s": ["C", "D"]}, np.eye(2)).get({"s": "C"})
        array([1., 0.])
        """
        return np.asarray(self._data[self._by_name(batch, event, pointwise)])

    def set(
        self,
        batch: Mapping[str, Any] | None = None,
        event: Mapping[str, Any] | None = None,
        values: Any = None,
        *,
        pointwise: bool = False,
    ) -> None:
        """Write what labels select; values broadcast to the block by NumPy's rules.

        Parameters
        ----------
        batch, event : dict of str to label, index, or list of these
            Axes that are not named are taken whole.
        values : array or float
        pointwise : bool, default False
            Zip lists into single points, see `points`.

        Examples
        --------
        >>> d = Distribution({"o": ["A", "B"]}, {"s": ["C", "D"]})
        >>> d.set({"s": ["C", "D"]}, {"o": ["A", "B"]}, 1.0, pointwise=True)
        >>> d.data
        array([[1., 0.],
               [0., 1.]])
        """
        self._data[self._by_name(batch, event, pointwise)] = values

    @property
    def points(self) -> _Points:
        """Reading and writing single points: lists on several axes are zipped.

        ``d.points[["A", "B"], ["C", "D"], "up"]`` are the entries (A, C, up) and (B, D, up). Lists
        must have one length, and there must be at least one.
        """
        return _Points(self)

    def normalize(self) -> None:
        """Divide by the sums along the first axis."""
        self.data = norm_dist(self.data)

    def __getitem__(self, labels: Any) -> Any:
        return self._data[self._by_position(labels, False)]

    def __setitem__(self, labels: Any, value: Any) -> None:
        self._data[self._by_position(labels, False)] = value

    def __repr__(self) -> str:
        return f"Distribution({self.event}, {self.batch})\n {self.data}"

    def _by_name(
        self, batch: Mapping[str, Any] | None, event: Mapping[str, Any] | None, pointwise: bool
    ) -> tuple[Any, ...]:
        chosen = [
            _index((named or {}).get(key, slice(None)), positions)
            for named, axes in ((event, self.event_indices), (batch, self.batch_indices))
            for key, positions in axes.items()
        ]
        return self._selection(chosen, pointwise)

    def _by_position(self, labels: Any, pointwise: bool) -> tuple[Any, ...]:
        if not isinstance(labels, tuple):
            labels = (labels,)
        axes = [*self.event_indices.values(), *self.batch_indices.values()]
        if len(labels) > len(axes):
            raise IndexError(
                f"too many indices for Distribution: it has {len(axes)} axes, but {len(labels)} "
                "were indexed"
            )
        chosen = [_index(label, axis) for label, axis in zip(labels, axes, strict=False)]
        return self._selection(chosen + [slice(None)] * (len(axes) - len(chosen)), pointwise)

    def _selection(self, chosen: list[Any], pointwise: bool) -> tuple[Any, ...]:
        """Return what to index the array with: indices, whole axes, or arrays that broadcast."""
        lengths = {len(c) for c in chosen if isinstance(c, list)}
        if not lengths:
            if pointwise:
                raise ValueError("pointwise indexing needs a list of labels on at least one axis")
            return tuple(chosen)
        if pointwise and len(lengths) > 1:
            raise ValueError(
                f"pointwise lists must all have the same length, got lengths {sorted(lengths)}"
            )
        # one axis of the result for each list (pointwise: for all of them) and each whole axis
        result_axis: list[int | None] = []
        count, zipped = 0, None
        for c in chosen:
            if isinstance(c, list) and pointwise and zipped is not None:
                result_axis.append(zipped)
            elif isinstance(c, list | slice):
                result_axis.append(count)
                zipped = count if isinstance(c, list) else zipped
                count += 1
            else:
                result_axis.append(None)
        selection = []
        for axis, (c, at) in enumerate(zip(chosen, result_axis, strict=True)):
            if at is None:
                selection.append(c)
                continue
            entries = range(self._data.shape[axis]) if isinstance(c, slice) else c
            shape = [1] * count
            shape[at] = -1
            selection.append(np.array(entries, dtype=int).reshape(shape))
        return tuple(selection)


class _Points:
    """What `Distribution.points` returns."""

    def __init__(self, distribution: Distribution) -> None:
        self._distribution = distribution

    def __getitem__(self, labels: Any) -> Any:
        d = self._distribution
        return d._data[d._by_position(labels, True)]

    def __setitem__(self, labels: Any, values: Any) -> None:
        d = self._distribution
        d._data[d._by_position(labels, True)] = values


def _positions(labels: Sequence[Any]) -> dict[Any, int]:
    return {label: i for i, label in enumerate(labels)}


def _index(label: Any, positions: Mapping[Any, int]) -> Any:
    if isinstance(label, slice):
        return slice(None)
    if isinstance(label, list):
        return [_index(entry, positions) for entry in label]
    return label if isinstance(label, int) else positions[label]


class DistributionIndexer(dict[str, Distribution]):
    """Distributions by the names of their outcomes' axes, or by number.

    Iterating gives the distributions, not their names.

    Examples
    --------
    >>> indexer = DistributionIndexer([Distribution({"o": ["A", "B"]})])
    >>> indexer["o"] is indexer[0]
    True
    """

    def __init__(self, distributions: Sequence[Distribution]) -> None:
        super().__init__((key, d) for d in distributions for key in d.event)
        self.distributions = distributions

    def __getitem__(self, key: str | int) -> Distribution:
        if isinstance(key, int):
            return self.distributions[key]
        if key not in self.keys():
            raise KeyError(f"Key {key} not found in {list(self.keys())}")
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.distributions)


class Model(dict[str, Any]):
    """The distributions of a model: a dict of arguments of `Agent`.

    Its entries are ``A, B, C, D, H, B_action_dependencies, num_controls``, so that
    ``Agent(**model)`` takes it. As attributes, the distributions can be had by name.

    Parameters
    ----------
    likelihoods, transitions, preferred_observations : list of Distribution
    priors, preferred_states : list of Distribution
    B_action_dependencies : list of list of int, optional
    num_controls : list of int, optional
    """

    def __init__(
        self,
        likelihoods: Sequence[Distribution],
        transitions: Sequence[Distribution],
        preferred_observations: Sequence[Distribution],
        priors: Sequence[Distribution],
        preferred_states: Sequence[Distribution],
        B_action_dependencies: list[list[int]] | None = None,
        num_controls: list[int] | None = None,
    ) -> None:
        super().__init__(
            A=likelihoods,
            B=transitions,
            C=preferred_observations,
            D=priors,
            H=preferred_states,
            B_action_dependencies=B_action_dependencies,
            num_controls=num_controls,
        )

    def __getattr__(self, key: str) -> Any:
        if key in ("A", "B", "C", "D", "H"):
            return DistributionIndexer(self[key])
        if key in ("B_action_dependencies", "num_controls"):
            return self[key]
        raise AttributeError(
            "Model only supports attributes A,B,C,D,H, B_action_dependencies, and num_controls"
        )


def compile_model(config: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Model:
    """Make the distributions of a model from a description of it.

    A and B are zeros, to be filled in; C is zeros, D and H are uniform.

    Parameters
    ----------
    config : dict
        Has the entries ``observations``, ``controls`` and ``states``, each a dict by name of a dict
        with ``elements`` (a list of labels) or ``size`` (then labels are numbers). Observations and
        states have ``depends_on`` (names of states), states also ``controlled_by`` (names of
        controls). Only states that depend on themselves have a transition.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If a description lacks an entry, or names what does not exist.

    Examples
    --------
    >>> model = compile_model(
    ...     {
    ...         "observations": {"o": {"size": 3, "depends_on": ["s"]}},
    ...         "controls": {"u": {"size": 2}},
    ...         "states": {"s": {"size": 4, "depends_on": ["s"], "controlled_by": ["u"]}},
    ...     }
    ... )
    >>> model.A[0].data.shape, model.B["s"].data.shape, model.num_controls
    ((3, 4), (4, 4, 2), [2])
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"config must be a dict, got {type(config).__name__}")
    for part in ("observations", "controls", "states"):
        if part not in config:
            raise ValueError(f"config must have an entry {part!r}")
    labels = {
        name: _labels(name, description)
        for part in config.values()
        for name, description in part.items()
    }

    def conditional(name: str, description: Mapping[str, Any], *lists: str) -> Distribution:
        parents = [parent for key in lists for parent in _entry(name, description, key)]
        for parent in parents:
            if parent not in labels:
                raise ValueError(f"{name!r} depends on {parent!r}, which config does not have")
        return Distribution({name: labels[name]}, {parent: labels[parent] for parent in parents})

    def flat(name: str, value: float) -> Distribution:
        return Distribution({name: labels[name]}, data=np.full(len(labels[name]), value))

    observations, states = config["observations"], config["states"]
    controls = list(config["controls"])
    moving = [name for name, d in states.items() if name in _entry(name, d, "depends_on")]
    for name, description in states.items():
        for control in _entry(name, description, "controlled_by"):
            if control not in controls:
                raise ValueError(f"{name!r} is controlled by {control!r}, which is no control")
    return Model(
        [conditional(name, d, "depends_on") for name, d in observations.items()],
        [conditional(name, states[name], "depends_on", "controlled_by") for name in moving],
        [flat(name, 0.0) for name in observations],
        [flat(name, 1.0 / len(labels[name])) for name in moving],
        [flat(name, 1.0 / len(labels[name])) for name in moving],
        [[controls.index(c) for c in d["controlled_by"]] for d in states.values()],
        [len(labels[name]) for name in controls],
    )


def _labels(name: str, description: Mapping[str, Any]) -> list[Any]:
    if "elements" in description:
        return list(description["elements"])
    if "size" in description:
        return list(range(int(description["size"])))
    raise ValueError(f"{name!r} has neither elements nor size")


def _entry(name: str, description: Mapping[str, Any], key: str) -> Sequence[str]:
    if key not in description:
        raise ValueError(f"{name!r} must have an entry {key!r}")
    entry: Sequence[str] = description[key]
    return entry


def get_dependencies(
    likelihoods: Sequence[Distribution] | DistributionIndexer,
    transitions: Sequence[Distribution] | DistributionIndexer,
) -> tuple[list[list[int]], list[list[int]]]:
    """Return the factors that observations and transitions depend on, from their axes' names.

    Parameters
    ----------
    likelihoods, transitions : list of Distribution

    Returns
    -------
    A_dependencies, B_dependencies : list of list of int

    Examples
    --------
    >>> place = Distribution({"place": [0, 1]}, {"place": [0, 1], "move": [0, 1]})
    >>> get_dependencies([Distribution({"seen": [0, 1]}, {"place": [0, 1]})], [place])
    ([[0]], [[0]])
    """
    states = [next(iter(t.event)) for t in transitions]
    seen = {next(iter(d.event)): [states.index(name) for name in d.batch] for d in likelihoods}
    moved = {
        next(iter(t.event)): [states.index(name) for name in t.batch if name in states]
        for t in transitions
    }
    return list(seen.values()), list(moved.values())
