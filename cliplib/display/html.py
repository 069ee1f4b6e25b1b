"""Results as HTML: a gallery of tiles, players, a report. Every name is escaped; no file is opened.

The pictures are the index's own thumbnails, and the clips of moments are small; both lie inside the page as data, so
that a page can be saved and mailed. How it looks is in `style`.
"""

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np

from ..errors import MediaError
from ..index.report import IndexReport
from ..search.footage import preview_span
from ..search.mode import Mode
from ..search.moments import Moment, Moments, clock
from ..search.results import Hit, Hits, PhotosAndVideos, Scores, Tags
from .histogram import histogram_svg
from .scale import Scale
from .style import STYLE

FOUND = {  # a mode in words
    Mode.TEXT_TO_IMAGE: "photos of it",
    Mode.IMAGE_TO_IMAGE: "photos like it",
    Mode.MIXED_TO_IMAGE: "photos like this sum",
    Mode.TEXT_TO_VIDEO: "in videos",
    Mode.IMAGE_TO_VIDEO: "like it, in videos",
    Mode.MIXED_TO_VIDEO: "like this sum, in videos",
}
# What a page may do: show what lies in it. An attack in a file's name would have to get past this, too.
POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
PAGE_TITLE = "Found photos and moments"
MOST_CLIP_BYTES = 430_000  # five of them, base64, are under 3 MB


def hits_html(hits: Hits) -> str:
    """Draw the hits as a grid; where nothing passed, the nearest greyed, with how far they are from the threshold."""
    return page_html(hits.warning, _hits_body(hits))


def tags_html(tags: Tags) -> str:
    """Each tag with the number of photos that have it, over the best of them; a tag that no photo has stays a line."""
    warning, body = next((hits.warning for hits in tags.values()), ""), ""
    for tag, count in tags.counts().items():
        tiles = "".join(_tile(hit, tags[tag]) for hit in tags[tag])
        body += f'<div class="head"><b>{escape(tag)}</b> <small>{count:,} photos</small></div>'
        body += f'<div class="grid">{tiles}</div>' if tiles else ""
    return page_html(warning, body)


def scores_html(scores: Scores) -> str:
    """How all scores are spread, with the threshold, over the gallery of the best."""
    return page_html(scores.warning, plot_html(scores) + _hits_body(scores.top()))


def _hits_body(hits: Hits) -> str:
    empty = empty_html(hits)
    tiles = "".join(_tile(hit, hits) for hit in shown_hits(hits))
    return f'{head_html(hits)}{empty}<div class="grid{" below" if empty else ""}">{tiles}</div>'


def shown_hits(hits: Hits) -> tuple[Hit, ...]:
    """What a page of these hits shows: the hits, or where nothing passed the nearest below the threshold."""
    return hits.hits or hits.nearest


def head_html(hits: Hits, picture: str = "") -> str:
    """The query, what was compared with it, and how many are shown; `picture` is the query's own, as HTML."""
    things = "photos" if hits.mode.target == "image" else "video frames"
    cut = f", {hits.scale} {hits.threshold:.2f} or more" if hits.threshold > -1 else ""  # -1: whatever their score
    return (
        f'<div class="head">{picture}<b>{escape(hits.query)}</b> <small>{FOUND[hits.mode]}</small>'
        f"<br><small>{len(hits)} shown of {hits.searched:,} {things} compared{cut}</small></div>"
    )


def empty_html(hits: Hits) -> str:
    """Where nothing passed: how far the best is from the threshold, and from what nonsense reaches. Else nothing."""
    if hits.hits:
        return ""
    below = " What follows is below the threshold:" if hits.nearest else ""
    return f"<p><b>{escape(hits.empty_message())}</b>{below}</p>"


def plot_html(scores: Scores) -> str:
    """All scores as a small histogram with the cutoff: matches where these rank, else cosines."""
    scale, values, cutoff = scores.ordering()
    name, values = "matches" if scale == "match" else "scores", values[np.isfinite(values)]
    if not len(values):
        return ""
    low, high = float(min(values.min(), cutoff)), float(max(values.max(), cutoff))
    words = f"{len(values):,} {name} from {values.min():.2f} to {values.max():.2f}; cutoff {cutoff:.2f}"
    return histogram_svg(values, (low - 0.02, high + 0.02), cutoff, words)


def _tile(hit: Hit, hits: Hits) -> str:
    return tile_html(hit, hits.thumbnail(hit), scale_of(hits), hits.drive_link(hit))


def tile_html(hit: Hit, jpeg: bytes | None, scale: Scale | None = None, link: str | None = None) -> str:
    """One figure: the thumbnail, the name, how good a match it is, the folder; `link` leads to the file itself."""
    folder, _, name = hit.path.rpartition("/")
    when = "" if hit.time_s is None else f" at {clock(hit.time_s)}"
    picture = picture_html(jpeg, name + when)
    others = escape("\n".join(hit.duplicates[:20]))
    alike = f' <span class="alike" title="{others}">+{len(hit.duplicates)} alike</span>' if hit.duplicates else ""
    odds = f"<br><small>{escape(hit.odds)}</small>" if hit.odds else ""
    return (
        f'<figure title="{escape(hit.path)}">{picture}<figcaption>{escape(name)}{when}{alike}'
        f"{_bar(hit, scale)} <small>{escape(folder)}</small>{odds}{_link_html(link)}</figcaption></figure>"
    )


def picture_html(jpeg: bytes | None, name: str) -> str:
    """A JPEG as an image inside the page; without one, a grey field that says so."""
    if not jpeg:
        return '<div class="none">no preview</div>'
    return f'<img alt="{escape(name)}" src="data:image/jpeg;base64,{b64encode(jpeg).decode()}">'


def moments_html(moments: Moments) -> str:
    """A player for each moment, the best frame as its poster, over its times. Clips that are not there yet are cut."""
    return page_html(moments.warning, _moments_body(moments))


def photos_and_videos_html(found: PhotosAndVideos) -> str:
    """A gallery of the photos over the players of the moments."""
    return page_html(found.warning, _hits_body(found.photos) + _moments_body(found.videos))


def _moments_body(moments: Moments) -> str:
    count = f"{len(moments)} moment{'s' * (len(moments) != 1)}, {moments.scale} {moments.threshold:.2f} or more"
    head = (
        f'<div class="head"><b>{escape(moments.query)}</b> <small>{escape(moments.mode.replace("->", " → "))}'
        f"</small><br><small>{count}</small></div>"
    )
    if not moments:
        head += f"<p>{moments.empty_message()}</p>"
    return head + _players(moments)


def moment_html(moment: Moment) -> str:
    """A player for one moment, as in `moments_html`."""
    return page_html(moment.engine.warning if moment.engine else "", _players([moment]))


def _players(moments: Iterable[Moment]) -> str:
    return f'<div class="grid players">{"".join(player_html(moment) for moment in moments)}</div>'


def report_html(report: IndexReport) -> str:
    """The counts of an index run, and a table of the files that were skipped with their reasons."""
    counts = (
        f"<b>{report.seen:,}</b> files: {report.indexed:,} indexed, {report.unchanged:,} unchanged, "
        f"{len(report.skipped):,} skipped; {report.removed:,} removed<br><small>"
        f"{report.encoded:,} encoded in {report.seconds:.1f} s. The index holds "
        f"{report.photos:,} photos and {report.frames:,} video frames, in {escape(report.cache)}"
        f"{''.join(f'<br>{escape(text)}' for text in (report.holds.durability, str(report.found)) if text)}</small>"
    )
    rows = "".join(
        f"<tr><td>{escape(s.path)}</td><td>{escape(s.stage)}</td><td>{escape(s.reason)}</td></tr>"
        for s in report.skipped
    )
    table = f"<table><tr><th>skipped</th><th>stage</th><th>reason</th></tr>{rows}</table>" if rows else ""
    notes = "".join(f"<p>{escape(text)}</p>" for text in report.problems)
    return page_html(report.warning, f'<div class="head">{counts}</div>{table}{notes}')


def save_html(body: str, file: str | Path) -> None:
    """Write HTML of this module as one self-contained page, which runs no script and fetches nothing."""
    with open(file, "w", encoding="utf-8") as page:
        page.write(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
            f"<title>{PAGE_TITLE}</title></head>"
            '<body class="clip-app" style="font-family:system-ui,sans-serif;color:var(--ink);margin:2em auto;'
            'padding:0 1em;max-width:1100px">'
            f"<main><h1>{PAGE_TITLE}</h1>{body}</main></body></html>"
        )


def page_html(warning: str, body: str) -> str:
    """`body` in the style sheet's care, over the model's warning."""
    return f'{STYLE}<div class="cliplib">{body}{warning_html(warning)}</div>'


def warning_html(warning: str) -> str:
    """What every answer of the model must say of itself; nothing where that is empty."""
    return f'<div class="warning">{escape(warning)}</div>' if warning else ""


def player_html(moment: Moment, from_s: float | None = None) -> str:
    """A figure that plays a moment, from its beginning or from `from_s`, in seconds of the video."""
    folder, _, name = moment.path.rpartition("/")
    times, note = f"{clock(moment.start_s)} to {clock(moment.end_s)}, best at {clock(moment.peak_s)}", ""
    jpeg = moment.engine.poster(moment) if moment.engine else None
    poster = f"data:image/jpeg;base64,{b64encode(jpeg).decode()}" if jpeg else ""
    shown, link = picture_html(jpeg, name), _link_html(moment.engine.drive_link(moment.path) if moment.engine else None)
    try:
        clip = moment.engine.preview(moment) if moment.engine else b""
    except (MediaError, OSError) as error:
        clip, note = b"", f"no player: {getattr(error, 'reason', error)}"
    if len(clip) > MOST_CLIP_BYTES:
        clip, note = b"", f"no player: its clip has {len(clip):,} bytes; save_clip writes it to a file"
    if clip:
        start_s, end_s = preview_span(moment)
        source = f"data:video/mp4;base64,{b64encode(clip).decode()}"
        if from_s is not None:
            source += f"#t={max(0.0, from_s - start_s):.2f}"
        shown = (
            f'<video controls playsinline preload="metadata" poster="{poster}" src="{source}" '
            f'aria-label="{escape(name)}, {times}"></video>'
        )
        if (start_s, end_s) != (moment.start_s, moment.end_s):
            note = f"the player shows {clock(start_s)} to {clock(end_s)}"
    return (
        f'<figure title="{escape(moment.path)}">{shown}<figcaption>{escape(name)} <small>{escape(folder)}</small><br>'
        f"{times} <small>{escape(note)}</small><div>cosine {moment.score:.3f}</div>{link}</figcaption></figure>"
    )


def _link_html(link: str | None) -> str:
    return f'<div><a href="{escape(link)}" target="_blank" rel="noopener">Open in Drive</a></div>' if link else ""


def scale_of(hits: Hits) -> Scale | None:
    """What bars of these hits are measured by; None for hits of no search."""
    if hits.scores is None:
        return None
    if hits.scale == "match" and hits.scores.matching:
        return Scale.of(hits.scores.matching.values, hits.threshold, "match")
    return Scale.of(hits.scores.values, hits.threshold)


def _bar(hit: Hit, scale: Scale | None) -> str:
    """How good a match is: a bar with a mark where the cutoff is, a word, and the cosine."""
    if scale is None:
        return f"<div>cosine {hit.score:.3f}</div>"
    measured = hit.score if hit.match is None or scale.unit == "cosine" else hit.match
    return (
        f'<div class="score"><i style="width:{scale.strength(measured):.1%}"></i>'
        f'<u title="cutoff {scale.cutoff:.2f}"></u></div>{scale.words(measured)} <small>cosine {hit.score:.3f}</small>'
    )
