"""The one style sheet of everything that is shown: results, search boxes, saved pages. Light and dark, small screens.

Dark where the page says so (JupyterLab's and Voilà's theme, Colab's), else where the reader's system does: a light
notebook on a dark system stays light. Only the system's word gives a dark ground of our own, for such a page may be
white.
"""

_LIGHT = (
    "--ink:#1c1e21;--dim:#5f656e;--card:#fff;--edge:#d8dbe0;--hollow:#eceef1;--bar:#2f6fde;--mark:#c4342b;"
    "--warn:#5c4500;--warn-card:#fff3cd;--link:#1a5fd0"
)
_DARK = (
    "--ink:#e4e6ea;--dim:#a3a9b3;--card:#23262b;--edge:#3f454e;--hollow:#343941;--bar:#6ea0ff;--mark:#ff8a80;"
    "--warn:#ffe9a8;--warn-card:#4d3f10;--link:#8ab4ff"
)

STYLE = f"""<style>
.cliplib,.cliplib-box{{{_LIGHT};color-scheme:light}}
@media(prefers-color-scheme:dark){{.cliplib,.cliplib-box{{{_DARK};color-scheme:dark;background:#121212}}}}
:is(body[data-jp-theme-light=true],html[theme=light])
:is(.cliplib,.cliplib-box){{{_LIGHT};color-scheme:light;background:none}}
:is(body[data-jp-theme-light=false],html[theme=dark])
:is(.cliplib,.cliplib-box){{{_DARK};color-scheme:dark;background:none}}
.cliplib{{font:14px/1.45 system-ui,sans-serif;color:var(--ink);max-width:1100px;overflow-wrap:anywhere}}
.cliplib .head{{margin:.2em 0 .6em}}.cliplib .head b{{font-size:1.1em}}.cliplib small,.cliplib .dim{{color:var(--dim)}}
.cliplib .grid+.head{{margin-top:1em}}
.cliplib .head img{{height:56px;border-radius:6px;float:left;margin-right:.7em}}.cliplib .head:after{{content:"";
display:block;clear:both}}
.cliplib .banner{{background:var(--warn-card);color:var(--warn);border-radius:6px;padding:.2em .7em;margin:.2em 0;
font-size:.88em}}
.cliplib .error{{border-left:4px solid var(--mark);padding:.3em .8em;margin:.3em 0}}
.cliplib .grid,.cliplib-grid.widget-box{{display:grid;gap:12px;align-items:start;
grid-template-columns:repeat(auto-fill,minmax(170px,1fr))}}
.cliplib figure{{margin:0;border:1px solid var(--edge);border-radius:8px;overflow:hidden;background:var(--card)}}
.cliplib figure img,.cliplib figure .none{{display:block;width:100%;height:auto;aspect-ratio:4/3;object-fit:contain;
background:var(--hollow)}}
.cliplib figure .none{{display:flex;align-items:center;justify-content:center;color:var(--dim)}}
.cliplib figcaption{{padding:6px 9px 8px}}
.cliplib .score{{position:relative;height:5px;border-radius:3px;background:var(--hollow);margin:6px 0 4px}}
.cliplib .score i{{display:block;height:100%;border-radius:3px;background:var(--bar)}}
.cliplib .score u{{position:absolute;top:-3px;bottom:-3px;width:2px;background:var(--mark)}}
.cliplib .alike{{background:var(--hollow);border-radius:9px;padding:0 .6em;font-size:.9em;white-space:nowrap}}
.cliplib a{{color:var(--link)}}
.cliplib .players{{grid-template-columns:repeat(auto-fill,minmax(min(300px,100%),1fr))}}
.cliplib video,.cliplib-videos figure img{{display:block;width:100%;height:auto;aspect-ratio:16/10;background:#000}}
:is(.cliplib.below,.cliplib .below) :is(figure img,.score i){{opacity:.5;filter:grayscale(.8)}}
.cliplib svg{{display:block;width:100%;max-width:560px;height:auto;margin:.3em 0 .6em}}
.cliplib svg rect{{fill:var(--bar)}}.cliplib svg line{{stroke:var(--mark);stroke-width:2}}
.cliplib svg text{{fill:var(--dim);font-size:11px}}
.cliplib table{{border-collapse:collapse;color:inherit}}
.cliplib.cliplib table :is(td,th){{padding:3px 10px;text-align:left;border-bottom:1px solid var(--edge)}}
.cliplib pre{{background:var(--hollow);border-radius:6px;padding:.5em .8em;max-height:12em;overflow:auto;
user-select:all;white-space:pre-wrap;color:inherit;margin:.3em 0}}
.cliplib-box{{max-width:1100px;--jp-widgets-label-color:var(--ink);--jp-widgets-readout-color:var(--ink)}}
.cliplib-box .widget-html-content{{line-height:1.45}}
.cliplib-box .cliplib-row.widget-box{{display:flex;flex-flow:row wrap;gap:4px 10px;align-items:center;overflow:visible}}
.cliplib-box>.cliplib-row.widget-box{{margin:2px 0 4px}}
.cliplib-box .cliplib-row>*{{margin:0;max-width:100%}}
.cliplib-box .cliplib-row .widget-label{{width:auto}}
.cliplib-grid.cliplib-videos.widget-box{{grid-template-columns:repeat(auto-fill,minmax(min(240px,100%),1fr))}}
.cliplib-box .cliplib-rows{{flex:1 1 100%;margin:0;overflow:visible}}
.cliplib-box .cliplib-rows>*{{margin:2px 0}}
.cliplib-box .cliplib-ask{{flex:1 1 230px;width:auto;max-width:560px}}
.cliplib-box .cliplib-row>.widget-button,.cliplib-box .cliplib-row>.widget-toggle-button,
.cliplib-box .cliplib-row>.widget-upload{{width:auto;padding:0 12px}}
.cliplib-box .cliplib-below.widget-box{{margin-top:12px}}
.cliplib-box .cliplib-tile{{overflow:visible;margin:0}}
.cliplib-box .cliplib-tile .widget-html,.cliplib-box .cliplib-tile .widget-html-content{{margin:0;width:100%}}
.cliplib-box .cliplib-tile .cliplib-row.widget-box{{gap:4px;padding-top:4px}}
.cliplib-box .cliplib-tile .widget-button{{padding:0 8px;height:30px;line-height:30px;width:auto;border-radius:6px}}
.cliplib-box :is(button,input,select,textarea,a,pre):focus-visible,.cliplib :is(a,pre,video):focus-visible{{
outline:3px solid var(--bar);outline-offset:1px}}
@media(max-width:520px){{.cliplib .grid,.cliplib-grid.widget-box{{gap:8px;
grid-template-columns:repeat(auto-fill,minmax(145px,1fr))}}
.cliplib .players{{grid-template-columns:1fr}}}}
</style>"""
