"""What is written into a picture: when, where, with what, and what belongs together; from EXIF, XMP, IPTC and PNG text.

Numbers of EXIF tags are those of the standard (CIPA DC-008, Exif 2.32); that of Apple's content identifier, which a
Live Photo shares with its clip, is as ExifTool documents it (Apple tags, 0x0011). Names in XMP are of the namespaces
exif, photoshop and xmp (ISO 16684-1); IPTC's are datasets 2:55 and 2:60 of IIM 4.2.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from . import dates

TAKEN, CHANGED = (0x9003, 0x9004), 0x0132  # DateTimeOriginal, DateTimeDigitized; DateTime, of the last change
MAKE, MODEL, MAKER_NOTE = 0x010F, 0x0110, 0x927C
# The tags of a hemisphere and of the degrees, which hemisphere is negative, and how many degrees there are at most.
LATITUDE, LONGITUDE = (1, 2, "S", 90), (3, 4, "W", 180)
APPLE, APPLE_CONTENT_ID, ASCII = b"Apple iOS\0\0\1MM", 0x0011, 2
XMP_BYTES = 2**20  # an XMP packet is searched so far; it is never parsed as XML, which may be a bomb
XMP_DATES = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate")  # xap: is xmp: of old
XMP_DEGREES = re.compile(r"(\d{1,3})(?:,(\d{1,2}(?:\.\d+)?))?(?:,(\d{1,2}(?:\.\d+)?))?([NSEW])", re.IGNORECASE)
IPTC_DATE, IPTC_TIME = (2, 55), (2, 60)
PNG_DATES = ("Creation Time", "create-date")


def facts(tags: dict, gps: dict, xmp: bytes = b"", iptc: dict | None = None, text: dict | None = None) -> dict:
    """What a picture tells of itself.

    Args:
        tags: EXIF's, by number.
        gps: those of EXIF's GPS directory, by number.
        xmp: the XMP packet.
        iptc: IPTC datasets, by (record, dataset).
        text: PNG texts, by name.

    Returns:
        `taken_at` ("YYYY-MM-DDTHH:MM:SS", by the camera's clock) and `taken_from` ("exif", "xmp", "iptc" or "png");
        `latitude` and `longitude` in degrees north and east, and `place_from` ("exif" or "xmp"); `camera`;
        `content_id`. None where absent.
    """
    written = xmp[:XMP_BYTES].decode("utf-8", "replace") if xmp else ""
    dated = _dates(tags, written, iptc or {}, text or {})
    taken_from, taken_at = next(((source, at) for source, at in dated if at), (None, None))
    place, place_from = _place(_degrees(gps, *LATITUDE), _degrees(gps, *LONGITUDE)), "exif"
    if not place:
        place, place_from = (
            _place(_xmp_degrees(written, "Latitude", 90), _xmp_degrees(written, "Longitude", 180)),
            "xmp",
        )
    names = [str(tags[tag]).strip(" \0") for tag in (MAKE, MODEL) if isinstance(tags.get(tag), str)]
    return {
        "taken_at": taken_at,
        "taken_from": taken_from,
        "latitude": place[0] if place else None,
        "longitude": place[1] if place else None,
        "place_from": place_from if place else None,
        "camera": " ".join(filter(None, names))[:100] or None,
        "content_id": _content_id(tags.get(MAKER_NOTE)),
    }


def _dates(tags: dict, written: str, iptc: dict, text: dict) -> Iterator[tuple[str, str | None]]:
    """The dates of a picture, each with where it stands. Those of its taking come before that of its last change."""
    for tag in TAKEN:
        yield "exif", dates.parsed(tags.get(tag))
    for name in XMP_DATES:
        yield "xmp", dates.parsed(_xmp(written, name))
    if day := _iptc(iptc, IPTC_DATE):
        yield "iptc", dates.parsed(f"{day}{_iptc(iptc, IPTC_TIME)[:6]}")
        yield "iptc", dates.parsed(day)
    for name in PNG_DATES:
        yield "png", dates.parsed(text.get(name))
    yield "exif", dates.parsed(tags.get(CHANGED))


def _xmp(written: str, name: str) -> str | None:
    """The value of a property, written as an attribute or as an element."""
    name = name.replace("xmp:", "(?:xmp|xap):")
    found = re.search(rf"""\b{name}\s*(?:=\s*["']([^"'<>]*)|>\s*([^<>]*)<)""", written)
    return (found[1] or found[2]) if found else None


def _xmp_degrees(written: str, which: str, most: float) -> float | None:
    """GPS coordinates as XMP has them: "48,51.5N" or "48,51,30N"."""
    found = XMP_DEGREES.fullmatch((_xmp(written, f"exif:GPS{which}") or "").strip())
    if not found:
        return None
    value = sum(float(part or 0) / 60**place for place, part in enumerate(found.groups()[:3]))
    return _within(-value if found[4] in "SWsw" else value, most)


def _iptc(datasets: dict, which: tuple[int, int]) -> str:
    value = datasets.get(which, b"")
    value = value[0] if isinstance(value, list) and value else value
    return value.decode("latin-1").strip(" \0") if isinstance(value, bytes) else ""


def _place(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    """Both, or None. Cameras without a fix write (0, 0): treat it as no position."""
    return None if latitude is None or longitude is None or latitude == longitude == 0 else (latitude, longitude)


def _degrees(gps: dict, hemisphere: int, angle: int, negative: str, most: float) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in gps[angle])
        value = degrees + minutes / 60 + seconds / 3600
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return _within(-value if str(gps.get(hemisphere, "")).upper().startswith(negative) else value, most)


def _within(value: float, most: float) -> float | None:
    return value if -most <= value <= most else None  # false for NaN, too


def _content_id(note: object) -> str | None:
    """The content identifier in Apple's maker note: a directory of 12-byte entries, big-endian."""
    if not isinstance(note, bytes) or not note.startswith(APPLE) or len(note) < 16:
        return None
    (count,) = struct.unpack_from(">H", note, len(APPLE))
    for at in range(len(APPLE) + 2, min(len(APPLE) + 2 + 12 * count, len(note) - 11), 12):
        tag, kind, length, offset = struct.unpack_from(">HHII", note, at)
        if (tag, kind) == (APPLE_CONTENT_ID, ASCII) and 4 < length <= 100:
            return note[offset : offset + length].split(b"\0")[0].decode("ascii", "replace") or None
    return None
