"""The search boxes in a real browser: the notebook of the app, in JupyterLab and as the app itself.

Needs Chromium (Debian: apt install chromium) and the extras `test` and `lab`; skips where one is absent.
"""

import re
import shutil

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("jupyterlab")
pytest.importorskip("voila")

import cliplib
from tests import servers
from tests.servers import CHROMIUM

expect = sync_api.expect
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt install chromium)"),
]
HOSTILE = "<img src=x onerror=alert(1);window.hurt=1>.jpg"
PHOTOS = 39  # in data/sample/hills


@pytest.fixture(scope="module")
def folder(tmp_path_factory, repo):
    """A library of drawn photos and two videos, with one photo whose name is an attack, indexed."""
    folder = tmp_path_factory.mktemp("library")
    for photo in (repo / "data" / "sample" / "hills").iterdir():
        shutil.copy(photo, folder)
    shutil.copy(folder / "IMG_0002.jpg", folder / HOSTILE)
    for name in ("day_trip.mp4", "postcard.webm"):
        shutil.copy(repo / "data" / "sample" / "videos" / name, folder)
    report = cliplib.Library(folder, model="tiny").index(progress=False)
    assert not report.skipped
    return folder


@pytest.fixture(scope="module", params=["lab", "app"])
def world(request, tmp_path_factory, folder, repo):
    """The app's notebook on a page: in JupyterLab, all cells run; or served by Voilà."""
    home = tmp_path_factory.mktemp(request.param)
    if request.param == "lab":
        (home / "notebooks").mkdir()
        shutil.copy(repo / "notebooks" / "app.ipynb", home / "notebooks")
        server = servers.serving_lab(home, home / "notebooks", CLIPLIB_FOLDER=folder, CLIPLIB_MODEL="tiny")
    else:
        server = servers.serving_app(home, folder)
    with server as url, servers.chromium() as browser:
        yield World(browser.new_page(), url, home, request.param)


class World:
    """A page with the four boxes, one of them shown."""

    def __init__(self, page, url, home, name):
        self.page, self.log, self.dialogs = page, home / "encodings.txt", []
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        if name == "lab":
            servers.run_notebook(page, f"{url}app.ipynb")
        else:
            page.goto(url)
        expect(self.tiles.first).to_be_visible()

    @property
    def tiles(self):
        return self.page.locator(".cliplib-tile figure:visible")

    @property
    def head(self):
        return self.page.locator(".cliplib .head:visible")

    def open(self, box):
        """Show one of the boxes."""
        self.page.get_by_role("button", name=box).click()

    def ask(self, placeholder, words):
        """Type words and press Enter; returns when the box has answered them."""
        line = self.page.get_by_placeholder(placeholder)
        line.fill(words)
        line.press("Enter")
        expect(self.head).to_contain_text(words)

    def slide(self, label, key):
        """Press a key on a slider."""
        slider = self.page.locator(".widget-slider:visible", has_text=label)
        slider.get_by_role("slider").press(key)

    def encodings(self):
        """How often a kernel has encoded something until now."""
        return len(self.log.read_text().splitlines())


@pytest.fixture
def photos(world):
    """The world, asked for photos by words, at its first settings."""
    world.open("Photos by words")
    return world


def test_enter_shows_tiles_with_pictures(photos):
    before = photos.encodings()
    photos.ask("what should the photo show?", "a tent")
    picture = photos.tiles.first.locator("img")
    expect(picture).to_have_attribute("src", re.compile("^data:image/jpeg"))
    assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 50
    assert photos.encodings() == before + 1


def test_sliders_change_the_tiles_and_encode_nothing(photos):
    photos.ask("what should the photo show?", "a tree")
    before = photos.encodings()
    photos.slide("threshold", "Home")  # to its left end: every photo passes
    expect(photos.tiles).to_have_count(5)
    photos.slide("at most", "End")
    expect(photos.tiles).to_have_count(30)
    photos.slide("at most", "Home")
    expect(photos.tiles).to_have_count(1)
    assert photos.encodings() == before
