"""Find photos and video moments by meaning, with OpenAI's CLIP.

A guided tour:

    import cliplib

    library = cliplib.Library("photos")                     # any folder; model="ViT-B/32" unless you say otherwise
    report = library.index()                                # once; later runs encode only what is new
    library.search("a dog walking on the beach")            # text -> images
    library.similar("IMG_0042.HEIC")                        # image -> images
    library.search_videos("dog catches a frisbee")          # text -> video frames; .moments() -> stretches to play
    library.search(2 * cliplib.text("a dog") + cliplib.image("pool.jpg") - cliplib.text("a person"))    # composed

Every file goes one way: `media` and `video` read it, `pipeline` prepares it in threads, `encoder` turns it into a unit
vector, `store` keeps the vector in a row (`rows`), and `index` conducts. Every query goes the other way: `asking` turns
a `query` into a vector, `search` compares it with the rows by cosine, `scores` holds every row's, `results` the best,
and `display` shows them.

Importing cliplib loads neither torch nor OpenCV; they come with the first model and the first video.
"""

from importlib import import_module

_HOME = {
    "Library": "library",
    "Query": "query",
    "text": "query",
    "image": "query",
    "Hit": "results",
    "Hits": "results",
    "Tags": "results",
    "Scores": "scores",
    "Moment": "moments",
    "Moments": "moments",
    "Skipped": "report",
    "IndexReport": "report",
    "CliplibError": "errors",
    "MediaError": "errors",
    "ModelError": "errors",
    "LibraryError": "errors",
    "CacheError": "errors",
    "QueryError": "errors",
    "JudgementError": "errors",
}
__all__ = list(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str):
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'cliplib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
