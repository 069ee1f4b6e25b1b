"""Notebook 11 in JupyterLab, in a real browser: the figure changes while the model trains.

Needs Chromium (Debian: apt install chromium) and the extras `test` and `lab`; skips where one is absent.
"""

import nbformat
import pytest

from tests.harness import servers

expect = pytest.importorskip("playwright.sync_api").expect
pytest.importorskip("jupyterlab")
pytestmark = servers.IN_CHROMIUM
FIGURE = ".jp-OutputArea-output img"
# Notes every picture that is ever shown: a slow page may miss none by looking too late.
WATCH = """window.shown = new Set();
const look = () => document.querySelectorAll("FIGURE").forEach(picture => window.shown.add(picture.src));
new MutationObserver(look).observe(document, {subtree: true, childList: true, attributes: true});
"""


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
    shown = content.cells[: trained + 1]  # what is searched, before and after, is seen in other tests
    content.cells = [cell for cell in shown if "searchable" not in cell.source]
    nbformat.write(content, suite / "notebooks" / "lesson.ipynb")
    with servers.serving_lab(home, suite / "notebooks") as url, servers.chromium() as browser:
        page = browser.new_page()
        page.add_init_script(WATCH.replace("FIGURE", FIGURE))
        servers.run_notebook(page, f"{url}lesson.ipynb", wait=False)
        page.wait_for_function("() => window.shown.size >= 4")  # two pictures besides, and at least two of the training
        live = page.locator(FIGURE)
        expect(live).to_have_count(3)
        assert live.last.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 600
