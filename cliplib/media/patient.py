"""A large file as FFmpeg reads it: patiently on a mount that fails now and then, and no part of it twice."""

import io
import os

from .files import digest_of_parts, open_file, patiently


class PatientFile(io.RawIOBase):
    """A file or a member of an archive, open for reading; what fails in passing is tried again from where it began.

    What `digest` has read is kept (64 MB at most) and given from memory afterwards. Raises OSError.
    """

    def __init__(self, path):
        self.path, self._at, self._kept = os.fspath(path), 0, []
        self._file = patiently(lambda: open_file(path, buffering=0))
        self.size = self._file.seek(0, os.SEEK_END)

    def digest(self) -> str:
        """`files.digest_of` this file."""

        def part(offset, length):
            pieces = []
            while length and (piece := self._read_at(offset + sum(map(len, pieces)), length)):
                pieces.append(piece)  # one read may give less than was asked for
                length -= len(piece)
            self._kept.append((offset, b"".join(pieces)))
            return self._kept[-1][1]

        return digest_of_parts(self.size, part)

    def _read_at(self, offset, size):
        return patiently(lambda: self._file.seek(offset) is not None and self._file.read(size))

    def read(self, size=-1):
        for offset, kept in self._kept if size >= 0 else ():
            if offset <= self._at < offset + len(kept):
                piece = kept[self._at - offset : self._at - offset + size]
                break
        else:
            piece = self._read_at(self._at, size)
        self._at += len(piece)
        return piece

    def readable(self):
        return True

    seekable = readable

    def seek(self, offset, whence=os.SEEK_SET):
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        return self._at

    def tell(self):
        return self._at

    def close(self):
        self._kept = []
        self._file.close()
        super().close()
