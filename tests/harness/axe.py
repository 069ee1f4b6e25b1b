"""Accessibility of a page, measured in the browser: axe-core's rules, contrasts, and how large what one taps is."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from tests.harness.patience import patience_s
from tests.harness.servers import REPO

VERSION = "4.14.1"
SCRIPT = REPO / "build" / f"axe-{VERSION}.min.js"
TARGETS = "button, a[href], input:not([type=file]), select, summary, [role=slider], [role=button]"


def script():
    """The file of axe-core, fetched once from the npm registry into build/; skips where it cannot be had."""
    if not SCRIPT.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm here, which axe-core comes from")
        with tempfile.TemporaryDirectory() as folder:
            command = [npm, "pack", "--silent", f"axe-core@{VERSION}"]
            if subprocess.run(command, cwd=folder, capture_output=True, timeout=patience_s(120)).returncode:
                pytest.skip("the npm registry does not answer, which axe-core comes from")
            with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                code = archive.extractfile("package/axe.min.js").read()
        SCRIPT.parent.mkdir(exist_ok=True)
        SCRIPT.write_bytes(code)
    return SCRIPT


def serious(page, within="body"):
    """What axe-core finds serious or critical in a part of the page: "rule: element" for each."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(script().read_text())  # not as a script element: the page's own policy would refuse that
    found = page.evaluate("within => axe.run(within, {resultTypes: ['violations']})", within)
    return [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'][:300]})"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def small_targets(page, within, least_px=40):
    """What is visible, can be tapped, and is narrower or lower than that: (name, width, height) of each.

    A label around a field is tapped for it, so it counts with it.
    """
    return (
        page.locator(within)
        .locator(TARGETS)
        .evaluate_all(
            """(elements, least) => elements.filter(e => e.checkVisibility({visibilityProperty: true})).map(e => {
            const box = (e.closest('label') ?? e).getBoundingClientRect(), own = e.getBoundingClientRect();
            const wide = Math.max(box.width, own.width), tall = Math.max(box.height, own.height);
            return [e.getAttribute('aria-label') || e.title || e.textContent || e.className, wide, tall];
        }).filter(([, wide, tall]) => wide && (wide < least - 0.5 || tall < least - 0.5))""",
            least_px,
        )
    )


def lowest_contrast(page, within):
    """The lowest contrast of any visible text with what lies behind it, and that text; 21 where there is none.

    What lies behind is the nearest background that is not transparent, which is white where nothing says otherwise.
    """
    return page.evaluate(
        """within => {
          const numbers = colour => (colour.match(/[\\d.]+/g) ?? []).map(Number);
          const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
          const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
          const unseen = 'style, script, option, button:disabled';
          const behind = element => {
            for (let e = element; e; e = e.parentElement) {
              const [r, g, b, a = 1] = numbers(getComputedStyle(e).backgroundColor);
              if (a > 0.8) return [r, g, b];
            }
            return [255, 255, 255];
          };
          let worst = [21, ''];
          const walk = document.createTreeWalker(document.querySelector(within), NodeFilter.SHOW_TEXT);
          while (walk.nextNode()) {
            const text = walk.currentNode.textContent.trim(), e = walk.currentNode.parentElement;
            const visible = e.checkVisibility({visibilityProperty: true, opacityProperty: true});
            if (!text || !visible || e.closest(unseen)) continue;
            const svg = e instanceof SVGElement, style = getComputedStyle(e);
            const [one, two] = [light(numbers(svg ? style.fill : style.color)), light(behind(e))].sort((a, b) => b - a);
            const ratio = (one + 0.05) / (two + 0.05);
            if (ratio < worst[0]) worst = [ratio, text.slice(0, 60)];
          }
          return worst;
        }""",
        within,
    )
