"""Ways to embed a folder of photos, what the machine allows at most, and whether the fast way is right; see bench.py.

The limit is made of bare parts, none of them cliplib's: plain Pillow with `draft` in two threads, and openai/CLIP's
`encode_image` under bf16 autocast in batches of 32. On the same cores they take turns: 1 / (1/decode + 1/encode).

The ceiling has nothing in between: Pillow with `draft` to 1.5 times the model's size, and the tower's products of
matrices in the faster of bf16 and fp32, by weights laid out beforehand. A ratio that is wanted and lies above its
ceiling is missed by the CPU; one that lies under it, by cliplib.
"""

import logging
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import clip.clip
import numpy as np
import torch
from PIL import Image, ImageOps

from cliplib import Library
from cliplib.cache.rows import matrix
from cliplib.media.photo import open_photo

BATCH, PIXELS, QUERIES, REPEATS = 32, 224, 200, 3


def paper_loop(model, files: list) -> None:
    """As in the paper: open, preprocess and encode one photo after another, in fp32."""
    preprocess = clip.clip._transform(PIXELS)
    with torch.no_grad():
        for file in files:
            model.encode_image(preprocess(ImageOps.exif_transpose(Image.open(file)))[None])


def threaded_fp32(model, files: list, upright=lambda file: ImageOps.exif_transpose(Image.open(file))) -> np.ndarray:
    """What one would write next: decoding in threads, encoding in batches, still fp32: unit rows."""
    preprocess = clip.clip._transform(PIXELS)
    with torch.inference_mode(), ThreadPoolExecutor(os.cpu_count()) as pool:
        opened = pool.map(lambda file: preprocess(upright(file)), files)
        rows = torch.cat([model.encode_image(torch.stack(batch)) for batch in _batches(opened)])
    return torch.nn.functional.normalize(rows, dim=-1).numpy()


def open_clip_model(model):
    """The peer with the same weights, and its own preprocessing. Raises where its rows are not the model's."""
    import open_clip

    logging.disable(logging.WARNING)  # it would say that the weights are random, which is meant
    theirs, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32-quickgelu", pretrained=None)
    logging.disable(logging.NOTSET)
    theirs.load_state_dict(model.state_dict())
    theirs.eval()
    pixels = torch.randn(2, 3, PIXELS, PIXELS, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(theirs.encode_image(pixels), model.encode_image(pixels), rtol=1e-3, atol=1e-4)
    return theirs, preprocess


class _Files(torch.utils.data.Dataset):
    """A folder as the peer's users write it, for PyTorch's DataLoader."""

    def __init__(self, files, preprocess):
        self.files, self.preprocess = files, preprocess

    def __len__(self):
        return len(self.files)

    def __getitem__(self, at):
        return self.preprocess(Image.open(self.files[at]))


def peer(theirs, preprocess, files: list) -> None:
    """open_clip's own path: its transforms in PyTorch's DataLoader with a process a core, batches of 32."""
    batches = torch.utils.data.DataLoader(_Files(files, preprocess), batch_size=BATCH, num_workers=os.cpu_count())
    with torch.inference_mode():
        for batch in batches:
            theirs.encode_image(batch)


def bare_decode(files: list, times: float = 2) -> list[np.ndarray]:
    """Plain Pillow with `draft` to so many times 224 pixels in two threads, then to float32 (3, 224, 224)."""

    def one(file):
        image = Image.open(file)
        image.draft("RGB", (int(times * PIXELS), int(times * PIXELS)))
        image = ImageOps.exif_transpose(image).convert("RGB")
        scale = PIXELS / min(image.size)
        image = image.resize([max(PIXELS, round(side * scale)) for side in image.size], Image.Resampling.BICUBIC)
        left, top = ((side - PIXELS) // 2 for side in image.size)
        array = np.asarray(image.crop((left, top, left + PIXELS, top + PIXELS)), np.float32)
        return array.transpose(2, 0, 1) / 127.5 - 1

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, files))


def bare_encode(model, pixels: list[np.ndarray], device="cpu") -> None:
    """openai/CLIP's `encode_image` under bf16 autocast in batches of 32."""
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16):
        for batch in _batches(pixels):
            model.encode_image(torch.from_numpy(np.stack(batch)).to(device))
        if device != "cpu":
            torch.cuda.synchronize()


# Of ViT-B/32 for one picture, (rows, in, out): the patches, and eleven blocks; of the last, only one position is read.
PRODUCTS = [(49, 3072, 768), *11 * [(50, 768, 2304), (50, 768, 768), (50, 768, 3072), (50, 3072, 768)]]


def bare_products(dtype: torch.dtype):
    """A function that multiplies the matrices of ViT-B/32 for a batch, and does nothing else."""
    pairs = {}
    for n, size, out in PRODUCTS:
        weight = torch.ones(out, size, dtype=dtype)
        try:
            weight = torch.ops.mkldnn._reorder_linear_weight(weight, BATCH * n)
            product = partial(torch.ops.mkldnn._linear_pointwise, B=None, attr="none", scalars=[], algorithm="")
        except (AttributeError, RuntimeError):  # a PyTorch or a CPU that has no layout of its own
            product = torch.nn.functional.linear
        pairs[n, size, out] = product, torch.ones(BATCH * n, size, dtype=dtype), weight

    def run():
        with torch.inference_mode():
            for shape in PRODUCTS:
                product, left, right = pairs[shape]
                product(left, right)

    return run


def measure(model, weights: Path, folder: Path, rounds: int) -> dict:
    """Photos a second by way, each the best of `rounds`; and the embeddings of cliplib beside the reference's."""
    files = sorted(folder.iterdir())
    theirs, preprocess = open_clip_model(model)
    pixels = bare_decode(files[:BATCH])
    gpu = torch.cuda.is_available()
    on_gpu = _copy_on_gpu(model) if gpu else None
    library = Library(folder, weights, cache=tempfile.mkdtemp(prefix="cliplib-bench-"))
    library.encoder.encode_images([np.zeros((PIXELS, PIXELS, 3), np.uint8)] * BATCH)  # loaded and warm, as the others
    ways = {
        "paper_loop": lambda: paper_loop(model, files),
        "threaded_fp32": lambda: threaded_fp32(model, files),
        "peer": lambda: peer(theirs, preprocess, files),
        "cliplib": lambda: _index(folder, weights, library.encoder),
        "bare_decode": lambda: bare_decode(files),
        "bare_encode": lambda: bare_encode(model, pixels * (len(files) // BATCH or 1)),
        "bare_draft": lambda: bare_decode(files, 1.5),
        "products_fp32": _repeated(bare_products(torch.float32)),
        "products_bf16": _repeated(bare_products(torch.bfloat16)),
    }
    if gpu:
        ways["bare_encode"] = lambda: bare_encode(on_gpu, pixels * (len(files) // BATCH or 1), "cuda")
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            found = way()
            best[name] = min(best[name], time.perf_counter() - started)
            library = found if name == "cliplib" else library
    counts = dict.fromkeys(ways, len(files)) | {"bare_encode": len(pixels) * (len(files) // BATCH or 1)}
    counts |= dict.fromkeys(("products_fp32", "products_bf16"), REPEATS * BATCH)
    rates = {name: counts[name] / seconds for name, seconds in best.items()}
    rates["limit"] = 1 / (1 / rates["bare_decode"] + 1 / rates["bare_encode"])
    rates["ceiling"] = 1 / (1 / rates["bare_draft"] + 1 / max(rates["products_fp32"], rates["products_bf16"]))
    order = {path: row for row, path in enumerate(library.store.rows["path"].to_pylist())}
    # The same upright pictures at full size: Pillow alone leaves some iPhone photos lying on their side.
    reference = threaded_fp32(model, files, lambda file: open_photo(file).image)
    fast = matrix(library.store.rows)[[order[file.name] for file in files]]
    return {"rates": rates, "precision": library.encoder.precision} | quality(fast, reference, library.encoder)


def quality(fast: np.ndarray, reference: np.ndarray, encoder) -> dict:
    """How far the fast embeddings are from fp32's, and whether any of 200 queries orders its top 5 differently for more
    than that: `top5_worst_gap` is the widest gap, in the reference's scores, between two photos that changed places."""
    queries = encoder.encode_texts([f"photo number {n} of a {word}" for n, word in enumerate(_words(QUERIES))])
    right, ours = queries @ reference.T, queries @ fast.T
    error, gaps = np.abs(ours - right).max(), [0.0]
    for scores, changed in zip(right, ours, strict=True):
        first, second = np.argsort(-scores, kind="stable")[:5], np.argsort(-changed, kind="stable")[:5]
        gaps += [abs(scores[a] - scores[b]) for a, b in zip(first, second, strict=True) if a != b]
    cosines = np.einsum("nd,nd->n", fast, reference)
    figures = {"embedding_cosine_p1": float(np.quantile(cosines, 0.01)), "score_error": float(error)}
    return figures | {"top5_changed": sum(gap > 0 for gap in map(float, gaps)), "top5_worst_gap": float(max(gaps))}


def _index(folder: Path, weights: Path, encoder) -> Library:
    """The whole of `Library.index`: walk, digests, thumbnails and saving; only loading the model is not counted."""
    library = Library(folder, weights, cache=tempfile.mkdtemp(prefix="cliplib-bench-"))
    library.encoder = encoder
    library.index(progress=False)
    return library


def _repeated(action):
    return lambda: [action() for _ in range(REPEATS)]


def _batches(items):
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _copy_on_gpu(model):
    import copy

    return copy.deepcopy(model).cuda()


def _words(count: int) -> list[str]:
    things = "dog cat car beach boat tree house child bird horse street flower mountain kite cake train lamp book"
    return [f"{a} and a {b}" for a in things.split() for b in things.split() if a != b][:count]
