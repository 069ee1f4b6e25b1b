"""Which old generations of a cache may be deleted.

Kept are the newest generations, whatever is young (a file may belong to a writer whose manifest is still to come), and
the newest state that is confirmed: on a mount the deletion may arrive and the state that replaced it may not.
"""

import contextlib
import time
from pathlib import Path

from ..errors import CacheError
from . import manifest, mounts

KEPT_GENERATIONS = 4
KEPT_SECONDS = 3600


def delete_old(folder: Path) -> None:
    """Delete the manifests of a cache that need not be kept, then files that no other names.

    Nothing is deleted while one of the manifests cannot be read, by the disk's fault or because a newer cliplib wrote
    it: the files that it names may be needed.
    """
    try:
        bodies = {file: manifest.read(file) for file in reversed(manifest.files(folder))}
    except (OSError, CacheError):
        return
    waiting, sizes = mounts.unflushed(folder), manifest.part_sizes(folder)
    sound = {body["id"]: body for body in bodies.values() if body is not None}
    lasting = {ident: body for ident, body in sound.items() if manifest.file_name(body) not in waiting}
    kept, needed = {*manifest.heads(sound), *manifest.needed_to_load(lasting, sizes)}, set()
    for generation, (file, body) in enumerate(bodies.items()):
        if body and generation >= KEPT_GENERATIONS and _is_old(file) and body["id"] not in kept:
            _delete(file)
        elif body:
            needed |= manifest.files_named(body)
    for file in [*folder.glob("part-*.parquet"), *folder.glob("thumbs-*.parquet"), *folder.glob(".*.tmp")]:
        if file.name not in needed and _is_old(file):
            _delete(file)


def _is_old(file: Path) -> bool:
    try:
        return file.stat().st_mtime < time.time() - KEPT_SECONDS
    except OSError:
        return False


def _delete(file: Path) -> None:
    with contextlib.suppress(OSError):  # rubbish that stays does no harm
        file.unlink()
