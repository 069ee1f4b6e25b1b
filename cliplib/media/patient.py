"""A large file as FFmpeg reads it: patiently on a mount that fails now and then, and hardly a part of it twice."""

import os
from functools import partial

from .files import digest_of_parts, open_file, patiently
from .zips import Window


class PatientFile(Window):
    """A file or a member of an archive, open for reading; what fails in passing is tried again from where it began.

    What `digest` has read is kept (64 MB at most) and given from memory afterwards. Raises OSError.
    """

    def __init__(self, path):
        self.path, self._kept = os.fspath(path), []
        file = patiently(lambda: open_file(path, buffering=0))
        super().__init__(file, 0, file.seek(0, os.SEEK_END))

    def digest(self) -> str:
        """`files.digest_of` this file."""

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
        return patiently(partial(super()._read_at, offset, size))
