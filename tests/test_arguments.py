"""What people give in place of what is meant: an answer where the meaning is plain, else one sentence that says it."""

import io
import os
import unicodedata
from pathlib import Path

import pytest

import cliplib
from cliplib.errors import CacheError, CliplibError, LibraryError, ModelError, QueryError
from tests.harness.libraries import draw_picture, draw_video, picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("arguments") / "photos"
    draw_picture(root / "trips" / "a.jpg", 1)
    draw_picture(root / "trips" / "2024" / "b.png", 2)
    draw_picture(root / unicodedata.normalize("NFD", "Été") / unicodedata.normalize("NFD", "plage à midi.jpg"), 3)
    (root / "films").mkdir()
    draw_video(root / "films" / "v.mp4", 4, seconds=2)
    return root


@pytest.fixture(scope="module")
def library(folder, weights):
    library = cliplib.Library(folder, model=weights)
    library.index(progress=False)
    return library


def refused(error, action) -> str:
    """The message of the error that an action raises: one short sentence or two."""
    with pytest.raises(error) as caught:
        action()
    message = str(caught.value)
    assert len(message) < 400 and "\n" not in message
    return message


class TestQueries:
    @pytest.mark.parametrize("asked", [["a dog", "a car"], ("a dog", "a car")])
    def test_several_texts_say_how_several_are_asked(self, library, asked):
        assert r"library.scores([...])" in refused(QueryError, lambda: library.search(asked))

    @pytest.mark.parametrize("asked", [3, None, 2.5, object()])
    def test_what_is_no_query_says_what_is(self, library, asked):
        assert "a query is a text, a picture" in refused(QueryError, lambda: library.search(asked))

    def test_the_bytes_of_a_picture_are_that_picture(self, library, folder):
        buffer = io.BytesIO()
        picture(2).save(buffer, "PNG")
        assert library.similar(buffer.getvalue(), k=1, threshold=-1)[0].path == "trips/2024/b.png"

    def test_bytes_of_millions_that_are_no_picture_are_no_message_of_millions(self, library):
        assert "not a picture" in refused(QueryError, lambda: library.similar(b"\1" * 7_200_000))
        refused(QueryError, lambda: cliplib.text(b"\1" * 7_200_000))
        refused(QueryError, lambda: cliplib.text("a dog") + "x" * 10**7)

    def test_one_text_in_place_of_many_is_one(self, library):
        assert len(list(library.scores("a dog"))) == 1

    def test_a_name_is_found_however_its_accents_are_composed(self, library):
        for form in ("NFC", "NFD"):
            for name in ("plage à midi.jpg", "Été/plage à midi.jpg"):
                hits = library.similar(unicodedata.normalize(form, name), threshold=-1)
                assert len(hits) == 2 and hits.scores.values.size == 3

    def test_windows_backslashes_name_a_file(self, library):
        assert len(library.similar("trips\\2024\\b.png", threshold=-1)) == 2


class TestNumbers:
    def test_a_threshold_that_is_written_out_is_a_number(self, library):
        assert library.search("a dog", threshold="-0.5").threshold == -0.5

    @pytest.mark.parametrize("threshold", ["much", [0.3], 7, float("nan")])
    def test_another_threshold_says_what_one_is(self, library, threshold):
        assert "cosines lie between -1 and 1" in refused(QueryError, lambda: library.search("a", threshold=threshold))

    @pytest.mark.parametrize("k", ["5", 2.5, 0, None])
    def test_another_k_says_what_one_is(self, library, k):
        assert "whole number" in refused(QueryError, lambda: library.search("a dog", k=k))


class TestFolders:
    @pytest.mark.parametrize("name", ["trips", "trips/", "./trips", Path("trips"), "trips\\2024", "Été", "Été"])
    def test_is_found_as_any_system_writes_it(self, library, name):
        assert library.score("a dog").filter(name).top(threshold=-1)

    def test_a_typo_says_what_there_is(self, library):
        message = refused(QueryError, lambda: library.score("a dog").filter("Trisp"))
        assert "nothing of the index lies below the folder 'Trisp'" in message and "'trips'" in message

    def test_a_folder_of_videos_has_no_photos(self, library):
        assert len(library.score("a dog").filter("films").top(threshold=-1)) == 0


class TestLibraries:
    def test_several_folders_are_several_libraries(self, folder):
        assert "a library is one folder" in refused(LibraryError, lambda: cliplib.Library([folder, folder]))

    def test_a_model_is_a_name_or_a_path_that_stays(self, folder, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        assert "a model is a name or the path" in refused(LibraryError, lambda: cliplib.Library(folder, model=3))
        assert cliplib.Library(folder, "local-dir:mine").model == f"local-dir:{tmp_path / 'mine'}"
        assert cliplib.Library(folder, "RN50").model == "RN50"

    @pytest.mark.parametrize("start", ["index", "index_in_background"])
    def test_an_option_that_is_none_is_refused_at_once(self, library, start):
        assert "did you mean every_s?" in refused(TypeError, lambda: getattr(library, start)(every=2))
        assert "every_s is 'often'" in refused(QueryError, lambda: getattr(library, start)(every_s="often"))
        assert library._indexing is None

    def test_a_device_is_named_as_people_name_it(self, folder, weights):
        assert "sees no GPU" in refused(
            ModelError, lambda: cliplib.Library(folder, weights, device="gpu").search("a dog")
        )
        assert "cpu" in refused(ModelError, lambda: cliplib.Library(folder, weights, device="toaster").search("a dog"))

    def test_an_empty_index_names_the_model_that_has_one(self, library, folder):
        message = refused(LibraryError, lambda: cliplib.Library(folder, "ViT-B/32").search("a dog"))
        assert f"take model={str(library.model)!r}" in message

    def test_an_index_of_nothing_says_what_to_run(self, tmp_path, weights):
        message = refused(LibraryError, lambda: cliplib.Library(tmp_path, weights).search("a dog"))
        assert message.endswith("is empty: run library.index() first")

    def test_relative_paths_mean_what_they_meant(self, library, folder, weights, monkeypatch, tmp_path):
        monkeypatch.chdir(folder.parent)
        relative = cliplib.Library("photos", os.path.relpath(weights), cache="photos/.cliplib")
        monkeypatch.chdir(tmp_path)
        assert len(relative.search("a dog", threshold=-1)) == 3
        assert relative.root == folder and relative.index(progress=False).unchanged == 4
        assert list(tmp_path.iterdir()) == []


class TestSaving:
    @pytest.mark.parametrize(
        "save",
        [
            lambda library, file: library.save(file.with_suffix(".parquet")),
            lambda library, file: library.save_pack(file.with_suffix(".zip")),
            lambda library, file: library.search("a dog", threshold=-1).save(file.with_suffix(".csv")),
            lambda library, file: library.search("a dog", threshold=-1).save(file.with_suffix(".html")),
            lambda library, file: moment(library).save_clip(file.with_suffix(".mp4")),
            lambda library, file: library.judgements.save(file.with_suffix(".csv")),
        ],
        ids=["snapshot", "pack", "csv", "html", "clip", "judgements"],
    )
    def test_a_folder_that_is_not_there_is_said_and_tilde_is_home(self, library, tmp_path, monkeypatch, save):
        assert "there is no folder" in refused((QueryError, CacheError), lambda: save(library, tmp_path / "no" / "x"))
        monkeypatch.setenv("HOME", str(tmp_path))
        save(library, Path("~/x"))
        assert len(list(tmp_path.glob("x.*"))) == 1

    def test_a_clip_is_an_mp4(self, library, tmp_path):
        assert "must end in .mp4" in refused(QueryError, lambda: moment(library).save_clip(tmp_path / "c.avi"))

    def test_tilde_is_home_where_a_library_is_opened(self, library, folder, weights, monkeypatch):
        monkeypatch.setenv("HOME", str(folder.parent))
        assert len(cliplib.Library("~/photos", weights, cache="~/photos/.cliplib")) == len(library)


def moment(library):
    return library.score("a dog", kind="frame").moments(threshold=-1)[0]


def test_all_of_these_are_errors_of_cliplib():
    assert issubclass(QueryError, CliplibError) and issubclass(CacheError, CliplibError)
