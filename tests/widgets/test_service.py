"""What a page asks, answered without a browser: a small library of a random model, and results known from `Library`."""

import numpy as np
import pytest
from PIL import Image

import cliplib
from cliplib.calibrate.judgements import Judgements
from cliplib.models.clip_encoder import ClipEncoder
from cliplib.search.occlusion import patch_pulls
from cliplib.widgets.service import CELLS, LARGE_EDGE, Service
from tests.harness.libraries import draw_picture, draw_video, picture

DOG = [{"kind": "text", "value": "a dog"}]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory, weights):
    root = tmp_path_factory.mktemp("photos")
    for number in range(4):
        draw_picture(root / f"p{number}.jpg", number, quality=95)
    draw_picture(root / "trips" / "copy.png", 0)
    draw_picture(root / "trips" / "Screenshot_1.png", 9)
    draw_video(root / "v.mp4", 7)
    library = cliplib.Library(root, model=weights, ranking="cosine")
    library.index(progress=False)
    return library


@pytest.fixture
def library(indexed, tmp_path, monkeypatch):
    monkeypatch.setattr(indexed, "judgements", Judgements(tmp_path / "judgements", lambda: indexed.store.rows))
    return indexed


@pytest.fixture
def service(library):
    return Service(library)


def ask(service, terms=DOG, **more):
    content, _ = service.answer({"do": "ask", "kind": "image", "terms": terms, "cutoff": -0.9, **more})
    assert "error" not in content, content
    return content


def paths(content):
    return [tile["path"] for tile in content["tiles"]]


class TestAsking:
    def test_tiles_are_what_the_library_finds(self, service, library):
        content = ask(service)
        assert paths(content) == [hit.path for hit in library.search("a dog", 99, -1)]
        assert content["passing"] == content["kinds"]["image"]["compared"] == 6 and content["title"] == "a dog"

    def test_the_librarys_own_cutoff_decides_unless_another_is_given(self, service, library):
        content = ask(service, cutoff=None)
        assert content["kinds"]["image"]["cutoff"] == library.threshold("text->image")
        assert content["passing"] == len(library.search("a dog", 99))

    def test_pages_follow_one_another(self, service):
        whole = paths(ask(service))
        assert [paths(ask(service, start=start, count=2)) for start in (0, 2, 4)] == [whole[:2], whole[2:4], whole[4:]]

    def test_settings_and_pages_encode_nothing(self, service, monkeypatch):
        ask(service)
        monkeypatch.setattr(ClipEncoder, "encode_texts", lambda *_: pytest.fail("encoded"))
        assert set(paths(ask(service, filters={"folder": "trips"}))) == {"trips/copy.png", "trips/Screenshot_1.png"}
        assert "trips/Screenshot_1.png" not in paths(ask(service, filters={"screenshots": False}))
        assert ask(service, filters={"until": "1999-01-01"})["tiles"] == []
        assert ask(service, near_duplicates=0.9)["tiles"][0]["score"] == ask(service)["tiles"][0]["score"]

    def test_where_nothing_passes_the_nearest_are_shown_as_such(self, service):
        content = ask(service, cutoff=0.99)
        assert content["passing"] == 0 and content["kinds"]["image"]["empty_message"]
        assert content["tiles"] and not any(tile["passes"] for tile in content["tiles"])

    def test_sums_show_the_best_first_and_leave_none_out(self, service, library):
        """The cutoff is one of single queries: "X less Y" would pass nothing, or everything."""
        content = ask(service, [*DOG, {"kind": "text", "value": "a cat", "weight": -1}], cutoff=None)
        wanted = library.score(cliplib.text("a dog") - cliplib.text("a cat")).top(99, -1)
        assert content["composed"] and content["title"] == "a dog − a cat"
        assert wanted and paths(content) == [hit.path for hit in wanted]
        assert all(tile["passes"] for tile in content["tiles"])

    def test_refined_by_thumbs(self, service, library):
        yes = [{"path": "p2.jpg", "time_s": None}]
        content = ask(service, yes=yes, cutoff=None)
        wanted = library.score("a dog").refined([cliplib.Hit("p2.jpg", 0.0)]).top(99, -1)
        assert content["composed"] and paths(content) == [hit.path for hit in wanted]

    def test_without_a_question_the_newest_come_first_and_nothing_is_encoded(self, service, monkeypatch):
        monkeypatch.setattr(ClipEncoder, "encode_texts", lambda *_: pytest.fail("encoded"))
        content = ask(service, [])
        days = [tile["taken_at"] for tile in content["tiles"]]
        assert content["browsing"] and len(days) == 6 and days == sorted(days, reverse=True)
        assert paths(ask(service, [], kind="frame")) == ["v.mp4"]

    def test_a_photo_of_the_library_asks_by_its_stored_embedding(self, service, monkeypatch):
        monkeypatch.setattr(ClipEncoder, "encode_images", lambda *_: pytest.fail("encoded"))
        content = ask(service, [{"kind": "photo", "value": "p0.jpg"}])
        assert paths(content)[0] == "trips/copy.png" and "p0.jpg" not in paths(content)

    def test_a_frame_finds_what_is_not_its_own_moment(self, service):
        first = ask(service, kind="frame")["tiles"][0]
        term = {"kind": "frame", "value": "v.mp4", "time_s": first["time_s"]}
        alike = ask(service, [term], kind="frame", cutoff=None, below=True)
        assert first["time_s"] not in [tile["time_s"] for tile in alike["tiles"]]
        assert ask(service, [term])["tiles"]  # and photos like it

    def test_an_uploaded_picture_asks_again_and_again(self, service, tmp_path):
        data = draw_picture(tmp_path / "mine.png", 2).read_bytes()
        for _ in range(2):
            content, (small,) = service.answer({"do": "upload", "name": "mine.png"}, [data])
            assert small.startswith(b"\xff\xd8")
            found = ask(service, [{"kind": "upload", "value": content["id"]}])
            assert paths(found)[0] == "p2.jpg" and found["title"] == "mine.png" and not found["keeps"]

    def test_photos_and_videos_come_in_one_answer_by_how_far_above_their_cutoffs(self, service, library):
        both = ask(service, kind="all")
        photos, videos = ask(service), ask(service, kind="frame")
        assert paths(both)[:6] != paths(photos) and sorted(paths(both)) == sorted(paths(photos) + paths(videos))
        assert both["passing"] == sum(of_kind["passing"] for of_kind in both["kinds"].values())
        leads = [tile["lead"] for tile in both["tiles"]]
        assert leads == sorted(leads, reverse=True)

    def test_what_nobody_would_find_alone_is_left_out_of_both(self, service, library):
        """Where photos pass and no video does, the nearest videos are not among them."""
        cutoff = ask(service, kind="frame")["tiles"][0]["score"] + 1e-4
        both = ask(service, kind="all", cutoff=min(cutoff, ask(service)["tiles"][0]["score"]))
        assert all(tile["passes"] for tile in both["tiles"])
        neither = ask(service, kind="all", cutoff=0.99)
        assert neither["passing"] == 0 and len(neither["tiles"]) == 7  # six photos and a video, as the nearest

    def test_a_thumb_of_either_kind_refines_its_own(self, service, library):
        yes = [{"path": "p2.jpg", "time_s": None}]
        content = ask(service, kind="all", yes=yes, cutoff=None)
        wanted = library.score("a dog").refined([cliplib.Hit("p2.jpg", 0.0)]).top(99, -1)
        photos = [tile["path"] for tile in content["tiles"] if tile["time_s"] is None]
        assert photos == [hit.path for hit in wanted]

    def test_the_newest_of_both_by_their_own_dates(self, service):
        content = ask(service, [], kind="all")
        dates = [tile["taken_at"] for tile in content["tiles"]]
        assert len(dates) == 7 and dates == sorted(dates, reverse=True)  # all are the files' own here

    @pytest.mark.parametrize(
        ("request_", "words"),
        [
            ({"do": "nothing"}, "it can be about"),
            ({"do": "ask", "terms": [{"kind": "text", "value": "  "}]}, "no words"),
            ({"do": "ask", "terms": DOG, "kind": "sound"}, "image"),
            ({"do": "ask", "terms": [{"kind": "photo", "value": "nowhere.jpg"}]}, "no image"),
            ({"do": "ask", "terms": [{"kind": "upload", "value": "gone"}]}, "give it again"),
            (
                {"do": "ask", "terms": DOG, "filters": {"since": "2020-01-02", "until": "2020-01-01"}},
                "must not come after",
            ),
            ({"do": "clip", "path": "v.mp4", "start_s": 2, "end_s": 1}, "later end_s"),
            ({"do": "clip", "path": "../v.mp4", "start_s": 0, "end_s": 1}, "not in the index"),
            ({"do": "export", "form": "exe", "kind": "image", "terms": DOG, "tiles": []}, "csv or html"),
        ],
    )
    def test_what_cannot_be_had_is_said(self, service, request_, words):
        assert words in service.answer(request_)[0]["error"]

    def test_a_bad_upload_is_said(self, service):
        assert (
            "cannot use mine.png" in service.answer({"do": "upload", "name": "mine.png"}, [b"no picture"])[0]["error"]
        )


class TestPictures:
    def test_thumbs_of_what_there_is(self, service):
        tile = ask(service)["tiles"][0]
        content, jpegs = service.answer({"do": "thumbs", "keys": [[tile["digest"], None], ["nothing", None]]})
        assert content["found"] == [True, False] and len(jpegs) == 1 and jpegs[0].startswith(b"\xff\xd8")

    def test_a_large_picture_comes_from_the_original(self, weights, tmp_path):
        picture(3, (LARGE_EDGE + 400, 900)).save(tmp_path / "large.jpg")
        library = cliplib.Library(tmp_path, model=weights, ranking="cosine")
        library.index(progress=False)
        _, (jpeg,) = Service(library).answer({"do": "picture", "path": "large.jpg"})
        (tmp_path / "seen.jpg").write_bytes(jpeg)
        with Image.open(tmp_path / "seen.jpg") as seen:
            assert max(seen.size) == LARGE_EDGE

    def test_a_clip_is_an_mp4(self, service):
        tile = ask(service, kind="frame")["tiles"][0]
        content, (clip,) = service.answer(
            {"do": "clip", "path": "v.mp4", "start_s": tile["clip"][0], "end_s": tile["clip"][1]}
        )
        assert content["type"] == "video/mp4" and clip[4:8] == b"ftyp"

    def test_about_says_what_one_can_filter_by(self, service):
        content, _ = service.answer({"do": "about"})
        assert (content["photos"], content["videos"]) == (6, 1) and content["folders"] == ["trips"]
        assert content["months"] == {} and content["cameras"] == content["places"] == []  # nothing but copies' times

    def test_names_by_a_part(self, service):
        content, _ = service.answer({"do": "names", "part": "TRIPS png"})
        assert [photo["path"] for photo in content["photos"]] == ["trips/Screenshot_1.png", "trips/copy.png"]

    def test_why_says_what_each_patch_does_as_a_share_of_the_most(self, service, library):
        content, _ = service.answer({"do": "why", "kind": "image", "terms": DOG, "path": "p1.jpg", "time_s": None})
        pulls = np.array(content["pulls"])
        direct = patch_pulls(
            library.encoder, library.score("a dog").embedding, Image.open(library.root / "p1.jpg"), CELLS
        )
        assert pulls == pytest.approx(direct / np.abs(direct).max(), abs=0.02) and np.abs(pulls).max() == 1


class TestKeeping:
    def judge(self, service, relevant, terms=DOG, **more):
        return service.answer(
            {
                "do": "judge",
                "kind": "image",
                "terms": terms,
                "path": "p1.jpg",
                "time_s": None,
                "relevant": relevant,
                **more,
            }
        )[0]

    def test_a_thumb_is_kept_and_shown_when_the_query_is_asked_again(self, service):
        assert self.judge(service, True) == {"kept": True}
        assert ask(service)["judged"] == [["p1.jpg", None, True]]
        assert ask(service, [{"kind": "text", "value": "a cat"}])["judged"] == []

    def test_a_thumb_can_be_taken_back(self, service, library):
        self.judge(service, False)
        assert self.judge(service, None) == {"kept": True}
        assert ask(service)["judged"] == [] and library.judgements.frame().empty
        self.judge(service, True)
        assert ask(service)["judged"] == [["p1.jpg", None, True]]

    def test_what_nobody_can_ask_again_is_not_kept(self, service, library):
        assert self.judge(service, True, [*DOG, *DOG]) == {"kept": False}
        assert self.judge(service, True, refined=True) == {"kept": False}
        assert library.judgements.frame().empty

    def test_saved_files_hold_all_that_was_chosen(self, service):
        tiles = [{"path": tile["path"], "time_s": None} for tile in ask(service)["tiles"]]
        request = {"do": "export", "kind": "image", "terms": DOG, "tiles": tiles}
        content, (table,) = service.answer({**request, "form": "csv"})
        assert content["name"] == "found.csv" and table.decode().count("\n") == 7
        _, (page,) = service.answer({**request, "form": "html", "tiles": tiles[:2]})
        assert page.decode().count("<figure") == 2

    def test_copies_lie_beside_the_library_and_it_says_where(self, service, library):
        content, _ = service.answer({"do": "copy", "paths": ["p1.jpg", "p2.jpg"], "folder": "found here"})
        folder = library.root.parent / "found here"
        assert content["copied"] == 2 and content["folder"] == str(folder)
        assert sorted(file.name for file in folder.iterdir()) == ["p1.jpg", "p2.jpg"]

    def test_a_page_without_that_right_copies_nothing(self, library):
        assert (
            "may not copy"
            in Service(library, copies=False).answer({"do": "copy", "paths": [], "folder": "x"})[0]["error"]
        )


def test_numbers_survive_json(service):
    """NumPy's own numbers would not."""
    import json

    for request in (
        {"do": "about"},
        {"do": "suggest"},
        {"do": "ask", "terms": DOG},
        {"do": "ask", "terms": DOG, "kind": "frame"},
    ):
        json.dumps(service.answer(request)[0])
    assert not isinstance(ask(service)["kinds"]["image"]["cutoff"], np.floating)
