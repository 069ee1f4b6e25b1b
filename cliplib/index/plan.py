"""What differs between a folder and its cache: files to encode, unchanged ones, known failures, and what is gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..cache.store import Store
from ..errors import MediaError
from ..media.files import Listing, MediaFile
from ..media.versions import decoders
from ..media.zips import newest_first
from ..version import __version__
from .sidecars import Sidecars

MOVING_PART = "the moving part of "
EVERY_S = 1.0  # between the sampled frames of a video, where nothing else was asked for


@dataclass
class Plan:
    """What differs between the folder and the cache."""

    todo: list[MediaFile]  # new, changed, or worth another try; photos newest first, then videos
    unchanged: int
    failed: dict[str, dict]  # known failures, and clips of Live Photos, whose files have not changed
    gone: set[str]  # paths in the cache, no longer in the folder


def plan(
    listing: Listing,
    store: Store,
    sidecars: Sidecars,
    every_s: float | None = None,
    motion_clips: bool = False,
    retry_failed: bool = False,
) -> Plan:
    """Compare a folder with its cache by path, size and mtime, and by the mtime of the sidecar.

    A photo of which only the preview was encoded is still to do. A file that could not be decoded is tried again where
    other versions of the decoders are at work now. The clip of a Live Photo waits for as long as its photo is there as
    it was. Files that could not be read lose no row.

    Args:
        listing: what the folder holds.
        store: the cache.
        sidecars: of the listing.
        every_s: seconds between the sampled frames of a video; None: as they are.
        motion_clips: whether the clip of a Live Photo is a video of its own.
        retry_failed: whether what could not be decoded is tried again in any case.
    """
    columns = ("path", "size", "mtime_ns", "sidecar_ns", "every_s", "provisional")
    paths, *facts = (store.rows[c].to_pylist() for c in columns)
    indexed = dict(zip(paths, zip(*facts, strict=True), strict=True))
    troubled = [problem.path for problem in listing.problems]  # perhaps folders
    present = {file.path for file in listing.files} | set(troubled) | listing.unread_raws
    todo, failed, clips, unchanged = [], {}, [], 0
    for file in listing.files:
        *before, sampled, provisional = indexed.get(file.path, (None,) * 5)
        failure, now = failure_as_it_is(file, store), [file.size, file.mtime_ns, sidecars.mtimes_ns.get(file.path)]
        if sampled is not None and every_s not in (None, sampled):
            todo.append(file)
        elif failure and failure["stage"] == "motion" and not motion_clips:
            clips.append((file, failure))
        elif failure and failure["stage"] == "decode" and failure.get("versions") == versions() and not retry_failed:
            failed[file.path] = failure
        elif before == now and not failure and not provisional:
            unchanged += 1
        else:
            todo.append(file)
    changed = {file.path for file in todo}
    for file, failure in clips:  # of a photo that is there as it was
        if (photo := photo_of(failure)) in present and photo not in changed:
            failed[file.path] = failure
        else:
            todo.append(file)
    unread = tuple(f"{path}/" for path in [*listing.unread_folders, *troubled])
    gone = {path for path in indexed.keys() - present if not path.startswith(unread)}
    return Plan(newest_first(todo), unchanged, failed, gone)


def failure_as_it_is(file: MediaFile, store: Store) -> dict | None:
    """What is noted of a file that could not be indexed whole and has not changed since; else None."""
    failure = store.failures.get(file.path)
    return failure if failure and (failure["size"], failure["mtime_ns"]) == (file.size, file.mtime_ns) else None


def versions() -> str:
    """What reads files, with its versions: the next may read what failed."""
    return f"cliplib {__version__}, {decoders()}"


def moving_part(path: str | Path, photo: str) -> MediaError:
    """What is noted of a clip, a video that is part of its Live Photo and no item of its own."""
    return MediaError(path, "motion", f"{MOVING_PART}{photo}")


def photo_of(failure: dict) -> str:
    """The photo of a clip, by what was noted of it."""
    return failure["reason"].removeprefix(MOVING_PART)
