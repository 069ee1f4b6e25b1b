"""The same index and the same answers, made on many machines by Ray Data: `pip install "cliplib[cluster]"`.

The driver walks, compares and saves; the workers read, decode and encode, with the code that one machine runs. So rows,
report and Parquet parts are those of `Library.index`, which goes on from here, as this goes on from there. The folder,
or the storage of the URIs, must be within reach of all workers. Connect to a cluster with `ray.init(address=...)`
first; otherwise Ray uses the cores of this machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import numpy as np
import pyarrow as pa
import ray.data

from . import models
from .errors import LibraryError, MediaError, ModelError
from .index.journal import Journal
from .index.pipeline import Finished, Reader, Sample
from .index.plan import plan
from .index.report import IndexReport
from .index.sidecars import Sidecars
from .media.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Listing, MediaFile, find_media, within_int64
from .search import blocks
from .search.results import Hits

if TYPE_CHECKING:
    from .library import Library

DRIVERS = "Here and on all workers run: pip install s3fs (for s3://), gcsfs (gs://) or adlfs (abfs://)"
BATCH_FILES = 64  # what a worker does at once, and what is done again when it dies


def index(library: Library, uris=None, *, workers: int = 2, gpus: float = 0, **options) -> IndexReport:
    """`library.index(**options)` with the files read and encoded by `workers` Ray actors, each with `gpus` GPUs.

    `uris`: files and folders in any storage that fsspec knows ("s3://bucket/photos"), in place of the library's folder;
    their rows have the URI as path. A worker that dies is replaced, and its batch done again; a file that killed it is
    tried in a child process then, and reported. Raises what `Library.index` does.
    """
    encoder, device = library.encoder, "cuda" if gpus else "cpu"
    model = {"model": str(library.model), "device": device, "activation": encoder.activation}
    model["architecture"] = encoder.architecture or None
    if device == encoder.device:
        model["precision"] = encoder.precision  # that of the driver, not what each worker measures to be faster
    elsewhere = {"listing": list_uris(uris)} if uris is not None else {}
    pool = {"concurrency": workers, "num_gpus": gpus, "num_cpus": 1}
    read = partial(_read, model=model, model_id=encoder.model_id, pool=pool)
    return library.index(read=read, **elsewhere, **options)


@dataclass(frozen=True)
class DryRun:
    """What `index` would do.

    Attributes:
        todo: files that would be read and encoded, photos first, the newest first; copies of known files among them.
        unchanged: how many are in the index as they are.
        gone: how many files of the index are not there any more.
        batches: in how many tasks the workers would get them.
        workers: how many there would be.
        problems: what cannot be listed, in sentences.
    """

    todo: list[MediaFile]
    unchanged: int
    gone: int
    batches: int
    workers: int
    problems: list[str]

    def __str__(self) -> str:
        videos = sum(file.kind == "video" for file in self.todo)
        size = sum(file.size for file in self.todo) / 1e9
        kinds, tasks = (
            f"{len(self.todo) - videos:,} photos, {videos:,} videos, {size:.2f} GB",
            f"{self.batches:,} batches",
        )
        lines = [
            f"{len(self.todo):,} files would be encoded ({kinds}), in {tasks} by {self.workers} workers; "
            f"{self.unchanged:,} are unchanged, {self.gone:,} are gone. Nothing was read, and nothing changed."
        ]
        return "\n".join([*lines, *(f"  note: {text}" for text in self.problems)])


def dry_run(library: Library, uris=None, *, workers: int = 2, **options) -> DryRun:
    """Say what `index` would do with the same arguments, by names, sizes and dates alone; Ray is not started.

    Args:
        library: of the folder, or for the rows of the URIs.
        uris: as for `index`.
        workers: as for `index`.
        **options: `every_s`, `motion_clips` and `retry_failed` as for `Library.index`.

    Raises:
        LibraryError: the folder is not there, or a URI's driver is not installed.
    """
    listing = find_media(library.root) if uris is None else list_uris(uris)
    found = plan(listing, library.store, Sidecars(library.root, listing, library.store.rows), **options)
    size = batch_size(len(found.todo), workers)
    problems = [f"{problem.path}: {problem.reason}" for problem in listing.problems]
    return DryRun(found.todo, found.unchanged, len(found.gone), -(-len(found.todo) // size), workers, problems)


def batch_size(files: int, workers: int) -> int:
    """How many files a task has: `BATCH_FILES`, or fewer so that every worker has some."""
    return max(1, min(BATCH_FILES, -(-files // workers)))


def search(library: Library, text: str, k: int = 5, kind: str = "image", threshold: float | None = None) -> Hits:
    """`library.search(text)`, or with kind="frame" `search_videos`, over parts that no single memory need hold.

    Each worker reads one part and keeps its best; the best of these are the answer. See `search.blocks`.
    """
    best = ray.remote(lambda work, part: work(part))
    return blocks.search(
        library, text, k, kind, threshold, lambda work, parts: ray.get([best.remote(work, p) for p in parts])
    )


def list_uris(uris) -> Listing:
    """The media files that fsspec finds at the URIs and below, with what the storage says of their size and date.

    Raises:
        LibraryError: fsspec needs a package for such a URI, and it is not installed.
    """
    files, problems, unread = [], [], []
    for uri in [uris] if isinstance(uris, str) else uris:
        try:
            storage, path = fsspec.core.url_to_fs(uri)
            found = storage.find(path, detail=True)
            if not found:
                raise FileNotFoundError("nothing is there")
        except ImportError as error:
            raise LibraryError(f"{uri} cannot be read here: {error}. {DRIVERS}") from error
        except Exception as error:  # each storage has errors of its own
            problems.append(MediaError(uri, "walk", f"cannot be listed: {error}"))
            unread.append(uri.rstrip("/"))
            continue
        for name, facts in found.items():
            full = storage.unstrip_protocol(name)
            suffix = full[full.rfind(".") :].lower()
            kind = "image" if suffix in IMAGE_SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else None
            if kind:
                dates = [facts[key] for key in ("mtime", "LastModified", "updated", "created") if facts.get(key)]
                seconds = dates[0].timestamp() if dates and hasattr(dates[0], "timestamp") else (dates or [0])[0]
                files.append(MediaFile(full, kind, int(facts["size"]), within_int64(int(float(seconds) * 1e9))))
    return Listing(sorted(set(files)), problems, unread, jsons={})


def _read(reader: Reader, files: list[MediaFile], model: dict, model_id: str, pool: dict):
    """`Reader.read` on workers: the same events, with embeddings, in batches as they come."""
    if not files:
        return
    table = pa.Table.from_pylist([file._asdict() for file in files])
    size = batch_size(len(files), pool["concurrency"])
    batches = ray.data.from_arrow([table.slice(start, size) for start in range(0, len(files), size)])
    batches.context.enable_progress_bars = False
    bare = replace(reader, sampling=replace(reader.sampling, prepare=None), known=None, journal=None)
    about = {"reader": bare, "model": model, "model_id": model_id, "suspects": reader.journal.suspects}
    events = batches.map_batches(Worker, batch_size=None, fn_constructor_kwargs=about, **pool)
    for batch in events.iter_batches(batch_size=None, batch_format="numpy"):
        yield from batch["event"]


class Worker:
    """One actor: an encoder that stays loaded, and a reader for every batch of files."""

    def __init__(self, reader: Reader, model: dict, model_id: str, suspects: set[str]):
        self.reader, self.suspects, self.encoder = reader, suspects, models.load(**model)
        if self.encoder.model_id != model_id:
            raise ModelError(
                f"{model['model']!r} is {self.encoder.model_id[:12]} on a worker, but {model_id[:12]} here: "
                "put the same weights within reach of both"
            )

    def __call__(self, batch: dict) -> dict:
        """A batch of `MediaFile` columns to {"event": the events of its files, samples with their vectors}."""
        columns = (batch[name].tolist() for name in MediaFile._fields)
        files = [MediaFile(*facts) for facts in zip(*columns, strict=True)]
        # Its file is found again when this batch has killed a worker.
        journal = Journal(Path(self.reader.root, files[0].path), self.suspects)
        with tempfile.TemporaryDirectory() as folder, closing(journal):
            root, lost = _staged(files, Path(self.reader.root), Path(folder))
            sampling = replace(self.reader.sampling, prepare=self.encoder.prepare)
            reader = replace(self.reader, root=root, sampling=sampling, known=_never, journal=journal)
            events = list(self._encoded(reader.read([file for file in files if file.path not in lost])))
        failed = [Finished(file, "", lost[file.path]) for file in files if file.path in lost]
        return {"event": _objects(events + failed)}

    def _encoded(self, events) -> Iterator[Sample | Finished]:
        waiting = []
        for event in events:
            waiting.append(event)
            if len(waiting) >= 2 * self.encoder.batch_size:
                yield from self._encode(waiting)
                waiting = []
        yield from self._encode(waiting)

    def _encode(self, events: list) -> list:
        vectors = iter(self.encoder.encode_images([event.pixels for event in events if isinstance(event, Sample)]))
        return [replace(e, pixels=None, vector=next(vectors)) if isinstance(e, Sample) else e for e in events]


def _staged(files: list[MediaFile], root: Path, folder: Path) -> tuple[Path, dict[str, MediaError]]:
    """Where the files can be read: `root`, or `folder` with copies of those that are URIs; the ones that failed."""
    lost = {}
    if "://" not in files[0].path:
        return root, lost
    for file in files:
        try:
            storage, path = fsspec.core.url_to_fs(file.path)
            (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
            storage.get_file(path, str(folder / file.path))
        except Exception as error:  # each storage has errors of its own
            lost[file.path] = MediaError(file.path, "read", f"cannot be fetched: {error}")
    return folder, lost


def _never(digest: str, kind: str) -> bool:
    """The driver knows which content is known; a worker encodes what it is given."""
    return False


def _objects(items: list) -> np.ndarray:
    column = np.empty(len(items), object)
    column[:] = items
    return column
