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

import csv
import io
import json
import re
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from ..errors import CacheError, LibraryError, MediaError
from ..media.photo import open_image
from ..media.reading import RetryingFile, read_bytes
from ..media.zips import OWN_MARK
from . import format
from . import rows as rows_
from .durable import save_file
from .reader import IndexReader
from .snapshot import validated
from .thumbs import Key

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
    file: str | Path,
    index: IndexReader,
    root: Path,
    paths: Iterable[str] | None = None,
    pictures: str = "previews",
    places: bool = False,
    judgements: bytes = b"",
    profiles: Iterable[dict] = (),
) -> Path:
    """Write a pack for a class: index, thumbnails, judgements and pictures in one .zip.

    What lay in an archive as "a.zip!/b.jpg" is "a.zip/b.jpg" in the pack.

    Args:
        file: the pack, named .zip.
        index: the rows, thumbnails and model.
        root: the folder that the rows' paths are relative to.
        paths: the photos and videos that go in (None: all).
        pictures: "previews" (photos of at most 1,024 pixels, without the camera's data), "thumbnails" (nothing larger
            than the tiles), or "originals" (videos too, as they are).
        places: whether the columns `PRIVATE` go in: where and with what a picture was taken. Originals say it anyway.
        judgements: a CSV as `Judgements.save` writes it, or nothing.
        profiles: calibrated cutoffs, as `Profiles.bodies` gives them.

    Returns:
        The file, with "~" resolved.

    Raises:
        LibraryError: for an unknown path or choice, and for a `file` that is not named .zip.
        CacheError: where the disk refuses.
    """
    file = Path(file).expanduser()
    _require_choices(file, pictures)
    rows = _chosen(index.rows, paths, places)
    rows_.warn_of_provisional(rows, file.name)
    packed = rows_.with_column(rows, "path", map(_name, rows["path"].to_pylist()))
    model = _without_folder(index.model)
    judged = sum(1 for _ in csv.DictReader(io.StringIO(judgements.decode("utf-8-sig"))))
    about: dict[str, object] = {"magic": MAGIC, "format": format.VERSION, "model": model}
    about |= {"rows": rows.num_rows, "pictures": pictures, "judgements": judged}
    about["profiles"] = [{**body, "model": model} for body in profiles]

    def write(target: IO[bytes]) -> None:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(OWN_MARK, json.dumps(about, indent=1))
            archive.writestr("index.parquet", rows_.to_parquet(packed, {"cliplib": MAGIC}))
            if judged:
                archive.writestr(JUDGEMENTS, judgements)
            for number, key in enumerate(rows_.keys(rows)):
                if jpeg := index.thumbnail(key):
                    archive.writestr(f"thumbs/{number}.jpg", jpeg)
            if pictures != "thumbnails":
                _add_pictures(archive, root, rows, pictures == "originals")

    return save_file(file, write)


def _require_choices(file: Path, pictures: str) -> None:
    """Raise LibraryError where a pack cannot have this name, or hold pictures of this kind."""
    if file.suffix.lower() != ".zip":
        raise LibraryError(f"a pack cannot be named {file.name!r}: name it with .zip, else it cannot be opened")
    if pictures not in PICTURES:
        raise LibraryError(f"pictures is {pictures!r}: it can be {', '.join(map(repr, PICTURES))}")


def _without_folder(model: dict) -> dict:
    """What is said of a model, for others: the file name of a checkpoint, not whose folder it lies in."""
    return {**model, "name": Path(model["name"]).name} if Path(model["name"]).is_absolute() else {**model}


def _chosen(rows: pa.Table, paths: Iterable[str] | None, places: bool) -> pa.Table:
    """The rows that go into a pack; what is in the columns `CARRIED`, with `places` in `PRIVATE` too, and no more."""
    if paths is not None:
        chosen = set(paths)
        if unknown := chosen - set(rows["path"].to_pylist()):
            raise LibraryError(f"{len(unknown)} paths are not in the index, for example {min(unknown)!r}")
        rows = rows.filter(pc.is_in(rows["path"], pa.array(sorted(chosen), pa.string()))).combine_chunks()
    rows = rows_.known_columns(rows)
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


def _preview(source: Path) -> bytes:
    """A JPEG of at most `PREVIEW_EDGE` pixels, upright, with nothing in it but the picture."""
    image = open_image(read_bytes(source), PREVIEW_EDGE // 2)
    assert image is not None  # which it is only where no decoding was asked for
    image.thumbnail((PREVIEW_EDGE, PREVIEW_EDGE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


class Pack:
    """A pack, an `IndexReader`: rows and thumbnails that can be read where they lie; nothing can be written.

    Raises CacheError where `file` is no sound pack.

    Attributes:
        root: the folder of the pictures inside, as `zips` takes it.
        judgements: a CSV as `Judgements.save` writes it, or nothing.
        profiles: the calibrated cutoffs that came along, as `Profiles.bodies` gives them.
        folder: for what is made with the pack, such as clips: a temporary folder that ends with it.
    """

    def __init__(self, file: str | Path):
        self.file = Path(file).expanduser()
        self.failures: dict[str, dict] = {}
        self.problems: list[str] = []
        self.root = self._path("photos")
        try:
            about = json.loads(self._read(OWN_MARK))
            if about["magic"] != MAGIC:
                raise CacheError(f"{self.file.name} is a pack that this version of cliplib cannot read")
            format.require_readable(about.get("format", format.FIRST), self.file.name)
            self.model = about["model"]
            rows, _ = rows_.from_parquet(self._read("index.parquet"), self.file.name)
            self.rows = validated(rows, self.model, self.file.name).combine_chunks()
            self.profiles = about.get("profiles", [])  # a pack of an earlier version carries none
            self.judgements = self._read(JUDGEMENTS) if about.get("judgements") else b""
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CacheError(f"{self.file.name} is no pack saved by library.save_pack(): {error!r:.100}") from error
        rows_.warn_of_provisional(self.rows, self.file.name)
        self._number = {key: number for number, key in enumerate(rows_.keys(self.rows))}
        self._scratch = tempfile.TemporaryDirectory(prefix="cliplib-pack-", ignore_cleanup_errors=True)
        self.folder = Path(self._scratch.name)

    def _path(self, name: str) -> Path:
        return Path(f"{self.file}!") / name

    def _read(self, name: str) -> bytes:
        try:
            return read_bytes(self._path(name))
        except MediaError as error:
            raise CacheError(f"{self.file.name} is no pack saved by library.save_pack(): {error.reason}") from error

    def thumbnail(self, key: Key) -> bytes | None:
        """The JPEG of a row by (digest, time_s), or None where the pack has none."""
        try:
            return read_bytes(self._path(f"thumbs/{self._number[key]}.jpg"))
        except (KeyError, MediaError):
            return None

    def refresh(self) -> None:
        """What an index run begins with: refused with a LibraryError."""
        raise LibraryError(f"{self.file.name} is a pack, which is read-only: index the folder it was made from")
