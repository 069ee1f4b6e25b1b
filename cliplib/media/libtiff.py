"""What libtiff says while Pillow decodes with it: heard here, and no longer written to the user's terminal."""

from __future__ import annotations

import ctypes
import functools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_said = threading.local()  # each thread decodes, and is spoken to, alone


@contextmanager
def heard() -> Iterator[list[str]]:
    """The errors that libtiff reports in this thread within the `with` statement, in a list that fills meanwhile.

    It stays empty where Pillow was built in such a way that its libtiff cannot be reached (Windows).
    """
    _listen()
    _said.errors = []
    try:
        yield _said.errors
    finally:
        _said.errors = []


@functools.cache
def _listen() -> object:
    """Set libtiff's handlers for this process; gives what must live as long as that."""
    try:
        library = ctypes.CDLL(Image.core.__file__)  # its symbols, and those of the libraries that it brings
        set_error, set_warning = library.TIFFSetErrorHandler, library.TIFFSetWarningHandler
    except (AttributeError, OSError):
        return None
    handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)(_note)
    set_warning(None)
    set_error(handler)
    return handler


def _note(module: bytes | None, form: bytes | None, _: object) -> None:
    errors = getattr(_said, "errors", None)
    if errors is not None and len(errors) < 10:
        errors.append(re.sub(r"%[-#\d.]*(?:hh|h|ll|l|z|j|t)?[a-zA-Z]", "?", (form or b"").decode("latin-1")))
