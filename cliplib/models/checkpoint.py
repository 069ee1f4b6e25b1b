"""Read the tensors of a checkpoint without running anything in it.

OpenAI's TorchScript archives are zip files, whose tensors are read with an unpickler that knows tensors and nothing
else; plain state dicts go through `torch.load(weights_only=True)`; safetensors hold only numbers.
"""

import io
import os
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict

import torch
from safetensors import safe_open
from torch import Tensor

from ..errors import ModelError

MAX_TEXT_BYTES = 32 << 20  # pickles and code of an archive together; OpenAI's have a few MB
MAX_OBJECTS = 5000  # modules in an archive; RN50x64 has about a thousand
MAX_OPCODES = 500_000  # in a pickle; one tensor takes about 40
MAX_LONG_NUMBERS = 1000  # beyond 64 bits; a trainer's random state has a few, a million of one hash fill no dict ever
ALLOCATES = re.compile(r"^(.*[ .])?(bytearray|[A-Z][A-Za-z0-9]*Tensor)$")  # takes any memory when called with a number
STORAGES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def read_checkpoint(path):
    """(tensors by openai/CLIP's names, metadata as text by key, activation that an archive's own code applies or None).

    path: an OpenAI TorchScript archive, a plain state dict or a safetensors file, told by content, not by extension.
    Raises ModelError naming the file and what is wrong with it.
    """
    metadata, seen, state = {}, None, None
    try:
        with open(path, "rb") as file:
            head = file.read(9)
        if head.startswith(b"PK\3\4"):  # by which torch tells a zip file, too
            with zipfile.ZipFile(path) as archive:
                _check_entries(archive, os.path.getsize(path))
                for name in archive.namelist():
                    if name.endswith(".pkl"):
                        data = archive.read(name)
                        _check_pickle(data, len(data))
                if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                    state, seen = _read_torchscript(archive)
        elif head[8:] == b"{":
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        else:  # the old format: pickles one after another, then the numbers
            with open(path, "rb") as file:
                for _ in range(5):
                    _check_pickle(file, os.path.getsize(path))
        if state is None:
            with open(path, "rb") as file:  # given a path, torch.load goes by its extension
                state = torch.load(file, map_location="cpu", weights_only=True)
        return _unwrapped(state), metadata, seen
    except ModelError as error:
        raise ModelError(f"{path} is refused as a checkpoint: {error}") from error
    except pickle.UnpicklingError as error:  # torch's own words go on to advise loading it unsafely
        what = "is no checkpoint, or holds more than tensors and plain values; nothing in it was run"
        raise ModelError(f"{path} {what}") from error
    except Exception as error:  # damaged and hostile files raise almost anything
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        raise ModelError(f"{path} cannot be read as a checkpoint; is it incomplete or damaged? ({reason})") from error


def _unwrapped(state) -> dict:
    """The tensors of a checkpoint, less a trainer's wrappers and the buffers that openai/CLIP computes itself."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    items = state.items() if isinstance(state, dict) else ()
    state = {str(name): value for name, value in items if isinstance(value, Tensor)}
    for prefix in ("module.", "_orig_mod."):
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    for name, value in state.items():
        if value.layout is not torch.strided or value.nbytes > value.untyped_storage().nbytes():
            raise ModelError(f"tensor {name!r} claims more numbers than the file holds")
    computed = {"input_resolution", "context_length", "vocab_size", "attn_mask"}
    return {name: value for name, value in state.items() if name.rpartition(".")[2] not in computed}


def _check_entries(archive: zipfile.ZipFile, size_bytes: int):
    """Refuse zip bombs: torch compresses nothing but code, so what it stores is never larger than the file."""
    stored_bytes = text_bytes = 0
    for entry in archive.infolist():
        is_code = entry.filename.endswith((".py", ".debug_pkl"))
        if entry.compress_type != zipfile.ZIP_STORED and not is_code:
            raise ModelError(f"its entry {entry.filename} is compressed, as torch never writes it")
        stored_bytes += 0 if is_code else entry.file_size
        text_bytes += entry.file_size if entry.filename.endswith((".py", ".pkl")) else 0
    if stored_bytes > size_bytes:
        raise ModelError(f"its entries claim {stored_bytes} bytes and the whole file has {size_bytes}")
    if text_bytes > MAX_TEXT_BYTES:
        raise ModelError(f"its code and pickles have {text_bytes} bytes; at most {MAX_TEXT_BYTES} are read")


def _check_pickle(pickled, size_bytes: int):
    """Refuse what torch's own reader would do to its harm: fill the memory, or a dict with numbers of one hash."""
    long_numbers = 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(pickled)):
        if count > MAX_OPCODES:
            raise ModelError(f"its pickle holds more than {MAX_OPCODES} things, as no CLIP does")
        # The memo is an array, so one large index would fill the memory.
        if "PUT" in opcode.name and argument > size_bytes:
            raise ModelError("its pickle asks for more memory than its size can need")
        if isinstance(argument, str) and ALLOCATES.search(argument):
            raise ModelError(f"it asks for {argument}, which no CLIP needs; nothing in it was run")
        long_numbers += isinstance(argument, int) and not -(2**63) <= argument < 2**64
    if long_numbers > MAX_LONG_NUMBERS:
        raise ModelError(f"its pickle has {long_numbers} numbers beyond 64 bits; a CLIP has none")


def _read_torchscript(archive: zipfile.ZipFile):
    """(tensors by dotted attribute name, activation seen in the code or None); no code in the archive is run."""
    root = next(name for name in archive.namelist() if name.endswith("/constants.pkl")).removesuffix("constants.pkl")
    found, waiting, objects = {}, [("", _TensorReader(archive, f"{root}data").load())], 0
    while waiting:
        prefix, bag = waiting.pop()
        objects += 1
        if objects > MAX_OBJECTS or len(prefix) > 1000:
            raise ModelError(f"its objects are nested as in no CLIP ({prefix[:50]}...)")
        for name, value in vars(bag).items():
            if isinstance(value, Tensor):
                found[f"{prefix}{name}"] = value
            elif isinstance(value, _Bag):
                waiting.append((f"{prefix}{name}.", value))
    return found, _activation_in_code(archive, root)


def _activation_in_code(archive: zipfile.ZipFile, root: str):
    """ "quickgelu" where the archive's code, read as text, takes x * sigmoid(1.702 * x), "gelu" for GELU, else None.

    OpenAI's code says `torch.sigmoid(torch.mul(argument_1, CONSTANTS.c2))`, with 1.702 among the constants.
    """
    code = "".join(archive.read(name).decode() for name in archive.namelist() if name.endswith(".py"))
    constants = _TensorReader(archive, f"{root}constants").load()
    scalars = [float(value) for value in constants if isinstance(value, Tensor) and value.numel() == 1]
    has_gelu, has_sigmoid = "torch.gelu(" in code, "torch.sigmoid(" in code
    if has_sigmoid and not has_gelu and ("1.702" in code or any(abs(value - 1.702) < 1e-3 for value in scalars)):
        return "quickgelu"
    return "gelu" if has_gelu and not has_sigmoid and "tanh" not in code else None


class _Bag:
    """Stands in for an object of the archive: attributes, no behaviour."""


class _TensorReader(pickle.Unpickler):
    """Unpickler for a TorchScript archive: tensors, plain values and bags of attributes; other globals are refused."""

    def __init__(self, archive: zipfile.ZipFile, folder: str):
        super().__init__(io.BytesIO(archive.read(f"{folder}.pkl")))
        self.archive, self.folder, self.storages = archive, folder, {}
        self.allowed = {
            "torch._utils._rebuild_tensor_v2": lambda flat, start, size, stride, *_: flat.as_strided(
                size, stride, start
            ),
            "torch.jit._pickle.restore_type_tag": lambda value, _: value,
            "collections.OrderedDict": lambda *_: OrderedDict(),
        }
        for kind in ("int", "tensor", "double", "bool"):
            self.allowed[f"torch.jit._pickle.build_{kind}list"] = lambda value: value

    def find_class(self, module, name):
        if module.startswith("__torch__"):
            return type("Bag", (_Bag,), {})  # a new class each time: nothing that a file sets on it outlives the file
        found = STORAGES.get(name) if module == "torch" else self.allowed.get(f"{module}.{name}")
        if found is None:
            raise ModelError(f"it asks for {module}.{name}, which no CLIP needs; nothing in it was run")
        return found

    def persistent_load(self, identity):
        _, dtype, key, _, count = identity
        if key not in self.storages:
            entry = self.archive.getinfo(f"{self.folder}/{key}")
            if not 0 < count * dtype.itemsize <= entry.file_size:
                raise ModelError(f"tensor data {key} has {entry.file_size} bytes where {count} x {dtype} are claimed")
            self.storages[key] = torch.frombuffer(bytearray(self.archive.read(entry)), dtype=dtype, count=count)
        return self.storages[key]
