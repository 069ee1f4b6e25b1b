"""`Library`: what a notebook holds in its hand. A folder, a model, and the questions one can ask."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from . import doctor, originals, snapshot
from . import index as index_
from . import query as query_
from . import rows as rows_
from .asking import Asking
from .doctor import Finding
from .encoder import Encoder
from .errors import CacheError, LibraryError, QueryError
from .query import Query
from .results import Hit, Hits, IndexReport
from .scores import Scores
from .store import Store, folder_name

# The paper's cutoffs for ViT-B/32. They stand for every model that does not bring its own, until calibrated.
PAPER_THRESHOLDS = {"text->image": 0.25, "text->video": 0.25, "image->image": 0.70, "image->video": 0.70}


class Library:
    """A folder of photos and videos that can be searched by meaning.

    `root` is any folder; `model` an openai/CLIP name, "tiny", or the path of a checkpoint. The cache lies in
    `root/.cliplib`; where that cannot be written, under ~/.cache/cliplib; or in `cache`. `device` and `precision` are
    the encoder's (None: the best at hand). Raises LibraryError when the folder is not there. The model is loaded when
    it is first needed.
    """

    def __init__(
        self,
        root: str | Path,
        model: str | Path = "ViT-B/32",
        *,
        cache: str | Path | None = None,
        device: str | None = None,
        precision: str | None = None,
        activation: str | None = None,
    ):
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            what = "is a file, not a folder" if self.root.exists() else "is not there"
            raise LibraryError(
                f"the library folder {self.root} {what}. Give a folder of photos and videos; if it is on Google Drive, "
                "mount it first"
            )
        self.model = model
        self._encoder_options = {"device": device, "precision": precision, "activation": activation}
        self._cache = Path(cache).expanduser() if cache else None
        self._asking = Asking(self)

    @cached_property
    def encoder(self) -> Encoder:
        """The model, loaded on first use."""
        return Encoder.load(self.model, **self._encoder_options)

    @cached_property
    def store(self) -> Store:
        """The cache of this folder for this model."""
        encoder = self.encoder
        about = {name: getattr(encoder, name) for name in ("model_id", "name", "dim", "preprocessing", "precision")}
        about["name"] = str(encoder.name)
        return Store(self.cache / folder_name(about["name"], encoder.model_id), about)

    @cached_property
    def cache(self) -> Path:
        """The folder of this library's caches: `root/.cliplib`, or one in the home folder where that is read-only."""
        if self._cache:
            return self._cache
        beside = self.root / ".cliplib"
        if (beside.is_dir() and os.access(beside, os.W_OK)) or _writable(self.root):
            return beside
        name = hashlib.sha256(str(self.root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return Path.home() / ".cache" / "cliplib" / name

    def __len__(self) -> int:
        """Photos and frames in the index."""
        return self.store.rows.num_rows

    def photos(self) -> list[str]:
        """Paths of the photos in the index, sorted."""
        return sorted(self._asking.gallery("image")[0]["path"].to_pylist())

    def videos(self) -> list[str]:
        """Paths of the videos in the index, sorted."""
        return sorted(self._asking.gallery("frame")[0]["path"].unique().to_pylist())

    def __repr__(self) -> str:
        return f"Library({str(self.root)!r}, model={str(self.model)!r})"

    # indexing

    def index(
        self, *, every_s: float | None = None, confirm_removals: bool = False, progress: bool = True
    ) -> IndexReport:
        """Encode what is new or changed, and say what was done; a progress bar unless `progress` is False.

        `every_s`: seconds between the sampled frames of a video (None: as they are, 1 s for new ones). Raises
        LibraryError when the folder is gone or empty, or more than a fifth of the files are gone without
        `confirm_removals`.
        """
        if every_s is not None and not 0 < every_s < float("inf"):
            raise QueryError(f"every_s is {every_s!r}: give the seconds between two sampled frames, more than 0")
        self._asking = Asking(self)  # scores in hand keep the rows that they were made of
        self.store.refresh()
        return index_.update(self.root, self.store, self.encoder, every_s, confirm_removals, progress)

    def check(self, by_content: bool = False) -> list[Finding]:
        """What the doctor finds: is each cache of this folder sound, and does it still agree with the files?"""
        return doctor.check(self.root, self.cache, by_content)

    # the three questions; each takes a composed query, too: 2 * cliplib.text("a dog") + cliplib.image("pool.jpg")

    def search(self, text: str | Query, k: int = 5, threshold: float | None = None) -> Hits:
        """Text to image: the best `k` photos with a cosine of at least `threshold` (None: the library's own)."""
        return self.score(text, "image").top(k, threshold)

    def similar(self, image, k: int = 5, threshold: float | None = None) -> Hits:
        """Image to image: a photo of the library (not among its own results), another file, or a PIL image."""
        return self.score(_as_image(image), "image").top(k, threshold)

    def search_videos(
        self, text: str | Query | None = None, k: int = 5, threshold: float | None = None, *, image=None
    ) -> Hits:
        """Text to video frame, or with `image=` image to video frame; each hit has its time in seconds."""
        if (text is None) == (image is None):
            raise QueryError("search_videos needs a text or image=..., one of the two")
        return self.score(_as_image(image) if text is None else text, "frame").top(k, threshold)

    def score(self, query, kind: str = "image") -> Scores:
        """The cosine of every row of one kind ("image" or "frame") with a query: a text, an image as a path object or
        PIL image, or a `Query`. Photos of the library that are part of the query are not among its results.

        A string is always a text here; for a file name as an image query give `Path(name)`. No encoding is needed to
        take `.top()`. QueryError for a query without terms, or whose terms cancel.
        """
        query = query_.text(query) if isinstance(query, str) else _as_image(query)
        return self._asking.scores(query, kind)

    def threshold(self, mode: str) -> float:
        """The cutoff that `threshold=None` means for a mode such as "text->image".

        A query of texts and images is of mode "mixed->image" or "mixed->video", and takes the lower of its two parts'
        cutoffs: its scores lie between theirs.
        """
        known = {**PAPER_THRESHOLDS, **self.encoder.thresholds}
        asked, _, shown = mode.partition("->")
        return min(known[f"{part}->{shown}"] for part in (("text", "image") if asked == "mixed" else (asked,)))

    # the files behind an answer

    def copy_to(self, hits: Iterable[Hit], folder: str | Path) -> list[Path]:
        """Copy the originals of hits, or of moments, to a folder: each once, nothing overwritten; the new paths.

        A namesake gets " (2)" behind its name. What cannot be read is left out with a warning. LibraryError when the
        folder cannot be written. Give a folder outside the library, or the next index run takes the copies in.
        """
        return originals.copy_to(self.root, [hit.path for hit in hits], folder)

    def drive_link(self, hit: Hit) -> str | None:
        """The address of a hit's file in Google Drive, where the library lies on a mounted Drive; else None."""
        return originals.drive_link(self.root / hit.path)

    # snapshots

    def save(self, file: str | Path) -> Path:
        """Write the whole index with its thumbnails to one .parquet or .pkl file; `Library.load` reads it."""
        rows = self.store.rows
        return snapshot.save(file, rows, [self.store.thumbnail(key) for key in rows_.keys(rows)], self.store.model)

    @classmethod
    def load(cls, file: str | Path, root: str | Path | None = None, **options) -> "Library":
        """A library from a snapshot, ready to search; `root` is where its files are (None: the folder of the snapshot).

        The snapshot is written to a cache of its own, so that index() goes on from it. CacheError when the file is
        damaged, hostile, or of another model than the one it names (give `model=` for a checkpoint that lies elsewhere
        now).
        """
        rows, jpegs, about = snapshot.load(file)
        options.setdefault("model", about.get("name", "ViT-B/32"))
        options.setdefault("cache", tempfile.mkdtemp(prefix="cliplib-"))
        library = cls(Path(file).parent if root is None else root, **options)
        if library.encoder.model_id != about["model_id"]:
            raise CacheError(
                f"{file} was made with {about.get('name')!r} ({about['model_id'][:12]}), but {library.encoder.name!r} "
                f"is {library.encoder.model_id[:12]}: their embeddings cannot be compared. Load it with the "
                "first model, or index again"
            )
        thumbs = {key: jpeg for key, jpeg in zip(rows_.keys(rows), jpegs, strict=True) if jpeg is not None}
        library.store.checkpoint(rows, thumbs, set(), library.store.failures)
        return library


def _writable(folder: Path) -> bool:
    """Whether a file can really be made there; a mount may claim more than it allows."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _as_image(query) -> Query:
    return query if isinstance(query, Query) else query_.image(query)
