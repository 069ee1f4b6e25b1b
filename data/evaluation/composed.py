"""Measure composed queries on the drawn world: does "a car", less "the beach", find cars that are elsewhere?

Three forms, each judged by the scenes' own truth: a thing less a place, a thing plus a weather, and a photo plus a word
for another weather. Beside each stands its plain text alone: the thing, or the word.
"""

from dataclasses import dataclass

import numpy as np

from cliplib import image, text
from cliplib.search.ranking import composed, cosines
from data.evaluation.figures import DRAWN_SIZE
from data.world.captions import Writer
from data.world.drawing import draw
from data.world.scenes import KINDS, PLACES, WEATHERS, Query, Thing, random_scene, truth_matrix

SEED = 6
K = 5
LEAST = 0.8  # precision at 5 that is asked for
# Chosen on other scenes (seed 77). A place weighs less than the thing it is taken from, or the answer turns into "not
# the beach" with anything in it. A word weighs more than a photo: cosines between photos spread much wider than those
# between words and photos, so that at equal weights the photo decides nearly alone.
WEIGHTS = {"thing - place": -0.5, "thing + weather": 1.0, "photo + word": 3.0}


@dataclass(frozen=True)
class Composed:
    """One composed query: its form, the `cliplib.Query`, the plain text beside it, and what is true, bool (scenes,).

    `photo` is the number of the scene that is its photo, or None.
    """

    form: str
    query: object
    plain: str
    true: np.ndarray
    photo: int | None = None


def composed_queries(rng, scenes, pictures, count):
    """`count` queries, of the three forms in turn, each true of at least K scenes (its own photo not counted)."""

    def pick(options):
        return options[rng.integers(len(options))]

    def holds(*claims):
        return truth_matrix(claims, scenes).all(axis=0)

    words, made = Writer(rng, plain=True).text, []
    single = [number for number, scene in enumerate(scenes) if len(scene.things) == 1]
    while len(made) < count:
        form, photo = tuple(WEIGHTS)[len(made) % 3], None
        thing, weather = Query((Thing(pick(KINDS)),)), Query(weather=pick(WEATHERS))
        if form == "thing - place":
            place = Query(place=pick(PLACES))
            first, second, true = text(words(thing)), text(words(place)), holds(thing) & ~holds(place)
        elif form == "thing + weather":
            first, second, true = text(words(thing)), text(words(weather)), holds(thing, weather)
        else:
            photo = pick(single)
            true = holds(Query((Thing(scenes[photo].things[0].kind),)), weather)
            if scenes[photo].weather == weather.weather:
                continue
            first, second = image(pictures[photo]), text(words(weather))
        if true.sum() >= K:
            plain = words(weather if form == "photo + word" else thing)
            made.append(Composed(form, first + WEIGHTS[form] * second, plain, true, photo))
    return made


def precision(scores, one):
    """The share of the K best of scores (n,) that are true, the query's own photo left out."""
    scores = np.where(np.arange(len(scores)) == one.photo, -np.inf, scores)
    return float(one.true[np.argsort(-scores, kind="stable")[:K]].mean())


def bootstrap_interval(differences, rng, share=0.95, times=10_000):
    """The percentile interval (Efron, 1979) of the mean of paired differences, (n,): (low, high)."""
    means = rng.choice(differences, (times, len(differences))).mean(axis=1)
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def composed_figures(encoder, gallery=600, count=50, seed=SEED):
    """Precision at 5 of composed queries and of their plain texts alone, the difference with its 95 % bootstrap
    interval over the queries, and precision by form: a dict of floats, rounded to 4 digits.

    encoder: a `cliplib.models.Encoder`. `gallery` scenes, all with combinations that training never saw.
    """
    rng = np.random.default_rng(seed)
    scenes = [random_scene(rng, held_out_only=True) for _ in range(gallery)]
    pictures = [draw(scene, DRAWN_SIZE, seed=seed * 10_000 + number) for number, scene in enumerate(scenes)]
    shown = encoder.encode_images(pictures)

    def embedding(term):
        return (encoder.encode_texts if term.kind == "text" else encoder.encode_images)([term.value])[0]

    queries, ours, plain = composed_queries(rng, scenes, pictures, count), [], []
    for one in queries:
        rows, weights = [embedding(term) for term in one.query.terms], [term.factor for term in one.query.terms]
        ours.append(precision(cosines(shown, composed(rows, weights)), one))
        plain.append(precision(cosines(shown, encoder.encode_texts(one.plain)[0]), one))
    ours, plain, forms = np.array(ours), np.array(plain), np.array([one.form for one in queries])
    interval = bootstrap_interval(ours - plain, np.random.default_rng(seed))
    return {
        "queries": count,
        "precision_at_5": round(float(ours.mean()), 4),
        "plain_precision_at_5": round(float(plain.mean()), 4),
        "difference": round(float((ours - plain).mean()), 4),
        "difference_interval_95": [round(edge, 4) for edge in interval],
        "by_form": {form: round(float(ours[forms == form].mean()), 4) for form in WEIGHTS},
        "plain_by_form": {form: round(float(plain[forms == form].mean()), 4) for form in WEIGHTS},
    }
