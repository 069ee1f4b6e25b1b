"""What differs between a folder and its cache: files to encode, unchanged ones, known failures, and what is gone."""

from __future__ import annotations

from dataclasses import dataclass

from ..cache.store import Store
from ..media.files import Listing, MediaFile
from ..media.zips import newest_first


@dataclass
class Plan:
    """What differs between the folder and the cache."""

    todo: list[MediaFile]  # new, changed, or worth another try; photos newest first, then videos
    unchanged: int
    failed: dict[str, dict]  # known failures, and clips of Live Photos, whose files have not changed
    gone: set[str]  # paths in the cache, no longer in the folder


def plan(listing: Listing, store: Store, every_s: float | None, motion_clips: bool = False) -> Plan:
    """Compare by path, size and mtime; a video also by its sampling interval. Unreadable folders lose no row."""
    settled = {"decode"} if motion_clips else {"decode", "motion"}
    paths, *facts = (store.rows[c].to_pylist() for c in ("path", "size", "mtime_ns", "every_s"))
    indexed = dict(zip(paths, zip(*facts, strict=True), strict=True))
    todo, failed, unchanged = [], {}, 0
    for file in listing.files:
        size, mtime_ns, sampled = indexed.get(file.path, (None, None, None))
        failure = store.failures.get(file.path)
        now = (file.size, file.mtime_ns)
        if failure and failure["stage"] in settled and (failure["size"], failure["mtime_ns"]) == now:
            failed[file.path] = failure
        elif (size, mtime_ns) == now and (file.kind == "image" or every_s in (None, sampled)):
            unchanged += 1
        else:
            todo.append(file)
    unread = tuple(f"{folder}/" for folder in listing.unread_folders)
    present = {file.path for file in listing.files} | {problem.path for problem in listing.problems}
    gone = {path for path in indexed.keys() - present if not path.startswith(unread)}
    return Plan(newest_first(todo), unchanged, failed, gone)
