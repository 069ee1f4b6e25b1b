"""Read the tensors of a checkpoint without running anything in it.

What `torch.save` and TorchScript write is read by an unpickler of our own, which knows tensors and, to pass over them,
the plain things that trainers save beside them; safetensors hold only numbers. Of a training run's checkpoint only the
model's tensors are read, not those of its optimizer.
"""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import safe_open
from torch import Tensor

from ..errors import ModelError
from .naming import find_clip, to_openai_names

MAX_TEXT_BYTES = 32 << 20  # pickles and code of an archive together; OpenAI's have a few MB
MAX_OBJECTS = 5000  # modules in an archive; RN50x64 has about a thousand
MAX_OPCODES = 500_000  # in a pickle; one tensor takes about 40
MAX_LONG_NUMBERS = 1000  # beyond 64 bits: a trainer's random state has a few; a million of one hash would stall a dict
MAX_DEPTH = 12  # of dicts in dicts
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
# What trainers save beside the weights. Each becomes an empty stand-in: the real class or function is never looked up.
IGNORED_GLOBALS = re.compile(
    r"(argparse\.Namespace|types\.SimpleNamespace|collections\.(defaultdict|Counter|deque)|pathlib(\._local)?\.\w*Path"
    r"|(builtins|__builtin__)\.(list|dict|set|frozenset|tuple|int|float|str|bool|bytes|complex|slice|range)"
    r"|datetime\.(datetime|date|timedelta|timezone)|enum\.Enum|decimal\.Decimal|uuid\.UUID|_codecs\.encode"
    r"|numpy\.(dtype|ndarray|bool_?|u?int\d+|float\d+|str_|dtypes\.\w+)"
    r"|numpy\.(_?core\.multiarray|_core\.numeric|core\.numeric)\.(scalar|_reconstruct|_frombuffer)"
    r"|torch\.(Size|device|dtype|float\d+|bfloat16|u?int\d+|bool|Generator|torch_version\.TorchVersion)"
    r"|torch\.serialization\._get_layout|torch\._utils\._rebuild_device_tensor_from_numpy"
    r"|(easydict\.EasyDict|yacs\.config\.CfgNode|addict\.addict\.Dict|ml_collections\.[\w.]+)"
    r"|(omegaconf|(pytorch_)?lightning(_fabric|_utilities)?)\.[\w.]+|typing\.\w+)"
)
NOTHING_WAS_RUN = (
    "nothing in it was run. If the file holds a whole pickled model, save its numbers alone where it was made: "
    'torch.save(model.state_dict(), "weights.pt")'
)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        state: The tensors of its CLIP by openai/CLIP's parameter names where it is of that shape, else by open_clip's,
            as stored, on the CPU.
        metadata: Text by key, of a safetensors file.
        archive_class: Of a TorchScript archive, the class that it was made of, such as "clip.model.CLIP"; else "".
        activation: Which activation the code of a TorchScript archive applies, where that can be told.
        notes: What was passed over that a person should know.
    """

    state: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)
    archive_class: str = ""
    activation: str | None = None
    notes: tuple[str, ...] = ()


def read_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """The CLIP in a file.

    Args:
        path: A TorchScript archive, what `torch.save` wrote, a safetensors file, told by content and not by extension,
            or the index.json of a model that lies in several such files.

    Raises:
        ModelError: Names the file and what is wrong with it.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(9)
        if str(path).endswith(".index.json"):
            return _read_shards(Path(path))
        if head.startswith(b"PK\3\4"):  # by which torch tells a zip file, too
            with zipfile.ZipFile(path) as archive:
                return _read_zip(archive, os.path.getsize(path))
        if head[8:] == b"{":
            with safe_open(path, "pt") as tensors:
                tree = {name: _TensorName(name) for name in tensors.keys()}  # noqa: SIM118 (not a mapping)
                return _checkpoint_of(tree, tensors.metadata() or {}, tensors.get_tensor)
        return _read_legacy(path)
    except ModelError as error:
        raise ModelError(f"{path} is refused as a checkpoint: {error}") from error
    except pickle.UnpicklingError as error:
        raise ModelError(f"{path} is no checkpoint: {error}; {NOTHING_WAS_RUN}") from error
    except Exception as error:  # damaged and hostile files raise almost anything
        reason = (f"{type(error).__name__}: {error}".splitlines() or [""])[0][:300]
        raise ModelError(f"{path} cannot be read as a checkpoint; is it incomplete or damaged? ({reason})") from error


def read_plain_pickle(data: bytes) -> Any:
    """What a pickle of plain values and NumPy arrays holds; other things in it are empty stand-ins, and no code is run.

    Raises:
        ModelError: It is no pickle, or asks for what is neither a plain value nor an array.
    """
    try:
        _check_pickle(data, len(data))
        return _ArrayReader(io.BytesIO(data)).load()
    except ModelError:
        raise
    except Exception as error:  # damaged and hostile pickles raise almost anything
        raise ModelError(f"it cannot be read as a pickle ({type(error).__name__}: {error})"[:300]) from error


def _checkpoint_of(tree: Any, metadata: dict[str, str], read: Callable[[Any], Tensor]) -> Checkpoint:
    """The CLIP among the dicts of a tree of tensors, read by `read`, checked, and in openai/CLIP's names."""
    found, notes = find_clip(list(_tensor_dicts(tree)))
    state = {name: read(value) for name, value in found.items()}
    for name, value in state.items():
        if value.layout is not torch.strided or value.nbytes > value.untyped_storage().nbytes():
            raise ModelError(f"tensor {name!r} claims more numbers than the file holds")
        if name.endswith(".weight") and not value.is_floating_point():
            raise ModelError(
                f"tensor {name!r} is of {value.dtype}: a quantised model; give the one that it was made from"
            )
    return Checkpoint(to_openai_names(state), metadata, notes=notes)


def _tensor_dicts(tree: Any, trail: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each dict that holds tensors, with the keys that lead to it: "state_dict", "ema.module" ..."""
    if not isinstance(tree, dict) or depth > MAX_DEPTH:
        return
    tensors = {str(key): value for key, value in tree.items() if isinstance(value, (Tensor, _LazyTensor, _TensorName))}
    if tensors:
        yield trail, tensors
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _tensor_dicts(value, f"{trail}.{key}".lstrip("."), depth + 1)


def _read_shards(index: Path) -> Checkpoint:
    """The tensors that an index.json finds in the files beside it."""
    files = sorted({*json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    state: dict[str, Tensor] = {}
    for name in files:
        if Path(name).name != name:
            raise ModelError(f"it names the file {name!r}, which does not lie beside it")
        with open(index.with_name(name), "rb") as file:
            is_safetensors = file.read(9)[8:] == b"{"
        if is_safetensors:
            with safe_open(index.with_name(name), "pt") as tensors:
                state |= {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118 (not a mapping)
        else:
            with zipfile.ZipFile(index.with_name(name)) as archive:
                tree, read = _unpickled(archive, index.with_name(name).stat().st_size)
                state |= {key: read(value) for _, found in _tensor_dicts(tree) for key, value in found.items()}
    return _checkpoint_of(state, {}, lambda value: value)


def _read_zip(archive: zipfile.ZipFile, size_bytes: int) -> Checkpoint:
    """A TorchScript archive or what `torch.save` writes since 2020."""
    tree, read = _unpickled(archive, size_bytes)
    names = archive.namelist()
    if any(name.endswith("/constants.pkl") for name in names):
        root = next(name for name in names if name.endswith("/constants.pkl")).removesuffix("constants.pkl")
        found = _checkpoint_of(dict(_attributes(tree)), {}, read)
        archive_class = re.sub(r"\.___torch_mangle_\d+|__torch__\.", "", getattr(type(tree), "made_of", ""))
        return Checkpoint(found.state, {}, archive_class, _activation_in_code(archive, root), found.notes)
    return _checkpoint_of(tree, {}, read)


def _unpickled(archive: zipfile.ZipFile, size_bytes: int) -> tuple[Any, Callable[[_LazyTensor], Tensor]]:
    """What the pickle of an archive holds, with tensors that are not read yet, and what reads one."""
    _check_entries(archive, size_bytes)
    for name in archive.namelist():
        if name.endswith(".pkl"):
            data = archive.read(name)
            _check_pickle(data, len(data))
        if name.endswith("/byteorder") and archive.read(name) != b"little":
            raise ModelError("its numbers are big-endian; save it on an ordinary computer")
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if not pickles:
        raise ModelError("it is a zip file without a data.pkl, which torch writes; unpack it first")
    folder = pickles[0].removesuffix(".pkl")
    members = {name: archive.getinfo(name) for name in archive.namelist()}
    loaded: dict[str, Tensor] = {}

    def read(lazy: _LazyTensor) -> Tensor:
        key, dtype, count = lazy.storage.key, lazy.storage.dtype, lazy.storage.count
        if key not in loaded:
            entry = members.get(f"{folder}/{key}") or members[f"{folder.rpartition('/')[0]}/data/{key}"]
            if count * dtype.itemsize > entry.file_size:
                raise ModelError(f"tensor data {key} has {entry.file_size} bytes where {count} x {dtype} are claimed")
            loaded[key] = torch.frombuffer(bytearray(archive.read(entry)), dtype=dtype, count=count)
        return loaded[key].as_strided(lazy.size, lazy.stride, lazy.start)

    return _TensorReader(io.BytesIO(archive.read(f"{folder}.pkl"))).load(), read


def _read_legacy(path: str | os.PathLike) -> Checkpoint:
    """What `torch.save` wrote before 2020: five pickles one after another, then the numbers of each storage."""
    with open(path, "rb") as file:
        for _ in range(5):
            _check_pickle(file, os.path.getsize(path))
        file.seek(0)
        for _ in range(3):  # a magic number, the protocol, what machine wrote it
            _TensorReader(file).load()
        reader = _TensorReader(file)
        tree = reader.load()
        keys = _TensorReader(file).load()
        loaded = _read_storages(file, [reader.storages[key] for key in keys])
    return _checkpoint_of(
        tree, {}, lambda lazy: loaded[lazy.storage.key].as_strided(lazy.size, lazy.stride, lazy.start)
    )


def _read_storages(file: BinaryIO, storages: list[_Storage]) -> dict[str, Tensor]:
    """Each storage's numbers: a count of 8 bytes, then as many numbers."""
    loaded = {}
    for storage in storages:
        count, size_bytes = int.from_bytes(file.read(8), "little"), storage.count * storage.dtype.itemsize
        data = file.read(size_bytes) if count == storage.count else b""
        if len(data) != size_bytes:
            raise EOFError(f"the file ends within tensor data {storage.key}, or counts it as {count}")
        loaded[storage.key] = torch.frombuffer(bytearray(data), dtype=storage.dtype, count=storage.count)
    return loaded


def _check_entries(archive: zipfile.ZipFile, size_bytes: int) -> None:
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


def _check_pickle(pickled: Any, size_bytes: int) -> None:
    """Refuse what would harm an unpickler that runs nothing: memory to fill, or a dict of numbers of one hash."""
    long_numbers = 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(pickled)):
        if count > MAX_OPCODES:
            raise ModelError(f"its pickle holds more than {MAX_OPCODES} things, as no CLIP does")
        # The memo is an array, so one large index would fill the memory.
        if "PUT" in opcode.name and int(argument or 0) > size_bytes:
            raise ModelError("its pickle asks for more memory than its size can need")
        if isinstance(argument, str) and ALLOCATES.search(argument):
            raise ModelError(f"it asks for {argument}, which no CLIP needs; {NOTHING_WAS_RUN}")
        long_numbers += isinstance(argument, int) and not -(2**63) <= argument < 2**64
    if long_numbers > MAX_LONG_NUMBERS:
        raise ModelError(f"its pickle has {long_numbers} numbers beyond 64 bits; a CLIP has none")


def _attributes(root: Any) -> Iterator[tuple[str, _LazyTensor]]:
    """The tensors of a TorchScript archive by dotted attribute name."""
    waiting, objects = [("", root)], 0
    while waiting:
        prefix, bag = waiting.pop()
        objects += 1
        if objects > MAX_OBJECTS or len(prefix) > 1000:
            raise ModelError(f"its objects are nested as in no CLIP ({prefix[:50]}...)")
        for name, value in vars(bag).items():
            if isinstance(value, _LazyTensor):
                yield f"{prefix}{name}", value
            elif isinstance(value, _Placeholder):
                waiting.append((f"{prefix}{name}.", value))


def _activation_in_code(archive: zipfile.ZipFile, root: str) -> str | None:
    """Which activation an archive's code applies, read as text: "quickgelu", "gelu", or None where it cannot be told.

    QuickGELU is x * sigmoid(1.702 * x). OpenAI's code says `torch.sigmoid(torch.mul(argument_1, CONSTANTS.c2))`, with
    1.702 among the constants.
    """
    code = "".join(archive.read(name).decode() for name in archive.namelist() if name.endswith(".py"))
    constants = _TensorReader(io.BytesIO(archive.read(f"{root}constants.pkl"))).load()
    scalars = []
    for value in constants:
        if isinstance(value, _LazyTensor) and math.prod(value.size) == 1 and value.storage.dtype.is_floating_point:
            data = archive.read(f"{root}constants/{value.storage.key}")
            scalars.append(float(torch.frombuffer(bytearray(data), dtype=value.storage.dtype)[value.start]))
    has_gelu, has_sigmoid = "torch.gelu(" in code, "torch.sigmoid(" in code
    if has_sigmoid and not has_gelu and ("1.702" in code or any(abs(value - 1.702) < 1e-3 for value in scalars)):
        return "quickgelu"
    return "gelu" if has_gelu and not has_sigmoid and "tanh" not in code else None


class _TensorName(str):
    """The name of a tensor in a safetensors file, not read yet."""


@dataclass(frozen=True)
class _Storage:
    """Numbers in the file, not read yet."""

    key: str
    dtype: torch.dtype
    count: int


@dataclass(frozen=True)
class _LazyTensor:
    """A tensor that has not been read yet."""

    storage: _Storage
    start: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Placeholder(dict):
    """Stands in for an object of the file: it takes what it is given and does nothing."""

    made_of = ""

    def __init__(self, *_: Any, **__: Any):
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if type(state) is dict:
            self.__dict__.update((str(name), value) for name, value in state.items())

    def append(self, _: Any) -> None:
        """For what was a list."""

    def extend(self, _: Any) -> None:
        """The same."""

    def add(self, _: Any) -> None:
        """For what was a set."""


class _TensorReader(pickle.Unpickler):
    """Unpickler that knows tensors, plain values and stand-ins; other globals are refused by name."""

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}
        self.allowed: dict[str, Callable] = {
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
            "torch._utils._rebuild_parameter_with_state": lambda tensor, *_: tensor,
            "torch.nn.parameter.Parameter": lambda tensor, *_: tensor,
            "torch.jit._pickle.restore_type_tag": lambda value, _: value,
            "collections.OrderedDict": lambda *_: OrderedDict(),
        }
        for kind in ("int", "tensor", "double", "bool"):
            self.allowed[f"torch.jit._pickle.build_{kind}list"] = lambda value: value

    def find_class(self, module: str, name: str) -> Any:
        known = STORAGES.get(name) if module == "torch" else self.allowed.get(f"{module}.{name}")
        if known is not None:
            return known
        if module.startswith("__torch__") or IGNORED_GLOBALS.fullmatch(f"{module}.{name}"):
            # A new class each time: nothing that a file sets on it outlives the file.
            return type("Placeholder", (_Placeholder,), {"made_of": f"{module}.{name}"})
        raise ModelError(f"it asks for {module}.{name}, which no CLIP needs; {NOTHING_WAS_RUN}")

    def persistent_load(self, identity: Any) -> _Storage:
        _, dtype, key, _, count, *_ = identity
        if not isinstance(dtype, torch.dtype) or not isinstance(count, int) or count < 0:
            raise ModelError(f"tensor data {str(key)[:40]} are {str(count)[:40]} numbers of no type that a CLIP has")
        return self.storages.setdefault(str(key), _Storage(str(key), dtype, count))

    @staticmethod
    def _tensor(storage: _Storage, start: int, size: tuple, stride: tuple, *_: Any) -> _LazyTensor:
        if not isinstance(storage, _Storage):
            raise ModelError("a tensor has no data")
        return _LazyTensor(storage, start, tuple(size), tuple(stride))


class _ArrayReader(_TensorReader):
    """The same, with NumPy arrays as they are: built here from their shape and bytes."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("numpy"):
            known = {
                "_reconstruct": lambda *_: _Array(),
                "_frombuffer": lambda raw, dtype, shape, order: _Array().filled(shape, dtype, order == "F", raw),
                "dtype": _Dtype,
                "scalar": lambda dtype, raw: _Array().filled((), dtype, False, raw),
            }
            if name in known:
                return known[name]
        if (module, name) == ("_codecs", "encode"):
            return lambda text, _: text.encode("latin1")
        return super().find_class(module, name)


class _Dtype:
    """NumPy's dtype as a pickle tells it: "f4" and the order of bytes."""

    def __init__(self, kind: str, *_: Any):
        self.kind, self.order = str(kind), "<"

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1] if len(state) > 1 and state[1] in ("<", ">", "|", "=") else "<"


class _Array:
    """An array; `value` is the real one, once it is filled."""

    value: Any = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, raw = state
        self.filled(shape, dtype, fortran, raw)

    def filled(self, shape: tuple, dtype: Any, fortran: bool, raw: Any) -> _Array:
        """Itself, with the numbers of `raw`; of objects it takes the strings that they are."""
        import numpy as np

        if isinstance(raw, list):
            self.value = np.array([str(item) for item in raw])
        elif isinstance(dtype, _Dtype) and re.fullmatch(r"[fiub]\d{1,2}|U\d{1,4}", dtype.kind):
            flat = np.frombuffer(bytes(raw), np.dtype(f"{dtype.order}{dtype.kind}"))
            self.value = flat.reshape(shape, order="F" if fortran else "C")
        else:
            raise ModelError("it holds an array of neither numbers nor texts")
        return self
