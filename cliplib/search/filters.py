"""Which rows a filter keeps: by folder, day, screenshot and place. Nothing is encoded, and no file is read."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches
from numbers import Real
from pathlib import PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import QueryError
from ..media.geography import lies_in, names_of
from ..media.screenshot import is_screenshot
from .query import normalised_path, normalised_paths

EARTH_RADIUS_KM = 6371.0


def below_folder(paths: pa.ChunkedArray, folder: str | PurePath, everywhere: pa.ChunkedArray) -> np.ndarray:
    """Which paths lie below a folder, written as it is or as another system writes it.

    Args:
        paths: n strings, POSIX, relative to the library's root.
        folder: Relative to the same. "trips" is not the start of "trips 2024/".
        everywhere: The paths of the whole index, where the folder must be.

    Returns:
        bool (n,)

    Raises:
        QueryError: Nothing of the index lies below it.
    """
    for name, read in ((str(folder), lambda paths: paths), (normalised_path(str(folder)), normalised_paths)):
        start = "/".join(part for part in name.split("/") if part not in ("", "."))
        start = f"{start}/" if start else ""
        if pc.any(pc.starts_with(read(everywhere), start)).as_py():
            return pc.starts_with(read(paths), start).to_numpy()
    folders = sorted({path.rpartition("/")[0] for path in everywhere.to_pylist()} - {""})
    near = get_close_matches(str(folder), folders, n=3, cutoff=0.4) or folders[:5]
    said = f"; it has {', '.join(map(repr, near))}" if near else ", which has no folders"
    raise QueryError(f"nothing of the index lies below the folder {str(folder)!r:.100}{said}")


def within_days(taken_at: pa.ChunkedArray, since: str | date | None, until: str | date | None) -> np.ndarray:
    """Which dates lie between two days, both included; a row without a date does not.

    Args:
        taken_at: n ISO 8601 texts, local time.
        since: "YYYY-MM-DD" or a date; None: no first day.
        until: likewise the last day.

    Returns:
        bool (n,)

    Raises:
        QueryError: One of them is no day, or the first comes after the last.
    """
    first, last = _day(since, "since"), _day(until, "until")
    if first and last and first > last:
        raise QueryError(f"since is {first} and until {last}: the first day must not come after the last")
    days = pc.utf8_slice_codeunits(taken_at, 0, 10)
    within = pc.and_(pc.greater_equal(days, first or "0000"), pc.less_equal(days, last or "9999-12-31"))
    return pc.fill_null(within, False).to_numpy()


def screenshots(rows: pa.Table) -> np.ndarray:
    """Which rows are screenshots, see `screenshot.is_screenshot`: bool (n,)."""
    facts = (rows[name].to_pylist() for name in ("path", "width", "height", "camera"))
    return np.fromiter(map(is_screenshot, *facts), bool, len(rows))


def in_place(rows: pa.Table, place: str) -> np.ndarray:
    """Which rows were taken in a place by its name, see `geography.lies_in`.

    Args:
        rows: With the columns latitude and longitude.
        place: Such as "Lisbon" or "Paris, Texas".

    Returns:
        bool (n,); False where no position is known.

    Raises:
        QueryError: It is no name, none of the rows lies there, or the extra `places` is missing.
    """
    if not isinstance(place, str) or not place.strip():
        raise QueryError(f"place is {place!r}: give a name such as 'Lisbon', or near=(latitude, longitude)")
    positions = list(zip(rows["latitude"].to_pylist(), rows["longitude"].to_pylist(), strict=True))
    known = sorted({at for at in positions if None not in at})
    try:
        names = dict(zip(known, names_of(known), strict=True))
    except ImportError:
        raise QueryError('names of places need reverse_geocode: pip install "cliplib[places]"') from None
    inside = {at for at, told in names.items() if lies_in(place, told)}
    if not inside:
        there = sorted({name for told in names.values() for name in told if len(name) > 2})
        near = get_close_matches(place, there, n=3, cutoff=0.5) or there[:5]
        said = f"; it has {', '.join(near)}" if near else ", for none of it tells where it was taken"
        raise QueryError(f"nothing of the index was taken in {place!r:.100}{said}")
    return np.fromiter((at in inside for at in positions), bool, rows.num_rows)


def within_km(rows: pa.Table, place: tuple[float, float], km: float) -> np.ndarray:
    """Which rows were taken within `km` kilometres of a place: bool (n,); a row without a place was not.

    Raises:
        QueryError: `place` is none on Earth, or `km` is no distance.
    """
    latitudes, longitudes = (rows[name].to_numpy(zero_copy_only=False) for name in ("latitude", "longitude"))
    distances = distances_km(place, latitudes, longitudes)
    if isinstance(km, bool) or not isinstance(km, Real) or not 0 < km < float("inf"):
        raise QueryError(f"km is {km!r}: give the kilometres around the place, more than 0")
    return distances <= km


def distances_km(place: tuple[float, float], latitudes: np.ndarray, longitudes: np.ndarray) -> np.ndarray:
    """Great-circle distances on a sphere (the haversine formula; within 0.5 % of the true ones).

    Args:
        place: Latitude and longitude in degrees, north and east positive.
        latitudes: float (n,) in degrees; NaN where there is none.
        longitudes: likewise.

    Returns:
        float (n,), kilometres; NaN where there is no place.

    Raises:
        QueryError: `place` is none on Earth.
    """
    try:
        latitude, longitude = (float(degrees) for degrees in place)
    except (TypeError, ValueError):
        latitude = longitude = float("nan")
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise QueryError(f"near is {place!r}: give latitude and longitude in degrees, such as (48.85, 2.35)")
    here, there = np.radians([latitude, longitude]), np.radians(np.stack([latitudes, longitudes]).astype(float))
    across = np.sin((there - here[:, None]) / 2) ** 2
    haversine = across[0] + np.cos(here[0]) * np.cos(there[0]) * across[1]
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(haversine, 1)))


def _day(day: str | date | None, name: str) -> str | None:
    """A day as "YYYY-MM-DD", which sorts as days do."""
    try:
        return None if day is None else (day if isinstance(day, date) else date.fromisoformat(day)).isoformat()[:10]
    except (TypeError, ValueError) as error:
        raise QueryError(f"{name} is {day!r}: give a day such as '2024-05-31', or a datetime.date") from error
