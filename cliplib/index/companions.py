"""What belongs to a library's files: the sidecar that tells when and where, and the photo whose moving part a clip is.

A Live Photo or motion photo is one item: its short video is paired by the content identifier that Apple writes into
both, else by its stem, in the same folder and at most `LONGEST_CLIP_S` long.
"""

from __future__ import annotations

import os
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from ..cache.rows import keys
from ..errors import MediaError
from ..media.files import Listing, MediaFile
from ..media.reading import read_bytes
from ..media.takeout import match_sidecars, plain_path, sidecar_facts
from ..media.video import open_video

LONGEST_CLIP_S = 4.0
CONTENT_ID = "com.apple.quicktime.content.identifier"
FILLED = ("latitude", "longitude")  # besides the date, what a sidecar may add


class Companions:
    """The companions of the files of one `listing` in the folder `root`; `rows` are those of the index so far.

    `sidecars` is {path: path of its JSON file}; `problems` says in sentences which could not be read. With
    `motion_clips` every clip counts as a video of its own. Safe in threads.
    """

    def __init__(self, root, listing: Listing, rows: pa.Table, motion_clips: bool = False):
        self.root, self.problems = root, []
        self.sidecars = match_sidecars((file.path for file in listing.files), listing.jsons) if listing.jsons else {}
        self._pair, self._files = not motion_clips, listing.files
        self._rows = rows.select(["path", "content_id"])  # the rest would travel to every worker of a cluster
        self._noted: dict[str, str] = {}  # content identifier to path, of photos that this run has opened

    @cached_property
    def _photos(self) -> dict[str, str]:
        """The photos by what they have in common with their clips."""
        return {_stem(file.path): file.path for file in self._files if file.kind == "image"}

    @cached_property
    def _known(self) -> dict[str, str]:
        """Paths by content identifier, of the photos that are in the index and still in the folder."""
        known, here = self._rows.filter(pc.is_valid(self._rows["content_id"])), {file.path for file in self._files}
        pairs = zip(known["content_id"].to_pylist(), known["path"].to_pylist(), strict=True)
        return {ident: path for ident, path in pairs if path in here}

    def completed(self, path: str, facts: dict) -> dict:
        """The facts of a file, its sidecar's date and place where it has none itself; notes its content identifier."""
        if facts.get("content_id"):
            self._noted[facts["content_id"]] = path
        dated, placed = facts.get("taken_at"), all(facts.get(name) is not None for name in FILLED)
        told = {} if dated and placed else self._told(path)
        return facts | {name: value for name, value in told.items() if not (placed if name in FILLED else dated)}

    def photo_of(self, file: MediaFile) -> str | None:
        """The photo whose moving part a video is, or None; a video that cannot be opened is none's."""
        owners = self._known | self._noted
        near = self._photos.get(_stem(file.path))
        if not self._pair or (near is None and not owners):
            return None
        try:
            with open_video(os.path.join(self.root, file.path)) as video:
                ident = getattr(video.reader, "container", None) and video.reader.container.metadata.get(CONTENT_ID)
                duration_s = video.facts.duration_s
        except MediaError:
            return None
        if ident and ident in owners:
            return owners[ident]
        others = ident and near in owners.values()  # the photo belongs to another clip
        return near if not others and duration_s <= LONGEST_CLIP_S else None

    def redate(self, store) -> None:
        """Give the rows of a `Store` that have no date of their own what a sidecar tells that has come since."""
        if not self.sidecars:
            return
        rows, paths = store.rows, pa.array([*self.sidecars], pa.string())
        rows = rows.filter(pc.and_(pc.equal(rows["taken_from"], "mtime"), pc.is_in(rows["path"], paths)))
        own = {row["path"]: row for row in rows.select(["path", *FILLED]).to_pylist()}
        told = {path: facts for path in own if "taken_at" in (facts := self.completed(path, own[path]))}
        rows = rows.filter(pc.is_in(rows["path"], pa.array([*told], pa.string())))
        for name in ("taken_at", "taken_from", *FILLED):
            at, field = rows.column_names.index(name), rows.schema.field(name)
            values = [told[path][name] for path in rows["path"].to_pylist()]
            rows = rows.set_column(at, field, pa.array(values, field.type))
        if rows.num_rows:
            thumbs = {key: jpeg for key in keys(rows) if (jpeg := store.thumbnail(key)) is not None}
            store.checkpoint(rows, thumbs, set(), store.failures)

    def _told(self, path: str) -> dict:
        sidecar = self.sidecars.get(path)
        if sidecar is None:
            return {}
        try:
            return sidecar_facts(read_bytes(os.path.join(self.root, sidecar)))
        except (MediaError, ValueError) as error:
            self.problems.append(f"{sidecar} tells nothing of {path}: {getattr(error, 'reason', error)}")
            self.sidecars.pop(path, None)  # said once
            return {}


def _stem(path: str) -> str:
    """What a photo and its clip have in common: the path without its suffix, in whatever part of a Takeout."""
    return plain_path(path).rpartition(".")[0].lower()
