"""What lies beside a file and belongs to it: Takeout's sidecar, and the short clip of a Live Photo.

A sidecar is a JSON file that tells when and where a photo was taken. A Live Photo or motion photo is one item with its
clip. The two are paired by the content identifier that Apple writes into both; else by their names, in one folder,
where the clip is at most `LONGEST_CLIP_S` long.
"""

from __future__ import annotations

import os
from datetime import datetime
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import MediaError
from ..media.dates import from_name, hours_apart
from ..media.files import Listing, MediaFile
from ..media.reading import read_bytes
from ..media.takeout import match_sidecars, plain_path, sidecar_facts
from ..media.video import open_video

LONGEST_CLIP_S = 4.0
DATED, PLACED = ("taken_at", "taken_from"), ("latitude", "longitude", "place_from")
CORRECTED_HOURS = 15  # so far from the camera's date a sidecar's is no matter of time zones: its owner corrected it
UNSET_S = 38 * 3600  # from 1970-01-01 in UTC: a day, and 14 hours for time zones
FIRST_YEAR, LAST_YEAR = 1826, 2199  # of a file time that may be a date; SMB, NTFS and cloud tools write 1601 or 30828


class Sidecars:
    """The sidecars and Live Photos among the files of one listing. Safe in threads.

    Args:
        root: the library's folder.
        listing: what it holds.
        rows: of the index so far.
        motion_clips: whether every clip counts as a video of its own.

    Attributes:
        by_path: the JSON file of each path that has one.
        mtimes_ns: the time of change of that JSON file, in nanoseconds.
        problems: in sentences, which of them could not be read.
    """

    def __init__(self, root: Path, listing: Listing, rows: pa.Table, motion_clips: bool = False):
        self.root = root
        self.problems: list[str] = []
        self.by_path = match_sidecars((file.path for file in listing.files), listing.jsons) if listing.jsons else {}
        self.mtimes_ns = {path: listing.jsons[sidecar] for path, sidecar in self.by_path.items()}
        self._pair, self._files = not motion_clips, listing.files
        columns = ["path", "kind", "size", "mtime_ns", "duration_s", "content_id"]  # the rest would travel to a cluster
        self._rows = rows.select(columns)
        self._fresh: set[str] = set()  # files that the index has taken in since `claims` was asked

    @cached_property
    def _photos(self) -> dict[str, list[str]]:
        """The photos by what they have in common with their clips."""
        photos: dict[str, list[str]] = {}
        for file in self._files:
            if file.file_kind == "photo":
                photos.setdefault(_stem(file.path), []).append(file.path)
        return photos

    @cached_property
    def _owners(self) -> dict[str, set[str]]:
        """The photos of each content identifier: of the index, where their files are unchanged, and of this run."""
        owners: dict[str, set[str]] = {}
        photos = self._rows.filter(
            pc.and_(pc.equal(self._rows["kind"], "image"), pc.is_valid(self._rows["content_id"]))
        )
        here = {(file.path, file.size, file.mtime_ns) for file in self._files}
        for path, _, size, mtime_ns, _, ident in zip(*(column.to_pylist() for column in photos.columns), strict=True):
            if (path, size, mtime_ns) in here:
                owners.setdefault(ident, set()).add(path)
        return owners

    @cached_property
    def _clips(self) -> dict[str, tuple[str | None, float]]:
        """Content identifier and duration of each video in the index."""
        frames = self._rows.filter(pc.equal(self._rows["kind"], "frame"))
        frames = frames.group_by("path").aggregate([("content_id", "max"), ("duration_s", "max")])
        columns = (frames[name].to_pylist() for name in ("path", "content_id_max", "duration_s_max"))
        return {path: (ident, duration_s) for path, ident, duration_s in zip(*columns, strict=True)}

    def completed(self, file: MediaFile, facts: dict) -> dict:
        """The facts of a file with what its sidecar tells, see `with_told`; notes its content identifier.

        Where neither has a date, that in its name is taken, or else its mtime.
        """
        if file.file_kind == "photo":
            self._note(file.path, facts)
        facts = with_told(facts, self._told(file.path))
        for source, taken_at in (("name", from_name(file.path)), ("mtime", date_of(file.mtime_ns))):
            if not facts.get("taken_at") and taken_at:
                facts |= {"taken_at": taken_at, "taken_from": source}
        return facts | {"sidecar_ns": self.mtimes_ns.get(file.path)}

    def photo_of(self, file: MediaFile) -> str | None:
        """The Live Photo that a video is the clip of, or None; also None where the video cannot be opened."""
        if not self._pair or not (self._owners or _stem(file.path) in self._photos):
            return None
        try:
            with open_video(os.path.join(self.root, file.path)) as video:
                return self._owner(file.path, video.facts.content_id, video.facts.duration_s)
        except MediaError:
            return None

    def note_indexed(self, file: MediaFile, facts: dict) -> None:
        """Note a file that was read, with its facts: {} where it cannot be decoded, or is the clip of a photo."""
        self._fresh.add(file.path)
        self._clips.pop(file.path, None)  # what it was before
        if file.file_kind == "video" and facts:
            self._clips[file.path] = facts["content_id"], facts["duration_s"]
        elif file.file_kind == "photo":
            self._note(file.path, facts)

    def claims(self) -> list[tuple[MediaFile, str]]:
        """Videos of the index that turn out to be the clip of a Live Photo, each with its photo.

        One of the two was indexed since this was last asked. What was there before stays, perhaps on purpose.
        """
        fresh, self._fresh = self._fresh, set()
        if not (self._pair and fresh):
            return []
        owners = {path: self._owner(path, *facts) for path, facts in self._clips.items()}
        claims = {clip: photo for clip, photo in owners.items() if photo and not fresh.isdisjoint((clip, photo))}
        for clip in claims:
            del self._clips[clip]
        return [(file, claims[file.path]) for file in self._files if file.path in claims] if claims else []

    def _note(self, path: str, facts: dict) -> None:
        if ident := facts.get("content_id"):
            self._owners.setdefault(ident, set()).add(path)

    def _owner(self, clip: str, ident: str | None, duration_s: float) -> str | None:
        """The Live Photo of a clip with this content identifier."""
        if ident in self._owners:
            return min(self._owners[ident])
        if duration_s > LONGEST_CLIP_S:
            return None
        others = set().union(*self._owners.values()) if ident else set()  # photos that belong to another clip
        return next((photo for photo in self._photos.get(_stem(clip), ()) if photo not in others), None)

    def _told(self, path: str) -> dict:
        sidecar = self.by_path.get(path)
        if sidecar is None:
            return {}
        try:
            return sidecar_facts(read_bytes(os.path.join(self.root, sidecar)))
        except (MediaError, ValueError) as error:
            self.problems.append(f"{sidecar} tells nothing of {path}: {getattr(error, 'reason', error)}")
            self.by_path.pop(path, None)  # said once
            return {}


def with_told(facts: dict, told: dict) -> dict:
    """The facts of a file with what its sidecar tells of it.

    The sidecar's date is taken where the file has none, and where the two differ by more than time zones do: then the
    owner has corrected it, as of a scan, and the sidecar's place goes before the file's. Else the camera knows better.
    """
    own, its = facts.get("taken_at"), told.get("taken_at")
    corrected = own is not None and its is not None and hours_apart(own, its) > CORRECTED_HOURS
    placed = None not in (facts.get("latitude"), facts.get("longitude"))
    take = (DATED if corrected or not own else ()) + (PLACED if corrected or not placed else ())
    return facts | {name: told[name] for name in take if name in told}


def date_of(mtime_ns: int) -> str | None:
    """A file's time of change as "YYYY-MM-DDTHH:MM:SS", local time, where that can be when it was taken; else None.

    The first day of 1970, in whatever time zone, is what a clock that was never set writes. The ends of 32 bits are
    what programs write for a time that these cannot hold. No photo is older than photography.
    """
    try:
        seconds = mtime_ns / 1e9
        taken = datetime.fromtimestamp(seconds)
    except (ValueError, OverflowError, OSError):
        return None
    unset = abs(seconds) < UNSET_S or int(seconds) in (-(2**31), 2**31 - 1)
    return taken.isoformat(timespec="seconds") if FIRST_YEAR <= taken.year <= LAST_YEAR and not unset else None


def _stem(path: str) -> str:
    """What a photo and its clip have in common: the path without its suffix, in whatever part of a Takeout."""
    return plain_path(path).rpartition(".")[0].lower()
