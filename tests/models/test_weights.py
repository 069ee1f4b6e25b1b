"""Weights: three formats and one model, known activations, hostile and broken files, absent networks."""

import contextlib
import functools
import hashlib
import http.server
import json
import pickle
import re
import socket
import struct
import threading
import time
import zipfile
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from clip.model import CLIP, QuickGELU

from cliplib.errors import ModelError
from cliplib.models import fetch, weights
from cliplib.models.preprocessing import Preprocessing
from cliplib.models.weights import load_weights, model_id, sizes_of
from tests.harness.checkpoints import SHAPES, half_state, random_clip, save_plain, save_safetensors, save_torchscript
from tests.harness.patience import patience_s


@pytest.fixture(scope="module")
def model():
    return random_clip("small")


@pytest.fixture(scope="module")
def state(model):
    return half_state(model)


@pytest.fixture(scope="module")
def archive(model, tmp_path_factory):
    return save_torchscript(model, tmp_path_factory.mktemp("archive") / "archive.pt")


class TestFormats:
    def test_an_archive_gives_the_tensors_as_stored_without_its_scalars(self, archive, state):
        read = load_weights(archive)
        assert read.state.keys() == state.keys()
        assert all(torch.equal(read.state[name], state[name]) for name in state)
        assert {tensor.dtype for tensor in read.state.values()} == {torch.float16, torch.float32}
        assert (read.name, read.source) == (str(archive), str(archive))
        assert (read.thresholds, read.warning) == ({}, "")

    def test_the_format_is_told_by_content_not_by_extension(self, archive, state, tmp_path):
        files = [
            save_plain(state, tmp_path / "plain.safetensors"),
            save_safetensors(state, tmp_path / "hub.pt"),
            tmp_path / "archive",
        ]
        files[2].write_bytes(archive.read_bytes())
        assert len({load_weights(str(file), "quickgelu").model_id for file in files}) == 1

    def test_a_state_dict_in_the_old_format_without_zip_is_read(self, state, tmp_path):
        torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
        assert load_weights(tmp_path / "old.pth", "gelu").state.keys() == state.keys()

    def test_a_trainers_wrappers_are_taken_off(self, state, tmp_path):
        wrapped = {"module." + name: value for name, value in state.items()}
        wrapped["module.transformer.resblocks.0.attn_mask"] = torch.zeros(77, 77)
        path = save_plain({"epoch": 3, "state_dict": wrapped, "name": "run 7"}, tmp_path / "epoch_3.pt")
        assert load_weights(path, "gelu").state.keys() == state.keys()

    def test_metadata_of_a_safetensors_file_is_used(self, state, tmp_path):
        told = {
            "activation": "gelu",
            "banner": "knows only drawings",
            "thresholds": json.dumps({"text": 0.3, "image": 1}),
        }
        read = load_weights(save_safetensors(state, tmp_path / "a.safetensors", **told))
        assert (read.activation, read.warning) == ("gelu", "knows only drawings")
        assert read.thresholds == {"text": 0.3, "image": 1.0}

    @pytest.mark.parametrize("thresholds", ["0.3", "{", '{"text": "high"}', '{"text": NaN}', "[" * 100_000])
    def test_refuses_thresholds_that_are_not_numbers_by_mode(self, state, tmp_path, thresholds):
        path = save_safetensors(state, tmp_path / "a.safetensors", activation="gelu", thresholds=thresholds)
        with pytest.raises(
            ModelError, match=r'a.safetensors: metadata "thresholds" must be JSON such as {"text": 0.25}'
        ):
            load_weights(path)


class TestActivation:
    def test_an_archives_code_is_read_as_text(self, archive, tmp_path):
        assert load_weights(archive).activation == "quickgelu"
        gelu = save_torchscript(random_clip("small", "gelu"), tmp_path / "gelu.pt")
        assert load_weights(gelu).activation == "gelu"

    def test_the_caller_overrules_the_file(self, archive):
        assert load_weights(archive, activation="gelu").activation == "gelu"

    def test_a_sigmoid_with_another_factor_is_no_quickgelu(self, tmp_path, monkeypatch):
        monkeypatch.setattr(QuickGELU, "forward", lambda self, x: x * torch.sigmoid(1.5 * x))
        with pytest.raises(ModelError, match="does not say which activation"):
            load_weights(save_torchscript(random_clip("small"), tmp_path / "other.pt"))

    def test_is_never_guessed(self, state, tmp_path):
        path = save_plain(state, tmp_path / "unknown.pt")
        with pytest.raises(
            ModelError, match=r'unknown.pt does not say .* pass activation="quickgelu" .* activation="gelu"'
        ):
            load_weights(path)

    def test_a_file_that_openai_published_is_known_by_its_hash(self, state, tmp_path, monkeypatch):
        path = save_plain(state, tmp_path / "renamed.pt")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setitem(weights.ADDRESSES, "RN50", f"https://example.org/{sha256}/RN50.pt")
        assert load_weights(path).activation == "quickgelu"

    def test_refuses_an_unknown_one(self, archive):
        with pytest.raises(ModelError, match="activation='relu' is not known; allowed: quickgelu, gelu"):
            load_weights(archive, activation="relu")


class TestIdentity:
    def test_is_the_hash_that_the_docstring_says(self):
        state = {"b": torch.tensor([[1.5, -2.0]], dtype=torch.float16), "a": torch.tensor(3.0), "n": torch.tensor(7)}
        first = hashlib.sha256(b"a []\n" + struct.pack("<f", 3)).digest()
        second = hashlib.sha256(b"b [1, 2]\n" + struct.pack("<2f", 1.5, -2)).digest()
        assert model_id(state, "gelu", "as is") == hashlib.sha256(first + second + b"gelu\nas is").hexdigest()

    def test_fp16_and_its_fp32_copy_are_one_model(self, archive, state, tmp_path):
        upcast = save_safetensors({name: value.float() for name, value in state.items()}, tmp_path / "fp32.safetensors")
        assert load_weights(upcast, "quickgelu").model_id == load_weights(archive).model_id

    def test_any_change_makes_another_model(self, state):
        changed = {**state, "ln_final.bias": state["ln_final.bias"] + 1e-3}
        renamed = {("x" if name == "ln_final.bias" else name): value for name, value in state.items()}
        ids = [model_id(numbers, "gelu", str(Preprocessing(32, 32))) for numbers in (state, changed, renamed)]
        ids += [
            model_id(state, "quickgelu", str(Preprocessing(32, 32))),
            model_id(state, "gelu", str(Preprocessing(64, 64))),
        ]
        assert len(set(ids)) == 5 and all(re.fullmatch("[0-9a-f]{64}", one) for one in ids)


class TestArchitecture:
    NARROW = (128, 96, (1, 1, 1, 1), 16, None, 77, 49408, 64, 1, 2)  # a ResNet's heads are in its attention pool

    @pytest.mark.parametrize("shape", [SHAPES["small"], SHAPES["RN50"], NARROW])
    def test_is_found_from_the_shapes_alone(self, shape):
        with torch.device("meta"):
            sizes = sizes_of(CLIP(*shape).state_dict())
        names = ["embed_dim", "image_resolution", "vision_layers", "vision_width", "vision_patch_size"]
        names += ["context_length", "vocab_size", "transformer_width", "transformer_heads", "transformer_layers"]
        assert {name: sizes[name] for name in names} == dict(zip(names, shape, strict=True))
        pooled = shape[3] * (1 if shape[4] else 32)
        assert (sizes["pooled_width"], sizes["vision_heads"]) == (pooled, pooled // 64)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"ln_final.weight": None}, "tensor 'ln_final.weight' is missing; found"),
            ({"visual.conv1.weight": torch.zeros(64, 3)}, "unexpected number of dimensions"),
            ({"ln_final.weight": torch.zeros(48)}, "widths 64 and 48 are not multiples of heads 64 wide"),
        ],
    )
    def test_refuses_tensors_that_are_no_clip(self, state, tmp_path, change, words):
        changed = {name: value for name, value in {**state, **change}.items() if value is not None}
        with pytest.raises(ModelError, match=f"odd.pt is not a CLIP that can be run: .*{words}"):
            load_weights(save_plain(changed, tmp_path / "odd.pt"), architecture="ViT-B/32")

    def test_names_of_another_library_are_shown(self, tmp_path):
        path = save_plain({"text_model.embeddings.token_embedding.weight": torch.zeros(2, 2)}, tmp_path / "hf.pt")
        with pytest.raises(ModelError, match=r"'ln_final.weight' is missing; found 1 tensors: text_model.embeddings"):
            load_weights(path, architecture="ViT-B/32")


def an_archive(path, pickled: bytes, storages=(), compression=zipfile.ZIP_STORED):
    """A TorchScript archive with this data.pkl."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("a/data.pkl", pickled)
        file.writestr("a/constants.pkl", b"\x80\x02).")
        file.writestr("a/code/__torch__.py", "class A(Module): pass")
        for number, data in enumerate(storages):
            file.writestr(f"a/data/{number}", data)
    return path


def a_tensor(count=4, size=(4,), stride=(1,), offset=0) -> bytes:
    """Opcodes that leave a float32 tensor over storage 0 on the stack."""
    storage = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
        + integer(count)
        + b"tQ"
    )
    shape = b"(" + b"".join(map(integer, size)) + b"t(" + b"".join(map(integer, stride)) + b"t"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + integer(offset)
        + shape
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def integer(value) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


def an_object(**attributes) -> bytes:
    """Opcodes of a TorchScript object with these attributes, each given as opcodes."""
    items = b"".join(b"X" + struct.pack("<I", len(name)) + name.encode() + value for name, value in attributes.items())
    return b"c__torch__.m\nModel\n)\x81}(" + items + b"ub"


class Boom:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), "w"))


class TestHostileFiles:
    def test_the_handmade_archive_would_be_read(self, tmp_path):
        """So that the refusals below are for the reason they say."""
        data = b"\x80\x02" + an_object(part=an_object(weight=a_tensor())) + b"."
        path = an_archive(tmp_path / "a.pt", data, [struct.pack("<4f", 1, 2, 3, 4)])
        read = weights.read_checkpoint(path)
        assert read.state["part.weight"].tolist() == [1, 2, 3, 4]
        assert (read.metadata, read.activation, read.archive_class) == ({}, None, "m.Model")

    @pytest.mark.parametrize("protocol", [0, 2, 4])
    def test_refuses_any_other_global_and_runs_nothing(self, tmp_path, protocol):
        target = tmp_path / "was-run"
        path = an_archive(tmp_path / "a.pt", pickle.dumps(Boom(target), protocol))
        with pytest.raises(
            ModelError, match=r"a.pt is refused as a checkpoint: it asks for .*open.* nothing in it was run"
        ):
            load_weights(path)
        assert not target.exists()

    @pytest.mark.parametrize("zipped", [True, False])
    def test_refuses_code_in_a_plain_state_dict(self, tmp_path, zipped):
        target, path = tmp_path / "was-run", tmp_path / "a.pt"
        torch.save({"x": Boom(target)}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(
            ModelError, match=r"asks for \w+.open, which no CLIP needs; nothing in it was run.*model.state_dict\(\)"
        ):
            load_weights(path)
        assert not target.exists()

    @pytest.mark.parametrize(
        ("tensor", "words"),
        [
            (a_tensor(count=5), "tensor data 0 has 16 bytes where 5 x torch.float32 are claimed"),
            (a_tensor(count=-1), "tensor data 0 are -1 numbers"),
            (a_tensor(count=2**40), "tensor data 0 has 16 bytes"),
            (a_tensor(size=(5,)), "damaged"),
            (a_tensor(offset=2), "damaged"),
            (a_tensor(offset=-1), "damaged"),
            (a_tensor(size=(4,), stride=(-1,)), "damaged"),
            (a_tensor(size=(2**40,), stride=(0,)), "tensor 'weight' claims more numbers than the file holds"),
        ],
    )
    def test_refuses_tensors_beyond_their_data(self, tmp_path, tensor, words):
        path = an_archive(tmp_path / "a.pt", b"\x80\x02" + an_object(weight=tensor) + b".", [bytes(16)])
        with pytest.raises(ModelError, match=words):
            load_weights(path)

    def test_refuses_compressed_and_overlapping_entries(self, tmp_path):
        bomb = an_archive(tmp_path / "a.pt", b"\x80\x02).", [bytes(10_000_000)], zipfile.ZIP_DEFLATED)
        with pytest.raises(ModelError, match="is compressed, as torch never writes it"):
            load_weights(bomb)
        path = an_archive(tmp_path / "b.pt", b"\x80\x02).", [b"12345678"])
        data = bytearray(path.read_bytes())
        at = data.rindex(b"a/data/0") - 46  # the entry's record in the table at the end
        data[at + 20 : at + 28] = struct.pack("<II", 1 << 30, 1 << 30)
        path.write_bytes(data)
        with pytest.raises(ModelError, match="its entries claim 1073741"):
            load_weights(path)

    @pytest.mark.parametrize("zipped_tail", [False, True])
    def test_refuses_memory_asked_for_by_a_pickle_that_says_nothing_of_its_protocol(self, tmp_path, zipped_tail):
        """A zip archive behind it does not make it one to torch, which goes by the first bytes."""
        path = tmp_path / "a.pt"
        tail = an_archive(tmp_path / "b.pt", b"\x80\x02).").read_bytes() if zipped_tail else b""
        path.write_bytes(b"cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR." + tail)
        with pytest.raises(ModelError, match="asks for builtins bytearray"):
            load_weights(path, "gelu")

    def test_refuses_a_pickle_that_asks_for_a_huge_memo(self, tmp_path):
        path = an_archive(tmp_path / "a.pt", b"\x80\x02)r\xff\xff\xff\x7f.")
        with pytest.raises(ModelError, match="asks for more memory"):
            load_weights(path)

    def test_refuses_objects_that_hold_each_other_again_and_again(self, tmp_path):
        laughs = an_object()
        for level in range(30):  # 2 to the 30 paths
            laughs += b"q" + bytes([level]) + b"0" + an_object(a=b"h" + bytes([level]), b=b"h" + bytes([level]))
        path = an_archive(tmp_path / "a.pt", b"\x80\x02" + laughs + b".")
        with pytest.raises(ModelError, match="nested as in no CLIP"):
            load_weights(path)

    def test_nothing_that_a_file_sets_outlives_it(self, tmp_path):
        setting = b"c__torch__.m\nModel\nN}(X\x01\x00\x00\x00ac__torch__.m\nOther\nu\x86b."
        with contextlib.suppress(ModelError):
            weights.read_checkpoint(an_archive(tmp_path / "a.pt", b"\x80\x02" + setting))
        clean = b"\x80\x02" + an_object(weight=a_tensor()) + b"."
        assert list(weights.read_checkpoint(an_archive(tmp_path / "b.pt", clean, [bytes(16)])).state) == ["weight"]


class TestBrokenFiles:
    @pytest.mark.parametrize("kind", ["archive", "plain", "old", "safetensors"])
    @pytest.mark.parametrize("share", [0.5, 0.99])
    def test_says_that_a_truncated_file_is_damaged(self, archive, state, tmp_path, kind, share):
        path = tmp_path / "half.pt"
        if kind == "archive":
            path.write_bytes(archive.read_bytes())
        elif kind == "safetensors":
            save_safetensors(state, path)
        else:
            torch.save(state, path, _use_new_zipfile_serialization=kind == "plain")
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ModelError, match=r"half.pt (cannot be read as a checkpoint|is no checkpoint)"):
            load_weights(path, "gelu")

    @pytest.mark.parametrize(
        "data", [b"", b"PK", b"<!DOCTYPE html><html>404</html>", b"\x10" + bytes(7) + b"{not json at all", bytes(100)]
    )
    def test_refuses_what_is_no_checkpoint(self, tmp_path, data):
        (tmp_path / "page.pt").write_bytes(data)
        with pytest.raises(ModelError, match=r"page.pt (cannot be read as a checkpoint|is no checkpoint)"):
            load_weights(tmp_path / "page.pt")

    def test_a_flipped_byte_in_an_archive_is_noticed(self, archive, tmp_path):
        data = bytearray(archive.read_bytes())
        data[len(data) // 2] ^= 1
        (tmp_path / "flipped.pt").write_bytes(data)
        with pytest.raises(ModelError, match=r"flipped.pt cannot be read .*CRC"):
            load_weights(tmp_path / "flipped.pt")

    def test_refuses_a_file_without_tensors(self, tmp_path):
        with pytest.raises(ModelError, match="'ln_final.weight' is missing; found 0 tensors: nothing"):
            load_weights(save_plain({"epoch": 3}, tmp_path / "a.pt"), "gelu")


class TestNames:
    @pytest.mark.parametrize(
        ("model", "words"),
        [
            ("ViT-B-32", r'"ViT-B-32" is neither a known model nor a file .*RN50, .*ViT-B/32.*tiny'),
            (Path("no", "where.pt"), r'where.pt" is neither a known model nor a file that is there'),
            (".", "is a folder, not a checkpoint"),
        ],
    )
    def test_what_is_no_model_is_named_and_the_known_ones_are_listed(self, model, words):
        with pytest.raises(ModelError, match=words):
            load_weights(model)

    def test_the_tiny_model_is_read_from_data(self, state, tmp_path, monkeypatch):
        monkeypatch.setattr(weights, "TINY", tmp_path / "tiny.safetensors")
        with pytest.raises(ModelError, match=r'model="tiny" is read from .*tiny.safetensors, which is not there'):
            load_weights("tiny")
        save_safetensors(state, weights.TINY, activation="quickgelu", banner="tiny")
        read = load_weights("tiny")
        assert (read.name, read.warning) == ("tiny", "tiny")


def no_hub(*_, **__):
    raise OSError("the hub has no such file")


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Function (port, sha256 that OpenAI publishes): a load of "ViT-B/32" from there, as is the hub."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def at(port, sha256="0" * 64):
        monkeypatch.setitem(weights.ADDRESSES, "ViT-B/32", f"http://127.0.0.1:{port}/{sha256}/ViT-B-32.pt")
        monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda repo, file: f"http://127.0.0.1:{port}/{repo}/{file}")
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", no_hub)
        return functools.partial(load_weights, "ViT-B/32")

    return at


@pytest.fixture
def silent_port():
    """A port that takes connections and never answers, as behind a network that swallows packets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port(silent_port):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]  # bound, not listening


@pytest.fixture
def published():
    """A server that answers every address alike: (its port, {"content": bytes}, the list of addresses asked)."""
    answer, asked = {"content": b""}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer["content"])))
            self.end_headers()
            self.wfile.write(answer["content"])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], answer, asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def half(tmp_path):
    """What a download that broke off has left in openai/CLIP's own cache."""
    file = tmp_path / ".cache" / "clip" / "ViT-B-32.pt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half")
    return file


class TestDownload:
    def test_fault_40_without_a_network_one_error_says_what_was_tried_and_what_to_do(self, network, closed_port):
        """Weights that cannot be had: an error that says what was tried, and what to do."""
        start = time.monotonic()
        with pytest.raises(ModelError) as caught:
            network(closed_port)()
        assert time.monotonic() - start < patience_s(30)
        words = str(caught.value)
        assert "the weights of ViT-B/32 cannot be had. Tried:" in words
        assert "ViT-B-32.pt: <urlopen error" in words and "vit_base_patch32_clip_224.openai" in words
        assert 'model="/path/ViT-B-32.pt"' in words and 'model="tiny"' in words

    def test_a_network_that_swallows_packets_is_given_up_in_seconds(self, network, silent_port, monkeypatch):
        assert 2 * fetch.ANSWER_WITHIN_S < 10
        monkeypatch.setattr(fetch, "ANSWER_WITHIN_S", 0.2)
        with pytest.raises(
            ModelError, match=r"(?s)ViT-B-32.pt: no answer within 0.2 s.*openai/.*: no answer within 0.2 s"
        ):
            network(silent_port)()

    def test_a_download_is_checked_kept_and_not_repeated(self, network, published, archive, tmp_path):
        port, answer, asked = published
        answer["content"] = archive.read_bytes()
        load = network(port, hashlib.sha256(answer["content"]).hexdigest())
        first, second = load(), load()
        assert len(asked) == 1 and first.model_id == second.model_id == load_weights(archive).model_id
        assert first.activation == "quickgelu" and first.name == "ViT-B/32"
        assert [file.name for file in (tmp_path / ".cache" / "clip").iterdir()] == ["ViT-B-32.pt"]

    def test_a_damaged_download_is_never_left_as_good(self, network, published, tmp_path):
        port, answer, _ = published
        answer["content"] = b"<html>a page of the hotel's network</html>"
        with pytest.raises(ModelError, match=r"ViT-B-32.pt: what arrived is incomplete or not the published file"):
            network(port)()
        assert not list((tmp_path / ".cache" / "clip").iterdir())

    def test_a_damaged_file_in_the_cache_is_fetched_anew(self, network, published, archive, half):
        port, answer, asked = published
        answer["content"] = archive.read_bytes()
        network(port, hashlib.sha256(answer["content"]).hexdigest())()
        assert len(asked) == 1 and half.read_bytes() == answer["content"]

    def test_a_damaged_file_without_a_network_is_named(self, network, closed_port, half):
        with pytest.raises(ModelError, match=r"clip.ViT-B-32.pt: damaged or incomplete"):
            network(closed_port)()

    def test_the_hubs_copy_on_disk_needs_no_network(self, network, closed_port, archive, state, tmp_path):
        folder = tmp_path / "hub" / "models--timm--vit_base_patch32_clip_224.openai"
        (folder / "snapshots" / "abc").mkdir(parents=True)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("abc")
        save_safetensors(state, folder / "snapshots" / "abc" / "open_clip_model.safetensors")
        read = network(closed_port)()
        assert (read.activation, read.model_id) == ("quickgelu", load_weights(archive).model_id)

    def test_the_hub_helps_where_openais_address_does_not(
        self, network, published, archive, state, tmp_path, monkeypatch
    ):
        port, answer, asked = published
        answer["content"] = b"moved"
        load, wanted = network(port), []
        copy = save_safetensors(state, tmp_path / "copy.safetensors")
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a, **k: wanted.append((a, k)) or str(copy))
        assert load().model_id == load_weights(archive).model_id
        repo, file = "timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors"
        assert wanted == [((repo, file), {})]
        assert asked[1] == f"/{repo}/{file}"
