"""Taking results out of a search box: their paths to copy, a table or a page to download, the files to a folder."""

from __future__ import annotations

import tempfile
import warnings
from base64 import b64encode
from collections.abc import Callable
from html import escape
from pathlib import Path

import ipywidgets

from ..display.html import shown_hits
from ..errors import QueryError
from ..search.results import Hits
from .layout import errors_in, row

TYPES = {"csv": ("text/csv", "Download as a table (CSV)"), "html": ("text/html", "Download as a page (HTML)")}


def download_link(hits: Hits, suffix: str) -> str:
    """A link that holds the saved file itself, so that nothing is left on the disk: `suffix` is "csv" or "html"."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"results.{suffix}"
        hits.save(file)
        data = b64encode(file.read_bytes()).decode()
    kind, words = TYPES[suffix]
    return f'<a download="results.{suffix}" href="data:{kind};base64,{data}">{words}</a>'


class ExportPanel:
    """The panel under the results.

    Args:
        hits: gives what is shown now, None before anything was asked.
        chosen: of these hits those to copy.
        copy: copies the files of hits to a folder, and gives their new paths.
    """

    def __init__(
        self,
        hits: Callable[[], Hits | None],
        chosen: Callable[[Hits], Hits],
        copy: Callable[[Hits, str], list[Path]],
    ):
        self._hits, self._chosen, self._copy = hits, chosen, copy
        self.open = ipywidgets.ToggleButton(description="Keep these", icon="download", tooltip="Copy, save, download")
        self.page = ipywidgets.HTML()
        self.folder = ipywidgets.Text(placeholder="a folder for copies of the files", description="Copy to")
        self.copy = ipywidgets.Button(description="Copy files", tooltip="Those with a thumb up; without any, all shown")
        self.said = ipywidgets.HTML()
        self.panel = ipywidgets.VBox([self.page, row(self.folder, self.copy), self.said])
        self.close()
        self.open.observe(lambda change: self._unfold(change["new"]), "value")
        self.copy.on_click(self._copy_files)

    def close(self) -> None:
        """Fold the panel: other results are shown now."""
        self.open.value, self.panel.layout.display, self.page.value, self.said.value = False, "none", "", ""

    def _unfold(self, opened: bool) -> None:
        hits = self._hits()
        if not opened or hits is None:
            self.close()
            return
        self.panel.layout.display = ""
        paths = "\n".join(hit.path for hit in shown_hits(hits))
        with errors_in(self.page):
            links = " · ".join(download_link(hits, suffix) for suffix in TYPES)
            self.page.value = (
                f'<div class="cliplib">{links}<br><small>The paths: one click marks them all, then copy.</small>'
                f'<pre tabindex="0">{escape(paths)}</pre></div>'
            )

    def _copy_files(self, _: object) -> None:
        folder, hits = self.folder.value.strip(), self._hits()
        with errors_in(self.said), warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            if not folder:
                raise QueryError("say where to: write the path of a folder into the field")
            copies = [] if hits is None else self._copy(self._chosen(hits), folder)
            words = [
                f"{len(copies)} files copied to {copies[0].parent if copies else folder}",
                *(str(note.message) for note in notes),
            ]
            self.said.value = f'<div class="cliplib">{"<br>".join(map(escape, words))}</div>'
