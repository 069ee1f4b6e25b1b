"""Colours: what a wide or HDR picture shows is what its sRGB twin shows."""

import io
import struct
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image, ImageCms

from cliplib.media.colour import BT2020, HLG, P3, PQ, by_icc, from_hdr, from_primaries
from cliplib.media.photo import open_photo
from cliplib.media.video import open_video
from tests.harness.libraries import picture

av = pytest.importorskip("av")
# Red, green and blue in XYZ under D50, as profiles have them, and the gamma.
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 2.19921875
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71187, 0.00009), (0.03135, 0.00009, 0.82510)), 1.8


def icc(colours, gamma):
    """The bytes of a display profile with these primaries (ICC.1:2001-04)."""

    def number(value):
        return struct.pack(">i", round(value * 65536))

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide\0" + bytes(79)
    xyz = [b"XYZ " + bytes(4) + b"".join(map(number, colour)) for colour in (*colours, (0.9642, 1.0, 0.8249))]
    names = (b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt", b"rTRC", b"gTRC", b"bTRC", b"desc", b"cprt")
    tags = dict(zip(names, [*xyz, curve, curve, curve, text, b"text" + bytes(4) + b"none\0\0\0\0"], strict=True))
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    head = struct.pack(">I4sI4s4s4s12s4s", 0, b"lcms", 0x02100000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp")
    head += bytes(28) + b"".join(map(number, (0.9642, 1.0, 0.8249)))
    whole = head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def muted(seed=3):
    """A picture whose colours all wide spaces hold."""
    return Image.fromarray((np.asarray(picture(seed)) * 0.6 + 50).astype(np.uint8))


def in_space(image, profile):
    """The same colours in another space, by lcms."""
    wide, intent = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.Intent.RELATIVE_COLORIMETRIC
    return Image.fromarray(
        np.asarray(ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), wide, intent))
    )  # without the profile in its `info`


def saved(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def apart(one, other):
    return np.abs(np.asarray(one, float) - np.asarray(other, float)).mean()


class TestPhotos:
    @pytest.mark.parametrize("space", [ADOBE, PROPHOTO], ids=["adobe", "prophoto"])
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
    def test_a_wide_photo_shows_what_its_srgb_twin_shows(self, format, space):
        profile = icc(*space)
        wide = in_space(muted(), profile)
        assert apart(wide, muted()) > 5
        options = {"quality": 95} if format in ("JPEG", "WEBP") else {}
        data = saved(wide, format, icc_profile=profile, **options)
        for shortest in (None, 32):
            assert apart(open_photo(data, shortest).image.resize((160, 120)), muted()) < 3

    def test_the_mark_of_cameras_that_write_adobe_rgb_without_a_profile(self):
        wide = in_space(muted(), icc(*ADOBE))
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA001] = 2
        assert apart(open_photo(saved(wide, "PNG", exif=exif.tobytes())).image, muted()) < 2
        assert apart(open_photo(saved(wide, "PNG")).image, wide) == 0

    def test_srgb_and_profiles_that_do_not_fit_change_nothing(self):
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        for profile in (srgb, b"", None, b"rubbish" * 99, icc(*ADOBE)[:200], icc(*ADOBE).replace(b"RGB ", b"GRAY")):
            assert apart(by_icc(muted(), profile), muted()) == 0


def pq_code(nits):
    """The inverse EOTF of BT.2100."""
    power = (np.asarray(nits, float) / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_code(nits):
    """Inverse OOTF of grey at 1,000 nits, then the OETF of BT.2100."""
    return hlg_oetf((np.asarray(nits, float) / 1000) ** (1 / 1.2))


def hlg_oetf(scene):
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


CODES = {PQ: pq_code, HLG: hlg_code}


def srgb_light(code):
    code = np.asarray(code) / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


class TestHdr:
    @pytest.mark.parametrize("transfer", [PQ, HLG])
    def test_greys_of_sdr_keep_their_level_and_what_is_brighter_stays_in_order(self, transfer):
        greys = np.array([0, 16, 64, 128, 200, 228])
        codes = np.rint(CODES[transfer](203 * srgb_light(greys)) * 65535).astype(np.uint16)
        shown = np.asarray(from_hdr(np.repeat(codes[None, :, None], 3, 2), transfer, BT2020))
        assert np.abs(shown[0].astype(int) - greys[:, None]).max() <= 2
        bright = np.rint(CODES[transfer]([160, 180, 203, 1000]) * 65535).astype(np.uint16)
        levels = np.asarray(from_hdr(np.repeat(bright[None, :, None], 3, 2), transfer, BT2020))[0, :, 0]
        assert (np.diff(levels.astype(int)) > 0).all() and 240 < levels[2] < 252 and levels[3] == 255

    def test_known_codes(self):
        assert pq_code(203) == pytest.approx(0.5807, abs=1e-4) and hlg_code(203) == pytest.approx(0.75, abs=2e-3)

    @pytest.mark.parametrize("transfer", [PQ, HLG])
    def test_a_video_shows_what_the_same_picture_in_sdr_shows(self, transfer):
        light = srgb_light(np.asarray(muted()))
        matrix = np.array(((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956)))  # BT.2087
        wide = light @ matrix.T
        if transfer == HLG:  # the OOTF is of the luminance
            luminance = wide @ np.array((0.2627, 0.6780, 0.0593))
            nits = 203 * wide
            scene = nits / 1000 * (np.maximum(203 * luminance / 1000, 1e-9) ** (1 / 1.2 - 1))[..., None]
            code = hlg_oetf(scene)
        else:
            code = pq_code(203 * wide)
        data = hdr_video(np.rint(code * 65535).astype(np.uint16), transfer)
        with open_video(data) as video:
            frames = list(video.sample(shortest=40))
            assert apart(frames[0].image.resize((160, 120)), muted()) < 6
            assert apart(next(video.sample()).image, muted()) < 4


def hdr_video(pixels, transfer):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        stream = output.add_stream("libx265", rate=5, options={"x265-params": "log-level=none:crf=4"})
        stream.height, stream.width = pixels.shape[:2]
        stream.pix_fmt = "yuv420p10le"
        context = stream.codec_context
        context.time_base = Fraction(1, 5)
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, transfer, 1
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
            frame.pts, frame.time_base = number, Fraction(1, 5)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def test_display_p3_is_wider_than_srgb_and_white_is_white():
    swatches = Image.fromarray(np.array([[(255, 255, 255), (200, 100, 100), (128, 128, 128)]], np.uint8))
    white, red, grey = np.asarray(from_primaries(swatches, P3))[0].astype(int)
    assert np.abs(white - 255).max() <= 1 and np.abs(grey - 128).max() <= 1
    assert red[0] > 205 and red[1] < 98
