"""CLIP models: from a name or a file to an encoder of images and texts.

In reading order: `encoder` says what every model offers, and loads one; `weights` says what a checkpoint is (`fetch`
downloads it, `openclip` knows open_clip's names, `checkpoint` reads its tensors without running anything in it),
`towers` builds the two networks from `openai`'s classes, in the `arithmetic` that is fastest here, `clip_encoder` runs
them, and `selftest` checks real weights against what OpenAI published.
"""

from .encoder import Encoder, load

__all__ = ["Encoder", "load"]
