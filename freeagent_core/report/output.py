"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

PARTIAL = ".freeagent-core-report-"


class OutputError(OSError):
    """The folder cannot be written; the message says why."""


class OutputFolder:
    """A folder that files are put into at the end, all together.

    A temporary folder beside it is made first, so that a folder that cannot be written fails
    before anything is measured. Where the folder does not exist, the temporary one becomes it;
    else each file replaces the one of its name. Leaving the context removes what is left.

    Parameters
    ----------
    path : str or Path
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        parent = self.path.absolute().parent
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"--out {str(self.path)!r} is a file, not a folder")
        self._parents = [p for p in (parent, *parent.parents) if not p.exists()]
        beside = self.path if self.path.is_dir() else parent
        try:
            beside.mkdir(parents=True, exist_ok=True)
            self._partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=beside))
        except OSError as error:
            raise OutputError(f"--out {str(self.path)!r} cannot be written: {error}") from error

    def write(self, files: Mapping[str, str]) -> list[Path]:
        """Write all files and put them in place; return their paths."""
        for name, text in files.items():
            with open(self._partial / name, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        if self.path.is_dir():
            for name in files:
                os.replace(self._partial / name, self.path / name)
        else:
            self._partial.chmod(0o777 & ~_umask())
            os.rename(self._partial, self.path)
        self._parents = []
        return [self.path / name for name in files]

    def __enter__(self) -> OutputFolder:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)
        for parent in self._parents:  # made here, and of no use now
            try:
                parent.rmdir()
            except OSError:
                break


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
