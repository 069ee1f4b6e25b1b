"""The search engine: composed queries, many at once, what nonsense reaches, and that it knows no library."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

import cliplib
from cliplib.errors import LibraryError, QueryError
from cliplib.models.clip_encoder import ClipEncoder
from cliplib.search.engine import SearchEngine
from cliplib.search.mode import Mode
from cliplib.search.query import Query, nonsense
from cliplib.search.results import Cutoff
from tests.harness.libraries import five_photos_and_a_video, save_random_clip


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    return five_photos_and_a_video(tmp_path_factory.mktemp("photos"), weights)


@pytest.mark.parametrize("ranking", ["match", "cosine"])
def test_a_picture_in_no_index_is_found_by_the_rule_for_those_that_are(library, ranking):
    scores = library.score("a dog", ranking=ranking)
    _, values, cutoff = scores.ordering(ranking=ranking)
    found = [library.engine.would_find(scores, row) for row in library.engine.gallery("image")[1]]
    assert found == list(values >= cutoff)


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
        assert library.search(query, ranking="cosine").threshold == 0.25 == library.threshold("mixed->video")
        monkeypatch.setattr(library.encoder, "thresholds", {"text->image": 0.8})
        assert library.threshold("mixed->image") == 0.70

    def test_texts_of_a_query_are_encoded_in_one_batch(self, library, monkeypatch):
        calls, encode = [], ClipEncoder.encode_texts
        monkeypatch.setattr(ClipEncoder, "encode_texts", lambda *given: calls.append(given[1]) or encode(*given))
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
        calls, encode = [], ClipEncoder.encode_texts
        monkeypatch.setattr(ClipEncoder, "encode_texts", lambda *given: calls.append(len(given[1])) or encode(*given))
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


class TestAlone:
    """An engine is made of an index, a model and cutoffs, and of nothing else."""

    @pytest.fixture
    def engine(self, library, tmp_path):
        return SearchEngine(library.store, library.encoder, lambda mode: Cutoff(0.3), library.root, tmp_path / "clips")

    def test_answers_as_the_library_does(self, library, engine):
        (scores,) = engine.scores(["a dog"], "image")
        assert scores.values == pytest.approx(library.score("a dog").values)
        assert scores.mode == Mode.TEXT_TO_IMAGE and scores.threshold == 0.3

    def test_a_vector_is_scored_as_the_query_that_it_is_of(self, library, engine):
        vector = library.encoder.encode_texts("a dog")[0]
        scores = engine.score_vector(vector, "my vector", Mode.TEXT_TO_VIDEO)
        assert scores.values == pytest.approx(library.score("a dog", "frame").values, abs=1e-6)
        assert scores.query == "my vector" and scores.terms == () and scores.noise_floor is None

    def test_another_kind_of_row_is_refused_before_anything_is_encoded(self, engine, monkeypatch):
        monkeypatch.setattr(engine, "encoder", None)
        with pytest.raises(QueryError, match="kind is 'video': it can be 'image' or 'frame'"):
            next(engine.scores(["a dog"], "video"))

    def test_an_empty_index_says_what_to_do(self, tmp_path, weights):
        library = cliplib.Library(tmp_path, model=weights)
        with pytest.raises(LibraryError, match=r"is empty: run library.index\(\) first"):
            library.search("a dog")


def test_a_library_made_again_lets_the_old_model_go(tmp_path):
    encoders = []
    gc.disable()  # a circle of references would keep a model until the collector runs, which large tensors do not start
    try:
        for seed in range(4):  # as a cell that is run again with another model
            weights = save_random_clip(tmp_path / f"{seed}.safetensors", seed)
            library = five_photos_and_a_video(tmp_path / "photos", weights)
            hits = library.search("a dog", threshold=-1)
            library.search_videos("a dog", threshold=-1).moments()
            library.similar(hits[0].path)
            library.judgements.add("text->image", "a dog", hits[0].path, True)
            library.index_in_background().wait()
            encoders.append(weakref.ref(library.encoder))
            assert sum(encoder() is not None for encoder in encoders) <= 2
    finally:
        gc.enable()
