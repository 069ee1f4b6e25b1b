"""The search page as a person meets it: driven in Chromium against the app, measured from Enter to tiles.

Prints a table and writes build/page.json:

enter_to_tiles_ms, enter_to_tiles_10k_ms: median over different queries from Enter until the first tile of the answer
    has its picture; on the sample library, and on 10,000 photos.
app_ready_ms, second_visitor_ms: from opening the address until a tile can be clicked; a first and a second browser.
visitors5_mb: memory of the server and all that it started, with five visitors.
axe_serious: what axe-core calls serious or critical, over all states of the page and both schemes.
min_contrast: the lowest of any text, there. min_target_px: the smallest side of what one taps, at 390 pixels.
album_page_mb, album_answers_ms: the file that library.save_page writes of 200 photographs with the everyday bank, and
    the median over its prepared queries from Enter until the first picture of the answer is there, without a network.
outside_requests: of all these pages, to another computer.
lesson_red_car_top5, lesson_dog_top5, lesson_boat_top5: how many of five are right after notebook 11's training; by
    python -m data.tiny.lesson alone.
"""

import contextlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import cliplib
from cliplib.search.bank import EVERYDAY
from data.tiny import lesson
from tests.benchmarks import material
from tests.benchmarks.boxes import PLACES, THINGS, large_library
from tests.harness import axe, servers

QUERIES, VISITORS, ALBUM_PHOTOS = 15, 5, 200
PHONE = {"width": 390, "height": 844}
FIRST_TILE = ".tile .open img[src]"
ANSWERED = """words => new Promise(done => {
  const page = document.querySelector('.clip-page'), line = page.querySelector('.line'), started = performance.now();
  line.value = words;
  line.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}));
  const look = () => {
    const picture = page.querySelector('.tile img[src]');
    if (page.querySelector('.heading').textContent.includes(words) && picture?.complete && picture.naturalWidth)
      done(performance.now() - started);
    else requestAnimationFrame(look);
  };
  look();
})"""


ALBUM_ANSWERED = """words => new Promise(done => {
  const by = id => document.getElementById(id), started = performance.now();
  by('line').value = words;
  by('ask').requestSubmit();
  const look = () => {
    const picture = document.querySelector('#tiles img'), drawn = picture?.complete && picture.naturalWidth;
    if (by('heading').textContent === words && drawn) done(performance.now() - started);
    else requestAnimationFrame(look);
  };
  look();
})"""


def memory_mb(url: str) -> float:
    """What the process that listens at `url`, and all that it started, holds now."""
    port = f"{urlsplit(url).port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {line[9] for line in lines if line[1].endswith(f":{port}") and line[3] == "0A"}
    owners = {int(link.parts[2]) for link in Path("/proc").glob("[0-9]*/fd/*") if _inode(link) in inodes}
    parents = {int(stat.parts[2]): _parent(stat) for stat in Path("/proc").glob("[0-9]*/stat")}
    while more := {pid for pid, parent in parents.items() if parent in owners} - owners:
        owners |= more
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20 for pid in owners)


def _inode(link: Path) -> str:
    try:
        return link.readlink().name.removeprefix("socket:[").removesuffix("]")
    except OSError:
        return ""


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def enter_to_tiles_ms(page) -> float:
    """The median over different queries, the first one aside."""
    words = [f"a {THINGS[i % 6]} {PLACES[i % 5]} {i}" for i in range(QUERIES + 1)]
    return statistics.median([page.evaluate(ANSWERED, text) for text in words][1:])


def ready_ms(context, url: str) -> float:
    """From opening the address until a tile can be clicked."""
    page, started = context.new_page(), time.monotonic()
    page.goto(url, wait_until="commit")
    page.locator(FIRST_TILE).first.click()
    page.locator("dialog[open]").wait_for()
    return 1000 * (time.monotonic() - started)


def states(page, url: str):
    """The page in its states, one after the other: a name, and the part that is in front."""
    page.goto(url)
    page.locator(FIRST_TILE).first.wait_for()
    yield "newest", "body"
    for name, query in {
        "results": "q=a+red+car",
        "nothing": "q=blorp+fizz",
        "videos": "q=a+boat&kind=frame",
        "both": "q=a+boat",
        "sum": "terms="
        + json.dumps([{"kind": "text", "value": w, "weight": n} for w, n in (("a car", 1), ("snow", -1))]),
    }.items():
        page.goto(f"{url}?{query}")
        page.locator(FIRST_TILE).first.wait_for()
        page.get_by_role("button", name="Filters").click()
        yield name, "body"
    page.get_by_role("button", name="Keep").click()
    yield "keep", "body"
    page.locator(".tile .open").first.click()
    page.locator("dialog[open] h2").wait_for()
    yield "lightbox", "dialog[open]"


def looks(browser, url: str) -> dict:
    """Accessibility over all states: both schemes on a desk, and the targets on a phone."""
    found, contrasts, targets = [], [], []
    for scheme, size in (("light", None), ("dark", None), ("light", PHONE)):
        context = browser.new_context(color_scheme=scheme, viewport=size or {"width": 1280, "height": 900})
        page = context.new_page()
        for name, within in states(page, url):
            found += [f"{scheme} {name}: {one}" for one in axe.serious(page)]
            contrasts.append(axe.lowest_contrast(page, within)[0])
            if size:
                targets += [min(wide, tall) for _, wide, tall in axe.small_targets(page, within, least_px=10_000)]
        context.close()
    print(*found, sep="\n", file=sys.stderr)
    return {"axe_serious": len(found), "min_contrast": min(contrasts), "min_target_px": min(targets)}


def album_figures(browser, home: Path) -> dict:
    """How large an album of 200 photographs is, and how fast it answers; its picture-less queries aside."""
    library = cliplib.Library(
        material.photos(home / "photos", ALBUM_PHOTOS), "tiny", cache=home / "cache", bank=EVERYDAY
    )
    library.index(progress=False)
    file = library.save_page(home / "album.html")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    queries = page.evaluate("data.queries.filter((_, query) => passing[query])")
    times = [page.evaluate(ALBUM_ANSWERED, words) for words in queries[:: max(1, len(queries) // 50)]]
    context.close()
    return {"album_page_mb": file.stat().st_size / 1e6, "album_answers_ms": statistics.median(times)}


def measure() -> dict:
    """All figures."""
    from playwright.sync_api import sync_playwright

    figures, outside = {}, set()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        home = Path(name)
        browser = playwright.chromium.launch(executable_path=servers.CHROMIUM, args=servers.FLAGS)

        def visitor():
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            context.on("request", lambda request: outside.add(request.url) if "localhost" not in request.url else None)
            return context

        (home / "sample").mkdir()
        with servers.serving_app(home / "sample", "data/sample") as url:
            visitors = [visitor() for _ in range(VISITORS)]
            waits = [ready_ms(context, url) for context in visitors]
            page = visitors[0].pages[0]
            page.keyboard.press("Escape")
            figures["enter_to_tiles_ms"] = enter_to_tiles_ms(page)
            figures |= {"app_ready_ms": waits[0], "second_visitor_ms": waits[1], "visitors5_mb": memory_mb(url)}
            figures |= looks(browser, url)
        (home / "large").mkdir()
        library = large_library(home / "large")
        with serving_library(home / "large", library) as url:
            context = visitor()
            ready_ms(context, url)
            context.pages[0].keyboard.press("Escape")
            figures["enter_to_tiles_10k_ms"] = enter_to_tiles_ms(context.pages[0])
        figures |= album_figures(browser, home)
        browser.close()
    return figures | {"outside_requests": len([one for one in outside if urlsplit(one).hostname])}


@contextlib.contextmanager
def serving_library(home: Path, library: cliplib.Library):
    """The app on a library whose index lies elsewhere, in a process of its own; gives its address."""
    port = servers.free_port()
    code = (
        "import asyncio, sys; from cliplib import Library; from cliplib.widgets.server import serve; "
        "asyncio.run(serve(Library(sys.argv[1], 'tiny', cache=sys.argv[2]), int(sys.argv[3]), browser=False))"
    )
    command = [sys.executable, "-c", code, library.root, library.cache, port]
    url = f"http://localhost:{port}/"
    with servers.serving(command, url, home, servers.own_environment(home)):
        yield url


def main() -> None:
    """Measure, print, write."""
    figures = measure() | lesson.measure()
    for name, value in figures.items():
        print(f"{name:24s}{value:12,.1f}")
    out = servers.REPO / "build" / "page.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    sys.exit(main())
