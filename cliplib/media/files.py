"""The library's media files: find them in a folder, below it and in zip archives, by what their names say."""

from __future__ import annotations

import os
import stat
from functools import partial
from typing import NamedTuple

from ..errors import LibraryError, MediaError
from . import zips
from .retry import with_retries

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".heic", ".heif", ".webp"})
IMAGE_SUFFIXES |= {".gif", ".tif", ".tiff", ".bmp", ".avif"}
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".3gp"})
KINDS = dict.fromkeys(IMAGE_SUFFIXES, "image") | dict.fromkeys(VIDEO_SUFFIXES, "video")
KINDS |= {".zip": "archive", ".json": "sidecar"}


class MediaFile(NamedTuple):
    """One file: POSIX path relative to the root, "image" or "video" by its suffix, size in bytes, mtime in ns."""

    path: str
    kind: str
    size: int
    mtime_ns: int


class Listing(NamedTuple):
    """What a walk saw: files, sorted by path; problems, with stage "walk"; folders (archives) not read; JSON files, by
    path, with their mtime in ns.

    What the index knows of a path that is among the problems, or below an unread folder, is neither confirmed nor gone.
    """

    files: list[MediaFile]
    problems: list[MediaError]
    unread_folders: list[str]
    jsons: dict[str, int]  # they may be sidecars, see `takeout`


def find_media(root) -> Listing:
    """The image and video files in the folder `root` and below, also in zip archives: "a.zip!/member.jpg", see `zips`.

    Left out: hidden files and folders (`.cliplib` is one), whatever is no regular file, links to what is listed
    already, and links to a folder around the root (loops). What makes trouble is listed as a problem; the walk goes on.
    Raises LibraryError where `root` itself is missing, no folder, or unreadable.
    """
    root = os.path.realpath(root)
    if not os.path.isdir(root):
        found = "it is a file" if os.path.exists(root) else "nothing is there (is the drive mounted?)"
        raise LibraryError(f"a library is a folder, and {root!r} is none: {found}")
    walk = _Walk(root)
    walk.folder("", root)
    if "" in walk.listing.unread_folders:
        raise LibraryError(f"{root!r}: {walk.listing.problems[0].reason}; nothing was changed")
    walk.follow_links()
    walk.listing.files.sort()
    return walk.listing


class _Walk:
    """One walk. Links wait to the end, so that a file is listed where it really lies; `seen` holds real paths."""

    def __init__(self, root):
        self.root, self.seen, self.links = root, {root}, []
        self.listing = Listing([], [], [], {})

    def problem(self, path, reason, *below):
        """Note what is wrong with a path, and the folders and archives of which therefore nothing is known."""
        self.listing.problems.append(MediaError(path, "walk", reason))
        self.listing.unread_folders.extend(below)

    def folder(self, path, real):
        """List the files of one folder (`path` in the library, `real` on the disk) and of the folders in it."""
        folders = [(path, real)]
        while folders:
            path, real = folders.pop()
            for entry in self.entries(path, real):
                child, target = f"{path}/{entry.name}" if path else entry.name, entry.path
                shown = _printable(child)
                try:
                    link, folder = entry.is_symlink(), entry.is_dir(follow_symlinks=False)
                except OSError as error:  # some mounts tell what an entry is only when asked again
                    self.problem(shown, f"cannot tell what it is: {error.strerror}", shown, f"{shown}!")
                    continue
                if shown != child:
                    if link or folder or _kind(child) not in (None, "sidecar"):
                        self.problem(shown, "its name is not UTF-8; rename it, then it can be indexed")
                elif link:
                    self.links.append((child, os.path.realpath(target)))
                elif not folder:
                    self.file(child, target)
                elif target not in self.seen:
                    self.seen.add(target)
                    folders.append((child, target))

    def entries(self, path, real):
        try:
            return with_retries(lambda: [entry for entry in os.scandir(real) if not entry.name.startswith(".")])
        except OSError as error:
            self.problem(path, f"the folder cannot be read: {error.strerror}", path)
            return []

    def file(self, path, real):
        kind = _kind(path)
        if kind is None or real in self.seen:
            return
        self.seen.add(real)
        if kind == "archive":
            self.archive(path, real)
        else:
            try:
                facts = with_retries(lambda: os.stat(real))
            except FileNotFoundError:
                return  # gone since its folder was read
            except OSError as error:
                self.problem(path, f"its size and date cannot be read: {error.strerror}")
                return
            if not stat.S_ISREG(facts.st_mode):
                return
            if kind == "sidecar":
                self.listing.jsons[path] = within_int64(facts.st_mtime_ns)
            else:
                self.listing.files.append(MediaFile(path, kind, facts.st_size, within_int64(facts.st_mtime_ns)))

    def archive(self, path, real):
        """List the members of an archive as the files of a folder named "archive.zip!"."""
        try:
            found, refused = with_retries(lambda: zips.members(real))
        except (OSError, MediaError) as error:
            self.problem(path, f"the archive cannot be read: {getattr(error, 'reason', error)}", f"{path}!")
            return
        for name, size, mtime_ns in found:
            kind = _kind(name)
            if kind == "sidecar":
                self.listing.jsons[f"{path}!/{name}"] = mtime_ns
            elif kind in ("image", "video"):
                self.listing.files.append(MediaFile(f"{path}!/{name}", kind, size, mtime_ns))
        for name, reason in refused:
            self.problem(f"{path}!/{name}", reason)

    def follow_links(self):
        self.links.sort()  # of two links to one folder always the same is taken
        for path, real in self.links:  # which grow: a folder that is linked may have links of its own
            if real in self.seen or f"{self.root}{os.sep}".startswith(os.path.join(real, "")):
                continue
            try:
                folder = stat.S_ISDIR(with_retries(partial(os.stat, real)).st_mode)
            except OSError as error:
                self.problem(path, f"a link that cannot be followed: {error.strerror}", path, f"{path}!")
                continue
            if folder:
                self.seen.add(real)
                self.folder(path, real)
            else:
                self.file(path, real)


def within_int64(mtime_ns: int) -> int:
    """A time in nanoseconds, or the nearest that rows can hold: they end in 1677 and 2262, and file systems do not."""
    return max(-(2**63), min(mtime_ns, 2**63 - 1))


def _kind(path):
    return KINDS.get(path[path.rfind(".") :].lower())  # os.path.splitext in less time: no hidden file comes here


def _printable(path):
    """`path` with the bytes of a name that are not UTF-8 written out, for they can be neither printed nor stored."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
