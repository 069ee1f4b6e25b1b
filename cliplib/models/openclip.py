"""open_clip, an optional extra: its registry of models, its networks and its tokenizers.

Files are read by our own reader; a model of openai/CLIP's shape runs in our own towers, so that it has one identity,
whichever package named it. All others run in open_clip's networks.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import ModelError
from .config import ModelConfig
from .fetch import open_url
from .preprocessing import Preprocessing
from .skip_init import SkipInitialization

PREFIX = "open_clip:"
HUB = "hf-hub:"
INSTALL = 'pip install "cliplib[open_clip]"'
UNUSED = {  # keys of a configuration that do not change an embedding: training, and where things were fetched
    "timm_model_pretrained",
    "timm_drop",
    "timm_drop_path",
    "patch_dropout",
    "hf_model_name",
    "hf_model_pretrained",
    "hf_tokenizer_name",
    "tokenizer_kwargs",
    "output_tokens",
    "init_logit_bias",
    "init_logit_scale",
    "quick_gelu",  # is part of the identity by itself
}
PROBES = (  # texts that tell tokenizers apart
    "a photo of a dog",
    "A Photo of 2 Dogs, don't you see?",
    "  tabs\tand   spaces ",
    "naïve café — “quotes” & <b>tags</b>",
    "ein Hund am Strand, größer",
    "une plage déserte à l'aube",
    "собака на пляже",
    "海辺の犬",
    "一只狗在海滩上",
    "كلب على الشاطئ",
    "एक कुत्ता",
    "🐶🏖️ 1234567890",
    "supercalifragilisticexpialidocious " * 40,
)


def import_open_clip(model: str) -> Any:
    """The package open_clip, for `model`; ModelError with the install line where it is missing."""
    try:
        import open_clip
    except ImportError as error:
        raise ModelError(f"{model} needs the package open_clip: {INSTALL}") from error
    return open_clip


def download(model: str) -> tuple[Path, ModelConfig]:
    """The checkpoint of "open_clip:<architecture>/<pretrained>", downloaded on first use, and what is known of it.

    Raises:
        ModelError: open_clip is not installed, does not know the name, or cannot fetch it.
    """
    open_clip = import_open_clip(model)
    architecture, _, pretrained = model.removeprefix(PREFIX).partition("/")
    config = config_of_tag(architecture, pretrained)
    source = open_clip.get_pretrained_cfg(architecture, pretrained)
    try:
        return Path(open_clip.download_pretrained(source)), config
    except Exception as error:  # hubs and networks raise dozens of kinds
        where = source.get("hf_hub") or source.get("url")
        raise ModelError(
            f"{model} cannot be had from {where}: {error}. Try again with a network, or fetch the file elsewhere and "
            f'give its path with architecture="{architecture}/{pretrained}"'
        ) from error


def config_of_tag(architecture: str, pretrained: str) -> ModelConfig:
    """What open_clip's registry says of "<architecture>/<pretrained>"."""
    open_clip = import_open_clip(f"{architecture}/{pretrained}")
    known = open_clip.list_pretrained_tags_by_model(architecture)
    if pretrained not in known:
        near = f"for {architecture} it has {', '.join(known)}" if known else "see open_clip.list_pretrained()"
        raise ModelError(f'open_clip knows no "{architecture}/{pretrained}"; {near}')
    model_cfg = open_clip.get_model_config(architecture)
    source = open_clip.get_pretrained_cfg(architecture, pretrained)
    model_cfg["quick_gelu"] = source.get("quick_gelu", model_cfg.get("quick_gelu", False))
    name = f"{architecture}/{pretrained}"
    return ModelConfig(model_cfg, _preprocess(source), f'open_clip\'s "{name}"', architecture=name)


def config_of_architecture(name: str, activation: str | None = None) -> ModelConfig:
    """What open_clip says of an architecture, "ViT-H-14", or of one's published weights, "ViT-H-14/laion2b_s32b_b79k".

    Raises:
        ModelError: The name is unknown, or its weights were trained on pictures prepared in more than one way.
    """
    open_clip = import_open_clip(f'architecture="{name}"')
    architecture, slash, pretrained = name.partition("/")
    if slash:
        return config_of_tag(architecture, pretrained).with_activation(activation)
    model_cfg = open_clip.get_model_config(architecture)
    if model_cfg is None:
        raise ModelError(
            f'architecture="{name}" is known neither to openai/CLIP (such as "ViT-B/32") nor to open_clip (such as '
            '"ViT-H-14"; see open_clip.list_models())'
        )
    config = ModelConfig(model_cfg, {}, f'open_clip\'s "{name}"', architecture=name).with_activation(activation)
    tagged = [config_of_tag(architecture, tag) for tag in open_clip.list_pretrained_tags_by_model(architecture)]
    alike = [one for one in tagged if one.activation == config.activation]
    ways = {str(sorted(one.preprocess_cfg.items())) for one in alike}
    if len(ways) > 1:
        names = ", ".join(one.architecture for one in alike)
        raise ModelError(
            f"the published weights of {name} were trained on pictures that were prepared in {len(ways)} ways: name "
            f"those that the file holds or was fine-tuned from, as architecture= one of {names}"
        )
    return replace(config, preprocess_cfg=alike[0].preprocess_cfg if alike else {})


def download_from_hub(model: str) -> Path:
    """The folder of "hf-hub:<owner>/<name>" with its configuration, weights and tokenizer, downloaded on first use.

    Raises:
        ModelError: It is neither on disk nor to be had.
    """
    from huggingface_hub import HfApi, hf_hub_url, snapshot_download

    repo = model.removeprefix(HUB)
    small = ["*.json", "*.txt", "*.model"]
    try:
        folder = Path(snapshot_download(repo, local_files_only=True))
        if any(folder.glob("*.safetensors")) or any(folder.glob("*.bin")):
            return folder
    except Exception:  # not on disk; the hub's client raises many kinds
        pass
    try:
        open_url(hf_hub_url(repo, "config.json")).close()  # its own client would retry for minutes
    except Exception as error:  # a missing file answers, too; a network that does not is told apart
        if "404" not in str(error):
            raise ModelError(f"{model} cannot be had: {error}. {_elsewhere(repo)}") from error
    try:
        names = HfApi().list_repo_files(repo)
        weights = ["*.safetensors"] if any(name.endswith(".safetensors") for name in names) else ["*.bin"]
        return Path(snapshot_download(repo, allow_patterns=[*small, *weights]))
    except Exception as error:  # as above
        raise ModelError(f"{model} cannot be had: {error}. {_elsewhere(repo)}") from error


def _elsewhere(repo: str) -> str:
    return (
        f'Try again with a network, or fetch the folder of {repo} elsewhere and give it as model="local-dir:<folder>"'
    )


def _preprocess(source: dict[str, Any]) -> dict[str, Any]:
    usual = import_open_clip("this model").transform.PreprocessCfg()
    names = ("mean", "std", "interpolation", "resize_mode")
    return {name: source.get(name) or getattr(usual, name) for name in names}


class OpenClipNetwork:
    """A network of open_clip's, filled with weights, as `ClipEncoder` runs it.

    Attributes:
        model: The module itself, in fp32.
        dim: Numbers in an embedding.
        context_length: Tokens that it reads.
    """

    def __init__(self, state: dict[str, torch.Tensor], config: ModelConfig, preprocessing: Preprocessing, source: str):
        open_clip = import_open_clip(source)
        model_cfg = _with_local_paths(config)
        self.dim, self.context_length = model_cfg["embed_dim"], model_cfg["text_cfg"].get("context_length", 77)
        self.model: Any = _build(open_clip, model_cfg, state, source)
        self._dtype, self._colours = torch.float32, (preprocessing.mean, preprocessing.std)
        self._tokenizer = _tokenizer(open_clip, model_cfg["text_cfg"], config.folder, source)

    def tokens(self, text: str) -> tuple[torch.Tensor, int, str]:
        """The tokens of a text, int64 (context_length,), how many were cut off, and the end of what was kept."""
        row = self._tokenizer([text])[0]
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is None:  # open_clip's copy of openai/CLIP's: a start and an end token go around
            count = len(self._tokenizer.encode(text)) + 2
            kept = self._tokenizer.decode(row[1:-1]) if count > len(row) else ""
        else:
            count = len(inner(self._tokenizer.clean_fn(text), truncation=False).input_ids)
            kept = inner.decode(row.tolist(), skip_special_tokens=True) if count > len(row) else ""
        return row, max(0, count - self.context_length), kept.strip()

    def move_to(self, device: str, dtype: torch.dtype | None) -> None:
        """Move it to a device; its numbers stay fp32, for `images` asks PyTorch for products in another precision."""
        self.model.to(device)

    def prepare_image_tower(self, dtype: torch.dtype) -> None:
        """Bring the image tower into its precision."""
        self._dtype = dtype

    def prepare_text_tower(self) -> None:
        """Nothing is done for them."""

    def images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embeddings, float (n, dim), of pixels, uint8 (n, height, width, 3)."""
        mean, std = (255 * torch.tensor(numbers, device=pixels.device) for numbers in self._colours)
        values = pixels.float().sub_(mean).div_(std).permute(0, 3, 1, 2).contiguous()
        # The precision of each kind of layer is PyTorch's own choice, for these networks have any kind.
        with torch.autocast(pixels.device.type, self._dtype, enabled=self._dtype != torch.float32):
            return self.model.encode_image(values)

    def texts(self, tokens: torch.Tensor) -> torch.Tensor:
        """Embeddings, float (n, dim), of tokens, int64 (n, context_length)."""
        return self.model.encode_text(tokens)

    def fingerprint(self) -> str:
        """64 hex digits that tell this tokenizer from others, by what it makes of `PROBES`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = [self._tokenizer([text])[0].tolist() for text in PROBES]
        return hashlib.sha256(str(rows).encode()).hexdigest()


def describe_config(model_cfg: Any) -> str:
    """What of a configuration changes an embedding, in words that are part of a model's identity."""
    if isinstance(model_cfg, dict):
        inner = (f"{key}: {describe_config(value)}" for key, value in sorted(model_cfg.items()) if key not in UNUSED)
        return "{" + ", ".join(inner) + "}"
    return repr(model_cfg)


def _with_local_paths(config: ModelConfig) -> dict[str, Any]:
    """The `model_cfg`, with the names of files that lie in its own folder as paths, and nothing to be fetched."""
    model_cfg = copy.deepcopy(dict(config.model_cfg))
    text, folder = model_cfg["text_cfg"], config.folder
    name = text.get("hf_model_name")
    if name and folder and (folder / name).is_dir():
        text["hf_model_name"] = str(folder / name)
    elif name and folder and (folder / "config.json").is_file() and not Path(name).is_dir():
        text["hf_model_name"] = str(folder)
    if name:
        text["hf_model_pretrained"] = False
    if "timm_model_name" in model_cfg["vision_cfg"]:
        model_cfg["vision_cfg"]["timm_model_pretrained"] = False
    return model_cfg


def _build(open_clip: Any, model_cfg: dict[str, Any], state: dict[str, torch.Tensor], source: str) -> nn.Module:
    """open_clip's module of a configuration with exactly these tensors; ModelError where they do not fit."""
    from open_clip.convert import convert_state_dict

    arguments = dict(model_cfg)
    custom = arguments.pop("custom_text", False) or "hf_model_name" in arguments["text_cfg"]
    kind = open_clip.CLIP
    if custom:
        kind = open_clip.CoCa if "multimodal_cfg" in arguments else open_clip.CustomTextCLIP
    logging.getLogger("timm").setLevel(logging.ERROR)
    try:
        with SkipInitialization():
            model = kind(**arguments)
    except Exception as error:  # a configuration may name what this version lacks, or what must be fetched
        raise ModelError(f"{source}: open_clip cannot build this network: {_first_line(error)}") from error
    try:
        state = convert_state_dict(model, dict(state))
        if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
            state = open_clip.model.convert_to_custom_text_state_dict(state)
        needed = model.state_dict()
        for name in ("logit_scale", "logit_bias"):  # scalars that a cosine does not need
            if name in needed:
                state[name] = state.get(name, needed[name]).reshape(needed[name].shape)
            else:
                state.pop(name, None)
        model.load_state_dict({name: value.float() for name, value in state.items()}, strict=True)
    except (RuntimeError, KeyError, AttributeError, ValueError) as error:
        raise ModelError(f"{source} does not fit the network of its configuration: {_first_line(error)}") from error
    return model.eval().requires_grad_(False)


def _tokenizer(open_clip: Any, text: dict[str, Any], folder: Path | None, source: str) -> Any:
    """The tokenizer of a configuration's `text_cfg`, from the files in `folder` where they are."""
    length, options = text.get("context_length", 77), dict(text.get("tokenizer_kwargs") or {})
    name = text.get("hf_tokenizer_name")
    if not name:
        return open_clip.SimpleTokenizer(context_length=length, **options)
    here = folder if folder and (any(folder.glob("*token*")) or any(folder.glob("*.model"))) else None
    try:
        import transformers  # noqa: F401 (open_clip imports it where it is needed, and says less)
    except ImportError as error:
        raise ModelError(f"{source} has a tokenizer of Hugging Face, which needs transformers: {INSTALL}") from error
    try:
        return open_clip.tokenizer.HFTokenizer(
            str(here or name), context_length=length, tokenizer_mode=text.get("tokenizer_mode"), **options
        )
    except Exception as error:  # networks and files raise dozens of kinds
        raise ModelError(
            f"the tokenizer {name} of {source} cannot be had: {_first_line(error)}. Try again with a network, or put "
            "its files (tokenizer.json, tokenizer_config.json) beside the weights"
        ) from error


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:400] or type(error).__name__
