"""What a training batch is made of: pictures, rendered once by all cores and kept under build/, and texts with what
each of them claims.
"""

import io
from functools import lru_cache
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from PIL import Image

from data.world.captions import Writer
from data.world.drawing import draw
from data.world.scenes import SHORT_QUERIES, changed, held_out, random_scene

DRAWN_PX = 256
NEAR_MISS_FIELDS = ("kind", "kind", "colour", "place", "weather", "size")
NONSENSE = 48  # texts in each batch
SHORT_NONSENSE = 16  # in each batch of short texts alone


@lru_cache(maxsize=100_000)
def scene_of(seed, index):
    """The scene of training picture `index`; never one with a held-out combination."""
    return random_scene(np.random.default_rng([seed, 0, index]))


def rendered_pictures(seed, count, px, cache_dir: Path):
    """uint8 (count, 3, px, px), rendered by all cores or read from cache_dir (delete the file after changing the
    drawing).
    """
    cache = cache_dir / f"drawn-{seed}-{count}-{px}.npy"
    if not cache.exists():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with Pool() as pool:
            pictures = np.stack(list(pool.imap(_render, ((seed, index, px) for index in range(count)), chunksize=100)))
        partial = cache.with_suffix(".partial.npy")
        np.save(partial, pictures)
        partial.rename(cache)
    return np.load(cache)


def _render(job):
    """One training picture as uint8 (3, px, px): drawn large, sometimes saved as JPEG, scaled as CLIP does."""
    seed, index, px = job
    rng = np.random.default_rng([seed, 2, index])
    picture = draw(scene_of(seed, index), (DRAWN_PX, DRAWN_PX), seed=int(rng.integers(2**31)), oversample=1)
    if rng.random() < 0.3:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=int(rng.integers(60, 95)))
        picture = Image.open(buffer)
    return np.asarray(picture.resize((px, px), Image.Resampling.BICUBIC)).transpose(2, 0, 1)


def batch_texts(scenes, rng, nonsense, only_short=False):
    """The texts of one batch and what they claim: (list of str, list of Query or None for nonsense), each text once.

    Among them are all `SHORT_QUERIES` in some wording, whether the pictures show them or not; with only_short no text
    is longer than those.
    """
    writer = Writer(rng)
    pairs = [] if only_short else [writer.whole(scene) for scene in scenes] + [writer.partial(s) for s in scenes]
    pairs += [writer.short(scene) for scene in scenes[::2]]
    near_misses = [] if only_short else [changed(scene, rng, NEAR_MISS_FIELDS) for scene in scenes[::2]]
    pairs += [writer.whole(scene) for scene in near_misses if not held_out(scene)]
    pairs += [(writer.text(query), query) for query in SHORT_QUERIES]
    texts = dict(pairs)
    for _ in range(SHORT_NONSENSE if only_short else NONSENSE):
        texts.setdefault(nonsense.text(rng), None)
    return list(texts), list(texts.values())
