"""Training before a class: the exam is fair, the figure follows, and a stop by hand keeps the model."""

from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from cliplib import models
from data.sample_library.truth import photos_showing, queries
from data.tiny import lesson
from data.tiny.model import Config, build_model
from data.world import captions, scenes

CONFIG = Config(steps=4, stop_at=3, scenes=64, batch=16, image_px=32, vision_layers=(1, 1, 1, 1), text_layers=1)


@pytest.fixture(scope="module")
def exam():
    return lesson.Exam(CONFIG)


@pytest.fixture
def shown(monkeypatch):
    """What the live figure was drawn from: (step, loss, scores), and no display."""
    seen = []
    monkeypatch.setattr(lesson._Picture, "__init__", lambda self, steps: None)
    monkeypatch.setattr(lesson._Picture, "show", lambda self, *told: seen.append(told))
    return seen


def test_every_scene_of_the_exam_has_a_combination_that_training_never_sees(monkeypatch):
    asked = []

    def random_scene(rng, held_out_only):
        asked.append(held_out_only)
        return scenes.random_scene(rng, held_out_only)

    monkeypatch.setattr(lesson.figures, "random_scene", random_scene)
    exam = lesson.Exam(CONFIG)
    assert len(exam.texts) == len(exam.pictures) == 100 and len(set(exam.texts)) == 100
    assert all(asked)


def test_an_untrained_model_guesses(exam):
    assert exam.scores(build_model(CONFIG)).shape == (100, 100)
    assert exam.recall(build_model(CONFIG), 5) < 0.2  # by chance 0.05
    assert exam.recall(build_model(CONFIG), 100) == 1


def test_trains_looks_and_saves_a_model_that_the_library_reads(exam, shown, tmp_path):
    model = exam.train(every=2, cache_dir=tmp_path)
    assert [step for step, _, _ in shown] == [1, 2]
    assert all(scores.shape == (100, 100) for _, _, scores in shown)
    encoder = models.load(exam.save(model, tmp_path / "mine.safetensors"), device="cpu")
    assert encoder.resolution == 32
    ours = encoder.encode_texts(exam.texts[:3]) @ encoder.encode_images(exam.pictures[:3]).T
    assert ours == pytest.approx(exam.scores(model)[:3, :3], abs=2e-2)  # saved in half precision


def test_counts_the_right_ones_among_five_by_the_truth_of_the_sample():
    cars = photos_showing(lesson.ASKED["a red car"])
    found = {"a red car": [*cars[:3], "no.jpg", "car.jpg"], "a dog": ["no.jpg"], "a boat": []}
    library = SimpleNamespace(search=lambda text, k, threshold: [SimpleNamespace(path=path) for path in found[text]])
    assert lesson.right_of_five(library) == {"a red car": 3, "a dog": 0, "a boat": 0}


def test_the_truth_of_any_query_is_that_of_queries_csv():
    writer, asked = captions.Writer(np.random.default_rng(0), plain=True), dict(queries("text->image"))
    known = [query for query in scenes.SHORT_QUERIES if writer.text(query) in asked]
    assert len(known) > 30
    for query in known:
        assert sorted(photos_showing(query)) == sorted(asked[writer.text(query)].split("|"))


def test_the_notebook_trains_what_is_measured(repo):
    cells = nbformat.read(repo / "notebooks" / "11_train_a_tiny_clip.ipynb", 4).cells
    said = next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    assert f"steps = {lesson.STEPS}\nscenes = {lesson.SCENES} " in said


def test_a_stop_by_hand_keeps_what_was_learned(exam, shown, tmp_path, monkeypatch):
    def stop(self, step, loss, scores):
        raise KeyboardInterrupt

    monkeypatch.setattr(lesson._Picture, "show", stop)
    stopped, untouched = exam.train(cache_dir=tmp_path), build_model(CONFIG)
    assert not np.allclose(exam.scores(stopped), exam.scores(untouched.eval()))
