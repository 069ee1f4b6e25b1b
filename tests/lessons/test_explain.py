"""What pulls: checked with an encoder whose scores can be worked out by hand."""

import numpy as np
import pytest
from PIL import Image

from cliplib.lessons import explain

AXES = {"red": 0, "green": 1, "blue": 2}


class Worked:
    """Pictures are their mean red, green and blue at length one; a text is the sum of its colour words' axes."""

    def prepare(self, image):
        return np.asarray(image.convert("RGB").resize((12, 12), Image.Resampling.NEAREST))

    def encode_images(self, images):
        arrays = [image if isinstance(image, np.ndarray) else self.prepare(image) for image in images]
        return self.unit(np.stack([array.reshape(-1, 3).mean(0) for array in arrays]))

    def encode_texts(self, texts):
        texts = [texts] if isinstance(texts, str) else texts
        rows = np.zeros((len(texts), 3))
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[AXES.get(word, 0)] += 1 if word in AXES else 0
        return self.unit(rows + 1e-9)

    @staticmethod
    def unit(rows):
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


RED, GREEN = (Image.new("RGB", (24, 24), colour) for colour in ((200, 0, 0), (0, 200, 0)))


def test_similarity_matrix_has_a_row_a_text_and_a_column_an_image():
    matrix = explain.similarity_matrix(Worked(), ["red", "green", "red green"], [RED, GREEN])
    assert matrix == pytest.approx(np.array([[1, 0], [0, 1], [0.5**0.5, 0.5**0.5]]), abs=1e-6)


def test_the_most_alike_pairs_are_named_once_also_where_all_cosines_are_negative():
    rows = Worked.unit(np.array([[1.0, 0], [0.8, 0.6], [0, 1], [-1, 0.1]]))
    best = explain.most_alike(rows, k=2)
    assert [(one, other) for one, other, _ in best] == [(0, 1), (1, 2)]
    assert [cosine for *_, cosine in best] == pytest.approx([0.8, 0.6], abs=1e-6)
    apart = Worked.unit(np.array([[1.0, 0], [-0.5, 0.8], [-0.5, -0.8]]))
    assert explain.most_alike(apart, k=1)[0][2] < 0


def test_a_text_is_fooled_that_prefers_another_picture_than_its_own():
    assert explain.fooled_by(Worked(), ["red", "green"], [RED, GREEN]) == []
    assert explain.fooled_by(Worked(), ["red", "red"], [RED, GREEN]) == ["red"]


def test_a_word_pulls_what_the_score_loses_without_it():
    pulls = dict(explain.word_pulls(Worked(), "red big green", RED))
    assert pulls == pytest.approx({"red": 0.5**0.5, "big": 0, "green": 0.5**0.5 - 1}, abs=1e-6)


def test_the_patch_that_shows_the_thing_pulls_most():
    scene = Image.new("RGB", (24, 24), (0, 200, 0))
    scene.paste((250, 0, 0), (16, 0, 24, 8))  # red in the upper right of 3 x 3 patches
    pulls = explain.patch_pulls(Worked(), "red", scene, cells=3)
    assert pulls.shape == (3, 3)
    assert np.unravel_index(pulls.argmax(), pulls.shape) == (0, 2)
    assert (np.delete(pulls.ravel(), 2) < 0).all()  # without a green patch the red one weighs more


def test_like_pictures_lie_together_on_the_map():
    random = np.random.default_rng(0)
    centres = np.repeat(np.eye(8)[:2], 15, axis=0)
    points = explain.map_points(Worked.unit(centres + 0.05 * random.standard_normal((30, 8))))
    first, second = points[:15], points[15:]
    spread = max(np.linalg.norm(group - group.mean(0), axis=1).max() for group in (first, second))
    assert np.linalg.norm(first.mean(0) - second.mean(0)) > 2 * spread


def test_the_drawings_show_what_they_were_given():
    encoder, texts = Worked(), ["red", "green"]
    matrix = explain.similarity_matrix(encoder, texts, [RED, GREEN])
    axes = explain.draw_matrix(matrix, texts, [RED, GREEN]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == texts
    assert [text.get_text() for text in axes.texts][:4] == ["1.00", "0.00", "0.00", "1.00"]
    assert [one.get_title() for one in explain.draw_strip([RED, GREEN]).axes] == ["1", "2"]
    assert [one.get_title() for one in explain.draw_strip([RED, GREEN], ["a", "b"]).axes] == ["a", "b"]
    bars = explain.draw_word_pulls([("red", 0.5), ("dog", -0.1)]).axes[0].patches
    assert [bar.get_width() for bar in bars] == [0.5, -0.1]
    assert len(explain.draw_patch_pulls(encoder, RED, np.zeros((3, 3))).axes) == 3  # two pictures and a scale
    assert len(explain.draw_map(np.zeros((2, 2)), [RED, GREEN]).axes[0].artists) == 2
