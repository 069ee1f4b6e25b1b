"""What bytes are, told by the first of them and never by a file's name: a picture, a video, or in words something else.

What is not named here is not tried: some formats start other programs, some open other files, some hang on hostile
bytes.
"""

from __future__ import annotations

HEAD_BYTES = 4096  # enough of the beginning
PICTURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF", b"BM": "BMP"}
PICTURES |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF")
PICTURES |= dict.fromkeys((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"), "JPEG 2000")
PICTURES |= {b"P%d%c" % (kind, blank): "PNM" for kind in range(1, 7) for blank in b" \t\r\n"}
BRANDS = {b"avif": "AVIF", b"avis": "AVIF"}  # of ISO base media files, the likelier first
BRANDS |= dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "HEIC")
VIDEOS = (  # (offset, bytes there, FFmpeg's demuxer)
    *((4, box, "mov") for box in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof")),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (8, b"AVI ", "avi"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"FLV\x01", "flv"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"OggS", "ogg"),
)
TS_PACKETS = (
    (0, 188),
    (4, 192),
    (0, 204),
)  # where the first "G" stands, and the next: broadcast, camcorders, with parity
STRANGERS = {  # what else turns up under the name of a picture or a video, by its first bytes in lower case
    b"%!ps": "PostScript (EPS: a program, which is not run)",
    b"\xc5\xd0\xd3\xc6": "PostScript (EPS: a program, which is not run)",
    b"%pdf": "a PDF document",
    b"<!doctype html": "an HTML page (a download error page?)",
    b"<html": "an HTML page (a download error page?)",
    b"<svg": "an SVG drawing",
    b"<": "an XML document (a DASH playlist? the files that it names are not opened)",
    b"#extm3u": "a playlist (HLS: the files that it names are not opened)",
    b"ffconcat": "a playlist (FFmpeg concat: the files that it names are not opened)",
    b"pk\3\4": "a ZIP archive",
}


def picture_format(head: bytes) -> str | None:
    """The format of a picture, such as "JPEG", by its first bytes; None for anything else."""
    for start, name in PICTURES.items():
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] != b"ftyp":
        return None
    brands = {head[at : at + 4] for at in range(8, min(int.from_bytes(head[:4], "big"), 256), 4)}
    return next((name for brand, name in BRANDS.items() if brand in brands), None)


def video_demuxer(head: bytes) -> str | None:
    """FFmpeg's name for the container of a video, such as "mov", by its first bytes; None for anything else."""
    if head[4:8] == b"ftyp" and head[8:12] in BRANDS:
        return None
    if any(head[at : at + 1] == head[at + size : at + size + 1] == b"G" for at, size in TS_PACKETS):
        return "mpegts"
    return next((demuxer for at, start, demuxer in VIDEOS if head.startswith(start, at)), None)


def stranger(head: bytes, wanted: str) -> str:
    """What bytes are that are no `wanted` ("picture" or "video"), in words."""
    if not head:
        return "empty file (0 bytes)"
    if found := _looks_like(head[:HEAD_BYTES]):
        return f"{found}, not a {wanted}"
    return f"not a {wanted} of a known format; it begins with the bytes {head[:8].hex(' ')}"


def _looks_like(head):
    if name := picture_format(head):
        return f"a picture ({name})"
    if video_demuxer(head):
        return "a video"
    text = head.lstrip().lower()
    for start, found in STRANGERS.items():
        if text.startswith(start):
            return found
    if not head.strip(b"\0"):
        return "zero bytes only (an unfinished upload?)"
    return "plain text" if is_text(head) else None


def is_text(head: bytes) -> bool:
    """Whether bytes, as far as the first 512 tell, are a text."""
    return bool(head) and all(byte >= 32 or byte in b"\t\n\r\f" for byte in head[:512])
