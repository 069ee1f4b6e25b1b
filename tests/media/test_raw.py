"""Raw photos, by their previews, on DNGs made on the spot."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from cliplib.cache.store import Store
from cliplib.errors import MediaError
from cliplib.index.update import update
from cliplib.media import files, photo, raw
from cliplib.media.files import RAW_TWIN, find_media
from cliplib.media.photo import open_photo
from cliplib.media.raw import open_raw
from tests.harness.patience import patience_s
from tests.harness.raws import dng, jpeg
from tests.harness.torture import MODEL, StubEncoder

pytest.importorskip("rawpy")
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(size=(400, 300)):
    """A picture whose four quarters tell how it is turned."""
    width, height = size
    image = Image.new("RGB", size, WHITE)
    for colour, box in ((RED, (0, 0)), (GREEN, (width // 2, 0)), (BLUE, (0, height // 2))):
        image.paste(colour, (*box, box[0] + width // 2, box[1] + height // 2))
    return image


def distance(image, other):
    """The mean difference of two pictures at 16 x 16 pixels, of 255."""
    pixels = [np.asarray(one.convert("RGB").resize((16, 16)), float) for one in (image, other)]
    return np.abs(pixels[0] - pixels[1]).mean()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_preview_stands_for_the_photo_upright_with_its_facts(orientation):
    stored = corners()
    found = open_photo(dng(stored, jpeg(stored, (320, 240)), orientation), 224)
    stored.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(stored)
    assert (found.width, found.height) == upright.size
    assert sorted(found.image.size) == [240, 320] and distance(found.image, upright) < 6
    assert found.facts["taken_at"] == "2019-07-12T10:11:12" and found.facts["taken_from"] == "exif"
    assert (found.facts["latitude"], found.facts["longitude"]) == (-33.5, 151.25)
    assert found.facts["camera"] == "Acme One"


def test_a_preview_that_stands_upright_already_is_not_turned_again():
    stored = corners()
    upright = stored.transpose(Image.Transpose.ROTATE_270)
    found = open_photo(dng(stored, jpeg(upright, (240, 320)), 6), 224)
    assert (found.width, found.height) == (300, 400) and distance(found.image, upright) < 6


@pytest.mark.parametrize("small", [None, (64, 48)])
def test_without_a_large_enough_preview_the_photo_is_developed(small):
    stored = corners((640, 480))
    found = open_photo(dng(stored, small and jpeg(stored, small), 6), 224)
    assert (found.width, found.height) == (480, 640) and min(found.image.size) == 240
    assert distance(found.image, stored.transpose(Image.Transpose.ROTATE_270)) < 40  # LibRaw brightens


def test_the_larger_preview_is_taken_where_developing_gives_less():
    stored = corners((300, 200))
    assert isinstance(open_raw(dng(stored, jpeg(stored, (180, 120))), 224, 10**6).picture, bytes)


def test_a_monochrome_camera():
    data = dng(corners((640, 480))).replace(
        struct.pack("<I", 32803),
        struct.pack("<I", 34892),  # "linear raw" of one value
    )
    found = open_photo(data, 224)
    assert found.image.mode == "RGB" and found.image.size == (640, 480)
    assert np.ptp(np.asarray(found.image, int), axis=2).max() == 0


def test_only_the_facts_of_a_known_one():
    found = open_photo(dng(corners(), jpeg(corners(), (320, 240))), decode=False)
    assert found.image is None and found.facts["camera"] == "Acme One" and found.width == 400


def test_content_tells_a_raw_photo_from_a_tiff():
    buffer = io.BytesIO()
    corners().save(buffer, "TIFF")
    assert not raw.is_raw(buffer.getvalue()) and open_photo(buffer.getvalue()).width == 400
    assert raw.is_raw(dng(corners()))
    assert raw.is_raw(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom") and raw.is_raw(b"FUJIFILMCCD-RAW 0201")


@pytest.mark.parametrize("left", [0.3, 0.7, 0.99])
def test_an_unfinished_upload_is_damaged(left):
    data = dng(corners(), jpeg(corners(), (320, 240)))
    with pytest.raises(MediaError) as caught:
        open_photo(data[: int(left * len(data))], 224)
    assert caught.value.stage == "decode"


def test_a_picture_beyond_the_end_of_the_file_is_damaged():
    data = bytearray(dng(corners()))
    at = data.index(struct.pack("<HHI", 0x0111, 4, 1))
    data[at + 8 : at + 12] = struct.pack("<I", len(data) - 100)
    with pytest.raises(MediaError, match="a damaged raw picture: it ends too early"):
        open_photo(bytes(data), 224)


@pytest.mark.parametrize(("sensor", "side"), [(32803, 12000), (34892, 6000)])
def test_a_memory_bomb_is_refused_before_it_is_developed(sensor, side):
    data = dng(corners(), claims=(side, side)).replace(struct.pack("<I", 32803), struct.pack("<I", sensor))
    with pytest.raises(MediaError, match="million pixels without a preview are not supported"):
        open_photo(data, 224)


def test_a_camera_that_libraw_does_not_know_is_not_supported():
    with pytest.raises(MediaError, match="of a kind that is not supported") as caught:
        open_photo(b"IIRO" + bytes(2000), 224)
    assert caught.value.stage == "decode"


MUTATIONS = """
import random, sys
from cliplib.errors import MediaError
from cliplib.media.photo import open_photo
from tests.media.test_raw import corners
from tests.harness.mutations import ALONE
from tests.harness.raws import dng, jpeg

rng, small = random.Random(int(sys.argv[1])), corners((64, 48))
files = [dng(small, jpeg(small, (32, 24))), dng(small), dng(small, jpeg(small, (40, 30)), 6)]
opened = refused = 0
for _ in range(int(sys.argv[2])):
    try:
        open_photo(rng.choice(ALONE)(rng, rng.choice(files)), rng.choice((16, 224)))
        opened += 1
    except MediaError:
        refused += 1
print(opened, refused)
"""


def test_damage_costs_the_photo_and_no_more():
    done = subprocess.run(
        [sys.executable, "-c", MUTATIONS, "1", "200"], capture_output=True, text=True, timeout=patience_s(120)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    opened, refused = map(int, done.stdout.split())
    assert opened > 10 and refused > 10


class TestLibrary:
    @pytest.fixture
    def root(self, tmp_path):
        root = tmp_path / "photos"
        root.mkdir()
        image = corners()
        for name in ("alone.dng", "IMG_1.CR2", "PXL_2.RAW-02.ORIGINAL.dng"):
            (root / name).write_bytes(dng(image, jpeg(image, (320, 240)), taken=f"2019:07:{len(name):02} 10:11:12"))
        for name in ("img_1.JPG", "PXL_2.RAW-01.COVER.jpg"):
            (root / name).write_bytes(jpeg(image.rotate(90 * len(name)), (320, 240)))
        return root

    def test_a_twin_is_the_same_photo_and_said(self, root):
        listing = find_media(root)
        assert [file.path for file in listing.files] == ["PXL_2.RAW-01.COVER.jpg", "alone.dng", "img_1.JPG"]
        assert listing.left_out == dict.fromkeys(("IMG_1.CR2", "PXL_2.RAW-02.ORIGINAL.dng"), RAW_TWIN)
        (root / "img_1.JPG").unlink()
        assert "IMG_1.CR2" in [file.path for file in find_media(root).files]

    def test_without_rawpy_they_are_counted_and_the_index_keeps_what_it_has(self, root, tmp_path, monkeypatch):
        store, encoder = store_of(tmp_path)
        report = update(root, store, encoder, progress=False)
        assert (report.photos, report.skipped) == (3, []) and f"2 left out: 2 {RAW_TWIN}" in str(report)
        for module in (files, photo):
            monkeypatch.setattr(module, "can_read", lambda: False)
        report = update(root, store, encoder, progress=False)
        assert (report.photos, report.removed) == (3, 0)
        assert report.found.not_read == {".dng": 1} and f"2 left out: 2 {RAW_TWIN}" in str(report)
        assert 'pip install "cliplib[raw]" would read the raw photos among them: 1' in str(report)
        with pytest.raises(MediaError, match=r"pip install \"cliplib\[raw\]\"") as caught:
            open_photo(root / "alone.dng")
        assert caught.value.stage == "read"


def store_of(folder):
    """An empty index and an encoder for it."""
    return Store(folder / "cache", MODEL), StubEncoder()
