"""What differs between a folder and its cache: files to encode, unchanged ones, known failures, and what is gone."""

from __future__ import annotations

from dataclasses import dataclass

from ..cache.store import Store
from ..media.files import Listing, MediaFile
from ..media.zips import newest_first

EVERY_S = 1.0  # between the sampled frames of a video, where nothing else was asked for


@dataclass
class Plan:
    """What differs between the folder and the cache."""

    todo: list[MediaFile]  # new, changed, or worth another try; photos newest first, then videos
    unchanged: int
    failed: dict[str, dict]  # known failures, and clips of Live Photos, whose files have not changed
    gone: set[str]  # paths in the cache, no longer in the folder


def plan(listing: Listing, store: Store, every_s: float | None, motion_clips: bool = False) -> Plan:
    """Compare by path, size and mtime; a video also by its sampling interval. What could not be read loses no row.

    A file that failed is tried again when that may help: unless it could not be decoded, or is the clip of a photo that
    is still there.
    """
    paths, *facts = (store.rows[c].to_pylist() for c in ("path", "size", "mtime_ns", "every_s"))
    indexed = dict(zip(paths, zip(*facts, strict=True), strict=True))
    troubled = [problem.path for problem in listing.problems]  # perhaps folders
    present = {file.path for file in listing.files} | set(troubled)
    todo, failed, unchanged = [], {}, 0
    for file in listing.files:
        size, mtime_ns, sampled = indexed.get(file.path, (None, None, None))
        failure, now = store.failures.get(file.path), (file.size, file.mtime_ns)
        if failure and (failure["size"], failure["mtime_ns"]) != now:
            failure = None
        if sampled is not None and every_s not in (None, sampled):
            todo.append(file)
        elif failure and (failure["stage"] == "decode" or (_photo_of(failure) in present and not motion_clips)):
            failed[file.path] = failure
        elif (size, mtime_ns) == now and not failure:
            unchanged += 1
        else:
            todo.append(file)
    unread = tuple(f"{path}/" for path in [*listing.unread_folders, *troubled])
    gone = {path for path in indexed.keys() - present if not path.startswith(unread)}
    return Plan(newest_first(todo), unchanged, failed, gone)


def _photo_of(failure: dict) -> str | None:
    """The photo whose moving part a file is, by what `pipeline` says of it."""
    return failure["reason"].removeprefix("the moving part of ") if failure["stage"] == "motion" else None
