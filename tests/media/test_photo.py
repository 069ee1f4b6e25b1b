"""Pictures: upright, in sane colours, reduced without harm; every bad file has a reason that a person understands.

Ids that begin with a number name the row of the project's list of faults.
"""

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cliplib.cache.store import Store
from cliplib.errors import MediaError
from cliplib.index.update import update
from cliplib.media import files, photo
from cliplib.media.photo import fitted, open_photo, thumbnail
from tests.harness.torture import MODEL, StubEncoder

pillow_heif = pytest.importorskip("pillow_heif")
RED, GREEN, BLUE, WHITE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128)
FORMATS = ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF", "JPEG2000", "PPM"]
TURNED_FORMATS = ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"]
STORED_FROM_UPRIGHT = {  # how a camera held another way stores the upright picture; the second inverse of EXIF's table
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.fixture(autouse=True)
def pillow_as_it_was():
    """No test may change Pillow's guard, and none may only work because warnings are let pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limit = Image.MAX_IMAGE_PIXELS
        yield
        assert limit == Image.MAX_IMAGE_PIXELS


def quadrants(width=96, height=64):
    """Red, green over blue, white: no two orientations look alike."""
    image = Image.new("RGB", (width, height), RED)
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 2, 0, width, height // 2), GREEN)
    draw.rectangle((0, height // 2, width // 2, height), BLUE)
    draw.rectangle((width // 2, height // 2, width, height), WHITE)
    return image


def noise(width=128, height=96):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def encoded(image, format, **options):
    """The bytes of `image` as a file of that format."""
    buffer = io.BytesIO()
    if format == "HEIF":
        pillow_heif.from_pillow(image).save(buffer, quality=90, **options)
    else:
        image.save(buffer, format, **options)
    return buffer.getvalue()


def difference(one, other):
    """Mean absolute difference of two RGB images, in grey levels."""
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


def png_head(width, height, bits=1, colour=0):
    """A PNG whose header claims a size and whose content is next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def jpeg_claiming(width, height, **options):
    """A JPEG whose frame header was changed to claim another size."""
    data = bytearray(encoded(noise(), "JPEG", **options))
    at = data.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


class TestOrientation:
    @pytest.mark.parametrize("format", TURNED_FORMATS)
    @pytest.mark.parametrize("orientation", STORED_FROM_UPRIGHT)
    def test_fault_26_turns_every_orientation_upright_once(self, format, orientation):
        """EXIF orientations 1 to 8: all upright, and alike."""
        upright = quadrants()
        turn = STORED_FROM_UPRIGHT[orientation]
        stored = upright if turn is None else upright.transpose(turn)
        exif = Image.Exif()
        exif[0x0112] = orientation
        photo = open_photo(encoded(stored, format, exif=exif.tobytes()))
        assert (photo.width, photo.height) == photo.image.size == upright.size
        assert difference(photo.image, upright) < 12

    @pytest.mark.parametrize("orientation", [1, 6])
    def test_turns_a_pil_image_too_and_leaves_the_one_given_alone(self, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        given = Image.open(io.BytesIO(encoded(quadrants(), "JPEG", exif=exif)))
        photo = open_photo(given)
        assert (photo.width, photo.height) == photo.image.size == ((96, 64) if orientation == 1 else (64, 96))
        assert given.size == (96, 64)

    def test_damaged_exif_does_not_cost_the_picture(self):
        data = encoded(quadrants(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x9f" * 40)
        with pytest.warns(UserWarning, match="Corrupt EXIF"):
            assert open_photo(data).width == 96

    def test_a_heic_whose_turn_is_told_in_exif_alone_is_upright(self, media):
        photo = open_photo(media / "photos/iphone_7.heic")
        assert (photo.width, photo.height) == photo.image.size == (3024, 4032)
        sky, ground = (np.asarray(photo.image.crop((0, top, 3024, top + 500))).mean() for top in (0, 3500))
        assert sky > ground + 30

    def test_the_eight_landscapes_are_alike(self, media):
        images = [open_photo(media / f"photos/Landscape_{n}.jpg", 224).image.resize((90, 60)) for n in range(1, 9)]
        assert max(difference(images[0], image) for image in images[1:]) < 3


def wide(values, dtype):
    return Image.fromarray(np.array([values], dtype))


def palette_with_alpha(transparent):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    image.info["transparency"] = transparent
    return image


class TestModes:
    @pytest.mark.parametrize(
        ("image", "format", "expected"),
        [
            (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", [RED]),
            (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF", [RED]),
            (wide([0, 257 * 128, 65535], np.uint16), "PNG", [(0, 0, 0), GREY, WHITE]),
            (wide([0, 257 * 128, 65535], np.uint16), "TIFF", [(0, 0, 0), GREY, WHITE]),
            (wide([0, 257 * 128, 65535], np.int32), "TIFF", [(0, 0, 0), GREY, WHITE]),
            (wide([0, 0.502, 1], np.float32), "TIFF", [(0, 0, 0), GREY, WHITE]),
            (wide([0, 128, 255], np.float32), "TIFF", [(0, 0, 0), GREY, WHITE]),
            (wide([np.nan, 128, 255], np.float32), "TIFF", [(0, 0, 0), GREY, WHITE]),
            (wide([0, 0, 0], np.uint16), "PNG", [(0, 0, 0)] * 3),
            (wide([0, 514, 1023], np.uint16), "TIFF", [(0, 0, 0), GREY, WHITE]),
            (palette_with_alpha(bytes([255, 0])), "PNG", [RED, WHITE]),
            (palette_with_alpha(1), "GIF", [RED, WHITE]),
            (Image.new("LA", (1, 1), (0, 127)), "PNG", [GREY]),
            (Image.new("RGBA", (1, 1), (0, 0, 0, 127)), "PNG", [GREY]),
            (Image.new("RGBA", (1, 1), (0, 0, 0, 0)), "PNG", [WHITE]),
            (Image.new("1", (1, 1), 1), "PNG", [WHITE]),
            (Image.new("L", (1, 1), 128), "PNG", [GREY]),
        ],
        ids=lambda value: getattr(value, "mode", None),
    )
    def test_fault_25_becomes_the_colours_that_were_meant(self, image, format, expected):
        """CMYK, 16-bit, palette with alpha, float: the RGB that was meant."""
        photo = open_photo(encoded(image, format))
        assert photo.image.mode == "RGB"
        got = [photo.image.getpixel((x, 0)) for x in range(len(expected))]
        assert np.abs(np.array(got) - np.array(expected)).max() <= 2

    def test_fault_25_a_tall_transparent_picture_is_whole(self):
        """CMYK, 16-bit, palette with alpha, float: the RGB that was meant."""
        image = Image.new("RGBA", (3, 3 * photo.STRIP_ROWS // 2), (*BLUE, 255))
        image.putpixel((1, image.height - 1), (0, 0, 0, 0))
        got = open_photo(image).image
        assert got.getpixel((1, got.height - 1)) == WHITE
        assert (np.asarray(got)[:-1] == BLUE).all()

    @pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF"])
    def test_fault_27_takes_the_first_frame_of_an_animation(self, format):
        """An animation of 3,000 frames: its first frame, at once."""
        frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, GREEN, BLUE)]
        options = {"lossless": True} if format == "WEBP" else {}
        photo = open_photo(encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=40, **options))
        assert difference(photo.image, frames[0]) < 3

    def test_opens_a_multi_picture_jpeg_as_its_first_picture(self):
        data = encoded(quadrants(), "MPO", save_all=True, append_images=[noise()])
        assert difference(open_photo(data).image, quadrants()) < 12


class TestContent:
    @pytest.mark.parametrize("format", FORMATS)
    def test_fault_22_goes_by_content_whatever_the_extension(self, tmp_path, format):
        """A picture under another picture's extension: opened by its content."""
        path = tmp_path / "picture.jpg"
        path.write_bytes(encoded(quadrants(), format))
        assert difference(open_photo(str(path)).image, quadrants()) < 25

    def test_a_heic_without_its_decoder_names_what_is_missing_and_is_indexed_once_that_is_there(
        self, tmp_path, monkeypatch
    ):
        (tmp_path / "a.heic").write_bytes(encoded(quadrants(), "HEIF"))
        store = Store(tmp_path / ".cliplib", MODEL)
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "pillow_heif", None)
            (skipped,) = update(tmp_path, store, StubEncoder(), progress=False).skipped
        assert "pip install pillow-heif" in skipped.reason
        report = update(tmp_path, Store(tmp_path / ".cliplib", MODEL), StubEncoder(), progress=False)
        assert (report.indexed, report.skipped) == (1, [])

    def test_too_little_memory_is_not_held_against_the_file(self, monkeypatch):
        def load(image):
            raise MemoryError

        monkeypatch.setattr(photo.JpegImageFile, "load", load)
        with pytest.raises(MediaError, match="too little memory") as caught:
            open_photo(encoded(noise(), "JPEG"))
        assert caught.value.stage == "read"

    def test_a_file_that_cannot_be_read_is_told_from_one_that_cannot_be_decoded(self, tmp_path):
        with pytest.raises(MediaError) as caught:
            open_photo(tmp_path / "absent.jpg")
        assert caught.value.stage == "read"


class TestDamage:
    @pytest.mark.parametrize(
        ("head", "format"), [(b"\x89PNG\r\n\x1a\n", "PNG"), (b"BM\0\0\0\0", "BMP"), (b"\xff\xd8\xff\xe0", "JPEG")]
    )
    def test_fault_18_reports_a_head_alone(self, head, format):
        """A half-uploaded file: reported, and indexed by itself once it is whole."""
        with pytest.raises(MediaError, match=f"a damaged {format} picture"):
            open_photo(head)

    @pytest.mark.parametrize("format", FORMATS)
    def test_fault_18_reports_half_a_file(self, format):
        """A half-uploaded file: reported, and indexed by itself once it is whole."""
        data = encoded(noise(), format)
        with pytest.raises(MediaError, match="a damaged .* picture"):
            open_photo(data[: len(data) // 2])

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF"])
    def test_fault_19_reports_a_zero_tail(self, format):
        """Zeros or rotten bits in a file: reported where it can be told, never a crash."""
        data = encoded(noise(), format)
        with pytest.raises(MediaError, match="a damaged .* picture"):
            open_photo(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))

    def test_fault_19_reports_any_rotten_bit_of_a_png(self):
        """Zeros or rotten bits in a file: reported where it can be told, never a crash."""
        data = encoded(noise(32, 32), "PNG")
        for at in range(8, len(data), 41):
            with pytest.raises(MediaError, match="a damaged PNG picture"):
                open_photo(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF"])
    def test_zeros_after_the_end_are_no_damage(self, format):
        assert open_photo(encoded(quadrants(), format) + bytes(5000)).width == 96

    def test_a_jpeg_thumbnail_in_exif_does_not_hide_a_zero_tail(self):
        data = encoded(noise(), "JPEG", exif=b"Exif\0\0" + b"\xff\xd8\xff\xd9" * 9)
        with pytest.raises(MediaError, match="bytes are zero"):
            open_photo(data[:-4000] + bytes(4000))

    @pytest.mark.parametrize("format", FORMATS)
    def test_fault_19_rotten_bytes_give_a_photo_or_a_report_and_nothing_else(self, format):
        """Zeros or rotten bits in a file: reported where it can be told, never a crash."""
        rng = np.random.default_rng(1)
        data = np.frombuffer(encoded(noise(32, 32), format), np.uint8)
        for _ in range(40):
            rotten = data.copy()
            rotten[rng.integers(0, len(data), 3)] = rng.integers(0, 256, 3)
            try:
                assert open_photo(rotten.tobytes()).image.mode == "RGB"
            except MediaError as error:
                assert error.stage == "decode"


def png_with(*chunks):
    """A PNG with chunks of (kind, content) behind its header."""
    data = encoded(quadrants(), "PNG")
    more = [struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks]
    return data[:33] + b"".join(more) + data[33:]


def avif_with_clap(left, top, width, height):
    """An AVIF of `quadrants` of which only a part is shown: its one item has a property more."""
    data = encoded(quadrants(), "AVIF", quality=95)
    clap = struct.pack(
        ">I4sIIIIiIiI", 40, b"clap", width, 1, height, 1, 2 * left + width - 96, 2, 2 * top + height - 64, 2
    )
    shared, ties = data.index(b"ipco") - 4, data.index(b"ipma") - 4
    count, at = 1, shared + 8
    while (at := at + int.from_bytes(data[at : at + 4], "big")) < ties:
        count += 1
    tied = bytearray(data[ties : ties + int.from_bytes(data[ties : ties + 4], "big")])
    tied[18] += 1
    out = bytearray(data[:ties] + clap + bytes(tied) + bytes([0x80 | count + 1]) + data[ties + len(tied) :])
    for name, more in ((b"ipco", 40), (b"ipma", 1), (b"iprp", 41), (b"meta", 41)):
        place = out.index(name) - 4
        out[place : place + 4] = struct.pack(">I", int.from_bytes(out[place : place + 4], "big") + more)
    begin = struct.pack(">I", data.index(b"mdat") + 4)
    place = out.index(begin, out.index(b"iloc"))
    out[place : place + 4] = struct.pack(">I", data.index(b"mdat") + 4 + 41)
    return bytes(out)


class TestSoundThoughOdd:
    """Pictures that are whole, and that a strict reader calls damaged."""

    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 4}])
    def test_a_jpeg_without_its_end_mark_of_which_every_pixel_is_there(self, options):
        data = encoded(noise(), "JPEG", **options)
        assert data[-2:] == b"\xff\xd9"
        for shortest in (None, 32):
            assert difference(open_photo(data[:-2], shortest).image, open_photo(data, shortest).image) == 0
        for lost in (40, 400, len(data) // 2):
            with pytest.raises(MediaError, match="a damaged JPEG picture: it ends too early"):
                open_photo(data[:-lost])

    @pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF", "HEIF"])
    @pytest.mark.parametrize("tail", [bytes(200), bytes(9000), b"\0\0\0\xc8free" + bytes(192)])
    def test_zeros_or_a_free_box_behind_it(self, format, tail):
        data = encoded(noise(), format)
        assert difference(open_photo(data + tail).image, open_photo(data).image) == 0

    def test_a_png_with_large_texts_or_a_large_profile(self):
        packet = b"<x>" + b" " * 3_000_000 + b'xmp:CreateDate="2022-01-10T15:15:44"</x>'
        date = b'xmp:CreateDate="2022-01-10T15:15:44"' + b" " * 3_000_000
        for chunk in (
            (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(packet)),
            (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(date)),
            (b"tEXt", b"Comment\0" + bytes(3_000_000)),
            (b"iCCP", b"huge\0\0" + zlib.compress(bytes(3_000_000))),
        ):
            photo = open_photo(png_with(chunk))
            assert difference(photo.image, quadrants()) == 0
            assert photo.facts["taken_from"] == ("xmp" if chunk[0] == b"iTXt" else None)

    def test_an_avif_shows_its_clean_aperture(self):
        photo = open_photo(avif_with_clap(10, 4, 80, 40))
        assert (photo.width, photo.height) == photo.image.size == (80, 40)
        assert difference(photo.image, quadrants().crop((10, 4, 90, 44))) < 12

    def test_a_bomb_of_text_costs_no_memory(self):
        bomb = zlib.compress(bytes(2**28))
        assert open_photo(png_with((b"iCCP", b"x\0\0" + bomb), (b"zTXt", b"x\0\0" + bomb))).width == 96

    def test_a_gif_is_whole_with_its_trailer_alone(self):
        frames = [noise(), quadrants(128, 96)]
        data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"; and more" * 99)
        assert open_photo(data + b"appended by a program").width == 128
        for kept in (len(data) - 1, len(data) - 2, 3 * len(data) // 4):
            with pytest.raises(MediaError, match="a damaged GIF picture: it ends too early"):
                open_photo(data[:kept])

    def test_rare_kinds_are_not_supported_and_not_damaged(self):
        rare = bytearray(encoded(quadrants(), "BMP"))
        rare[30:34] = struct.pack("<I", 4)  # a JPEG within a BMP, as printers had it
        with pytest.raises(MediaError, match="a BMP picture of a kind that is not supported"):
            open_photo(bytes(rare))
        strange = encoded(quadrants(), "TIFF").replace(struct.pack("<HHII", 258, 3, 3, 0)[:8], b"", 0)
        at = strange.index(struct.pack("<HHI", 262, 3, 1)) + 8  # PhotometricInterpretation
        with pytest.raises(MediaError, match="a TIFF picture of a kind that is not supported"):
            open_photo(strange[:at] + struct.pack("<H", 32844) + strange[at + 2 :])

    def test_a_fax_that_decodes_to_rubbish_is_reported_and_nothing_goes_to_the_terminal(self, capfd):
        page = noise(400, 300).convert("1")
        data = bytearray(encoded(page, "TIFF", compression="group4"))
        assert open_photo(bytes(data)).width == 400
        data[200:600] = np.random.default_rng(3).integers(0, 256, 400, np.uint8).tobytes()
        with pytest.raises(MediaError, match="a damaged TIFF picture"):
            open_photo(bytes(data))
        assert capfd.readouterr() == ("", "")


class TestSize:
    @pytest.mark.parametrize(
        ("data", "numbers"),
        [
            pytest.param(png_head(15000, 14000), "15000 x 14000 pixels, 210 million; at most 89", id="20-png-210MP"),
            pytest.param(png_head(65000, 65000, 8, 6), "65000 x 65000 pixels, 4225 million", id="20-png-4GP"),
            pytest.param(b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(99), "GIF", id="20-gif-4GP"),
            pytest.param(jpeg_claiming(20000, 10000), "200 million; at most 200", id="20-jpeg-200MP"),
            pytest.param(jpeg_claiming(65500, 65500), "4290 million", id="20-jpeg-4GP"),
            pytest.param(jpeg_claiming(14000, 10000, progressive=True), "140 million; at most 89", id="20-progressive"),
        ],
    )
    def test_refuses_bombs_by_their_numbers_before_decoding_them(self, data, numbers):
        with pytest.raises(MediaError, match=numbers):
            open_photo(data, 224)

    @pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory is read from /proc")
    @pytest.mark.parametrize("shortest", [224, None])
    def test_fault_21_opens_an_honest_140_megapixel_jpeg_in_little_memory(self, media, shortest):
        """An honest JPEG of 140 million pixels: indexed, in little memory."""
        code = f"""
            from cliplib.media.photo import open_photo
            photo = open_photo({str(media / "odd/140MP_rgb_14000x10000.jpg")!r}, {shortest})
            assert (photo.width, photo.height) == (14000, 10000), photo
            assert min(photo.image.size) >= 336
            print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
        """
        peak_kb = int(subprocess.check_output([sys.executable, "-c", "if True:" + code], text=True))
        assert peak_kb < 2**20, "1 GB"

    @pytest.mark.parametrize(
        ("shortest", "jpeg", "png"),
        [
            (224, (800, 600), (800, 600)),  # a JPEG's quarter would be 400 x 300, under 1.5 times 224
            (190, (400, 300), (534, 400)),  # a third of the PNG, over twice 190
            (100, (400, 300), (267, 200)),  # a JPEG's eighth would be too small for its thumbnail
            (401, (1600, 1200), (1600, 1200)),
        ],
    )
    def test_is_reduced_to_what_is_needed_and_keeps_its_own_size_as_a_fact(self, shortest, jpeg, png):
        for form, size in (("JPEG", jpeg), ("PNG", png)):
            photo = open_photo(encoded(noise(1600, 1200), form), shortest)
            assert photo.image.size == size
            assert (photo.width, photo.height) == (1600, 1200)

    def test_reducing_does_not_harm_what_the_model_sees(self, media):
        for name in ("Landscape_1", "red-panda-landscape", "blue-whale"):
            full, draft = (open_photo(media / f"photos/{name}.jpg", s).image.resize((224, 224), 3) for s in (None, 224))
            assert difference(full, draft) / np.asarray(full).std() < 0.02

    def test_never_gives_less_than_was_asked_for(self, media):
        for path in sorted((media / "photos").glob("*.jpg")):
            photo = open_photo(path, 160)
            assert min(photo.image.size) >= min(240, photo.width, photo.height)


class TestFacts:
    @pytest.mark.parametrize(
        ("tags", "taken_at"),
        [
            ({0x9003: "2021:07:03 18:22:01", 0x0132: "2022:01:01 00:00:00"}, "2021-07-03T18:22:01"),
            ({0x9004: "2021:07:03 18:22:01"}, "2021-07-03T18:22:01"),
            ({0x9003: "0000:00:00 00:00:00"}, None),
            ({0x9003: "    :  :     :  :  "}, None),
            ({}, None),
        ],
        ids=["original", "digitized", "clock never set", "blank", "none"],
    )
    def test_tells_when_it_was_taken_by_the_cameras_clock(self, tags, taken_at):
        exif = Image.Exif()
        exif.get_ifd(0x8769).update({tag: value for tag, value in tags.items() if tag != 0x0132})
        exif.update({tag: value for tag, value in tags.items() if tag == 0x0132})
        photo = open_photo(encoded(quadrants(), "JPEG", exif=exif))
        assert (photo.facts["taken_at"], photo.facts["taken_from"]) == (taken_at, "exif" if taken_at else None)

    def test_reads_the_date_of_an_iphone_heic(self, media):
        photo = open_photo(media / "photos/IMG_2682.heic")
        assert (photo.facts["taken_at"], photo.facts["taken_from"]) == ("2019-03-21T11:04:22", "exif")
        assert (photo.width, photo.height) == photo.image.size


class TestFitted:
    @pytest.mark.parametrize("size", [(640, 480), (480, 641), (1920, 1080), (513, 400), (9000, 225), (300, 229)])
    def test_is_the_size_that_clip_asks_for_as_pillow_makes_it_but_for_one_of_255(self, size):
        image = quadrants(*size)
        image.paste(noise(60, 50), (20, 30))
        small = fitted(image, 224)
        assert small.size == tuple(224 * side // min(size) for side in size) and small.mode == "RGB"
        pillows = np.asarray(image.resize(small.size, Image.Resampling.BICUBIC)).astype(int)
        assert np.abs(np.asarray(small) - pillows).max() <= 1

    @pytest.mark.parametrize("size", [(224, 300), (200, 900), (800, 800), (500, 450)])
    def test_enlarges_nothing_and_leaves_enough_for_a_thumbnail(self, size):
        image = noise(*size)
        assert fitted(image, 224) is image

    def test_says_nothing(self, recwarn):
        fitted(noise(640, 480), 224)
        assert not [told for told in recwarn if "writable" in str(told.message)]


class TestThumbnail:
    def test_is_a_small_jpeg_within_the_edge(self, media):
        for path in sorted((media / "photos").glob("*.png")):
            data = thumbnail(open_photo(path).image)
            with Image.open(io.BytesIO(data)) as small:
                assert (small.format, max(small.size)) == ("JPEG", 256)
            assert len(data) < 20_000

    def test_keeps_the_shape_and_enlarges_nothing(self):
        assert Image.open(io.BytesIO(thumbnail(noise(400, 100), edge=200))).size == (200, 50)
        assert Image.open(io.BytesIO(thumbnail(noise(20, 10)))).size == (20, 10)
        assert Image.open(io.BytesIO(thumbnail(noise(3000, 2)))).size == (256, 1)


def test_every_real_file_is_a_photo_or_has_a_reason(media):
    told = {}
    for file in media_files(media):
        try:
            assert open_photo(media / file, 224).image.mode == "RGB"
        except MediaError as error:
            told[file] = error.reason
    bad = "900MP_1bit_30000x30000.png eps_ghostscript.jpg heic_50pct.heic html_quota.jpg jpg_50pct.jpg text.jpg"
    assert set(told) == {f"odd/{name}" for name in [*bad.split(), "truncated_image.png", "zero.jpeg"]}


def media_files(folder):
    return [file.path for file in files.find_media(folder).files if file.file_kind == "photo"]


def test_importing_it_loads_no_decoder_of_videos_or_heic():
    code = "import sys, cliplib.media.photo, cliplib.media.video; print({'cv2', 'av', 'pillow_heif'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
