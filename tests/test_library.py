"""`Library` and the command line: the three questions, images as queries, errors that say what to do, snapshots."""

import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import cliplib
from cliplib.__main__ import main
from cliplib.cache import snapshot
from cliplib.calibrate.profiles import Profile
from cliplib.errors import CacheError, LibraryError, ModelError, QueryError
from cliplib.models.clip_encoder import ClipEncoder
from cliplib.search import blocks
from cliplib.search.engine import SearchEngine
from tests.harness.libraries import draw_picture, five_photos_and_a_video, save_random_clip


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    return five_photos_and_a_video(tmp_path_factory.mktemp("photos"), weights)


def facts_of(hits):
    """Paths, and scores as nearly as they repeat: many texts encoded at once change how later ones are multiplied."""
    return [(hit.path, pytest.approx(hit.score, abs=1e-5)) for hit in hits]


class TestPhotosAndVideos:
    @pytest.mark.parametrize("ranking", ["match", "cosine"])
    def test_are_what_the_two_searches_find_best_first(self, library, ranking):
        for query in ("a dog", Path("a.jpg"), cliplib.text("a dog") + cliplib.image("a.jpg")):
            found = library.search_all(query, k=3, ranking=ranking)
            photos = library.score(query, ranking=ranking).top(3)
            moments = library.score(query, "frame", ranking).moments(3)
            assert facts_of(found.photos) == facts_of(photos) and found.photos.threshold == photos.threshold
            assert [str(one) for one in found.videos] == [str(one) for one in moments]
            assert len(found) == len(photos) + len(moments)
            strengths = [one.score if ranking == "cosine" else one.match for one in found]
            assert strengths == sorted(strengths, reverse=True)

    def test_encodes_a_text_once(self, library, monkeypatch):
        calls, encode = [], ClipEncoder.encode_texts
        monkeypatch.setattr(ClipEncoder, "encode_texts", lambda *given: calls.append(given[1]) or encode(*given))
        library.search_all("a dog on a beach")
        assert calls == [["a dog on a beach"]]

    def test_as_a_table_a_page_and_words(self, library, tmp_path):
        found = library.search_all("a dog", k=2, threshold=-1)
        frame = found.to_frame()
        assert frame.columns.tolist() == ["path", "start_s", "end_s", "peak_s", "score"] and len(frame) == len(found)
        assert frame["start_s"].isna().tolist() == [one.path != "two/v.mp4" for one in found]
        page = found.save(tmp_path / "found.html").read_text(encoding="utf-8")
        assert "v.mp4" in page and str(found.photos) in str(found)
        assert found._repr_html_().count("<style>") == 1
        assert len(found.save(tmp_path / "found.csv").read_text().splitlines()) == 1 + len(found)

    def test_a_library_without_videos_has_none(self, library):
        engine = library.engine
        rows = library.store.rows.filter(np.array([kind == "image" for kind in library.store.rows["kind"].to_pylist()]))
        index = SimpleNamespace(rows=rows.combine_chunks(), problems=[], thumbnail=lambda key: None)
        alone = SearchEngine(index, library.encoder, library.cutoff, library.root, engine.clips, None)
        photos, frames = alone.scores_of_kinds("a dog", ("image", "frame"))
        assert len(photos) == 5 and not len(frames.moments()) and "no frame" in str(frames.moments())


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
        assert library.search("a dog", ranking="cosine").threshold == 0.25

    def test_a_models_own_thresholds_come_first(self, library, monkeypatch):
        monkeypatch.setattr(library.encoder, "thresholds", {"text->image": 0.5})
        assert library.threshold("text->image") == 0.5 and library.threshold("image->image") == 0.70

    @pytest.mark.parametrize("mode", ["nonsense", "text->sound", "mixed->frame", "", None])
    def test_a_mode_that_is_none_is_refused_with_the_six(self, library, mode):
        with pytest.raises(QueryError, match=rf"mode is {mode!r}: it can be text->image, .*mixed->video"):
            library.threshold(mode)

    def test_asking_again_encodes_nothing(self, library, monkeypatch):
        scores = library.score("a dog")
        monkeypatch.setattr(ClipEncoder, "encode_texts", lambda *_: pytest.fail("encoded"))
        assert len(scores.top(k=2, threshold=-1)) == 2

    @pytest.mark.parametrize("text", ["", "   ", "..."])
    def test_fault_37_a_query_without_words_is_refused(self, library, text):
        """A query with no words, ten thousand words, another script: an answer or a clear error."""
        with pytest.raises(QueryError, match="no words"):
            library.search(text)

    @pytest.mark.parametrize("text", ["犬", "😀", "собака на пляже"])
    def test_fault_37_other_scripts_get_an_answer(self, library, text):
        """A query with no words, ten thousand words, another script: an answer or a clear error."""
        assert len(library.search(text, k=2, threshold=-1)) == 2

    def test_fault_37_ten_thousand_words_are_cut_and_said(self, library):
        """A query with no words, ten thousand words, another script: an answer or a clear error."""
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
        assert {hit.path, *hit.duplicates} == {"a.jpg", "album/copy.jpg", "a-edited.jpg"}

    def test_a_stored_file_name_is_enough(self, library):
        assert library.similar("c.webp", k=1, threshold=-1).query == "two/c.webp"

    def test_a_file_name_that_several_have_asks_which(self, library):
        with pytest.raises(QueryError, match="2 files; say which: one/IMG_1.jpg, two/IMG_1.jpg"):
            library.similar("IMG_1.jpg")

    def test_an_absolute_path_into_the_library_is_the_stored_photo(self, library):
        hits = library.similar(library.root / "one" / "IMG_1.jpg", k=99, threshold=-1)
        assert hits.query == "one/IMG_1.jpg" and len(hits) == 4

    def test_a_stored_query_is_not_encoded_again(self, library, monkeypatch):
        monkeypatch.setattr(ClipEncoder, "encode_images", lambda *_: pytest.fail("encoded"))
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
        """A picture to ask by that cannot be read: an error that names it."""
        (tmp_path / "bad.jpg").write_bytes(b"<html>quota</html>")
        with pytest.raises(QueryError, match="bad.jpg"):
            library.similar(tmp_path / "bad.jpg")

    def test_fault_38_a_query_that_is_nowhere_is_named(self, library):
        """A picture to ask by that cannot be read: an error that names it."""
        with pytest.raises(QueryError, match="no image 'nowhere.jpg'"):
            library.similar("nowhere.jpg")

    @pytest.mark.parametrize("name", ["~no-such-user/x.jpg", "a dog on the beach " * 20])
    def test_fault_38_so_is_one_that_no_file_can_have(self, library, name):
        """A picture to ask by that cannot be read: an error that names it."""
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


def test_a_library_without_videos_answers_every_question_about_frames(tmp_path, weights):
    draw_picture(tmp_path / "a.jpg", 1)
    library = cliplib.Library(tmp_path, model=weights)
    library.index(progress=False)
    scores = library.score("a dog", "frame").filter(since="2020-01-01")
    hits = scores.top(near_duplicates=0.97)
    assert len(scores) == len(hits) == hits.searched == 0 and hits.noise_floor is None
    assert "Nothing was compared" in str(hits) and len(scores.moments()) == 0


def test_what_ignore_names_is_left_out_of_the_index_the_estimate_and_the_check(tmp_path, weights):
    for i, name in enumerate(["a.jpg", "private/b.jpg", "private/keep/c.jpg"]):
        draw_picture(tmp_path / name, i)
    library = cliplib.Library(tmp_path, model=weights, ignore=["private/*", "!private/keep"])
    report = library.index(progress=False)
    assert library.photos() == ["a.jpg", "private/keep/c.jpg"] and report.found.left_out
    (finding,) = library.check()
    assert not finding.new
    assert library.index_in_background().wait().indexed == 0


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
        """An empty library, k or threshold out of range: a clear answer or error."""
        with pytest.raises(LibraryError, match=r"run library.index\(\) first"):
            cliplib.Library(tmp_path, model=weights).search("a dog")

    def test_fault_39_k_larger_than_the_library(self, library):
        """An empty library, k or threshold out of range: a clear answer or error."""
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

    @pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")])
    def test_where_the_cache_cannot_be_a_folder_it_lies_elsewhere(self, tmp_path, weights, monkeypatch, make):
        draw_picture(tmp_path / "photos" / "a.jpg", 1)
        make(tmp_path / "photos" / ".cliplib")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        report = cliplib.Library(tmp_path / "photos", model=weights).index(progress=False)
        assert (report.indexed, report.skipped) == (1, []) and str(tmp_path / "home") in report.cache

    def test_a_folder_that_goes_away_for_a_moment_costs_an_open_library_nothing(self, tmp_path, weights):
        library = five_photos_and_a_video(tmp_path / "photos", weights)
        before = library.search("a dog", k=9, threshold=-1, ranking="cosine")
        shown = [before.thumbnail(hit) for hit in before]
        other = cliplib.Library(library.root, model=weights)  # has shown no thumbnail yet
        assert len(other) == 8
        library.root.rename(tmp_path / "away")
        for unmounted in (False, True):
            if unmounted:
                library.root.mkdir()
            for each in (library, other):
                with pytest.raises(LibraryError, match="Nothing was removed" if unmounted else "is none"):
                    each.index(progress=False)
                each.refresh()
                hits = each.search("a dog", k=9, threshold=-1, ranking="cosine")
                assert facts_of(hits) == [(hit.path, hit.score) for hit in before] and hits.thumbnail(hits[0]) is None
        library.root.rmdir()
        (tmp_path / "away").rename(library.root)
        for each in (library, other):
            assert each.index(progress=False).unchanged == 6
            assert [each.search("a dog").thumbnail(hit) for hit in before] == shown

    def test_an_index_that_was_deleted_is_made_anew(self, tmp_path, weights):
        library = five_photos_and_a_video(tmp_path / "photos", weights)
        shutil.rmtree(library.cache)
        assert library.index(progress=False).indexed == 6
        assert len(cliplib.Library(library.root, model=weights)) == len(library) == 8

    def test_an_index_that_can_only_be_read_is_read_and_what_is_new_goes_elsewhere(
        self, tmp_path, weights, monkeypatch
    ):
        owner = five_photos_and_a_video(tmp_path / "photos", weights)
        path = owner.photos()[0]
        owner.judgements.add("text->image", "a dog", path, True)
        owner.profiles.save(Profile("text->image", "best F1", -0.5, owner.store.model))
        owner.search("a dog")  # keeps the bank of texts
        before = {file: file.stat().st_mtime_ns for file in sorted(owner.root.rglob("*"))}
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setattr(os, "access", lambda *_: False)
        reader = cliplib.Library(owner.root, model=weights, device="cpu", precision="fp32")
        hits = reader.search("a dog", k=9)
        assert hits == owner.search("a dog", k=9) and hits.threshold == -0.5 and hits.thumbnail(hits[0])
        assert blocks.search(reader, "a dog", k=9).hits == hits.hits
        assert reader.check()[0].sound and len(reader.judgements.frame()) == 1
        assert not list((tmp_path / "home").rglob("part-*"))
        reader.judgements.add("text->image", "a cat", path, False)
        reader.profiles.save(Profile("text->image", "best F1", -0.7, owner.store.model))
        report = reader.index(progress=False)
        assert (report.unchanged, report.encoded) == (6, 0) and str(tmp_path / "home") in report.cache
        assert {file: file.stat().st_mtime_ns for file in sorted(owner.root.rglob("*"))} == before
        draw_picture(owner.root / "new.jpg", 9)
        assert reader.index(progress=False).encoded == 1
        again = cliplib.Library(owner.root, model=weights, device="cpu", precision="fp32")
        assert len(again) == 9 and again.threshold("text->image") == -0.7 and len(again.judgements.frame()) == 2
        monkeypatch.undo()
        draw_picture(owner.root / "newer.jpg", 10)
        assert (owner.index(progress=False).encoded, len(owner)) == (2, 10)  # the owner knows nothing of the other
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setattr(os, "access", lambda *_: False)
        late = cliplib.Library(owner.root, model=weights, device="cpu", precision="fp32")
        assert late.index(progress=False).encoded == 0 and len(late) == 10

    def test_a_folder_that_claims_to_be_writable_and_is_not_is_read_too(self, tmp_path, weights, monkeypatch):
        owner = five_photos_and_a_video(tmp_path / "photos", weights)
        owner.judgements.add("text->image", "a dog", owner.photos()[0], True)
        before = sorted(owner.root.rglob("*"))
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setattr("cliplib.library.writable", lambda folder: False)
        reader = cliplib.Library(owner.root, model=weights, device="cpu", precision="fp32")
        assert len(reader.judgements.frame()) == 1 and reader.index(progress=False).encoded == 0
        reader.judgements.add("text->image", "a cat", owner.photos()[0], True)
        assert len(reader.judgements.frame()) == 2 and sorted(owner.root.rglob("*")) == before

    def test_an_index_that_can_only_be_read_is_read_where_nothing_can_be_written_at_all(
        self, tmp_path, weights, monkeypatch
    ):
        owner = five_photos_and_a_video(tmp_path / "photos", weights)
        owner.judgements.add("text->image", "a dog", owner.photos()[0], True)
        (tmp_path / "home").touch()
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setattr(os, "access", lambda *_: False)
        reader = cliplib.Library(owner.root, model=weights, device="cpu", precision="fp32")
        assert reader.search("a dog", k=9, threshold=-1) and len(reader.judgements.frame()) == 1
        with pytest.raises(CacheError, match=r"can only be read.*Library\(\.\.\., cache=\.\.\.\)"):
            reader.index(progress=False)

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
        want, got = (lib.search("a dog", k=3, threshold=-1, ranking="cosine") for lib in (library, loaded))
        assert (
            facts_of(got) == [(hit.path, hit.score) for hit in want]
            and got.thumbnail(got[0]) == want.thumbnail(want[0]) is not None
        )

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

    def test_a_carried_profile_that_is_none_is_refused(self, library, tmp_path, weights):
        file, profiles = tmp_path / "odd.pkl", [{"format": 1, "mode": "../../x"}]
        snapshot.save(file, library.store, profiles)
        with pytest.raises(CacheError, match="carries a damaged profile"):
            cliplib.Library.load(file, root=library.root, model=weights)

    def test_fault_16_another_model_is_refused_with_both_named(self, library, tmp_path):
        """Rows of another model or width, NaN or zero vectors: refused or encoded again, and said."""
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
        assert status == 0 and set(hit) == {"path", "match", "score", "time_s"}
        assert hit["path"] == "a.jpg" and hit["time_s"] is None

    def test_similar_and_videos(self, library, weights, capsys):
        common = ("--model", weights, "--json", "-k", "2", "--threshold", "-1")
        _, out, _ = self.run(capsys, "similar", library.root, "a.jpg", *common)
        assert len(json.loads(out)["hits"]) == 2
        _, out, _ = self.run(capsys, "videos", library.root, "a dog", *common)
        hits = json.loads(out)["hits"]
        assert len(hits) == 2 and all(hit["time_s"] is not None for hit in hits)

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
