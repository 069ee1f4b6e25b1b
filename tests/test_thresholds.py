"""`make thresholds` in small: the truth it judges by, what it writes, and that the same seed writes the same."""

import json

import numpy as np
import pandas as pd
import pytest

import cliplib
from cliplib import models
from cliplib.calibrate import lab
from cliplib.calibrate.rules import RULES
from data.sample_library import truth as sample_truth
from data.thresholds import drawn as worlds
from data.thresholds import experiments
from data.thresholds.plots import FIGURES
from data.thresholds.simulation import cell, odds_error, population, simulated, study
from data.world.scenes import is_true

SMALL = {"scenes": 60, "events": 20, "asking": 12}


@pytest.fixture(scope="module")
def encoder():
    return models.load("tiny", device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def drawn(encoder):
    return worlds.draw_library(encoder, 3, **SMALL)


@pytest.fixture(scope="module")
def judged(encoder, drawn):
    return experiments.tables(encoder, 3, drawn)[0]


@pytest.fixture(scope="module")
def compared(judged):
    """Every rule in every mode, against defaults of 0.3."""
    return experiments.rules(judged, dict.fromkeys(experiments.MODES, 0.3))


@pytest.fixture(scope="module")
def found(encoder, judged, drawn, compared):
    """The results of all experiments by name, as `experiments.measure` gives them; every default is 0.99999."""
    shift = experiments.shift(judged, {"picture": judged}, dict.fromkeys(experiments.MODES, 0.99999))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "GROWTH", (30, 60))
        growth = experiments.growth(encoder, drawn)
    return {
        "rules": compared,
        "labelling": experiments.labelling(judged),
        "growth": growth,
        "shift": pd.concat([shift, shift.assign(style="grain")]),
        "reliability": experiments.reliability(judged),
        **simulated_studies(),
        "recordings": pd.DataFrame(),
    }


def simulated_studies():
    """What `experiments.simulate` gives, of few studies of few queries."""
    intervals, promises = experiments.simulate(studies=2, queries=(5, 10), odds_studies=2)
    return {"intervals": intervals, "promises": promises}


class TestWorld:
    def test_the_same_seed_draws_the_same_library(self, encoder, drawn):
        again = worlds.draw_library(encoder, 3, **SMALL)
        assert again.hash == drawn.hash and np.array_equal(again.photos, drawn.photos)
        other = worlds.draw_library(encoder, 3, **SMALL, style="pastel")
        assert other.hash != drawn.hash and other.scenes == drawn.scenes

    def test_half_of_the_queries_are_short_and_each_is_true_of_a_scene(self, drawn):
        texts, queries = worlds.text_queries(1, drawn.scenes, 20)
        assert len(set(texts)) == 20
        assert all(any(is_true(query, scene) for scene in drawn.scenes) for query in queries)
        assert max(len(text.split()) for text in texts[:10]) <= 3 < np.mean([len(text.split()) for text in texts[10:]])
        assert not set(texts) & set(worlds.text_queries(1, drawn.scenes, 10, taken=texts)[0])

    def test_judgements_are_the_renderers_truth(self, encoder, drawn):
        table, texts = worlds.text_table(encoder, 1, drawn.scenes, drawn.photos)
        queries = dict(zip(*worlds.text_queries(1, drawn.scenes), strict=True))
        n = len(drawn.scenes)
        for at in np.random.default_rng(0).integers(0, len(table), 50):
            query, scene = queries[texts[at // n]], drawn.scenes[at % n]
            assert table.relevant[at] == is_true(query, scene) and table.query[at] == at // n
            expected = encoder.encode_texts(texts[at // n])[0] @ drawn.photos[at % n]
            assert table.scores[at] == pytest.approx(float(expected), abs=1e-6)

    def test_a_picture_finds_its_redrawing_and_copies_not_its_look_alike(self, encoder, drawn):
        table = worlds.image_table(encoder, 3, drawn)
        relevant = table.relevant.reshape(SMALL["asking"], len(drawn.scenes))
        assert (relevant.sum(1) >= 1 + worlds.NEAR_DUPLICATES).all()
        assert not relevant[0, SMALL["scenes"] + 1 + worlds.NEAR_DUPLICATES]


class TestExperiments:
    def test_each_table_can_be_drawn_and_repeats(self, judged, compared, tmp_path):
        assert set(compared["mode"]) == set(experiments.MODES) and set(compared["rule"]) >= set(RULES)
        again = experiments.rules(judged, dict.fromkeys(experiments.MODES, 0.3))
        files = [
            lab.export(tmp_path / name, "rules", part, {"seed": 3}, FIGURES["rules"](part)).with_suffix(ending)
            for name, part in (("one", compared), ("two", again))
            for ending in (".csv", ".png")
        ]
        assert files[0].read_bytes() == files[2].read_bytes() and files[1].read_bytes() == files[3].read_bytes()

    def test_the_sentence_names_the_best_rule(self, judged, compared):
        said = experiments.winners(judged, compared)
        for mode, of_mode in compared[compared["rule"].isin(RULES)].groupby("mode"):
            best = of_mode.loc[of_mode["f1"].idxmax()]
            assert f"{mode} {best['rule']} with F1 {best['f1']:.2f}" in said

    def test_thresholds_json_has_the_keys_that_are_asked(self, found, tmp_path, monkeypatch):
        monkeypatch.setattr(experiments, "REPO", tmp_path)
        (tmp_path / "build").mkdir()
        experiments.write_json(found)
        every = json.loads((tmp_path / "build" / "thresholds.json").read_text())
        rows, studies = [row for row in every if "mode" in row], [row for row in every if "design" in row]
        assert {(row["design"], row["queries"]) for row in studies} == {
            (d, q) for d in ("all", "clicked") for q in (5, 10)
        }
        told = [row for row in studies if row["queries"] == 10]
        assert all({"coverage_f1", "coverage_recall", "bias_f1", "width_f1", "untold"} <= set(row) for row in told)
        assert [row["design"] for row in studies if "odds_calibration_error" in row] == ["clicked"]
        assert set(rows[0]) == {"mode", "rule", "precision", "recall", "f1", "f1_low", "f1_high"}
        assert {(row["mode"], row["rule"]) for row in rows} >= {(mode, "best F1") for mode in experiments.MODES}

    def test_shift_counts_wins_over_the_default(self, found):
        frame = found["shift"]
        best = frame[(frame["rule"] == "best F1") & (frame["mode"] == "text->image")].iloc[0]
        assert best["wins"] == experiments.DRAWS and best["difference_low"] > 0
        summary = experiments.carried_over(frame).set_index("rule")
        assert summary.loc["best F1", "same_won"] == summary.loc["best F1", "shifted_won"] >= 1
        said = experiments.plainly(summary.reset_index().assign(same_f1=0.9, same_labelled_there=0.92, shifted_f1=0.5))
        assert "fitted before 0.90, fitted there 0.92: it carries over" in said and "it does not carry over" in said

    def test_growth_and_reliability(self, found):
        frame = found["growth"]
        small = frame[frame["pictures"] == 30]
        assert (small["f1_old_cutoff"] == small["f1_new_cutoff"]).all() and set(frame["pictures"]) == {30, 60}
        assert found["reliability"][["promised", "found"]].stack().between(0, 1).all()

    def test_every_experiment_has_its_figure(self, found):
        assert all(FIGURES[name](found[name]).axes for name in FIGURES)

    def test_the_report_has_every_table(self, judged, found, capsys):
        experiments.report(judged, found)
        said = capsys.readouterr().out
        assert experiments.winners(judged, found["rules"]) in said
        assert all(f"{mode}: 60 held-out queries" in said for mode in experiments.MODES)
        assert all(
            column in said
            for column in ("f1_old_cutoff", "labelled_there", "shifted_won", "promised", "coverage_recall")
        )


@pytest.fixture(scope="module")
def truth():
    return population(1, thousands=3)


class TestSimulation:
    def test_the_world_is_the_one_that_is_described(self):
        scores, relevant = simulated(np.random.default_rng(0), 400)
        own = scores - np.median(scores, axis=1, keepdims=True)
        assert np.median(relevant.sum(1)) == pytest.approx(6, abs=1) and scores.shape == (400, 1000)
        assert own[relevant].mean() == pytest.approx(0.07, abs=0.003)
        assert own[relevant].std() == pytest.approx(0.025, abs=0.002)
        assert own[~relevant].std() == pytest.approx(0.02, abs=0.001)

    @pytest.mark.parametrize("design", ["all", "clicked"])
    def test_intervals_hold_what_they_promise(self, truth, design):
        row = cell(truth, 1, 60, 20, design)
        assert all(row[f"coverage_{name}"] >= 0.83 for name in ("precision", "recall", "f1"))  # of 1,000: 0.90 is asked
        assert abs(row["bias_f1"]) <= 0.05 and row["width_f1"] <= 0.40 and row["untold"] == 0

    def test_five_queries_are_too_few_to_tell(self, truth):
        assert cell(truth, 1, 3, 5, "clicked")["untold"] == 1

    def test_fifteen_clicks_a_query_are_judged(self):
        judged = study(np.random.default_rng(0), 4, "clicked")
        assert len(judged) == 60 and judged.unjudged.count.sum() == 4 * 985

    def test_what_is_said_under_a_hit_holds(self):
        error, of_best_five, table = odds_error(2, 4, asked=100)
        assert error <= 0.06 and of_best_five <= 0.08 and table["hits"].sum() > 4000  # of 100 studies: 0.05 is asked


def test_the_truth_of_the_sample_is_that_of_queries_csv(tmp_path, repo):
    library = cliplib.Library(repo / "data" / "sample", model="tiny", cache=tmp_path)
    library.index(progress=False)
    for mode, queries in (("text->image", 50), ("image->image", 16), ("text->video", 56)):
        frame = sample_truth.judgements(library, mode)
        merged = library.judgements.merge(frame)
        assert merged.refused == [] and frame["query"].nunique() == queries
        assert frame.groupby("query")["relevant"].any().all()
    frame = library.judgements.frame()
    snow = frame[(frame["mode"] == "text->image") & (frame["query"] == "snow")]
    listed = dict(sample_truth.queries("text->image"))["snow"].split("|")
    assert len(snow) == 200 and set(snow.loc[snow["relevant"], "path"]) == set(listed)
