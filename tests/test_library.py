"""`Library` and the command line: the three questions, images as queries, errors that say what to do, snapshots."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cliplib
from cliplib.__main__ import main
from cliplib.cache import snapshot
from cliplib.calibrate.profiles import Profile
from cliplib.errors import CacheError, LibraryError, ModelError, QueryError
from cliplib.models.encoder import Encoder
from cliplib.search.query import Query, nonsense
from tests.libraries import draw_picture, draw_video, save_random_clip


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

    @pytest.mark.parametrize("mode", ["nonsense", "text->sound", "mixed->frame", "", None])
    def test_a_mode_that_is_none_is_refused_with_the_six(self, library, mode):
        with pytest.raises(QueryError, match=rf"mode is {mode!r}: it can be text->image, .*mixed->video"):
            library.threshold(mode)

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

    def test_nor_is_a_copy_of_it_in_another_album(self, tmp_path, weights):
        root = tmp_path / "photos"
        for name, seed in (("a.jpg", 1), ("album/copy.jpg", 1), ("a-edited.jpg", 2)):
            draw_picture(root / name, seed)
        library = cliplib.Library(root, model=weights)
        library.index(progress=False)
        for query in ("a.jpg", "copy.jpg", cliplib.image("a.jpg") - 0.1 * cliplib.image("a-edited.jpg")):
            scores = library.score(cliplib.image(query))
            want = ["a-edited.jpg"] if isinstance(query, str) else []
            assert [hit.path for hit in scores.top(threshold=-1)] == want
            assert [hit.path for hit in scores.top(threshold=-1, distinct=False)] == want
        outside = draw_picture(tmp_path / "outside.jpg", 1)  # the same picture, which is no photo of the library
        (hit,) = library.similar(outside)
        assert {hit.path, *hit.alike} == {"a.jpg", "album/copy.jpg", "a-edited.jpg"}

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

    @pytest.mark.parametrize("name", ["~no-such-user/x.jpg", "a dog on the beach " * 20])
    def test_fault_38_so_is_one_that_no_file_can_have(self, library, name):
        with pytest.raises(QueryError, match=f"no image '{name}'"):
            library.similar(name)

    def test_a_video_as_query_is_refused(self, library):
        with pytest.raises(QueryError, match="is a video"):
            library.similar("two/v.mp4")

    def test_search_videos_takes_one_of_text_and_image(self, library):
        with pytest.raises(QueryError, match="one of the two"):
            library.search_videos()
        with pytest.raises(QueryError, match="one of the two"):
            library.search_videos("a", image="a.jpg")


class TestComposed:
    def test_scores_are_cosines_with_the_normalised_sum(self, library):
        query = 2 * cliplib.text("a dog") + cliplib.image("a.jpg") - 0.5 * cliplib.text("a person")
        dog, person = library.encoder.encode_texts(["a dog", "a person"])
        rows, gallery = library.engine.gallery("image")
        paths = rows["path"].to_pylist()
        total = 2 * dog + gallery[paths.index("a.jpg")] - 0.5 * person
        want = gallery @ (total / np.linalg.norm(total))
        scores = library.score(query)
        others = np.array(paths) != "a.jpg"
        assert scores.values[others] == pytest.approx(want[others], abs=1e-6)
        assert scores.query == "2 × a dog + a.jpg − 0.5 × a person" and scores.mode == "mixed->image"

    def test_weights_count_by_their_proportions(self, library):
        dog = cliplib.text("a dog")
        assert library.score(3 * dog).values == pytest.approx(library.score("a dog").values, abs=1e-6)

    def test_photos_of_the_query_are_not_among_the_results(self, library):
        query = cliplib.image("a.jpg") - cliplib.image("c.webp") + cliplib.text("a dog")
        hits = library.search(query, k=99, threshold=-1)
        assert sorted(hit.path for hit in hits) == ["b.png", "one/IMG_1.jpg", "two/IMG_1.jpg"]
        assert hits.searched == 3 and hits.query == "a.jpg − two/c.webp + a dog"

    def test_every_mode_takes_a_query(self, library):
        dog, photo = cliplib.text("a dog"), cliplib.image("a.jpg")
        assert library.search(dog, k=9, threshold=-1) == library.search("a dog", k=9, threshold=-1)
        assert library.similar(photo, k=9, threshold=-1) == library.similar("a.jpg", k=9, threshold=-1)
        frames = [library.search_videos(query, k=1, threshold=-1) for query in (dog, dog + photo)]
        frames += [library.search_videos(image=query, k=1, threshold=-1) for query in (photo, photo - dog)]
        assert [hits.mode for hits in frames] == ["text->video", "mixed->video", "image->video", "mixed->video"]
        assert all(hits[0].path == "two/v.mp4" for hits in frames)

    def test_a_mixed_query_takes_the_lower_threshold_of_its_kinds(self, library, monkeypatch):
        query = cliplib.text("a dog") + cliplib.image("a.jpg")
        assert library.search(query).threshold == 0.25 == library.threshold("mixed->video")
        monkeypatch.setattr(library.encoder, "thresholds", {"text->image": 0.8})
        assert library.threshold("mixed->image") == 0.70

    def test_texts_of_a_query_are_encoded_in_one_batch(self, library, monkeypatch):
        calls, encode = [], Encoder.encode_texts
        monkeypatch.setattr(Encoder, "encode_texts", lambda *given: calls.append(given[1]) or encode(*given))
        library.score(cliplib.text("a dog") - cliplib.text("a person") + cliplib.image("a.jpg"))
        assert calls == [["a dog", "a person"]]

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            (Query(), "the query has no terms"),
            (cliplib.text("a dog") - cliplib.text("a  dog"), "its terms cancel"),
            (0 * cliplib.text("a dog"), "its terms cancel"),
            (cliplib.text("a dog") + cliplib.text("..."), "no words"),
            (cliplib.text("a dog") + cliplib.image("nowhere.jpg"), "no image 'nowhere.jpg'"),
            (cliplib.text("a dog") - cliplib.image("two/v.mp4"), "is a video"),
        ],
    )
    def test_a_query_that_cannot_be_answered_says_why(self, library, query, message):
        with pytest.raises(QueryError, match=message):
            library.search(query)


class TestNoiseFloor:
    def test_is_the_95th_percentile_of_the_best_that_nonsense_finds(self, library):
        gallery = library.engine.gallery("image")[1]
        best = sorted((library.encoder.encode_texts(nonsense(32)) @ gallery.T).max(axis=1))
        want = best[29] + 0.45 * (best[30] - best[29])  # position 0.95 * 31 = 29.45 of 0 to 31
        scores = library.score("a dog")
        assert scores.noise_floor == scores.top().noise_floor == pytest.approx(want, abs=1e-6)

    def test_costs_nothing_until_asked_and_nothing_twice(self, library, monkeypatch):
        calls, encode = [], Encoder.encode_texts
        monkeypatch.setattr(Encoder, "encode_texts", lambda *given: calls.append(len(given[1])) or encode(*given))
        library.index(progress=False)  # forgets what was measured
        scores = library.score("a dog", "frame")
        scores.top(threshold=0.99)
        assert calls == [1]
        first = scores.noise_floor
        assert calls == [1, 32] and library.score("a cat", "frame").noise_floor == first
        assert calls == [1, 32, 1]

    def test_is_none_for_all_but_a_single_text(self, library):
        dog, photo = cliplib.text("a dog"), cliplib.image("a.jpg")
        for query in (photo, dog + photo, dog - cliplib.text("a person"), -dog):
            assert library.score(query).noise_floor is None
        assert library.score(2 * dog).noise_floor == library.score("a dog").noise_floor

    def test_an_empty_answer_tells_how_far_it_is_from_threshold_and_noise(self, library):
        hits = library.search("a dog", threshold=0.99)
        best, floor = hits.nearest[0].score, hits.noise_floor
        assert f"The best scores {best:.3f}, {0.99 - best:.3f} too little" in str(hits)
        side = "above" if best > floor else "below"
        assert f"nonsense reaches {floor:.3f} here, and the best is {abs(best - floor):.3f} {side} that" in str(hits)
        assert "nonsense" not in str(library.similar("a.jpg", threshold=1))


class TestMarked:
    def test_a_marked_photo_pulls_the_query_to_itself(self, library):
        scores = library.score("a dog")
        last = scores.top(k=99, threshold=-1)[-1]
        refined = scores.refined([last], keep=0.0)
        first = refined.top(k=1, threshold=-1)[0]
        assert first.path == last.path and first.score == pytest.approx(1, abs=1e-5)
        assert refined.mode == "mixed->image" and "refined by 1 yes and 0 no" in str(refined.top(threshold=-1))

    def test_a_marked_frame_and_a_marked_moment_are_the_same(self, library):
        scores = library.score("a dog", "frame")
        moment = scores.moments(k=1, threshold=-1)[0]
        hit = next(hit for hit in scores.top(k=99, threshold=-1) if hit.time_s == moment.peak_s)
        by_moment, by_hit = scores.refined([], [moment]), scores.refined([], [hit])
        assert np.array_equal(by_moment.values, by_hit.values) and not np.allclose(by_hit.values, scores.values)
        assert by_moment.moments(k=1, threshold=-1).mode == "mixed->video"

    def test_a_photo_asked_by_photo_stays_of_its_mode_and_left_out(self, library):
        scores = library.score(cliplib.image("a.jpg"))
        refined = scores.refined(scores.top(k=1, threshold=-1))
        assert refined.mode == "image->image" and refined.threshold == 0.70
        assert "a.jpg" not in [hit.path for hit in refined.top(k=99, threshold=-1)]


def test_a_library_without_videos_answers_every_question_about_frames(tmp_path, weights):
    draw_picture(tmp_path / "a.jpg", 1)
    library = cliplib.Library(tmp_path, model=weights)
    library.index(progress=False)
    scores = library.score("a dog", "frame").only(folder="x", since="2020-01-01")
    hits = scores.top(fold=0.97)
    assert len(scores) == len(hits) == hits.searched == 0 and hits.noise_floor is None
    assert "Nothing was compared" in str(hits) and len(scores.moments()) == 0


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
            assert (path, name) == (library.root / "a.jpg", "user.drive.id")
            return b"1a-B_c"

        monkeypatch.setattr("os.getxattr", getxattr, raising=False)
        hit = next(hit for hit in library.search("a dog", threshold=-1) if hit.path == "a.jpg")
        assert library.drive_link(hit) == "https://drive.google.com/file/d/1a-B_c/view"

    @pytest.mark.parametrize("answer", [OSError(61, "No data available"), b'x"><script>', b"", b"\xff"])
    def test_without_a_sound_id_there_is_no_link(self, library, monkeypatch, answer):
        def getxattr(*_):
            if isinstance(answer, OSError):
                raise answer
            return answer

        monkeypatch.setattr("os.getxattr", getxattr, raising=False)
        assert library.drive_link(library.search("a dog", k=1, threshold=-1)[0]) is None


class TestOpening:
    @pytest.mark.parametrize("name", ["nowhere", "~nobody-of-this-name"])
    def test_a_missing_folder_is_named(self, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(LibraryError, match=rf"{name} is not there. Give a folder"):
            cliplib.Library(name)

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
        monkeypatch.setattr("cliplib.cache.store.writable", lambda folder: False)
        library = cliplib.Library(tmp_path / "photos", model=weights)
        assert library.index(progress=False).indexed == 1
        assert (tmp_path / "home" / ".cache" / "cliplib").is_dir() and not (tmp_path / "photos" / ".cliplib").exists()

    def test_two_models_live_side_by_side(self, library, tmp_path):
        other = save_random_clip(tmp_path / "other.safetensors", seed=1)
        second = cliplib.Library(library.root, model=other)
        assert len(second) == 0 and len(library) > 0

    def test_a_pack_refuses_to_be_indexed_in_a_thread_and_can_still_be_searched(self, library, tmp_path, weights):
        pack = cliplib.Library.open_pack(library.save_pack(tmp_path / "a.zip", pictures="thumbnails"), model=weights)
        with pytest.raises(LibraryError, match="a.zip is a pack, which is read-only"):
            pack.index_in_background()
        assert len(pack.search("a dog", k=99, threshold=-1)) == 5


class TestSnapshots:
    @pytest.mark.parametrize("name", ["album.parquet", "album.pkl"])
    def test_a_whole_index_moves_in_one_file(self, library, tmp_path, name, weights):
        file = library.save(tmp_path / name)
        loaded = cliplib.Library.load(file, root=library.root, model=weights, precision="fp32")
        assert loaded.store.rows.equals(library.store.rows)
        want, got = (lib.search("a dog", k=3, threshold=-1) for lib in (library, loaded))
        assert got == want and got.thumbnail(got[0]) == want.thumbnail(want[0]) is not None

    @pytest.mark.parametrize("name", ["album.parquet", "album.pkl"])
    def test_a_calibrated_cutoff_moves_along_and_replaces_none(self, library, tmp_path, name, weights):
        model = {key: library.store.model[key] for key in ("model_id", "name", "preprocessing")}
        profile = Profile("text->image", "best F1", -0.5, model, curve=((-1.0, 1.0), (0.0, 0.5)))
        library.profiles.save(profile)
        try:
            file = library.save(tmp_path / name)
            loaded = cliplib.Library.load(file, root=library.root, model=weights, cache=tmp_path / "cache")
            assert loaded.profiles.get("text->image") == profile
            assert loaded.search("a dog").threshold == -0.5 and loaded.threshold("image->image") == 0.70
            loaded.profiles.save(replace(profile, threshold=0.5))
            again = cliplib.Library.load(file, root=library.root, model=weights, cache=tmp_path / "cache")
            assert again.threshold("text->image") == 0.5
            hits = library.search("a dog", k=1), library.search(-cliplib.text("a dog"), k=1)  # no profile is about less
            assert [hit.expected_precision is None for (hit,) in hits] == [False, True]
        finally:
            library.profiles.remove("text->image")

    def test_a_snapshot_of_an_earlier_version_carries_none(self, library, tmp_path, weights):
        file, rows = tmp_path / "old.parquet", library.store.rows
        snapshot.save(file, rows, [None] * len(rows), library.store.model)
        assert cliplib.Library.load(file, root=library.root, model=weights).threshold("text->image") == 0.25

    def test_a_carried_profile_that_is_none_is_refused(self, library, tmp_path, weights):
        file, model = tmp_path / "odd.pkl", {**library.store.model, "profiles": [{"format": 1, "mode": "../../x"}]}
        snapshot.save(file, library.store.rows, [None] * len(library), model)
        with pytest.raises(CacheError, match="carries a damaged profile"):
            cliplib.Library.load(file, root=library.root, model=weights)

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

    def test_filters(self, library, weights, capsys):
        common = ("--model", weights, "--json", "-k", "9", "--threshold", "-1")
        _, out, _ = self.run(capsys, "search", library.root, "a dog", *common, "--folder", "two")
        assert {hit["path"] for hit in json.loads(out)["hits"]} == {"two/IMG_1.jpg", "two/c.webp"}
        _, out, _ = self.run(capsys, "similar", library.root, "a.jpg", *common, "--until", "1999-12-31")
        assert json.loads(out)["hits"] == []
        status, _, err = self.run(capsys, "search", library.root, "a dog", *common, "--since", "soon")
        assert status == 1 and "since is 'soon': give a day" in err

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

    def test_a_name_that_the_terminal_cannot_show_stops_nothing(self, tmp_path, weights, monkeypatch):
        draw_picture(tmp_path / "Strand 🏖.jpg", 1)
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "cp1252"))
        assert main(["index", str(tmp_path), "--model", str(weights)]) == 0
        assert main(["search", str(tmp_path), "a dog", "--model", str(weights), "--threshold", "-1"]) == 0
        sys.stdout.flush()
        assert b"Strand \\U0001f3d6.jpg" in sys.stdout.buffer.getvalue()


def test_many_queries_at_once_have_the_scores_of_each_alone(library):
    first = library.photos()[0]
    queries = [f"a dog, number {i}" for i in range(40)] + [Path(first), cliplib.text("a dog") - cliplib.text("the sea")]
    together = list(library.scores(queries))
    for query, scores in zip(queries, together, strict=True):
        alone = library.score(query)
        assert (scores.query, scores.mode, scores.threshold) == (alone.query, alone.mode, alone.threshold)
        np.testing.assert_allclose(scores.values, alone.values, rtol=0, atol=1e-6)
    assert np.isnan(together[40].values).sum() == 1, "the photo itself"
    assert list(library.scores([])) == []


class TestTags:
    def test_each_tag_has_the_photos_that_reach_the_cutoff_best_first(self, library):
        scores = library.score("a dog")
        cutoff = float(np.sort(scores.values)[-3]) - 1e-6  # together they are rounded otherwise than alone
        tags = library.tags(["a dog", "the sea", "a dog"], k=2, threshold=cutoff)
        assert list(tags) == ["a dog", "the sea"]
        assert [hit.path for hit in tags["a dog"]] == [hit.path for hit in library.search("a dog", 2, cutoff)]
        assert tags.counts()["a dog"] == 3  # two are kept
        assert str(tags).splitlines()[0] == "     3  a dog"

    def test_one_word_is_one_tag(self, library):
        assert list(library.tags("the sea")) == ["the sea"]

    def test_copies_of_one_file_count_once(self, tmp_path, weights):
        for name in ("a.jpg", "b/a.jpg"):
            draw_picture(tmp_path / name, 1)
        library = cliplib.Library(tmp_path, model=weights)
        library.index(progress=False)
        assert library.tags(["a dog"], threshold=-1).counts() == {"a dog": 1}

    def test_a_tag_that_no_photo_has_says_so(self, library):
        tags = library.tags(["a dog"], threshold=1)
        assert tags.counts() == {"a dog": 0} and not len(tags["a dog"])
        assert "0 photos" in tags._repr_html_() and "<figure" not in tags._repr_html_()

    def test_names_are_escaped(self, library):
        assert "<b>" not in library.tags(["<b>bold"])._repr_html_().replace("<b>&lt;b&gt;bold</b>", "")
