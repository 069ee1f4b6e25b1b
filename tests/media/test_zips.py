"""Archives as folders: what is listed, what is refused and never followed, and that a member reads like a file."""

import os
import stat
import struct
import time
import zipfile

import pytest

from cliplib.errors import MediaError
from cliplib.media import files, reading, zips
from cliplib.media.files import find_media
from cliplib.media.reading import digest_of, open_file, read_bytes
from tests.harness.libraries import draw_picture


def pack(file, *members, compression=zipfile.ZIP_DEFLATED):
    """An archive of (name, content) or (ZipInfo, content)."""
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content, compress_type=compression)
    return file


def refused(tmp_path):
    """Path and reason of each problem of a walk, which lists no file besides good.jpg."""
    listing = find_media(tmp_path)
    assert [file.path for file in listing.files] in ([], ["a.zip!/good.jpg"])
    return {problem.path: problem.reason for problem in listing.problems}


class TestListing:
    def test_members_are_files_with_the_archives_name_before_them(self, tmp_path):
        info = zipfile.ZipInfo("T/b.jpg", (2020, 5, 17, 10, 30, 2))
        pack(tmp_path / "A.ZIP", (info, b"12345"), ("T/b.jpg.json", b"{}"), ("T/", b""), ("readme.txt", b"x"))
        listing = find_media(tmp_path)
        (file,) = listing.files
        assert (file.path, file.file_kind, file.size) == ("A.ZIP!/T/b.jpg", "photo", 5)
        assert time.localtime(file.mtime_ns / 1e9)[:6] == (2020, 5, 17, 10, 30, 2)
        assert list(listing.jsons) == ["A.ZIP!/T/b.jpg.json"] and listing.problems == []

    def test_hidden_members_and_packs_are_left_out(self, tmp_path):
        pack(tmp_path / "a.zip", ("__MACOSX/._b.jpg", b"x"), (".thumbs/b.jpg", b"x"))
        pack(tmp_path / "b.zip", (zips.OWN_MARK, b"{}"), ("photos/b.jpg", b"x"))
        assert find_media(tmp_path)[:2] == ([], [])

    @pytest.mark.parametrize(
        ("written", "name"),
        [
            ("Holiday\\Rome\\b.jpg", "Holiday/Rome/b.jpg"),
            ("./T//b.jpg", "T/b.jpg"),
            ("/etc/b.jpg", "etc/b.jpg"),
            ("Rome: day 1/b.jpg", "Rome: day 1/b.jpg"),
        ],
    )
    def test_a_name_is_understood_as_unzip_does(self, tmp_path, written, name):
        info = zipfile.ZipInfo("x")
        info.filename = written  # as it would stand in the archive of another system
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(info, b"bytes")
        assert [file.path for file in find_media(tmp_path).files] == [f"a.zip!/{name}"]
        assert read_bytes(tmp_path / f"a.zip!/{name}") == b"bytes"

    @pytest.mark.parametrize(
        ("name", "shown"), [("\u00c9t\u00e9.jpg", "\u00c9t\u00e9.jpg"), (b"\x82t.jpg", "\u00e9t.jpg")]
    )
    def test_utf_8_without_its_flag_is_utf_8_and_else_the_name_is_of_dos(self, tmp_path, name, shown):
        plain = name.encode() if isinstance(name, str) else name
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("x" * len(plain), b"bytes")
        data = (tmp_path / "a.zip").read_bytes().replace(b"x" * len(plain), plain)
        (tmp_path / "a.zip").write_bytes(data)
        assert read_bytes(tmp_path / f"a.zip!/{shown}") == b"bytes"
        assert [file.path for file in find_media(tmp_path).files] == [f"a.zip!/{shown}"]

    def test_two_names_that_become_one_are_reported(self, tmp_path):
        pack(tmp_path / "a.zip", ("T/b.jpg", b"x"), ("T//b.jpg", b"y"))
        assert "two members have this name" in refused(tmp_path)["a.zip!/T/b.jpg"]

    @pytest.mark.parametrize("name", ["../up.jpg", "a/../../up.jpg", "..\\up.jpg", "C:/up.jpg", "x.zip!/up.jpg"])
    def test_a_name_that_leads_out_is_reported_and_not_read(self, tmp_path, name):
        pack(tmp_path / "a.zip", ("good.jpg", b"x"), (name, b"x"))
        (reason,) = refused(tmp_path).values()
        assert "leads out of the archive" in reason
        with pytest.raises(MediaError, match="leads out|no member"):
            read_bytes(f"{tmp_path}/a.zip!/{name}")

    def test_two_members_of_one_name_are_reported(self, tmp_path):
        with pytest.warns(UserWarning, match="Duplicate name"):
            pack(tmp_path / "a.zip", ("b.jpg", b"one"), ("b.jpg", b"two"))
        assert refused(tmp_path) == {"a.zip!/b.jpg": "two members have this name"}

    def test_an_encrypted_member_is_reported(self, tmp_path):
        file = pack(tmp_path / "a.zip", ("b.jpg", b"secret"))
        data = bytearray(file.read_bytes())
        data[data.index(b"PK\1\2") + 8] |= 1  # the flag in the table of contents
        file.write_bytes(data)
        assert "encrypted" in refused(tmp_path)["a.zip!/b.jpg"]

    def test_a_link_is_reported(self, tmp_path):
        info = zipfile.ZipInfo("b.jpg")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        pack(tmp_path / "a.zip", (info, "/etc/passwd"))
        assert "a link" in refused(tmp_path)["a.zip!/b.jpg"]

    def test_a_bomb_is_reported(self, tmp_path):
        pack(tmp_path / "a.zip", ("b.jpg", bytes(30 * 2**20)))
        assert "zip bomb" in refused(tmp_path)["a.zip!/b.jpg"]

    def test_overlapping_members_are_refused_with_the_archive(self, tmp_path):
        file = pack(tmp_path / "a.zip", ("b.jpg", os.urandom(9000)), ("c.jpg", b"x"), compression=zipfile.ZIP_STORED)
        data = bytearray(file.read_bytes())
        second = data.rindex(b"PK\1\2")
        struct.pack_into("<II", data, second + 20, 9000, 9000)  # c.jpg claims the bytes of b.jpg
        file.write_bytes(data)
        listing = find_media(tmp_path)
        assert listing.files == [] and "overlap" in listing.problems[0].reason

    def test_a_damaged_archive_is_reported_and_its_rows_are_kept(self, tmp_path):
        (tmp_path / "a.zip").write_bytes(b"PK\3\4 half an upload")
        listing = find_media(tmp_path)
        assert "no sound zip archive" in listing.problems[0].reason and listing.unread_folders == ["a.zip!"]

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
    def test_fault_30_a_fifo_named_zip_does_not_hang(self, tmp_path):
        """Links in a circle, a FIFO, a folder named x.jpg: the walk ends, and lists nothing twice."""
        os.mkfifo(tmp_path / "a.zip")
        assert "not a regular file" in refused(tmp_path)["a.zip"]


class TestReading:
    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_a_member_reads_like_the_file(self, tmp_path, compression):
        content = os.urandom(3000) + bytes(3000)
        (tmp_path / "b.bin").write_bytes(content)
        pack(tmp_path / "a.zip", ("x/b.bin", content), compression=compression)
        member = tmp_path / "a.zip!" / "x/b.bin"
        assert read_bytes(member) == content and digest_of(member) == digest_of(tmp_path / "b.bin")
        with open_file(member) as file:
            assert file.seek(-10, os.SEEK_END) == 5990 and file.read() == content[-10:] and file.read(1) == b""
            assert file.seek(2990) == 2990 and file.read(20) == content[2990:3010] and file.tell() == 3010

    def test_large_contents_are_digested_by_their_ends(self, tmp_path, monkeypatch):
        monkeypatch.setattr(reading, "DIGEST_WHOLE_BYTES", 1000)
        content = os.urandom(5000)
        (tmp_path / "b.bin").write_bytes(content)
        pack(tmp_path / "a.zip", ("b.bin", content))
        assert digest_of(tmp_path / "a.zip!" / "b.bin") == digest_of(tmp_path / "b.bin") == digest_of(content)

    def test_a_member_that_is_not_there(self, tmp_path):
        pack(tmp_path / "a.zip", ("b.jpg", b"x"))
        with pytest.raises(MediaError, match="no member"):
            read_bytes(tmp_path / "a.zip!" / "c.jpg")

    def test_damage_within_the_archive_is_told(self, tmp_path):
        file = pack(tmp_path / "a.zip", ("b.jpg", bytes(range(256)) * 40))
        data = bytearray(file.read_bytes())
        data[60:64] = b"????"
        file.write_bytes(data)
        with pytest.raises(MediaError, match="damaged in the archive"):
            read_bytes(tmp_path / "a.zip!" / "b.jpg")

    def test_no_more_is_unpacked_than_there_is_room_for(self, tmp_path, monkeypatch):
        monkeypatch.setattr(zips, "SPOOL_BYTES", 1000)
        pack(tmp_path / "a.zip", ("b.jpg", os.urandom(2000)))
        with pytest.raises(MediaError, match="unpacks to 2,000 bytes; there is room for 1,000"):
            read_bytes(tmp_path / "a.zip!" / "b.jpg")

    def test_large_members_go_through_the_disk_and_leave_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setattr(zips, "MEMORY_BYTES", 1000)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
        (tmp_path / "scratch").mkdir()
        content = os.urandom(50_000)
        pack(tmp_path / "a.zip", ("b.jpg", content))
        assert read_bytes(tmp_path / "a.zip!" / "b.jpg") == content
        assert os.listdir(tmp_path / "scratch") == []

    def test_a_folder_of_such_a_name_is_a_folder(self, tmp_path):
        draw_picture(tmp_path / "a.zip!" / "b.jpg", 1)
        (file,) = find_media(tmp_path).files
        assert read_bytes(tmp_path / file.path).startswith(b"\xff\xd8")


def test_order_is_photos_first_newest_first_and_one_archive_after_another():
    def file(path, kind, mtime_ns):
        return files.MediaFile(path, kind, 1, mtime_ns)

    photos = [file("a.zip!/1.jpg", "photo", 5), file("b.jpg", "photo", 7), file("a.zip!/2.jpg", "photo", 9)]
    photos += [file("c.jpg", "photo", 1)]
    videos = [file("a.zip!/v.mp4", "video", 3), file("w.mp4", "video", 8)]
    order = [f.path for f in zips.newest_first([*videos, *photos])]
    assert order == ["a.zip!/1.jpg", "a.zip!/2.jpg", "b.jpg", "c.jpg", "w.mp4", "a.zip!/v.mp4"]
