"""Raw photos, made on the spot: a DNG as cameras write it, with a sensor's picture and a JPEG preview."""

import io
import struct

import numpy as np
from PIL import Image

SHORT, LONG, BYTE, ASCII, RATIONAL, SIGNED = 3, 4, 1, 2, 5, 10
FORMS = {BYTE: "B", SHORT: "H", LONG: "I"}
SRGB_OF_XYZ = (3.2405, -1.5371, -0.4985, -0.9693, 1.8760, 0.0416, 0.0556, -0.2040, 1.0572)  # the camera's matrix


def _packed(kind, values):
    if kind == ASCII:
        return values.encode() + b"\0", len(values) + 1
    if kind in (RATIONAL, SIGNED):
        parts = [part for value in values for part in (round(value * 10000), 10000)]
        return struct.pack(f"<{len(parts)}{'I' if kind == RATIONAL else 'i'}", *parts), len(values)
    return struct.pack(f"<{len(values)}{FORMS[kind]}", *values), len(values)


def _directory(entries, at):
    """A directory of {tag: (type, values)} to lie at a byte, with its values behind it."""
    table, rest, behind = b"", b"", at + 2 + 12 * len(entries) + 4
    for tag, (kind, values) in sorted(entries.items()):
        value, count = _packed(kind, values)
        if len(value) > 4:
            place = struct.pack("<I", behind + len(rest))
            rest += value + b"\0" * (len(value) % 2)
        else:
            place = value.ljust(4, b"\0")
        table += struct.pack("<HHI", tag, kind, count) + place
    return struct.pack("<H", len(entries)) + table + bytes(4) + rest


def jpeg(image, size):
    """The image at a size as a JPEG."""
    buffer = io.BytesIO()
    image.resize(size).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def dng(image, preview=None, orientation=1, taken="2019:07:12 10:11:12", claims=None):
    """The bytes of a DNG of an RGB image with even sides. `preview` is a JPEG of it; `claims` (width, height) are
    sides that the sensor's picture does not have.
    """
    width, height = image.size
    light = (np.asarray(image, np.float64) / 255) ** 2.2 * 60000
    sensor = np.empty((height, width), "<u2")  # a filter of red, green; green, blue
    for (row, column), colour in {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 2}.items():
        sensor[row::2, column::2] = light[row::2, column::2, colour]
    strip, small = sensor.tobytes(), preview or b""
    at = 8 + len(strip) + len(small) + len(small) % 2
    data = struct.pack("<2sHI", b"II", 42, at) + strip + small + b"\0" * (len(small) % 2)
    wide, high = claims or image.size
    first = {
        **{0x00FE: (LONG, [0]), 0x0100: (LONG, [wide]), 0x0101: (LONG, [high]), 0x0102: (SHORT, [16])},
        **{0x0103: (SHORT, [1]), 0x0106: (SHORT, [32803]), 0x010F: (ASCII, "Acme"), 0x0110: (ASCII, "One")},
        **{0x0111: (LONG, [8]), 0x0112: (SHORT, [orientation]), 0x0115: (SHORT, [1]), 0x0116: (LONG, [high])},
        **{0x0117: (LONG, [len(strip)]), 0x011C: (SHORT, [1]), 0x014A: (LONG, [0])},
        **{0x828D: (SHORT, [2, 2]), 0x828E: (BYTE, [0, 1, 1, 2]), 0x8769: (LONG, [0]), 0x8825: (LONG, [0])},
        **{0xC612: (BYTE, [1, 4, 0, 0]), 0xC613: (BYTE, [1, 1, 0, 0]), 0xC614: (ASCII, "Acme One")},
        **{0xC61D: (LONG, [60000]), 0xC621: (SIGNED, SRGB_OF_XYZ), 0xC628: (RATIONAL, [1, 1, 1])},
        0xC65A: (SHORT, [21]),
    }
    if not preview:
        del first[0x014A]
    exif = {0x9003: (ASCII, taken)}
    gps = {1: (ASCII, "S"), 2: (RATIONAL, [33, 30, 0]), 3: (ASCII, "E"), 4: (RATIONAL, [151, 15, 0])}
    behind = at + len(_directory(first, at))
    parts = []
    for tag, entries in ((0x014A, None), (0x8769, exif), (0x8825, gps)):
        if tag not in first:
            continue
        first[tag] = LONG, [behind]
        entries = entries or _of_preview(preview, 8 + len(strip))
        parts.append(_directory(entries, behind))
        behind += len(parts[-1])
    return data + _directory(first, at) + b"".join(parts)


def _of_preview(preview, at):
    width, height = Image.open(io.BytesIO(preview)).size
    return {
        **{0x00FE: (LONG, [1]), 0x0100: (LONG, [width]), 0x0101: (LONG, [height]), 0x0102: (SHORT, [8, 8, 8])},
        **{0x0103: (SHORT, [7]), 0x0106: (SHORT, [6]), 0x0111: (LONG, [at]), 0x0115: (SHORT, [3])},
        **{0x0116: (LONG, [height]), 0x0117: (LONG, [len(preview)])},
    }
