"""The formats that are read: the suffixes of their files, and how their bytes begin; and what is counted or left out.

A suffix decides whether a file is looked at; what it is, its first bytes tell. What is not named here is not tried:
some formats start other programs, some open other files, some hang on hostile bytes. A new type of photo is a line in
`PHOTO_FORMATS` and one in `photo.OPENERS`; a new type of video is a line in `VIDEO_FORMATS`. README's table "What it
reads" is tested against these.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD_BYTES = 4096  # enough of a file's beginning to tell what it is


class Format(NamedTuple):
    """One format: its name, the suffixes of its files, and a regular expression that its first bytes match.

    A video's name is that of FFmpeg's demuxer. `brands` tell a photo in an ISO base media file (ISO/IEC 14496-12, 4.3).
    """

    name: str
    suffixes: str
    begins: bytes = rb"(?!)"  # matches nothing: told by its brands alone
    brands: bytes = b""


PHOTO_FORMATS = (  # where several fit, the first is taken
    Format("JPEG", ".jpg .jpeg .jpe .jfif .mpo", rb"\xff\xd8\xff"),
    Format("PNG", ".png .apng", rb"\x89PNG\r\n\x1a\n"),
    Format("GIF", ".gif", rb"GIF8"),
    Format("BMP", ".bmp", rb"BM"),
    Format("TIFF", ".tif .tiff", rb"II[*+]\0|MM\0[*+]"),
    Format("WebP", ".webp", rb"RIFF....WEBP"),
    Format("JPEG 2000", ".jp2 .j2k .jpf .jpx .j2c", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    Format("PNM", ".ppm .pgm .pbm .pnm", rb"P[1-6][ \t\r\n]"),
    Format("AVIF", ".avif", brands=b"avif avis"),
    Format("HEIC", ".heic .heif .hif", brands=b"heic heix hevc hevx heim heis mif1 msf1"),
)
VIDEO_FORMATS = (
    Format("mpegts", ".ts .mts .m2ts .m2t", rb"G.{187}G|.{4}G.{191}G|G.{203}G"),  # broadcast, camcorders, with parity
    Format(
        "mov",
        ".mp4 .m4v .mov .qt .3gp .3g2 .3gpp .f4v",
        rb".{4}(?:ftyp|moov|mdat|wide|free|skip|pnot|styp|moof)",
    ),
    Format("matroska", ".mkv .webm", rb"\x1a\x45\xdf\xa3"),
    Format("avi", ".avi .divx", rb".{8}AVI "),
    Format("mpeg", ".mpg .mpeg .mpe .vob .mod .tod", rb"\0\0\x01\xba"),
    Format("flv", ".flv", rb"FLV\x01"),
    Format("asf", ".wmv .asf", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    Format("ogg", ".ogv", rb"OggS"),
)
BEGINNINGS = [(each.name, re.compile(each.begins, re.DOTALL)) for each in PHOTO_FORMATS]
DEMUXERS = [(each.name, re.compile(each.begins, re.DOTALL)) for each in VIDEO_FORMATS]
BRANDS = {brand: each.name for each in PHOTO_FORMATS for brand in each.brands.split()}

IMAGE_SUFFIXES = frozenset(" ".join(each.suffixes for each in PHOTO_FORMATS).split())
VIDEO_SUFFIXES = frozenset(" ".join(each.suffixes for each in VIDEO_FORMATS).split())
RAW_SUFFIXES = frozenset({".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2"})
RAW_SUFFIXES |= {".raf", ".pef", ".srw", ".3fr", ".iiq", ".erf", ".kdc", ".dcr", ".mrw", ".mef", ".rwl"}  # with rawpy
TWIN_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".heic", ".heif", ".hif"})  # what cameras write beside a raw photo
FILE_KINDS = dict.fromkeys(IMAGE_SUFFIXES, "photo") | dict.fromkeys(VIDEO_SUFFIXES, "video")
FILE_KINDS |= {".zip": "archive", ".json": "sidecar"}
TEXT_TOO = frozenset({".ts", ".mts", ".mod"})  # also what programs are written in: TypeScript, Fortran, Go

# What is not read, by what it is; everything else is "other".
NOT_READ = {
    "raw photo": " ".join(sorted(RAW_SUFFIXES | {".raw", ".x3f", ".mos", ".gpr"})),  # the first ones without rawpy
    "picture": ".jxl .psd .psb .heics .heifs .avifs .svg .ai .eps .ico .xcf .exr .hdr .dds .tga .pcx .jxr .wdp",
    "video": ".rm .rmvb .dv .mxf .braw .r3d .lrv .insv .swf .ivf .m2v .h264 .hevc .amv",
    "archive": ".tgz .tar .gz .bz2 .xz .7z .rar .iso .dmg",
}
UNREAD_KINDS = {suffix: kind for kind, suffixes in NOT_READ.items() for suffix in suffixes.split()}

# Folders that file servers, systems and photo programs fill with thumbnails and with what was deleted, as lines of a
# .gitignore; a user's own lines come after them, and may take a folder in again ("!Thumbnails/").
LEFT_OUT = (
    *("@eaDir/", "\\#recycle/", "\\#snapshot/", "@Recycle/", "@Recently-Snapshot/", "$RECYCLE.BIN/", "$Recycle.Bin/"),
    *("System Volume Information/", "lost+found/", "*.lrdata/", "Thumbnails/"),
    *("*.photoslibrary/**/derivatives/", "*.photolibrary/**/Thumbnails/"),
)

# What else turns up under the name of a picture or a video, by its first bytes in lower case.
NEITHER = {
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


def suffix_of(path: str) -> str:
    """The suffix of a file's name with its dot, in small letters; "" where it has none."""
    dot = path.rfind(".")  # os.path.splitext in less time: no hidden file comes here
    return path[dot:].lower() if dot > path.rfind("/") else ""


def picture_format(head: bytes) -> str | None:
    """The name of a picture's format, such as "JPEG", by its first bytes; None for anything else."""
    if head[4:8] != b"ftyp":
        return next((name for name, begins in BEGINNINGS if begins.match(head)), None)
    brands = {head[at : at + 4] for at in range(8, min(int.from_bytes(head[:4], "big"), 256), 4)}
    return next((name for brand, name in BRANDS.items() if brand in brands), None)


def video_demuxer(head: bytes) -> str | None:
    """FFmpeg's name for the container of a video, such as "mov", by its first bytes; None for anything else."""
    if head[4:8] == b"ftyp" and head[8:12] in BRANDS:
        return None
    return next((name for name, begins in DEMUXERS if begins.match(head)), None)


def describe_unknown(head: bytes, wanted: str) -> str:
    """What bytes are that are no `wanted` ("picture" or "video"), in words for a report."""
    if not head:
        return "empty file (0 bytes)"
    if found := _looks_like(head[:HEAD_BYTES]):
        return f"{found}, not a {wanted}"
    return f"not a {wanted} of a known format; it begins with the bytes {head[:8].hex(' ')}"


def is_text(head: bytes) -> bool:
    """Whether bytes are a text, as far as the first 512 tell."""
    return bool(head) and all(byte >= 32 or byte in b"\t\n\r\f" for byte in head[:512])


def _looks_like(head: bytes) -> str | None:
    if name := picture_format(head):
        return f"a picture ({name})"
    if video_demuxer(head):
        return "a video"
    text = head.lstrip().lower()
    for start, found in NEITHER.items():
        if text.startswith(start):
            return found
    if not head.strip(b"\0"):
        return "zero bytes only (an unfinished upload?)"
    return "plain text" if is_text(head) else None
