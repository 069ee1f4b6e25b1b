"""The mode of a search: what is asked with, and what is looked for."""

from __future__ import annotations

from enum import Enum

from ..cache.rows import ROW_KINDS
from ..errors import QueryError


class Mode(str, Enum):
    """What a query is made of, and what it finds, spelled "text->image".

    A mode equals its spelling, sorts and prints as it, and is written to files as it. `Mode("text->video")` and
    `Mode.of("text", "frame")` are the same mode.
    """

    TEXT_TO_IMAGE = "text->image"
    IMAGE_TO_IMAGE = "image->image"
    MIXED_TO_IMAGE = "mixed->image"
    TEXT_TO_VIDEO = "text->video"
    IMAGE_TO_VIDEO = "image->video"
    MIXED_TO_VIDEO = "mixed->video"

    @classmethod
    def of(cls, query: str, row_kind: str) -> Mode:
        """The mode of a query over one kind of row.

        Args:
            query: "text", "image", or "mixed" for a composed query with terms of both kinds.
            row_kind: "image" for photos, "frame" for the sampled frames of videos.

        Raises:
            QueryError: for another kind of row.
        """
        targets = dict(zip(ROW_KINDS, ("image", "video"), strict=True))
        if row_kind not in targets:
            raise QueryError(f"kind is {row_kind!r}: it can be {' or '.join(map(repr, targets))}")
        return cls(f"{query}->{targets[row_kind]}")

    @classmethod
    def _missing_(cls, value: object) -> Mode:
        raise QueryError(f"mode is {value!r}: it can be {', '.join(mode.value for mode in cls)}")

    @property
    def query(self) -> str:
        """What the query is made of: "text", "image" or "mixed"."""
        return self.value.partition("->")[0]

    @property
    def target(self) -> str:
        """What is found: "image" or "video"."""
        return self.value.partition("->")[2]

    @property
    def row_kind(self) -> str:
        """The kind of row that is compared: "image", or "frame" for videos."""
        return "frame" if self.target == "video" else "image"

    @property
    def is_judged(self) -> bool:
        """Whether people judge its answers: those of single queries, not of composed ones."""
        return self.query != "mixed"

    def __str__(self) -> str:
        return self.value

    __repr__ = __str__
