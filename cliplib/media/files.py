"""The library's media files: find them, read them patiently, tell their contents apart.

A mounted Google Drive fails now and then and works a second later, so what fails for a passing reason is tried again.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import time
from functools import partial
from typing import NamedTuple

from ..errors import LibraryError, MediaError
from . import zips

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".heic", ".heif", ".webp"})
IMAGE_SUFFIXES |= {".gif", ".tif", ".tiff", ".bmp", ".avif"}
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".3gp"})
KINDS = dict.fromkeys(IMAGE_SUFFIXES, "image") | dict.fromkeys(VIDEO_SUFFIXES, "video")
KINDS |= {".zip": "archive", ".json": "sidecar"}
DIGEST_WHOLE_BYTES = 64 * 2**20  # files up to this size are digested whole
MAX_READ_BYTES = 512 * 2**20  # what `read_bytes` takes into memory
PASSING = frozenset({errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EAGAIN, errno.ESTALE})
PASSING |= {errno.ECONNRESET, errno.ECONNABORTED}
RETRY_WAITS_S = (0.2, 1.0)


class MediaFile(NamedTuple):
    """One file: POSIX path relative to the root, "image" or "video" by its suffix, size in bytes, mtime in ns."""

    path: str
    kind: str
    size: int
    mtime_ns: int


class Listing(NamedTuple):
    """What a walk saw: files, sorted by path; problems, with stage "walk"; folders (archives) not read; JSON files.

    What the index knows of a path that is among the problems, or below an unread folder, is neither confirmed nor gone.
    """

    files: list[MediaFile]
    problems: list[MediaError]
    unread_folders: list[str]
    jsons: list[str]  # they may be sidecars, see `takeout`


def patiently(action):
    """What `action()` returns; up to three tries where it raises an OSError that may pass (`PASSING`)."""
    for wait_s in RETRY_WAITS_S:
        try:
            return action()
        except OSError as error:
            if error.errno not in PASSING:
                raise
        time.sleep(wait_s)
    return action()


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
        self.listing = Listing([], [], [], [])

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
            return patiently(lambda: [entry for entry in os.scandir(real) if not entry.name.startswith(".")])
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
        elif kind == "sidecar":
            self.listing.jsons.append(path)
        else:
            try:
                facts = patiently(lambda: os.stat(real))
            except FileNotFoundError:
                return  # gone since its folder was read
            except OSError as error:
                self.problem(path, f"its size and date cannot be read: {error.strerror}")
                return
            if stat.S_ISREG(facts.st_mode):
                self.listing.files.append(MediaFile(path, kind, facts.st_size, facts.st_mtime_ns))

    def archive(self, path, real):
        """List the members of an archive as the files of a folder named "archive.zip!"."""
        try:
            found, refused = patiently(lambda: zips.members(real))
        except (OSError, MediaError) as error:
            self.problem(path, f"the archive cannot be read: {getattr(error, 'reason', error)}", f"{path}!")
            return
        for name, size, mtime_ns in found:
            kind = _kind(name)
            if kind == "sidecar":
                self.listing.jsons.append(f"{path}!/{name}")
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
                folder = stat.S_ISDIR(patiently(partial(os.stat, real)).st_mode)
            except OSError as error:
                self.problem(path, f"a link that cannot be followed: {error.strerror}", path, f"{path}!")
                continue
            if folder:
                self.seen.add(real)
                self.folder(path, real)
            else:
                self.file(path, real)


def _kind(path):
    return KINDS.get(path[path.rfind(".") :].lower())  # os.path.splitext in less time: no hidden file comes here


def _printable(path):
    """`path` with the bytes of a name that are not UTF-8 written out, for they can be neither printed nor stored."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def read_bytes(path) -> bytes:
    """The whole content of one regular file, or member of an archive, of at most `MAX_READ_BYTES`, tried three times.

    Raises MediaError with stage "read"; "decode" for a member that is damaged.
    """

    def read():
        with open_file(path) as file:
            if (size := file.seek(0, os.SEEK_END)) > MAX_READ_BYTES:
                most = f"at most {MAX_READ_BYTES // 2**20} MB are"
                raise MediaError(path, "read", f"{size / 2**20:.0f} MB to read into memory; {most}")
            file.seek(0)
            return file.read()

    return _reported(read, path)


def open_file(path, buffering=-1):
    """A regular file or a member of an archive, open for reading bytes. Raises OSError; MediaError for a bad member."""
    if member := zips.split(path):
        return zips.open_member(*member)
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a FIFO would wait for ever
        raise OSError(None, "not a regular file")
    return open(path, "rb", buffering)


def digest_of(source) -> str:
    """64 hexadecimal digits that tell contents apart; `source` is bytes or the path of a regular file.

    Up to `DIGEST_WHOLE_BYTES` it is the sha256 of the content, as `sha256sum` prints it. Above, so that a long video on
    a slow mount is not read twice, it is the sha256 of the size (8 bytes, little-endian) and the first and last 32 MB:
    a change between them that keeps the size goes unseen. That is longer than any content hashed whole, so the two
    kinds never meet. Raises MediaError: "read".
    """

    def read():
        with io.BytesIO(source) if isinstance(source, (bytes, bytearray, memoryview)) else open_file(source) as file:

            def part(offset, length):
                file.seek(offset)
                return file.read(length)

            return digest_of_parts(file.seek(0, os.SEEK_END), part)

    return _reported(read, source)


def digest_of_parts(size, part):
    """`digest_of` content of `size` bytes, of which `part(offset, length)` gives some."""
    if size <= DIGEST_WHOLE_BYTES:
        return hashlib.sha256(part(0, size)).hexdigest()
    half = DIGEST_WHOLE_BYTES // 2
    return hashlib.sha256(size.to_bytes(8, "little") + part(0, half) + part(size - half, half)).hexdigest()


def _reported(action, path):
    try:
        return patiently(action)
    except OSError as error:
        again = " (three tries)" if error.errno in PASSING else ""
        raise MediaError(path, "read", f"cannot be read: {error.strerror or error}{again}") from error
