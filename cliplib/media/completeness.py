"""Whether all bytes of a picture are there, by what its own format says. Decoders fill what is missing with grey.

Only the compressed picture counts: zeros, other boxes and whatever else programs put behind it are no damage.
"""

from __future__ import annotations

import struct
import zlib

from .preview import item_extents

ZERO_TAIL_BYTES = 64  # a compressed picture does not end in so many zero bytes by nature
CUT = "it ends too early (an unfinished upload?)"


def damage(data: bytes, kind: str, start: int) -> str | None:
    """What is wrong with the bytes of a picture of that format, in words; None where nothing can be told.

    `start` is where its header ends. A JPEG that ends without its end mark is looked at by `photo`, which decodes it.
    """
    if kind == "GIF":
        return None if _gif_ends(data) else CUT
    if kind == "PNG":
        return _zeros(data, b"IEND" in data.rstrip(b"\0")[-16:]) or _rotten_chunk(data)
    if kind == "JPEG":
        return _zeros(data, data.find(b"\xff\xd9", start) >= 0)
    if kind == "WebP":
        return _zeros(data[: 8 + int.from_bytes(data[4:8], "little")])
    if kind in ("HEIC", "AVIF"):
        return _damaged_items(data)
    return None  # the others may end in black pixels


def _zeros(data: bytes, ended: bool = False) -> str | None:
    """Notice an upload that had reserved the file's size and did not finish."""
    zeros = len(data) - len(data.rstrip(b"\0"))
    if ended or zeros < ZERO_TAIL_BYTES:
        return None
    return f"its last {zeros:,} bytes are zero (an unfinished upload?)"


def _damaged_items(data: bytes) -> str | None:
    """Look at the bytes of each item of a HEIC or AVIF file, or at the end of a file whose table cannot be read."""
    extents = item_extents(data)
    if not extents:
        return _zeros(data)
    if max(offset + size for offset, size in extents) > len(data):
        return CUT
    return next((found for offset, size in extents if (found := _zeros(data[offset : offset + size]))), None)


def _rotten_chunk(data: bytes) -> str | None:
    """Compare each chunk of a PNG with its own checksum; Pillow does so with the first ones alone."""
    at, kind = 8, b""
    while kind != b"IEND" and (end := at + 12 + int.from_bytes(data[at : at + 4], "big")) <= len(data):
        kind = data[at + 4 : at + 8]
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return f"the part at byte {at:,} does not match its checksum (bit rot?)"
        at = end
    return None


def _gif_ends(data: bytes) -> bool:
    """Whether the blocks of a GIF (GIF89a, 16 to 27) lead to its trailer, or to rotten bytes that decoding will see."""
    at = 13 + _colours(data, 10)
    while at < len(data):
        block = data[at]
        if block not in (0x21, 0x2C):
            return True
        at += 2 if block == 0x21 else 11 + _colours(data, at + 9)
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return False


def _colours(data: bytes, at: int) -> int:
    """Bytes of the table of colours that the flags at a place announce."""
    flags = data[at] if at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


LARGE_TEXT = (b"zTXt", b"iTXt", b"tEXt", b"iCCP")
MOST_TEXT_BYTES = 2**24


def without_large_texts(data: bytes) -> tuple[bytes, dict]:
    """A PNG without its texts and profile: Pillow refuses a picture where they unpack to over 1 MB.

    Returns:
        The PNG, and what was taken out, as Pillow's `info` has it: "icc_profile" and "xmp", of at most
        `MOST_TEXT_BYTES` each.
    """
    kept, at = [data[:8]], 8
    told: dict[str, bytes] = {}
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        if kind not in LARGE_TEXT:
            kept.append(data[at : at + 12 + length])
        elif kind == b"iCCP":
            told["icc_profile"] = _inflated(content.partition(b"\0")[2][1:])
        elif kind == b"iTXt" and content.startswith(b"XML:com.adobe.xmp\0"):
            packed, rest = content[18:19] == b"\1", content[20:].split(b"\0", 2)
            told["xmp"] = _inflated(rest[-1]) if packed else rest[-1][:MOST_TEXT_BYTES]
        at += 12 + length
    return b"".join(kept), {name: value for name, value in told.items() if value}


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, MOST_TEXT_BYTES)
    except zlib.error:
        return b""
