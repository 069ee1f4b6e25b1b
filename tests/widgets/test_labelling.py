"""The labelling box and the explorer, driven as a person would: click, press a key, move a slider, come back."""

import pytest

pytest.importorskip("ipywidgets")

import cliplib
from cliplib.calibrate import lab
from cliplib.calibrate.judgements import Judgements
from cliplib.models.clip_encoder import ClipEncoder
from cliplib.widgets.explorer import ALL, Explorer, ExplorerService, cut, plot
from cliplib.widgets.labelling import Judging, JudgingService, LabellingBox, tasks
from tests.harness.libraries import draw_picture, draw_video

TEXT = "text->image"
QUERIES = ["a dog", "a cat"]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory, weights):
    """A library of eight photos and a video, indexed once; each test has a table of judgements of its own."""
    root = tmp_path_factory.mktemp("photos")
    for number in range(8):
        draw_picture(root / f"p{number}.jpg", number)
    draw_video(root / "v.mp4", 7)
    library = cliplib.Library(root, model=weights)
    library.index(progress=False)
    return library


@pytest.fixture
def library(indexed, tmp_path, monkeypatch):
    monkeypatch.setattr(indexed, "judgements", Judgements(tmp_path / "judgements", lambda: indexed.store.rows))
    return indexed


def answers(library):
    frame = library.judgements.frame()
    return list(zip(frame["query"], frame["path"], frame["relevant"], strict=True))


class TestTasks:
    def test_the_top_comes_first_then_a_sample_from_below(self, library):
        found = tasks(library, QUERIES, top=3, below=2, shuffle=False)
        assert [task.query for task in found] == ["a dog"] * 5 + ["a cat"] * 5
        ranked = library.score("a dog", ranking="cosine").to_frame()["path"].tolist()
        assert [task.hit.path for task in found[:3]] == ranked[:3]
        assert {task.hit.path for task in found[3:5]} < set(ranked[3:])

    def test_the_query_picture_is_not_judged(self, library):
        assert "p0.jpg" not in {task.hit.path for task in tasks(library, ["p0.jpg"], "image->image", top=99)}

    def test_a_photo_named_in_another_way_is_the_one_in_the_index(self, library):
        (query, *_), *_ = tasks(library, [library.root / "p0.jpg"], "image->image")
        assert query == "p0.jpg"


class TestLabelling:
    def test_clicks_are_kept_at_once_and_the_next_picture_comes(self, library):
        box = LabellingBox(library, QUERIES, judge="Ada", top=2, below=1)
        first = box.tasks[0][1].path
        assert first in box.picture.value and "<b>a dog</b>" in box.picture.value and "<img" in box.picture.value
        box.yes.click()
        assert answers(library) == [("a dog", first, True)]
        assert box.tasks[1][1].path in box.picture.value and box.progress.value == 1
        box.no.click()
        assert answers(library)[1] == ("a dog", box.tasks[1][1].path, False)
        assert library.judgements.frame()["judge"].tolist() == ["Ada", "Ada"]

    def test_keys_answer_and_go_back(self, library):
        box = LabellingBox(library, ["a dog"], top=2, below=1)
        for key in "yn":
            box.entry.value = key
            assert box.entry.value == ""
        assert [relevant for *_, relevant in answers(library)] == [True, False]
        box.entry.value = "b"
        box.entry.value = "y"  # the last word counts
        assert [relevant for *_, relevant in answers(library)] == [True, True]
        box.entry.value = "x"  # no such key
        assert len(answers(library)) == 2 and box.entry.value == ""

    def test_it_resumes_where_this_judge_stopped(self, library):
        box = LabellingBox(library, QUERIES, judge="Ada", top=2, below=0)
        box.yes.click()
        again = LabellingBox(library, QUERIES, judge="Ada", top=2, below=0)
        assert again.at == 1 and "1 of 4 judged" in again.picture.value
        assert LabellingBox(library, QUERIES, judge="Ben", top=2, below=0).at == 0

    def test_the_end_is_said_and_back_leads_out_of_it(self, library):
        box = LabellingBox(library, ["a dog"], top=1, below=0)
        box.yes.click()
        assert "All done" in box.picture.value and box.yes.disabled
        box.yes.click()
        box.answer(True)  # nothing is left to answer
        assert len(answers(library)) == 1
        box.before.click()
        box.no.click()
        assert [relevant for *_, relevant in answers(library)] == [False]

    def test_frames_are_judged_at_their_time(self, library):
        box = LabellingBox(library, ["a dog"], "text->video", top=1, below=0)
        assert " at 0:0" in box.picture.value
        box.yes.click()
        assert library.judgements.frame()["time_s"].tolist() == [box.tasks[0][1].time_s]

    def test_a_picture_that_asks_is_shown(self, library):
        box = LabellingBox(library, [str(library.root / "p0.jpg")], "image->image", top=1, below=0)
        assert box.picture.value.count("<img") == 2 and "the same as <b>p0.jpg</b>" in box.picture.value

    def test_what_cannot_be_saved_is_said_and_not_counted(self, library, monkeypatch):
        box = LabellingBox(library, ["a dog"], top=2, below=0)
        monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        box.yes.click()
        assert "No space left" in box.said.value and box.at == 0 and box.progress.value == 0

    def test_words_of_a_query_are_escaped(self, library):
        assert "<script" not in LabellingBox(library, ["a <script>dog"], top=1, below=0).picture.value


@pytest.fixture
def table(library):
    """The best three of eight are relevant to each query."""
    for query in QUERIES:
        for rank, path in enumerate(library.score(query).to_frame()["path"]):
            library.judgements.add(TEXT, query, path, rank < 3)
    return lab.table(library, TEXT, noise=2)


class TestExplorer:
    def test_cut_by_hand(self, table):
        scores = sorted(table.rows.loc[table.rows["query"] == "a dog", "score"], reverse=True)
        rates, accepted, rejected = cut(table, scores[1], "a dog")
        assert rates.tolist() == pytest.approx([1, 2 / 3, 0.8])  # two of three found, nothing wrong
        assert accepted["score"].tolist() == [scores[1], scores[0]]  # the nearest first
        assert rejected["score"].tolist() == scores[2:]
        rates, accepted, _ = cut(table, -1)
        assert rates.tolist()[:2] == pytest.approx([3 / 8, 1]) and len(accepted) == 16

    def test_the_slider_moves_pictures_and_encodes_nothing(self, library, table, monkeypatch):
        box = Explorer(library, table)
        monkeypatch.setattr(ClipEncoder, "encode_texts", lambda *_: pytest.fail("encoded"))
        box.cutoff.value = box.cutoff.min
        assert "accepted: 16" in box.page.value and "rejected: 0" in box.page.value
        box.cutoff.value = box.cutoff.max
        assert "rejected: 16" in box.page.value and "recall 0.00" in box.page.value
        assert box.page.value.count("<figure") == 6

    def test_one_query_alone(self, library, table):
        box = Explorer(library, table)
        assert box.query.options == (ALL, *QUERIES)
        box.cutoff.value = box.cutoff.min
        box.query.value = "a cat"
        assert "accepted: 8" in box.page.value and "precision 0.38" in box.page.value

    def test_it_starts_at_what_the_library_uses(self, library, table):
        lab.calibrate(library, table)
        try:
            assert Explorer(library, table).cutoff.value == pytest.approx(library.threshold(TEXT), abs=0.005)
        finally:
            library.profiles.remove(TEXT)

    def test_the_histogram_has_both_sides(self, table):
        drawn = plot(table, 0.0)
        assert 0 < drawn.count('class="other"') < drawn.count("<rect") and "<line" in drawn
        assert "6 relevant scores above, 10 irrelevant below" in drawn


class TestInThePage:
    """The same, asked by the page: what its services answer."""

    def test_pictures_are_judged_one_after_another_and_the_end_leads_on(self, library):
        service = JudgingService(Judging(library, ["a dog"], judge="Ada", top=2, below=0))
        first, _ = service.answer({"do": "task"})
        assert first["query"] == "a dog" and (first["done"], first["of"]) == (0, 2) and len(first["next"]) == 1
        second, _ = service.answer({"do": "answered", "relevant": True})
        assert second["tile"]["path"] == first["next"][0]["path"]
        assert service.answer({"do": "before"})[0]["tile"] == first["tile"]
        service.answer({"do": "answered", "relevant": False})
        end, _ = service.answer({"do": "answered", "relevant": True})
        assert (
            "tile" not in end
            and "1 right and 1 wrong for 1 query" in end["summary"]
            and "cells below" in end["summary"]
        )
        assert [relevant for *_, relevant in answers(library)] == [False, True]

    def test_a_photo_that_asks_is_shown(self, library):
        service = JudgingService(Judging(library, [str(library.root / "p0.jpg")], "image->image", top=1, below=0))
        assert service.answer({"do": "task"})[0]["query_tile"]["path"] == "p0.jpg"

    def test_a_cutoff_moves_pictures_and_encodes_nothing(self, library, table, monkeypatch):
        service = ExplorerService(library, table)
        about, _ = service.answer({"do": "table"})
        assert about["queries"] == QUERIES and about["range"][0] <= about["cutoff"] <= about["range"][1]
        monkeypatch.setattr(ClipEncoder, "encode_texts", lambda *_: pytest.fail("encoded"))
        low, _ = service.answer({"do": "cut", "cutoff": about["range"][0], "query": "a cat"})
        assert (low["accepted"]["count"], low["rejected"]["count"]) == (8, 0) and low["rates"][0] == pytest.approx(
            3 / 8
        )
        high, _ = service.answer({"do": "cut", "cutoff": about["range"][1]})
        assert high["rejected"]["count"] == 16 and len(high["rejected"]["tiles"]) == 6 and "<svg" in high["plot"]
