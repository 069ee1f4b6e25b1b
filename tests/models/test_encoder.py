"""The interface that the rest of the library knows, and what holds for every implementation of it."""

import gc
import inspect
import subprocess
import sys
import weakref

import pytest
import torch

from cliplib import models
from cliplib.models.clip_encoder import ClipEncoder
from tests.harness.libraries import picture, save_random_clip

MEMBERS = [*models.Encoder.__annotations__, "about", "prepare", "encode_images", "encode_texts"]


def test_the_interface_is_known_without_waiting_for_pytorch():
    code = "import sys; from cliplib.models import Encoder; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize("kind", [ClipEncoder])
def test_every_encoder_has_what_the_interface_names(weights, kind):
    encoder = models.load(weights, device="cpu", precision="fp32")
    assert type(encoder) is kind
    assert not [name for name in MEMBERS if not hasattr(encoder, name)]
    for name in ("prepare", "encode_images", "encode_texts"):
        assert [*inspect.signature(getattr(kind, name)).parameters] == [
            *inspect.signature(getattr(models.Encoder, name)).parameters
        ]


def test_one_that_is_in_use_is_not_loaded_twice(tmp_path):
    file = save_random_clip(tmp_path / "a.safetensors")
    first = models.load(file, device="cpu", precision="fp32")
    assert models.load(str(file), device="cpu", precision="fp32") is first
    assert models.load(file, device="cpu", precision="bf16") is not first
    save_random_clip(file, seed=1)  # another model under the same name
    assert models.load(file, device="cpu", precision="fp32").model_id != first.model_id


def test_a_model_that_is_let_go_is_gone_at_once(tmp_path):
    """Nothing in it refers back to it, so memory does not wait for Python's collector of cycles."""
    before = {id(thing) for thing in gc.get_objects() if issubclass(type(thing), torch.nn.Module)}
    encoder = models.load(save_random_clip(tmp_path / "a.safetensors"), device="cpu", precision="fp32")
    encoder.encode_images([picture(n) for n in range(40)])  # in streams
    encoder.encode_texts([f"text {n}" for n in range(10)])
    layers = [
        thing for thing in gc.get_objects() if issubclass(type(thing), torch.nn.Module) and id(thing) not in before
    ]
    alive = [weakref.ref(thing) for thing in (encoder, *layers, *(n for one in layers for n in one.parameters()))]
    assert len(alive) > 50
    del layers
    gc.collect()
    gc.disable()
    try:
        del encoder
        assert not [thing() for thing in alive if thing() is not None]
    finally:
        gc.enable()


def test_what_the_weights_replace_is_neither_drawn_nor_filled(weights):
    before = torch.get_rng_state()
    models.load(weights, device="cpu", precision="fp32")
    assert torch.equal(torch.get_rng_state(), before)
