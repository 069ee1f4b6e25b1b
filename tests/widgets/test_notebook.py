"""The page in a notebook, without a front end: messages and answers, the way to the plain box, what is saved."""

import sys

import pytest

pytest.importorskip("anywidget")
pytest.importorskip("ipywidgets")

import cliplib
from cliplib import widgets
from cliplib.widgets.box import SearchBox
from cliplib.widgets.notebook import Page, View
from tests.harness.libraries import draw_picture


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    root = tmp_path_factory.mktemp("photos")
    for number in range(2):
        draw_picture(root / f"p{number}.jpg", number)
    library = cliplib.Library(root, model=weights)
    library.index(progress=False)
    return library


def test_a_numbered_request_is_answered_with_its_number(monkeypatch):
    sent = []
    monkeypatch.setattr(View, "send", lambda self, content, buffers=None: sent.append((content, buffers)))
    view = View(lambda request, buffers: ({"echo": request["do"], "size": len(buffers[0])}, [b"jpeg"]))
    view._handle_custom_msg({"page": "p", "number": 7, "request": {"do": "ask"}}, [memoryview(b"abc")])
    assert sent == [({"page": "p", "number": 7, "content": {"echo": "ask", "size": 3}}, [b"jpeg"])]


def test_no_picture_is_part_of_a_widgets_state(library, monkeypatch):
    """JupyterLab saves widgets' states in the notebook if it is told to."""
    monkeypatch.setattr(View, "send", lambda *_: None)
    page = widgets.text_box(library, "a dog")
    key = [library.search("a dog", 1, -1)[0].digest, None]
    page.view._handle_custom_msg({"page": "p", "number": 1, "request": {"do": "thumbs", "keys": [key]}}, [])
    for part in (page, page.view, *page.children[1].children):
        state = repr({name: value for name, value in part.get_state().items() if name not in ("_esm", "_css")})
        assert "image/jpeg" not in state and "JFIF" not in state


def test_the_button_under_it_leads_to_the_plain_box(library):
    page = widgets.text_box(library, "a dog")
    assert isinstance(page, Page)
    page.plain.click()
    (box,) = page.children
    assert isinstance(box, SearchBox) and box.entry[0].value == "a dog"


@pytest.mark.parametrize("make", [widgets.text_box, widgets.image_box, widgets.video_box, widgets.compose_box])
def test_colab_and_whoever_lacks_anywidget_get_the_plain_box(library, make, monkeypatch):
    monkeypatch.setattr(widgets, "find_spec", lambda name: None)
    assert isinstance(make(library), SearchBox)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert isinstance(make(library), SearchBox)


def test_examples_are_what_the_page_asks(library):
    def terms(page):
        return [(term["kind"], term["value"], term["weight"]) for term in page.view.options["terms"]]

    assert terms(widgets.text_box(library, "a dog")) == [("text", "a dog", 1)]
    assert terms(widgets.text_box(library)) == []
    assert terms(widgets.image_box(library)) == [("photo", "p0.jpg", 1)]
    assert terms(widgets.compose_box(library, {"a dog": 1, "snow": -1})) == [("text", "a dog", 1), ("text", "snow", -1)]
    assert widgets.video_box(library).view.options["kind"] == "frame"
