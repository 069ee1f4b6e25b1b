"""What a search page asks of a library, answered in plain data: the one place behind the widget and the app.

A request is a dict with the name of a method of `Service` in "do"; an answer is a dict for JSON and a list of bytes.
Each request says all of its question, so that any number of pages share one service; the scores of the last questions
are kept, so that sliders, filters and scrolling encode nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from ..display.scale import Scale
from ..errors import CliplibError, MediaError, QueryError
from ..library import Library
from ..media.photo import open_image, thumbnail
from ..media.reading import read_bytes
from ..search.filters import distances_km
from ..search.mode import ROW_KINDS, Mode
from ..search.moments import Moment, clock
from ..search.occlusion import half_around, patch_pulls
from ..search.query import Query, image, text
from ..search.results import Cutoff, Hit, Hits, Scores
from . import overview, records
from .records import FileRecords

KEPT_SCORES = 48  # queries whose scores are kept, and pictures that were uploaded
CELLS = 6  # patches along each side of a picture that is asked why
KEPT_THUMBS = 4_000  # small pictures, about 40 MB
LARGE_EDGE = 1_600  # pixels of a picture in the lightbox
NEAREST = 6  # tiles that are shown where nothing passes
PAGE = 48  # tiles of one answer
MOST_FILE_BYTES = 120_000_000  # of an original that is handed to the page
MOST_SUGGESTED_FROM = 100_000  # photos that suggestions are found for: in some seconds

Answer = tuple[dict[str, Any], list[bytes]]


class Service:
    """Answers the requests of search pages on one `library`. Threads may share it.

    `copies`: whether a page may have files copied to a folder of this computer.
    """

    def __init__(self, library: Library, copies: bool = True):
        self.library, self._copies = library, copies
        self._lock = threading.RLock()  # one question at a time: the model uses every core for each
        self._scores: OrderedDict[str, Scores] = OrderedDict()
        self._uploads: OrderedDict[str, tuple[str, Image.Image]] = OrderedDict()
        self._thumbs: dict[tuple[str, float | None], bytes] = {}
        self._facts: dict[str, FileRecords] = {}
        self._methods: dict[str, Callable[[dict, list[bytes]], Answer]] = {}
        self._suggested: tuple[pa.Table, list[dict[str, Any]]] | None = None
        self.add("about", "places", "names", "suggest", "ask", "judge", "upload", "uploaded", "facts", "why", "stack")
        self.add("thumbs", "picture", "clip", "file", "export", "copy", "save_clip")

    def add(self, *names: str) -> None:
        """Let pages ask for what these methods answer."""
        self._methods |= {name: getattr(self, name) for name in names}

    def answer(self, request: dict[str, Any], buffers: list[bytes] = []) -> Answer:  # noqa: B006 (never changed)
        """What a request asks for; {"error": a sentence} where it cannot be had."""
        try:
            do = self._methods.get(request.get("do", ""))
            if do is None:
                raise QueryError(f"do is {request.get('do')!r}: it can be {', '.join(self._methods)}")
            return do(request, buffers)
        except (CliplibError, OSError) as error:
            return {"error": str(error)}, []
        except Exception as error:  # nobody sees the traceback of a page's request: it is said in the page
            return {"error": f"{type(error).__name__}: {error}"}, []

    # what there is

    def about(self, request: dict, buffers: list[bytes]) -> Answer:
        """The library in numbers, what it can be filtered by, and what the page may do."""
        with self._lock:
            photos, videos = self._of("image"), self._of("frame")
            folders = sorted({str(up) for f in (photos, videos) for p in f.paths for up in PurePosixPath(p).parents})
            files = overview.files_of(self.library.store.rows)
            return {
                "photos": len(photos.paths),
                "videos": len(videos.paths),
                "folders": [folder for folder in folders if folder != "."],
                "months": overview.months(files),
                "cameras": overview.cameras(files),
                "places": overview.places(files),
                "warning": self.library.engine.warning,
                "copies": self._copies,
                "beside": str(self.library.root.parent) if self._copies else "",
            }, []

    def places(self, request: dict, buffers: list[bytes]) -> Answer:
        """The places within `km` of `near`, for a map of a part."""
        with self._lock:
            files = overview.files_of(self.library.store.rows)
            at = (files[name].to_numpy(zero_copy_only=False) for name in ("latitude", "longitude"))
            within = distances_km(_place(request["near"]), *at) <= float(request["km"])
            return {"places": overview.places(files.filter(pa.array(within)))}, []

    def names(self, request: dict, buffers: list[bytes]) -> Answer:
        """Photos whose path has the words of `part` in it: at most six."""
        words = str(request["part"]).lower().split()
        photos = self._of("image")
        found = [path for path in photos.paths if words and all(word in path.lower() for word in words)][:6]
        return {"photos": [photos.record(path) for path in found]}, []

    def suggest(self, request: dict, buffers: list[bytes]) -> Answer:
        """Texts that find many photos of this library, each with one of them, for who does not know what to ask.

        Found without the lock: it takes seconds where there are many photos, and nobody has to wait for it.
        """
        rows, photos = self.library.store.rows, self._of("image")
        if self._suggested is None or self._suggested[0] is not rows:
            self._suggested = rows, self._suggestions(photos) if len(photos.paths) <= MOST_SUGGESTED_FROM else []
        return {"suggestions": self._suggested[1]}, []

    def _suggestions(self, photos: FileRecords) -> list[dict[str, Any]]:
        asked = [(scores.query, records.passing(scores)) for scores in self.library.engine.bank_scores("image")]
        shown: set[int] = set()
        made = []
        for number in overview.suggestions([words for words, _ in asked], np.array([found for _, found in asked])):
            words, found = asked[number]
            row = next((int(row) for row in np.flatnonzero(found) if row not in shown), 0)
            shown.add(row)
            made.append({"text": words, "tile": photos.record(photos.rows["path"][row].as_py())})
        return made

    # asking

    def ask(self, request: dict, buffers: list[bytes]) -> Answer:
        """Tiles `start` to `start + count` of what answers `terms`; without terms, the newest first.

        `kind` "all", "image" or "frame"; `cutoff` of one kind in the unit of its scores (None: the library's own; sums
        and refined queries ranked by cosine have none); `filters` are those of `Scores.filter`; `near_duplicates` that
        of `Scores.top`; `below`: go on under the cutoff; `yes`, `no`: tiles to refine by; `sort` "match", "cosine" or
        "date".
        """
        kind = request.get("kind", "all")
        if kind not in ("all", *ROW_KINDS):
            raise QueryError(f"kind is {kind!r}: it can be {', '.join(map(repr, ('all', *ROW_KINDS)))}")
        row_kinds = [one for one in ROW_KINDS if kind in ("all", one) and (kind != "all" or len(self._of(one).paths))]
        with self._lock, warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            answer_of = self._found if request.get("terms") else self._newest
            answers = {row_kind: answer_of(row_kind, request) for row_kind in row_kinds or ["image"]}
        tiles = records.merged(
            [tiles for tiles, *_ in answers.values()], request.get("sort"), bool(request.get("below"))
        )
        start, count = int(request.get("start", 0)), int(request.get("count", PAGE))
        about = [about for _, about, _ in answers.values()]
        return about[0] | {
            "kind": kind,
            "kinds": {row_kind: of_kind for row_kind, (_, _, of_kind) in answers.items()},
            "tiles": tiles[start : start + count],
            "passing": sum(tile["passes"] for tile in tiles),
            "all": len(tiles),
            "start": start,
            "judged": [one for each in about for one in each["judged"]],
            "warning": self.library.engine.warning,
            "notes": list(dict.fromkeys(str(note.message) for note in notes)),
        }, []

    def _newest(self, row_kind: str, request: dict) -> tuple[list[dict], dict, dict]:
        rows = self._of(row_kind).rows
        everything = Scores("", Mode.of("text", row_kind), np.zeros(len(rows), np.float32), rows, Cutoff(0.0))
        tiles = records.newest(everything.filter(**_filters(request)), self._of(row_kind))
        return tiles, {"title": "", "browsing": True, "judged": [], "composed": False}, {"passing": len(tiles)}

    def _found(self, row_kind: str, request: dict) -> tuple[list[dict], dict, dict]:
        """The tiles of one kind, best first; what is said of the query; what is said of this kind."""
        query, names = self._query(request["terms"])
        scores = self._scored(query, row_kind, request)
        cosines, scores = scores.values, records.ranked(scores, request.get("sort", "match"))
        by_match = scores.values is not cosines
        no_cutoff = _has_no_cutoff(query, request) and not by_match  # a match has a cutoff for every query
        own = -1.0 if no_cutoff else scores.threshold
        cutoff = float(request["cutoff"]) if request.get("cutoff") is not None else own
        for term in request["terms"]:
            if term["kind"] == "frame" and row_kind == "frame":
                scores = records.without_scene(scores, term["value"], float(term["time_s"]), scores.threshold)
        kept = scores.filter(**_filters(request))
        scale = Scale.of(scores.values, cutoff, "match" if by_match else "cosine")
        near_duplicates = request.get("near_duplicates")
        tiles = self._tiles(kept, scale, -1.0 if request.get("below") else cutoff, near_duplicates)
        empty = "" if tiles and tiles[0]["score"] >= cutoff else self._empty_message(kept, cutoff, by_match, query)
        tiles = tiles or self._tiles(kept, scale, -1.0, near_duplicates)[:NEAREST]
        facts = self._of(row_kind)
        for tile in tiles:
            tile |= {"passes": tile["score"] >= cutoff, "lead": tile["score"] - scale.cutoff}
            tile["cosine"] = round(float(cosines[facts.row(tile["path"], tile["time_s"])]), 4)
        finite = kept.values[np.isfinite(kept.values)]
        return (
            tiles,
            {
                "title": names or str(query),
                "composed": no_cutoff,
                "unit": "match" if by_match else "cosine",
                "judged": self._judged(scores, query),
                "keeps": self._name_of(query) is not None,
            },
            {
                "mode": str(scores.mode),
                "passing": sum(tile["passes"] for tile in tiles),
                "compared": len(finite),
                "cutoff": cutoff,
                "own_cutoff": own,
                "scale": [scale.low, scale.cutoff, scale.high],
                "range": [float(finite.min()), float(finite.max())] if len(finite) else [0.0, 0.0],
                "empty_message": empty,
            },
        )

    def _tiles(self, scores: Scores, scale: Scale, least: float, near_duplicates: float | None) -> list[dict]:
        """The tiles of an answer that reach `least`, best first."""
        if scores.mode.target == "video":
            return records.video_tiles(scores, self._of("frame"), scale, least)
        return records.photo_tiles(scores, self._of("image"), scale, least, near_duplicates)

    def _empty_message(self, scores: Scores, cutoff: float, by_match: bool, query: Query) -> str:
        """Why nothing passes, for a person; the numbers stand beside it in the page."""
        known = scores.values[np.isfinite(scores.values)]
        if not len(known):
            return "No file passes the filters."
        if query.kind == "image":
            return "Nothing here is like it enough."
        if by_match:
            return "Nothing here fits these words better than other words would."
        floor, best = scores.noise_floor, float(known.max())
        if floor is not None and best <= floor:
            return "Nothing like that is in here: words without a meaning come as near."
        return f"Nothing is near enough. The best misses the cutoff by {cutoff - best:.2f}."

    def _scored(self, query: Query, row_kind: str, request: dict) -> Scores:
        """The scores of one kind of rows; refined where tiles of that kind were marked."""
        marked = [
            [(one["path"], one.get("time_s")) for one in request.get(side) or () if row_kind_of(one) == row_kind]
            for side in ("yes", "no")
        ]
        scores = self._unrefined(query, row_kind, request)
        if not any(marked):
            return scores
        key = json.dumps([request["terms"], row_kind, marked, self.library.store.rows.num_rows], sort_keys=True)
        if key not in self._scores:
            yes, no = ([Hit(path, 0.0, time_s) for path, time_s in side] for side in marked)
            self._keep(key, scores.refined(yes, no))
        return self._scores[key]

    def _unrefined(self, query: Query, row_kind: str, request: dict) -> Scores:
        """The scores of one kind of rows; where both kinds are asked for, the query is encoded once for both."""
        keys = {kind: json.dumps([request["terms"], kind, self.library.store.rows.num_rows]) for kind in ROW_KINDS}
        if keys[row_kind] not in self._scores:
            if request.get("kind", "all") == "all":
                for kind, scores in zip(ROW_KINDS, self.library.score_all(query), strict=True):
                    self._keep(keys[kind], scores)
            else:
                self._keep(keys[row_kind], self.library.score(query, row_kind))
        self._scores.move_to_end(keys[row_kind])
        return self._scores[keys[row_kind]]

    def _keep(self, key: str, scores: Scores) -> None:
        """Keep scores for sliders and scrolling; the oldest are forgotten."""
        self._scores[key] = scores
        while len(self._scores) > KEPT_SCORES:
            self._scores.popitem(last=False)

    def _query(self, terms: list[dict]) -> tuple[Query, str]:
        """The query that the page's terms mean, and a name for it where it has no words of its own."""
        query, name = Query(), ""
        for term in terms:
            value, weight = term["value"], float(term.get("weight", 1))
            if term["kind"] == "text":
                part = text(value)
            elif term["kind"] == "photo":
                part = image(Path(value))
            elif term["kind"] == "frame":
                part, name = self._frame(value, float(term["time_s"])), f"{value} at {clock(float(term['time_s']))}"
            else:
                name, picture = self._uploaded(value)
                part = image(picture)
            query += weight * part
        return query, name if len(terms) == 1 else ""

    def _frame(self, path: str, time_s: float) -> Query:
        jpeg = self.library.store.thumbnail((self._of("frame").of([path])[0]["digest"], time_s))
        if jpeg is None:
            raise QueryError(f"{path} at {clock(time_s)} has no picture in the index: run library.index()")
        return image(Image.open(io.BytesIO(jpeg)))

    # pictures and clips

    def thumbs(self, request: dict, buffers: list[bytes]) -> Answer:
        """The small JPEGs of `keys`, pairs of a digest and a time; those there are, `found` says which."""
        jpegs = [self._thumb((digest, time_s)) for digest, time_s in request["keys"]]
        return {"found": [jpeg is not None for jpeg in jpegs]}, [jpeg for jpeg in jpegs if jpeg]

    def _thumb(self, key: tuple[str, float | None]) -> bytes | None:
        """A small JPEG, from memory where a page has shown it before: reading one from its file takes 4 ms."""
        jpeg = self._thumbs.pop(key, None) or self.library.store.thumbnail(key)
        if jpeg:
            self._thumbs[key] = jpeg
            while len(self._thumbs) > KEPT_THUMBS:
                self._thumbs.pop(next(iter(self._thumbs)), None)
        return jpeg

    def picture(self, request: dict, buffers: list[bytes]) -> Answer:
        """A large JPEG of the photo at `path`, from the original."""
        path = self._known(request["path"], "image")
        return {"type": "image/jpeg"}, [large_picture(self.library.root / path)]

    def clip(self, request: dict, buffers: list[bytes]) -> Answer:
        """A small MP4 of the video at `path` from `start_s` to `end_s`, for every browser."""
        moment = self._moment(request)
        return {"type": "video/mp4"}, [self.library.engine.preview(moment)]

    def save_clip(self, request: dict, buffers: list[bytes]) -> Answer:
        """The same at the source's size and quality, with its sound."""
        moment = self._moment(request)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "clip.mp4"
            self.library.engine.save_clip(moment, file)
            return {"type": "video/mp4", "name": f"{PurePosixPath(moment.path).stem}.mp4"}, [file.read_bytes()]

    def file(self, request: dict, buffers: list[bytes]) -> Answer:
        """The original at `path`, as it is."""
        path = self._known(request["path"])
        size = self._facts_of(path)["size"]
        if size and size > MOST_FILE_BYTES:
            raise QueryError(f"{path} has {size / 1e6:,.0f} MB: take it from its folder, {self.library.root}")
        return {"type": "application/octet-stream", "name": PurePosixPath(path).name}, [
            read_bytes(self.library.root / path)
        ]

    def facts(self, request: dict, buffers: list[bytes]) -> Answer:
        """What is looked up when a picture is opened: its address in Google Drive, where it has one."""
        path = self._known(request["path"])
        return {"drive": self.library.drive_link(Hit(path, 0.0))}, []

    def why(self, request: dict, buffers: list[bytes]) -> Answer:
        """What each patch of a tile's picture does for the score, as shares of the most that any does, from the top.

        `doubt` is the top and left of the half around the patch that pulls most, where that half would not be found on
        its own: the patch may lie on another thing than the one that was asked for. None where there is no doubt.
        """
        path, time_s = self._known(request["path"]), request.get("time_s")
        with self._lock:
            query, _ = self._query(request["terms"])
            scores = self._scored(query, row_kind_of(request), request)
            if time_s is None:
                picture = open_image(self.library.root / path, self.library.encoder.resolution)
            else:
                jpeg = self._thumb((self._facts_of(path)["digest"], time_s))
                picture = Image.open(io.BytesIO(jpeg or b"")).convert("RGB")
            encoder, direction = self.library.encoder, scores.embedding
            assert direction is not None  # of a query that has just been compared
            pulls = patch_pulls(encoder, direction, picture, CELLS)
            doubt = None
            if query.plain and query.plain.kind == "text":
                part, *corner = half_around(encoder, picture, pulls)
                found = self.library.engine.would_find(scores, encoder.encode_images([encoder.prepare(part)])[0])
                doubt = None if found else corner
        return {
            "pulls": np.round(pulls / max(float(np.abs(pulls).max()), 1e-9), 3).tolist(),
            "doubt": doubt,
        }, []

    def stack(self, request: dict, buffers: list[bytes]) -> Answer:
        """The tiles of `paths`: what is folded into one tile."""
        photos = self._of("image")
        return {"tiles": [photos.record(path) | {"stacked": [], "passes": True} for path in request["paths"]]}, []

    def upload(self, request: dict, buffers: list[bytes]) -> Answer:
        """Take a picture from the person's own computer to ask by: its id."""
        name, data = str(request.get("name", "my photo")), bytes(buffers[0])
        try:
            picture = open_image(data, 512)
        except MediaError as error:
            raise QueryError(f"cannot use {name} as a query: {error.reason}") from error
        number = hashlib.sha256(data).hexdigest()[:16]
        self._uploads[number] = name, picture
        while len(self._uploads) > KEPT_SCORES:
            self._uploads.popitem(last=False)
        return {"id": number, "name": name}, [thumbnail(picture)]

    def uploaded(self, request: dict, buffers: list[bytes]) -> Answer:
        """The small JPEG of a picture that was uploaded."""
        return {"type": "image/jpeg"}, [thumbnail(self._uploaded(request["id"])[1])]

    # judging and keeping

    def judge(self, request: dict, buffers: list[bytes]) -> Answer:
        """Keep a thumb as a judgement, where others can ask the same; `relevant` None takes it back."""
        query, _ = self._query(request["terms"])
        name = self._name_of(query)
        if name is None or request.get("refined"):
            return {"kept": False}, []
        mode = Mode.of(query.kind, row_kind_of(request))
        said = {"path": request["path"], "time_s": request.get("time_s")}
        with self._lock:
            if request["relevant"] is None:
                self.library.judgements.take_back(mode, name, **said)
            else:
                self.library.judgements.add(mode, name, relevant=request["relevant"], **said)
        return {"kept": True}, []

    def export(self, request: dict, buffers: list[bytes]) -> Answer:
        """The tiles of `paths` as a file: `form` "csv" or "html"."""
        form = {"csv": "text/csv", "html": "text/html"}.get(request["form"])
        if form is None:
            raise QueryError(f"form is {request['form']!r}: it can be csv or html")
        hits = self._hits(request)
        with tempfile.TemporaryDirectory() as folder:
            file = hits.save(Path(folder) / f"found.{request['form']}")
            return {"type": form, "name": file.name}, [file.read_bytes()]

    def copy(self, request: dict, buffers: list[bytes]) -> Answer:
        """Copy the originals of `paths` to `folder`; a relative one lies beside the library."""
        if not self._copies:
            raise QueryError("this page may not copy files on the computer that serves it")
        if not (wanted := str(request["folder"]).strip()):
            raise QueryError("say where to: write the path of a folder into the field")
        folder = self.library.root.resolve().parent / Path(wanted).expanduser()
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            copies = self.library.copy_to([Hit(path, 0.0) for path in request["paths"]], folder)
        return {"copied": len(copies), "folder": str(folder), "notes": [str(note.message) for note in notes]}, []

    def _hits(self, request: dict) -> Hits:
        """The tiles of a request as hits, in their order."""
        query, names = self._query(request["terms"])
        wanted = [(one["path"], one.get("time_s")) for one in request["tiles"]]
        known: dict[tuple[str, float | None], Hit] = {}
        row_kinds = {row_kind_of(one) for one in request["tiles"]} or {"image"}
        with self._lock:
            for row_kind in row_kinds:
                scores = self._scored(query, row_kind, request)
                hits = scores.top(records.MOST, -1, distinct=False)
                known |= {(hit.path, hit.time_s): hit for hit in hits}
        cutoff = request.get("cutoff")
        if cutoff is None:
            cutoff = -1.0 if _has_no_cutoff(query, request) else scores.threshold
        chosen = tuple(known[place] for place in wanted if place in known)
        return replace(hits, query=names or hits.query, hits=chosen, threshold=float(cutoff))

    def _judged(self, scores: Scores, query: Query) -> list[list]:
        """[path, time_s, thumb] of what was judged for this query before, by whoever gave thumbs in a page."""
        name = self._name_of(query)
        if name is None:
            return []
        frame = self.library.judgements.frame()
        frame = frame[(frame["mode"] == str(scores.mode)) & (frame["query"] == name) & (frame["judge"] == "")]
        times = [None if np.isnan(time_s) else time_s for time_s in frame["time_s"]]
        return [list(one) for one in zip(frame["path"], times, map(bool, frame["relevant"]), strict=True)]

    def _name_of(self, query: Query) -> str | None:
        """The query as a judgement can name it: a text or a photo of the library; None for what is not asked again."""
        term = query.plain
        if term is None or isinstance(term.value, Image.Image):
            return None
        return str(term.value) if term.kind == "text" or str(term.value) in self._of("image") else None

    def _uploaded(self, number: str) -> tuple[str, Image.Image]:
        if number not in self._uploads:
            raise QueryError("that picture is no longer here: give it again")
        return self._uploads[number]

    def _moment(self, request: dict) -> Moment:
        path = self._known(request["path"], "frame")
        start_s, end_s = float(request["start_s"]), float(request["end_s"])
        if not 0 <= start_s < end_s <= start_s + 600:
            raise QueryError(f"a clip goes from start_s to a later end_s, at most 600 s; got {start_s} and {end_s}")
        return Moment(path, start_s, end_s, start_s, 0.0, self._of("frame").of([path])[0]["digest"])

    def _known(self, path: str, *kinds: str) -> str:
        """A path of the index, and no other: what a page may have files of."""
        if not any(path in self._of(kind) for kind in kinds or ROW_KINDS):
            raise QueryError(f"{path!r} is not in the index of this library")
        return path

    def _facts_of(self, path: str) -> dict:
        return next(self._of(kind) for kind in ROW_KINDS if path in self._of(kind)).of([path])[0]

    def _of(self, kind: str) -> FileRecords:
        """The facts of one kind of rows, as the index stands now."""
        with self._lock:
            store = self.library.store.rows
            if self._facts.get("store") is not store:
                rows = {kind: store.filter(pc.equal(store["kind"], kind)) for kind in ROW_KINDS}
                self._facts = {"store": store} | {kind: FileRecords(of) for kind, of in rows.items()}
            return self._facts[kind]


def large_picture(file: Path) -> bytes:
    """A JPEG of the picture in `file`, upright, within `LARGE_EDGE` pixels. Raises MediaError."""
    return thumbnail(open_image(file, LARGE_EDGE), LARGE_EDGE)


def row_kind_of(tile: dict) -> str:
    """Of which kind of rows a tile is: "image" or "frame"."""
    return "image" if tile.get("time_s") is None else "frame"


def _has_no_cutoff(query: Query, request: dict) -> bool:
    """Whether a query is a sum or refined by thumbs, for which no cutoff was made: the nearest are shown."""
    return query.plain is None or bool(request.get("yes") or request.get("no"))


def _place(near: list) -> tuple[float, float]:
    """Latitude and longitude, from a request."""
    latitude, longitude = map(float, near)
    return latitude, longitude


def _filters(request: dict) -> dict[str, Any]:
    """What `Scores.filter` takes, from a request: empty fields are no filter."""
    given = request.get("filters") or {}
    found = {name: given[name] for name in ("folder", "since", "until", "camera", "km") if given.get(name)}
    if given.get("near"):
        found["near"] = _place(given["near"])
    return found | {"screenshots": given.get("screenshots", True)}
