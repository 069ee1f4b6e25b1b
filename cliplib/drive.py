"""Google Drive in Colab: mount it, and see by reading whether a folder is really there.

"Already mounted" only means that a folder exists; a mount that went stale says the same. So a folder is believed when a
listing of it and the first bytes of one of its files have been read.
"""

import sys
from pathlib import Path

from .errors import LibraryError

MOUNT_POINT = "/content/drive"
ADVICE = (
    "What usually helps: run the cell again and allow access in the window that opens; allow third-party cookies for "
    "Colab; with a school or work account ask the administrator to allow Drive in Colab; or upload some photos instead"
)


def on_colab() -> bool:
    """Whether this is a Colab kernel."""
    return "google.colab" in sys.modules


def mount(readonly: bool = True, mount_point: str = MOUNT_POINT) -> Path:
    """Mount the user's Drive in Colab and return the folder "MyDrive"; a mount that answers is used as it is.

    Read-only unless asked otherwise: the cache then lies on the session's own disk and is lost with it. Raises
    LibraryError, with what to do, when this is not Colab, when Google refuses, or when the mount does not answer.
    """
    if not on_colab():
        raise LibraryError(
            "this is not Colab, there is no Drive to mount: give the path of a folder on this computer instead"
        )
    from google.colab import drive

    folder = Path(mount_point) / "MyDrive"
    try:
        stale = Path(mount_point).is_dir() and not _answers(folder)
        drive.mount(mount_point, force_remount=stale, readonly=readonly)
    except Exception as error:  # google.colab raises ValueError, OSError and its own MessageError
        raise LibraryError(f"Google Drive could not be mounted at {mount_point}: {error}. {ADVICE}") from error
    check_folder(folder)
    return folder


def check_folder(folder: str | Path) -> int:
    """How many entries a folder has, after reading from it; LibraryError with what is wrong when it cannot be read."""
    folder = Path(folder)
    if not folder.exists():
        nearest = next((parent for parent in folder.parents if parent.is_dir()), None)
        shown = ", ".join(sorted(item.name for item in nearest.iterdir())[:12]) if nearest else ""
        raise LibraryError(
            f"there is no folder {folder}. {nearest} holds: {shown or 'nothing'}. Mind capitals and spaces"
        )
    if not _answers(folder):
        raise LibraryError(
            f"{folder} is there but cannot be read: the mount is stale or Drive is busy. Call drive.mount() again, or "
            "restart the session; folders with thousands of files may need a second try"
        )
    return sum(1 for _ in folder.iterdir())


def _answers(folder: Path) -> bool:
    """Whether a listing, and the first bytes of the first file in it, can be read."""
    try:
        first = next((item for item in folder.iterdir() if item.is_file()), None)
        if first is not None:
            with open(first, "rb") as file:
                file.read(16)
        return True
    except OSError:
        return False
