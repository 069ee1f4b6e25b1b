"""A file that is there whole or not at all, whenever the process or the power goes."""

import errno
import hashlib
import os
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ..errors import CacheError


def write_durably(target: Path, write: Callable) -> tuple[int, str]:
    """Let `write(file)` fill a temporary neighbour, force it to the disk, then give it its name: its size and sha256.

    Raises OSError when the disk refuses; what had the name before is untouched then, and the neighbour is gone.
    """
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")  # another may write the same file now
    try:
        with open(temporary, "wb") as file:
            hashing = _Hashing(file)
            write(hashing)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _sync_folder(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return hashing.size, hashing.sha256.hexdigest()


def save_file(file: Path, write: Callable) -> Path:
    """`write_durably` a file that a person named; CacheError when the disk refuses."""
    if not os.path.isdir(file.parent):
        raise CacheError(
            f"could not save {file.name}: there is no folder {os.path.abspath(file.parent)}. Make it first"
        )
    try:
        write_durably(file, write)
    except OSError as error:
        raise CacheError(f"could not save {file}: {error.strerror or error}; nothing was changed") from error
    return file


def _sync_folder(folder: Path) -> None:
    """Force a folder's names to the disk. Systems and mounts that know no such thing refuse it in many ways."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno in (errno.EIO, errno.ENOSPC, errno.EDQUOT):
            raise


def writable(folder: Path) -> bool:
    """Whether files may really be made there; a mount may claim more than it allows. A full disk is another matter."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)


class _Hashing:
    """A binary file for writing that knows the size and the sha256 of what went into it."""

    closed = False

    def __init__(self, file: IO[bytes]):
        self.file, self.size, self.sha256 = file, 0, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.file.write(data)
        self.sha256.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        """`write_durably` closes the file itself, after fsync."""
