"""The labelling box and the threshold explorer in JupyterLab, in a real browser.

Needs Chromium (Debian: apt install chromium) and the extras `test` and `lab`; skips where one is absent.
"""

import re
import shutil

import nbformat
import pytest

import cliplib
from tests.harness import axe, servers

expect = pytest.importorskip("playwright.sync_api").expect
pytest.importorskip("jupyterlab")
pytestmark = servers.IN_CHROMIUM
CELLS = [
    """import cliplib
from cliplib import lab, widgets

library = cliplib.Library({folder!r}, model="tiny")
widgets.labelling_box(library, ["a dog"], judge="Ada", top=3, below=1)""",
    """widgets.explorer(library, lab.table(library, "text->image", noise=2))""",
]


@pytest.fixture(scope="module")
def library(tmp_path_factory, repo):
    """Some photos of the sample, indexed, all judged for another query."""
    folder = tmp_path_factory.mktemp("library")
    for photo in sorted((repo / "data" / "sample" / "hills").iterdir())[:12]:
        shutil.copy(photo, folder)
    library = cliplib.Library(folder, model="tiny")
    library.index(progress=False)
    for rank, path in enumerate(library.score("snow").to_frame()["path"]):
        library.judgements.add("text->image", "snow", path, rank < 4, judge="Ben")
    return library


@pytest.fixture(scope="module")
def page(tmp_path_factory, library):
    """JupyterLab with both widgets in a notebook, run."""
    home = tmp_path_factory.mktemp("lab")
    (home / "notebooks").mkdir()
    cells = [nbformat.v4.new_code_cell(source.replace("{folder!r}", repr(str(library.root)))) for source in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), home / "notebooks" / "lab.ipynb")
    with servers.serving_lab(home, home / "notebooks") as url, servers.chromium() as browser:
        page = browser.new_page()
        servers.run_notebook(page, f"{url}lab.ipynb")
        expect(page.get_by_text("0 of 4 judged")).to_be_visible()
        expect(page.get_by_text("nearest to the cutoff")).to_be_visible()
        yield page


def test_pictures_are_judged_by_click_and_by_key(page, library):
    box = page.locator(".clip-page", has=page.locator(".judge"))
    picture = box.locator(".shown img")
    expect(picture).to_have_attribute("src", re.compile("^blob:"))
    assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 50
    box.get_by_role("button", name="Yes (y)").click()
    expect(box.get_by_text("1 of 4 judged")).to_be_visible()
    for number, key in enumerate("ny", start=2):
        box.press(key)
        expect(box.get_by_text(f"{number} of 4 judged")).to_be_visible()
    box.get_by_role("button", name="No (n)").click()
    expect(box.get_by_text("All done.")).to_be_visible()
    expect(box.get_by_text("2 right and 2 wrong")).to_be_visible()
    frame = library.judgements.frame()
    assert frame.loc[frame["judge"] == "Ada", "relevant"].tolist() == [True, False, True, False]
    assert axe.serious(page, ".clip-page") == []


def test_the_cutoff_moves_pictures_from_one_side_to_the_other(page):
    box = page.locator(".clip-page", has=page.locator(".sides"))
    slider = box.get_by_role("slider")
    slider.press("Home")
    expect(box.get_by_text("accepted: 12")).to_be_visible()
    expect(box.get_by_text("recall 1.00")).to_be_visible()
    slider.press("End")
    expect(box.get_by_text("accepted: 0")).to_be_visible()
    expect(box.locator(".tile")).to_have_count(6)
    fills = box.locator("svg rect").evaluate_all("bars => new Set(bars.map(bar => getComputedStyle(bar).fill)).size")
    assert fills == 2  # relevant and irrelevant look different
    expect(box.locator(".tile img").first).to_have_attribute("src", re.compile("^blob:"))
