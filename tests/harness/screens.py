"""What `make screens` runs: photographs every notebook and the app in Chromium, at the width of a desk and of a phone,
and the notebooks in JupyterLab's dark theme besides.

The pictures lie in build/screens/ for somebody to look at; nothing is compared. `python -m tests.harness.screens 03
app` takes only these.
"""

import itertools
import json
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import expect

from tests.harness import servers

WIDTHS = {"desktop": 1280, "phone": 390}
LEAST, MOST = 900, 16_000  # pixels high; Chromium draws no taller picture
SCREENS = servers.REPO / "build" / "screens"
WORDS, MOMENT = "a red car", "a boat"
SUM = json.dumps([{"kind": "text", "value": words, "weight": n} for words, n in (("a red car", 1), ("snow", -1))])
DRAWN = "() => document.querySelector('.tile .open img[src]')?.complete && !document.querySelector('.clip-page.busy')"
DARK = "() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"


def main(wanted: list[str]) -> int:
    """Write build/screens/*.png, all or those that begin as wanted; 0 when every page could be photographed."""
    if servers.CHROMIUM is None:
        print("screens: no Chromium here (Debian: apt install chromium)", file=sys.stderr)
        return 1
    if not wanted:
        shutil.rmtree(SCREENS, ignore_errors=True)
    SCREENS.mkdir(parents=True, exist_ok=True)
    names = sorted(path.stem for path in (servers.REPO / "notebooks").glob("*.ipynb"))
    names = [name for name in names if name.startswith(tuple(wanted) or "")]
    with tempfile.TemporaryDirectory() as home:
        if "app" in names:
            photograph_app(Path(home) / "app")
        photograph_notebooks(Path(home) / "suite", [name for name in names if name != "app"])
    print(f"{len(list(SCREENS.glob('*.png')))} pictures in {SCREENS.relative_to(servers.REPO)}/")
    return 0


def photograph_app(home):
    """The search page in its states, wide and narrow, light and dark."""
    home.mkdir()
    with servers.serving_app(home, "data/sample") as url, servers.chromium() as browser:
        for scheme, (width_name, width) in itertools.product(("light", "dark"), WIDTHS.items()):
            page = browser.new_page()
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": LEAST})
            for state, query, reach in STATES:
                page.goto(url + query)
                page.wait_for_function(DRAWN)
                reach(page)
                page.screenshot(path=SCREENS / f"app_{state}_{width_name}_{scheme}.png")
            with page.expect_download() as download:
                page.get_by_role("button", name="Page (HTML)").click()
            download.value.save_as(home / "found.html")
            page.goto((home / "found.html").as_uri())
            page.screenshot(path=SCREENS / f"export_{width_name}_{scheme}.png")
            page.close()


def open_first(page):
    """Open the first picture large, and wait until it is there."""
    page.locator(".tile .open").first.click()
    page.locator("dialog[open] :is(.stage img:not(.small), .stage video[src])").wait_for()


def why_first(page):
    """Ask which patches of the first picture its match hangs on."""
    open_first(page)
    page.get_by_role("button", name="Why this?").click()
    page.locator(".why").wait_for()


def offered(page, words):
    """Type a part of a photo's name, and wait for what is offered."""
    page.get_by_label("Words to search for").fill(words)
    page.get_by_role("listbox").get_by_role("option").first.wait_for()


def play_first(page):
    """Play the first video in its tile."""
    page.locator(".tile .badge.play").first.click()
    page.locator(".tile.playing").first.wait_for()


STATES = (  # a name, what the address asks, what is done then
    ("newest", "", lambda page: None),
    ("all", f"?{urlencode({'q': MOMENT})}", lambda page: None),
    ("filters", "", lambda page: page.get_by_role("button", name="Filters").click()),
    ("offered", f"?{urlencode({'q': MOMENT})}", lambda page: offered(page, "IMG_00")),
    ("photos", f"?{urlencode({'q': WORDS, 'kind': 'image'})}", lambda page: None),
    ("lightbox", f"?{urlencode({'q': WORDS, 'kind': 'image'})}", open_first),
    ("why", f"?{urlencode({'q': WORDS, 'kind': 'image'})}", why_first),
    ("videos", f"?{urlencode({'q': MOMENT, 'kind': 'frame'})}", play_first),
    ("moment", f"?{urlencode({'q': MOMENT, 'kind': 'frame'})}", open_first),
    ("compose", f"?{urlencode({'terms': SUM})}", lambda page: None),
    ("nothing", f"?{urlencode({'q': 'blorp fizz'})}", lambda page: page.get_by_role("button", name="Filters").click()),
    ("keep", f"?{urlencode({'q': WORDS})}", lambda page: page.get_by_role("button", name="Keep").click()),
)


def photograph_notebooks(home, names):
    """Each notebook with its results, as one long page: a copy, run on the sample library."""
    for name in ("notebooks", "cliplib", "data"):
        shutil.copytree(servers.REPO / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    with servers.serving_lab(home, home / "notebooks") as url, servers.chromium() as browser:
        for name in names:
            page = browser.new_page()
            servers.run_notebook(page, f"{url}{name}.ipynb")
            photograph(page, name, ".jp-WindowedPanel-outer")
            page.evaluate(DARK)
            photograph(page, f"{name}_dark", ".jp-WindowedPanel-outer", ["desktop"])
            page.evaluate(DARK.replace("Dark", "Light"))  # the theme is a setting, and the next page would have it too
            page.close()


def photograph(page, name, scroller, width_names=tuple(WIDTHS)):
    """One picture at every width of all that the element `scroller` scrolls through."""
    for width_name in width_names:
        width = WIDTHS[width_name]
        page.set_viewport_size({"width": width, "height": LEAST})
        unseen = page.locator(scroller).evaluate("element => element.scrollHeight - element.clientHeight")
        page.set_viewport_size({"width": width, "height": min(LEAST + unseen, MOST)})
        page.locator(scroller).evaluate("element => element.scrollTo(0, 0)")
        expect(page.locator(".jp-Notebook :is(h1, h2)").first).to_be_in_viewport()
        page.screenshot(path=SCREENS / f"{name}_{width_name}.png")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
