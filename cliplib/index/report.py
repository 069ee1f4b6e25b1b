"""What an index run answers with: every file accounted for, and what will be left if the machine ends now."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ..deprecation import renamed_attribute
from ..errors import printable
from ..media.formats import RAW_SUFFIXES

MOST_NAMED = 6  # suffixes


@dataclass(frozen=True)
class Skipped:
    """A file that could not be indexed, or not whole: its path, the stage ("walk", "read", "decode"), the reason."""

    path: str
    stage: str
    reason: str


@dataclass(frozen=True)
class IndexContents:
    """What an index holds now.

    Attributes:
        cache: the folder in which it lies.
        photos: rows of photos.
        frames: rows of video frames.
        written: how many of these rows are only written: on their way to Drive, or on a session's own disk.
        durability: in a sentence, what would be left if this machine ended now.
    """

    cache: str = ""
    photos: int = 0
    frames: int = 0
    written: int = 0
    durability: str = ""


@dataclass(frozen=True)
class OtherFiles:
    """What lies in the folder beside the photos and videos that are indexed.

    Attributes:
        sidecars: JSON files that tell when and where a photo or video was taken.
        motion_clips: Short videos that belong to a Live Photo and are no items of their own.
        not_read: Counts of files of kinds that are not read, by suffix; photos and videos first, then by count.
        left_out: Folders and files that are left out by their names, or by a rule: {path: name, or where the rule is}.
    """

    sidecars: int = 0
    motion_clips: int = 0
    not_read: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        words = []
        if self.sidecars or self.motion_clips:
            words += [f"{self.sidecars:,} sidecars matched; {self.motion_clips:,} clips are part of their photos"]
        return "; ".join([*words, *unread_notes(self.not_read, self.left_out)])


def by_suffix(not_read: dict[tuple[str, str], int]) -> dict[str, int]:
    """A listing's counts of files that are not read, by suffix alone: photos and videos first, then by count."""
    order = sorted(not_read.items(), key=lambda entry: (entry[0][1] == "other", -entry[1], entry[0]))
    return {suffix: count for (suffix, _), count in order}


def unread_notes(not_read: dict[str, int], left_out: dict[str, str]) -> list[str]:
    """Sentences on the files of kinds that are not read, and on what is left out; none for none."""
    told = []
    if not_read:
        named = [f"{count:,} {suffix or 'without a suffix'}" for suffix, count in [*not_read.items()][:MOST_NAMED]]
        rest = sum([*not_read.values()][MOST_NAMED:])
        named += [f"{rest:,} others"] if rest else []
        told.append(f"{sum(not_read.values()):,} files of kinds that are not read: {', '.join(named)}")
        if raws := sum(count for suffix, count in not_read.items() if suffix in RAW_SUFFIXES):
            told.append(f'pip install "cliplib[raw]" would read the raw photos among them: {raws:,}')
    if left_out:
        why = Counter(left_out.values()).most_common(MOST_NAMED)
        told.append(f"{len(left_out):,} left out: {', '.join(f'{count:,} {name}' for name, count in why)}")
    return told


@dataclass(frozen=True)
class IndexReport:
    """What an index run did. Counts are of files: seen = indexed + unchanged + len(skipped).

    Attributes:
        indexed: files that are new or have changed.
        unchanged: files that are in the index as they are.
        removed: files that are gone.
        skipped: files that could not be indexed, or not whole, each with its reason.
        encoded: how many of the indexed went through the model; a copy of a known file does not.
        moved: how many of the unchanged only have another path.
        seconds: how long the run took.
        warning: what the model says of itself.
        problems: what was wrong with the cache, and who else is writing it.
        holds: what the index holds now.
        found: what else is in the folder.
    """

    indexed: int
    unchanged: int
    removed: int
    skipped: list[Skipped]
    encoded: int = 0
    moved: int = 0
    seconds: float = 0.0
    warning: str = ""
    problems: list[str] = field(default_factory=list)
    holds: IndexContents = field(default_factory=IndexContents)
    found: OtherFiles = field(default_factory=OtherFiles)

    @property
    def seen(self) -> int:
        """Media files found in the library folder."""
        return self.indexed + self.unchanged + len(self.skipped)

    @property
    def photos(self) -> int:
        """Photos in the index now."""
        return self.holds.photos

    @property
    def frames(self) -> int:
        """Frames of videos in the index now."""
        return self.holds.frames

    @property
    def cache(self) -> str:
        """Where the index lies."""
        return self.holds.cache

    @property
    def confirmed(self) -> int:
        """Rows that would be left if this machine ended now."""
        return self.photos + self.frames - self.holds.written

    written = renamed_attribute("IndexReport.written", "holds.written")
    outlook = renamed_attribute("IndexReport.outlook", "holds.durability")
    sidecars = renamed_attribute("IndexReport.sidecars", "found.sidecars")
    motion_clips = renamed_attribute("IndexReport.motion_clips", "found.motion_clips")
    not_read = renamed_attribute("IndexReport.not_read", "found.not_read")

    def __str__(self) -> str:
        lines = [
            f"{self.seen} files: {self.indexed} indexed, {self.unchanged} unchanged, {len(self.skipped)} skipped; "
            f"{self.removed} removed. {self.encoded} encoded in {self.seconds:.1f} s.",
            f"The index holds {self.photos} photos and {self.frames} video frames, in {self.cache}",
        ]
        lines += [printable(f"{text}.") for text in (self.holds.durability, str(self.found)) if text]
        lines += [printable(f"  skipped {item.path}: {item.reason}") for item in self.skipped]
        lines += [printable(f"  note: {text}") for text in self.problems]
        return "\n".join([*filter(None, [self.warning]), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display.html import report_html

        return report_html(self)
