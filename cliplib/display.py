"""Results as HTML: a gallery of tiles, a report. One small style sheet, light and dark; every name is escaped; no file
is opened.

The pictures are the index's own thumbnails, and the clips of moments are small; both lie inside the page as data, so
that a page can be saved and mailed.
"""

from base64 import b64encode
from html import escape

from .errors import MediaError
from .moments import Moment, Moments, clock
from .results import Hit, Hits, IndexReport

MOST_CLIP_BYTES = 430_000  # five of them, base64, are under 3 MB

STYLE = """<style>
.cliplib{font:14px/1.45 system-ui,sans-serif;color:#1c1e21;color-scheme:light dark;max-width:1100px}
.cliplib .head{margin:.2em 0 .6em}.cliplib .head b{font-size:1.1em}.cliplib small,.cliplib .dim{color:#666b73}
.cliplib .banner{background:#fff3cd;color:#5c4500;border-radius:6px;padding:.35em .7em;margin:.3em 0}
.cliplib .grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:12px}
.cliplib figure{margin:0;border:1px solid #d8dbe0;border-radius:8px;overflow:hidden;background:#fff}
.cliplib figure img,.cliplib figure .none{display:block;width:100%;height:140px;object-fit:cover;background:#eceef1}
.cliplib figure .none{display:flex;align-items:center;justify-content:center;color:#666b73}
.cliplib figcaption{padding:6px 9px 8px;overflow-wrap:anywhere}
.cliplib .score{height:5px;border-radius:3px;background:#e4e7eb;margin:5px 0 3px}
.cliplib .score i{display:block;height:100%;border-radius:3px;background:#2f6fde}
.cliplib .players{grid-template-columns:repeat(auto-fill,minmax(300px,1fr))}
.cliplib video{display:block;width:100%;height:200px;background:#000}
.cliplib .below{opacity:.55;filter:grayscale(.7)}
.cliplib table{border-collapse:collapse;color:inherit}
.cliplib td,.cliplib th{padding:3px 10px;text-align:left;border-bottom:1px solid #d8dbe055}
@media(prefers-color-scheme:dark){.cliplib{color:#e4e6ea}.cliplib figure{background:#23262b;border-color:#3a3f47}
.cliplib small,.cliplib .dim{color:#a0a6af}.cliplib figure img,.cliplib figure .none,.cliplib .score{background:#343941}
.cliplib .banner{background:#4d3f10;color:#ffe9a8}}
</style>"""


def hits_html(hits: Hits) -> str:
    """A gallery of the hits; where nothing passed, the nearest greyed, with how far they are from the threshold."""
    head = f'<div class="head"><b>{escape(hits.query)}</b> <small>{escape(hits.mode)}</small>'
    head += (
        f"<br><small>{len(hits)} shown of {hits.searched:,} compared, cosine {hits.threshold:.2f} or more</small></div>"
    )
    if hits.hits or not hits.searched:
        body = f'<div class="grid">{"".join(_tile(hits, hit) for hit in hits.hits)}</div>'
    else:
        body = "<p>Nothing reaches the threshold. The nearest, below it:</p>"
        body += f'<div class="grid below">{"".join(_tile(hits, hit) for hit in hits.nearest)}</div>'
    return _page(hits.banner, head + body)


def moments_html(moments: Moments | list[Moment]) -> str:
    """A player for each moment, the best frame as its poster, over its times. Clips that are not there yet are cut."""
    head = ""
    if isinstance(moments, Moments):
        head = f'<div class="head"><b>{escape(moments.query)}</b> <small>{escape(moments.mode)}</small>'
        head += f"<br><small>moments that reach {moments.threshold:.2f}: {len(moments)}</small></div>"
    if not len(moments):
        head += f"<p>Nothing reaches the threshold; the best frame scores {moments.best_score:.3f}.</p>"
    body = f'<div class="grid players">{"".join(_player(moment) for moment in moments)}</div>'
    return _page(getattr(moments, "banner", ""), head + body)


def report_html(report: IndexReport) -> str:
    """The counts of an index run, and a table of the files that were skipped with their reasons."""
    counts = (
        f"<b>{report.seen:,}</b> files: {report.indexed:,} indexed, {report.unchanged:,} unchanged, "
        f"{len(report.skipped):,} skipped; {report.removed:,} removed<br><small>"
        f"{report.encoded:,} encoded in {report.seconds:.1f} s. The index holds "
        f"{report.photos:,} photos and {report.frames:,} video frames, in {escape(report.cache)}"
        f"<br>{escape(report.outlook)}</small>"
    )
    rows = "".join(
        f"<tr><td>{escape(s.path)}</td><td>{escape(s.stage)}</td><td>{escape(s.reason)}</td></tr>"
        for s in report.skipped
    )
    table = f"<table><tr><th>skipped</th><th>stage</th><th>reason</th></tr>{rows}</table>" if rows else ""
    notes = "".join(f"<p>{escape(text)}</p>" for text in report.problems)
    return _page(report.banner, f'<div class="head">{counts}</div>{table}{notes}')


def save_html(sections: list, file) -> None:
    """Write results (anything with `_repr_html_`) and headings (strings) as one self-contained page."""
    parts = [f"<h2>{escape(s)}</h2>" if isinstance(s, str) else s._repr_html_() for s in sections]
    head = (
        '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>cliplib</title>'
    )
    with open(file, "w", encoding="utf-8") as page:
        page.write(
            f'{head}<body style="font-family:system-ui,sans-serif;margin:2em auto;max-width:1100px">{"".join(parts)}'
        )


def _page(banner: str, body: str) -> str:
    notice = f'<div class="banner">{escape(banner)}</div>' if banner else ""
    return f'{STYLE}<div class="cliplib">{notice}{body}</div>'


def _player(moment: Moment) -> str:
    folder, _, name = moment.path.rpartition("/")
    times, note = f"{clock(moment.start_s)} to {clock(moment.end_s)}, best at {clock(moment.peak_s)}", ""
    jpeg = moment.footage.poster(moment) if moment.footage else None
    poster = f"data:image/jpeg;base64,{b64encode(jpeg).decode()}" if jpeg else ""
    shown = f'<img alt="{escape(name)}" src="{poster}">' if jpeg else '<div class="none">no preview</div>'
    try:
        clip = moment.footage.preview(moment) if moment.footage else b""
    except (MediaError, OSError) as error:
        clip, note = b"", f"no player: {getattr(error, 'reason', error)}"
    if len(clip) > MOST_CLIP_BYTES:
        clip, note = b"", f"no player: its clip has {len(clip):,} bytes; save_clip writes it to a file"
    if clip:
        source = f"data:video/mp4;base64,{b64encode(clip).decode()}"
        shown = f'<video controls playsinline preload="metadata" poster="{poster}" src="{source}"></video>'
        start_s, end_s = moment.footage.preview_span(moment)
        if (start_s, end_s) != (moment.start_s, moment.end_s):
            note = f"the player shows {clock(start_s)} to {clock(end_s)}"
    return (
        f'<figure title="{escape(moment.path)}">{shown}<figcaption>{escape(name)} <small>{escape(folder)}</small><br>'
        f"{times} <small>{escape(note)}</small>{_bar(moment.score)}</figcaption></figure>"
    )


def _bar(score: float) -> str:
    return f'<div class="score"><i style="width:{max(0.0, min(1.0, score)):.0%}"></i></div>{score:.3f}'


def _tile(hits: Hits, hit: Hit) -> str:
    folder, _, name = hit.path.rpartition("/")
    when = "" if hit.time_s is None else f" at {clock(hit.time_s)}"
    jpeg = hits.thumbnail(hit)
    picture = '<div class="none">no preview</div>'
    if jpeg:
        picture = f'<img alt="{escape(name + when)}" src="data:image/jpeg;base64,{b64encode(jpeg).decode()}">'
    return (
        f'<figure title="{escape(hit.path)}">{picture}<figcaption>{escape(name)}{when}<br>'
        f"{_bar(hit.score)} <small>{escape(folder)}</small></figcaption></figure>"
    )
