"""`Library`: what a notebook holds in its hand. A folder, a model, and the questions one can ask."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from . import models
from .cache import manifest, pack, snapshot
from .cache.durable import writable
from .cache.rows import PRECISIONS
from .cache.staging import copy_by_hand, copy_index
from .cache.store import Store, cache_elsewhere, cache_of, folder_name
from .calibrate.cutoffs import Cutoffs
from .calibrate.judgements import Judgements
from .calibrate.profiles import Profiles
from .errors import CacheError, LibraryError, QueryError, describe_value
from .export import album, originals
from .index import estimate, imported
from .index.background import Indexing
from .index.check import Finding, check_caches, indexed_models
from .index.report import IndexReport
from .index.update import every_s_of, update
from .places import drive_link, expanded
from .search.bank import Background
from .search.engine import SearchEngine
from .search.mode import ROW_KINDS, Mode
from .search.ordering import Cutoff, checked_ranking
from .search.query import PictureLike, Query, QueryLike
from .search.query import image as image_query
from .search.results import Hit, Hits, PhotosAndVideos, Scores, Tags

# What `index` and `index_in_background` take alike.
OPTIONS = ("every_s", "confirm_removals", "motion_clips", "retry_failed", "first_pass")

CHECKPOINTS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")  # how a model's name ends that is a file


class Library:
    """A folder of photos and videos that can be searched by meaning.

    Args:
        root: Any folder.
        model: An openai/CLIP name, "tiny", or the path of a checkpoint. It is loaded when it is needed.
        cache: Where the index lies. None: `root/.cliplib`; where that cannot be written it is read, and what is new
            goes to ~/.cache/cliplib.
        device: Of the model, such as "cpu" or "cuda". None: the best at hand.
        precision: Of the model's image tower, "fp32", "bf16" or "fp16". None: the fastest.
        activation: "gelu" or "quickgelu", where a checkpoint does not tell.
        embeddings: "float16" makes the index half as large, and index() rewrites what is there; cosines change by less
            than 0.001. "float32" is exact. None leaves an index as it is, and a new one is exact.
        architecture: A name of open_clip's registry, where a checkpoint does not tell.
        ranking: What orders and cuts results unless a search says otherwise: "match" (`search.background`) or "cosine",
            the paper's way.
        bank: The texts that a match compares with, a file or a list, for a library in another language or about one
            subject. None: the model's own, else everyday things.
        ignore: Lines in the syntax of .gitignore for what to leave out, besides those of the folder's `.cliplibignore`.

    Raises:
        LibraryError: The folder is not there, or an argument is none.
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
        embeddings: str | None = None,
        architecture: str | None = None,
        ranking: str = "match",
        bank: str | Path | Iterable[str] | None = None,
        ignore: Iterable[str] = (),
    ):
        self.root = absolute(root, "a library is one folder, a text or a path; for several make a library of each")
        if not os.path.isdir(self.root):  # Path.is_dir raises on a mount that went stale
            what = "is a file, not a folder" if os.path.exists(self.root) else "is not there"
            raise LibraryError(
                f"the library folder {self.root} {what}. Give a folder of photos and videos; if it is on Google Drive, "
                "mount it first"
            )
        self.model = model_location(model)
        self.ranking, self._bank = checked_ranking(ranking), bank
        self._ignore = (ignore,) if isinstance(ignore, str) else tuple(ignore)
        self._encoder_options = {
            "device": device,
            "precision": precision,
            "activation": activation,
            "architecture": architecture,
        }
        if embeddings not in (None, *PRECISIONS):
            raise LibraryError(f"embeddings is {embeddings!r}: it can be {', '.join(map(repr, PRECISIONS))}, or None")
        self._embeddings = embeddings
        self._cache = absolute(cache, "a cache is a folder, a text or a path") if cache else None
        self._made_with: tuple[dict, str | Path] | None = None  # the model of a file that was opened, not loaded yet
        self._engine: SearchEngine | None = None
        self._indexing: Indexing | None = None

    @cached_property
    def encoder(self) -> models.Encoder:
        """The model, loaded on first use. CacheError where it is not the one that made the file that was opened."""
        encoder = models.load(self.model, **self._encoder_options)
        if self._made_with:
            _refuse_other_model(encoder, *self._made_with)
        return encoder

    @property
    def _about(self) -> dict:
        """What is said of the model: by itself, or by the file that was opened, as long as it is not loaded."""
        return self._made_with[0] if self._made_with else self.encoder.about

    @cached_property
    def store(self) -> Store:
        """The cache of this folder for this model."""
        return Store(self.folder, self._about, self._embeddings)

    @property
    def folder(self) -> Path:
        """Where that cache lies: below `cache`, or where it can only be read, until `index` has copied it."""
        own = self.cache / self._name
        if self._read_only and not manifest.files(own) and manifest.files(self._read_only / self._name):
            return self._read_only / self._name
        return own

    @property
    def _name(self) -> str:
        return folder_name(self._about["name"], self._about["model_id"])

    @cached_property
    def judgements(self) -> Judgements:
        """Which picture answers which query, as people said; one table for all models of this folder."""
        store = self.store  # not `self`: what holds a library in a circle keeps its model in memory
        return Judgements(self._by_hand / "judgements", lambda: store.rows)

    @cached_property
    def profiles(self) -> Profiles:
        """The calibrated cutoffs of this folder and model."""
        return Profiles(self._by_hand / self._name, self._about)

    @cached_property
    def cache(self) -> Path:
        """Where this library's caches are written: `root/.cliplib`, or in the home folder where that is read-only."""
        return self._cache or cache_of(self.root)

    @cached_property
    def _read_only(self) -> Path | None:
        """`root/.cliplib` where it cannot be written, as on a read-only mount or in somebody else's folder."""
        beside = self.root / ".cliplib"
        return beside if self._cache is None and self.cache != beside and os.path.isdir(beside) else None

    @cached_property
    def _by_hand(self) -> Path:
        """The cache of judgements and cutoffs: `cache`, with the newer of those that can only be read copied to it."""
        if self._read_only:
            try:
                copy_by_hand(self._read_only, self.cache)
            except OSError:  # they can be written nowhere
                return self._read_only
        return self.cache

    def _write_below_cache(self) -> None:
        """Before a run: what the index holds where it can only be read is copied, or merged with what was written."""
        beside = self.root / ".cliplib"
        if self._cache is None and self.cache == beside and os.path.isdir(beside) and not writable(beside):
            self.cache, self._read_only = cache_elsewhere(self.root), beside  # a mount may claim more than it allows
            for name in ("_by_hand", "judgements", "profiles"):
                self.__dict__.pop(name, None)
        if self._read_only and manifest.files(origin := self._read_only / self._name):
            own = self.cache / self._name
            try:
                copy_index(origin, own, whole=False)
            except OSError as error:
                why = f"{error.strerror or error}. Make room there, or index anew with Library(..., cache=...)"
                raise CacheError(
                    f"{origin} can only be read, and its copy {own} could not be written: {why}"
                ) from error
            self.store.move(own)

    @property
    def engine(self) -> SearchEngine:
        """What answers the searches, from the index as it is now; a new one after every change of the index."""
        if self._engine is None:
            cutoffs = Cutoffs(self.profiles, self.encoder.thresholds)
            clips = self.cache / "clips"
            self._engine = SearchEngine(self.store, self.encoder, cutoffs, self.root, clips, self.background)
        return self._engine

    @property
    def background(self) -> Background:
        """The bank of texts that matches are made with, as it is kept beside the index; a new one each time."""
        return Background(self.encoder, self.folder, self._bank)

    def __len__(self) -> int:
        """Photos and frames in the index."""
        return self.store.rows.num_rows

    def photos(self) -> list[str]:
        """Paths of the photos in the index, sorted."""
        return sorted(self.engine.gallery("image")[0]["path"].to_pylist())

    def videos(self) -> list[str]:
        """Paths of the videos in the index, sorted."""
        return sorted(self.engine.gallery("frame")[0]["path"].unique().to_pylist())

    def __repr__(self) -> str:
        return f"Library({str(self.root)!r}, model={str(self.model)!r})"

    # indexing

    def index(
        self,
        *,
        every_s: float | None = None,
        confirm_removals: bool = False,
        progress: bool = True,
        motion_clips: bool = False,
        retry_failed: bool = False,
        first_pass: bool | None = None,
        **elsewhere: Any,
    ) -> IndexReport:
        """Encode what is new or changed, and say what was done; a progress bar unless `progress` is False.

        `every_s`: seconds between the sampled frames of a video (None: as they are, 1 s for new ones). The clips of
        Live Photos are part of their photos; `motion_clips` takes them for videos, too. `retry_failed` tries again what
        could not be decoded; else that waits for another version of cliplib or of a decoder. With `first_pass` new
        photos are first encoded by the small previews in their files, so that one can search after minutes, and then
        exactly (None: where at least half of them carry one). Raises LibraryError when the folder is gone or empty, or
        more than a fifth of the files are gone without `confirm_removals`. `elsewhere`: the `listing` and `read` of
        `update`, which `cluster` gives.
        """
        refuse_unknown_options(elsewhere.keys() - {"listing", "read"}, "index", (*OPTIONS, "progress"))
        self._engine = None  # scores in hand keep theirs, with the rows that they were made of
        self._write_below_cache()
        self.store.refresh()
        options = {"motion_clips": motion_clips, "retry_failed": retry_failed, "first_pass": first_pass, **elsewhere}
        options["ignore"] = self._ignore
        return update(self.root, self.store, self.encoder, every_s, confirm_removals, progress, **options)

    def import_embeddings(self, source: str | Path, *, progress: bool = True) -> IndexReport:
        """Take embeddings that another program made of photos in this folder, instead of encoding them.

        Args:
            source: clip-retrieval's folder, an .npz, or a .csv, .parquet or .pkl of names and embeddings.
            progress: Show a bar.

        Returns:
            The report of an index run, whose `problems` name what is no photo of this folder; `index` goes on from it.

        Raises:
            CacheError: The source cannot be read.
            LibraryError: Its embeddings are not this model's: by their width, or as three of the pictures show, which
                are encoded again.
        """
        rows = imported.read(source)
        self._engine = None
        report, lost = imported.import_rows(self.root, self.store, self.encoder, rows, progress)
        if lost:
            some = ", ".join(lost[:3])
            report.problems.append(f"{len(lost)} names are no photo of {self.root}, or of more than one: {some} ...")
        return report

    def export_embeddings(self, folder: str | Path) -> Path:
        """Write the embeddings for clip-retrieval, FAISS, LanceDB and NumPy: see `imported.export_rows`."""
        return imported.export_rows(self.store.rows, self.encoder.about, folder)

    def index_in_background(self, **options: Any) -> Indexing:
        """`index` in a thread, with its options but for `progress`; searches find what it has saved.

        Raises:
            LibraryError: Another such run goes on.
        """
        refuse_unknown_options(options.keys() - set(OPTIONS), "index_in_background", OPTIONS)
        every_s_of(options.get("every_s"))
        if self._indexing and self._indexing.running:
            raise LibraryError("an index run goes on already: wait() for it, or stop() it")
        self._write_below_cache()
        self.refresh()  # what refuses to be indexed, such as a pack, says so here
        folder, model = self.store.folder, self.store.model
        store = Store(folder, model, self._embeddings)  # of its own, for it writes while searches read
        update_ = partial(update, self.root, store, self.encoder, progress=False, ignore=self._ignore)
        self._indexing = Indexing(store, update_, **options)
        return self._indexing

    def refresh(self) -> None:
        """Take in what another run, or another session, has saved since the index was read."""
        if self.store.refresh():
            self._engine = None

    def estimate(self, seconds: float = 60) -> estimate.Estimate:
        """How long `index` will take and what limits it, after a trial of at most `seconds` that keeps nothing."""
        return estimate.measure(self.root, self.store, self.encoder, seconds, self._ignore)

    def check(self, by_content: bool = False) -> list[Finding]:
        """What a check finds: is each cache of this folder sound, and does it still agree with the files?"""
        beside = self._read_only
        cache = self.cache if beside is None or any(self.cache.glob("*/manifest*.json")) else beside
        return check_caches(self.root, cache, by_content, self._ignore)

    # the questions. `k`, `threshold` and `ranking` mean the same in all of them.

    def search(
        self, text: str | Query, k: int = 5, threshold: float | str | None = None, *, ranking: str | None = None
    ) -> Hits:
        """Text to image: the best `k` photos that reach the threshold.

        Args:
            text: Words, or a composed query: `2 * cliplib.text("a dog") + cliplib.image("pool.jpg")`.
            k: At most so many.
            threshold: None: the calibrated cutoff where there is one, else one without labels; "auto": the latter. A
                number is a cosine, and cuts in the cosine's order.
            ranking: What orders and cuts, "match" or "cosine". None: the library's.

        Returns:
            The hits, best first. Where nothing reaches the threshold they are empty, and hold the nearest.

        Raises:
            QueryError: The query has no direction, or k, threshold or ranking is none.
            LibraryError: The index is empty.
        """
        return self.score(text, "image", ranking).top(k, threshold)

    def similar(
        self, image: PictureLike, k: int = 5, threshold: float | str | None = None, *, ranking: str | None = None
    ) -> Hits:
        """Image to image: the best `k` photos like this one.

        Args:
            image: A photo of the library by its path or name, another file, its bytes, or a PIL image. A photo of the
                library is not found itself, nor are its copies.
            k: As for `search`.
            threshold: As for `search`.
            ranking: As for `search`.

        Returns:
            The hits, best first.

        Raises:
            QueryError: There is no such picture, or as for `search`.
            LibraryError: The index is empty.
        """
        return self.score(image_query(image), "image", ranking).top(k, threshold)

    def search_videos(
        self,
        text: str | Query | None = None,
        k: int = 5,
        threshold: float | str | None = None,
        *,
        image: PictureLike | None = None,
        ranking: str | None = None,
    ) -> Hits:
        """Text to video frame, or with `image=` image to video frame.

        Args:
            text: As for `search`.
            k: As for `search`.
            threshold: As for `search`.
            image: As for `similar`, in place of a text.
            ranking: As for `search`.

        Returns:
            The frames, best first, each with its time in seconds; `.moments()` are the stretches to play.

        Raises:
            QueryError: Both a text and an image are given, or neither; or as for `search`.
            LibraryError: The index is empty.
        """
        if text is not None and image is None:
            return self.score(text, "frame", ranking).top(k, threshold)
        if text is None and image is not None:
            return self.score(image_query(image), "frame", ranking).top(k, threshold)
        raise QueryError("search_videos needs a text or image=..., one of the two")

    def search_all(
        self, query: QueryLike, k: int = 5, threshold: float | str | None = None, *, ranking: str | None = None
    ) -> PhotosAndVideos:
        """Photos and videos in one answer: what `search` and `search_videos(...).moments()` find, encoded once.

        Args:
            query: A text, a picture (a path object, bytes or a PIL image), or a composed query. A string is a text.
            k: At most so many photos, and so many moments.
            threshold: As for `search`.
            ranking: As for `search`.

        Returns:
            `.photos` and `.videos`, and both together, best first.

        Raises:
            QueryError: As for `search`.
            LibraryError: The index is empty.
        """
        photos, frames = self.score_all(query, ranking)
        return PhotosAndVideos(photos.top(k, threshold), frames.moments(k, threshold))

    def score_all(self, query: QueryLike, ranking: str | None = None) -> tuple[Scores, Scores]:
        """The `score` of every photo, and that of every frame of a video; the query is encoded once for both."""
        self._ready_to_search()
        photos, frames = self.engine.scores_of_kinds(query, ROW_KINDS, checked_ranking(ranking or self.ranking))
        return photos, frames

    def score(self, query: QueryLike, kind: str = "image", ranking: str | None = None) -> Scores:
        """The cosine and the match of every row of one kind with a query; `.top()` takes hits without encoding again.

        Photos of the library that are part of the query are not among its results, nor are their copies: files of the
        same content, whatever their names.

        Args:
            query: A text, a picture (a path object, bytes or a PIL image), or a composed query. A string is a text: for
                a file name give `Path(name)`.
            kind: "image" for photos, "frame" for the frames of videos.
            ranking: As for `search`.

        Returns:
            Scores of n rows.

        Raises:
            QueryError: The query has no terms, or they cancel; or as for `search`.
            LibraryError: The index is empty.
        """
        return next(self.scores([query], kind, ranking))

    def scores(
        self, queries: QueryLike | Iterable[QueryLike], kind: str = "image", ranking: str | None = None
    ) -> Iterator[Scores]:
        """`score` of many queries, one after the other: compared together, which is many times faster."""
        self._ready_to_search()
        if isinstance(queries, QueryLike):
            queries = [queries]
        return self.engine.scores(list(queries), kind, checked_ranking(ranking or self.ranking))

    def _ready_to_search(self) -> None:
        """Take in what a run in the background has saved; LibraryError where there is nothing to search."""
        if self._indexing:
            self.refresh()
        self._refuse_empty()

    def _refuse_empty(self) -> None:
        """Raise LibraryError where there is nothing to search, with the other models that have an index here.

        A model by name is not loaded for that, which may mean a long download, where only others have one.
        """
        name, at_hand = str(self.model), "encoder" in self.__dict__ or is_file(self.model)
        indexed = set() if at_hand else indexed_models(self.cache)
        if (name in indexed or not indexed) and self.store.rows.num_rows:
            return
        if not (others := sorted(indexed_models(self.cache) - {name})):
            raise LibraryError(f"the index of {self.root} is empty: run library.index() first")
        there = " or ".join(f"model={other!r}" for other in others)
        raise LibraryError(
            f"the index of {self.root} for {name!r} is empty: run library.index() first, or take {there}, which has one"
        )

    def tags(
        self,
        words: Iterable[str],
        k: int = 12,
        threshold: float | str | None = None,
        *,
        ranking: str | None = None,
    ) -> Tags:
        """Zero-shot tags, for browsing: of each of `words` the best `k` photos that reach the threshold.

        A photo may have several tags, or none. `k`, `threshold` and `ranking` are those of `search`.
        """
        words = [words] if isinstance(words, str) else list(dict.fromkeys(words))
        scores = self.scores(words, ranking=ranking)
        return Tags({word: of_word.top(k, threshold) for word, of_word in zip(words, scores, strict=True)})

    def threshold(self, mode: str) -> float:
        """The cosine that `threshold=None` means with ranking="cosine" for a mode such as "text->image".

        It is the calibrated one, where there is a profile of cosines; else the model's own.

        A query of texts and images is of mode "mixed->image" or "mixed->video", and takes the lower of its two parts'
        cutoffs: its scores lie between theirs. QueryError for any other mode.
        """
        return self.cutoff(Mode(mode)).cosine

    def cutoff(self, mode: Mode) -> Cutoff:
        """`threshold`, with the expected precision where the mode is calibrated."""
        return Cutoffs(self.profiles, self.encoder.thresholds)(mode)

    # the files behind an answer

    def copy_to(self, hits: Iterable[Hit], folder: str | Path) -> list[Path]:
        """Copy the originals of hits, or of moments, to a folder, nothing overwritten: see `originals.copy_to`."""
        return originals.copy_to(self.root, [hit.path for hit in hits], folder)

    def drive_link(self, hit: Hit) -> str | None:
        """The address of a hit's file in Google Drive, where the library lies on a mounted Drive; else None."""
        return drive_link(self.root / hit.path)

    # snapshots

    def save(self, file: str | Path) -> Path:
        """Write the whole index, its thumbnails and calibrated cutoffs to one .parquet or .pkl file for `Library.load`.

        Judgements do not go with it: `judgements.save` writes them, without names.
        """
        return snapshot.save(file, self.store, self.profiles.bodies())

    def save_pack(
        self, file: str | Path, paths: Iterable[str] | None = None, pictures: str = "previews", places: bool = False
    ) -> Path:
        """Write index, thumbnails, judgements and pictures into one .zip for a class: see `pack.save`."""
        judged, profiles = b"", self.profiles.bodies()
        if len(self.judgements.frame()):
            with tempfile.TemporaryDirectory() as folder:
                judged = self.judgements.save(Path(folder) / "judgements.csv").read_bytes()
        return pack.save(file, self.store, self.root, paths, pictures, places, judged, profiles)

    def save_page(self, file: str | Path, **options: Any) -> Path:
        """Write an album: one .html file that a browser searches without Python and without a network.

        Args:
            file: The page, named .html.
            **options: `paths` that go in, further `queries`, what to `show`, `title`: see `export.album.save`.

        Returns:
            The path of the file.

        Raises:
            QueryError: An option or the name of the file is not allowed.
            LibraryError: The index is empty.
        """
        refuse_unknown_options(options.keys() - set(album.OPTIONS), "save_page", album.OPTIONS)
        self._refuse_empty()
        return album.save(self.engine, file, ranking=self.ranking, **options)

    @classmethod
    def open_pack(cls, file: str | Path, **options: Any) -> "Library":
        """A library from a pack, read-only where it lies. CacheError when it is no sound pack, or of another model."""
        opened = pack.Pack(file)
        library = cls(opened.file.parent, cache=opened.folder, **_with_model(options, opened.model, file))
        library.root = opened.root
        library.store = opened  # type: ignore[assignment] # no Store: it refuses itself what would write
        library._expect(opened.model, file, named="model" not in options)
        if opened.judgements:
            with tempfile.TemporaryDirectory() as folder:
                judged = Path(folder) / "judgements.csv"
                judged.write_bytes(opened.judgements)
                library.judgements.merge(judged)
        library.profiles.add(opened.profiles)
        return library

    @classmethod
    def load(cls, file: str | Path, root: str | Path | None = None, **options: Any) -> "Library":
        """A library from a snapshot, ready to search; `root` is where its files are (None: the folder of the snapshot).

        The snapshot is written to a cache of its own, so that index() goes on from it. CacheError when the file is
        damaged, hostile, or of another model than the one it names (give `model=` for a checkpoint that lies elsewhere
        now).
        """
        loaded = snapshot.load(file)
        folder = Path(file).expanduser().parent if root is None else root
        given = {"cache": tempfile.mkdtemp(prefix="cliplib-"), **_with_model(options, loaded.model, file)}
        library = cls(folder, **given)
        library._expect(loaded.model, file, named="model" not in options)
        library.profiles.add(loaded.profiles)
        library.store.checkpoint(loaded.rows, loaded.thumbs, set(), library.store.failures)
        return library

    def _expect(self, about: dict, file: str | Path, named: bool) -> None:
        """Raise CacheError where this library's model is not the one that made `file`.

        One that was only `named` there may have to be downloaded, and is compared when it is first used.
        """
        if named and self.model != "tiny" and not os.path.exists(os.path.expanduser(self.model)):
            self._made_with = about, file
        else:
            _refuse_other_model(self.encoder, about, file)


def _with_model(options: dict, about: dict, file: str | Path) -> dict:
    """The options of a library for a file that was made with a model, and what `models.load` must be told of that.

    Raises:
        CacheError: It was made with a checkpoint that is not where it was.
    """
    told = {name: about[name] for name in ("activation", "architecture") if about.get(name)}
    name = about["name"]
    is_path = os.path.isabs(os.path.expanduser(name)) or Path(name).suffix in CHECKPOINTS
    if "model" not in options and is_path and not os.path.exists(os.path.expanduser(name)):
        raise CacheError(
            f"{file} was made with the checkpoint {name!r} ({about['model_id'][:12]}), which is not there: give the "
            f"path where it lies now, as model={Path(name).name!r}"
        )
    return {"model": name, **told, **options}


def _refuse_other_model(encoder: models.Encoder, about: dict, file: str | Path) -> None:
    """Raise CacheError where an encoder is not the one that made `file`."""
    if encoder.model_id != about["model_id"]:
        raise CacheError(
            f"{file} was made with {about['name']!r} ({about['model_id'][:12]}), but {encoder.name!r} "
            f"is {encoder.model_id[:12]}: their embeddings cannot be compared. Load it with the first model, or "
            "index again"
        )


def absolute(path: object, what: str) -> Path:
    """A path that stays the same when the working folder changes; LibraryError, which says `what`, where it is none."""
    if not isinstance(path, str | os.PathLike):
        raise LibraryError(f"{what}; got {describe_value(path)}")
    return Path(os.path.abspath(expanded(path)))


def model_location(model: str | Path) -> str | Path:
    """A model by name as it is; the path of its file, or of its folder after "local-dir:", made absolute."""
    what, (scheme, colon, folder) = "a model is a name or the path of a checkpoint", str(model).partition(":")
    if scheme == "local-dir" and colon:
        return f"local-dir:{absolute(folder, what)}"
    if not isinstance(model, str | os.PathLike):
        raise LibraryError(f"{what}; got {describe_value(model)}")
    return absolute(model, what) if is_file(model) else model


def is_file(model: object) -> bool:
    """Whether a model is given by the path of a file, rather than by a name."""
    return isinstance(model, str | os.PathLike) and os.path.isfile(os.path.expanduser(model))


def refuse_unknown_options(unknown: Iterable[str], call: str, known: Iterable[str]) -> None:
    """Raise TypeError for options that a call does not have, with the likeliest that it has."""
    for name in unknown:
        near = get_close_matches(name, known, n=1, cutoff=0.3)
        meant = f": did you mean {near[0]}?" if near else "."
        raise TypeError(f"{call}() has no option {name!r}{meant} It takes {', '.join(known)}")
