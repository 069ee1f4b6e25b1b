"""Train the tiny model: a real CLIP, from scratch, on pictures of the drawn world. Half an hour on two idle CPU cores.

    python -m data.tiny.train                    # writes cliplib/models/tiny-clip.safetensors
    python -m data.tiny.train --resume           # goes on from the last checkpoint under build/

From a notebook: `lesson.Exam(config).train()`, as in notebooks/11_train_a_tiny_clip.

What makes it behave like a search model rather than a table of captions: captions of every length in each batch,
every pair that is true by the world's own ground truth counted as a positive in both directions, captions of slightly
changed scenes and nonsense as negatives, and a logit scale that rises on a schedule instead of being learned. It
knows only the drawn world.
"""

import argparse
import json
import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel

from data.evaluation import figures
from data.tiny.batches import batch_texts, rendered_pictures, scene_of
from data.tiny.model import (
    Config,
    Tokens,
    augment,
    build_model,
    encode_images,
    encode_texts,
    encode_texts_by_length,
)
from data.world.captions import Nonsense
from data.world.scenes import SHORT_QUERIES, truth_matrix

REPO = Path(__file__).resolve().parents[2]
MODEL_FILE = REPO / "cliplib" / "models" / "tiny-clip.safetensors"
BUILD_DIR = REPO / "build"
BANNER = "The tiny model knows only the drawn world it was trained on; it understands nothing of your own photos."


def choice_loss(text_rows, image_rows, truth, queries, scale):
    """How well each image picks its things among the short texts alone: every "a red car" of the batch, then every "a
    car".

    The shapes of things are the hardest to learn, and among all the texts of a batch they weigh little.
    """
    losses = []
    for coloured in (True, False):
        choices = {query for query in SHORT_QUERIES if query.things and bool(query.things[0].colour) == coloured}
        group = [row for row, query in enumerate(queries) if query in choices]
        target = truth[group].float().T
        target = target / target.sum(1, keepdim=True)
        losses.append(F.cross_entropy(scale * image_rows @ text_rows[group].T, target))
    return sum(losses) / 2


def contrastive_loss(text_rows, image_rows, truth, scale):
    """Cross-entropy in both directions against soft targets that share each row's weight among all its true partners.

    text_rows (t, d), image_rows (i, d): unit rows. truth: bool (t, i). A text that is true of nothing counts only as
    a negative.
    """
    logits, target = scale * text_rows @ image_rows.T, truth.float()
    known = truth.any(1)
    by_text = target[known] / target[known].sum(1, keepdim=True)
    by_image = (target / target.sum(0, keepdim=True)).T
    return (F.cross_entropy(logits[known], by_text) + F.cross_entropy(logits.T, by_image)) / 2


def training_step(model, optimizer, schedule, config, step, pictures, tokens, nonsense):
    """One step on the batch that seed and step determine. Returns the loss."""
    rng = np.random.default_rng([config.seed, 1, step])
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    chosen = rng.choice(len(pictures), config.batch, replace=False)
    scenes = [scene_of(config.seed, index) for index in chosen]
    texts, queries = batch_texts(scenes, rng, nonsense, only_short=step < config.short_first * config.steps)
    truth = np.zeros((len(texts), len(scenes)), bool)
    claims = [row for row, query in enumerate(queries) if query is not None]
    truth[claims] = truth_matrix([queries[row] for row in claims], scenes)
    risen = min(1.0, step / (config.scale_rise_share * config.steps))
    scale = config.scale_from + (config.scale_to - config.scale_from) * risen
    pixels = augment(torch.from_numpy(pictures[chosen]), generator)
    with sdpa_kernel(SDPBackend.MATH):  # on a CPU the fused kernel's backward is slower at these small shapes
        with torch.autocast("cpu", torch.bfloat16):
            image_rows, text_rows = encode_images(model, pixels), encode_texts_by_length(model, tokens(texts))
        true = torch.from_numpy(truth)
        loss = contrastive_loss(text_rows, image_rows, true, scale)
        loss = loss + config.choice_weight * choice_loss(text_rows, image_rows, true, queries, scale)
        optimizer.zero_grad()
        loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    return loss.item()


def make_optimizer(model, config):
    """AdamW; no decay on biases, normalisation and embeddings."""
    decayed = [p for name, p in model.named_parameters() if p.ndim >= 2 and "embedding" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim < 2 or "embedding" in name]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), fused=True)


def load_checkpoint(path, parts):
    """Fill the parts (name to module, optimizer or schedule) from a checkpoint. Returns the number of steps done."""
    saved = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return saved["step"]


def train(config, on_step=None, cache_dir=BUILD_DIR, resume=False, every=300, model=None):
    """Train and return the model (`clip.model.CLIP`, fp32).

    on_step(step, loss, figures) is called after every step; figures is a dict of the validation figures every `every`
    steps, else None. The pictures and, as often, a checkpoint are written to cache_dir; resume=True goes on from that
    checkpoint and takes the same steps as an unbroken run of the same config. model: one that `build_model` made, to be
    trained in place, for a caller who wants to look at it meanwhile.
    """
    model = model or build_model(config)
    model.to(memory_format=torch.channels_last)  # convolutions are faster so
    optimizer = make_optimizer(model, config)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, config.steps, pct_start=0.08)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    pictures = rendered_pictures(config.seed, config.scenes, config.image_px, Path(cache_dir))
    checkpoint = Path(cache_dir) / "tiny-checkpoint.pt"
    first = load_checkpoint(checkpoint, parts) if resume else 0
    tokens = Tokens()
    nonsense = Nonsense(tokens.vocabulary())
    for step in range(first, min(config.stop_at, config.steps)):
        loss = training_step(model, optimizer, schedule, config, step, pictures, tokens, nonsense)
        measured = None
        if (step + 1) % every == 0:
            torch.save({"step": step + 1, **{name: part.state_dict() for name, part in parts.items()}}, checkpoint)
            measured = validate(model, tokens, pairs=150, gallery=300)
        if on_step:
            on_step(step + 1, loss, measured)
    with torch.no_grad():
        model.logit_scale.fill_(math.log(config.scale_to))
    return model


@torch.no_grad()
def validate(model, tokens, seed=77, **sizes):
    """The evaluation's still-picture figures on validation scenes: other seeds than training, combinations that it
    may have seen.
    """
    model.eval()

    def images(pictures):
        pixels = [figures.model_pixels(picture, model.visual.input_resolution) for picture in pictures]
        parts = torch.from_numpy(np.stack(pixels)).split(100)
        return torch.cat([encode_images(model, part) for part in parts]).numpy()

    def texts(words):
        return encode_texts(model, tokens(words)).numpy()

    measured = figures.picture_figures(images, texts, tokens.vocabulary(), seed, **sizes)
    model.train()
    return measured


def save(model, config, thresholds, file=MODEL_FILE):
    """Write a trained model as safetensors: openai/CLIP's tensor names in fp16. thresholds: cosine by search mode."""
    trained = {**asdict(config), "torch": torch.__version__, "numpy": np.__version__}
    metadata = {
        "name": "tiny",
        "activation": "quickgelu",
        "thresholds": json.dumps(thresholds),
        "banner": BANNER,
        "trained": json.dumps(trained),
    }
    state = model.state_dict().items()
    tensors = {name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous() for name, tensor in state}
    save_file(tensors, file, metadata)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint under build/")
    arguments = parser.parse_args()
    config, started = Config(), time.perf_counter()

    def report(step, loss, measured):
        if step % 20 == 0 or measured:
            seconds = time.perf_counter() - started
            print(f"{seconds:7.0f} s  step {step:5d}  loss {loss:.4f}  {measured or ''}", flush=True)

    model = train(config, report, resume=arguments.resume)
    measured = validate(model.eval(), Tokens(), seed=78, pairs=300, gallery=500, with_thresholds=True)
    save(model, config, measured["thresholds"])


if __name__ == "__main__":
    main()
