"""Which decoders are at work: a file that one of them could not read may be read by the next."""

import functools

import PIL


@functools.cache
def decoders() -> str:
    """The decoders with their versions, such as "Pillow 13.0.0, libheif 1.23.1, PyAV 18.1.0 (FFmpeg 8.0)"."""
    found = [f"Pillow {PIL.__version__}"]
    try:
        import pillow_heif

        found.append(f"libheif {pillow_heif.libheif_version()}")
    except ImportError:
        found.append("no pillow-heif")
    try:
        import av

        found.append(f"PyAV {av.__version__} (FFmpeg {getattr(av, 'ffmpeg_version_info', 'of unknown version')})")
    except ImportError:
        found.append("no PyAV")
    try:
        import rawpy

        found.append(f"LibRaw {'.'.join(map(str, rawpy.libraw_version))}")
    except ImportError:
        found.append("no rawpy")
    return ", ".join(found)
