"""Google Drive in Colab: mount it, see by reading whether a folder is really there, copy in bulk, flush.

"Already mounted" only means that a folder exists; a mount that went stale says the same. So a folder is believed when a
listing of it and the first bytes of one of its files have been read. What is written reaches Drive later, in any order:
only `flush` waits for it.

A session with a read-only mount: `mount`, `check_folder`, `stage` the photos, index the copy, then
`mount(readonly=False)`, `save_back` the cache, `flush`.
"""

import itertools
import re
from pathlib import Path
from typing import Any

from .cache import mounts
from .cache.durable import writable
from .cache.mounts import on_colab
from .cache.staging import Staged, save_back, stage
from .errors import LibraryError
from .media.retry import PASSING, with_retries
from .places import expanded

__all__ = ["MOUNT_POINT", "Staged", "check_folder", "explain", "flush", "mount", "on_colab", "save_back", "stage"]

MOUNT_POINT = "/content/drive"
# What google.colab and the mount say, in lower case; what it means; what to do.
ADVICE = {
    "domain policy": (
        "your school or company does not allow Drive in Colab",
        "ask its administrator, use a private account, or upload some photos into the session",
    ),
    "credential propagation": (
        "Google did not pass your permission on to this session",
        "run the cell again and allow every access it asks for; allow third-party cookies for Colab",
    ),
    "timeout": (
        "Drive did not answer in time",
        "run the cell again, it often works then; if it stays, and thousands of files lie at the top of My Drive, move "
        "them into folders",
    ),
    "must not already contain files": (
        "something was saved in the mount's folder before Drive was mounted",
        "move those files away, or restart the session, then mount first",
    ),
    "transport endpoint": (
        "the mount went stale: the program behind it has ended",
        "call drive.mount() again; if that does not help, Runtime > Disconnect and delete runtime, then mount",
    ),
    "input/output error": (
        "Drive did not deliver what was asked for, and does not say why",
        "wait a minute and run the cell again; stage() reads each file once only. If one file fails all day, try it "
        "tomorrow: Drive limits how often a file may be read in a day",
    ),
    "no space left": ("there is no room for what is written", "free some space; for Drive, empty its bin, too"),
    "read-only file system": ("nothing can be written there", "mount for writing: drive.mount(readonly=False)"),
}
OTHERWISE = (
    "cliplib does not know this message",
    "run the cell again and allow every access it asks for. If that does not help, search for the message in Colab's "
    "FAQ, or upload some photos into the session instead",
)
QUOTED = re.compile(r"(?<!\w)'[^']*'|\"[^\"]*\"")  # the name of a file in a message says nothing of what went wrong


def explain(error: object) -> str:
    """What a message of google.colab or of the mount means, and what to do; no cause is guessed.

    Args:
        error: an exception, or its text.
    """
    text = QUOTED.sub("", str(error)).lower()
    meaning, remedy = next((advice for said, advice in ADVICE.items() if said in text), OTHERWISE)
    return f"It means: {meaning}. What to do: {remedy}"


def mount(readonly: bool = True, mount_point: str = MOUNT_POINT) -> Path:
    """Mount the user's Drive in Colab and return the folder "MyDrive".

    Read-only unless asked otherwise, and then nothing on Drive can be changed. A mount that answers is used as it is,
    but for a read-only one when writing was asked for; one that is stale is mounted anew, once. Raises LibraryError,
    with what to do, when this is not Colab, when Google refuses, or when the mount does not answer.
    """
    folder = Path(mount_point) / "MyDrive"
    force = _exists(mount_point) and not _serves(folder, readonly)
    _mount(mount_point, force, readonly)
    if not force and not _serves(folder, readonly):  # it went stale, or was read-only, and said "already mounted"
        _mount(mount_point, True, readonly)
    check_folder(folder)
    if not _serves(folder, readonly):
        raise LibraryError(f"{folder} is mounted and cannot be written to. {explain('read-only file system')}")
    return folder


def _mount(mount_point: str, force: bool, readonly: bool) -> None:
    drive = _colab_drive()
    try:
        drive.mount(mount_point, force_remount=force, readonly=readonly)
    except Exception as error:  # google.colab raises ValueError, OSError and its own MessageError
        raise LibraryError(f"Google Drive could not be mounted at {mount_point}: {error}. {explain(error)}") from error


def _colab_drive() -> Any:
    if on_colab():
        from google.colab import drive

        return drive
    raise LibraryError(
        "this is not Colab, there is no Drive to mount: give the path of a folder on this computer instead"
    )


def check_folder(folder: str | Path) -> int:
    """How many entries a folder has, after reading from it; LibraryError with what is wrong when it cannot be read."""
    folder = expanded(folder)
    if not _exists(folder):
        nearest = next((parent for parent in folder.parents if parent.is_dir()), None)
        shown = ", ".join(sorted(item.name for item in itertools.islice(nearest.iterdir(), 12))) if nearest else ""
        raise LibraryError(
            f"there is no folder {folder}. {nearest} holds: {shown or 'nothing'}. Mind capitals and spaces; a folder "
            "that is shared with you needs a shortcut in My Drive"
        )
    try:
        return with_retries(lambda: _read_from(folder))
    except OSError as error:
        raise LibraryError(
            f"{folder} is there but cannot be read: {error.strerror or error}. {explain(error)}"
        ) from error


def flush(mount_point: str = MOUNT_POINT) -> int:
    """Wait until all that was written has reached Drive, and unmount it; mount again to go on.

    Returns how many checkpoints of caches that confirms: reports of `index()` count their rows as confirmed then.
    Raises LibraryError when Google reports a failure; nothing is confirmed then, and nothing lost either.
    """
    drive = _colab_drive()
    if mounts.mount_of(mount_point) is None:  # flush_and_unmount would print that, and return as if all were well
        raise LibraryError(f"there is no Drive at {mount_point} to flush: call drive.mount() first")
    try:
        drive.flush_and_unmount()
    except Exception as error:
        raise LibraryError(
            f"not all that was written has reached Drive: {error}. Keep this session open and call drive.flush() "
            f"again; library.save(file) makes a copy that you can download. {explain(error)}"
        ) from error
    return mounts.confirm(mount_point)


def _exists(path: str | Path) -> bool:
    """Whether something is there; also a mount that does not answer."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def _serves(folder: Path, readonly: bool) -> bool:
    """Whether a folder can be read from now, and written to where that is wanted."""
    try:
        _read_from(folder)
    except OSError:
        return False
    return readonly or writable(folder)


def _read_from(folder: Path) -> int:
    """The number of entries of a folder; OSError when it cannot be listed, or none of its first files be read.

    More than one is tried, for a single file can be over its quota. Another kind of refusal, such as that of a Google
    document, which has no bytes, is an answer too.
    """
    entries = list(folder.iterdir())
    failure = None
    for item in itertools.islice(filter(Path.is_file, entries), 3):
        try:
            with open(item, "rb") as file:
                file.read(16)
            return len(entries)
        except OSError as error:
            if error.errno not in PASSING:
                return len(entries)
            failure = error
    if failure:
        raise failure
    return len(entries)
