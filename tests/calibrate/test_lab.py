"""The lab on a small library: tables from judgements, profiles that change a search, exports, labelling, exploring."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import cliplib
from cliplib.calibrate import lab
from cliplib.calibrate.sampling import sample
from cliplib.errors import CacheError, JudgementError
from cliplib.search.query import nonsense
from tests.harness.libraries import draw_picture, draw_video, save_random_clip

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
        for rank, path in enumerate(library.score(query, ranking="cosine").to_frame()["path"]):
            library.judgements.add(mode, query, path, rank < relevant)


class TestTable:
    def test_scores_and_judgements_stay_together(self, library):
        judge_by_rank(library)
        table = lab.table(library, TEXT, noise=3)
        assert table.queries == ["a dog", "a cat", "a car"] and len(table.judged) == 24 and table.notes == []
        scores = library.score("a cat", ranking="cosine").to_frame().set_index("path")["score"]
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
        assert table.notes[0] == "the judges are split on p1.jpg for 'a dog': left out" and len(table.notes) == 2

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
        assert table.notes[0] == "1 judged pictures of 'a dog' are no longer among its results"
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

    @pytest.mark.parametrize("ask", [lab.table, lambda library, mode: lab.as_query(mode, "a dog")])
    def test_an_unknown_mode_is_refused(self, library, ask):
        with pytest.raises(JudgementError, match="mode is 'text': it can be text->image"):
            ask(library, "text")


def click(library, queries, truth, top=2, below=2, judge="", **changes):
    """Judge as the labelling box does: what is sampled for each query, with its provenance; `truth` are the paths."""
    for number, query in enumerate(queries):
        scores = library.score(query)
        picked = sample(scores.values, top, below, seed=number)
        paths = scores.rows["path"].take(picked.rows).to_pylist()
        for path, origin, probability in zip(paths, picked.origins, picked.probability, strict=True):
            how = {"origin": origin, "probability": probability, "ranking": "cosine", "judge": judge}
            how |= {"model_id": library.encoder.model_id} | changes
            library.judgements.add(TEXT, query, path, path in truth, **how)


class TestProvenance:
    QUERIES = ("a dog", "a cat", "a car")

    def test_weights_are_one_over_the_probability_and_the_rest_is_known(self, library):
        click(library, ["a dog"], {"p0.jpg"})
        table = lab.table(library, TEXT, noise=1)
        assert table.provenance_known and table.notes == []
        assert table.rows["weight"].tolist() == pytest.approx((1 / table.rows["probability"]).tolist())
        assert len(table.judged) == 4 and table.judged.unjudged.count.sum() == 4

    def test_a_tie_between_judges_makes_no_other_picture_heavier(self, library):
        click(library, self.QUERIES, {"p0.jpg"}, judge="Ada")
        before = lab.table(library, TEXT, noise=1).rows.set_index(["query", "path"])["weight"]
        second = library.score("a dog").to_frame()["path"][1]
        library.judgements.add(TEXT, "a dog", second, second != "p0.jpg", judge="Ben")  # the other way round
        after = lab.table(library, TEXT, noise=1).rows.set_index(["query", "path"])["weight"]
        assert ("a dog", second) not in after.index
        assert (after == before[after.index]).all()

    def test_a_new_picture_at_rank_one_changes_no_weight(self, library, monkeypatch):
        click(library, self.QUERIES, {"p0.jpg"})
        before = lab.table(library, TEXT, noise=1)
        real = type(library).score

        def grown(self, query, kind="image", ranking=None):
            frame = real(self, query, kind, ranking).to_frame()
            new = pd.DataFrame({"path": ["new.jpg"], "time_s": [float("nan")], "score": [0.99]})
            grown_frame = pd.concat([new, frame], ignore_index=True)
            return SimpleNamespace(to_frame=lambda: grown_frame, matching=None)

        monkeypatch.setattr(type(library), "score", grown)
        after = lab.table(library, TEXT, noise=1)
        assert after.rows["weight"].tolist() == before.rows["weight"].tolist()
        assert after.judged.unjudged.count.sum() == before.judged.unjudged.count.sum() + 3

    def test_a_query_left_after_its_top_pictures_does_not_read_a_recall_of_one(self, library):
        click(library, self.QUERIES, {f"p{n}.jpg" for n in range(8)}, top=2, below=0)
        table = lab.table(library, TEXT, noise=1)
        recall = table.judged.rates(np.array([table.judged.scores.min()]))[:, 0, 1]
        assert recall.mean() < 0.9 and (recall < 1).all()

    def test_judgements_of_another_models_pool_are_known_as_such(self, library):
        click(library, self.QUERIES, {"p0.jpg"})
        assert not lab.table(library, TEXT, noise=1).judged.borrowed
        click(library, ["a tree"], {"p0.jpg"}, model_id="another")
        assert lab.table(library, TEXT, noise=1).judged.borrowed

    def test_thumbs_stand_for_no_other_picture(self, library):
        click(library, ["a dog"], {"p0.jpg"})
        library.judgements.add(TEXT, "a cat", "p1.jpg", True)
        table = lab.table(library, TEXT, noise=1)
        assert table.queries == ["a dog"]
        assert table.notes == [
            "1 judgements do not say how their picture was chosen: weights unknown, they are left out"
        ]

    def test_old_judgements_load_and_their_figures_have_no_intervals(self, library):
        rows = [
            [TEXT, f"a {word}", f"p{number}.jpg", None, number < 2, "", f"2026-01-0{number + 1}T00:00:00+00:00"]
            for word in ("dog", "cat", "car", "cow", "bus", "tree", "house", "boat", "star")
            for number in range(3)
        ]
        library.judgements.folder.mkdir(parents=True, exist_ok=True)
        (library.judgements.folder / "judgements-2026-01-01-old.json").write_text(json.dumps(rows))
        frame = library.judgements.frame()
        assert len(frame) == 27 and (frame["origin"] == "").all() and frame["probability"].isna().all()
        table = lab.table(library, TEXT, noise=3)
        assert not table.provenance_known and "weights unknown" in table.notes[0]
        compared = lab.compare_rules(library, table).set_index("rule")
        assert np.isfinite(compared.loc["best F1", "f1"]) and np.isnan(compared.loc["best F1", "f1_low"])
        assert "weights unknown" in compared.loc["best F1", "note"]
        lab.calibrate(library, table)
        assert library.search("a dog", threshold=-1)[0].odds == ""


class TestAgreement:
    def test_kappa_by_hand(self, library):
        # ten pictures: both yes 4, both no 3, one each way the rest; agreed 0.7, by chance 0.6 x 0.5 + 0.4 x 0.5 = 0.5
        first = [1, 1, 1, 1, 0, 0, 0, 1, 1, 0]
        second = [1, 1, 1, 1, 0, 0, 0, 0, 0, 1]
        pictures = [(query, f"p{n}.jpg") for query in ("a dog", "a cat") for n in range(5)]
        for (query, path), one, other in zip(pictures, first, second, strict=True):
            library.judgements.add(TEXT, query, path, bool(one), judge="Ada")
            library.judgements.add(TEXT, query, path, bool(other), judge="Ben")
        (row,) = lab.agreement(library.judgements.frame()).to_dict("records")
        assert (row["judge"], row["other"], row["pictures"]) == ("Ada", "Ben", 10)
        assert row["agree"] == pytest.approx(0.7) and row["kappa"] == pytest.approx(0.4)

    def test_one_judge_has_no_pair(self, library):
        library.judgements.add(TEXT, "a dog", "p0.jpg", True)
        assert len(lab.agreement(library.judgements.frame())) == 0


class TestProfile:
    def test_calibrating_changes_what_search_returns_and_survives_a_restart(self, library, weights, photos):
        judge_by_rank(library, ["a dog"])
        before = library.search("a dog")
        table = lab.table(library, TEXT, noise=2)
        profile = lab.calibrate(library, table, "best F1")
        best = library.score("a dog", ranking="cosine").to_frame()
        assert best["score"][3] < profile.threshold < best["score"][2]
        hits = library.search("a dog")
        assert [hit.path for hit in hits] == best["path"][:3].tolist() != [hit.path for hit in before]
        again = cliplib.Library(photos, model=weights, cache=library.cache)
        assert again.threshold(TEXT) == profile.threshold
        assert [hit.path for hit in again.search("a dog")] == [hit.path for hit in hits]
        assert again.threshold("image->image") == 0.70
        library.profiles.remove(TEXT)
        assert [hit.path for hit in library.search("a dog")] == [hit.path for hit in before]

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

    def test_a_hit_carries_its_expected_precision_and_how_sure_that_is(self, library):
        words = ("dog", "cat", "car", "cow", "bus", "tree", "house", "boat", "star", "ship")
        judge_by_rank(library, [f"a {word}" for word in words])
        assert library.search("a dog", threshold=-1)[0].expected_precision is None
        lab.calibrate(library, lab.table(library, TEXT, noise=2))
        hits = library.search("a dog", k=8, threshold=-1)
        assert hits[0].expected_precision > 0.9 and hits[-1].expected_precision < 0.1
        shares = [hit.expected_precision for hit in hits]
        assert shares == sorted(shares, reverse=True)
        assert all(low <= hit.expected_precision <= high for hit in hits for low, high in [hit.precision_range])
        assert "at this score are right" in str(hits[0]) and hits[0].odds in hits._repr_html_()
        composed = 2 * cliplib.text("a dog") - cliplib.text("a cat")
        assert library.search(composed, threshold=-1)[0].expected_precision is None  # which nobody measured

    def test_three_clicks_make_no_promise(self, library):
        for path in ("p0.jpg", "p1.jpg", "p2.jpg"):
            library.judgements.add(TEXT, "a dog", path, True)
        lab.calibrate(library, lab.table(library, TEXT, noise=2))
        assert library.search("lorem ipsum", threshold=-1)[0].odds == ""

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
        assert frame.loc["best F1", "note"] == "1 judged query leaves none to fit a rule on: judge more"
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


class TestStudy:
    """A table of ten queries, each with three relevant pictures at its top, all judged."""

    @pytest.fixture
    def table(self, library):
        words = ("dog", "cat", "car", "cow", "bus", "tree", "house", "boat", "star", "ship")
        judge_by_rank(library, [f"a {word}" for word in words])
        return lab.table(library, TEXT, noise=3)

    def test_rules_are_compared_in_pairs_with_fixed_cutoffs_among_them(self, library, table):
        pairs = lab.compare_pairs(library, table, against="fixed: the paper's").set_index("rule")
        assert {"best F1", "paper"} <= set(pairs.index) and (pairs["p_holm"] >= pairs["p"]).all()
        with pytest.raises(JudgementError, match="'luck' has no figures to compare with: choose one of paper, best F1"):
            lab.compare_pairs(library, table, against="luck")

    def test_the_winner_is_the_best_of_the_rules(self, table):
        found = lab.winner(table)
        assert found["rule"] in lab.RULES and found["f1_corrected"] == pytest.approx(found["f1"] - found["optimism"])

    def test_the_curve_ends_where_all_and_where_nothing_is_accepted(self, table):
        curve = lab.precision_recall(table)
        assert curve.iloc[0][["precision", "recall"]].tolist() == pytest.approx([3 / 8, 1])
        assert (curve["recall"].diff().dropna() <= 1e-9).all() and curve["recall"].iloc[-1] == 0

    def test_ten_more_clicks_narrow_the_interval_as_more_queries_do(self, table):
        now, then = lab.ten_more_clicks(table)  # eight pictures a query: ten clicks are 1.25 queries
        assert then / now == pytest.approx(np.sqrt(10 / 11.25))

    def test_designs_are_read_beside_all_pictures(self, table):
        read = lab.by_design(table, designs=[(2, 3)])
        assert read.index.tolist() == ["every picture", "2 + 3"]
        row = lab.compare_rules(SimpleNamespace(encoder=SimpleNamespace(thresholds={})), table).set_index("rule")
        assert read.loc["every picture", "f1"] == pytest.approx(row.loc["best F1", "f1"])
        with pytest.raises(JudgementError, match="needs every picture judged"):
            lab.by_design(replace(table, judged=table.judged.clicked(2, 3)))

    def test_the_figure_has_a_bar_for_each_rule_with_figures(self, library, table):
        rules = lab.compare_rules(library, table)
        assert len(lab.rules_figure(rules).axes[0].patches) == rules["f1"].notna().sum()
        facts = lab.about(library, seed=3)
        assert facts == {"seed": 3, "model_id": library.encoder.model_id, "library": lab.library_hash(library)}

    def test_match_without_labels_is_compared_as_a_rule(self, library):
        queries = ("a dog", "a cat", "a car")
        judge_by_rank(library, queries)
        table, f1 = lab.table(library, TEXT, noise=2), []
        for query in queries:
            scores = library.score(query)
            frame = scores.to_frame()
            shown = set(frame.loc[frame["match"] >= scores.matching.cutoff, "path"])
            right = set(frame.sort_values("score", ascending=False)["path"][:3])
            f1.append(2 * len(shown & right) / (len(shown) + len(right)))
        row = lab.compare_rules(library, table).set_index("rule").loc["match without labels"]
        assert row["f1"] == pytest.approx(np.mean(f1)) and np.isnan(row["cutoff"])
        assert "match without labels" in set(lab.compare_pairs(library, table, "best F1")["rule"])
        with pytest.raises(JudgementError, match="has no number to keep: it is what a search does without a profile"):
            lab.calibrate(library, table, "match without labels")

    def test_clicks_by_cosine_are_weighed_where_matches_are_compared(self, library):
        click(library, ("a dog", "a cat", "a car"), {"p0.jpg", "p3.jpg"})
        table = lab.table(library, TEXT, noise=2)
        assert table.matched.judged.borrowed and not table.judged.borrowed
        assert table.matched.judged.weight.tolist() == table.judged.weight.tolist()

    def test_the_old_names_still_work_for_a_version(self, library):
        judge_by_rank(library)
        table = lab.table(library, TEXT, noise=1)
        with pytest.warns(DeprecationWarning, match="Table.weights_known is called provenance_known now"):
            assert table.weights_known is True
        with pytest.warns(DeprecationWarning, match="Judged.is_whole is called all_judged now"):
            assert table.judged.is_whole is True
        with pytest.warns(DeprecationWarning, match="question is called .*as_query now"):
            assert lab.question(TEXT, "a dog") == ("a dog", "image")

    def test_the_old_name_still_works_and_says_where_it_has_gone(self):
        import importlib
        import sys

        sys.modules.pop("cliplib.lab", None)
        with pytest.warns(DeprecationWarning, match="use `from cliplib.calibrate import lab`"):
            old = importlib.import_module("cliplib.lab")
        assert old.table is lab.table and old.RULES is lab.RULES
