"""The lab on a small library: tables from judgements, profiles that change a search, exports, labelling, exploring."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import cliplib
from cliplib import lab
from cliplib.errors import CacheError, JudgementError
from cliplib.search.query import nonsense
from tests.libraries import draw_picture, draw_video, save_random_clip

TEXT = "text->image"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for number in range(8):
        draw_picture(root / f"p{number}.jpg", number)
    draw_video(root / "v.mp4", 7)
    return root


@pytest.fixture(scope="module")
def indexed(photos, weights, tmp_path_factory):
    """A cache with the index and no judgements, to be copied."""
    cache = tmp_path_factory.mktemp("cache") / "index"
    cliplib.Library(photos, model=weights, cache=cache).index(progress=False)
    return cache


@pytest.fixture
def library(photos, weights, indexed, tmp_path):
    import shutil

    shutil.copytree(indexed, tmp_path / "cache")
    return cliplib.Library(photos, model=weights, cache=tmp_path / "cache")


def judge_by_rank(library, queries=("a dog", "a cat", "a car"), relevant=3, mode=TEXT):
    """Say yes to the best `relevant` photos of each query, no to the others."""
    for query in queries:
        for rank, path in enumerate(library.score(query).to_frame()["path"]):
            library.judgements.add(mode, query, path, rank < relevant)


class TestTable:
    def test_scores_and_judgements_stay_together(self, library):
        judge_by_rank(library)
        table = lab.table(library, TEXT, noise=3)
        assert table.queries == ["a dog", "a cat", "a car"] and len(table.judged) == 24 and table.notes == []
        scores = library.score("a cat").to_frame().set_index("path")["score"]
        of_cat = table.rows[table.rows["query"] == "a cat"]
        assert of_cat["score"].tolist() == pytest.approx(scores[of_cat["path"]].tolist())
        assert set(of_cat.loc[of_cat["relevant"], "path"]) == set(scores.index[:3])
        assert table.judged.scores.tolist() == pytest.approx(table.rows["score"].tolist())
        assert len(table.judged.noise) == 3 and (table.judged.weight == 1).all()

    def test_the_majority_decides_and_a_tie_is_left_out_and_said(self, library):
        for judge, first, second in (("Ada", True, True), ("Ben", True, False), ("Cy", False, None)):
            library.judgements.add(TEXT, "a dog", "p0.jpg", first, judge=judge)
            if second is not None:
                library.judgements.add(TEXT, "a dog", "p1.jpg", second, judge=judge)
        table = lab.table(library, TEXT, noise=1)
        assert table.rows[["path", "relevant"]].values.tolist() == [["p0.jpg", True]]
        assert table.notes == ["the judges are split on p1.jpg for 'a dog': left out"]

    def test_the_query_picture_is_no_candidate_and_frames_are_found_by_time(self, library):
        library.judgements.add("image->image", "p0.jpg", "p1.jpg", True)
        assert len(lab.table(library, "image->image", noise=1).judged) == 1
        time_s = library.search_videos("a dog", k=1, threshold=-1)[0].time_s
        library.judgements.add("text->video", "a dog", "v.mp4", True, time_s=time_s)
        assert lab.table(library, "text->video", noise=1).rows["time_s"].tolist() == [time_s]

    def test_a_picture_that_has_gone_is_said(self, library, monkeypatch):
        judge_by_rank(library, ["a dog"])
        frame = library.judgements.frame().replace({"path": {"p0.jpg": "gone.jpg"}})
        monkeypatch.setattr(library.judgements, "frame", lambda: frame)
        table = lab.table(library, TEXT, noise=1)
        assert table.notes == ["1 judged pictures of 'a dog' are no longer among its results"]
        assert len(table.judged) == 7

    def test_a_query_that_cannot_be_asked_is_said(self, library):
        judge_by_rank(library, ["a dog"])
        library.judgements.add(TEXT, "...", "p0.jpg", True)
        (note,) = lab.table(library, TEXT, noise=1).notes
        assert "the query '...' was left out" in note and "no words" in note

    def test_nothing_judged_says_what_to_do(self, library):
        with pytest.raises(JudgementError, match=r"nothing is judged for text->image yet: label some queries"):
            lab.table(library, TEXT)

    def test_judgements_of_which_none_can_be_used_are_not_called_missing(self, library):
        for judge, relevant in (("Ada", True), ("Ben", False)):
            library.judgements.add(TEXT, "a dog", "p0.jpg", relevant, judge=judge)
        with pytest.raises(
            JudgementError, match=r"no judgement for text->image can be used \(the judges are split on p0"
        ):
            lab.table(library, TEXT)

    @pytest.mark.parametrize("ask", [lab.table, lambda library, mode: lab.question(mode, "a dog")])
    def test_an_unknown_mode_is_refused(self, library, ask):
        with pytest.raises(JudgementError, match="mode is 'text': it can be text->image"):
            ask(library, "text")


class TestSampling:
    def test_candidates_are_the_top_and_a_sample_of_the_others(self):
        values = np.array([0.1, np.nan, 0.9, 0.8, 0.2, 0.3, 0.7])
        picked = lab.candidates(values, top=3, below=2, seed=1)
        assert picked[:3].tolist() == [2, 3, 6] and set(picked[3:]) < {0, 4, 5} and len(set(picked)) == 5
        assert lab.candidates(values, top=3, below=99).tolist()[:3] == [2, 3, 6]
        assert sorted(lab.candidates(values, top=99)) == [0, 2, 3, 4, 5, 6]
        assert lab.candidates(values, 3, 2, seed=1).tolist() == picked.tolist()

    def test_weights_by_hand(self):
        # of 10 pictures, ranks 0 to 2 are judged without a gap; 5 and 9 stand for the seven others
        assert lab.weights(np.array([0, 1, 2, 5, 9]), 10).tolist() == [1, 1, 1, 3.5, 3.5]
        assert lab.weights(np.array([9, 0]), 10).tolist() == [9, 1]
        assert lab.weights(np.arange(10), 10).tolist() == [1] * 10
        assert lab.weights(np.array([0, 1]), 10).tolist() == [1, 1]

    def test_weights_make_the_precision_of_a_sample_that_of_all(self):
        # Horvitz and Thompson: over many samples the weighted count is right on average
        random = np.random.default_rng(0)
        relevant = random.random(200) < 0.2
        counts = []
        for seed in range(400):
            picked = lab.candidates(-np.arange(200.0), top=10, below=20, seed=seed)
            counts.append((lab.weights(picked, 200) * relevant[picked]).sum())
        assert np.mean(counts) == pytest.approx(relevant.sum(), rel=0.03)


class TestProfile:
    def test_calibrating_changes_what_search_returns_and_survives_a_restart(self, library, weights, photos):
        judge_by_rank(library, ["a dog"])
        before = library.search("a dog")
        table = lab.table(library, TEXT, noise=2)
        profile = lab.calibrate(library, table, "best F1")
        best = library.score("a dog").to_frame()
        assert best["score"][3] < profile.threshold < best["score"][2]
        hits = library.search("a dog")
        assert [hit.path for hit in hits] == best["path"][:3].tolist() != [hit.path for hit in before]
        again = cliplib.Library(photos, model=weights, cache=library.cache)
        assert again.threshold(TEXT) == profile.threshold and again.search("a dog") == hits
        assert again.threshold("image->image") == 0.70
        library.profiles.remove(TEXT)
        assert library.search("a dog") == before

    def test_another_model_shares_the_judgements_and_is_refused_the_profile(self, library, tmp_path, photos):
        judge_by_rank(library, ["a dog"])
        lab.calibrate(library, lab.table(library, TEXT, noise=2))
        (file,) = library.store.folder.glob("profile-*.json")
        other = cliplib.Library(photos, model=save_random_clip(tmp_path / "other.safetensors", 1), cache=library.cache)
        other.index(progress=False)
        assert len(lab.table(other, TEXT, noise=1).judged) == 8
        (other.store.folder / file.name).write_bytes(file.read_bytes())
        with pytest.raises(CacheError, match=r"random.safetensors.*other.safetensors.*Calibrate again"):
            other.search("a dog")

    def test_a_hit_carries_its_expected_precision(self, library):
        judge_by_rank(library, ["a dog"])
        assert library.search("a dog", threshold=-1)[0].expected_precision is None
        lab.calibrate(library, lab.table(library, TEXT, noise=2))
        hits = library.search("a dog", k=8, threshold=-1)
        assert hits[0].expected_precision == 1.0 and hits[-1].expected_precision < 0.5
        assert "(nearly all at this score are right)" in str(hits[0])
        assert "nearly all at this score are right" in hits._repr_html_()
        shares = [hit.expected_precision for hit in hits]
        assert shares == sorted(shares, reverse=True)
        composed = 2 * cliplib.text("a dog") - cliplib.text("a cat")
        assert library.search(composed, threshold=-1)[0].expected_precision is None  # which nobody measured

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            ("largest gap", "'largest gap' cuts each query on its own, and a profile is one number: choose one of p"),
            ("luck", "'luck' is no rule: choose one of paper, best F1, noise floor"),
        ],
    )
    def test_what_is_no_single_cutoff_is_refused(self, library, rule, message):
        judge_by_rank(library)
        with pytest.raises(JudgementError, match=message):
            lab.calibrate(library, lab.table(library, TEXT, noise=2), rule)

    def test_one_label_only_is_said(self, library):
        library.judgements.add(TEXT, "a dog", "p0.jpg", False)
        with pytest.raises(JudgementError, match="at least one relevant picture"):
            lab.calibrate(library, lab.table(library, TEXT, noise=2), "best F1")

    def test_one_query_is_too_few_to_compare_and_that_is_said(self, library):
        judge_by_rank(library, ["a dog"])
        frame = lab.compare_rules(library, lab.table(library, TEXT, noise=2)).set_index("rule")
        assert frame.loc["best F1", "note"] == "1 judged queries cannot be parted into 2: judge more, or ask fewer"
        assert frame.loc["fixed: the paper's", "f1"] >= 0

    def test_rules_are_compared_even_where_some_cannot_be_fitted(self, library):
        judge_by_rank(library, relevant=0)
        frame = lab.compare_rules(library, lab.table(library, TEXT, noise=5)).set_index("rule")
        assert "at least one relevant" in frame.loc["paper", "note"] and np.isnan(frame.loc["paper", "f1"])
        assert frame.loc["fixed: the paper's", "cutoff"] == 0.25 and frame.loc["noise floor", "recall"] == 1.0


class TestNoise:
    def test_noise_pictures_are_seeded(self):
        first, second = lab.noise_pictures(2, seed=3), lab.noise_pictures(2, seed=3)
        assert [a.tobytes() for a in first] == [b.tobytes() for b in second]
        assert first[0].tobytes() != first[1].tobytes() and first[0].size == (224, 224)

    def test_noise_is_the_best_score_over_the_library(self, library):
        best = lab.noise_scores(library, TEXT, 2, seed=4)
        assert best.tolist() == pytest.approx([library.score(text).values.max() for text in nonsense(2, 4)])


class TestExport:
    def test_the_same_experiment_gives_the_same_files(self, tmp_path):
        from matplotlib.figure import Figure

        frame = pd.DataFrame({"rule": ["paper"], "f1": [1 / 3]})
        files = []
        for name in ("one", "two"):
            figure = Figure()
            figure.subplots().plot([0, 1])
            file = lab.export(tmp_path / name, "rules", frame, {"seed": 7, "model_id": "abc", "library": "def"}, figure)
            files.append([file.with_suffix(ending).read_bytes() for ending in (".csv", ".json", ".png")])
        assert files[0] == files[1]
        assert files[0][0] == b"rule,f1\npaper,0.333333\n"
        about = json.loads(files[0][1])
        assert (about["seed"], about["model_id"], about["library"]) == (7, "abc", "def")
        assert {"cliplib", "numpy", "scikit-learn"} <= set(about["versions"])

    def test_the_hash_of_a_library_follows_its_pictures_not_their_names(self, library, photos, weights, tmp_path):
        shutil.copytree(photos, tmp_path / "renamed", ignore=shutil.ignore_patterns(".cliplib"))
        (tmp_path / "renamed" / "p0.jpg").rename(tmp_path / "renamed" / "other.jpg")
        renamed = cliplib.Library(tmp_path / "renamed", model=weights)
        renamed.index(progress=False)
        assert lab.library_hash(renamed) == lab.library_hash(library)
        draw_picture(tmp_path / "renamed" / "new.jpg", 99)
        renamed.index(progress=False)
        assert lab.library_hash(renamed) != lab.library_hash(library)
