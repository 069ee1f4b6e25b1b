"""What an index is to those who read it, wherever it lies: in a folder, in a snapshot's memory, in a class pack."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import pyarrow as pa

from .thumbs import Key


@runtime_checkable
class IndexReader(Protocol):
    """Rows, thumbnails and what is known of them: a `Store`, a `Snapshot` or a `Pack`. Only a `Store` can be written.

    Attributes:
        model: which encoder made the rows ("model_id", "name", "dim", ...), see `Encoder.about`.
        rows: all rows in the columns of `rows.COLUMNS` and "embedding", photos before frames, in one chunk.
        failures: files that could not be indexed whole: {path: {"size", "mtime_ns", "stage", "reason"}}; may have
            "versions", of what failed on them.
        problems: what of the index could not be believed, in sentences.
    """

    @property
    def model(self) -> dict:
        """Which encoder made the rows."""

    @property
    def rows(self) -> pa.Table:
        """All rows."""

    @property
    def failures(self) -> dict[str, dict]:
        """Files that could not be indexed whole."""

    @property
    def problems(self) -> list[str]:
        """What could not be believed."""

    def thumbnail(self, key: Key) -> bytes | None:
        """The JPEG of a row by (digest, time_s), or None where the index has none."""
