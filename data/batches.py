"""The texts of a training batch and what each of them claims."""

from captions import Writer
from world import COLOURS, KINDS, PLACES, WEATHERS, Query, Thing, changed, held_out

# Short texts that every batch holds, in some wording, whether its pictures show them or not.
BANK_COLOURED = frozenset(Query((Thing(kind, colour),)) for kind in KINDS for colour in COLOURS)
BANK_PLAIN = frozenset(Query((Thing(kind),)) for kind in KINDS)
BANK = [Query((Thing(kind, colour),)) for kind in KINDS for colour in ("", *COLOURS)]
BANK += [*(Query(place=place) for place in PLACES), *(Query(weather=weather) for weather in WEATHERS)]
NEAR_MISS_FIELDS = ("kind", "kind", "colour", "place", "weather", "size")


def batch_texts(scenes, rng, nonsense):
    """The texts of one batch and what they claim: (list of str, list of Query or None for nonsense), each text once."""
    writer = Writer(rng)
    pairs = [writer.whole(scene) for scene in scenes] + [writer.partial(scene) for scene in scenes]
    pairs += [writer.short(scene) for scene in scenes[::2]]
    near_misses = [changed(scene, rng, NEAR_MISS_FIELDS) for scene in scenes[::2]]
    pairs += [writer.whole(scene) for scene in near_misses if not held_out(scene)]
    pairs += [(writer.text(query), query) for query in BANK]
    texts = dict(pairs)
    for _ in range(48):
        texts.setdefault(nonsense.text(rng), None)
    return list(texts), list(texts.values())
