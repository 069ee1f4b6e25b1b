"""The search page in a real browser: as the app serves it, in JupyterLab, under Voilà, and where it cannot load.

Needs Chromium (Debian: apt install chromium) and the extras `test` and `lab`; skips where one is absent.
"""

import json
import re

import pytest

import cliplib
from tests.harness import axe, servers
from tests.harness.libraries import draw_picture
from tests.harness.pages import HOSTILE, PHONE, WIDE, World, expect, loaded, originals, serving

pytestmark = servers.IN_CHROMIUM


@pytest.fixture(scope="module", params=["app", "lab"])
def world(request, tmp_path_factory, page_library):
    """The page, open in a browser."""
    home = tmp_path_factory.mktemp(request.param)
    with serving(request.param, home, page_library) as url, servers.chromium(viewport=WIDE) as browser:
        browser.grant_permissions(["clipboard-read", "clipboard-write"])
        world = World(browser.new_page(), url, home, request.param)
        world.before = originals(page_library)
        yield world


def test_the_newest_photos_stand_there_before_anything_is_asked(world):
    assert loaded(world.tiles.first.locator("img"))
    expect(world.heading).to_contain_text("newest first")


def test_enter_shows_tiles_with_pictures_and_says_so(world):
    world.ask("a tent")
    assert loaded(world.tiles.first.locator("img"))
    expect(world.root.get_by_role("status").first).to_contain_text("a tent")


def test_settings_change_the_tiles_and_encode_nothing(world):
    world.ask("a tree")
    before = world.encodings()
    world.everything()
    assert world.tiles.count() > 20
    width = world.tiles.first.bounding_box()["width"]
    world.root.get_by_role("slider", name="Size of the pictures").press("End")
    expect(world.tiles.first).not_to_have_css("width", f"{width}px")
    world.root.get_by_role("slider", name="Size of the pictures").press("Home")
    assert world.tiles.first.bounding_box()["width"] < width
    world.root.get_by_role("slider", name="Size of the pictures").fill("190")
    world.root.get_by_role("button", name="Filters").click()
    world.root.get_by_label("Look-alikes").select_option("0.95")
    expect(world.root.get_by_role("button", name="Take off: look-alikes stacked")).to_be_visible()
    world.root.get_by_role("button", name="Filters").click()  # folded away, a filter stays in sight
    world.root.get_by_role("button", name="Take off: look-alikes stacked").click()
    expect(world.root.get_by_role("button", name="Take off: look-alikes")).to_have_count(0)
    assert world.encodings() == before


def test_rows_fill_the_width(world):
    world.ask("a tree")
    world.everything()
    boxes = [tile.bounding_box() for tile in world.tiles.all()[:12]]
    row = [box for box in boxes if abs(box["y"] - boxes[0]["y"]) < 2]
    wide = world.root.locator(".tiles").bounding_box()
    assert len(row) < len(boxes)  # there is a second row
    assert row[-1]["x"] + row[-1]["width"] == pytest.approx(wide["x"] + wide["width"], abs=2)
    heights = [tile.locator(".shot").bounding_box()["height"] for tile in world.tiles.all()[: len(row)]]
    assert max(heights) - min(heights) < 2


def test_more_that_pass_are_a_click_or_a_scroll_away(world):
    world.ask("a tree")
    world.everything()
    count = int(re.match(r"\d+", world.heading.inner_text())[0])
    more = world.root.locator(".more button")
    if more.is_visible():
        expect(more).to_have_text(f"{count - world.tiles.count()} more pass")
        more.click()
    expect(world.tiles).to_have_count(count)


def test_find_similar_asks_for_photos_like_a_tile(world):
    world.ask("a boat")
    world.everything()
    before, path = world.encodings(), world.path()
    world.tiles.first.hover()
    world.tiles.first.get_by_role("button", name="Find similar").click()
    expect(world.heading).to_contain_text(path)
    assert loaded(world.root.locator(".term img"))  # the photo that asks is shown
    assert path not in [world.path(i) for i in range(world.tiles.count())]
    assert world.encodings() == before  # its embedding is in the index
    world.root.get_by_role("button", name="Back").click()
    expect(world.heading).to_contain_text("a boat")


def test_where_nothing_passes_the_nearest_are_shown_as_such(world):
    world.ask("blorp fizz")
    world.root.get_by_role("slider", name="Cutoff").press("End")
    expect(world.heading).to_contain_text("No photo of")
    expect(world.root.locator(".tile.below")).to_have_count(6)
    expect(world.root.get_by_text("Nothing", exact=False).first).to_be_visible()


def test_less_of_that_shows_the_nearest_and_leaves_none_grey(world):
    world.ask("a house")
    world.root.get_by_role("button", name="less of").click()
    line = world.root.get_by_label("Words to search for")
    line.fill("snow")
    line.press("Enter")
    expect(world.heading).to_contain_text("a house − snow")
    expect(world.root.locator(".tile.below")).to_have_count(0)
    assert world.tiles.count() >= 2


def test_a_hostile_name_is_shown_and_does_nothing(world):
    world.ask("mountains")
    world.everything()
    tile = world.root.locator(f".tile[title={json.dumps(HOSTILE)}]").first
    if (more := world.root.locator(".more button")).is_visible():
        more.click()
    tile.scroll_into_view_if_needed()
    tile.locator(".open").click()
    expect(world.box.locator("h2")).to_have_text(HOSTILE)
    world.box.get_by_role("button", name="Find similar").click()
    expect(world.heading).to_contain_text(HOSTILE)
    assert world.page.evaluate("() => window.hurt") is None and world.dialogs == []


def test_a_large_photo_of_ones_own_asks_as_often_as_it_is_given(world, tmp_path):
    """A phone's photo may have more than the 10 MB that a server's connection takes unless it is told otherwise."""
    large = draw_picture(tmp_path / "large.bmp", 3, size=(2000, 2000))
    assert large.stat().st_size > 11e6
    for _ in range(2):
        world.ask("a dog")
        with world.page.expect_file_chooser() as chooser:
            world.root.get_by_role("button", name="Search by a picture of yours").click()
        chooser.value.set_files(large)
        expect(world.heading).to_contain_text("large.bmp")
        assert loaded(world.root.locator(".term img"))


def test_an_error_takes_the_place_of_the_old_results(world):
    world.ask("a dog")
    line = world.root.get_by_label("Words to search for")
    world.root.get_by_role("button", name="Filters").click()
    for label, day in (("From", "2024-02-01"), ("To", "2024-01-01")):
        world.root.get_by_label(label, exact=True).fill(day)
        world.root.get_by_label(label, exact=True).dispatch_event("change")
        world.settled()
    expect(world.root.get_by_role("alert")).to_contain_text("must not come after")
    expect(world.tiles).to_have_count(0)
    world.root.get_by_role("button", name="Take off: 2024-02-01 to 2024-01-01").click()
    world.root.get_by_role("button", name="Filters").click()
    expect(world.tiles.first).to_be_visible()
    expect(line).to_have_value("a dog")


class TestOneLine:
    """Words, a picture, a photo by a part of its name, and chips that add to them or lead away."""

    def test_photos_and_videos_come_in_one_answer_and_tabs_narrow_it(self, world):
        world.ask("a boat", "All")
        kinds = {bool(tile.locator(".curve").count()) for tile in world.tiles.all()}
        assert kinds == {True, False}
        photos, moments = map(int, re.match(r"(\d+) photos? and (\d+) moments?", world.heading.inner_text()).groups())
        for name, number in (("All", photos + moments), ("Photos", photos), ("Videos", moments)):
            expect(world.tab(name)).to_have_text(f"{name} {number}")
        world.tab("Videos").click()
        expect(world.heading).to_contain_text(f"{moments} moment")
        expect(world.root.locator(".tile:not(:has(.curve))")).to_have_count(0)
        world.tab("All").click()
        expect(world.heading).to_contain_text(f"{photos} photo")

    def test_a_photo_by_a_part_of_its_name_with_the_keyboard(self, world):
        world.ask("a tree")
        line = world.root.get_by_label("Words to search for")
        line.fill("ienn")
        expect(world.root.get_by_role("listbox").get_by_role("option")).to_have_text(["like vienna.jpg"])
        line.press("ArrowDown")
        line.press("Enter")
        expect(world.heading).to_contain_text("vienna.jpg")
        assert loaded(world.root.locator(".term img"))

    def test_what_was_asked_before_is_offered_again(self, world):
        world.ask("a tent")
        line = world.root.get_by_label("Words to search for")
        line.fill("")
        world.root.get_by_role("option", name="a tent", exact=True).click()
        expect(world.heading).to_contain_text("a tent")

    def test_a_photo_is_added_to_words_or_led_away_from(self, world):
        world.ask("a house")
        for sign, name in (("also", "sydney"), ("less of", "vienna")):
            world.root.get_by_role("button", name=sign).click()
            world.root.get_by_label("Words to search for").fill(name)
            world.root.get_by_role("listbox").get_by_role("option").first.click()
            world.settled()
        expect(world.heading).to_contain_text("a house + sydney.jpg − vienna.jpg")
        world.root.get_by_label("Words to search for").press("Backspace")  # takes the last term out
        expect(world.heading).to_contain_text("a house + sydney.jpg")
        expect(world.root.locator(".term")).to_have_count(2)

    def test_a_dropped_and_a_pasted_picture_ask(self, world, page_library):
        world.ask("a tree")
        for event, holder in (("drop", "dataTransfer"), ("paste", "clipboardData")):
            data = list((page_library / "vienna.jpg").read_bytes())
            world.root.evaluate(
                """(root, [event, holder, data]) => {
                    const given = new DataTransfer();
                    given.items.add(new File([new Uint8Array(data)], `${event}.jpg`, {type: 'image/jpeg'}));
                    const kind = event === 'drop' ? DragEvent : ClipboardEvent;
                    root.dispatchEvent(new kind(event, {[holder]: given, bubbles: true, cancelable: true}));
                }""",
                [event, holder, data],
            )
            expect(world.heading).to_contain_text(f"{event}.jpg")
            assert "vienna.jpg" in [world.path(i) for i in range(world.tiles.count())]


def test_suggestions_are_there_before_anything_is_asked_and_find_photos(world):
    world.ask("")
    chip = world.root.get_by_role("group", name="What this library shows").get_by_role("button").first
    words = chip.inner_text()
    chip.click()
    expect(world.heading).to_contain_text(re.compile(rf"^\d+ photos? of {words}"))
    expect(world.root.get_by_role("group", name="What this library shows")).to_be_hidden()


class TestFilters:
    """Of photos by the year, camera and place, each a chip that can be taken off; none encodes anything."""

    @pytest.fixture(autouse=True)
    def unfolded(self, world):
        world.ask("")
        world.root.get_by_role("button", name="Filters").click()
        before = world.encodings()
        yield
        assert world.encodings() == before
        while (chips := world.root.locator(".chips button")).count():
            chips.first.click()
            world.settled()
        world.root.get_by_role("button", name="Filters").click()

    def only(self, world, path, chip):
        expect(world.tiles).to_have_count(1)
        assert world.path() == path
        expect(world.root.get_by_role("button", name=f"Take off: {chip}")).to_be_visible()

    def test_a_year_of_the_strip(self, world):
        world.root.get_by_role("group", name="When: years").get_by_role("button", name="2019").click()
        self.only(world, "vienna.jpg", "2019")

    def test_months_are_brushed(self, world):
        months = world.root.locator(".months")
        box = months.bounding_box()
        share = (2021 - 2019 + 4 / 12) / months.locator("i").count() * 12
        world.page.mouse.move(box["x"] + (share - 0.06) * box["width"], box["y"] + 20)
        world.page.mouse.down()
        world.page.mouse.move(box["x"] + (share + 0.03) * box["width"], box["y"] + 20, steps=4)
        world.page.mouse.up()
        expect(world.root.get_by_role("button", name=re.compile("Take off: .* 20.. to .*2021"))).to_be_visible()
        assert "sydney.jpg" in [world.path(i) for i in range(world.tiles.count())]

    def test_a_camera(self, world):
        world.root.get_by_label("Camera").select_option("Pixel 8")
        self.only(world, "sydney.jpg", "Pixel 8")

    def test_a_place_on_the_map(self, world):
        world.root.get_by_role("button", name="1 file near 48° N").click()
        self.only(world, "vienna.jpg", "within")
        expect(world.root.locator(".map [role=button]")).to_have_count(1)  # the map of what lies within
        world.root.get_by_role("button", name="The whole map").click()
        expect(world.root.locator(".map [role=button]")).to_have_count(2)


class TestLightbox:
    def test_opens_large_by_the_keyboard_walks_and_gives_the_place_back(self, world):
        world.ask("a tree")
        world.everything()
        first = world.tiles.first.locator(".open")
        first.focus()
        world.page.keyboard.press("ArrowRight")
        expect(world.tiles.nth(1).locator(".open")).to_be_focused()
        world.page.keyboard.press("Enter")
        name = world.path(1).split("/")[-1]
        expect(world.box.locator("h2")).to_have_text(name)
        assert loaded(world.box.locator(".stage img:not(.small)"))
        assert world.box.locator(".stage img").evaluate("picture => picture.naturalWidth") > 256  # not the thumbnail
        world.page.keyboard.press("ArrowRight")
        expect(world.box.locator("h2")).to_have_text(world.path(2).split("/")[-1])
        world.page.keyboard.press("Escape")
        expect(world.box).to_have_count(0)
        expect(world.tiles.nth(2).locator(".open")).to_be_focused()

    def test_says_what_is_known_and_copies_and_downloads(self, world, page_library):
        world.ask("a tree")
        world.open()
        path = world.path()
        facts = dict(zip(*(world.box.locator(tag).all_inner_texts() for tag in ("dt", "dd")), strict=True))
        assert {"Match", "Cosine", "Folder", "Size"} <= set(facts) and re.fullmatch(r"-?0\.\d{3}", facts["Cosine"])
        world.box.get_by_role("button", name="Copy path").click()
        expect(world.box.get_by_text(f"Copied: {path}")).to_be_visible()
        assert world.page.evaluate("() => navigator.clipboard.readText()") == path
        with world.page.expect_download() as download:
            world.box.get_by_role("button", name="Download").click()
        with open(download.value.path(), "rb") as got:
            assert got.read() == (page_library / path).read_bytes()

    def test_why_colours_the_patches_with_a_caution(self, world):
        world.ask("a tree")
        world.open()
        assert loaded(world.box.locator(".stage img:not(.small)"))
        world.box.get_by_role("button", name="Why this?").click()
        expect(world.box.locator(".why i")).to_have_count(36)
        expect(world.box.get_by_text("Red: without this patch")).to_be_visible()

    def test_a_stack_opens(self, world):
        world.ask("mountains")
        world.everything()
        stacked = world.root.locator(".badge.stacked").first
        expect(stacked).to_be_visible()
        stacked.click()
        expect(world.box.locator(".stack h3")).to_contain_text("more like this")
        other = world.box.locator(".stack button").first
        name = other.get_attribute("title")
        other.click()
        expect(world.box.locator("h2")).to_have_text(name)
        world.page.keyboard.press("Escape")


class TestThumbs:
    def test_are_kept_shown_again_and_taken_back(self, world, page_library):
        world.ask("a cloud")
        world.everything()
        path = world.path()
        tile = world.root.locator(f".tile[title={json.dumps(path)}]")
        tile.hover()
        tile.get_by_role("button", name="This is what I asked for").click()
        expect(world.root.get_by_role("button", name="Refine by 1 yes, 0 no")).to_be_visible()
        world.ask("a house")
        world.ask("a cloud")
        world.everything()
        expect(tile).to_have_class(re.compile("liked"))
        tile.hover()
        tile.get_by_role("button", name="This is what I asked for").click()
        expect(tile).not_to_have_class(re.compile("liked"))
        expect(world.root.get_by_text("Thumb taken back")).to_be_attached()
        assert cliplib.Library(page_library, model="tiny").judgements.frame().empty
        assert originals(page_library) == world.before

    def test_refine_the_query(self, world):
        world.ask("a cloud")
        world.everything()
        last = world.tiles.nth(5)
        path = world.path(5)
        last.hover()
        last.get_by_role("button", name="This is what I asked for").click()
        world.root.get_by_role("button", name="Refine by 1 yes").click()
        expect(world.heading).to_contain_text("by your thumbs")
        assert path in [world.path(i) for i in range(3)]
        world.ask("a cloud")
        world.root.locator(f".tile[title={json.dumps(path)}]").or_(world.tiles.first).first.hover()
        world.everything()
        again = world.root.locator(f".tile[title={json.dumps(path)}]")
        again.hover()
        again.get_by_role("button", name="This is what I asked for").click()
        expect(again).not_to_have_class(re.compile("liked"))


def test_keeping_takes_all_that_pass(world):
    world.ask("a tree")
    world.everything()
    count = int(re.match(r"\d+", world.heading.inner_text())[0])
    world.root.get_by_role("button", name="Keep").click()
    with world.page.expect_download() as download:
        world.root.get_by_role("button", name="Table (CSV)").click()
    with open(download.value.path(), encoding="utf-8") as table:
        assert len(table.read().splitlines()) == count + 1
    world.root.get_by_role("button", name="Copy paths").click()
    expect(world.root.get_by_text(f"{count} paths copied")).to_be_visible()
    assert len(world.page.evaluate("() => navigator.clipboard.readText()").splitlines()) == count
    world.root.get_by_label("What to keep").select_option("stacks")
    world.root.get_by_role("button", name="Copy paths").click()
    expect(world.root.get_by_text(f"{count} paths copied")).to_have_count(0)
    kept = world.page.evaluate("() => navigator.clipboard.readText()").splitlines()
    assert len(kept) == len(set(kept)) > count


class TestVideos:
    def test_play_under_the_mouse_from_a_second_before_the_best_frame(self, world):
        world.ask("a boat", "Videos")
        tile = world.tiles.first
        tile.locator(".shot").hover()
        expect(tile).to_have_class(re.compile("playing"))
        video = tile.locator("video")
        assert video.evaluate("video => !video.paused && video.muted")
        tile.locator(".open").focus()
        world.page.keyboard.press("Enter")
        best_s = clock_s(world.box.locator("dd", has_text="best at").inner_text().split("best at ")[1])
        label = world.box.locator("video").get_attribute("aria-label")
        assert clock_s(label.split(" from ")[1]) == max(0, best_s - 1)
        world.page.keyboard.press("Escape")

    def test_the_curve_plays_from_where_it_is_clicked(self, world):
        world.ask("a boat", "Videos")
        tile = world.tiles.first
        curve = tile.get_by_role("slider")
        expect(curve.locator("line.cut")).to_be_attached()
        box = curve.bounding_box()
        curve.click(position={"x": 0.75 * box["width"], "y": box["height"] / 2})
        expect(tile).to_have_class(re.compile("playing"))
        length_s = float(curve.get_attribute("aria-valuemax"))
        assert float(curve.get_attribute("aria-valuenow")) == pytest.approx(0.75 * length_s, abs=1.5)

    def test_one_scene_is_one_tile(self, world):
        world.ask("a boat", "Videos")
        world.everything()
        shown = [tile.get_attribute("title") for tile in world.tiles.all()]
        assert len(shown) == len(set(shown)) == 2  # with every frame passing, each video is one moment

    def test_find_similar_on_a_frame_finds_something_else(self, world):
        world.ask("a boat", "Videos")
        tile = world.tiles.first
        label = tile.locator(".open").get_attribute("aria-label")
        tile.hover()
        tile.get_by_role("button", name="Find similar").click()
        expect(world.heading).to_contain_text(" at 0:")
        expect(world.tiles.first).to_be_visible()
        assert label not in [one.get_attribute("aria-label") for one in world.root.locator(".tile .open").all()]


def clock_s(words):
    """The seconds in "1:05"."""
    minutes, seconds = words.strip().split(":")
    return 60 * int(minutes) + int(seconds)


class TestAddress:
    """The app's own; a notebook's address is not ours."""

    @pytest.fixture(autouse=True)
    def own(self, world):
        if world.name.startswith("lab"):
            pytest.skip("a notebook's address is JupyterLab's")

    def test_keeps_the_query(self, world):
        world.ask("a tent")
        assert "q=a+tent" in world.page.url
        world.page.reload()
        expect(world.heading).to_contain_text("a tent")
        expect(world.root.get_by_label("Words to search for")).to_have_value("a tent")

    def test_the_browsers_back_goes_back_and_so_does_the_pages(self, world):
        world.ask("a tent")
        world.ask("a kite")
        world.ask("a dog")
        world.page.go_back()
        expect(world.heading).to_contain_text("a kite")
        world.root.get_by_role("button", name="Back").click()
        expect(world.heading).to_contain_text("a tent")
        world.page.go_forward()
        expect(world.heading).to_contain_text("a kite")

    def test_back_leads_to_where_one_was(self, world):
        world.ask("a tree")
        world.everything()
        last = world.tiles.last
        last.scroll_into_view_if_needed()
        world.settled()
        world.tiles.last.hover()
        before = world.page.evaluate("() => window.scrollY")
        world.tiles.last.get_by_role("button", name="Find similar").click()
        expect(world.root.locator(".term img")).to_be_visible()
        world.settled()  # the question is a step of the history once it is answered
        world.page.go_back()
        expect(world.root.locator(".term")).to_have_count(0)
        assert before > 100
        world.page.wait_for_function("before => Math.abs(window.scrollY - before) < 300", arg=before)


class TestPhone:
    @pytest.fixture
    def phone(self, world):
        if world.name != "app":
            pytest.skip("a phone opens the app")
        world.page.set_viewport_size(PHONE)
        yield world
        world.page.set_viewport_size(WIDE)

    def test_the_first_tiles_are_on_the_first_screen_and_nothing_is_wider(self, phone):
        phone.ask("a tree")
        first = phone.tiles.first.bounding_box()
        assert first["y"] + first["height"] / 2 < PHONE["height"]
        assert phone.page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]

    def test_whatever_one_taps_is_large_enough(self, phone):
        for words, kind in (("a tree", "Photos"), ("a boat", "Videos")):
            phone.ask(words, kind)
            phone.root.get_by_role("button", name="Filters").click()
            assert axe.small_targets(phone.page, ".clip-page") == []
            phone.root.get_by_role("button", name="Filters").click()
            phone.open()
            assert axe.small_targets(phone.page, ".clip-page dialog[open]") == []
            phone.page.keyboard.press("Escape")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_for_who_cannot_see_well(world, scheme):
    if world.name != "app":
        pytest.skip("the same module; around it JupyterLab's own page")
    world.page.emulate_media(color_scheme=scheme)
    states = {
        "results": lambda: world.ask("a tree"),
        "box": lambda: world.open(),
        "nothing": lambda: world.ask("blorp fizz"),
        "videos": lambda: world.ask("a boat", "Videos"),
        "video box": lambda: world.open(),
        "keep": lambda: (world.ask("a dog"), world.root.get_by_role("button", name="Keep").click()),
        "filters": lambda: (world.ask(""), world.root.get_by_role("button", name="Filters").click()),
        "offered": lambda: world.root.get_by_label("Words to search for").fill("vienn"),
    }
    for state, reach in states.items():
        reach()
        assert axe.serious(world.page) == [], state
        contrast, text = axe.lowest_contrast(world.page, "dialog[open]" if "box" in state else "body")
        assert contrast >= 4.5, f"{state}: {text!r} has {contrast:.2f}"
    world.root.get_by_label("Words to search for").press("Escape")  # what is offered lies over the button
    world.root.get_by_role("button", name="Filters").click()
    world.page.emulate_media(color_scheme="light")


def test_no_other_computer_is_asked_and_nothing_went_wrong(world):
    assert {host for host in world.hosts if host} == {"localhost"}
    if world.name == "app":
        assert world.errors == []
