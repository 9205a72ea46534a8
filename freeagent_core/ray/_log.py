"""The operations of one shard since its checkpoints, in memory and, if asked, on disk.

A record is written before its operation is sent. On disk a record is its length and CRC-32
(two little-endian uint32), a line of JSON, ``[number, operation, kinds]``, and the arguments
as ``.npy`` one after the other; `kinds` has 1 for an array and 0 for None. A record that is
incomplete, because the driver died while it wrote, was never sent and is not read.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

HEADER = struct.Struct("<II")
NAME = "log-{:012d}"


class Entry(NamedTuple):
    """One operation: its number, the method of the host and the arguments."""

    number: int
    operation: str
    arguments: tuple[Any, ...]


class OperationLog:
    """Entries in order, without gaps.

    Parameters
    ----------
    directory : Path, optional
        Where to write them as well; the arguments must be arrays or None then.
    entries : list of Entry
        Those that are there already.
    """

    def __init__(self, directory: Path | None = None, entries: list[Entry] | None = None) -> None:
        self._directory = directory
        self._entries: list[Entry] = entries or []
        self._file: BinaryIO | None = None
        self._last_start = 0

    def append(self, entry: Entry) -> None:
        """Add an entry; an error leaves the log as it was."""
        if self._directory is not None:
            if self._file is None:
                self.begin_segment(entry.number)
            assert self._file is not None
            record = _record(entry)
            start = self._file.tell()
            self._last_start = start
            try:
                _write(self._file, record)
            except BaseException:
                self._cut(start)
                raise
        self._entries.append(entry)

    def withdraw(self, number: int) -> None:
        """Take back the last entry, which has not been sent, if it is after `number`."""
        if self._entries and self._entries[-1].number > number:
            self._entries.pop()
            if self._file is not None:
                self._cut(self._last_start)

    def replace(self, number: int, operation: str, arguments: tuple[Any, ...]) -> None:
        """Put another operation in the place of an entry, in memory."""
        for i, entry in enumerate(self._entries):
            if entry.number == number:
                self._entries[i] = Entry(number, operation, arguments)

    def since(self, number: int) -> list[Entry]:
        """Return the entries after `number`."""
        return [entry for entry in self._entries if entry.number > number]

    def begin_segment(self, number: int) -> None:
        """Write entries from `number` on to a file of their own; make the others durable."""
        if self._directory is None:
            return
        self.close()
        # unbuffered: what is written survives this process
        self._file = open(self._directory / NAME.format(number), "ab", buffering=0)  # noqa: SIM115

    def forget(self, number: int) -> None:
        """Remove the entries up to `number`, and the files that have no others."""
        self._entries = self.since(number)
        if self._directory is not None:
            starts = _segments(self._directory)
            for start, following in pairwise(starts):
                if following <= number + 1:
                    (self._directory / NAME.format(start)).unlink(missing_ok=True)

    def close(self) -> None:
        """Make the file durable and close it."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def _cut(self, length: int) -> None:
        assert self._file is not None
        self._file.truncate(length)
        self._file.seek(length)


def _write(file: BinaryIO, record: bytes) -> None:
    rest = memoryview(record)
    while rest:  # an unbuffered file may take a part
        rest = rest[file.write(rest) :]


def read_log(directory: Path) -> list[Entry]:
    """Return the complete entries on disk; cut off what is not."""
    entries: list[Entry] = []
    for start in _segments(directory):
        path = directory / NAME.format(start)
        contents = path.read_bytes()
        found, length = _entries(contents)
        if length < len(contents):
            os.truncate(path, length)
        entries += [entry for entry in found if not entries or entry.number > entries[-1].number]
    return entries


def cut_log(directory: Path, number: int) -> None:
    """Remove the entries after `number` from the disk."""
    for start in _segments(directory):
        path = directory / NAME.format(start)
        entries, _ = _entries(path.read_bytes())
        length = sum(len(_record(entry)) for entry in entries if entry.number <= number)
        if length:
            os.truncate(path, length)
        else:
            path.unlink()


def _segments(directory: Path) -> list[int]:
    return sorted(int(path.name[4:]) for path in directory.glob("log-*"))


def _record(entry: Entry) -> bytes:
    out = io.BytesIO()
    kinds = [int(argument is not None) for argument in entry.arguments]
    out.write(json.dumps([entry.number, entry.operation, kinds]).encode() + b"\n")
    for argument in entry.arguments:
        if argument is not None:
            np.lib.format.write_array(out, np.asarray(argument), allow_pickle=False)
    body = out.getvalue()
    return HEADER.pack(len(body), zlib.crc32(body)) + body


def _entries(contents: bytes) -> tuple[list[Entry], int]:
    """Return the entries of a file and the length of what could be read."""
    entries: list[Entry] = []
    position = 0
    while position + HEADER.size <= len(contents):
        length, checksum = HEADER.unpack_from(contents, position)
        body = contents[position + HEADER.size : position + HEADER.size + length]
        if len(body) < length or zlib.crc32(body) != checksum:
            break
        source = io.BytesIO(body)
        number, operation, kinds = json.loads(source.readline())
        read = np.lib.format.read_array
        arguments = tuple(read(source, allow_pickle=False) if kind else None for kind in kinds)
        entries.append(Entry(number, operation, arguments))
        position += HEADER.size + length
    return entries, position
