"""What notebook 11 needs to train a tiny CLIP before a class: an exam of unseen scenes, and a figure that follows.

python -m data.tiny.lesson                # trains as the notebook does, adds what it finds to build/page.json
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from IPython.display import display

import cliplib
from data.evaluation import figures
from data.sample_library.truth import photos_showing
from data.tiny import train
from data.tiny.model import Config, Tokens, build_model, encode_images, encode_texts
from data.world.drawing import draw
from data.world.scenes import Query, Thing

EXAM_SEED, EXAM_SCENES, SHOWN = 31, 100, 10
STEPS, SCENES = 1300, 12000
SAMPLE = train.REPO / "data" / "sample"
ASKED = {
    "a red car": Query((Thing("car", "red"),)),
    "a dog": Query((Thing("dog"),)),
    "a boat": Query((Thing("boat"),)),
}


def recipe(steps=STEPS, scenes=SCENES):
    """The `Config` of a training that fits a lesson: smaller pictures and fewer layers than the tiny model's, and short
    texts first.
    """
    return Config(steps=steps, stop_at=steps, scenes=scenes, image_px=64, text_layers=2, short_first=0.85)


def right_of_five(library):
    """How many of the best five photos of the sample library are right, by the renderer's own truth: {text: number}."""
    found = {text: {hit.path for hit in library.search(text, k=5, threshold=-1)} for text in ASKED}
    return {text: len(paths & set(photos_showing(ASKED[text]))) for text, paths in found.items()}


def measure(cache_dir: Path = train.BUILD_DIR):
    """Train as the notebook does, but for the live figure.

    Returns:
        By the keys of build/page.json: how many of the best five photos are right for each of `ASKED`; the recall at 5
        of the exam; the processor's seconds of training, which two idle cores share.
    """
    exam, started = Exam(recipe()), time.process_time()
    model = train.train(exam.config, None, cache_dir, every=exam.config.steps + 1).eval()
    seconds = time.process_time() - started
    right = right_of_five(exam.searchable(model))
    found = {f"lesson_{text.removeprefix('a ').replace(' ', '_')}_top5": number for text, number in right.items()}
    return found | {"lesson_recall_at_5": exam.recall(model, 5), "lesson_cpu_s": round(seconds)}


class Exam:
    """`EXAM_SCENES` scenes whose combinations training never sees, each with a caption that is true of it alone.

    `texts` (list of str) and `pictures` (list of PIL images) belong together, one to one.
    """

    def __init__(self, config: Config):
        self.config = config
        scenes, self.texts = figures.unambiguous_pairs(np.random.default_rng(EXAM_SEED), EXAM_SCENES, True)
        self.pictures = [draw(scene, figures.DRAWN_SIZE, seed=EXAM_SEED + n) for n, scene in enumerate(scenes)]
        pixels = np.stack([figures.model_pixels(picture, config.image_px) for picture in self.pictures])
        self._pixels, self._tokens = torch.from_numpy(pixels), Tokens()(self.texts)

    @torch.no_grad()
    def scores(self, model) -> np.ndarray:
        """Cosines of every text with every picture: float32 (100, 100), true pairs on the diagonal."""
        was_training = model.training
        model.eval()
        rows = encode_texts(model, self._tokens) @ encode_images(model, self._pixels).T
        model.train(was_training)
        return rows.numpy()

    def recall(self, model, k: int) -> float:
        """The share of texts whose own picture is among the best `k`."""
        return figures.recall_at(self.scores(model), k)

    def train(self, every: int = 20, cache_dir: Path = train.BUILD_DIR):
        """Train a new model with the live figure, drawn anew after `every` so many steps.

        The model is returned, also when training is stopped by hand.
        """
        model, picture = build_model(self.config), _Picture(self.config.stop_at)

        def look(step: int, loss: float, _) -> None:
            if step % every == 0 or step == 1:
                picture.show(step, loss, self.scores(model))

        try:
            train.train(self.config, look, cache_dir, every=self.config.steps + 1, model=model)
        except KeyboardInterrupt:
            print("Stopped; the model keeps what it has learned.")
        return model.eval()

    def searchable(self, model, folder: Path = SAMPLE) -> cliplib.Library:
        """The photos of a folder, indexed with the model: what it has learned, tried as any other model is."""
        home = Path(tempfile.mkdtemp())
        library = cliplib.Library(folder, model=self.save(model, home / "my-clip.safetensors"), cache=home / "index")
        library.index()
        return library

    def save(self, model, file: Path) -> Path:
        """Write the model in the format of the repository's own; `cliplib.Library(folder, model=file)` reads it.

        Its threshold for texts is the one with the best F1 on the exam; for pictures it has none of its own.
        """
        scores = self.scores(model)
        cutoff = round(figures.best_f1_threshold(scores.ravel(), np.eye(len(scores), dtype=bool).ravel()), 3)
        train.save(model, self.config, {"text->image": cutoff, "text->video": cutoff}, file)
        return file


class _Picture:
    """The figure that is drawn anew while training goes on: loss, recall, and ten texts against their pictures."""

    def __init__(self, steps: int):
        from matplotlib import pyplot

        self.figure, (self.losses, self.recalls, self.matrix) = pyplot.subplots(
            1, 3, figsize=(11, 3.2), layout="constrained"
        )
        pyplot.close(self.figure)
        self.steps, self.seen = steps, []
        self.shown = display(self.figure, display_id=True)

    def show(self, step: int, loss: float, scores: np.ndarray) -> None:
        """Add a point to the curves and replace the picture."""
        self.seen.append((step, loss, figures.recall_at(scores, 1), figures.recall_at(scores, 5)))
        at, losses, first, five = zip(*self.seen, strict=True)
        for axes in (self.losses, self.recalls, self.matrix):
            axes.clear()
        self.losses.plot(at, losses)
        self.losses.set(title="loss", xlabel="step", xlim=(0, self.steps))
        self.recalls.plot(at, five, label=f"at 5: {five[-1]:.2f}")
        self.recalls.plot(at, first, label=f"at 1: {first[-1]:.2f}")
        self.recalls.set(title="recall on unseen scenes", xlabel="step", xlim=(0, self.steps), ylim=(0, 1.02))
        self.recalls.legend(loc="lower right")
        self.matrix.imshow(scores[:SHOWN, :SHOWN], cmap="viridis")
        self.matrix.set(title=f"step {step}: texts and pictures", xlabel="picture", ylabel="text")
        self.shown.update(self.figure)


def main():
    """Measure, print, and add to build/page.json."""
    found, file = measure(), train.BUILD_DIR / "page.json"
    print("\n".join(f"{name:24s}{value:8.2f}" for name, value in found.items()))
    before = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps(before | found, indent=1))


if __name__ == "__main__":
    main()
