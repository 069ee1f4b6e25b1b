"""The files behind what was found: copies of them, or clips of videos, in a folder."""

from __future__ import annotations

import contextlib
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ..errors import LibraryError, MediaError
from ..media.reading import open_file
from ..places import expanded
from ..search.moments import Moment


def copy_to(root: Path, paths: Iterable[str], folder: str | Path) -> list[Path]:
    """Copy files of a library to a folder, each once. Nothing is overwritten.

    A file whose name is taken becomes "name (2).jpg". A file that cannot be copied is left out, with a warning that
    names it and says why.

    Args:
        root: The library's folder.
        paths: Files below it, POSIX.
        folder: Where the copies go. It is made when it is not there.

    Returns:
        The copies, in the order of `paths`.

    Raises:
        LibraryError: The folder cannot be written, or lies in the library.
    """
    folder, copies = _made(folder, root), []
    for path in dict.fromkeys(paths):
        copy = None
        try:
            with open_file(root / path) as source:
                copy, target = new_file(folder, path)
                with target:
                    shutil.copyfileobj(source, target, 2**20)
        except (OSError, MediaError) as error:
            if copy:
                copy.unlink(missing_ok=True)  # half a photo is worse than none
            why = error.reason if isinstance(error, MediaError) else error.strerror or error
            warnings.warn(f"{path} was not copied: {why}", stacklevel=3)
            continue
        with contextlib.suppress(OSError):  # some mounts keep no times
            shutil.copystat(root / path, copy)
        copies.append(copy)
    return copies


def save_clips(root: Path, moments: Iterable[Moment], folder: str | Path) -> list[tuple[Path, Moment]]:
    """Write moments of videos to a folder, each as an MP4 of its own. Nothing is overwritten.

    A moment whose video cannot be decoded is left out, with a warning that names it and says why.

    Args:
        root: The library's folder.
        moments: As `Scores.moments` finds them.
        folder: Where the clips go, named like "film 12.0-15.5 s.mp4". It is made when it is not there.

    Returns:
        The clips with their moments, in order.

    Raises:
        LibraryError: The folder cannot be written, or lies in the library.
    """
    folder, clips = _made(folder, root), []
    for moment in moments:
        stem = PurePosixPath(moment.path).stem
        clip, empty = new_file(folder, f"{stem} {moment.start_s:.1f}-{moment.end_s:.1f} s.mp4")
        empty.close()
        try:
            moment.save_clip(clip)
        except (OSError, MediaError) as error:
            clip.unlink(missing_ok=True)
            warnings.warn(f"no clip of {moment.path}: {error}", stacklevel=2)
            continue
        clips.append((clip, moment))
    return clips


def new_file(folder: Path, name: str) -> tuple[Path, BinaryIO]:
    """Open a new file in a folder for writing: "name.jpg", or where that is taken "name (2).jpg" and so on.

    Raises:
        LibraryError: The folder cannot be written.
    """
    wanted, number = PurePosixPath(name), 0
    while True:
        number += 1
        file = folder / (wanted.name if number == 1 else f"{wanted.stem} ({number}){wanted.suffix}")
        try:
            return file, open(file, "xb")
        except FileExistsError:
            continue
        except OSError as error:
            raise _unwritable(folder, error) from error


def _made(folder: str | Path, root: Path) -> Path:
    """The folder for copies, outside the library, made when it is not there."""
    made = expanded(folder)
    if made.resolve().is_relative_to(root.resolve()):
        raise LibraryError(f"{made} lies in the library {root}: give a folder outside, or the copies become part of it")
    try:
        made.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(made, error) from error
    return made


def _unwritable(folder: Path, error: OSError) -> LibraryError:
    return LibraryError(f"cannot copy to {folder}: {error.strerror}. Give a folder that you may write to")
