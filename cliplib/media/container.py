"""What a video's container says of its own length: how many bytes of it are missing where it was cut short.

A decoder stops at the end of what there is and says nothing; the boxes of MP4 and QuickTime (ISO/IEC 14496-12, 4.2),
the elements of Matroska and WebM (RFC 8794, RFC 9559), the chunks of AVI (RIFF) and the header of ASF state how long
they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

MEDIA_BOXES = (b"mdat", b"moov", b"moof")  # without a part of these frames are missing
EBML_HEADER, SEGMENT, CLUSTER = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
ASF_SIZE_AT, ASF_FLAGS_AT, ASF_BROADCAST = 40, 88, 1  # bytes after the beginning of that object
MOST_PARTS = 1_000_000  # boxes, elements or chunks that are looked at


def missing_bytes(file: BinaryIO, demuxer: str) -> int:
    """How many bytes the container in `file` lacks at its end by what it says itself; 0 where it is whole or silent.

    `demuxer` is FFmpeg's name of the container, see `formats.video_demuxer`. Where the file is read from is as before.
    Raises OSError.
    """
    claimed = CLAIMS.get(demuxer)
    if claimed is None:
        return 0
    here, size = file.tell(), file.seek(0, os.SEEK_END)

    def part(at: int, length: int) -> bytes:
        file.seek(at)
        return file.read(length)

    try:
        return max(0, claimed(part, size) - size)
    finally:
        file.seek(here)


def _mov(part: Callable[[int, int], bytes], size: int) -> int:
    """Where the last box that holds frames, or tells where they are, says that it ends."""
    at = end = 0
    for _ in range(MOST_PARTS):
        head = part(at, 16)
        length, header = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(head[8:16], "big"), 16
        if len(head) < 8 or length < header:  # 0: to the end of the file, which may be anywhere
            return end
        at += length
        if head[4:8] in MEDIA_BOXES:
            end = at
        if at >= size:
            return end
    return end


def _matroska(part: Callable[[int, int], bytes], size: int) -> int:
    """Where the segment says that it ends; of one recorded live, which does not say, the last cluster that does."""
    at = end = 0
    for _ in range(MOST_PARTS):
        name, length, at = _element(part, at)
        if name == SEGMENT and length is None:
            continue  # into the segment: its elements come next
        if length is None:  # also what is no element at all
            return end
        at += length
        if name in (SEGMENT, CLUSTER):
            end = at
        if at >= size:
            return end
    return end


def _element(part: Callable[[int, int], bytes], at: int) -> tuple[bytes, int | None, int]:
    """The EBML element at a place: its id, how long its content is (None: unknown), and where that begins."""
    head = part(at, 12)
    id_bytes = 9 - head[0].bit_length() if head and head[0] >= 0x10 else 0
    if not id_bytes or len(head) <= id_bytes or not head[id_bytes]:
        return b"", None, at
    size_bytes = 9 - head[id_bytes].bit_length()
    begin = id_bytes + size_bytes
    value = int.from_bytes(head[id_bytes:begin], "big") & ((1 << 7 * size_bytes) - 1)
    unknown = value == (1 << 7 * size_bytes) - 1 or len(head) < begin
    return head[:id_bytes], None if unknown else value, at + begin


def _avi(part: Callable[[int, int], bytes], size: int) -> int:
    """Where the last RIFF chunk says that it ends: a file of over 1 GB has several (OpenDML)."""
    at = end = 0
    while at < size and (head := part(at, 8))[:4] == b"RIFF" and len(head) == 8:
        end = at + 8 + int.from_bytes(head[4:], "little")
        if end == at + 8:  # never finished
            return 0
        at = end + end % 2
    return end


def _asf(part: Callable[[int, int], bytes], size: int) -> int:
    """The size of the file as its header tells it; 0 of a broadcast, whose header was written before its end."""
    head = part(0, 65536)
    at = head.find(ASF_FILE_PROPERTIES)
    if at < 0 or len(head) < at + ASF_FLAGS_AT + 4 or head[at + ASF_FLAGS_AT] & ASF_BROADCAST:
        return 0
    return int.from_bytes(head[at + ASF_SIZE_AT : at + ASF_SIZE_AT + 8], "little")


CLAIMS = {"mov": _mov, "matroska": _matroska, "avi": _avi, "asf": _asf}
