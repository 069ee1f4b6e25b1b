"""Uploads into a notebook: found, added to, with odd names, and nothing left behind."""

import pytest

from cliplib.lessons.upload import Upload
from tests.harness.libraries import draw_picture


def shown(upload) -> str:
    """What stands below the button."""
    return upload.children[1].value


def boxes(upload) -> int:
    """How many search boxes stand below that."""
    return len(upload.children[2].children)


@pytest.fixture
def upload(weights):
    upload = Upload(model=weights, device="cpu", precision="fp32")
    yield upload
    upload.forget()


def jpeg(tmp_path, seed):
    return draw_picture(tmp_path / f"{seed}.jpg", seed).read_bytes()


def test_uploaded_photos_are_found_and_forgotten(upload, tmp_path):
    upload.take({f"{i}.jpg": {"content": jpeg(tmp_path, i)} for i in range(3)})
    assert len(upload.library.search("a dog", k=9, threshold=-1)) == 3
    assert "3 indexed" in shown(upload) and boxes(upload) == 1
    folder = upload.library.root.parent
    upload.forget()
    assert not folder.exists() and "deleted" in shown(upload)


def test_more_can_be_added_and_namesakes_stay_apart(upload, tmp_path):
    for seed in (1, 2):
        upload.take(({"name": "a.jpg", "content": memoryview(jpeg(tmp_path, seed))},))
    assert upload.library.photos() == ["a (2).jpg", "a.jpg"] and boxes(upload) == 1


@pytest.mark.parametrize("name", ["../../up.jpg", "/etc/up.jpg", "..\\up.jpg", "C:\\up.jpg", ".up.jpg", "up\0.jpg"])
def test_no_name_leads_out_of_the_folder(upload, tmp_path, name):
    upload.take({name: {"content": jpeg(tmp_path, 1)}})
    assert upload.library.photos() == ["up.jpg"]


def test_what_is_no_picture_is_said(upload):
    upload.take({"<b>.jpg": {"content": b"<html>"}})
    assert "1 skipped" in shown(upload) and "&lt;b&gt;.jpg" in shown(upload)
