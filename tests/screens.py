"""What `make screens` runs: photographs every notebook and the app in Chromium, at the width of a desk and of a phone.

The pictures lie in build/screens/ for somebody to look at; nothing is compared.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

from tests import servers

WIDTHS = {"desktop": 1280, "phone": 400}
LEAST, MOST = 900, 16_000  # pixels high; Chromium draws no taller picture
SCREENS = servers.REPO / "build" / "screens"
BOXES = {
    "photos": "Photos by words",
    "similar": "Photos like a photo",
    "moments": "Moments in videos",
    "compose": "More of this, less of that",
}


def main() -> int:
    """Write build/screens/*.png; 0 when every page could be photographed."""
    if servers.CHROMIUM is None:
        print("screens: no Chromium here (Debian: apt install chromium)", file=sys.stderr)
        return 1
    shutil.rmtree(SCREENS, ignore_errors=True)
    SCREENS.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as home:
        photograph_app(Path(home) / "app")
        photograph_notebooks(Path(home) / "suite")
    print(f"{len(list(SCREENS.glob('*.png')))} pictures in {SCREENS.relative_to(servers.REPO)}/")
    return 0


def photograph_app(home):
    """Each box of the app."""
    home.mkdir()
    with servers.serving_app(home, "data/sample") as url, servers.chromium() as browser:
        page = browser.new_page()
        page.goto(url)
        for name, label in BOXES.items():
            page.get_by_role("button", name=label).click()
            expect(page.locator(".cliplib-tile figure:visible").first).to_be_visible()
            photograph(page, f"app_{name}", "body")


def photograph_notebooks(home):
    """Each notebook with its results, as one long page: a copy, run on the sample library."""
    for name in ("notebooks", "cliplib", "data"):
        shutil.copytree(servers.REPO / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    with servers.serving_lab(home, home / "notebooks") as url, servers.chromium() as browser:
        for notebook in sorted((home / "notebooks").glob("[0-9]*.ipynb")):
            page = browser.new_page()
            servers.run_notebook(page, url + notebook.name)
            photograph(page, notebook.stem, ".jp-WindowedPanel-outer")
            page.close()


def photograph(page, name, scroller):
    """One picture at every width of all that the element `scroller` scrolls through."""
    for width_name, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": LEAST})
        unseen = page.locator(scroller).evaluate("element => element.scrollHeight - element.clientHeight")
        page.set_viewport_size({"width": width, "height": min(LEAST + unseen, MOST)})
        page.locator(scroller).evaluate("element => element.scrollTo(0, 0)")
        expect(page.locator(".jp-Notebook :is(h1, h2)").first).to_be_in_viewport()
        page.screenshot(path=SCREENS / f"{name}_{width_name}.png")


if __name__ == "__main__":
    sys.exit(main())
