"""Judgements: who said which picture answers which query, and how that picture came to be judged.

They are a small table beside the index.

Judgements are about pictures, not about a model, so one folder holds those of all models. Every `Judgements` object
writes files of its own, each replaced whole (see `durable`), and reading merges them all. Two writers who never share a
file lose nothing; an append could be torn, and on a mounted Drive two appends can lose each other.

A picture may be judged because it was among the best of a ranking ("top"), because it was drawn with a known
probability ("sampled", see `sampling`), or because somebody saw it and gave a thumb ("free"). Only the first two can
stand for pictures that nobody judged, so each judgement keeps how its picture was chosen. Older ones do not say it.

    .cliplib/judgements/judgements-<day>-<id>.json     a list of rows
                        salt                           what pseudonyms in exports are made with
"""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cache.durable import write_durably
from ..errors import CacheError, JudgementError
from . import judgements_csv
from .judgements_csv import UNSURE

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ANSWER_COLUMNS = ("mode", "query", "path", "time_s", "relevant", "judge", "date")
PROVENANCE = ("origin", "probability", "ranking", "model_id", "library")
COLUMNS = ANSWER_COLUMNS + PROVENANCE
ORIGINS = ("top", "sampled", "free")
MODES = ("text->image", "image->image", "text->video", "image->video")
# What a cell may say; the later words are what spreadsheets in other languages make of TRUE and FALSE.
YES = ("1", "true", "yes", "y", "ja", "oui", "si", "sí", "wahr", "vrai", "verdadero", "vero")
NO = ("0", "false", "no", "n", "nein", "non", "falsch", "faux", "falso")
ANSWERS = {**dict.fromkeys(YES, True), **dict.fromkeys(NO, False), UNSURE: UNSURE}
BY_CONTENT = "digest:"  # how an export names a picture without its path
LEAST_PROBABILITY = 1e-12  # of being chosen: of less no picture could stand for one over it
MAX_ROWS_PER_FILE = 500  # a full file is left alone, so that one more judgement never rewrites a large one


@dataclass(frozen=True)
class Merged:
    """What an import did: rows `added`, and a sentence for each one `refused`."""

    added: int
    refused: list[str]

    def __str__(self) -> str:
        return "\n".join([f"{self.added} judgements added, {len(self.refused)} refused", *self.refused])

    __repr__ = __str__


class Judgements:
    """The judgements of one library. `folder` holds them; `rows()` gives the index, to which they must refer."""

    def __init__(self, folder: Path, rows: Callable[[], pa.Table]):
        self.folder, self._rows = Path(folder), rows
        self._mine: list[list] = []  # the rows of the file that this object is writing
        self._file: Path | None = None
        self._index: tuple[pa.Table | None, dict, dict, dict] = None, {}, {}, {}
        self.problems: list[str] = []

    def add(
        self,
        mode: str,
        query: str,
        path: str,
        relevant: bool | str,
        time_s: float | None = None,
        judge: str = "",
        *,
        origin: str = "free",
        probability: float | None = None,
        ranking: str = "",
        model_id: str = "",
        library: str = "",
    ) -> None:
        """Say whether the picture at `path` answers `query`; of what one judge says twice, the last word counts.

        Args:
            mode: "text->image", "image->image", "text->video" or "image->video".
            query: a text, or for "image->..." the path of a photo of the library.
            path: the picture, as the index names it.
            relevant: whether it answers the query, or "unsure": then it counts for neither, and an earlier word of this
                judge is taken back.
            time_s: of a sampled frame, in seconds; None for a photo.
            judge: who says so.
            origin: how the picture came to be judged: "top", "sampled" or "free".
            probability: how likely it was to be chosen, over 0 and at most 1; needed for "top" (1) and "sampled".
            ranking: what it was chosen from: "cosine" or "match".
            model_id: the model whose ranking that was.
            library: the hash of the pictures it was chosen from, see `lab.library_hash`.

        Raises:
            JudgementError: for what cannot be right.
            CacheError: when the disk refuses.
        """
        row = (mode, query, path, time_s, relevant, judge, None, origin, probability, ranking, model_id, library)
        self._write([self._checked(dict(zip(COLUMNS, row, strict=True)))])

    def take_back(self, mode: str, query: str, path: str, time_s: float | None = None, judge: str = "") -> None:
        """Withdraw what `judge` said of a picture, as if it had never been said; a later word counts again.

        Args:
            mode: that of `add`, as are the others.
            query: a text, or the path of a photo.
            path: the picture.
            time_s: of a frame, in seconds; None for a photo.
            judge: who takes it back.

        Raises:
            JudgementError: for what cannot be right.
            CacheError: when the disk refuses.
        """
        row = self._checked(dict(zip(ANSWER_COLUMNS, (mode, query, path, time_s, True, judge, None), strict=True)))
        row[ANSWER_COLUMNS.index("relevant")] = None
        self._write([row])

    def frame(self, unsure: bool = False) -> pd.DataFrame:
        """The last word of each judge on each (mode, query, path, time_s): a DataFrame with `COLUMNS`, oldest first.

        `relevant` is bool, `time_s` NaN for a photo, `date` ISO 8601 in UTC; the columns of `PROVENANCE` are empty, and
        `probability` NaN, where it was not kept. With `unsure` the pictures that a judge was unsure of are among them,
        and `relevant` is then True, False or "unsure". `problems` names files that were damaged.
        """
        import pandas as pd

        rows, self.problems = [], []
        for file in sorted(self.folder.glob("judgements-*.json")):
            try:
                rows += [_read(row) for row in json.loads(file.read_bytes())]
            except (OSError, ValueError, TypeError):
                self.problems.append(f"{file.name} is damaged and was passed over")
        frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"time_s": float, "probability": float})
        frame = frame.astype({"relevant": object}).sort_values("date", kind="stable")
        frame = frame.drop_duplicates(["mode", "query", "path", "time_s", "judge"], keep="last", ignore_index=True)
        frame = frame[frame["relevant"].notna()].reset_index(drop=True)  # those taken back are none
        return frame if unsure else frame[frame["relevant"] != UNSURE].reset_index(drop=True).astype({"relevant": bool})

    def save(self, file: str | Path, names: bool = False) -> Path:
        """Write every judgement as CSV in UTF-8, for `merge` elsewhere; a spreadsheet opens it.

        It carries no names. A judge is a pseudonym, the same in every export of this library and not to be guessed. A
        picture is "digest:<its content's>", which finds the same picture in a library that keeps it elsewhere. The
        texts of queries are always written as they are: read them before you share the file.

        Args:
            file: where to.
            names: write judges and paths as they are.

        Returns:
            The path of the file.
        """
        frame = self.frame(unsure=True)
        if not names:
            digests = self._index_maps()[1]
            paths, queries = (
                frame[name].map(lambda path: BY_CONTENT + digests.get(path, "unknown")) for name in ("path", "query")
            )
            queries = frame["query"].where(frame["mode"].str.startswith("text->"), queries)
            frame = frame.assign(path=paths, query=queries, judge=frame["judge"].map(self._pseudonym))
        return judgements_csv.write(frame, file)

    def merge(self, file: str | Path | pd.DataFrame) -> Merged:
        """Take over judgements from elsewhere.

        A row that cannot be right (an unknown picture, no yes or no, ...) is left out and named in the answer. Where
        the same judge says both yes and no, the later date counts, and of equal dates the later row.

        Args:
            file: a CSV that `save` or a person wrote, or a DataFrame. Its columns are mode, query, path, relevant (yes,
                no or unsure) and, as needed, time_s, judge, date and those of `PROVENANCE`.

        Returns:
            How many rows were added, and why the others were refused.

        Raises:
            JudgementError: when the columns are not those of judgements.
            CacheError: when the disk refuses.
        """
        name, records = judgements_csv.read(file)
        mine = {self._pseudonym(judge): judge for judge in set(self.frame(unsure=True)["judge"])}
        good, refused = [], []
        for number, record in enumerate(records, start=2):  # a spreadsheet shows the heading as row 1
            try:
                record["judge"] = mine.get(str(record.get("judge")), record.get("judge"))
                good.append(self._checked(record))
            except JudgementError as error:
                refused.append(f"{name}, row {number}: {error}")
        if good:
            self._write(good)
        return Merged(len(good), refused)

    # what a row must be

    def _checked(self, record: dict) -> list:
        """A row in the order of `COLUMNS`, as it is stored; JudgementError when it cannot be right."""
        mode, query = check_mode(record.get("mode")), record.get("query")
        if not isinstance(query, str) or not query.strip():
            raise JudgementError(f"query is {query!r}: give the words that were searched, or the path of a photo")
        word = str(record.get("relevant")).strip().lower().removesuffix(".0")
        if word not in ANSWERS:
            raise JudgementError(
                f"relevant is {record.get('relevant')!r}: it can be yes or no (or true, false, 1, 0), or unsure"
            )
        path = self._path(record.get("path"), "picture")
        if mode.startswith("image->"):
            query = self._path(query, "query")
            if query == path:
                raise JudgementError(f"{path} is the query itself: judge the other pictures")
        time_s = self._time(mode, path, record.get("time_s"))
        judge = record["judge"] if isinstance(record.get("judge"), str) else ""
        return [mode, query, path, time_s, ANSWERS[word], judge, _date(record.get("date")), *_provenance(record)]

    def _path(self, path: object, what: str) -> str:
        """The path in the index of a path or "digest:..."."""
        times, _, paths = self._index_maps()
        said = path if isinstance(path, str) else ""
        found = paths.get(said.removeprefix(BY_CONTENT), "") if said.startswith(BY_CONTENT) else said
        if found not in times:
            raise JudgementError(
                f"no {what} {path!r} in this library of {len(times)} files: give its path as library.photos() or "
                "library.videos() shows it, and run library.index() if it is new"
            )
        return found

    def _time(self, mode: str, path: str, time_s: object) -> float | None:
        sampled, of_photos = self._index_maps()[0][path], mode.endswith("->image")
        if of_photos != (sampled[0] is None):
            what, found = ("video", "photos") if of_photos else ("photo", "video frames")
            raise JudgementError(f"{path} is a {what}, and {mode} finds {found}")
        if of_photos:
            if _is_empty(time_s):
                return None
            raise JudgementError(f"{path} is a photo: time_s must be None, not {time_s!r}")
        wanted = _number(time_s)
        if wanted is None:
            raise JudgementError(f"time_s is {time_s!r}: give the seconds of a sampled frame of {path}")
        nearest = min(sampled, key=lambda other: abs(other - wanted))
        if not abs(nearest - wanted) < 0.001:
            raise JudgementError(f"{path} has no sampled frame at {time_s} s; the nearest is at {nearest:.3f} s")
        return nearest

    def _index_maps(self) -> tuple[dict, dict, dict]:
        """The index as {path: times in seconds, or [None]}, {path: digest}, {digest: path}."""
        rows = self._rows()
        if self._index[0] is not rows:
            times: dict[str, list] = {}
            paths, seconds, digests = (rows[name].to_pylist() for name in ("path", "time_s", "digest"))
            for path, time_s in zip(paths, seconds, strict=True):
                times.setdefault(path, []).append(time_s)
            of_path = dict(sorted(zip(paths, digests, strict=True), reverse=True))  # of copies the first is found
            self._index = rows, times, of_path, {digest: path for path, digest in of_path.items()}
        return self._index[1:]

    # how they are written

    def _write(self, rows: list[list]) -> None:
        """Add checked rows to this object's file, or to a new one when that is full."""
        if self._file is None or len(self._mine) + len(rows) > MAX_ROWS_PER_FILE:
            self._file = self.folder / f"judgements-{_now()[:10]}-{uuid.uuid4().hex[:12]}.json"
            self._mine = []
        self._put(self._file, json.dumps([*self._mine, *rows], ensure_ascii=False))
        self._mine += rows

    def _put(self, file: Path, text: str) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_durably(file, lambda out: out.write(text.encode("utf-8")))
        except OSError as error:
            why = f"{error.strerror or error}. What was judged before is intact; free some space and judge again"
            raise CacheError(f"could not save {file.name} in {self.folder}: {why}") from error

    def _pseudonym(self, judge: str) -> str:
        return "judge-" + hashlib.sha256(f"{self._salt} {judge}".encode()).hexdigest()[:8]

    @cached_property
    def _salt(self) -> str:
        file = self.folder / "salt"
        if not file.is_file():
            salt = uuid.uuid4().hex
            try:
                self._put(file, salt)
            except CacheError:  # on a disk that refuses, the pseudonyms of this session are its own
                return salt
        return file.read_text()


def check_mode(mode: object) -> str:
    """The mode, such as "text->image"; JudgementError when it is none."""
    if mode not in MODES:
        raise JudgementError(f"mode is {mode!r}: it can be {', '.join(MODES)}")
    return str(mode)


def _read(row: list) -> tuple:
    """A stored row in the order of `COLUMNS`; an older one has no provenance. ValueError for what is no such row."""
    if len(row) == len(ANSWER_COLUMNS):
        row = [*row, "", None, "", "", ""]
    mode, query, path, time_s, relevant, judge, date, origin, probability, *source = row
    ranking, model_id, library = source
    if not all(isinstance(cell, str) for cell in (mode, query, path, judge, date, origin, *source)):
        raise ValueError("a text is none")
    said = relevant if relevant in (None, UNSURE) else bool(relevant)
    seconds, chance = (math.nan if value is None else float(value) for value in (time_s, probability))
    return mode, query, path, seconds, said, judge, date, origin, chance, ranking, model_id, library


def _provenance(record: dict) -> list:
    """How a picture came to be judged, in the order of `PROVENANCE`; JudgementError when that cannot be right."""
    origin, *source = (
        "" if _is_empty(cell) else str(cell) for cell in map(record.get, (PROVENANCE[0], *PROVENANCE[2:]))
    )
    if origin not in ("", *ORIGINS):
        raise JudgementError(f"origin is {origin!r}: it can be {', '.join(ORIGINS)}, or nothing where it is not known")
    if origin not in ("top", "sampled"):
        return [origin, None, *source]
    probability = _number(record.get("probability"))
    if probability is None or not LEAST_PROBABILITY <= probability <= 1:
        given = record.get("probability")
        raise JudgementError(f"probability is {given!r}: how likely a {origin} picture was chosen is over 0, at most 1")
    return [origin, probability, *source]


def _is_empty(cell: object) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def _number(cell: Any) -> float | None:
    """A number, with a decimal comma too, as spreadsheets of many countries write it; None for anything else."""
    try:
        return float(cell.strip().replace(",", ".") if isinstance(cell, str) else cell)
    except (TypeError, ValueError):
        return None


def _date(date: object) -> str:
    """ISO 8601 in UTC, to the microsecond, so that dates sort as text; now for none.

    A date without a zone is of this computer's. Besides ISO, "1.3.2026" and "1.3.2026 10:00" are read, where the day
    comes first everywhere; "3/4/2026" is March in one country and April in another, and refused.
    """
    said = "" if date is None else str(date).strip()
    if said in ("", "nan", "NaT", "<NA>"):
        return _now()
    for form in ("", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"):
        with suppress(ValueError, OverflowError):
            when = datetime.strptime(said, form) if form else datetime.fromisoformat(said.replace("Z", "+00:00"))
            return when.astimezone(timezone.utc).isoformat(timespec="microseconds")
    raise JudgementError(
        f"date is {date!r}: give ISO 8601, such as 2026-03-01 or 2026-03-01T10:00:00+00:00, or 1.3.2026 10:00"
    )


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")
