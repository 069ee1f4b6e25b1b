"""Checkpoints as trainers write them: the model is found by what its tensors are, and no code of a file is run."""

import argparse
import collections
import datetime
import json
import pathlib
import pickle
import types

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cliplib import ModelError, models
from cliplib.models.checkpoint import read_checkpoint
from cliplib.models.weights import load_weights
from tests.harness.checkpoints import half_state, random_clip
from tests.harness.libraries import picture

MODEL = {"activation": "quickgelu"}


@pytest.fixture(scope="module")
def state():
    return half_state(random_clip("small"))


@pytest.fixture(scope="module")
def identity(state, tmp_path_factory):
    file = tmp_path_factory.mktemp("plain") / "a.safetensors"
    save_file(state, file, MODEL)
    return load_weights(file).model_id


def prefixed(state, prefix):
    return {f"{prefix}{name}": value for name, value in state.items()}


def beside_the_weights():
    """What trainers save beside the weights."""
    return {
        "epoch": 3,
        "args": argparse.Namespace(lr=1e-3, path=pathlib.PosixPath("/data"), sizes=[1, 2]),
        "hparams": types.SimpleNamespace(a=1),
        "best": np.float64(0.7),
        "history": np.arange(3.0),
        "meters": collections.defaultdict(list, {"loss": [1.0]}),
        "counts": collections.Counter("abc"),
        "when": datetime.datetime(2026, 1, 1),
        "names": {"a", "b"},
        "shape": torch.Size([1, 2]),
        "device": torch.device("cpu"),
        "kind": torch.float16,
        "optimizer": {
            "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(4)}},
            "param_groups": [{"lr": 1}],
        },
        "rng": torch.get_rng_state(),
    }


@pytest.mark.parametrize("zipped", [True, False], ids=["new format", "old format"])
@pytest.mark.parametrize(
    "prefix",
    [
        "model.",
        "clip.",
        "clip_model.",
        "clipmodel.",
        "module.module.",
        "_orig_mod.module.",
        "net.encoder.backbone.",
        "",
    ],
)
def test_a_prefix_is_found_by_what_the_tensors_are(state, identity, tmp_path, prefix, zipped):
    others = {"head.weight": torch.zeros(2, 2), "queue": torch.zeros(3)} if prefix else {}
    torch.save(prefixed(state, prefix) | others, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.warns(UserWarning, match="heads are taken to be 64 wide"):
        assert load_weights(tmp_path / "a.pt", "quickgelu").model_id == identity


@pytest.mark.parametrize("zipped", [True, False], ids=["new format", "old format"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state},
        lambda state: {"model": state},
        lambda state: {"module": prefixed(state, "module.")},
        lambda state: {"net": state},
        lambda state: {"weights": {"clip": state}},
        lambda state: {"ema": {"module": state}},
        lambda state: {"model": {"state_dict": prefixed(state, "model.clip.")}},
    ],
)
def test_wrappers_and_what_trainers_save_beside_are_passed_over(state, identity, tmp_path, wrap, zipped):
    torch.save(wrap(state) | beside_the_weights(), tmp_path / "epoch_3.pt", _use_new_zipfile_serialization=zipped)
    with pytest.warns(UserWarning, match="heads are taken"):
        assert load_weights(tmp_path / "epoch_3.pt", "quickgelu").model_id == identity


@pytest.mark.parametrize("wrapper", ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"])
def test_wrappers_inside_of_the_model_are_passed_over(state, identity, tmp_path, wrapper):
    """As `torch.compile` of one tower, FSDP and activation checkpoints leave them."""
    inside = {name.replace("visual.", f"visual.{wrapper}."): value for name, value in state.items()}
    inside = {name.replace("resblocks.0.", f"resblocks.0.{wrapper}."): value for name, value in inside.items()}
    assert inside.keys() != state.keys()
    save_file(prefixed(inside, f"{wrapper}."), tmp_path / "a.safetensors", MODEL)
    assert load_weights(tmp_path / "a.safetensors").model_id == identity


def test_a_scale_in_an_array_of_one_number_is_the_same_scale(state, identity, tmp_path):
    save_file(state | {"logit_scale": state["logit_scale"].reshape(1)}, tmp_path / "a.safetensors", MODEL)
    assert load_weights(tmp_path / "a.safetensors").model_id == identity


@pytest.mark.parametrize(
    "names",
    [
        ("base_model.model.visual.proj.lora_A.default.weight", "base_model.model.visual.proj.base_layer.weight"),
        ("visual.transformer.resblocks.0.mlp.c_fc.lora_A",),
        ("lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",),
    ],
)
def test_an_adapter_that_is_not_merged_is_refused_with_the_remedy(state, tmp_path, names):
    save_file(state | {name: torch.zeros(2, 2) for name in names}, tmp_path / "a.safetensors", MODEL)
    with pytest.raises(ModelError, match=r"an adapter such as LoRA's \(.*lora.*merge_and_unload"):
        load_weights(tmp_path / "a.safetensors")


def test_weights_of_whole_numbers_are_refused(state, tmp_path):
    """As a quantised model has them, whose scales lie elsewhere."""
    whole = {name: value.to(torch.int8) if name.endswith("c_fc.weight") else value for name, value in state.items()}
    save_file(whole, tmp_path / "a.safetensors", MODEL)
    with pytest.raises(ModelError, match=r"c_fc.weight' is of torch.int8: a quantised model"):
        models.load(tmp_path / "a.safetensors", device="cpu")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_any_precision_of_the_same_numbers_is_the_same_model(state, tmp_path, dtype):
    rounded = {name: value.to(torch.bfloat16) for name, value in state.items()}
    save_file(rounded, tmp_path / "a.safetensors", MODEL)
    save_file({name: value.to(dtype) for name, value in rounded.items()}, tmp_path / "b.safetensors", MODEL)
    assert load_weights(tmp_path / "a.safetensors").model_id == load_weights(tmp_path / "b.safetensors").model_id


def test_of_an_average_and_the_model_itself_the_model_is_taken_and_it_is_said(state, identity, tmp_path):
    other = {name: value + 1 for name, value in state.items()}
    torch.save({"state_dict_ema": other, "state_dict": prefixed(state, "module.")}, tmp_path / "a.pt")
    read = read_checkpoint(tmp_path / "a.pt")
    assert torch.equal(read.state["ln_final.weight"], state["ln_final.weight"])
    assert read.notes == ("it holds 2 models, at state_dict.module, state_dict_ema; the first of these is used",)


def test_tensors_beside_the_model_are_not_read(state, tmp_path):
    """Of a training run's checkpoint two thirds are the optimizer's."""
    file = tmp_path / "a.pt"
    torch.save({"model": state, "optimizer": {"exp_avg": torch.full((4096,), 7.25)}}, file)
    data = bytearray(file.read_bytes())
    at = data.index(np.full(16, 7.25, np.float32).tobytes())
    data[at] ^= 1  # its checksum is wrong now
    file.write_bytes(data)
    assert read_checkpoint(file).state.keys() == state.keys()


class WholeModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)


class Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("zipped", [True, False], ids=["new format", "old format"])
class TestNoCodeIsRun:
    def test_a_whole_pickled_model_is_refused_with_the_remedy(self, tmp_path, zipped):
        torch.save(WholeModel(), tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
        words = r"asks for tests.models.test_checkpoint.WholeModel, .*nothing in it was run.*model.state_dict\(\)"
        with pytest.raises(ModelError, match=words):
            load_weights(tmp_path / "a.pt")

    @pytest.mark.parametrize("place", ["args", "state_dict", "ema", "deep"])
    def test_code_in_any_wrapper_is_refused_and_named(self, state, tmp_path, place, zipped):
        target = tmp_path / "was-run"
        bad = Runs(open, str(target), "w")
        holder = {"args": argparse.Namespace(a=bad), "ema": {"module": {"x": bad}}, "deep": [[{"a": (bad,)}]]}
        tree = {"state_dict": dict(state), **beside_the_weights(), "more": holder.get(place)}
        if place == "state_dict":
            tree["state_dict"]["x"] = bad
        torch.save(tree, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelError, match=r"asks for \w+\.open, which no CLIP needs; nothing in it was run"):
            load_weights(tmp_path / "a.pt", "quickgelu")
        assert not target.exists()

    @pytest.mark.parametrize("name", ["getattr", "eval", "exec", "__import__", "compile", "input", "type", "vars"])
    def test_builtins_that_are_no_plain_values(self, tmp_path, name, zipped):
        import builtins

        torch.save({"a": Runs(getattr(builtins, name), "1")}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelError, match=rf"asks for \w+\.{name}, which no CLIP needs"):
            load_weights(tmp_path / "a.pt", "quickgelu")

    @pytest.mark.parametrize("kind", [argparse.Namespace, collections.defaultdict, pathlib.PosixPath, list, set])
    def test_stand_ins_do_nothing_with_what_they_are_given(self, state, tmp_path, kind, zipped):
        """The real class is never called: neither with odd arguments, nor set up with an odd state."""
        odd = [Runs(kind, *[1] * count) for count in range(4)]
        torch.save({"model": state, "odd": odd}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
        assert read_checkpoint(tmp_path / "a.pt").state.keys() == state.keys()


def test_a_pickle_of_stand_ins_alone_holds_no_model(tmp_path):
    (tmp_path / "a.pt").write_bytes(pickle.dumps(argparse.Namespace(a=1)))
    with pytest.raises(ModelError, match=r"a.pt (cannot be read|is no checkpoint)"):
        load_weights(tmp_path / "a.pt")


class TestTransformers:
    """transformers' own CLIP: a folder as `save_pretrained` writes it, with heads, mean and size of its own."""

    TEXTS = ("a dog", "a red car on a wet street", "two people")

    @pytest.fixture(scope="class")
    def theirs(self):
        transformers = pytest.importorskip("transformers")
        torch.manual_seed(0)
        text = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2}
        vision = {"hidden_size": 96, "intermediate_size": 384, "num_hidden_layers": 2, "num_attention_heads": 3}
        text |= {"eos_token_id": 49407, "bos_token_id": 49406, "pad_token_id": 49407, "hidden_act": "gelu"}
        vision |= {"image_size": 64, "patch_size": 16, "hidden_act": "gelu"}
        config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=48)
        model = transformers.CLIPModel(config).eval().requires_grad_(False)
        for part in model.modules():
            if isinstance(part, torch.nn.Linear):
                part.weight.normal_(0, (2 / part.weight.shape[1]) ** 0.5)
        return model

    @pytest.fixture(scope="class", params=["whole", "shards", "bin"])
    def folder(self, request, theirs, tmp_path_factory):
        folder = tmp_path_factory.mktemp(request.param)
        theirs.save_pretrained(folder, max_shard_size="4MB" if request.param == "shards" else "5GB")
        if request.param == "shards":
            assert len([*folder.glob("*.safetensors")]) > 1
        if request.param == "bin":
            (folder / "model.safetensors").unlink()
            torch.save(theirs.state_dict(), folder / "pytorch_model.bin")
        about = {"size": {"shortest_edge": 64}, "do_center_crop": True, "resample": 3, "do_resize": True}
        about |= {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25], "do_normalize": True}
        (folder / "preprocessor_config.json").write_text(json.dumps(about))
        return folder

    def test_gives_the_numbers_of_transformers_own_class(self, theirs, folder):
        import clip.clip

        encoder = models.load(folder, device="cpu", precision="fp32")
        pictures = [picture(n, (100 + n, 80)) for n in range(4)]
        pixels = torch.from_numpy(np.stack([encoder.prepare(one) for one in pictures])).float() / 255
        pixels = ((pixels - torch.tensor([0.4, 0.5, 0.6])) / torch.tensor([0.2, 0.3, 0.25])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            made = theirs(input_ids=clip.clip.tokenize(self.TEXTS), pixel_values=pixels)
        assert np.abs(encoder.encode_images(pictures) - made.image_embeds.numpy()).max() < 1e-5
        assert np.abs(encoder.encode_texts(self.TEXTS) - made.text_embeds.numpy()).max() < 1e-5
        assert (encoder.activation, encoder.resolution, encoder.dim) == ("gelu", 64, 48)

    @pytest.mark.parametrize(
        "name",
        [
            "vision_model.encoder.layers.0.self_attn.q_norm.weight",
            "text_model.encoder.layers.0.layer_scale1.weight",
            "vision_model.head.weight",
        ],
    )
    def test_a_tensor_that_clip_does_not_know_is_refused(self, theirs, tmp_path, name):
        """To leave it out in silence would give other numbers."""
        torch.save(theirs.state_dict() | {name: torch.ones(8)}, tmp_path / "a.bin")
        with pytest.raises(ModelError, match=f"a CLIP of transformers has no {name}"):
            read_checkpoint(tmp_path / "a.bin")

    def test_without_what_says_how_pictures_are_prepared_it_is_asked_for(self, folder, tmp_path):
        for file in folder.iterdir():
            if file.name != "preprocessor_config.json":
                (tmp_path / file.name).symlink_to(file)
        with pytest.raises(ModelError, match=r"preprocessor_config.json is missing.*pass architecture="):
            load_weights(tmp_path)

    def test_another_model_of_transformers_is_sent_to_open_clip(self, folder, tmp_path):
        for file in folder.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / "config.json").write_text('{"model_type": "siglip2"}')
        with pytest.raises(
            ModelError, match=r'of transformers. siglip2; open_clip knows the same weights.*"open_clip:'
        ):
            load_weights(tmp_path)


def test_shards_that_name_files_elsewhere_are_refused(tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../other.safetensors"}}))
    with pytest.raises(ModelError, match=r"names the file '../other.safetensors', which does not lie beside it"):
        load_weights(tmp_path)


@pytest.mark.parametrize(("files", "words"), [((), "holds none"), (("a.pt", "b.pt"), "holds several: a.pt, b.pt")])
def test_a_folder_without_one_checkpoint(tmp_path, files, words):
    for name in files:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=f"is a folder, not a checkpoint, and {words}"):
        load_weights(tmp_path)
