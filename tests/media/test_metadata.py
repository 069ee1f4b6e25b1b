"""What is written into pictures: dates in their order of trust, places, from EXIF, XMP, IPTC and PNG text."""

import io
import struct

import pytest
from PIL import Image, PngImagePlugin

from cliplib.media.metadata import facts
from cliplib.media.photo import open_photo

ATTRIBUTES = (
    '<x:xmpmeta><rdf:Description photoshop:DateCreated="2022-01-10T15:15:44+01:00" xmp:CreateDate="2023-01-01"/>'
)
ELEMENTS = "<rdf:Description><exif:DateTimeOriginal>2022-01-10T15:15:44</exif:DateTimeOriginal></rdf:Description>"


def picture(format, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), "teal").save(buffer, format, **options)
    return buffer.getvalue()


def iptc_jpeg(**datasets):
    """A JPEG with IPTC datasets of record 2 in Photoshop's resource block, as news agencies write them."""
    data = b"".join(b"\x1c\x02" + struct.pack(">BH", int(n[1:]), len(v)) + v for n, v in datasets.items())
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
    plain = picture("JPEG")
    return plain[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + plain[2:]


def dated(data):
    found = open_photo(data).facts
    return found["taken_at"], found["taken_from"]


class TestDates:
    @pytest.mark.parametrize("packet", [ATTRIBUTES, ELEMENTS])
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
    def test_xmp_in_every_format_that_carries_it(self, format, packet):
        if format == "PNG":
            text = PngImagePlugin.PngInfo()
            text.add_itxt("XML:com.adobe.xmp", packet)
            data = picture(format, pnginfo=text)
        elif format == "TIFF":
            data = picture(format, tiffinfo={700: packet.encode()})
        else:
            data = picture(format, xmp=packet.encode())
        assert dated(data) == ("2022-01-10T15:15:44", "xmp")

    def test_iptc(self):
        assert dated(iptc_jpeg(d55=b"20090909", d60=b"170000+0000")) == ("2009-09-09T17:00:00", "iptc")
        assert dated(iptc_jpeg(d55=b"20090909")) == ("2009-09-09T00:00:00", "iptc")

    def test_png_text(self):
        text = PngImagePlugin.PngInfo()
        text.add_text("Creation Time", "Fri, 12 Jul 2019 10:11:12 GMT")
        assert dated(picture("PNG", pnginfo=text)) == ("2019-07-12T10:11:12", "png")

    def test_when_it_was_taken_goes_before_when_it_was_changed(self):
        original, changed = {0x9003: "2019:07:12 10:11:12"}, {0x0132: "2024:01:01 00:00:00"}
        packet = ATTRIBUTES.encode()
        assert facts(original | changed, {}, packet)["taken_at"] == "2019-07-12T10:11:12"
        assert facts(changed, {}, packet)["taken_from"] == "xmp"
        assert facts(changed, {})["taken_at"] == "2024-01-01T00:00:00"
        assert facts({0x9003: "1970:01:01 00:00:00"}, {}, packet)["taken_from"] == "xmp"

    def test_a_bomb_of_entities_is_only_text(self):
        bomb = b'<!DOCTYPE x [<!ENTITY a "' + b"&b;" * 99999 + b'">]>' + b"<x>" * 999999
        assert facts({}, {}, bomb)["taken_at"] is None


class TestPlace:
    def test_of_exif_and_else_of_xmp(self):
        gps = {1: "S", 2: (33.0, 30.0, 0.0), 3: "E", 4: (151.0, 15.0, 0.0)}
        packet = b'exif:GPSLatitude="48,51.5N" exif:GPSLongitude="2,21,30W"'
        found = facts({}, gps, packet)
        assert (found["latitude"], found["longitude"], found["place_from"]) == (-33.5, 151.25, "exif")
        found = facts({}, {}, packet)
        assert (found["latitude"], found["longitude"]) == pytest.approx((48 + 51.5 / 60, -(2 + 21 / 60 + 30 / 3600)))
        assert found["place_from"] == "xmp"

    @pytest.mark.parametrize(
        "packet", [b'exif:GPSLatitude="0,0N" exif:GPSLongitude="0,0E"', b'exif:GPSLatitude="95,0N"']
    )
    def test_nowhere_is_none(self, packet):
        found = facts({}, {1: "N", 2: (0, 0, 0), 3: "E", 4: (0, 0, 0)}, packet)
        assert (found["latitude"], found["longitude"], found["place_from"]) == (None, None, None)
