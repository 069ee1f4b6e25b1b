"""The figures that say whether a model searches the drawn world well. Encoders in, numbers out; no model code here.

An image encoder takes a list of PIL images, a text encoder a list of str; both return float32 (n, d), unit rows.
"""

import numpy as np
from PIL import Image
from sklearn.metrics import average_precision_score

from data.world.captions import Nonsense, Writer
from data.world.drawing import draw
from data.world.scenes import SHORT_QUERIES, random_scene, truth_matrix

DRAWN_SIZE = (320, 240)


def model_pixels(picture, px):
    """CLIP's preprocessing short of normalisation: short side to px (bicubic), centre crop; uint8 (3, px, px)."""
    width, height = picture.size
    scale = px / min(width, height)
    resized = picture.resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)
    left, top = round((resized.width - px) / 2), round((resized.height - px) / 2)
    return np.array(resized.crop((left, top, left + px, top + px))).transpose(2, 0, 1)


def unambiguous_pairs(rng, count, held_out_only):
    """`count` scenes with whole captions, none of which is true of another of the scenes: (scenes, texts)."""
    writer, scenes, pairs = Writer(rng), [], []
    while len(scenes) < count:
        scene = random_scene(rng, held_out_only)
        pair = writer.whole(scene)
        true_before = truth_matrix([query for _, query in pairs], [scene]) if pairs else np.zeros(1)
        if not true_before.any() and truth_matrix([pair[1]], [*scenes, scene]).sum() == 1:
            scenes.append(scene)
            pairs.append(pair)
    return scenes, [text for text, _ in pairs]


def short_queries(rng, scenes, count):
    """`count` different short queries in their plainest wording, each true of some scene: (texts, queries)."""
    coloured = [query for query in SHORT_QUERIES if query.things and query.things[0].colour]
    others = [query for query in SHORT_QUERIES if query not in coloured]
    queries = [*others, *(coloured[index] for index in rng.permutation(len(coloured)))][:count]
    queries = [query for query, found in zip(queries, truth_matrix(queries, scenes).any(1), strict=True) if found]
    writer = Writer(rng, plain=True)
    return [writer.text(query) for query in queries], queries


def recall_at(scores, k):
    """The share of rows of scores (n, n) whose own column is among their k highest."""
    own = np.diagonal(scores)[:, None]
    return float(((scores > own).sum(1) < k).mean())


def best_f1_threshold(scores, relevant):
    """The threshold between two scores at which F1 = 2TP / (2TP + FP + FN) is highest. scores and relevant are (n,)."""
    order = np.argsort(-scores, kind="stable")
    ranked, true = scores[order], np.cumsum(relevant[order])
    f1 = 2 * true / (np.arange(1, len(ranked) + 1) + relevant.sum())
    best = int(f1[:-1].argmax())
    return float((ranked[best] + ranked[best + 1]) / 2)


def picture_figures(
    encode_images, encode_texts, vocabulary, seed, pairs, gallery, held_out_only=False, with_thresholds=False
):
    """All figures on still pictures, on scenes that `seed` determines. Returns a dict of floats, rounded to 4 digits.

    recall_at_1, recall_at_5: whole captions over `pairs` unambiguous scenes. attribute_map: mean average precision of
    100 short queries over `gallery` scenes. nonsense_below: the share of 100 nonsense texts whose best score
    over the gallery is under the median score of the relevant pairs. text_image_gap: mean cosine of a scene and its
    redrawing less that of a scene and its own caption. with_thresholds adds "thresholds", F1-optimal for short and
    whole texts and for redrawn scenes.
    """
    rng = np.random.default_rng(seed)
    scenes, texts = unambiguous_pairs(rng, pairs, held_out_only)
    shown = encode_images(_pictures(scenes, seed * 10_000))
    own, again = encode_texts(texts) @ shown.T, shown @ encode_images(_pictures(scenes, seed * 10_000 + 5000)).T
    more_scenes = [random_scene(rng, held_out_only) for _ in range(gallery)]
    more = encode_images(_pictures(more_scenes, seed * 10_000 + 2000))
    short_texts, asked = short_queries(rng, more_scenes, 100)
    scores, truth = encode_texts(short_texts) @ more.T, truth_matrix(asked, more_scenes)
    strange = Nonsense(vocabulary, for_evaluation=True)
    nonsense_best = (encode_texts([strange.text(rng) for _ in range(100)]) @ more.T).max(1)
    figures = {
        "recall_at_1": recall_at(own, 1),
        "recall_at_5": recall_at(own, 5),
        "attribute_map": float(np.mean([average_precision_score(*pair) for pair in zip(truth, scores, strict=True)])),
        "nonsense_below": float((nonsense_best < np.median(scores[truth])).mean()),
        "text_image_gap": float(np.diagonal(again).mean() - np.diagonal(own).mean()),
    }
    figures = {name: round(value, 4) for name, value in figures.items()}
    if with_thresholds:
        figures["thresholds"] = _thresholds(scores, truth, own, again)
    return figures


def _pictures(scenes, first_seed):
    return [draw(scene, DRAWN_SIZE, seed=first_seed + number) for number, scene in enumerate(scenes)]


def _thresholds(scores, truth, own, again):
    """F1-optimal thresholds: for texts over short and whole ones together, for images over scenes and their redrawings.

    Videos are drawn like the pictures, so that their frames take the same values.
    """
    same = np.eye(len(own), dtype=bool)
    text_scores = np.concatenate([scores.ravel(), own.ravel()])
    text = round(best_f1_threshold(text_scores, np.concatenate([truth.ravel(), same.ravel()])), 3)
    image = round(best_f1_threshold(again.ravel(), same.ravel()), 3)
    return {"text->image": text, "image->image": image, "text->video": text, "image->video": image}
