"""The preview that a photo's file carries: a small picture of the same, had with a few of the file's bytes.

Phones put one of 320 x 240 pixels or more into a HEIC file: an item that the reference "thmb" ties to the primary item
(ISO/IEC 23008-12; the boxes are those of ISO/IEC 14496-12). Cameras put one of 640 x 480 or 1920 x 1080 behind a JPEG:
a "large thumbnail" of the Multi-Picture Format (CIPA DC-007). The 160 pixels in EXIF are too few for any model.

A preview is handed on as a picture file of its own, with the turn, the colour profile and the texts of the whole; so
`photo.open_photo` opens it as it opens the whole.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from .formats import picture_format
from .reading import RetryingFile

HEAD_BYTES = 32 * 2**10  # read at once: of most files that is all that tells where the preview lies
MOST_HEAD_BYTES = 2 * 2**20  # more is no header
MOST_BYTES = 8 * 2**20  # a larger preview saves nothing
ASPECT = 0.02  # a preview of another shape, by more than so much, has black bars or shows a part

TURNS, COLOURS, CROP = (b"irot", b"imir"), b"colr", b"clap"
MPF_LARGE = (0x010001, 0x010002)  # types of a Multi-Picture entry: large thumbnail of VGA, of full HD
EXIF, XMP, ICC, IPTC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"Photoshop 3.0\0"
TEXTS = (EXIF, XMP, IPTC)  # what the whole says of both
Found = TypeVar("Found")


@dataclass(frozen=True)
class Preview:
    """A picture file of its own in `data`; `width` and `height` are those of the whole, in pixels, before any turn."""

    data: bytes
    width: int
    height: int


def read_preview(path: str | os.PathLike, shortest: int) -> Preview | None:
    """The smallest preview with at least `shortest` pixels on its short side that a photo's file carries.

    Args:
        path: a regular file, or a member of an archive.
        shortest: pixels that a model needs on the short side.

    Returns:
        The preview, or None where there is none, or what should hold it cannot be read: the whole will say why.
    """
    return _of_file(path, lambda head: next((found for read in head.previews(shortest) if (found := read())), None))


def item_extents(data: bytes) -> list[tuple[int, int]]:
    """Where the items of a HEIC or AVIF file lie, as (offset, size); none where its table cannot be read."""
    try:
        return [extent for item in _Heic(_Kept(data)).items.values() for extent in item.extents]
    except Exception:
        return []


def clean_aperture(data: bytes) -> tuple[int, int, int, int] | None:
    """The part of a HEIC or AVIF file's primary picture that is shown (`clap`, ISO/IEC 14496-12, 12.1.4.2).

    Returns:
        Left, top, right and bottom in pixels, before any turn. None where all of the picture is shown.
    """
    try:
        head = _Heic(_Kept(data))
        whole = head.items[head.primary]
        numbers = struct.unpack(">IIIIiIiI", (whole.first(CROP) or b"")[:32])
        width, height, right, down = (over / under for over, under in zip(numbers[::2], numbers[1::2], strict=True))
        left, top = (whole.size[0] - width) / 2 + right, (whole.size[1] - height) / 2 + down
    except Exception:
        return None
    box = round(left), round(top), round(left + width), round(top + height)
    inside = 0 <= box[0] < box[2] <= whole.size[0] and 0 <= box[1] < box[3] <= whole.size[1]
    return box if inside else None


def has_preview(path: str | os.PathLike, shortest: int) -> bool:
    """Whether a photo's file says in its head that it carries such a preview; see `read_preview`."""
    return bool(_of_file(path, lambda head: next(head.previews(shortest), None)))


def _of_file(path: str | os.PathLike, action: Callable[[_Heic | _Jpeg], Found | None]) -> Found | None:
    """What `action` finds in a photo's head; None where that cannot be read, or is of a format without previews."""
    try:
        with RetryingFile(path) as file:
            head = _Head(file)
            format = picture_format(head.part(0, 64))
            return action(_Heic(head)) if format == "HEIC" else action(_Jpeg(head)) if format == "JPEG" else None
    except Exception:  # damaged bytes fail in any way; a preview is a short cut, and nothing is lost without
        return None


class _Head:
    """A file of which the beginning is kept as it is read."""

    def __init__(self, file: RetryingFile) -> None:
        self._file, self._kept = file, b""
        self.size = file.size

    def part(self, offset: int, size: int) -> bytes:
        """So many bytes; fewer only at the end of the file."""
        end = offset + size
        if end > len(self._kept) and len(self._kept) < HEAD_BYTES:
            self._kept += self._read(len(self._kept), HEAD_BYTES - len(self._kept))
        return self._kept[offset:end] if end <= len(self._kept) else self._read(offset, size)

    def _read(self, offset: int, size: int) -> bytes:
        pieces = []
        self._file.seek(offset)
        while size > 0 and (piece := self._file.read(size)):  # one read may give less than was asked for
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def whole(self, offset: int, size: int, most: int = MOST_BYTES) -> bytes:
        """Exactly so many bytes; ValueError where they are not there, or more than `most`."""
        if not 0 < size <= most or offset + size > self.size:
            raise ValueError(f"{size} bytes at {offset} of {self.size}")
        return self.part(offset, size)


def _fits(size: tuple[int, int], whole: tuple[int, int], shortest: int) -> bool:
    """Whether a picture of that size is large enough for a model, smaller than the whole, and of the same shape."""
    (width, height), (of_width, of_height) = size, whole
    alike = abs(width * of_height - height * of_width) <= ASPECT * width * of_height
    return alike and min(width, height) >= shortest and width < of_width


# HEIC


@dataclass
class _Item:
    """An item of a HEIC file: its kind (such as b"hvc1"), where its bytes lie, and its properties."""

    kind: bytes = b""
    extents: tuple = ()  # (offset, size), of those in the file itself
    properties: tuple = ()  # (whole box, whether a reader must understand it)

    def first(self, kind: bytes) -> bytes | None:
        """The content of its first property of a kind."""
        return next((box[8:] for box, _ in self.properties if box[4:8] == kind), None)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, before any turn."""
        return struct.unpack_from(">II", self.first(b"ispe") or b"", 4)


class _Heic:
    """The head of a HEIC file."""

    def __init__(self, head: _Head):
        self.head = head
        self.items: dict[int, _Item] = {}
        at, self.ftyp, meta = 0, b"", b""
        while not meta:
            size, kind, *_ = _box(head.part(at, 16), 0)
            if kind in (b"ftyp", b"meta"):
                box = head.whole(at, size, MOST_HEAD_BYTES)
                self.ftyp, meta = (box, meta) if kind == b"ftyp" else (self.ftyp, box)
            at += size
        self.boxes = {kind: meta[start:end] for kind, start, end in _boxes(meta, 12)}
        primary = self.boxes[b"pitm"]
        self.primary = int.from_bytes(primary[4:8] if primary[0] else primary[4:6], "big")
        self._read_kinds()
        self._read_places()
        self._read_properties()

    def previews(self, shortest: int) -> Iterator[Callable[[], Preview | None]]:
        """A function to read each preview that is large enough, the smallest first."""
        whole = self.items[self.primary]
        if whole.first(CROP):
            return
        thumbs = [self.items[ident] for ident in self._referring(b"thmb")]
        fitting = [one for one in thumbs if one.kind == b"hvc1" and _fits(one.size, whole.size, shortest)]
        for thumb in sorted(fitting, key=lambda one: one.size):
            yield partial(self._preview, thumb, whole.size)

    def _preview(self, thumb: _Item, whole: tuple[int, int]) -> Preview:
        return Preview(self._alone(thumb), *whole)

    def _alone(self, thumb: _Item) -> bytes:
        """A HEIC file of the thumbnail: turned as the whole, of its colours where it names none, with its texts."""
        whole = self.items[self.primary]
        kept = [(box, must) for box, must in thumb.properties if box[4:8] not in TURNS]
        coloured = any(box[4:8] == COLOURS for box, _ in kept)
        taken = TURNS if coloured else (COLOURS, *TURNS)
        kept += [(box, must) for box, must in whole.properties if box[4:8] in taken]
        texts = [self.items[ident] for ident in self._referring(b"cdsc")]
        items = [thumb, *(item for item in texts if item.kind == b"Exif" and item.extents)]
        return _heic_of(self.ftyp, [(item.kind, self._content(item)) for item in items], kept)

    def _content(self, item: _Item) -> bytes:
        if not item.extents:
            raise ValueError("an item without bytes in the file")
        return b"".join(self.head.whole(offset, size) for offset, size in item.extents)

    def _referring(self, kind: bytes) -> list[int]:
        """The items that refer to the primary one in this way."""
        box = self.boxes.get(b"iref", bytes(4))
        form, found = ">I" if box[0] else ">H", []
        width = struct.calcsize(form)
        for name, start, end in _boxes(box, 4):
            (origin,) = struct.unpack_from(form, box, start)
            targets = [struct.unpack_from(form, box, at)[0] for at in range(start + width + 2, end, width)]
            if name == kind and self.primary in targets and origin in self.items:
                found.append(origin)
        return found

    def _read_kinds(self) -> None:
        box = self.boxes[b"iinf"]
        for kind, start, _ in _boxes(box, 8 if box[0] else 6):
            if kind == b"infe" and box[start] in (2, 3):
                ident, at = struct.unpack_from(">HxxI" if box[start] == 2 else ">IxxI", box, start + 4)
                self.items[ident] = _Item(at.to_bytes(4, "big"))

    def _read_places(self) -> None:
        box = self.boxes[b"iloc"]
        version, numbers = box[0], _Numbers(box, 6)
        offset_size, length_size = box[4] >> 4, box[4] & 15
        base_size, index_size = box[5] >> 4, box[5] & 15 if version else 0
        wide = 4 if version == 2 else 2
        for _ in range(numbers.next(wide)):
            ident = numbers.next(wide)
            method = numbers.next(2) & 15 if version else 0
            elsewhere, base, extents = numbers.next(2), numbers.next(base_size), []
            for _ in range(numbers.next(2)):
                numbers.next(index_size)
                extents.append((base + numbers.next(offset_size), numbers.next(length_size)))
            if ident in self.items and method == 0 and not elsewhere:  # of the file itself, from its beginning
                self.items[ident].extents = tuple(extents)

    def _read_properties(self) -> None:
        box = self.boxes[b"iprp"]
        inside = [(kind, box[start:end]) for kind, start, end in _boxes(box, 0)]
        shared = next(content for kind, content in inside if kind == b"ipco")
        properties = [_whole_box(kind, shared[start:end]) for kind, start, end in _boxes(shared, 0)]
        for content in (content for kind, content in inside if kind == b"ipma"):
            numbers, wide = _Numbers(content, 4), content[3] & 1
            for _ in range(numbers.next(4)):
                ident, own = numbers.next(4 if content[0] else 2), []
                for _ in range(numbers.next(1)):
                    number = numbers.next(2 if wide else 1)
                    must = bool(number >> (15 if wide else 7))
                    if place := number & (0x7FFF if wide else 0x7F):
                        own.append((properties[place - 1], must))
                if ident in self.items:
                    self.items[ident].properties += tuple(own)


class _Numbers:
    """Big-endian numbers of so many bytes, one after the other."""

    def __init__(self, data: bytes, at: int = 0):
        self.data, self.at = data, at

    def next(self, size: int) -> int:
        if self.at + size > len(self.data):
            raise ValueError("a box that ends too early")
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big")


def _box(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Size in bytes, kind, and bytes before the content of the box that begins there."""
    size, kind = struct.unpack_from(">I4s", data, at)
    before = 8
    if size == 1:
        (size,), before = struct.unpack_from(">Q", data, at + 8), 16
    if size < before:  # 0 means: to the end of the file, which no box of a head does
        raise ValueError(f"a box of {size} bytes")
    return size, kind, before


def _boxes(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each box from there on."""
    while at + 8 <= len(data):
        size, kind, before = _box(data, at)
        yield kind, at + before, min(at + size, len(data))
        at += size


def _whole_box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _heic_of(ftyp: bytes, items: list[tuple[bytes, bytes]], properties: list[tuple[bytes, bool]]) -> bytes:
    """A HEIC file of a few items, each its kind and bytes: the first is the picture, of which the others tell."""
    count, full = len(items), bytes(4)
    handler = _whole_box(b"hdlr", full, bytes(4), b"pict", bytes(13))
    entries = [
        _whole_box(b"infe", b"\2\0\0\0", struct.pack(">HH", number, 0), kind, b"\0")
        for number, (kind, _) in enumerate(items, 1)
    ]
    infos = _whole_box(b"iinf", full, struct.pack(">H", count), *entries)
    told = [_whole_box(b"cdsc", struct.pack(">HHH", number, 1, 1)) for number in range(2, count + 1)]
    tied = [number | (0x8000 if must else 0) for number, (_, must) in enumerate(properties, 1)]
    shared = _whole_box(b"ipco", *(box for box, _ in properties))
    ties = _whole_box(b"ipma", b"\0\0\0\1", struct.pack(f">IHB{len(tied)}H", 1, 1, len(tied), *tied))
    parts = [handler, _whole_box(b"pitm", full, struct.pack(">H", 1)), infos]
    parts += [_whole_box(b"iref", full, *told)] * bool(told) + [_whole_box(b"iprp", shared, ties)]
    placed = 8 + 8 + 14 * count  # bytes of the box of places
    at, places = len(ftyp) + 12 + sum(map(len, parts)) + placed + 8, []
    for number, (_, content) in enumerate(items, 1):
        places.append(struct.pack(">HHHII", number, 0, 1, at, len(content)))
        at += len(content)
    where = _whole_box(b"iloc", full, struct.pack(">BBH", 0x44, 0, count), *places)
    return ftyp + _whole_box(b"meta", full, *parts, where) + _whole_box(b"mdat", *(content for _, content in items))


# JPEG


class _Jpeg:
    """The head of a JPEG: its segments up to the picture itself."""

    def __init__(self, head: _Head, start: int = 0):
        self.head, self.size, at = head, (0, 0), start + 2
        self.segments: list[tuple[int, int, bytes]] = []  # code, place, content
        while at - start < MOST_HEAD_BYTES:
            mark, code, length = struct.unpack(">BBH", head.part(at, 4))
            if mark != 0xFF:
                raise ValueError(f"no segment at byte {at}")
            if code == 0xDA:  # here the picture begins
                break
            content = head.whole(at + 4, length - 2)
            self.segments.append((code, at, content))
            if code in (0xC0, 0xC1, 0xC2):
                self.size = struct.unpack(">HH", content[1:5])[::-1]
            at += 2 + length
        self.end = at

    def previews(self, shortest: int) -> Iterator[Callable[[], Preview | None]]:
        """A function to read each preview that may be large enough, the smallest first."""
        indexes = [
            (at + 8, content[4:]) for code, at, content in self.segments if code == 0xE2 and content[:4] == b"MPF\0"
        ]
        for start, index in indexes[:1]:
            for kind, size, offset in sorted(_pictures(index), key=lambda one: one[1]):
                if kind in MPF_LARGE and offset:
                    yield partial(self._preview, start + offset, size, shortest)

    def _preview(self, at: int, size: int, shortest: int) -> Preview | None:
        data = self.head.whole(at, size)
        if picture_format(data) != "JPEG":
            return None
        small = _Jpeg(_Kept(data))
        if not _fits(small.size, self.size, shortest):
            return None
        own = [content for _, _, content in small.segments if content.startswith(ICC)]
        taken = TEXTS if own else (*TEXTS, ICC)
        head = [(code, content) for code, _, content in self.segments if content.startswith(taken)]
        head += [(code, content) for code, _, content in small.segments if not content.startswith(TEXTS)]
        segments = [struct.pack(">BBH", 0xFF, code, len(content) + 2) + content for code, content in head]
        return Preview(b"".join([data[:2], *segments, data[small.end :]]), *self.size)


class _Kept(_Head):
    """Bytes in place of a file."""

    def __init__(self, data: bytes):
        self._kept, self.size = data, len(data)

    def part(self, offset: int, size: int) -> bytes:
        return self._kept[offset : offset + size]


def _pictures(index: bytes) -> Iterator[tuple[int, int, int]]:
    """Type, size in bytes and offset of each picture of a Multi-Picture index; offsets count from where it begins."""
    order = "<" if index.startswith(b"II") else ">"
    (at,) = struct.unpack_from(f"{order}I", index, 4)
    (count,) = struct.unpack_from(f"{order}H", index, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, _, length, place = struct.unpack_from(f"{order}HHII", index, entry)
        if tag == 0xB002:
            for each in range(place, place + length, 16):
                attributes, size, offset = struct.unpack_from(f"{order}III", index, each)
                yield attributes & 0xFFFFFF, size, offset
