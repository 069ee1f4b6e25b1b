"""What one picture is to a person: its files in several albums, its edited twin and, where asked, near-duplicates."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..cache import rows as rows_
from ..media.takeout import ARCHIVE, one_photo, original_of, plain_path
from .ranking import check_k, checked_cosine, group_near_duplicates, top_k


def group_duplicates(
    rows: pa.Table,
    values: np.ndarray,
    k: int,
    threshold: float,
    near_duplicates: float | None = None,
    distinct: bool = True,
) -> list[np.ndarray]:
    """The best `k` pictures with a cosine of at least `threshold`: of each the positions of its rows, int64 (m,).

    All come best first. rows: n rows of one kind; values: float32 (n,), NaN where a row may not be found.
    `near_duplicates` and `distinct` say what one picture is, see `Scores.top`. QueryError for a bad k, threshold or
    cosine.
    """

    def best(count: int) -> list[np.ndarray]:
        if near_duplicates is None:
            return list(top_k(values, count, threshold)[:, None])
        return group_near_duplicates(
            rows_.matrix(rows), top_k(values, max(1, len(values)), threshold), count, near_duplicates
        )

    check_k(k)
    checked_cosine(threshold)
    if not distinct:
        return best(k)
    count = 4 * k + 16 if near_duplicates is None else k  # copies are joined already
    while True:
        found = best(count)
        pictures = _one_photo(rows, found)
        if len(pictures) >= k or len(found) < count:
            return [picture[np.argsort(-values[picture], kind="stable")] for picture in pictures[:k]]
        count *= 4


def _one_photo(rows: pa.Table, groups: list[np.ndarray]) -> list[np.ndarray]:
    """The groups, those that are led by files of one photo joined: copies, and an edited twin with its original."""
    led = rows.select(["path", "digest", "time_s"]).take(np.array([group[0] for group in groups], np.int64))
    paths, digests, times_s = (led[name].to_pylist() for name in led.column_names)
    pictures: list[tuple[str, object]] = list(zip(paths, zip(digests, times_s, strict=True), strict=True))
    photos = [path for path, time_s in zip(paths, times_s, strict=True) if time_s is None]
    joined = one_photo(pictures, dict(_originals(rows, photos)))
    return [np.concatenate([groups[number] for number in numbers]) for numbers in joined]


def _originals(rows: pa.Table, paths: list[str]) -> dict[str, tuple[str, float | None]]:
    """Digest and time, by `takeout.plain_path`, of the photos that some of these were edited from."""
    wanted = [plain_path(original_of(path)) for path in paths if original_of(path) != path]
    if not wanted:
        return {}
    plain = rows["path"]
    if pc.any(pc.match_substring(plain, ".zip!/", ignore_case=True)).as_py():
        plain = pc.replace_substring_regex(plain, f"(?i){ARCHIVE.pattern}", "")
    there = pc.is_in(plain, pa.array(wanted))
    digests = rows["digest"].filter(there).to_pylist()
    return {path: (digest, None) for path, digest in zip(plain.filter(there).to_pylist(), digests, strict=True)}
