"""Why this picture? Similarity matrices, what each word and each patch pulls, and a map of a library; for lessons.

The measuring functions take an encoder and give NumPy; the drawing ones take that and give a matplotlib figure. A pull
is the score with everything less the score with one part left out: positive where the part speaks for the match.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..search import occlusion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..models.encoder import Encoder

THUMBNAIL = 96


def similarity_matrix(encoder: Encoder, texts: Sequence[str], images: Sequence[Image.Image]) -> np.ndarray:
    """Cosine similarity of every text with every image: float32 (texts, images). The paper's figure 4.1."""
    return encoder.encode_texts(texts) @ encoder.encode_images(list(images)).T


def word_pulls(encoder: Encoder, text: str, image: Image.Image) -> list[tuple[str, float]]:
    """How much the score of `text` with `image` falls when a word is left out: (word, pull) in the text's order.

    QueryError for a text of fewer than two words.
    """
    words = text.split()
    without = [" ".join(words[:i] + words[i + 1 :]) for i in range(len(words))]
    scores = similarity_matrix(encoder, [text, *without], [image])[:, 0]
    return [(word, float(scores[0] - score)) for word, score in zip(words, scores[1:], strict=True)]


def patch_pulls(encoder: Encoder, text: str, image: Image.Image, cells: int = 6) -> np.ndarray:
    """How much the score falls when a patch is painted grey: float32 (cells, cells), rows from the top.

    Only the square that the model sees is cut into patches. The method is occlusion (Zeiler and Fergus, 2014).
    """
    return occlusion.patch_pulls(encoder, encoder.encode_texts([text])[0], image, cells)


def most_alike(embeddings: np.ndarray, k: int = 4) -> list[tuple[int, int, float]]:
    """The `k` pairs of rows that are most alike, of unit rows (n, d): [(row, other row, cosine)], the best first."""
    one, other = np.triu_indices(len(embeddings), 1)
    cosines = (embeddings @ embeddings.T)[one, other]
    best = np.argsort(-cosines, kind="stable")[:k]
    return [(int(one[at]), int(other[at]), float(cosines[at])) for at in best]


def fooled_by(encoder: Encoder, texts: Sequence[str], images: Sequence[Image.Image]) -> list[str]:
    """The texts that prefer another picture to their own, which stands at the same place; [] where all are right."""
    scores = similarity_matrix(encoder, texts, images)
    return [text for text, row, own in zip(texts, scores, scores.diagonal(), strict=True) if row.max() > own]


def map_points(embeddings: np.ndarray, seed: int = 0) -> np.ndarray:
    """Places in the plane, float32 (n, 2), for unit rows (n, d), n of at least 4: near where the cosine is high.

    t-SNE of scikit-learn on cosine distance: neighbourhoods can be trusted, distances between far groups cannot.
    """
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    return TSNE(metric="cosine", init="random", perplexity=perplexity, random_state=seed).fit_transform(embeddings)


def draw_strip(images: Sequence[Image.Image], titles: Sequence[str] = ()) -> Figure:
    """The pictures in a row under their titles; without any, numbered from 1."""
    figure, axes = _axes(1.5 * len(images), 1.5, columns=len(images))
    titles = titles or [str(number) for number in range(1, len(images) + 1)]
    for one, image, title in zip(np.atleast_1d(axes), images, titles, strict=True):
        one.imshow(image.convert("RGB"))
        one.set_title(title, fontsize=9)
        one.set_axis_off()
    return figure


def draw_matrix(matrix: np.ndarray, texts: Sequence[str], images: Sequence[Image.Image]) -> Figure:
    """A heat map of `similarity_matrix` with the pictures along its upper edge and every score in its cell."""
    figure, axes = _axes(1.1 * len(images) + 3, 0.5 * len(texts) + 1.4)
    axes.imshow(matrix, cmap="viridis", aspect="auto")
    axes.set_yticks(range(len(texts)), texts)
    axes.set_xticks([])
    middle = (matrix.min() + matrix.max()) / 2
    digits = 2 if np.ptp(matrix) > 0.05 else 3  # cells of other colours show other numbers
    for (row, column), score in np.ndenumerate(matrix):
        axes.text(column, row, f"{score:.{digits}f}", ha="center", va="center", color="w" if score < middle else "k")
    for column, image in enumerate(images):
        _picture(axes, image, (column, -0.5), 0.6, ("data", "data"), (0, 36))
    return figure


def draw_word_pulls(pulls: Sequence[tuple[str, float]]) -> Figure:
    """A bar a word: to the right what speaks for the match, to the left what speaks against it."""
    figure, axes = _axes(6, 0.35 * len(pulls) + 0.8)
    values = [pull for _, pull in pulls]
    axes.barh(range(len(pulls)), values, color=["#2f6fde" if value >= 0 else "#d9534f" for value in values])
    axes.set_yticks(range(len(pulls)), [word for word, _ in pulls])
    axes.invert_yaxis()
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_xlabel("cosine lost when the word is left out")
    return figure


def draw_patch_pulls(encoder: Encoder, image: Image.Image, pulls: np.ndarray) -> Figure:
    """The square that the model sees, and the same with its patches: red pulls towards the text, blue away from it."""
    figure, axes = _axes(7, 3.4, columns=2)
    seen, most = encoder.prepare(image), float(np.abs(pulls).max()) or 1.0
    for one in axes:
        one.imshow(seen, extent=(0, 1, 0, 1))
        one.set_axis_off()
    shown = axes[1].imshow(pulls, extent=(0, 1, 0, 1), cmap="coolwarm", alpha=0.65, vmin=-most, vmax=most)
    figure.colorbar(shown, ax=axes[1], label="cosine lost")
    return figure


def draw_map(points: np.ndarray, images: Sequence[Image.Image]) -> Figure:
    """The pictures themselves at their places on the map."""
    figure, axes = _axes(9, 7)
    axes.scatter(*points.T, s=0)
    for point, image in zip(points, images, strict=True):
        _picture(axes, image, tuple(point), 0.35)
    axes.set_axis_off()
    return figure


def _axes(width: float, height: float, columns: int = 1) -> Any:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, columns, figsize=(width, height), layout="constrained")
    pyplot.close(figure)  # a notebook shows the figure that a cell returns; left open, it would show it twice
    return figure, axes


def _picture(
    axes: Any, image: Image.Image, at: tuple, zoom: float, coordinates: Any = "data", offset: tuple[int, int] = (0, 0)
) -> None:
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    box = OffsetImage(np.asarray(small), zoom=zoom)
    shown = AnnotationBbox(box, at, xybox=offset, xycoords=coordinates, boxcoords="offset points", frameon=False)
    shown.set_in_layout(offset != (0, 0))  # inside the axes it needs no room of its own
    axes.add_artist(shown)
