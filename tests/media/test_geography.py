"""Names of places against what the map says; each position is that of a well-known building or street."""

import pytest

from cliplib.media.geography import lies_in, names_of

pytest.importorskip("reverse_geocode")
PLACES = {
    (38.6979, -9.2068): ("Lisbon", "Portugal", "PT"),  # the monastery of Belém
    (40.6892, -74.0445): ("United States",),  # the Statue of Liberty
    (33.6609, -95.5555): ("Paris", "Texas", "Paris, Texas", "paris, us"),
    (48.8584, 2.2945): ("Paris", "ile-de-france", "Paris, France"),  # the Eiffel Tower
    (-33.8568, 151.2153): ("Sydney", "new south wales"),  # the opera
    (43.7311, 7.4197): ("Monaco",),
}


def test_a_position_lies_in_its_town_state_and_country():
    for names, places in zip(names_of(list(PLACES)), PLACES.values(), strict=True):
        assert all(lies_in(place, names) for place in places), names


def test_and_in_no_other():
    lisbon, _, texas, eiffel, _, monaco = names_of(list(PLACES))
    assert not lies_in("Spain", lisbon) and not lies_in("Paris, France", texas) and not lies_in("Paris, Texas", eiffel)
    assert not lies_in("France", monaco) and not lies_in("Lis", lisbon) and not lies_in("", lisbon)


def test_the_high_seas_have_no_name():
    assert names_of([(0.0, -30.0)]) == [()] and names_of([]) == []
