"""Colours on every page whose theme we can tell: whatever the reader's system says, text can be read.

Needs Chromium (Debian: apt install chromium); skips where it is absent.
"""

import pytest

from cliplib.display.html import hits_html
from cliplib.display.style import STYLE, THEME
from cliplib.search.mode import Mode
from cliplib.search.results import Hit, Hits
from cliplib.widgets.notebook import HERE
from tests.harness import axe, servers

pytest.importorskip("playwright.sync_api")
pytestmark = servers.IN_CHROMIUM

# The attributes that tell a page's theme, and the page's own ground: attributes of html, of body, ground.
PAGES = {
    "JupyterLab light": ("", 'data-jp-theme-light="true"', "#fff"),
    "JupyterLab dark": ("", 'data-jp-theme-light="false"', "#111"),
    "Voilà light": ("", 'data-voila="voila" data-jp-theme-light="true"', "#fff"),
    "Voilà dark": ("", 'data-voila="voila" data-jp-theme-light="false"', "#111"),
    "Colab light": ('theme="light"', "", "#fff"),
    "Colab dark": ('theme="dark"', "", "#383838"),
    "VS Code light": ("", 'data-vscode-theme-kind="vscode-light"', "#fff"),
    "VS Code dark": ("", 'data-vscode-theme-kind="vscode-dark"', "#1f1f1f"),
    "VS Code high contrast": ("", 'data-vscode-theme-kind="vscode-high-contrast"', "#000"),
    "VS Code high contrast light": ("", 'data-vscode-theme-kind="vscode-high-contrast-light"', "#fff"),
    "Jupyter Book light": ('data-theme="light"', "", "#fff"),
    "Jupyter Book dark": ('data-theme="dark"', "", "#14181e"),
    "Jupyter Book 2 light": ('class="light"', "", "#fff"),
    "Jupyter Book 2 dark": ('class="dark"', "", "#1c1917"),
    "nbclassic": ("", 'class="notebook_app"', "#fff"),
    "a page that says nothing": ("", "", "#fff"),
}
PAGE = """
<section class="clip-page"><div class="ask"><div class="field"><input class="line" placeholder="What?" value="a dog">
<span class="signs">less of</span></div><button class="primary">Search</button></div>
<div class="bar"><div class="kinds"><button class="tab" aria-pressed="true">Photos</button>
<button class="tab" aria-pressed="false">Videos</button></div><button class="pill">Filters</button></div>
<div class="notice"><p>An error</p></div><h2 class="heading">3 photos</h2><p class="sub">of 200</p>
<ul class="tiles"><li class="tile below" style="--r:1.5"><div class="shot"></div><div class="cap">
<div class="match"><span class="words">weak</span><span class="num">0.12</span></div><div class="dim">a folder</div>
</div></li>
</ul>
<div class="side"><dl><div><dt>Folder</dt><dd>trips</dd></div></dl>
<button class="act yes" aria-pressed="true">Right</button>
<button class="act no" aria-pressed="true">Wrong</button></div><p class="warning">The model's warning</p></section>
"""


@pytest.fixture(scope="module")
def page():
    with servers.chromium() as browser:
        yield browser.new_page()


@pytest.fixture(scope="module")
def drawn():
    """Results, near misses and the parts of a search page, with their styles."""
    hit = Hit("trips/p0.jpg", 0.3, duplicates=("p1.jpg",), expected_precision=0.8)
    found = Hits("a dog", Mode("text->image"), 0.25, (hit,), searched=3)
    missed = Hits("a dog", Mode("text->image"), 0.35, (), (hit,), searched=3)
    warned = '<div class="cliplib"><div class="warning">A warning</div><p class="error">An error</p><a>A link</a></div>'
    css = THEME + (HERE / "page.css").read_text(encoding="utf-8")
    return f"{STYLE}<style>{css}</style>{hits_html(found)}{hits_html(missed)}{warned}{PAGE}"


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_text_can_be_read(page, drawn, name, system):
    html, body, ground = PAGES[name]
    page.emulate_media(color_scheme=system)
    page.set_content(f'<!doctype html><html {html}><body {body} style="background:{ground}">{drawn}</body></html>')
    contrast, text = axe.lowest_contrast(page, "body")
    assert contrast >= 4.5, f"{text!r} has a contrast of {contrast:.2f}"


@pytest.mark.parametrize("name", [name for name in PAGES if name != "a page that says nothing"])
def test_the_page_decides_before_the_system(page, drawn, name):
    html, body, ground = PAGES[name]
    seen = set()
    for system in ("light", "dark"):
        page.emulate_media(color_scheme=system)
        page.set_content(f'<!doctype html><html {html}><body {body} style="background:{ground}">{drawn}</body></html>')
        seen.add(page.locator(".cliplib .head").first.evaluate("element => getComputedStyle(element).color"))
    assert len(seen) == 1
