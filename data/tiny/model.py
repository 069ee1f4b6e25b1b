"""The tiny model's shapes, and how training feeds it: token ids, texts cut after their end, augmented pictures."""

import math
import warnings
from dataclasses import dataclass

import torch
import torch.nn.functional as F

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    from clip.model import CLIP
    from clip.simple_tokenizer import SimpleTokenizer

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]


@dataclass(frozen=True)
class Config:
    """Everything that a training run depends on. Heads are as openai/CLIP infers them from the shapes.

    `steps` is the length of the schedule of learning rates; training ends at `stop_at`, where the tiny model had passed
    what is asked of it. `short_first` is the share of steps that see short texts alone ("a red car", "snow"), before
    whole captions join them: things are learned sooner so, and these steps take a third less time.
    """

    seed: int = 1
    steps: int = 1800
    stop_at: int = 1500
    scenes: int = 36000
    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    scale_from: float = 20.0
    scale_to: float = 100.0
    scale_rise_share: float = 0.6
    choice_weight: float = 1.0
    short_first: float = 0.0
    embed_dim: int = 128
    image_px: int = 96
    vision_width: int = 16
    vision_layers: tuple = (1, 2, 3, 2)
    text_width: int = 64
    text_layers: int = 4


def build_model(config):
    """A freshly initialised `clip.model.CLIP` with the shapes of the config."""
    torch.manual_seed(config.seed)
    vision = (config.embed_dim, config.image_px, config.vision_layers, config.vision_width, None)
    return CLIP(*vision, 77, 49408, config.text_width, config.text_width // 64, config.text_layers).float()


class Tokens:
    """`clip.tokenize` with the pieces of every word remembered; the same token ids, much faster for repeated words."""

    def __init__(self):
        self.tokenizer, self.pieces = SimpleTokenizer(), {}
        self.start, self.end = (self.tokenizer.encoder[f"<|{name}oftext|>"] for name in ("start", "end"))

    def __call__(self, texts):
        """Token ids, int64 (n, length of the longest text); later positions do not matter to a causal model."""
        inner = ([piece for word in text.split() for piece in self._pieces(word)] for text in texts)
        rows = [[self.start, *pieces[:75], self.end] for pieces in inner]
        table = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for target, row in zip(table, rows, strict=True):
            target[: len(row)] = torch.tensor(row)
        return table

    def _pieces(self, word):
        if word not in self.pieces:
            self.pieces[word] = self.tokenizer.encode(word)
        return self.pieces[word]

    def vocabulary(self):
        """The whole words among the tokenizer's pieces."""
        return [piece[: -len("</w>")] for piece in self.tokenizer.encoder if piece.endswith("</w>")]


def encode_texts(model, tokens):
    """Unit rows (n, d) for token ids (n, length): openai/CLIP's encode_text over the first `length` positions only."""
    length = tokens.shape[1]
    set_text_mask(model, length)
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.transformer(x.permute(1, 0, 2)).permute(1, 0, 2)
    set_text_mask(model, model.context_length)
    x = model.ln_final(x[torch.arange(len(x)), tokens.argmax(-1)])
    return F.normalize((x @ model.text_projection).float(), dim=-1)


def encode_texts_by_length(model, tokens, groups=3):
    """`encode_texts` of token ids padded with zeros, in groups of like length: the same rows, with less padding."""
    order = (tokens != 0).sum(1).argsort()
    parts = [tokens[rows] for rows in order.tensor_split(groups)]
    rows = torch.cat([encode_texts(model, part[:, : int((part != 0).sum(1).max())]) for part in parts if len(part)])
    return rows[order.argsort()]


def set_text_mask(model, length):
    """Make every text block attend causally over `length` positions."""
    mask = torch.full((length, length), -math.inf).triu(1)
    for block in model.transformer.resblocks:
        block.attn_mask = mask


def encode_images(model, pixels):
    """Unit rows (n, d) for uint8 pixels (n, 3, px, px)."""
    return F.normalize(model.encode_image((pixels / 255 - MEAN) / STD).float(), dim=-1)


def augment(pixels, generator):
    """Shift, zoom and tint pictures a little, never mirroring (left and right must stay true).

    uint8 in, float 0 to 255 out.
    """
    count = len(pixels)
    values = torch.rand(count, 4, generator=generator)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 0.94 + 0.1 * values[:, 0]
    theta[:, :, 2] = (values[:, 1:3] - 0.5) * 0.12
    grid = F.affine_grid(theta, pixels.shape, align_corners=False)
    moved = F.grid_sample(pixels.float(), grid, padding_mode="border", align_corners=False)
    gain = 0.88 + 0.24 * values[:, 3, None, None, None] + 0.08 * (torch.rand(count, 3, 1, 1, generator=generator) - 0.5)
    return (moved * gain).clamp(0, 255)
