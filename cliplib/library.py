"""`Library`: what a notebook holds in its hand. A folder, a model, and the questions one can ask."""

import hashlib
import os
import tempfile
import warnings
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from . import doctor, snapshot
from . import index as index_
from . import rows as rows_
from .doctor import Finding
from .encoder import Encoder
from .errors import CacheError, LibraryError, MediaError, QueryError
from .footage import Footage
from .media import open_photo
from .query import stored_path
from .results import Hit, Hits, IndexReport, Scores
from .search import cosines
from .store import Store, folder_name

# The paper's cutoffs for ViT-B/32. They stand for every model that does not bring its own, until calibrated.
PAPER_THRESHOLDS = {"text->image": 0.25, "text->video": 0.25, "image->image": 0.70, "image->video": 0.70}
KINDS = {"image": "image", "frame": "video"}  # a row's kind, and what a mode calls it


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
        self._galleries: dict[str, tuple[pa.Table, np.ndarray]] = {}

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
        return sorted(self._gallery("image")[0]["path"].to_pylist())

    def videos(self) -> list[str]:
        """Paths of the videos in the index, sorted."""
        return sorted(self._gallery("frame")[0]["path"].unique().to_pylist())

    def __repr__(self) -> str:
        return f"Library({str(self.root)!r}, model={str(self.model)!r})"

    # indexing

    def index(
        self, *, every_s: float | None = None, confirm_removals: bool = False, progress: bool = True, **elsewhere
    ) -> IndexReport:
        """Encode what is new or changed, and say what was done; a progress bar unless `progress` is False.

        `every_s`: seconds between the sampled frames of a video (None: as they are, 1 s for new ones). Raises
        LibraryError when the folder is gone or empty, or more than a fifth of the files are gone without
        `confirm_removals`. `elsewhere`: the `listing` and `read` of `index.update`, which `cluster` gives.
        """
        if every_s is not None and not 0 < every_s < float("inf"):
            raise QueryError(f"every_s is {every_s!r}: give the seconds between two sampled frames, more than 0")
        self._galleries = {}
        self.store.refresh()
        return index_.update(self.root, self.store, self.encoder, every_s, confirm_removals, progress, **elsewhere)

    def check(self, by_content: bool = False) -> list[Finding]:
        """What the doctor finds: is each cache of this folder sound, and does it still agree with the files?"""
        return doctor.check(self.root, self.cache, by_content)

    # the three questions

    def search(self, text: str, k: int = 5, threshold: float | None = None) -> Hits:
        """Text to image: the best `k` photos with a cosine of at least `threshold` (None: the library's own)."""
        return self.score(text, "image").top(k, threshold)

    def similar(self, image, k: int = 5, threshold: float | None = None) -> Hits:
        """Image to image: a photo of the library (not among its own results), another file, or a PIL image."""
        return self._score_image(image, "image").top(k, threshold)

    def search_videos(self, text: str | None = None, k: int = 5, threshold: float | None = None, *, image=None) -> Hits:
        """Text to video frame, or with `image=` image to video frame; each hit has its time in seconds."""
        if (text is None) == (image is None):
            raise QueryError("search_videos needs a text or image=..., one of the two")
        scores = self.score(text, "frame") if image is None else self._score_image(image, "frame")
        return scores.top(k, threshold)

    def score(self, query, kind: str = "image") -> Scores:
        """The cosine of every row of one kind ("image" or "frame") with a query: a text, or an image as a path object
        or PIL image.

        A string is always a text here; for a file name as an image query give `Path(name)`. No encoding is needed to
        take `.top()`.
        """
        if not isinstance(query, str):
            return self._score_image(query, kind)
        return self._scores(self.encoder.encode_texts([query])[0], query, "text", kind)

    def threshold(self, mode: str) -> float:
        """The cutoff that `threshold=None` means for a mode such as "text->image"."""
        return {**PAPER_THRESHOLDS, **self.encoder.thresholds}[mode]

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

    # how an answer is made

    def _score_image(self, image, kind: str) -> Scores:
        if isinstance(image, Image.Image):
            return self._scores(self._embed(image), "an image", "image", kind)
        path = stored_path(image, self.root, self.store.rows["path"].unique().to_pylist())
        if path is None:
            outside = Path(image).expanduser()
            if not outside.is_file():
                raise QueryError(
                    f"no image {str(image)!r}: it is neither in the library {self.root} nor a file elsewhere"
                )
            return self._scores(self._embed(outside), str(image), "image", kind)
        rows = self.store.rows
        position = pc.index(rows["path"], path).as_py()
        if rows["kind"][position].as_py() != "image":
            raise QueryError(f"{path} is a video: search_videos takes a text or a photo")
        scores = self._scores(rows_.matrix(rows)[position], path, "image", kind)
        scores.values[np.asarray(pc.equal(scores.rows["path"], path))] = np.nan
        return scores

    def _embed(self, image) -> np.ndarray:
        try:
            photo = open_photo(image, self.encoder.resolution)
        except MediaError as error:
            raise QueryError(f"cannot use {error.path} as a query: {error.reason}") from error
        return self.encoder.encode_images([photo.image])[0]

    def _gallery(self, kind: str) -> tuple[pa.Table, np.ndarray]:
        """The rows of a kind and their embeddings (n, d): a slice of the store's rows, for photos come first there."""
        if kind not in KINDS:
            raise QueryError(f"kind is {kind!r}: it can be {' or '.join(map(repr, KINDS))}")
        if kind not in self._galleries:
            for problem in self.store.problems:
                warnings.warn(problem, stacklevel=4)
            rows = self.store.rows
            photos = pc.sum(pc.equal(rows["kind"], "image")).as_py() or 0
            rows = rows.slice(0, photos) if kind == "image" else rows.slice(photos)
            self._galleries[kind] = rows, rows_.matrix(rows)
        return self._galleries[kind]

    def _scores(self, embedding: np.ndarray, query: str, asked: str, kind: str) -> Scores:
        rows, gallery = self._gallery(kind)
        if not self.store.rows.num_rows:
            raise LibraryError(f"the index of {self.root} is empty: run library.index() first")
        mode = f"{asked}->{KINDS[kind]}"
        values = cosines(gallery, embedding)
        footage = Footage(self, embedding)
        return Scores(query, mode, values, rows, self.threshold(mode), self.encoder.banner, self._thumbnail, footage)

    def _thumbnail(self, hit: Hit) -> bytes | None:
        return self.store.thumbnail((hit.digest, hit.time_s))


def _writable(folder: Path) -> bool:
    """Whether a file can really be made there; a mount may claim more than it allows."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
