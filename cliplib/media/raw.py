"""A raw photo by the preview that its camera wrote into it, through LibRaw (package rawpy, the extra `raw`).

LibRaw finds the preview of every maker. When and where the photo was taken stands in the file's directories, which are
TIFF's (TIFF 6.0; DNG 1.7) with most makers; where they are not, LibRaw writes what it found into the preview's EXIF.
"""

from __future__ import annotations

import importlib.util
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

RAW = "raw"  # the format, beside those of `formats.picture_format`
TIFFS = (b"II*\0", b"MM\0*")
TIFF_ALIKE = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0")  # Olympus, Panasonic
OTHERS = (b"FUJIFILMCCD-RAW", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR")  # Fujifilm, Minolta, Canon of old
MARKS = (b"CR\2\0", b"IIII", b"MMMM")  # at byte 8 of a TIFF: Canon, Phase One

PHOTOMETRIC, SUB_IFDS, DNG_VERSION = 0x0106, 0x014A, 0xC612
MOSAIC, LINEAR = 32803, 34892  # photometric interpretations: colour filter array, linear raw
STRIPS, TILES = (0x0111, 0x0117), (0x0144, 0x0145)  # where they begin, and how many bytes they are
ORIENTATION, EXIF_IFD, GPS_IFD, XMP, COLOR_SPACE = 0x0112, 0x8769, 0x8825, 700, 0xA001
FACTS = {0x010F, 0x0110, 0x0132, 0x9003, 0x9004, ORIENTATION, COLOR_SPACE, EXIF_IFD, GPS_IFD, XMP}
WANTED = FACTS | {PHOTOMETRIC, SUB_IFDS, DNG_VERSION, *STRIPS, *TILES}
GPS_WANTED = {1, 2, 3, 4}
TYPES = {1: "B", 3: "H", 4: "I", 13: "I"}  # of numbers; 2 is text, 5 a fraction, 7 bytes
ENOUGH = 512  # pixels on the short side of a preview, whoever asks for more; a model needs fewer
UNHALVED = 4  # so many times the memory does one take without a mosaic, which LibRaw leaves at its full size
MOST_DIRECTORIES, MOST_ENTRIES, MOST_VALUE_BYTES = 24, 1024, 2**20  # of a hostile file, too
ORIENTATIONS = {0: 1, 1: 2, 3: 3, 2: 4, 4: 5, 6: 6, 7: 7, 5: 8}  # LibRaw's flip -> EXIF's number


@cache
def can_read() -> bool:
    """Whether rawpy is installed."""
    return importlib.util.find_spec("rawpy") is not None


@dataclass(frozen=True)
class Raw:
    """A raw photo.

    Attributes:
        picture: its preview as a JPEG file, or a PIL image.
        width: of the photo itself, in pixels, before it is turned; `height` likewise.
        tags: EXIF's, by number, with the turn that is left to do.
        gps: those of EXIF's GPS directory, by number.
        xmp: the XMP packet.
    """

    picture: bytes | Image.Image
    width: int
    height: int
    tags: dict
    gps: dict
    xmp: bytes


def is_raw(data: bytes) -> bool:
    """Whether the bytes of a whole file are a raw photo, by its mark or by what its directories say."""
    if data.startswith((*TIFF_ALIKE, *OTHERS)) or data[4:12] == b"ftypcrx ":
        return True
    if data[:4] not in TIFFS:
        return False
    marked = data[8:12] in MARKS
    return marked or any(DNG_VERSION in one or one.get(PHOTOMETRIC) in (MOSAIC, LINEAR) for one in _directories(data))


def open_raw(data: bytes, shortest: int, most_pixels: int) -> Raw:
    """A raw photo from the bytes of its file.

    Args:
        data: the whole file.
        shortest: pixels that are needed on the short side. Where the preview has fewer, the photo is developed at half
            its size, if that is more.
        most_pixels: that are developed of a sensor with a mosaic of colours; of others a quarter.

    Raises:
        MemoryError: LibRaw has too little memory.
        ValueError: it is damaged, of a camera that LibRaw does not know, or too large to be developed; in words.
    """
    import rawpy  # here, for it is an extra

    if _ends_early(data):
        raise ValueError("it ends too early (an unfinished upload?)")
    try:
        with rawpy.RawPy() as raw:
            raw.open_buffer(io.BytesIO(data))
            sizes = raw.sizes
            preview, size = _preview(raw)
            developed = min(size) < min(shortest, ENOUGH, min(sizes.width, sizes.height) // 2)
            if developed:
                most = most_pixels // (UNHALVED if _is_linear(data) else 1)
                if (pixels := sizes.raw_width * sizes.raw_height) > most:
                    raise ValueError(f"{pixels / 1e6:.0f} million pixels without a preview are not supported")
                preview = _image(raw.postprocess(half_size=True, use_camera_wb=True, user_flip=0, output_bps=8))
    except rawpy.LibRawUnsufficientMemoryError:
        raise MemoryError from None
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        said = error.args[0] if error.args else type(error).__name__
        raise ValueError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None
    if preview is None:
        raise ValueError("it has neither a preview nor a picture")
    tags, gps, xmp = _facts(data)
    width, height, orientation = sizes.width, sizes.height, ORIENTATIONS.get(sizes.flip, 1)
    if orientation >= 5 and not developed and (width - height) * (size[0] - size[1]) < 0:  # it stands upright already
        width, height, orientation = height, width, 1
    tags |= {ORIENTATION: orientation} | ({COLOR_SPACE: 1} if developed else {})
    return Raw(preview, width, height, tags, gps, xmp)


def _is_linear(data: bytes) -> bool:
    """Whether a raw photo has no mosaic of colours."""
    return any(one.get(PHOTOMETRIC) == LINEAR for one in _directories(data))


def _preview(raw: Any) -> tuple[bytes | Image.Image | None, tuple[int, int]]:
    """The largest preview in a raw photo that LibRaw has open, and its size in pixels; None where there is none."""
    import rawpy

    try:
        found = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError, rawpy.NotSupportedError):
        return None, (0, 0)
    if found.format == rawpy.ThumbFormat.JPEG:
        return found.data, JpegImageFile(io.BytesIO(found.data)).size
    if found.format == rawpy.ThumbFormat.BITMAP:
        image = _image(found.data)
        return image, image.size
    return None, (0, 0)


def _image(pixels: Any) -> Image.Image:
    """A PIL image of a LibRaw picture, uint8 (h, w, 3) or, of a monochrome camera, (h, w, 1)."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _facts(data: bytes) -> tuple[dict, dict, bytes]:
    """EXIF tags, those of the GPS directory, and the XMP packet, as far as they can be read."""
    first = next(_directories(data), {})
    tags = {tag: value for tag, value in first.items() if tag in FACTS}
    if isinstance(place := tags.pop(EXIF_IFD, None), int):
        tags |= _directory(data, place, FACTS)[0]
    place, xmp = tags.pop(GPS_IFD, None), tags.pop(XMP, b"")
    gps = _directory(data, place, GPS_WANTED)[0] if isinstance(place, int) else {}
    return tags, gps, xmp if isinstance(xmp, bytes) else b""


def _ends_early(data: bytes) -> bool:
    """Whether a picture in a TIFF lies beyond the end of the file."""
    if data[:4] not in TIFFS:
        return False
    for directory in _directories(data):
        for starts, sizes in (STRIPS, TILES):
            places = zip(_many(directory.get(starts)), _many(directory.get(sizes)), strict=False)
            if any(start + size > len(data) for start, size in places):
                return True
    return False


def _directories(data: bytes) -> Iterator[dict]:
    """The directories of a TIFF, also those inside others, each its wanted tags by number."""
    if data[:4] not in (*TIFFS, *TIFF_ALIKE) or len(data) < 8:
        return
    seen: set[int] = set()
    places = [struct.unpack_from(_order(data) + "I", data, 4)[0]]
    while places and len(seen) < MOST_DIRECTORIES:
        place = places.pop(0)
        if place and place not in seen:
            seen.add(place)
            found, following = _directory(data, place, WANTED)
            places += [*_many(found.get(SUB_IFDS))[:MOST_DIRECTORIES], following]
            yield found


def _directory(data: bytes, place: int, wanted: set[int]) -> tuple[dict, int]:
    """Wanted tags of one directory, and where the next one lies (0: nowhere)."""
    order, tags = _order(data), {}
    if place + 2 > len(data):
        return {}, 0
    (count,) = struct.unpack_from(order + "H", data, place)
    end = place + 2 + 12 * count
    if count > MOST_ENTRIES or end > len(data):
        return {}, 0
    for at in range(place + 2, end, 12):
        (tag,) = struct.unpack_from(order + "H", data, at)
        if tag in wanted and (value := _value(data, at, order)) is not None:
            tags[tag] = value
    return tags, struct.unpack_from(order + "I", data, end)[0] if end + 4 <= len(data) else 0


def _value(data: bytes, at: int, order: str) -> Any:
    """The value of an entry: text, bytes, a number, or several of them; None where it is none of these."""
    kind, count = struct.unpack_from(order + "HI", data, at + 2)
    width = {2: 1, 5: 8, 7: 1}.get(kind) or struct.calcsize(TYPES.get(kind, "0s"))
    size = width * count
    if not 0 < size <= MOST_VALUE_BYTES:
        return None
    place = at + 8 if size <= 4 else struct.unpack_from(order + "I", data, at + 8)[0]
    value = data[place : place + size]
    if len(value) < size:
        return None
    if kind == 2:
        return value.split(b"\0")[0].decode("utf-8", "replace")
    if kind == 7 or (kind == 1 and count > 4):
        return value
    if kind == 5:
        numbers = struct.unpack(f"{order}{2 * count}I", value)
        return tuple(over / under if under else float("nan") for over, under in zip(*[iter(numbers)] * 2, strict=True))
    numbers = struct.unpack(f"{order}{count}{TYPES[kind]}", value)
    return numbers[0] if count == 1 else numbers


def _many(value: object) -> tuple[int, ...]:
    """The numbers of an entry that has one or several; none of any other."""
    values = value if isinstance(value, tuple) else (value,)
    return tuple(one for one in values if isinstance(one, int))


def _order(data: bytes) -> str:
    return "<" if data[:2] == b"II" else ">"
