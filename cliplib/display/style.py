"""The one style sheet of everything that is shown: results, search pages, saved pages. Light and dark, small screens.

Dark where the page around says so, else where the reader's system does: a light notebook on a dark system stays light.
Only the system's word gives a ground of our own, for a page that says nothing may be white. What says so: JupyterLab
and Voilà (`data-jp-theme-light`), Colab (`html[theme]`), VS Code (`data-vscode-theme-kind`), Jupyter Book
(`html[data-theme]`, and `html.dark` since its version 2); nbclassic is light whatever the system is.
"""

_LIGHT = (
    "--ink:#1c1e21;--dim:#565c66;--paper:#fff;--card:#fff;--edge:#d8dbe0;--line:#83899a;--hollow:#eceef1;"
    "--bar:#2563d4;--act:#1f5bcc;--on-act:#fff;--focus:#1f5bcc;--mark:#b3261e;--yes:#1a7a3c;--on-yes:#fff;"
    "--link:#1a5fd0;color-scheme:light"
)
_DARK = (
    "--ink:#e8eaee;--dim:#b0b6c0;--paper:#1a1d21;--card:#23262b;--edge:#434a54;--line:#7c8594;--hollow:#30353c;"
    "--bar:#7aa8ff;--act:#8ab4ff;--on-act:#0c1a33;--focus:#8ab4ff;--mark:#ff8a80;--yes:#6fd08c;--on-yes:#10210f;"
    "--link:#8ab4ff;color-scheme:dark"
)
_OURS = ":is(.cliplib,.cliplib-box,.clip-page,.clip-app)"
_SAYS_LIGHT = (
    "body[data-jp-theme-light=true],html[theme=light],body[data-vscode-theme-kind$=light],html[data-theme=light],"
    "html.light,body.notebook_app"
)
_SAYS_DARK = (
    "body[data-jp-theme-light=false],html[theme=dark],body[data-vscode-theme-kind=vscode-dark],"
    "body[data-vscode-theme-kind=vscode-high-contrast],html[data-theme=dark],html.dark"
)

THEME = f"""
{_OURS}{{{_LIGHT}}}
@media(prefers-color-scheme:dark){{{_OURS}{{{_DARK};background:#121417}}}}
:is({_SAYS_LIGHT}) {_OURS}{{{_LIGHT};background:none}}
:is({_SAYS_DARK}) {_OURS}{{{_DARK};background:none}}
"""

STYLE = f"""<style>{THEME}
.cliplib{{font:14px/1.45 system-ui,sans-serif;color:var(--ink);max-width:1100px;overflow-wrap:anywhere}}
.cliplib .head{{margin:.2em 0 .6em}}.cliplib .head b{{font-size:1.1em}}.cliplib small,.cliplib .dim{{color:var(--dim)}}
.cliplib .grid+.head{{margin-top:1em}}
.cliplib .head img{{height:56px;border-radius:6px;float:left;margin-right:.7em}}.cliplib .head:after{{content:"";
display:block;clear:both}}
.cliplib .warning{{color:var(--dim);border-top:1px solid var(--edge);padding-top:.4em;margin:.8em 0 .2em;
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
.cliplib .score u{{position:absolute;left:33.3%;top:-3px;bottom:-3px;width:2px;background:var(--mark)}}
.cliplib .alike{{background:var(--hollow);border-radius:9px;padding:0 .6em;font-size:.9em;white-space:nowrap}}
.cliplib a{{color:var(--link)}}.cliplib figcaption a{{display:inline-block;padding:4px 0}}
.cliplib .players{{grid-template-columns:repeat(auto-fill,minmax(min(300px,100%),1fr))}}
.cliplib video,.cliplib-videos figure img{{display:block;width:100%;height:auto;aspect-ratio:16/10;
background:var(--hollow)}}
:is(.cliplib.below,.cliplib .below) :is(figure img,.score i){{filter:grayscale(.85)}}
:is(.cliplib.below,.cliplib .below) figure{{border-style:dashed;border-color:var(--line)}}
.cliplib svg{{display:block;width:100%;max-width:560px;height:auto;margin:.3em 0 .6em}}
.cliplib svg rect{{fill:var(--bar)}}.cliplib svg rect.other{{fill:var(--dim)}}
.cliplib svg line{{stroke:var(--mark);stroke-width:2}}
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
.cliplib-box .cliplib-below.widget-box{{margin-top:12px}}
.cliplib-box .cliplib-tile{{overflow:visible;margin:0}}
.cliplib-box .cliplib-tile .widget-html,.cliplib-box .cliplib-tile .widget-html-content{{margin:0;width:100%}}
.cliplib-box .cliplib-tile .cliplib-row.widget-box{{gap:4px;padding-top:4px}}
.cliplib-box .cliplib-tile .widget-button{{padding:0 8px;height:30px;line-height:30px;width:auto;border-radius:6px}}
.cliplib-box :is(button,input,select,textarea,a,pre):focus-visible,.cliplib :is(a,pre,video):focus-visible{{
outline:3px solid var(--focus)!important;outline-offset:1px}}
@media(max-width:520px){{.cliplib .grid,.cliplib-grid.widget-box{{gap:8px;
grid-template-columns:repeat(auto-fill,minmax(145px,1fr))}}
.cliplib .players{{grid-template-columns:1fr}}
.cliplib-box .cliplib-tile .widget-button{{height:40px;line-height:40px;min-width:40px}}}}
</style>"""
