"""Videos: true times against a plain decode of every frame, upright frames, a reason for all that cannot be decoded.

Ids that begin with a number name the row of the project's list of faults.
"""

import errno
import functools
import gc
import io
import itertools
import math
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cliplib.errors import MediaError
from cliplib.media import reading, retry
from cliplib.media.container import missing_bytes
from cliplib.media.video import open_video
from tests.harness.libraries import picture
from tests.media.test_formats import HLS

av = pytest.importorskip("av")
REAL = [
    "videos/big_buck_bunny_0_30.webm",
    "videos/chaplin.mp4",
    "videos/cockatoo.mp4",
    "videos/flipping_a_pancake.mkv",
    "videos/flir_thermal_vfr.mp4",
    "videos/rabbit320.webm",
    "videos/with-gps.mov",
    "odd/av1_video.mkv",
]
CODECS = {"webm": "libvpx", "avi": "mpeg4", "asf": "wmv2"}

PYAV_18 = int(av.__version__.partition(".")[0]) >= 18


def made(
    container,
    times_s,
    *,
    sound_s=0.0,
    options=None,
    codec=None,
    size=(64, 48),
    pixel_aspect=None,
    degrees=0,
    picture=None,
):
    """The bytes of a video with a frame at each of `times_s`: `picture(number)`, or grey of level 2 * number."""
    picture = picture or (lambda number: Image.new("RGB", size, (2 * number % 250,) * 3))
    format = {"mkv": "matroska"}.get(container, container)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/made"
        with av.open(path, "w", format=format, options=options or {}) as output:
            stream = output.add_stream(CODECS.get(container, "libx264"), rate=25, options=codec or {})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000 if container != "avi" else 25)
            if pixel_aspect:
                stream.sample_aspect_ratio = stream.codec_context.sample_aspect_ratio = pixel_aspect
            if degrees and not PYAV_18:
                pytest.skip("PyAV 17 cannot write a turn")
            if degrees:
                stream.set_display_rotation(degrees)
            sound = output.add_stream("libopus" if container == "webm" else "aac", rate=48000) if sound_s else None
            for number, time_s in enumerate(times_s):
                frame = av.VideoFrame.from_image(picture(number))
                frame.time_base = stream.codec_context.time_base
                frame.pts = round(time_s / frame.time_base)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
            if sound:
                mux_silence(output, sound, sound_s)
        return Path(path).read_bytes()


def mux_silence(output, stream, seconds):
    for start in range(0, round(seconds * 48000), 960):
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="stereo")
        silence.sample_rate, silence.pts, silence.time_base = 48000, start, Fraction(1, 48000)
        output.mux(stream.encode(silence))
    output.mux(stream.encode(None))


def steady(seconds, rate=25, start_s=0.0):
    return [start_s + n / rate for n in range(round(seconds * rate))]


@functools.cache
def noisy(container, seconds=4):
    """Ten frames a second of noise: all of about one size, so that half the bytes are about half the time."""
    rng = np.random.default_rng(0)
    options = {"movflags": "faststart"} if container == "mp4" else {}

    def picture(_):
        return Image.fromarray(rng.integers(0, 256, (96, 128, 3), np.uint8))

    return made(container, steady(seconds, 10), options=options, size=(128, 96), picture=picture)


def all_times(source):
    """Every presentation time in seconds, by decoding everything."""
    with av.open(source) as container:
        stream = container.streams.video[0]
        return [float(frame.pts * frame.time_base) for frame in container.decode(stream)]


def sampled(source, *args, **kwargs):
    with open_video(source) as opened:
        return [frame.time_s for frame in opened.sample(*args, **kwargs)]


class TestTimes:
    @pytest.mark.parametrize("name", REAL)
    def test_are_presentation_times_one_a_second_in_order_within_the_duration(self, media, name):
        with open_video(media / name) as opened:
            times = [frame.time_s for frame in opened.sample()]
            duration_s = opened.facts.duration_s
        truth = np.array(all_times(str(media / name)))
        assert max(np.abs(truth - time_s).min() for time_s in times) < 1e-6
        assert all(one < other for one, other in itertools.pairwise(times))
        assert times[0] >= 0 and times[-1] <= duration_s
        assert abs(len(times) - (math.floor(duration_s) + 1)) <= 1

    @pytest.mark.parametrize("container", ["mp4", "mkv", "webm", "mov"])
    def test_fault_31_follow_a_variable_rate(self, container):
        """A variable frame rate, or a container that lies of it: the true presentation times."""
        times = [0, 0.04, 0.9, 0.99, 1.03, 3.7, 3.9, 4.02, 6.5]
        assert sampled(made(container, times)) == pytest.approx([0, 0.99, 3.7, 4.02, 6.5], abs=1e-3)

    def test_do_not_drift_at_29_97_frames_a_second(self):
        times = sampled(made("mp4", [n * 1001 / 30000 for n in range(40 * 30)], size=(16, 16)))
        assert len(times) == 41
        assert max(abs(time_s - k) for k, time_s in enumerate(times)) < 1001 / 60000 + 1e-3

    @pytest.mark.parametrize("container", ["mp4", "mkv", "webm"])
    def test_are_not_counted_from_a_first_frame_that_comes_late(self, container):
        data = made(container, steady(2, 10, start_s=3.2))
        assert sampled(data) == pytest.approx([3.2, 4.0, 5.0], abs=1e-3)
        with open_video(data) as opened:
            assert opened.facts.duration_s == pytest.approx(5.2, abs=0.1)

    def test_count_from_the_start_where_the_clock_starts_anywhere(self):
        with open_video(made("mpegts", steady(4, start_s=100))) as opened:
            for start_s, times in ((0.0, [0, 1, 2, 3]), (0.0, [0, 1, 2, 3]), (1.4, [1.4, 2.4, 3.4])):
                assert [frame.time_s for frame in opened.sample(start_s=start_s)] == pytest.approx(times, abs=1e-3)

    @pytest.mark.parametrize("container", ["mp4", "mkv", "mov"])
    def test_a_frame_stands_until_the_next_begins_and_the_last_until_the_end(self, container):
        data = made(container, [0, 2, 2.04, 7], sound_s=12)
        with open_video(data) as opened:
            lengths = [(frame.time_s, frame.length_s) for frame in opened.sample()]
        assert [time_s for time_s, _ in lengths] == pytest.approx([0, 2, 7], abs=1e-3)
        assert [length_s for _, length_s in lengths] == pytest.approx([2, 0.04, 5], abs=0.1)

    def test_streams_one_after_the_other_go_on_where_the_first_ended(self):
        one, other = made("mpegts", steady(3), sound_s=3), made("mpegts", steady(2, start_s=900), sound_s=0)
        for data in (one + other, other + one, one + made("mpegts", steady(2))):
            with open_video(data) as opened:
                times = [frame.time_s for frame in opened.sample(0.5)]
                assert opened.facts.duration_s == pytest.approx(5, abs=0.1)
            assert np.diff(times) == pytest.approx(0.5, abs=0.05) and len(times) in (10, 11)

    def test_camcorders_write_packets_of_192_bytes(self):
        plain = made("mpegts", steady(3))
        packets = b"".join(bytes([0, 1, 2, 3]) + plain[at : at + 188] for at in range(0, len(plain), 188))
        assert sampled(packets) == pytest.approx([0, 1, 2], abs=0.05)

    @pytest.mark.skipif(not PYAV_18, reason="PyAV 17 cannot say which stream is the default")
    def test_the_default_stream_is_shown_and_not_the_first(self):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="matroska") as output:
            streams = [output.add_stream("libx264", rate=5) for _ in range(2)]
            for stream, width in zip(streams, (32, 64), strict=True):
                stream.width, stream.height, stream.pix_fmt = width, 32, "yuv420p"
            streams[0].disposition, streams[1].disposition = 0, av.stream.Disposition.default
            for number in range(10):
                for stream in streams:
                    frame = av.VideoFrame.from_image(Image.new("RGB", (stream.width, 32)))
                    frame.pts, frame.time_base = number, Fraction(1, 5)
                    output.mux(stream.encode(frame))
            for stream in streams:
                output.mux(stream.encode(None))
        with open_video(buffer.getvalue()) as opened:
            assert (opened.facts.width, len(list(opened.sample()))) == (64, 2)

    def test_the_frame_is_the_one_of_its_time(self):
        with open_video(made("mp4", steady(4))) as opened:
            levels = {round(frame.time_s, 2): np.asarray(frame.image).mean() for frame in opened.sample(0.6)}
        for time_s, level in levels.items():
            assert level == pytest.approx(2 * time_s * 25, abs=2.5)

    def test_every_start_and_end(self):
        data = made("mkv", steady(6))
        assert sampled(data, 0.5, start_s=2.2, end_s=4.0) == pytest.approx([2.2, 2.68, 3.2, 3.68], abs=0.021)
        assert sampled(data, 10) == [0]
        assert len(sampled(data, 0.001)) == 150, "never a frame twice"
        assert sampled(data, 1, start_s=99) == []

    def test_a_second_sample_gives_the_same_again(self, media):
        with open_video(media / "videos/chaplin.mp4") as opened:
            first, again = ([(f.time_s, f.image.tobytes()) for f in opened.sample(3)] for _ in range(2))
        assert first == again

    @pytest.mark.parametrize("name", ["chaplin.mp4", "cockatoo.mp4"])
    def test_a_later_start_gives_the_same_frames_as_one_from_the_beginning(self, media, name):
        """In cockatoo.mp4 the parameter sets of the later key frames stand in the first packet alone."""
        with open_video(media / "videos" / name) as opened:
            whole, tail = (
                [(frame.time_s, frame.image.tobytes()) for frame in opened.sample(3, start_s=start_s, exact=True)]
                for start_s in (0, 6)
            )
        assert tail == whole[2:]

    @pytest.mark.skipif(not PYAV_18, reason="PyAV 17 makes circles of its own, which the collector frees")
    def test_frames_are_freed_as_soon_as_they_are_done_with(self):
        """Memory stays flat at any length only if no frame waits for the garbage collector."""
        data = made("mkv", steady(40, 5))
        gc.collect()
        gc.disable()
        try:
            assert len(sampled(data)) == 40
            assert gc.collect() < 40, "unreachable objects, that is cycles, about one a frame"
        finally:
            gc.enable()

    @pytest.mark.parametrize("wrong", [{"every_s": 0}, {"every_s": -1}, {"every_s": math.nan}, {"start_s": -1}])
    def test_refuses_steps_that_lead_nowhere(self, wrong):
        with pytest.raises(ValueError, match="every_s must be above 0 and start_s 0 or more"):
            sampled(made("mkv", [0, 1]), **wrong)


class TestFew:
    """Frames far apart are had without decoding all: the same frames, whatever refers to what."""

    # Encoder and its options: long and short groups of pictures, open ones, and those without any reference.
    FORMS = (
        ("libx264", {"g": "250", "bf": "3"}),
        ("libx264", {"g": "12", "bf": "2", "x264-params": "open-gop=1"}),
        ("libx264", {"g": "7", "bf": "0"}),
        ("libx265", {"g": "30", "x265-params": "log-level=none:open-gop=1:bframes=4"}),
        ("libx265", {"g": "1000", "x265-params": "log-level=none"}),
        ("mjpeg", {}),
        ("libvpx-vp9", {"g": "40", "cpu-used": "8", "deadline": "realtime"}),
        ("mpeg2video", {"g": "15", "bf": "2"}),
    )

    @pytest.mark.parametrize("every_s", [0.5, 1.0, 3.7])
    @pytest.mark.parametrize(("codec", "options"), FORMS)
    def test_they_are_the_very_frames_of_their_times(self, codec, options, every_s):
        data = moving(codec, tuple(options.items()))
        with open_video(data) as opened:
            few, every_one = list(opened.sample(every_s)), list(opened.sample(0.001, exact=True))
        of_time = {frame.time_s: frame for frame in every_one}
        assert [frame.length_s for frame in few] == pytest.approx([of_time[f.time_s].length_s for f in few], abs=1e-3)
        for frame in few:
            full = of_time[frame.time_s]
            assert np.abs(np.asarray(frame.image, float) - np.asarray(full.image, float)).mean() < 3
        wanted = np.arange(0, 10, every_s)
        assert [frame.time_s for frame in few] == pytest.approx(wanted, abs=max(0.04, 0.05 * every_s))

    def test_a_key_frame_near_a_wanted_time_is_taken_for_it(self, monkeypatch):
        """As telephones write them: a key frame about each second, at a rate that is no whole number."""
        times = [number * 1.001 / 25 for number in range(49 * 25 + 10)]
        data = made("mp4", times, codec={"g": "25", "bf": "0", "sc_threshold": "0"})
        with open_video(data) as opened:
            fed = []
            decoded = type(opened)._decoded
            monkeypatch.setattr(type(opened), "_decoded", lambda *given: fed.append(given[1]) or decoded(*given))
            few = [frame.time_s for frame in opened.sample()]
        assert few == pytest.approx(times[::25], abs=1e-3)
        assert all(packet is None or packet.is_keyframe for packet in fed)

    def test_key_frames_that_are_rare_move_no_time(self):
        with open_video(moving("libx264", (("g", "76"), ("sc_threshold", "0")))) as opened:
            assert [frame.time_s for frame in opened.sample()] == pytest.approx(range(10))

    def test_a_piece_too_long_for_memory_is_decoded_in_parts(self, monkeypatch):
        data = moving("libx264", (("g", "1000"), ("bf", "3")))
        with open_video(data) as opened:
            times = [frame.time_s for frame in opened.sample(1.7)]
            monkeypatch.setattr("cliplib.media.video.MOST_PACKETS", 20)
            assert [frame.time_s for frame in opened.sample(1.7)] == times

    def test_a_varying_rate_gives_the_same_frames(self):
        rng = np.random.default_rng(5)
        times = np.cumsum(rng.choice([0.03, 0.04, 0.3, 1.4], 120))
        data = made("mkv", times.round(3))
        with open_video(data) as opened:
            few, all_of_them = ([f.time_s for f in opened.sample(0.5, exact=exact)] for exact in (False, True))
        assert few == all_of_them and len(few) > 40


@functools.cache
def moving(codec, options):
    """Ten seconds in which a shape moves over a picture, with a cut each 3 s."""

    def picture_at(number):
        image = picture(number // 75, (96, 64)).copy()
        image.paste((255, 255, 0), (number % 75, 20, number % 75 + 20, 40))
        return image

    with tempfile.TemporaryDirectory() as folder:
        with av.open(f"{folder}/made", "w", format="matroska") as output:
            stream = output.add_stream(codec, rate=25, options=dict(options))
            stream.width, stream.height = 96, 64
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(250):
                frame = av.VideoFrame.from_image(picture_at(number))
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return Path(f"{folder}/made").read_bytes()


class TestFacts:
    def test_fault_34_a_phone_video_is_upright(self, media):
        """A video of a phone held upright: its frames are upright."""
        with open_video(media / "videos/with-gps.mov") as opened:
            frame = next(opened.sample(exact=True))
            facts = opened.facts
        assert (facts.width, facts.height) == (320, 568)
        assert frame.image.size == (320, 568)
        assert (facts.taken_at, facts.taken_from) == ("2019-07-24T11:25:40", "container")
        with av.open(str(media / "videos/with-gps.mov")) as container:
            stored = next(container.decode(video=0)).to_image()
        assert frame.image.tobytes() == stored.transpose(Image.Transpose.ROTATE_270).tobytes()

    @pytest.mark.parametrize(("clockwise", "red_corner"), [(90, (40, 5)), (180, (58, 42)), (270, (5, 58))])
    def test_fault_34_frames_are_turned_as_the_display_matrix_says(self, clockwise, red_corner):
        """A video of a phone held upright: its frames are upright."""
        picture = Image.new("RGB", (64, 48), "blue")
        picture.paste("red", (0, 0, 20, 20))
        with open_video(made("mp4", steady(1), degrees=-clockwise, picture=lambda _: picture)) as opened:
            image = next(opened.sample()).image
            assert (opened.facts.width, opened.facts.height) == image.size
        red, _, blue = image.getpixel(red_corner)
        assert red > 200 and blue < 60

    def test_pixels_that_are_not_square_are_shown_as_a_player_shows_them(self):
        with open_video(made("mp4", steady(1), pixel_aspect=Fraction(2, 1))) as opened:
            assert (opened.facts.width, opened.facts.height) == (128, 48)
            assert next(opened.sample()).image.size == (128, 48)

    def test_fault_31_a_missing_duration_is_read_from_the_times(self):
        """A variable frame rate, or a container that lies of it: the true presentation times."""
        data = made("webm", steady(3), options={"live": "1"})
        with av.open(io.BytesIO(data)) as container:
            assert not container.duration, "the file must not say how long it is, or this tests nothing"
        with open_video(data) as opened:
            assert opened.facts.duration_s == pytest.approx(3, abs=0.05)
            assert len(list(opened.sample())) == 3

    def test_sound_that_goes_on_after_the_pictures_is_no_damage(self):
        data = made("mp4", steady(2), sound_s=6)
        assert len(sampled(data)) == 2
        with open_video(data) as opened:
            assert opened.facts.duration_s == pytest.approx(6, abs=0.1)

    @pytest.mark.parametrize("as_given", [lambda data: data, io.BytesIO, memoryview], ids=["bytes", "file", "view"])
    def test_takes_bytes_and_files(self, as_given):
        assert len(sampled(as_given(made("mkv", steady(2))))) == 2


class TestDamage:
    @pytest.mark.parametrize("container", ["mp4", "mkv", "webm", "avi"])
    @pytest.mark.parametrize("fill", ["cut", "zeros"])
    def test_fault_33_gives_what_can_be_decoded_then_says_how_much_that_was(self, container, fill):
        """A truncated video: indexed as far as it goes, and reported."""
        data = noisy(container)
        half = data[: len(data) // 2] + (bytes(len(data) - len(data) // 2) if fill == "zeros" else b"")
        times = []
        with pytest.raises(MediaError, match=r"only the first \d\.\d s") as caught, open_video(half) as opened:
            for frame in opened.sample(0.5):
                times.append(frame.time_s)
        assert caught.value.stage == "decode"
        assert times[:3] == pytest.approx([0, 0.5, 1.0], abs=0.051)
        assert times[-1] < 3

    @pytest.mark.parametrize("container", ["mp4", "mkv", "webm", "avi"])
    def test_a_whole_file_is_not_called_damaged(self, container):
        assert len(sampled(noisy(container))) == pytest.approx(4, abs=1)

    @pytest.mark.parametrize(
        "form", ["mp4 faststart", "mov faststart", "mp4 frag_keyframe+empty_moov", "mkv", "webm", "avi"]
    )
    def test_fault_33_says_that_a_cut_video_is_cut_and_of_a_whole_one_nothing(self, form):
        """A truncated video: indexed as far as it goes, and reported."""
        container, _, flags = form.partition(" ")
        options = {"movflags": flags} if flags else {}
        data = made(container, steady(20, 5), options=options, picture=lambda n: picture(n, (64, 48)))
        assert len(sampled(data)) in (20, 21)
        for share in (0.5, 0.75, 0.9, 0.97, 0.99):
            with pytest.raises(MediaError, match="bytes are missing at the end|unfinished upload"):
                sampled(data[: int(share * len(data))])

    def test_a_film_recorded_live_is_only_called_cut_where_a_piece_of_it_is(self):
        data = made("webm", steady(6, 10), options={"live": "1"})
        assert missing_bytes(io.BytesIO(data), "matroska") == 0
        assert missing_bytes(io.BytesIO(data + bytes(500)), "matroska") == 0
        assert sampled(data + bytes(500)) == sampled(data)

    @pytest.mark.parametrize("tail", [b"\0\0\0\x08free", bytes(99), b"SEFH" * 9])
    def test_what_a_camera_puts_behind_a_film_is_no_missing_part(self, tail):
        data = made("mp4", steady(2))
        assert missing_bytes(io.BytesIO(data + tail), "mov") == 0
        assert sampled(data + tail) == sampled(data)

    def test_claims_of_64_bits_and_of_an_asf_header(self):
        large = b"\0\0\0\x08ftyp\0\0\0\x01mdat" + (2**40).to_bytes(8, "big") + bytes(9)
        assert missing_bytes(io.BytesIO(large), "mov") == 2**40 + 8 - len(large)
        whole = made("asf", steady(2))
        assert missing_bytes(io.BytesIO(whole), "asf") == 0
        assert missing_bytes(io.BytesIO(whole[:-321]), "asf") == 321

    def test_fault_33_a_half_uploaded_video(self, media):
        """A truncated video: indexed as far as it goes, and reported."""
        times = []
        with (
            pytest.raises(MediaError, match=r"only the first 30\.5 s of 85\.5 s could be decoded .*unfinished upload"),
            open_video(media / "odd/half_uploaded_25pct.m4v") as opened,
        ):
            for frame in opened.sample():
                times.append(frame.time_s)
        assert times == pytest.approx(range(31), abs=0.051)

    def test_rotten_bytes_give_frames_or_a_report_and_nothing_else(self):
        rng = np.random.default_rng(0)
        for container in ("mp4", "mkv", "webm", "avi"):
            data = np.frombuffer(noisy(container, 1), np.uint8)
            for _ in range(8):
                rotten = data.copy()
                rotten[rng.integers(0, len(data), 20)] = rng.integers(0, 256, 20)
                try:
                    assert sampled(rotten.tobytes(), 0.5)
                except MediaError as error:
                    assert error.reason

    def test_fault_4_reads_again_after_an_error_that_may_pass(self, tmp_path, monkeypatch):
        """An error on reading that may pass: tried again, then reported."""
        self.interrupt(monkeypatch, times=2)
        (tmp_path / "a.mkv").write_bytes(noisy("mkv"))
        assert len(sampled(tmp_path / "a.mkv")) == 4

    def test_fault_4_reports_an_error_that_stays(self, tmp_path, monkeypatch):
        """An error on reading that may pass: tried again, then reported."""
        self.interrupt(monkeypatch, times=99)
        (tmp_path / "a.mkv").write_bytes(noisy("mkv"))
        with pytest.raises(MediaError) as caught:
            sampled(tmp_path / "a.mkv")
        assert caught.value.stage == "read"

    @staticmethod
    def interrupt(monkeypatch, times):
        """Reading fails `times` times from the fourth read on."""
        monkeypatch.setattr(retry, "RETRY_WAITS_S", (0, 0))
        monkeypatch.setattr("cliplib.media.video.BUFFER_BYTES", 4096)
        reads = itertools.count()

        class Flaky(io.FileIO):
            def read(self, size=-1):
                if 4 <= next(reads) < 4 + times:
                    raise OSError(errno.EIO, "Input/output error")
                return super().read(size)

        monkeypatch.setattr(reading, "open", lambda path, *_, **__: Flaky(path), raising=False)


def sound_only():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        mux_silence(output, output.add_stream("aac", rate=48000), 1)
    return buffer.getvalue()


def encrypted():
    keys = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00" * 16, "encryption_kid": "11" * 16}
    return made("mp4", steady(1), options=keys)


def clusters_gone():
    """Recorded live, so that its length has to be looked for, and a place in it cannot be sought."""
    return made("webm", steady(2, 10), options={"live": "1"}).replace(b"\x1f\x43\xb6\x75", b"\xff\x43\xb6\x75", 1)


def pictures_gone():
    data = noisy("mp4")
    kept = data.index(b"mdat") + 4
    return data[:kept] + bytes(len(data) - kept)


class TestNoVideo:
    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            pytest.param(lambda: noisy("mov")[:9000], "table of contents is missing", id="18-no-contents"),
            pytest.param(sound_only, "sound only", id="32-sound-only"),
            pytest.param(encrypted, "encrypted", id="32-encrypted"),
            pytest.param(clusters_gone, "none of its frames can be decoded", id="32-clusters-gone"),
            pytest.param(pictures_gone, "none of its frames can be decoded", id="32-pictures-gone"),
        ],
    )
    def test_says_why_and_never_gives_nothing_in_silence(self, tmp_path, make, reason):
        path = tmp_path / "a.mp4"
        path.write_bytes(make())
        with pytest.raises(MediaError, match=f"no decodable video: .*{reason}") as caught:
            sampled(path)
        assert (caught.value.path, caught.value.stage) == (str(path), "decode")

    @pytest.mark.parametrize("head", [b"", b"\0\0\0\x18ftypisom\0\0\0\0", b"G" + bytes(187) + b"G"])
    def test_fault_35_opens_no_second_file_whatever_the_first_says(self, tmp_path, head):
        """A playlist named .mp4, or a name with % in it: no second file is opened.

        Not even where its head is dressed up as a video's.
        """
        (tmp_path / "secret.mp4").write_bytes(made("mp4", steady(1)))
        path = tmp_path / "list.mp4"
        path.write_bytes(head + HLS)
        with pytest.raises(MediaError, match="no decodable video"):
            sampled(path)

    def test_fault_35_a_percent_sign_in_a_name_is_a_percent_sign(self, tmp_path):
        """A playlist named .mp4, or a name with % in it: no second file is opened."""
        path = tmp_path / "100%d %03d.mp4"
        path.write_bytes(made("mp4", steady(2)))
        assert len(sampled(path)) == 2

    def test_a_file_that_is_not_there_is_not_a_video_that_cannot_be_decoded(self, tmp_path):
        for path in (tmp_path / "absent.mp4", tmp_path):
            with pytest.raises(MediaError, match="cannot be read") as caught:
                open_video(path)
            assert caught.value.stage == "read"


class TestBesideOpenCV:
    """A second reader of the same files, which knows nothing of ours: its times and pictures beside ours."""

    @pytest.fixture(params=["chaplin.mp4", "flipping_a_pancake.mkv", "with-gps.mov", "varying"])
    def path(self, request, tmp_path):
        if request.param != "varying":
            return request.getfixturevalue("media") / "videos" / request.param
        (tmp_path / "varying.mp4").write_bytes(made("mp4", [0, 0.04, 0.9, 2.03, 3.7, 3.9, 4.02, 6.5]))
        return tmp_path / "varying.mp4"

    def test_shows_the_same_pictures_at_the_same_times(self, path):
        cv2 = pytest.importorskip("cv2")
        with open_video(path) as opened:
            ours = {frame.time_s: frame.image for frame in opened.sample(2.0)}
        capture, theirs = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), {}
        while capture.grab():
            time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000  # true only after the frame was grabbed
            theirs |= {mine: capture.retrieve()[1][:, :, ::-1] for mine in ours if abs(mine - time_s) < 2e-3}
        assert ours.keys() == theirs.keys()
        for time_s, image in ours.items():
            assert np.abs(np.asarray(image, float) - theirs[time_s].astype(float)).mean() < 6
