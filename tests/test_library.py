"""`Library` and the command line: the three questions, images as queries, errors that say what to do, snapshots."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cliplib
from cliplib.__main__ import main
from cliplib.encoder import Encoder
from cliplib.errors import CacheError, LibraryError, ModelError, QueryError
from tests.libraries import draw_picture, draw_video, save_random_clip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_random_clip(tmp_path_factory.mktemp("weights") / "random.safetensors")


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    """Five photos, two of them of one name, and a video."""
    root = tmp_path_factory.mktemp("photos")
    for i, name in enumerate(["a.jpg", "b.png", "one/IMG_1.jpg", "two/IMG_1.jpg", "two/c.webp"]):
        draw_picture(root / name, i)
    draw_video(root / "two" / "v.mp4", 7)
    library = cliplib.Library(root, model=weights, device="cpu", precision="fp32")
    library.index(progress=False)
    return library


class TestText:
    def test_scores_are_the_cosines_of_every_photo(self, library):
        scores = library.score("a dog")
        text = library.encoder.encode_texts("a dog")[0]
        for path, value in zip(scores.rows["path"].to_pylist(), scores.values, strict=True):
            if path.endswith((".png", ".webp")):
                image = library.encoder.encode_images([Image.open(library.root / path)])[0]
                assert value == pytest.approx(float(text @ image), abs=1e-5)

    def test_search_finds_photos_and_search_videos_frames(self, library):
        photos = library.search("a dog", k=99, threshold=-1)
        frames = library.search_videos("a dog", k=99, threshold=-1)
        assert len(photos) == 5 and all(hit.time_s is None for hit in photos)
        assert {hit.path for hit in frames} == {"two/v.mp4"}
        assert sorted(hit.time_s for hit in frames)[:3] == pytest.approx([0, 1, 2], abs=0.11)

    def test_paper_thresholds_stand_for_a_model_without_its_own(self, library):
        modes = ("text->image", "text->video", "image->image", "image->video")
        assert [library.threshold(mode) for mode in modes] == [0.25, 0.25, 0.70, 0.70]
        assert library.search("a dog").threshold == 0.25

    def test_a_models_own_thresholds_come_first(self, library, monkeypatch):
        monkeypatch.setattr(library.encoder, "thresholds", {"text->image": 0.5})
        assert library.threshold("text->image") == 0.5 and library.threshold("image->image") == 0.70

    def test_asking_again_encodes_nothing(self, library, monkeypatch):
        scores = library.score("a dog")
        monkeypatch.setattr(Encoder, "encode_texts", lambda *_: pytest.fail("encoded"))
        assert len(scores.top(k=2, threshold=-1)) == 2

    @pytest.mark.parametrize("text", ["", "   ", "..."])
    def test_fault_37_a_query_without_words_is_refused(self, library, text):
        with pytest.raises(QueryError, match="no words"):
            library.search(text)

    @pytest.mark.parametrize("text", ["犬", "😀", "собака на пляже"])
    def test_fault_37_other_scripts_get_an_answer(self, library, text):
        assert len(library.search(text, k=2, threshold=-1)) == 2

    def test_fault_37_ten_thousand_words_are_cut_and_said(self, library):
        with pytest.warns(UserWarning, match="was cut"):
            assert len(library.search("dog " * 10_000, k=1, threshold=-1)) == 1


class TestImage:
    def test_a_stored_path_is_not_among_its_own_results(self, library):
        hits = library.similar("a.jpg", k=99, threshold=-1)
        assert len(hits) == 4 and "a.jpg" not in [hit.path for hit in hits]

    def test_a_stored_file_name_is_enough(self, library):
        assert library.similar("c.webp", k=1, threshold=-1).query == "two/c.webp"

    def test_a_file_name_that_several_have_asks_which(self, library):
        with pytest.raises(QueryError, match="2 files; say which: one/IMG_1.jpg, two/IMG_1.jpg"):
            library.similar("IMG_1.jpg")

    def test_an_absolute_path_into_the_library_is_the_stored_photo(self, library):
        hits = library.similar(library.root / "one" / "IMG_1.jpg", k=99, threshold=-1)
        assert hits.query == "one/IMG_1.jpg" and len(hits) == 4

    def test_a_stored_query_is_not_encoded_again(self, library, monkeypatch):
        monkeypatch.setattr(Encoder, "encode_images", lambda *_: pytest.fail("encoded"))
        library.similar("a.jpg")

    def test_a_file_from_outside_and_a_pil_image_find_their_copy(self, library, tmp_path):
        outside = draw_picture(tmp_path / "elsewhere.png", 1)
        for query in (outside, str(outside), Image.open(outside)):
            hit = library.similar(query, k=1, threshold=-1)[0]
            assert hit.path == "b.png" and hit.score > 0.9999

    def test_image_to_video(self, library, tmp_path):
        still = draw_picture(tmp_path / "still.png", 7001)  # the second second of the video
        hit = library.search_videos(image=still, k=1, threshold=-1)[0]
        assert 1 <= hit.time_s < 2 and hit.score > 0.99

    def test_fault_38_an_unreadable_query_is_named(self, library, tmp_path):
        (tmp_path / "bad.jpg").write_bytes(b"<html>quota</html>")
        with pytest.raises(QueryError, match="bad.jpg"):
            library.similar(tmp_path / "bad.jpg")

    def test_fault_38_a_query_that_is_nowhere_is_named(self, library):
        with pytest.raises(QueryError, match="no image 'nowhere.jpg'"):
            library.similar("nowhere.jpg")

    def test_a_video_as_query_is_refused(self, library):
        with pytest.raises(QueryError, match="is a video"):
            library.similar("two/v.mp4")

    def test_search_videos_takes_one_of_text_and_image(self, library):
        with pytest.raises(QueryError, match="one of the two"):
            library.search_videos()
        with pytest.raises(QueryError, match="one of the two"):
            library.search_videos("a", image="a.jpg")


class TestOpening:
    def test_a_missing_folder_is_named(self, tmp_path):
        with pytest.raises(LibraryError, match=r"nowhere is not there. Give a folder"):
            cliplib.Library(tmp_path / "nowhere")

    def test_an_unknown_model_lists_the_known(self, tmp_path):
        with pytest.raises(ModelError, match="ViT-B/32"):
            cliplib.Library(tmp_path, model="ViT-Z/99").search("a dog")

    def test_fault_39_an_empty_index_says_what_to_run(self, tmp_path, weights):
        with pytest.raises(LibraryError, match=r"run library.index\(\) first"):
            cliplib.Library(tmp_path, model=weights).search("a dog")

    def test_fault_39_k_larger_than_the_library(self, library):
        assert len(library.search("a dog", k=10_000, threshold=-1)) == 5

    def test_a_kind_that_is_none_is_refused(self, library):
        with pytest.raises(QueryError, match="'image' or 'frame'"):
            library.score("a dog", kind="sound")

    @pytest.mark.parametrize("every_s", [0, -1, float("nan"), float("inf")])
    def test_a_sampling_interval_must_be_positive(self, library, every_s):
        with pytest.raises(QueryError, match="more than 0"):
            library.index(every_s=every_s)

    def test_a_folder_that_cannot_be_written_has_its_cache_elsewhere(self, tmp_path, weights, monkeypatch):
        draw_picture(tmp_path / "photos" / "a.jpg", 1)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setattr("cliplib.library._writable", lambda folder: False)
        library = cliplib.Library(tmp_path / "photos", model=weights)
        assert library.index(progress=False).indexed == 1
        assert (tmp_path / "home" / ".cache" / "cliplib").is_dir() and not (tmp_path / "photos" / ".cliplib").exists()

    def test_two_models_live_side_by_side(self, library, tmp_path):
        other = save_random_clip(tmp_path / "other.safetensors", seed=1)
        second = cliplib.Library(library.root, model=other)
        assert len(second) == 0 and len(library) > 0

    def test_importing_loads_neither_torch_nor_cv2_nor_ipywidgets(self):
        script = "import sys, cliplib; print([m for m in ('torch', 'cv2', 'ipywidgets', 'pandas') if m in sys.modules])"
        assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


class TestSnapshots:
    @pytest.mark.parametrize("name", ["album.parquet", "album.pkl"])
    def test_a_whole_index_moves_in_one_file(self, library, tmp_path, name, weights):
        file = library.save(tmp_path / name)
        loaded = cliplib.Library.load(file, root=library.root, model=weights, precision="fp32")
        assert loaded.store.rows.equals(library.store.rows)
        want, got = (lib.search("a dog", k=3, threshold=-1) for lib in (library, loaded))
        assert got == want and got.thumbnail(got[0]) == want.thumbnail(want[0]) is not None

    def test_fault_16_another_model_is_refused_with_both_named(self, library, tmp_path):
        file = library.save(tmp_path / "album.parquet")
        other = save_random_clip(tmp_path / "other.safetensors", seed=1)
        with pytest.raises(CacheError, match=r"random.safetensors.*other.safetensors"):
            cliplib.Library.load(file, model=other)


class TestCommandLine:
    def run(self, capsys, *arguments):
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    def test_index_then_search_as_json(self, tmp_path, weights, capsys):
        draw_picture(tmp_path / "a.jpg", 1)
        (tmp_path / "bad.jpg").write_bytes(b"")
        status, out, _ = self.run(capsys, "index", tmp_path, "--model", weights, "--json")
        counts = json.loads(out)
        assert status == 0 and (counts["indexed"], counts["unchanged"], counts["removed"]) == (1, 0, 0)
        assert [item["path"] for item in counts["skipped"]] == ["bad.jpg"]
        status, out, _ = self.run(
            capsys, "search", tmp_path, "a dog", "--model", weights, "--json", "--threshold", "-1"
        )
        (hit,) = json.loads(out)["hits"]
        assert (
            status == 0 and set(hit) == {"path", "score", "time_s"} and hit["path"] == "a.jpg" and hit["time_s"] is None
        )

    def test_similar_and_videos(self, library, weights, capsys):
        common = ("--model", weights, "--json", "-k", "2", "--threshold", "-1")
        _, out, _ = self.run(capsys, "similar", library.root, "a.jpg", *common)
        assert len(json.loads(out)["hits"]) == 2
        _, out, _ = self.run(capsys, "videos", library.root, "a dog", *common)
        assert all(hit["time_s"] is not None for hit in json.loads(out)["hits"])

    def test_words_without_json(self, library, weights, capsys):
        status, out, _ = self.run(
            capsys, "search", library.root, "a dog", "--model", weights, "--threshold", "-1", "-k", "1"
        )
        assert status == 0 and "text->image" in out

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("search", "nowhere", "a dog"), "is not there"),
            (("similar", ".", "no.jpg", "--model", "nothing.pt"), "nothing.pt"),
            (("search", ".", "a dog", "--model", "ViT-Z/99"), "ViT-Z/99"),
        ],
    )
    def test_errors_are_words_on_standard_error(self, capsys, arguments, message):
        status, out, err = self.run(capsys, *arguments)
        assert status == 1 and out == "" and message in err and "Traceback" not in err

    def test_the_module_runs(self):
        done = subprocess.run([sys.executable, "-m", "cliplib", "--help"], capture_output=True, text=True, check=True)
        assert all(word in done.stdout for word in ("index", "search", "similar", "videos", "selftest"))


def test_rows_and_matrix_stay_aligned(library):
    rows, matrix = library._asking.gallery("image")
    assert rows.num_rows == len(matrix) == 5
    assert np.allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)
    assert Path(rows["path"][0].as_py()).name
