"""CLIP models: from a name or a file to an encoder of images and texts.

In reading order: `encoder` says what every model offers, and loads one. `weights` finds a checkpoint and says what it
is: `fetch` downloads it, `checkpoint` reads its tensors without running anything in it, `naming` finds the CLIP among
them, `config` says what tensors alone do not tell, or asks for it. `towers` builds the two networks of openai/CLIP's
shape from `openai`'s classes, `openclip` has those of all other shapes (`skip_init` makes both at once);
`preprocessing` is what a picture undergoes before. `clip_encoder` runs them, with the `cpu_kernels` that are fastest
here.
"""

from .encoder import Encoder, load

__all__ = ["Encoder", "load"]
