"""Exceptions of irn, each with its exit status on the command line.

    IrnError
    ├── UsageError            2  the request contradicts itself or has a value out of range
    ├── DataError            65  the bytes of an input are invalid
    │   ├── ImageError           not an image, a damaged image, or one larger than allowed
    │   ├── TagError             no tag, a tag of a newer format, or one that contradicts the file
    │   └── CheckpointError      not a checkpoint, a damaged one, or one of an unknown network
    ├── InputMissingError    66  the input does not exist
    ├── UnavailableError     69  the model or device is not available
    ├── OutputError          73  the output already exists or cannot be created
    ├── StorageError         74  reading or writing failed partway
    └── MemoryExhaustedError 75  not enough memory even for the smallest tile

Each message is one line that says what was found, what was expected and what to do.
This module imports no other module of irn.
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
    """Exit statuses of all commands; values follow sysexits.h where it defines one."""

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
    """Interruption by SIGTERM, handled like Ctrl-C but with its own exit status."""


class IrnError(Exception):
    """Base class of all exceptions that irn raises deliberately."""

    status: ClassVar[ExitStatus] = ExitStatus.SOME_FAILED


class UsageError(IrnError, ValueError):
    """The request contradicts itself or has a value out of range."""

    status = ExitStatus.USAGE


class DataError(IrnError, ValueError):
    """The bytes of an input are invalid."""

    status = ExitStatus.DATA


class ImageError(DataError):
    """The input is not an image, is damaged, or is larger than allowed."""


class TagError(DataError):
    """The file has no tag, a tag of a newer format, or a tag that contradicts the file."""


class CheckpointError(DataError):
    """The file is not a checkpoint, is damaged, or belongs to an unknown network."""


class InputMissingError(IrnError, FileNotFoundError):
    """The input does not exist."""

    status = ExitStatus.NO_INPUT


class UnavailableError(IrnError, LookupError):
    """The model or device is not available on this machine."""

    status = ExitStatus.UNAVAILABLE


class OutputError(IrnError):
    """The output already exists or cannot be created."""

    status = ExitStatus.CANNOT_CREATE


class StorageError(IrnError):
    """Reading or writing failed partway because of the storage medium, not the data."""

    status = ExitStatus.IO


class MemoryExhaustedError(IrnError, MemoryError):
    """There is not enough memory even for the smallest tile."""

    status = ExitStatus.NO_MEMORY
