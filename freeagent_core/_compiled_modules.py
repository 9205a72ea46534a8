"""Where an installed package's compiled modules are: all in one shared object, `_compiled`.

Each would be a file of its own otherwise, as they are where they are built in place (setup.py).
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location

FOLDER = os.path.dirname(__file__)


class Finder:
    """Finds modules of this package in one shared object.

    Parameters
    ----------
    file : str
        The shared object.
    names : frozenset of str
        The modules that it has.
    """

    def __init__(self, file: str, names: frozenset[str]) -> None:
        self.file, self.names = file, names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: object = None
    ) -> ModuleSpec | None:
        """Return how a module is loaded, or None.

        Parameters
        ----------
        fullname : str
        path : sequence of str or None
            Where its parent is: another copy of this package has modules of its own.
        target : object
            Not used.

        Returns
        -------
        spec : ModuleSpec or None
        """
        if fullname not in self.names or not any(each.startswith(FOLDER) for each in path or ()):
            return None
        loader = ExtensionFileLoader(fullname, self.file)
        return spec_from_file_location(fullname, self.file, loader=loader)


def find_compiled_modules() -> None:
    """Let imports find the compiled modules, where they are in one shared object."""
    try:
        with open(os.path.join(FOLDER, "_compiled_modules.txt"), encoding="ascii") as file:
            names = frozenset(file.read().split())
    except FileNotFoundError:  # built in place
        return
    file_name = os.path.join(FOLDER, "_compiled" + EXTENSION_SUFFIXES[0])
    # first: an editable installation's finder may know other modules of these names
    sys.meta_path.insert(0, Finder(file_name, names))
