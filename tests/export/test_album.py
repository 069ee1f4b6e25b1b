"""Albums: what a page without Python holds, and what it must not."""

import json
import re
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import cliplib
from cliplib.errors import QueryError
from cliplib.export import album, answers
from cliplib.search.bank import EVERYDAY, read_texts
from tests.harness.libraries import draw_picture, five_photos_and_a_video, picture

OWN = "a purple elephant"


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    """Five photos, two of one name, a copy of one, one with a place and a camera, and a video."""
    root = tmp_path_factory.mktemp("secret folder")
    exif = Image.Exif()
    exif[0x0110] = "Spycam 3000"
    exif[0x9003] = "2024:05:06 07:08:09"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 24.0), 3: "E", 4: (2.0, 21.0, 3.0)})
    draw_picture(root / "home" / "there.jpg", 20, size=(480, 320), exif=exif)
    library = five_photos_and_a_video(root, weights)
    (root / "copy.jpg").write_bytes((root / "a.jpg").read_bytes())
    library = cliplib.Library(root, weights, device="cpu", precision="fp32", bank=read_texts(EVERYDAY)[:120])
    library.index(progress=False)
    return library


def read(page):
    """What the script of a page reads, with its answers unpacked: lists of (picture, strength)."""
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    for name in ("found", "alike"):
        packed = data[name]
        items = np.frombuffer(b64decode(packed["items"]), "<u2").tolist()
        pairs = iter(zip(items, b64decode(packed["strengths"]), strict=True))
        data[name] = [[next(pairs) for _ in range(count)] for count in packed["counts"]]
        assert next(pairs, None) is None
    return data


@pytest.fixture(scope="module")
def page(library, tmp_path_factory):
    file = library.save_page(tmp_path_factory.mktemp("out") / "album.html", queries=[OWN, " "])
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(page):
    return read(page)


class TestAnswers:
    def test_each_content_is_one_picture_and_a_video_has_its_best_frames(self, data):
        photos = [name for name, time_s in zip(data["names"], data["times"], strict=True) if time_s is None]
        assert sorted(photos) == ["IMG_1.jpg", "IMG_1.jpg", "a.jpg", "b.png", "c.webp", "there.jpg"] or (
            sorted(photos) == ["IMG_1.jpg", "IMG_1.jpg", "b.png", "c.webp", "copy.jpg", "there.jpg"]
        )
        assert 1 <= len(data["times"]) - len(photos) <= album.FRAMES
        assert len(data["covers"]) == len(photos) + 1

    def test_are_those_of_the_library(self, library, data):
        """A query finds what `top` finds, the best first, and nothing else; one that finds nothing has the nearest."""
        known = dict(zip(data["queries"], data["found"], strict=True))
        assert OWN in known and len(known) > 1
        for query in [OWN, *data["start"][:4]]:
            text = query if isinstance(query, str) else data["queries"][query]
            hits = library.score(text).top(k=album.MOST_FOUND)
            told = [(data["names"][item], strength) for item, strength in known[text] if data["times"][item] is None]
            passing = [name for name, strength in told if strength >= album.PASSES]
            same = {"copy.jpg": "a.jpg"}
            want = [hit.path.rpartition("/")[2] for hit in hits]
            assert [same.get(name, name) for name in passing] == [same.get(name, name) for name in want]

    def test_a_picture_has_its_look_alikes_without_itself(self, library, data):
        at = data["names"].index("b.png")
        assert data["alike"][at] and at not in dict(data["alike"][at])
        best = library.similar("b.png", threshold=-1)[0].path.rpartition("/")[2]
        photos = [data["names"][item] for item, _ in data["alike"][at] if data["times"][item] is None]
        assert photos[0] == best or {photos[0], best} == {"a.jpg", "copy.jpg"}

    def test_the_cutoff_survives_8_bits(self):
        assert album._in_8_bits(1 / 3 - 1e-6, passes=False) == album.PASSES - 1
        assert album._in_8_bits(1 / 3, passes=True) == album.PASSES
        assert (album._in_8_bits(0, False), album._in_8_bits(1, True)) == (0, 255)

    def test_suggestions_are_queries_that_find_something_each_once(self, data):
        assert data["start"] and len(set(data["start"])) == len(data["start"])
        assert all(data["found"][query][0][1] >= album.PASSES for query in data["start"])

    def test_only_what_is_named_goes_in(self, library, tmp_path):
        told = read(library.save_page(tmp_path / "two.html", paths=["b.png", "two/v.mp4"]).read_text(encoding="utf-8"))
        assert set(told["names"]) == {"b.png", "v.mp4"}


class TestSavedHits:
    def test_many_can_be_searched_under_the_answer_and_lead_to_drive(self, library, tmp_path, monkeypatch):
        monkeypatch.setattr(answers, "SEARCHABLE", 3)
        monkeypatch.setattr("os.getxattr", lambda file, _: file.stem.encode(), raising=False)
        hits = library.search(OWN, k=4, threshold=-1)
        page = hits.save(tmp_path / "found.html").read_text(encoding="utf-8")
        assert page.count("Open in Drive</a>") == 4 and page.index(OWN) < page.index('id="album"')
        data = read(page)
        assert sorted(data["names"]) == sorted(hit.path.rpartition("/")[2] for hit in hits)
        assert all(link.startswith("https://drive.google.com/") for link in data["links"])

    def test_a_moment_leads_to_its_video(self, library, tmp_path, monkeypatch):
        monkeypatch.setattr("os.getxattr", lambda file, _: file.stem.encode(), raising=False)
        moments = library.score(OWN, kind="frame").moments(threshold=-1)
        page = moments.save(tmp_path / "found.html").read_text(encoding="utf-8")
        assert page.count('href="https://drive.google.com/file/d/v/view"') == len(moments) > 0

    def test_few_stay_a_page_without_a_script(self, library, tmp_path):
        page = library.search(OWN, threshold=-1).save(tmp_path / "found.html").read_text(encoding="utf-8")
        assert "<script" not in page and page.count("<figure") == 5


class TestPrivacy:
    def test_no_place_no_camera_no_folder_no_path(self, library, page):
        for secret in ("Spycam", "48.8", "secret folder", str(library.root), "home/", '"one', '"two'):
            assert secret not in page

    def test_pictures_carry_no_data_of_the_camera(self, data):
        jpegs = [b64decode(picture) for picture in data["pictures"]]
        assert all(jpegs) and not any(b"Exif" in jpeg or b"ICC_PROFILE" in jpeg for jpeg in jpegs)
        assert max(max(Image.open(BytesIO(jpeg)).size) for jpeg in jpegs) <= 256

    def test_a_day_is_told_where_it_was_taken_not_where_it_was_copied(self, data):
        days = dict(zip(data["names"], data["dates"], strict=True))
        assert days["there.jpg"] == "2024-05-06" and days["b.png"] == ""
        assert data["names"][data["covers"][0]] == "there.jpg"  # whose day is known comes first

    def test_what_is_told_is_chosen(self, library, tmp_path):
        told = read(library.save_page(tmp_path / "a.html", show=()).read_text(encoding="utf-8"))
        assert not {"names", "dates", "folders", "links"} & set(told)
        told = read(library.save_page(tmp_path / "a.html", show="folder").read_text(encoding="utf-8"))
        assert {"", "home", "one", "two"} == set(told["folders"]) and "names" not in told


class TestSize:
    def test_many_large_thumbnails_are_made_smaller_and_few_are_left(self):
        noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
        buffer = BytesIO()
        Image.fromarray(noise).save(buffer, "JPEG", quality=90)
        large = buffer.getvalue()
        jpegs, edge = album.fitted([large, b"", large])
        assert edge in album.EDGES and max(Image.open(BytesIO(jpegs[0])).size) == edge and jpegs[1] == b""
        assert sum(map(len, jpegs)) <= 3 * album.BYTES_EACH < 2 * len(large)
        buffer = BytesIO()
        picture(1).save(buffer, "JPEG")
        assert album.fitted([buffer.getvalue()]) == ([buffer.getvalue()], 256)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"paths": ["a.jpg", "gone.jpg"]}, "'gone.jpg' is not in the index"),
            ({"show": ["name", "camera"]}, r"\['camera'\].*name, date, folder, drive"),
        ],
    )
    def test_name_what_was_wrong(self, library, tmp_path, options, message):
        with pytest.raises(QueryError, match=message):
            library.save_page(tmp_path / "album.html", **options)
        assert not (tmp_path / "album.html").exists()

    def test_another_ending(self, library, tmp_path):
        with pytest.raises(QueryError, match=r"album.pdf.*end in .html"):
            library.save_page(tmp_path / "album.pdf")

    def test_too_many_pictures_for_a_page(self, library, tmp_path, monkeypatch):
        monkeypatch.setattr(album, "MOST_PICTURES", 3)
        with pytest.raises(QueryError, match="too many for one page, which holds 3: give paths="):
            library.save_page(tmp_path / "album.html")

    def test_an_empty_library(self, tmp_path, weights):
        with pytest.raises(cliplib.CliplibError, match="run library.index"):
            cliplib.Library(tmp_path, weights).save_page(tmp_path / "album.html")
