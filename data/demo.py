"""What `make demo` runs: index the sample library with the tiny model, search it three ways, write build/demo.html.

The page shows the three answers, one that is wrong and why, and how to go on; under them one can search by oneself.
"""

import sys
from base64 import b64encode
from html import escape
from pathlib import Path

from cliplib import CliplibError, Library
from cliplib.display.html import picture_html
from cliplib.export import album
from cliplib.search.moments import Moment, clock
from cliplib.search.results import Hits
from cliplib.widgets.layout import thumbnail_of

HOME = Path(__file__).resolve().parent.parent
TEXT, PHOTO, VIDEO_TEXT = "a red car", "hills/IMG_0104.jpg", "a rocket"
WRONG_TEXT, WRONG = "a green bird", "hills/DSC_0018.JPG"  # it shows a yellow bird on a green umbrella
LABELS = "Nobody labelled these scenes: a network compared the words with the pixels."
ALIKE = "No words at all: what looks alike lies close together."
QUERIES = (
    TEXT,
    VIDEO_TEXT,
    WRONG_TEXT,
    "a dog",
    "a cat",
    "a rocket",
    "the beach",
    "snow",
    "a city at night",
    "a flower",
)

STYLE = """<style>
.lead{font-size:1.15em;max-width:62em;margin-bottom:1em}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(255px,1fr));gap:14px}
.card{background:var(--card);border:1px solid var(--edge);border-radius:14px;padding:14px 16px}
.card h2{font-size:1.08em}
.card p{font-size:.95em;margin:.5em 0 0}
.asked{display:inline-block;margin:.5em 0 .6em;padding:3px 12px;border-radius:16px;background:var(--hollow)}
.four{display:grid;grid-template-columns:1fr 1fr;gap:6px}
.four figure{position:relative;margin:0}
.four figcaption{position:absolute;right:4px;bottom:4px;padding:0 8px;border-radius:10px;font-size:.8em;color:#fff;
  background:#14171cd9}
.card :is(img,video){display:block;width:100%;aspect-ratio:4/3;object-fit:cover;border-radius:8px}
.own{margin:1.4em 0;padding:14px 18px;border-radius:14px;background:var(--hollow)}
.own ul{margin:.4em 0 0;padding-left:1.2em}
.own li{margin:.35em 0}
.own+h2{margin-bottom:.6em}
code{font:.95em/1.4 ui-monospace,Menlo,Consolas,monospace}
@media(max-width:760px){.cards{grid:none;grid-auto-flow:column;grid-auto-columns:min(82%,300px);overflow-x:auto;
  scroll-snap-type:x mandatory;padding-bottom:6px}.card{scroll-snap-align:start}.lead{font-size:1em}}
</style>"""

OWN = """<section class="own"><h2>Now with your own photos</h2><ul>
<li><b>In your browser:</b> <code>make app FOLDER=~/Pictures</code> in this folder. The first time it fetches OpenAI’s
CLIP (350 MB) and looks at each photo once; then an answer takes a fraction of a second. Nothing leaves your
computer.</li>
<li><b>On Google Drive:</b> open <code>notebooks/01_mount_drive.ipynb</code> in Colab.</li>
<li><b>In Python:</b> <code>library = cliplib.Library("~/Pictures"); library.index(); library.search("a dog on the
beach")</code>; and <code>library.save_page("album.html")</code> writes a page like this one, to give away.</li>
</ul></section>"""
LEAD = """<p class="lead">Type what a picture should show; no labels, no folders, no cloud. Here a small network
searches drawn scenes, which is all that it knows. With OpenAI’s CLIP the same page finds things in your own
photos.</p>"""


def main() -> int:
    """Print the report and the three answers, write the page; 0 when all three found something."""
    library = Library(HOME / "data" / "sample", model="tiny")
    print(library.index(), end="\n\n")
    photos, alike, frames = library.search(TEXT), library.similar(PHOTO), library.search_videos(VIDEO_TEXT)
    for hits in (photos, alike, frames):
        print(hits, end="\n\n")
    if not (photos and alike and frames):
        return 1
    moment = frames.moments(k=1)[0]
    page = HOME / "build" / "demo.html"
    page.parent.mkdir(exist_ok=True)
    intro = STYLE + introduction(library, photos, alike, moment)
    album.save(library.engine, page, queries=QUERIES, title="Find photos and moments by what they show", intro=intro)
    print(f"The pictures are in {page.relative_to(HOME)}: open it in a browser.")
    return 0


def introduction(library: Library, photos: Hits, alike: Hits, moment: Moment) -> str:
    """What the page shows first: the three ways to search, an answer that is wrong, and how to go on."""
    name, times = moment.path.rpartition("/")[2], f"{clock(moment.start_s)} to {clock(moment.end_s)}"
    clip = b64encode(library.engine.preview(moment)).decode()
    video = (
        f'<video controls muted loop playsinline data-plays aria-label="{escape(name)}, {times}" '
        f'src="data:video/mp4;base64,{clip}"></video>'
    )
    query = picture_html(thumbnail_of(library, PHOTO), "the photo that asks")
    cards = [
        card("Words find photos", TEXT, pictures(photos[:4], photos), LABELS),
        card("A photo finds others", "more like this", pictures(alike[:3], alike, query), ALIKE),
        card("Words find the moment", VIDEO_TEXT, video, f"From {times} of {escape(name)}: that is when it happens."),
        near_miss(library),
    ]
    strip = f'<div class="cards" role="group" tabindex="0" aria-label="Three ways to search">{"".join(cards)}</div>'
    return f"{LEAD}{strip}{OWN}<h2>Try it on the drawn scenes</h2>"


def card(title: str, asked: str, body: str, words: str) -> str:
    """One of the four, as HTML; only `asked` is escaped."""
    head = f'<h2>{title}</h2><b class="asked">{escape(asked)}</b>'
    return f'<section class="card">{head}{body}<p>{words}</p></section>'


def pictures(some, hits: Hits, first: str = "") -> str:
    """Four pictures in a square; `first`, the one that asked, says so."""
    found = [f"<figure>{picture_html(hits.thumbnail(hit), hit.path.rpartition('/')[2])}</figure>" for hit in some]
    asking = [f"<figure>{first}<figcaption>asked with this</figcaption></figure>"] if first else []
    return f'<div class="four">{"".join(asking + found)}</div>'


def near_miss(library: Library) -> str:
    """An answer that is wrong, and why. Which it is was looked up: with another model or sample there is none."""
    hits = library.search(WRONG_TEXT, k=10)
    wrong = next((hit for hit in hits if hit.path == WRONG), None)
    if wrong is None:
        return ""
    return card(
        "And where it errs",
        WRONG_TEXT,
        picture_html(hits.thumbnail(wrong), "a yellow bird on a green umbrella"),
        f"One of its {len(hits)} answers: green is there, and a bird is there. CLIP is good at what a picture holds, "
        "and poor at what belongs to what.",
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CliplibError as error:
        sys.exit(f"demo: {error}")
