"""The library's media files: find them in a folder, below it and in zip archives, by what their names say."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ..errors import LibraryError, MediaError
from . import zips
from .formats import (
    FILE_KINDS,
    HEAD_BYTES,
    IMAGE_SUFFIXES,
    LEFT_OUT,
    RAW_SUFFIXES,
    TEXT_TOO,
    TWIN_SUFFIXES,
    UNREAD_KINDS,
    VIDEO_SUFFIXES,
    is_text,
    suffix_of,
)
from .raw import can_read
from .reading import open_file
from .retry import with_retries

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "Listing", "MediaFile", "find_media"]

IGNORE_FILE = ".cliplibignore"
RAW_TWIN = "raw beside its JPEG or HEIC"  # why a file is left out
NUMBERED = re.compile(r"\.raw-\d\d\b.*", re.IGNORECASE)  # Pixels: a.RAW-01.COVER.jpg beside a.RAW-02.ORIGINAL.dng


class MediaFile(NamedTuple):
    """One file: POSIX path relative to the root, "photo" or "video" by its suffix, size in bytes, mtime in ns."""

    path: str
    file_kind: str
    size: int
    mtime_ns: int


class Listing(NamedTuple):
    """What a walk saw.

    What the index knows of a path that is among the problems or unread raws, or below an unread folder, is neither
    confirmed nor gone.

    Attributes:
        files: the photos and videos, sorted by path.
        problems: errors with stage "walk".
        unread_folders: folders and archives that could not be listed.
        jsons: JSON files, which may be sidecars (see `takeout`), by path with their mtime in ns.
        not_read: how many files are of no kind that is read, by suffix and by what that is ("raw photo", "picture",
            "video", "archive" or "other"): {(".psd", "picture"): 4}.
        left_out: what `formats.LEFT_OUT`, `.cliplibignore` or `ignore` leave out, and raw photos whose twin is there:
            {path of a folder or file: its name, or where the rule stands}.
        unread_raws: raw photos that are not read because rawpy is missing.
    """

    files: list[MediaFile]
    problems: list[MediaError]
    unread_folders: list[str]
    jsons: dict[str, int]
    not_read: dict[tuple[str, str], int] = {}  # noqa: RUF012 - a walk brings its own
    left_out: dict[str, str] = {}  # noqa: RUF012
    unread_raws: frozenset[str] = frozenset()

    def leaves_out(self, path: str) -> bool:
        """Whether a file was left out on purpose, itself or with a folder around it."""
        parts = path.split("/") if self.left_out else ()
        return any("/".join(parts[:end]) in self.left_out for end in range(1, len(parts) + 1))


def find_media(root: str | os.PathLike, ignore: Sequence[str] = ()) -> Listing:
    """The photos and videos in a folder and below, also in zip archives ("a.zip!/member.jpg", see `zips`).

    Left out as well are hidden files and folders (`.cliplib` is one), whatever is no regular file, links to what is
    listed already, and links to a folder around the root (loops). What makes trouble is listed as a problem; the walk
    goes on.

    Args:
        root: the folder.
        ignore: what to leave out, as lines of a .gitignore, relative to the root. A file `.cliplibignore` in the root
            has more. They come after `formats.LEFT_OUT`, so that "!Thumbnails/" takes these in.

    Returns:
        What was found; paths are POSIX and relative to the root.

    Raises:
        LibraryError: the root is missing, no folder, or unreadable; or a line of `ignore` is not in gitignore's syntax.
    """
    root = os.path.realpath(root)
    if not os.path.isdir(root):
        found = "it is a file" if os.path.exists(root) else "nothing is there (is the drive mounted?)"
        raise LibraryError(f"a library is a folder, and {root!r} is none: {found}")
    walk = _Walk(root, _Rules(root, ignore))
    walk.folder("", root)
    if "" in walk.listing.unread_folders:
        raise LibraryError(f"{root!r}: {walk.listing.problems[0].reason}; nothing was changed")
    walk.follow_links()
    twins = _raw_twins([file.path for file in walk.listing.files], walk.unread_raws)
    walk.listing.left_out.update(dict.fromkeys(twins, RAW_TWIN))
    unread = frozenset(walk.unread_raws) - twins
    for path in unread:
        walk.count(path)
    return walk.listing._replace(
        files=sorted(file for file in walk.listing.files if file.path not in twins), unread_raws=unread
    )


def _raw_twins(paths: list[str], unread_raws: list[str]) -> set[str]:
    """The raw photos whose JPEG or HEIC lies beside them: each pair is one photo."""
    raws = [path for path in paths if suffix_of(path) in RAW_SUFFIXES] + unread_raws
    shown = {_stem(path) for path in paths if suffix_of(path) in TWIN_SUFFIXES} if raws else set()
    return {path for path in raws if _stem(path) in shown}


def _stem(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{NUMBERED.sub('', name.rpartition('.')[0]).lower()}"


class _Walk:
    """One walk. Links wait to the end, so that a file is listed where it really lies; `seen` holds real paths."""

    def __init__(self, root: str, rules: _Rules) -> None:
        self.root, self.rules, self.seen = root, rules, {root}
        self.links: list[tuple[str, str]] = []
        self.unread_raws: list[str] = []
        self.listing = Listing([], [], [], {}, {}, {})

    def problem(self, path: str, reason: str, *below: str) -> None:
        """Note what is wrong with a path, and the folders and archives of which therefore nothing is known."""
        self.listing.problems.append(MediaError(path, "walk", reason))
        self.listing.unread_folders.extend(below)

    def folder(self, path: str, real: str) -> None:
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
                    if link or folder or _file_kind(child) not in (None, "sidecar"):
                        self.problem(shown, "its name is not UTF-8; rename it, then it can be indexed")
                elif why := self.rules.leave_out(child, folder):
                    self.listing.left_out[child] = why
                elif link:
                    self.links.append((child, os.path.realpath(target)))
                elif not folder:
                    self.file(child, target)
                elif target not in self.seen:
                    self.seen.add(target)
                    folders.append((child, target))

    def entries(self, path: str, real: str) -> list[os.DirEntry]:
        try:
            return with_retries(lambda: [entry for entry in os.scandir(real) if not entry.name.startswith(".")])
        except OSError as error:
            self.problem(path, f"the folder cannot be read: {error.strerror}", path)
            return []

    def file(self, path: str, real: str) -> None:
        file_kind = _file_kind(path)
        if real in self.seen:
            return
        self.seen.add(real)
        if file_kind is None or _is_program(path, real):
            self.unread(path)
        elif file_kind == "archive":
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
            if file_kind == "sidecar":
                self.listing.jsons[path] = within_int64(facts.st_mtime_ns)
            else:
                self.listing.files.append(MediaFile(path, file_kind, facts.st_size, within_int64(facts.st_mtime_ns)))

    def unread(self, path: str) -> None:
        """Note a file that is not read. Whether a raw photo has a twin is known when all are seen."""
        if suffix_of(path) in RAW_SUFFIXES:
            self.unread_raws.append(path)
        else:
            self.count(path)

    def count(self, path: str) -> None:
        """Count a file that is not read."""
        suffix = suffix_of(path)
        key = suffix, UNREAD_KINDS.get(suffix, "other")
        self.listing.not_read[key] = self.listing.not_read.get(key, 0) + 1

    def archive(self, path: str, real: str) -> None:
        """List the members of an archive as the files of a folder named "archive.zip!"."""
        try:
            found, refused = with_retries(lambda: zips.members(real))
        except (OSError, MediaError) as error:
            self.problem(path, f"the archive cannot be read: {getattr(error, 'reason', error)}", f"{path}!")
            return
        for name, size, mtime_ns in found:
            file_kind, member = _file_kind(name), f"{path}!/{name}"
            if why := self.rules.leave_out(member, False):
                self.listing.left_out[member] = why
            elif file_kind == "sidecar":
                self.listing.jsons[member] = mtime_ns
            elif file_kind not in ("photo", "video") or _is_program(name, f"{real}!/{name}"):
                self.unread(member)
            else:
                self.listing.files.append(MediaFile(member, file_kind, size, mtime_ns))
        for name, reason in refused:
            self.problem(f"{path}!/{name}", reason)

    def follow_links(self) -> None:
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
    """A time in ns since 1970, or the nearest that an int64 holds (1677 to 2262): some file systems know others."""
    return max(-(2**63), min(mtime_ns, 2**63 - 1))


class _Rules:
    """What to leave out, and which rule says so."""

    def __init__(self, root: str, ignore: Sequence[str]) -> None:
        import pathspec  # imported here: most programs that read files walk no folder

        self.sources = [
            ("", LEFT_OUT),
            (IGNORE_FILE, _lines(os.path.join(root, IGNORE_FILE))),
            ("ignore", tuple(ignore)),
        ]
        lines = [line for _, some in self.sources for line in some]
        self.for_files = len(lines) > len(LEFT_OUT)
        try:
            self.spec = pathspec.GitIgnoreSpec.from_lines(lines)
        except ValueError as error:
            raise LibraryError(f"{IGNORE_FILE} or ignore= has a line that is none of a .gitignore: {error}") from None

    def leave_out(self, path: str, folder: bool) -> str | None:
        """Why a path is left out: the name of a folder that programs fill, or where the rule stands. Else None."""
        if not (folder or self.for_files):
            return None
        result = self.spec.check_file(f"{path}/" if folder else path)
        if not result.include or result.index is None:
            return None
        index = result.index
        for source, lines in self.sources:
            if index < len(lines):
                return source or path.rpartition("/")[2]
            index -= len(lines)
        return None


def _lines(file: str) -> tuple[str, ...]:
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            return tuple(line.rstrip("\n") for line in lines)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise LibraryError(f"{file} cannot be read: {error.strerror}; it says what to leave out") from None


def _file_kind(path: str) -> str | None:
    suffix = suffix_of(path)
    return "photo" if suffix in RAW_SUFFIXES and can_read() else FILE_KINDS.get(suffix)


def _is_program(path: str, real: str) -> bool:
    """Whether a file is text although its suffix may be a video's (".ts")."""
    if suffix_of(path) not in TEXT_TOO:
        return False
    try:
        with open_file(real) as file:
            return is_text(file.read(HEAD_BYTES))
    except (OSError, MediaError):
        return False  # reading it will tell why


def _printable(path: str) -> str:
    """The path with bytes that are not UTF-8 written out: they can be neither printed nor stored."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
