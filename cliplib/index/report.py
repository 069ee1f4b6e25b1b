"""What an index run answers with: every file accounted for, and what will be left if the machine ends now."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import printable


@dataclass(frozen=True)
class Skipped:
    """A file that could not be indexed, or not whole: its path, the stage ("walk", "read", "decode"), the reason."""

    path: str
    stage: str
    reason: str


@dataclass(frozen=True)
class IndexReport:
    """What an index run did. Counts are of files: seen = indexed + unchanged + len(skipped).

    `indexed` files are new or changed; `encoded` of them went through the model (a copy of a known file does not);
    `moved` of the unchanged only have another path; `removed` files are gone. `problems` says what was wrong with the
    cache, and who else is writing it. Of the rows in the index (`photos` + `frames`) so many are only `written`, on
    their way to Drive or on a disk that goes with the session; the others are `confirmed`. `outlook` says so in words.
    """

    indexed: int
    unchanged: int
    removed: int
    skipped: list[Skipped]
    encoded: int = 0
    moved: int = 0
    photos: int = 0  # in the index now
    frames: int = 0
    seconds: float = 0.0
    cache: str = ""
    banner: str = ""
    problems: list[str] = field(default_factory=list)
    written: int = 0
    outlook: str = ""
    sidecars: int = 0  # JSON files that tell when and where a photo or video was taken
    motion_clips: int = 0  # short videos that belong to a Live Photo and are no items of their own

    @property
    def confirmed(self) -> int:
        """Rows that would be left if this machine ended now."""
        return self.photos + self.frames - self.written

    @property
    def seen(self) -> int:
        """Media files found in the library folder."""
        return self.indexed + self.unchanged + len(self.skipped)

    @property
    def beside(self) -> str:
        """What was found beside the photos and videos, in words; "" where there was nothing."""
        if not self.sidecars and not self.motion_clips:
            return ""
        return f"{self.sidecars:,} sidecars matched; {self.motion_clips:,} clips are part of their photos"

    def __str__(self) -> str:
        lines = [
            f"{self.seen} files: {self.indexed} indexed, {self.unchanged} unchanged, {len(self.skipped)} skipped; "
            f"{self.removed} removed. {self.encoded} encoded in {self.seconds:.1f} s.",
            f"The index holds {self.photos} photos and {self.frames} video frames, in {self.cache}",
        ]
        lines += [f"{text}." for text in (self.outlook, self.beside) if text]
        lines += [printable(f"  skipped {item.path}: {item.reason}") for item in self.skipped]
        lines += [printable(f"  note: {text}") for text in self.problems]
        return "\n".join([*filter(None, [self.banner]), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display.html import report_html

        return report_html(self)
