"""The search page in a browser, for tests: where it is served, and what a person does with it."""

import re
import shutil
from urllib.parse import urlsplit

import pytest
from PIL import Image

import cliplib
from tests.harness import servers
from tests.harness.libraries import draw_picture

expect = pytest.importorskip("playwright.sync_api").expect
for needed in ("anywidget", "jupyterlab", "voila"):  # whoever drives the page skips where one is absent
    pytest.importorskip(needed)
PLACES = ("N", 48, 16, 2019), ("S", 33, 151, 2021)  # degrees, and a year
HOSTILE = "<img src=x onerror=alert(1);window.hurt=1>.jpg"
KERNEL_7 = servers.REPO / ".venv-colab" / "bin" / "python"  # ipywidgets 7.7.1, as in Colab; `make test-colab` makes it
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def small_library(folder):
    """A library of drawn photos and two videos, indexed: one photo's name is an attack, two have cameras and places."""
    sample = servers.REPO / "data" / "sample"
    for photo in (sample / "hills").iterdir():
        shutil.copy(photo, folder)
    (folder / HOSTILE).write_bytes((folder / "IMG_0002.jpg").read_bytes() + b"\0")  # the same picture, yet no copy
    for name in ("day_trip.mp4", "walk.mp4"):
        shutil.copy(sample / "videos" / name, folder)
    for name, camera, gps in (("vienna", "Canon EOS R", PLACES[0]), ("sydney", "Pixel 8", PLACES[1])):
        exif = Image.Exif()
        exif[0x0110] = camera
        exif.get_ifd(0x8825).update({1: gps[0], 2: (gps[1], 0, 0), 3: "E", 4: (gps[2], 0, 0)})
        exif.get_ifd(0x8769)[0x9003] = f"{gps[3]}:05:06 10:00:00"
        draw_picture(folder / f"{name}.jpg", gps[1], exif=exif)
    report = cliplib.Library(folder, model="tiny").index(progress=False)
    assert not report.skipped
    return folder


def originals(folder):
    """The files of a library, without its index: when each was last written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}


def serving(where, home, folder):
    """A server of the page: the app, or the app's notebook in JupyterLab (with ipywidgets 8, or 7) or under Voilà."""
    if where == "app":
        return servers.serving_app(home, folder)
    (home / "notebooks").mkdir()
    notebook = home / "notebooks" / "app.ipynb"
    shutil.copy(servers.REPO / "notebooks" / "app.ipynb", notebook)
    asks = {"CLIPLIB_FOLDER": folder, "CLIPLIB_MODEL": "tiny"}
    if where.endswith("7"):
        if not KERNEL_7.is_file():
            pytest.skip("no .venv-colab with ipywidgets 7: make test-colab makes it")
        servers.add_kernel(home, "python3", KERNEL_7)
    if where.startswith("voila"):
        return servers.serving_voila(home, notebook, **asks)
    return servers.serving_lab(home, home / "notebooks", **asks)


class World:
    """A search page."""

    def __init__(self, page, url, home, name):
        self.page, self.url, self.log, self.name = page, url, home / "encodings.txt", name
        self.dialogs, self.hosts, self.errors = [], set(), []
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("requestfinished", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        if name.startswith("lab"):
            servers.run_notebook(page, f"{url}app.ipynb")
        else:
            page.goto(url)
        expect(self.tiles.first).to_be_visible()

    @property
    def root(self):
        return self.page.locator(".clip-page")

    def tab(self, name):
        return self.root.locator(".tab", has_text=name)

    @property
    def tiles(self):
        return self.page.locator(".clip-page .tile:visible")

    @property
    def heading(self):
        return self.page.locator(".clip-page .head .heading")

    @property
    def box(self):
        return self.page.locator(".clip-page dialog[open]")

    def ask(self, words, kind="Photos"):
        """Begin anew: no filter and no term but these words, typed with Enter."""
        self.page.keyboard.press("Escape")
        self.tab(kind).click()
        self.settled()
        while (chips := self.root.locator(".chips button, .term .bare")).count():
            chips.first.click()
            self.settled()
        line = self.root.get_by_label("Words to search for")
        line.fill(words)
        line.press("Enter")
        expect(self.heading).to_contain_text(words)
        self.settled()

    def settled(self):
        """Wait until what was asked is answered."""
        expect(self.root).not_to_have_class(re.compile("busy"))

    def everything(self):
        """Move the cutoff to its left end: every photo passes."""
        self.root.get_by_role("slider", name="Cutoff").press("Home")
        expect(self.root.get_by_text(re.compile("^cutoff "))).to_be_visible()
        self.settled()

    def path(self, number=0):
        return self.tiles.nth(number).get_attribute("title")

    def open(self, number=0):
        self.tiles.nth(number).locator(".open").click()
        expect(self.box).to_be_visible()

    def encodings(self):
        """How many texts and pictures have been encoded until now."""
        return len(self.log.read_text().splitlines())


def loaded(picture):
    """Whether an image has been drawn with pixels of its own."""
    expect(picture).to_have_attribute("src", re.compile("."))
    return picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 50
