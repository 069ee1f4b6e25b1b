"""Which files are looked at, by the suffix of their names; what is in them, `content` tells.

README's table "What it reads" is tested against this.
"""

from __future__ import annotations

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".heic", ".heif", ".hif"})
IMAGE_SUFFIXES |= {".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c"}
IMAGE_SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm"}
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".3gpp", ".f4v", ".avi", ".divx", ".mkv"})
VIDEO_SUFFIXES |= {".webm", ".mpg", ".mpeg", ".mpe", ".vob", ".mod", ".tod", ".ts", ".mts", ".m2ts", ".m2t", ".wmv"}
VIDEO_SUFFIXES |= {".asf", ".flv", ".ogv"}
RAW_SUFFIXES = frozenset({".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2"})
RAW_SUFFIXES |= {".raf", ".pef", ".srw", ".3fr", ".iiq", ".erf", ".kdc", ".dcr", ".mrw", ".mef", ".rwl"}  # with rawpy
TWIN_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".heic", ".heif", ".hif"})  # what cameras write beside a raw photo
KINDS = dict.fromkeys(IMAGE_SUFFIXES, "image") | dict.fromkeys(VIDEO_SUFFIXES, "video")
KINDS |= {".zip": "archive", ".json": "sidecar"}
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


def suffix_of(path: str) -> str:
    """The suffix of a file's name with its dot, in small letters; "" where it has none."""
    dot = path.rfind(".")  # os.path.splitext in less time: no hidden file comes here
    return path[dot:].lower() if dot > path.rfind("/") else ""
