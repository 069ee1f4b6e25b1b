"""The first pass: photos by the previews in their files, so that one can search after minutes instead of hours.

A HEIC of 12 megapixels takes a third of a second to decode, and all of its bytes to read. The thumbnail that iPhones
put into it takes a hundredth of both, and its embedding is nearly the same. So photos that are new to the index are
first encoded by what `media.preview` finds in them. Their rows are `provisional`: the plan of every run counts them as
still to do, and the second pass, which is the ordinary run, puts the exact ones in their place.
"""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from ..media.files import MediaFile
from ..media.preview import Preview, has_preview

LEAST_SHARE = 0.5  # of the new photos must carry a preview for a first pass that nobody asked for
LEAST_PHOTOS = 8  # of fewer new ones the exact rows are there before anybody waits
DRAWN, CLEAR = 64, 0.25  # photos at random whose heads tell the share; where it is clear by so much, `READERS` do
READERS = 16  # heads that are read at once, for a mount answers slowly


def photos_of(root: Path, todo: list[MediaFile], rows: pa.Table, shortest: int, wanted: bool | None) -> list[MediaFile]:
    """The photos that a first pass looks at.

    Args:
        root: the library's folder.
        todo: files to encode, in the order of the plan.
        rows: of the index.
        shortest: pixels that the model needs on the short side.
        wanted: True or False as the user says; None: where at least `LEAST_SHARE` of them carry a preview, by the heads
            of some.

    Returns:
        The photos of which the index has no row at all, for a row that is exact but old is better than a preview.
    """
    if wanted is False or not todo:
        return []
    known = set(rows["path"].to_pylist())
    photos = [file for file in todo if file.file_kind == "photo" and file.path not in known]
    return photos if wanted or _carry(root, photos, shortest) else []


def _carry(root: Path, photos: list[MediaFile], shortest: int) -> bool:
    if len(photos) < LEAST_PHOTOS:
        return False
    drawn = random.Random(0).sample(photos, min(DRAWN, len(photos)))
    found: list[bool] = []
    with ThreadPoolExecutor(READERS, "cliplib-heads") as pool:
        for some in (drawn[:READERS], drawn[READERS:]):
            found += pool.map(lambda file: has_preview(root / file.path, shortest), some)
            if abs(sum(found) / len(found) - LEAST_SHARE) >= CLEAR:
                break
    return sum(found) >= LEAST_SHARE * len(found)


def digest_of_preview(file: MediaFile, preview: Preview) -> str:
    """64 hexadecimal digits in place of a file's digest, which would need all its bytes: alike for copies of a file."""
    return hashlib.sha256(file.size.to_bytes(8, "little") + preview.data).hexdigest()


def upright_size(preview: Preview, width: int, height: int) -> dict:
    """The `width` and `height` of the whole as it is shown, by those of its preview as that is shown."""
    shorter, longer = sorted((preview.width, preview.height))
    return dict(zip(("width", "height"), (longer, shorter) if width > height else (shorter, longer), strict=True))
