"""An album as who gets one meets it: a file opened in Chromium, without a network, without Python."""

from functools import partial

import pytest

import cliplib
from cliplib.search.mode import Mode
from cliplib.search.results import Hit, Hits
from data import demo
from data.sample_library.truth import queries
from tests.harness import axe, servers
from tests.harness.pages import HOSTILE, PHONE, WIDE, expect, small_library

pytestmark = servers.IN_CHROMIUM
ATTACK = "</script><script>window.hurt=1</script><img src=x onerror=window.hurt=2>"


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """A page of forty drawn photos and two videos; a file name, a query and the title are attacks."""
    library = cliplib.Library(small_library(tmp_path_factory.mktemp("library")), model="tiny")
    file = tmp_path_factory.mktemp("stick") / "album.html"
    return library.save_page(file, queries=["a boat", ATTACK], title=ATTACK).as_uri()


@pytest.fixture(scope="module")
def chromium():
    with servers.chromium(viewport=WIDE, offline=True) as browser:
        yield browser


class Album:
    """The page, and what it must not do."""

    def __init__(self, browser, url):
        self.page, self.noise, self.requests = browser.new_page(), [], []
        self.page.on("console", lambda message: self.noise.append(message.text))
        self.page.on("pageerror", lambda error: self.noise.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url[:60]))
        self.page.goto(url)
        self.line, self.heading = self.page.get_by_role("searchbox"), self.page.locator("#heading")
        self.tiles, self.box = self.page.locator("#tiles .shot"), self.page.get_by_role("dialog")
        expect(self.tiles.first).to_be_visible()

    def ask(self, words):
        self.line.fill(words)
        self.line.press("Enter")

    def said(self):
        return self.page.locator("#said").inner_text()


@pytest.fixture
def world(chromium, album):
    world = Album(chromium, album)
    yield world
    assert world.noise == [] and [url for url in world.requests if not url.startswith(("file:", "data:"))] == []
    assert world.page.evaluate("window.hurt") is None
    world.page.close()


def test_a_prepared_query_is_answered_and_back_goes_back(world):
    everything = world.tiles.count()
    world.ask("boats")  # the words count, not how they are written
    expect(world.heading).to_have_text("a boat")
    assert 0 < world.tiles.count() < everything and "photo" in world.said()
    assert world.tiles.first.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 50
    world.page.go_back()
    expect(world.heading).to_have_text("Everything")
    assert world.tiles.count() == everything


def test_what_was_not_prepared_is_said_and_near_queries_are_offered(world):
    world.ask("a boat made of marzipan")
    expect(world.page.locator("#said")).to_contain_text("“a boat made of marzipan” was not")
    assert world.tiles.count() == 0
    world.page.locator("#near").get_by_role("button", name="a boat", exact=False).first.click()
    expect(world.heading).to_contain_text("boat")
    assert world.tiles.count()


def test_typing_narrows_the_suggestions_and_a_name_finds_its_photo(world):
    world.line.fill("boa")
    expect(world.page.locator("#chips .chip").first).to_contain_text("boat")
    world.ask("IMG_0019")
    expect(world.heading).to_have_text("Named “IMG_0019”")
    assert world.tiles.count() == 1


def test_a_query_that_finds_nothing_shows_the_nearest_as_such(world):
    world.ask(ATTACK)
    expect(world.heading).to_have_text(ATTACK)
    below = world.page.locator("#tiles .below").count()
    assert below == (world.tiles.count() if "nearest" in world.said() else 0)


def test_with_keys_alone_one_goes_from_a_query_to_a_picture_and_to_more_like_it(world):
    keys = world.page.keyboard
    world.line.focus()
    keys.type("a boat")
    keys.press("Enter")
    expect(world.heading).to_have_text("a boat")
    world.tiles.first.focus()
    keys.press("Enter")
    expect(world.box).to_be_visible()
    first = world.box.locator("#name").inner_text()
    keys.press("ArrowRight")
    assert world.box.locator("#name").inner_text() != first
    alike = world.box.locator("#like .shot").first
    expect(alike).to_be_visible()
    alike.focus()
    keys.press("Enter")
    keys.press("Escape")
    expect(world.box).to_be_hidden()


def test_a_hostile_name_is_text(world):
    world.ask("onerror")
    expect(world.heading).to_have_text("Named “onerror”")
    assert world.page.locator("#tiles .cap").first.inner_text().startswith(HOSTILE)
    assert world.page.title() == world.page.locator("h1").inner_text() == ATTACK


def test_no_script_but_its_own_runs_and_nothing_is_fetched(chromium, album):
    world = Album(chromium, album)
    world.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.hurt=1'}))"
    )
    world.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}))")
    world.page.wait_for_function("() => true")
    assert world.page.evaluate("window.hurt") is None
    assert sum("Content Security Policy" in line for line in world.noise) == 2
    world.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_anybody_can_use_it_on_a_desk_and_on_a_phone(world, scheme):
    page = world.page
    page.emulate_media(color_scheme=scheme)
    for size in (WIDE, PHONE):
        page.set_viewport_size(size)
        for words in ("a boat", "nothing of the kind"):
            world.ask(words)
            expect(page.locator("#back")).to_be_visible()
            assert axe.serious(page) == []
            assert axe.lowest_contrast(page, "body")[0] >= 4.5
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        world.ask("a boat")
        world.tiles.first.click()
        assert axe.serious(page, "dialog[open]") == [] and axe.lowest_contrast(page, "dialog[open]")[0] >= 4.5
        assert axe.small_targets(page, "dialog[open]") == []
        page.keyboard.press("Escape")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_answer_that_was_saved_is_readable(chromium, tmp_path, scheme):
    picture = Hits("a dog", Mode.TEXT_TO_IMAGE, 0.25, (Hit("sea.jpg", 0.5),), searched=9)
    page = chromium.new_page()
    page.emulate_media(color_scheme=scheme)
    page.goto(picture.save(tmp_path / "found.html").as_uri())
    assert axe.serious(page) == [] and axe.lowest_contrast(page, "body")[0] >= 4.5
    page.close()


def test_the_demo_shows_three_ways_one_error_and_how_to_go_on(chromium, repo, tmp_path, monkeypatch):
    """`make demo` on a copy of its sample: the cards, a moment that plays, and the search under them."""
    monkeypatch.setattr(demo, "HOME", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample").symlink_to(repo / "data" / "sample")
    monkeypatch.setattr(demo, "Library", partial(cliplib.Library, cache=tmp_path / "cache"))
    assert demo.main() == 0
    world = Album(chromium, (tmp_path / "build" / "demo.html").as_uri())
    cards = world.page.locator(".card")
    assert [card.locator("h2").inner_text() for card in cards.all()][3] == "And where it errs"
    assert demo.WRONG not in dict(queries("text->image"))[demo.WRONG_TEXT].split("|")
    world.page.wait_for_function("document.querySelector('video').currentTime > 0")
    expect(world.page.get_by_text("make app FOLDER=")).to_be_visible()
    world.ask(demo.TEXT)
    expect(world.heading).to_have_text(demo.TEXT)
    expect(world.heading).to_be_in_viewport()  # which lay far below
    assert axe.serious(world.page) == [] and world.noise == []
    world.page.close()
