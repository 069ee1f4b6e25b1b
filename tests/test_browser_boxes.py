"""The search boxes in a real browser: the notebook of the app, in JupyterLab and as the app itself.

Needs Chromium (Debian: apt install chromium) and the extras `test` and `lab`; skips where one is absent.
"""

import re
import shutil
from urllib.parse import urlsplit

import pytest

import cliplib
from tests import servers
from tests.libraries import draw_picture

expect = pytest.importorskip("playwright.sync_api").expect
pytest.importorskip("jupyterlab")
pytest.importorskip("voila")
pytestmark = servers.IN_CHROMIUM
HOSTILE = "<img src=x onerror=alert(1);window.hurt=1>.jpg"
BOXES = ["Photos by words", "Photos like a photo", "Moments in videos", "More of this, less of that"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, repo):
    """A library of drawn photos and two videos, with one photo whose name is an attack, indexed."""
    folder = tmp_path_factory.mktemp("library")
    for photo in (repo / "data" / "sample" / "hills").iterdir():
        shutil.copy(photo, folder)
    (folder / HOSTILE).write_bytes((folder / "IMG_0002.jpg").read_bytes() + b"\0")  # the same picture, yet no copy
    for name in ("day_trip.mp4", "postcard.webm"):
        shutil.copy(repo / "data" / "sample" / "videos" / name, folder)
    report = cliplib.Library(folder, model="tiny").index(progress=False)
    assert not report.skipped
    return folder


def originals(folder):
    """The files of a library, without its index: when each was last written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}


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
        world = World(browser.new_page(), url, home, request.param)
        world.before = originals(folder)
        yield world


class World:
    """A page with the four boxes, one of them shown."""

    def __init__(self, page, url, home, name):
        self.page, self.log, self.name, self.dialogs, self.hosts = page, home / "encodings.txt", name, [], set()
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("requestfinished", lambda request: self.hosts.add(urlsplit(request.url).hostname))
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
        """How many texts and pictures the kernel has encoded until now."""
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


def test_find_similar_asks_for_photos_like_a_tile(photos):
    photos.ask("what should the photo show?", "a boat")
    photos.slide("threshold", "Home")
    before = photos.encodings()
    name = photos.tiles.first.get_attribute("title")
    photos.page.locator(".cliplib-tile:visible").first.get_by_role("button", name="Find similar").click()
    expect(photos.head).to_contain_text(name)
    expect(photos.head).to_contain_text("image → image")
    assert photos.tiles.first.get_attribute("title") != name  # a photo is not like itself
    assert photos.encodings() == before  # its embedding is in the index


def test_a_query_without_an_answer_shows_the_nearest_greyed(photos):
    photos.ask("what should the photo show?", "blorp fizz")
    photos.slide("threshold", "End")
    expect(photos.page.get_by_text("Nothing reaches the threshold").locator("visible=true")).to_be_visible()
    expect(photos.page.locator(".below figure:visible")).to_have_count(3)
    expect(photos.page.locator(".below figure img:visible").first).to_have_css("opacity", "0.5")
    photos.slide("threshold", "Home")  # where the other tests begin
    expect(photos.page.locator(".below figure:visible")).to_have_count(0)


def test_a_hostile_name_is_shown_and_does_nothing(photos):
    photos.ask("what should the photo show?", "mountains")
    photos.slide("threshold", "Home")
    photos.open("Photos like a photo")
    line = photos.page.get_by_placeholder("a photo of the library")
    line.fill("IMG_0002.jpg")
    line.press("Enter")
    expect(photos.head).to_contain_text("IMG_0002.jpg")  # which the hostile file shows, too
    expect(photos.tiles.first).to_have_attribute("title", HOSTILE)
    expect(photos.tiles.first).to_contain_text(HOSTILE)
    photos.page.locator(".cliplib-tile:visible").first.get_by_role("button", name="Find similar").click()
    expect(photos.head).to_contain_text(HOSTILE)
    assert photos.page.evaluate("() => window.hurt") is None
    assert photos.dialogs == []


def test_a_large_photo_of_ones_own_can_ask(world, tmp_path):
    """A phone's photo may have more than the 10 MB that a server's connection takes unless it is told otherwise."""
    large = draw_picture(tmp_path / "large.bmp", 3, size=(2000, 2000))
    assert large.stat().st_size > 11e6
    world.open("Photos like a photo")
    before = world.encodings()
    with world.page.expect_file_chooser() as chooser:
        world.page.get_by_role("button", name="My own photo").locator("visible=true").click()
    chooser.value.set_files(large)
    expect(world.head).to_contain_text("large.bmp")
    assert world.encodings() == before + 1


def times_s(caption):
    """The seconds in "0:15.5 to 0:17.8, best at 0:17.0"."""
    return [60 * int(minutes) + float(rest) for minutes, rest in re.findall(r"(\d+):(\d+\.\d)", caption)]


def test_a_moment_plays_from_its_best_second(world):
    world.open("Moments in videos")
    world.ask("what should the video show?", "a boat")
    world.slide("threshold", "Home")
    tile = world.page.locator(".cliplib-tile:visible").first
    tile.get_by_role("button", name="Play").click()
    video = tile.locator("video").element_handle()
    world.page.wait_for_function("video => video.readyState >= 2 && !video.seeking", arg=video)
    begun = video.evaluate("video => video.currentTime")
    start_s, _, best_s = times_s(tile.locator("figcaption").inner_text())
    assert begun == pytest.approx(best_s - start_s, abs=0.11)  # the caption rounds both to a tenth
    video.evaluate("video => { video.muted = true; return video.play() }")
    world.page.wait_for_function("([video, begun]) => video.currentTime > begun + 0.3", arg=[video, begun])


def test_a_thumb_changes_nothing_in_the_library_but_its_index(photos, folder):
    photos.ask("what should the photo show?", "a house")
    photos.slide("threshold", "Home")
    photos.page.locator(".cliplib-tile:visible").first.get_by_title("This is what I asked for").click()
    expect(photos.page.get_by_role("button", name="Refine by 1").locator("visible=true")).to_be_visible()
    assert originals(folder) == photos.before


@pytest.mark.parametrize("box", BOXES)
def test_a_phone_shows_a_box_without_scrolling_sideways(world, box):
    if world.name == "lab":
        pytest.skip("JupyterLab itself is wider than a phone")
    world.open(box)
    expect(world.tiles.first).to_be_visible()
    wide = world.page.viewport_size
    world.page.set_viewport_size({"width": 400, "height": 800})
    try:
        for scroller in ("html", "body"):
            assert world.page.locator(scroller).evaluate("element => element.scrollWidth") <= 400
        for box in world.tiles.all():
            place = box.bounding_box()
            assert place["x"] >= 0 and place["x"] + place["width"] <= 400
    finally:
        world.page.set_viewport_size(wide)


def test_the_app_asks_no_other_computer(world):
    if world.name == "lab":
        pytest.skip("JupyterLab is not ours")
    assert {host for host in world.hosts if host} == {"localhost"}
