"""Walking, reading and digesting: what is listed, what is reported, and what is tried again."""

import errno
import hashlib
import os
import unicodedata
import zipfile

import pytest

from cliplib.errors import LibraryError, MediaError
from cliplib.media import reading, retry
from cliplib.media.files import find_media
from cliplib.media.reading import digest_of, read_bytes


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(retry, "RETRY_WAITS_S", (0, 0))


def put(folder, *names, content=b"x"):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def paths(listing):
    return [file.path for file in listing.files]


class TestFindMedia:
    def test_lists_media_by_suffix_in_any_case_sorted_with_their_facts(self, tmp_path):
        put(tmp_path, "b/two.MP4", "a.JPG", "notes.txt", "b/c/three.heic", content=b"12345")
        listing = find_media(str(tmp_path))
        assert [(file.path, file.file_kind, file.size) for file in listing.files] == [
            ("a.JPG", "photo", 5),
            ("b/c/three.heic", "photo", 5),
            ("b/two.MP4", "video", 5),
        ]
        assert listing.files[0].mtime_ns == (tmp_path / "a.JPG").stat().st_mtime_ns
        assert (listing.problems, listing.unread_folders) == ([], [])

    def test_leaves_out_hidden_files_and_folders(self, tmp_path):
        put(tmp_path, "a.jpg", ".cliplib/thumb.jpg", ".trash/b.jpg", "._a.jpg")
        assert paths(find_media(tmp_path)) == ["a.jpg"]

    @pytest.mark.parametrize(
        ("name", "told"), [("absent", "nothing is there"), ("file.jpg", "it is a file")], ids=["missing", "a file"]
    )
    def test_refuses_a_root_that_is_no_folder(self, tmp_path, name, told):
        put(tmp_path, "file.jpg")
        with pytest.raises(LibraryError, match=told):
            find_media(tmp_path / name)

    def test_refuses_a_root_that_cannot_be_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "scandir", failing(os.scandir, tmp_path.name, errno.ENOTCONN))
        with pytest.raises(LibraryError, match="folder cannot be read"):
            find_media(tmp_path)

    def test_fault_7_reports_a_folder_that_cannot_be_read_and_goes_on(self, tmp_path, monkeypatch):
        """A folder that cannot be read half-way through the walk: reported, and its rows are kept."""
        put(tmp_path, "a/1.jpg", "bad/2.jpg", "c/3.jpg")
        monkeypatch.setattr(os, "scandir", failing(os.scandir, "bad", errno.EACCES))
        listing = find_media(tmp_path)
        assert paths(listing) == ["a/1.jpg", "c/3.jpg"]
        assert listing.unread_folders == ["bad"]
        assert [(p.path, p.stage) for p in listing.problems] == [("bad", "walk")]

    def test_fault_7_what_may_be_a_folder_counts_as_one_that_cannot_be_read(self, tmp_path, monkeypatch):
        """A folder that cannot be read half-way through the walk: reported, and its rows are kept."""
        put(tmp_path, "library/1.jpg", "shared/2.jpg")
        (tmp_path / "library/shortcut").symlink_to(tmp_path / "shared")
        (tmp_path / "library/gone").symlink_to(tmp_path / "absent")
        monkeypatch.setattr(os, "stat", failing(os.stat, "shared", errno.ENOTCONN))
        listing = find_media(tmp_path / "library")
        assert paths(listing) == ["1.jpg"]
        assert sorted(p.reason[:38] for p in listing.problems) == [
            "a link that cannot be followed: No suc",
            "a link that cannot be followed: Transp",
        ]
        assert {"shortcut", "gone"} < set(listing.unread_folders)

    def test_fault_7_an_entry_that_does_not_tell_what_it_is_may_be_a_folder(self, tmp_path, monkeypatch):
        """A folder that cannot be read half-way through the walk: reported, and its rows are kept."""
        put(tmp_path, "1.jpg", "odd/2.jpg")
        real = os.scandir

        class Entry:
            name, path = "odd", str(tmp_path / "odd")

            def is_symlink(self):
                raise OSError(errno.EIO, "Input/output error")

        def scandir(path):
            return [Entry() if entry.name == "odd" else entry for entry in real(path)]

        monkeypatch.setattr(os, "scandir", scandir)
        listing = find_media(tmp_path)
        assert (paths(listing), listing.unread_folders[:1]) == (["1.jpg"], ["odd"])
        assert [(p.path, p.reason) for p in listing.problems] == [("odd", "cannot tell what it is: Input/output error")]

    def test_fault_4_asks_again_for_a_folder_that_fails_for_a_passing_reason(self, tmp_path, monkeypatch):
        """An error on reading that may pass: tried again, then reported."""
        put(tmp_path, "a/1.jpg")
        monkeypatch.setattr(os, "scandir", failing(os.scandir, "a", errno.EIO, times=2))
        listing = find_media(tmp_path)
        assert (paths(listing), listing.problems) == (["a/1.jpg"], [])

    def test_fault_4_reports_a_file_whose_facts_cannot_be_read(self, tmp_path, monkeypatch):
        """An error on reading that may pass: tried again, then reported."""
        put(tmp_path, "1.jpg", "2.jpg", "3.jpg")
        real = os.stat
        monkeypatch.setattr(os, "stat", failing(real, "2.jpg", errno.EIO))
        listing = find_media(tmp_path)
        assert paths(listing) == ["1.jpg", "3.jpg"]
        assert [problem.path for problem in listing.problems] == ["2.jpg"]

    def test_leaves_out_a_file_that_vanished_since_its_folder_was_read(self, tmp_path, monkeypatch):
        put(tmp_path, "1.jpg", "2.jpg")
        monkeypatch.setattr(os, "stat", failing(os.stat, "2.jpg", errno.ENOENT))
        listing = find_media(tmp_path)
        assert (paths(listing), listing.problems) == (["1.jpg"], [])

    def test_fault_28_keeps_unicode_twins_emoji_and_the_longest_names(self, tmp_path):
        """Unicode twins, emoji and names of 255 bytes: all kept."""
        nfc = "café.jpg"
        names = {nfc, unicodedata.normalize("NFD", nfc), "🏖️ sea.jpg", "x" * 251 + ".jpg"}
        put(tmp_path, *names)
        if len(os.listdir(tmp_path)) < len(names):
            pytest.skip("this file system makes the twins one")
        assert set(paths(find_media(tmp_path))) == names

    def test_fault_29_reports_names_that_are_not_utf8_in_a_form_that_can_be_stored(self, tmp_path):
        """A name that is not UTF-8: indexed or reported, and the save succeeds."""
        try:
            (tmp_path / os.fsdecode(b"bad\xff.jpg")).write_bytes(b"x")
            (tmp_path / os.fsdecode(b"notes\xff.txt")).write_bytes(b"x")
        except OSError:
            pytest.skip("this file system allows no such name")
        put(tmp_path, "good.jpg")
        listing = find_media(tmp_path)
        assert paths(listing) == ["good.jpg"]
        assert [p.reason for p in listing.problems] == ["its name is not UTF-8; rename it, then it can be indexed"]
        listing.problems[0].path.encode("utf-8")

    def test_fault_29_nothing_of_an_archive_is_listed_whose_name_cannot_be_stored(self, tmp_path):
        """A name that is not UTF-8: indexed or reported, and the save succeeds."""
        put(tmp_path, "1.jpg")
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(tmp_path / "1.jpg", "2.jpg")
        try:
            (tmp_path / "a.zip").rename(tmp_path / os.fsdecode(b"bad\xff.zip"))
        except OSError:
            pytest.skip("this file system allows no such name")
        listing = find_media(tmp_path)
        assert paths(listing) == ["1.jpg"]
        assert [(p.path, p.reason[:22]) for p in listing.problems] == [("bad\\udcff.zip", "its name is not UTF-8;")]

    def test_fault_30_ends_at_symlink_loops_and_lists_no_file_twice(self, tmp_path):
        """Links in a circle, a FIFO, a folder named x.jpg: the walk ends, and lists nothing twice."""
        put(tmp_path, "library/deep/1.jpg", "library/2.jpg", "outside/3.jpg", "elsewhere/deep/4.jpg")
        library = tmp_path / "library"
        (library / "deep/up").symlink_to(library)
        (library / "around").symlink_to(tmp_path)
        (library / "again").symlink_to(library / "deep")
        (library / "again.jpg").symlink_to(library / "2.jpg")
        (library / "0 shortcut").symlink_to(tmp_path / "outside")
        (library / "9 shortcut").symlink_to(tmp_path / "outside")
        (library / "a deeper one").symlink_to(tmp_path / "elsewhere/deep")
        (library / "what holds it").symlink_to(tmp_path / "elsewhere")
        listing = find_media(library)
        assert paths(listing) == ["0 shortcut/3.jpg", "2.jpg", "a deeper one/4.jpg", "deep/1.jpg"]
        assert listing.problems == []

    def test_a_root_that_is_a_shortcut_is_followed(self, tmp_path):
        put(tmp_path, "shared/a.jpg")
        (tmp_path / "shortcut").symlink_to(tmp_path / "shared")
        assert paths(find_media(tmp_path / "shortcut")) == ["a.jpg"]

    def test_fault_30_reports_a_link_to_nothing(self, tmp_path):
        """Links in a circle, a FIFO, a folder named x.jpg: the walk ends, and lists nothing twice."""
        (tmp_path / "gone.jpg").symlink_to(tmp_path / "absent.jpg")
        listing = find_media(tmp_path)
        assert [(p.path, p.reason) for p in listing.problems] == [
            ("gone.jpg", "a link that cannot be followed: No such file or directory")
        ]

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
    def test_fault_30_leaves_out_fifos_and_folders_named_as_pictures(self, tmp_path):
        """Links in a circle, a FIFO, a folder named x.jpg: the walk ends, and lists nothing twice."""
        os.mkfifo(tmp_path / "pipe.jpg")
        put(tmp_path, "folder.jpg/1.jpg")
        assert paths(find_media(tmp_path)) == ["folder.jpg/1.jpg"]


def failing(function, name, number, times=99):
    """`function`, but for a path that ends in `name` it raises OSError `number` the first so many times."""
    left = [times]

    def wrapper(path, *args, **kwargs):
        if os.path.basename(os.fspath(path)) == name and left[0]:
            left[0] -= 1
            raise OSError(number, os.strerror(number))
        return function(path, *args, **kwargs)

    return wrapper


class TestNotRead:
    def test_what_is_no_kind_that_is_read_is_counted_by_suffix(self, tmp_path):
        for name in ("a.jpg", "b.PSD", "c.psd", "d/e.jxl", "f.x3f", "g.tgz", "README", "notes.txt", "h.MXF", ".hidden"):
            put(tmp_path, name)
        with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
            archive.writestr("i.psd", b"x")
        listing = find_media(tmp_path)
        assert [file.path for file in listing.files] == ["a.jpg"]
        assert listing.not_read == {
            (".psd", "picture"): 3,
            (".jxl", "picture"): 1,
            (".x3f", "raw photo"): 1,
            (".tgz", "archive"): 1,
            (".mxf", "video"): 1,
            (".txt", "other"): 1,
            ("", "other"): 1,
        }

    def test_a_program_is_no_video_whatever_its_suffix(self, tmp_path):
        put(tmp_path, "index.ts", content=b"export const a = 1;\n")
        put(tmp_path, "go.mod", content=b"module x\n")
        put(tmp_path, "show.ts", content=b"G" + bytes(187) + b"G" + bytes(187))
        put(tmp_path, "unfinished.mts", content=b"")
        listing = find_media(tmp_path)
        assert [file.path for file in listing.files] == ["show.ts", "unfinished.mts"]
        assert listing.not_read == {(".ts", "other"): 1, (".mod", "other"): 1}


class TestLeftOut:
    THUMBS = ("@eaDir/a.jpg/M.jpg", "x/#recycle/a.jpg", "@Recycle/a.jpg", "$RECYCLE.BIN/a.jpg", "lost+found/a.jpg")
    CACHES = ("C.lrdata/a.jpg", "Thumbnails/a.jpg", "P.photoslibrary/resources/derivatives/masters/a.jpg")

    def test_folders_that_programs_fill_are_left_out_and_said(self, tmp_path):
        for name in ("a.jpg", "P.photoslibrary/originals/b.jpeg", "derivatives/c.jpg", *self.THUMBS, *self.CACHES):
            put(tmp_path, name)
        listing = find_media(tmp_path)
        assert [f.path for f in listing.files] == ["P.photoslibrary/originals/b.jpeg", "a.jpg", "derivatives/c.jpg"]
        assert listing.left_out["x/#recycle"] == "#recycle" and len(listing.left_out) == 8
        assert listing.leaves_out("@eaDir/a.jpg/M.jpg") and not listing.leaves_out("a.jpg")

    def test_a_users_rules_come_after_and_may_take_a_folder_in(self, tmp_path):
        for name in ("Thumbnails/a.jpg", "private/b.jpg", "c.png", "d.jpg", "lost+found/e.jpg", "keep/private/f.jpg"):
            put(tmp_path, name)
        put(tmp_path, ".cliplibignore", content=b"# mine\n!Thumbnails/\n/private/\n*.png\n!d.jpg\n")
        listing = find_media(tmp_path, ignore=["d.*"])
        assert [f.path for f in listing.files] == ["Thumbnails/a.jpg", "keep/private/f.jpg"]
        assert listing.left_out == {
            "private": ".cliplibignore",
            "c.png": ".cliplibignore",
            "d.jpg": "ignore",
            "lost+found": "lost+found",
        }

    def test_members_of_an_archive_too(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
            archive.writestr("keep/a.jpg", b"x")
            archive.writestr("drop/b.jpg", b"x")
        listing = find_media(tmp_path, ignore=["drop/"])
        assert [f.path for f in listing.files] == ["z.zip!/keep/a.jpg"]
        assert list(listing.left_out) == ["z.zip!/drop/b.jpg"]


class TestReadBytes:
    def test_fault_4_tries_three_times_when_the_reason_may_pass(self, tmp_path, monkeypatch):
        """An error on reading that may pass: tried again, then reported."""
        put(tmp_path, "a.jpg", content=b"bytes")
        monkeypatch.setattr(reading, "open", failing(open, "a.jpg", errno.EIO, times=2), raising=False)
        assert read_bytes(tmp_path / "a.jpg") == b"bytes"

    def test_fault_4_reports_after_the_third(self, tmp_path, monkeypatch):
        """An error on reading that may pass: tried again, then reported."""
        put(tmp_path, "a.jpg")
        monkeypatch.setattr(reading, "open", failing(open, "a.jpg", errno.ENOTCONN, times=3), raising=False)
        with pytest.raises(MediaError, match=r"cannot be read: .* \(three tries\) \(read\)"):
            read_bytes(tmp_path / "a.jpg")

    def test_does_not_wait_for_what_will_not_pass(self, tmp_path, monkeypatch):
        monkeypatch.setattr(retry, "RETRY_WAITS_S", (60, 60))
        with pytest.raises(MediaError, match="No such file") as caught:
            read_bytes(tmp_path / "absent.jpg")
        assert caught.value.stage == "read"

    def test_refuses_more_than_it_may_hold_and_says_how_much(self, tmp_path, monkeypatch):
        put(tmp_path, "a.jpg", content=bytes(3 * 2**20))
        monkeypatch.setattr(reading, "MAX_READ_BYTES", 2 * 2**20)
        with pytest.raises(MediaError, match="3 MB to read into memory; at most 2 MB are"):
            read_bytes(tmp_path / "a.jpg")

    def test_refuses_a_folder(self, tmp_path):
        with pytest.raises(MediaError, match="not a regular file"):
            read_bytes(tmp_path)


class TestDigest:
    def test_is_the_sha256_of_the_content_of_a_path_as_of_bytes(self, tmp_path):
        put(tmp_path, "a.jpg", content=b"content")
        expected = hashlib.sha256(b"content").hexdigest()
        assert digest_of(b"content") == digest_of(memoryview(b"content")) == digest_of(tmp_path / "a.jpg") == expected

    def test_of_a_large_file_is_of_its_size_and_both_ends(self, tmp_path, monkeypatch):
        monkeypatch.setattr(reading, "DIGEST_WHOLE_BYTES", 8)
        put(tmp_path, "a.mp4", content=b"ABCD-middle-WXYZ")
        expected = hashlib.sha256((16).to_bytes(8, "little") + b"ABCDWXYZ").hexdigest()
        assert digest_of(tmp_path / "a.mp4") == digest_of(b"ABCD-middle-WXYZ") == expected
        assert digest_of(b"ABCD-MIDDLE-WXYZ") == expected, "the docstring says that this goes unseen"
        assert len({expected, digest_of(b"ABCD-middle-WXYz"), digest_of(b"ABCD-middle--WXYZ")}) == 3

    def test_reports_a_file_that_cannot_be_read(self, tmp_path):
        with pytest.raises(MediaError, match="No such file"):
            digest_of(tmp_path / "absent.mp4")
