"""The self-test: published numbers beside measured ones."""

import numpy as np
import pytest
from PIL import Image

from cliplib.errors import ModelError
from cliplib.lessons import selftest as module
from cliplib.lessons.selftest import CATS_COSINES, DESCRIBED, LABELS, PUBLISHED, as_table, selftest, shipped_pictures
from tests.harness.checkpoints import random_clip, save_torchscript

FILES = ["CLIP.png", "000000039769.jpg", *DESCRIBED]
DIM = 64


class Stub:
    """Answers with the cosines that are published, whatever a picture shows but its shade: 10 times its number."""

    name, model_id, dim, logit_scale = "stub", "0" * 64, DIM, 100.0

    def __init__(self, **wrong):
        self.wrong = wrong
        shown = dict(zip(LABELS, (0.2555, 0.2009, 0.1975), strict=True))
        self.rows = {text: {0: cosine} for text, cosine in shown.items()}
        self.rows |= {text: {1: cosine} for text, cosine in CATS_COSINES.items()}
        for number, (name, (text, own)) in enumerate(DESCRIBED.items(), 2):
            others = {at: 0.11 + 0.11 * ((at + number) % 2) for at in range(2, len(FILES))}
            self.rows[f"This is {text}"] = others | {number: wrong.get(name.partition(".")[0], own)}

    def encode_images(self, images):
        return np.eye(DIM, dtype=np.float32)[[round(image.getpixel((0, 0))[0] / 10) for image in images]]

    def encode_texts(self, texts):
        rows = np.zeros((len(texts), DIM), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for at, cosine in self.rows.get(text, {}).items():
                row[at] = cosine
            rest = np.random.default_rng(list(text.encode())).standard_normal(DIM - 12)
            row[12:] = rest * np.sqrt(1 - row @ row) / np.linalg.norm(rest)
        return rows


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A folder with all pictures, no scikit-image, and no network."""
    for number, name in enumerate(FILES):
        Image.new("RGB", (8, 8), (10 * number,) * 3).save(tmp_path / name)

    def no_network(address):
        raise OSError("no network")

    monkeypatch.setattr(module, "open_url", no_network)
    monkeypatch.setattr(module, "shipped_pictures", lambda: None)
    return tmp_path


def test_published_numbers_pass_and_the_bank_is_measured(pictures, monkeypatch):
    monkeypatch.setattr(module, "load", lambda *_, **__: Stub())
    result = selftest(pictures=pictures)
    assert result["passed"] and not result["skipped"] and len(result["checks"]) == 3 + 2 + 8 + 2
    assert result["max_difference"] <= result["tolerance"]
    bank = result["bank"]
    assert (bank["overlap"], bank["described"], bank["first"]) == (0, 8, 8) and bank["texts"] > 1000
    assert 0 < bank["f1"] <= 1
    table = as_table(result)
    assert "all 15 numbers are as published" in table and "FAILED" not in table
    assert "8 of 8 descriptions find their picture first" in table


def test_the_number_that_is_off_is_named(pictures, monkeypatch):
    monkeypatch.setattr(module, "load", lambda *_, **__: Stub(coffee=0.27))
    result = selftest(pictures=pictures)
    assert [check["picture"] for check in result["checks"] if not check["passed"]] == ["coffee.png"]
    assert not result["passed"] and result["bank"] is None
    (line,) = [line for line in as_table(result).splitlines() if "FAILED" in line]
    assert "a cup of coffee" in line and "0.2700" in line and "0.2900" in line
    assert "1 of 15 numbers differ" in as_table(result)


def test_what_is_not_there_is_skipped_and_said(pictures, monkeypatch):
    monkeypatch.setattr(module, "load", lambda *_, **__: Stub())
    for name in FILES[1:]:
        (pictures / name).unlink()
    result = selftest(pictures=pictures)
    assert result["passed"] and len(result["checks"]) == 3 and result["bank"]["first"] is None
    said = as_table(result)
    assert "no network" in said and "pip install scikit-image adds these checks" in said
    (pictures / "CLIP.png").unlink()
    with pytest.raises(ModelError, match=r'no picture with published .* picture="/path/CLIP.png".*COCO'):
        selftest(pictures=pictures)


def test_the_pictures_of_scikit_image_are_found(pictures, monkeypatch):
    monkeypatch.setattr(module, "load", lambda *_, **__: Stub())
    package = pictures / "skimage"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").touch()
    for name in DESCRIBED:
        (pictures / name).rename(package / "data" / name)
    monkeypatch.setattr(module, "shipped_pictures", shipped_pictures)
    monkeypatch.syspath_prepend(pictures)
    result = selftest()
    assert result["passed"] and result["measured"] is None and len(result["checks"]) == 10
    assert len(result["skipped"]) == 2


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_torchscript(random_clip("small"), tmp_path_factory.mktemp("model") / "random.pt")


def test_random_weights_do_not_pass(model, pictures):
    result = selftest(model, pictures=pictures)
    assert result["passed"] is False and result["bank"] is None
    assert sum(result["measured"]) == pytest.approx(1)
    expected = max(abs(a - b) for a, b in zip(result["measured"], PUBLISHED, strict=True))
    assert result["max_difference"] == pytest.approx(expected) and expected > result["tolerance"]


def test_says_how_to_give_the_picture(model, tmp_path):
    with pytest.raises(
        ModelError, match=r'the example picture cannot be had from .*nowhere.png.* picture="/path/CLIP.png"'
    ):
        selftest(model, picture=tmp_path / "nowhere.png")
