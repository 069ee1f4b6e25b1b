"""Names of places: the town, county, state and country of a position, offline (reverse_geocode, the extra `places`).

That package carries GeoNames' list of places with 1,000 inhabitants or more. It knows points and no borders, so a name
is that of the nearest place, and close to a border it may be the neighbour's.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

CITY_INHABITANTS = 100_000  # a photo in a suburb was taken in the suburb and in its city
CITY_KM, TOWN_KM = 25.0, 200.0  # so far from its middle is in a city; so far from any town is nowhere
EARTH_KM = 6371.0


def names_of(positions: Sequence[tuple[float, float]]) -> list[tuple[str, ...]]:
    """The names of positions, the narrowest first: ("Belém", "Lisbon", "Portugal", "PT").

    Args:
        positions: latitude and longitude in degrees, north and east positive.

    Returns:
        For each position its town, the city that this belongs to, its county, state, country and the country's code;
        () on the high seas.

    Raises:
        ImportError: reverse_geocode is not installed.
    """
    import reverse_geocode  # here, for it is an extra

    if not positions:
        return []
    towns = reverse_geocode.search(positions)
    cities = reverse_geocode.search(positions, CITY_INHABITANTS)
    names = []
    for at, town, city in zip(positions, towns, cities, strict=True):
        own = [town.get(part) for part in ("city", "county", "state", "country", "country_code")]
        if city["country_code"] == town["country_code"] and _km(at, city) <= CITY_KM:
            own.insert(1, city["city"])
        names.append(tuple(dict.fromkeys(filter(None, own))) if _km(at, town) <= TOWN_KM else ())
    return names


def lies_in(place: str, names: Sequence[str]) -> bool:
    """Whether a position of these names lies in a place as people write it: "Lisbon", "orleans", "Paris, France"."""
    known = set(map(_plain, names))
    return all(_plain(part) in known for part in place.split(","))


@lru_cache(maxsize=10_000)
def _plain(name: str) -> str:
    """A name without accents, in small letters."""
    letters = unicodedata.normalize("NFD", name.strip().casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _km(position: tuple[float, float], place: dict) -> float:
    """The distance of a position from a place, in kilometres (haversine formula)."""
    here, there = np.radians(position), np.radians((place["latitude"], place["longitude"]))
    across = np.sin((there - here) / 2) ** 2
    return float(2 * EARTH_KM * np.arcsin(np.sqrt(across[0] + np.cos(here[0]) * np.cos(there[0]) * across[1])))
