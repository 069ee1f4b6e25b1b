"""Search boxes, driven as a person would: type, press Enter, move a slider, click."""

import pytest

pytest.importorskip("ipywidgets")

import cliplib
from cliplib import widgets
from cliplib.encoder import Encoder
from tests.libraries import draw_picture, draw_video, save_random_clip


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for i in range(4):
        draw_picture(root / f"p{i}.jpg", i)
    draw_video(root / "v.mp4", 7)
    weights = save_random_clip(tmp_path_factory.mktemp("weights") / "random.safetensors")
    library = cliplib.Library(root, model=weights)
    library.index(progress=False)
    return library


def parts(box):
    """The entry, the button, k, the threshold and the gallery of a box."""
    (entry, button), (k, threshold) = box.children[0].children, box.children[1].children
    return entry, button, k, threshold, box.children[2]


def submit(entry, text):
    entry.value = text
    entry._handle_custom_msg({"event": "submit"}, [])


class TestTextBox:
    def test_enter_searches_and_shows_tiles(self, library):
        entry, _, _, threshold, gallery = parts(widgets.text_box(library))
        assert gallery.value == ""
        threshold.value = -0.2
        submit(entry, "a dog")
        assert gallery.value.count("<figure") == 4

    def test_the_button_searches_too(self, library):
        entry, button, *_, gallery = parts(widgets.text_box(library))
        entry.value = "a dog"
        button.click()
        assert "a dog" in gallery.value and button.disabled is False

    def test_sliders_change_the_tiles_and_encode_nothing(self, library, monkeypatch):
        _, _, k, threshold, gallery = parts(widgets.text_box(library, example="a dog"))
        monkeypatch.setattr(Encoder, "encode_texts", lambda *_: pytest.fail("encoded"))
        threshold.value = -0.2
        k.value = 2
        assert gallery.value.count("<figure") == 2
        threshold.value = 1
        assert "Nothing reaches the threshold" in gallery.value

    def test_errors_are_shown_in_words(self, library):
        entry, *_, gallery = parts(widgets.text_box(library))
        submit(entry, "   ")
        assert "no words" in gallery.value


class TestOtherBoxes:
    def test_image_box_offers_the_photos_and_leaves_the_query_out(self, library):
        entry, _, _, threshold, gallery = parts(widgets.image_box(library))
        assert entry.options == tuple(library.photos())
        threshold.value = -0.2
        assert gallery.value.count("<figure") == 3

    def test_image_box_says_when_a_photo_is_nowhere(self, library):
        entry, button, *_, gallery = parts(widgets.image_box(library))
        entry.value = "nowhere.jpg"
        button.click()
        assert "no image" in gallery.value

    def test_video_box_shows_times(self, library):
        _, _, _, threshold, gallery = parts(widgets.video_box(library, example="a dog"))
        threshold.value = -0.2
        assert " at 0:0" in gallery.value
