"""Copying in bulk between a mount and the local disk: photos one way, the cache both ways.

A mount answers slowly and many requests at once, so small files are copied by many threads together. What was copied
keeps its size and time of change, so that the index of the copy is also the index of the folder on Drive.
"""

import errno
import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

from ..errors import CacheError, LibraryError, MediaError
from ..media import zips
from ..media.files import Listing, MediaFile, find_media
from ..media.retry import with_retries
from ..places import carry_drive_id, expanded
from . import manifest, mounts
from .durable import write_durably
from .retention import delete_old

THREADS = 16  # they wait for Drive, not for the processor
CHUNK_BYTES = 2**22
LEFT_FREE_BYTES = 2**30  # of the local disk, for models and the index


@dataclass(frozen=True)
class Staged:
    """What `stage` did: files `copied` and found `unchanged`, their bytes together, and `problems` (MediaError)."""

    folder: Path
    copied: int
    unchanged: int
    size_bytes: int
    problems: list[MediaError]

    def __str__(self) -> str:
        size = tqdm.format_sizeof(self.size_bytes, "B")
        done = f"{self.copied} files copied, {self.unchanged} unchanged, {size}, in {self.folder}"
        return "\n".join([done, *(f"  not copied {problem}" for problem in self.problems)])

    __repr__ = __str__


def stage(folder: str | Path, to: str | Path, max_bytes: int = 20 * 10**9, progress: bool = True) -> Staged:
    """Copy photos and videos from a mount to the local disk, several at once.

    Archives that hold some are copied whole, and Takeout's JSON files too. A file that is there already with the same
    size and time is not copied again. Nothing is deleted in `to`.

    Args:
        folder: on the mount.
        to: on the local disk.
        max_bytes: how much the files in `to` may have together.
        progress: whether a bar is shown.

    Returns:
        What was done. A file that cannot be read is one of its problems.

    Raises:
        LibraryError: the folder is not there, has more than `max_bytes`, or the disk has too little room. Nothing was
            copied then. Also where the disk fills up meanwhile; the next call goes on from there.
    """
    folder, to = Path(os.path.realpath(expanded(folder))), Path(os.path.realpath(expanded(to)))
    if to == folder or folder in to.parents or to in folder.parents:
        raise LibraryError(f"cannot stage {folder} in {to}: one lies in the other; give a folder elsewhere")
    listing = find_media(folder)
    passing = to / ".staging"  # hidden from the index, and gone when the run ends
    shutil.rmtree(passing, ignore_errors=True)
    files, there = _on_disk(folder, listing), _found(to)
    todo = [file for file in files if there.get(file.path) != file[2:]]
    _check_room(folder, to, files, there, todo, max_bytes)
    passing.mkdir(parents=True)
    failed: list[MediaError] = []
    options = {"desc": "Copying", "unit": "B", "unit_scale": True, "disable": not progress}
    with ThreadPoolExecutor(THREADS) as pool, tqdm(total=sum(file.size for file in todo), **options) as bar:
        copies = {pool.submit(_copy, folder, to, passing / str(i), file): file for i, file in enumerate(todo)}
        try:
            for copy in as_completed(copies):
                failed += copy.result()
                bar.update(copies[copy].size)
        finally:
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(passing, ignore_errors=True)
    lost = {problem.path for problem in failed}
    size_bytes = sum(file.size for file in files if file.path not in lost)
    return Staged(to, len(todo) - len(lost), len(files) - len(todo), size_bytes, [*listing.problems, *failed])


def _on_disk(folder: Path, listing: Listing) -> list[MediaFile]:
    """The files to copy: what the walk listed, and for members of an archive the archive itself."""
    inside = {path: zips.split(folder / path) for path in (*(file.path for file in listing.files), *listing.jsons)}
    archives = {os.path.relpath(found[0], folder) for found in inside.values() if found}
    files = [file for file in listing.files if not inside[file.path]]
    for path in sorted({*archives, *listing.jsons}):
        if inside.get(path):
            continue
        try:
            facts = with_retries(partial(os.stat, folder / path))
            files.append(MediaFile(path, "", facts.st_size, facts.st_mtime_ns))
        except OSError as error:
            listing.problems.append(MediaError(path, "walk", f"its size cannot be read: {error.strerror or error}"))
    return files


def _found(to: Path) -> dict[str, tuple[int, int]]:
    """Size in bytes and time of change in ns of every file below a folder, by path."""
    found = {}
    for path, _, names in os.walk(to):
        for name in names:
            facts = os.lstat(os.path.join(path, name))
            found[os.path.relpath(os.path.join(path, name), to)] = (facts.st_size, facts.st_mtime_ns)
    return found


def _check_room(
    folder: Path,
    to: Path,
    files: list[MediaFile],
    there: dict[str, tuple[int, int]],
    todo: list[MediaFile],
    max_bytes: int,
) -> None:
    """LibraryError where the files would not fit under the cap or on the disk; `there`: see `_found`."""
    shown = partial(tqdm.format_sizeof, suffix="B")
    others = there.keys() - {file.path for file in files}
    mine = sum(file.size for file in files)
    total = mine + sum(there[path][0] for path in others)
    if total > max_bytes:
        raise LibraryError(
            f"{folder} has {len(files)} files of {shown(mine)} together, and {to} has {len(others)} others; "
            f"of these {shown(total)} at most {shown(max_bytes)} may be staged. "
            "Stage one of its folders, empty the other, or give a larger max_bytes"
        )
    replaced = sum(there[file.path][0] for file in todo if file.path in there)
    need = sum(file.size for file in todo) - replaced + LEFT_FREE_BYTES
    free = shutil.disk_usage(next(parent for parent in (to, *to.parents) if parent.is_dir())).free
    if need > free:
        raise LibraryError(
            f"the disk of {to} has {shown(free)} free, and {len(todo)} files need {shown(need)} with what must stay "
            "free for models. Nothing was copied: stage one of its folders, or index it where it is"
        )


def _copy(folder: Path, to: Path, passing: Path, file: MediaFile) -> list[MediaError]:
    """Copy one file, as long as it was listed, to `passing` and then to its place; [] or what was wrong."""
    target = to / file.path

    def once() -> None:
        left = file.size
        with open(folder / file.path, "rb") as source, open(passing, "wb") as sink:
            while left >= 0 and (chunk := source.read(min(CHUNK_BYTES, left + 1))):
                sink.write(chunk[:left])  # not one byte more than was counted against the cap
                left -= len(chunk)
        if left:
            raise MediaError(file.path, "read", "its size changes; is it still being uploaded? Stage again later")
        carry_drive_id(folder / file.path, passing)
        os.utime(passing, ns=(file.mtime_ns, file.mtime_ns))

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # the version before; both together might pass the cap
        with_retries(once)
        os.replace(passing, target)
        return []
    except (OSError, MediaError) as error:
        passing.unlink(missing_ok=True)
        if isinstance(error, MediaError):
            return [error]
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LibraryError(
                f"the disk of {to} is full. What was copied whole stays; free some space, and stage() goes on from it"
            ) from error
        return [MediaError(file.path, "read", f"cannot be copied: {error.strerror or error}")]


def save_back(cache: str | Path, to: str | Path) -> int:
    """Copy an index to Drive, or the other way round.

    What is in `to` already stays and is merged, as with two writers. Parts go first, then the manifests that name them,
    so that a stop in the middle leaves what was there. Judgements and calibrated cutoffs follow; of two versions the
    newer stays. On a mount the copy is only written until `flush`.

    Args:
        cache: the folder of the caches, `library.cache`.
        to: the folder that they go into, such as `.cliplib` in your photos on Drive.

    Returns:
        The bytes copied.

    Raises:
        CacheError: there is no cache, a part of it is damaged, the folder around `to` is not there, or `to` refuses.
    """
    cache, to = expanded(cache), expanded(to)
    folders = sorted({file.parent for file in cache.glob("*/manifest*.json")})
    if not folders:
        raise CacheError(f"there is no cache in {cache}: run index() first, and give library.cache")
    if not os.path.isdir(to.parent):  # Path.is_dir raises on a mount that went stale
        raise CacheError(
            f"there is no folder {to.parent} for the cache: make it first; if it is on Drive, is the drive mounted?"
        )
    try:
        return sum(copy_index(folder, to / folder.name) for folder in folders) + copy_by_hand(cache, to)
    except OSError as error:
        raise CacheError(
            f"could not save the cache in {to}: {error.strerror or error}. What was there before is intact, and so is "
            f"{cache}. If Drive is mounted read-only, drive.mount(readonly=False); then save again"
        ) from error


def copy_index(folder: Path, to: Path, whole: bool = True) -> int:
    """Copy what the heads of one model's cache name, and the heads; what is in `to` stays, and the two are merged.

    Returns the bytes copied: none of what is there already. Raises OSError, and CacheError as `manifest.read_all` of
    both folders, and for a damaged part, which is left behind where the copy need not be `whole`.
    """
    bodies, copied = manifest.loadable(manifest.read_all(folder)[0], manifest.part_sizes(folder)), 0
    manifest.read_all(to)  # refuses to write beside an index of a later format
    to.mkdir(parents=True, exist_ok=True)
    for ident in manifest.heads(bodies):
        new_rows, name = 0, manifest.file_name(bodies[ident])
        for part in bodies[ident]["parts"]:
            part_bytes = _carry(folder, to, part, whole)
            new_rows += part["rows"] if part_bytes else 0
            copied += part_bytes + (_carry(folder, to, part["thumbs"], needed=False) if "thumbs" in part else 0)
        if not (to / name).exists():
            mounts.note(to / name, new_rows)
            copied += _put(to / name, manifest.to_bytes(bodies[ident]))
    delete_old(to)
    return copied


def copy_by_hand(cache: Path, to: Path) -> int:
    """Copy what people made in all caches of a library: judgements and calibrated cutoffs.

    Of two versions the newer stays. Returns the bytes copied. Raises OSError.
    """
    files = sorted([*cache.glob("judgements/[!.]*"), *cache.glob("*/profile-*.json")])
    return sum(_copy_newer(file, to / file.relative_to(cache)) for file in files)


def _copy_newer(file: Path, to: Path) -> int:
    """Copy a file, unless there is a newer one; of salts the first stays. The bytes copied."""
    data = with_retries(file.read_bytes)
    if to.exists() and (
        to.name == "salt" or to.stat().st_mtime_ns >= file.stat().st_mtime_ns or to.read_bytes() == data
    ):
        return 0
    to.parent.mkdir(parents=True, exist_ok=True)
    return _put(to, data)


def _carry(folder: Path, to: Path, entry: dict, needed: bool = True) -> int:
    """Copy one file that a manifest names, unless it is there; its bytes.

    One that is not what was saved is left behind, and where it is `needed` that is a CacheError.
    """
    source, target = folder / entry["name"], to / entry["name"]
    if target.exists() and target.stat().st_size == entry["size"]:
        return 0
    try:
        data = with_retries(source.read_bytes)
    except FileNotFoundError:
        data = b""
    if hashlib.sha256(data).hexdigest() == entry["sha256"]:
        return _put(target, data)
    if needed:
        raise CacheError(f"{source} is damaged, and was not copied: run index() to mend it, then save again")
    return 0


def _put(target: Path, data: bytes) -> int:
    return with_retries(lambda: write_durably(target, lambda file: file.write(data)))[0]
