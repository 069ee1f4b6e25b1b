"""What is used of openai/CLIP's package: its network classes, its tokenizer, and where its weights lie.

The package's own front door imports torchvision, and with it PyTorch's compiler, which takes longer than all the rest
of a search. So its two modules are run from its folder, and the little that its front door adds is here.
"""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from ..errors import ModelError

SOURCE = "git+https://github.com/openai/CLIP.git@d05afc436d78f1c48dc0dbf8e5980a9d471f35f6"
STORE = "https://openaipublic.azureedge.net/clip/models"
ADDRESSES = {  # by name; the folder before the file name is the file's sha256. As in clip/clip.py.
    "RN50": f"{STORE}/afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt",
    "RN101": f"{STORE}/8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599/RN101.pt",
    "RN50x4": f"{STORE}/7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd/RN50x4.pt",
    "RN50x16": f"{STORE}/52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa/RN50x16.pt",
    "RN50x64": f"{STORE}/be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c/RN50x64.pt",
    "ViT-B/32": f"{STORE}/40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
    "ViT-B/16": f"{STORE}/5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt",
    "ViT-L/14": f"{STORE}/b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt",
    "ViT-L/14@336px": f"{STORE}/3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02/ViT-L-14-336px.pt",
}


@cache
def module(name: str) -> ModuleType:
    """The module clip/`name`.py of the installed package, run by itself; `import clip` later is not disturbed.

    Raises:
        ModelError: The package is missing, or is another one of that name.
    """
    package = importlib.util.find_spec("clip")
    for folder in (package.submodule_search_locations or []) if package else []:
        file = Path(folder, f"{name}.py")
        spec = importlib.util.spec_from_file_location(f"{__name__}.{name}", file)
        if file.is_file() and Path(folder, "simple_tokenizer.py").is_file() and spec and spec.loader:
            found = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(found)
            return found
    what = f"the package clip in {package.origin} is another project" if package else "openai/CLIP is not installed"
    raise ModelError(f'{what}: pip install "clip @ {SOURCE}", or where GitHub cannot be reached, clip-anytorch')


@cache
def tokenizer() -> Any:
    """openai/CLIP's byte-pair tokenizer, made once."""
    return module("simple_tokenizer").SimpleTokenizer()


def tokenize(text: str, context_length: int) -> tuple[torch.Tensor, int]:
    """`clip.tokenize` of one text, cut where it is too long.

    Returns:
        The tokens, int64 (context_length,): start token, the text's, end token, zeros; the end token is the largest.
        And how many tokens the whole text has, without those two.
    """
    codes = tokenizer().encoder
    tokens = tokenizer().encode(text)
    row = torch.zeros(context_length, dtype=torch.long)
    kept = [codes["<|startoftext|>"], *tokens[: context_length - 2], codes["<|endoftext|>"]]
    row[: len(kept)] = torch.tensor(kept)
    return row, len(tokens)
