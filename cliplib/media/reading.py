"""Read a file or a member of an archive, trying again what fails in passing; the digest that names its content."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from functools import partial

from ..errors import MediaError
from .retry import PASSING, with_retries
from .zips import Window, open_member, split

DIGEST_WHOLE_BYTES = 64 * 2**20  # files up to this size are digested whole
MAX_READ_BYTES = 512 * 2**20  # what `read_bytes` takes into memory


def read_bytes(path) -> bytes:
    """The whole content of one regular file, or member of an archive, of at most `MAX_READ_BYTES`, tried three times.

    Raises MediaError with stage "read"; "decode" for a member that is damaged.
    """

    def read():
        with open_file(path) as file:
            if (size := file.seek(0, os.SEEK_END)) > MAX_READ_BYTES:
                most = f"at most {MAX_READ_BYTES // 2**20} MB are"
                raise MediaError(path, "read", f"{size / 2**20:.0f} MB to read into memory; {most}")
            file.seek(0)
            return file.read()

    return _reported(read, path)


def open_file(path, buffering=-1):
    """A regular file or a member of an archive, open for reading bytes. Raises OSError; MediaError for a bad member."""
    if member := split(path):
        return open_member(*member)
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a FIFO would wait for ever
        raise OSError(None, "not a regular file")
    return open(path, "rb", buffering)


def digest_of(source) -> str:
    """64 hexadecimal digits that tell contents apart; `source` is bytes or the path of a regular file.

    Up to `DIGEST_WHOLE_BYTES` it is the sha256 of the content, as `sha256sum` prints it. Above, so that a long video on
    a slow mount is not read twice, it is the sha256 of the size (8 bytes, little-endian) and the first and last 32 MB:
    a change between them that keeps the size goes unseen. That is longer than any content hashed whole, so the two
    kinds never meet. Raises MediaError: "read".
    """

    def read():
        with io.BytesIO(source) if isinstance(source, (bytes, bytearray, memoryview)) else open_file(source) as file:

            def part(offset, length):
                file.seek(offset)
                return file.read(length)

            return digest_of_parts(file.seek(0, os.SEEK_END), part)

    return _reported(read, source)


def digest_of_parts(size, part):
    """`digest_of` content of `size` bytes, of which `part(offset, length)` gives some."""
    if size <= DIGEST_WHOLE_BYTES:
        return hashlib.sha256(part(0, size)).hexdigest()
    half = DIGEST_WHOLE_BYTES // 2
    return hashlib.sha256(size.to_bytes(8, "little") + part(0, half) + part(size - half, half)).hexdigest()


class RetryingFile(Window):
    """A large file or member of an archive, open for reading as FFmpeg reads it: what fails in passing is tried again.

    What `digest` has read is kept (64 MB at most) and given from memory afterwards. Raises OSError.
    """

    def __init__(self, path):
        self.path, self._kept = os.fspath(path), []
        file = with_retries(lambda: open_file(path, buffering=0))
        super().__init__(file, 0, file.seek(0, os.SEEK_END))

    def digest(self) -> str:
        """`digest_of` this file."""

        def part(offset, length):
            pieces = []
            while length and (piece := self._read_at(offset, length)):  # one read may give less than was asked for
                pieces.append(piece)
                offset, length = offset + len(piece), length - len(piece)
            whole = b"".join(pieces)
            self._kept.append((offset - len(whole), whole))
            return whole

        return digest_of_parts(self.size, part)

    def _read_at(self, offset, size):
        for start, kept in self._kept:
            if start <= offset and offset + size <= start + len(kept):
                return kept[offset - start : offset - start + size]
        return with_retries(partial(super()._read_at, offset, size))


def _reported(action, path):
    try:
        return with_retries(action)
    except OSError as error:
        again = " (three tries)" if error.errno in PASSING else ""
        raise MediaError(path, "read", f"cannot be read: {error.strerror or error}{again}") from error
