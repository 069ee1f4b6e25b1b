"""Clips: the right pictures at the right seconds, in a form that every browser plays; previews that stay small."""

import dataclasses
import io
import sys
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import cliplib
from cliplib.errors import MediaError
from cliplib.media.clip import KEEP, write_clip
from cliplib.media.video import open_video
from cliplib.search import footage
from cliplib.search.footage import PREVIEW, PREVIEW_BYTES, preview_span
from cliplib.search.moments import Moment
from tests.harness.libraries import draw_video
from tests.media.test_video import REAL, made, steady

av = pytest.importorskip("av")


def coded(number):
    """A picture that tells its number: eight blocks, white for the ones of its binary form."""
    bits = [number >> place & 1 for place in range(8)]
    return Image.fromarray(np.kron(np.array([bits], np.uint8) * 255, np.ones((64, 16), np.uint8))).convert("RGB")


def read_code(image):
    blocks = np.asarray(image.convert("L").resize((128, 64)))[24:40].reshape(16, 8, 16)[:, :, 4:12].mean((0, 2))
    return int(sum(1 << place for place, level in enumerate(blocks) if level > 127))


def video(container="mp4", times_s=None, **options):
    return made(container, steady(6) if times_s is None else times_s, size=(128, 64), picture=coded, **options)


def frames(file):
    """[(seconds, image)] of all frames of a clip."""
    with av.open(str(file)) as clip:
        return [(float(frame.pts * frame.time_base), frame.to_image()) for frame in clip.decode(clip.streams.video[0])]


def facts(file):
    """(duration in seconds, codec of the pictures, of the sound or None, pixel format)"""
    with av.open(str(file)) as clip:
        pictures, sounds = clip.streams.video[0].codec_context, clip.streams.audio
        sound = sounds[0].codec_context.name if sounds else None
        return clip.duration / 1e6, pictures.name, sound, pictures.pix_fmt


@pytest.fixture
def file(tmp_path):
    return tmp_path / "clip.mp4"


class TestPictures:
    @pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "webm", "avi"])
    def test_each_is_shown_when_the_source_shows_it(self, container, file):
        write_clip(video(container), file, 1.3, 4.1)
        for time_s, image in frames(file)[:-1]:
            assert read_code(image) / 25 == pytest.approx(1.3 + time_s, abs=0.021)

    def test_the_first_is_on_the_screen_at_start_s_and_not_the_key_frame_before(self, file):
        write_clip(video(), file, 1.3, 4.1)
        (first_s, first), *_, (_, last) = frames(file)
        assert (first_s, read_code(first)) == (0, 32)  # shown from 1.28 s to 1.32 s
        assert read_code(last) == 102  # the last before 4.1 s

    def test_a_video_whose_first_frame_comes_late_keeps_its_seconds(self, file):
        write_clip(video(times_s=steady(3, start_s=3.2)), file, 4.0, 5.0)
        assert read_code(frames(file)[0][1]) == 20

    def test_a_frame_that_is_held_is_held_to_the_end(self, file):
        write_clip(video(times_s=[0, 0.5, 3.0, 7.0]), file, 1.0, 5.0)
        assert [read_code(image) for _, image in frames(file)] == [1, 2, 2]
        assert facts(file)[0] == pytest.approx(4, abs=0.05)

    @pytest.mark.parametrize("degrees", [90, 180, 270])
    def test_are_upright(self, degrees, file):
        data = video(degrees=degrees)
        write_clip(data, file, 1.0, 2.0)
        with open_video(data) as source:
            want = next(source.sample(1, 1.0)).image
        got = frames(file)[0][1]
        assert got.size == want.size
        assert np.abs(np.asarray(got, float) - np.asarray(want, float)).mean() < 4

    def test_colours_are_the_sources(self, file):
        data = made("mp4", steady(1), size=(64, 64), picture=lambda _: Image.new("RGB", (64, 64), (200, 40, 90)))
        write_clip(data, file, 0, 1)
        assert np.abs(np.asarray(frames(file)[0][1], float) - (200, 40, 90)).max() < 8

    def test_of_a_damaged_video_are_those_that_there_are(self, file):
        data = video("mkv")
        write_clip(data[: len(data) // 2], file, 0.5, 5.5)
        assert 0.5 < facts(file)[0] < 5

    @pytest.mark.slow
    @pytest.mark.parametrize("name", REAL)
    def test_of_real_videos_begin_at_start_s_and_cover_the_stretch(self, name, media, file):
        with open_video(media / name) as source:
            start_s = min(1.3, source.facts.duration_s / 2)
            end_s = min(source.facts.duration_s, start_s + 1.5)
            shown = [frame for frame in source.sample(0.001, max(0, start_s - 2.2), start_s) if frame.time_s <= start_s]
        write_clip(media / name, file, start_s, end_s, dataclasses.replace(KEEP, preset="ultrafast"))
        got = frames(file)[0][1]
        want = shown[-1].image.crop((0, 0, *got.size))
        assert np.abs(np.asarray(got, float) - np.asarray(want, float)).mean() < 6
        assert facts(file)[0] == pytest.approx(end_s - start_s, abs=0.25)


def with_beep(path, beep_s=2.0, length_s=4.0):
    """A video with silence until `beep_s`, then a tone."""
    with av.open(str(path), "w") as output:
        pictures = output.add_stream("libx264", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        sound = output.add_stream("aac", rate=44100, layout="mono")
        for _ in range(round(25 * length_s)):
            output.mux(pictures.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 64)))))
        output.mux(pictures.encode(None))
        times_s = np.arange(round(length_s * 44100)) / 44100
        tone = np.where(times_s < beep_s, 0, np.sin(2 * np.pi * 440 * times_s)).astype(np.float32)
        for at in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, at : at + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, at, Fraction(1, 44100)
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))


class TestSound:
    def test_is_heard_when_the_source_plays_it(self, file, tmp_path):
        with_beep(tmp_path / "beep.mp4")
        write_clip(tmp_path / "beep.mp4", file, 1.5, 3.0)
        with av.open(str(file)) as clip:
            loud_s = [f.time for f in clip.decode(audio=0) if np.abs(f.to_ndarray()).max() > 0.2]
        assert loud_s[0] == pytest.approx(0.5, abs=0.05) and loud_s[-1] == pytest.approx(1.5, abs=0.05)

    def test_is_aac(self, file):
        write_clip(video("webm", steady(2), sound_s=2), file, 0.5, 1.5)
        assert facts(file)[1:] == ("h264", "aac", "yuv420p")

    def test_is_absent_where_the_source_has_none(self, file):
        write_clip(video(), file, 1, 2)
        assert facts(file)[1:] == ("h264", None, "yuv420p")


class TestFile:
    def test_its_table_of_contents_comes_first(self, file):
        write_clip(video(), file, 1, 2)
        data = file.read_bytes()
        assert 0 < data.index(b"moov") < data.index(b"mdat")

    @pytest.mark.parametrize(
        ("source", "want"),
        [((1920, 1080), (640, 360)), ((1080, 1920), (202, 360)), ((321, 241), (320, 240)), ((1, 1), (2, 2))],
    )
    def test_a_preview_is_at_most_360_high_and_even(self, source, want):
        assert PREVIEW.size(*source) == want

    def test_a_kept_clip_has_the_sources_size(self):
        assert KEEP.size(3840, 2160) == (3840, 2160)

    def test_a_preview_of_noise_stays_small(self, file):
        rng = np.random.default_rng(0)

        def noise(_):
            return Image.fromarray(rng.integers(0, 256, (120, 160, 3), np.uint8))

        write_clip(made("mp4", steady(4), size=(160, 120), picture=noise), file, 0, 4, PREVIEW)
        assert file.stat().st_size < 1.1 * PREVIEW_BYTES

    def test_sixty_frames_a_second_become_thirty_in_a_preview(self, file):
        write_clip(video(times_s=steady(2, 60)), file, 0, 2, PREVIEW)
        assert len(frames(file)) in (60, 61)

    def test_may_be_read_by_whoever_may_read_a_new_file(self, file):
        write_clip(video(), file, 1, 2)
        (file.parent / "new").touch()
        assert file.stat().st_mode == (file.parent / "new").stat().st_mode

    def test_its_folder_may_have_any_name(self, tmp_path, monkeypatch):
        (tmp_path / "trip: 100%d").mkdir()
        monkeypatch.chdir(tmp_path)
        write_clip(video(), "trip: 100%d/clip.mp4", 1, 2)
        assert [file.name for file in (tmp_path / "trip: 100%d").iterdir()] == ["clip.mp4"]

    def test_nothing_is_left_of_one_that_fails(self, file):
        with pytest.raises(MediaError, match=r"no frame between 9.00 s and 10.00 s"):
            write_clip(video(), file, 9, 10)
        assert list(file.parent.iterdir()) == []

    @pytest.mark.parametrize("span", [(2, 2), (2, 1), (-1, 1)])
    def test_refuses_a_stretch_that_is_none(self, span, file):
        with pytest.raises(ValueError, match="to a later end_s"):
            write_clip(video(), file, *span)

    def test_refuses_what_is_no_video(self, file):
        with pytest.raises(MediaError, match="plain text"):
            write_clip(io.BytesIO(b"just words " * 100), file, 0, 1)

    def test_what_an_encoder_refuses_is_said(self, file):
        with pytest.raises(MediaError, match="no clip can be made of it"):
            write_clip(video(), file, 0, 1, dataclasses.replace(KEEP, preset="none"))
        assert not any(file.parent.iterdir())

    def test_a_folder_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            write_clip(video(), tmp_path / "nowhere" / "clip.mp4", 0, 1)

    def test_says_that_pyav_is_needed(self, file, monkeypatch):
        data = video()
        monkeypatch.setitem(sys.modules, "av", None)
        with pytest.raises(MediaError, match="videos need PyAV: pip install av") as caught:
            write_clip(data, file, 0, 1)
        assert caught.value.stage == "read", "what is settled would not be tried again when PyAV has come"


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    root = tmp_path_factory.mktemp("library")
    for seed in range(1, 6):
        draw_video(root / f"v{seed}.mp4", seed, seconds=3)
    library = cliplib.Library(root, model=weights)
    library.index(progress=False)
    return library


@pytest.fixture(scope="module")
def moments(library):
    return library.score("a dog", kind="frame").moments(threshold=-1)


class TestPreviews:
    def test_are_cut_once(self, moments, monkeypatch):
        first = moments[0].engine.preview(moments[0])
        monkeypatch.setattr(footage, "write_clip", lambda *_: pytest.fail("cut again"))
        assert moments[0].engine.preview(moments[0]) == first

    def test_of_long_moments_show_the_part_around_the_best_frame(self, moments):
        def span(*times_s):
            return preview_span(Moment("v.mp4", *times_s, 0.3))

        assert span(10, 20, 12) == (10, 20)
        assert span(0, 100, 50) == (35, 65)
        assert span(0, 100, 2) == (0, 30) and span(0, 100, 99) == (70, 100)

    def test_the_oldest_are_deleted_when_there_are_too_many(self, moments, library, monkeypatch):
        monkeypatch.setattr(footage, "KEPT_BYTES", 1)
        one = Moment("v1.mp4", 0.25, 0.75, 0.5, 0.3, "another")
        assert moments[0].engine.preview(one)
        assert list((library.cache / "clips").iterdir()) == []

    def test_page_of_five_has_five_players_with_posters_and_is_small(self, moments):
        page = moments._repr_html_()
        assert page.count("<video controls") == page.count('poster="data:image/jpeg') == 5
        assert page.count('src="data:video/mp4;base64,') == 5 and len(page) < 3_000_000

    def test_page_says_why_there_is_no_player(self, moments, library, tmp_path):
        gone = cliplib.Library(tmp_path, model=library.model, cache=library.cache)
        page = gone.score("a cat", kind="frame").moments(k=1, threshold=-1, gap_s=0)
        page = dataclasses.replace(page[0], end_s=1.7)._repr_html_()
        assert "no player: cannot be read" in page and "<img" in page

    def test_a_clip_is_saved_for_keeping(self, moments, tmp_path):
        moments[0].save_clip(tmp_path / "kept.mp4")
        assert facts(tmp_path / "kept.mp4")[0] == pytest.approx(3, abs=0.05)
