"""Every public name of pymdp 1.x is here, or on the page of what is left out."""

import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
import types
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "pymdp_v1_left_out.md"
OURS = "freeagent_core.pymdp_v1"


def modules_of(package):
    """Return the modules below a package of pymdp, without its NumPy agent."""
    places = importlib.util.find_spec(package).submodule_search_locations
    for found in pkgutil.iter_modules(places, f"{package}."):
        if found.name == "pymdp.legacy":
            continue
        if found.ispkg:
            yield from modules_of(found.name)
        else:
            yield found.name


def left_out():
    """Return the names on the page, with and without their module."""
    named = re.findall(r"`([\w.]+)`", PAGE.read_text(encoding="utf-8"))
    return set(named) | {name.rsplit(".", 1)[-1] for name in named}


def public_names(module):
    """Return what a module defines itself: functions, classes and constants."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (
            getattr(value, "__module__", None) == module.__name__
            or (name.isupper() and isinstance(value, int | float))
        )
    }


def counterpart(name):
    """Return the module of that name here, or None where there is none."""
    ours = OURS + name.removeprefix("pymdp")
    return importlib.import_module(ours) if importlib.util.find_spec(ours) else None


def upstream(name):
    stubs: dict = {}
    if importlib.util.find_spec("IPython") is None:  # what shows animations in notebooks
        display = types.SimpleNamespace(display=None, HTML=None)
        stubs = {"IPython": types.SimpleNamespace(display=display), "IPython.display": display}
    sys.modules.update(stubs)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} needs {error.name}")
    finally:
        for each in stubs:
            del sys.modules[each]


MODULES = sorted(modules_of("pymdp"))


def test_all_modules_are_seen():
    assert {"pymdp.agent", "pymdp.control", "pymdp.envs.rollout", "pymdp.planning.si"} <= {*MODULES}


@pytest.mark.parametrize("name", MODULES)
def test_every_name_is_here_or_left_out(name):
    ours, listed = counterpart(name), left_out()
    if ours is None:
        assert name.removeprefix("pymdp.") in listed
        return
    missing = [each for each in public_names(upstream(name)) if not hasattr(ours, each)]
    assert [each for each in missing if each not in listed] == []


@pytest.mark.parametrize("name", [name for name in MODULES if counterpart(name) is not None])
def test_functions_take_the_same_arguments(name):
    ours = counterpart(name)
    for each, function in public_names(upstream(name)).items():
        mine = getattr(ours, each, None)
        if mine is None or not inspect.isfunction(function):
            continue
        expected = [*inspect.signature(function).parameters]
        assert [*inspect.signature(mine).parameters][: len(expected)] == expected, each


@pytest.mark.parametrize("name", [name for name in MODULES if counterpart(name) is not None])
def test_classes_have_the_same_methods(name):
    ours, listed = counterpart(name), left_out()
    for each, theirs in public_names(upstream(name)).items():
        mine = getattr(ours, each, None)
        if mine is None or not inspect.isclass(theirs):
            continue
        methods = {
            method
            for method, value in inspect.getmembers(theirs, inspect.isfunction)
            if not method.startswith("_")
        }
        assert {m for m in methods if not hasattr(mine, m)} <= listed, each
