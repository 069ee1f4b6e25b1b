"""ipywidgets for the notebooks: search boxes. Each turns words into `Scores`, and its sliders into `Scores.top`.

Only widgets that ipywidgets 7.7 (Colab) and 8 share.
"""

import warnings
from collections.abc import Callable
from html import escape
from pathlib import Path

import ipywidgets

from .errors import CliplibError
from .library import Library
from .scores import Scores

GONE = "<small>If nothing happens when you search, the kernel has stopped: run the cells again from the top.</small>"


def text_box(library: Library, example: str = "") -> ipywidgets.VBox:
    """Text to image: type a query, press Enter."""
    entry = ipywidgets.Text(value=example, placeholder="what should the photo show?", description="Find")
    return _box(library, "text->image", entry, lambda: library.score(entry.value, "image"))


def video_box(library: Library, example: str = "") -> ipywidgets.VBox:
    """Text to video frame: type a query, press Enter."""
    entry = ipywidgets.Text(value=example, placeholder="what should the video show?", description="Find")
    return _box(library, "text->video", entry, lambda: library.score(entry.value, "frame"))


def image_box(library: Library) -> ipywidgets.VBox:
    """Image to image: choose a photo of the library."""
    photos = library.photos()
    entry = ipywidgets.Combobox(options=photos[:500], placeholder="a photo of the library", description="Like")
    entry.value = photos[0] if photos else ""
    return _box(library, "image->image", entry, lambda: library.score(Path(entry.value), "image"))


def _box(library: Library, mode: str, entry: ipywidgets.Widget, score: Callable[[], Scores]) -> ipywidgets.VBox:
    """An entry, a button, k and the threshold over a gallery. The sliders use the scores in hand and encode nothing."""
    button = ipywidgets.Button(description="Search", button_style="primary", icon="search")
    k = ipywidgets.IntSlider(value=5, min=1, max=30, description="at most")
    threshold = ipywidgets.FloatSlider(
        value=library.threshold(mode), min=-0.2, max=1, step=0.01, description="threshold", continuous_update=False
    )
    gallery = ipywidgets.HTML()
    held: dict[str, Scores] = {}

    def show(_=None):
        if "scores" in held:
            gallery.value = held["scores"].top(k.value, threshold.value)._repr_html_()

    def search(_=None):
        button.disabled = True
        try:
            held["scores"] = score()
            show()
        except CliplibError as error:
            gallery.value = f"<p><b>{escape(str(error))}</b></p>"
        finally:
            button.disabled = False

    button.on_click(search)
    with warnings.catch_warnings():  # deprecated, but works on 7 and 8, where observe misses Enter on unchanged text
        warnings.simplefilter("ignore", DeprecationWarning)
        entry.on_submit(search)
    k.observe(show, "value")
    threshold.observe(show, "value")
    if entry.value:
        search()
    bars = ipywidgets.HBox([k, threshold], layout=ipywidgets.Layout(flex_flow="row wrap"))
    return ipywidgets.VBox([ipywidgets.HBox([entry, button]), bars, gallery, ipywidgets.HTML(GONE)])
