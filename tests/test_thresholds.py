"""`make thresholds` in small: the truth it judges by, what it writes, and that the same seed writes the same."""

import json

import numpy as np
import pandas as pd
import pytest
import sample_truth
import thresholds
import thresholds_world
from thresholds_plots import FIGURES
from thresholds_simulation import coverage, simulated
from world import is_true

import cliplib
from cliplib import lab, models
from cliplib.calibrate.rules import RULES

SMALL = {"scenes": 60, "events": 20, "asking": 12}


@pytest.fixture(scope="module")
def encoder():
    return models.load("tiny", device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def drawn(encoder):
    return thresholds_world.draw_library(encoder, 3, **SMALL)


@pytest.fixture(scope="module")
def judged(encoder, drawn):
    return thresholds.tables(encoder, 3, drawn)[0]


@pytest.fixture(scope="module")
def compared(judged):
    """Every rule in every mode, against defaults of 0.3."""
    return thresholds.rules(judged, dict.fromkeys(thresholds.MODES, 0.3))


@pytest.fixture(scope="module")
def found(encoder, judged, drawn, compared):
    """The results of all experiments by name, as `thresholds.measure` gives them; every default is 0.99999."""
    shift = thresholds.shift(judged, {"picture": judged}, dict.fromkeys(thresholds.MODES, 0.99999))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thresholds, "GROWTH", (30, 60))
        growth = thresholds.growth(encoder, drawn)
    return {
        "rules": compared,
        "labelling": thresholds.labelling(judged),
        "growth": growth,
        "shift": pd.concat([shift, shift.assign(style="grain")]),
        "reliability": thresholds.reliability(judged),
    }


class TestWorld:
    def test_the_same_seed_draws_the_same_library(self, encoder, drawn):
        again = thresholds_world.draw_library(encoder, 3, **SMALL)
        assert again.hash == drawn.hash and np.array_equal(again.photos, drawn.photos)
        other = thresholds_world.draw_library(encoder, 3, **SMALL, style="pastel")
        assert other.hash != drawn.hash and other.scenes == drawn.scenes

    def test_half_of_the_queries_are_short_and_each_is_true_of_a_scene(self, drawn):
        texts, queries = thresholds_world.text_queries(1, drawn.scenes, 20)
        assert len(set(texts)) == 20
        assert all(any(is_true(query, scene) for scene in drawn.scenes) for query in queries)
        assert max(len(text.split()) for text in texts[:10]) <= 3 < np.mean([len(text.split()) for text in texts[10:]])
        assert not set(texts) & set(thresholds_world.text_queries(1, drawn.scenes, 10, taken=texts)[0])

    def test_judgements_are_the_renderers_truth(self, encoder, drawn):
        table, texts = thresholds_world.text_table(encoder, 1, drawn.scenes, drawn.photos)
        queries = dict(zip(*thresholds_world.text_queries(1, drawn.scenes), strict=True))
        n = len(drawn.scenes)
        for at in np.random.default_rng(0).integers(0, len(table), 50):
            query, scene = queries[texts[at // n]], drawn.scenes[at % n]
            assert table.relevant[at] == is_true(query, scene) and table.query[at] == at // n
            expected = encoder.encode_texts(texts[at // n])[0] @ drawn.photos[at % n]
            assert table.scores[at] == pytest.approx(float(expected), abs=1e-6)

    def test_a_picture_finds_its_redrawing_and_copies_not_its_look_alike(self, encoder, drawn):
        table = thresholds_world.image_table(encoder, 3, drawn)
        relevant = table.relevant.reshape(SMALL["asking"], len(drawn.scenes))
        assert (relevant.sum(1) >= 1 + thresholds_world.NEAR_DUPLICATES).all()
        assert not relevant[0, SMALL["scenes"] + 1 + thresholds_world.NEAR_DUPLICATES]


class TestExperiments:
    def test_each_table_can_be_drawn_and_repeats(self, judged, compared, tmp_path):
        assert set(compared["mode"]) == set(thresholds.MODES) and set(compared["rule"]) >= set(RULES)
        again = thresholds.rules(judged, dict.fromkeys(thresholds.MODES, 0.3))
        files = [
            lab.export(tmp_path / name, "rules", part, {"seed": 3}, FIGURES["rules"](part)).with_suffix(ending)
            for name, part in (("one", compared), ("two", again))
            for ending in (".csv", ".png")
        ]
        assert files[0].read_bytes() == files[2].read_bytes() and files[1].read_bytes() == files[3].read_bytes()

    def test_the_sentence_names_the_best_rule(self, judged, compared):
        said = thresholds.winners(judged, compared)
        for mode, of_mode in compared[compared["rule"].isin(RULES)].groupby("mode"):
            best = of_mode.loc[of_mode["f1"].idxmax()]
            assert f"{mode} {best['rule']} with F1 {best['f1']:.2f}" in said

    def test_thresholds_json_has_the_keys_that_are_asked(self, compared, tmp_path, monkeypatch):
        monkeypatch.setattr(thresholds, "REPO", tmp_path)
        (tmp_path / "build").mkdir()
        thresholds.write_json(compared)
        rows = json.loads((tmp_path / "build" / "thresholds.json").read_text())
        assert set(rows[0]) == {"mode", "rule", "precision", "recall", "f1", "f1_low", "f1_high"}
        assert {(row["mode"], row["rule"]) for row in rows} >= {(mode, "best F1") for mode in thresholds.MODES}

    def test_shift_counts_wins_over_the_default(self, found):
        frame = found["shift"]
        best = frame[(frame["rule"] == "best F1") & (frame["mode"] == "text->image")].iloc[0]
        assert best["wins"] == thresholds.DRAWS and best["difference_low"] > 0
        summary = thresholds.carried_over(frame).set_index("rule")
        assert summary.loc["best F1", "same_won"] == summary.loc["best F1", "shifted_won"] >= 1
        said = thresholds.plainly(summary.reset_index().assign(same_f1=0.9, same_labelled_there=0.92, shifted_f1=0.5))
        assert "fitted before 0.90, fitted there 0.92: it carries over" in said and "it does not carry over" in said

    def test_growth_and_reliability(self, found):
        frame = found["growth"]
        small = frame[frame["pictures"] == 30]
        assert (small["f1_old_cutoff"] == small["f1_new_cutoff"]).all() and set(frame["pictures"]) == {30, 60}
        assert found["reliability"][["promised", "found"]].stack().between(0, 1).all()

    def test_every_experiment_has_its_figure(self, found):
        assert all(FIGURES[name](table).axes for name, table in found.items())

    def test_the_report_has_every_table_and_says_where_intervals_do_not_hold(self, judged, found, capsys):
        thresholds.report(judged, found, {"paper": 0.95, "best F1": 0.8})
        said = capsys.readouterr().out
        assert thresholds.winners(judged, found["rules"]) in said
        assert all(f"{mode}: 60 held-out queries" in said for mode in thresholds.MODES)
        assert all(column in said for column in ("f1_old_cutoff", "labelled_there", "shifted_won", "promised"))
        assert "paper 95%, best F1 80%: NOT within 90 to 99 %" in said


def test_intervals_hold_what_they_promise_in_a_simulation():
    inside = coverage(seed=1, repeats=100)
    assert all(0.87 <= share <= 1 for share in inside.values()), inside  # 0.90 to 0.99 is asked of 400
    judged = simulated(np.random.default_rng(0))
    assert judged.scores[judged.relevant].mean() == pytest.approx(0.38, abs=0.01)


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
