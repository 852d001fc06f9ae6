"""Everything that irn refuses, each kind with the exit status of the command line.

    IrnError
    ├── UsageError            2  the request contradicts itself
    ├── DataError            65  the bytes are not what they should be
    │   ├── ImageError           not an image, damaged, or larger than allowed
    │   ├── TagError             no tag, a tag of a newer format, or one that contradicts the file
    │   └── CheckpointError      not a checkpoint, damaged, or of a network irn does not know
    ├── InputMissingError    66  there is no such input
    ├── UnavailableError     69  no such model or device here
    ├── OutputError          73  the output exists already or cannot be created
    ├── StorageError         74  reading or writing failed on the way
    └── MemoryExhaustedError 75  not enough memory even for the smallest tile

A message is one line that names what was got, what was expected and what to do.
This module imports nothing of ours.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

__all__ = [
    "CheckpointError",
    "DataError",
    "ExitStatus",
    "ImageError",
    "InputMissingError",
    "IrnError",
    "MemoryExhaustedError",
    "OutputError",
    "StorageError",
    "TagError",
    "Terminated",
    "UnavailableError",
    "UsageError",
]


class ExitStatus(IntEnum):
    """Exit statuses of every command (after sysexits.h where it has one)."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    CANNOT_CREATE = 73
    IO = 74
    NO_MEMORY = 75
    INTERRUPTED = 130
    TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM asked for the end: it comes about as that by Ctrl-C does, with its own status."""


class IrnError(Exception):
    """Base of everything irn raises on purpose."""

    status: ClassVar[ExitStatus] = ExitStatus.SOME_FAILED


class UsageError(IrnError, ValueError):
    """The request contradicts itself or names a value out of range."""

    status = ExitStatus.USAGE


class DataError(IrnError, ValueError):
    """The bytes of an input are not what they should be."""

    status = ExitStatus.DATA


class ImageError(DataError):
    """Not an image, a damaged one, or one larger than allowed."""


class TagError(DataError):
    """No tag, one of a newer format, or one that contradicts its file."""


class CheckpointError(DataError):
    """Not a checkpoint, a damaged one, or one of an unknown network."""


class InputMissingError(IrnError, FileNotFoundError):
    """There is no such input."""

    status = ExitStatus.NO_INPUT


class UnavailableError(IrnError, LookupError):
    """No such model or device on this machine."""

    status = ExitStatus.UNAVAILABLE


class OutputError(IrnError):
    """The output exists already or cannot be created."""

    status = ExitStatus.CANNOT_CREATE


class StorageError(IrnError):
    """Reading or writing failed on the way: the medium, not the data."""

    status = ExitStatus.IO


class MemoryExhaustedError(IrnError, MemoryError):
    """Not enough memory even for the smallest tile."""

    status = ExitStatus.NO_MEMORY
