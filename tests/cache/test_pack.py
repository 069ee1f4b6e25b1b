"""The class pack: what is in it, what is not, that it opens without its folder and cannot be written."""

import errno
import gc
import io
import json
import shutil
import zipfile

import pytest
from PIL import Image

import cliplib
from cliplib.cache import rows
from cliplib.cache.pack import CARRIED
from cliplib.calibrate.profiles import Profile
from cliplib.errors import CacheError, LibraryError
from cliplib.media import reading, retry
from cliplib.media.zips import OWN_MARK
from tests.harness.libraries import FileAround, draw_picture, draw_video, save_random_clip
from tests.harness.takeouts import picture, save_photo


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    """Four photos, one with a place and a camera, one large; a video; a judgement."""
    root = tmp_path_factory.mktemp("photos")
    for i, name in enumerate(["a.jpg", "one/b.png", "large.jpg"]):
        draw_picture(root / name, i, size=(3000, 2000) if i == 2 else (160, 120))
    save_photo(root / "placed.jpg", picture(9), place=(48.5, 2.25), ident="SECRET-ID")
    draw_video(root / "v.mp4", 7)
    library = cliplib.Library(root, model=weights, device="cpu", precision="fp32")
    library.index(progress=False)
    library.judgements.add("text->image", "a dog", "a.jpg", True, judge="Anna Example")
    library.profiles.save(Profile("text->image", "best F1", 0.125, library.store.model))
    return library


@pytest.fixture(scope="module")
def previews(tmp_path_factory, library):
    return library.save_pack(tmp_path_factory.mktemp("previews") / "class.zip")


@pytest.fixture(scope="module")
def originals(tmp_path_factory, library):
    return library.save_pack(tmp_path_factory.mktemp("originals") / "class.zip", pictures="originals", places=True)


def members(file):
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def opened(file, weights):
    return cliplib.Library.open_pack(file, model=weights, device="cpu", precision="fp32")


class TestSaving:
    def test_previews_are_small_upright_and_say_nothing(self, previews):
        inside = members(previews)
        large = Image.open(io.BytesIO(inside["photos/large.jpg"]))
        assert large.size == (1024, 683) and not large.getexif()
        assert "photos/v.mp4" not in inside and len([name for name in inside if name.startswith("thumbs/")]) == 7
        assert not any(b"SECRET-ID" in data or b"Drawn" in data for data in inside.values())
        table, _ = rows.from_parquet(inside["index.parquet"], "index")
        private = {"latitude", "longitude", "place_from", "camera", "content_id"}
        assert private <= {name for name in rows.COLUMNS if table[name].null_count == table.num_rows}
        about = json.loads(inside[OWN_MARK])
        assert (about["rows"], about["pictures"], about["judgements"]) == (7, "previews", 1)

    def test_places_and_originals_go_in_when_asked_for(self, library, originals):
        inside = members(originals)
        for path in ("placed.jpg", "v.mp4", "one/b.png"):
            assert inside[f"photos/{path}"] == (library.root / path).read_bytes()
        table, _ = rows.from_parquet(inside["index.parquet"], "index")
        assert 48.5 in table["latitude"].to_pylist()

    def test_a_column_that_nobody_allowed_stays_at_home(self, library, tmp_path, monkeypatch):
        monkeypatch.setattr("cliplib.cache.pack.CARRIED", [name for name in CARRIED if name != "taken_at"])
        for places in (False, True):
            inside = members(library.save_pack(tmp_path / "class.zip", pictures="thumbnails", places=places))
            table, _ = rows.from_parquet(inside["index.parquet"], "index")
            assert table["taken_at"].null_count == 7 and table["taken_from"].null_count == 0

    def test_chosen_paths_alone_go_in(self, library, weights, tmp_path):
        file = library.save_pack(tmp_path / "class.zip", paths=["a.jpg", "v.mp4"], pictures="thumbnails")
        assert not any(name.startswith("photos/") for name in members(file))
        pack = opened(file, weights)
        assert (pack.photos(), pack.videos()) == (["a.jpg"], ["v.mp4"])

    def test_names_and_folders_stay_at_home(self, library, weights, previews):
        inside = members(previews)
        assert b"text->image,a dog,digest:" in inside["judgements.csv"]
        for told in ("Anna Example", str(library.root), str(weights.parent)):
            assert not any(told.encode() in data for data in inside.values()), told

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"paths": ["nowhere.jpg"]}, "not in the index, for example 'nowhere.jpg'"),
            ({"pictures": "all"}, "can be"),
            ({"file": "class.pack"}, r"'class.pack'.*\.zip"),
        ],
    )
    def test_what_cannot_be_is_refused(self, library, tmp_path, options, told):
        with pytest.raises(LibraryError, match=told):
            library.save_pack(tmp_path / options.pop("file", "class.zip"), **options)
        assert not list(tmp_path.iterdir())

    def test_a_file_that_is_gone_is_left_out_and_said(self, library, weights, tmp_path):
        shutil.copytree(library.root, tmp_path / "copy")
        copy = cliplib.Library(tmp_path / "copy", model=weights, device="cpu", precision="fp32")
        (tmp_path / "copy" / "a.jpg").unlink()
        with pytest.warns(UserWarning, match="a.jpg is not in the pack: .*No such file") as warned:
            file = copy.save_pack(tmp_path / "class.zip")
        assert [said.filename for said in warned if said.category is UserWarning] == [__file__]
        assert "photos/one/b.png" in members(file) and "photos/a.jpg" not in members(file)

    def test_an_original_that_cannot_be_read_to_its_end_is_left_out(self, library, tmp_path, monkeypatch):
        class Breaks(FileAround):
            def __init__(self, file):
                self.file = file

            def read(self, size=-1):
                if self.file.tell():
                    raise OSError(errno.EIO, "Input/output error")
                return self.file.read(1000)

        real = reading.open_file

        def open_file(path, **options):
            file = real(path, **options)
            return Breaks(file) if str(path).endswith("v.mp4") else file

        monkeypatch.setattr(retry, "RETRY_WAITS_S", (0, 0))
        monkeypatch.setattr(reading, "open_file", open_file)
        with pytest.warns(UserWarning, match="v.mp4 is not in the pack: .*Input/output error"):
            inside = members(library.save_pack(tmp_path / "class.zip", pictures="originals"))
        assert "photos/v.mp4" not in inside and "photos/a.jpg" in inside

    def test_fault_3_a_disk_that_fills_up_is_no_fault_of_a_picture(self, library, tmp_path, monkeypatch, recwarn):
        """A disk that fills up while saving: it is said, and the old index is whole."""
        real = zipfile.ZipFile.open

        def fills_up(archive, member, *rest, **options):
            if getattr(member, "filename", member).startswith("photos/"):
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(archive, member, *rest, **options)

        monkeypatch.setattr(zipfile.ZipFile, "open", fills_up)
        with pytest.raises(CacheError, match="No space left on device; nothing was changed"):
            library.save_pack(tmp_path / "class.zip")
        assert not [str(told.message) for told in recwarn if "not in the pack" in str(told.message)]
        assert not list(tmp_path.iterdir())

    def test_a_disk_that_refuses_is_said(self, library, tmp_path):
        with pytest.raises(CacheError, match="could not save class.zip: there is no folder"):
            library.save_pack(tmp_path / "no folder" / "class.zip")


class TestOpening:
    def test_answers_are_those_of_the_library(self, library, weights, previews):
        pack = opened(previews, weights)
        for mine, theirs in (
            (library.search("a dog", threshold=-1), pack.search("a dog", threshold=-1)),
            (library.similar("a.jpg", threshold=-1), pack.similar("a.jpg", threshold=-1)),
            (library.search_videos("a dog", threshold=-1), pack.search_videos("a dog", threshold=-1)),
        ):
            assert mine.hits == theirs.hits and len(theirs) > 0
            assert [mine.thumbnail(hit) for hit in mine] == [theirs.thumbnail(hit) for hit in theirs]
        (judged,) = pack.judgements.frame().to_dict("records")
        assert (judged["query"], judged["path"], judged["relevant"]) == ("a dog", "a.jpg", True)
        assert (pack.threshold("text->image"), pack.threshold("image->image")) == (0.125, 0.70)

    def test_moments_play_and_pictures_are_copied_from_the_originals_inside(
        self, library, weights, originals, tmp_path
    ):
        pack = opened(originals, weights)
        (moment,) = pack.score("a dog", "frame").moments(k=1, threshold=-1)
        moment.save_clip(tmp_path / "clip.mp4")
        assert (tmp_path / "clip.mp4").stat().st_size > 1000
        hits = pack.similar("a.jpg", k=1, threshold=-1)
        (copy,) = pack.copy_to(hits, tmp_path / "out")
        assert copy.read_bytes() == (library.root / hits[0].path).read_bytes()

    def test_pictures_of_an_archive_too(self, weights, tmp_path):
        original = draw_picture(tmp_path / "a.jpg", 1)
        (tmp_path / "photos").mkdir()
        with zipfile.ZipFile(tmp_path / "photos" / "Takeout.ZIP", "w") as archive:
            archive.write(original, "one/a.jpg")
        own = cliplib.Library(tmp_path / "photos", model=weights, device="cpu", precision="fp32")
        own.index(progress=False)
        pack = opened(own.save_pack(tmp_path / "class.zip", pictures="originals"), weights)
        assert pack.photos() == ["Takeout.ZIP/one/a.jpg"]
        (copy,) = pack.copy_to(pack.search("a dog", threshold=-1), tmp_path / "out")
        assert copy.read_bytes() == original.read_bytes()

    def test_nothing_is_written_beside_it_and_indexing_is_refused(self, weights, previews):
        pack = opened(previews, weights)
        pack.search("a dog", threshold=-1)._repr_html_()
        with pytest.raises(LibraryError, match="read-only"):
            pack.index(progress=False)
        assert list(previews.parent.iterdir()) == [previews]

    def test_what_it_made_is_gone_with_it(self, weights, previews):
        pack = opened(previews, weights)
        folder = pack.store.folder
        pack.judgements.add("text->image", "a cat", "a.jpg", False)
        assert folder.is_dir()
        del pack
        gc.collect()
        assert not folder.exists()

    def test_another_model_is_refused(self, previews, tmp_path):
        other = save_random_clip(tmp_path / "other.safetensors", seed=1)
        with pytest.raises(CacheError, match="cannot be compared"):
            opened(previews, other)

    @pytest.mark.parametrize(
        ("member", "data"),
        [
            ("a.jpg", b"x"),  # another zip
            *((OWN_MARK, head) for head in (b"{", b"[]", b"null", b'{"magic": "cliplib pack 1"}')),
        ],
    )
    def test_what_is_no_pack_is_refused(self, weights, tmp_path, member, data):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(member, data)
        for name in ("a.zip", "nowhere.zip"):
            with pytest.raises(CacheError, match=f"{name} is no pack saved by library.save_pack"):
                opened(tmp_path / name, weights)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"magic": "cliplib pack 2"}, "this version of cliplib cannot read"),
            ({"model": {"dim": "8", "model_id": "0", "name": "toy"}}, "is no pack .*dim must be a number"),
        ],
    )
    def test_a_head_of_another_kind_is_refused(self, weights, previews, tmp_path, change, told):
        inside = members(previews)
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(OWN_MARK, json.dumps(json.loads(inside[OWN_MARK]) | change))
            archive.writestr("index.parquet", inside["index.parquet"])
        with pytest.raises(CacheError, match=told):
            opened(tmp_path / "a.zip", weights)

    def test_fault_14_paths_that_lead_out_are_refused(self, weights, previews, tmp_path):
        """Rows whose paths lead out of the library: never opened."""
        inside = members(previews)
        table, _ = rows.from_parquet(inside["index.parquet"], "index")
        bad = ["../../etc/passwd.jpg", *table["path"].to_pylist()[1:]]
        table = table.set_column(0, "path", [bad])
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
            archive.writestr(OWN_MARK, inside[OWN_MARK])
            archive.writestr("index.parquet", rows.to_parquet(table, {}))
        with pytest.raises(CacheError, match="lead outside the library"):
            opened(tmp_path / "bad.zip", weights)

    def test_a_pack_in_a_library_is_not_indexed(self, weights, previews, tmp_path):
        shutil.copy(previews, tmp_path)
        draw_picture(tmp_path / "own.jpg", 5)
        own = cliplib.Library(tmp_path, model=weights, device="cpu", precision="fp32")
        assert own.index(progress=False).photos == 1
