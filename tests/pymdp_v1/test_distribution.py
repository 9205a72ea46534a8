"""`pymdp_v1.distribution` against ``pymdp.distribution``: labels, blocks, points, models."""

import numpy as np
import pymdp.distribution as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeagent_core.pymdp_v1 import distribution

EVENT = {"place": ["A", "B", "C"]}
BATCH = {"place": ["C", "A", "B"], "move": ["up", "down"]}  # other order than EVENT's
AXES = [EVENT["place"], BATCH["place"], BATCH["move"]]

some = settings(max_examples=150, deadline=None, derandomize=True)


def entries(labels):
    one = st.sampled_from([*labels, *range(len(labels))])
    return st.one_of(one, st.lists(one, min_size=1, max_size=3), st.just(slice(None)))


def both():
    data = np.random.default_rng(0).random((3, 3, 2))
    return [module.Distribution(EVENT, BATCH, data.copy()) for module in (distribution, reference)]


def result(call):
    """Return what a call gives, or the kind of its error."""
    try:
        return call()
    except (ValueError, IndexError, KeyError) as error:
        return type(error)


def assert_same(ours, theirs):
    if isinstance(theirs, type):
        assert ours is theirs
    else:
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_array_equal(ours, theirs)


@some
@given(labels=st.tuples(*map(entries, AXES)), used=st.integers(1, 3), points=st.booleans())
def test_reading_and_writing_by_position(labels, used, points):
    labels = labels[:used]
    ours, theirs = both()
    views = [d.points if points else d for d in (ours, theirs)]
    got, expected = (result(lambda v=v: v[labels]) for v in views)
    assert_same(got, expected)
    if not isinstance(expected, type):
        for value in (0.5, np.arange(np.size(expected), dtype=float).reshape(np.shape(expected))):
            for view in views:
                view[labels] = value
            np.testing.assert_array_equal(ours.data, theirs.data)


@some
@given(
    event=st.fixed_dictionaries({}, optional={"place": entries(EVENT["place"])}),
    batch=st.fixed_dictionaries(
        {}, optional={"place": entries(BATCH["place"]), "move": entries(BATCH["move"])}
    ),
    pointwise=st.booleans(),
)
def test_reading_and_writing_by_name(event, batch, pointwise):
    drop = [key for named in (event, batch) for key, v in named.items() if isinstance(v, slice)]
    event = {key: v for key, v in event.items() if key not in drop}
    batch = {key: v for key, v in batch.items() if key not in drop}
    ours, theirs = both()
    got, expected = (
        result(lambda d=d: d.get(batch, event, pointwise=pointwise)) for d in (ours, theirs)
    )
    assert_same(got, expected)
    if not isinstance(expected, type):
        for d in (ours, theirs):
            d.set(batch, event, expected * 2, pointwise=pointwise)
        np.testing.assert_array_equal(ours.data, theirs.data)


def test_errors():
    ours, _ = both()
    for call, kind, message in [
        (lambda: ours["A", "A", "up", "up"], IndexError, "3 axes, but 4 were indexed"),
        (lambda: ours.points["A", "A", "up"], ValueError, "needs a list of labels"),
        (lambda: ours.points[["A"], ["A", "B"]], ValueError, "must all have the same length"),
        (lambda: ours["nowhere"], KeyError, "nowhere"),
        (lambda: setattr(ours, "data", np.ones(3)), ValueError, r"new shape \(3,\) must match"),
    ]:
        with pytest.raises(kind, match=message):
            call()


def test_data_normalized_and_shown():
    ours, theirs = both()
    for d in (ours, theirs):
        d.normalize()
    np.testing.assert_array_equal(ours.data, theirs.data)
    assert repr(ours) == repr(theirs)
    ours.data = np.ones((3, 3, 2))
    assert ours["A", "A", "up"] == 1.0
    assert distribution.Distribution(EVENT).data.shape == (3,)


CONFIG = {
    "observations": {
        "seen": {"size": 10, "depends_on": ["place"]},
        "smelled": {"elements": ["sweet", "sour"], "depends_on": ["food", "place"]},
    },
    "controls": {"walk": {"size": 2}, "eat": {"elements": ["no", "yes"]}},
    "states": {
        "place": {
            "elements": ["home", "hill", "lake"],
            "depends_on": ["place", "food"],
            "controlled_by": ["walk", "eat"],
        },
        "food": {"elements": ["none", "some"], "depends_on": ["food"], "controlled_by": ["eat"]},
    },
}


def test_compiled_models():
    ours, theirs = distribution.compile_model(CONFIG), reference.compile_model(CONFIG)
    assert list(ours) == list(theirs)
    for letter in "ABCDH":
        for own, their in zip(ours[letter], theirs[letter], strict=True):
            assert (own.event, own.batch) == (their.event, their.batch)
            np.testing.assert_array_equal(own.data, their.data)
        assert list(getattr(ours, letter).keys()) == list(getattr(theirs, letter).keys())
        assert list(getattr(ours, letter)) == ours[letter]
    assert ours.B_action_dependencies == theirs.B_action_dependencies == [[0, 1], [1]]
    assert ours.num_controls == theirs.num_controls == [2, 2]
    assert ours.A["smelled"] is ours.A[1]
    expected = reference.get_dependencies(theirs.A, theirs.B)
    assert (
        distribution.get_dependencies(ours.A, ours.B) == expected == ([[0], [1, 0]], [[0, 1], [1]])
    )


def test_bad_descriptions():
    for change, message in [
        ({"controls": None}, "must have an entry 'controls'"),
        ({"observations": {"seen": {"depends_on": ["place"]}}}, "neither elements nor size"),
        ({"observations": {"seen": {"size": 2}}}, "must have an entry 'depends_on'"),
        ({"observations": {"seen": {"size": 2, "depends_on": ["x"]}}}, "'x', which config does"),
        ({"controls": {"walk": {"size": 2}}}, "'eat', which is no control"),
    ]:
        config = {key: value for key, value in (CONFIG | change).items() if value is not None}
        with pytest.raises(ValueError, match=message):
            distribution.compile_model(config)
    with pytest.raises(TypeError, match="config must be a dict, got NoneType"):
        distribution.compile_model(None)
    model = distribution.compile_model(CONFIG)
    with pytest.raises(AttributeError, match="only supports attributes"):
        _ = model.E
    with pytest.raises(KeyError, match="Key nothing not found"):
        _ = model.A["nothing"]
