"""The search page under Voilà, with the ipywidgets that Colab has, and where its module cannot load.

Needs Chromium (Debian: apt install chromium) and the extras `test` and `lab`; skips where one is absent.
"""

import re

import pytest

from tests.harness import servers
from tests.harness.pages import WIDE, World, expect, loaded, serving

pytestmark = servers.IN_CHROMIUM


@pytest.mark.parametrize("where", ["voila", "voila7", "lab7"])
def test_the_same_page_elsewhere(where, tmp_path, page_library):
    """Under Voilà, and with the ipywidgets that Colab has: tiles, a filter, the large picture, a video, the address."""
    with serving(where, tmp_path, page_library) as url, servers.chromium(viewport=WIDE) as browser:
        world = World(browser.new_page(), url, tmp_path, where)
        world.ask("a boat", "Videos")
        world.tiles.first.locator(".shot").hover()
        expect(world.tiles.first).to_have_class(re.compile("playing"))
        world.ask("a tree")
        world.everything()
        world.open()
        assert loaded(world.box.locator(".stage img:not(.small)"))
        assert ("q=a+tree" in world.page.url) == where.startswith("voila")
        assert {host for host in world.hosts if host} == {"localhost"} and world.errors == []


def test_where_the_module_cannot_load_the_plain_box_is_a_click_away(tmp_path, page_library):
    with serving("lab", tmp_path, page_library) as url, servers.chromium(viewport=WIDE) as browser:
        page = browser.new_page()
        page.route("**/anywidget/**", lambda route: route.abort())
        servers.run_notebook(page, f"{url}app.ipynb")
        page.get_by_role("button", name="Show the plain box").click()
        line = page.get_by_placeholder("what should the photo show?")
        line.fill("a tree")
        line.press("Enter")
        expect(page.locator(".cliplib-tile figure").first).to_be_visible()
        assert page.locator(".clip-page").count() == 0
