"""Scores: hits, filters, folding and refining, on rows worked by hand."""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from cliplib.cache import rows
from cliplib.errors import QueryError
from cliplib.search.filters import distances_km
from cliplib.search.mode import Mode
from cliplib.search.results import Cutoff, Hit, Scores

FACTS = [
    ("a.jpg", "2024-05-01T00:00:00"),
    ("trips/b.jpg", "2024-05-31T23:59:59"),
    ("trips 2024/c.jpg", "2024-06-01T00:00:00"),
    ("trips/rome/d.jpg", None),
]


def make(facts, vectors, values, mode="text->image", **options):
    """Scores of photos with these (path, taken_at) and unit embeddings."""
    about = {"kind": "image", "size": 1, "mtime_ns": 1}
    records = [about | {"path": path, "digest": path, "taken_at": taken_at} for path, taken_at in facts]
    table = rows.table(records, np.asarray(vectors, np.float32))
    return Scores("a dog", Mode(mode), np.asarray(values, np.float32), table, Cutoff(0.25), **options)


@pytest.fixture
def scores():
    """Four photos; b and d are alike (cosine 0.98)."""
    vectors = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0.98, 0.199]]
    return make(FACTS, vectors, [0.3, 0.5, 0.2, 0.4])


def paths(hits):
    return [hit.path for hit in hits]


class TestTop:
    def test_uses_the_librarys_threshold_unless_told(self, scores):
        assert paths(scores.top()) == ["trips/b.jpg", "trips/rome/d.jpg", "a.jpg"]
        assert paths(scores.top(threshold=0.45)) == ["trips/b.jpg"]
        assert len(scores.top(k=2, threshold=-1)) == 2

    def test_hits_carry_the_facts_of_their_rows(self, scores):
        hit = scores.top()[0]
        assert (hit.path, hit.time_s, hit.taken_at) == ("trips/b.jpg", None, "2024-05-31T23:59:59")
        assert hit.score == pytest.approx(0.5)

    def test_near_duplicates_fold_into_the_best(self, scores):
        hits = scores.top(k=2, threshold=-1, near_duplicates=0.97)
        assert paths(hits) == ["trips/b.jpg", "a.jpg"]  # k counts what is left
        assert [hit.duplicates for hit in hits] == [("trips/rome/d.jpg",), ()]
        assert all(hit.duplicates == () for hit in scores.top(threshold=-1, near_duplicates=0.99))

    def test_an_edited_twin_is_no_hit_of_its_own_when_others_fold(self):
        facts = [("sea.jpg", None), ("sea-edited.jpg", None), ("hill.jpg", None)]
        scores = make(facts, np.eye(3), [0.5, 0.4, 0.3])
        for fold in (None, 0.97):
            hits = scores.top(k=2, near_duplicates=fold)
            assert [(hit.path, hit.duplicates) for hit in hits] == [("sea.jpg", ("sea-edited.jpg",)), ("hill.jpg", ())]
            assert len(scores.top(near_duplicates=fold, distinct=False)) == 3

    def test_folds_of_one_photo_join_best_first(self):
        # the second is like the first, and the third edited from it
        facts = [("sea.jpg", None), ("sea again.jpg", None), ("sea-edited.jpg", None)]
        scores = make(facts, [[1, 0], [0.99, 0.141], [0, 1]], [0.5, 0.3, 0.4])
        (hit,) = scores.top(near_duplicates=0.97)
        assert hit.path == "sea.jpg" and hit.duplicates == ("sea-edited.jpg", "sea again.jpg")

    def test_what_does_not_pass_is_not_counted_as_alike(self, scores):
        assert scores.top(threshold=0.45, near_duplicates=0.97)[0].duplicates == ()

    def test_nearest_fold_too(self, scores):
        nearest = scores.top(threshold=0.9, near_duplicates=0.97).nearest
        assert paths(nearest) == ["trips/b.jpg", "a.jpg", "trips 2024/c.jpg"]

    def test_folding_no_rows_finds_nothing(self, scores):
        assert len(scores.filter(since="2999-01-01").top(near_duplicates=0.97)) == 0

    def test_to_frame_is_sorted_and_keeps_every_row(self, scores):
        frame = scores.to_frame()
        assert frame["path"].tolist()[0] == "trips/b.jpg" and len(frame) == 4


def test_the_gallery_holds_the_rows_embeddings_in_their_order(scores):
    want = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0.98, 0.199]], np.float32)
    assert scores.gallery.dtype == np.float32 and (scores.gallery == want).all()


class TestOnly:
    @pytest.mark.parametrize(
        ("folder", "want"),
        [
            ("trips", ["trips/b.jpg", "trips/rome/d.jpg"]),
            ("trips/", ["trips/b.jpg", "trips/rome/d.jpg"]),
            (Path("trips"), ["trips/b.jpg", "trips/rome/d.jpg"]),
            ("./trips/rome", ["trips/rome/d.jpg"]),
            ("", ["trips/b.jpg", "trips/rome/d.jpg", "a.jpg", "trips 2024/c.jpg"]),
            (".", ["trips/b.jpg", "trips/rome/d.jpg", "a.jpg", "trips 2024/c.jpg"]),
        ],
    )
    def test_folder_is_a_prefix_of_whole_names(self, scores, folder, want):
        assert paths(scores.filter(folder=folder).top(threshold=-1)) == want

    @pytest.mark.parametrize("folder", ["trip", "a.jpg"])
    def test_the_start_of_a_name_and_a_file_are_no_folders(self, scores, folder):
        with pytest.raises(QueryError, match=f"below the folder '{folder}'; it has 'trips"):
            scores.filter(folder=folder)

    @pytest.mark.parametrize(
        ("since", "until", "want"),
        [
            ("2024-05-31", None, ["trips/b.jpg", "trips 2024/c.jpg"]),
            (None, "2024-05-31", ["trips/b.jpg", "a.jpg"]),  # both days whole
            ("2024-05-31", "2024-05-31", ["trips/b.jpg"]),
            (date(2024, 6, 1), date(2024, 6, 2), ["trips 2024/c.jpg"]),
            (datetime(2024, 6, 1, 18), None, ["trips 2024/c.jpg"]),  # a day, whatever the hour
            (date(999, 1, 1), None, ["trips/b.jpg", "a.jpg", "trips 2024/c.jpg"]),
            ("1999-01-01", "9999-12-31", ["trips/b.jpg", "a.jpg", "trips 2024/c.jpg"]),  # d has no date
        ],
    )
    def test_days_are_inclusive_and_rows_without_a_date_fall_out(self, scores, since, until, want):
        assert paths(scores.filter(since=since, until=until).top(threshold=-1)) == want

    def test_filters_add_up_and_leave_the_first_scores_alone(self, scores):
        scores.values[1] = np.nan  # the query itself
        few = scores.filter(folder="trips").filter(since="2024-01-01")
        assert np.isnan(few.values).tolist() == [True] * 4
        assert np.isnan(scores.values).tolist() == [False, True, False, False]

    @pytest.mark.parametrize("day", ["yesterday", "2024-02-30", 2024])
    def test_a_day_that_is_none_is_named(self, scores, day):
        with pytest.raises(QueryError, match=r"since is .*give a day such as '2024-05-31'"):
            scores.filter(since=day)

    def test_days_the_wrong_way_round_are_refused(self, scores):
        with pytest.raises(QueryError, match="since is 2024-06-01 and until 2024-05-01"):
            scores.filter(since="2024-06-01", until="2024-05-01")


class Stub:
    """Stands for the search engine: scores of any direction over the same rows."""

    def __init__(self, table):
        self.table = table

    @property
    def paths(self):
        return self.table["path"]

    def score_vector(self, embedding, name, mode, ranking_by="cosine"):
        values = rows.matrix(self.table) @ embedding
        return Scores(name, mode, values, self.table, Cutoff(0.25), embedding, engine=self)


class TestRefined:
    @pytest.fixture
    def asked(self, scores):
        query = np.array([1, 0, 0], np.float32)
        return Stub(scores.rows).score_vector(query, "a dog", Mode.TEXT_TO_IMAGE)

    def test_scores_are_cosines_with_rocchios_query(self, asked):
        refined = asked.refined([Hit("trips/b.jpg", 0.0)], [Hit("trips 2024/c.jpg", 0.0)])
        query = np.array([1, 0.75, -0.15]) / np.sqrt(1 + 0.75**2 + 0.15**2)
        assert refined.values[:3] == pytest.approx(query, abs=1e-6)

    def test_says_what_it_is(self, asked):
        refined = asked.refined([Hit("trips/b.jpg", 0.0)])
        assert refined.query == "a dog, refined by 1 yes and 0 no"
        assert refined.mode == "mixed->image" and refined.noise_floor is None

    def test_rows_that_were_left_out_stay_out(self, asked):
        refined = asked.filter(folder="trips").refined([Hit("trips/b.jpg", 0.0)])
        assert np.isnan(refined.values).tolist() == [True, False, True, False]

    def test_weights_go_to_the_rule(self, asked):
        refined = asked.refined([Hit("trips/b.jpg", 0.0)], keep=0.0)
        assert refined.values[:2] == pytest.approx([0, 1], abs=1e-6)

    def test_refuses_no_marks_strangers_and_scores_of_no_library(self, asked, scores):
        with pytest.raises(QueryError, match="nothing is marked"):
            asked.refined([])
        with pytest.raises(QueryError, match="x.jpg is not among these rows"):
            asked.refined([Hit("x.jpg", 0.0)])
        with pytest.raises(QueryError, match="no library"):
            scores.refined([Hit("a.jpg", 0.0)])


def test_10_000_rows_are_filtered_and_folded_to_their_bursts():
    rng, dim = np.random.default_rng(0), 128  # the tiny model's
    centres = rng.normal(size=(2500, dim)).repeat(4, 0)  # bursts of four
    vectors = (centres + rng.normal(size=centres.shape) * 0.05).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    facts = [(f"{i % 7}/{i}.jpg", f"20{i % 24:02}-05-01T12:00:00") for i in range(10_000)]
    scores = make(facts, vectors, vectors @ vectors[0])
    hits = scores.filter(since="2001-01-01", until="2030-01-01").top(k=20, threshold=-1, near_duplicates=0.97)
    assert len(hits) == 20 and max(len(hit.duplicates) for hit in hits) == 3


class TestNear:
    """Paris, Versailles (17 km away) and a photo without a place."""

    @pytest.fixture
    def placed(self):
        about = {"kind": "image", "size": 1, "mtime_ns": 1}
        places = [("paris.jpg", 48.8566, 2.3522), ("versailles.jpg", 48.8049, 2.1204), ("nowhere.jpg", None, None)]
        records = [
            about | {"path": path, "digest": path, "latitude": latitude, "longitude": longitude}
            for path, latitude, longitude in places
        ]
        table = rows.table(records, np.eye(3, dtype=np.float32))
        return Scores("a dog", Mode.TEXT_TO_IMAGE, np.full(3, 0.5, np.float32), table, Cutoff(0.25))

    def test_keeps_what_was_taken_within_so_many_kilometres(self, placed):
        assert paths(placed.filter(near=(48.85, 2.35)).top()) == ["paris.jpg"]
        assert paths(placed.filter(near=(48.85, 2.35), km=20).top()) == ["paris.jpg", "versailles.jpg"]

    def test_keeps_what_was_taken_in_a_place_by_its_name(self, placed):
        pytest.importorskip("reverse_geocode")
        assert paths(placed.filter(place="France").top()) == ["paris.jpg", "versailles.jpg"]
        assert paths(placed.filter(place="Paris, FR").top()) == ["paris.jpg"]
        with pytest.raises(QueryError, match="taken in 'Versaille'; it has Versailles"):
            placed.filter(place="Versaille")
        with pytest.raises(QueryError, match=r"place is \(48, 2\): give a name such as 'Lisbon', or near="):
            placed.filter(place=(48, 2))

    def test_distances_are_those_of_the_sphere(self):
        # a quarter of a great circle is 10,007.5 km; London to New York is 5,570 km; across the date line 2 degrees
        latitudes, longitudes = np.array([0, 40.7128, 0, np.nan]), np.array([90, -74.0060, -179, 0])
        assert distances_km((0, 0), latitudes, longitudes)[0] == pytest.approx(10_007.5, abs=1)
        assert distances_km((51.5074, -0.1278), latitudes, longitudes)[1] == pytest.approx(5570, abs=5)
        assert distances_km((0, 179), latitudes, longitudes)[2] == pytest.approx(222.4, abs=0.1)
        assert np.isnan(distances_km((0, 0), latitudes, longitudes)[3])

    @pytest.mark.parametrize("near", ["Paris", (48.85,), (91, 0), (0, 181), (float("nan"), 0), 3])
    def test_a_place_that_is_none_is_named(self, placed, near):
        with pytest.raises(QueryError, match="near is .*give latitude and longitude in degrees"):
            placed.filter(near=near)

    @pytest.mark.parametrize("km", [0, -1, float("inf"), float("nan"), "5", True])
    def test_a_radius_that_is_none_is_named(self, placed, km):
        with pytest.raises(QueryError, match="km is .*more than 0"):
            placed.filter(near=(48.85, 2.35), km=km)
