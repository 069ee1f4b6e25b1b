"""Folders and files of this computer, as people name them."""

import os
import tempfile
from pathlib import Path

from .errors import QueryError


def home() -> Path:
    """The user's home folder; a folder for temporary files where none is known, as in some containers and services."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"home-{os.getuid()}"


def expanded(path: str | os.PathLike) -> Path:
    """A path with the home folder for a leading "~"."""
    first, *rest = Path(path).parts or ("",)
    return home().joinpath(*rest) if first == "~" else Path(os.path.expanduser(path))


def output_file(file: str | os.PathLike, *endings: str) -> Path:
    """A file that is to be written where a person says.

    Args:
        file: Its path; a leading "~" is the home folder.
        *endings: What its name may end in, in lower case, such as ".csv". None: anything.

    Raises:
        QueryError: Its folder is not there, or its name has another ending.
    """
    path = expanded(file)
    if endings and path.suffix.lower() not in endings:
        raise QueryError(f"cannot save {path.name!r}: the name must end in {' or '.join(endings)}")
    if not os.path.isdir(path.parent):
        raise QueryError(f"cannot save {path.name!r}: there is no folder {os.path.abspath(path.parent)}. Make it first")
    return path
