"""The check: is the cache sound, and does it still agree with the folder? It reads, and changes nothing.

Needs no model: every cache of a library says itself which model made it.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..cache import manifest
from ..cache.store import Store
from ..errors import CacheError, LibraryError, MediaError, printable
from ..media.files import Listing, find_media
from ..media.reading import digest_of
from .plan import failure_as_it_is, plan
from .report import by_suffix, unread_notes
from .sidecars import Sidecars


@dataclass(frozen=True)
class Finding:
    """What was found in one cache: damage to the cache itself, and how the folder differs from it (paths)."""

    cache: str
    model: str
    rows: int
    damage: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # indexed, no longer in the folder
    changed: list[str] = field(default_factory=list)  # indexed, but another size, time or content now
    new: list[str] = field(default_factory=list)  # in the folder, not indexed
    failed: list[str] = field(default_factory=list)  # in the folder; could not be read, or not to their ends
    again: list[str] = field(default_factory=list)  # those of them that other versions of the decoders may read
    not_read: dict[str, int] = field(default_factory=dict)  # counts of files of kinds that are not read, by suffix
    left_out: dict[str, str] = field(default_factory=dict)  # paths that are left out, and why
    unreadable: str = ""  # why this cliplib cannot read the cache at all, which may be sound all the same

    @property
    def sound(self) -> bool:
        """Whether all could be read and nothing is damaged; a folder that has changed is no fault of the cache."""
        return not (self.damage or self.unreadable)

    @property
    def advice(self) -> str:
        """What to run."""
        if self.unreadable:
            return self.unreadable
        run = "run index(): it encodes what is damaged, changed or new, and nothing else"
        if self.damage:
            return f"{run}; what stays damaged costs previews at most, and ends when you delete {self.cache} first"
        if self.changed or self.new:
            return run
        if self.again:
            return "run index(): it tries again what failed, for cliplib or a decoder has changed since"
        return "run index() to let the missing files go" if self.missing else "nothing to do"

    def __str__(self) -> str:
        state = "NOT READABLE" if self.unreadable else "sound" if self.sound else "DAMAGED"
        lines = [f"{self.cache} ({self.model}): {self.rows} rows, {state}"]
        lines += map(printable, self.damage)
        for name in ("missing", "changed", "new", "failed"):
            if paths := getattr(self, name):
                listed = ", ".join(map(printable, paths[:5]))
                lines.append(f"{len(paths)} {name}: {listed}{' ...' if len(paths) > 5 else ''}")
        lines += map(printable, unread_notes(self.not_read, self.left_out))
        return "\n  ".join([*lines, self.advice])


def check_caches(root: Path, cache: Path, by_content: bool = False, ignore: Sequence[str] = ()) -> list[Finding]:
    """Compare every part of a library's caches with its checksum, and every row with its file.

    Args:
        root: the library's folder.
        cache: the folder of its caches.
        by_content: whether all indexed files are read. Else they are compared by size and time of change, as `index`
            does it.
        ignore: rules of what is left out, see `find_media`.

    Returns:
        One finding for each cache.

    Raises:
        LibraryError: the folder is not there, or has no cache.
    """
    folders = sorted({file.parent for file in cache.glob("*/manifest*.json")}) if cache.is_dir() else []
    if not folders:
        raise LibraryError(f"{root} has no index in {cache}: run index() first")
    listing = find_media(root, ignore)
    return [_examine(folder, root, listing, by_content) for folder in folders]


def indexed_models(cache: Path) -> set[str]:
    """The names of the models that a cache of a library holds an index of, as far as they can be read."""
    found = set()
    for folder in {file.parent for file in cache.glob("*/manifest*.json")} if cache.is_dir() else ():
        with contextlib.suppress(CacheError):
            found |= {body["model"]["name"] for body in manifest.read_all(folder)[0].values() if body["parts"]}
    return found


def _examine(folder: Path, root: Path, listing: Listing, by_content: bool) -> Finding:
    try:
        bodies, damaged = manifest.read_all(folder)
    except CacheError as error:
        return Finding(str(folder), "unknown", 0, unreadable=str(error))
    if not bodies:
        damage = [f"{name} is damaged, and there is no other manifest" for name in damaged]
        return Finding(str(folder), "unknown", 0, damage)
    store = Store(folder, max(bodies.values(), key=lambda body: body["created_ns"])["model"])
    damage = [*store.problems, *_damaged_thumbs(store)]
    digests = dict(zip(store.rows["path"].to_pylist(), store.rows["digest"].to_pylist(), strict=True))
    differs = plan(listing, store, Sidecars(root, listing, store.rows))
    todo = [file.path for file in differs.todo]
    again = sorted(file.path for file in differs.todo if failure_as_it_is(file, store))
    known = [path for path, failure in differs.failed.items() if failure["stage"] != "motion"]
    if by_content:
        here = (file.path for file in listing.files if file.path in digests)
        changed = [path for path in here if _content(root / path) != digests[path]]
    else:
        changed = sorted(path for path in todo if path in digests and path not in again)
    return Finding(
        cache=str(folder),
        model=store.model["name"],
        rows=store.rows.num_rows,
        damage=damage,
        missing=sorted(differs.gone),
        changed=changed,
        new=sorted(path for path in todo if path not in digests and path not in again),
        failed=sorted([*known, *again]),
        again=again,
        not_read=by_suffix(listing.not_read),
        left_out=listing.left_out,
    )


def _content(file: Path) -> str | None:
    """The digest of a file; None where it cannot be read."""
    try:
        return digest_of(file)
    except MediaError:
        return None


def _damaged_thumbs(store: Store) -> Iterator[str]:
    """A sentence for each thumbnail pack that is not what was written; opening the index reads none of them whole."""
    for entry in store.thumb_files():
        path = store.folder / entry["name"]
        if not path.is_file():
            yield f"{entry['name']} is not there; its pictures show no preview"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            yield f"{entry['name']} does not match its checksum; some of its pictures may show no preview"
