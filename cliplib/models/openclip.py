"""The door to open_clip's checkpoints: from "open_clip:<architecture>/<pretrained>" to a file that openai/CLIP holds.

open_clip (an optional extra) is asked for addresses, activation and preprocessing only. The file is then read, checked
and run like any other, so that one model has one identity, whichever package named it.
"""

from pathlib import Path

from ..errors import ModelError

PREFIX = "open_clip:"
# What openai/CLIP's classes can express. Anything else in a configuration is another model.
VISION_KEYS = {"image_size", "layers", "width", "patch_size"}
TEXT_KEYS = {"context_length", "vocab_size", "width", "heads", "layers"}


def locate(model: str) -> tuple[Path, str]:
    """The checkpoint of "open_clip:<architecture>/<pretrained>", downloaded on first use, and its activation.

    Raises ModelError where open_clip is not installed, does not know the name, describes a model that openai/CLIP's
    classes cannot hold, or cannot fetch it.
    """
    try:
        import open_clip
    except ImportError as error:
        raise ModelError(f"{model} needs the package open_clip: pip install open_clip_torch") from error
    architecture, _, pretrained = model.removeprefix(PREFIX).partition("/")
    known = [tag for name, tag in open_clip.list_pretrained() if name == architecture]
    if pretrained not in known:
        near = f"for {architecture} it has {', '.join(known)}" if known else "see open_clip.list_pretrained()"
        raise ModelError(f'open_clip knows no "{architecture}/{pretrained}"; {near}')
    source = open_clip.get_pretrained_cfg(architecture, pretrained)
    activation = activation_of(model, open_clip.get_model_config(architecture), source)
    try:
        return Path(open_clip.download_pretrained(source)), activation
    except Exception as error:  # hubs and networks raise dozens of kinds
        where = source.get("hf_hub") or source.get("url")
        raise ModelError(
            f"{model} cannot be had from {where}: {error}. Try again with a network, or fetch the file elsewhere and "
            f'give its path with activation="{activation}"'
        ) from error


def activation_of(model: str, config: dict, source: dict) -> str:
    """ "quickgelu" or "gelu", from open_clip's configuration of an architecture and of its weights.

    ModelError names what openai/CLIP's classes cannot hold: other towers, heads, vocabularies or preprocessing.
    """
    from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    ours = {
        "mean": OPENAI_DATASET_MEAN,
        "std": OPENAI_DATASET_STD,
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    vision, text = config["vision_cfg"], config["text_cfg"]
    odd = sorted({*config} - {"embed_dim", "quick_gelu", "vision_cfg", "text_cfg"})
    odd += sorted({*vision} - VISION_KEYS) + sorted({*text} - TEXT_KEYS)
    odd += [name for name, value in ours.items() if source.get(name, value) != value]
    if text.get("vocab_size", 49408) != 49408 or text.get("heads", 0) * 64 != text.get("width"):
        odd.append("text tower")
    if odd:
        raise ModelError(
            f"{model} is not a CLIP of openai/CLIP's shape: it differs in {', '.join(odd)}. Plain ViT-B, ViT-L and "
            "ResNet models work, such as open_clip:ViT-B-32/laion2b_s34b_b79k"
        )
    return "quickgelu" if source.get("quick_gelu", config.get("quick_gelu", False)) else "gelu"
