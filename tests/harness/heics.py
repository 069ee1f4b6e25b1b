"""Photos as phones and cameras write them: a grid of tiles with a thumbnail, a JPEG with a preview behind it."""

from pathlib import Path

import pillow_heif
from PIL import Image

TILE = 512  # pixels, of an iPhone's grid
FAST = {"preset": "ultrafast"}  # of x265: the tests measure no compression


def save_heic(file: Path, image: Image.Image, edge: int | None = 320, orientation: int = 1, icc: bytes | None = None):
    """An iPhone's kind of HEIC; `edge`: pixels of its thumbnail's long side, or None for no thumbnail; its file."""
    exif = Image.Exif()
    exif[0x0112], exif[0x9003] = orientation, "2021:02:03 04:05:06"
    heif = pillow_heif.from_pillow(image)
    if icc:
        heif.info["icc_profile"] = icc
    file.parent.mkdir(parents=True, exist_ok=True)
    thumbnails = {"thumbnails": [edge]} if edge else {}
    heif.save(file, quality=60, tile_size=TILE, exif=exif.tobytes(), enc_params=FAST, **thumbnails)
    return file


def save_mpf(file: Path, image: Image.Image, small: Image.Image, orientation: int = 1, kind: int = 0x010001, **options):
    """A JPEG with a second picture behind it, which the Multi-Picture index calls a large thumbnail; its file."""
    exif = Image.Exif()
    exif[0x0112], exif[0x9003] = orientation, "2021:02:03 04:05:06"
    image.save(file, "MPO", save_all=True, append_images=[small], exif=exif, **options)
    data = bytearray(file.read_bytes())
    start = data.index(b"MPF\0") + 4  # what Pillow writes: little-endian, its entries at byte 50, an undefined type
    data[start + 66 : start + 70] = kind.to_bytes(4, "little")
    file.write_bytes(data)
    return file
