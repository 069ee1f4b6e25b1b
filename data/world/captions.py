"""Words for the drawn world: captions of several lengths, rewordings, and texts about nothing that can be drawn here.

Every caption comes as (text, `world.Query`): the query is what the text claims, and truth is judged from it alone.
"""

import zlib
from dataclasses import replace

from data.world.scenes import RELATIONS, Query, Thing, describe

PLACE_WORDS = {
    "beach": ("at the beach", "on the beach", "by the sea", "on the sand at the seaside"),
    "forest": ("in the forest", "in the woods", "among the trees"),
    "desert": ("in the desert", "among the cactuses", "in the dunes"),
    "city": ("in the city", "in the street", "in town", "downtown"),
    "mountains": ("in the mountains", "below the peaks", "near a mountain"),
    "meadow": ("in the meadow", "on the grass", "in a green field"),
    "lake": ("at the lake", "on the lake", "on the water"),
    "village": ("in the village", "near the houses", "between the cottages"),
}
PLACE_NOUNS = {
    "beach": ("the beach", "a beach", "beach", "the seaside", "a sandy beach"),
    "forest": ("a forest", "the forest", "forest", "woods", "trees"),
    "desert": ("a desert", "the desert", "desert", "sand dunes", "cactus"),
    "city": ("a city", "the city", "city", "city street", "tall buildings"),
    "mountains": ("mountains", "the mountains", "a mountain", "mountain peaks"),
    "meadow": ("a meadow", "the meadow", "meadow", "a green field", "grass"),
    "lake": ("a lake", "the lake", "lake", "water of a lake"),
    "village": ("a village", "the village", "village", "houses", "cottages"),
}
WEATHER_WORDS = {
    "sun": ("on a sunny day", "in the sunshine", "under a blue sky"),
    "rain": ("in the rain", "on a rainy day", "while it is raining"),
    "snow": ("in the snow", "on a snowy day", "while it is snowing"),
    "night": ("at night", "under the stars", "in the moonlight"),
    "sunset": ("at sunset", "in the evening", "while the sun goes down"),
}
WEATHER_NOUNS = {
    "sun": ("sunshine", "a sunny day", "sunny weather", "blue sky", "sunny"),
    "rain": ("rain", "a rainy day", "rainy weather", "raining"),
    "snow": ("snow", "a snowy day", "snowy weather", "winter", "snowing"),
    "night": ("night", "the night", "a starry night", "the moon", "night sky"),
    "sunset": ("sunset", "a sunset", "the evening", "evening sky"),
}
KIND_WORDS = {
    "car": ("automobile",), "boat": ("ship", "sailing boat"), "tent": ("camping tent",), "chair": ("seat",),
    "mushroom": ("toadstool",), "flower": ("blossom",), "umbrella": ("parasol",), "ball": ("football",),
    "balloon": ("party balloon",),
    "kite": ("toy kite",), "rocket": ("spaceship",), "bird": ("duckling",), "cat": ("kitten", "kitty"),
    "dog": ("puppy", "hound"),
}  # fmt: skip
SIZE_WORDS = {"small": ("small", "little", "tiny"), "big": ("big", "large", "huge")}
SIDE_WORDS = {
    "left": ("on the left", "on the left side"),
    "middle": ("in the middle", "in the centre"),
    "right": ("on the right", "on the right side"),
}
RELATION_WORDS = {
    "left of": ("left of", "to the left of"),
    "above": ("above", "over"),
    "on": ("on", "on top of", "sitting on"),
    "beside": ("next to", "beside"),
}
INVERSE_WORDS = {"left of": ("right of", "to the right of"), "above": ("below", "under"), "on": ("under", "underneath")}
OPENINGS = (
    "{}", "{}", "{}", "a photo of {}", "a picture of {}", "an image of {}",
    "there is {}", "I see {}", "a drawing of {}",
)  # fmt: skip


class Writer:
    """Writes captions with a `numpy.random.Generator`; plain=True always takes the first wording and no opening."""

    def __init__(self, rng, plain=False):
        self.rng, self.plain = rng, plain

    def _one_of(self, options):
        return options[int(self.rng.random() * len(options))]

    def _pick(self, options):
        return options[0] if self.plain else self._one_of(options)

    def _chance(self, share):
        return self.rng.random() < share

    def text(self, query):
        """The query in words. Raises ValueError for a query that claims nothing."""
        if query == Query():
            raise ValueError("a query that claims nothing has no words; give it a thing, a place or a weather")
        if not query.things and not (query.place and query.weather):
            core = self._pick(PLACE_NOUNS[query.place] if query.place else WEATHER_NOUNS[query.weather])
        else:
            core = self._sentence(query)
        return core if self.plain else self._pick(OPENINGS).format(core)

    def _sentence(self, query):
        tail = [self._pick(PLACE_WORDS[query.place])] if query.place else []
        tail += [self._pick(WEATHER_WORDS[query.weather])] if query.weather else []
        if not query.things:
            head = self._pick(PLACE_NOUNS[query.place])
            return f"{head} {tail[1]}"
        if len(tail) == 2 and not self.plain and self._chance(0.3):
            tail.reverse()
        things = self._things(query)
        if tail and not self.plain and self._chance(0.12):
            return " ".join([tail[0] + ",", things, *tail[1:]])
        return " ".join([things, *tail])

    def _things(self, query):
        if len(query.things) == 1:
            return self._noun(query.things[0])
        first, second = query.things
        if query.relation in INVERSE_WORDS and not self.plain and self._chance(0.35):
            return f"{self._noun(second)} {self._pick(INVERSE_WORDS[query.relation])} {self._noun(first)}"
        if query.relation in ("", "beside") and not self.plain and self._chance(0.5):
            first, second = second, first
        link = self._pick(RELATION_WORDS[query.relation]) if query.relation else "and"
        return f"{self._noun(first)} {link} {self._noun(second)}"

    def _noun(self, thing):
        kind = thing.kind or "thing"
        if thing.kind and not self.plain and self._chance(0.15):
            kind = self._pick(KIND_WORDS[thing.kind])
        words = [self._pick(SIZE_WORDS[thing.size])] if thing.size else []
        words += [thing.colour] if thing.colour else []
        words.append(kind)
        if self.plain or not self._chance(0.15):
            words.insert(0, "an" if words[0][0] in "aeiou" else "a")
        words += [self._pick(SIDE_WORDS[thing.side])] if thing.side else []
        return " ".join(words)

    def whole(self, scene):
        """A caption with everything but sizes and sides, which it names now and then: (text, query)."""
        query = describe(scene)
        things = tuple(
            self._blur(thing, colour=1.0, size=0.3, side=0.25 if not scene.relation else 0.0) for thing in scene.things
        )
        return self._pair(replace(query, things=things))

    def partial(self, scene):
        """A caption that leaves out about half of the scene: (text, query)."""
        keep = self.rng.random(4) < (0.8, 0.5, 0.5, 0.6)
        things = tuple(self._blur(thing, colour=0.8, size=0.15, side=0.1) for thing in scene.things)
        if len(things) == 2 and self._chance(0.5):
            things = (self._one_of(things),)
        relation = scene.relation if len(things) == 2 and keep[3] else ""
        if relation == "left of" and self._chance(0.3):
            relation = "beside"
        query = Query(*((things, relation) if keep[0] else ()))
        query = replace(query, place=scene.place * bool(keep[1]), weather=scene.weather * bool(keep[2]))
        return self._pair(query) if query != Query() else self._of_one_thing(scene)

    def short(self, scene):
        """A caption of one thing most often; or of the place, the weather, a colour ("a red thing"): (text, query)."""
        draw = self.rng.random()
        if draw < 0.62:
            return self._of_one_thing(scene)
        if draw < 0.79:
            return self._pair(Query(place=scene.place))
        if draw < 0.94:
            return self._pair(Query(weather=scene.weather))
        return self._pair(Query((Thing(colour=self._one_of(scene.things).colour),)))

    def _of_one_thing(self, scene):
        return self._pair(Query((self._blur(self._one_of(scene.things), colour=0.75, size=0.12, side=0.12),)))

    def _pair(self, query):
        return self.text(query), query

    def _blur(self, thing, colour, size, side):
        """Keep each attribute of a thing with the given chance."""
        keep_colour, keep_size, keep_side = self.rng.random(3) < (colour, size, side)
        return Thing(
            thing.kind, thing.colour * bool(keep_colour), thing.size * bool(keep_size), thing.side * bool(keep_side)
        )


def known_words():
    """Every word that a caption may contain, lower case."""
    tables = (PLACE_WORDS, PLACE_NOUNS, WEATHER_WORDS, WEATHER_NOUNS, KIND_WORDS, SIZE_WORDS, SIDE_WORDS)
    tables += (RELATION_WORDS, INVERSE_WORDS)
    phrases = [phrase for table in tables for phrases in table.values() for phrase in phrases]
    phrases += [*KIND_WORDS, *OPENINGS, *RELATIONS, "red yellow green blue purple pink white black thing and an"]
    return {word.strip(",") for phrase in phrases for word in phrase.lower().split()}


class Nonsense:
    """Texts about nothing in the drawn world: real words of the tokenizer's vocabulary that no caption uses, and
    gibberish.

    Words are split by checksum, so that the evaluation's (for_evaluation=True) are never those that training used.
    """

    def __init__(self, vocabulary, for_evaluation=False):
        known = known_words()

        def is_foreign(word):
            related = any(word.startswith(other[:4]) or other.startswith(word) for other in known if len(other) > 3)
            return word.isascii() and word.isalpha() and len(word) > 3 and not related

        words = sorted(word for word in vocabulary if is_foreign(word))
        self.words = [word for word in words if (zlib.crc32(word.encode()) % 5 == 0) == for_evaluation]

    def text(self, rng):
        """One nonsense text, from `numpy.random.Generator` rng."""
        words = [
            self._gibberish(rng) if rng.random() < 0.3 else self.words[rng.integers(len(self.words))]
            for _ in range(rng.integers(1, 5))
        ]
        article = ("a " if rng.random() < 0.4 else "") + " ".join(words)
        return OPENINGS[rng.integers(len(OPENINGS))].format(article)

    def _gibberish(self, rng):
        return "".join("abcdefghijklmnopqrstuvwxyz"[letter] for letter in rng.integers(0, 26, rng.integers(4, 10)))
