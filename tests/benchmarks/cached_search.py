"""A query over 200 photos: the paper's way (encode every photo, every time) and a search over the cached index.

Run by `make bench`. Random weights of ViT-B/32's shapes: the numbers mean nothing, the time is that of the real model.
Prints a table and writes build/bench/cached_search.json.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import clip.clip
import clip.model
import pillow_heif
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file

from cliplib import Library

HOME = Path(__file__).resolve().parents[2]
SAMPLE = HOME / "data" / "sample"
PHOTOS, QUERIES = 200, 20
SHAPES = (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12)  # of ViT-B/32, in the order of clip.model.CLIP


def paper_query(model, photos, text) -> list:
    """One query as in the paper: every photo opened, preprocessed and encoded one by one, then compared."""
    preprocess = clip.clip._transform(model.visual.input_resolution)
    with torch.no_grad():
        query = model.encode_text(clip.clip.tokenize([text]))
        scores = []
        for photo in photos:
            image = ImageOps.exif_transpose(Image.open(photo))
            row = model.encode_image(preprocess(image)[None])
            scores.append((torch.cosine_similarity(query, row).item(), photo.name))
    return sorted(scores, reverse=True)[:5]


def main() -> None:
    """Measure both, print them, write them."""
    torch.manual_seed(0)
    pillow_heif.register_heif_opener()
    model = clip.model.CLIP(*SHAPES).float().eval()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random-vit-b-32.safetensors"
        save_file({n: t.contiguous() for n, t in model.state_dict().items()}, weights, {"activation": "quickgelu"})
        library = Library(SAMPLE, model=weights, cache=Path(folder) / "cache")
        started = time.perf_counter()
        report = library.index()
        index_s = time.perf_counter() - started
        photos = [library.root / path for path in library.photos()][:PHOTOS]
        started = time.perf_counter()
        paper_query(model, photos, "a red car")
        paper_s = time.perf_counter() - started
        library.search("warm up", threshold=-1)
        times = []
        for i in range(QUERIES):
            started = time.perf_counter()
            library.search(f"a red car, number {i}", threshold=-1)
            times.append(time.perf_counter() - started)
    cached_s = statistics.median(times)
    figures = {"photos": len(photos), "paper_query_s": paper_s, "cached_query_s": cached_s, "ratio": paper_s / cached_s}
    figures |= {"index_once_s": index_s, "index_photos": report.photos, "index_frames": report.frames}
    print(f"{'a query over ' + str(len(photos)) + ' photos':44s}{'seconds':>10s}")
    print(f"{'paper: encode every photo, every query':44s}{paper_s:10.2f}")
    print(f"{'cliplib: search the cached index (median)':44s}{cached_s:10.3f}")
    print(f"indexing once, {report.photos} photos and {report.frames} video frames: {index_s:.1f} s")
    out = HOME / "build" / "bench" / "cached_search.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    sys.exit(main())
