"""The few exceptions of cliplib.

Every message names the thing, what was got, what is allowed and what to do next. Catch `CliplibError` to catch them
all.
"""

import os
import re
import reprlib

# C0 and C1 controls, which a terminal obeys, line separators, and the marks that turn the direction of what follows.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""A text from somebody's disk, such as a file name, with its control characters as escapes such as \x1b."""
    return CONTROLS.sub(lambda sign: f"\\x{ord(sign[0]):02x}" if ord(sign[0]) < 256 else f"\\u{ord(sign[0]):04x}", text)


def describe_value(value: object) -> str:
    """What was given in place of something else, for a message: its type, and it itself, cut where it is long."""
    return f"{type(value).__name__}: {reprlib.repr(value):.100}"


class CliplibError(Exception):
    """Any error that cliplib raises on purpose."""

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))


class MediaError(CliplibError):
    """One file that cannot be walked to, read or decoded; a run reports it and goes on.

    `stage` is "walk", "read" or "decode"; `reason` is a sentence that a person understands.
    """

    def __init__(self, path: str | os.PathLike, stage: str, reason: str):
        super().__init__(path, stage, reason)  # all three, so that the error survives pickling between processes
        self.path = str(path)
        self.stage = stage
        self.reason = reason

    def __str__(self) -> str:
        return printable(f"{self.path}: {self.reason} ({self.stage})")


class ModelError(CliplibError):
    """Weights that are unknown, cannot be had, or are not what they claim to be."""


class LibraryError(CliplibError):
    """A library folder that is missing, unreadable or empty where it should not be."""


class CacheError(CliplibError):
    """A cache or snapshot that is damaged, of another model, or not to be trusted."""


class QueryError(CliplibError):
    """A query that cannot be answered: no words, an unreadable picture, an impossible k or threshold."""


class JudgementError(CliplibError):
    """A judgement that cannot be right, or judgements from which no threshold can be taken."""
