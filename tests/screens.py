"""What `make screens` runs: photographs every notebook and the app in Chromium, at the width of a desk and of a phone,
and the notebooks in JupyterLab's dark theme besides.

The pictures lie in build/screens/ for somebody to look at; nothing is compared. `python tests/screens.py 03 app` takes
only these.
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
    """Each box of the app."""
    home.mkdir()
    with servers.serving_app(home, "data/sample") as url, servers.chromium() as browser:
        page = browser.new_page()
        page.goto(url)
        for name, label in BOXES.items():
            page.get_by_role("button", name=label).click()
            expect(page.locator(".cliplib-tile figure:visible").first).to_be_visible()
            photograph(page, f"app_{name}", "#rendered_cells")


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
