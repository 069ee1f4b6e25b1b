"""The same index and the same answers, made on many machines by Ray Data: `pip install "cliplib[cluster]"`.

The driver walks, compares and saves. The workers read, decode and encode, with the code that one machine runs. So rows,
report and Parquet parts are those of `Library.index`, and each can go on where the other stopped. All workers must
reach the folder, or the storage of the URIs. Connect to a cluster with `ray.init(address=...)` first; otherwise Ray
uses the cores of this machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import numpy as np
import pyarrow as pa
import ray.data

from . import models
from .errors import LibraryError, MediaError, ModelError
from .index.journal import Journal
from .index.pipeline import Finished, Reader, Sample, Sampling
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


def index(
    library: Library, uris: str | Iterable[str] | None = None, *, workers: int = 2, gpus: float = 0, **options: Any
) -> IndexReport:
    """`library.index(**options)`, with the files read and encoded by Ray actors.

    A worker that dies is replaced, and its batch done again. A file that killed it is then tried in a child process,
    and reported.

    Args:
        library: Of the folder, or for the rows of the URIs.
        uris: Files and folders in any storage that fsspec knows ("s3://bucket/photos"), in place of the library's
            folder; their rows have the URI as path.
        workers: How many actors.
        gpus: How many GPUs each has; may be a fraction.
        **options: As for `Library.index`.

    Returns:
        As `Library.index` does.

    Raises:
        LibraryError: As `Library.index` does; or the driver of a URI's storage is not installed.
        ModelError: The weights that a worker finds are not those of the library's model.
    """
    encoder, device = library.encoder, "cuda" if gpus else "cpu"
    model = {
        "model": str(library.model),
        "device": device,
        "activation": encoder.activation,
        "architecture": encoder.architecture or None,
        # that of the driver, not what each worker measures to be faster
        "precision": encoder.precision if device == encoder.device else None,
    }

    def read(reader: Reader, files: list[MediaFile]) -> Iterator[Sample | Finished]:
        if files:  # else Ray is not even started
            yield from run_on_ray(Job.of(reader, model, encoder.model_id), batches_of(files, workers), workers, gpus)

    elsewhere: dict[str, Any] = {"listing": list_uris(uris)} if uris is not None else {}
    return library.index(read=read, **elsewhere, **options)


@dataclass(frozen=True)
class DryRun:
    """What `index` would do.

    Attributes:
        todo: Files that would be read and encoded, photos first, the newest first; copies of known files among them.
        unchanged: How many are in the index as they are.
        gone: How many files of the index are not there any more.
        batches: In how many batches the workers would get them.
        workers: How many there would be.
        problems: What cannot be listed, in sentences.
    """

    todo: list[MediaFile]
    unchanged: int
    gone: int
    batches: int
    workers: int
    problems: list[str]

    def __str__(self) -> str:
        videos = sum(file.file_kind == "video" for file in self.todo)
        size = sum(file.size for file in self.todo) / 1e9
        what = f"{len(self.todo) - videos:,} photos, {videos:,} videos, {size:.2f} GB"
        first = (
            f"{len(self.todo):,} files would be encoded ({what}), in {self.batches:,} batches by {self.workers} "
            f"workers; {self.unchanged:,} are unchanged, {self.gone:,} are gone. Nothing was read, and nothing changed."
        )
        return "\n".join([first, *(f"  note: {text}" for text in self.problems)])


def dry_run(library: Library, uris: str | Iterable[str] | None = None, *, workers: int = 2, **options: Any) -> DryRun:
    """Say what `index` would do with the same arguments, by names, sizes and dates alone; Ray is not started.

    Args:
        library: Of the folder, or for the rows of the URIs.
        uris: As for `index`.
        workers: As for `index`.
        **options: `every_s`, `motion_clips` and `retry_failed` as for `Library.index`.

    Returns:
        What would be done; print it.

    Raises:
        LibraryError: The folder is not there, or the driver of a URI's storage is not installed.
    """
    listing = find_media(library.root) if uris is None else list_uris(uris)
    found = plan(listing, library.store, Sidecars(library.root, listing, library.store.rows), **options)
    size = batch_size(len(found.todo), workers)
    problems = [f"{problem.path}: {problem.reason}" for problem in listing.problems]
    return DryRun(found.todo, found.unchanged, len(found.gone), -(-len(found.todo) // size), workers, problems)


def batch_size(files: int, workers: int) -> int:
    """How many files a batch has: `BATCH_FILES`, or fewer so that every worker has some."""
    return max(1, min(BATCH_FILES, -(-files // workers)))


def search(
    library: Library,
    text: str,
    k: int = 5,
    kind: str = "image",
    threshold: float | str | None = None,
    ranking: str | None = None,
) -> Hits:
    """`library.search(text)`, or with kind="frame" `search_videos`, over parts that no single memory need hold.

    Each worker reads one part and keeps its best; the best of these are the answer.

    Args:
        library: Whose parts are searched; all workers must reach its folder.
        text: As for `search.blocks.search`, and so are the rest.
        k: The same.
        kind: The same.
        threshold: The same.
        ranking: The same.

    Returns:
        What `search.blocks.search` answers.
    """
    best: Any = ray.remote(lambda work, part: work(part))

    def map_parts(work: Callable, parts: list) -> list:
        shared = ray.put(work)  # which holds a bank of texts: sent once to a machine, not once a part
        return ray.get([best.remote(shared, part) for part in parts])

    return blocks.search(library, text, k, kind, threshold, map_parts, ranking)


def list_uris(uris: str | Iterable[str]) -> Listing:
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
            file_kind = "photo" if suffix in IMAGE_SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else None
            if file_kind:
                dates = [facts[key] for key in ("mtime", "LastModified", "updated", "created") if facts.get(key)]
                seconds = dates[0].timestamp() if dates and hasattr(dates[0], "timestamp") else (dates or [0])[0]
                files.append(MediaFile(full, file_kind, int(facts["size"]), within_int64(int(float(seconds) * 1e9))))
    return Listing(sorted(set(files)), problems, unread, jsons={})


@dataclass(frozen=True)
class Job:
    """What a worker is told when it starts: how to read, and with which model to encode.

    Attributes:
        root: The library's folder.
        shortest: Pixels that the encoder needs on the short side.
        every_s: Seconds between the frames of a video.
        sidecars: Adds what sidecars tell.
        previews: Whether photos are read by their embedded previews alone.
        suspects: Paths of files that may have killed an earlier run.
        model: Arguments of `models.load`.
        model_id: What its `model_id` must be.
    """

    root: Path
    shortest: int
    every_s: float
    sidecars: Sidecars
    previews: bool
    suspects: set[str]
    model: dict[str, Any]
    model_id: str

    @classmethod
    def of(cls, reader: Reader, model: dict[str, Any], model_id: str) -> Job:
        """The work of `reader`, without what only this process has."""
        shortest, every_s = reader.sampling.shortest, reader.sampling.every_s
        suspects = reader.journal.suspects
        return cls(reader.root, shortest, every_s, reader.sidecars, reader.previews, suspects, model, model_id)


def batches_of(files: list[MediaFile], workers: int) -> list[pa.Table]:
    """The files in batches, as tables with the columns of `MediaFile`."""
    table, size = pa.Table.from_pylist([file._asdict() for file in files]), batch_size(len(files), workers)
    return [table.slice(start, size) for start in range(0, len(files), size)]


def run_on_ray(job: Job, batches: list[pa.Table], workers: int, gpus: float) -> Iterator[Sample | Finished]:
    """The events of all files of the batches, with embeddings, as they come from the workers."""
    data = ray.data.from_arrow(batches)
    data.context.enable_progress_bars = False
    pool: dict[str, Any] = {"concurrency": workers, "num_gpus": gpus, "num_cpus": 1}
    events = data.map_batches(Worker, batch_size=None, fn_constructor_kwargs={"job": job}, **pool)
    for batch in events.iter_batches(batch_size=None, batch_format="numpy"):
        yield from batch["event"]


class Worker:
    """One actor: an encoder that stays loaded, and a reader for every batch of files."""

    def __init__(self, job: Job):
        self.job, self.encoder = job, models.load(**job.model)
        if self.encoder.model_id != job.model_id:
            raise ModelError(
                f"{job.model['model']!r} is {self.encoder.model_id[:12]} on a worker, but {job.model_id[:12]} here: "
                "put the same weights within reach of both"
            )

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The events of a batch of files.

        Args:
            batch: The columns of `MediaFile`.

        Returns:
            One column "event": a `Sample` with its vector for each photo and frame, a `Finished` for each file.
        """
        columns = (batch[name].tolist() for name in MediaFile._fields)
        files, job = [MediaFile(*facts) for facts in zip(*columns, strict=True)], self.job
        # Its file is found again when this batch has killed a worker.
        journal = Journal(Path(job.root, files[0].path), job.suspects)
        with tempfile.TemporaryDirectory() as folder, closing(journal):
            root, lost = _staged(files, job.root, Path(folder))
            sampling = Sampling(self.encoder.prepare, job.shortest, job.every_s)
            reader = Reader(
                root, sampling, _never, journal, job.sidecars, job.previews
            )  # the driver knows what is known
            events = list(self._encoded(reader.read([file for file in files if file.path not in lost])))
        failed = [Finished(file, "", lost[file.path]) for file in files if file.path in lost]
        return {"event": _objects(events + failed)}

    def _encoded(self, events: Iterable[Sample | Finished]) -> Iterator[Sample | Finished]:
        waiting: list[Sample | Finished] = []
        for event in events:
            waiting.append(event)
            if len(waiting) >= 2 * self.encoder.batch_size:
                yield from self._encode(waiting)
                waiting = []
        yield from self._encode(waiting)

    def _encode(self, events: list[Sample | Finished]) -> list[Sample | Finished]:
        pixels = [event.pixels for event in events if isinstance(event, Sample) and event.pixels is not None]
        vectors = iter(self.encoder.encode_images(pixels))
        return [replace(e, pixels=None, vector=next(vectors)) if isinstance(e, Sample) else e for e in events]


def _staged(files: list[MediaFile], root: Path, folder: Path) -> tuple[Path, dict[str, MediaError]]:
    """Where the files can be read: `root`, or `folder` with copies of those that are URIs; the ones that failed."""
    lost: dict[str, MediaError] = {}
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


def _never(digest: str, file_kind: str) -> bool:
    """The driver knows which content is known; a worker encodes what it is given."""
    return False


def _objects(items: list[Any]) -> np.ndarray:
    """An array of n objects, whatever they are."""
    column = np.empty(len(items), object)
    column[:] = items
    return column
