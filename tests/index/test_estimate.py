"""How long it will take: the words, the scaling, and a trial against the run itself."""

import math

import numpy as np
import pytest
import torch  # noqa: F401  photos are resized by it; importing it takes longer than the trials here

from cliplib.cache.store import Store
from cliplib.index.estimate import Estimate, Part, limit_of, measure, scaled, spoken
from cliplib.index.update import update
from cliplib.media.files import MediaFile
from tests.harness.heics import save_heic
from tests.harness.libraries import draw_picture, draw_video, picture
from tests.harness.patience import crowding, patience_s
from tests.harness.phone import SlowMount
from tests.harness.torture import MODEL, StubEncoder


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (89, "89 s"),
        (95, "2 min"),
        (3600, "60 min"),
        (2 * 3600 + 14 * 60, "2 h 10 min"),
        (5 * 3600, "5 h"),
        (60 * 3600, "2 days"),
    ],
)
def test_times_as_people_say_them(seconds, words):
    assert spoken(seconds) == words


def test_in_words():
    photos = Part(40_000, 120_000_000_000, 12_000, 10_000, 15_000, "reading")
    estimate = Estimate(photos, Part(0, 0, 0.0, 0.0, 0.0), 58.0)
    assert str(estimate).split("\n") == [
        "Photos: 40,000 files, 120.00 GB: about 3 h 20 min (2 h 50 min to 4 h 10 min); most of it is reading.",
        "Videos: nothing to do.",
        "Tried for 58 s; nothing was kept.",
    ]
    assert estimate.seconds == 12_000


def test_in_words_where_there_is_a_first_pass():
    previews, photos, videos = (Part(9, 9, seconds, seconds, seconds, "encoding") for seconds in (540, 11940, 720))
    estimate = Estimate(photos, videos, 58.0, previews)
    assert estimate.seconds == 540 + 11940 + 720
    said = "Searchable in about 9 min, by the previews in the photos' files; exact in 3 h 40 min."
    assert str(estimate).splitlines()[0] == said


class TestScaling:
    def part(self, blocks, sizes):
        """The estimate for photos of these sizes after blocks of (seconds, files, bytes)."""
        return scaled([MediaFile("a.jpg", "photo", size, 0) for size in sizes], blocks, "")

    def test_by_number_where_each_file_takes_as_long(self):
        blocks = [(1.0, 10, size) for size in (1e6, 5e6, 2e6, 9e6)]  # ten files a second, whatever their size
        part = self.part(blocks, [1_000_000] * 1000)
        assert part.seconds == pytest.approx(100) and (part.low_s, part.high_s) == pytest.approx((100 / 1.1, 110))

    def test_by_bytes_where_each_byte_takes_as_long(self):
        blocks = [(1.0, files, 5e6) for files in (3, 40, 11, 7)]  # five megabytes a second
        assert self.part(blocks, [10_000_000] * 50).seconds == pytest.approx(100)

    def test_few_blocks_make_a_wide_range(self):
        part = self.part([(1.0, 1, 5e6)], [5_000_000] * 10)
        assert (part.low_s, part.seconds, part.high_s) == pytest.approx((5, 10, 20))

    def test_no_block_is_no_number_and_no_file_is_nought(self):
        assert math.isnan(self.part([], [1]).seconds) and "too short" in str(self.part([], [1]))
        assert self.part([], []).seconds == 0

    @pytest.mark.parametrize(
        ("encode_s", "read_s", "limit"), [(8, 0.25, "encoding"), (2, 100 / 16, "reading"), (2, 1 / 16, "decoding")]
    )
    def test_what_limits(self, encode_s, read_s, limit):
        assert limit_of(10, encode_s, read_s) == limit


class TestTrial:
    def test_on_a_slow_mount_it_foretells_the_run(self, tmp_path):
        root = tmp_path / "mount"
        for number in range(60):
            draw_picture(root / f"{number}.jpg", number, size=(64, 48))
        draw_video(root / "v.mp4", 1)
        store, pace = Store(tmp_path / "cache", MODEL), crowding()  # the mount is as slow as the machine is
        with SlowMount(root, files_per_s=20 / pace):
            estimate = measure(root, store, StubEncoder(), seconds=3 * pace)
            assert store.rows.num_rows == 0 and estimate.trial_s < patience_s(6)
            report = update(root, store, StubEncoder(), progress=False)
        assert (estimate.photos.files, estimate.videos.files) == (60, 1)
        assert estimate.photos.limit == "reading"
        assert estimate.photos.low_s < 3.1 * pace < estimate.photos.high_s  # 60 files, 20 a second
        assert estimate.seconds == pytest.approx(report.seconds, rel=0.4)

    def test_it_says_how_soon_previews_can_be_searched(self, tmp_path):
        for i in range(12):
            save_heic(tmp_path / f"{i}.heic", picture(i).resize((640, 480)), 320 if i % 2 else None)
        store = Store(tmp_path / "cache", MODEL)
        estimate = measure(tmp_path, store, StubEncoder(), seconds=patience_s(3))
        assert (estimate.previews.files, estimate.photos.files) == (12, 12)
        assert 0 < estimate.previews.seconds < estimate.seconds and "Searchable in about" in str(estimate)
        for i in range(2):
            (tmp_path / f"{2 * i + 1}.heic").unlink()  # now 4 of 10 carry one
        assert measure(tmp_path, store, StubEncoder(), seconds=patience_s(3)).previews is None

    def test_what_is_indexed_is_not_counted(self, tmp_path):
        draw_picture(tmp_path / "a.jpg", 1)
        store = Store(tmp_path / ".cliplib", MODEL)
        update(tmp_path, store, StubEncoder(), progress=False)
        assert str(measure(tmp_path, store, StubEncoder(), 1).photos) == "nothing to do"

    def test_copies_in_albums_are_read_but_not_encoded(self, tmp_path):
        class Counting(StubEncoder):
            seen = 0

            def encode_images(self, images):
                self.seen += len(images)
                return super().encode_images(images) if len(images) else np.zeros((0, self.dim), np.float32)

        for album in ("a", "b", "c"):
            draw_picture(tmp_path / album / "I.jpg", 1)
        encoder = Counting()
        assert measure(tmp_path, Store(tmp_path / ".cliplib", MODEL), encoder, patience_s(1)).photos.seconds > 0
        assert encoder.seen == 2  # one to warm up, and the photo

    def test_a_file_that_takes_longer_than_the_trial_is_not_waited_for(self, tmp_path):
        draw_picture(tmp_path / "mount" / "a.jpg", 1)
        with SlowMount(tmp_path / "mount", bytes_per_s=100):
            estimate = measure(tmp_path / "mount", Store(tmp_path / "cache", MODEL), StubEncoder(), seconds=1)
        assert estimate.trial_s < patience_s(6) and "too short to say" in str(estimate.photos)
