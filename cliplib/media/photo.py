"""A picture from a file, opened upright as RGB, with its facts; its thumbnail.

Pillow's guard against image bombs is neither used nor changed: it is state of the whole process, which other code may
rely on. `open_photo` has limits of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.IptcImagePlugin import getiptcinfo
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from ..errors import MediaError
from .colour import ADOBE, HLG, PQ, by_icc, from_hdr, from_primaries
from .completeness import CUT, damage, without_large_texts
from .formats import describe_unknown, picture_format
from .libtiff import heard
from .metadata import PNG_DATES
from .metadata import facts as written_facts
from .preview import clean_aperture
from .raw import RAW, Raw, can_read, is_raw, open_raw
from .reading import read_bytes

MAX_PIXELS = 89_478_485  # decoded at full size: 358 MB at 4 bytes a pixel (the number is Pillow's own warning limit)
MAX_DRAFT_PIXELS = 199_999_999  # of a baseline JPEG, which can be decoded at half its size or less
END_MARK = b"\xff\xd9"  # of a JPEG
NO_PICTURE = bytes((97 * i + 171) % 255 for i in range(4000))  # continues no picture, and has no mark in it
RARE_TIFF = re.compile(r"not (?:configured|implemented)", re.IGNORECASE)  # of libtiff; rubbish is "not supported", too
UNSUPPORTED = re.compile(  # what Pillow, libtiff and libheif say of sound files of rare kinds
    r"unsupported|not supported|not (?:implemented|configured|available)|unknown (?:pixel mode|data organi[sz]ation)|"
    r"unrecogni[sz]ed|no decoder",
    re.IGNORECASE,
)
STRIP_ROWS = 256
Source = str | os.PathLike | bytes | bytearray | memoryview | Image.Image
THUMBNAIL_EDGE = 256  # pixels

ORIENTATION, EXIF_IFD, GPS_IFD, XMP_TAG = 0x0112, 0x8769, 0x8825, 700
COLOR_SPACE, INTEROPERABILITY = 0xA001, 0xA005  # sRGB or not, and by which rule of cameras (DCF): "R03" is Adobe RGB
TURNS = {  # EXIF orientation -> what sets the picture upright; 5 to 8 swap its sides
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
OPENERS: dict[
    str, Callable[[io.BytesIO], Image.Image]
] = {  # the classes themselves: a multi-picture JPEG (MPO) opens as the JPEG that it begins with
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "WebP": WebPImageFile,
    "AVIF": AvifImageFile,
    "JPEG 2000": Jpeg2KImageFile,
    "PNM": PpmImageFile,
}


@dataclass(frozen=True)
class Photo:
    """A picture upright as RGB.

    Attributes:
        image: perhaps reduced; None where only the facts were asked for.
        width: of the whole picture upright, in pixels; `height` likewise.
        facts: what is written into it, see `metadata.facts`: `taken_at` "YYYY-MM-DDTHH:MM:SS", and more.
    """

    image: Image.Image | None
    width: int
    height: int
    facts: dict


def open_image(source: Source, shortest: int | None = None) -> Image.Image:
    """The picture alone, without its facts; arguments and errors are those of `open_photo`."""
    image = open_photo(source, shortest).image
    assert image is not None  # which it is only where no decoding was asked for
    return image


def open_photo(source: Source, shortest: int | None = None, decode: bool = True) -> Photo:
    """A picture upright, as sRGB, with what is written in it.

    EXIF orientation is applied. Any mode becomes RGB: wide grey is scaled, transparency lies on white. Of an animation
    the first frame counts. A raw photo is shown by the preview in it, see `raw`.

    Args:
        source: a path, the bytes of a file, or a PIL image.
        shortest: the short side in pixels to which the picture will be resized. A JPEG is then decoded at 1.5 times
            that or more, others are reduced to twice that: within 2 % of a standard deviation.
        decode: False for the facts alone, which takes less time.

    Raises:
        MediaError: stage "read" where the bytes cannot be had, or a decoder or memory is missing, so that another run
            tries again. Stage "decode" where they are no whole picture of a known format, or have more than
            `MAX_PIXELS` (a baseline JPEG: `MAX_DRAFT_PIXELS`).
    """
    name: Any = "the picture given"
    kind, data = "PIL", b""
    if isinstance(source, (bytes, bytearray, memoryview)):
        name, data = "the bytes given", bytes(source)
    elif not isinstance(source, Image.Image):
        name, data = source, read_bytes(source)
    raw = None
    try:
        if isinstance(source, Image.Image):
            image, size = source, source.size
        else:
            kind = _format(data)
            raw = open_raw(data, shortest or THUMBNAIL_EDGE, MAX_PIXELS) if kind == RAW else None
            image, size = _open_preview(raw, shortest) if raw else _open(data, kind, shortest)
        if decode:
            _load(image, kind)
            if kind == "AVIF" and (part := clean_aperture(data)):  # of HEIC the decoder minds it
                image, size = image.crop(part), (part[2] - part[0], part[3] - part[1])
        tags, gps = _exif(image, data)
        xmp, iptc, text = _texts(image)
        if raw:
            tags, gps, xmp = tags | raw.tags, gps | raw.gps, raw.xmp or xmp
        facts = written_facts(tags, gps, xmp, iptc, text)
        if decode:
            image = _as_srgb(image, tags, shortest)
    except _Refusal as refusal:
        raise MediaError(name, refusal.stage, str(refusal)) from None
    except MemoryError:
        raise MediaError(name, "read", "too little memory to decode it; close what else runs, then try again") from None
    except Exception as error:  # on damaged bytes Pillow raises a dozen types, OSError and SyntaxError among them
        found = " ".join(str(error).split()) or type(error).__name__
        raise MediaError(name, "decode", f"{_blame(kind, found, UNSUPPORTED)}: {found}") from error
    if (orientation := tags.get(ORIENTATION)) in TURNS:
        image = image.transpose(TURNS[orientation]) if decode else image
        size = size[::-1] if orientation >= 5 else size
    return Photo(image if decode else None, size[0], size[1], facts)


def fitted(image: Image.Image, shortest: int) -> Image.Image:
    """The RGB `image` with `shortest` pixels on its short side, where it is larger and enough is left for a thumbnail.

    Bicubic with antialiasing, in a third of Pillow's time; a number may differ by 1 of 255 from Pillow's.
    """
    import torch  # here, for who only opens pictures need not wait for it

    shorter, longer = sorted(image.size)
    if shorter <= shortest or longer * shortest // shorter < THUMBNAIL_EDGE:
        return image
    width, height = (side * shortest // shorter for side in image.size)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(pixels, (height, width), mode="bicubic", antialias=True)[0]
    return Image.fromarray(small.permute(1, 2, 0).contiguous().numpy())


def thumbnail(image: Image.Image, edge: int = THUMBNAIL_EDGE) -> bytes:
    """A JPEG of the RGB `image` within `edge` x `edge` pixels, about 10 KB."""
    scale = min(1.0, edge / max(image.size))
    size = [max(1, round(side * scale)) for side in image.size]
    small = image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)  # as sharp as bicubic here, half the time
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=75, optimize=True)
    return buffer.getvalue()


class _Refusal(Exception):
    """Why bytes are not decoded, as a sentence for a MediaError."""

    stage = "decode"


class _NoDecoder(_Refusal):
    stage = "read"  # for the file may be whole, and is worth another try on the next run


def _format(data: bytes) -> str:
    """The format of a picture by its bytes: of most by the first, of raw photos by their directories."""
    kind = picture_format(data)
    if kind not in (None, "TIFF") or not is_raw(data):
        if kind is None:
            raise _Refusal(describe_unknown(data, "picture"))
        return kind
    if not can_read():  # Pillow would take the smallest preview for the photo
        raise _NoDecoder('raw photos need rawpy: pip install "cliplib[raw]", then index again')
    return RAW


def _open_preview(raw: Raw, shortest: int | None) -> tuple[Image.Image, tuple[int, int]]:
    """The PIL image that stands for a raw photo, and that one's full size."""
    image = raw.picture if isinstance(raw.picture, Image.Image) else _open(raw.picture, "JPEG", shortest)[0]
    return image, (raw.width, raw.height)


def _open(data: bytes, kind: str, shortest: int | None) -> tuple[Image.Image, tuple[int, int]]:
    """The PIL image, not decoded yet, set to be decoded reduced where that is allowed, and its full size."""
    opener, file = _opener(kind), io.BytesIO(data)
    try:
        image = opener(file)
    except ValueError:
        if kind != "PNG":
            raise
        slim, told = without_large_texts(data)
        image = opener(io.BytesIO(slim))
        image.info |= told
    width, height = size = image.size
    draft = kind == "JPEG" and not image.info.get("progressive")  # that, reduced, costs as much memory as in full
    limit = MAX_DRAFT_PIXELS if draft else MAX_PIXELS
    if width * height > limit:
        million = f"{width * height / 1e6:.0f} million; at most {limit / 1e6:.0f}"
        raise _Refusal(f"{width} x {height} pixels, {million} are decoded")
    start = file.tell()
    if found := damage(data, kind, start):
        raise _Refusal(f"a damaged {kind} picture: {found}")
    if kind == "JPEG" and data.find(END_MARK, start) < 0:
        image = opener(io.BytesIO(_with_end(data)))
    if draft and (shortest or width * height > MAX_PIXELS):
        aim = max(3 * shortest // 2, THUMBNAIL_EDGE) if shortest else max(size)
        half = (width // 2, height // 2) if width * height > MAX_PIXELS else (aim, aim)
        image.draft(None, (min(aim, half[0]), min(aim, half[1])))
    return image, size


def _opener(kind: str) -> Callable[[io.BytesIO], Image.Image]:
    """The class that opens pictures of a format."""
    if kind != "HEIC":
        return OPENERS[kind]
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise _NoDecoder("HEIC pictures need pillow-heif: pip install pillow-heif, then index again") from None
    return HeifImageFile


def _with_end(data: bytes) -> bytes:
    """A JPEG with the end mark that it lacks.

    If pixels are missing as well, a decoder makes them up, and differently where other bytes follow: refuse these.
    """
    one, other = (JpegImageFile(io.BytesIO(data + rest + END_MARK)) for rest in (b"", NO_PICTURE))
    for image in (one, other):
        image.draft(None, (256, 256))
    if not np.array_equal(np.asarray(one), np.asarray(other)):
        raise _Refusal(f"a damaged JPEG picture: {CUT}")
    return data + END_MARK


def _load(image: Image.Image, kind: str) -> None:
    """Decode a picture."""
    if kind != "TIFF":
        image.load()
        return
    with heard() as errors:
        try:
            image.load()
        except Exception as error:
            if not errors:
                raise
            raise _Refusal(f"{_blame(kind, errors[0], RARE_TIFF)}: {errors[0]}") from error
        if errors:  # and a picture all the same, of rubbish
            raise _Refusal(f"a damaged {kind} picture: {errors[0]}")


def _blame(kind: str, found: str, rare: re.Pattern) -> str:
    """What is wrong with a picture of which a decoder says this."""
    return f"a {kind} picture of a kind that is not supported" if rare.search(found) else f"a damaged {kind} picture"


def _exif(image: Image.Image, data: bytes) -> tuple[dict, dict]:
    """All tags by number, with those of the Exif directory; and those of the GPS directory.

    None where they are damaged: the picture may be whole all the same.
    """
    try:
        exif = image.getexif()
        tags, gps = {**exif.get_ifd(EXIF_IFD), **exif}, exif.get_ifd(GPS_IFD)
    except Exception:
        return {}, {}
    with contextlib.suppress(Exception):  # Pillow 11 raises KeyError where there is none
        tags[INTEROPERABILITY] = exif.get_ifd(INTEROPERABILITY).get(1)
    # HEIC has turns of its own (irot, imir), which the decoder applies; some early iPhones told the turn in EXIF alone.
    if data and "original_orientation" in image.info and b"irot" not in data and b"imir" not in data:
        tags[ORIENTATION] = image.info["original_orientation"]
    return tags, gps


def _texts(image: Image.Image) -> tuple[bytes, dict, dict]:
    """The XMP packet, IPTC datasets and PNG texts of a picture; empty where they are damaged."""
    info = image.info
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    if hasattr(image, "tag_v2"):
        xmp = image.tag_v2.get(XMP_TAG, xmp)
    try:
        iptc = getiptcinfo(cast(ImageFile, image)) if "photoshop" in info or hasattr(image, "tag_v2") else {}
    except Exception:
        iptc = {}
    text = {name: value for name, value in info.items() if name in PNG_DATES} if image.format == "PNG" else {}
    return xmp.encode() if isinstance(xmp, str) else bytes(xmp), iptc or {}, text


def _as_srgb(image: Image.Image, tags: dict, shortest: int | None) -> Image.Image:
    """A decoded picture as sRGB, reduced where that does no harm."""
    profile, told = image.info.get("icc_profile"), image.info.get("nclx_profile") or {}
    if image.mode == "CMYK":
        image = by_icc(image, profile)
    image = _as_rgb(image)
    if shortest and (times := min(image.size) // (2 * shortest)) > 1:
        image = image.reduce(times)
    if profile:
        return by_icc(image, profile)
    if (transfer := told.get("transfer_characteristics")) in (PQ, HLG):  # of a camera's HIF
        return from_hdr(np.asarray(image).astype(np.uint16) * 257, transfer, told.get("color_primaries"))
    adobe = tags.get(COLOR_SPACE) == 2 or (tags.get(COLOR_SPACE) == 0xFFFF and tags.get(INTEROPERABILITY) == "R03")
    return from_primaries(image, ADOBE if adobe else told.get("color_primaries"))


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _from_wide(image)
    if image.mode in ("RGBA", "RGBa", "LA", "PA") or "transparency" in image.info:
        white = Image.new("RGB", image.size, "white")
        for top in range(0, image.height, STRIP_ROWS):  # in strips, for copies of a large picture would not fit
            strip = image.crop((0, top, image.width, min(top + STRIP_ROWS, image.height))).convert("RGBA")
            white.paste(strip, (0, top), strip)
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_wide(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits as RGB; white is the top of the smallest usual range that holds the largest value."""
    values = np.nan_to_num(np.array(image, np.float32), copy=False, posinf=0, neginf=0)
    low, high = min(0.0, values.min()), values.max()
    tops = (1, 255, 1023, 4095, 65535) if image.mode == "F" else (255, 1023, 4095, 65535)
    values -= low
    values *= 255 / (next((top for top in tops if high <= top), high) - low)
    return Image.fromarray(np.rint(values, out=values).astype(np.uint8)).convert("RGB")
