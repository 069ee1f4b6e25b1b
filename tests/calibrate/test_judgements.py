"""Judgements: what is taken, what is refused and how, what two writers lose (nothing), and what an export tells."""

import json
import threading

import numpy as np
import pandas as pd
import pytest

from cliplib.cache import rows as rows_
from cliplib.calibrate.judgements import COLUMNS, Judgements
from cliplib.errors import CacheError, JudgementError

TEXT = "text->image"


def index():
    """Four photos and two frames of a video, as the store gives them."""
    records = [{"path": f"p{i}.jpg", "kind": "image", "digest": f"{i}" * 64} for i in range(4)]
    records += [{"path": "v.mp4", "kind": "frame", "time_s": t, "digest": "f" * 64} for t in (0.0, 1.001)]
    return rows_.table(records, np.eye(6, dtype=np.float32))


@pytest.fixture
def judgements(tmp_path):
    return Judgements(tmp_path / "judgements", index)


def said(judgements):
    """The table as tuples of mode, query, path, relevant, judge."""
    frame = judgements.frame()
    return list(zip(*(frame[name] for name in ("mode", "query", "path", "relevant", "judge")), strict=True))


class TestAdding:
    def test_a_judgement_is_there_in_the_next_session(self, judgements):
        assert list(judgements.frame().columns) == list(COLUMNS) and len(judgements.frame()) == 0
        judgements.add(TEXT, "a dog", "p1.jpg", True, judge="Ada")
        again = Judgements(judgements.folder, index)
        assert said(again) == [(TEXT, "a dog", "p1.jpg", True, "Ada")]
        assert list(again.frame().columns) == list(COLUMNS)

    def test_the_last_word_of_each_judge_counts(self, judgements):
        for judge, relevant in (("Ada", True), ("Ben", True), ("Ada", False)):
            judgements.add(TEXT, "a dog", "p1.jpg", relevant, judge=judge)
        assert sorted(said(judgements)) == [
            (TEXT, "a dog", "p1.jpg", False, "Ada"),
            (TEXT, "a dog", "p1.jpg", True, "Ben"),
        ]

    def test_what_is_taken_back_was_never_said_until_it_is_said_again(self, judgements):
        for judge in ("Ada", "Ben"):
            judgements.add(TEXT, "a dog", "p1.jpg", True, judge=judge)
        later = Judgements(judgements.folder, index)  # another session
        later.take_back(TEXT, "a dog", "p1.jpg", judge="Ada")
        assert said(judgements) == said(later) == [(TEXT, "a dog", "p1.jpg", True, "Ben")]
        later.add(TEXT, "a dog", "p1.jpg", False, judge="Ada")
        assert (TEXT, "a dog", "p1.jpg", False, "Ada") in said(judgements)
        with pytest.raises(JudgementError, match="no picture 'p9.jpg'"):
            later.take_back(TEXT, "a dog", "p9.jpg")

    def test_a_frame_is_found_by_its_time(self, judgements):
        judgements.add("text->video", "a dog", "v.mp4", True, time_s=1.0014)
        assert judgements.frame()["time_s"].tolist() == [1.001]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"mode": "text->sound"}, r"mode is 'text->sound': it can be text->image, image->image"),
            ({"query": "  "}, "query is '  ': give the words"),
            ({"path": "p9.jpg"}, r"no picture 'p9.jpg' in this library of 5 files: give its path"),
            ({"path": None}, "no picture None"),
            ({"relevant": "perhaps"}, "relevant is 'perhaps': it can be yes or no"),
            ({"relevant": None}, "relevant is None"),
            ({"path": "v.mp4"}, "v.mp4 is a video, and text->image finds photos"),
            ({"time_s": 1.0}, "p1.jpg is a photo: time_s must be None"),
            ({"mode": "text->video"}, "p1.jpg is a photo, and text->video finds video frames"),
            ({"mode": "text->video", "path": "v.mp4"}, "time_s is None: give the seconds"),
            ({"mode": "text->video", "path": "v.mp4", "time_s": 0.4}, "no sampled frame at 0.4 s; the nearest"),
            ({"mode": "image->image", "query": "gone.jpg"}, "no query 'gone.jpg'"),
            ({"mode": "image->image", "query": "p1.jpg"}, "p1.jpg is the query itself"),
        ],
    )
    def test_what_cannot_be_right_is_refused(self, judgements, change, message):
        good = {"mode": TEXT, "query": "a dog", "path": "p1.jpg", "relevant": True}
        with pytest.raises(JudgementError, match=message):
            judgements.add(**{**good, **change})
        assert len(judgements.frame()) == 0


class TestWriters:
    def test_two_writers_lose_nothing(self, judgements):
        def judge(name):
            mine = Judgements(judgements.folder, index)
            for number in range(30):
                mine.add(TEXT, f"query {number}", "p1.jpg", True, judge=name)

        threads = [threading.Thread(target=judge, args=(name,)) for name in ("Ada", "Ben")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert judgements.frame()["judge"].value_counts().to_dict() == {"Ada": 30, "Ben": 30}

    def test_a_disk_that_refuses_keeps_what_was_there(self, judgements, monkeypatch):
        judgements.add(TEXT, "a dog", "p1.jpg", True)

        def full(*_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.replace", full)
            with pytest.raises(CacheError, match="could not save judgements-.*No space left.*intact"):
                judgements.add(TEXT, "a dog", "p2.jpg", True)
        judgements.add(TEXT, "a dog", "p3.jpg", True)
        assert [row[2] for row in said(judgements)] == ["p1.jpg", "p3.jpg"]

    @pytest.mark.parametrize(
        "damage",
        [
            '[["text->image", "a d',
            '[["text->image", "a dog", "p1.jpg"]]',
            '["letters"]',
            "[7]",
            "7",
            "[[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]]",
            '[["text->image", ["a dog"], "p1.jpg", null, true, "", "2026"]]',
            '[["text->image", "a dog", {"p1.jpg": 1}, null, true, "", "2026"]]',
        ],
    )
    def test_a_damaged_file_is_named_and_the_others_count(self, judgements, damage):
        judgements.add(TEXT, "a dog", "p1.jpg", True)
        (judgements.folder / "judgements-2026-01-01-torn.json").write_text(damage)
        assert len(judgements.frame()) == 1
        assert judgements.problems == ["judgements-2026-01-01-torn.json is damaged and was passed over"]

    def test_a_copy_that_drive_made_counts_once(self, judgements):
        judgements.add(TEXT, "a dog", "p1.jpg", True)
        (file,) = judgements.folder.glob("judgements-*.json")
        (judgements.folder / f"{file.stem} (1).json").write_bytes(file.read_bytes())
        assert len(judgements.frame()) == 1

    def test_a_full_file_is_left_alone(self, judgements):
        rows = pd.DataFrame({"mode": TEXT, "query": [f"q{i}" for i in range(600)], "path": "p1.jpg", "relevant": True})
        assert judgements.merge(rows).added == 600
        judgements.add(TEXT, "a dog", "p1.jpg", True)
        sizes = sorted(len(json.loads(file.read_bytes())) for file in judgements.folder.glob("judgements-*.json"))
        assert sizes == [1, 600]


class TestExchange:
    def test_an_export_names_no_judge_and_no_path(self, judgements, tmp_path):
        judgements.add(TEXT, "a dog", "p1.jpg", True, judge="Ada Lovelace")
        judgements.add("image->image", "p1.jpg", "p2.jpg", False, judge="Ada Lovelace")
        text = judgements.save(tmp_path / "ours.csv").read_text()
        assert "Ada" not in text and ".jpg" not in text and "a dog" in text
        assert judgements.save(tmp_path / "again.csv").read_text() == text  # the same pseudonyms

    def test_another_library_finds_the_pictures_by_content(self, judgements, tmp_path):
        judgements.add("image->image", "p1.jpg", "p2.jpg", False, judge="Ada")
        judgements.add("text->video", "a dog", "v.mp4", True, time_s=1.001)

        def renamed():
            rows = index()
            paths = [f"album/{path}" for path in rows["path"].to_pylist()]
            return rows.set_column(0, "path", [paths])

        other = Judgements(tmp_path / "other", renamed)
        merged = other.merge(judgements.save(tmp_path / "ours.csv"))
        assert (merged.added, merged.refused) == (2, [])
        assert other.frame()[["query", "path", "relevant"]].values.tolist() == [
            ["album/p1.jpg", "album/p2.jpg", False],
            ["a dog", "album/v.mp4", True],
        ]

    def test_a_class_pools_and_two_nameless_pupils_stay_two(self, judgements, tmp_path):
        for number, relevant in enumerate((True, False)):
            pupil = Judgements(tmp_path / f"pupil{number}", index)
            pupil.add(TEXT, "a dog", "p1.jpg", relevant)
            judgements.merge(pupil.save(tmp_path / "theirs.csv"))
        assert sorted(judgements.frame()["relevant"]) == [False, True]

    @pytest.mark.parametrize("names", [False, True])
    def test_taking_back_ones_own_export_changes_nothing(self, judgements, tmp_path, names):
        judgements.add(TEXT, "a dog", "p1.jpg", True, judge="Ada")
        before = judgements.frame()
        judgements.merge(judgements.save(tmp_path / "ours.csv", names=names))
        pd.testing.assert_frame_equal(judgements.frame(), before)

    def test_bad_rows_are_named_and_the_good_ones_taken(self, judgements, tmp_path):
        rows = [
            "mode,query,path,relevant,date",
            "text->image,a dog,p1.jpg,yes,",
            "text->image,a dog,p7.jpg,yes,",
            "text->image,a dog,p2.jpg,maybe,",
            "text->image,a dog,p3.jpg,no,yesterday",
            "text->image,a dog,digest:ffff,no,",
            "text->image,a dog,p3.jpg,no,0001-01-01T00:00:00+10:00",
        ]
        (tmp_path / "class.csv").write_text("\n".join(rows))
        merged = judgements.merge(tmp_path / "class.csv")
        assert merged.added == 1 and len(judgements.frame()) == 1
        for at, words in enumerate(
            ["row 3: no picture 'p7.jpg'", "row 4: relevant is", "row 5: date", "row 6", "row 7: date"]
        ):
            assert words in merged.refused[at]
        assert str(merged).startswith("1 judgements added, 5 refused\nclass.csv, row 3")

    @pytest.mark.parametrize("read", [lambda file: file, lambda file: pd.read_csv(file, parse_dates=["date"])])
    def test_both_yes_and_no_in_one_file_the_later_date_counts(self, judgements, tmp_path, read):
        rows = [
            "mode,query,path,relevant,judge,date",
            "text->image,a dog,p1.jpg,no,Ada,2026-03-02T10:00:00+01:00",
            "text->image,a dog,p1.jpg,yes,Ada,2026-03-02T09:30:00+01:00",
            "text->image,a dog,p2.jpg,no,Ada,2026-03-02T10:00:00+01:00",
            "text->image,a dog,p2.jpg,yes,Ada,2026-03-02T10:00:00+01:00",
        ]
        (tmp_path / "class.csv").write_text("\n".join(rows))
        judgements.merge(read(tmp_path / "class.csv"))
        assert {row[2]: row[3] for row in said(judgements)} == {"p1.jpg": False, "p2.jpg": True}

    def test_dates_of_two_time_zones_are_compared_by_the_moment(self, judgements, tmp_path):
        rows = ["mode,query,path,relevant,date", "text->image,a dog,p1.jpg,no,2026-03-02T10:00:00+00:00"]
        rows += ["text->image,a dog,p1.jpg,yes,2026-03-02T10:30:00+01:00"]  # half an hour before the no
        (tmp_path / "class.csv").write_text("\n".join(rows))
        judgements.merge(tmp_path / "class.csv")
        assert judgements.frame()["relevant"].tolist() == [False]

    def test_no_cell_is_a_formula_for_a_spreadsheet_and_all_come_back(self, judgements, tmp_path):
        for query in (" =1+1", "+a dog", "-a cat", "@home", "'quoted"):
            judgements.add(TEXT, query, "p1.jpg", True, judge="=Ada")
        text = judgements.save(tmp_path / "ours.csv", names=True).read_text()
        assert all(line.split(",")[1][0] == "'" and ",'=Ada," in line for line in text.splitlines()[1:])
        other = Judgements(tmp_path / "other", index)
        other.merge(tmp_path / "ours.csv")
        assert said(other) == said(judgements)

    def test_a_library_that_cannot_be_written_can_be_exported(self, judgements, tmp_path, monkeypatch):
        judgements.add(TEXT, "a dog", "p1.jpg", True, judge="Ada")
        monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
        assert "judge-" in judgements.save(tmp_path / "ours.csv").read_text()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"path,score\np1.jpg,0.3\n", r"class.csv has the columns \['path', 'score'\], without \['mode'"),
            (b"\xff\xd8\xff\xe0", "class.csv cannot be read as a CSV file"),
        ],
    )
    def test_a_file_that_holds_no_judgements_is_named(self, judgements, tmp_path, content, message):
        (tmp_path / "class.csv").write_bytes(content)
        with pytest.raises(JudgementError, match=message):
            judgements.merge(tmp_path / "class.csv")

    def test_excel_is_told_that_the_file_is_utf_8(self, judgements, tmp_path):
        judgements.add(TEXT, "une fenêtre", "p1.jpg", True)
        assert judgements.save(tmp_path / "ours.csv").read_bytes().startswith(b"\xef\xbb\xbfmode,")

    def test_what_a_spreadsheet_of_another_country_saved_is_read(self, judgements, tmp_path):
        rows = [
            "mode;query;path;relevant;time_s;origin;probability;date",
            "text->image;a dog;p1.jpg;WAHR;;sampled;0,25;1.3.2026 10:00",
            "text->video;a dog;v.mp4;FALSCH;1,001;top;1;2026-03-01",
            "text->image;a dog;p2.jpg;oui;;;;",
            "text->image;a dog;p3.jpg;yes;;;;3/4/2026",
            "text->image;a dog;p0.jpg;yes;;guess;;",
            "text->image;a cat;p0.jpg;yes;;sampled;1,5;",
        ]
        (tmp_path / "class.csv").write_text("\n".join(rows))
        merged = judgements.merge(tmp_path / "class.csv")
        assert merged.added == 3 and len(merged.refused) == 3
        for refused, words in zip(
            merged.refused, ("row 5: date is '3/4/2026'", "origin is 'guess'", "probability is"), strict=True
        ):
            assert words in refused
        frame = judgements.frame().set_index("path")
        assert frame.loc["p1.jpg", "relevant"] and frame.loc["p1.jpg", "probability"] == 0.25
        assert not frame.loc["v.mp4", "relevant"] and frame.loc["v.mp4", "time_s"] == 1.001

    def test_a_home_folder_may_be_a_tilde(self, judgements, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        judgements.add(TEXT, "a dog", "p1.jpg", True)
        judgements.save("~/ours.csv")
        assert (tmp_path / "ours.csv").is_file() and judgements.merge("~/ours.csv").added == 1


HOW = {"origin": "sampled", "probability": 0.125, "ranking": "cosine", "model_id": "abc", "library": "def"}


class TestProvenance:
    @pytest.mark.parametrize("names", [False, True])
    def test_how_a_picture_came_to_be_judged_is_kept_and_travels(self, judgements, tmp_path, names):
        judgements.add(TEXT, "a dog", "p1.jpg", True, **HOW)
        other = Judgements(tmp_path / "other", index)
        other.merge(judgements.save(tmp_path / "ours.csv", names=names))
        for frame in (judgements.frame(), other.frame()):
            assert frame[list(HOW)].iloc[0].to_dict() == HOW

    def test_a_thumb_is_free(self, judgements):
        judgements.add(TEXT, "a dog", "p1.jpg", True)
        assert judgements.frame()["origin"].tolist() == ["free"] and judgements.frame()["probability"].isna().all()

    @pytest.mark.parametrize("probability", [None, 0, 1.5, 1e-320])
    def test_what_was_sampled_has_a_probability(self, judgements, probability):
        with pytest.raises(JudgementError, match="how likely a sampled picture was chosen is over 0, at most 1"):
            judgements.add(TEXT, "a dog", "p1.jpg", True, origin="sampled", probability=probability)

    def test_unsure_takes_an_earlier_word_back_and_is_not_asked_again(self, judgements):
        judgements.add(TEXT, "a dog", "p1.jpg", True, judge="Ada")
        judgements.add(TEXT, "a dog", "p1.jpg", "unsure", judge="Ada")
        assert len(judgements.frame()) == 0
        assert judgements.frame(unsure=True)["relevant"].tolist() == ["unsure"]
        judgements.take_back(TEXT, "a dog", "p1.jpg", judge="Ada")
        assert len(judgements.frame(unsure=True)) == 0
