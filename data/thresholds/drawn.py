"""Drawn libraries for the threshold lab: pictures, queries and, from the renderer's own truth, every judgement.

Each table is a `cliplib.calibrate.rules.Judged` over a whole library: every picture is judged for every query.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from cliplib.calibrate.lab import noise_pictures
from cliplib.calibrate.rules import Judged
from cliplib.search.query import nonsense
from data.world.captions import Writer
from data.world.drawing import draw, near_duplicate
from data.world.scenes import SHORT_QUERIES, changed, random_scene, truth_matrix

NEAR_DUPLICATES = 2  # of each scene that a picture asks for, besides one redrawing
NOISE = 60
SIZE = (256, 256)  # as in training
FRAMES_S = (0.3, 1.3, 2.3)


@dataclass(frozen=True)
class Drawn:
    """A library that was drawn: scenes and unit rows of n photos, of m video frames, and of the pictures that ask.

    `hash` names its pixels. `asking` are (scene, row) of pictures that are not in the library.
    """

    scenes: list
    photos: np.ndarray
    frame_scenes: list
    frames: np.ndarray
    asking: list
    hash: str


def draw_library(encoder, seed, scenes=1000, events=400, asking=60, style="picture"):
    """A `Drawn` library: `scenes` random photos, and for each of the `asking` pictures a redrawing, near-duplicates of
    that, and a look-alike that differs in one attribute; `events` of video, a scene of three frames a second apart.

    Every scene has a combination of kind, colour and place that the tiny model never saw. The same seed draws the same.
    """
    random, pixels = np.random.default_rng(seed), hashlib.sha256()

    def embed(pictures):
        rows = []
        for picture in pictures:  # one by one: a thousand pictures at once would fill the memory
            pixels.update(picture.tobytes())
            rows.append(encoder.prepare(picture))
        return encoder.encode_images(rows)

    shown = [random_scene(random, True) for _ in range(scenes)]
    wanted = [random_scene(random, True) for _ in range(asking)]
    plans = [(scene, None) for scene in shown]
    for scene in wanted:
        plans += [(scene, None), *[(scene, copy) for copy in range(NEAR_DUPLICATES)], (changed(scene, random), None)]
    photos = embed(_pictures(plans, seed * 100_000, style))
    asked = embed(_draw(scene, seed * 100_000 + 90_000 + i, style) for i, scene in enumerate(wanted))
    cast = [random_scene(random, True) for _ in range(events)]
    times = [(seed * 100_000 + 50_000 + i, scene, time_s) for i, scene in enumerate(cast) for time_s in FRAMES_S]
    frames = embed(_draw(scene, look, style, time_s) for look, scene, time_s in times)
    asking = list(zip(wanted, asked, strict=True))
    return Drawn([s for s, _ in plans], photos, [s for _, s, _ in times], frames, asking, pixels.hexdigest())


def text_queries(seed, scenes, count=60, taken=()):
    """`count` texts, half short ("a red car", "snow") and half whole captions, each true of some scene and none of the
    texts `taken`: (texts, queries).
    """
    random = np.random.default_rng(seed)
    plain, writer = Writer(random, plain=True), Writer(random)
    short = ((plain.text(SHORT_QUERIES[i]), SHORT_QUERIES[i]) for i in random.permutation(len(SHORT_QUERIES)))
    whole = (writer.whole(scenes[i]) for i in random.permutation(len(scenes)))
    found = {}
    for pairs, until in ((short, count // 2), (whole, count)):
        for text, query in pairs:
            if len(found) < until and text not in taken and truth_matrix([query], scenes).any():
                found[text] = query
    return list(found), list(found.values())


def text_table(encoder, seed, scenes, gallery, taken=()):
    """The judgements of text queries over a gallery, float (n, d), and the texts: (Judged, list of str)."""
    texts, queries = text_queries(seed, scenes, taken=taken)
    noise = encoder.encode_texts(nonsense(NOISE, seed))
    return judged_by_truth(encoder.encode_texts(texts), gallery, truth_matrix(queries, scenes), noise), texts


def image_table(encoder, seed, drawn):
    """The judgements of picture queries over the photos: relevant is the same scene, drawn again or saved again."""
    same = np.array([[scene == other for other in drawn.scenes] for scene, _ in drawn.asking])
    noise = encoder.encode_images(noise_pictures(NOISE, seed))
    return judged_by_truth(np.stack([row for _, row in drawn.asking]), drawn.photos, same, noise)


def judged_by_truth(queries, gallery, truth, noise):
    """A `Judged` of every query, float (q, d), with every row of the gallery, float (n, d); truth is bool (q, n)."""
    number = np.repeat(np.arange(len(queries)), len(gallery))
    best = (noise @ gallery.T).max(1)
    return Judged((queries @ gallery.T).ravel(), truth.ravel(), number, noise=best)


def _pictures(plans, first_seed, style):
    """The pictures of (scene, number of a near-duplicate or None), one after another."""
    picture = None
    for number, (scene, copy) in enumerate(plans):
        if copy is None:
            picture = _draw(scene, first_seed + number, style)
            yield picture
        else:
            yield near_duplicate(picture, first_seed + number)


def _draw(scene, seed, style, time_s=0.0):
    return draw(scene, SIZE, style, seed=seed, oversample=1, time_s=time_s)
