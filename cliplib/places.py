"""Folders and files of this computer, as people name them, and their addresses in Google Drive."""

import contextlib
import os
import re
import tempfile
from pathlib import Path

from .errors import QueryError

DRIVE_ID = "user.drive.id"  # the attribute in which a mounted Drive tells the id of a file


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


def drive_link(file: str | os.PathLike) -> str | None:
    """The address of a file in Google Drive; None where it neither lies on a mounted Drive nor was staged from it."""
    ident = _drive_id(file)
    return f"https://drive.google.com/file/d/{ident}/view" if ident else None


def carry_drive_id(source: str | os.PathLike, copy: str | os.PathLike) -> None:
    """Let the copy of a file on a mounted Drive know its id, where the disk of the copy can hold that."""
    if ident := _drive_id(source):
        with contextlib.suppress(OSError):
            os.setxattr(copy, DRIVE_ID, ident.encode("ascii"))


def _drive_id(file: str | os.PathLike) -> str | None:
    try:
        ident = os.getxattr(file, DRIVE_ID).decode("ascii")
    except (AttributeError, OSError, UnicodeDecodeError):  # AttributeError: not on Linux
        return None
    return ident if re.fullmatch(r"[A-Za-z0-9_-]+", ident) else None
