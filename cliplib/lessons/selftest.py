"""Check real weights against numbers that openai/CLIP's README and notebook, and transformers, have published."""

from __future__ import annotations

import importlib.util
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import ModelError
from ..models import load
from ..models.fetch import open_url
from ..search.background import SAME_MEANING, cutoff, match
from ..search.bank import EVERYDAY, read_texts

if TYPE_CHECKING:
    from ..models import Encoder

PICTURE = "https://raw.githubusercontent.com/openai/CLIP/d05afc436d78f1c48dc0dbf8e5980a9d471f35f6/CLIP.png"
LABELS = ("a diagram", "a dog", "a cat")
PUBLISHED = (0.9927937, 0.00421068, 0.00299572)  # ViT-B/32, README of openai/CLIP
TOLERANCE = 0.002  # the published numbers were computed with weights in half precision
CATS = "http://images.cocodataset.org/val2017/000000039769.jpg"
CATS_COSINES = {"a photo of a cat": 0.245701, "a photo of a dog": 0.193049}  # transformers' test of ViT-B/32
COSINE_TOLERANCE = 0.002
DESCRIBED = {  # Interacting_with_CLIP.ipynb of openai/CLIP: "This is ...", and the cosine, read off its figure
    "page.png": ("a page of text about segmentation", 0.35),
    "astronaut.png": ("a portrait of an astronaut with the American flag", 0.28),
    "rocket.jpg": ("a rocket standing on a launchpad", 0.30),
    "chelsea.png": ("a facial photo of a tabby cat", 0.31),
    "horse.png": ("a black-and-white silhouette of a horse", 0.35),
    "coffee.png": ("a cup of coffee on a saucer", 0.29),
    "camera.png": ("a person looking at a camera on a tripod", 0.29),
    "motorcycle_right.png": ("a red motorcycle standing in a garage", 0.32),
}
OTHERS = (0.11, 0.22)  # the least and the greatest cosine with the description of another picture, in the same figure
READ_OFF = 0.01  # two digits were read, of half precision
REDRAWN = {"camera.png": 0.06}  # scikit-image 0.18 has put another photo of the same kind in its place


@dataclass(frozen=True)
class Check:
    """One published number: a `text` asked of a `picture`, the `measured` number, and how far off it may be."""

    picture: str
    text: str
    measured: float
    published: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether what was measured is near enough."""
        return abs(self.measured - self.published) <= self.tolerance

    def __str__(self) -> str:
        verdict = "ok" if self.passed else "FAILED"
        numbers = f"{self.measured:8.4f} {self.published:10.4f} {self.tolerance:10.4f}"
        return f"{self.picture:22} {self.text:58} {numbers}  {verdict}"


def selftest(
    model: str | Path = "ViT-B/32",
    picture: str | Path | None = None,
    device: str | None = None,
    pictures: str | Path | None = None,
) -> dict[str, Any]:
    """Measure, in fp32, what a model answers for pictures with published numbers, and put it beside those numbers.

    The pictures: CLIP.png of openai/CLIP and COCO's photo 39769, both fetched, and those of openai/CLIP's notebook,
    which come with scikit-image where it is installed. What cannot be had is skipped and said. Where all is as
    published, the everyday bank of texts is measured as well.

    Args:
        model: "ViT-B/32" or the path of its weights; no other model has published numbers.
        picture: The path of CLIP.png. None: looked for in `pictures`, else fetched from GitHub.
        device: As for `models.load`.
        pictures: A folder with any of these pictures, which goes first.

    Returns:
        passed, model, model_id; "checks", a list of picture, text, measured, published, tolerance and passed;
        "skipped", what was not checked and why; "bank", see `bank_figures`, None where something failed. Of
        CLIP.png also labels, measured (None where it was skipped), published, max_difference and tolerance, of
        probabilities.

    Raises:
        ModelError: the weights cannot be had, or a `picture` that was given, or no picture at all.
    """
    encoder = load(model, device=device, precision="fp32")
    folder, skipped = Path(pictures) if pictures else None, list[str]()
    odds = _measured_odds(encoder, picture, folder, skipped)
    described = _described(folder, skipped)
    vectors, texts = _encoded(encoder, described)
    checks = [*_readme(odds), *_cats(encoder, folder, skipped), *_notebook(list(described), texts @ vectors.T)]
    if not checks:
        raise ModelError(f"no picture with published numbers can be had: {'; '.join(skipped)}")
    passed = all(check.passed for check in checks)
    difference = None if odds is None else float(np.abs(np.subtract(odds, PUBLISHED)).max())
    return {
        "passed": passed,
        "model": encoder.name,
        "model_id": encoder.model_id,
        "checks": [asdict(check) | {"passed": check.passed} for check in checks],
        "skipped": skipped,
        "bank": bank_figures(encoder, vectors, texts) if passed else None,
        "labels": list(LABELS),
        "measured": odds,
        "published": list(PUBLISHED),
        "max_difference": difference,
        "tolerance": TOLERANCE,
    }


def as_table(result: dict[str, Any]) -> str:
    """The result of `selftest` for a person: every number measured and published, what was skipped, the verdict."""
    lines = [f"{'picture':22} {'text':58} measured  published  tolerance"]
    checks = [Check(**{name: value for name, value in row.items() if name != "passed"}) for row in result["checks"]]
    lines += [*map(str, checks), *(f"skipped: {words}" for words in result["skipped"])]
    if bank := result["bank"]:
        lines.append(f"the bank: {bank['texts']} texts, {bank['overlap']:.1%} with another that says the same")
        if bank["described"]:
            lines.append(
                f"by match: {bank['first']} of {bank['described']} descriptions find their picture first; "
                f"F1 at the cutoff without labels {bank['f1']:.2f}"
            )
    failed = sum(not check.passed for check in checks)
    verdict = f"{failed} of {len(checks)} numbers differ" if failed else f"all {len(checks)} numbers are as published"
    return "\n".join([*lines, f"{result['model']} ({result['model_id'][:12]}): {verdict}"])


def bank_figures(encoder: Encoder, pictures: np.ndarray, texts: np.ndarray) -> dict[str, Any]:
    """The everyday bank under a model.

    Args:
        encoder: The model.
        pictures: Unit rows, float32 (p, d).
        texts: The same of each picture's description.

    Returns:
        "texts", how many the bank has; "overlap", the share of them whose nearest other has a cosine of 0.95;
        "described", p; "first", how many pictures come first for their description by match; "f1" of what the cutoff
        without labels shows.
    """
    bank = encoder.encode_texts(read_texts(EVERYDAY))
    likeness = bank @ bank.T
    np.fill_diagonal(likeness, -1)
    figures = {
        "texts": len(bank),
        "overlap": float((likeness.max(axis=1) >= SAME_MEANING).mean()),
        "described": len(pictures),
    }
    if not len(pictures):
        return figures | {"first": None, "f1": None}
    matches = match(texts, pictures, bank, query_kind="text")
    shown = matches >= cutoff(texts, pictures, bank, query_kind="text")[:, None]
    first = int((matches.argmax(axis=1) == np.arange(len(pictures))).sum())
    return figures | {"first": first, "f1": float(2 * np.trace(shown) / (shown.sum() + len(pictures)))}


def _readme(odds: list[float] | None) -> list[Check]:
    """The checks of the three probabilities in openai/CLIP's README; none where the picture was skipped."""
    return [Check("CLIP.png", *numbers, TOLERANCE) for numbers in zip(LABELS, odds or (), PUBLISHED, strict=False)]


def _measured_odds(
    encoder: Encoder, picture: str | Path | None, folder: Path | None, skipped: list[str]
) -> list[float] | None:
    """The probabilities of the labels for CLIP.png; None where it was not given and cannot be had."""
    try:
        image = _read(Path(picture)) if picture else _from_folder_or(folder, PICTURE)
    except Exception as error:  # files, networks and decoders raise many kinds
        words = (
            f"the example picture cannot be had from {picture or PICTURE}: {error}. Fetch CLIP.png of openai/CLIP "
            'elsewhere and give it as picture="/path/CLIP.png"'
        )
        if picture:
            raise ModelError(words) from error
        skipped.append(words)
        return None
    logits = encoder.logit_scale * (encoder.encode_texts(LABELS) @ encoder.encode_images([image])[0])
    odds = np.exp(logits - logits.max())
    return [float(value) for value in odds / odds.sum()]


def _cats(encoder: Encoder, folder: Path | None, skipped: list[str]) -> list[Check]:
    """The cosines of COCO's two cats on a sofa."""
    try:
        image = _from_folder_or(folder, CATS)
    except Exception as error:  # as above
        skipped.append(f"COCO's photo cannot be had from {CATS}: {error}")
        return []
    cosines = encoder.encode_texts(tuple(CATS_COSINES)) @ encoder.encode_images([image])[0]
    numbers = zip(CATS_COSINES.items(), cosines, strict=True)
    return [Check("COCO 39769", text, float(value), known, COSINE_TOLERANCE) for (text, known), value in numbers]


def _described(folder: Path | None, skipped: list[str]) -> dict[str, Image.Image]:
    """The pictures of the notebook that are here, by their files' names."""
    places = [place for place in (folder, shipped_pictures()) if place]
    found = {name: next((at / name for at in places if (at / name).is_file()), None) for name in DESCRIBED}
    if missing := [name for name, file in found.items() if file is None]:
        skipped.append(f"{', '.join(missing)} of openai/CLIP's notebook: pip install scikit-image adds these checks")
    return {name: _read(file) for name, file in found.items() if file}


def shipped_pictures() -> Path | None:
    """The folder of scikit-image's pictures; None where it is not installed."""
    package = importlib.util.find_spec("skimage")
    folders = package.submodule_search_locations if package else None
    return Path(folders[0], "data") if folders else None


def _encoded(encoder: Encoder, described: dict[str, Image.Image]) -> tuple[np.ndarray, np.ndarray]:
    """The pictures and their descriptions: two of float32 (p, d)."""
    if not described:
        return np.zeros((0, encoder.dim), np.float32), np.zeros((0, encoder.dim), np.float32)
    texts = [f"This is {DESCRIBED[name][0]}" for name in described]
    return encoder.encode_images(list(described.values())), encoder.encode_texts(texts)


def _notebook(names: list[str], cosines: np.ndarray) -> list[Check]:
    """The checks of the notebook's figure. cosines: float (p, p), of descriptions with pictures."""
    checks = []
    for at, name in enumerate(names):
        text, published = DESCRIBED[name]
        tolerance = REDRAWN.get(name, READ_OFF)
        checks.append(Check(name, f"This is {text}", float(cosines[at, at]), published, tolerance))
    same = [at for at, name in enumerate(names) if name not in REDRAWN]
    others = [cosines[text, at] for at in same for text in range(len(names)) if text != at]
    if len(names) == len(DESCRIBED):  # the extremes are those of the whole figure
        checks.append(
            Check("any of these", "another's description, least", float(min(others)), OTHERS[0], 2 * READ_OFF)
        )
        checks.append(Check("any of these", "another's description, most", float(max(others)), OTHERS[1], 2 * READ_OFF))
    return checks


def _from_folder_or(folder: Path | None, address: str) -> Image.Image:
    """A picture from a folder, by the name that its address ends with, or else from that address."""
    file = folder / address.rpartition("/")[2] if folder else None
    if file and file.is_file():
        return _read(file)
    with open_url(address) as answer:
        return Image.open(io.BytesIO(answer.read())).convert("RGB")


def _read(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")
