"""Copies of the files that were found, and their addresses on Drive."""

from dataclasses import replace

import pytest

from cliplib.errors import LibraryError
from tests.harness.libraries import five_photos_and_a_video


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    return five_photos_and_a_video(tmp_path_factory.mktemp("photos"), weights)


class TestOriginals:
    def test_copies_each_found_file_once_and_overwrites_nothing(self, library, tmp_path):
        target = tmp_path / "found"
        target.mkdir()
        (target / "a.jpg").write_bytes(b"mine")
        frames = library.search_videos("a dog", k=2, threshold=-1)
        copies = library.copy_to([*library.search("a dog", k=99, threshold=-1), *frames], target)
        want = {"a (2).jpg", "b.png", "c.webp", "v.mp4", "IMG_1.jpg", "IMG_1 (2).jpg"}
        assert {file.name for file in copies} == want and len(copies) == 6
        assert (target / "a.jpg").read_bytes() == b"mine"
        assert (target / "a (2).jpg").read_bytes() == (library.root / "a.jpg").read_bytes()
        assert len(list(target.iterdir())) == 7

    def test_what_cannot_be_read_is_named_and_the_rest_copied(self, library, tmp_path):
        lost = replace(library.search("a dog", k=1, threshold=-1)[0], path="gone.jpg")
        hits = [lost, *library.search("a dog", k=1, threshold=-1)]
        with pytest.warns(UserWarning, match=r"gone.jpg was not copied: No such file"):
            assert len(library.copy_to(hits, tmp_path / "found")) == 1
        assert len(list((tmp_path / "found").iterdir())) == 1

    def test_a_copy_that_fails_half_way_leaves_nothing(self, library, tmp_path, monkeypatch):
        def fail(source, target, *_):
            target.write(b"half")
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("shutil.copyfileobj", fail)
        with pytest.warns(UserWarning, match="Input/output error"):
            assert library.copy_to(library.search("a dog", k=1, threshold=-1), tmp_path / "found") == []
        assert list((tmp_path / "found").iterdir()) == []

    def test_copies_do_not_go_into_the_library(self, library):
        with pytest.raises(LibraryError, match="lies in the library .*give a folder outside"):
            library.copy_to(library.search("a dog", k=1, threshold=-1), library.root / "found")

    def test_a_folder_that_cannot_be_is_named(self, library, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(LibraryError, match=r"cannot copy to .*file.* Give a folder"):
            library.copy_to(library.search("a dog", k=1, threshold=-1), tmp_path / "file")

    def test_drive_link_is_the_file_of_that_id(self, library, monkeypatch):
        def getxattr(path, name):
            if (path, name) == (library.root / "a.jpg", "user.drive.id"):
                return b"1a-B_c"
            raise OSError(61, "No data available")

        monkeypatch.setattr("os.getxattr", getxattr, raising=False)
        hit = next(hit for hit in library.search("a dog", threshold=-1) if hit.path == "a.jpg")
        assert library.drive_link(hit) == "https://drive.google.com/file/d/1a-B_c/view"
        shown = library.search("a dog", k=99, threshold=-1)._repr_html_()
        assert shown.count("Open in Drive") == 1 and "https://drive.google.com/file/d/1a-B_c/view" in shown

    @pytest.mark.parametrize("answer", [OSError(61, "No data available"), b'x"><script>', b"", b"\xff"])
    def test_without_a_sound_id_there_is_no_link(self, library, monkeypatch, answer):
        def getxattr(*_):
            if isinstance(answer, OSError):
                raise answer
            return answer

        monkeypatch.setattr("os.getxattr", getxattr, raising=False)
        assert library.drive_link(library.search("a dog", k=1, threshold=-1)[0]) is None
