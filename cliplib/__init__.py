"""Find photos and video moments by meaning, with OpenAI's CLIP.

A guided tour:

    import cliplib

    library = cliplib.Library("photos")                     # any folder; model="ViT-B/32" unless you say otherwise
    report = library.index()                                # once; later runs encode only what is new
    library.search("a dog walking on the beach")            # text -> images
    library.similar("IMG_0042.HEIC")                        # image -> images
    library.search_videos("dog catches a frisbee")          # text -> video frames; .moments() -> stretches to play
    library.search_all("a dog")                             # photos and moments of videos in one answer
    library.search(2 * cliplib.text("a dog") + cliplib.image("pool.jpg") - cliplib.text("a person"))    # composed

Behind `library` lie rooms, each with a tour of its own in its `__init__`. The main road takes twenty minutes to read:

1. `library.Library.index` hands a folder to `index.update`, which conducts: `index.plan` compares the folder with what
   is known, `index.pipeline` reads each new file once, in threads.
2. There `media.photo.open_photo` makes a picture of a file, upright and sRGB; `media.video` gives frames with times.
3. `models.encoder.Encoder` is all that is asked of a model: `encode_images` and `encode_texts` give unit vectors.
4. `cache.rows` is the row that a vector is kept in, `cache.store` adds rows to the index on disk.
5. `library.Library.search` hands a query to `search.engine.SearchEngine.scores`: the cosine of every row, and by
   `search.background` how much better than other texts it fits.
6. `search.results.Scores.top` takes the best of them: `Hits`, which `display` draws and `export` writes.

Beside this road lie `calibrate` and `lab` (where should the threshold be?), `widgets` (search boxes), `drive`,
`lessons` and `cluster`. Under all of it lie `errors`, `places` (folders as people name them), `version` and
`deprecation` (old names).

Importing cliplib loads neither torch nor OpenCV; they come with the first model and the first video.
"""

from importlib import import_module
from typing import Any

from .version import __version__ as __version__

_NAMES = {
    "library": ("Library",),
    "search.query": ("Query", "text", "image"),
    "search.results": ("Hit", "Hits", "PhotosAndVideos", "Scores", "Tags"),
    "search.mode": ("Mode",),
    "search.moments": ("Moment", "Moments"),
    "index.report": ("Skipped", "IndexReport"),
    "errors": (
        *("CliplibError", "MediaError", "ModelError", "LibraryError", "CacheError"),
        *("QueryError", "JudgementError"),
    ),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'cliplib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
