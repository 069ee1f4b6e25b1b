"""The class pack: an index, its thumbnails, judgements and chosen pictures in one zip, opened where it lies, read-only.

    cliplib-pack.json      which model made it, how much is in it, its calibrated cutoffs
    index.parquet          the rows, see `rows`
    judgements.csv         where there are any
    thumbs/<n>.jpg         the thumbnail of row n, where it has one
    photos/<path>          the chosen pictures: previews, or the originals

Members are stored, not compressed, so that any number of processes read a picture straight from the one file. Nothing
is written beside it. Places and camera names stay at home unless asked for.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from ..errors import CacheError, LibraryError, MediaError
from ..media.photo import open_photo
from ..media.reading import RetryingFile, read_bytes
from ..media.zips import OWN_MARK
from . import format
from . import rows as rows_
from .durable import save_file
from .snapshot import check_model, whole

if TYPE_CHECKING:
    from ..library import Library

JUDGEMENTS = "judgements.csv"
MAGIC = "cliplib pack 1"
PICTURES = ("thumbnails", "previews", "originals")
PREVIEW_EDGE = 1024  # pixels
CARRIED = (  # the columns that may leave the house; of all others the pack has none
    *("path", "kind", "time_s", "size", "mtime_ns", "digest", "width", "height", "taken_at", "taken_from"),
    *("duration_s", "every_s", "frame_s", "provisional"),
)
PRIVATE = ("latitude", "longitude", "place_from", "camera", "content_id")  # these only where they are asked for
SPOOLED = 2**24  # a picture of so many bytes waits in memory; a larger one in a temporary file


def save(
    library: Library,
    file: str | Path,
    paths: Iterable[str] | None = None,
    pictures: str = "previews",
    places: bool = False,
) -> Path:
    """Write a pack for a class: index, thumbnails, judgements and pictures in one .zip; `Library.open_pack` opens it.

    `paths`: the photos and videos that go in (None: all). `pictures`: "previews" (photos of at most 1,024 pixels,
    without the camera's data), "thumbnails" (nothing larger than the tiles), or "originals" (videos too, as they are).
    Where and with what a picture was taken goes in with `places` alone, or inside originals. What lay in an archive as
    "a.zip!/b.jpg" is "a.zip/b.jpg" in the pack. Raises LibraryError for an unknown path or choice, and for a `file`
    that is not named .zip; CacheError when the disk refuses.
    """
    file = Path(file).expanduser()
    if file.suffix.lower() != ".zip":
        raise LibraryError(f"a pack cannot be named {file.name!r}: name it with .zip, else it cannot be opened")
    if pictures not in PICTURES:
        raise LibraryError(f"pictures is {pictures!r}: it can be {', '.join(map(repr, PICTURES))}")
    rows = _chosen(library.store.rows, paths, places)
    packed = rows_.with_column(rows, "path", map(_name, rows["path"].to_pylist()))
    judged = len(library.judgements.frame())
    model = dict(library.store.model)
    if Path(model["name"]).is_absolute():  # a checkpoint: whose folder it lies in is nobody's business
        model["name"] = Path(model["name"]).name
    about = {"magic": MAGIC, "format": format.VERSION, "model": model}
    about |= {"rows": rows.num_rows, "pictures": pictures, "judgements": judged}
    about["profiles"] = [{**body, "model": model} for body in library.profiles.bodies()]

    def write(target) -> None:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(OWN_MARK, json.dumps(about, indent=1))
            archive.writestr("index.parquet", rows_.to_parquet(packed, {"cliplib": MAGIC}))
            if judged:
                with tempfile.TemporaryDirectory() as folder:
                    archive.write(library.judgements.save(Path(folder) / JUDGEMENTS), JUDGEMENTS)
            for number, key in enumerate(rows_.keys(rows)):
                if jpeg := library.store.thumbnail(key):
                    archive.writestr(f"thumbs/{number}.jpg", jpeg)
            if pictures != "thumbnails":
                _add_pictures(archive, library.root, rows, pictures == "originals")

    return save_file(file, write)


def _chosen(rows: pa.Table, paths: Iterable[str] | None, places: bool) -> pa.Table:
    """The rows that go into a pack; what is in the columns `CARRIED`, with `places` in `PRIVATE` too, and no more."""
    if paths is not None:
        chosen = set(paths)
        if unknown := chosen - set(rows["path"].to_pylist()):
            raise LibraryError(f"{len(unknown)} paths are not in the index, for example {min(unknown)!r}")
        rows = rows.filter(pc.is_in(rows["path"], pa.array(sorted(chosen), pa.string()))).combine_chunks()
    rows = rows_.known(rows)
    for name in rows_.COLUMNS.keys() - {*CARRIED, *(PRIVATE if places else ())}:
        rows = rows_.with_column(rows, name, [None] * rows.num_rows)
    return rows


def _name(path: str) -> str:
    """What a file is called in a pack, where no member may be called as if it lay in another archive."""
    return re.sub(r"(?i)(\.zip)!/", r"\1/", path)


def _add_pictures(archive: zipfile.ZipFile, root: Path, rows: pa.Table, originals: bool) -> None:
    """Add previews of the photos, or all originals; what cannot be read to its end is left out with a warning."""
    wanted = rows if originals else rows.filter(pc.equal(rows["kind"], "image"))
    for path in wanted["path"].unique().to_pylist():
        with tempfile.SpooledTemporaryFile(SPOOLED) as copy:
            try:
                if originals:
                    with RetryingFile(root / path) as source:
                        shutil.copyfileobj(source, copy)
                else:
                    copy.write(_preview(root / path))
            except (OSError, MediaError) as error:
                warnings.warn(f"{path} is not in the pack: {getattr(error, 'reason', error)}", stacklevel=7)
                continue
            copy.seek(0)
            with archive.open(f"photos/{_name(path)}", "w", force_zip64=True) as member:
                shutil.copyfileobj(copy, member)


def _preview(source) -> bytes:
    """A JPEG of at most `PREVIEW_EDGE` pixels, upright, with nothing in it but the picture."""
    image = open_photo(read_bytes(source), PREVIEW_EDGE // 2).image
    image.thumbnail((PREVIEW_EDGE, PREVIEW_EDGE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def open_pack(kind: type[Library], file: str | Path, options: dict) -> Library:
    """`Library.open_pack`."""
    file = Path(file).expanduser()
    store = PackStore(file)
    options.setdefault("model", store.model["name"])
    library = kind(file.parent, cache=store.folder, **options)
    library.root, library.store = store.path("photos"), store
    check_model(library, store.model, file.name)
    if store.about.get("judgements"):
        with tempfile.TemporaryDirectory() as scratch:
            judged = Path(scratch) / JUDGEMENTS
            judged.write_bytes(store.read(JUDGEMENTS))
            library.judgements.merge(judged)
    library.profiles.add(store.about.get("profiles", []))  # a pack of an earlier version carries none
    return library


class PackStore:
    """A pack in the place of a `Store`: the same rows and thumbnails, and nothing can be written.

    What the library makes, such as clips, goes to a temporary `folder` that ends with it. CacheError where `file` is no
    sound pack.
    """

    def __init__(self, file: Path):
        self.file, self.failures, self.problems = file, {}, []
        self._scratch = tempfile.TemporaryDirectory(prefix="cliplib-pack-", ignore_cleanup_errors=True)
        self.folder = Path(self._scratch.name)
        try:
            self.about = json.loads(self.read(OWN_MARK))
            if self.about["magic"] != MAGIC:
                raise CacheError(f"{file.name} is a pack that this version of cliplib cannot read")
            format.check(self.about.get("format", format.FIRST), file.name)
            self.model = self.about["model"]
            rows, _ = rows_.from_parquet(self.read("index.parquet"), file.name)
            self.rows = whole(rows, self.model, file.name).combine_chunks()
        except (ValueError, KeyError, TypeError) as error:
            raise CacheError(f"{file.name} is no pack saved by library.save_pack(): {error!r:.100}") from error
        self._number = {key: number for number, key in enumerate(rows_.keys(self.rows))}

    def path(self, name: str) -> Path:
        """The path of a member, as `zips` takes it."""
        return Path(f"{self.file}!") / name

    def read(self, name: str) -> bytes:
        """The content of a member. CacheError where it cannot be had."""
        try:
            return read_bytes(self.path(name))
        except MediaError as error:
            raise CacheError(f"{self.file.name} is no pack saved by library.save_pack(): {error.reason}") from error

    def thumbnail(self, key) -> bytes | None:
        """The JPEG of a row by (digest, time_s), or None where the pack has none."""
        try:
            return read_bytes(self.path(f"thumbs/{self._number[key]}.jpg"))
        except (KeyError, MediaError):
            return None

    def refresh(self) -> None:
        """What an index run begins with: refused with a LibraryError."""
        raise LibraryError(f"{self.file.name} is a pack, which is read-only: index the folder it was made from")
