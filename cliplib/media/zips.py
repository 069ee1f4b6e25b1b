"""Zip archives read where they lie: a member is a path of its own, `archive.zip!/folder/member.jpg`.

Nothing is unpacked but the member that is asked for. One that is stored as it is, as media in archives mostly are, is
read in place; one that is compressed is unpacked in memory, or, where it is large, in a temporary file that is gone
when it is closed. No name in an archive is ever used as a name on the disk.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import shutil
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from ..errors import MediaError

MEMBER = re.compile(r"(?P<archive>.*?\.zip)!/(?P<member>.+)", re.IGNORECASE | re.DOTALL)
MOST_TIMES = 200  # a member may unpack to so many times its packed size, for pictures hardly shrink ...
SMALL_BYTES = 2**20  # ... unless it is this small
SPOOL_BYTES = 4 * 2**30  # a larger compressed member is not unpacked to the local disk; nor one of half of what is free
MEMORY_BYTES = 64 * 2**20  # up to so many are unpacked in memory
CHUNK = 2**20
UTF8_FLAG = 0x800
OWN_MARK = "cliplib-pack.json"  # an archive with this member is a pack of cliplib, see `pack`


def split(path: str | os.PathLike) -> tuple[str, str] | None:
    """The archive and the member's name in a path such as "t.zip!/a.jpg"; None for any other path."""
    text = os.fspath(path).replace(os.sep, "/")
    found = MEMBER.fullmatch(text) if "!/" in text else None
    return (found["archive"], found["member"]) if found and os.path.isfile(found["archive"]) else None


def members(archive: str | os.PathLike) -> tuple[list[tuple[str, int, int]], list[tuple[str, str]]]:
    """The members of an archive: which may be read, and which may not, and why.

    Folders, hidden files and the packs of cliplib itself are left out.

    Args:
        archive: the path of a zip file.

    Returns:
        What may be read, as (name, unpacked bytes, date in ns since 1970, taken as local time); and as (name, reason)
        what may not: encrypted members, links, names that lead out of the archive or that two members have, and what
        would unpack to far more than it is.

    Raises:
        OSError: it cannot be read.
        MediaError: it is no sound archive.
    """
    infos, named = _directory(archive)
    if OWN_MARK in named:
        return [], []
    if sum(info.compress_size for info in infos) > os.path.getsize(archive):
        raise MediaError(archive, "walk", "its members overlap, which no honest archive's do (a zip bomb?)")
    good, refused = [], {}
    for info in infos:
        name = _name(info)
        parts = name.split("/")
        hidden = parts[0] == "__MACOSX" or any(part.startswith(".") and part not in (".", "..") for part in parts)
        if hidden or name.endswith("/"):
            continue
        if reason := _refusal(info) if named[name] else "two members have this name":
            refused[name] = reason
        else:
            good.append((name, info.file_size, _mtime_ns(info)))
    return good, list(refused.items())


def newest_first(files: list[Any]) -> list[Any]:
    """Files (with `path`, `file_kind`, `mtime_ns`) in the order to read them: photos before videos, the newest first.

    The members of an archive follow one another, at the place of its newest, so that it is read from front to back.
    """
    places: dict[str, tuple] = {}
    newest: dict[tuple, int] = {}
    for file in files:
        inside = MEMBER.fullmatch(file.path)
        place = places[file.path] = (file.file_kind, inside["archive"] if inside else file.path)
        newest[place] = max(newest.get(place, file.mtime_ns), file.mtime_ns)

    def order(file: Any) -> tuple:
        place = places[file.path]
        return file.file_kind, -newest[place], place, file.path

    return sorted(files, key=order)


def open_member(archive: str, name: str) -> BinaryIO:
    """One member of an archive, as a binary file with random access.

    Raises:
        OSError: the archive cannot be read.
        MediaError: stage "read" where the member may not be read or there is no room for it, "decode" where it is
            damaged.
    """
    path, info = f"{archive}!/{name}", _directory(archive)[1].get(name)
    if info is None:
        raise MediaError(path, "read", "the archive has no member, or two, of this name")
    if why := _refusal(info):
        raise MediaError(path, "read", why)
    if info.compress_type == zipfile.ZIP_STORED:
        file = open(archive, "rb")  # noqa: SIM115 - closed by the window
        return cast(BinaryIO, Window(file, _start(path, file, info), info.file_size))
    room = min(SPOOL_BYTES, shutil.disk_usage(tempfile.gettempdir()).free // 2)
    if info.file_size > room:
        why = f"it is compressed and unpacks to {info.file_size:,} bytes; there is room for {room:,}"
        raise MediaError(path, "read", why)
    copy = tempfile.SpooledTemporaryFile(MEMORY_BYTES, prefix="cliplib-member-")  # noqa: SIM115 - handed on
    try:
        with open(archive, "rb") as file:
            for chunk in _unpacked(path, file, info):
                copy.write(chunk)
        copy.seek(0)
        return cast(BinaryIO, copy)
    except BaseException:
        copy.close()
        raise


def _directory(archive: str | os.PathLike) -> tuple[list[zipfile.ZipInfo], dict[str, zipfile.ZipInfo | None]]:
    facts = os.stat(archive)
    if not stat.S_ISREG(facts.st_mode):  # opening a FIFO would wait for ever
        raise MediaError(archive, "walk", "not a regular file")
    return _listed(os.fspath(archive), facts.st_size, facts.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _listed(archive: str, size: int, mtime_ns: int) -> tuple[list[zipfile.ZipInfo], dict[str, zipfile.ZipInfo | None]]:
    """The table of contents of an archive, in order and by name (None for a name that several members have)."""
    try:
        with zipfile.ZipFile(archive) as file:
            infos = file.infolist()
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, EOFError) as error:
        raise MediaError(archive, "walk", f"no sound zip archive (an unfinished upload?): {error}") from None
    often = Counter(map(_name, infos))
    return infos, {name: info if often[name] == 1 else None for info in infos for name in [_name(info)]}


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name as `unzip` understands it.

    Backslashes, as old programs of Windows write them, become slashes. "." and empty parts are left out, and so is a
    slash at the beginning. Archives of a Mac do not say that their names are UTF-8; such names are read as UTF-8.
    """
    name = info.filename
    if not info.flag_bits & UTF8_FLAG:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    name = name.replace("\\", "/")
    folder = "/" if name.endswith("/") else ""
    return "/".join(part for part in name.split("/") if part not in ("", ".")) + folder


def _refusal(info: zipfile.ZipInfo) -> str | None:
    """Why a member is not read, or None."""
    name = _name(info)
    parts = name.split("/")
    drive = re.match("[A-Za-z]:", name)
    if drive or not name or ".." in parts or MEMBER.fullmatch(name):
        return "its name leads out of the archive; it is not read"
    if info.flag_bits & 0x1:
        return "it is encrypted (a password protects the archive)"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link, which is not followed"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"packed by method {info.compress_type}, which is not read; pack it anew as an ordinary zip"
    if info.file_size > SMALL_BYTES and info.file_size > MOST_TIMES * info.compress_size:
        return f"{info.compress_size:,} bytes that would unpack to {info.file_size:,} (a zip bomb?)"
    return None


def _start(path: str, file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where the member's bytes begin: its local header says how long itself is."""
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\3\4":
        raise MediaError(path, "decode", "the archive is damaged here")
    return info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))


def _unpacked(path: str, file: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The member's bytes in chunks, never more than it claims to have. MediaError where they do not match the claim."""
    file.seek(_start(path, file, info))
    inflate, packed, size, crc = zlib.decompressobj(-15), info.compress_size, 0, 0
    try:
        while size <= info.file_size and (data := file.read(min(CHUNK, packed))):
            packed -= len(data)
            data = inflate.decompress(data, info.file_size - size + 1)
            size, crc = size + len(data), zlib.crc32(data, crc)
            yield data
    except zlib.error as error:
        raise MediaError(path, "decode", f"damaged in the archive: {error}") from None
    if size != info.file_size or crc != info.CRC:
        raise MediaError(path, "decode", "damaged in the archive: its checksum is wrong")


def _mtime_ns(info: zipfile.ZipInfo) -> int:
    try:
        return int(time.mktime((*info.date_time, 0, 0, -1))) * 10**9
    except (ValueError, OverflowError):
        return 0  # some programs write no date


class Window(io.RawIOBase):
    """The part of an open `file` from `start` on, `size` bytes long, as a file of its own; closing it closes both."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self.size, self._at = file, start, size, 0

    def _read_at(self, offset: int, size: int) -> bytes:
        self._file.seek(self._start + offset)
        return self._file.read(size)

    def read(self, size: int | None = -1) -> bytes:
        """As of any binary file."""
        left = max(0, self.size - self._at)
        data = self._read_at(self._at, left if size is None or size < 0 else min(size, left))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of any binary file."""
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence])
        return self._at

    def tell(self) -> int:
        """As of any binary file."""
        return self._at

    def readable(self) -> bool:
        """True."""
        return True

    seekable = readable

    def close(self) -> None:
        """Close this, and the file it is a part of."""
        self._file.close()
        super().close()
