"""A lesson without Drive: photos uploaded into the notebook, searched, and gone when the lesson is over.

They lie in a temporary folder of the session, with their index beside them; `forget` deletes both, and so does the end
of the notebook's kernel.
"""

from __future__ import annotations

import tempfile
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

import ipywidgets

from ..errors import CliplibError
from ..export.originals import new_file
from ..library import Library
from ..media.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from ..widgets import text_box
from ..widgets.inputs import files_of

ACCEPTED = ",".join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))


class Upload(ipywidgets.VBox):
    """A button that takes photos from one's own computer, and a search box over them. `library` is what they make.

    `options` are those of `Library`.
    """

    def __init__(self, **options: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="cliplib-upload-", ignore_cleanup_errors=True)
        root, cache = (Path(self._folder.name, name) for name in ("photos", "cache"))
        root.mkdir()
        self.library = Library(root, cache=cache, **options)
        self._button = ipywidgets.FileUpload(accept=ACCEPTED, multiple=True, description="Choose photos")
        self._forget = ipywidgets.Button(description="Forget them", icon="trash", tooltip="Delete photos and index")
        self._said, self._below = ipywidgets.HTML(), ipywidgets.VBox()
        super().__init__([ipywidgets.HBox([self._button, self._forget]), self._said, self._below])
        self._button.observe(lambda change: self.take(change["new"]), "value")
        self._forget.on_click(lambda _: self.forget())

    def take(self, value: Any) -> None:
        """Add the files of a `FileUpload.value` and index them; what is wrong is said below the button."""
        try:
            for name, data in files_of(value):
                _, file = new_file(self.library.root, _plain_name(name))
                with file:
                    file.write(data)
            if not any(self.library.root.iterdir()):
                return
            report = self.library.index(progress=False)
            self._said.value = f"<pre>{escape(str(report))}</pre>"
            if not self._below.children:
                self._below.children = (text_box(self.library),)
        except (CliplibError, OSError) as error:
            self._said.value = f"<p><b>{escape(str(error))}</b></p>"

    def forget(self) -> None:
        """Delete the photos and their index; nothing of them is left."""
        self._folder.cleanup()
        self._button.disabled, self._below.children = True, ()
        self._said.value = "<p>The photos and their index are deleted. Run the cell again for others.</p>"


def _plain_name(name: str) -> str:
    """The name of an upload's file, whatever else the upload may call itself."""
    return PurePosixPath(name.replace("\\", "/")).name.replace("\0", "").lstrip(".") or "photo"
