"""Notebook 11 in JupyterLab, in a real browser: the figure changes while the model trains.

Needs Chromium (Debian: apt install chromium) and the extras `test` and `lab`; skips where one is absent.
"""

import nbformat
import pytest

from tests import servers
from tests.servers import CHROMIUM

expect = pytest.importorskip("playwright.sync_api").expect
pytest.importorskip("jupyterlab")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt install chromium)"),
]
FIGURE = ".jp-OutputArea-output img"


def test_the_figure_follows_the_training(repo, tmp_path):
    suite, home = tmp_path / "suite", tmp_path / "home"
    (suite / "notebooks").mkdir(parents=True)
    home.mkdir()
    for name in ("cliplib", "data"):
        (suite / name).symlink_to(repo / name)
    content = nbformat.read(repo / "notebooks" / "11_train_a_tiny_clip.ipynb", 4)
    cell = next(cell for cell in content.cells if "parameters" in cell.metadata.get("tags", []))
    cell.source = 'steps = 40\nscenes = 300\nfolder = home / "data" / "sample"'
    trained = next(at for at, cell in enumerate(content.cells) if "exam.train" in cell.source)
    content.cells = content.cells[: trained + 1]  # what follows is searched in other tests
    nbformat.write(content, suite / "notebooks" / "lesson.ipynb")
    with servers.serving_lab(home, suite / "notebooks") as url, servers.chromium() as browser:
        page = browser.new_page()
        servers.run_notebook(page, f"{url}lesson.ipynb", wait=False)
        live = page.locator(FIGURE).last  # the first picture is the exam's
        expect(page.locator(FIGURE)).to_have_count(3)
        first = live.get_attribute("src")
        expect(live).not_to_have_attribute("src", first)
        assert live.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 600
