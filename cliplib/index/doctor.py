"""The doctor: is the cache sound, and does it still agree with the folder? It reads, and changes nothing.

Needs no model: every cache of a library says itself which model made it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..cache import manifest
from ..cache.store import Store
from ..errors import LibraryError, MediaError
from ..media.files import MediaFile, digest_of, find_media


@dataclass(frozen=True)
class Finding:
    """What the doctor found in one cache: `damage` to the cache itself, and how the folder differs from it (paths)."""

    cache: str
    model: str
    rows: int
    damage: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # indexed, no longer in the folder
    changed: list[str] = field(default_factory=list)  # indexed, but another size, time or content now
    new: list[str] = field(default_factory=list)  # in the folder, not indexed

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged; a folder that has changed is no fault of the cache."""
        return not self.damage

    @property
    def advice(self) -> str:
        """What to run."""
        if self.damage or self.changed or self.new:
            return "run index(): it encodes what is damaged, changed or new, and nothing else"
        return "run index() to let the missing files go" if self.missing else "nothing to do"

    def __str__(self) -> str:
        lines = [f"{self.cache} ({self.model}): {self.rows} rows, {'sound' if self.sound else 'DAMAGED'}"]
        lines += [f"  {text}" for text in self.damage]
        for name in ("missing", "changed", "new"):
            paths = getattr(self, name)
            lines += (
                [f"  {len(paths)} {name}: {', '.join(paths[:5])}{' ...' if len(paths) > 5 else ''}"] if paths else []
            )
        return "\n".join([*lines, f"  {self.advice}"])


def check(root: Path, cache: Path, by_content: bool = False) -> list[Finding]:
    """One finding for each cache of a library: every part against its checksum, every row against its file.

    Files are compared by size and time of change, or `by_content` by reading them all. LibraryError when the folder
    is not there or has no cache.
    """
    folders = sorted({file.parent for file in cache.glob("*/manifest*.json")}) if cache.is_dir() else []
    if not folders:
        raise LibraryError(f"{root} has no index in {cache}: run index() first")
    files = {file.path: file for file in find_media(root).files}
    return [_examine(folder, root, files, by_content) for folder in folders]


def _examine(folder: Path, root: Path, files: dict[str, MediaFile], by_content: bool) -> Finding:
    bodies, damaged = manifest.read_all(folder)
    if not bodies:
        return Finding(
            str(folder), "unknown", 0, [f"{name} is damaged, and there is no other manifest" for name in damaged]
        )
    store = Store(folder, max(bodies.values(), key=lambda body: body["created_ns"])["model"])
    damage = [*store.problems, *_damaged_thumbs(store)]
    columns = (store.rows[name].to_pylist() for name in ("path", "size", "mtime_ns", "digest"))
    indexed = {path: (size, mtime_ns, digest) for path, size, mtime_ns, digest in zip(*columns, strict=True)}
    changed = [path for path, row in indexed.items() if path in files and _differs(root, files[path], row, by_content)]
    return Finding(
        cache=str(folder),
        model=store.model["name"],
        rows=store.rows.num_rows,
        damage=damage,
        missing=sorted(indexed.keys() - files.keys()),
        changed=sorted(changed),
        new=sorted(files.keys() - indexed.keys() - store.failures.keys()),
    )


def _differs(root: Path, file: MediaFile, row: tuple, by_content: bool) -> bool:
    size, mtime_ns, digest = row
    if not by_content:
        return (size, mtime_ns) != (file.size, file.mtime_ns)
    try:
        return digest_of(root / file.path) != digest
    except MediaError:
        return True


def _damaged_thumbs(store: Store) -> Iterator[str]:
    """A sentence for each thumbnail pack that is not what was written; opening the index reads none of them whole."""
    for entry in store.thumb_files():
        path = store.folder / entry["name"]
        if not path.is_file():
            yield f"{entry['name']} is not there; its pictures show no preview"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            yield f"{entry['name']} does not match its checksum; some of its pictures may show no preview"
