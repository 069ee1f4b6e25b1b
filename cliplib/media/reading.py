"""Read a file or a member of an archive, trying again what fails in passing; the digest that names its content."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, cast

from ..errors import MediaError
from .retry import PASSING, Result, with_retries
from .zips import Window, open_member, split

DIGEST_WHOLE_BYTES = 64 * 2**20  # files up to this size are digested whole
MAX_READ_BYTES = 512 * 2**20  # what `read_bytes` takes into memory


def read_bytes(path: str | os.PathLike) -> bytes:
    """The whole content of one regular file, or member of an archive, of at most `MAX_READ_BYTES`; tried three times.

    Raises:
        MediaError: stage "read" where it cannot be read, "decode" for a member that is damaged.
    """

    def read() -> bytes:
        with open_file(path) as file:
            if (size := file.seek(0, os.SEEK_END)) > MAX_READ_BYTES:
                most = f"at most {MAX_READ_BYTES // 2**20} MB are"
                raise MediaError(path, "read", f"{size / 2**20:.0f} MB to read into memory; {most}")
            file.seek(0)
            return file.read()

    return _reported(read, path)


def open_file(path: str | os.PathLike, buffering: int = -1) -> BinaryIO:
    """A regular file or a member of an archive, open for reading bytes. Raises OSError; MediaError for a bad member."""
    if member := split(path):
        return open_member(*member)
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a FIFO would wait for ever
        raise OSError(None, "not a regular file")
    return cast(BinaryIO, open(path, "rb", buffering))


def digest_of(source: bytes | bytearray | memoryview | str | os.PathLike) -> str:
    """The digest that names a content: 64 hexadecimal digits.

    Up to `DIGEST_WHOLE_BYTES` it is the sha256 of the content, as `sha256sum` prints it. Of larger files it is the
    sha256 of the size (8 bytes, little-endian) and the first and last 32 MB, so that a long video on a slow mount is
    not read twice; a change between them that keeps the size goes unseen.

    Args:
        source: bytes, or the path of a regular file or a member of an archive.

    Raises:
        MediaError: stage "read".
    """

    def read() -> str:
        with io.BytesIO(source) if isinstance(source, (bytes, bytearray, memoryview)) else open_file(source) as file:

            def part(offset: int, length: int) -> bytes:
                file.seek(offset)
                return file.read(length)

            return digest_of_parts(file.seek(0, os.SEEK_END), part)

    return _reported(read, source)


def digest_of_parts(size: int, part: Callable[[int, int], bytes]) -> str:
    """`digest_of` content of `size` bytes, of which `part(offset, length)` gives some."""
    if size <= DIGEST_WHOLE_BYTES:
        return hashlib.sha256(part(0, size)).hexdigest()
    half = DIGEST_WHOLE_BYTES // 2
    return hashlib.sha256(size.to_bytes(8, "little") + part(0, half) + part(size - half, half)).hexdigest()


class RetryingFile(Window):
    """A large file or member of an archive, open for reading as FFmpeg reads it: what fails in passing is tried again.

    What `digest` has read is kept (64 MB at most) and given from memory afterwards. Raises OSError.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._kept: list[tuple[int, bytes]] = []
        file = with_retries(lambda: open_file(path, buffering=0))
        super().__init__(file, 0, file.seek(0, os.SEEK_END))

    def digest(self) -> str:
        """`digest_of` this file."""

        def part(offset: int, length: int) -> bytes:
            pieces = []
            while length and (piece := self._read_at(offset, length)):  # one read may give less than was asked for
                pieces.append(piece)
                offset, length = offset + len(piece), length - len(piece)
            whole = b"".join(pieces)
            self._kept.append((offset - len(whole), whole))
            return whole

        return digest_of_parts(self.size, part)

    def _read_at(self, offset: int, size: int) -> bytes:
        for start, kept in self._kept:
            if start <= offset and offset + size <= start + len(kept):
                return kept[offset - start : offset - start + size]
        return with_retries(partial(super()._read_at, offset, size))


def _reported(action: Callable[[], Result], path: Any) -> Result:
    try:
        return with_retries(action)
    except OSError as error:
        again = " (three tries)" if error.errno in PASSING else ""
        raise MediaError(path, "read", f"cannot be read: {error.strerror or error}{again}") from error
