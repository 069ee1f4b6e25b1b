"""What a camera wrote into a picture, read from its EXIF tags: when, where, with what, and what belongs together.

Numbers of tags are those of the standard (CIPA DC-008, Exif 2.32); that of Apple's content identifier, which a Live
Photo shares with its clip, is as ExifTool documents it (Apple tags, 0x0011).
"""

from __future__ import annotations

import struct
from datetime import datetime

DATES = (0x9003, 0x9004, 0x0132)  # DateTimeOriginal, DateTimeDigitized, DateTime
MAKE, MODEL, MAKER_NOTE = 0x010F, 0x0110, 0x927C
# The tags of a hemisphere and of the degrees, which hemisphere is negative, and how many degrees there are at most.
LATITUDE, LONGITUDE = (1, 2, "S", 90), (3, 4, "W", 180)
APPLE, APPLE_CONTENT_ID, ASCII = b"Apple iOS\0\0\1MM", 0x0011, 2


def facts(tags: dict, gps: dict) -> dict:
    """From EXIF tags and those of the GPS directory, both by number: `taken_at` ("YYYY-MM-DDTHH:MM:SS", the camera's
    clock) and `taken_from` "exif"; `latitude` and `longitude` in degrees and `place_from` "exif"; `camera`,
    `content_id`; None where absent.
    """
    taken_at = _taken_at(tags)
    latitude, longitude = _degrees(gps, *LATITUDE), _degrees(gps, *LONGITUDE)
    if latitude is None or longitude is None or latitude == longitude == 0:  # 0, 0 is what a blank clock is for a date
        latitude = longitude = None
    names = [str(tags[tag]).strip(" \0") for tag in (MAKE, MODEL) if isinstance(tags.get(tag), str)]
    return {
        "taken_at": taken_at,
        "taken_from": "exif" if taken_at else None,
        "latitude": latitude,
        "longitude": longitude,
        "place_from": None if latitude is None else "exif",
        "camera": " ".join(filter(None, names))[:100] or None,
        "content_id": _content_id(tags.get(MAKER_NOTE)),
    }


def _taken_at(tags):
    for tag in DATES:
        try:
            return datetime.strptime(tags[tag][:19], "%Y:%m:%d %H:%M:%S").isoformat()
        except (KeyError, TypeError, ValueError):
            continue  # absent, or blank as cameras whose clock was never set write it
    return None


def _degrees(gps, hemisphere, angle, negative, most):
    try:
        degrees, minutes, seconds = (float(part) for part in gps[angle])
        value = degrees + minutes / 60 + seconds / 3600
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    value = -value if str(gps.get(hemisphere, "")).upper().startswith(negative) else value
    return value if -most <= value <= most else None  # false for NaN, too


def _content_id(note) -> str | None:
    """The content identifier in Apple's maker note: a directory of 12-byte entries, big-endian."""
    if not isinstance(note, bytes) or not note.startswith(APPLE) or len(note) < 16:
        return None
    (count,) = struct.unpack_from(">H", note, len(APPLE))
    for at in range(len(APPLE) + 2, min(len(APPLE) + 2 + 12 * count, len(note) - 11), 12):
        tag, kind, length, offset = struct.unpack_from(">HHII", note, at)
        if (tag, kind) == (APPLE_CONTENT_ID, ASCII) and 4 < length <= 100:
            return note[offset : offset + length].split(b"\0")[0].decode("ascii", "replace") or None
    return None
