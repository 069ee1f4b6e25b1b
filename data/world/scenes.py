"""The drawn world: scenes, what may be asked about them, and the exact truth of every question.

A `Scene` says everything that its picture shows. A `Query` says part of it, with "" for whatever is left open;
`is_true` compares the two field by field, so ground truth never depends on the words of a caption (see `captions.py`)
or on pixels (see `drawing.py`).
"""

import zlib
from dataclasses import dataclass, replace

import numpy as np

from data.world.backdrops import PLACES as _PAINTERS
from data.world.drawing import COLOUR_RGB, FLYING
from data.world.objects import OBJECTS, SEAT_HEIGHT

KINDS = tuple(OBJECTS)
COLOURS = tuple(COLOUR_RGB)
PLACES = tuple(_PAINTERS)
WEATHERS = ("sun", "rain", "snow", "night", "sunset")
SIZES = ("small", "big")
SIDES = ("left", "middle", "right")
RELATIONS = ("left of", "above", "on")
SITTING = ("cat", "dog", "bird", "ball")
HELD_OUT_SHARE = 0.08


@dataclass(frozen=True)
class Thing:
    """One object. In a scene every field is filled; in a query "" means any."""

    kind: str = ""
    colour: str = ""
    size: str = ""
    side: str = ""


@dataclass(frozen=True)
class Scene:
    """One or two things of different kinds, a place and a weather. With two, things[0] is `relation` things[1]."""

    things: tuple[Thing, ...]
    relation: str
    place: str
    weather: str


@dataclass(frozen=True)
class Query:
    """What a text claims.

    `relation` is "" or one of `RELATIONS` or "beside"; with two things it is read in their order.
    """

    things: tuple[Thing, ...] = ()
    relation: str = ""
    place: str = ""
    weather: str = ""


# What people type: a kind of thing, in any colour ("") or in one; a place; a weather.
SHORT_QUERIES = (
    *(Query((Thing(kind, colour),)) for kind in KINDS for colour in ("", *COLOURS)),
    *(Query(place=place) for place in PLACES),
    *(Query(weather=weather) for weather in WEATHERS),
)


def random_scene(rng, held_out_only=False):
    """A random scene, from `numpy.random.Generator` rng: one with no held-out combination, which is all that training
    ever sees, or with held_out_only one that has such a combination, which is all that the evaluation sees.
    """
    while True:
        scene = _any_scene(rng)
        if held_out(scene) == held_out_only:
            return scene


def held_out(scene):
    """True if a thing of this scene has a combination of kind, colour and place that is kept from training (about one
    in twelve).
    """
    keys = (f"{thing.kind}|{thing.colour}|{scene.place}" for thing in scene.things)
    return any(zlib.crc32(key.encode()) % 1000 < 1000 * HELD_OUT_SHARE for key in keys)


def _any_scene(rng):
    def pick(options):
        return options[rng.integers(len(options))]

    relation = "" if rng.random() < 0.4 else pick(RELATIONS)
    if relation == "":
        kinds, sides = (pick(KINDS),), (pick(SIDES),)
    elif relation == "left of":
        first, second = rng.choice(len(KINDS), 2, replace=False)
        kinds, sides = (KINDS[first], KINDS[second]), ("left", "right")
    else:
        upper, lower = kinds_for(relation)
        kinds, sides = (pick(upper), pick(lower)), ("middle", "middle")
    things = tuple(Thing(kind, pick(COLOURS), pick(SIZES), side) for kind, side in zip(kinds, sides, strict=True))
    return Scene(things, relation, pick(PLACES), pick(WEATHERS))


def changed(scene, rng, fields=("place", "weather", "colour", "size")):
    """The same scene with one attribute changed: place, weather, or the colour, size or kind of one thing."""

    def another(options, *taken):
        others = [value for value in options if value not in taken]
        return others[rng.integers(len(others))]

    field = fields[rng.integers(len(fields))]
    if field in ("place", "weather"):
        options = PLACES if field == "place" else WEATHERS
        return replace(scene, **{field: another(options, getattr(scene, field))})
    which, things = rng.integers(len(scene.things)), list(scene.things)
    if field == "kind":
        kind = another(kinds_for(scene.relation)[which], *(thing.kind for thing in things))
        things[which] = replace(things[which], kind=kind)
    else:
        options = COLOURS if field == "colour" else SIZES
        things[which] = replace(things[which], **{field: another(options, getattr(things[which], field))})
    return replace(scene, things=tuple(things))


def kinds_for(relation):
    """The kinds that may stand first and second in a relation: two tuples."""
    on_ground = tuple(kind for kind in KINDS if kind not in FLYING)
    return {"above": (FLYING, on_ground), "on": (SITTING, tuple(SEAT_HEIGHT))}.get(relation, (KINDS, KINDS))


def describe(scene):
    """The query that says everything about a scene."""
    return Query(scene.things, scene.relation, scene.place, scene.weather)


def is_true(query, scene):
    """Whether everything that the query claims holds in the scene. Something that sits on another is also above it."""
    if query.place not in ("", scene.place) or query.weather not in ("", scene.weather):
        return False
    if len(query.things) > len(scene.things):
        return False
    if len(query.things) < 2:
        return not query.things or any(_matches(query.things[0], thing) for thing in scene.things)
    first, second = scene.things
    in_order = _matches(query.things[0], first) and _matches(query.things[1], second)
    swapped = _matches(query.things[0], second) and _matches(query.things[1], first)
    if query.relation == "":
        return in_order or swapped
    if query.relation == "beside":
        return scene.relation == "left of" and (in_order or swapped)
    return in_order and (query.relation == scene.relation or (query.relation, scene.relation) == ("above", "on"))


def _matches(asked, thing):
    return all(getattr(asked, field) in ("", getattr(thing, field)) for field in ("kind", "colour", "size", "side"))


def truth_matrix(queries, scenes):
    """`is_true` for every pair at once: bool (number of queries, number of scenes)."""
    asked, shown = _codes(queries), _codes(scenes)

    def agree(asked_column, shown_column):
        wanted = asked[:, asked_column][:, None]
        return (wanted < 0) | (wanted == shown[:, shown_column][None])

    def thing_agrees(wanted, thing):
        same = np.ones((len(asked), len(shown)), bool)
        for field in range(4):
            same &= agree(4 + 4 * wanted + field, 4 + 4 * thing + field)
        return same & (shown[:, 3] > thing)[None]

    count, relation = asked[:, 3][:, None], asked[:, 2][:, None]
    shown_relation = shown[:, 2][None]
    first_as_0, first_as_1 = thing_agrees(0, 0), thing_agrees(0, 1)
    in_order, swapped = first_as_0 & thing_agrees(1, 1), first_as_1 & thing_agrees(1, 0)
    above, on, beside = RELATIONS.index("above"), RELATIONS.index("on"), len(RELATIONS)
    ordered = in_order & ((relation == shown_relation) | ((relation == above) & (shown_relation == on)))
    next_to = (in_order | swapped) & (shown_relation == RELATIONS.index("left of"))
    pair = np.where(relation < 0, in_order | swapped, np.where(relation == beside, next_to, ordered))
    things = np.where(count == 0, True, np.where(count == 1, first_as_0 | first_as_1, pair))
    return agree(0, 0) & agree(1, 1) & things


def _codes(records):
    """Scenes or queries as int (n, 12): place, weather, relation, number of things, then kind, colour, size, side of
    two; -1 is any.
    """
    relations = (*RELATIONS, "beside")
    rows = np.full((len(records), 12), -1)
    for row, record in zip(rows, records, strict=True):
        row[:4] = (
            PLACES.index(record.place) if record.place else -1,
            WEATHERS.index(record.weather) if record.weather else -1,
            relations.index(record.relation) if record.relation else -1,
            len(record.things),
        )
        for start, thing in zip((4, 8), record.things, strict=False):
            values = zip(
                (KINDS, COLOURS, SIZES, SIDES), (thing.kind, thing.colour, thing.size, thing.side), strict=True
            )
            row[start : start + 4] = [options.index(value) if value else -1 for options, value in values]
    return rows
