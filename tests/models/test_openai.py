"""openai/CLIP's package, without its front door: the same tokens, the same addresses, and no compiler loaded."""

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec

import clip.clip
import pytest
import torch

from cliplib.errors import ModelError
from cliplib.models import openai
from tests.harness.patience import patience_s

TEXTS = [
    "a dog",
    "A  Dog&amp;cat's, 12 naïve cafés — 日本語 🐶",
    "",
    "<|endoftext|> and <|startoftext|>",
    "word " * 74,
    "word " * 75,
    "word " * 76,
    "x" * 300,
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("context", [77, 16])
def test_tokens_are_those_of_the_package(text, context):
    row, count = openai.tokenize(text, context)
    assert torch.equal(row, clip.clip.tokenize([text], context, truncate=True)[0])
    assert count == len(clip.clip._tokenizer.encode(text))


def test_addresses_are_those_of_the_package():
    assert openai.ADDRESSES == clip.clip._MODELS


def test_another_package_of_that_name_is_told(monkeypatch, tmp_path):
    other = ModuleSpec("clip", None, origin="/site-packages/clip/__init__.py", is_package=True)
    other.submodule_search_locations = [str(tmp_path)]
    for found, words in ((other, "clip/__init__.py is another project"), (None, "openai/CLIP is not installed")):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, found=found: found)
        with pytest.raises(ModelError, match=rf"{words}: pip install .*d05afc436d78.*clip-anytorch"):
            openai.module.__wrapped__("model")


SEARCH = """
import sys
from cliplib.__main__ import main
sys.argv[1:] = ["search", sys.argv[1], "a red car", "--model", "tiny", "-k", "1", "--threshold", "-1"]
print(main(), sorted({"torch._dynamo", "torchvision", "sympy", "pandas", "pyarrow.dataset"} & {*sys.modules}))
"""


def test_a_search_from_the_shell_loads_neither_torchvision_nor_the_compiler_nor_pandas(tmp_path):
    from cliplib import Library
    from tests.harness.libraries import draw_picture

    draw_picture(tmp_path / "a.jpg", 1)
    Library(tmp_path, model="tiny").index(progress=False)
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, tmp_path], capture_output=True, text=True, timeout=patience_s(300)
    )
    assert "a.jpg" in done.stdout and done.stdout.splitlines()[-1] == "0 []", done.stderr
