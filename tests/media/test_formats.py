"""What bytes are is told by themselves, in the words of a report; nothing else is tried, whatever a name says.

Ids that begin with a number name the row of the project's list of faults.
"""

import pytest

from cliplib.errors import MediaError
from cliplib.media.photo import open_photo
from cliplib.media.video import open_video

MP4 = b"\0\0\0\x18ftypisom\0\0\2\0isommp41"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.mp4\n#EXT-X-ENDLIST\n"
NEITHER = [
    pytest.param(b"", r"empty file \(0 bytes\)", id="17-empty"),
    pytest.param(bytes(5000), r"zero bytes only \(an unfinished upload\?\)", id="18-zeros"),
    pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n", r"PostScript \(EPS: a program, which is not run\)", id="23-eps"),
    pytest.param(b"\xc5\xd0\xd3\xc6" + bytes(30), "PostScript", id="23-eps-dos"),
    pytest.param(b"\x00\x00\x01\x00\x01\x00", "of a known format; .* bytes 00 00 01 00", id="23-icon"),
    pytest.param(b"8BPS\0\1" + bytes(20), "of a known format; .* bytes 38 42 50 53", id="23-photoshop"),
    pytest.param(b"%PDF-1.7\n", "a PDF document", id="23-pdf"),
    pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing", id="23-svg"),
    pytest.param(b"\n <!DOCTYPE HTML><html>", r"an HTML page \(a download error page\?\)", id="24-html"),
    pytest.param(b"hello world\n" * 9, "plain text", id="24-text"),
    pytest.param(b"PK\3\4" + bytes(30), "a ZIP archive", id="23-zip"),
    pytest.param(HLS, "a playlist .*not opened", id="35-hls"),
    pytest.param(b"\n" + HLS, "a playlist .*not opened", id="35-hls-after-a-line"),
    pytest.param(b"ffconcat version 1.0\nfile secret.mp4\n", "a playlist .*not opened", id="35-concat"),
    pytest.param(b"<?xml version='1.0'?><MPD/>", "playlist.*not opened", id="35-dash"),
]


def refused(opens, path, data, reason):
    path.write_bytes(data)
    with pytest.raises(MediaError, match=reason) as caught:
        opens(path)
    assert (caught.value.path, caught.value.stage) == (str(path), "decode")


@pytest.mark.parametrize(("data", "looks_like"), NEITHER)
def test_what_is_neither_picture_nor_video_is_named(tmp_path, data, looks_like):
    refused(open_photo, tmp_path / "a.jpg", data, looks_like)
    refused(open_video, tmp_path / "a.mp4", data, f"no decodable video: .*{looks_like}")


def test_a_video_is_no_picture_and_a_picture_no_video(tmp_path):
    refused(open_photo, tmp_path / "a.jpg", MP4, "a video, not a picture")
    refused(open_video, tmp_path / "a.mp4", HEIC, r"a picture \(HEIC\), not a video")
    refused(open_video, tmp_path / "a.mp4", b"\xff\xd8\xff\xe0" + bytes(99), r"a picture \(JPEG\), not a video")
