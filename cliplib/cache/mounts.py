"""What a folder lies on, and what was written there that may not have arrived.

A mounted Drive takes a file at once and uploads it later, in any order; `fsync` does not wait for that. So what this
machine writes to a mount is noted on the machine's own disk until a flush. The note dies with the machine: what another
machine then reads on the mount has come from Drive, and is confirmed. Mounting anew on the same machine confirms
nothing: it may answer from the machine's own copy (google.colab's forced remount kills the program that uploads).
"""

import contextlib
import json
import os
import re
import sys
from pathlib import Path

from ..errors import CacheError
from ..places import expanded
from .durable import write_durably

MOUNT_TABLE = Path("/proc/mounts")
NOTE = Path("~/.cache/cliplib/unflushed.txt")


def on_colab() -> bool:
    """Whether this machine is a Colab session's; also in a program that a notebook starts."""
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


def mount_of(folder: str | Path) -> str | None:
    """The mount point above a folder on a FUSE file system, as Google Drive is ("fuse.drive"); None for other disks.

    "fuseblk" is a local disk, and a FUSE file system at "/" is a container's; their `fsync` is taken at its word, as is
    that of every disk on a system without /proc/mounts.
    """
    real, best = os.path.join(os.path.realpath(folder), ""), ("", "")
    try:
        table = MOUNT_TABLE.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    for line in table.splitlines():
        point, kind = line.split(" ")[1:3]
        point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), point)
        if real.startswith(os.path.join(point, "")) and len(point) >= len(best[0]):
            best = point, kind
    point, kind = best
    return point if kind.startswith("fuse") and kind != "fuseblk" and point != "/" else None


def note(file: Path, rows: int) -> None:
    """Note, where `file` lies on a mount, that a manifest with so many new rows is about to be written there.

    CacheError when this machine's own disk refuses.
    """
    if mount_of(file.parent) is None:
        return
    target = expanded(NOTE)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "a", encoding="ascii") as notes:
            # The line ends before it begins, so that one which a full disk cut short spoils no other.
            notes.write("\n" + json.dumps([os.path.realpath(file), rows]))
    except OSError as error:
        raise CacheError(
            f"could not note in {target} what is written to the mount: {error.strerror or error}. What was saved "
            "before is intact. Free some space on this machine's own disk, and run index() again."
        ) from error


def unflushed(folder: str | Path) -> dict[str, int]:
    """Names of the manifests in a folder that this machine wrote and no flush has confirmed: how many rows were new."""
    here = os.path.realpath(folder)
    return {os.path.basename(file): rows for file, rows in _notes() if os.path.dirname(file) == here}


def confirm(mount_point: str | Path) -> int:
    """A flush of this mount has succeeded: forget what was noted below it. How many manifests that confirms."""
    below = os.path.join(os.path.realpath(mount_point), "")
    noted = _notes()
    left = [entry for entry in noted if not entry[0].startswith(below)]
    if len(left) < len(noted):
        write_durably(expanded(NOTE), lambda file: file.write("\n".join(map(json.dumps, left)).encode("ascii")))
    return len(noted) - len(left)


def durability(folder: str | Path, rows: int) -> tuple[int, str]:
    """What would be left of a cache if this machine ended now.

    Args:
        folder: the model's folder.
        rows: how many rows it has.

    Returns:
        How many of the rows are only written, and a sentence.
    """
    point, waiting = mount_of(folder), unflushed(folder)
    if point is None and on_colab():
        return rows, (
            f"All {rows:,} rows lie on this session's own disk and go with it: "
            "save them with drive.save_back(library.cache, a folder in your Drive)"
        )
    if point is None:
        return 0, f"All {rows:,} rows are confirmed on this computer's disk"
    if not waiting:
        return 0, f"All {rows:,} rows are confirmed: they were read from the mount {point}, or flushed to it"
    written = min(rows, sum(waiting.values()))
    return written, (
        f"{rows - written:,} rows are confirmed; {written:,} rows ({len(waiting)} checkpoints) are only written to the "
        f"mount {point} and may be lost if this machine ends now: drive.flush() confirms them"
    )


def _notes() -> list[list]:
    try:
        lines = expanded(NOTE).read_text("ascii").splitlines()
    except FileNotFoundError:
        return []
    noted = []
    for line in lines:
        with contextlib.suppress(ValueError):  # empty, or cut short: then its manifest was never written
            noted.append(json.loads(line))
    return noted
