"""What the benchmarks measure on: a random ViT-B/32, photos of 0.3 to 12 megapixels, rows that nobody encoded."""

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clip.model
import numpy as np
import pyarrow as pa
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from cliplib.cache import rows as rows_

HOME = Path(__file__).resolve().parents[2]
REAL = HOME.parent / "shared" / "media" / "photos"
OUT = HOME / "build" / "bench"
SHAPES = (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12)  # of ViT-B/32, in the order of clip.model.CLIP
SIDES = [(640, 480), (1024, 768), (1600, 1200), (2048, 1536), (3264, 2448), (4000, 3000)]  # 0.3 to 12 megapixels


def random_vit(folder: Path):
    """openai/CLIP's ViT-B/32 with random weights in fp32, and the file that they were saved to."""
    torch.manual_seed(0)
    model = clip.model.CLIP(*SHAPES).float().eval().requires_grad_(False)
    file = folder / "random-vit-b-32.safetensors"
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()}, file, {"activation": "quickgelu"}
    )
    return model, file


def drawn(number: int, size: tuple[int, int]) -> Image.Image:
    """A picture like no other: soft shapes and the fine grain that makes photographs large."""
    random, (width, height) = np.random.default_rng(number), size
    small = Image.fromarray(random.integers(60, 200, (height // 160, width // 160, 3), dtype=np.uint8))
    image = small.resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(8):
        x, y, r = random.integers(0, width), random.integers(0, height), random.integers(20, height // 3)
        pen.ellipse([x - r, y - r, x + r, y + r], fill=tuple(random.integers(0, 256, 3).tolist()))
    grain = Image.fromarray(random.integers(0, 256, (height // 2, width // 2), dtype=np.uint8)).resize(size)
    return Image.blend(image, Image.merge("RGB", [grain] * 3), 0.12)


def draw_photo(file: Path, number: int, size: tuple[int, int] | None = None) -> None:
    """A JPEG of a `drawn` picture, a quarter of them turned."""
    image = drawn(number, size or SIDES[number % len(SIDES)])
    exif = Image.Exif()
    exif[0x0112] = 6 if number % 4 == 3 else 1
    image.save(file, quality=88, exif=exif)


def photos(folder: Path, count: int) -> Path:
    """A folder of `count` different photos: the real ones of ../shared/media/photos where they are, then drawn ones."""
    folder.mkdir(parents=True)
    real = sorted(REAL.iterdir())[:count] if REAL.is_dir() else []
    for file in real:
        shutil.copy(file, folder / file.name)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        numbers = range(count - len(real))
        list(pool.map(draw_photo, [folder / f"drawn-{n:04d}.jpg" for n in numbers], numbers))
    return folder


def unit_rows(count: int, dim: int = 512, seed: int = 0) -> np.ndarray:
    """float32 (count, dim): random directions."""
    vectors = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    return np.divide(vectors, np.linalg.norm(vectors, axis=1, keepdims=True), out=vectors)


def table(vectors: np.ndarray, paths=None, sizes=None, mtimes=None) -> pa.Table:
    """Rows of an index with these embeddings, as of photos that were encoded."""
    n = len(vectors)
    paths = paths or [f"{i // 1000:04d}/IMG_{i:07d}.jpg" for i in range(n)]
    columns = {name: pa.nulls(n, kind) for name, kind in rows_.COLUMNS.items()}
    columns |= {"path": pa.array(paths), "kind": pa.array(["image"] * n)}
    columns |= {"size": pa.array(sizes or range(n), pa.int64()), "mtime_ns": pa.array(mtimes or range(n), pa.int64())}
    columns["digest"] = pa.array([hashlib.sha256(path.encode()).hexdigest() for path in paths])
    embedding = rows_.schema(vectors.shape[1]).field("embedding").type
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), type=embedding)
    return pa.Table.from_arrays(list(columns.values()), schema=rows_.schema(vectors.shape[1]))
