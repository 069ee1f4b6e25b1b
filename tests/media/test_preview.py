"""Previews: which are found, that few bytes are read for them, and that they open turned and coloured as the whole."""

import io

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from cliplib.media.photo import open_photo
from cliplib.media.preview import has_preview, read_preview
from cliplib.media.reading import RetryingFile
from tests.harness.heics import save_heic, save_mpf
from tests.harness.libraries import picture

WHOLE = (1024, 768)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def scene(size=WHOLE):
    """Large shapes, so that a turn is seen."""
    return picture(3).resize(size)


def assert_alike(preview, file, most=4.0):
    """The preview shows what the whole shows, equally turned, and says the same of it."""
    small, whole = open_photo(preview.data), open_photo(file)
    assert small.facts == whole.facts and whole.facts["taken_at"] == "2021-02-03T04:05:06"
    assert (small.width > small.height) == (whole.width > whole.height)
    one, other = (np.asarray(photo.image.resize((24, 24), Image.Resampling.BOX), float) for photo in (small, whole))
    assert np.abs(one - other).mean() < most
    assert np.abs(one[::-1] - other).mean() > 3 * most  # the picture is not one that any turn would do for


class TestHeic:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_is_turned_as_the_whole(self, tmp_path, orientation):
        file = save_heic(tmp_path / "a.heic", scene(), orientation=orientation)
        preview = read_preview(file, 224)
        assert (preview.width, preview.height) == WHOLE
        assert_alike(preview, file)

    def test_takes_the_turn_of_the_whole_where_it_has_none_itself(self, tmp_path):
        file = save_heic(tmp_path / "a.heic", scene(), orientation=6)
        data = bytearray(file.read_bytes())
        at = data.index(b"ipma") - 4
        end = at + int.from_bytes(data[at : at + 4], "big")
        assert data[end - 1] & 0x80  # the last tie of the last item, the thumbnail: its turn, which is essential
        data[end - 1] = 0
        file.write_bytes(data)
        assert pillow_heif.open_heif(file)[0].get_thumbnail(0).size == (320, 240)  # on its side now
        assert_alike(read_preview(file, 224), file)

    def test_has_the_colour_profile_of_the_whole(self, tmp_path):
        file = save_heic(tmp_path / "a.heic", scene(), icc=PROFILE)
        assert "icc_profile" not in pillow_heif.open_heif(file)[0].get_thumbnail(0).info
        assert pillow_heif.open_heif(io.BytesIO(read_preview(file, 224).data)).info["icc_profile"] == PROFILE

    def test_only_a_few_bytes_are_read(self, tmp_path, monkeypatch):
        noise = np.random.default_rng(0).integers(0, 256, (*WHOLE[::-1], 3), np.uint8)
        file = save_heic(tmp_path / "a.heic", Image.fromarray(noise))
        asked, read = [], RetryingFile._read_at
        monkeypatch.setattr(RetryingFile, "_read_at", lambda self, at, size: asked.append(size) or read(self, at, size))
        preview = read_preview(file, 224)
        assert sum(asked) < 32 * 1024 + len(preview.data) < file.stat().st_size / 3

    @pytest.mark.parametrize(("edge", "shortest"), [(None, 32), (160, 224), (320, 336)])
    def test_there_is_none_or_a_small_one(self, tmp_path, edge, shortest):
        file = save_heic(tmp_path / "a.heic", scene(), edge)
        assert read_preview(file, shortest) is None and not has_preview(file, shortest)

    def test_cut_and_damaged_files_have_none_or_one_that_opens(self, tmp_path):
        data, random = save_heic(tmp_path / "a.heic", scene()).read_bytes(), np.random.default_rng(0)
        for number in range(200):
            broken = bytearray(data[: random.integers(1, len(data))] if number % 2 else data)
            for at in random.integers(0, min(len(broken), 2000), 3):
                broken[at] = random.integers(0, 256)
            (tmp_path / "b.heic").write_bytes(broken)
            preview = read_preview(tmp_path / "b.heic", 224)  # raises nothing
            assert preview is None or len(preview.data) < len(data)


class TestJpeg:
    @pytest.mark.parametrize("orientation", [1, 6, 8])
    def test_is_turned_and_coloured_as_the_whole(self, tmp_path, orientation):
        image = scene((2048, 1536))
        file = save_mpf(tmp_path / "a.jpg", image, image.resize((640, 480)), orientation, icc_profile=PROFILE)
        preview = read_preview(file, 224)
        assert has_preview(file, 224) and (preview.width, preview.height) == (2048, 1536)
        assert Image.open(io.BytesIO(preview.data)).size == (640, 480)
        assert Image.open(io.BytesIO(preview.data)).info["icc_profile"] == PROFILE
        assert_alike(preview, file)

    def test_a_gain_map_and_a_picture_with_black_bars_are_none(self, tmp_path):
        image = scene((1536, 1024))
        assert read_preview(save_mpf(tmp_path / "a.jpg", image, image.resize((768, 512)), kind=0), 224) is None
        assert read_preview(save_mpf(tmp_path / "b.jpg", image, image.resize((640, 480))), 224) is None

    def test_an_ordinary_one_and_what_is_no_photo_have_none(self, tmp_path):
        picture(3).save(tmp_path / "a.jpg")
        (tmp_path / "b.heic").write_bytes(b"<!doctype html><p>Not found")
        assert [read_preview(tmp_path / name, 32) for name in ("a.jpg", "b.heic", "gone.heic")] == [None] * 3
